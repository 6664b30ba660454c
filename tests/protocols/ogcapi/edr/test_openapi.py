"""Data queries in the OpenAPI document, in the form that OGC's suite expects."""

import pytest

from tests.protocols import served

checklist = pytest.mark.checklist
COLLECTION = "/collections/{collectionId}"
SHARED = {"datetime", "parameter-name", "crs", "z", "f"}
DATA_PARAMETERS = SHARED | {"dialect", "date"}
OPERATIONS = {
    "position": ("GetDataForPoint", {"coords"}, DATA_PARAMETERS),
    "area": ("GetDataForArea", {"coords"}, DATA_PARAMETERS),
    "cube": ("GetDataForCube", {"bbox"}, DATA_PARAMETERS | {"resolution-x", "resolution-y"}),
    "radius": ("GetDataForRadius", {"coords", "within", "within-units"}, DATA_PARAMETERS),
    "locations": ("ListCollectionDataLocations", set(), SHARED | {"bbox", "limit", "offset"}),
    "locations/{locationId}": ("GetCollectionDataForLocation", set(), DATA_PARAMETERS),
    "items": ("ListDataItems", set(), SHARED | {"bbox", "limit", "offset"}),
    "items/{itemId}": ("GetDataForItem", set(), {"f"}),
}


@pytest.fixture
def document(tree):
    return tree.get("/ogcapi/openapi").json()


def parameters(document, path):
    found = document["paths"][f"{COLLECTION}/{path}"]["get"]["parameters"]
    return {each["name"]: each for each in found if each["in"] == "query"}


@checklist("edr", "parameter definitions")
@pytest.mark.parametrize(("path", "expected"), OPERATIONS.items(), ids=OPERATIONS)
def test_operations_have_the_parameters_of_the_standard(document, path, expected):
    operation = document["paths"][f"{COLLECTION}/{path}"]["get"]
    found = parameters(document, path)

    name, required, optional = expected
    assert operation["operationId"] == name
    assert {each for each, parameter in found.items() if parameter["required"]} == required
    assert set(found) == required | optional


@checklist("edr", "parameter definitions")
@pytest.mark.parametrize("path", OPERATIONS)
def test_parameters_document_their_notation(document, path):
    found = parameters(document, path)

    assert {(each["style"], each["explode"]) for each in found.values()} == {("form", False)}


@checklist("edr", "parameter definitions")
@pytest.mark.parametrize("path", ["position", "area", "radius"])
def test_places_are_texts(document, path):
    assert parameters(document, path)["coords"]["schema"]["type"] == "string"


@checklist("edr", "parameter definitions")
@pytest.mark.parametrize("path", ["cube", "items", "locations"])
def test_boxes_are_four_to_six_numbers(document, path):
    schema = parameters(document, path)["bbox"]["schema"]

    assert schema == {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}


@checklist("edr", "parameter definitions")
@pytest.mark.parametrize("path", ["items", "locations"])
def test_limits_have_the_most_that_counts(document, path):
    schema = parameters(document, path)["limit"]["schema"]

    assert schema == {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}


def filled(document, path):
    """The address of the examples of an operation."""
    operation = document["paths"][f"{COLLECTION}/{path}"]["get"]
    given = {each["name"]: each["example"] for each in operation["parameters"] if "example" in each}
    examples = {name: ",".join(map(str, each)) if isinstance(each, list) else str(each) for name, each in given.items()}
    address = f"/ogcapi{COLLECTION}/{path}".format(**{name.replace("-", "_"): text for name, text in examples.items()})
    return address, {name: text for name, text in examples.items() if name in parameters(document, path)}


@pytest.mark.parametrize("path", OPERATIONS)
def test_examples_are_answered_with_something(tree, document, path):
    address, query = filled(document, path)

    answer = tree.get(address, params=query)

    assert answer.status_code == 200
    assert "2020-06-21T00:00:00Z" in answer.text or "items" in path


def test_collections_with_values_are_listed(document):
    (name,) = (
        each for each in document["paths"][f"{COLLECTION}/area"]["get"]["parameters"] if each["name"] == "collectionId"
    )

    assert {"s2", "NDVI", "DMP"} <= set(name["schema"]["enum"])
    assert "TRUE_COLOUR" not in name["schema"]["enum"]


def test_without_values_there_are_no_queries(make_client):
    client = make_client(served.make_services(served.make_collection(served.make_composite())))

    assert [path for path in client.get("/ogcapi/openapi").json()["paths"] if path.endswith("/position")] == []
