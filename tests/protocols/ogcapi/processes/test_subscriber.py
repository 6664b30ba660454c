"""Subscribers are notified of their jobs if the operator allows their addresses."""

from functools import partial

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.job import Result
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.job_outbox import JobOutbox
from chronotile.jobs.queue.notifier import Notifier
from chronotile.jobs.queue.outbox import CallbackQueue
from chronotile.protocols.ogcapi.processes.subscriber import message_of
from tests.listener import Answer
from tests.protocols import served
from tests.protocols.ogcapi.processes.conftest import ECHO
from tests.protocols.ogcapi.processes.test_documents import CONF
from tests.protocols.ogcapi.processes.test_execution import problem_of

checklist = pytest.mark.checklist

PATHS = {"successUri": "/jobs/done", "inProgressUri": "/jobs/going", "failedUri": "/jobs/failed"}
CSV = b"time,value\n2020-06-01,1\n"


@pytest.fixture
def make_client(web, desk, at_end):
    """Return a function that makes a client; its server may notify subscribers below `/jobs/` of `web`."""
    web.answers = {path: Answer(200) for path in PATHS.values()}

    def make(services=None):
        app = application(
            services or served.make_services(), ServerOptions(jobs=desk, subscriber_prefixes=[f"{web.url}/jobs"])
        )
        return at_end.enter_context(TestClient(app, raise_server_exceptions=False))

    return make


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def subscriber(web):
    """The member `subscriber` with all three URLs."""
    return {name: f"{web.url}{path}" for name, path in PATHS.items()}


@pytest.fixture
def tell(desk, tmp_path):
    """Return a function that sends all pending notifications, like workers."""
    engine = open_engine(None, tmp_path / "jobs")
    write = partial(message_of, catalogue=served.make_services().catalogue, folder=tmp_path / "jobs")

    def tell_all():
        teller = Notifier(JobOutbox(desk.table, CallbackQueue(engine, archive="a"), write=write))
        return sum(iter(teller.send_next, False))

    yield tell_all
    engine.dispose()


@pytest.mark.slow
@checklist("processes", "job creation")
def test_subscriber_gets_the_start_of_a_job_and_its_results(ask, subscriber, do_next, desk, tell, web, client):
    body = {"inputs": {"string": "a", "number": 3}, "subscriber": subscriber}
    url = ask(body, prefer="respond-async").headers["location"]
    assert tell() == 0
    do_next()

    assert tell() == 1

    (asked,) = web.asked
    assert (asked.method, asked.path, asked.headers["content-type"]) == ("POST", "/jobs/done", "application/json")
    assert asked.headers["link"] == f'<{url}>; rel="monitor"; type="application/json"'
    assert asked.document == {"string": "a", "number": 3}


@pytest.mark.slow
def test_subscriber_gets_the_progress_of_a_job(ask, subscriber, desk, tell, web, client):
    url = ask({"inputs": {}, "subscriber": subscriber}, prefer="respond-async").headers["location"]
    desk.table.heartbeat.report_alive("test")
    desk.table.claim("test", lease_s=60)

    assert tell() == 1

    (asked,) = web.asked
    assert (asked.path, asked.document) == ("/jobs/going", client.get(url).json())
    assert asked.document["status"] == "running"


@pytest.mark.slow
@checklist("processes", "job creation")
def test_messages_match_the_schemas(ask, subscriber, do_next, desk, tell, web, assert_valid):
    body = {"inputs": {"string": "a", "number": 3}, "subscriber": subscriber}
    assert_valid({"subscriber": {**subscriber, "successUrl": subscriber["successUri"]}}, "processes", "execute")
    ask(body, prefer="respond-async")
    ask(body, prefer="respond-async")
    do_next()
    desk.table.claim("test", lease_s=60)

    assert tell() == 2

    told = {asked.path: asked.document for asked in web.asked}
    assert_valid(told["/jobs/done"], "processes", "results")
    assert_valid(told["/jobs/going"], "processes", "statusInfo")


@pytest.mark.slow
def test_subscriber_gets_the_failure_of_a_job(ask, subscriber, fail_next, tell, web, client):
    url = ask({"inputs": {}, "subscriber": subscriber}, prefer="respond-async").headers["location"]
    fail_next()

    assert tell() == 1

    (asked,) = web.asked
    assert (asked.path, asked.document) == ("/jobs/failed", client.get(url).json())
    assert (asked.document["status"], asked.document["message"]) == ("failed", "the file is gone")


@pytest.mark.slow
def test_subscriber_gets_files_as_links_in_any_case(ask, subscriber, end_with, tell, web, client):
    body = {"inputs": {"string": "a"}, "outputs": {"string": {"transmissionMode": "value"}}, "response": "raw"}
    ask({**body, "subscriber": subscriber}, prefer="respond-async")
    end_with({"string": Result(file="a.csv", media_type="text/csv")}, files={"a.csv": CSV})

    assert tell() == 1

    (asked,) = web.asked
    link = asked.document["string"]
    assert (link["type"], client.get(link["href"]).content) == ("text/csv", CSV)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "headers", "base"),
    [
        ("https://maps.example.org/tiles", {}, "https://maps.example.org/tiles"),
        (None, {"host": "other.example.org:8080"}, "http://other.example.org:8080"),
    ],
    ids=["configured", "as it was asked for"],
)
def test_links_lead_to_the_public_address_of_the_server(make_client, subscriber, desk, tell, web, url, headers, base):
    client = make_client(
        served.make_services(service=served.ServiceInfo(url=url, hosts=(served.TEST_HOST, "other.example.org")))
    )
    body = {"inputs": {}, "subscriber": subscriber}
    job = client.post(ECHO, json=body, headers={**headers, "Prefer": "respond-async"}).json()["jobID"]
    desk.table.claim("test", lease_s=60)

    tell()

    assert web.asked[0].headers["link"].startswith(f"<{base}/ogcapi/jobs/{job}>")
    assert web.asked[0].document["links"][0]["href"] == f"{base}/ogcapi/jobs/{job}?f=json"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/jobs/", "/jobs/me/", "/jobs/%C3%A9"])
