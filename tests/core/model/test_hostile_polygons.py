"""Polygons that would take hours are refused before their check; valid ones with many holes are accepted."""

import math

import numpy as np
import pytest

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry import geojson, json_estimates, repair
from chronotile.core.model.geometry.repair import repair_polygons, unite_polygons
from chronotile.core.model.space.crs import crs_of

SQUARE = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)])
TOO_MANY_RINGS = "too complex: too many rings may contain one another, at most 1000000000 comparisons"
TOO_MANY_EDGES = "too complex: too many edges may cross one another, at most"


def square(x, y, side):
    return SQUARE * side + (x, y)


def nested(count):
    """Return squares, each inside the previous one."""
    return [square(0.4 * i / count, 0.4 * i / count, 1 - 0.8 * i / count) for i in range(count)]


def overlapping(count):
    """Return squares that all overlap."""
    return [square(1e-6 * i, 1e-6 * i, 1) for i in range(count)]


def apart(count):
    """Return squares that do not touch."""
    columns = math.isqrt(count) + 1
    return [square((i % columns + 0.2) / columns, (i // columns + 0.2) / columns, 0.6 / columns) for i in range(count)]


def star(count):
    """Return one ring that touches itself in one point `count` times."""
    angles = np.arange(2 * count) * math.pi / count
    tips = np.column_stack([np.cos(angles), np.sin(angles)]).reshape(count, 2, 2)
    ring = np.concatenate([np.zeros((count, 1, 2)), tips], axis=1).reshape(-1, 2)
    return np.vstack([ring, ring[:1]])


def diagonals(count):
    """One ring without a crossing, whose long edges all have boxes that overlap."""
    along = np.arange(count) / count
    there, back = np.column_stack([along, along]), np.column_stack([along + 10, along + 10])
    aside = np.array([0.4 / count, 0.0])
    teeth = np.stack([there, back, back + aside, there + aside], axis=1).reshape(-1, 2)
    below = np.array([(1.0, -1.0), (0.0, -1.0)])
    return np.vstack([teeth, below, teeth[:1]])


def checked(polygon):
    return repair_polygons([tuple(polygon)], ["polygon 1"])


@pytest.fixture
def nothing_is_checked(monkeypatch):
    """Assert that checks that take hours are not started."""

    def begun(*_arguments, **_named):
        raise AssertionError("what was to be refused is checked")

    for name in ("is_valid", "is_valid_reason", "make_valid", "union_all"):
        monkeypatch.setattr(repair.shapely, name, begun)


OUTER = square(-1, -1, 4)


@pytest.mark.parametrize(
    ("polygon", "reason"),
    [
        pytest.param([OUTER, *nested(2_000)], TOO_MANY_RINGS, id="nested holes"),
        pytest.param([OUTER, *nested(100_000)], TOO_MANY_RINGS, id="many nested holes", marks=pytest.mark.slow),
        pytest.param([OUTER, *overlapping(2_000)], TOO_MANY_RINGS, id="overlapping holes"),
        pytest.param([OUTER, *overlapping(50_000)], TOO_MANY_RINGS, id="many overlapping", marks=pytest.mark.slow),
        pytest.param([OUTER, *[SQUARE] * 2_000], TOO_MANY_RINGS, id="one hole many times"),
        pytest.param([star(5_000)], TOO_MANY_EDGES, id="touching itself"),
        pytest.param([diagonals(5_000)], TOO_MANY_EDGES, id="long edges"),
        pytest.param(
            [np.random.default_rng(0).random((4, 5_000, 2))[0][[*range(5_000), 0]]], TOO_MANY_EDGES, id="tangle"
        ),
    ],
)
def test_it_is_refused_before_it_is_checked(nothing_is_checked, polygon, reason):
    with pytest.raises(InvalidParameter, match=f"polygon 1 is {reason}"):
        checked(polygon)


def test_many_polygons_together_are_refused_that_would_pass_alone(nothing_is_checked, monkeypatch):
    monkeypatch.setattr(repair, "MAX_STEPS", 100 * 100 * (repair.STEPS_PER_PAIR + 5) * 3)
    polygons = [(OUTER, *nested(100))] * 4

    with pytest.raises(InvalidParameter, match="polygon 3 is too complex"):
        repair_polygons(polygons, [f"polygon {number}" for number in range(1, 5)])


@pytest.mark.parametrize(
    "rings",
    [
        pytest.param(nested(2_000), id="nested"),
        pytest.param(overlapping(2_000), id="overlapping"),
        pytest.param(overlapping(50_000), id="many overlapping", marks=pytest.mark.slow),
        pytest.param([SQUARE] * 2_000, id="the same"),
    ],
)
def test_polygons_of_one_area_are_refused_before_they_are_united(nothing_is_checked, rings):
    with pytest.raises(InvalidParameter, match=f"the polygons of feature 2 are {TOO_MANY_RINGS}"):
        unite_polygons([[], [(ring,) for ring in rings]], ["", " of feature 2"])


def test_invalid_polygon_with_many_rings_is_not_repaired(monkeypatch):
    monkeypatch.setattr(repair, "MAX_REPAIRED", 100**2)
    outside = [square(10 + 2 * i, 0, 1) for i in range(100)]

    assert len(checked([OUTER, *outside[:99]])[0].polygons) == 100
    with pytest.raises(InvalidParameter, match="has too many rings to be repaired, at most 100: hole lies outside"):
        checked([OUTER, *outside])


@pytest.mark.slow
def test_a_hundred_thousand_holes_apart_are_accepted():
    polygon = (square(-1, -1, 4), *apart(100_000))

    [found] = checked(polygon)

    assert found.note is None
    assert found.polygons == (polygon,)


@pytest.mark.parametrize("space", [b"", b" \n"], ids=["compact", "spaced"])
def test_holes_are_counted_before_they_are_read(monkeypatch, space):
    monkeypatch.setattr(geojson, "_geojson_of", None)
    ring = b"[[0,0],[1,0],[1,1],[0,0]]".replace(b"]", space + b"]" + space)
    holes = b",".join([ring] * (geojson.MAX_HOLES + 2))
    rules = geojson.GeometryRules(max_vertices=1_000_000, max_features=1, crs_named=crs_of)

    with pytest.raises(InvalidParameter, match=f"too complex: they have {geojson.MAX_HOLES + 1} holes"):
        geojson.area_of(b'{"type":"Polygon","coordinates":[' + holes + b"]}", rules)


def test_parts_of_a_polygon_are_no_holes():
    parts = b"[[[[0,0],[1,0],[1,1],[0,0]]],[[[2,0],[3,0],[3,1],[2,0]],[[2.5,0.1],[2.6,0.1],[2.6,0.2],[2.5,0.1]]]]"

    assert json_estimates.holes_in(b'{"type":"MultiPolygon","coordinates":' + parts + b"}") == 1
