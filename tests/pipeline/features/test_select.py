"""Places that a selection matches, compared with plain Python, shapely and pyproj."""

import dataclasses
import operator
import re

import numpy as np
import orjson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from chronotile.catalog.items.cql2.tree import check_filter, filter_from_text
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.pipeline.encoders.vector.geojson import place_features
from chronotile.pipeline.features import filter as filters
from chronotile.pipeline.features.select import PlaceSelection, queryables_of, select_places
from chronotile.pipeline.place_shapes import choose_places
from tests.places import make_places

LAEA = crs_of("EPSG:3035")
POLAR = crs_of("EPSG:3031")
FIELDS = {
    "crop": ("maize", "Wheat", None, "maïs 100%", "wheat", ""),
    "area": (0.5, 2.0, None, 2.5, -1.0, 2.0),
    "count": (3, None, 0, 7, 3, 2**53 + 1),
    "is_wet": (True, False, None, True, False, True),
    "mixed": ("a", 1, None, 2.5, "a", True),
    "huge": (2**70, 1, None, 0, 2, 3),
    "nothing": (None,) * 6,
}


def places_of(*shapes: shapely.Geometry, crs=CRS84, **fields: tuple[object, ...]) -> PlaceSet:
    """Places of those shapes, with these fields."""
    made = make_places(len(shapes))
    return dataclasses.replace(made, crs=crs, shapes=np.array(shapes, dtype=object), fields=fields)


SQUARES = dataclasses.replace(make_places(6), fields=FIELDS)


def chosen(places: PlaceSet = SQUARES, **selection: object) -> list[int]:
    """Return the numbers of a selection."""
    return select_places(places, PlaceSelection(**selection)).tolist()


def matching(text: str, places: PlaceSet = SQUARES) -> list[int]:
    """Return the numbers of a filter in CQL2 text."""
    return chosen(places, filter=filter_from_text(text))


def test_nothing_selects_all():
    assert select_places(SQUARES, PlaceSelection()).tolist() == list(range(6))


def test_queryables_have_the_type_that_all_values_have():
    assert {name: each["type"] for name, each in queryables_of(SQUARES).items()} == {
        **dict.fromkeys(("id", "label", "crop", "mixed", "nothing"), "string"),
        "area": "number",
        "huge": "number",
        "count": "integer",
        "is_wet": "boolean",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("area > 1", [1, 3, 5]),
        ("2 <= area", [1, 3, 5]),
        ("NOT area > 1", [0, 4]),
        ("area IS NULL", [2]),
        ("area IS NOT NULL AND is_wet", [0, 3, 5]),
        ("is_wet = false", [1, 4]),
        ("area BETWEEN -1 AND 2", [0, 1, 4, 5]),
        ("area NOT BETWEEN -1 AND 2", [3]),
        ("count IN (3, 7.0)", [0, 3, 4]),
        ("count NOT IN (3)", [2, 3, 5]),
        ("count = 9007199254740993", [5]),
        ("count = 9007199254740992 OR count IN (-9007199254740993)", []),
        ("crop = 'maize' OR area = 2", [0, 1, 5]),
        ("crop <> 'maize'", [1, 3, 4, 5]),
        ("CASEI(crop) = CASEI('WHEAT')", [1, 4]),
        ("CASEI(crop) = CASEI('MAÏS 100%')", [3]),
        ("TRUE", [0, 1, 2, 3, 4, 5]),
        ("crop = 'count = 9007199254740993'", []),
        ("CASEI(crop) IN (CASEI('WHEAT'), 'maize')", [0, 1, 4]),
        ("crop LIKE 'ma%'", [0, 3]),
        ("crop LIKE 'ma__e'", [0]),
        ("crop LIKE '%\\%'", [3]),
        ("CASEI(crop) LIKE CASEI('W%')", [1, 4]),
        ("crop NOT LIKE '%a%'", [5]),
        ("mixed = '1'", [1]),
        ("crop = label", []),
        ("count >= area", [0, 3, 4, 5]),
        ("id IN ('S1', 'S4', 'absent')", [1, 4]),
    ],
)
def test_conditions_hold_of(text, expected):
    assert matching(text) == expected