def test_url_is_requested_in_its_spelling(ask, web, desk, tell, path, client):
    ask({"inputs": {}, "subscriber": {"inProgressUri": f"{web.url}{path}"}}, prefer="respond-async")
    desk.table.claim("test", lease_s=60)

    tell()

    assert web.paths() == [path]


@pytest.mark.slow
def test_message_without_a_url_is_not_sent(ask, subscriber, do_next, tell, web):
    ask({"inputs": {}, "subscriber": {"failedUri": subscriber["failedUri"]}}, prefer="respond-async")
    ask({"inputs": {}, "subscriber": {}}, prefer="respond-async")
    do_next()
    do_next()

    assert (tell(), web.asked) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("members", [["successUrl"], ["successUrl", "successUri"]], ids=len)
def test_subscriber_with_the_published_schema_is_notified_once(ask, subscriber, do_next, tell, web, members):
    told = dict.fromkeys(members, subscriber["successUri"])
    assert ask({"inputs": {}, "subscriber": told}, prefer="respond-async").status_code == 201
    do_next()

    assert (tell(), web.paths()) == (1, ["/jobs/done"])


@pytest.mark.slow
def test_subscriber_turns_an_immediate_execution_into_a_job(ask, subscriber):
    answer = ask({"inputs": {"string": "a"}, "subscriber": subscriber}, prefer="respond-async, wait=10")

    assert (answer.status_code, answer.headers["preference-applied"]) == (201, "respond-async")


@pytest.mark.slow
def test_subscriber_without_a_job_is_refused(ask, subscriber, client):
    answer = ask({"inputs": {"string": "a"}, "subscriber": subscriber})

    assert "Prefer: respond-async" in problem_of(answer, "subscriber")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("successUri", "{url}/other/done"),
        ("successUri", "{url}/jobs/../other"),
        ("successUri", "{url}/jobs-not/done"),
        ("successUri", "{url}/jobs/done?a=1"),
        ("inProgressUri", "{user}/jobs/going"),
        ("failedUri", "https://example.org/"),
        ("failedUri", "http://169.254.169.254/jobs/"),
        ("failedUri", "{url}/jobs//failed"),
        ("failedUri", "{url}/jobs/" + "a" * 2000),
        ("failedUri", "mailto:me@example.org"),
        ("failedUri", ""),
        ("failedUri", 3),
    ],
)
def test_other_addresses_are_refused_with_their_path(ask, client, web, subscriber, name, address):
    if isinstance(address, str):
        address = address.format(url=web.url, user=web.url.replace("//", "//me:secret@"))

    answer = ask({"inputs": {}, "subscriber": {**subscriber, name: address}}, prefer="respond-async")

    problem_of(answer, f"subscriber.{name}")
    assert client.get("/ogcapi/jobs").json()["numberMatched"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("subscriber", ["https://example.org/", ["https://example.org/"]])
def test_invalid_subscriber_is_refused(ask, subscriber):
    problem_of(ask({"inputs": {}, "subscriber": subscriber}, prefer="respond-async"), "subscriber")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("sucessUri", "successUri"),
        ("successuri", "successUri"),
        ("SuccessURL", "successUrl"),
        ("progressUri", "inProgressUri"),
        ("url", "successUri, inProgressUri, failedUri"),
        ("x" * 10_000, "successUri, inProgressUri, failedUri"),
    ],
    ids=lambda text: text[:20],
)
def test_unknown_members_of_a_subscriber_are_refused(ask, client, subscriber, name, use):
    answer = ask({"inputs": {}, "subscriber": {name: subscriber["successUri"]}}, prefer="respond-async")

    assert problem_of(answer, f"subscriber.{name[:60]}").endswith(f"is not a member here; use {use}")
    assert client.get("/ogcapi/jobs").json()["numberMatched"] == 0


@pytest.mark.slow
def test_conformance_class_is_claimed_if_subscribers_are_notified(client):
    assert f"{CONF}/callback" in client.get("/ogcapi/conformance").json()["conformsTo"]


@pytest.mark.parametrize("prefix", ["nowhere", "127.0.0.1:80", "s3://bucket/a", "ftp://example.org/", "https://a b/"])
def test_invalid_prefix_is_a_mistake(prefix):
    words = "^CHRONOTILE_SUBSCRIBER_PREFIXES: .* is not a valid prefix .*; accepted are https:// and http:// URLs$"
    with pytest.raises(ConfigurationError, match=words):
        application(served.make_services(), ServerOptions(subscriber_prefixes=[prefix]))
