"""Coarser copies of digital numbers: the mean of all valid cells below, or the most frequent reason for none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.demo.variables import CLOUD, LAST_VALID, NODATA, SNOW, WATER, NumberArray

_CODES: Final = np.array([SNOW, CLOUD, WATER, NODATA], dtype=np.uint8)
"""Of equally frequent codes the first here is taken, so that nodata never hides a reason."""

CountArray = NDArray[np.unsignedinteger]
"""Of the shortest type that holds what is counted: the bytes of memory that are moved take most of the time."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """What cells of one level hold of the cells of level 0, all (…, height, width)."""

    total: CountArray
    """Sum of the valid digital numbers."""
    valid: CountArray
    codes: tuple[CountArray, ...]
    """Cells of each code."""

    def halve(self) -> "_Counts":
        """Return the counts of cells twice as large."""
        return _Counts(_halve(self.total), _halve(self.valid), tuple(_halve(code) for code in self.codes))

    def numbers(self) -> NumberArray:
        """Return the mean of the valid numbers, half rounded up; where none is valid, the most frequent code."""
        mean = (2 * self.total + self.valid) // np.maximum(2 * self.valid, 1)
        code = _CODES[np.argmax(np.stack(self.codes), axis=0)]
        return np.where(self.valid > 0, mean, code).astype(np.uint8)


def overviews_of(numbers: NumberArray, count: int) -> Iterator[NumberArray]:
    """Give `count` overviews of digital numbers (…, height, width), each half the size of the one before, rounded up.

    Every cell is the mean of the valid cells of level 0 that it covers, not a mean of means.
    """
    cells = 4**count
    short, long = np.min_scalar_type(2 * cells), np.min_scalar_type(2 * cells * LAST_VALID + cells)
    is_valid = numbers <= LAST_VALID
    counts = _Counts(
        total=np.where(is_valid, numbers, np.uint8(0)).astype(long),
        valid=is_valid.astype(short),
        codes=tuple((numbers == code).astype(short) for code in _CODES),
    )
    for _ in range(count):
        counts = counts.halve()
        yield counts.numbers()


def _halve(cells: CountArray) -> CountArray:
    """Return the sums of 2 by 2 cells; past an odd edge there is nothing to add."""
    height, width = cells.shape[-2:]
    if height % 2 or width % 2:
        cells = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + [(0, height % 2), (0, width % 2)])
    rows = cells[..., 0::2, :] + cells[..., 1::2, :]
    return np.asarray(rows[..., 0::2] + rows[..., 1::2])
