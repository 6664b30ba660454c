"""Geometries from clients: accepted, repaired and refused ones."""

import contextlib
import json
import tracemalloc

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter, LimitExceeded, UnsupportedCrs
from chronotile.core.model.geometry.geojson import GeometryRules, area_of, areas_of
from chronotile.core.model.geometry.repair import repair_polygons, unite_polygons
from chronotile.core.model.space.crs import CRS84, crs_of

SQUARE = [[4.5, 50.8], [4.6, 50.8], [4.6, 50.9], [4.5, 50.9], [4.5, 50.8]]
ASIDE, FURTHER = ([[x + by, y] for x, y in SQUARE] for by in (20, 40))
BOWTIE = [[4.5, 50.8], [4.6, 50.9], [4.6, 50.8], [4.5, 50.9], [4.5, 50.8]]
UTM = crs_of("EPSG:32631")


def crs_named(name):
    if name.upper().endswith("32631"):
        return UTM
    raise UnsupportedCrs(f"{name} is not offered", locator="crs")


def rules(**members):
    return GeometryRules(**{"max_vertices": 1000, "max_features": 10, "crs_named": crs_named, **members})


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, **members):
    return {"type": "Feature", "properties": None, "geometry": geometry, **members}


def read(document, **members):
    return area_of(json.dumps(document).encode(), rules(**members))


def extent(area):
    rings = np.vstack([ring for each in area.polygons for ring in each])
    return [*rings.min(axis=0).tolist(), *rings.max(axis=0).tolist()]


@pytest.mark.parametrize(
    ("document", "count"),
    [
        pytest.param(polygon(SQUARE), 1, id="polygon"),
        pytest.param({"type": "MultiPolygon", "coordinates": [[SQUARE], [ASIDE]]}, 2, id="multipolygon"),
        pytest.param(feature(polygon(SQUARE)), 1, id="feature"),
        pytest.param(
            {"type": "GeometryCollection", "geometries": [polygon(each) for each in (SQUARE, ASIDE, FURTHER)]},
            3,
            id="collection",
        ),
        pytest.param(polygon([[*each, 12.5] for each in SQUARE]), 1, id="heights"),
        pytest.param(polygon([[*SQUARE[0], 12.5], *SQUARE[1:]]), 1, id="some heights"),
    ],
)
def test_valid_area_is_read_unchanged(document, count):
    area = read(document)

    assert (len(area.polygons), area.note, area.crs) == (count, None, CRS84)
    assert [ring.tolist() for (ring,) in area.polygons] == [SQUARE, ASIDE, FURTHER][:count]


def test_a_feature_keeps_its_id_and_properties():
    area = read(feature(polygon(SQUARE), id="field 7", properties={"crop": "beet", "ha": 4.5}))

    assert (area.id, area.properties) == ("field 7", {"crop": "beet", "ha": 4.5})


def test_a_byte_order_mark_is_no_part_of_a_body():
    assert len(area_of(b"\xef\xbb\xbf" + json.dumps(polygon(SQUARE)).encode(), rules()).polygons) == 1


def test_open_ring_is_closed_and_reported():
    area = read(polygon(SQUARE[:-1]))

    assert area.polygons[0][0].tolist() == SQUARE
    assert area.note == "ring 1 of polygon 1 was closed"


def test_polygon_that_crosses_itself_keeps_both_halves_and_is_reported():
    area = read(polygon(BOWTIE))

    assert sorted(len(ring) for each in area.polygons for ring in each) == [4, 4]
    assert extent(area) == [4.5, 50.8, 4.6, 50.9]
    assert area.note == "polygon 1 was repaired: self-intersection at 4.55 50.85"


def test_a_hole_that_sticks_out_is_cut_off():
    hole = [[4.55, 50.85], [4.7, 50.85], [4.7, 50.95], [4.55, 50.95], [4.55, 50.85]]

    area = read(polygon(SQUARE, hole))

    assert len(area.polygons) == 1
    assert extent(area) == [4.5, 50.8, 4.6, 50.9]
    assert "repaired: self-intersection" in area.note


def test_self_crossing_ring_is_named():
    inner = (np.array(BOWTIE) * 0.5 + np.array([4.55, 50.85]) * 0.5).tolist()

    assert "ring 2: self-intersection" in read(polygon(SQUARE, inner)).note


def _coast(vertices):
    """Return an outline that crosses itself once."""
    angle = np.linspace(0, 2 * np.pi, vertices)
    ring = np.column_stack([4.5 + 0.1 * np.cos(angle), 50.9 + 0.1 * np.sin(angle)])
    ring[[10, 12]] = ring[[12, 10]]
    ring[-1] = ring[0]
    return ring.tolist()


