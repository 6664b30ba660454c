"""Descriptions, Atom and GeoJSON are valid, consistent and have working links."""

import re
from datetime import datetime

import pytest
import rnc2rng
from lxml import etree
from owslib.opensearch import OpenSearch

from tests.protocols.catalogue.odata.conftest import document, sentinel_1, sentinel_2

PRODUCTS, COLLECTIONS = "/opensearch/products", "/opensearch/collections"
ATOM, OSDD = "application/atom+xml", "application/opensearchdescription+xml"
NAMES = {
    "a": "http://www.w3.org/2005/Atom",
    "os": "http://a9.com/-/spec/opensearch/1.1/",
    "param": "http://a9.com/-/spec/opensearch/extensions/parameters/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "georss": "http://www.georss.org/georss",
    "eo": "http://a9.com/-/opensearch/extensions/eo/1.0/",
}


def read(client, path, media_type, **params):
    answer = client.get(path, params=params or None)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type), answer.text
    return etree.fromstring(answer.content)


def texts(node, path):
    return [str(each) for each in node.xpath(path, namespaces=NAMES)]


@pytest.fixture(scope="session")
def description_schema(shared):
    schemas = shared / "ogc" / "schemas" / "schemas.opengis.net" / "opensearchgeo" / "1.0" / "schemas"
    text = rnc2rng.dumps(rnc2rng.load(str(schemas / "osdd.rnc")))
    return etree.RelaxNG(etree.fromstring(text.replace('xmlns:local=""', "").encode()))


@pytest.mark.parametrize("params", [{}, {"collection": "SENTINEL-2"}], ids=["whole", "collection"])
@pytest.mark.checklist("opensearch", "description-schema")
def test_descriptions_are_valid(searched, description_schema, params):
    description_schema.assertValid(read(searched, "/opensearch", OSDD, **params))


@pytest.mark.checklist("opensearch", "two-step", "templates")
def test_the_first_step_finds_collections_and_the_second_their_products(searched):
    whole = read(searched, "/opensearch", OSDD)
    (template,) = texts(whole, f"os:Url[@rel='collection'][@type='{ATOM}']/@template")
    found = read(searched, filled(template, platform="Sentinel-1"), ATOM)
    (address,) = texts(found, f"a:entry/a:link[@rel='search'][@type='{OSDD}']/@href")
    (template,) = texts(read(searched, address, OSDD), f"os:Url[@rel='results'][@type='{ATOM}']/@template")

    page = read(searched, filled(template, start="2022-05-04T00:00:00Z"), ATOM)

    assert texts(page, "a:entry/a:title/text()") == [sentinel_1(day)["id"] for day in (5, 4)]


def filled(template, **values):
    """Return the URL of a template with some values; other parameters are removed."""
    for name, value in values.items():
        template = re.sub(rf"(?<=[?&]){name}={{[^}}]*}}", f"{name}={value}", template)
    return re.sub(r"&\w+={[^}]*}", "", template)


@pytest.mark.checklist("opensearch", "param-bounds")
def test_description_of_a_collection_has_the_search_parameters_of_its_products(searched):
    description = read(searched, "/opensearch", OSDD, collection="SENTINEL-1")
    url = description.find("os:Url", NAMES)
    parameters = {each.get("name"): each for each in url.findall("param:Parameter", NAMES)}

    assert set(parameters) == set(re.findall(r"(\w+)={\S+?\?}", url.get("template")))
    assert {"bbox", "start", "orbitDirection", "modificationDate", "count"} <= set(parameters)
    assert not {"cloudCover", "collection", "publicationDate"} & set(parameters)
    assert (parameters["count"].get("minInclusive"), parameters["count"].get("maxInclusive")) == ("0", "1000")
    assert texts(parameters["orbitDirection"], "param:Option/@value") == ["ASCENDING", "DESCENDING"]
    whole = read(searched, "/opensearch", OSDD)
    assert set(texts(whole, ".//param:Parameter[@name='collection']/param:Option/@value")) == {
        *("SENTINEL-1", "SENTINEL-2", "LANDSAT-8")
    }
    assert searched.get("/opensearch", params={"collection": "none"}).status_code == 404


@pytest.mark.checklist("opensearch", "atom", "atom-eo", "georss")
def test_atom_has_the_content_of_geojson(searched):
    params = {"collection": "SENTINEL-2", "count": 4, "startIndex": 2, "cloudCover": "[10"}
    feed = read(searched, PRODUCTS, ATOM, **params, httpAccept=ATOM)
    page = searched.get(PRODUCTS, params=params).json()

    numbers = [int(*texts(feed, f"os:{name}/text()")) for name in ("totalResults", "startIndex", "itemsPerPage")]
    assert numbers == [page["totalResults"], page["startIndex"], page["itemsPerPage"]] == [9, 2, 4]
    assert texts(feed, "os:Query/@eo:cloudCover") == ["[10"]
    assert set(texts(feed, "a:link/@rel")) == {"self", "first", "previous", "next", "last", "search"}
    for entry, feature in zip(feed.findall("a:entry", NAMES), page["features"], strict=True):
        told = feature["properties"]
        assert texts(entry, "a:id/text()") == texts(entry, "dc:identifier/text()") == [feature["id"]]
        assert texts(entry, "dc:date/text()") == [told["date"]]
        assert texts(entry, "a:updated/text()") == [told["updated"]]
        assert texts(entry, "eo:parentIdentifier/text()") == ["SENTINEL-2"]
        assert float(*texts(entry, "eo:cloudCover/text()")) == told["productInformation"]["cloudCover"]
        assert texts(entry, "a:link[@rel='enclosure']/@href") == [each["href"] for each in told["links"]["data"]]
        south, west, north, east = map(float, texts(entry, "georss:box/text()")[0].split())
        assert [west, south, east, north] == feature["bbox"]


