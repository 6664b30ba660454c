"""Landing page, conformance and collections are true in every format and language."""

import re
from dataclasses import replace

import numpy as np
import pytest

from chronotile.catalog.service_info import Contact, PostalAddress, ServiceInfo
from chronotile.pipeline.services import FixedServices
from tests.protocols import served

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
DOCUMENTS = ["/ogcapi", "/ogcapi/", "/ogcapi/conformance", "/ogcapi/collections", "/ogcapi/collections/s2"]
COMMON = "http://www.opengis.net/spec/ogcapi-common-{part}/1.0/conf/{name}"
COMMON_1 = ("core", "landing-page", "json", "html", "oas30")
PAGES = [*DOCUMENTS, "/ogcapi/openapi"]


def linked(document):
    return {link["rel"]: link for link in document["links"]}


@pytest.mark.checklist("edr", "AT 1", "AT 2/3")
@pytest.mark.checklist("coverages", "landing page")
def test_the_landing_page_leads_to_api_conformance_and_data(tree, assert_valid):
    document = tree.get("/ogcapi").json()

    links = linked(document)
    statuses = {rel: tree.get(links[rel]["href"]).status_code for rel in ("service-doc", "conformance", "data")}
    assert_valid(document, "edr", "landingPage")
    assert_valid(document, "coverages", "landingPage")
    assert statuses == {"service-doc": 200, "conformance": 200, "data": 200}
    assert links["service-desc"]["type"] == "application/vnd.oai.openapi+json;version=3.0"
    assert tree.get(links["service-desc"]["href"]).headers["content-type"] == links["service-desc"]["type"]


def test_landing_page_has_keywords_provider_and_contact_like_that_of_edr(make_client, assert_valid):
    address = PostalAddress(street="Wetstraat 1", city="Brussels", postcode="1000", country="Belgium")
    contact = Contact(name="Map desk", email="maps@example.org", telephone="+32 2 555 01 00", address=address)
    client = make_client(served.make_services(service=ServiceInfo(keywords=("vegetation",), contact=contact)))

    document, page = client.get("/ogcapi?f=json").json(), client.get("/ogcapi?f=html").text

    assert_valid(document, "edr", "landingPage")
    assert {name: document[name] for name in ("keywords", "provider", "contact")} == {
        "keywords": ["vegetation"],
        "provider": {"name": "Map desk"},
        "contact": {
            "email": "maps@example.org",
            "phone": "+32 2 555 01 00",
            "address": "Wetstraat 1",
            "postalCode": "1000",
            "city": "Brussels",
            "country": "Belgium",
        },
    }
    assert "maps@example.org, +32 2 555 01 00, Wetstraat 1, 1000, Brussels, Belgium" in page


def test_the_landing_page_of_a_service_without_contact_has_none(tree):
    assert {"keywords", "provider", "contact"} & set(tree.get("/ogcapi?f=json").json()) == set()


@pytest.mark.parametrize("document", ["/ogcapi", "/ogcapi/collections", "/ogcapi/collections/NDVI"])
def test_links_of_documents_are_texts_and_lead_somewhere(tree, document):
    links = [each for each in tree.get(document).json()["links"] if "templated" not in each]

    found = {each["href"]: tree.get(each["href"]) for each in links}
    assert {href: answer.status_code for href, answer in found.items() if answer.status_code != 200} == {}
    assert not [href for href, answer in found.items() if b"<ServiceExceptionReport" in answer.content]
    assert all(isinstance(each[name], str) for each in links for name in ("href", "rel", "type", "title"))


def test_links_of_pygeoapi_to_missing_resources_are_removed(tree):
    links = [link["href"] for link in tree.get("/ogcapi").json()["links"] if "process" in link["rel"]]
    types = {link["type"] for link in tree.get("/ogcapi/collections/NDVI").json()["links"]}

    assert links == [f"http://testserver/ogcapi/processes?f={form}" for form in ("json", "html")]
    assert "application/ld+json" not in types


@pytest.mark.checklist("edr", "AT 6/7")
def test_conformance_is_a_list_without_doubles(tree, assert_valid):
    document = tree.get("/ogcapi/conformance").json()

    assert_valid(document, "edr", "confClasses")
    assert {COMMON.format(part=1, name=name) for name in COMMON_1} <= set(document["conformsTo"])
    assert {COMMON.format(part=2, name=name) for name in ("collections", "simple-query")} <= set(document["conformsTo"])
    assert len(document["conformsTo"]) == len(set(document["conformsTo"]))


