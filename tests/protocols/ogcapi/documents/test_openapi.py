"""The OpenAPI document of the tree is valid, complete and lists the collections."""

import re
from collections import Counter

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from starlette.routing import Route

from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS
from chronotile.protocols.ogcapi.documents.params import SELECTION
from tests.protocols import served

METHODS = ("get", "post", "delete")


@pytest.fixture
def document(tree):
    return tree.get("/ogcapi/openapi").json()


def operations(document):
    return {
        (path, method): entry[method]
        for path, entry in document["paths"].items()
        for method in METHODS
        if method in entry
    }


def parameters(document, path, method="get"):
    entry = document["paths"][path]
    return [*entry.get("parameters", ()), *entry[method].get("parameters", ())]


@pytest.mark.checklist("edr", "AT 4/5")
@pytest.mark.checklist("tiles", "A.23/A.24")
def test_the_document_is_valid_openapi_3_0(document):
    OpenAPIV30SpecValidator(document).validate()

    assert document["openapi"].startswith("3.0.")


@pytest.mark.parametrize("collections", [[served.make_composite()], []], ids=["composite", "NDVI"])
def test_document_is_valid_for_any_served_data(make_client, collections):
    services = served.make_services(served.make_collection(*collections))

    OpenAPIV30SpecValidator(make_client(services).get("/ogcapi/openapi").json()).validate()


@pytest.mark.checklist("maps", "A.22")
def test_every_path_of_the_tree_is_documented_with_its_methods(tree, document):
    routes = [each for each in tree.app.routes if isinstance(each, Route) and each.path.startswith("/ogcapi")]
    answered = {
        (re.sub(r":\w+\}", "}", route.path.removeprefix("/ogcapi")) or "/", method.lower())
        for route in routes
        for method in route.methods - {"HEAD"}
    }

    assert set(operations(document)) == {(path.replace("{setId}", "squares"), method) for path, method in answered}


def test_operations_have_unique_ids(document):
    counted = Counter(operation["operationId"] for operation in operations(document).values())

    assert [name for name, count in counted.items() if count > 1] == []


def test_the_server_is_the_tree_itself(tree, document):
    assert document["servers"] == [{"url": "http://testserver/ogcapi"}]
    assert tree.get(document["servers"][0]["url"]).status_code == 200


def test_collections_are_enumerated(document):
    (parameter,) = [each for each in parameters(document, "/collections/{collectionId}") if each["in"] == "path"]

    assert {"s2", "NDVI", "TRUE_COLOUR", "HEIGHT"} <= set(parameter["schema"]["enum"])


def test_many_collections_are_no_enumeration_but_an_example(make_client):
    layers = [served.make_layer(f"L{number}") for number in range(120)]
    client = make_client(served.make_services(served.make_collection(*layers)))

    (parameter, *_others) = parameters(client.get("/ogcapi/openapi").json(), "/collections/{collectionId}")

    assert "enum" not in parameter["schema"]
    assert parameter["example"] == "s2"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", names_of(DOCUMENT_PARAMETERS)),
        ("/conformance", names_of(DOCUMENT_PARAMETERS)),
        ("/collections", names_of((*SELECTION, *DOCUMENT_PARAMETERS))),
        ("/collections/{collectionId}", names_of(DOCUMENT_PARAMETERS)),
        ("/openapi", names_of(DOCUMENT_PARAMETERS)),
    ],
)
def test_every_parameter_of_a_document_is_documented(document, path, names):
    assert {each["name"] for each in parameters(document, path) if each["in"] == "query"} == set(names)


def test_every_refusal_is_a_problem(document):
    refusals = document["components"]["responses"]

    assert {"BadRequest", "NotFound", "NotAcceptable", "TooLarge", "Unavailable"} <= set(refusals)
    of_processes = {name for name, each in refusals.items() if "application/json" in each["content"]}
    assert of_processes == {name for name in refusals if name.startswith("Process")}
    assert all("application/problem+json" in each["content"] for each in refusals.values())


def test_page_lists_all_operations(tree, document):
    text = tree.get("/ogcapi/openapi", params={"f": "html"}).text

    names = [operation["operationId"] for operation in operations(document).values()]
    assert [name for name in names if f'id="{name}"' not in text] == []
