"""Executions: requests, synchronous results, jobs and refusals."""

import base64
import tempfile
import threading
from email import message_from_bytes
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.model.job import Result
from chronotile.core.turns import CLIENT
from chronotile.jobs.queue.service import JobService
from tests.protocols import served
from tests.protocols.ogcapi.processes.conftest import ECHO
from tests.running import PATIENCE_S

checklist = pytest.mark.checklist

BOX = {"bbox": [4.0, 50.0, 5.0, 51.0], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
BYTES = bytes(range(256))
BASE64 = base64.b64encode(BYTES).decode()
BY_REFERENCE = {"transmissionMode": "reference"}
CSV = b"time,value\n2020-06-01,1\n"


def parts_of(answer):
    """Return the parts of a multipart answer by id."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content)
    return {part["Content-ID"]: part for part in message.get_payload()}


def problem_of(answer, parameter):
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter
    return answer.json()["detail"]


INPUTS = [
    ({"string": "a"}, b"a", "text/plain;charset=utf-8"),
    ({"string": {"value": "a", "mediaType": "text/plain"}}, b"a", "text/plain;charset=utf-8"),
    ({"string": "é\n"}, "é\n".encode(), "text/plain;charset=utf-8"),
    ({"number": 3.5}, b"3.5", "application/json"),
    ({"number": {"value": 3}}, b"3", "application/json"),
    ({"array": [1, 2, 3]}, b"[1,2,3]", "application/json"),
    ({"object": {"value": {"a": 1}}}, b'{"a":1}', "application/json"),
    ({"object": {"value": {"a": 1}, "mediaType": "application/json"}}, b'{"a":1}', "application/json"),
    (
        {"object": {"type": "Point", "coordinates": [4, 50]}},
        b'{"type":"Point","coordinates":[4,50]}',
        "application/json",
    ),
    ({"bbox": BOX}, orjson.dumps(BOX), "application/json"),
    ({"binary": BASE64}, BYTES, "application/octet-stream"),
    (
        {"binary": {"value": BASE64, "encoding": "base64", "mediaType": "application/octet-stream"}},
        BYTES,
        "application/octet-stream",
    ),
    ({"mixed": 3}, b"3", "application/json"),
    ({"mixed": "three"}, b"three", "text/plain;charset=utf-8"),
]


@checklist("processes", "job creation", "sync results")
@pytest.mark.parametrize(("inputs", "content", "media_type"), INPUTS)
def test_one_value_comes_bare_with_its_own_media_type(ask, inputs, content, media_type):
    answer = ask({"inputs": inputs})

    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["content-type"] == media_type


@checklist("processes", "job creation", "async results")
@pytest.mark.parametrize(("inputs", "content", "media_type"), INPUTS)
def test_results_of_a_job_equal_those_of_a_synchronous_request(client, submitted, do_next, inputs, content, media_type):
    url = submitted({"inputs": inputs})
    do_next()

    answer = client.get(f"{url}/results")

    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == media_type


@checklist("processes", "job creation")
def test_a_job_is_accepted_with_its_absolute_address(ask, assert_valid):
    answer = ask({"inputs": {"string": "a"}}, prefer="respond-async")

    assert answer.status_code == 201
    assert_valid(answer.json(), "processes", "statusInfo")
    assert answer.headers["location"] == f"http://testserver/ogcapi/jobs/{answer.json()['jobID']}"
    assert answer.headers["preference-applied"] == "respond-async"


@pytest.fixture
def answer_of(ask, submitted, client, do_next):
    """Return a function of mode and body: `answer_of("sync", body)` executes and returns the answer of the results."""

    def answer(mode, body):
        if mode == "sync":
            return ask(body)
        url = submitted(body)
        do_next()
        return client.get(f"{url}/results")

    return answer


MODES = pytest.mark.parametrize("mode", ["sync", "async"])
STATISTICS = "/ogcapi/processes/zonal-statistics/execution"
TWO = {"string": "a", "number": 3}


@checklist("processes", "sync results", "async results")
@MODES
def test_several_values_come_in_parts(answer_of, mode):
    answer = answer_of(mode, {"inputs": {**TWO, "binary": BASE64}})

    assert answer.headers["content-type"].startswith("multipart/related; boundary=")
    parts = parts_of(answer)
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        "string": b"a",
        "number": b"3",
        "binary": BYTES,
    }
    assert parts["number"].get_content_type() == "application/json"


@checklist("processes", "sync results", "async results")
@MODES
def test_of_several_some_come_as_addresses(answer_of, client, mode):
    answer = answer_of(mode, {"inputs": TWO, "outputs": {"string": BY_REFERENCE, "number": {}}})

    parts = parts_of(answer)
    assert parts["number"].get_payload() == "3"
    assert parts["string"].get_payload().strip() == ""
    assert client.get(parts["string"]["Content-Location"]).text == "a"


@checklist("processes", "sync results", "async results")
@MODES
def test_outputs_by_reference_only_are_links(answer_of, client, mode):
    outputs = {"string": BY_REFERENCE, "number": BY_REFERENCE}

    answer = answer_of(mode, {"inputs": TWO, "outputs": outputs})

    assert (answer.status_code, answer.content) == (204, b"")
    links = {link.partition('title="')[2]: link[1:].partition(">")[0] for link in answer.headers["link"].split(", ")}
    assert client.get(links['string"']).text == "a"
    assert client.get(links['number"']).json() == 3


@checklist("processes", "sync results", "async results")
@MODES
def test_a_document_has_all_values(answer_of, assert_valid, mode):
    inputs = {**TWO, "object": {"value": {"a": 1}}, "bbox": BOX, "array": [1, 2], "binary": BASE64}

    document = answer_of(mode, {"inputs": inputs, "response": "document"}).json()

    assert_valid(document, "processes", "results")
    assert document == {
        **TWO,
        "object": {"value": {"a": 1}, "mediaType": "application/json"},
        "bbox": BOX,
        "array": [1, 2],
        "binary": {"value": BASE64, "mediaType": "application/octet-stream", "encoding": "base64"},
    }


@MODES
def test_document_has_links_if_requested(answer_of, client, mode):
    body = {"inputs": TWO, "outputs": {"string": BY_REFERENCE, "number": {}}, "response": "document"}

    document = answer_of(mode, body).json()

    assert document["number"] == 3
    assert client.get(document["string"]["href"]).text == "a"
    assert document["string"]["type"] == "text/plain;charset=utf-8"


@MODES
def test_only_requested_outputs_are_returned(answer_of, mode):
    assert answer_of(mode, {"inputs": TWO, "outputs": {"number": {}}}).text == "3"


def test_without_anything_to_give_nothing_comes(ask):
    assert ask({"inputs": {}}).status_code == 204
    assert ask({"response": "document"}).json() == {}


def test_a_request_that_waits_leaves_no_job_and_no_files(client, ask, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    ask({"inputs": {"string": "a"}})

    assert client.get("/ogcapi/jobs").json()["numberMatched"] == 0
    assert list(tmp_path.glob("chronotile-*/*")) == []


def test_read_only_server_reports_it_to_executions(ask, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))

    answer = ask({"inputs": {"string": "a"}})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "files of results cannot be written now; see the server's log"


REFUSED = [
    ({"inputs": {"number": 300}}, "inputs.number", "must be at most 100, got 300"),
    ({"inputs": {"number": "3"}}, "inputs.number", "must be a number, got '3'"),
    ({"inputs": {"array": [1, "b"]}}, "inputs.array[1]", "must be an integer, got 'b'"),
    ({"inputs": {"bbox": {"bbox": [1, 2, 3]}}}, "inputs.bbox.bbox", ""),
    ({"inputs": {"strin": "a"}}, "inputs.strin", "echo has no input 'strin'"),
    ({"inputs": {"binary": "no base64!"}}, "inputs.binary", "base64"),
    ({"inputs": {"string": {"href": "http://example.org/a.txt"}}}, "inputs.string.href", "does not fetch inputs"),
    ({"inputs": {"array": [1, {"href": "http://example.org/a"}]}}, "inputs.array[1].href", "does not fetch inputs"),
    ({"inputs": {"string": {"value": "a", "mediaType": "image/png"}}}, "inputs.string.mediaType", "text/plain"),
    ({"inputs": {"string": {"value": "a", "encoding": "base64"}}}, "inputs.string.encoding", "base64"),
    ({"inputs": []}, "inputs", "JSON object"),
    ({"inputs": {}, "outputs": {"other": {}}}, "outputs.other", "echo has no output 'other'"),
    ({"inputs": {}, "outputs": {"string": 1, "other": {}}}, "outputs.other", "echo has no output 'other'"),
    ({"inputs": {}, "outputs": {"string": {"transmissionMode": "post"}}}, "outputs.string.transmissionMode", "value"),
    (
        {"inputs": {}, "outputs": {"binary": {"format": {"mediaType": "image/png"}}}},
        "outputs.binary.format.mediaType",
        "application/octet-stream",
    ),
    (
        {"inputs": {}, "outputs": {"number": {"format": {"mediaType": "text/plain"}}}},
        "outputs.number.format.mediaType",
        "application/json",
    ),
    (
        {"inputs": {}, "outputs": {"string": {"format": {"mediaType": ["text/plain"]}}}},
        "outputs.string.format.mediaType",
        "must be text",
    ),
    (
        {"inputs": {}, "outputs": {"string": {"format": {"encoding": "utf-8"}}}},
        "outputs.string.format.encoding",
        "base64",
    ),
    ({"inputs": {}, "outputs": {"string": {"format": "text/plain"}}}, "outputs.string.format", "JSON object"),
    (
        {"inputs": {}, "outputs": {"string": {"transmissionmode": "value"}}},
        "outputs.string.transmissionmode",
        "use trans",
    ),
    ({"inputs": {}, "outputs": {"string": {"transmissionMode": 1}}}, "outputs.string.transmissionMode", "must be text"),
    ({"inputs": {}, "outputs": ["string"]}, "outputs", "JSON object"),
    ({"inputs": {}, "outputs": []}, "outputs", "JSON object"),
    ({"inputs": {}, "outputs": ""}, "outputs", "JSON object"),
    ({"inputs": None}, "inputs", "JSON object"),
    ({"inputs": {}, "response": "xml"}, "response", "raw, document"),
    ({"inputs": {}, "response": ["raw"]}, "response", "must be text"),
    ({"inputs": {}, "response": None}, "response", "must be text"),
    ({"Inputs": {"string": "a"}}, "Inputs", "use inputs"),
    ({"inputs": {}, "OUTPUTS": {}}, "OUTPUTS", "use outputs"),
    ({"inputs": {"String": "a"}}, "inputs.String", "it has pause, string"),
    ({"inputs": {}, "subscriber": {"successUri": "https://example.org/"}}, "subscriber", "does not notify subscribers"),
    ({"input": {}}, "input", "use inputs"),
    ({"string": "a"}, "string", 'belongs in the member inputs: {"inputs": {"string": …}}'),
    ({"inputs": {"number": 3}, "string": "a"}, "string", "belongs in the member inputs"),
]


@pytest.mark.quick_cases("-sync")
@checklist("processes", "job creation")
@pytest.mark.parametrize("prefer", [None, "respond-async"], ids=["sync", "async"])
@pytest.mark.parametrize(("body", "parameter", "words"), REFUSED)
def test_wrong_inputs_are_refused_at_submission_with_their_path(ask, client, body, parameter, words, prefer):
    answer = ask(body, prefer=prefer)

    assert words in problem_of(answer, parameter)
    assert client.get("/ogcapi/jobs").json()["numberMatched"] == 0


@pytest.mark.parametrize("content", [b"{", b"[]", b"NaN", b'{"inputs": {"string": "a"}} x', b"\xff"])
def test_a_body_that_is_no_object_is_refused(client, content):
    problem_of(client.post(ECHO, content=content), "body")


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/xml"]
)
def test_a_body_of_another_media_type_is_refused_with_the_accepted_one(client, media_type):
    answer = client.post(ECHO, content=b"string=a", headers={"Content-Type": media_type})

    problem = answer.json()
    assert (answer.status_code, problem["parameter"]) == (415, "body")
    assert problem["detail"].endswith(f"its Content-Type is {media_type!r}, accepted is application/json")


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json; charset=utf-8"}, {}], ids=["JSON", "none"])
def test_invalid_json_is_400(client, headers):
    assert "Content-Type" not in problem_of(client.post(ECHO, content=b"{", headers=headers), "body")


def test_json_is_accepted_with_any_media_type(client):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert client.post(ECHO, content=b'{"inputs": {"string": "a"}}', headers=form).text == "a"


def test_a_body_that_is_too_large_is_not_read(make_client):
    client = make_client(served.make_services(limits=served.Limits(max_body_bytes=100)))

    assert client.post(ECHO, json={"inputs": {"string": "a" * 200}}).status_code == 413


def test_an_unknown_process_cannot_be_executed(client):
    answer = client.post("/ogcapi/processes/nothing/execution", json={"inputs": {}})

    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/no-such-process")


def test_too_long_execution_names_the_way_to_a_job(ask, client):
    body = {"inputs": {"pause": 60, "string": "a"}, "outputs": {"string": BY_REFERENCE}, "response": "document"}

    answer = ask(body)

    assert answer.status_code == 400
    assert answer.json()["type"] == "limit-exceeded"
    assert "Prefer: respond-async" in answer.json()["alternative"]
    job = answer.json()["job"]
    assert (job["inputs"], job["note"]) == ({}, "post the same body")
    assert client.post(job["href"], json=body, headers={"Prefer": "respond-async"}).status_code == 201


@pytest.mark.parametrize(
    ("prefer", "status", "applied"),
    [
        ("respond-async", 201, "respond-async"),
        ("Respond-Async; foo=bar", 201, "respond-async"),
        ('handling=lenient, respond-async, foo="a, b"', 201, "respond-async"),
        ("respond-async, wait=5", 200, "wait=5"),
        ("wait=5", 200, None),
        ("respond-sync", 200, None),
        ('foo="respond-async"', 200, None),
        ("respond-async, wait=never", 201, "respond-async"),
        ("", 200, None),
    ],
)
def test_preferences_are_read_as_rfc_7240_has_them(ask, prefer, status, applied):
    answer = ask({"inputs": {"string": "a"}}, prefer=prefer)

    assert answer.status_code == status
    assert answer.headers.get("preference-applied") == applied


def test_preferences_may_stand_in_several_headers(client):
    headers = [("Prefer", "handling=strict"), ("Prefer", "respond-async")]

    assert client.post(ECHO, json={"inputs": {}}, headers=headers).status_code == 201


@pytest.mark.parametrize(("pause", "wait"), [(9, 5), (21, 60)], ids=["the client", "a request"])
def test_execution_beyond_the_wait_of_the_client_becomes_a_job(ask, pause, wait):
    assert ask({"inputs": {"pause": pause}}, prefer=f"respond-async, wait={wait}").status_code == 201


@checklist("processes", "job exception")
def test_results_that_are_not_there_yet_are_a_problem_of_its_type(client, submitted, assert_valid):
    answer = client.get(f"{submitted({'inputs': {'string': 'a'}})}/results")

    assert answer.status_code == 404
    assert_valid(answer.json(), "processes", "exception")
    assert answer.json()["type"].endswith("/ogcapi-processes-1/1.0/result-not-ready")


def test_missing_results_are_reported_with_the_progress(client, submitted, desk):
    url = submitted({"inputs": {"string": "a"}})
    desk.table.heartbeat.report_alive("test")
    desk.table.claim("test", lease_s=60)
    running = client.get(f"{url}/results").json()["detail"]
    id_ = url.rpartition("/")[2]
    desk.table.report_progress(id_, "test", progress=50, message="1 of 2 tasks")
    half = client.get(f"{url}/results").json()["detail"]
    desk.table.release(id_, "test", message="waits: its worker was stopped")
    waiting = client.get(f"{url}/results").json()["detail"]

    assert running == "the job has no results yet; it is running (is being prepared)"
    assert half == "the job has no results yet; it is running (1 of 2 tasks)"
    assert waiting == "the job has no results yet; it is accepted (waits: its worker was stopped)"


@checklist("processes", "job exception")
def test_failed_job_returns_its_reason_instead_of_results(client, submitted, fail_next):
    url = submitted({"inputs": {"string": "a"}})
    fail_next()

    answer = client.get(f"{url}/results")
    (link,) = [each for each in client.get(url).json()["links"] if each["rel"].endswith("/exceptions")]

    assert (answer.status_code, answer.json()["detail"]) == (503, "the file is gone")
    assert link["href"] == f"{url}/results"


def test_a_job_is_dismissed(client, submitted, desk, assert_valid):
    url = submitted({"inputs": {"string": "a"}})

    answer = client.delete(url)

    assert answer.status_code == 200
    assert_valid(answer.json(), "processes", "statusInfo")
    assert answer.json()["status"] == client.get(url).json()["status"] == "dismissed"
    assert client.get(f"{url}/results").json()["type"].endswith("/result-not-ready")
    assert desk.table.claim("test", lease_s=60) is None


def test_a_job_that_has_ended_is_removed_with_its_files(client, submitted, desk, end_with, assert_valid):
    url = submitted({"inputs": {"string": "a"}})
    job = end_with({"string": Result(file="a.csv", media_type="text/csv")}, files={"a.csv": CSV})

    answer = client.delete(url)

    assert answer.status_code == 200
    assert_valid(answer.json(), "processes", "statusInfo")
    assert answer.json()["status"] == "dismissed"
    assert client.get(url).status_code == client.delete(url).status_code == 404
    assert not desk.result_files(job).folder.parent.exists()


@pytest.fixture
def with_file(client, submitted, end_with):
    """Return a function: `with_file(body)` returns the URL of a job with a file as result `string`."""

    def end(body):
        url = submitted({"inputs": {"string": "a"}, **body})
        end_with({"string": Result(file="series.csv", media_type="text/csv")}, files={"series.csv": CSV})
        return url

    return end


def test_file_is_returned_unchanged(client, with_file):
    answer = client.get(f"{with_file({})}/results", headers={"accept-encoding": "identity"})

    assert answer.content == CSV
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="series.csv"'
    assert answer.headers["content-length"] == str(len(CSV))


def test_range_of_a_file_can_be_requested(client, with_file):
    answer = client.get(f"{with_file({})}/results/string", headers={"range": "bytes=5-9"})

    assert (answer.status_code, answer.content) == (206, CSV[5:10])


def test_a_document_links_to_files(client, with_file):
    document = client.get(f"{with_file({'response': 'document'})}/results").json()

    assert document["string"]["type"] == "text/csv"
    assert client.get(document["string"]["href"]).content == CSV


def test_document_has_files_as_base64_if_requested(client, with_file):
    outputs = {"string": {"transmissionMode": "value"}}

    document = client.get(f"{with_file({'response': 'document', 'outputs': outputs})}/results").json()

    assert base64.b64decode(document["string"]["value"]) == CSV
    assert document["string"]["mediaType"] == "text/csv"


@pytest.mark.parametrize("name", ["../../other/results/a.csv", "/etc/passwd", "..", "", "folder/a.csv", "link.csv"])
def test_results_cannot_leave_their_folder(client, submitted, end_with, desk, tmp_path, name):
    url = submitted({"inputs": {"string": "a"}})
    (tmp_path / "secret.csv").write_bytes(b"secret")
    job = end_with({"string": Result(file=name, media_type="text/csv")}, files={})
    (desk.result_files(job).folder / "link.csv").symlink_to(tmp_path / "secret.csv")

    answer = client.get(f"{url}/results/string")

    assert answer.status_code == 503
    assert answer.json()["detail"] == "the file of this result is gone"


@pytest.mark.parametrize("output", ["number", "..%2F..%2Fjobs.sqlite", "series.csv"])
def test_results_have_the_names_of_outputs_alone(client, with_file, output):
    assert client.get(f"{with_file({})}/results/{output}").status_code == 404


@pytest.fixture
def without_jobs(tmp_path):
    """Client of a server whose job folder cannot be created, because a file has its path."""
    (tmp_path / "file").write_bytes(b"")
    app = application(served.make_services(), ServerOptions(jobs=JobService(tmp_path / "file", archive="a")))
    with TestClient(app, raise_server_exceptions=False) as one:
        yield one


def test_processes_run_synchronously_if_jobs_cannot_be_stored(without_jobs):
    assert without_jobs.get("/ogcapi/processes/echo").status_code == 200
    assert without_jobs.post(ECHO, json={"inputs": {"string": "a"}}).text == "a"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"inputs": {"string": "a"}}, {"Prefer": "respond-async"}),
        ({"inputs": {"string": "a"}, "outputs": {"string": BY_REFERENCE}}, {}),
    ],
    ids=["job", "reference"],
)
def test_reason_why_jobs_cannot_be_stored_is_reported_without_a_path(without_jobs, tmp_path, body, headers):
    answer = without_jobs.post(ECHO, json=body, headers=headers)

    assert answer.status_code == without_jobs.get("/ogcapi/jobs").status_code == 503
    assert answer.json()["detail"] == "no jobs can be stored now: their folder cannot be written"
    assert str(tmp_path) not in answer.text


def test_more_open_jobs_than_allowed_are_refused(tmp_path):
    with TestClient(
        application(served.make_services(), ServerOptions(jobs=JobService(tmp_path, max_open=1, archive="a")))
    ) as client:
        statuses = [client.post(ECHO, json={}, headers={"Prefer": "respond-async"}).status_code for _ in range(2)]

    assert statuses == [201, 503]


async def hold_as_test_client(limiter, hung):
    CLIENT.set("testclient")  # another client's request would make room for itself
    return await limiter.run(hung.wait)


def test_executions_above_the_limit_are_refused(client, ask):
    limiter, hung = client.app.state.chronotile.limiters.executions, threading.Event()
    limiter.max_waiting = 2
    held = [
        client.portal.start_task_soon(hold_as_test_client, limiter, hung)
        for _ in range(limiter.threads + limiter.max_waiting)
    ]

    answer = ask({"inputs": {"string": "a"}})
    hung.set()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert [each.result(PATIENCE_S) for each in held] == [True] * len(held)


@pytest.fixture
def plans_that_hang(client):
    """Occupy all threads that plan executions."""
    limiter, hung = client.app.state.chronotile.limiters.plans, threading.Event()
    limiter.max_waiting = 2
    held = [
        client.portal.start_task_soon(hold_as_test_client, limiter, hung)
        for _ in range(limiter.threads + limiter.max_waiting)
    ]
    yield
    hung.set()
    assert [each.result(PATIENCE_S) for each in held] == [True] * len(held)


def test_executions_above_the_limit_of_plans_are_refused(plans_that_hang, ask):
    assert [ask({}).status_code, ask({}, prefer="respond-async").status_code] == [503, 503]


def test_jobs_are_listed_while_others_are_planned(client, plans_that_hang):
    assert client.get("/ogcapi/jobs").json()["jobs"] == []


def test_a_server_without_a_folder_keeps_no_jobs():
    with TestClient(application(served.make_services())) as client:
        answer = client.get("/ogcapi/jobs")

    assert (answer.status_code, answer.json()["detail"].partition(";")[0]) == (503, "this server does not run jobs")


def test_folders_of_jobs_are_created_for_the_first_job(tmp_path):
    folder = Path(tmp_path / "deep" / "jobs")
    with TestClient(application(served.make_services(), ServerOptions(jobs=JobService(folder, archive="a")))) as client:
        client.post(ECHO, json={"inputs": {}})
        assert not folder.exists()
        assert client.get("/ogcapi/jobs").json()["jobs"] == []


def test_no_outputs_in_particular_are_all(ask):
    assert ask({"inputs": {"string": "a"}, "outputs": {}}).text == "a"
    assert ask({"inputs": {"string": "a"}, "outputs": None}).text == "a"


AREAS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "field",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[[4.6, 50.8], [4.61, 50.8], [4.61, 50.81], [4.6, 50.8]]]},
        }
    ],
}


def execute_statistics(client, **more):
    body = {"inputs": {"layer": "NDVI", "places": AREAS}, **more}
    return client.post(STATISTICS, json=body)


def test_a_process_that_writes_a_file_gives_it_to_who_waits(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    answer = execute_statistics(client)

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[1].startswith("field,")
    assert list(tmp_path.glob("chronotile-*/*")) == []


def test_a_file_that_is_made_while_a_client_waits_is_linked_in_its_document(client):
    document = execute_statistics(client, response="document").json()

    (link,) = document.values()
    assert client.get(link["href"]).content == execute_statistics(client).content


def test_unknown_names_are_refused_with_the_path_of_the_input(client):
    body = {"inputs": {"layer": "NOTHING", "places": AREAS}}

    answer = client.post(STATISTICS, json=body)

    assert answer.status_code == 404
    assert answer.json()["parameter"] == "inputs.layer"


@pytest.mark.parametrize(
    ("media_type", "name"),
    [("text/csv", "csv"), ("application/geo+json", "geojson"), ("Text/CSV; header=present", "csv")],
)
def test_file_has_the_requested_media_type_of_its_output(client, media_type, name):
    inputs = {"layer": "NDVI", "places": AREAS}
    outputs = {"statistics": {"format": {"mediaType": media_type}}}

    answer = client.post(STATISTICS, json={"inputs": inputs, "outputs": outputs})

    assert answer.content == client.post(STATISTICS, json={"inputs": {**inputs, "format": name}}).content


def test_media_type_other_than_that_of_the_format_is_refused(client):
    inputs = {"layer": "NDVI", "places": AREAS, "format": "csv"}
    outputs = {"statistics": {"format": {"mediaType": "application/geo+json"}}}

    answer = client.post(STATISTICS, json={"inputs": inputs, "outputs": outputs})

    assert "inputs.format" in problem_of(answer, "outputs.statistics.format.mediaType")


def test_a_job_that_is_removed_is_linked_no_more(client, submitted, do_next):
    url = submitted({"inputs": {"string": "a"}})
    do_next()

    links = client.delete(url).json()["links"]

    assert [link["rel"] for link in links] == ["up", "related"]
    assert [client.get(link["href"]).status_code for link in links] == [200, 200]
