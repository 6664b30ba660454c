"""Landing page, collections and items are valid STAC with working links, and contain no secret."""

import re
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator
from pystac import STACObjectType
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from chronotile.core.model.style import Colour, Style, StyleClass
from chronotile.protocols.catalogue.stac.extensions import renders_of
from tests.protocols import served
from tests.protocols.answer_schemas import schema_faults
from tests.protocols.catalogue.stac.conftest import BASE
from tests.protocols.catalogue.stac.extension_schemas import extension_faults
from tests.protocols.ogcapi.schemas import faults

PRODUCT = re.compile(rf"{BASE}/products/[0-9a-f-]{{36}}/nodes/(RED|a%20b%2Fc)")
PATHS = (
    *("/stac", "/stac/conformance", "/stac/queryables", "/stac/aggregations", "/stac/search", "/stac/collections"),
    *(f"/stac/collections/{name}{path}" for name in ("s2", "scenes") for path in ("", "/items", "/queryables")),
)


def validate(document, kind):
    JsonSchemaSTACValidator().validate_core(document, kind, "1.1.0")


def get(api, path, **given):
    answer = api.get(path, **given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def links(document, rel):
    return [each for each in document["links"] if each["rel"] == rel]


def test_the_landing_page_is_a_valid_catalogue(api):
    landing = get(api, "/stac")

    validate(landing, STACObjectType.CATALOG)
    assert landing["conformsTo"] == get(api, "/stac/conformance")["conformsTo"]
    assert [each.get("method") for each in links(landing, "search")] == ["GET", "POST"]
    assert [each["href"] for each in links(landing, "child")] == [
        f"{BASE}/stac/collections/s2",
        f"{BASE}/stac/collections/scenes",
    ]
    assert not any("transaction" in each for each in landing["conformsTo"])


def test_collections_are_valid_and_the_same_in_the_list(api):
    listed = get(api, "/stac/collections")

    for each in listed["collections"]:
        validate(each, STACObjectType.COLLECTION)
        assert each == get(api, f"/stac/collections/{each['id']}")
    assert (listed["numberMatched"], listed["numberReturned"]) == (2, 2)


@pytest.mark.parametrize("path", ["/stac/search", "/stac/collections/s2/items", "/stac/collections/scenes/items"])
def test_items_are_valid_and_the_same_at_their_own_addresses(api, path):
    features = get(api, path)["features"]

    assert features
    for each in features:
        validate(each, STACObjectType.ITEM)
        assert each == get(api, links(each, "self")[0]["href"].removeprefix(BASE))


@pytest.mark.parametrize("path", ["/stac/search?limit=2", "/stac/search?ids=none", "/stac/collections/s2/items"])
def test_page_of_items_matches_its_schema(api, path):
    assert schema_faults(api, "ItemPage", get(api, path)) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/stac", "landingPage"),
        ("/stac/conformance", "confClasses"),
        ("/stac/collections", "collections"),
        ("/stac/collections/s2", "collectionDesc"),
        ("/stac/collections/scenes", "collectionDesc"),
    ],
)
def test_documents_are_those_of_ogc_api_too(api, shared, path, name):
    assert faults(shared / "ogc" / "schemas", get(api, path), "common", name) == []


@pytest.mark.parametrize("path", ["/stac", "/stac/collections/s2", "/stac/collections/scenes"])
def test_queryables_are_a_json_schema_at_its_own_address(api, path):
    schema = get(api, f"{path}/queryables")

    Draft202012Validator.check_schema(schema)
    assert (schema["$id"], schema["type"]) == (f"{BASE}{path}/queryables", "object")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", ["/stac", "/stac/collections", "/stac/search?limit=100"])
def test_fields_of_extensions_are_valid_and_their_extensions_listed(api, path):
    page = get(api, path)

    documents = page.get("collections") or page.get("features") or [page]
    assert {each["id"]: faults for each in documents if (faults := extension_faults(each))} == {}


def test_documents_have_the_extensions_that_clients_read(api):
    collection, dated, scene = (
        get(api, f"/stac/collections/{path}") for path in ("s2", "s2/items/2020-06-01", "scenes/items/scene%203")
    )

    assert extensions(collection) >= {"datacube", "projection", "raster", "render", "web-map-links"}
    assert extensions(dated) >= {"projection", "raster", "web-map-links"}
    assert extensions(scene) >= {"eo", "web-map-links"}


