"""GIF (GIF89a) of one picture, and the first bytes of any."""

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

from chronotile.model.raster import IndexPicture

LEAST_ALPHA = 128
"""A pixel of a GIF is opaque or transparent: one that is less opaque than this becomes transparent."""
SEVEN_BITS_MORE = 0x70
"""Of the screen: colours of eight bits, no table of its own."""
END = b";"


def gif_start(width: int, height: int) -> bytes:
    """Return signature and screen of a GIF whose pictures each have their own table of colours."""
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return b"GIF89a" + size + bytes([SEVEN_BITS_MORE, 0, 0])


def encode_gif(picture: IndexPicture) -> bytes:
    """Return a GIF that shows a picture; where it is less than half opaque, it is transparent."""
    height, width = picture.index.shape
    is_transparent = picture.palette[:, 3] < LEAST_ALPHA
    options: dict[str, int] = {}
    index = picture.index
    if is_transparent.any():
        transparent = int(np.flatnonzero(is_transparent)[0])
        index = np.where(is_transparent, transparent, np.arange(len(picture.palette))).astype(np.uint8)[index]
        options = {"transparency": transparent}
    image = Image.fromarray(index)
    image.putpalette(picture.palette[:, :3].tobytes())
    return b"".join([gif_start(width, height), *getdata(image, (0, 0), include_color_table=True, **options), END])
