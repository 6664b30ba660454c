"""Records, their collections and pages follow OGC 20-004r1, in JSON and HTML."""

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from chronotile.core.model.items import product_id
from tests.protocols.catalogue.stac.documents import SECRET
from tests.protocols.ogcapi.records.record_schemas import COLLECTION, RECORD, RECORDS, faults

COLLECTIONS = "/ogcapi/collections/_collections"
ITEMS = "/ogcapi/collections/_items"
BOTH = pytest.mark.parametrize("collection", [COLLECTIONS, ITEMS])
REL_CATALOG = "http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog"
CONF = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/"
GEOJSON = "application/geo+json"


def features(client, collection, **query):
    return client.get(f"{collection}/items", params=query).json()["features"]


def linked(document):
    return {link["rel"]: link["href"] for link in document["links"]}


def record_of(client, name):
    return client.get(f"{COLLECTIONS}/items/{name}").json()


def item_of(client, name, collection="scenes"):
    return client.get(f"{ITEMS}/items/{product_id(collection, name)}").json()


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.hrefs = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.hrefs += [value for name, value in attributes if name == "href"]


@BOTH
@pytest.mark.checklist(
    "records",
    "/conf/record-core/mandatory-properties-record",
    "/conf/record-core/default-mediatype",
    "/conf/json/record-content",
    "/conf/json/record-response",
    "/conf/records-api/record-response",
    "/conf/searchable-catalog/mandatory-record-properties",
    "/conf/records-api/record-op",
)
def test_every_record_is_valid_on_its_page_and_alone(records, collection):
    answer = records.get(f"{collection}/items?limit=100")
    page = answer.json()

    assert answer.headers["content-type"] == GEOJSON
    assert faults(page, RECORDS) == []
    for record in page["features"]:
        alone = records.get(linked(record)["self"])
        assert alone.headers["content-type"] == GEOJSON
        assert faults(alone.json(), RECORD) == []
        assert alone.json() == record


@BOTH
@pytest.mark.checklist(
    "records", "/conf/record-core/links", "/conf/records-api/record-response", "/conf/record-collection/links-record"
)
def test_a_record_links_to_itself_as_html_and_to_its_collection_once(records, collection):
    for record in features(records, collection, limit=100):
        relations = [link["rel"] for link in record["links"]]
        links = linked(record)
        assert relations.count("collection") == relations.count("self") == 1
        assert faults(records.get(links["collection"]).json(), COLLECTION) == []
        assert records.get(links["alternate"]).headers["content-type"].startswith("text/html")
        assert links["profile"] == "http://www.opengis.net/def/profile/OGC/0/ogc-record"


@BOTH
@pytest.mark.checklist(
    "records",
    "/conf/record-collection/mandatory-properties-collection",
    "/conf/record-collection/default-mediatype",
    "/conf/record-collection/itemType",
    "/conf/json/catalog-response",
    "/conf/json/catalog-content",
    "/conf/records-api/catalog-response",
    "/conf/searchable-catalog/mandatory-catalog-properties",
)
def test_a_collection_of_records_is_valid(records, assert_valid, collection):
    answer = records.get(collection)

    assert answer.headers["content-type"] == "application/ogc-catalog+json"
    assert faults(answer.json(), COLLECTION) == []
    assert_valid(answer.json(), "common", "collectionDesc")
    assert records.get(collection, headers={"Accept": "application/json"}).headers["content-type"] == "application/json"


@BOTH
@pytest.mark.checklist(
    "records",
    "/conf/record-collection/links",
    "/conf/record-collection/links-records",
    "/conf/record-collection/links-catalog-hierarchy",
    "/conf/record-collection/records",
)
def test_links_of_a_collection_of_records_lead_to_their_stated_content(records, collection):
    document = records.get(collection).json()

    own = [link for link in document["links"] if link["href"].startswith("http://testserver")]
    found = {link["href"]: records.get(link["href"]) for link in own}
    assert {href: each.status_code for href, each in found.items() if each.status_code != 200} == {}
    types = [(link["type"], found[link["href"]].headers["content-type"].partition(";")[0]) for link in own]
    assert [pair for pair in types if pair[0] != pair[1]] == []
    assert found[linked(document)["self"]].json() == document
    assert "records" not in document
    assert {"self", "alternate", "items", "up", "root"} <= linked(document).keys()


@BOTH
@pytest.mark.checklist("records", "/conf/records-api/catalogs-response", "/conf/searchable-catalog/building-blocks")
def test_list_of_collections_has_those_of_records_unchanged(records, assert_valid, collection):
    document = records.get("/ogcapi/collections").json()

    listed = {each["id"]: each for each in document["collections"] if each.get("itemType") == "record"}
    assert listed.keys() == {"_collections", "_items"}
    assert listed[collection.rpartition("/")[2]] == records.get(collection).json()
    assert_valid(document, "edr", "collections")


