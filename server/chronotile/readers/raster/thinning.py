"""Read windows of open raster files, all cells or every n-th row and column.

A large window is read in strips of rows, so that only the selected cells of one strip after the other stay in memory.
"""

from collections.abc import Iterator

import numpy as np

from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import NumberArray
from chronotile.readers.raster.handle import RasterHandle

STRIP_VALUES = 4 << 20
"""Maximum number of values of a strip."""


def read_pixels(handle: RasterHandle, band: int, window: Window, *, has_mask: bool, step: int = 1) -> Pixels:
    """Return (y, x) pixels of a window, of every `step`-th row and column.

    Args:
        handle: A file, opened at its native level or an overview.
        band: Counted from 1.
        window: In cells of the opened level.
        has_mask: Whether the file stores a mask or an alpha band.
        step: 1 for all cells.
    """
    numbers = _read_thinned(handle, band, window, step=step)
    valid = _read_thinned(handle, band, window, step=step, is_mask=True) > 0 if has_mask else None
    return Pixels(numbers, valid)


def read_made(handle: RasterHandle, window: Window, *, step: int) -> Pixels:
    """Return (y, x) pixels of a preview or an overview file of the server, whose second band is its mask."""
    numbers = read_pixels(handle, 1, window, has_mask=False, step=step).numbers
    if handle.dataset.count == 1:
        return Pixels(numbers)
    return Pixels(numbers, read_pixels(handle, 2, window, has_mask=False, step=step).numbers > 0)


def strips_of(window: Window, step: int) -> Iterator[Window]:
    """Yield strips of rows with at most `STRIP_VALUES` values each, which start at a `step`-th row of the window."""
    rows = max(1, STRIP_VALUES // window.width // step) * step
    for start in range(window.row_start, window.row_stop, rows):
        yield window._replace(row_start=start, row_stop=min(start + rows, window.row_stop))


def thin(pixels: Pixels, step: int) -> Pixels:
    """Return a copy of every `step`-th row and column of (y, x) pixels; the other cells can be freed."""
    if step == 1:
        return pixels
    valid = None if pixels.valid is None else pixels.valid[::step, ::step].copy()
    return Pixels(pixels.numbers[::step, ::step].copy(), valid)


def _read_thinned(handle: RasterHandle, band: int, window: Window, *, step: int, is_mask: bool = False) -> NumberArray:
    # GDAL's own thinning selects other rows and columns.
    if step == 1:
        return handle.read(band, window, is_mask=is_mask)
    strips = (handle.read(band, strip, is_mask=is_mask) for strip in strips_of(window, step))
    return np.concatenate([strip[::step, ::step].copy() for strip in strips])
