"""Outlines as a picture, in place of pixels that would take too many files."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from chronotile.model.raster import IndexPicture

INK = (90, 90, 90, 255)
FILL = (90, 90, 90, 40)
LINE, AREA = 1, 2


def outline_picture(rings: Sequence[NDArray[np.float64]], *, width: int, height: int) -> IndexPicture:
    """Return rings drawn as grey lines about a pale area, on nothing.

    Args:
        rings: (vertex, 2) columns and rows of the picture, all finite.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
    """
    page = Image.new("L", (width, height))
    draw = ImageDraw.Draw(page)
    vertices = [[(float(x), float(y)) for x, y in ring] for ring in rings]
    for ring in vertices:
        draw.polygon(ring, fill=AREA)
    for ring in vertices:
        draw.line([*ring, ring[0]], fill=LINE)
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[LINE], palette[AREA] = INK, FILL
    return IndexPicture(np.asarray(page), palette)
