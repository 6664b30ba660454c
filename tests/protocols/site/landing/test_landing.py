"""The first page: HTML for people, JSON for programs."""

import base64
import hashlib
import re
from contextlib import closing
from dataclasses import replace
from functools import partial
from io import StringIO
from itertools import pairwise
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.archive.open import open_archive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.service_info import Contact, PostalAddress, ServiceInfo
from chronotile.http.shipped_files import find_viewer
from chronotile.jobs.queue.service import JobService
from chronotile.readers.reader_caches import ReaderCaches
from tests.odd_archives.files import write_tif
from tests.protocols import served

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;"


@pytest.fixture
def with_viewer(tmp_path):
    """Client of all services, including the viewer."""
    services = served.make_services(*served.varied_collections())
    with TestClient(
        application(services, ServerOptions(viewer=find_viewer(), jobs=JobService(tmp_path, archive="a")))
    ) as client:
        yield client


def read_through(client, read_csv, url, **options):
    """Read a CSV through a test client, because its URL has no socket."""
    return read_csv(StringIO(client.get(url).text), **options)


def page_of(client, path="/", **headers) -> html.HtmlElement:
    return html.document_fromstring(client.get(path, headers={"Accept": "text/html", **headers}).text)


@pytest.mark.parametrize(
    ("path", "accept", "media_type"),
    [
        ("/", FIREFOX, "text/html; charset=utf-8"),
        ("/", "application/json", "application/json"),
        ("/", "*/*", "application/json"),
        ("/?f=html", "*/*", "text/html; charset=utf-8"),
        ("/?f=json", FIREFOX, "application/json"),
    ],
)
def test_people_get_a_page_and_programs_a_document(client, path, accept, media_type):
    answer = client.get(path, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert {"Accept", "Accept-Language"} <= set(answer.headers["vary"].split(", "))


def test_other_formats_are_refused(client):
    answer = client.get("/?f=xml")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "f")


def test_document_has_title_links_and_collections(client):
    document = client.get("/").json()

    assert list(document) == [
        *("title", "description", "version", "keywords", "contact", "collections", "places", "links")
    ]
    assert document["collections"][1] == {
        "id": "terrain",
        "title": "Collection terrain",
        "attribution": None,
        "license": None,
        "layers": ["HEIGHT", "GONE"],
    }
    assert [link["rel"] for link in document["links"]] == [
        *("self", "wms", "wmts", "wcs", "wps", "ogcapi", "jobs", "service-doc", "service-desc", "layers", "clients"),
        *("tiles", "tilejson", "animation", "cubes", "zarr", "series", "timeseries"),
    ]


@pytest.mark.parametrize(
    "rel", ["self", "service-doc", "service-desc", "layers", "clients", "tilejson", "series", "timeseries"]
)
def test_links_lead_to_answers_of_their_type(client, rel):
    link = next(link for link in client.get("/").json()["links"] if link["rel"] == rel)

    answer = client.get(link["href"])

    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == link["type"].split(";")[0]


def test_template_of_tiles_can_be_filled_in(client):
    link = next(link for link in client.get("/").json()["links"] if link["rel"] == "tiles")

    assert link["templated"] is True
    assert client.get(link["href"].format(z=11, x=1052, y=687)).headers["content-type"] == "image/png"


def test_page_shows_every_layer_with_dates_and_addresses(client):
    page = page_of(client)

    cards = {card.findtext(".//p/code"): card.text_content() for card in page.iterfind(".//li")}
    assert list(cards) == ["NDVI", "S2_NDVI", "TIMED", "RECENT", "UNDATED", "FUTURE", "TRUE_COLOUR", "HEIGHT", "GONE"]
    assert "2020-05-21 to 2020-06-21, 4 dates" in cards["NDVI"]
    assert "no dates" in cards["HEIGHT"]
    assert "http://testserver/wms?SERVICE=WMS&REQUEST=GetCapabilities" in page.text_content()
    assert "http://testserver/tiles/NDVI/WebMercatorQuad/{z}/{x}/{y}.png" in page.text_content()


def test_page_carries_the_attribution(client):
    assert "Copernicus & co" in page_of(client).text_content()


def test_links_of_the_page_are_relative_so_that_any_prefix_holds(with_viewer):
    page = page_of(with_viewer)

    own = [link for element in page.iter("a", "link", "img") for link in [element.get("href") or element.get("src")]]
    pasted = [element.get("href") for element in page.iterfind(".//dd/a")]
    assert pasted
    assert not [link for link in own if link not in pasted and (link.startswith("/") or "testserver" in link)]


def test_links_of_the_page_lead_to_answers(with_viewer):
    page = page_of(with_viewer)
    links = {element.get("href") for element in page.iter("a", "link")}
    local = {urljoin("/", link) for link in links if not link.startswith("#")}

    statuses = {
        link: with_viewer.get(link).status_code for link in local if urlsplit(link).path not in {"/wms", "/wmts"}
    }

    assert set(statuses.values()) == {200}