def test_every_collection_and_layer_is_a_collection(tree, tree_services):
    document = tree.get("/ogcapi/collections").json()

    catalogue = tree_services.catalogue
    configured = {each.id for each in catalogue.collections} | {layer.id for layer in catalogue.layers}
    expected = configured | {"squares", "_collections", "_items"}
    assert [each["id"] for each in document["collections"]][:3] == ["s2", "NDVI", "LAI"]
    assert {each["id"] for each in document["collections"]} == expected
    assert document["numberMatched"] == document["numberReturned"] == len(expected)


@pytest.mark.checklist("edr", "AT 9-12", "AT 14")
@pytest.mark.checklist("maps", "A.1.1-3")
@pytest.mark.parametrize("name", ["s2", "NDVI", "TRUE_COLOUR", "HEIGHT", "FAPAR", "world"])
def test_collection_equals_its_entry_in_the_list(tree, assert_valid, name):
    document = tree.get(f"/ogcapi/collections/{name}").json()

    listed = {each["id"]: each for each in tree.get("/ogcapi/collections").json()["collections"]}
    assert document == listed[name]
    assert_valid(document, "common", "collectionDesc")
    assert_valid(document["extent"], "coverages", "extent")
    assert_valid(document["extent"], "edr", "extent")


def test_the_list_of_collections_is_valid(tree, assert_valid):
    document = tree.get("/ogcapi/collections").json()

    assert_valid(document, "common", "collections")


@pytest.mark.checklist("edr", "AT 13")
def test_extent_is_the_box_of_the_data_and_the_cells_of_its_grid(tree):
    extent = tree.get("/ogcapi/collections/NDVI").json()["extent"]["spatial"]

    west, south, east, north = extent["bbox"][0]
    assert extent["crs"] == CRS84
    assert (west, south, east, north) == pytest.approx((4.4167, 50.7149, 4.9946, 50.9929), abs=1e-4)
    assert extent["storageCrsBbox"] == [[600_000, 5_620_000, 640_000, 5_650_000]]
    counted = [(each["cellsCount"], each["resolution"], each["firstCoordinate"]) for each in extent["grid"]]
    assert counted == [(400, 100, 600_050), (300, 100, 5_620_050)]


def test_the_box_in_a_crs_with_latitude_first_has_it_first_and_so_has_the_grid(tree):
    extent = tree.get("/ogcapi/collections/FAPAR").json()["extent"]["spatial"]

    assert extent["storageCrsBbox"] == [[pytest.approx(50.6), 4.4, 51.0, pytest.approx(5.0)]]
    assert [each["cellsCount"] for each in extent["grid"]] == [200, 300]


def test_box_of_a_world_that_goes_round_is_the_world(tree):
    box = tree.get("/ogcapi/collections/world").json()["extent"]["spatial"]["bbox"][0]

    assert (box[0], box[2]) == (-180, 180)


@pytest.mark.checklist("edr", "AT 8")
@pytest.mark.parametrize(
    ("name", "own"),
    [("NDVI", "http://www.opengis.net/def/crs/EPSG/0/32631"), ("FAPAR", "http://www.opengis.net/def/crs/EPSG/0/4326")],
)
def test_crs_are_uris_with_crs84_first_and_that_of_the_data(tree, name, own):
    document = tree.get(f"/ogcapi/collections/{name}").json()

    assert document["crs"][0] == CRS84
    assert own in document["crs"]
    assert document["storageCrs"] == own


@pytest.mark.parametrize(("name", "kind"), [("s2", "coverage"), ("NDVI", "coverage"), ("TRUE_COLOUR", "map")])
def test_layer_with_values_is_a_coverage_and_a_composite_a_map(tree, name, kind):
    assert tree.get(f"/ogcapi/collections/{name}").json()["dataType"] == kind


def test_collection_has_its_attribution(tree):
    document = tree.get("/ogcapi/collections/NDVI").json()

    assert (document["attribution"], document["license"]) == ("Copernicus & co", "CC-BY-4.0")
    assert document["keywords"] == ["vegetation"]


def test_an_alias_leads_to_its_layer(tree):
    assert tree.get("/ogcapi/collections/S2_NDVI").json()["id"] == "NDVI"


def test_unknown_collection_is_not_found_and_the_nearest_is_named(tree):
    answer = tree.get("/ogcapi/collections/NDVO")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NDVI" in answer.json()["detail"]
    assert answer.json()["parameter"] == "collectionId"


@pytest.mark.parametrize("path", PAGES)
def test_documents_are_pages_for_browsers_that_run_nothing(tree, path):
    answer = tree.get(path, headers={"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"})

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert re.search(r'src="https?:', answer.text) is None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_f_goes_before_accept_in_any_case(tree, path):
    answer = tree.get(path, params={"f": "JSON"}, headers={"Accept": "text/html"})

    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", PAGES)