@pytest.mark.slow
def test_a_long_outline_that_crosses_itself_once_is_repaired():
    area = read(polygon(_coast(20_000)), max_vertices=20_000)

    assert "self-intersection" in area.note


def test_thousands_of_touching_parts_keep_their_repaired_form(monkeypatch):
    teeth = 8000  # to unite their triangles took 5 s, four times as long for twice as many
    unions, union_all = [], shapely.union_all
    monkeypatch.setattr(shapely, "union_all", lambda shapes: unions.append(len(shapes)) or union_all(shapes))
    along = np.arange(teeth) / teeth
    saw = np.column_stack([np.repeat(along, 2), np.tile([0.0, 1.0], teeth)])

    area = read(polygon([*saw.tolist(), [0, 0]]), max_vertices=4 * teeth)

    assert unions == []
    assert len(area.polygons) > teeth


def test_tangle_that_would_take_hours_to_repair_is_refused():
    tangle = np.random.default_rng(0).random((20_000, 2)).tolist()

    with pytest.raises(InvalidParameter, match="polygon 1 is too complex: too many edges may cross one another"):
        read(polygon(tangle), max_vertices=20_001)


def _comb(teeth):
    along = np.repeat(np.arange(2 * teeth) / (2 * teeth), 2)
    ends = np.tile([0.0, 1.0, 1.0, 0.0], teeth)
    return np.column_stack([np.append(along, [1.0, 0.0, 0.0]), np.append(ends, [-0.1, -0.1, 0.0])])


def test_rings_tangled_with_each_other_are_refused():
    comb = _comb(500)

    with pytest.raises(InvalidParameter, match="polygon 1 is too complex to be repaired"):
        read(polygon(comb.tolist(), comb[:, ::-1].tolist()), max_vertices=10_000)


def test_part_that_collapses_to_a_line_is_dropped():
    outer = [[4.9999, 50.9], [4.75, 50.9], [4.5, 0], [4.9999, 50.9]]
    hole = [[0, 50.9], [4.75, 50.8], [4.75, -90], [4.6, 1e-300], [-180, 1e-300], [4.75, 50.75], [4.9999, 90], [0, 50.9]]

    found = read(polygon(outer, hole))

    assert "was repaired" in found.note
    assert extent(found)[2:] == [4.9999, 50.9]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_polygons_that_geos_cannot_unite_are_refused():
    far = [[0, 0], [4.75, 50.9], [4.75, 50.8], [1e300, 50.9], [360, 50.9], [360, 1e-300], [180, 50.75], [0, 0]]
    near = [[4.75, 0], [360, 50.9], [4.6, 0], [4.75, 0]]

    mended = repair_polygons([(np.array(far),), (np.array(near),)], ["one", "other"])
    with pytest.raises(InvalidParameter, match="the polygons of feature 3 overlap and cannot be united"):
        unite_polygons([[own for each in mended for own in each.polygons]], [" of feature 3"])


def test_overlapping_polygons_become_their_union():
    one, other, apart = ([[left, 0], [left + 2, 0], [left + 2, 1], [left, 1], [left, 0]] for left in (0, 1, 5))

    found = read({"type": "MultiPolygon", "coordinates": [[one], [other], [apart]]})

    boxes = sorted((*ring.min(axis=0), *ring.max(axis=0)) for (ring,) in found.polygons)
    assert boxes == [(0, 0, 3, 1), (5, 0, 7, 1)]
    assert found.note is None


def test_polygons_tangled_with_each_other_are_refused():
    comb = _comb(500)

    with pytest.raises(InvalidParameter, match="the polygons overlap in too complex a way"):
        read({"type": "MultiPolygon", "coordinates": [[comb.tolist()], [comb[:, ::-1].tolist()]]}, max_vertices=10_000)


def test_vertices_are_counted_again_after_a_repair_that_adds_many():
    comb = _comb(10)

    with pytest.raises(LimitExceeded, match="max_repaired_vertices"):
        read(polygon([*comb.tolist(), *comb[:, ::-1].tolist()]), max_vertices=100)


def test_empty_lists_are_counted_before_parsing():
    body = b'{"type": "FeatureCollection", "features": [' + b"[]," * 1_000_000 + b"[]]}"
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="max_containers"):
            areas_of(body, rules())
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 10_000_000  # a tenth of their size


