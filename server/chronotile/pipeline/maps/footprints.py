"""Footprints: the outlines of items, drawn instead of a mosaic that would open too many of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from chronotile.core.errors import TooManyPieces
from chronotile.core.model.picture import IndexPicture
from chronotile.core.model.space.boxes import BBox, boxes_of
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import Float64Array
from chronotile.pipeline.styling.outline_picture import outline_picture

POINTS_A_SIDE = 5
"""Points per side of a box, whose straight sides are curves in other CRSs."""
MAX_OUTLINES = 5_000
MAX_DISTANCE_PX = 1e5
"""Corners farther from the picture are moved to this distance."""


def draw_footprints(error: TooManyPieces, grid: Grid) -> IndexPicture:
    """Return a picture of the outlines of the items that a map would open."""
    rings = _rings([BBox(*box) for box in error.boxes[:MAX_OUTLINES]], grid)
    return outline_picture(list(rings), width=grid.width, height=grid.height)


def footprints_note(error: TooManyPieces) -> str:
    """Return the note for an answer that shows outlines."""
    return (
        f"outlines of {len(error.boxes)} items in place of their pixels: more than max_pieces ({error.allowed}) would "
        "be opened, and no overview is there yet"
    )


def _rings(boxes: Sequence[BBox], grid: Grid) -> Iterator[Float64Array]:
    """Yield a ring of (vertex, 2) pixels per box; boxes without coordinates in the CRS of the grid are skipped."""
    to_grid = transformer(CRS84, grid.crs)
    size_x, size_y = grid.resolution
    for crossing in boxes:
        for box in boxes_of(crossing):
            along = np.linspace(0, 1, POINTS_A_SIDE)[:-1]
            x = np.concatenate([along, np.ones(along.size), 1 - along, np.zeros(along.size)])
            y = np.concatenate([np.zeros(along.size), along, np.ones(along.size), 1 - along])
            longitudes, latitudes = box.xmin + x * (box.xmax - box.xmin), box.ymin + y * (box.ymax - box.ymin)
            east, north = to_grid.transform(longitudes, latitudes)
            pixels = np.column_stack([(east - grid.bbox.xmin) / size_x, (grid.bbox.ymax - north) / size_y])
            if np.isfinite(pixels).all():
                yield np.clip(pixels, -MAX_DISTANCE_PX, MAX_DISTANCE_PX)
