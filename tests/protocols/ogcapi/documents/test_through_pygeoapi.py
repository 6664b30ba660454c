"""Documents that pygeoapi makes of our collections through our providers equal documents of the tree."""

import logging
import subprocess
import sys

import pytest

from chronotile.catalog.offered import offered_collection
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext
from chronotile.protocols.ogcapi.documents.through_pygeoapi import pygeoapi_collections

UNLOADED = """
import sys
from starlette.testclient import TestClient
from chronotile.app.application import application
from chronotile.catalog.catalogue import Catalogue, ServiceInfo
from chronotile.pipeline.services import Services
print([name for name in sys.modules if name.partition(".")[0] == "pygeoapi"])
"""


@pytest.fixture
def said(tree_services):
    """Return a function: `said("NDVI")` returns pygeoapi's description of a collection."""
    told = DocumentContext(catalogue=tree_services.catalogue, root="http://testserver", language="en")
    telling = CollectionContext(services=tree_services, document=told, has_viewer=False)

    def describe(name):
        return next(pygeoapi_collections(telling, [offered_collection(tree_services.catalogue, name)]))

    return describe


@pytest.mark.parametrize("name", ["s2", "NDVI", "HEIGHT", "FAPAR", "world", "TRUE_COLOUR"])
def test_box_and_identity_are_the_same(tree, said, name):
    ours, theirs = tree.get(f"/ogcapi/collections/{name}").json(), said(name)

    assert (theirs["id"], theirs["title"], theirs["keywords"]) == (ours["id"], ours["title"], ours["keywords"])
    assert theirs["extent"]["spatial"]["bbox"] == ours["extent"]["spatial"]["bbox"]


@pytest.mark.parametrize("name", ["s2", "NDVI", "FAPAR"])
def test_fields_are_the_same(tree, said, name):
    ours, theirs = tree.get(f"/ogcapi/collections/{name}").json(), said(name)

    assert set(theirs["parameter_names"]) == set(ours["parameter_names"])


def test_a_composite_is_a_map_alone(said):
    document = said("TRUE_COLOUR")

    assert "parameter_names" not in document
    assert "http://www.opengis.net/def/rel/ogc/1.0/map" in {link["rel"] for link in document["links"]}


@pytest.mark.slow
def test_pygeoapi_is_not_imported_before_a_document_is_requested():
    found = subprocess.run([sys.executable, "-c", UNLOADED], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_pygeoapi_leaves_logging_unchanged(tree):
    root = logging.getLogger()
    before = (root.level, list(root.handlers))

    tree.get("/ogcapi/collections")

    assert (root.level, root.handlers) == before
