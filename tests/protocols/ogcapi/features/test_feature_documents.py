"""Documents of sets of places as collections, and of other collections."""

import re
from html.parser import HTMLParser

import jsonschema
import pytest
from openapi_spec_validator import validate

from tests.protocols.ogcapi.features.conftest import make_all

checklist = pytest.mark.checklist

FIELDS = "/ogcapi/collections/fields"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0"


def collections(client):
    return {each["id"]: each for each in client.get("/ogcapi/collections").json()["collections"]}


def links_of(document, rel):
    return {
        each["type"]: each["href"].removeprefix("http://testserver") for each in document["links"] if each["rel"] == rel
    }


@checklist(
    "features",
    "/conf/core/root-op",
    "/conf/core/root-success",
    "/conf/core/conformance-op",
    "/conf/core/conformance-success",
)
@checklist("features", "/conf/queryables/get-conformance", "/conf/queryables-query-parameters/get-conformance")
@checklist("features", "/conf/filter/get-conformance", "/conf/features-filter/get-conformance")
def test_the_landing_page_leads_to_all_documents_and_the_classes(features):
    root = features.get("/ogcapi").json()

    rels = {each["rel"] for each in root["links"]}
    assert {"service-desc", "service-doc", "conformance", "data", "self"} <= rels
    classes = features.get(links_of(root, "conformance")["application/json"]).json()["conformsTo"]
    part_1 = {each.rsplit("/", 1)[1] for each in classes if "ogcapi-features-1/1.0/conf" in each}
    part_3 = {each.rsplit("/", 1)[1] for each in classes if "ogcapi-features-3/1.0/conf" in each}
    assert part_1 == {"core", "geojson", "html", "oas30"}
    assert "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs" in classes
    assert part_3 == {"filter", "features-filter", "queryables", "queryables-query-parameters"}


@checklist(
    "features", "/conf/core/fc-md-op", "/conf/core/fc-md-success", "/conf/core/fc-md-links", "/conf/core/fc-md-items"
)
@checklist(
    "features",
    "/conf/core/fc-md-items-links",
    "/conf/core/fc-md-extent",
    "/conf/core/sfc-md-op",
    "/conf/core/sfc-md-success",
)
def test_each_set_is_a_collection_equal_to_its_document(features, assert_valid):
    listed = collections(features)

    told = features.get(FIELDS).json()
    assert listed["fields"] == told
    assert_valid(told, "common", "collectionDesc")
    assert (told["title"], told["itemType"], told["attribution"]) == ("Fields", "feature", "© farmers")
    assert set(links_of(told, "items")) == {"application/geo+json", "text/html"}
    assert set(links_of(told, "enclosure")) == {"application/flatgeobuf", "application/geopackage+sqlite3"}
    assert all({"rel", "type", "href", "title"} <= set(each) for each in told["links"])
    for rel in ("self", "alternate", "items", "http://www.opengis.net/def/rel/ogc/1.0/queryables"):
        assert all(features.get(href).status_code == 200 for href in links_of(told, rel).values())
    assert told["extent"]["spatial"] == {"bbox": [[4.5, 50.8, 7.0, 50.9]], "crs": CRS84}


@checklist("features", "/conf/core/fc-md-items", "/conf/features-filter/get-collections")
def test_only_places_are_features(features):
    types = {name: each["itemType"] for name, each in collections(features).items()}

    assert {name for name, each in types.items() if each == "feature"} == {"fields", "islands"}
    assert {types[name] for name in ("_items", "_collections")} == {"record"}
    assert (types["NDVI"], types["TRUE_COLOUR"]) == ("coverage", "map")


def test_a_set_with_the_name_of_a_layer_is_no_collection(features):
    assert features.get("/ogcapi/collections/NDVI").json()["dataType"] == "coverage"
    assert features.get("/ogcapi/collections/NDVI/items").json()["features"][0]["id"] == "2020-05-21T00:00:00Z"


@checklist(
    "features",
    "/conf/crs/storageCrs",
    "/conf/crs/crs-uri",
)
def test_collection_lists_its_crs_and_the_stored_one(features):
    told = features.get(FIELDS).json()

    assert told["crs"] == [CRS84, *(f"{EPSG}/{code}" for code in (4326, 3857, 32631, 3035))]
    assert told["storageCrs"] == f"{EPSG}/3035"


@checklist(
    "features",
    "/conf/queryables/get-queryables-uris",
    "/conf/queryables/get-queryables",
)
def test_queryables_have_the_types_of_the_properties(features):
    answer = features.get(f"{FIELDS}/queryables")

    assert answer.headers["content-type"] == "application/schema+json"
    told = answer.json()
    assert told["additionalProperties"] is False
    types = {name: each.get("type", each.get("format")) for name, each in told["properties"].items()}
    assert types == {
        **dict.fromkeys(("id", "label", "crop", "limit"), "string"),
        "area_ha": "number",
        "parcels": "integer",
        "organic": "boolean",
        "geometry": "geometry-any",
    }
    jsonschema.Draft201909Validator.check_schema(told)


