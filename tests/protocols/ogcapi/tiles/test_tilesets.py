"""Tilesets and tile matrix sets of OGC API are valid and have the numbers of OGC's registry."""

import json

import morecantile
import numpy as np
import pyproj
import pytest

from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from tests.protocols import served

NDVI = "/ogcapi/collections/NDVI/map/tiles"
RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
SERVED_SETS = [
    *("WebMercatorQuad", "WorldCRS84Quad", "EuropeanETRS89_LAEAQuad", "UTM31WGS84Quad", "WorldMercatorWGS84Quad"),
    *("UPSArcticWGS84Quad", "UPSAntarcticWGS84Quad"),
]
TILESETS = [
    (NDVI, "map"),
    ("/ogcapi/map/tiles", "map"),
    ("/ogcapi/collections/s2/map/tiles", "map"),
    ("/ogcapi/styles/steps/map/tiles", "map"),
    ("/ogcapi/collections/CROP/styles/reds/map/tiles", "map"),
    ("/ogcapi/tiles", "vector"),
]


def links_of(document, rel):
    return [link for link in document["links"] if link["rel"] == rel]


def numbers_of(document):
    """Return (matrix, number): all numbers of a tile matrix set."""
    keys = ("cellSize", "scaleDenominator", "tileWidth", "tileHeight", "matrixWidth", "matrixHeight")
    return np.array(
        [[int(each["id"]), *each["pointOfOrigin"], *(each[key] for key in keys)] for each in document["tileMatrices"]]
    )


@pytest.fixture
def registry(shared):
    """Return a function: `registry(name)` returns a tile matrix set of OGC's registry."""
    return lambda name: json.loads((shared / f"ogc/schemas/tms/2.0/registry-json/{name}.json").read_text())


@pytest.mark.checklist("tiles", "A.9")
@pytest.mark.parametrize(("path", "kind"), TILESETS)
def test_the_list_of_tilesets_is_valid_and_leads_on(tree, assert_valid, path, kind):
    document = tree.get(path).json()

    assert [each["dataType"] for each in document["tilesets"]] == [kind, kind]
    links = [link for each in document["tilesets"] for link in each["links"] if link["rel"] != "item"]
    assert [link["rel"] for link in links] == ["self", f"{RELATIONS}/tiling-scheme", "alternate"] * 2
    assert all(tree.get(link["href"], headers={"accept": link["type"]}).json() for link in links)
    assert_valid(document["tilesets"][0], "tiles", "tileSet-item")
    assert all(each["tileMatrixSetURI"].endswith(each["title"].split("(")[1][:-1]) for each in document["tilesets"])


@pytest.mark.checklist("tiles", "A.9", "A.3-A.5")
@pytest.mark.parametrize(("path", "_kind"), TILESETS)
def test_item_of_the_list_has_all_parts_of_the_url_of_a_tile(tree, path, _kind):
    """OGC's suite reads the templates and the first limits of each item, and requests the tile they name."""
    items = tree.get(path).json()["tilesets"]

    def first_tile(item, *, rows_further=0):
        limits, template = item["tileMatrixSetLimits"][0], links_of(item, "item")[0]["href"]
        names = {"tileMatrix": limits["tileMatrix"], "tileCol": limits["minTileCol"]}
        return tree.get(template.format(tileRow=limits["maxTileRow"] + rows_further, **names)).status_code

    assert [item["tileMatrixSetId"] for item in items] == ["WebMercatorQuad", "WorldCRS84Quad"]
    assert [first_tile(item) for item in items] == [200, 200]
    assert [first_tile(item, rows_further=1) for item in items] == [404, 404]


@pytest.mark.checklist("tiles", "A.9", "A.3-A.5")
@pytest.mark.checklist("maps", "A.2")
@pytest.mark.parametrize(("path", "kind"), TILESETS)
def test_metadata_are_valid_by_both_schemas_and_lead_to_tiles_and_their_set(tree, assert_valid, path, kind):
    document = tree.get(f"{path}/WebMercatorQuad").json()

    assert_valid(document, "tiles", "tileSet")
    assert_valid(document, "tms", "tileSet")
    assert document["dataType"] == kind
    limits = document["tileMatrixSetLimits"][5]
    item = links_of(document, "item")[0]
    assert item["templated"] is True
    tile = item["href"].format(
        tileMatrix=limits["tileMatrix"], tileRow=limits["minTileRow"], tileCol=limits["minTileCol"]
    )
    assert tree.get(tile).headers["content-type"] == item["type"]
    (scheme,) = links_of(document, f"{RELATIONS}/tiling-scheme")
    assert tree.get(scheme["href"]).json()["id"] == "WebMercatorQuad"