def test_page_leads_to_the_viewer_only_if_there_is_one(client, with_viewer):
    assert page_of(with_viewer).xpath("//a[@href='viewer/?layer=NDVI']")
    assert not page_of(client).xpath("//a[starts-with(@href, 'viewer/')]")
    assert "make viewer" in page_of(client).text_content()


def test_pictures_are_loaded_when_they_are_scrolled_to(client):
    images = page_of(client).xpath("//img")

    assert images[0].get("src") == "layers/NDVI/preview.png"
    assert {image.get("loading") for image in images} == {"lazy"}
    assert all(image.get("alt").startswith("Map of ") for image in images)


def test_policy_lets_the_pages_own_style_apply_and_nothing_run(client):
    answer = client.get("/", headers={"Accept": "text/html"})

    policy = answer.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "<script" not in answer.text
    assert "script-src" not in policy
    assert "style=" not in answer.text


def test_with_the_viewer_only_its_own_script_runs(viewer_client):
    answer = viewer_client.get("/", headers={"Accept": "text/html"})

    assert re.findall(r"<script[^>]*>", answer.text) == ['<script type="module" src="viewer/pages/copy-buttons.js">']
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_each_address_has_a_button_that_copies_it(client):
    page = page_of(client)

    pasted = page.xpath("//dd")
    assert [len(each.xpath(".//code")) for each in pasted] == [1] * len(pasted)
    names = [each.xpath("string(button)") for each in pasted]
    assert names[:2] == ["Copy the address of WMS", "Copy the address of WMTS"]
    assert len(set(names)) == len(names)


def test_code_for_python_reads_the_series_of_the_place_in_the_middle(client, monkeypatch):
    code = page_of(client).xpath("string((//li[1]//details//code)[1])")
    monkeypatch.setattr(pd, "read_csv", partial(read_through, client, pd.read_csv))
    names: dict[str, Any] = {}

    exec(code, names)

    series = names["series"]
    assert series["value"].tolist() == [served.number_at(150, 200, time) for time in range(4)]
    assert str(series.index[-1]) == "2020-06-21 00:00:00+00:00"


def test_python_example_opens_an_existing_store(client):
    code = page_of(client).xpath("string((//li[1]//details//code)[2])")
    address = re.search(r'open_zarr\("(.*)"\)', code)[1]

    assert client.get(f"{address}/zarr.json").json()["node_type"] == "group"


def test_a_composite_has_no_code_for_values(client):
    card = page_of(client).xpath("//li[.//p/code='TRUE_COLOUR']")[0]

    assert card.xpath(".//details") == []


def test_an_archive_without_layers_has_a_page(make_client, make_services):
    services = make_services()
    page = page_of(make_client(replace(services, catalogue=replace(services.catalogue, collections=()))))

    assert "0 layers" in page.findtext(".//h2[@id='layers-title']")
    assert "chronotile serve FOLDER" in page.text_content()


@pytest.fixture
def many_client(make_client, make_services):
    """Client of 100 layers, `L0` to `L99`, with titles in two languages."""
    layers = [
        served.make_layer(
            f"L{n}", title={"en": f"Number {n}", "nl": f"Nummer {n}"}, variable=served.make_variable(f"L{n}")
        )
        for n in range(100)
    ]
    return make_client(make_services(served.make_collection(*layers)))


def test_many_layers_are_shown_in_pages(many_client):
    second = page_of(many_client, "/?page=2")

    ids = [card.findtext(".//p/code") for card in second.iterfind(".//li")]
    assert ids == [f"L{n}" for n in range(48, 96)]
    assert "Page 2 of 3" in second.text_content()
    assert [link.get("href") for link in second.xpath("//nav//a")] == ["?page=1&f=html#layers", "?page=3&f=html#layers"]


def test_layers_are_found_by_all_words_of_their_titles_ids_and_collections(many_client):
    page = page_of(many_client, "/?q=NUMBER%20l7&f=html")

    ids = [card.findtext(".//p/code") for card in page.iterfind(".//li")]
    assert ids == ["L7", *(f"L{n}" for n in range(70, 80))]
    assert "11 found" in page.text_content()
    assert page.xpath("//input[@name='q']/@value") == ["NUMBER l7"]