def test_properties_equal_the_text_of_clients():
    assert chosen(properties={"is_wet": "1"}) == chosen(properties={"is_wet": "true"}) == [0, 3, 5]


# Random filters, tested of each place by a few lines of Python.

OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_like(text: str, pattern: str) -> bool:
    """Return whether a text has the form of a pattern of LIKE without a backslash."""
    parts = ({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


TESTS = {**OPERATORS, "in": lambda value, listed: value in listed, "like": is_like}
VALUES = {
    "crop": st.sampled_from(["maize", "wheat", "Wheat", "", "zz"]),
    "area": st.sampled_from([-1, 0.5, 2, 2.5, 9]),
    "count": st.sampled_from([0, 3, 2.5, 2**53, 7]),
    "is_wet": st.booleans(),
}


def property_of(name: str) -> dict[str, str]:
    """Return a property in CQL2 JSON."""
    return {"property": name}


@st.composite
def conditions(draw):
    """Return a condition on one property."""
    name = draw(st.sampled_from(sorted(VALUES)))
    kind = draw(st.sampled_from(["compared", "in", "isNull", *(["like"] if name == "crop" else [])]))
    if kind == "isNull":
        return {"op": "isNull", "args": [property_of(name)]}
    if kind == "in":
        return {"op": "in", "args": [property_of(name), draw(st.lists(VALUES[name], min_size=1, max_size=3))]}
    if kind == "like":
        pattern = draw(st.lists(st.sampled_from(["%", "_", "a", "e", "h"]), max_size=4))
        return {"op": "like", "args": [property_of(name), "".join(pattern)]}
    arguments = [property_of(name), draw(VALUES[name])]
    return {"op": draw(st.sampled_from(sorted(OPERATORS))), "args": draw(st.permutations(arguments))}


TREES = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.builds(lambda part: {"op": "not", "args": [part]}, inner),
        st.builds(
            lambda op, parts: {"op": op, "args": parts},
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3),
        ),
    ),
    max_leaves=6,
)


def truth(node, properties):
    """Return whether a place meets a condition; `None` if that is undefined."""
    op, arguments = node["op"], node["args"]
    if op == "not":
        inner = truth(arguments[0], properties)
        return None if inner is None else not inner
    if op in {"and", "or"}:
        held, decisive = [truth(each, properties) for each in arguments], op == "or"
        return decisive if decisive in held else None if None in held else not decisive
    values = [properties[each["property"]] if isinstance(each, dict) else each for each in arguments]
    if op == "isNull":
        return values[0] is None
    return None if None in values else TESTS[op](*values)


@given(tree=TREES)
@settings(max_examples=60, deadline=None)
def test_random_filters_select_the_same_places_as_python(tree):
    rows = [{name: column[number] for name, column in FIELDS.items()} for number in range(6)]

    assert chosen(filter=check_filter(tree)) == [number for number, row in enumerate(rows) if truth(tree, row)]


# Refused selections.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 'red'", "accepted: id, label, crop"),
        ("area = 'large'", "a text where a number"),
        ("crop > 3", "a number where a text"),
        ("is_wet = 1", "a number where true or false"),
        ("area", "true or false where a number"),
        ("area LIKE 'a%'", "a number where a text"),
        ("crop LIKE label", "without a text of at most"),
        ("crop IN (label)", "without a list of values"),
        ("area + 1 > 2", "where a property, number, text"),
        ("T_AFTER(crop, DATE('2020-01-01'))", "is not accepted here"),
        ("S_INTERSECTS(crop, POINT(1 2))", "not the property geometry"),
        ("S_INTERSECTS(geometry, POINT(1 200))", "not on the earth"),
        (" OR ".join(["is_wet"] * 5), "more than 4 conditions"),
    ],
)
def test_refused_filter_lists_what_is_accepted(text, words, monkeypatch):
    monkeypatch.setattr(filters, "MAX_TESTS", 24)

    with pytest.raises(InvalidParameter, match=re.escape(words)) as refusal:
        matching(text)

    assert refusal.value.locator == "filter"


