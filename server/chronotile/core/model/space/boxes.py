"""Bounding boxes, and their transforms between coordinate reference systems."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.crs import Crs, transformer

LATTICE = 21
"""Points per side of the lattice that is transformed to get a box in another CRS."""

POINTS_A_SIDE = 4097
"""Points per side of a box that must be covered completely: the sides of a continent bend by centimetres between
points."""

FARTHEST_M = 4e7
"""Maximum distance from the origin of a projected CRS; the opposite pole may be almost infinitely far away."""

WHOLE_CIRCLE = 360.0
UPRIGHT = {"EPSG:3857": (2e7, 2e7), "EPSG:4326": (179.0, 85.0), "OGC:CRS84": (179.0, 85.0)}
"""CRSs in which a box is a box in the other CRSs too, with the limits of |x| and |y|."""

FARTHEST = 1e9
"""Maximum coordinate in any CRS, in its units."""


class BBox(NamedTuple):
    """A box in CRS units, x before y even if the CRS has the opposite order."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    def intersects(self, other: "BBox") -> bool:
        """Return whether two boxes of one CRS share more than an edge."""
        return self.xmin < other.xmax and other.xmin < self.xmax and self.ymin < other.ymax and other.ymin < self.ymax

    def common(self, other: "BBox") -> "BBox":
        """Return the intersection. If the boxes do not meet, a minimum is not less than its maximum."""
        (west, south, east, north), (xmin, ymin, xmax, ymax) = self, other
        return BBox(max(west, xmin), max(south, ymin), min(east, xmax), min(north, ymax))

    def unwound(self) -> "BBox":
        """Return a box in longitudes and latitudes; east is beyond 180 if it crosses the antimeridian."""
        return self if self.xmin <= self.xmax else self._replace(xmax=self.xmax + WHOLE_CIRCLE)


WORLD = BBox(-180.0, -90.0, 180.0, 90.0)
"""All longitudes and latitudes, in degrees."""


def require_place(box: BBox, crs: Crs) -> None:
    """Check that a requested box is not empty and not outside all coordinates.

    Raises:
        InvalidParameter: It is empty or outside.
    """
    if max(map(abs, box)) > FARTHEST:
        raise InvalidParameter(f"bbox lies beyond all coordinates of {crs.name}", locator="bbox")
    if box.xmin >= box.xmax or box.ymin >= box.ymax:
        raise InvalidParameter("bbox is empty: each minimum must be less than its maximum", locator="bbox")


def boxes_of(box: BBox) -> Iterator[BBox]:
    """Yield a CRS84 box, in two parts if it crosses the antimeridian."""
    if box.xmin <= box.xmax:
        yield box
    else:
        yield BBox(box.xmin, box.ymin, 180.0, box.ymax)
        yield BBox(-180.0, box.ymin, box.xmax, box.ymax)


def box_of_all(boxes: Sequence[BBox]) -> BBox:
    """Return the smallest box that contains all boxes, at least one."""
    xmins, ymins, xmaxs, ymaxs = zip(*boxes, strict=True)
    return BBox(min(xmins), min(ymins), max(xmaxs), max(ymaxs))


def are_corners_enough(box: BBox, source: Crs, target: Crs) -> bool:
    """Return whether two corners of a box are enough to transform it: its sides stay straight, and it has no seam."""
    x, y = UPRIGHT.get(source.name, (0.0, 0.0))
    return target.name in UPRIGHT and -x < box.xmin < box.xmax < x and -y < box.ymin < box.ymax < y


def box_in(box: BBox, source: Crs, target: Crs) -> BBox:
    """Return a box of `target` around `box` of `source`, from a lattice of points.

    Raises:
        InvalidParameter: No point of the box has coordinates in `target`.
    """
    if source == target:
        return box
    if are_corners_enough(box, source, target):
        (west, east), (south, north) = transformer(source, target).transform(box[::2], box[1::2])
        return BBox(west, south, east, north)
    x, y = np.meshgrid(np.linspace(box.xmin, box.xmax, LATTICE), np.linspace(box.ymin, box.ymax, LATTICE))
    x, y = transformer(source, target).transform(x, y)
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        raise InvalidParameter(f"the box has no coordinates in {target.name[:40]}", locator="crs")
    return BBox(float(x[usable].min()), float(y[usable].min()), float(x[usable].max()), float(y[usable].max()))


@lru_cache(maxsize=256)
def reach_in(box: BBox, source: Crs, target: Crs) -> BBox:
    """Return a box of `target` that contains all of `box`, even if its sides bend between the points of a lattice.

    In a projected CRS, the box ends `FARTHEST_M` from the origin.

    Raises:
        InvalidParameter: No point of the box has coordinates in `target`.
    """
    around = box_in(box, source, target)
    if source == target:
        return around
    across, up = (np.linspace(*ends, POINTS_A_SIDE) for ends in ((box.xmin, box.xmax), (box.ymin, box.ymax)))
    x, y = transformer(source, target).transform(
        np.concatenate([across, across, np.full_like(up, box.xmin), np.full_like(up, box.xmax)]),
        np.concatenate([np.full_like(across, box.ymin), np.full_like(across, box.ymax), up, up]),
    )
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = np.append(x[usable], (around.xmin, around.xmax)), np.append(y[usable], (around.ymin, around.ymax))
    if not target.is_geographic:
        farthest = FARTHEST_M / target.metres_per_unit
        x, y = np.clip(x, -farthest, farthest), np.clip(y, -farthest, farthest)
    return BBox(float(x.min()), float(y.min()), float(x.max()), float(y.max()))
