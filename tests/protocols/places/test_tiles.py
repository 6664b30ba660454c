"""Vector tiles over HTTP, read back with mapbox-vector-tile."""

import dataclasses

import mapbox_vector_tile
import numpy as np
import pytest
import shapely

from chronotile.core.model.space.crs import transformer
from tests.protocols import served

TILE = "/places/squares/tiles/WebMercatorQuad/9/262/171.mvt"
"""Tile that contains the squares."""


def features_of(response):
    """Return features by id; empty for an empty tile."""
    layers = mapbox_vector_tile.decode(response.content, default_options={"y_coord_down": True})
    return {feature["id"]: feature for each in layers.values() for feature in each["features"]}


def expected(places, number, tms, z, x, y):
    """Return the shape of a place in units of a tile, with separately transformed vertices."""
    tile_matrix_set = served.make_services().catalogue.tile_matrix_set(tms)
    grid = tile_matrix_set.tile_grid(tile_matrix_set.matrix(str(z)), row=y, column=x)
    turn = transformer(places.crs, grid.crs).transform
    unit = (grid.bbox.xmax - grid.bbox.xmin) / 4096

    def in_units(vertices):
        easting, northing = turn(*vertices.T)
        return np.column_stack(((easting - grid.bbox.xmin) / unit, (grid.bbox.ymax - northing) / unit))

    return shapely.transform(places.shapes[number], in_units)


def test_a_tile_holds_the_places_with_their_properties(client):
    response = client.get(TILE)

    found = features_of(response)
    assert response.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert {number: feature["properties"] for number, feature in found.items()} == {
        number: {"id": f"S{number}", "label": f"Square {number}", "crop": crop, "area_ha": number * 1.5}
        for number, crop in enumerate(["maize", "wheat", "maize"])
    }
    assert list(mapbox_vector_tile.decode(response.content)) == ["squares"]


@pytest.mark.parametrize(
    ("tms", "z", "x", "y"),
    [("WebMercatorQuad", 9, 262, 171), ("WorldCRS84Quad", 8, 262, 55)],
    ids=["mercator", "crs84"],
)
@pytest.mark.parametrize("name", ["squares", "lambert"])
def test_shapes_have_the_coordinates_of_proj(client, services, name, tms, z, x, y):
    found = features_of(client.get(f"/places/{name}/tiles/{tms}/{z}/{x}/{y}.mvt"))

    frame = shapely.box(-64, -64, 4160, 4160)
    whole = expected(services.catalogue.places[name], 0, tms, z, x, y).intersection(frame)
    shape = shapely.geometry.shape(found[0]["geometry"])
    assert shape.symmetric_difference(whole).area <= whole.length


def test_a_tile_elsewhere_is_empty(client):
    response = client.get("/places/squares/tiles/WebMercatorQuad/9/0/0.mvt")

    assert (response.status_code, response.content) == (200, b"")


def test_places_without_coordinates_in_the_crs_are_omitted(make_client, squares):
    arctic = served.make_services(places=[squares], tile_matrix_sets=["EuropeanETRS89_LAEAQuad"])

    response = make_client(arctic).get("/places/squares/tiles/EuropeanETRS89_LAEAQuad/0/0/0.mvt")

    assert response.status_code == 200
    assert set(features_of(response)) <= {0, 1, 2, 3}


def test_only_a_url_with_the_current_revision_is_immutable(client):
    revision = client.get("/places/squares").json()["revision"]

    caching = [client.get(f"{TILE}{query}").headers["cache-control"] for query in (f"?rev={revision}", "?rev=old", "")]

    assert ["immutable" in each for each in caching] == [True, False, False]


def test_a_tile_that_the_client_holds_is_not_sent_again(client):
    first = client.get(TILE)

    again = client.get(TILE, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_tiles_differ_in_their_validators(client):
    tags = {client.get(f"/places/squares/tiles/WebMercatorQuad/9/{x}/171.mvt").headers["etag"] for x in (261, 262)}

    assert len(tags) == 2


def test_a_large_tile_is_compressed(make_client, squares):
    many = [squares.shapes[0].buffer(0.001 * number, quad_segs=16) for number in range(60)]
    columns = {"ids": tuple(map(str, range(60))), "labels": ("x",) * 60, "fields": {}, "notes": {}}
    places = dataclasses.replace(squares, shapes=np.array(many, dtype=object), projected={}, **columns)

    response = make_client(served.make_services(places=[places])).get(TILE)

    assert response.headers["content-encoding"] == "gzip"
    assert len(features_of(response)) == 60


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/places/nowhere/tiles/WebMercatorQuad/0/0/0.mvt", 404, "set"),
        ("/places/squares/tiles/Nowhere/0/0/0.mvt", 404, "tms"),
        ("/places/squares/tiles/WebMercatorQuad/99/0/0.mvt", 404, "z"),
        ("/places/squares/tiles/WebMercatorQuad/0/1/0.mvt", 404, "x"),
        ("/places/squares/tiles/WebMercatorQuad/0/0/one.mvt", 404, "y"),
        ("/places/squares/tiles/WebMercatorQuad/0/0/0.mvt?revs=1", 400, "revs"),
    ],
)
def test_invalid_values_are_reported(client, path, status, parameter):
    response = client.get(path)

    assert (response.status_code, response.json()["parameter"]) == (status, parameter)
