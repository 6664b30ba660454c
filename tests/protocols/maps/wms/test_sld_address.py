"""Documents of SLD are fetched only from allowed locations, within limits."""

import threading
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.errors import ConfigurationError
from chronotile.core.web.fetch import fetch
from chronotile.core.xml_text import MAX_BYTES
from chronotile.protocols.maps.wms import colouring
from tests.protocols import served
from tests.protocols.maps.wms.exceptions import fault_of
from tests.protocols.maps.wms.test_styled_layers import BLUES


class _Documents(BaseHTTPRequestHandler):
    """Server of `/styles/blues.sld` and of documents that redirect, are too large, never end or are no text."""

    asked: list[str]
    is_over: threading.Event

    def do_GET(self):
        self.server.asked.append(self.path)
        found = {
            "/styles/blues.sld": BLUES.encode(),
            "/styles/large.sld": b"a" * (MAX_BYTES + 1),
            "/styles/latin.sld": b"\xff\xfe\xff",
            "/secret/blues.sld": BLUES.encode(),
        }
        if self.path == "/styles/elsewhere.sld":
            self.send_response(302)
            self.send_header("Location", "/secret/blues.sld")
            self.end_headers()
            return
        if self.path in {"/styles/endless.sld", "/styles/slow.sld"}:
            self._go_on(b"a" * 65_536 if self.path == "/styles/endless.sld" else b"a")
            return
        body = found.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def _go_on(self, piece):
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # the client has left
            while not self.server.is_over.wait(0 if len(piece) > 1 else 0.05):
                self.wfile.write(piece)

    def log_message(self, *_args):
        """Write nothing."""


@pytest.fixture
def documents():
    """Server of documents that records requested paths."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Documents) as server:
        server.asked, server.is_over = [], threading.Event()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def base(documents):
    return f"http://127.0.0.1:{documents.server_port}"


@pytest.fixture
def allowing(base):
    """Client of a server that may read below `/styles/`."""
    app = application(served.make_services(), ServerOptions(sld_prefixes=[f"{base}/styles/"]))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.slow
def test_a_map_in_the_colours_of_a_document_elsewhere(allowing, base, get_map):
    by_address = get_map(allowing, SLD=f"{base}/styles/blues.sld", TIME="2020-06-11")

    assert by_address.headers["Content-Type"] == "image/png"
    assert by_address.content == get_map(allowing, SLD_BODY=BLUES, TIME="2020-06-11").content


@pytest.mark.slow
def test_a_legend_in_the_colours_of_a_document_elsewhere(allowing, base):
    params = {"REQUEST": "GetLegendGraphic", "LAYER": "NDVI", "STYLE": "blues", "FORMAT": "application/json"}

    told = allowing.get("/wms", params={**params, "SLD": f"{base}/styles/blues.sld"}).json()

    assert told["stops"][-1]["color"] == "#0000fa"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "locator"),
    [
        ("{base}/secret/blues.sld", "SLD"),
        ("{base}/styles/../secret/blues.sld", "SLD"),
        ("{base}/styles/%2e%2e/secret/blues.sld", "SLD"),
        ("{base}/styles-not/blues.sld", "SLD"),
        ("http://x@127.0.0.1/styles/blues.sld", "SLD"),
        ("http://127.0.0.1:1/styles/blues.sld", "SLD"),
        ("{base}/styles/blues.sld?a=1", "SLD"),
        ("file:///etc/passwd", "SLD"),
        ("s3://bucket/styles/blues.sld", "SLD"),
    ],
)
def test_other_hosts_get_no_request(allowing, documents, base, get_map, address, locator):
    answer = get_map(allowing, SLD=address.format(base=base))

    assert fault_of(answer) == (200, "InvalidParameterValue", locator)
    assert documents.asked == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("elsewhere", "redirects are not followed"),
        ("absent", "404"),
        ("latin", "UTF-8"),
        ("large", f"more than the {MAX_BYTES} bytes"),
        ("endless", f"more than the {MAX_BYTES} bytes"),
    ],
)
@pytest.mark.parametrize("operation", ["GetMap", "GetFeatureInfo", "GetLegendGraphic"])
def test_url_without_a_document_is_reported(allowing, documents, base, get_map, name, says, operation):
    more = {"QUERY_LAYERS": "NDVI", "I": "1", "J": "1", "INFO_FORMAT": "text/plain"}
    if operation == "GetLegendGraphic":
        more = {"LAYER": "NDVI", "FORMAT": "image/png"}

    answer = get_map(allowing, REQUEST=operation, SLD=f"{base}/styles/{name}.sld", **more)

    assert fault_of(answer) == (200, "InvalidParameterValue", "SLD")
    assert says in answer.text
    assert documents.asked == [f"/styles/{name}.sld"]


@pytest.mark.slow
def test_slow_document_is_a_timeout(allowing, base, get_map, monkeypatch):
    monkeypatch.setattr(colouring, "fetch", partial(fetch, max_s=0.5))

    answer = get_map(allowing, SLD=f"{base}/styles/slow.sld")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
    assert answer.headers["Retry-After"]
    assert "no answer in time" in answer.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (f"<StyledLayerDescriptor>{'<a/>' * 15_000}</StyledLayerDescriptor>", "no NamedLayer"),
        (f"<StyledLayerDescriptor>{'<a/>' * 17_000}</StyledLayerDescriptor>", "more than 16384 elements"),
        ("a" * (MAX_BYTES + 1), f"at most {MAX_BYTES}"),
    ],
)
def test_a_document_that_is_sent_is_bounded_too(allowing, body, says):
    query = {"SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetLegendGraphic", "LAYER": "NDVI", "SLD_BODY": body}

    answer = allowing.post("/wms", data=query)

    assert fault_of(answer) == (200, "InvalidParameterValue", "SLD_BODY")
    assert says in answer.text


@pytest.mark.slow
def test_body_and_url_together_are_refused(allowing, base, get_map):
    answer = get_map(allowing, SLD=f"{base}/styles/blues.sld", SLD_BODY=BLUES)

    assert fault_of(answer) == (200, "InvalidParameterValue", "SLD")


@pytest.mark.slow
def test_nothing_is_fetched_if_no_prefix_is_allowed(client, documents, base, get_map):
    answer = get_map(client, SLD=f"{base}/styles/blues.sld")

    assert fault_of(answer) == (200, "InvalidParameterValue", "SLD")
    assert documents.asked == []


@pytest.mark.parametrize("prefix", ["nowhere", "s3://bucket/a", "/folder", "https://a b/"])
def test_invalid_prefix_is_a_mistake(prefix):
    with pytest.raises(ConfigurationError, match="SLD_PREFIXES"):
        application(served.make_services(), ServerOptions(sld_prefixes=[prefix]))