@pytest.mark.checklist("records", "/conf/autodiscovery/links")
def test_the_landing_page_leads_to_records(records):
    links = [link for link in records.get("/ogcapi").json()["links"] if link["rel"] == REL_CATALOG]

    assert [link["href"].removeprefix("http://testserver") for link in links] == [COLLECTIONS, ITEMS]
    for link in links:
        assert records.get(link["href"]).headers["content-type"] == link["type"]


@pytest.mark.checklist("records", "/conf/oas30/oas30", "/conf/records-api/mandatory-params")
@pytest.mark.checklist(
    "records",
    "/conf/record-core-query-parameters/q-definition",
    "/conf/record-core-query-parameters/type-definition",
    "/conf/record-core-query-parameters/ids-definition",
    "/conf/record-core-query-parameters/externalIds-definition",
    "/conf/sorting/sortby-definition",
)
@pytest.mark.parametrize("id_", ["_collections", "_items"])
def test_the_api_definition_has_paths_and_parameters_of_records(records, id_):
    document = records.get("/ogcapi/openapi?f=json").json()

    path = document["paths"][f"/collections/{id_}/items"]
    parameters = {each["name"]: each for each in path["get"]["parameters"]}
    lists = {"q", "type", "ids", "externalIds", "sortby"}
    assert {"bbox", "datetime", "limit", "filter", "filter-lang", "filter-crs", *lists} <= parameters.keys()
    assert {parameters[name]["schema"]["type"] for name in lists} == {"array"}
    assert not any(parameters[name]["explode"] for name in lists)
    for below in ("", "/queryables", "/sortables", "/items/{recordId}"):
        assert "get" in document["paths"][f"/collections/{id_}{below}"]


def test_conformance_has_the_tested_classes(records):
    classes = {each.removeprefix(CONF) for each in records.get("/ogcapi/conformance").json()["conformsTo"]}

    assert {"record-core", "record-collection", "records-api", "searchable-catalog", "cql-filter"} <= classes
    assert "local-resources-catalog" not in classes


@pytest.mark.checklist("records", "/conf/record-core/contact", "/conf/record-collection/contact")
@pytest.mark.parametrize("path", [COLLECTIONS, ITEMS, f"{COLLECTIONS}/items/s2"])
def test_contacts_have_a_name_and_how_to_reach_them(records, path):
    document = records.get(path).json()

    contacts = document.get("contacts") or document["properties"]["contacts"]
    assert contacts == [
        {
            "name": "Map desk",
            "phones": [{"value": "+3225550100"}],
            "emails": [{"value": "maps@example.org"}],
            "addresses": [
                {"deliveryPoint": ["Wetstraat 1"], "city": "Brussels", "postalCode": "1000", "country": "Belgium"}
            ],
            "roles": ["pointOfContact"],
        }
    ]


@pytest.mark.checklist("records", "/conf/record-core/license", "/conf/record-collection/license")
def test_licence_is_an_identifier_or_other_with_a_link(records):
    s2, hostile = record_of(records, "s2"), item_of(records, "<b>&'\"")

    assert s2["properties"]["license"] == "CC-BY-4.0"
    assert s2["properties"]["rights"] == "Copernicus & co"
    assert hostile["properties"]["license"] == "other"
    assert linked(hostile)["license"] == "https://licences.test/terms"
    assert "license" not in records.get(COLLECTIONS).json()


@pytest.mark.checklist(
    "records",
    "/conf/record-core/time-instant",
    "/conf/record-core/time-interval",
    "/conf/record-core/time-instant-interval",
    "/conf/record-core/time-zone",
)
def test_times_are_instants_or_intervals_in_utc(records):
    assert record_of(records, "s2")["time"] == {"interval": ["2020-05-21T00:00:00Z", "2020-07-01T00:00:00Z"]}
    assert item_of(records, "scene 3")["time"] == {"timestamp": "2020-06-04T10:50:00Z"}
    assert item_of(records, "<b>&'\"")["properties"]["updated"] == "2021-01-01T00:00:00Z"


@pytest.mark.checklist("records", "/conf/record-core/templated-link")
def test_links_with_variables_are_templates(records):
    record = record_of(records, "s2")

    assert [each for each in record["links"] if "{" in each["href"] or "templated" in each] == []
    (first, *_others) = record["linkTemplates"]
    assert first["uriTemplate"] == "http://testserver/timeseries/NDVI/point?lon={lon}&lat={lat}&datetime={datetime}"


def test_a_record_of_a_collection_leads_to_all_services_that_have_it(records):
    links = [link for link in record_of(records, "s2")["links"] if link["href"].startswith("http://testserver")]

    about = [link["href"].removeprefix("http://testserver") for link in links if link["rel"] == "about"]
    assert about == ["/ogcapi/collections/s2", "/ogcapi/collections/s2?f=html", "/stac/collections/s2"]
    assert {link["rel"].rpartition("/")[2] for link in links} >= {"wms", "wmts", "tilejson", "times"}
    statuses = {link["href"]: records.get(link["href"]).status_code for link in links}
    assert {href: status for href, status in statuses.items() if status != 200} == {}