@pytest.mark.parametrize(
    "node", [{}, {"op": "", "args": []}, {"op": "and"}, {"op": "=", "args": [[], {}]}, {"op": "in", "args": [1, [{}]]}]
)
def test_trees_that_are_no_filter_are_refused(node):
    with pytest.raises(InvalidParameter):
        chosen(filter=check_filter(node))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("crop", "maize", [0]),
        ("area", "2", [1, 5]),
        ("count", "3", [0, 4]),
        ("is_wet", "false", [1, 4]),
        ("id", "S2", [2]),
    ],
)
def test_properties_equal_texts_by_their_type(name, text, expected):
    assert chosen(properties={name: text}) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("area", "large"),
        ("area", "true"),
        ("area", '{"property":"area"}'),
        ("is_wet", "2"),
        ("count", "NaN"),
    ],
)
def test_texts_of_another_type_are_refused(name, text):
    with pytest.raises(InvalidParameter) as refusal:
        chosen(properties={name: text})

    assert refusal.value.locator == name


def test_all_parts_of_a_selection_hold():
    box = BBox(4.55, 50, 4.95, 51)

    assert chosen(box=box, properties={"area": "2"}, filter=filter_from_text("is_wet = false")) == [1]


# Geometries of places.

AROUND = [
    shapely.box(west, south, west + 4, south + 4) for west in range(-180, 180, 12) for south in (-88, -30, 20, 84)
]
BOXES = {
    "plain": BBox(-20, -35, 30, 30),
    "across the antimeridian": BBox(150, -90, -150, 90),
    "an edge": BBox(4, -26, 12, -20),
    "a line": BBox(-200, 22, 200, 22),
    "a point": BBox(0, -30, 0, -30),
    "beyond 180": BBox(170, 0, 200, 90),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_a_box_in_degrees_means_the_places_that_it_meets(box):
    west, south, east, north = box
    east += 360 if west > east else 0
    expected = [
        number
        for number, (xmin, ymin, xmax, ymax) in enumerate(shapely.bounds(AROUND).tolist())
        if ymin <= north
        and ymax >= south
        and any(xmin + turn <= east and xmax + turn >= west for turn in (-360, 0, 360))
    ]

    assert chosen(places_of(*AROUND), box=box) == expected
    assert expected


@pytest.mark.parametrize(
    ("crs", "box"),
    [(LAEA, BBox(2.5e6, -1e6, 6e6, 1.5e6)), (POLAR, BBox(-2e6, -1e6, 1e6, 1.5e6)), (POLAR, BBox(-1e5, -1e5, 1e5, 1e5))],
    ids=["laea", "polar", "pole"],
)
def test_a_box_in_another_crs_is_a_box_there(crs, box):
    """The vertices of the places are at pyproj's coordinates."""
    turn = Transformer.from_crs("OGC:CRS84", crs.name, always_xy=True).transform
    cap = shapely.box(-180, -90, 180, -86).segmentize(10)
    shapes = [*AROUND, cap]
    projected = [shapely.transform(each, turn, interleaved=False) for each in shapes]
    is_there = [bool(np.isfinite(shapely.get_coordinates(each)).all()) for each in projected]
    expected = [
        number
        for number, each in enumerate(projected)
        if is_there[number] and shapely.intersects(each, shapely.box(*box))
    ]

    assert chosen(places_of(*shapes), box=box, box_crs=crs) == expected
    assert expected


@pytest.mark.parametrize(
    "operator_name", ["within", "contains", "intersects", "disjoint", "touches", "overlaps", "equals"]
)
@pytest.mark.parametrize("is_first", [False, True])
def test_spatial_operators_equal_those_of_shapely(operator_name, is_first):
    shape = shapely.box(4.6, 50.8, 4.85, 50.9)
    arguments = [{"property": "geometry"}, orjson.loads(shapely.to_geojson(shape))]
    test = getattr(shapely, operator_name)
    expected = test(shape, SQUARES.shapes) if is_first else test(SQUARES.shapes, shape)

    tree = {"op": f"s_{operator_name}", "args": arguments[::-1] if is_first else arguments}

    assert chosen(filter=check_filter(tree)) == np.flatnonzero(expected).tolist()


@pytest.mark.parametrize("is_box", [False, True])
@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:3857", "EPSG:4326"])
def test_geometries_of_a_filter_are_in_the_axis_order_of_its_crs(crs, is_box):
    """pyproj with the order of the authority."""
    many = make_places(30)
    projected = shapely.transform(many.shapes, Transformer.from_crs("OGC:CRS84", crs).transform, interleaved=False)
    own = shapely.box(*shapely.total_bounds(projected[10:14]))
    geometry = {"bbox": list(own.bounds)} if is_box else orjson.loads(shapely.to_geojson(own))
    tree = {"op": "s_intersects", "args": [{"property": "geometry"}, geometry]}

    found = chosen(many, filter=check_filter(tree), filter_crs=crs_of(crs))

    assert found == np.flatnonzero(shapely.intersects(projected, own)).tolist()
    assert 4 <= len(found) < 30


UTM = crs_of("EPSG:32701")


def in_utm(*corners):
    """Return a ring between corners in degrees, in metres."""
    to_metres = Transformer.from_crs("OGC:CRS84", UTM.name, always_xy=True).transform
    return [to_metres(*corner) for corner in corners]


def boxes_met(places, **boxes):
    return {name: chosen(places, box=BBox(*box)) for name, box in boxes.items()}


def test_places_across_the_antimeridian_have_their_place_in_metres():
    outer = in_utm((179.5, -17), (-179.5, -17), (-179.5, -16), (179.5, -16))
    hole = in_utm((-179.9, -16.8), (-179.8, -16.8), (-179.8, -16.7), (-179.9, -16.7))
    places = places_of(shapely.Polygon(outer, [hole]), crs=UTM)

    assert boxes_met(
        places,
        greenwich=(0, -16.8, 1, -16.2),
        west=(179.9, -16.8, 180, -16.2),
        east=(-180, -16.8, -179.9, -16.2),
        across=(179.9, -16.8, -179.9, -16.2),
        hole=(-179.89, -16.78, -179.81, -16.72),
    ) == {"greenwich": [], "west": [0], "east": [0], "across": [0], "hole": []}
    (feature,) = orjson.loads(orjson.dumps(place_features(choose_places(places, np.array([0])))))
    cut = shapely.geometry.shape(feature["geometry"])
    assert (cut.is_valid, cut.bounds) == (True, pytest.approx((-180, -17, 180, -16)))
    assert cut.area == pytest.approx(1 - 0.01, abs=1e-3)


def test_places_around_a_pole_hold_it():
    places = places_of(shapely.box(-5e5, -5e5, 6e5, 4e5), crs=POLAR)
    (shape,) = choose_places(places, np.array([0])).shapes
    assert (shape.is_valid, shape.bounds[0], shape.bounds[1:3]) == (True, -180, (-90, 180))

    assert boxes_met(places, pole=(-180, -90, 180, -89), near=(0, -88, 1, -87), beyond=(0, -80, 1, -79)) == {
        "pole": [0],
        "near": [0],
        "beyond": [],
    }


def test_places_as_wide_as_the_world_stay_so():
    places = places_of(shapely.box(-1.99e7, -1e6, 1.99e7, 1e6), crs=crs_of("EPSG:3857"))

    assert boxes_met(places, middle=(0, 0, 1, 1), edge=(179.5, 0, 180, 1)) == {"middle": [0], "edge": []}
