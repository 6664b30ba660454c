"""Overviews of digital numbers: the mean of all valid native cells, or the most frequent code if no cell is valid."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from chronotile.core.model.types import UInt8Array, UnsignedArray
from chronotile.demo import variables

_CODES: Final = np.array([variables.SNOW, variables.CLOUD, variables.WATER, variables.NODATA], dtype=np.uint8)
"""The first of equally frequent codes is used, so that nodata never hides a reason."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of the native cells within cells of one level, all (…, height, width)."""

    total: UnsignedArray
    """Sum of the valid digital numbers."""
    valid: UnsignedArray
    codes: tuple[UnsignedArray, ...]
    """Number of cells per code."""

    def halve(self) -> "_Counts":
        """Return the counts of cells twice as large."""
        return _Counts(_halve(self.total), _halve(self.valid), tuple(_halve(code) for code in self.codes))

    def numbers(self) -> UInt8Array:
        """Return the mean of the valid numbers, half rounded up; the most frequent code if no cell is valid."""
        mean = (2 * self.total + self.valid) // np.maximum(2 * self.valid, 1)
        code = _CODES[np.argmax(np.stack(self.codes), axis=0)]
        return np.where(self.valid > 0, mean, code).astype(np.uint8)


def overviews_of(numbers: UInt8Array, count: int) -> Iterator[UInt8Array]:
    """Yield `count` overviews of digital numbers (…, height, width), each half the previous size, rounded up.

    A cell is the mean of all valid native cells in it, not a mean of means.
    """
    cells = 4**count
    short, long = np.min_scalar_type(2 * cells), np.min_scalar_type(2 * cells * variables.LAST_VALID + cells)
    is_valid = numbers <= variables.LAST_VALID
    counts = _Counts(
        total=np.where(is_valid, numbers, np.uint8(0)).astype(long),
        valid=is_valid.astype(short),
        codes=tuple((numbers == code).astype(short) for code in _CODES),
    )
    for _ in range(count):
        counts = counts.halve()
        yield counts.numbers()


def _halve(cells: UnsignedArray) -> UnsignedArray:
    """Return the sums of 2 by 2 cells; cells beyond an odd edge count as 0."""
    height, width = cells.shape[-2:]
    if height % 2 or width % 2:
        cells = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + [(0, height % 2), (0, width % 2)])
    rows = cells[..., 0::2, :] + cells[..., 1::2, :]
    return np.asarray(rows[..., 0::2] + rows[..., 1::2])
