"""Access to jobs: programs, and pages of the server and of configured origins, under the server's host names."""

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.jobs.queue.service import JobService
from chronotile.protocols.common.processes import running
from chronotile.protocols.common.processes.running import run_now
from tests.protocols import served

PLACES = "/ogcapi/processes/zonal-statistics/execution"
RING = [[4.6, 50.8], [4.61, 50.8], [4.61, 50.81], [4.6, 50.8]]
ECHO = "/ogcapi/processes/echo/execution"
BODY = {"inputs": {"string": "a"}}
AS_JOB = {"Prefer": "respond-async"}
KEPT = {**BODY, "outputs": {"string": {"transmissionMode": "reference"}}}
ALLOWED = "https://maps.example.org"
HOSTS = ("testserver", "veg.example.org")
OTHER = "https://evil.example"
NGINX = Path(__file__).parents[4] / "deploy" / "nginx.conf"
_LINES = re.findall(r"^ *proxy_set_header ([\w-]+)", NGINX.read_text(), re.MULTILINE)
OF_PROXIES = sorted({name.lower() for name in _LINES} - {"connection", "cookie", "host", "x-request-id"})
"""Headers that the shipped nginx overwrites, except the id of the request; no page can add a cookie."""


@pytest.fixture
def client(desk):
    """Client of a server with a configured origin and host."""
    service = served.ServiceInfo(url="https://public.example.org/veg", hosts=HOSTS, origins=(ALLOWED,))
    app = application(served.make_services(service=service), ServerOptions(jobs=desk, trusted_proxies=["10.0.0.1"]))
    with TestClient(app, raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def job(client):
    """URL of a job."""
    return client.post(ECHO, json=BODY, headers=AS_JOB).headers["location"]


def create(client, headers):
    return client.post(ECHO, json=BODY, headers={**AS_JOB, **headers})


def keep(client, headers):
    return client.post(ECHO, json=KEPT, headers=headers)


def about(method, path=""):
    def ask(client, headers):
        job = client.post(ECHO, json=BODY, headers=AS_JOB).json()["jobID"]
        return client.request(method, f"/ogcapi/jobs/{job}{path}", headers=headers)

    return ask


def listed(client, headers):
    return client.get("/ogcapi/jobs", headers=headers)


USES = [
    pytest.param(create, id="create"),
    pytest.param(keep, id="keep"),
    pytest.param(listed, id="list"),
    pytest.param(about("GET"), id="read"),
    pytest.param(about("DELETE"), id="delete"),
    pytest.param(about("GET", "/results"), id="results"),
    pytest.param(about("GET", "/results/string"), id="result"),
]


@pytest.mark.quick_cases("-read")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "origin",
    [
        *(OTHER, "null", "https://maps.example.org:8443", "http://testserver:81", "https://testserver.evil.example"),
        *("http://evil@testserver", "http://testserver/evil", "http://testserver?a", "http://testserver#a"),
    ],
)
def test_pages_of_other_origins_may_not(client, use, origin):
    answer = use(client, {"Origin": origin})

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == "Origin"
    assert "service: {origins: […]}" in answer.json()["detail"]
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"].split(", ") == ["Accept", "Origin"]


@pytest.mark.quick_cases("-read")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil", "a:99999"]
)
def test_request_with_another_host_name_is_refused(client, use, host):
    answer = use(client, {"Host": host})

    assert answer.status_code == 403
    assert answer.json()["parameter"] == "Host"
    assert "service: {hosts: […]}" in answer.json()["detail"]


def test_a_job_that_was_refused_is_not_there(client, desk):
    create(client, {"Origin": OTHER})
    create(client, {"Host": "evil.example"})
    keep(client, {"Origin": OTHER})

    assert desk.jobs(user=None) == ((), 0)


def test_a_job_is_not_deleted_from_elsewhere(client, job, desk):
    client.delete(job.replace("https://public.example.org/veg", ""), headers={"Origin": OTHER})

    [found], _count = desk.jobs(user=None)
    assert found.status == "accepted"


FIELD = {"type": "Feature", "id": "a", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [RING]}}
STATISTICS = {"inputs": {"layer": "NDVI", "places": {"type": "FeatureCollection", "features": [FIELD]}}}
BY_REFERENCE = {"outputs": {"statistics": {"transmissionMode": "reference"}}}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(BY_REFERENCE, id="by reference"),
        pytest.param({"response": "document"}, id="a file in a document"),
        pytest.param({"response": "document", "outputs": {"statistics": {}}}, id="a named file in a document"),
        pytest.param({"response": "document", "outputs": {"statistics": {"transmissionMode": "value"}}}, id="in it"),
        pytest.param({}, id="raw"),
    ],
)
def test_execution_refused_to_other_origins_is_not_run(client, monkeypatch, asked):
    done = []
    monkeypatch.setattr(running, "run_now", lambda *args, **kwargs: done.append(1) or run_now(*args, **kwargs))

    answer = client.post(PLACES, json={**STATISTICS, **asked}, headers={"Origin": OTHER})

    assert (answer.status_code, done) == (403, [])
    assert client.post(PLACES, json={**STATISTICS, **asked}).status_code in {200, 204}