class Page(HTMLParser):
    """The links and the cells of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.cells, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = tag == "td"
        self.links += [value for name, value in attributes if tag == "a" and name == "href"]

    def handle_data(self, data):
        if data.strip():
            self.cells.append(data.strip())


@checklist("features", "/conf/html/definition", "/conf/html/content")
def test_pages_show_the_places_and_lead_from_one_to_the_next(features):
    first = features.get(f"{FIELDS}/items?limit=20&value=NDVI&datetime=2020-06-01", headers={"accept": "text/html"})

    assert first.headers["content-type"].startswith("text/html")
    page = Page(first.text)
    assert {"id", "label", "crop", "NDVI", "S0", "Field 19"} <= set(page.cells)
    (following,) = [each for each in page.links if "cursor=" in each and "f=html" in each and "f=json" not in each][-1:]
    assert "Field 20" in Page(features.get(following).text).cells
    one = features.get(next(each for each in page.links if "/items/S0" in each))
    assert "wheat" not in one.text
    assert "maize" in one.text
    for address in (FIELDS, f"{FIELDS}/queryables"):
        assert "Fields" in features.get(address, headers={"accept": "text/html"}).text


def test_page_escapes_html_in_places(make_client):
    services = make_all(3)
    evil = services.catalogue.places["fields"].fields
    evil["crop"] = ("<script>alert(1)</script>",) * 3
    client = make_client(services)

    for address in ("items?f=html", "items/S0?f=html"):
        text = client.get(f"{FIELDS}/{address}").text
        assert "&lt;script&gt;" in text
        assert "<script>alert" not in text


@checklist("features", "/conf/core/api-definition-op", "/conf/core/api-definition-success", "/conf/oas30/definition-1")
@checklist(
    "features",
    "/conf/oas30/definition-2",
    "/conf/oas30/oas-impl",
    "/conf/oas30/completeness",
    "/conf/oas30/exception-codes",
)
@checklist(
    "features", "/conf/core/fc-bbox-definition", "/conf/core/fc-limit-definition", "/conf/core/fc-time-definition"
)
@checklist(
    "features",
    "/conf/queryables-query-parameters/query-param",
)
@checklist("features", "/conf/filter/filter-param", "/conf/filter/filter-crs-param")
def test_the_openapi_document_has_each_set_with_its_parameters(features):
    document = features.get("/ogcapi/openapi").json()
    validate(document)

    paths = {path for path in document["paths"] if path.startswith("/collections/fields")}
    assert paths == {f"/collections/fields{end}" for end in ("", "/queryables", "/items", "/items/{featureId}")}
    assert not [path for path in document["paths"] if "{setId}" in path or path.startswith("/collections/NDVI")]
    operation = document["paths"]["/collections/fields/items"]["get"]
    told = {each["name"]: each for each in operation["parameters"]}
    assert all((each["style"], each["explode"]) == ("form", False) for each in told.values())
    assert not any(each.get("required") for each in told.values())
    limits = {name: told["limit"]["schema"][name] for name in ("type", "minimum", "maximum", "default")}
    assert limits == {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 1000}
    assert document["components"]["parameters"]["limit"]["schema"] == told["limit"]["schema"]  # form that QGIS reads
    box = told["bbox"]["schema"]
    assert (box["type"], box["minItems"], box["maxItems"], box["items"]) == ("array", 4, 6, {"type": "number"})
    assert (told["datetime"]["schema"], told["bbox-crs"]["schema"], told["crs"]["schema"]) == ({"type": "string"},) * 3
    own = {name: told[name]["schema"]["type"] for name in ("crop", "area_ha", "parcels", "organic")}
    assert list(own.values()) == ["string", "number", "integer", "boolean"]
    assert {"filter", "filter-lang", "filter-crs", "value", "reducer"} <= set(told)
    assert set(operation["responses"]) == {"200", "400", "404", "406", "410", "503"}


@checklist(
    "features", "/conf/core/fc-bbox-definition", "/conf/core/fc-limit-definition", "/conf/core/fc-time-definition"
)
def test_all_lists_of_items_have_the_schema_of_the_ogc_suite(features):
    """The suite checks each path with this ending, in EDR and Records as well."""
    paths = features.get("/ogcapi/openapi").json()["paths"]

    lists = [path for path in paths if re.fullmatch("/collections/.*/items", path)]
    assert len(lists) == 5
    for path in lists:
        told = {each["name"]: each for each in paths[path]["get"]["parameters"]}
        assert all(told[name]["style"] == "form" for name in ("limit", "bbox", "datetime"))
        assert {"minimum", "default"} <= set(told["limit"]["schema"])
        assert told["bbox"]["schema"]["items"] == {"type": "number"}


@pytest.mark.parametrize(
    "path", ["", "/openapi", "/collections", "/conformance", "/collections/fields", "/collections/fields/queryables"]
)
def test_documents_ignore_the_parameters_that_clients_send_everywhere(features, path):
    """`OAPIF:…/ogcapi?value=NDVI&datetime=…`: GDAL and QGIS add the query to each address."""
    carried = features.get(f"/ogcapi{path}?value=NDVI&datetime=2020-06-01&reducer=max&weights=area&f=json")

    assert carried.status_code == 200
    if path != "/collections":  # `datetime` selects collections there
        assert carried.content == features.get(f"/ogcapi{path}?f=json").content
        assert features.get(f"/ogcapi{path}?datetime=2020-06-01").status_code == 400
