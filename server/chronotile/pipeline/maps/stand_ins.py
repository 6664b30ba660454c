"""What is shown in place of a picture: the outlines of too many items, or an error."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chronotile.core.errors import TooManyPieces, require_at_most
from chronotile.core.model.crs import CRS84, transformer
from chronotile.core.model.formats import PictureFormat
from chronotile.core.model.grid import BBox, Grid, boxes_of
from chronotile.core.model.raster import IndexPicture
from chronotile.core.model.types import Float64Array
from chronotile.pipeline.encoders.picture.picture import encode_picture
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.glyphs import message_picture
from chronotile.pipeline.styling.overlay import outline_picture

POINTS_A_SIDE = 5
"""Edges of boxes in longitude and latitude are curves in other systems."""
MOST_OUTLINES = 5_000
FARTHEST_PX = 1e5
"""From the picture: a corner farther away is drawn there."""


def footprints_picture(error: TooManyPieces, grid: Grid) -> IndexPicture:
    """Return the outlines of the items that a picture would open."""
    rings = _rings([BBox(*box) for box in error.boxes[:MOST_OUTLINES]], grid)
    return outline_picture(list(rings), width=grid.width, height=grid.height)


def footprints_note(error: TooManyPieces) -> str:
    """Return what a picture of outlines says of itself."""
    return (
        f"outlines of {len(error.boxes)} items in place of their pixels: more than max_pieces ({error.allowed}) would "
        "be opened, and no overview is there yet"
    )


def _rings(boxes: Sequence[BBox], grid: Grid) -> Iterator[Float64Array]:
    """(vertex, 2) pixels of the boxes that the grid's system can express."""
    to_grid = transformer(CRS84, grid.crs)
    size_x, size_y = grid.resolution
    for whole in boxes:
        for box in boxes_of(whole):
            along = np.linspace(0, 1, POINTS_A_SIDE)[:-1]
            x = np.concatenate([along, np.ones(along.size), 1 - along, np.zeros(along.size)])
            y = np.concatenate([np.zeros(along.size), along, np.ones(along.size), 1 - along])
            longitudes, latitudes = box.xmin + x * (box.xmax - box.xmin), box.ymin + y * (box.ymax - box.ymin)
            east, north = to_grid.transform(longitudes, latitudes)
            pixels = np.column_stack([(east - grid.bbox.xmin) / size_x, (grid.bbox.ymax - north) / size_y])
            if np.isfinite(pixels).all():
                yield np.clip(pixels, -FARTHEST_PX, FARTHEST_PX)


# Show me what went wrong: an error in place of the picture that it prevents.


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """A picture of a text, or of nothing."""

    text: str
    """Empty for nothing."""
    width: int
    height: int
    format: PictureFormat
    background: tuple[int, int, int] | None
    """As of a map."""


def draw_message(request: MessageRequest, services: Services) -> bytes:
    """Return the picture.

    Raises:
        LimitExceeded: It has more pixels than a map may have.
        UnsupportedFormat: The format cannot hold a picture of that size.
    """
    allowed = services.catalogue.limits.max_pixels
    require_at_most("max_pixels", request.width * request.height, allowed, alternative="request a smaller picture")
    picture = message_picture(request.text, width=request.width, height=request.height)
    return encode_picture(picture, request.format, background=request.background)
