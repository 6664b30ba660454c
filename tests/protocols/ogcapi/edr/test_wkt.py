"""`coords`: any text is a geometry or is refused quickly with its parameter's name."""

from contextlib import suppress

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter, LimitExceeded, MissingParameter
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.edr.coords import requested_area, requested_positions

LATITUDE_FIRST = crs_of("EPSG:4326")


def query(text: str) -> Kvp:
    return Kvp([("coords", text)])


def points(text: str, crs=CRS84, most=9):
    return requested_positions(query(text), crs, most=most)


def rings(text: str, crs=CRS84, max_vertices=99):
    area = requested_area(query(text), crs, max_vertices=max_vertices)
    return [[ring.tolist() for ring in polygon] for polygon in area.polygons]


POINTS = {
    "POINT(4.5 50.8)": [(4.5, 50.8)],
    "point ( 4.5\t50.8 )": [(4.5, 50.8)],
    "Point Z (4.5 50.8 12)": [(4.5, 50.8)],
    "POINTZM(4.5 50.8 1 2)": [(4.5, 50.8)],
    "POINT(-.5e1 +50.)": [(-5.0, 50.0)],
    "MULTIPOINT(1 2,3 4)": [(1, 2), (3, 4)],
    "MULTIPOINT ((1 2), ( 3 4 ))": [(1, 2), (3, 4)],
    "MULTIPOINT Z((1 2 5),(3 4 6))": [(1, 2), (3, 4)],
}


@pytest.mark.parametrize(("text", "expected"), POINTS.items(), ids=POINTS)
def test_points_are_read_in_any_spelling(text, expected):
    assert list(points(text)) == expected


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
def test_points_are_read_as_others_read_them(x, y):
    text = shapely.Point(x, y).wkt

    assert np.array_equal(points(text), shapely.get_coordinates(shapely.from_wkt(text)))


def test_coordinates_are_in_the_order_of_the_crs():
    assert points("POINT(50.8 4.5)", LATITUDE_FIRST) == ((4.5, 50.8),)
    assert rings("POLYGON((50 4,51 4,51 5,50 4))", LATITUDE_FIRST) == [[[[4, 50], [4, 51], [5, 51], [4, 50]]]]


POLYGONS = {
    "POLYGON((4 50,5 50,5 51,4 50))": [[[[4, 50], [5, 50], [5, 51], [4, 50]]]],
    "polygon z ((4 50 1, 5 50 1, 5 51 1, 4 50 1))": [[[[4, 50], [5, 50], [5, 51], [4, 50]]]],
    "MULTIPOLYGON(((4 50,5 50,5 51,4 50)),((1 1,2 1,2 2,1 1)))": [
        [[[4, 50], [5, 50], [5, 51], [4, 50]]],
        [[[1, 1], [2, 1], [2, 2], [1, 1]]],
    ],
}


@pytest.mark.parametrize(("text", "expected"), POLYGONS.items(), ids=POLYGONS)
def test_polygons_are_read_in_any_spelling(text, expected):
    assert rings(text) == expected


def test_a_hole_is_a_ring_of_its_polygon():
    ((outer, hole),) = rings("POLYGON((0 0,9 0,9 9,0 9,0 0),(2 2,2 3,3 3,2 2))")

    assert (len(outer), len(hole)) == (5, 4)


def test_self_crossing_polygon_is_repaired_and_an_open_one_closed():
    area = requested_area(query("POLYGON((4 50,5 51,5 50,4 51))"), CRS84, max_vertices=99)

    assert sum(shapely.Polygon(polygon[0]).area for polygon in area.polygons) == pytest.approx(0.5)
    assert "was closed" in area.note
    assert "was repaired" in area.note


REFUSED = [
    *("POINT EMPTY", "POINT(1)", "POINT(1 2", "POINT(1,2)", "POINT(nan nan)", "POINT(1e999 2)", "MULTIPOINT()"),
    *("MULTIPOINT((1 2,3 4))", "SRID=4326;POINT(1 2)", "LINESTRING(1 2,3 4)", "GEOMETRYCOLLECTION(POINT(1 2))", "1,2"),
]


@pytest.mark.parametrize("text", REFUSED)
def test_invalid_point_is_refused(text):
    with pytest.raises(InvalidParameter) as refused:
        points(text)

    assert refused.value.locator == "coords"


@pytest.mark.parametrize(
    "text",
    [
        *("POLYGON EMPTY", "POLYGON()", "POLYGON((4 50,5 50))", "POLYGON(4 50,5 50,5 51,4 50)"),
        *("POLYGON((4 50,5 50,5 51,4,50))", "MULTIPOLYGON((4 50,5 50,5 51,4 50))", "POLYGON((4 50,5 50,6 50,4 50))"),
        *("POLYGON((400 50,500 50,500 51,400 50))", "POLYGON((4 50,5 1e999,5 51,4 50))", "POINT(1 2)"),
    ],
)
def test_invalid_polygon_is_refused(text):
    with pytest.raises(InvalidParameter):
        rings(text)


def test_too_many_are_refused():
    with pytest.raises(LimitExceeded) as points_refused:
        points("MULTIPOINT(1 2,3 4)", most=1)
    with pytest.raises(LimitExceeded):
        rings("POLYGON((4 50,5 50,5 51,4 50))", max_vertices=3)

    assert (points_refused.value.limit, points_refused.value.needed) == ("max_features", 2)


def test_nothing_is_missing():
    with pytest.raises(MissingParameter):
        points("  ")


letters = st.text(alphabet="POINTLYGMUZ() ,.-+0123456789eE", max_size=200)
texts = st.one_of(
    st.text(max_size=100),
    letters.map(lambda inside: f"POINT({inside})"),
    letters.map(lambda inside: f"MULTIPOINT({inside})"),
    letters.map(lambda inside: f"POLYGON(({inside}))"),
    letters.map(lambda inside: f"MULTIPOLYGON((({inside})))"),
)


@given(texts)
def test_any_text_is_a_geometry_or_refused(text):
    with suppress(ChronotileError):
        assert np.isfinite(points(text)).all()
    with suppress(ChronotileError):
        assert all(np.isfinite(ring).all() for polygon in rings(text) for ring in polygon)


LONG = 60_000
HOSTILE = {
    "blanks": f"POINT{' ' * LONG}(",
    "digits": f"POINT({'1' * LONG})",
    "digits in a ring": f"POLYGON(({'1' * LONG}))",
    "numbers": f"POLYGON(({'1 ' * (LONG // 2)}))",
    "blanks in a ring": f"POLYGON(({' ' * LONG}))",
    "brackets": f"POLYGON{'(' * (LONG // 2)}{')' * (LONG // 2)}",
    "letters": "P" * LONG,
    "commas": f"MULTIPOINT({',' * LONG})",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_long_texts_are_refused_without_trying_all_their_parts(text):
    with pytest.raises(ChronotileError):
        points(text, most=10**6)
    with pytest.raises(ChronotileError):
        rings(text, max_vertices=10**6)
