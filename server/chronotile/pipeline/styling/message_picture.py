"""Messages as pictures, for clients that can only show pictures."""

import textwrap

import numpy as np
from PIL import Image, ImageDraw

from chronotile.core.model.picture import IndexPicture
from chronotile.pipeline.styling.glyphs import drawable, font_of, text_width

TEXT_PX = 12
LINE_PX = 16
MARGIN_PX = 4
INK = (160, 0, 0, 255)


def message_picture(text: str, *, width: int, height: int) -> IndexPicture:
    """Return a text in lines, red on transparent, in a picture of this size; text without space is cut off."""
    letters = max(1, (width - 2 * MARGIN_PX) // max(1, text_width("n", TEXT_PX)))
    page = Image.new("1", (width, height))
    draw = ImageDraw.Draw(page)
    lines = textwrap.wrap(drawable(text), letters)[: max(1, height // LINE_PX)]
    for number, line in enumerate(lines):
        draw.text((MARGIN_PX, MARGIN_PX + number * LINE_PX), line, fill=1, font=font_of(TEXT_PX))
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[1] = INK
    return IndexPicture(np.asarray(page).astype(np.uint8), palette)