@pytest.mark.quick_cases("-read")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="a program"),
        pytest.param({"Origin": ALLOWED}, id="a configured origin"),
        pytest.param({"Origin": "http://testserver"}, id="its own"),
        pytest.param({"Origin": "https://testserver"}, id="its own, behind a proxy that ends TLS"),
        pytest.param({"Origin": "https://public.example.org"}, id="the public address"),
        pytest.param({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, id="localhost"),
        pytest.param({"Host": "192.0.2.7:8000", "Origin": "http://192.0.2.7:8000"}, id="an IP address"),
        pytest.param({"Host": "[::1]:8000", "Origin": "http://[::1]:8000"}, id="an IPv6 address"),
        pytest.param({"Host": "VEG.example.org:8000"}, id="a configured host"),
        pytest.param({"Host": "public.example.org"}, id="the public host"),
    ],
)
def test_these_may(client, use, headers):
    assert use(client, headers).status_code in {200, 201, 204, 404}  # results do not exist yet


def test_pages_behind_a_trusted_proxy_are_its_own(desk):
    app = application(
        served.make_services(service=served.ServiceInfo(hosts=HOSTS)), ServerOptions(jobs=desk, trusted_proxies=["*"])
    )
    backend = {"Host": "127.0.0.1:8000"}
    forwarded = {**backend, "X-Forwarded-Host": "veg.example.org", "X-Forwarded-Proto": "https"}

    with TestClient(app) as client:
        own = create(client, {**forwarded, "Origin": "https://veg.example.org"})
        without_tls = create(client, {**forwarded, "Origin": "http://veg.example.org"})
        not_forwarded = create(client, {**backend, "Origin": "https://veg.example.org"})

    assert (own.status_code, without_tls.status_code, not_forwarded.status_code) == (201, 403, 403)


@pytest.fixture
def local(desk):
    """Client that poses as a trusted proxy, as a page in a browser on the server's machine could by default."""
    services = served.make_services(service=served.ServiceInfo(hosts=HOSTS))
    app = application(services, ServerOptions(jobs=desk, trusted_proxies=["127.0.0.1"]))
    with TestClient(app, client=("127.0.0.1", 5000), raise_server_exceptions=False) as one:
        yield one


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("forwarded", ["127.0.0.1", "localhost:8000", "veg.example.org"])
def test_page_under_another_host_name_is_refused_even_with_forwarded_headers(local, use, forwarded):
    answer = use(local, {"Host": "evil.example:8000", "X-Forwarded-Host": forwarded})

    assert (answer.status_code, answer.json()["parameter"]) == (403, "Host")
    assert "evil.example:8000" in answer.json()["detail"]


@pytest.mark.quick_cases("-read")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("host", "forwarded"),
    [
        ("localhost:8000", "203.0.113.5"),
        ("localhost:8000", "localhost:3000"),
        ("127.0.0.1:8000", "localhost"),
        ("127.0.0.1", "127.0.0.2"),
    ],
)
def test_no_page_becomes_the_servers_own_by_forwarding_its_host(local, use, host, forwarded):
    answer = use(local, {"Host": host, "Origin": f"http://{forwarded}", "X-Forwarded-Host": forwarded})

    assert (answer.status_code, answer.json()["parameter"]) == (403, "Origin")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.quick_cases("-read")
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("host", "forwarded"),
    [
        pytest.param("192.0.2.7:8080", "192.0.2.7:8080", id="Host is passed on"),
        pytest.param("192.0.2.7", "192.0.2.7:8080", id="without its port"),
        pytest.param("Veg.example.org", "veg.example.org", id="in other letters"),
        pytest.param("127.0.0.1:8000", "veg.example.org:8080", id="it is replaced, the forwarded one is configured"),
    ],
)
def test_the_servers_own_pages_may_behind_these_proxies(local, use, host, forwarded):
    answer = use(local, {"Host": host, "Origin": f"http://{forwarded}", "X-Forwarded-Host": forwarded})

    assert answer.status_code in {200, 201, 204, 404}


def test_every_host_that_a_request_names_is_checked(client):
    hosts = [("Host", "localhost"), ("Host", "evil.example")]

    assert client.get("/ogcapi/jobs", headers=hosts).status_code == 403


def test_allowed_pages_may_read_answers(client):
    answer = create(client, {"Origin": ALLOWED})

    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert "Location" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]


def test_answers_to_programs_vary_by_origin_too(client):
    answer = client.get("/ogcapi/jobs")

    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Accept, Accept-Language, Origin"


def preflight(client, path, origin, method):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "prefer"}
    return client.options(path, headers=asked).headers


