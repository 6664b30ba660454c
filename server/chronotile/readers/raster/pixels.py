"""Pixels out of an open raster file."""

from collections.abc import Iterator, Sequence

import numpy as np

from chronotile.model.grid import Window
from chronotile.model.raster import Numbers, Pixels
from chronotile.readers.raster.pool import Handle

STRIP_VALUES = 4 << 20
"""Values held at once while a window is thinned."""


def read_pixels(handle: Handle, band: int, window: Window, *, has_mask: bool, step: int = 1) -> Pixels:
    """Return (y, x) pixels of a window of a file or of the overview it is opened at, of every `step`-th row and column.

    Args:
        handle: An open file.
        band: Counted from 1.
        window: What to read.
        has_mask: Whether the file says beside the numbers which are present.
        step: 1 for all.
    """
    numbers = _thinned(handle, band, window, step=step)
    valid = _thinned(handle, band, window, step=step, is_mask=True) > 0 if has_mask else None
    return Pixels(numbers, valid)


def strips_of(window: Window, step: int) -> Iterator[Window]:
    """Cut a window into strips of rows that hold few values each and begin at a `step`-th row."""
    rows = max(1, STRIP_VALUES // window.width // step) * step
    for start in range(window.row_start, window.row_stop, rows):
        yield window._replace(row_start=start, row_stop=min(start + rows, window.row_stop))


def every(pixels: Pixels, step: int) -> Pixels:
    """Return every `step`-th row and column of (y, x) pixels, without holding on to the others."""
    if step == 1:
        return pixels
    valid = None if pixels.valid is None else pixels.valid[::step, ::step].copy()
    return Pixels(pixels.numbers[::step, ::step].copy(), valid)


def one_above_another(parts: Sequence[Pixels]) -> Pixels:
    """Return pixels joined along their first axis: (y, x) strips from north to south, or times in their order."""
    if len(parts) == 1:
        return parts[0]
    numbers = np.concatenate([part.numbers for part in parts])
    if all(part.valid is None for part in parts):
        return Pixels(numbers)
    valids = [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]
    return Pixels(numbers, np.concatenate(valids))


def _thinned(handle: Handle, band: int, window: Window, *, step: int, is_mask: bool = False) -> Numbers:
    """Every `step`-th row and column, exactly (GDAL's own thinning takes others); no strip is held whole."""
    if step == 1:
        return handle.read(band, window, is_mask=is_mask)
    strips = (handle.read(band, strip, is_mask=is_mask) for strip in strips_of(window, step))
    return np.concatenate([strip[::step, ::step].copy() for strip in strips])
