"""Values along time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
