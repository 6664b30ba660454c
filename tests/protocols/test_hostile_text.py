"""XML documents stay valid and keep their elements for every text in configuration and requests."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.service_info import Contact, PostalAddress, ServiceInfo
from chronotile.core.model.style import Style
from tests.protocols import served

MARKUP = st.sampled_from(
    ["<a>", "</Layer>", "]]>", "&amp;", "&", '"', "'", "<!--", "{{ 7*7 }}", "{% raw %}", "\x00", "\ufffe"]
)
TEXTS = st.lists(st.one_of(MARKUP, st.text(max_size=8)), min_size=1, max_size=6).map("".join)
DOCUMENTS = (
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.3.0",
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1",
    "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities",
    "/ogcapi/styles/steps?f=sld10",
    "/ogcapi/styles/steps?f=sld11",
)
PAGES = (
    *("/ogcapi?f=html", "/ogcapi/conformance?f=html", "/ogcapi/openapi?f=html", "/ogcapi/collections?f=html"),
    *("/ogcapi/collections/s2?f=html", "/ogcapi/collections/NDVI?f=html"),
)
REQUESTS = (
    "/wms?SERVICE=WMS&REQUEST=GetMap&VERSION=1.3.0&LAYERS={}",
    "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION={}",
    "/wms?REQUEST={}",
    "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&Sections={}",
    "/wmts?SERVICE=WMTS&REQUEST=GetTile&LAYER={}",
    "/wmts?SERVICE=WMTS&REQUEST=GetDomainValues&LAYER=NDVI&DOMAIN={}",
    "/wmts?SERVICE={}",
)


def services_with(text):
    style = Style(id="steps", title=text, range=(0.0, 250.0), ramp=served.STEPS.ramp)
    told = {"title": {"": text}, "abstract": {"": text}, "keywords": (text,), "attribution": text}
    collection = served.make_collection(served.make_layer(styles=(style,), **told), **told)
    address = PostalAddress(street=text, city=text, region=text, postcode=text, country=text)
    contact = Contact(name=text, email=text, telephone=text, address=address)
    info = ServiceInfo(title={"": text}, abstract={"": text}, keywords=(text,), contact=contact)
    return served.make_services(collection, service=info)


def tags_of(answer):
    return [each.tag for each in html.document_fromstring(answer.raise_for_status().text).iter()]


def elements_of(document):
    return [each.tag for each in etree.fromstring(document).iter()]


@pytest.mark.slow
@settings(max_examples=40)
@given(TEXTS.filter(lambda text: re.search(r"[a-z]", text)))
def test_texts_of_the_configuration_add_no_element(text):
    with TestClient(application(services_with(text))) as hostile, TestClient(application(services_with("a"))) as plain:
        found = [elements_of(hostile.get(url).raise_for_status().content) for url in DOCUMENTS]

        assert found == [elements_of(plain.get(url).content) for url in DOCUMENTS]


@pytest.mark.slow
@settings(max_examples=20)
@given(TEXTS.filter(lambda text: re.search(r"[a-z]", text)))
def test_texts_of_the_configuration_add_no_element_to_a_page(text):
    with TestClient(application(services_with(text))) as hostile, TestClient(application(services_with("a"))) as plain:
        found = [tags_of(hostile.get(url)) for url in PAGES]

        assert found == [tags_of(plain.get(url)) for url in PAGES]


@pytest.mark.slow
@settings(max_examples=20)
@given(TEXTS.filter(lambda text: re.search(r"[a-z]", text)))
def test_collections_contain_texts_unchanged(text):
    with TestClient(application(services_with(text))) as hostile:
        told = hostile.get("/ogcapi/collections/NDVI?f=json").json()

    assert (told["title"], told["description"], told["attribution"]) == (text, text, text)


@pytest.mark.slow
@settings(max_examples=60)
@given(TEXTS, st.sampled_from(REQUESTS))
def test_parameters_add_no_element_to_an_exception(session_client, validate_ogc, text, url):
    answer = session_client.get(url.format(quote(text, safe="")))

    assert answer.status_code in {200, 400}
    assert answer.status_code == 200 or len(elements_of(answer.content)) <= 3
    assert validate_ogc(answer.content) == []
