"""Bodies whose rings become arrays before the rest is parsed give the same result as bodies parsed as a whole."""

import json
import tracemalloc
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter, LimitExceeded
from chronotile.core.model.geometry import geojson_rings, json_estimates, json_text, repair
from chronotile.core.model.geometry.geojson import GeometryRules, area_of, areas_of
from chronotile.core.model.space.crs import CRS84

SQUARE = [[4.5, 50.8], [4.6, 50.8], [4.6, 50.9], [4.5, 50.9], [4.5, 50.8]]
RULES = GeometryRules(max_vertices=1_000_000, max_features=20_000, crs_named=lambda _name: CRS84)


@pytest.fixture
def part_by_part(monkeypatch):
    """Even the smallest body is parsed part by part."""
    monkeypatch.setattr(geojson_rings, "WHOLE_BYTES", -1)
    monkeypatch.setattr(geojson_rings, "PART_BYTES", 20)
    monkeypatch.setattr(geojson_rings, "SHORT_BYTES", 0)


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, **members):
    return {"type": "Feature", "properties": None, "geometry": geometry, **members}


def circle(vertices):
    angles = np.linspace(0, 2 * np.pi, vertices - 1, endpoint=False)
    ring = np.column_stack([4.5 + 0.1 * np.cos(angles), 50.9 + 0.1 * np.sin(angles)])
    return np.vstack([ring, ring[:1]])


def read(reader, body):
    """Return the result of a body in a form that can be compared."""
    try:
        found = reader(body, RULES)
    except ChronotileError as error:
        return error.message
    return [
        ([[ring.tolist() for ring in each] for each in area.polygons], area.id, area.properties, area.note)
        for area in ([found] if reader is area_of else found)
    ]


def both(monkeypatch, reader, body):
    """Return the results of a body that is parsed as a whole, and part by part."""
    whole = read(reader, body)
    with monkeypatch.context() as patch:
        patch.setattr(geojson_rings, "WHOLE_BYTES", -1)
        patch.setattr(geojson_rings, "PART_BYTES", 20)
        patch.setattr(geojson_rings, "SHORT_BYTES", 0)
        return whole, read(reader, body)


DOCUMENTS = {
    "polygon": polygon(SQUARE),
    "heights": polygon([[*each, 7] for each in SQUARE]),
    "some heights": polygon([[*SQUARE[0], 12.5], *SQUARE[1:]]),
    "whole numbers": polygon([[0, 0], [2, 0], [2, 2], [0, 0]]),
    "open ring": polygon(SQUARE[:-1]),
    "multipolygon": {"type": "MultiPolygon", "coordinates": [[SQUARE], [[[x + 9, y] for x, y in SQUARE]]]},
    "feature": feature(polygon(SQUARE), id=7, properties={"name": '"coordinates": [[1, 2], [3, 4]]'}),
    "geometry among properties": feature(polygon(SQUARE), properties={"coordinates": [[[1, 2], [3.0, 4]]], "a": 1}),
    "line among properties": feature(polygon(SQUARE), properties={"b": {"coordinates": [[1, 2], [3, 4]]}}),
    "a list too few": polygon(*SQUARE),
    "a list too few of many": {"type": "MultiPolygon", "coordinates": [SQUARE]},
    "line": {"type": "LineString", "coordinates": SQUARE},
    "nothing": polygon(),
    "empty ring": polygon([]),
    "empty polygons": {"type": "MultiPolygon", "coordinates": [[]]},
    "one number": polygon([[1], [2], [3], [1]]),
    "truth": polygon([[True, 1], [2, 3], [4, 5], [True, 1]]),
    "text": polygon([["1", 2], [2, 3], [4, 5], ["1", 2]]),
    "a bad ring after a good one": polygon(SQUARE, [[1, 2], [3]]),
    "bowtie": polygon([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]),
    "null": feature(None),
    "collection": {"type": "FeatureCollection", "features": [feature(polygon(SQUARE), id=n) for n in range(3)]},
    "geometries": {"type": "GeometryCollection", "geometries": [polygon(SQUARE)] * 2},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
@pytest.mark.parametrize("reader", [area_of, areas_of])
def test_body_read_in_parts_equals_the_whole(monkeypatch, reader, document, indent):
    whole, part_by_part = both(monkeypatch, reader, json.dumps(document, indent=indent).encode())

    assert part_by_part == whole


def test_numbers_in_properties_keep_their_spelling(part_by_part):
    body = json.dumps(feature(polygon(SQUARE), properties={"coordinates": [[[1, 2], [3.5, 4]]]})).encode()

    properties = area_of(body, RULES).properties

    assert json.dumps(properties) == '{"coordinates": [[[1, 2], [3.5, 4]]]}'


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(SQUARE),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "coordinates", "geometry", "geometries", "properties"]), inner, max_size=4
        )
    ),
)


