"""Pictures over each other, combined by their alpha."""

from collections.abc import Iterable

import numpy as np

from chronotile.core.model.picture import Picture, RgbaPicture, picture_strips
from chronotile.core.model.request import Backdrop
from chronotile.core.model.types import BoolArray, UInt8Array


def overlay(pictures: Iterable[Picture]) -> RgbaPicture:
    """Return pictures of one size over each other, the first at the bottom (Porter and Duff, source over).

    Args:
        pictures: At least one; at most two are in memory together.
    """
    remaining = iter(pictures)
    result = _pixels_of(next(remaining))
    for picture in remaining:
        for rows in picture_strips(picture.shape):
            _lay_over(result[rows], picture.part(rows).rgba())
    return RgbaPicture(result)


def _pixels_of(picture: Picture) -> UInt8Array:
    """Return a (y, x, 4) copy of a picture's pixels."""
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
    """Return a picture over a backdrop; if both are transparent, a pixel has the backdrop's colour, invisibly.

    Args:
        picture: The picture.
        backdrop: Its background colours.
        is_void: (y, x) mask of pixels with the colour `backdrop.void`; `None` for none.
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
    """Blend (n, 4) colours, rounded to the nearest number; the colours on top are not fully transparent."""
    top_alpha = top[:, 3:].astype(np.float64)
    rest = under[:, 3:] * (255 - top_alpha) / 255
    alpha = top_alpha + rest
    mixed = np.empty_like(top)
    mixed[:, :3] = np.rint((top[:, :3] * top_alpha + under[:, :3] * rest) / alpha)
    mixed[:, 3:] = np.rint(alpha)
    return mixed