def extensions(document):
    return {each.split("/")[3] for each in document["stac_extensions"]}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"cube:dimensions": {"x": {"type": "spatial", "extent": [0, 1]}}}, ".cube:dimensions: "),
        ({"renders": {"a": {"title": "A"}}}, ".renders: 'assets' is a required property"),
        ({"eo:cloud_cover": 5}, ": eo:cloud_cover, and eo is not listed"),
        ({"summaries": {"proj:code": [32631]}}, "summaries.proj:code: 32631 is not of type"),
        ({"links": [{"rel": "wms", "href": "http://h/"}]}, "wms has no wms:layers"),
        ({"item_assets": {}}, "raster is listed and not used"),
    ],
)
def test_faults_of_extensions_are_found(api, change, fault):
    found = extension_faults({**get(api, "/stac/collections/s2"), **change})

    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize("path", PATHS)
def test_all_addresses_are_of_this_server(api, path):
    hrefs = list(hrefs_in(get(api, path)))

    assert all(each.startswith(f"{BASE}/") for each in hrefs)
    assert "secret-bucket" not in api.get(path).text
    assert "scenes.test" not in api.get(path).text


@pytest.mark.parametrize("path", PATHS)
def test_all_addresses_are_answered(api, path):
    found = {each.partition("{")[0] if "{z}" in each else each for each in hrefs_in(get(api, path))}
    asked = {each for each in found if not (PRODUCT.match(each) or each.endswith("/WebMercatorQuad/"))}

    statuses = {each: api.get(each.removeprefix(BASE)).status_code for each in asked if is_for_get(each)}

    assert {each: status for each, status in statuses.items() if status != 200} == {}


def is_for_get(href):
    """Return whether GET works without parameters: services require some, and a mosaic without items draws nothing."""
    path = urlsplit(href).path
    return path not in {"/wms", "/wmts"} and "/RED" not in path


def hrefs_in(document):
    if isinstance(document, dict):
        for name, value in document.items():
            if name == "href":
                yield value
            else:
                yield from hrefs_in(value)
    if isinstance(document, list):
        for each in document:
            yield from hrefs_in(each)


def test_files_are_products_of_this_server(api):
    assets = get(api, "/stac/collections/scenes/items/scene%203")["assets"]

    assert PRODUCT.fullmatch(assets["RED"]["href"])
    assert PRODUCT.fullmatch(assets["a b/c"]["href"])
    assert assets["RED"]["roles"] == ["data"]
    assert "alternate" not in assets["RED"]


def test_a_date_of_a_cube_has_coverages_of_the_layers_that_have_it(api):
    both, one = (get(api, f"/stac/collections/s2/items/{day}")["assets"] for day in ("2020-06-01", "2020-06-21"))

    assert set(both) == {"NDVI", "LAI", "zarr-NDVI", "zarr-LAI", "thumbnail"}
    assert set(one) == {"NDVI", "zarr-NDVI", "thumbnail"}
    ndvi = one["NDVI"]
    assert ndvi["href"] == f"{BASE}/ogcapi/collections/NDVI/coverage?f=GTiff&datetime=2020-06-21T00:00:00Z"
    assert ndvi["bands"] == [
        {
            "name": "NDVI",
            "data_type": "uint8",
            "nodata": 255,
            "raster:scale": 0.004,
            "raster:offset": -0.08,
            "raster:spatial_resolution": 100,
        }
    ]
    assert (ndvi["proj:code"], ndvi["proj:shape"]) == ("EPSG:32631", [300, 400])


def test_items_link_to_tiles_of_their_time_of_layers_that_have_it(api):
    item = get(api, "/stac/collections/s2/items/2020-07-01")

    assert [each["href"] for each in links(item, "xyz")] == [
        f"{BASE}/tiles/LAI/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?datetime=2020-07-01T00:00:00Z"
    ]
    (wmts,) = links(item, "wmts")
    assert (wmts["href"], wmts["wmts:layer"]) == (f"{BASE}/wmts", "LAI")
    assert wmts["wmts:dimensions"] == {"Time": "2020-07-01T00:00:00Z"}
    tile = links(item, "xyz")[0]["href"].removeprefix(BASE).format(z=8, x=131, y=86)
    assert api.get(tile).headers["chronotile-time"] == "2020-07-01T00:00:00Z"