def test_every_format_of_metadata_is_answered(tree):
    document = tree.get(f"{NDVI}/WebMercatorQuad").json()

    hrefs = {
        item["href"].format(tileMatrix=10, tileRow=343, tileCol=525): item["type"]
        for item in links_of(document, "item")
    }
    assert {href: tree.get(href).headers["content-type"] for href in hrefs} == hrefs
    assert document["mediaTypes"] == list(hrefs.values())


def test_limits_are_the_tiles_that_the_data_touch(tree):
    document = tree.get(f"{NDVI}/WebMercatorQuad").json()

    quad = morecantile.tms.get("WebMercatorQuad")
    west, south, east, north = served.BELGIUM_31N.bbox_in(served.CRS84)
    for_each = {each["tileMatrix"]: each for each in document["tileMatrixSetLimits"]}
    expected = {}
    for zoom in range(13):
        first, last = quad.tile(west, north, zoom), quad.tile(east, south, zoom)
        sides = {"minTileRow": first.y, "maxTileRow": last.y, "minTileCol": first.x, "maxTileCol": last.x}
        expected[str(zoom)] = {"tileMatrix": str(zoom), **sides}
    assert for_each == expected


def test_metadata_contain_the_extent(tree):
    document = tree.get(f"{NDVI}/WebMercatorQuad").json()

    west, south, east, north = served.BELGIUM_31N.bbox_in(served.CRS84)
    box = document["boundingBox"]
    assert box["lowerLeft"] == pytest.approx([west, south], abs=1e-6)
    assert box["upperRight"] == pytest.approx([east, north], abs=1e-6)
    assert document["centerPoint"]["coordinates"] == pytest.approx([(west + east) / 2, (south + north) / 2], abs=1e-6)
    assert box["crs"] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def test_metadata_name_layers_style_attribution_and_licence(tree):
    document = tree.get("/ogcapi/map/tiles/WebMercatorQuad?collections=CROP,LAI").json()

    assert [layer["id"] for layer in document["layers"]] == ["CROP", "LAI"]
    assert document["style"]["id"] == "lai-greys"
    styled = tree.get("/ogcapi/collections/CROP/styles/reds/map/tiles/WebMercatorQuad").json()
    assert styled["style"]["id"] == "reds"
    assert tree.get(styled["style"]["links"][0]["href"]).status_code == 200


def test_metadata_of_places_name_each_set_and_its_properties(tree):
    document = tree.get("/ogcapi/tiles/WebMercatorQuad").json()

    (layer,) = document["layers"]
    assert (layer["id"], layer["geometryDimension"]) == ("squares", 2)
    assert layer["propertiesSchema"]["properties"] == {
        "id": {"title": "id", "type": "string"},
        "label": {"title": "label", "type": "string"},
    }


@pytest.mark.parametrize(
    "query",
    [
        *("datetime=2020-06-11", "range=0,0.5&ramp=steps", "reducer=max&datetime=2020-06", "bgcolor=navy"),
        'subset=time("2020-06-11")',
    ],
)
def test_templates_repeat_the_parameters_of_the_metadata(tree, query):
    document = tree.get(f"{NDVI}/WebMercatorQuad?{query}").json()

    tile = links_of(document, "item")[0]["href"].format(tileMatrix=10, tileRow=343, tileCol=525)
    assert tree.get(tile).content == tree.get(f"{NDVI}/WebMercatorQuad/10/343/525?{query}").content
    self = links_of(document, "self")[0]["href"]
    assert tree.get(self).json() == document


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        (NDVI, "datetime=x", "datetime"),
        (f"{NDVI}/WebMercatorQuad", "range=2,1", "range"),
        (f"{NDVI}/WebMercatorQuad", "f=html", "f"),
        (f"{NDVI}/WebMercatorQuad", "subset=Lat(50.8:50.9)", "subset"),
        (f"{NDVI}/WebMercatorQuad", "lang=xx", "lang"),
        (f"{NDVI}/WebMercatorQuad", "dattime=2020", "dattime"),
        ("/ogcapi/map/tiles", "collections=nope", "collections"),
        ("/ogcapi/tiles", "collections=nope", "collections"),
        ("/ogcapi/tileMatrixSets", "f=xml", "f"),
    ],
)
def test_invalid_value_is_named(tree, path, query, parameter):
    response = tree.get(f"{path}?{query}")

    assert response.status_code == 400
    assert response.json()["parameter"] == parameter


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{NDVI}/Nowhere", "tileMatrixSetId"),
        ("/ogcapi/tiles/Nowhere", "tileMatrixSetId"),
        ("/ogcapi/tileMatrixSets/Nowhere", "tileMatrixSetId"),
        ("/ogcapi/collections/nope/map/tiles", "collectionId"),
        ("/ogcapi/collections/NDVI/styles/nope/map/tiles", "styleId"),
    ],
)
def test_unknown_tileset_is_not_found(tree, path, parameter):
    response = tree.get(path)

    assert response.status_code == 404
    assert response.json()["parameter"] == parameter


