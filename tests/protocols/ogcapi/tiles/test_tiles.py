"""Tiles of OGC API over HTTP: the bytes of `/tiles` and `/places`, and only tiles that metadata describe."""

import dataclasses

import mapbox_vector_tile
import pytest

from tests.places import make_places
from tests.protocols import served
from tests.protocols.pictures import rgba_of, share_differing

NDVI = "/ogcapi/collections/NDVI/map/tiles"
TILE = "WebMercatorQuad/10/343/525"
"""Matrix, row and column of a tile completely inside the data."""
XYZ = "WebMercatorQuad/10/525/343"


def grid_of(tms, z, row, column):
    tile_matrix_set = served.make_services().catalogue.tile_matrix_set(tms)
    return tile_matrix_set.tile_grid(tile_matrix_set.matrix(z), row=row, column=column)


@pytest.mark.checklist("tiles", "A.2", "A.6")
@pytest.mark.checklist("maps", "A.2")
@pytest.mark.parametrize(
    ("tms", "z", "row", "column"), [("WebMercatorQuad", "10", 343, 525), ("WorldCRS84Quad", "10", 222, 1050)]
)
def test_a_tile_has_the_colours_of_the_formula(tree, tms, z, row, column):
    response = tree.get(f"{NDVI}/{tms}/{z}/{row}/{column}?datetime=2020-06-11")

    expected = served.expected_rgba(served.BELGIUM_31N, grid_of(tms, z, row, column), 2)
    assert share_differing(response.content, expected) <= 0.001
    assert response.headers["content-datetime"] == "2020-06-11T00:00:00Z"


