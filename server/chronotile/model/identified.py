"""What a layer shows at one place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.model.payload import TimeUsed
from chronotile.model.raster import Encoding, Numbers
from chronotile.model.style import Colour
from chronotile.model.time.instants import InstantArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSeries:
    """One variable in the native cell that holds a point, along time."""

    variable: str
    title: str
    units: str
    row: int
    column: int
    centre: tuple[float, float]
    """Longitude and latitude of the cell's centre."""
    numbers: Numbers
    """(time,): digital numbers as the source holds them."""
    values: NDArray[np.float64]
    """(time,), NaN where there is none."""
    encoding: Encoding | None
    """Whose text the values have; `None` of differences."""
    reasons: tuple[str | None, ...]
    """(time,): why there is no value; `None` where there is one."""
    labels: tuple[str | None, ...]
    """(time,): the class of the value, or its flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A layer at one place: of a composite its three variables."""

    layer: str
    """The name by which it was requested."""
    title: str
    style: str
    """Id of the style that gave the colours."""
    longitude: float
    latitude: float
    """The requested place, in CRS84."""
    time: TimeUsed
    times: InstantArray
    """(time,), ascending; not a time (NaT) for the one value of a layer without time."""
    is_series: bool
    """Whether a list or an interval was requested, however many times it has, or what was requested has several."""
    cells: tuple[CellSeries, ...]
    """One a variable; none where the place lies outside the layer."""
    colours: tuple[Colour, ...]
    """(time,): as a picture at native zoom shows the cell; empty outside the layer."""
