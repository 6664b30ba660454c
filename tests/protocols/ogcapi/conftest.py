"""Fixtures of OGC API tests: services of every kind of coverage, and OGC's JSON schemas."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo.archive import make_demo
from chronotile.demo.plan import DemoPlan
from chronotile.pipeline.services import Services
from tests.places import make_places
from tests.protocols import served
from tests.protocols.listening import listening
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
    """Return a function: `assert_valid(document, "edr", "collections")` asserts that `schemas.faults` is empty."""

    def check(document: Any, standard: str, name: str) -> None:
        assert faults(shared / "ogc" / "schemas", document, standard, name) == []

    return check


@pytest.fixture(scope="session")
def demo_configuration(tmp_path_factory) -> Path:
    """Configuration of a small demo archive; examples of the reference run against it."""
    plan = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
    return make_demo(tmp_path_factory.mktemp("demo"), plan=plan)


@pytest.fixture(scope="session")
def demo(demo_configuration) -> Iterator[TestClient]:
    """Client of the demo archive."""
    with TestClient(create_app(Settings(config=demo_configuration))) as client:
        yield client


@pytest.fixture
def run_beside_demo(demo_configuration) -> Callable[[str], dict[str, Any]]:
    """Return a function that runs a program against a server on a socket and returns the program's final names."""

    def run(program: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        with listening(create_app(Settings(config=demo_configuration))) as url:
            exec(program.replace("http://127.0.0.1:8000", url), names)
        return names

    return run
