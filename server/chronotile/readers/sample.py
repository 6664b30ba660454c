"""The range of values a variable takes, from a small sample."""

import math

import numpy as np

from chronotile.core.errors import DateUnreadable, SourceUnavailable
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.number_text import strip_noise
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import Float64Array
from chronotile.readers.reader import Reader

SAMPLE_SIDE_PX = 512
"""Pixels along each side of a sample."""

SAMPLE_TIMES = 8
"""Times looked at, newest first, until enough values are found."""

MAX_STEP = 4
"""A level that would have to be thinned more, of a source without overviews, is looked at in patches."""

PATCHES = 4
"""Patches along each side."""

ENOUGH_VALUES = 1000

MOST_FAILURES = 4
"""Items of a mosaic that cannot be read, after which no others are tried: their store may hang."""

PERCENTILES = (2.0, 98.0)
MOST = 1e60
"""Larger values are not measured ones, and no colours can be spread over them."""


def observed_range(reader: Reader, variable: str, *, is_brief: bool = False) -> tuple[float, float] | None:
    """Return the 2nd and 98th percentile of a variable's physical values in a sample, or `None` if none is valid.

    The newest times are looked at, at the coarsest stored level that is no smaller than the sample: all of it but
    thinned, or patches of it where that would be much to read. Of a mosaic, some items of each time are.

    Args:
        reader: A source.
        variable: One of its variables.
        is_brief: Whether the newest time with any value, and few patches of it, are enough.

    Raises:
        SourceUnavailable: The data cannot be read.
    """
    info = reader.info.variables[variable]
    found: list[Float64Array] = []
    failures: list[SourceUnavailable] = []
    pieces = (piece for index in _spread(max(1, len(info.times))) for piece in reader.sample_pieces(variable, index))
    for piece in pieces:
        try:
            found.append(_values(piece.reader, piece.info, piece.index, every=PATCHES + 1 if is_brief else 1))
        except SourceUnavailable as error:  # others tell as much
            failures.append(error)
            if not isinstance(error, DateUnreadable) and (not info.is_mosaic or len(failures) == MOST_FAILURES):
                break
        if sum(map(len, found)) >= (1 if is_brief else ENOUGH_VALUES):
            break
    if failures and not found:
        raise failures[-1]
    values = np.concatenate([np.empty(0), *found])
    values = values[np.abs(values) < MOST]
    if values.size == 0:
        return None
    low, high = np.percentile(values, PERCENTILES)
    return strip_noise(float(low)), strip_noise(float(high))


def _spread(count: int) -> list[int]:
    # The newest time, then others evenly spread over the rest.
    steps = np.linspace(count - 1, 0, min(count, SAMPLE_TIMES))
    return list(dict.fromkeys(round(step) for step in steps))


def sampled_level(info: VariableInfo) -> int:
    """Return the level at which a variable is looked at: the coarsest stored one that is no smaller than a sample."""
    return max(
        (number for number, grid in info.stored_levels.items() if min(grid.width, grid.height) >= SAMPLE_SIDE_PX),
        default=0,
    )


def _values(reader: Reader, info: VariableInfo, index: int, *, every: int) -> Float64Array:
    """The valid values of one time; of patches, those of each `every`-th."""
    level = sampled_level(info)
    grid = info.levels[level]
    step = math.ceil(max(grid.width, grid.height) / SAMPLE_SIDE_PX)
    windows = _patches(grid)[::every] if step > MAX_STEP else [Window(0, grid.height, 0, grid.width)]
    step = 1 if step > MAX_STEP else step
    parts = [reader.read_window(info.name, index=index, level=level, window=window, step=step) for window in windows]
    return np.concatenate([np.empty(0), *(_valid_values(pixels, info.encoding) for pixels in parts)])


def _patches(grid: NativeGrid) -> list[Window]:
    """Windows spread evenly over a grid, with as many pixels in all as a sample."""
    side = SAMPLE_SIDE_PX // PATCHES
    height, width = min(side, grid.height), min(side, grid.width)
    rows = [round(start) for start in np.linspace(0, grid.height - height, PATCHES)]
    columns = [round(start) for start in np.linspace(0, grid.width - width, PATCHES)]
    return [Window(row, row + height, column, column + width) for row in rows for column in columns]


def _valid_values(pixels: Pixels, encoding: Encoding) -> Float64Array:
    valid = encoding.valid(pixels.numbers)
    if pixels.valid is not None:
        valid &= pixels.valid
    return encoding.values(pixels.numbers[valid]).ravel()
