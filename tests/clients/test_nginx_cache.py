"""The nginx of deploy/nginx.conf: stored answers, their lifetime, and headers that clients may set."""

import getpass
import json
import re
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

from chronotile.app.application import ServerOptions, application
from chronotile.catalog.service_info import ServiceInfo
from chronotile.http import forwarded
from chronotile.jobs.queue.service import JobService
from chronotile.pipeline.services import FixedServices
from tests.clients.test_nginx import listens
from tests.places import make_places
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import PATIENCE_S, reserved_port, until

pytestmark = [pytest.mark.client("nginx"), pytest.mark.slow]

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx.conf"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "behind-a-proxy.md"
TEMPORARY = "".join(f"{name}_temp_path FOLDER/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
HEAD = struct.Struct("@L5q")
"""Header of a file in nginx's cache: version; end of freshness; seconds of use after that during an update, and after
an error; Last-Modified; time of storage."""

TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343.png"
GET_MAP = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=CRS:84&BBOX=4.45,50.8,4.55,50.9"
    "&WIDTH=32&HEIGHT=32&FORMAT=image/png"
)
CAPABILITIES = "/wms?SERVICE=WMS&REQUEST=GetCapabilities"
POINT = "/timeseries/NDVI/point?lon=4.5&lat=50.85"
TIMES = "/layers/NDVI/times?limit=9"
NEWEST = [TILE, f"{TILE}?datetime=latest", GET_MAP, CAPABILITIES, TIMES, POINT]
LATER = served.days_of("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01")

