"""Values along time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.model.request import AreaReducer
from chronotile.model.time import InstantArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One value an instant at one place."""

    layer: str
    units: str
    longitude: float
    latitude: float
    """The place that was asked for, in CRS84."""
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    values: NDArray[np.float64]
    """(time,), NaN where there is none."""
    reasons: tuple[str | None, ...]
    """(time,): why there is no value; `None` where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSeries:
    """Reduced values an instant of the cells of one area."""

    layer: str
    units: str
    id: str | int | float | None
    """As the client called the area."""
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    reduced: Mapping[AreaReducer, NDArray[np.float64]]
    """(time,) by reducer, NaN where no cell has a value."""
    valid: NDArray[np.int64]
    """(time,): cells with a value."""
    total: int
    """Cells whose centre lies in the area."""
