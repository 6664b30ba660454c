"""What requests of WCS 1.x have in common: cells that are named one by one, formats, interpolation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedFormat
from chronotile.core.model.collection import Resampling
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import BBox, Grid
from chronotile.core.model.number_text import without_noise
from chronotile.core.model.time.instants import TimeSelection
from chronotile.protocols.common.query.parameter import Parameter, keyword, times

ALMOST = 1e-3
"""Of a cell, by which a position may be off and still be meant: it was written in decimals."""
MOST_STEPS = 1e12
"""From the origin of a lattice to a point of it, and cells along a side: more is refused where sizes are checked."""
METHODS: Mapping[str, Resampling] = {
    **dict.fromkeys(("nearest neighbor", "nearest", "nearest-neighbor", "nearest neighbour"), "nearest"),
    **dict.fromkeys(("bilinear", "linear"), "bilinear"),
}
"""Of interpolation, by their names in both versions and those that clients write."""
FORMATS: Mapping[str, str] = {
    **dict.fromkeys(("image/tiff", "geotiff", "tiff", "gtiff"), "GTiff"),
    **dict.fromkeys(("application/x-netcdf", "application/netcdf", "netcdf"), "NetCDF"),
}
"""By names that clients write, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What GetCoverage requests."""

    request: CoverageRequest
    format: str
    """By its name in the pipeline."""


def format_parameter(listed: Mapping[str, str]) -> Parameter[str]:
    """Return FORMAT, which documents list under some names."""
    return keyword("FORMAT", "The format", listed, others=FORMATS, error=UnsupportedFormat)


def time_parameter(name: str) -> Parameter[TimeSelection]:
    """Return the parameter of times."""
    return times(name, "Instants and intervals, separated by commas; default: the newest time")


def method_named(name: str, *, locator: str) -> Resampling:
    """Return the method of interpolation of a name.

    Raises:
        InvalidParameter: There is none.
    """
    if name.lower() not in METHODS:
        message = f"{locator} {name[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(METHODS)}"
        raise InvalidParameter(message, locator=locator)
    return METHODS[name.lower()]


def lattice_cells(box: BBox, crs: Crs, *, origin: tuple[float, float], steps: tuple[float, float]) -> Grid:
    """Return the cells whose centres lie in a box and on a lattice (OGC 07-067r5 §7.5.4, 7.6.4).

    Args:
        box: Of centres.
        crs: Of all.
        origin: Any point of the lattice, x and y.
        steps: Between its points along x and y, above 0.

    Raises:
        InvalidParameter: No point lies in the box, or those that do are too far from the origin to be counted.
    """
    columns = _inside(box.xmin, box.xmax, origin[0], steps[0])
    rows = _inside(box.ymin, box.ymax, origin[1], steps[1])
    edges = (
        origin[0] + (columns.start - 0.5) * steps[0],
        origin[1] + (rows.start - 0.5) * steps[1],
        origin[0] + (columns.stop - 0.5) * steps[0],
        origin[1] + (rows.stop - 0.5) * steps[1],
    )
    return Grid(crs=crs, bbox=BBox(*map(without_noise, edges)), width=len(columns), height=len(rows))


def _inside(low: float, high: float, origin: float, step: float) -> range:
    """The points of a lattice along an axis between two positions."""
    first, last = (low - origin) / step - ALMOST, (high - origin) / step + ALMOST
    if max(abs(first), abs(last)) > MOST_STEPS:
        raise InvalidParameter("GRIDOFFSETS are too small for the BOUNDINGBOX", locator="GRIDOFFSETS")
    points = range(math.ceil(first), math.floor(last) + 1)
    if not points:
        raise InvalidParameter("BOUNDINGBOX holds no centre of a cell of the grid", locator="BOUNDINGBOX")
    return points
