"""Requests and the configuration of docs/reference/ogc-api.md work unchanged with a small demo archive."""

import re
from pathlib import Path

import pytest
import yaml
from pygeoapi.plugin import load_plugin

from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS
from chronotile.protocols.ogcapi.documents.params import SELECTION

pytestmark = pytest.mark.every_case

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "ogc-api.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^GET (\S+)$", PAGE, re.MULTILINE)
RESOURCES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("request_line", REQUESTS)
def test_requests_of_the_page_are_answered(demo, request_line):
    assert demo.get(request_line).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("query", ["bbox=4.3,50.9,4.5,51.1", "datetime=2023-06-01/..", "limit=3"])
def test_queries_of_the_page_find_something(demo, query):
    assert demo.get(f"/ogcapi/collections?{query}").json()["numberReturned"] > 0


@pytest.mark.slow
def test_relations_of_the_page_are_those_of_a_collection(demo):
    relations = {link["rel"] for link in demo.get("/ogcapi/collections/NDVI").json()["links"]}

    named = {relation.rpartition("/")[2] for relation in relations}
    assert [name for name in named if f"`{name}`" not in PAGE and f"/{name}`" not in PAGE] == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3), ids=["coverage", "edr", "map"])
def test_providers_of_the_page_have_the_field(demo_configuration, number):
    (text,) = RESOURCES
    providers = yaml.safe_load(text.replace("data/demo/demo.yaml", str(demo_configuration)))["resources"]["ndvi"][
        "providers"
    ]

    provider = load_plugin("provider", providers[number])

    assert set(provider.fields) == {"NDVI"}


def test_the_page_has_every_parameter():
    assert [name for name in names_of((*SELECTION, *DOCUMENT_PARAMETERS)) if f"`{name}" not in PAGE] == []
