"""Pictures in the formats that browsers and map clients show."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chronotile.encoders.picture.gif import encode_gif
from chronotile.encoders.picture.png import encode_index_png, encode_rgba_png
from chronotile.errors import UnsupportedFormat
from chronotile.model.raster import IndexPicture, Picture, RgbaPicture, picture_strips
from chronotile.model.request import PICTURE_FORMATS, PictureFormat

ENCODER_VERSION = "2"
"""Part of every picture's ETag: raise it when the same picture gives other bytes."""

WHITE = (255, 255, 255)
JPEG_QUALITY = 85
WEBP_LOSSLESS = {"lossless": True, "method": 0, "quality": 20}
"""Colours of index pictures stay exact; slower settings save a fifth of the bytes for four times the time."""
WEBP_LOSSY = {"quality": 85, "method": 1}
"""For composites: a sixth of the bytes of PNG. Alpha is lossless in either case."""
MAX_SIDE_PX = {"image/webp": 16383, "image/jpeg": 65535, "image/gif": 65535}

Background = tuple[int, int, int]


def encode_picture(picture: Picture, format: PictureFormat, background: Background | None = None) -> bytes:
    """Return a picture as bytes of a format.

    Args:
        picture: What is shown.
        format: Media type.
        background: Red, green and blue under what is not opaque; with `None` it stays so, but JPEG lies on white.

    Raises:
        UnsupportedFormat: The format is not offered, or does not reach to the size of the picture.
    """
    height, width = picture.shape
    check_format(format, width, height)
    if format == "image/jpeg":
        return _save(picture, "RGB", "JPEG", {"quality": JPEG_QUALITY}, background=background or WHITE)
    if background is not None:
        picture = on_background(picture, background)
    if format == "image/webp":
        return _encode_webp(picture)
    if format == "image/gif":
        return encode_gif(index_colours(picture))
    if format == "image/png; mode=8bit":
        picture = index_colours(picture)
    return encode_index_png(picture) if isinstance(picture, IndexPicture) else encode_rgba_png(picture.pixels)


def check_format(format: PictureFormat, width: int, height: int) -> None:
    """Refuse a format that is not offered or cannot hold a picture of that size, in pixels.

    Raises:
        UnsupportedFormat: As said.
    """
    if format not in PICTURE_FORMATS:
        raise UnsupportedFormat(f"format {format[:80]!r} is not one of {', '.join(PICTURE_FORMATS)}", locator="format")
    allowed = MAX_SIDE_PX.get(format)
    if allowed is not None and max(width, height) > allowed:
        raise UnsupportedFormat(
            f"{format} holds at most {allowed} pixels per side, not {width} x {height}; image/png holds this picture",
            locator="format",
        )


def on_background(picture: Picture, background: Background) -> Picture:
    """Return a picture laid over an opaque colour; of an index picture only the palette is touched."""
    if isinstance(picture, IndexPicture):
        return IndexPicture(picture.index, _blend(picture.palette, background))
    blended = np.empty_like(picture.pixels)
    for rows in picture_strips(picture.shape):
        blended[rows] = _blend(picture.pixels[rows], background)
    return RgbaPicture(blended)


def _blend(colours: NDArray[np.uint8], background: Background) -> NDArray[np.uint8]:
    """Return (…, 4) colours laid over an opaque one, rounded to the nearest number."""
    alpha = colours[..., 3:].astype(np.uint16)
    under = np.array(background, dtype=np.uint16)
    blended = np.empty_like(colours)
    blended[..., :3] = (colours[..., :3] * alpha + under * (255 - alpha) + 127) // 255
    blended[..., 3] = 255
    return blended


def index_colours(picture: Picture, colours: int = 256) -> IndexPicture:
    """Return a picture in at most 256 colours: its own where it has no more, else so many that are near to them."""
    if isinstance(picture, IndexPicture):
        return picture
    pixels = np.ascontiguousarray(picture.pixels)
    numbers = pixels.view(np.uint32)[..., 0]
    palette = np.zeros((256, 4), dtype=np.uint8)
    own = _own_colours(numbers)
    if own is not None:
        palette[: len(own)] = own.view(np.uint8).reshape(-1, 4)
        index = np.empty(numbers.shape, dtype=np.uint8)
        for rows in picture_strips(picture.shape):
            index[rows] = np.searchsorted(own, numbers[rows])
        return IndexPicture(index, palette)
    fewer = Image.fromarray(pixels).quantize(colours, method=Image.Quantize.FASTOCTREE)
    found = np.array(fewer.getpalette("RGBA"), dtype=np.uint8).reshape(-1, 4)
    palette[: len(found)] = found
    return IndexPicture(np.asarray(fewer), palette)


def _own_colours(numbers: NDArray[np.uint32]) -> NDArray[np.uint32] | None:
    """Which colours (y, x) has, ascending; `None` of more than 256."""
    own = np.empty(0, dtype=np.uint32)
    height, width = numbers.shape
    for rows in picture_strips((height, width)):
        own = np.union1d(own, numbers[rows])
        if len(own) > 256:
            return None
    return own


def _encode_webp(picture: Picture) -> bytes:
    is_opaque = all((picture.part(rows).rgba()[..., 3] == 255).all() for rows in picture_strips(picture.shape))
    options = WEBP_LOSSLESS if isinstance(picture, IndexPicture) else WEBP_LOSSY
    return _save(picture, "RGB" if is_opaque else "RGBA", "WEBP", options)


def _save(
    picture: Picture, mode: str, format: str, options: Mapping[str, int], *, background: Background | None = None
) -> bytes:
    """Return a picture, on a background if there is one, as Pillow writes it; given to it strip by strip."""
    height, width = picture.shape
    image = Image.new(mode, (width, height))
    for rows in picture_strips(picture.shape):
        strip = picture.part(rows)
        pixels = (strip if background is None else on_background(strip, background)).rgba()
        image.paste(Image.fromarray(np.ascontiguousarray(pixels[..., : len(mode)])), (0, rows.start))
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
