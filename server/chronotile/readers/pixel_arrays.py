"""Arrays of pixels made of several arrays of pixels."""

from collections.abc import Sequence

import numpy as np

from chronotile.core.model.raster import Pixels
from chronotile.core.model.types import BoolArray


def stack_pixels(parts: Sequence[Pixels]) -> Pixels:
    """Return (time, y, x) pixels made of at least one array of (y, x) pixels."""
    masks = _masks(parts)
    return Pixels(np.stack([part.numbers for part in parts]), None if masks is None else np.stack(masks))


def concatenate_pixels(parts: Sequence[Pixels], axis: int = 0) -> Pixels:
    """Return pixels concatenated along an axis, by default top to bottom; a single part is returned unchanged."""
    if len(parts) == 1:
        return parts[0]
    masks = _masks(parts)
    numbers = np.concatenate([part.numbers for part in parts], axis=axis)
    return Pixels(numbers, None if masks is None else np.concatenate(masks, axis=axis))


def _masks(parts: Sequence[Pixels]) -> list[BoolArray] | None:
    if all(part.valid is None for part in parts):
        return None
    return [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]
