"""Maps over HTTP: their pixels, the instant used, validators."""

import numpy as np
import pytest

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from tests.protocols import served
from tests.protocols.pictures import rgba_of, share_differing

DEFAULT = "99 Default value used: time={} ISO8601"
NEAREST = "99 Nearest value used: time={} ISO8601"


def lonlat_grid(crs="EPSG:4326", width=300, height=200):
    return Grid(crs=crs_of(crs), bbox=BBox(4.45, 50.75, 4.75, 50.95), width=width, height=height)


@pytest.mark.parametrize(
    ("version", "crs", "bbox"),
    [
        ("1.3.0", "EPSG:4326", "50.75,4.45,50.95,4.75"),
        ("1.3.0", "CRS:84", "4.45,50.75,4.75,50.95"),
        ("1.1.1", "EPSG:4326", "4.45,50.75,4.75,50.95"),
    ],
)
def test_map_shows_the_formula_in_either_axis_order(make_client, get_map, version, crs, bbox):
    key = "CRS" if version == "1.3.0" else "SRS"

    answer = get_map(
        make_client(),
        **{"VERSION": version, key: crs, "BBOX": bbox, "WIDTH": "300", "HEIGHT": "200", "TIME": "2020-06-01"},
    )

    assert share_differing(answer.content, served.expected_rgba(served.BELGIUM_31N, lonlat_grid(), 1)) <= 0.001


def test_map_in_a_northing_first_projection_shows_the_formula(make_client, get_map):
    box = BBox(3930000, 3080000, 3960000, 3110000)
    grid = Grid(crs=crs_of("EPSG:3035"), bbox=box, width=200, height=200)

    answer = get_map(make_client(), CRS="EPSG:3035", BBOX="3080000,3930000,3110000,3960000", WIDTH="200", HEIGHT="200")

    assert share_differing(answer.content, served.expected_rgba(served.BELGIUM_31N, grid, 3)) <= 0.001


def test_aspect_ratio_is_stretched_to_width_and_height(make_client, get_map):
    assert rgba_of(get_map(make_client(), WIDTH="8", HEIGHT="5").content).shape == (5, 8, 4)


@pytest.mark.parametrize(
    "bbox",
    ["10000,10000,20000,20000", "-1e9,-1e9,-9e8,-9e8", "700000,5640000,710000,5650000"],
    ids=["elsewhere", "beyond the CRS", "beside"],
)
def test_map_outside_the_data_is_blank(make_client, get_map, bbox):
    pixels = rgba_of(get_map(make_client(), BBOX=bbox).content)

    assert not pixels[..., 3].any()


@pytest.mark.parametrize("bbox", ["100,4,110,5", "-1000,-1000,1000,1000"], ids=["north of the pole", "all and more"])
def test_box_beyond_latitudes_is_no_exception(make_client, get_map, bbox):
    assert get_map(make_client(), CRS="EPSG:4326", BBOX=bbox).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("format", ["image/png", "image/webp", "image/jpeg"])
def test_media_type_is_the_format(make_client, get_map, format):
    assert get_map(make_client(), FORMAT=format).headers["Content-Type"] == format


def test_composite_is_drawn(client, get_map):
    pixels = rgba_of(get_map(client, LAYERS="TRUE_COLOUR", TIME="2020-05-21").content)

    assert len(np.unique(pixels[..., 0])) > 100
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize(
    ("layer", "time", "used", "warning"),
    [
        ("NDVI", "2020-06-11", "2020-06-11T00:00:00Z", None),
        ("NDVI", "2020-06-11T10:00Z", "2020-06-11T00:00:00Z", None),
        ("NDVI", "2020-06-11T00:00:00.000Z", "2020-06-11T00:00:00Z", None),
        ("NDVI", None, "2020-06-21T00:00:00Z", DEFAULT.format("2020-06-21")),
        ("NDVI", "", "2020-06-21T00:00:00Z", DEFAULT.format("2020-06-21")),
        ("NDVI", "default", "2020-06-21T00:00:00Z", DEFAULT.format("2020-06-21")),
        ("NDVI", "current", "2020-06-21T00:00:00Z", None),
        ("UNDATED", "current", "2020-06-21T00:00:00Z", None),
        ("TIMED", None, "2020-06-30T10:50:31.024Z", DEFAULT.format("2020-06-30T10:50:31.024Z")),
        ("RECENT", "2020-06-12", "2020-06-11T00:00:00Z", NEAREST.format("2020-06-11")),
        ("NDVI", "2020-06", "2020-06-21T00:00:00Z,2020-06-11T00:00:00Z,2020-06-01T00:00:00Z", None),
        ("NDVI", "2020-06-01,2020-06-11", "2020-06-11T00:00:00Z,2020-06-01T00:00:00Z", None),
        ("NDVI", "2020-06-05/2020-06-15", "2020-06-11T00:00:00Z", None),
        ("NDVI", "2020-06-11/..", "2020-06-21T00:00:00Z,2020-06-11T00:00:00Z", None),
        ("NDVI", "2020-06-11/current", "2020-06-21T00:00:00Z,2020-06-11T00:00:00Z", None),
        ("NDVI", "2020-06-01/2020-06-11/P10D", "2020-06-11T00:00:00Z,2020-06-01T00:00:00Z", None),
        ("NDVI", "2020-06-21/2020-12-31", "2020-06-21T00:00:00Z", NEAREST.format("2020-06-21")),
        ("NDVI", "2020-01-01/2020-05-31", "2020-05-21T00:00:00Z", NEAREST.format("2020-05-21")),
        ("NDVI", "2020-06-01,2020-06-02", "2020-06-01T00:00:00Z", NEAREST.format("2020-06-01")),
    ],
)  # fmt: skip
def test_used_instant_is_reported_with_a_warning(client, get_map, layer, time, used, warning):
    answer = get_map(client, LAYERS=layer, TIME=time)

    assert (answer.headers["Chronotile-Time"], answer.headers.get("Warning")) == (used, warning)


def test_warning_about_many_times_contains_their_interval(make_client, get_map):
    days = served.days_of(*np.datetime_as_string(np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")))
    layer = served.make_layer(variable=served.make_variable(times=days))
    client = make_client(served.make_services(served.make_collection(layer)))

    answer = get_map(client, TIME="2019-01-01/2020-12-31", WIDTH="8", HEIGHT="8")

    assert answer.headers["Warning"] == NEAREST.format("2020-01-01/2020-02-29")


def test_map_that_the_client_holds_is_304_and_reads_nothing(make_client, get_map):
    services = served.make_services()
    client = make_client(services)
    etag = get_map(client).headers["ETag"]
    services.readers["s2"].windows_read.clear()

    again = get_map(client, headers={"If-None-Match": etag})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert services.readers["s2"].windows_read == []


def test_etag_differs_between_backgrounds(make_client, get_map):
    client = make_client()

    assert get_map(client).headers["ETag"] != get_map(client, TRANSPARENT="FALSE").headers["ETag"]


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_capabilities_that_the_client_holds_are_304(client, version):
    url = f"/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION={version}"
    first = client.get(url)

    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


def test_maps_answer_under_every_path(make_client, get_map):
    client = make_client(served.make_services(service=ServiceInfo(wms_paths=("/wms", "/wms/v2"))))

    assert get_map(client, path="/wms/v2").content == get_map(client).content