def test_record_of_a_collection_has_its_metadata(records):
    record = record_of(records, "s2")

    assert record["id"] == "s2"
    assert {name: record["properties"][name] for name in ("type", "title", "keywords", "layers", "updated")} == {
        "type": "dataset",
        "title": "Collection s2",
        "keywords": ["vegetation"],
        "layers": ["NDVI", "LAI", "TRUE_COLOUR"],
        "updated": "2020-07-01T12:00:00Z",
    }
    assert {"name": "NetCDF", "mediaType": "application/x-netcdf"} in record["properties"]["formats"]
    west, south, east, north = record["bbox"]
    assert record["geometry"]["coordinates"][0][::2] == [[west, south], [east, north], [west, south]]


def test_records_are_in_the_requested_language(records):
    english = record_of(records, "scenes")
    dutch = records.get(f"{COLLECTIONS}/items/scenes", headers={"Accept-Language": "nl"})

    assert (english["properties"]["title"], dutch.json()["properties"]["title"]) == ("Scenes", "Beelden")
    assert dutch.json()["properties"]["language"] == {"code": "nl"}
    assert dutch.json()["properties"]["languages"] == [{"code": "en"}, {"code": "nl"}]
    assert dutch.headers["content-language"] == "nl"


def test_record_of_an_item_links_to_its_files_and_hides_their_paths(records):
    product = product_id("scenes", "scene 3")
    answer = records.get(f"{ITEMS}/items/{product}")
    record = answer.json()

    assert record["id"] == str(product)
    assert record["properties"]["externalIds"] == [{"scheme": "scenes", "value": "scene 3"}]
    assert record["properties"]["eo:cloud_cover"] == 30
    assert "secret-bucket" not in answer.text
    assert "scenes.test" not in answer.text
    assert [link["href"] for link in record["links"] if link["rel"] == "enclosure"] == [
        f"http://testserver/products/{product}/nodes/RED",
        f"http://testserver/products/{product}/nodes/a%20b%2Fc",
    ]
    about = linked(record)["about"].removeprefix("http://testserver")
    assert about == f"/stac/collections/scenes/items/{quote('scene 3')}"
    assert records.get(about).json()["id"] == "scene 3"


def test_foreign_members_are_used_only_if_valid_in_records(records):
    hostile = item_of(records, "<b>&'\"")

    assert faults(hostile, RECORD) == []
    properties = hostile["properties"]
    assert (properties["title"], properties["type"], properties["collection"]) == ("scenes <b>&'\"", "item", "scenes")
    assert {"keywords", "created", "themes"}.isdisjoint(properties)
    assert SECRET not in str(hostile)


@BOTH
@pytest.mark.checklist("records", "/conf/html/definition", "/conf/html/content")
def test_pages_have_the_content_of_documents(records, collection):
    first = records.get(f"{collection}/items?limit=1&f=json").json()
    for path in (collection, f"{collection}/items", f"{collection}/queryables", f"{collection}/sortables"):
        answer = records.get(path, params={"f": "html"})
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "script" not in Tags(answer.text).tags
    listed = Tags(records.get(f"{collection}/items?limit=1", headers={"Accept": "text/html"}).text).hrefs
    assert [f"{linked(each)['self']}?f=html" in listed for each in first["features"]] == [True]
    assert f"{linked(first)['next']}&f=html" in listed
    for record in first["features"]:
        page = Tags(records.get(linked(record)["alternate"]).text)
        assert [link["href"] for link in record["links"] if link["href"] not in page.hrefs] == []


def test_no_text_of_a_stranger_is_html(records):
    for path in (f"{ITEMS}/items", f"{ITEMS}/items/{product_id('scenes', chr(60) + 'b>&' + chr(39) + chr(34))}"):
        answer = records.get(path, params={"f": "html", "limit": 100} if path.endswith("items") else {"f": "html"})
        assert answer.status_code == 200
        assert re.findall(r"<script|<b>", answer.text) == []
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{COLLECTIONS}/items/none", "recordId"),
        (f"{COLLECTIONS}/items/NDVI", "recordId"),
        (f"{ITEMS}/items/scene%203", "recordId"),
        (f"{ITEMS}/items/{product_id('scenes', 'none')}", "recordId"),
        (f"{ITEMS}/items/{product_id('gone', 'hidden')}", "recordId"),
        (f"{ITEMS}/items/%2e%2e%2fsecret", "recordId"),
    ],
)
def test_unknown_record_is_a_problem(records, path, parameter):
    answer = records.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("parameter", parameter) == parameter


def test_configured_collections_cannot_have_the_ids_of_those_of_records():
    from chronotile.core.sections import ID
    from chronotile.protocols.ogcapi.records.record_collections import RECORD_COLLECTIONS

    assert [ID.fullmatch(each.id) for each in RECORD_COLLECTIONS] == [None, None]


def test_an_unchanged_page_is_not_sent_again(records):
    first = records.get(f"{COLLECTIONS}/items")

    again = records.get(f"{COLLECTIONS}/items", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
