"""Outlines as a picture, instead of pixels that would need too many files."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from chronotile.core.model.picture import IndexPicture
from chronotile.core.model.types import Float64Array

INK = (90, 90, 90, 255)
FILL = (90, 90, 90, 40)
LINE, AREA = 1, 2


def outline_picture(rings: Sequence[Float64Array], *, width: int, height: int) -> IndexPicture:
    """Return rings as grey lines around a pale area, on transparent.

    Args:
        rings: (vertex, 2) finite columns and rows of the picture.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
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
