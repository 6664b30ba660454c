"""Inputs by reference: fetched only from allowed locations, within limits, and checked like values."""

import orjson
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.errors import ConfigurationError, LimitExceeded
from chronotile.core.web.fetch import Fetched
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.queue.service import JobService
from chronotile.protocols.common.processes import references
from chronotile.protocols.common.processes.references import MAX_REFERENCES, Reference, replace_references
from tests.listener import Answer
from tests.protocols import served
from tests.protocols.ogcapi.processes.test_execution import AREAS, BYTES, execute_statistics, problem_of

checklist = pytest.mark.checklist

JSON = {"Content-Type": "application/json"}
MOST_BYTES = 10_000


@pytest.fixture
def client(web, tmp_path):
    """Client of a server that may read below `/in/` of `web`."""
    web.answers = {
        "/in/number.json": Answer(body=b"3", headers=JSON),
        "/in/object.json": Answer(body=b'\xef\xbb\xbf{"a":1}', headers=JSON),
        "/in/text": Answer(body="é\n".encode(), headers={"Content-Type": "text/plain; charset=utf-8"}),
        "/in/bytes": Answer(body=BYTES, headers={"Content-Type": "image/tiff"}),
        "/in/areas": Answer(body=orjson.dumps(AREAS), headers={"Content-Type": "text/plain"}),
        "/in/%C3%A9.json": Answer(body=b"4", headers=JSON),
        "/in/elsewhere": Answer(302, headers={"Location": "/in/number.json"}),
        "/in/broken": Answer(500),
        "/in/long": Answer(body=b"1" * (MOST_BYTES + 1), headers=JSON),
        "/in/half": Answer(body=b'"%s"' % (b"a" * (MOST_BYTES // 2)), headers=JSON),
        "/secret/number.json": Answer(body=b"3", headers=JSON),
    }
    services = served.make_services(limits=served.Limits(max_body_bytes=MOST_BYTES))
    app = application(
        services, ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a"), input_prefixes=[f"{web.url}/in/"])
    )
    with TestClient(app, raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def by_reference(ask, web):
    """Return a function: `by_reference("number", "/in/number.json", type=…)` returns the answer of echo."""

    def execute(name, path, *, prefer=None, **members):
        return ask({"inputs": {name: {"href": f"{web.url}{path}", **members}}}, prefer=prefer)

    return execute


@pytest.mark.slow
@checklist("processes", "job creation")
@pytest.mark.parametrize(
    ("name", "path", "members", "content"),
    [
        ("number", "/in/number.json", {}, b"3"),
        ("number", "/in/number.json", {"type": "application/json", "rel": "item", "title": "a number"}, b"3"),
        ("number", "/in/%C3%A9.json", {}, b"4"),
        ("object", "/in/object.json", {"type": "application/json"}, b'{"a":1}'),
        ("string", "/in/text", {}, "é\n".encode()),
        ("string", "/in/number.json", {"type": "text/plain"}, b"3"),
        ("binary", "/in/bytes", {"type": "image/tiff; application=geotiff"}, BYTES),
        ("binary", "/in/bytes", {}, BYTES),
    ],
)
def test_input_is_fetched_from_its_url(by_reference, name, path, members, content):
    answer = by_reference(name, path, **members)

    assert (answer.status_code, answer.content) == (200, content)


@pytest.mark.slow
def test_several_come_in_their_places(ask, web):
    here = {"href": f"{web.url}/in/number.json"}

    assert ask({"inputs": {"array": [1, here, 2, here]}}).json() == [1, 3, 2, 3]


@pytest.mark.slow
def test_media_type_of_the_client_overrides_that_of_the_server(client, web):
    areas = {"href": f"{web.url}/in/areas", "type": "application/geo+json"}

    answer = client.post(
        "/ogcapi/processes/zonal-statistics/execution", json={"inputs": {"layer": "NDVI", "places": areas}}
    )

    assert answer.content == execute_statistics(client).content


@pytest.mark.slow
def test_job_has_the_value_at_the_time_of_its_submission(by_reference, web, client):
    url = by_reference("number", "/in/number.json", prefer="respond-async").headers["location"]
    web.answers.clear()

    execution = client.app.state.chronotile.jobs.table.execution(url.rpartition("/")[2])

    assert execution.inputs == {"number": 3}
    assert web.paths() == ["/in/number.json"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    [
        *("{url}/secret/number.json", "{url}/in/../secret/number.json", "{url}/in/%2e%2e/secret/number.json"),
        *("{url}/in-not/number.json", "{url}/in/number.json?a=1", "{url}/in/number.json#a", "{user}/in/number.json"),
        *("http://127.0.0.1:1/in/number.json", "https://example.org/in/number.json", "file:///etc/passwd"),
        *("//example.org/in", ""),
    ],
)
def test_other_hosts_get_no_request(ask, web, address):
    href = address.format(url=web.url, user=web.url.replace("//", "//me:secret@"))

    answer = ask({"inputs": {"number": {"href": href}}})

    problem_of(answer, "inputs.number.href")
    assert web.asked == []


@pytest.mark.slow
def test_nothing_is_requested_if_one_url_is_refused(ask, web):
    answer = ask(
        {"inputs": {"array": [{"href": f"{web.url}/in/number.json"}, {"href": f"{web.url}/secret/number.json"}]}}
    )

    problem_of(answer, "inputs.array[1].href")
    assert web.asked == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "members", "parameter", "words"),
    [
        ("/in/absent", {}, "inputs.number.href", "404 Not Found"),
        ("/in/elsewhere", {}, "inputs.number.href", "redirects are not followed"),
        ("/in/text", {"type": "application/json"}, "inputs.number.href", "inputs.number.href gives is not valid JSON"),
        ("/in/bytes", {"type": "text/plain"}, "inputs.number.href", "is not UTF-8 text"),
        ("/in/bytes", {}, "inputs.number.href", "inputs.number.href gives is not valid JSON"),
        ("/in/number.json", {"type": "image/png"}, "inputs.number.mediaType", "'image/png' is not accepted"),
        ("/in/object.json", {}, "inputs.number", "must be a number, got an object"),
        ("/in/long", {}, "inputs.number.href", "max_body_bytes: at most 10000, 10001 requested"),
    ],
)
def test_url_with_an_invalid_value_is_refused(by_reference, web, path, members, parameter, words):
    answer = by_reference("number", path, **members)

    assert words in problem_of(answer, parameter)
    assert web.paths() == [path]


@pytest.mark.slow
def test_all_together_are_bounded(ask, web):
    half = {"href": f"{web.url}/in/half"}

    assert ask({"inputs": {"string": half}}).status_code == 200
    assert "max_body_bytes" in problem_of(ask({"inputs": {"string": half, "mixed": half}}), "inputs.mixed.href")


def test_number_of_containers_of_references_is_bounded(monkeypatch):
    most = 100_000
    monkeypatch.setattr(references, "MAX_CONTAINERS", most)
    many, one = Fetched(body=b'"%s"' % (b"[" * most), media_type=""), Fetched(body=b"[]", media_type="")
    two = [Reference(name=name, index=None, url="", media_type=None) for name in ("string", "mixed")]
    assert replace_references(process_of("echo"), {}, two[:1], [many])["string"]["value"] == "[" * most

    with pytest.raises(LimitExceeded, match="max_containers") as caught:
        replace_references(process_of("echo"), {}, two, [many, one])

    assert caught.value.locator == "inputs.mixed.href"


@pytest.mark.slow
def test_too_deep_input_is_refused(by_reference, web):
    web.answers["/in/deep"] = Answer(body=b"[" * 1000 + b"]" * 1000, headers=JSON)

    assert "nested lists and objects" in problem_of(by_reference("object", "/in/deep"), "inputs.object.href")


@pytest.mark.slow
def test_more_than_some_are_refused_before_any_is_fetched(ask, web):
    answer = ask({"inputs": {"array": [{"href": f"{web.url}/in/number.json"}] * (MAX_REFERENCES + 1)}})

    assert f"at most {MAX_REFERENCES} inputs by reference" in problem_of(answer, f"inputs.array[{MAX_REFERENCES}].href")
    assert web.asked == []


@pytest.mark.slow
def test_a_place_that_fails_is_503(by_reference):
    answer = by_reference("number", "/in/broken")

    assert (answer.status_code, answer.json()["parameter"]) == (503, "inputs.number.href")
    assert answer.headers["cache-control"] == "no-store"
    assert "retry-after" in answer.headers


@pytest.mark.slow
def test_an_input_that_the_process_does_not_have_is_not_fetched(by_reference, web):
    assert "has no input" in problem_of(by_reference("other", "/in/number.json"), "inputs.other")
    assert web.asked == []


@pytest.mark.parametrize("prefix", ["nowhere", "s3://bucket/a", "/folder", "https://a b/", "https://me@example.org/"])
def test_invalid_prefix_is_a_mistake(prefix):
    with pytest.raises(ConfigurationError, match="INPUT_PREFIXES"):
        application(served.make_services(), ServerOptions(input_prefixes=[prefix]))