@pytest.mark.parametrize("path", [NDVI, f"{NDVI}/WebMercatorQuad", "/ogcapi/tileMatrixSets", "/ogcapi/tiles"])
def test_documents_are_json_alone(tree, path):
    assert tree.get(path, headers={"accept": "text/html"}).status_code == 406
    assert tree.get(path, headers={"accept": "text/html, */*;q=0.1"}).status_code == 200


def test_a_document_that_the_client_holds_is_not_sent_again(tree):
    first = tree.get(f"{NDVI}/WebMercatorQuad")

    assert tree.get(f"{NDVI}/WebMercatorQuad", headers={"if-none-match": first.headers["etag"]}).status_code == 304


class TestTileJson:
    """`f=tilejson`."""

    def test_tilejson_links_to_immutable_tiles_of_a_revision(self, tree):
        document = tree.get(f"{NDVI}/WebMercatorQuad?f=tilejson").json()

        tile = tree.get(document["tiles"][0].format(z=10, x=525, y=343))
        assert tile.content == tree.get("/tiles/NDVI/WebMercatorQuad/10/525/343.png").content
        assert "immutable" in tile.headers["cache-control"]
        assert tile.headers["content-datetime"] == "2020-06-21T00:00:00Z"

    def test_tilejson_equals_that_of_xyz(self, tree):
        ours = tree.get(f"{NDVI}/WebMercatorQuad?f=tilejson").json()
        theirs = tree.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()

        assert {**ours, "tiles": []} == {**theirs, "tiles": []}

    @pytest.mark.parametrize("time", ['time("2020-06-11")', 'time("2020-06-01":"2020-06-11")'])
    def test_tiles_are_of_the_time_of_subset(self, tree, time):
        (template,) = tree.get(f"{NDVI}/WebMercatorQuad", params={"f": "tilejson", "subset": time}).json()["tiles"]

        tile = tree.get(template.format(z=10, y=343, x=525))
        own = tree.get(f"{NDVI}/WebMercatorQuad/10/343/525", params={"f": "png", "subset": time})
        assert (tile.status_code, tile.headers["chronotile-time"]) == (200, own.headers["chronotile-time"])
        assert tile.content == own.content

    def test_of_several_layers_it_reaches_over_all(self, tree):
        document = tree.get("/ogcapi/map/tiles/WebMercatorQuad?f=tilejson&collections=FAPAR,NDVI").json()

        assert document["bounds"] == pytest.approx([4.4, 50.6, 5.0, 51.0])
        assert tree.get(document["tiles"][0].format(z=10, x=525, y=343)).status_code == 200

    def test_of_places_it_names_vector_layers(self, tree):
        document = tree.get("/ogcapi/tiles/WebMercatorQuad?f=tilejson").json()

        assert document["vector_layers"] == [{"id": "squares", "fields": {"id": "string", "label": "string"}}]
        assert document["bounds"] == pytest.approx([4.5, 50.8, 4.8, 50.9])
        assert tree.get(document["tiles"][0].format(z=9, x=262, y=171)).content != b""

    def test_accept_chooses_it(self, tree):
        response = tree.get(f"{NDVI}/WebMercatorQuad", headers={"accept": "application/vnd.mapbox.tilejson+json"})

        assert response.json()["tilejson"] == "3.0.0"

    def test_unknown_time_is_refused(self, tree):
        response = tree.get(f"{NDVI}/WebMercatorQuad?f=tilejson&datetime=1999")

        assert response.status_code == 404
        assert response.json()["parameter"] == "datetime"


