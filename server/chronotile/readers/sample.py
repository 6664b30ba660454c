"""The range of values a variable takes, from a small sample."""

import math

import numpy as np

from chronotile.model.grid import Window
from chronotile.model.source import VariableInfo
from chronotile.readers.reader import Reader

SAMPLE_SIDE_PX = 512
"""Pixels along each side of a sample."""

SAMPLE_TIMES = 8
"""Times looked at, newest first, until enough values are found."""

ENOUGH_VALUES = 1000

PERCENTILES = (2.0, 98.0)


def observed_range(reader: Reader, variable: str) -> tuple[float, float] | None:
    """Return the 2nd and 98th percentile of a variable's physical values in a sample, or `None` if none is valid.

    The newest times are looked at, whole but thinned, at the coarsest level that is no smaller than the sample.

    Raises:
        SourceUnavailable: The data cannot be read.
    """
    info = reader.info.variables[variable]
    found: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    count = max(1, len(info.times))
    for index in _spread(count):
        found.append(_values(reader, info, index))
        if sum(map(len, found)) >= ENOUGH_VALUES:
            break
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def _spread(count: int) -> list[int]:
    """The newest time, then others evenly spread over the rest."""
    steps = np.linspace(count - 1, 0, min(count, SAMPLE_TIMES))
    return list(dict.fromkeys(round(step) for step in steps))


def _values(reader: Reader, info: VariableInfo, index: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    level = max(
        (number for number, grid in enumerate(info.levels) if min(grid.width, grid.height) >= SAMPLE_SIDE_PX),
        default=0,
    )
    grid = info.levels[level]
    step = max(1, math.ceil(max(grid.width, grid.height) / SAMPLE_SIDE_PX))
    window = Window(0, grid.height, 0, grid.width)
    pixels = reader.read_window(info.name, index=index, level=level, window=window, step=step)
    valid = info.encoding.valid(pixels.numbers)
    if pixels.valid is not None:
        valid &= pixels.valid
    return info.encoding.values(pixels.numbers[valid]).ravel()
