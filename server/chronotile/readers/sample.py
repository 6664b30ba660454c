"""Range of the values of a variable, estimated from a small sample."""

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
"""Pixels along a side of a sample."""

SAMPLE_TIMES = 8
"""Times that are sampled at most, newest first, until there are enough values."""

MAX_STEP = 4
"""If a source without overviews needed a larger step, patches are read instead."""

PATCHES = 4
"""Patches along a side of the grid."""

ENOUGH_VALUES = 1000

MAX_FAILURES = 4
"""Maximum number of unreadable items of a mosaic; after these, no more are tried, because their store may hang."""

PERCENTILES = (2.0, 98.0)
MAX_VALUE = 1e60
"""Larger values are not measurements, and no colours can be spread over them."""


def observed_range(reader: Reader, variable: str, *, is_brief: bool = False) -> tuple[float, float] | None:
    """Return the 2nd and 98th percentile of the values of a variable in a sample, or `None` if none is valid.

    The sample is a thinned read of the newest times, at the coarsest stored level with at least `SAMPLE_SIDE_PX` pixels
    per side. If that is still much data, patches are read. In a mosaic, some items of each time are sampled.

    Args:
        reader: The source.
        variable: Id of a variable.
        is_brief: Read only a few patches, and stop at the first time that has a value.

    Raises:
        SourceUnavailable: The data cannot be read.
    """
    info = reader.info.variables[variable]
    samples: list[Float64Array] = []
    failures: list[SourceUnavailable] = []
    pieces = (piece for index in _spread(max(1, len(info.times))) for piece in reader.sample_pieces(variable, index))
    for piece in pieces:
        try:
            samples.append(_values(piece.reader, piece.info, piece.index, every=PATCHES + 1 if is_brief else 1))
        except SourceUnavailable as error:  # values of the other pieces may suffice
            failures.append(error)
            if not isinstance(error, DateUnreadable) and (not info.is_mosaic or len(failures) == MAX_FAILURES):
                break
        if sum(map(len, samples)) >= (1 if is_brief else ENOUGH_VALUES):
            break
    if failures and not samples:
        raise failures[-1]
    values = np.concatenate([np.empty(0), *samples])
    values = values[np.abs(values) < MAX_VALUE]
    if values.size == 0:
        return None
    low, high = np.percentile(values, PERCENTILES)
    return strip_noise(float(low)), strip_noise(float(high))


def _spread(count: int) -> list[int]:
    # The newest time, then times evenly spread over the others.
    steps = np.linspace(count - 1, 0, min(count, SAMPLE_TIMES))
    return list(dict.fromkeys(round(step) for step in steps))


def sampled_level(info: VariableInfo) -> int:
    """Return the level that samples are read from: the coarsest stored level that is no smaller than a sample."""
    return max(
        (number for number, grid in info.stored_levels.items() if min(grid.width, grid.height) >= SAMPLE_SIDE_PX),
        default=0,
    )


def _values(reader: Reader, info: VariableInfo, index: int, *, every: int) -> Float64Array:
    """Return the valid values of one time; if patches are read, only every `every`-th patch."""
    level = sampled_level(info)
    grid = info.levels[level]
    step = math.ceil(max(grid.width, grid.height) / SAMPLE_SIDE_PX)
    windows = _patches(grid)[::every] if step > MAX_STEP else [Window(0, grid.height, 0, grid.width)]
    step = 1 if step > MAX_STEP else step
    parts = [reader.read_window(info.name, index=index, level=level, window=window, step=step) for window in windows]
    return np.concatenate([np.empty(0), *(_valid_values(pixels, info.encoding) for pixels in parts)])


def _patches(grid: NativeGrid) -> list[Window]:
    """Windows evenly spread over a grid, with as many pixels together as a sample."""
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
