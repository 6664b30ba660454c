"""Every example of the OpenAPI document has the documented answer from a small demo archive."""

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from chronotile.protocols.common.operations_page import example_address
from tests.running import until


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    plan = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
    settings = Settings(config=make_demo(tmp_path_factory.mktemp("demo"), plan=plan))
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        until(lambda: client.get("/stac/collections/biopar/items").json().get("numberMatched") == 36)
        yield client


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def operations(document):
    """Return operations, except those that need a token, products or files, which the demo lacks."""
    listed = [each for each in all_operations(document) if "security" not in each[2]]
    listed = [each for each in listed if "application/geopackage+sqlite3" not in str(each[2].get("requestBody"))]
    return [each for each in listed if "/products/{" not in each[0] and "/Products({id})" not in each[0]]


def all_operations(document):
    return [(path, method, each) for path, entry in document["paths"].items() for method, each in entry.items()]


def ask(client, path, method, operation, **given):
    """Return the answer to an operation with its examples, some replaced by `given`."""
    replaced = [{**each, "example": given.get(each["name"], each.get("example"))} for each in operation["parameters"]]
    parameters = [each for each in replaced if each["example"] is not None]
    posted = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return client.request(method, example_address(path, {"parameters": parameters}), json=posted)


@pytest.mark.slow
def test_examples_are_answered(client, document):
    refused = {
        f"{method} {path}": answer.text[:200]
        for path, method, operation in operations(document)
        if (answer := ask(client, path, method, operation)).status_code != 200
    }

    assert refused == {}


@pytest.mark.slow
def test_request_without_its_token_is_refused_as_documented(client, document):
    restricted = [each for each in all_operations(document) if "security" in each[2]]
    answers = {(path, method): ask(client, path, method, operation) for path, method, operation in restricted}

    stac = "/stac/collections/{collection}/items"
    assert {(path, method) for path, method, _ in restricted} == {
        ("/layers/{layer}/items", "post"),
        ("/layers/{layer}/items/{item}", "delete"),
        (stac, "post"),
        *((f"{stac}/{{item}}", method) for method in ("put", "patch", "delete")),
    }
    assert {answer.status_code for answer in answers.values()} == {403}
    assert all("CHRONOTILE_WRITE_TOKEN" in answer.json()["detail"] for answer in answers.values())
    assert all("403" in operation["responses"] for _, _, operation in restricted)


@pytest.mark.slow
def test_answers_have_a_documented_type(client, document):
    types = {
        f"{method} {path}": ask(client, path, method, operation).headers["content-type"].partition(";")[0]
        for path, method, operation in operations(document)
    }
    told = {
        f"{method} {path}": {media_type.partition(";")[0] for media_type in operation["responses"]["200"]["content"]}
        for path, method, operation in operations(document)
    }

    assert {name: found for name, found in types.items() if found not in told[name]} == {}


@pytest.mark.slow
def test_json_answers_match_their_schema(client, document):
    answers = {
        (path, method): (operation["responses"]["200"]["content"]["application/json"]["schema"], answer.json())
        for path, method, operation in operations(document)
        if (answer := ask(client, path, method, operation)).headers["content-type"] == "application/json"
    }
    mistakes = {
        name: [error.message for error in validator(schema, document).iter_errors(answer)]
        for name, (schema, answer) in answers.items()
    }

    assert len(answers) > 15
    assert {name: found for name, found in mistakes.items() if found} == {}


def validator(schema, document):
    return Draft202012Validator({**schema, "components": document["components"]})


CHOICES = ("format", "extension", "lang", "f", "inclStDev", "inclCount", "reducer", "weights", "dry_run")
"""Parameters that mean something by themselves."""


def choices(document):
    return [
        (path, method, operation, parameter["name"], word)
        for path, method, operation in operations(document)
        for parameter in operation["parameters"]
        if parameter["name"] in CHOICES
        for word in parameter["schema"].get("enum", ())
    ]


@pytest.mark.slow
def test_documented_values_are_accepted(client, document):
    refused = {
        f"{path} {name}={word}": answer.text[:200]
        for path, method, operation, name, word in choices(document)
        if (answer := ask(client, path, method, operation, **{name: word})).status_code != 200
    }

    assert refused == {}
