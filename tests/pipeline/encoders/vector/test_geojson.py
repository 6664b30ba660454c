"""Places as GeoJSON: axis order, orientation, rounding, and additional properties."""

import dataclasses

import numpy as np
import orjson
import pytest
import shapely
from pyproj import Transformer

from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.pipeline.encoders.vector.geojson import encode_places_geojson
from chronotile.pipeline.place_shapes import choose_places, shapes_in
from tests.places import make_places

NUMBERS = np.array([2, 0])
SQUARES = make_places(3)


def written(places=SQUARES, numbers=NUMBERS, **members):
    """Return the collection, parsed."""
    return orjson.loads(encode_places_geojson(choose_places(places, numbers, **members), members={"numberReturned": 2}))


def test_chosen_places_have_their_properties_and_additional_ones():
    document = written(columns={"NDVI": (0.5, None)})

    assert (document["type"], document["numberReturned"]) == ("FeatureCollection", 2)
    assert [(each["id"], each["properties"]) for each in document["features"]] == [
        ("S2", {"id": "S2", "label": "S2", "NDVI": 0.5}),
        ("S0", {"id": "S0", "label": "S0", "NDVI": None}),
    ]
    shapes = shapely.from_geojson([orjson.dumps(each["geometry"]) for each in document["features"]])
    assert shapely.equals(shapes, SQUARES.shapes[NUMBERS]).all()


@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:4326", "EPSG:3035", "EPSG:31370", "EPSG:2180"])
@pytest.mark.parametrize("is_kept", [False, True])
def test_coordinates_have_the_axis_order_of_the_crs(crs, is_kept):
    """The truth is pyproj with the order of the authority, in which CRS84 is longitude first."""
    places = make_places(3)
    if is_kept:
        shapes_in(places, crs_of(crs))

    features = written(places, crs=crs_of(crs))["features"]

    turn = Transformer.from_crs("OGC:CRS84", crs).transform
    expected = shapely.transform(places.shapes[NUMBERS], turn, interleaved=False)
    shapes = shapely.from_geojson([orjson.dumps(each["geometry"]) for each in features])
    assert shapely.equals_exact(shapes.tolist(), expected, tolerance=1e-3, normalize=True).all()
    assert set(places.projected) == ({crs_of(crs)} if is_kept else set())


@pytest.mark.parametrize(("crs", "decimals"), [("EPSG:31370", 3), ("EPSG:4326", 7)])
def test_computed_coordinates_are_rounded(crs, decimals):
    lambert = dataclasses.replace(
        SQUARES, crs=crs_of("EPSG:3812"), shapes=np.array([shapely.box(6e5, 6e5, 7e5, 7e5)] * 3)
    )

    (ring,) = written(lambert, crs=crs_of(crs))["features"][0]["geometry"]["coordinates"]

    assert [[round(each, decimals) for each in vertex] for vertex in ring] == ring


@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:4326", "EPSG:3035"])
def test_outer_rings_are_anticlockwise_on_the_map(crs):
    hole = shapely.box(5, 50, 6, 51).difference(shapely.box(5.2, 50.2, 5.4, 50.4)).reverse()
    places = dataclasses.replace(SQUARES, shapes=np.array([hole] * 3))

    outer, inner = written(places, crs=crs_of(crs))["features"][0]["geometry"]["coordinates"]

    if crs != CRS84.name:  # both are north first
        outer, inner = ([vertex[::-1] for vertex in ring] for ring in (outer, inner))
    assert shapely.is_ccw(shapely.linearrings(outer))
    assert not shapely.is_ccw(shapely.linearrings(inner))


def test_a_place_without_coordinates_in_the_crs_has_no_geometry():
    unavailable = dataclasses.replace(SQUARES, shapes=np.array([shapely.box(92, 0, 95, 1), *SQUARES.shapes[1:]]))

    features = written(unavailable, crs=crs_of("EPSG:32631"))["features"]

    assert [each["geometry"] is None for each in features] == [False, True]


def test_no_places_are_an_empty_collection():
    assert written(numbers=np.array([], dtype=np.int64))["features"] == []