@pytest.mark.parametrize(("name", "extension"), [("png", "png"), ("webp", "webp"), ("jpeg", "jpg")])
@pytest.mark.parametrize(
    "query", ["datetime=2020-06-11", "datetime=2020-06&reducer=max", "range=0,0.5", "expression=NDVI*2"]
)
def test_tile_equals_that_of_xyz_byte_for_byte(tree, name, extension, query):
    theirs = tree.get(f"/tiles/NDVI/{XYZ}.{extension}?{query}")

    ours = tree.get(f"{NDVI}/{TILE}?f={name}&{query}")

    assert ours.content == theirs.content
    assert ours.headers["etag"] == theirs.headers["etag"]
    assert ours.headers["cache-control"] == theirs.headers["cache-control"]


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("width=512&height=512", (512, 512)),
        ("width=100", (100, 100)),
        ("height=300", (300, 300)),
        ("width=64&height=128", (64, 128)),
    ],
)
def test_a_tile_has_the_size_that_is_requested(tree, query, size):
    grid = dataclasses.replace(grid_of("WebMercatorQuad", "10", 343, 525), width=size[0], height=size[1])

    response = tree.get(f"{NDVI}/{TILE}?datetime=2020-06-11&{query}")

    assert share_differing(response.content, served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001


def test_a_size_that_is_no_size_or_too_large_is_refused(tree):
    answers = [tree.get(f"{NDVI}/{TILE}?{query}") for query in ("width=0", "height=x", "width=100000")]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert [answer.json()["parameter"] for answer in answers] == ["width", "height", "width"]


@pytest.mark.parametrize(
    "path",
    [
        "/ogcapi/map/tiles",
        "/ogcapi/collections/s2/map/tiles",
        "/ogcapi/collections/NDVI/styles/ndvi-greys/map/tiles",
        "/ogcapi/styles/ndvi-greys/map/tiles",
        "/ogcapi/collections/S2_NDVI/map/tiles",
    ],
)
def test_every_way_to_a_layer_has_the_same_tiles(tree, path):
    assert tree.get(f"{path}/{TILE}?f=png").content == tree.get(f"/tiles/NDVI/{XYZ}.png").content


@pytest.mark.checklist("tiles", "A.12/A.13")
def test_a_tile_in_a_style_has_its_colours(tree):
    response = tree.get(f"/ogcapi/collections/CROP/styles/reds/map/tiles/{TILE}?datetime=2020-06-11")

    expected = served.expected_rgba(served.BELGIUM_31N, grid_of("WebMercatorQuad", "10", 343, 525), 2)
    expected[..., 1:3] = 0
    assert share_differing(response.content, expected) <= 0.001


@pytest.mark.checklist("maps", "A.11")
def test_tiles_of_the_dataset_show_the_requested_collections(tree):
    response = tree.get(f"/ogcapi/map/tiles/{TILE}?collections=NDVI,LAI&datetime=2020-06-11")

    alone = tree.get(f"/tiles/LAI/{XYZ}.png?datetime=2020-06-11")
    assert share_differing(response.content, rgba_of(alone.content)) == 0


def test_tile_has_the_requested_background(tree):
    edge = grid_of("WebMercatorQuad", "10", 342, 524)

    pixels = tree.get(f"{NDVI}/WebMercatorQuad/10/342/524?bgcolor=navy&datetime=2020-06-11").content

    expected = served.expected_rgba(served.BELGIUM_31N, edge, 2)
    expected[expected[..., 3] == 0] = (0, 0, 128, 255)
    assert share_differing(pixels, expected) <= 0.001


def test_current_revision_makes_a_tile_immutable(tree):
    layer = tree.get("/layers/NDVI").json()

    now, then = (tree.get(f"{NDVI}/{TILE}?f=png&rev={rev}") for rev in (layer["revision"], "another"))

    assert "immutable" in now.headers["cache-control"]
    assert "immutable" not in then.headers["cache-control"]


def test_tile_is_cached_with_its_headers_only_if_f_is_given(tree_services, make_client):
    services = dataclasses.replace(tree_services, is_local=frozenset({"s2"}))
    client = make_client(services)
    formats = ["image/png", "image/webp", "image/png"]

    by_accept = [client.get(f"{NDVI}/{TILE}", headers={"accept": each}).headers["content-type"] for each in formats]
    first, again = (client.get(f"{NDVI}/{TILE}?f=png") for _ in range(2))

    assert by_accept == formats
    assert again.content == first.content
    assert again.headers["content-bbox"] == first.headers["content-bbox"]
    assert again.headers["server-timing"].startswith("resolve")


@pytest.mark.checklist("tiles", "A.7")
@pytest.mark.parametrize(
    ("place", "parameter"),
    [
        ("WebMercatorQuad/10/343/2147483647", "tileCol"),
        ("WebMercatorQuad/10/2147483647/525", "tileRow"),
        ("WebMercatorQuad/10/343/-1", "tileCol"),
        ("WebMercatorQuad/10/343/0", "tileCol"),
        ("WebMercatorQuad/10/0/525", "tileRow"),
        ("WebMercatorQuad/10/x/525", "tileRow"),
        ("WebMercatorQuad/10/343/5.5", "tileCol"),
        ("WebMercatorQuad/24/5621000/8600000", "tileMatrix"),
        ("WebMercatorQuad/99/0/0", "tileMatrix"),
        ("WebMercatorQuad/ten/0/0", "tileMatrix"),
        ("Nowhere/0/0/0", "tileMatrixSetId"),
        ("99999999999999999999999/0/0/0", "tileMatrixSetId"),
        ("WebMercatorQuad/0/99999999999999999999999/0", "tileRow"),
    ],
)
@pytest.mark.parametrize("tiles", [NDVI, "/ogcapi/map/tiles"])
def test_unknown_tile_is_not_found(tree, tiles, place, parameter):
    response = tree.get(f"{tiles}/{place}")

    assert response.status_code == 404
    assert response.json()["parameter"] == parameter
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.checklist("tiles", "A.6", "A.7")
@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad"])
@pytest.mark.parametrize("tiles", [NDVI, "/ogcapi/tiles", "/ogcapi/map/tiles"])
def test_tiles_exist_exactly_within_their_limits(tree, tiles, tms):
    limits = tree.get(f"{tiles}/{tms}").json()["tileMatrixSetLimits"][-3]
    matrix, first_row, last_row, first_column, last_column = limits.values()

    north, south = f"{first_row}/{first_column}", f"{last_row}/{last_column}"
    above, below = f"{first_row - 1}/{first_column}", f"{last_row + 1}/{last_column}"
    west, east = f"{first_row}/{first_column - 1}", f"{last_row}/{last_column + 1}"
    places = [north, south, above, below, west, east]
    statuses = [tree.get(f"{tiles}/{tms}/{matrix}/{place}").status_code for place in places]
    assert statuses == [200, 200, 404, 404, 404, 404]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(("subset=Lat(50:51)", "subset"), ("crs=EPSG:4326", "crs"), ("crs=EPSG:9999", "crs")),
        *(("datetime=then", "datetime"), ("datetime=1999", "datetime"), ("f=mvt", "f"), ("bgcolor=reddish", "bgcolor")),
        *(("range=a", "range"), ("dattime=2020", "dattime")),
    ],
)
def test_invalid_value_is_named(tree, query, parameter):
    response = tree.get(f"{NDVI}/{TILE}?{query}")

    assert response.status_code in {400, 404}
    assert response.json()["parameter"] == parameter


