"""Parts that requests of WCS 1.0 and 1.1 share: formats, interpolation, and cells of a requested lattice."""

import math
from collections.abc import Sequence

from chronotile.core.errors import InvalidParameter, UnsupportedFormat
from chronotile.core.model.collection import Resampling
from chronotile.core.model.number_text import strip_noise
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid
from chronotile.protocols.common.query.axes import INTERPOLATIONS
from chronotile.protocols.common.query.parameter import Parameter, keyword
from chronotile.protocols.wcs.answers import ALMOST

TEMPLATES = "wcs/v1/templates"
MAX_STEPS = 1e12
"""Steps from the origin of a lattice to a point, and cells along a side; the limits of sizes are far below."""
FORMAT = keyword(
    "FORMAT",
    "The format, by any of its names",
    {"GeoTIFF": "GTiff", "NetCDF": "NetCDF", "image/tiff": "GTiff", "application/x-netcdf": "NetCDF"},
    aliases={"gtiff": "GTiff", "tiff": "GTiff", "application/netcdf": "NetCDF"},
    error=UnsupportedFormat,
)


def interpolation(name: str) -> Parameter[Resampling]:
    """Return a parameter that names an interpolation method; spaces may replace hyphens (`nearest neighbor`)."""
    spaced = {word.replace("-", " "): method for word, method in INTERPOLATIONS.items()}
    return keyword(name, "How cells that are not native ones are made", INTERPOLATIONS, aliases=spaced)


def lattice_cells(box: BBox, crs: Crs, origin: Sequence[float], steps: Sequence[float]) -> Grid:
    """Return the cells whose centres are points of a lattice inside a box (OGC 07-067r5 §7.5.4, 7.6.4).

    Args:
        box: Box around the centres, in the CRS.
        crs: CRS of the box, the lattice and the answer.
        origin: Any point of the lattice, x and y.
        steps: Distances of its points along x and y, above 0.

    Raises:
        InvalidParameter: No point is inside the box, or the steps are too small to count them.
    """
    (left, right), (bottom, top) = (
        _inside(low, high, start, step) for low, high, start, step in zip(box[:2], box[2:], origin, steps, strict=True)
    )
    (x, y), (across, up) = origin, steps
    edges = (x + (left - 0.5) * across, y + (bottom - 0.5) * up, x + (right + 0.5) * across, y + (top + 0.5) * up)
    return Grid(crs=crs, bbox=BBox(*map(strip_noise, edges)), width=right - left + 1, height=top - bottom + 1)


def _inside(low: float, high: float, origin: float, step: float) -> tuple[int, int]:
    """Return the first and last point of a lattice between two positions on an axis, in steps from the origin."""
    first, last = (low - origin) / step - ALMOST, (high - origin) / step + ALMOST
    if max(abs(first), abs(last)) > MAX_STEPS:
        raise InvalidParameter("GRIDOFFSETS are too small for the BOUNDINGBOX", locator="GRIDOFFSETS")
    if math.ceil(first) > math.floor(last):
        raise InvalidParameter("BOUNDINGBOX holds no centre of a cell of the grid", locator="BOUNDINGBOX")
    return math.ceil(first), math.floor(last)