def test_text_among_positions_takes_no_room():
    listed = [["x" * 5_000, 1.0], *([1.0, 2.0] for _ in range(1_000))]
    body = json.dumps(polygon(listed)).encode()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidParameter, match=r"must have positions \[longitude, latitude\]"):
            area_of(body, rules(max_vertices=10_000))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4_000_000  # padded to the longest it would be 40


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "it is empty", id="nothing"),
        pytest.param(b"{", "unexpected end of data", id="truncated"),
        pytest.param(b'{"type":"Polygon","coordinates":[[[NaN,51]]]}', "NaN and Infinity are not valid JSON", id="NaN"),
        pytest.param(b'{"coordinates":[[[4,-Infinity]]]}', "NaN and Infinity are not valid JSON", id="infinity"),
        pytest.param(b"\xff\xfe{}", "not valid UTF-8", id="other encoding"),
        pytest.param(b"[]", "must be a GeoJSON object", id="list"),
        pytest.param(b'{"type":"Feature","geometry":null}', "has no geometry: it is null", id="null geometry"),
        pytest.param(b'{"type":"Feature"}', "Polygon or MultiPolygon", id="no geometry"),
        pytest.param(b'{"type":"Point","coordinates":[4,51]}', "/timeseries/points", id="point"),
        pytest.param(b'{"type":"FeatureCollection","features":[]}', "one Feature or geometry", id="features"),
        pytest.param(b'{"type":"Polygon","coordinates":[]}', "no coordinates", id="empty polygon"),
        pytest.param(b'{"type":"MultiPolygon","coordinates":[]}', "no coordinates", id="empty multipolygon"),
        pytest.param(b'{"type":"GeometryCollection","geometries":[]}', "no geometries", id="empty collection"),
        pytest.param(b'{"type":"Polygon","coordinates":[[]]}', "ring 1 of polygon 1", id="empty ring"),
        pytest.param(b'{"type":"Polygon","coordinates":[[1,2,3]]}', "must have positions", id="numbers"),
        pytest.param(b'{"type":"Polygon","coordinates":[["ab","cd","ef"]]}', "must have positions", id="texts"),
        pytest.param(b'{"type":"Polygon","coordinates":[[["4","5"]]]}', "must have positions", id="quoted"),
        pytest.param(b'{"type":"Polygon","coordinates":[[[4,5],{}]]}', "must have positions", id="object"),
        pytest.param(b'{"type":"Polygon","coordinates":[[[4,5],null]]}', "must have positions", id="null"),
        pytest.param(b'{"type":"Polygon","coordinates":[[[4],[5]]]}', "must have positions", id="one coordinate"),
    ],
)
def test_geometry_without_area_is_reported(body, said):
    with pytest.raises(InvalidParameter, match=said) as caught:
        area_of(body, rules())

    assert caught.value.locator == "geometry"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param(polygon(SQUARE, SQUARE[:2]), "ring 2 of polygon 1 must have at least 3", id="short ring"),
        pytest.param(polygon([SQUARE[0]] * 4), "covers no area", id="one place"),
        pytest.param(polygon([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[1], SQUARE[0]]), "covers no area", id="a line"),
        pytest.param(polygon(SQUARE, SQUARE), "covers no area", id="hole as large as the polygon"),
        pytest.param(polygon([[50.8, 94.5], [50.9, 94.5], [50.9, 94.6]]), "longitude first", id="beyond the poles"),
        pytest.param(polygon([[5e5, 5.6e6], [6e5, 5.6e6], [6e5, 5.7e6]]), "need crs=", id="metres"),
        pytest.param(polygon([[1e400, 0], [1, 0], [1, 1]]), "not valid JSON|finite", id="beyond floating point"),
        pytest.param(feature(polygon(SQUARE), id=True), "the id of a feature", id="odd id"),
        pytest.param(feature(polygon(SQUARE), id="a" * 201), "text of at most 200 characters", id="long id"),
        pytest.param(feature(polygon(SQUARE), properties=[]), "the properties of a feature", id="odd properties"),
    ],
)
def test_bad_geometry_is_reported(document, said):
    with pytest.raises(InvalidParameter, match=said):
        read(document)


def test_coordinates_that_no_crs_has_are_refused():
    far = polygon([[-1e308, -1e308], [1e308, -1e308], [1e308, 1e308]])

    with pytest.raises(InvalidParameter, match=r"coordinates from -1e\+09 to 1e\+09") as caught:
        read(far, crs="EPSG:32631")

    assert caught.value.locator == "geometry"


@pytest.mark.parametrize(
    "member",
    [
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}},
        {"type": "name", "properties": {"name": "epsg:32631"}},
        {"type": "EPSG", "properties": {"code": 32631}},
    ],
)
@pytest.mark.parametrize("asked", [None, "EPSG:32631"])
def test_the_crs_of_the_document_holds(member, asked):
    ring = [[6e5, 5.6e6], [6.1e5, 5.6e6], [6.1e5, 5.7e6], [6e5, 5.6e6]]

    area = read({**polygon(ring), "crs": member}, crs=asked)

    assert (area.crs, area.polygons[0][0].tolist()) == (UTM, ring)