class TestTileMatrixSets:
    """`/ogcapi/tileMatrixSets`."""

    def test_the_list_leads_to_each(self, tree, assert_valid):
        document = tree.get("/ogcapi/tileMatrixSets").json()

        mercator, degrees = document["tileMatrixSets"]
        assert_valid(mercator, "tiles", "tileMatrixSet-item")
        assert_valid(degrees, "tiles", "tileMatrixSet-item")
        hrefs = [links_of(each, "self")[0]["href"] for each in (mercator, degrees)]
        assert [tree.get(href).json()["id"] for href in hrefs] == ["WebMercatorQuad", "WorldCRS84Quad"]

    @pytest.mark.parametrize("name", SERVED_SETS)
    def test_each_is_valid_and_has_the_numbers_of_the_registry(self, make_client, assert_valid, registry, name):
        client = make_client(served.make_services(tile_matrix_sets=[name]))

        document = client.get(f"/ogcapi/tileMatrixSets/{name}").json()

        assert_valid(document, "tms", "tileMatrixSet")
        assert_valid(document, "tiles", "tileMatrixSet")
        theirs = registry(name)
        assert document["uri"] == theirs["uri"]
        assert document["crs"] == theirs["crs"]
        ours, registered = (numbers_of(each) for each in (document, theirs))
        assert ours == pytest.approx(registered[: len(ours)], rel=1e-7)  # UPS sets are written with 10 digits

    @pytest.mark.parametrize("name", SERVED_SETS)
    def test_morecantile_reads_its_own_sets(self, make_client, name):
        client = make_client(served.make_services(tile_matrix_sets=[name]))

        read = morecantile.TileMatrixSet.model_validate(client.get(f"/ogcapi/tileMatrixSets/{name}").json())

        own = morecantile.tms.get(name)
        tile = morecantile.Tile(1, 1, 3)
        assert read.xy_bounds(tile) == pytest.approx(own.xy_bounds(tile))
        assert len(read.tileMatrices) == len(own.tileMatrices)

    def test_configured_set_has_no_uri_but_a_url(self, tmp_path, make_client, assert_valid):
        sinusoidal = pyproj.CRS("+proj=sinu +R=6371007.181")
        own = morecantile.TileMatrixSet.custom([0, 0, 1e6, 1e6], sinusoidal, id="Own")
        (tmp_path / "own.json").write_text(own.model_dump_json(exclude_none=True))
        loaded = load_tile_matrix_set("own.json", folder=tmp_path)
        services = served.make_services(tile_matrix_sets=[str(tmp_path / "own.json")])
        client = make_client(services)

        document = client.get("/ogcapi/tileMatrixSets/Own").json()

        assert "uri" not in document
        assert document["crs"]["wkt"]["type"] == "ProjectedCRS"
        assert_valid(document, "tms", "tileMatrixSet")
        assert len(document["tileMatrices"]) == len(loaded.matrices)
        tileset = client.get("/ogcapi/map/tiles/Own").json()
        assert tileset["tileMatrixSetURI"] == "http://testserver/ogcapi/tileMatrixSets/Own"


@pytest.mark.checklist("tiles", "A.10", "A.12/A.13")
@pytest.mark.parametrize(
    ("document", "kinds"),
    [
        ("/ogcapi?f=json", ["tilesets-map", "tilesets-vector"]),
        ("/ogcapi/collections/NDVI?f=json", ["tilesets-map", "tilesets-map"]),
        ("/ogcapi/collections/CROP?f=json", ["tilesets-map", "tilesets-map", "tilesets-map"]),
    ],
)
def test_links_lead_to_tilesets(tree, document, kinds):
    links = [link for link in tree.get(document).json()["links"] if link["rel"].startswith(f"{RELATIONS}/tilesets-")]

    assert [link["rel"].rpartition("/")[2] for link in links] == kinds
    assert all("/tiles" in link["href"] for link in links)
    assert all(len(tree.get(link["href"]).json()["tilesets"]) == 2 for link in links)


def test_the_last_tilesets_are_in_the_default_style_which_gdal_takes(tree):
    links = tree.get("/ogcapi/collections/CROP?f=json").json()["links"]

    hrefs = [link["href"] for link in links if link["rel"] == f"{RELATIONS}/tilesets-map"]
    assert hrefs[-1] == "http://testserver/ogcapi/collections/CROP/styles/steps/map/tiles?f=json"


def test_without_places_nothing_leads_to_vector_tiles(client):
    rels = [link["rel"] for link in client.get("/ogcapi?f=json").json()["links"]]

    assert f"{RELATIONS}/tilesets-vector" not in rels
    assert f"{RELATIONS}/tiling-schemes" in rels


@pytest.mark.checklist("tiles", "A.1")
@pytest.mark.checklist("maps", "A.1.1-3")
def test_the_classes_are_declared(tree):
    classes = tree.get("/ogcapi/conformance?f=json").json()["conformsTo"]

    assert {
        *(f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}" for name in ("core", "tileset", "mvt", "png")),
        *(f"https://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/{name}" for name in ("core", "tilesets", "styled-map")),
        "http://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/core",
    } <= set(classes)
