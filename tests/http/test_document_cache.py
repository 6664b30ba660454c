"""Capabilities are made once for all equal requests."""

import gzip
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
from lxml import etree
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.pipeline.services import FixedServices
from tests.protocols import served

WMS = "/wms?SERVICE=WMS&REQUEST=GetCapabilities"
WMTS = "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"
DOCUMENTS = pytest.mark.parametrize("url", [WMS, f"{WMS}&VERSION=1.1.1", WMTS, "/wmts/1.0.0/WMTSCapabilities.xml"])


@pytest.fixture
def services():
    return served.make_services(*served.varied_collections())


@DOCUMENTS
def test_documents_are_made_once(make_client, services, url):
    client = make_client(services)

    first, second = client.get(url), client.get(url)

    assert first.content == second.content
    assert (services.documents.state.misses, services.documents.state.hits) == (1, 1)


@DOCUMENTS
def test_documents_are_the_same_bytes_in_every_process(make_client, url):
    answers = [make_client(served.make_services(*served.varied_collections())).get(url) for _process in range(2)]

    assert answers[0].content == answers[1].content
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]


@DOCUMENTS
def test_compressed_or_not_they_are_the_same(client, url):
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    with client.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        compressed = b"".join(answer.iter_raw())

    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(compressed) == plain.content


@DOCUMENTS
def test_each_host_has_separate_documents(client, url):
    assert b"http://one.example/" in client.get(url, headers={"Host": "one.example"}).content
    assert b"http://one.example/" not in client.get(url, headers={"Host": "two.example"}).content


@DOCUMENTS
def test_reload_is_seen_immediately(url):
    app = application(served.make_services(served.make_collection(served.make_layer("OLD"))))
    with TestClient(app) as client:
        before = client.get(url).content
        newer = served.make_services(served.make_collection(served.make_layer("NEW")))
        app.state.chronotile.live = FixedServices(newer)

        after = client.get(url).content

    assert (b"OLD" in before, b"OLD" in after, b"NEW" in after) == (True, False, True)


@DOCUMENTS
def test_newest_time_moves_with_the_clock(make_client, url):
    days = served.days_of("2020-06-21", "2020-07-05")
    services = served.make_services(
        served.make_collection(served.make_layer(variable=served.make_variable(times=days)))
    )
    later = replace(services, clock=lambda: np.datetime64("2020-07-05", "ns"))

    before, after = make_client(services).get(url).text, make_client(later).get(url).text

    assert before != after


@pytest.mark.parametrize(
    ("url", "current"),
    [
        ("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", b"<Current>true<"),
        ("/wms?SERVICE=WMS&REQUEST=GetCapabilities", b'current="1"'),
    ],
    ids=["WMTS", "WMS"],
)
def test_cached_document_reports_that_data_are_no_longer_updated(url, current):
    services = served.make_services()
    app = application(services)
    with TestClient(app) as client:
        before = client.get(url).content
        later = replace(services, clock=lambda: np.datetime64("2020-08-01T00:00", "ns"))
        app.state.chronotile.live = FixedServices(later)
        after = client.get(url).content

    assert services.documents is later.documents
    assert (current in before, current in after) == (True, False)


@DOCUMENTS
def test_layers_cuts_documents_down(client, url):
    sign = "&" if "?" in url else "?"

    text = client.get(f"{url}{sign}layers=NDVI,S2_NDVI").text

    assert all(f">{name}<" in text for name in ("NDVI", "S2_NDVI"))
    assert "TIMED" not in text


@DOCUMENTS
@pytest.mark.parametrize("name", ["BOGUS", "NDVI,BOGUS", "CGS_S2_NDVI"])
def test_layers_that_are_not_listed_are_refused(client, url, name):
    sign = "&" if "?" in url else "?"

    answer = client.get(f"{url}{sign}layers={name}")

    assert "Exception" in etree.fromstring(answer.content).tag
    assert answer.status_code in ({200} if url.startswith(WMS) else {400, 404})
    assert "ETag" not in answer.headers


@pytest.fixture
def irregular_client(make_client):
    days = np.cumsum(np.random.default_rng(1).integers(1, 9, 2000)).astype("timedelta64[D]")
    times = domain_of_instants(np.datetime64("1980-01-01", "ns") + days)
    layer = served.make_layer(variable=served.make_variable(times=times))
    return make_client(served.make_services(served.make_collection(layer)))


@DOCUMENTS
def test_times_that_are_not_listed_are_linked(irregular_client, validate_ogc, url):
    document = irregular_client.get(url).content

    links = etree.fromstring(document).xpath("//@*[contains(., '/layers/NDVI/times')]")
    assert validate_ogc(document) == []
    assert len(links) == 1
    assert irregular_client.get(urlsplit(links[0]).path).json()["total"] == 2000


@DOCUMENTS
def test_whole_lists_have_no_link(client, url):
    assert b"/times" not in client.get(url).content