DOCUMENTS = [
    *(CAPABILITIES, "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1"),
    *("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities", "/wmts/1.0.0/WMTSCapabilities.xml?"),
    *("/tiles/NDVI/WebMercatorQuad/tilejson.json?", "/?f=json", "/?f=html", "/layers?", "/layers/NDVI?"),
    *("/layers/NDVI.qlr?", "/places?", "/ogcapi?f=json", "/ogcapi?f=html", "/ogcapi/collections?f=json"),
    *("/ogcapi/collections/NDVI?f=html", "/ogcapi/collections/NDVI/items?"),
    *("/ogcapi/collections/NDVI/map/tiles/WebMercatorQuad?f=tilejson", "/ogcapi/openapi?f=json", "/openapi.json?"),
    *("/docs?", "/timeseries/NDVI/point?lon=4.5&lat=50.85&limit=1"),
]
"""Documents with URLs in them or in their Link header; tests append to the query."""
CLAIMS = {
    "Forwarded": "for=192.0.2.1;host=evil.example;proto=https",
    "Front-End-Https": "on",
    "True-Client-IP": "192.0.2.1",
    "X-Client-IP": "192.0.2.1",
    "X-Cluster-Client-IP": "192.0.2.1",
    "X-Forwarded": "for=192.0.2.1;host=evil.example;proto=https",
    "X-Forwarded-By": "192.0.2.1",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Path": "/evil",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "https",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Uri": "/evil",
    "X-Forwarded-Url": "https://evil.example/evil",
    "X-Host": "evil.example",
    "X-HTTP-Host-Override": "evil.example",
    "X-HTTP-Method": "POST",
    "X-HTTP-Method-Override": "POST",
    "X-Method-Override": "POST",
    "X-Original-Host": "evil.example",
    "X-Original-Method": "POST",
    "X-Original-URI": "/evil",
    "X-Original-URL": "/evil",
    "X-Proxy-Host": "evil.example",
    "X-Real-IP": "192.0.2.1",
    "X-Rewrite-URL": "/evil",
    "X-Scheme": "https",
    "X-Script-Name": "/evil",
    "X-Url-Scheme": "https",
}
PAST_THE_CACHE = {"Authorization": "anything"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    """Headers by name in lower case."""
    body: bytes

    @property
    def cache(self) -> str | None:
        """Cache status that nginx reports, or `None`."""
        return self.headers.get("x-cache-status")

    @property
    def said(self) -> tuple[int, bytes, str | None, str | None]:
        return self.status, self.body, self.headers.get("link"), self.headers.get("location")


@dataclass
class Cached:
    """nginx in front of an application with replaceable services."""

    address: str
    app: object
    answers: Path

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> Answer:
        request = urllib.request.Request(
            f"{self.address}{path}",
            data=data,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())

    def serve(self, services) -> None:
        """Replace the services, like a reload."""
        self.app.state.chronotile.live = FixedServices(services)

    def heads(self) -> list[tuple[int, ...]]:
        """Return the headers of the files in the cache."""
        return [HEAD.unpack(path.read_bytes()[: HEAD.size]) for path in self._files()]

    def grow_old(self, *, by_more_than_may_be_given: bool) -> None:
        """Make all stored answers stale, optionally too old to be sent during an update."""
        for path in self._files():
            with path.open("r+b") as file:
                version, _fresh, updating, *rest = HEAD.unpack(file.read(HEAD.size))
                fresh = int(time.time()) - 10 - (updating if by_more_than_may_be_given else 0)
                file.seek(0)
                file.write(HEAD.pack(version, fresh, updating, *rest))

    def _files(self) -> list[Path]:
        return [path for path in self.answers.rglob("*") if path.is_file() and len(path.name) == 32]


def services_at(times=served.DEKADS):
    layer = served.make_layer(variable=served.make_variable(times=times))
    service = ServiceInfo(title={"en": "Maps", "nl": "Kaarten"}, languages=("en", "nl"))
    return served.make_services(served.make_collection(layer), places=[make_places()], service=service)


@pytest.fixture(scope="module")
def viewer(tmp_path_factory):
    """Files of a viewer that its route requires."""
    folder = tmp_path_factory.mktemp("viewer")
    (folder / "vendor").mkdir()
    (folder / "index.html").write_text('<!doctype html><script src="main.js"></script>')
    (folder / "main.js").write_text("export {}")
    return folder


@contextmanager
def nginx_before(ours, folder, *, further=(), further_port=None):
    """Run nginx with the shipped file, but local addresses and folders, and an empty cache; yield its URL.

    Args:
        further: Texts of the file and their replacements.
        further_port: An additional port; nginx opens ports in sequence.
    """
    with reserved_port() as held:
        port = held.getsockname()[1]
        text = SHIPPED.read_text()
        for shipped, here in (
            ("worker_processes auto;", f"worker_processes 1; daemon off; user {getpass.getuser()};"),
            ("/tmp/nginx.pid", f"{folder}/nginx.pid"),
            ("/var/log/nginx/error.log", f"{folder}/error.log"),
            ("/var/log/nginx/access.log", f"{folder}/access.log"),
            ("http {", "http { " + TEMPORARY.replace("FOLDER", str(folder))),
            ("/var/cache/nginx/answers", f"{folder}/answers"),
            ("server server:8000;", f"server {ours.removeprefix('http://')};"),
            ("listen 80;", f"listen 127.0.0.1:{port};"),
            ("listen [::]:80;", ""),
            *further,
        ):
            assert text.count(shipped) == 1
            text = text.replace(shipped, here)
        (folder / "nginx.conf").write_text(text)
        command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until(lambda: all(listens(each, process) for each in (port, further_port) if each))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


@contextmanager
def caching(folder, viewer):
    """Run nginx in front of our server."""
    app = application(services_at(), ServerOptions(viewer=viewer, trusted_proxies=["127.0.0.1"]))
    with listening(app) as ours, nginx_before(ours, folder) as address:
        yield Cached(address, app, folder / "answers")


@pytest.fixture
def cached(tmp_path, viewer):
    """nginx with an empty cache."""
    with caching(tmp_path, viewer) as one:
        yield one


@pytest.fixture(scope="module")
def cached_by_all(tmp_path_factory, viewer):
    """nginx with a cache, shared by tests with different URLs."""
    with caching(tmp_path_factory.mktemp("nginx"), viewer) as one:
        yield one


@pytest.mark.parametrize("path", NEWEST)
def test_newest_answers_are_at_most_two_minutes_old(cached, path):
    until(lambda: cached.ask(path).cache == "HIT")
    ((_version, fresh, updating, _error, _modified, stored),) = cached.heads()
    assert (0 < fresh - stored <= 60, updating) == (True, 60)
    before = cached.ask(path)
    cached.serve(services_at(LATER))
    cached.grow_old(by_more_than_may_be_given=True)

    after = cached.ask(path)

    assert (before.status, after.status) == (200, 200)
    assert after.cache == "EXPIRED"
    assert after.body != before.body or after.headers["chronotile-time"] != before.headers["chronotile-time"]


def test_unchanged_newest_answer_is_not_sent_again(cached):
    until(lambda: cached.ask(TILE).cache == "HIT")
    cached.grow_old(by_more_than_may_be_given=True)

    assert cached.ask(TILE).cache == "REVALIDATED"


@pytest.mark.parametrize(
    "mistake", ["&TIME=2020-06-12", "&TIME=latest&STYLES=nope", "&LAYERS=NOPE", "&EXCEPTIONS=INIMAGE&TIME=2020-06-12"]
)
def test_exceptions_of_wms_are_never_cached(cached, mistake):
    """They have status 200: a time that is missing today would be missing for the lifetime of a map."""
    path = GET_MAP.replace("LAYERS=NDVI&STYLES=", "LAYERS=NDVI") + mistake

    answers = [cached.ask(path) for _ in range(2)]

    assert [(each.status, each.cache, each.headers["cache-control"]) for each in answers] == [
        (200, "MISS", "no-store")
    ] * 2
    assert cached.heads() == []


@pytest.mark.parametrize(
    "path", ["/ogcapi/collections/NDVI/coverage?f=GTiff&datetime=2020-06-11", f"{TILE[:-3]}tif?datetime=2020-06-11"]
)
def test_ranges_of_cached_answers_are_served_by_the_cache(cached, path):
    whole = cached.ask(path, Authorization="past the cache").body
    parts = [cached.ask(path, Range=f"bytes={start}-{start + 99}") for start in (0, 100, 200)]

    assert [each.status for each in parts] == [206] * 3
    assert b"".join(each.body for each in parts) == whole[:300]
    until(lambda: cached.ask(path, Range="bytes=5-9").cache == "HIT")


def test_dated_answer_is_served_for_a_day_while_it_is_renewed(cached):
    path = f"{TILE}?datetime=2020-06-11"
    until(lambda: cached.ask(path).cache == "HIT")
    ((_version, fresh, updating, _error, _modified, stored),) = cached.heads()
    assert (60 < fresh - stored <= 300, updating) == (True, 86_400)

    cached.grow_old(by_more_than_may_be_given=False)
    assert cached.ask(path).cache == "STALE"
    until(lambda: cached.ask(path).cache == "HIT")

    cached.grow_old(by_more_than_may_be_given=True)
    assert cached.ask(path).cache == "REVALIDATED"


def test_an_answer_from_the_cache_is_not_sent_to_who_holds_it(cached):
    until(lambda: cached.ask(TILE).cache == "HIT")

    again = cached.ask(TILE, If_None_Match=cached.ask(TILE).headers["etag"])

    assert (again.status, again.cache, again.body) == (304, "HIT", b"")


@pytest.mark.parametrize("path", ["/viewer/", "/viewer/?embed=1", "/viewer/main.js", "/viewer/config.json"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_viewer_is_revalidated_and_not_sent_again(cached, path, encoding):
    first = cached.ask(path, Accept_Encoding=encoding)

    again = cached.ask(path, Accept_Encoding=encoding, If_None_Match=first.headers["etag"])

    assert (first.status, first.headers["cache-control"]) == (200, "no-cache")
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert cached.heads() == []


def test_products_pass_the_cache(cached):
    first = cached.ask("/products")
    again = cached.ask("/products", If_None_Match=first.headers["etag"])

    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert cached.heads() == []


def test_versioned_files_of_the_viewer_are_cached(cached):
    page = cached.ask("/viewer/").body.decode()
    (path,) = re.findall('src="(v/[^"]+)"', page)

    answers = [cached.ask(f"/viewer/{path}") for _ in range(2)]

    assert "immutable" in answers[0].headers["cache-control"]
    assert [each.cache for each in answers] == ["MISS", "HIT"]


def test_one_address_runs_few_processes_concurrently_and_other_requests_continue(tmp_path):
    limit = (("zone=processes:10m rate=1r/s", "zone=processes:10m rate=1r/m"),)
    with listening(application(services_at())) as ours, nginx_before(ours, tmp_path, further=limit) as address:
        cached = Cached(address, None, tmp_path / "answers")
        runs = [cached.ask("/ogcapi/processes/none/execution", data=b"{}") for _ in range(40)]
        others = [cached.ask(path) for path in ("/ogcapi/processes?f=json", TILE)]

    refused = [each for each in runs if each.status == 429]
    assert [each.status for each in runs[:21]] == [404] * 21
    assert refused
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert (refused[0].headers["retry-after"], json.loads(refused[0].body)["status"]) == ("1", 429)
    assert [each.status for each in others] == [200, 200]


WPS_EXECUTE = "/wps?service=WPS&version=1.0.0&identifier=echo&%s"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/wps", b"<Execute/>"),
        (WPS_EXECUTE % "request=Execute", None),
        (WPS_EXECUTE % "REQUEST=e%58ecute", None),
        (WPS_EXECUTE % "%52equest=Execute", None),
        (WPS_EXECUTE % "request=+execute", None),
    ],
)
def test_wps_execute_counts_as_a_process_in_nginx(tmp_path, path, body):
    limit = (("zone=processes:10m rate=1r/s", "zone=processes:10m rate=1r/m"),)
    with listening(application(services_at())) as ours, nginx_before(ours, tmp_path, further=limit) as address:
        cached = Cached(address, None, tmp_path / "answers")
        runs = [cached.ask(path, data=body).status for _ in range(30)]
        others = [cached.ask("/wps?service=WPS&request=GetCapabilities").status for _ in range(30)]

    assert 429 not in runs[:21]
    assert 429 in runs
    assert others == [200] * 30


COOKIES = {
    "a=b": None,
    "x__Host-chronotile_session=forged": None,
    "a=b; xchronotile_signin=forged": None,
    "a=chronotile_session=forged": None,
    "__Host-chronotile_session=user": "__Host-chronotile_session=user",
    "a=b;chronotile_signin=user; c=d": "chronotile_signin=user",
    "x__Host-chronotile_session=forged; __Host-chronotile_session=user": "__Host-chronotile_session=user",
    "chronotile_session=forged; __Host-chronotile_session=user": (
        "chronotile_session=forged; __Host-chronotile_session=user"
    ),
}
"""Cookies of requests, and cookies that the server receives."""


def test_nginx_passes_only_cookies_with_the_whole_name(tmp_path):
    async def echo(scope, receive, send):
        await JSONResponse(Request(scope).headers.get("cookie"))(scope, receive, send)

    with listening(echo) as ours, nginx_before(ours, tmp_path) as address:
        cached = Cached(address, None, tmp_path / "answers")
        received = {cookie: json.loads(cached.ask("/layers", Cookie=cookie).body) for cookie in COOKIES}

    assert received == COOKIES


KEY = "ctk_0123456789abcdefghijklmnopqrstuvwxyz-_ABCDE"
OTHER = "cts_9876543210abcdefghijklmnopqrstuvwxyz-_ABCDE"
LOGGED = {
    f"/k/{KEY}/layers": "GET /k/-/layers HTTP/1.1",
    f"/k/{KEY}/k/{OTHER}/layers?f=json": "GET /k/-/layers?f=json HTTP/1.1",
    f"/%6b/{KEY}/layers": "GET /k/-/layers HTTP/1.1",
    f"/k%2f{KEY}/layers": "GET /k/-/layers HTTP/1.1",
    f"//k//%63tk{KEY[3:]}//layers": "GET /k/-/layers HTTP/1.1",
    f"/x/../k/./{KEY}": "GET /k/- HTTP/1.1",
    f"/k/{KEY}/%0a": "GET /k/-/\\x0A HTTP/1.1",
    f"/%0a/{KEY}/%0a{OTHER}/x": "GET /\\x0A/-/x HTTP/1.1",
    f"/maps/k/{KEY}/wms": "GET /maps/k/-/wms HTTP/1.1",
    f"/%256b/{KEY}": "GET /%6b/- HTTP/1.1",
    "/k/not-a-key/wms": "GET /k/-/wms HTTP/1.1",
    f"/signin?return=%2Fk%2F{KEY}%2Fviewer": "GET /signin?- HTTP/1.1",
    f"/layers?key={KEY}": "GET /layers?- HTTP/1.1",
    "/tiles/k/1/2?a=b": "GET /tiles/k/1/2?a=b HTTP/1.1",
}
"""Request targets with keys in unusual spellings, and their requests in the access log."""


def send_targets(address, targets):
    """Send request targets unchanged; clients would normalise them."""
    host, _, port = address.removeprefix("http://").partition(":")
    for target in targets:
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            client.makefile("rb").read()


def test_nginx_logs_no_key_in_any_spelling(tmp_path):
    async def missing(scope, receive, send):
        await PlainTextResponse("missing", status_code=404)(scope, receive, send)

    with listening(missing) as ours, nginx_before(ours, tmp_path) as address:
        send_targets(address, LOGGED)

    lines = (tmp_path / "access.log").read_text().splitlines()
    assert [line.split('"')[1] for line in lines] == list(LOGGED.values())


def test_nginx_error_log_has_no_path_with_a_key(tmp_path):
    paths = [target for target in LOGGED if "?" not in target and "ct" in target]
    with reserved_port() as held, nginx_before(f"127.0.0.1:{held.getsockname()[1]}", tmp_path) as address:
        send_targets(address, ["/without", *paths])

    errors = (tmp_path / "error.log").read_text()
    assert re.findall(r'"GET (\S+) ', errors) == ["/without"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_proxy_headers_of_clients_are_ignored(cached_by_all, claim):
    """A claim does not change cached answers of other clients: each URL is first requested with the claim."""
    ask = cached_by_all.ask
    for number, document in enumerate(DOCUMENTS):
        path = f"{document}&_={claim}{number}".replace("?&", "?")
        with_claim = ask(path, **{claim: CLAIMS[claim]})
        through_the_cache, past_it = ask(path), ask(path, **PAST_THE_CACHE)

        assert with_claim.status == 200
        assert with_claim.said == through_the_cache.said == past_it.said
        assert (with_claim.cache, past_it.cache) == ("MISS", "BYPASS")


def test_jobs_are_refused_to_other_pages_with_any_headers(tmp_path, viewer):
    desk = JobService(tmp_path / "jobs", archive="a")
    app = application(services_at(), ServerOptions(jobs=desk, viewer=viewer, trusted_proxies=["127.0.0.1"]))
    with listening(app) as ours, nginx_before(ours, tmp_path) as address:
        server = Cached(address, app, tmp_path / "answers")
        own, other = server.ask("/ogcapi/jobs", Origin=address), server.ask("/ogcapi/jobs", Origin="http://192.0.2.1")
        claimed = server.ask("/ogcapi/jobs", Origin="http://192.0.2.1", X_Forwarded_Host="192.0.2.1")
        host = server.ask("/ogcapi/jobs", Host="evil.example", X_Forwarded_Host="localhost")

    assert (own.status, own.headers["access-control-allow-origin"]) == (200, address)
    assert [other.status, claimed.status, host.status] == [403] * 3


def test_all_forged_headers_together_are_ignored(cached):
    for document in DOCUMENTS:
        with_claims, without = cached.ask(document, **CLAIMS), cached.ask(document, **PAST_THE_CACHE)

        assert with_claims.said == without.said
        assert b"evil" not in with_claims.body


@pytest.fixture
def under_a_path(tmp_path, viewer):
    """nginx that serves below /maps, configured by docs/how-to/behind-a-proxy.md."""
    _tls, example = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    *rewrites, prefix = example.splitlines()
    further = [
        ("server_name _;", f"server_name _; {' '.join(rewrites)}"),
        ('proxy_set_header X-Forwarded-Prefix "";', prefix),
    ]
    desk = JobService(tmp_path / "jobs", archive="a")
    app = application(services_at(), ServerOptions(jobs=desk, viewer=viewer, trusted_proxies=["127.0.0.1"]))
    with listening(app) as ours, nginx_before(ours, tmp_path, further=further) as address:
        yield Cached(address, app, tmp_path / "answers")


@pytest.mark.parametrize("path", ["/maps/metrics", "/maps//metrics", "/maps/./metrics", "/maps/%6detrics", "/metrics"])
def test_metrics_are_closed_under_a_path_too(under_a_path, path):
    answer = under_a_path.ask(path)

    assert (answer.status, b"<center>nginx</center>" in answer.body) == (404, True)


def test_the_viewer_and_jobs_bypass_the_cache_under_a_path_too(under_a_path):
    page = under_a_path.ask("/maps/viewer/")
    again = under_a_path.ask("/maps/viewer/", If_None_Match=page.headers["etag"])
    jobs = under_a_path.ask("/maps/ogcapi/jobs", Origin=under_a_path.address)
    of_others = under_a_path.ask("/maps/ogcapi/jobs", Origin="http://192.0.2.1")

    assert (page.status, again.status, again.body) == (200, 304, b"")
    assert (jobs.status, of_others.status) == (200, 403)
    assert [each.cache for each in (page, again, jobs, of_others)] == [None] * 4
    assert under_a_path.heads() == []


@pytest.mark.parametrize("query", ["", "?layer=NDVI"])
def test_the_viewer_without_a_slash_is_redirected_below_the_path(under_a_path, query):
    with urllib.request.urlopen(f"{under_a_path.address}/maps/viewer{query}", timeout=PATIENCE_S) as answer:
        assert (answer.status, answer.url) == (200, f"{under_a_path.address}/maps/viewer/{query}")


def test_the_path_without_a_slash_is_redirected_to_the_first_page(under_a_path):
    with urllib.request.urlopen(f"{under_a_path.address}/maps?f=html", timeout=PATIENCE_S) as answer:
        assert (answer.status, answer.url) == (200, f"{under_a_path.address}/maps/?f=html")
        assert b'href="viewer/"' in answer.read()


def test_health_without_a_slash_is_no_page(under_a_path):
    assert under_a_path.ask("/maps/health").status == 404


def test_tiles_and_versioned_files_are_cached_below_a_path_too(under_a_path):
    (file,) = re.findall('src="(v/[^"]+)"', under_a_path.ask("/maps/viewer/").body.decode())

    for path in (f"/maps{TILE}", f"/maps/viewer/{file}"):
        assert [under_a_path.ask(path).cache for _ in range(2)] == ["MISS", "HIT"]


def test_documents_have_addresses_with_the_path(under_a_path):
    body = under_a_path.ask(f"/maps{CAPABILITIES}").body.decode()

    assert f"{under_a_path.address}/maps/wms" in body
    assert f"{under_a_path.address}/wms" not in body


@pytest.mark.parametrize(("path", "readers"), [(f"/maps{TILE}", "*"), ("/maps/ogcapi/jobs/0a1b/results", None)])
def test_pages_may_not_read_errors_of_jobs_under_a_path_either(tmp_path, path, readers):
    further = [("server_name _;", "server_name _; rewrite ^/maps(/.*)$ $1;")]
    with reserved_port() as nobody:
        ours = f"127.0.0.1:{nobody.getsockname()[1]}"
        with nginx_before(ours, tmp_path, further=further) as address:
            answer = Cached(address, None, tmp_path / "answers").ask(path, Origin="https://elsewhere.example")

    assert (answer.status, answer.headers.get("access-control-allow-origin")) == (503, readers)


@pytest.mark.parametrize(
    "preference",
    [
        {"Accept_Language": "nl"},
        {"Accept": "text/html"},
        {"Accept": "text/csv, image/svg+xml"},
        {"Accept_Encoding": "gzip"},
        {"Origin": "https://elsewhere.example"},
        {"Range": "bytes=0-9"},
    ],
    ids=str,
)
def test_preference_of_one_client_does_not_change_the_answers_of_others(cached, preference):
    # Valid fractions are counted in the background, and are part of the list of times.
    until(lambda: b'"valid_shares_pending":0' in cached.ask(TIMES, **PAST_THE_CACHE).body)

    for document in [*DOCUMENTS, *NEWEST]:
        cached.ask(document, **preference)

        assert cached.ask(document).said == cached.ask(document, **PAST_THE_CACHE).said


def test_another_host_has_separate_documents(cached):
    other = cached.ask(CAPABILITIES, Host="evil.example")

    assert b"http://evil.example/" in other.body
    assert b"evil.example" not in cached.ask(CAPABILITIES).body


@pytest.mark.parametrize(
    ("path", "readers"),
    [
        *((TILE, "*"), ("/viewer/", "*"), ("/ogcapi/jobsheets", "*"), ("/ogcapi/jobs", None)),
        *(("/ogcapi/jobs?limit=9", None), ("/ogcapi/jobs/0a1b/results", None)),
    ],
)
def test_unavailable_server_is_an_error_that_pages_may_read_but_not_of_jobs(tmp_path, path, readers):
    with reserved_port() as nobody, nginx_before(f"127.0.0.1:{nobody.getsockname()[1]}", tmp_path) as address:
        answer = Cached(address, None, tmp_path / "answers").ask(path, Origin="https://elsewhere.example")

    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
    assert (answer.headers["cache-control"], answer.headers["retry-after"]) == ("no-store", "5")
    assert answer.headers.get("access-control-allow-origin") == readers


def test_the_file_names_every_header_that_is_tried():
    """It also names every header that the server reads."""
    lines = SHIPPED.read_text().splitlines()
    named = {line.split()[1].lower() for line in lines if line.strip().startswith("proxy_set_header")}

    assert {claim.lower() for claim in CLAIMS} <= named
    own = Path(forwarded.__file__).read_text().partition("class Forwarded")[2]
    read = {word for word in own.split('"') if word.startswith("x-") and " " not in word}
    assert "x-forwarded-host" in read
    assert read <= named


def test_each_answer_has_a_unique_id_even_from_the_cache(cached):
    ids = [cached.ask(f"{TILE}?datetime=2020-06-11", X_Request_Id="of-the-client").headers for _ in range(2)]

    assert ids[1]["x-cache-status"] == "HIT"
    assert all(re.fullmatch(r"[0-9a-f]{32}", each["x-request-id"]) for each in ids)
    assert ids[0]["x-request-id"] != ids[1]["x-request-id"]
