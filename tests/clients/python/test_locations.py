"""Points, areas and places in users' usual forms."""

from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import MultiPoint, Point, box

from chronotile_client.locations import Areas, Box, Place, Points, box_text, location_of

SQUARE = {"type": "Polygon", "coordinates": [[[4.4, 51.0], [4.5, 51.0], [4.5, 51.1], [4.4, 51.0]]]}
DOT = {"type": "Point", "coordinates": [4.4, 51.0, 12.0]}


def feature_of(geometry, **members):
    return {"type": "Feature", "properties": {}, "geometry": geometry, **members}


def collection_of(*features):
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ((4.4, 51.0), Points([1], [(4.4, 51.0)], is_single=True)),
        (np.array([4.4, 51.0]), Points([1], [(4.4, 51.0)], is_single=True)),
        (Point(4.4, 51.0), Points([1], [(4.4, 51.0)], is_single=True)),
        (DOT, Points([1], [(4.4, 51.0)], is_single=True)),
        ((4.4, 51.0, 4.5, 51.1), Box("4.4,51.0,4.5,51.1")),
        ("regions/mechelen", Place("regions/mechelen")),
        ([(4.4, 51.0), (4.5, 51)], Points(range(1, 3), [(4.4, 51.0), (4.5, 51.0)])),
        (np.array([[4.4, 51.0]]), Points(range(1, 2), [(4.4, 51.0)])),
        ({"A": (4.4, 51.0), "B": (4.5, 51.1)}, Points(["A", "B"], [(4.4, 51.0), (4.5, 51.1)])),
        (MultiPoint([(4.4, 51.0), (4.5, 51.1)]), Points(range(1, 3), [(4.4, 51.0), (4.5, 51.1)])),
        (SQUARE, Areas([1], [SQUARE], is_single=True)),
        (feature_of(SQUARE), Areas([1], [SQUARE], is_single=True)),
        (collection_of(feature_of(SQUARE, id="a"), feature_of(None)), Areas(["a", 2], [SQUARE, None])),
        (collection_of(feature_of(DOT, id="a")), Points(["a"], [(4.4, 51.0)])),
        (zip([4.4, 4.5], [51.0, 51.1], strict=True), Points(range(1, 3), [(4.4, 51.0), (4.5, 51.1)])),
        (iter((4.4, 51.0)), Points([1], [(4.4, 51.0)], is_single=True)),
        ({"type": (4.4, 51.0), "B": (4.5, 51.1)}, Points(["type", "B"], [(4.4, 51.0), (4.5, 51.1)])),
        (collection_of(feature_of(SQUARE), {"type": "Feature"}), Areas([1, 2], [SQUARE, None])),
    ],
    ids=[
        "pair", "array", "shapely", "geojson-point", "box", "place", "list", "rows", "names", "multipoint", "polygon",
        "feature", "collection", "points", "zip", "iterator", "name-type", "without-geometry",
    ],
)  # fmt: skip
def test_location(where, expected):
    assert location_of(where) == expected


def test_polygon_of_shapely_is_geojson_with_lists():
    location = location_of(box(4.4, 51.0, 4.5, 51.1))

    assert location.geometries[0]["coordinates"][0][0] == [4.5, 51.0]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ((4.4,), "a place is"),
        ("fields.geojson", r"'fields.geojson' is a file: read it first, geopandas.read_file\('fields.geojson'\)"),
        ("more/data/my.fields.GPKG", "is a file"),
        (Path("data") / "fields", "'data/fields' is a file"),
        ("POLYGON ((0 0, 1 0, 1 1, 0 0))", "a text is the 'set/id' of a place of the server, got 'POLYGON"),
        (7, "a place is"),
        ([], "there is no point or area"),
        ({}, "there is no point or area"),
        (iter(()), "there is no point or area"),
        ({"type": "FeatureCollection"}, "there is no point or area"),
        (feature_of(None), "the feature has no geometry"),
        ({"type": "Feature"}, "the feature has no geometry"),
        ([(4.4, 51.0, 1.0, 2.0, 3.0)], "a point is"),
        ({"A": "x"}, "a point is"),
        (collection_of(), "there is no point or area"),
        (collection_of(feature_of(SQUARE), feature_of(DOT)), "request them apart"),
        (collection_of(feature_of(DOT), feature_of(None, id="lost")), "point 'lost' has no position"),
        ({"type": "LineString", "coordinates": [[4.4, 51.0], [4.5, 51.1]]}, "got LineString"),
    ],
)
def test_invalid_location_is_refused(where, message):
    with pytest.raises(ValueError, match=message):
        location_of(where)


def test_box_accepts_an_array_of_exactly_four_numbers():
    assert box_text(np.array([4.4, 51, 4.5, 51.1])) == "4.4,51.0,4.5,51.1"
    with pytest.raises(ValueError, match="west, south, east, north"):
        box_text((4.4, 51))
