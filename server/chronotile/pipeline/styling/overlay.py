"""Pictures laid over one another."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from chronotile.core.model.picture import IndexPicture, Picture, RgbaPicture, picture_strips
from chronotile.core.model.request import Backdrop
from chronotile.core.model.types import BoolArray, Float64Array, UInt8Array


def overlay(pictures: Iterable[Picture]) -> RgbaPicture:
    """Return pictures of one size over one another, the first at the bottom (Porter and Duff, source over).

    Args:
        pictures: At least one; no more than two are held at a time.
    """
    remaining = iter(pictures)
    result = _pixels_of(next(remaining))
    for picture in remaining:
        for rows in picture_strips(picture.shape):
            _lay_over(result[rows], picture.part(rows).rgba())
    return RgbaPicture(result)


def _pixels_of(picture: Picture) -> UInt8Array:
    """(y, x, 4) of its own."""
    pixels = np.empty((*picture.shape, 4), dtype=np.uint8)
    for rows in picture_strips(picture.shape):
        pixels[rows] = picture.part(rows).rgba()
    return pixels


def _lay_over(result: UInt8Array, top: UInt8Array) -> None:
    alpha = top[..., 3]
    opaque = alpha == 255
    result[opaque] = top[opaque]
    partial = (alpha > 0) & ~opaque
    if partial.any():
        result[partial] = _blend(top[partial], result[partial])


def lay_on_backdrop(picture: Picture, backdrop: Backdrop, is_void: BoolArray | None) -> RgbaPicture:
    """Return a picture laid over a backdrop; where both are transparent it has the backdrop's colour, unseen.

    Args:
        picture: What is shown.
        backdrop: What lies under it.
        is_void: (y, x): where the void's colour lies; `None` where the other does everywhere.
    """
    pixels = _pixels_of(picture)
    for rows in picture_strips(picture.shape):
        _lay_under(pixels[rows], backdrop, None if is_void is None else is_void[rows])
    return RgbaPicture(pixels)


def _lay_under(pixels: UInt8Array, backdrop: Backdrop, is_void: BoolArray | None) -> None:
    translucent = pixels[..., 3] < 255
    top = pixels[translucent]
    under = np.tile(np.array(backdrop.colour, dtype=np.uint8), (len(top), 1))
    if is_void is not None:
        under[is_void[translucent]] = backdrop.void
    mixed = np.where(top[:, 3:] == 0, under, top)
    both = (top[:, 3] > 0) & (under[:, 3] > 0)
    mixed[both] = _blend(top[both], under[both])
    pixels[translucent] = mixed


def _blend(top: UInt8Array, under: UInt8Array) -> UInt8Array:
    """Return (n, 4) colours over others, rounded to the nearest number; those on top are not transparent."""
    share = top[:, 3:].astype(np.float64)
    rest = under[:, 3:] * (255 - share) / 255
    alpha = share + rest
    mixed = np.empty_like(top)
    mixed[:, :3] = np.rint((top[:, :3] * share + under[:, :3] * rest) / alpha)
    mixed[:, 3:] = np.rint(alpha)
    return mixed


# Outlines as a picture, in place of pixels that would take too many files.

INK = (90, 90, 90, 255)
FILL = (90, 90, 90, 40)
LINE, AREA = 1, 2


def outline_picture(rings: Sequence[Float64Array], *, width: int, height: int) -> IndexPicture:
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
