"""Parameters of GetMap and GetCapabilities, and their meaning."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.maps.wms.params import negotiated_version, operation, parse_frame_time, wms_map
from tests.protocols import served
from tests.protocols.pictures import rgba_of, share_differing

VALID = {
    "VERSION": "1.3.0",
    "LAYERS": "NDVI",
    "STYLES": "",
    "CRS": "EPSG:4326",
    "BBOX": "50.8,4.5,50.9,4.7",
    "WIDTH": "200",
    "HEIGHT": "100",
    "FORMAT": "image/png",
}


@pytest.fixture(scope="module")
def catalogue():
    return served.make_services(*served.varied_collections()).catalogue


@pytest.fixture
def parse(catalogue):
    def parse(**changes):
        return wms_map(Kvp({**VALID, **changes}.items()), catalogue).layers[0]

    return parse


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("hour", "text", "held"),
    [
        ("00:00", "2020-06-01T00:00:00Z/2020-06-11T00:00:00Z", ["01"]),
        ("00:00", "2020-06-01T00:00:00Z/2020-06-21T00:00:00Z", ["01", "11"]),
        ("00:00", "2020-06-02T00:00:00Z/2020-06-11T00:00:00Z", []),
        ("00:00", "2020-06-01/2020-06-21", ["01", "11", "21"]),
        ("10:30", "2020-06-01T10:30:00Z/2020-06-11T10:30:00Z", ["01"]),
        ("10:30", "2020-06-01T10:30:00Z/2020-06-21T10:30:00Z", ["01", "11", "21"]),
        ("10:30", "2020-06-01T00:00:00Z/2020-06-21T10:30:00Z", ["01", "11", "21"]),
    ],
)
def test_an_interval_that_is_a_frame_leaves_out_the_instant_of_the_next_one(hour, text, held):
    domain = domain_of_instants(np.datetime64(f"2020-06-{day}T{hour}", "ns") for day in ("01", "11", "21"))

    (part,) = parse_frame_time(text, domain).parts

    assert [str(domain.instants[index])[8:10] for index in domain.indexes_within(part.span)] == held


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        *((None, "1.3.0"), ("1.3.0", "1.3.0"), ("100.0.0", "1.3.0"), ("1.3", "1.3.0"), ("1.2.9", "1.1.1")),
        *(("1.1.1", "1.1.1"), ("1.0.0", "1.1.1"), ("0.0.0", "1.1.1")),
    ],
)
def test_version_is_negotiated(asked, spoken):
    assert negotiated_version(Kvp([("Version", asked)] if asked else [])) == spoken


def test_operation_is_case_insensitive():
    assert operation(Kvp([("request", "getcapabilities"), ("service", "wms")])) == "GetCapabilities"


def test_map_needs_no_service():
    assert operation(Kvp([("REQUEST", "GetMap")])) == "GetMap"


@pytest.mark.parametrize(
    ("version", "name", "bbox", "expected"),
    [
        ("1.3.0", "EPSG:4326", "50.8,4.5,50.9,4.7", BBox(4.5, 50.8, 4.7, 50.9)),
        ("1.3.0", "CRS:84", "4.5,50.8,4.7,50.9", BBox(4.5, 50.8, 4.7, 50.9)),
        ("1.3.0", "EPSG:3857", "1,2,3,4", BBox(1, 2, 3, 4)),
        ("1.3.0", "EPSG:32631", "1,2,3,4", BBox(1, 2, 3, 4)),
        ("1.3.0", "EPSG:3035", "3000000,3900000,3100000,4000000", BBox(3900000, 3000000, 4000000, 3100000)),
        ("1.1.1", "EPSG:4326", "4.5,50.8,4.7,50.9", BBox(4.5, 50.8, 4.7, 50.9)),
        ("1.1.1", "EPSG:3035", "3900000,3000000,4000000,3100000", BBox(3900000, 3000000, 4000000, 3100000)),
    ],
)
def test_bbox_follows_the_axis_order_of_the_crs_in_130_alone(parse, version, name, bbox, expected):
    assert parse(VERSION=version, BBOX=bbox, CRS=name, SRS=name).grid.bbox == expected


def test_bbox_of_a_polish_system_is_northing_first():
    catalogue = served.make_services(crs=["EPSG:2180"]).catalogue
    query = Kvp({**VALID, "CRS": "EPSG:2180", "BBOX": "400000,500000,410000,520000"}.items())

    assert wms_map(query, catalogue).layers[0].grid.bbox == BBox(500000, 400000, 520000, 410000)


def test_numbers_may_have_exponents(parse):
    """CITE bbox-exponential."""
    assert parse(CRS="CRS:84", BBOX="-.0005E1,-25E-4,+05E-3,.00025E+1").grid.bbox == BBox(
        -0.005, -0.0025, 0.005, 0.0025
    )


@pytest.mark.parametrize("styles", ["", "default", "steps"])
def test_style_may_be_empty_default_or_named(make_client, get_map, styles):
    answer = get_map(make_client(), STYLES=styles)

    native = served.BELGIUM_31N
    grid = Grid(crs=native.crs, bbox=BBox(600000, 5640000, 610000, 5650000), width=100, height=100)
    assert share_differing(answer.content, served.expected_rgba(native, grid, 3)) == 0


def test_styles_may_be_absent(make_client, get_map):
    assert get_map(make_client(), STYLES=None).headers["Content-Type"] == "image/png"


def test_second_style_is_drawn(make_client, get_map):
    pixels = rgba_of(get_map(make_client(), STYLES="reds").content)

    assert not pixels[..., 1:3].any()
    assert pixels[..., 0].any()


def test_ramp_and_range_are_those_of_the_request(parse):
    asked = parse(STYLES="steps/reds", COLORSCALERANGE="10,50")

    assert (asked.style, asked.ramp, asked.range) == ("steps", "reds", (10.0, 50.0))


@pytest.mark.parametrize(
    ("transparent", "colour", "expected"),
    [
        (None, None, (255, 255, 255)),
        ("FALSE", None, (255, 255, 255)),
        ("false", "0x0000FF", (0, 0, 255)),
        ("TRUE", "0xFF0000", None),
    ],
)
def test_background_follows_transparent_and_bgcolor(parse, transparent, colour, expected):
    changes = {"TRANSPARENT": transparent or "", "BGCOLOR": colour or ""}

    assert parse(**changes).background == expected


def test_jpeg_has_bgcolor_even_if_transparent_is_requested(parse):
    assert parse(FORMAT="image/jpeg", TRANSPARENT="TRUE", BGCOLOR="0x102030").background == (16, 32, 48)


def test_transparent_false_leaves_no_transparent_pixel(make_client, get_map):
    pixels = rgba_of(get_map(make_client(), TRANSPARENT="FALSE", BGCOLOR="0x0000FF").content)

    assert (pixels[..., 3] == 255).all()
    assert (pixels[0] == (0, 0, 255, 255)).all()  # row 0 has no values


def test_time_of_a_layer_without_time_is_ignored(client, get_map):
    answer = get_map(client, LAYERS="HEIGHT", TIME="no time at all")

    assert answer.headers["Content-Type"] == "image/png"
    assert "Chronotile-Time" not in answer.headers


def test_unknown_parameters_are_ignored(make_client, get_map):
    assert (
        get_map(make_client(), DPI="96", MAP_RESOLUTION="96", FORMAT_OPTIONS="dpi:96").headers["Content-Type"]
        == "image/png"
    )


def test_names_are_case_insensitive(make_client):
    query = (
        "ReQuEsT=GetMap&vErSiOn=1.3.0&LaYeRs=NDVI&sTyLeS=&CrS=EPSG%3A4326&BbOx=50.8%2C4.5%2C50.9%2C4.7"
        "&wIdTh=8&HeIgHt=5&FoRmAt=image%2Fpng&TiMe=2020-06-11"
    )

    answer = make_client().get(f"/wms?{query}")

    assert rgba_of(answer.content).shape == (5, 8, 4)
    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *(
                    *VALID,
                    "TIME",
                    "DIFFERENCE",
                    "BGCOLOR",
                    "TRANSPARENT",
                    "COLORSCALERANGE",
                    "NUMCOLORBANDS",
                    "LOGSCALE",
                ),
                *("ABOVEMAXCOLOR", "BELOWMINCOLOR", "EXCEPTIONS", "REDUCER"),
            ]
        ),
        st.text(max_size=40),
    )
)
def test_any_text_is_a_map_or_an_error_for_the_client(catalogue, changes):
    with contextlib.suppress(ChronotileError):
        asked = wms_map(Kvp({**VALID, **changes}.items()), catalogue)

        assert np.isfinite(asked.layers[0].grid.bbox).all()
