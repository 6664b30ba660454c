"""Pictures laid over one another."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import BoolArray, Picture, RgbaPicture
from chronotile.model.request import Backdrop


def overlay(pictures: Iterable[Picture]) -> RgbaPicture:
    """Return pictures of one size over one another, the first at the bottom (Porter and Duff, source over).

    Args:
        pictures: At least one; no more than two are held at a time.
    """
    remaining = iter(pictures)
    result = next(remaining).rgba().copy()
    for picture in remaining:
        top = picture.rgba()
        alpha = top[..., 3]
        opaque = alpha == 255
        result[opaque] = top[opaque]
        partial = (alpha > 0) & ~opaque
        if partial.any():
            result[partial] = _over(top[partial], result[partial])
    return RgbaPicture(result)


def on_backdrop(picture: Picture, backdrop: Backdrop, is_void: BoolArray | None) -> RgbaPicture:
    """Return a picture laid over a backdrop; where both are transparent it has the backdrop's colour, unseen.

    Args:
        picture: What is shown.
        backdrop: What lies under it.
        is_void: (y, x): where the void's colour lies; `None` where the other does everywhere.
    """
    pixels = picture.rgba().copy()
    translucent = pixels[..., 3] < 255
    top = pixels[translucent]
    under = np.tile(np.array(backdrop.colour, dtype=np.uint8), (len(top), 1))
    if is_void is not None:
        under[is_void[translucent]] = backdrop.void
    mixed = np.where(top[:, 3:] == 0, under, top)
    both = (top[:, 3] > 0) & (under[:, 3] > 0)
    mixed[both] = _over(top[both], under[both])
    pixels[translucent] = mixed
    return RgbaPicture(pixels)


def _over(top: NDArray[np.uint8], under: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n, 4) colours over others, rounded to the nearest number; those on top are not transparent."""
    share = top[:, 3:].astype(np.float64)
    rest = under[:, 3:] * (255 - share) / 255
    alpha = share + rest
    mixed = np.empty_like(top)
    mixed[:, :3] = np.rint((top[:, :3] * share + under[:, :3] * rest) / alpha)
    mixed[:, 3:] = np.rint(alpha)
    return mixed