def test_unsupported_format_is_refused(tree, path):
    by_name = tree.get(path, params={"f": "xml"})
    by_type = tree.get(path, headers={"Accept": "application/xml"})

    assert (by_name.status_code, by_name.json()["parameter"]) == (400, "f")
    assert by_type.status_code == 406


@pytest.mark.parametrize("path", ["/ogcapi?lang=xx", "/ogcapi/conformance?langs=en", "/ogcapi/collections/s2?langs=en"])
def test_parameters_that_are_wrong_are_refused(tree, path):
    answer = tree.get(path)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_texts_are_in_the_requested_language(make_client):
    title = {"en": "Vegetation", "nl": "Vegetatie"}
    service = ServiceInfo(title={"en": "Maps", "nl": "Kaarten"}, languages=("en", "nl"))
    client = make_client(served.make_services(served.make_collection(title=title), service=service))

    asked = client.get("/ogcapi/collections/s2", params={"lang": "nl"})
    preferred = client.get("/ogcapi", headers={"Accept-Language": "nl-BE"})

    assert (asked.json()["title"], asked.headers["content-language"]) == ("Vegetatie", "nl")
    assert (preferred.json()["title"], preferred.headers["content-language"]) == ("Kaarten", "nl")


def test_texts_of_the_configuration_are_escaped_in_pages(make_client):
    title = {"": "<script>alert(1)</script>"}
    client = make_client(served.make_services(served.make_collection(title=title, abstract=title, license="<b>")))

    texts = [client.get(path, params={"f": "html"}).text for path in ("/ogcapi/collections", "/ogcapi/collections/s2")]

    assert all("<script>" not in text and "<b>" not in text and "&lt;script&gt;" in text for text in texts)


def test_documents_are_answered_304_to_who_has_them(tree):
    etag = tree.get("/ogcapi/collections").headers["etag"]

    assert tree.get("/ogcapi/collections", headers={"If-None-Match": etag}).status_code == 304


def test_links_begin_with_the_public_url(make_client):
    service = ServiceInfo(url="https://maps.example.org/vegetation")
    client = make_client(served.make_services(service=service))

    links = client.get("/ogcapi/collections/NDVI").json()["links"]

    assert [link["href"] for link in links if not link["href"].startswith("https://maps.example.org/vegetation/")] == []


def test_reload_of_the_catalogue_is_seen_immediately(make_client):
    client = make_client(served.make_services())
    before = client.get("/ogcapi/collections").json()["numberMatched"]

    client.app.state.chronotile.live = FixedServices(served.make_services(*served.tree_collections()))

    after = client.get("/ogcapi/collections").json()["numberMatched"]
    assert (before, after) == (4, 14)
    assert client.get("/ogcapi/collections/FAPAR").status_code == 200


def test_without_collections_the_tree_is_empty_and_well(make_client):
    empty = served.make_services(served.make_collection(served.make_composite()))
    client = make_client(empty)

    answers = [client.get(path, params={"f": form}) for path in PAGES[:4] for form in ("json", "html")]

    assert {answer.status_code for answer in answers} == {200}


def test_texts_of_the_configuration_are_unchanged_in_json(make_client):
    title = {"": "NDVI > 0.2 & <dense>"}
    client = make_client(served.make_services(served.make_collection(title=title), service=ServiceInfo(title=title)))

    assert client.get("/ogcapi/collections/s2").json()["title"] == title[""]
    assert client.get("/ogcapi").json()["title"] == title[""]


@pytest.mark.slow
def test_list_of_very_many_collections_is_cached(make_client):
    layers = [served.make_layer(f"L{number}", collection=f"c{number}") for number in range(400)]
    services = served.make_services(*(served.make_collection(layer) for layer in layers))
    client = make_client(services)

    answers = [client.get("/ogcapi/collections") for _ in range(2)]

    assert [answer.json()["numberReturned"] for answer in answers] == [802, 802]
    assert services.documents.state.hits == 1


def test_documents_are_made_once_at_any_time_of_day(make_client):
    now = [served.NOW]
    services = replace(served.make_services(), clock=lambda: now[0])
    client = make_client(services)

    client.get("/ogcapi/collections")
    now[0] += np.timedelta64(2, "h")
    client.get("/ogcapi/collections")

    assert (services.documents.state.misses, services.documents.state.hits) == (1, 1)


@pytest.mark.parametrize("service", ["wms", "wmts"])
def test_capabilities_have_the_media_type_of_their_links(tree, service):
    rel = f"http://www.opengis.net/def/serviceType/ogc/{service}"
    (link,) = (link for link in tree.get("/ogcapi/collections/NDVI").json()["links"] if link["rel"] == rel)

    assert tree.get(link["href"]).headers["content-type"].split(";")[0] == link["type"]