def test_wmts_answers_the_link(api):
    (wmts,) = links(get(api, "/stac/collections/s2/items/2020-07-01"), "wmts")
    tile = {"SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "TILEMATRIXSET": "WebMercatorQuad"}
    place = {"TILEMATRIX": "8", "TILEROW": "86", "TILECOL": "131", "FORMAT": "image/png", "STYLE": "default"}

    answer = api.get("/wmts", params={**tile, **place, "LAYER": wmts["wmts:layer"], **wmts["wmts:dimensions"]})

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["chronotile-time"] == "2020-07-01T00:00:00Z"


def test_a_scene_has_a_picture_of_its_box(api):
    thumbnail = get(api, "/stac/collections/scenes/items/scene%203")["assets"]["thumbnail"]

    assert (
        "/ogcapi/collections/RED/map?bbox=4.000000,50.000000,5.000000,51.000000&datetime=2020-06-04"
        in thumbnail["href"]
    )


def test_a_collection_is_described_as_a_cube(api):
    collection = get(api, "/stac/collections/s2")

    dimensions = collection["cube:dimensions"]
    assert dimensions["x"]["extent"] == [600_000, 640_000]
    assert dimensions["y"]["extent"] == [5_620_000, 5_650_000]
    assert dimensions["x"]["reference_system"] == 32631
    assert dimensions["time"]["extent"] == ["2020-05-21T00:00:00Z", "2020-07-01T00:00:00Z"]
    assert collection["cube:variables"]["LAI"]["unit"] == "m2 m-2"
    assert set(collection["item_assets"]) == {"NDVI", "LAI"}
    assert "cube:dimensions" not in get(api, "/stac/collections/scenes")


def test_renders_are_of_the_styles(api):
    renders = get(api, "/stac/collections/s2")["renders"]

    ndvi = renders["NDVI:ndvi-greys"]
    assert (ndvi["assets"], ndvi["rescale"]) == (["NDVI"], [[0, 250]])
    assert len(ndvi["colormap"]) == 256
    assert (ndvi["colormap"]["0"], ndvi["colormap"]["255"]) == ("#000000", "#fafafa")
    assert renders["TRUE_COLOUR:rgb"]["rescale"] == [[0, 250]] * 3
    tiles = links(get(api, "/stac/collections/s2"), "xyz")
    assert {each["render"] for each in tiles} <= renders.keys()


def test_classes_are_a_colour_map():
    classes = tuple(StyleClass(number, Colour(number, 0, 0), str(number)) for number in (4, 5))
    style = Style(id="crops", title="Crops", range=(4, 5), classes=classes)
    stored = served.make_variable("CROP", scale=0.5, offset=-1.0)
    layer = served.make_layer("CROP", styles=(style,), variable=stored)

    assert renders_of([layer], "en")["CROP:crops"]["colormap"] == {"10": "#040000", "12": "#050000"}


def test_texts_are_in_the_language_of_the_request(api):
    dutch = get(api, "/stac/collections/scenes", headers={"Accept-Language": "nl"})

    assert (dutch["title"], dutch["language"], dutch["languages"]) == ("Beelden", "nl", ["en"])
    assert get(api, "/stac/collections/scenes?lang=en")["title"] == "Scenes"


@pytest.mark.parametrize(
    "path",
    [
        *("/stac/collections/unknown", "/stac/collections/NDVI", "/stac/collections/unknown/items"),
        *("/stac/collections/gone/items/hidden", "/stac/collections/s2/items/unknown"),
        *("/stac/collections/s2/items/..%2f..%2fetc", "/stac/collections/unknown/queryables"),
        "/stac/collections/unknown/aggregate",
    ],
)
def test_unknown_documents_are_not_found(api, path):
    answer = api.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_queryables_are_properties_of_items(api):
    properties = get(api, "/stac/collections/scenes/queryables")["properties"]

    assert properties["eo:cloud_cover"] == {"title": "eo:cloud_cover", "type": "number"}
    assert properties["datetime"]["format"] == "date-time"
    assert "eo:cloud_cover" not in get(api, "/stac/collections/s2/queryables")["properties"]


def test_unknown_collection_is_refused_with_the_existing_ones(api):
    answer = api.get("/stac/collections/nothing-like-it")

    assert answer.status_code == 404
    assert answer.json()["detail"].endswith("accepted are s2, scenes")
