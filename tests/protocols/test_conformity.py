"""Our OpenAPI documents are true: schemathesis finds no undocumented answer.

`CHRONOTILE_CONFORMITY=300` sends more requests per operation.
"""

import os

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.protocols.conformity import document_of, findings_of, operations_of, refused_examples, tree_application
from tests.sampling import IS_FULL

EXAMPLES = int(os.environ.get("CHRONOTILE_CONFORMITY", "12" if IS_FULL else "3"))
SHARES = 6
PARAMETER = {"name": "count", "in": "query", "required": True, "schema": {"type": "integer"}, "example": 3}
ANSWER = {"description": "n", "content": {"application/json": {"schema": {"type": "integer", "maximum": 9}}}}
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "n", "version": "1"},
    "paths": {"/n": {"get": {"parameters": [PARAMETER], "responses": {"200": ANSWER}}}},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return tree_application(tmp_path_factory.mktemp("jobs"))


@pytest.mark.slow
@pytest.mark.every_case
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("document", ["/openapi.json", "/ogcapi/openapi"])
def test_answers_match_the_document(app, document, share):
    operations = operations_of(document_of(app, document))[share::SHARES]

    findings = {f"{each.method} {each.path}": findings_of(each, EXAMPLES).faults for each in operations}

    assert operations
    assert {name: faults for name, faults in findings.items() if faults} == {}


@pytest.mark.slow
def test_examples_of_ogcapi_are_answered(app):
    asked = operations_of(document_of(app, "/ogcapi/openapi"))
    # A job has no id before it exists, and no URL contains a posted body.
    operations = [each for each in asked if each.method == "get" and "{jobID}" not in each.path]

    assert [refused for each in operations for refused in refused_examples(each)] == []


def answering(respond):
    """An application of one operation, and its document."""
    routes = [Route("/n", respond), Route("/document", lambda _request: JSONResponse(DOCUMENT))]
    return Starlette(routes=routes)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (JSONResponse(3), 0),
        (JSONResponse(10), 1),
        (JSONResponse({}, 404), 1),
        (JSONResponse(3, headers={"content-type": "text/plain"}), 1),
        (JSONResponse(3, 500), 2),
    ],
    ids=["as told", "schema", "status", "type", "fault of the server"],
)
def test_undocumented_answers_are_found(answer, count):
    (operation,) = operations_of(document_of(answering(lambda _request: answer), "/document"))

    assert len(findings_of(operation, 3).faults) == count