@pytest.mark.parametrize(
    ("query", "parameter"), [("page=4", "page"), ("page=0", "page"), ("page=x", "page"), (f"q={'x' * 101}", "q")]
)
def test_pages_that_are_not_there_are_refused(many_client, query, parameter):
    answer = many_client.get(f"/?f=html&{query}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_machine_readable_document_has_all_layers_for_any_page(many_client):
    assert len(many_client.get("/?f=json&page=4&q=x").json()["collections"][0]["layers"]) == 100


@pytest.fixture
def evil_client(make_client, make_services):
    """Client of a catalogue whose texts all try to break out of the page."""
    layer = served.make_layer(
        title={"": EVIL}, abstract={"": EVIL}, variable=served.make_variable(units=EVIL), attribution=EVIL
    )
    collection = served.make_collection(
        layer, title={"": EVIL}, abstract={"": EVIL}, attribution=EVIL, license="javascript:alert(1)"
    )
    address = PostalAddress(street=EVIL, city=EVIL, country=EVIL)
    contact = Contact(name=EVIL, email=EVIL, telephone=EVIL, address=address)
    service = ServiceInfo(title={"": EVIL}, abstract={"": EVIL}, keywords=(EVIL,), contact=contact)
    return make_client(make_services(collection, service=service))


def test_texts_stay_texts(evil_client):
    page = page_of(evil_client)

    handlers = [name for element in page.iter() for name in element.keys() if name.startswith("on")]  # noqa: SIM118
    assert page.xpath("//script") == []
    assert len(page.xpath("//img")) == 1
    assert page.xpath("string(//pre)").count("<script>") == 0
    assert handlers == []
    assert not [link for link in page.xpath("//@href") if link.startswith("javascript")]
    assert page.findtext(".//h1") == EVIL


def test_licence_on_the_web_is_a_link(make_client, make_services):
    collection = served.make_collection(license="https://licence.example/")
    client = make_client(make_services(collection))

    assert page_of(client).xpath("//a[@rel='license']/@href") == ["https://licence.example/"]


def test_page_is_in_the_readers_language(make_client, make_services):
    layer = served.make_layer(title={"en": "Vegetation", "nl": "Begroeiing"})
    service = ServiceInfo(title={"en": "Maps", "nl": "Kaarten"}, languages=("en", "nl"))
    client = make_client(make_services(served.make_collection(layer), service=service))

    page = page_of(client, **{"Accept-Language": "nl-BE"})

    assert (page.findtext(".//title"), page.findtext(".//h1")) == ("Kaarten", "Kaarten")
    assert page.find(".//h1").get("lang") == "nl"
    assert page.findtext(".//h4") == "Begroeiing"


def test_headings_descend_without_gaps_and_every_section_is_named(with_viewer):
    page = page_of(with_viewer)

    levels = [int(element.tag[1]) for element in page.iter("h1", "h2", "h3", "h4")]
    names = {element.get("id") for element in page.iter() if element.get("id")}
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert {section.get("aria-labelledby") for section in page.iter("section")} <= names
    assert page.get("lang") == "en"


def test_same_page_is_304(client):
    etag = client.get("/").headers["etag"]

    assert client.get("/", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.slow
def test_five_hundred_layers_make_a_small_page(make_client, make_services):
    times = served.domain_of_instants(np.datetime64("2015-01-01", "ns") + np.arange(400) * np.timedelta64(10, "D"))
    layers = [served.make_layer(f"L{n}", variable=served.make_variable(f"L{n}", times=times)) for n in range(500)]
    client = make_client(make_services(served.make_collection(*layers)))

    answer = client.get("/?f=html", headers={"Accept-Encoding": "gzip"})

    assert answer.text.count("<li>") == 48
    assert int(answer.headers["content-length"]) < 20_000


@pytest.mark.slow
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(["f", "lang", "F"]) | st.text(max_size=20), st.text(max_size=20)), max_size=4
    )
)
def test_any_query_is_answered_or_refused(session_client, pairs):
    assert session_client.get("/", params=pairs).status_code in {200, 400}


def test_page_leads_to_the_tree_of_ogc_api(client):
    links = {link["rel"]: link["href"] for link in client.get("/", params={"f": "json"}).json()["links"]}

    assert client.get(links["ogcapi"]).json()["links"]
    assert f'href="{links["ogcapi"]}"' in client.get("/", params={"f": "html"}).text


@pytest.mark.parametrize("is_damaged", [True, False])
def test_page_links_to_skipped_files_if_there_are_any(tmp_path, is_damaged):
    write_tif(tmp_path / "ndvi_20200101.tif")
    if is_damaged:
        (tmp_path / "ndvi_20200102.tif").write_text("no raster")

    with (
        closing(open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2020-03-01", "ns"))) as archive,
        TestClient(application(archive.services)) as client,
    ):
        links = [link.get("href") for link in page_of(client).iter("a") if link.get("href", "").startswith("health")]
        faults = [fault["reason"] for link in links for fault in client.get(f"/{link}").json()["faults"]]

    assert ["ndvi_20200102.tif" in fault for fault in faults] == [True] * is_damaged


def test_catalogues_are_linked_if_there_is_an_index(make_client, make_services, tmp_path):
    index = open_items(None, tmp_path)
    services = replace(make_services(), reader_caches=ReaderCaches(items=lambda: index))
    addresses = {}
    for name, each in (("with", services), ("without", make_services())):
        links = make_client(each).get("/", headers={"accept": "application/json"}).json()["links"]
        addresses[name] = {link["rel"]: link["href"] for link in links}
    client = make_client(services)
    try:
        assert {"stac", "odata", "products"}.isdisjoint(addresses["without"])
        for rel, path in (("stac", "/stac"), ("odata", "/odata/v1"), ("products", "/products")):
            assert addresses["with"][rel] == f"http://testserver{path}"
            assert client.get(path).status_code == 200
    finally:
        index.close()