@pytest.mark.parametrize("reader", [area_of, areas_of])
@given(
    kind=st.sampled_from(["Polygon", "MultiPolygon", "Feature", "GeometryCollection", "FeatureCollection"]),
    member=st.sampled_from(["coordinates", "geometry", "geometries", "features"]),
    content=_json,
)
def test_any_input_read_in_parts_equals_the_whole(reader, kind, member, content):
    body = json.dumps({"type": kind, member: content}).encode()
    with pytest.MonkeyPatch.context() as patch:
        whole, part_by_part = both(patch, reader, body)

    if isinstance(whole, str) and "not valid JSON" in whole:  # its position is in line and column or in characters only
        assert "not valid JSON" in part_by_part
    else:
        assert part_by_part == whole


@pytest.mark.parametrize(
    "ring",
    ["[[1,2],[3,4],]", "[[1,2],,[3,4]]", "[[1,2] [3,4]]", "[,[1,2]]", "[[1,2][3,4]]", "[[01,2],[3,4]]", "[[1,2],[3,4]"],
)
def test_invalid_json_is_refused_in_parts_too(monkeypatch, ring):
    body = b'{"type": "Polygon", "coordinates": [%s]}' % ring.encode()
    whole, part_by_part = both(monkeypatch, area_of, body)

    assert "the body is not valid JSON" in whole
    assert "the body is not valid JSON" in part_by_part


@pytest.mark.parametrize("space", ["\f", "\v", "\xa0"])
@pytest.mark.parametrize(
    "ring", ["[[1,2]%s,[3,4]]", "[[1,2],[3,4]%s]", "[%s[1,2],[3,4]]", "[[1,2],[3,4]],[[1,2],[3,4]]:0%s"]
)
def test_spaces_that_json_has_not_and_lists_as_names_are_refused_part_by_part_too(monkeypatch, ring, space):
    body = f'{{"type": "Polygon", "coordinates": [{ring % space}]}}'.encode("latin-1")
    named = f'{{"type": "Polygon", "coordinates": [[[1,2],[3,4]]], [[1,2],[3,4]]: 0, "s": "{space}"}}'.encode()

    for each in (body, named):
        whole, part_by_part = both(monkeypatch, area_of, each)
        assert "the body is not valid JSON" in whole
        assert "the body is not valid JSON" in part_by_part


def test_position_of_an_error_is_that_in_the_whole_body(part_by_part):
    body = json.dumps(feature(polygon(SQUARE, SQUARE), id=1)).encode()[:-1] + b", ?}"

    with pytest.raises(InvalidParameter, match=rf"\(char {body.index(b'?')}\)"):
        area_of(body, RULES)


def _traced(work):
    """Return the result and the peak of the additional bytes of Python and numpy."""
    tracemalloc.start()
    try:
        found = work()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_ring_makes_no_list_for_each_position():
    body = json.dumps(polygon(circle(50_000).tolist())).encode()

    document, peak = _traced(lambda: geojson_rings.parse_geojson(body, locator="geometry"))

    (ring,) = document["coordinates"]
    assert np.array_equal(ring, circle(50_000))
    assert peak < 5_000_000  # lists would take 7 million, without the memory of orjson, which is not counted here