def test_a_geometry_inside_a_feature_may_name_its_crs():
    member = {"type": "name", "properties": {"name": "EPSG:32631"}}

    assert read(feature({**polygon(SQUARE), "crs": member})).crs == UTM


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "CRS:84"])
def test_geojsons_own_crs_need_not_be_offered(name):
    assert read({**polygon(SQUARE), "crs": {"type": "name", "properties": {"name": name}}}).crs == CRS84


def test_document_without_crs_has_that_of_geojson():
    assert read({**polygon(SQUARE), "crs": None}).crs == CRS84


@pytest.mark.parametrize(
    ("member", "asked"),
    [
        pytest.param({"type": "link", "properties": {"href": "https://example.org"}}, None, id="link"),
        pytest.param("EPSG:32631", None, id="text"),
        pytest.param({"type": "name", "properties": {"name": "EPSG:2154"}}, None, id="not offered"),
        pytest.param({"type": "name", "properties": {"name": "CRS:84"}}, "EPSG:32631", id="two that differ"),
    ],
)
def test_invalid_crs_is_reported(member, asked):
    with pytest.raises(ChronotileError) as caught:
        read({**polygon(SQUARE), "crs": member}, crs=asked)

    assert (caught.value.status, caught.value.locator) == (400, "crs")


def read_all(document, **members):
    return areas_of(json.dumps(document).encode(), rules(**members))


def test_a_feature_collection_has_an_area_a_feature():
    document = {"type": "FeatureCollection", "features": [feature(polygon(SQUARE), id=1), feature(polygon(BOWTIE))]}

    one, other = read_all(document)

    assert (one.id, one.note, other.id) == (1, None, None)
    assert other.note == "polygon 1 of feature 2 was repaired: self-intersection at 4.55 50.85"


def test_a_geometry_collection_has_an_area_a_geometry():
    inner = {"type": "GeometryCollection", "geometries": [polygon(SQUARE), polygon(ASIDE)]}

    areas = read_all({"type": "GeometryCollection", "geometries": [polygon(SQUARE), inner]})

    assert [len(area.polygons) for area in areas] == [1, 2]


def test_a_collection_of_nothing_has_no_areas():
    assert read_all({"type": "FeatureCollection", "features": []}) == ()


MEMBERS_AT_FAULT = {
    "one": (polygon(SQUARE), "must be a FeatureCollection or a GeometryCollection"),
    "no list": ({"type": "FeatureCollection", "features": None}, "must be a list"),
    "number": ({"type": "FeatureCollection", "features": [3]}, "member of feature 1"),
    "mixed": (
        {"type": "GeometryCollection", "geometries": [polygon(SQUARE), {"type": "Point", "coordinates": [4, 51]}]},
        "the geometry of geometry 2 must be a Polygon or MultiPolygon, or a Feature of one, got 'Point'",
    ),
    "line": (
        {"type": "FeatureCollection", "features": [feature({"type": "LineString", "coordinates": SQUARE})]},
        "of feature 1 must be a Polygon",
    ),
    "second feature": (
        {"type": "FeatureCollection", "features": [feature(polygon(SQUARE)), feature(polygon(SQUARE[:2]))]},
        "ring 1 of polygon 1 of feature 2",
    ),
}


@pytest.mark.parametrize(("document", "said"), MEMBERS_AT_FAULT.values(), ids=MEMBERS_AT_FAULT)
def test_invalid_member_is_named(document, said):
    with pytest.raises(InvalidParameter, match=said):
        read_all(document)


@pytest.mark.parametrize(
    ("limit", "name"), [({"max_features": 2}, "max_features"), ({"max_vertices": 14}, "max_vertices")]
)
def test_more_than_is_allowed_is_refused(limit, name):
    with pytest.raises(LimitExceeded) as caught:
        read_all({"type": "FeatureCollection", "features": [feature(polygon(SQUARE))] * 3}, **limit)

    assert caught.value.limit == name


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "coordinates", "geometry", "geometries", "crs"]), inner, max_size=4)
    ),
)


@pytest.mark.parametrize("reader", [area_of, areas_of])
@given(
    st.sampled_from(["Polygon", "MultiPolygon", "Feature", "GeometryCollection", "FeatureCollection"]),
    st.sampled_from(["coordinates", "geometry", "geometries", "features"]),
    _json,
)
def test_any_input_gives_areas_or_an_explained_error(reader, kind, member, content):
    body = json.dumps({"type": kind, member: content}).encode()

    with contextlib.suppress(ChronotileError):
        reader(body, rules())
