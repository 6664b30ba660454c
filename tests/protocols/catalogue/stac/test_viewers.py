"""The members that QGIS 3.40, STAC Browser and eodash read of documents, as their public sources have them.

QGIS: `src/core/stac` (`qgsstacparser.cpp`, `qgsstacasset.cpp`); STAC Browser and eodash: stac-js, and of eodash
`core/client/eodashSTAC`. They are applications with windows; Debian and npm offer no headless version.
"""

from datetime import datetime

import pytest
import rasterio

from tests.protocols.catalogue.stac.conftest import BASE
from tests.protocols.catalogue.stac.test_documents import get, links

QGIS_RASTERS = (
    "image/tiff; application=geotiff; profile=cloud-optimized",
    "image/vnd.stac.geotiff; cloud-optimized=true",
    "application/vnd.zarr; version=3",
)
"""Media types of assets that QGIS adds to a map; it compares them as text."""
COLLECTIONS = ("s2", "scenes")
ITEM = "/stac/collections/s2/items/2020-06-01"
EODASH_FIELDS = "properties.datetime,-assets,-geometry,-links,-bbox"


def texts(members, *names):
    """Return whether existing members are texts: other types break the parser of QGIS."""
    return all(members.get(name) is None or isinstance(members[name], str) for name in names)


def check_for_qgis(document):
    assert document["stac_version"] == "1.1.0"
    assert isinstance(document["id"], str)
    assert all(isinstance(each, str) for each in document.get("stac_extensions", ()))
    for link in document["links"]:
        assert isinstance(link["href"], str)
        assert isinstance(link["rel"], str)
        assert texts(link, "type", "title")
    for asset in document.get("assets", {}).values():
        assert isinstance(asset["href"], str)
        assert texts(asset, "title", "description", "type")


def test_qgis_parses_the_catalogue_and_finds_collections_and_search(api):
    landing = get(api, "/stac")

    check_for_qgis(landing)
    assert landing["type"] == "Catalog"
    assert isinstance(landing["description"], str)
    assert {each.rpartition("/")[2] for each in landing["conformsTo"]} >= {"collections", "item-search"}
    assert [each["href"] for each in links(landing, "data")] == [f"{BASE}/stac/collections"]


def test_qgis_parses_collections(api):
    listed = get(api, "/stac/collections")

    assert isinstance(listed["numberMatched"], int)
    for each in listed["collections"]:
        check_for_qgis(each)
        assert each["type"] == "Collection"
        assert all(isinstance(each[name], str) for name in ("title", "description", "license"))
        assert {len(box) for box in each["extent"]["spatial"]["bbox"]} <= {4, 6}
        assert {len(times) for times in each["extent"]["temporal"]["interval"]} == {2}
        assert all(isinstance(provider["name"], str) for provider in each["providers"])


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_qgis_parses_items_page_by_page(api, collection):
    page = get(api, "/stac/search", params={"collections": collection, "limit": 2})

    assert isinstance(page["numberMatched"], int)
    assert len(links(page, "next")) == 1
    for each in page["features"]:
        check_for_qgis(each)
        assert (each["type"], each["collection"]) == ("Feature", collection)
        assert len(each["bbox"]) == 4
        assert datetime.fromisoformat(each["properties"]["datetime"]).tzinfo is not None


def test_qgis_adds_the_values_of_a_date_to_a_map(api, tmp_path):
    asset = get(api, ITEM)["assets"]["NDVI"]
    file = tmp_path / "ndvi.tif"
    file.write_bytes(api.get(asset["href"].removeprefix(BASE)).content)

    assert asset["type"] in QGIS_RASTERS
    assert get(api, ITEM)["assets"]["zarr-NDVI"]["type"] in QGIS_RASTERS
    assert get(api, "/stac/collections/s2")["item_assets"]["NDVI"]["type"] in QGIS_RASTERS
    with rasterio.open(file) as opened:
        assert opened.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


@pytest.mark.parametrize("path", ["/stac", "/stac/collections/s2", "/stac/collections/scenes", ITEM])
def test_stac_browser_finds_its_way_from_every_document(api, path):
    document = get(api, path)

    assert {"self", "root"} <= {each["rel"] for each in document["links"]}
    assert path == "/stac" or len(links(document, "parent")) == 1
    for rel in ("self", "root", "parent", "child", "collection", "items"):
        assert {each["type"] for each in links(document, rel)} <= {"application/json", "application/geo+json"}


def test_stac_browser_finds_search_filter_and_sort(api):
    landing = get(api, "/stac")

    # No other protocol may add such a link: stac-api-validator takes the last one per method.
    assert [each["type"] for each in links(landing, "search")] == ["application/geo+json"] * 2
    queryables = links(landing, "http://www.opengis.net/def/rel/ogc/1.0/queryables")
    assert [each["type"] for each in queryables] == ["application/schema+json"]
    classes = set(landing["conformsTo"])
    assert any(each.endswith("/item-search#filter") for each in classes)
    assert any(each.endswith("/item-search#sort") for each in classes)
    assert any("/cql2/1.0/conf/cql2-" in each for each in classes)


@pytest.mark.parametrize("path", ["/stac/collections/s2", ITEM])
def test_stac_browser_shows_a_picture_and_tiles(api, path):
    document = get(api, path)

    pictures = [each for each in document["assets"].values() if "thumbnail" in each["roles"]]
    assert [each["type"] for each in pictures] == ["image/png"]
    assert api.get(pictures[0]["href"].removeprefix(BASE)).headers["content-type"] == "image/png"
    assert all("{z}" in each["href"] and "{x}" in each["href"] for each in links(document, "xyz"))
    assert len(links(document, "xyz")) > 0


def test_eodash_lists_times_by_fields_alone(api):
    page = get(api, "/stac/collections/s2/items", params={"fields": EODASH_FIELDS, "limit": 100})

    assert len(page["features"]) == page["numberMatched"] == 5
    assert all(datetime.fromisoformat(each["properties"]["datetime"]) for each in page["features"])
    assert not any({"assets", "geometry", "links", "bbox"} & each.keys() for each in page["features"])


def test_eodash_finds_the_item_of_a_time_and_its_layers(api):
    newest = {"datetime": "../2020-06-15T00:00:00.000Z", "limit": 1, "sortby": "-datetime"}
    (item,) = get(api, "/stac/search", params={"collections": "s2", **newest})["features"]

    assert item["id"] == "2020-06-11"
    layers = links(item, "xyz")
    assert all(isinstance(each["title"], str) for each in layers)
    tile = layers[0]["href"].removeprefix(BASE).format(z=8, x=131, y=86)
    assert api.get(tile).headers["content-type"] == "image/png"
