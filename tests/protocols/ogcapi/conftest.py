"""What tests of OGC API share: services of every kind of coverage, and OGC's JSON schemas."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from chronotile.pipeline.services import Services
from tests.places import make_places
from tests.protocols import served
from tests.protocols.ogcapi.schemas import faults


@pytest.fixture
def tree_services() -> Services:
    """`served.tree_collections` and three places, `squares/S0` to `squares/S2`."""
    return served.make_services(*served.tree_collections(), places=[make_places()])


@pytest.fixture
def tree(make_client, tree_services) -> TestClient:
    """A client of `tree_services`."""
    return make_client(tree_services)


@pytest.fixture
def assert_valid(shared) -> Callable[[Any, str, str], None]:
    """`assert_valid(document, "edr", "collections")`: no schema finds anything wrong; see `schemas.faults`."""

    def check(document: Any, standard: str, name: str) -> None:
        assert faults(shared / "ogc" / "schemas", document, standard, name) == []

    return check
