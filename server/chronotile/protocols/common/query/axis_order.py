"""Coordinates in the order a CRS defines its axes: turned to x, y here, and nowhere else."""

from collections.abc import Sequence

from chronotile.model.crs import Crs, is_north_first
from chronotile.model.grid import BBox


def as_xy(box: BBox, crs: Crs) -> BBox:
    """Return a box whose edges were written in the axis order of `crs` with x before y."""
    return BBox(box.ymin, box.xmin, box.ymax, box.xmax) if is_north_first(crs) else box


def in_axis_order(coordinates: Sequence[float], crs: Crs) -> tuple[float, ...]:
    """Return x, y pairs (`x, y` or `xmin, ymin, xmax, ymax`) in the axis order of `crs`."""
    if not is_north_first(crs):
        return tuple(coordinates)
    return tuple(coordinate for x, y in zip(coordinates[::2], coordinates[1::2], strict=True) for coordinate in (y, x))