def test_many_small_rings_make_no_list_for_each_position():
    body = json.dumps({"type": "MultiPolygon", "coordinates": [[circle(100).tolist()]] * 500}).encode()

    document, peak = _traced(lambda: geojson_rings.parse_geojson(body, locator="geometry"))

    assert sum(len(ring) for (ring,) in document["coordinates"]) == 50_000
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"type": "Polygon", "coordinates": [[' + b"[1]," * 100 + b"null]]}", id="no ring"),
        pytest.param(
            b'{"type": "Feature", "geometry": null, "properties": {"coordinates": [[' + b"[1,2]," * 100 + b"[1,2]]]}}",
            id="ring among properties",
        ),
        pytest.param(b'{"type": "Polygon", "coordinates": [' + b"[[1,2]]," * 20 + b"[[1,2]]]}", id="small rings"),
        pytest.param(b'{"type": "Feature", "geometry": null, "properties": ["' + b"x" * 3000 + b'"]}', id="text"),
    ],
)
def test_a_body_that_would_take_more_than_there_is_is_refused_before_it_is_parsed(monkeypatch, part_by_part, text):
    monkeypatch.setattr(json_text, "MAX_PARSED_BYTES", 4_000)

    with pytest.raises(LimitExceeded, match="memory of one body in bytes: at most 4000") as caught:
        area_of(text, RULES)

    assert caught.value.locator == "geometry"


def test_positions_are_not_counted_as_lists(monkeypatch, part_by_part):
    body = json.dumps(polygon(circle(100).tolist())).encode()
    monkeypatch.setattr(json_text, "MAX_PARSED_BYTES", 3 * len(body))

    assert json_estimates.memory_of_json(body) > 3 * len(body)
    assert area_of(body, RULES).vertices == 100


@pytest.mark.parametrize(
    ("limits", "document", "error"),
    [
        pytest.param({"MAX_CHECKED_VERTICES": 99}, polygon(circle(100).tolist()), "max_checked_vertices", id="valid"),
        pytest.param(
            {"MAX_REPAIRED_VERTICES": 4},
            DOCUMENTS["bowtie"],
            "polygon 1 has 5 vertices, of which at most 4 can be repaired: self-intersection",
            id="invalid",
        ),
        pytest.param(
            {"MAX_REPAIRED_VERTICES": 9},
            {"type": "MultiPolygon", "coordinates": [[SQUARE], [[[x + 0.05, y] for x, y in SQUARE]]]},
            "max_united_vertices: at most 9, 10 requested",
            id="overlapping",
        ),
    ],
)
def test_polygons_too_large_for_checks_and_repairs_are_refused(monkeypatch, limits, document, error):
    for name, value in limits.items():
        monkeypatch.setattr(repair, name, value)

    with pytest.raises(ChronotileError, match=error):
        area_of(json.dumps(document).encode(), RULES)


def test_edges_are_counted_the_same_in_trees_of_some(monkeypatch):
    rng = np.random.default_rng(17)
    shapes: Mapping[str, tuple] = {
        "tangle": (rng.random((60, 2)),),
        "circle": (circle(100),),
        "holes": tuple(circle(20) * 0.1 + rng.random(2) for _ in range(10)),
        "same": (np.ones((20, 2)),),
    }
    counted = {name: repair._overlapping_pairs(shape, at_most=10**6) for name, shape in shapes.items()}
    monkeypatch.setattr(repair, "EDGES_AT_ONCE", 7)

    for name, shape in shapes.items():
        assert repair._overlapping_pairs(shape, at_most=10**6) == counted[name]
    assert counted["circle"] == 3 * 99
    assert counted["same"] == 19 * 19
