"""One cell has one text in every protocol and format (docs/reference/layers-and-series.md, Numbers)."""

import re

import pytest

from tests.decimals import cell_value
from tests.protocols import served

ROW, COLUMN = 30, 40
SCALE, OFFSET = 0.004, -0.08
NUMBERS = [int(served.number_at(ROW, COLUMN, time)) for time in range(4)]
TEXTS = [repr(cell_value(number, SCALE, OFFSET)).removesuffix(".0") for number in NUMBERS]


@pytest.fixture
def ask(make_client, make_services, longitude_latitude):
    """Return a function that requests a path and returns text; `{lon}`, `{lat}` and a box stand for the cell."""
    variable = served.make_variable(scale=SCALE, offset=OFFSET, units="1")
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    around = {"west": longitude - 1e-5, "south": latitude - 1e-5, "east": longitude + 1e-5, "north": latitude + 1e-5}
    return lambda path: client.get(path.format(lon=longitude, lat=latitude, **around)).text


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}", r'"values":\[([^\]]*)\]'),
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}&format=csv", r"Z,([^,\n]+),"),
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}&format=geojson", r'"value":\[([^\]]*)\]'),
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}&format=covjson", r'"shape":\[4\],"values":\[([^\]]*)\]'),
        ("/timeseries/v1.0/ts/NDVI/point?lon={lon}&lat={lat}", r'"average":([^}]*)}'),
        ("/timeseries/v1.1/ts/NDVI/point?lon={lon}&lat={lat}", r'"average":([^,}]*)[,}]'),
        ("/ogcapi/collections/NDVI/position?coords=POINT({lon} {lat})", r'"shape":\[4[^]]*\],"values":\[([^\]]*)\]'),
    ],
    ids=["json", "csv", "geojson", "covjson", "terrascope 1.0", "terrascope 1.1", "edr"],
)
def test_series_have_exact_decimals(ask, path, pattern):
    found = ",".join(re.findall(pattern, ask(path)))

    assert found.split(",") == TEXTS


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "application/json", "application/geo%2Bjson"])
def test_feature_information_has_exact_decimals(ask, kind):
    query = (
        "/wms?service=WMS&version=1.3.0&request=GetFeatureInfo&layers=NDVI&query_layers=NDVI&styles=&crs=CRS:84"
        "&bbox={west:.6f},{south:.6f},{east:.6f},{north:.6f}&width=1&height=1&i=0&j=0&time=2020-05-21&info_format="
    )

    found = ask(query + kind)

    assert re.search(rf"(?<![\d.]){re.escape(TEXTS[0])}(?!\d)", found), found


def test_the_middle_of_a_tilejson_has_no_binary_noise(ask):
    middle = re.search(r'"center":\[([^]]*)\]', ask("/tiles/NDVI/WebMercatorQuad/tilejson.json"))[1].split(",")

    assert all(len(each.partition(".")[2]) <= 7 for each in middle), middle