RULES = ("a:id", "a:title", "a:updated[contains(., 'Z')]")
"""Elements that RFC 4287 §4.1 requires exactly once in feeds and entries."""


@pytest.mark.parametrize("path", [PRODUCTS, COLLECTIONS, f"{PRODUCTS}?count=0"])
@pytest.mark.checklist("opensearch", "atom")
def test_feeds_keep_to_the_rules_of_atom(searched, path):
    feed = etree.fromstring(searched.get(path, headers={"Accept": ATOM}).content)

    for node in (feed, *feed.findall("a:entry", NAMES)):
        assert [len(node.xpath(each, namespaces=NAMES)) for each in RULES] == [1, 1, 1]
        datetime.fromisoformat(*texts(node, "a:updated/text()"))
    assert texts(feed, "a:author/a:name/text()") == ["chronotile"]
    assert all(len(entry.xpath("a:content", namespaces=NAMES)) == 1 for entry in feed.findall("a:entry", NAMES))


@pytest.mark.checklist("opensearch", "geojson")
def test_a_product_is_the_item_of_stac(searched):
    (feature,) = searched.get(PRODUCTS, params={"uid": sentinel_1(4)["id"]}).json()["features"]
    told = feature["properties"]
    (stac,) = told["links"]["alternates"]
    item = searched.get(stac["href"]).json()

    assert (feature["geometry"], feature["bbox"], told["identifier"]) == (item["geometry"], item["bbox"], item["id"])
    times = {"beginningDateTime": "2022-05-04T00:01:00Z", "endingDateTime": "2022-05-04T00:01:25.5Z"}
    (acquired,) = told["acquisitionInformation"]
    assert acquired["acquisitionParameters"] == {**times, "orbitDirection": "ASCENDING"}
    assert acquired["platform"] == {"platformShortName": "SENTINEL-1", "platformSerialIdentifier": "A"}
    assert told["date"] == "/".join(times.values())
    assert told["updated"] == item["properties"]["updated"]
    assert [each["href"] for each in told["links"]["data"]] == [item["assets"]["B04"]["href"]]
    assert searched.get(PRODUCTS, params={"uid": feature["id"]}).json()["features"] == [feature]


@pytest.mark.checklist("opensearch", "links")
def test_files_are_linked_by_their_roles(client, put):
    assets = {
        "B04": {"href": "s3://b/B04.tif", "type": "image/tiff", "roles": ["data"], "file:size": 42, "title": "Red"},
        "mask": {"href": "s3://b/mask.tif", "roles": ["cloud"]},
        "view": {"href": "s3://b/view.png", "type": "image/png", "roles": ["thumbnail"]},
    }
    put("SENTINEL-2", [document("<é&>", start="2022-05-03T00:00:00Z", west=179.5, title="<b>&", assets=assets)])

    (feature,) = client.get(PRODUCTS, params={"title": "<b>&"}).json()["features"]
    links = feature["properties"]["links"]

    files = {kind: [each["href"].rpartition("/")[2] for each in links[kind]] for kind in links if kind != "alternates"}
    assert files == {"data": ["B04"], "related": ["mask"], "previews": ["view"]}
    assert {name: links["data"][0][name] for name in ("title", "type", "length")} == {
        "title": "Red",
        "type": "image/tiff",
        "length": 42,
    }
    assert feature["id"] == "urn:eop:SENTINEL-2:%3C%C3%A9%26%3E"
    feed = read(client, PRODUCTS, ATOM, uid=feature["id"], httpAccept=ATOM)
    assert texts(feed, "a:entry/a:title/text()") == ["<b>&"]
    assert b"s3:" not in etree.tostring(feed)


@pytest.mark.checklist("opensearch", "discovery")
def test_description_is_linked_from_other_documents(searched):
    page = searched.get("/", headers={"Accept": "text/html"}).text
    feed = read(searched, "/stac/collections/SENTINEL-2/feed.atom", ATOM)

    assert re.search(rf'<link rel="search" type="{re.escape(OSDD)}" title="[^"]+" href="opensearch">', page)
    assert texts(feed, "a:link[@rel='search']/@href") == ["http://testserver/opensearch?collection=SENTINEL-2"]


def test_owslib_reads_the_description(searched):
    search = OpenSearch("http://testserver/opensearch", xml=searched.get("/opensearch?collection=SENTINEL-2").content)

    parameters = search.description.urls[ATOM]["parameters"]
    assert parameters["cloudCover"]["value"] == "{eo:cloudCover}"
    assert sentinel_2(1)["properties"].keys() >= {"eo:cloud_cover"}


def test_page_has_the_preferred_media_type(searched):
    for accept, media_type in {
        "application/json, application/geo+json": "application/geo+json",
        "*/*": "application/geo+json",
        ATOM: ATOM,
    }.items():
        answer = searched.get(PRODUCTS, headers={"Accept": accept})
        assert answer.headers["content-type"] == media_type
        assert "Accept" in answer.headers["vary"].split(", ")
