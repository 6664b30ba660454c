"""Spatial and temporal extents in JSON documents."""

from functools import lru_cache
from typing import Any

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import TimeSpan, format_instant, last_of

DECIMALS = 6
"""Decimals of edges in degrees; a tenth of a metre."""
HALF_CIRCLE = 180.0


def longitude_latitude_box(layer: Layer) -> BBox:
    """Return west, south, east, north of a layer in CRS84, rounded."""
    return _box(layer.main_variable.grid)


@lru_cache(maxsize=4096)
def _box(grid: NativeGrid) -> BBox:
    return round_box(grid.bbox_in(CRS84))


@lru_cache(maxsize=4096)
def crossing_box(grid: NativeGrid) -> BBox | None:
    """Return the box of `wrapped_box`; `None` if the grid has no longitudes and latitudes."""
    try:
        return wrapped_box(grid)
    except InvalidParameter:
        return None


def wrapped_box(grid: NativeGrid) -> BBox:
    """Return a rounded box in CRS84; across the antimeridian west exceeds east (RFC 7946 §5.2).

    Raises:
        InvalidParameter: The grid has no longitudes and latitudes.
    """
    box = grid.unwound_box_in(CRS84)
    if box.xmax <= HALF_CIRCLE + 1e-9:
        return round_box(box)
    is_whole = grid.is_circular or box.xmax - box.xmin >= 2 * HALF_CIRCLE
    west, east = (-HALF_CIRCLE, HALF_CIRCLE) if is_whole else (box.xmin, box.xmax - 2 * HALF_CIRCLE)
    return round_box(box._replace(xmin=west, xmax=east))


def ring_of(part: NativeGrid) -> list[list[float]]:
    """Return the box of a grid as a closed ring of longitudes and latitudes (5, 2).

    Longitudes continue beyond 180 degrees across the antimeridian.
    """
    west, south, east, north = round_box(part.unwound_box_in(CRS84))
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def round_box(box: BBox) -> BBox:
    """Return a box with `DECIMALS` decimals."""
    return BBox(*(round(edge, DECIMALS) for edge in box))


def box_of_offered(offered: OfferedCollection) -> BBox:
    """Return the box of the layers of a collection in CRS84; across the antimeridian west exceeds east."""
    grids = {layer.main_variable.grid for layer in offered.layers}
    box = crossing_box(grids.pop()) if len(grids) == 1 else None
    return box or round_box(offered.collection.bbox)


def climatology_member(span: TimeSpan | None, *, is_climatology: bool) -> dict[str, Any]:
    """Return `{"climatology": {"start", "end"}}`; empty for other times.

    The end is exclusive, like bounds in CF. The value is null if the years of the data are unknown.
    """
    if not is_climatology:
        return {}
    if span is None:
        return {"climatology": None}
    return {"climatology": {"start": format_instant(span.start), "end": format_instant(span.end)}}


def box_of(offered: OfferedCollection) -> BBox:
    """Return the stated box of a collection, else the box of its layers; across the antimeridian west exceeds east."""
    extent = offered.collection.stated
    return box_of_offered(offered) if extent is None else round_box(extent.bbox)


def interval_of(offered: OfferedCollection) -> list[str | None]:
    """Return the first and the last instant; `None` for an open end, twice without times."""
    extent = offered.collection.stated
    if extent is not None:
        return [None if end is None else format_instant(end) for end in (extent.first, extent.last)]
    times = offered.times
    if len(times) == 0:
        return [None, None]
    return [format_instant(times.starts[0]), format_instant(last_of(times.starts[-1], times.ends[-1]))]
