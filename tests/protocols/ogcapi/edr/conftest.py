"""Data queries of the tree's collections, at cells with numbers by the formula."""

from collections.abc import Callable
from typing import Any

import pytest
from covjson_pydantic.coverage import Coverage, CoverageCollection
from pydantic import TypeAdapter

from chronotile.core.model.space.crs import crs_of, transformer
from tests.protocols import served

ANY_COVERAGE = TypeAdapter(Coverage | CoverageCollection)


@pytest.fixture
def place() -> Callable[..., tuple[float, float]]:
    """Return a function: `place(row, column, crs="CRS:84", grid=BELGIUM_31N)` returns x and y of a cell's centre."""

    def centre(row: float, column: float, crs: str = "CRS:84", grid=served.BELGIUM_31N) -> tuple[float, float]:
        return transformer(grid.crs, crs_of(crs)).transform(*grid.centre_of(row, column))

    return centre


@pytest.fixture
def ask(tree) -> Callable[..., Any]:
    """Return a function: `ask("s2/position", coords=…, parameter_name=…)` returns the answer to a query."""

    def answer(path: str, *, headers: dict[str, str] | None = None, **query: str):
        named = {name.replace("_", "-"): value for name, value in query.items()}
        return tree.get(f"/ogcapi/collections/{path}", params=named, headers=headers)

    return answer


@pytest.fixture
def coverage_of(assert_valid) -> Callable[[Any], dict[str, Any]]:
    """Return a function: `coverage_of(answer)` returns CoverageJSON, checked by its schema and covjson-pydantic."""

    def read(answer) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        document = answer.json()
        assert_valid(document, "covjson", "coveragejson")
        ANY_COVERAGE.validate_python(document)
        return document

    return read


def point(x: float, y: float) -> str:
    """Return a point as WKT."""
    return f"POINT({x!r} {y!r})"
