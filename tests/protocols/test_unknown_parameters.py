"""A parameter that a route does not have is refused by our own protocols and by OGC API; WMS and others ignore it."""

from dataclasses import replace

import anyio
import orjson
import pytest
from lxml import etree

from tests.protocols.fuzzing.request import parse
from tests.protocols.fuzzing.site import made_services, running
from tests.protocols.fuzzing.valid import VALID
from tests.protocols.fuzzing.valid_bodies import BODIES, REFUSED

pytest.importorskip("titiler.core", reason="titiler.core is absent (pip install 'chronotile[cog]')")
pytestmark = pytest.mark.slow

IGNORED = (
    *("/wms", "/wmts", "/wcs", "/wps", "/stac", "/odata", "/timeseries/v1."),
    *("/health", "/metrics", "/viewer/?", "/viewer/main.js", "/?", "/docs", "/openapi.json"),
)
"""Paths of standards that ignore unknown parameters, of other services, and of pages for monitors and browsers."""
ADDED = (("_", "1700000000"), ("token", "a"), ("v", "2"), ("utm_source", "mail"))
URLS = [url for url in (*VALID, *BODIES) if REFUSED.get(url, 200) == 200 and not url.startswith("/cog")]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Two answers per valid URL: with `foo=1`, and with parameters that clients add to any URL."""

    async def ask():
        async with running(tmp_path_factory.mktemp("unknown"), made_services()) as site:
            requests = {url: parse(url) for url in URLS}
            return {
                url: [
                    await site.send(replace(request, pairs=(*request.pairs, *pairs)))
                    for pairs in ((("foo", "1"),), ADDED)
                ]
                for url, request in requests.items()
            }

    return anyio.run(ask)


def test_every_route_refuses_an_unknown_parameter_or_must_ignore_it(answers):
    wrong = {
        url: (with_foo.status, with_foo.body[:200])
        for url, (with_foo, _) in answers.items()
        if (with_foo.status == 400) == url.startswith(IGNORED)
    }

    assert wrong == {}


def test_refusals_are_documents_of_their_protocol_that_name_the_parameter(answers):
    refusals = {url: with_foo for url, (with_foo, _) in answers.items() if with_foo.status == 400}
    details = {url: orjson.loads(each.body)["detail"] for url, each in refusals.items()}

    assert len(refusals) > 90
    assert {url: text for url, text in details.items() if not text.startswith("foo is not a parameter here; ")} == {}


def test_usual_additions_of_clients_are_ignored(answers):
    assert {url: added.body[:200] for url, (_, added) in answers.items() if not 200 <= added.status < 300} == {}


def test_services_in_xml_answer_as_if_it_were_not_there(answers):
    served = [with_foo for url, (with_foo, _) in answers.items() if url.startswith(("/wms?", "/wmts?"))]
    documents = [etree.fromstring(each.body).tag for each in served if "xml" in each.headers["content-type"]]

    assert len(documents) > 5
    assert not [tag for tag in documents if "Exception" in tag]
