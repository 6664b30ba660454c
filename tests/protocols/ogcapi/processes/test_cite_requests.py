"""Execute echo like OGC's suite: it builds requests from the process description and reads the answers."""

import pytest

from tests.protocols.ogcapi.processes.conftest import ECHO

checklist = pytest.mark.checklist

JSON = {"Accept": "application/json"}
TEXT = "teststring"
"""The suite sends this text to every text input without format or media type, and searches it in results."""
WRONG = {"type": "wrong/type_0"}


def alternatives(schema):
    return [schema, *schema.get("oneOf", ())]


def suites_value(schema):
    """Return the suite's value for an input; `None` if the suite omits the input."""
    found = None
    for each in alternatives(schema):
        if each.get("type") == "string" and not {"format", "contentMediaType"} & set(each):
            found = TEXT
        elif each.get("type") == "object":
            is_box = "bbox" in each.get("properties", {})
            found = {"crs": "urn:ogc:def:crs:EPSG:6.6:4326", "bbox": [345345345] * 4} if is_box else {"value": TEXT}
    return found


@pytest.fixture
def described(client):
    """The description of echo."""
    return client.get("/ogcapi/processes/echo", headers=JSON).json()


@pytest.fixture
def inputs(described):
    """Return the inputs that the suite sends."""
    values = {name: suites_value(told["schema"]) for name, told in described["inputs"].items()}
    return {name: value for name, value in values.items() if value is not None}


@pytest.fixture
def outputs(described):
    """Return the outputs that the suite requests."""
    return {name: {"transmissionMode": "value"} for name in described["outputs"]}


@checklist("processes", "job creation")
@pytest.mark.parametrize("response", ["raw", "document"])
def test_inputs_of_the_suite_are_accepted(client, inputs, outputs, response):
    answer = client.post(ECHO, json={"inputs": inputs, "outputs": outputs, "response": response}, headers=JSON)

    assert {"string", "object", "bbox", "mixed"} <= set(inputs)
    assert (answer.status_code, answer.text.count(TEXT)) == (200, 3)


@checklist("processes", "job creation")
def test_an_object_may_be_the_text_that_the_suite_sends_as_its_value(client, inputs):
    told = client.post(ECHO, json={"inputs": {**inputs, "object": {"value": TEXT}}, "response": "document"})
    bare = client.post(ECHO, json={"inputs": {**inputs, "object": TEXT}, "response": "document"})

    assert told.json() == bare.json()
    assert told.json()["object"] == TEXT


@checklist("processes", "job creation")
def test_job_of_the_suite_leads_to_its_first_output(client, inputs, do_next):
    first = next(iter(inputs))
    body = {"inputs": inputs, "outputs": {first: {"transmissionMode": "value"}}, "response": "raw"}

    answer = client.post(ECHO, json=body, headers={**JSON, "Prefer": "respond-async"})
    do_next()

    assert answer.status_code == 201
    assert client.get(f"{answer.headers['location']}/results").text == TEXT


@checklist("processes", "job creation")
def test_a_value_of_a_wrong_kind_is_an_exception_in_json(client, described, inputs, assert_valid):
    typed = [name for name, told in described["inputs"].items() if "contentMediaType" in told["schema"]]

    answer = client.post(ECHO, json={"inputs": {**inputs, **dict.fromkeys(typed, WRONG)}}, headers=JSON)

    assert typed == ["binary"]
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert_valid(answer.json(), "processes", "exception")


@checklist("processes", "job exception")
def test_a_body_without_any_member_of_an_execution_is_refused(client):
    answer = client.post(ECHO, json={"invalid-execute-request": "true)"}, headers=JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["parameter"] == "invalid-execute-request"
    assert "inputs, outputs, response, subscriber" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [{}, {"inputs": {"string": TEXT}, "mode": "auto", "id": "echo"}], ids=["empty", "more"]
)
def test_an_empty_body_and_members_of_others_do_no_harm(client, body):
    assert client.post(ECHO, json=body).status_code < 300


def links_of(client, url, rel):
    return [link["href"] for link in client.get(url, headers=JSON).json()["links"] if link["rel"] == rel]


@checklist("processes", "job job")
def test_unfinished_job_links_to_its_status(client, submitted, desk, do_next):
    url = submitted({"inputs": {"string": TEXT}})
    accepted = links_of(client, url, "monitor")
    running_url = submitted({"inputs": {"string": TEXT}})
    do_next()
    desk.table.claim("test", lease_s=60)
    running = links_of(client, running_url, "monitor")

    assert [client.get(href).json()["status"] for href in (*accepted, *running)] == ["successful", "running"]
    assert links_of(client, url, "monitor") == []


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", "application/json"),
        ("text/html;q=0.5, Application/JSON", "application/json"),
        ("application/json, application/problem+json", "application/problem+json"),
        ("application/json;q=0, text/html", "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("application/*", "application/problem+json"),
    ],
)
@pytest.mark.parametrize("path", ["processes/nothing", "jobs/nothing", "jobs/nothing/results"])
def test_problems_are_json_for_clients_that_name_it_alone(client, accept, media_type, path):
    answer = client.get(f"/ogcapi/{path}", headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (404, media_type)
    assert "Accept" in answer.headers["vary"]
    assert answer.json()["type"].startswith("http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-")


@checklist("processes", "job exception")
def test_why_a_job_failed_is_json_for_clients_that_name_it_alone(client, submitted, fail_next, assert_valid):
    url = submitted({"inputs": {"string": TEXT}})
    fail_next()

    answer = client.get(f"{url}/results", headers=JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
    assert_valid(answer.json(), "processes", "exception")
