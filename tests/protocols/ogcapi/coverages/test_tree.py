"""Additions of coverages to the tree: true links, conformance and OpenAPI."""

import pytest

from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.coverages.block import CONFORMANCE
from chronotile.protocols.ogcapi.coverages.formats import FORMATS
from chronotile.protocols.ogcapi.coverages.params import OF_COVERAGE
from tests.protocols import served

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
OURS = ("coverage", "coverage-domainset", "coverage-rangetype", "schema")


def links_of(client, collection: str) -> list[dict[str, str]]:
    """Our links of a collection, in the order of `OURS`."""
    links = client.get(f"/ogcapi/collections/{collection}?f=json").json()["links"]
    return [link for rel in OURS for link in links if link["rel"] == f"{RELATIONS}/{rel}"]


@pytest.mark.checklist("coverages", "landing page", "the snapshot")
def test_each_coverage_links_to_its_formats_and_descriptions(tree):
    links = links_of(tree, "s2")

    base = "http://testserver/ogcapi/collections/s2"
    assert [link["href"] for link in links] == [
        *(f"{base}/coverage?f={name}" for name in ("GTiff", "NetCDF", "zarr", "json")),
        f"{base}/coverage/domainset",
        f"{base}/coverage/rangetype",
        f"{base}/schema",
    ]


def test_png_is_linked_if_it_needs_no_more_parameters(tree):
    formats = [link["type"] for link in links_of(tree, "HEIGHT") if link["rel"] == f"{RELATIONS}/coverage"]

    assert formats == list(FORMATS.values())


def test_json_is_linked_if_it_may_contain_the_whole(make_client):
    limits = served.Limits(max_series_values=2 * 4 * 400 * 300 - 1)
    client = make_client(served.make_services(*served.tree_collections(), limits=limits))

    formats = {each: [link["type"] for link in links_of(client, each)] for each in ("s2", "NDVI")}

    assert "application/prs.coverage+json" not in formats["s2"]
    assert "application/prs.coverage+json" in formats["NDVI"]


@pytest.mark.parametrize("collection", ["s2", "NDVI", "HEIGHT", "FAPAR", "DMP"])
def test_links_lead_to_their_stated_content(tree, collection):
    links = links_of(tree, collection)
    answers = [tree.get(link["href"]) for link in links]

    assert [answer.status_code for answer in answers] == [200] * len(links)
    assert [answer.headers["content-type"] for answer in answers] == [link["type"] for link in links]


def test_colours_have_no_links_to_values(tree):
    assert links_of(tree, "TRUE_COLOUR") == []


def test_conformance_has_our_classes(tree):
    assert set(CONFORMANCE) <= set(tree.get("/ogcapi/conformance?f=json").json()["conformsTo"])


def test_openapi_has_every_parameter(tree):
    paths = tree.get("/ogcapi/openapi?f=json").json()["paths"]
    parameters = paths["/collections/{collectionId}/coverage"]["get"]["parameters"]

    assert [each["name"] for each in parameters if each["in"] == "query"] == list(names_of(OF_COVERAGE))
    assert [each["name"] for each in parameters if each["in"] == "path"] == ["collectionId"]


def test_openapi_has_no_coverages_without_any(make_client):
    client = make_client(served.make_services(served.make_collection(served.make_composite())))
    paths = client.get("/ogcapi/openapi?f=json").json()["paths"]

    assert [path for path in paths if "coverage" in path or path.endswith("/schema")] == []


def test_examples_of_openapi_are_answered(tree):
    paths = tree.get("/ogcapi/openapi?f=json").json()["paths"]
    parameters = {each["name"]: each for each in paths["/collections/{collectionId}/coverage"]["get"]["parameters"]}
    examples = {name: each["example"] for name, each in parameters.items() if "example" in each}
    url = f"/ogcapi/collections/{examples.pop('collectionId')}/coverage"
    bbox = ",".join(str(edge) for edge in examples.pop("bbox"))

    assert tree.get(url, params={**examples, "bbox": bbox}).status_code == 200
    assert tree.get(url, params={"subset": parameters["subset"]["schema"]["example"]}).status_code == 200
