"""Grids of pictures with pixels that are square on the ground."""

import math

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox, require_place
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid

DEFAULT_WIDTH_PX = 640
MIN_SIDE_PX = 16
"""Block size of H.264."""
MAX_DEFAULT_PX = 2560
"""Maximum height if no side is requested; the pixels of narrower boxes are not square."""
MAX_SIDE_PX = 65_535
"""Larger sides are not computed; all limits are smaller."""
MIN_COSINE = 0.1
"""Minimum cosine of a latitude: near a pole, pixels are at most ten times as long as wide."""


def grid_of_picture(crs: Crs, box: BBox, *, width: int | None, height: int | None) -> Grid:
    """Return the grid over a box. Pixels are square on the ground unless both sides are requested or the box is narrow.

    Raises:
        InvalidParameter: The box is empty or outside the CRS, or so narrow that the other side has no pixels.
    """
    require_place(box, crs)
    ratio = _ratio(box, crs)
    if height is None:
        if width is not None:
            return Grid(crs=crs, bbox=box, width=width, height=_other_side(width / ratio, "width"))
        width = DEFAULT_WIDTH_PX
        height = round(min(max(DEFAULT_WIDTH_PX / ratio, MIN_SIDE_PX), MAX_DEFAULT_PX))
    return Grid(crs=crs, bbox=box, width=width or _other_side(height * ratio, "height"), height=height)


def _ratio(box: BBox, crs: Crs) -> float:
    """Return width / height of the box on the ground."""
    ratio = (box.xmax - box.xmin) / (box.ymax - box.ymin)
    if not crs.is_geographic:
        return ratio
    return ratio * max(MIN_COSINE, math.cos(math.radians((box.ymin + box.ymax) / 2)))


def _other_side(pixels: float, locator: str) -> int:
    """Return the side that is not requested."""
    if not MIN_SIDE_PX - 0.5 <= pixels <= MAX_SIDE_PX:
        raise InvalidParameter(
            f"the shape of bbox would make the other side {pixels:.5g} pixels; give both width and height",
            locator=locator,
        )
    return round(pixels)