def test_crs_of_the_set_may_be_given(tree):
    assert tree.get(f"{NDVI}/{TILE}?crs=http://www.opengis.net/def/crs/EPSG/0/3857").status_code == 200


@pytest.mark.parametrize(("collections", "status"), [("nope", 400), ("NDVI,nope", 400)])
def test_tiles_of_unknown_collections_are_refused(tree, collections, status):
    response = tree.get(f"/ogcapi/map/tiles/{TILE}?collections={collections}")

    assert response.status_code == status
    assert response.json()["parameter"] == "collections"


def test_missing_source_is_reported(client):
    assert client.get(f"/ogcapi/collections/GONE/map/tiles/{TILE}").status_code == 503


class TestOfPlaces:
    """`/ogcapi/tiles`: vector tiles."""

    def test_vector_tile_equals_that_of_places_byte_for_byte(self, tree):
        theirs = tree.get("/places/squares/tiles/WebMercatorQuad/9/262/171.mvt")

        ours = tree.get("/ogcapi/tiles/WebMercatorQuad/9/171/262")

        assert ours.content == theirs.content != b""
        assert ours.headers["etag"] == theirs.headers["etag"]
        assert ours.headers["content-type"] == "application/vnd.mapbox-vector-tile"

    def test_each_set_of_places_is_a_layer(self, make_client):
        squares = make_places()
        others = dataclasses.replace(make_places(2), spec=dataclasses.replace(squares.spec, id="others"), digest="o")
        client = make_client(served.make_services(places=[squares, others]))

        queries = ("", "?collections=others", "?collections=others,squares")
        tiles = [client.get(f"/ogcapi/tiles/WebMercatorQuad/9/171/262{query}").content for query in queries]

        counts = [
            {layer: len(each["features"]) for layer, each in mapbox_vector_tile.decode(tile).items()} for tile in tiles
        ]
        assert counts == [{"squares": 3, "others": 2}, {"others": 2}, {"others": 2, "squares": 3}]

    def test_several_sets_have_one_validator(self, make_client):
        squares = make_places()
        others = dataclasses.replace(squares, spec=dataclasses.replace(squares.spec, id="others"))
        client = make_client(served.make_services(places=[squares, others]))
        tile = "/ogcapi/tiles/WebMercatorQuad/9/171/262"

        first = client.get(tile)
        again = client.get(tile, headers={"if-none-match": first.headers["etag"]})

        assert again.status_code == 304
        assert first.headers["etag"] != client.get(f"{tile}?collections=squares").headers["etag"]

    @pytest.mark.parametrize(
        ("query", "status", "parameter"),
        [
            ("?collections=nope", 400, "collections"),
            ("?collections=squares,squares", 400, "collections"),
            ("?f=png", 400, "f"),
            ("?colections=squares", 400, "colections"),
        ],
    )
    def test_invalid_value_is_named(self, tree, query, status, parameter):
        response = tree.get(f"/ogcapi/tiles/WebMercatorQuad/9/171/262{query}")

        assert response.status_code == status
        assert response.json()["parameter"] == parameter

    def test_no_vector_tiles_exist_without_places(self, client):
        assert client.get("/ogcapi/tiles/WebMercatorQuad/9/171/262").status_code == 404
        assert client.get("/ogcapi/tiles/WebMercatorQuad").status_code == 404
        assert client.get("/ogcapi/tiles").json()["tilesets"] == []

    def test_a_client_that_takes_no_vector_tile_gets_none(self, tree):
        response = tree.get("/ogcapi/tiles/WebMercatorQuad/9/171/262", headers={"accept": "image/png"})

        assert response.status_code == 406