@pytest.mark.parametrize("path", ["/ogcapi/jobs", "/ogcapi/jobs/a", "/ogcapi/jobs/a/results/b"])
def test_only_allowed_pages_may_send_preflighted_requests(client, path):
    allowed, other = preflight(client, path, ALLOWED, "DELETE"), preflight(client, path, OTHER, "DELETE")

    assert allowed["access-control-allow-origin"] == ALLOWED
    assert "DELETE" in allowed["access-control-allow-methods"]
    assert allowed["vary"] == other["vary"] == "Origin"
    assert not [name for name in other if name.startswith("access-control-")]


def allowed_headers(client, path, origin, asked):
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return client.options(path, headers={**headers, **asked}).headers.get("access-control-allow-headers")


@pytest.mark.parametrize(
    ("path", "origin"),
    [(ECHO, OTHER), ("/tiles/NDVI/WebMercatorQuad/0/0/0.png", OTHER), ("/", OTHER), ("/ogcapi/jobs", ALLOWED)],
)
def test_no_page_may_send_the_headers_of_proxies(client, path, origin):
    """With `X-Forwarded-For` a page could choose the address that quotas count."""
    assert len(OF_PROXIES) > 20
    for name in [*OF_PROXIES, *map(str.title, OF_PROXIES), "x-forwarded-anything"]:
        asked = {"Access-Control-Request-Headers": f"content-type,{name} , prefer"}
        assert allowed_headers(client, path, origin, asked) == "content-type, prefer"
        assert allowed_headers(client, path, origin, {"Access-Control-Request-Headers": name}) is None


def test_preflight_without_headers_allows_none(client):
    """Browsers remember `*` for other requests, with any headers."""
    assert allowed_headers(client, ECHO, OTHER, {}) is None


@pytest.mark.parametrize(
    "headers", [{"Origin": OTHER}, {"Host": "evil.example"}, {"Origin": OTHER, "Host": "evil.example"}]
)
def test_other_requests_are_open_to_all_pages(client, headers):
    listed = client.get("/ogcapi/processes", headers=headers)
    before = preflight(client, ECHO, OTHER, "POST")

    assert listed.status_code == 200
    assert listed.headers["access-control-allow-origin"] == "*"
    assert (before["access-control-allow-origin"], before["access-control-allow-headers"]) == ("*", "prefer")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "maps.example.net"}, 200),  # a program may use any host name
        ({"Origin": ALLOWED}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": OTHER}, 403),
        ({"Origin": "null", "Content-Type": "text/plain"}, 403),  # needs no preflight
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 403),  # a name that leads to this server
    ],
)
def test_a_page_that_may_not_use_jobs_runs_no_process_while_it_waits(client, headers, status):
    answer = client.post(ECHO, content=json.dumps(BODY), headers={"Content-Type": "application/json", **headers})

    assert answer.status_code == status
    assert status == 200 or answer.json()["parameter"] in {"Origin", "Host"}


@pytest.fixture
def submitted_from(tmp_path):
    """Return a function: `submitted_from(["192.0.2.1", …], trusted_proxies=…)` lists the status of each submission.

    Each address is a separate client with at most one open job; an address after a slash is in the proxy's header.
    """

    def submit(clients, trusted_proxies=()):
        services, statuses = served.make_services(), []
        for each in clients:
            peer, _, forwarded = each.partition("/")
            headers = {"X-Forwarded-For": forwarded} if forwarded else {}
            desk = JobService(tmp_path / "jobs", archive="a", max_open=1)
            app = application(services, ServerOptions(jobs=desk, trusted_proxies=trusted_proxies))
            with TestClient(app, client=(peer, 5000)) as client:
                statuses.append(create(client, headers).status_code)
        return statuses

    return submit


@pytest.mark.parametrize(
    ("clients", "statuses"),
    [
        pytest.param(["192.0.2.1", "192.0.2.1", "192.0.2.2"], [201, 503, 201], id="by address"),
        pytest.param(["::ffff:192.0.2.1", "192.0.2.1"], [201, 503], id="mapped"),
        pytest.param(["2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1"], [201, 503, 201], id="by IPv6 network"),
        pytest.param(["192.0.2.1/198.51.100.1", "192.0.2.1/198.51.100.2"], [201, 503], id="a proxy not trusted"),
    ],
)
def test_a_client_has_its_own_quota(submitted_from, clients, statuses):
    assert submitted_from(clients) == statuses


def test_the_client_of_a_trusted_proxy_has_its_own_quota(submitted_from):
    clients = [
        *("10.0.0.1/198.51.100.1", "10.0.0.1/198.51.100.1", "10.0.0.1/198.51.100.2", "10.0.0.1/9.9.9.9, 198.51.100.2"),
    ]

    assert submitted_from(clients, trusted_proxies=["10.0.0.1"]) == [201, 503, 201, 503]
