"""One cell has one text in every protocol and format (DESIGN 2.4, Numbers)."""

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
    """`ask(path)`: what is answered of the cell, as text; `{lon}` and `{lat}` stand for it."""
    variable = served.make_variable(scale=SCALE, offset=OFFSET, units="1")
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    return lambda path: client.get(path.format(lon=longitude, lat=latitude)).text


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}", r'"values":\[([^\]]*)\]'),
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}&format=csv", r"Z,([^,\n]+),"),
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}&format=geojson", r'"value":\[([^\]]*)\]'),
        ("/timeseries/NDVI/point?lon={lon}&lat={lat}&format=covjson", r'"shape":\[4\],"values":\[([^\]]*)\]'),
        ("/timeseries/v1.0/ts/NDVI/point?lon={lon}&lat={lat}", r'"average":([^}]*)}'),
    ],
    ids=["json", "csv", "geojson", "covjson", "terrascope"],
)
def test_series_have_exact_decimals(ask, path, pattern):
    found = ",".join(re.findall(pattern, ask(path)))

    assert found.split(",") == TEXTS
