"""Coordinates in the formula's grid."""

from collections.abc import Callable

import pytest

from chronotile.core.model.space.crs import CRS84, transformer
from tests.protocols import served


@pytest.fixture
def longitude_latitude() -> Callable[..., tuple[float, float]]:
    """Return a function: `longitude_latitude(row, column, grid=BELGIUM_31N)` returns the centre of a cell."""

    def centre(row: int, column: int, grid=served.BELGIUM_31N) -> tuple[float, float]:
        x, y = grid.centre_of(row, column)
        return transformer(grid.crs, CRS84).transform(x, y)

    return centre
