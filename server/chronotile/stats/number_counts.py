"""Values of one large area at many times, reduced out of how often each number occurs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import Encoding, IndexArray, Numbers
from chronotile.stats.bins import bins_of
from chronotile.stats.ranks import lerp, share_needed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COUNTED_AT_ONCE = 1 << 18
"""Numbers; what numpy makes of them to count them takes eight times their size."""


def table_size(dtype: np.dtype[Any]) -> int | None:
    """Return how many numbers a type has, if it is one of integers whose numbers may be counted one by one."""
    return 256**dtype.itemsize if dtype.kind in "iu" and dtype.itemsize <= 2 else None


class NumberCounts:
    """Some times of one area; results are (time, 1).

    Args:
        numbers: (time, cell) of a type that is `table_size`.
        codes: (time, cell): 0 where there is a value.
        encoding: What the numbers mean.
        weights: Gives (cell,) what cells from one to before another count for; `None` of all the same.
    """

    def __init__(
        self,
        numbers: Numbers,
        codes: IndexArray,
        encoding: Encoding,
        weights: Callable[[int, int], FloatArray] | None,
    ) -> None:
        unsigned = np.dtype(f"u{numbers.dtype.itemsize}")
        every = np.arange(256**numbers.dtype.itemsize, dtype=unsigned)
        values = encoding.values(every.view(numbers.dtype))
        self._codes = codes
        counts, held, whole = _counted(numbers.view(unsigned), codes, every.size, weights)
        if (values[1:] < values[:-1]).any():
            order = np.argsort(values, kind="stable")
            values, counts, held = values[order], counts[:, order], None if held is None else held[:, order]
        self._values = values
        """(number,), ascending."""
        self._counts = counts
        """(time, number)."""
        self._is_weighted = held is not None
        self._weighted = counts.astype(np.float64) if held is None else held
        """(time, number): weights."""
        self.count = counts.sum(axis=1, keepdims=True)
        self.weight = self._weighted.sum(axis=1, keepdims=True)
        self.whole = np.array([whole])

    def count_code(self, code: int) -> IntArray:
        """Return how many cells have a code."""
        counts: IntArray = np.count_nonzero(self._codes == code, axis=1)[:, None]
        return counts

    def sums(self) -> FloatArray:
        """Return the sum of values times weights."""
        sums: FloatArray = (self._weighted @ self._values)[:, None]
        return sums

    def squares(self, mean: FloatArray) -> FloatArray:
        """Return the sum of squared distances from a mean times weights."""
        distances = self._values - np.nan_to_num(mean)
        squares: FloatArray = (self._weighted * distances * distances).sum(axis=1, keepdims=True)
        return squares

    def least(self) -> FloatArray:
        """Return the least value, any where there is none."""
        least: FloatArray = self._values[np.argmax(self._counts > 0, axis=1)][:, None]
        return least

    def greatest(self) -> FloatArray:
        """Return the greatest value, any where there is none."""
        greatest: FloatArray = self._values[::-1][np.argmax(self._counts[:, ::-1] > 0, axis=1)][:, None]
        return greatest

    def histogram(self, edges: FloatArray) -> FloatArray:
        """Return (time, 1, bin) weights by bin; the last has its upper edge."""
        bins = edges.size - 1
        bin_of = bins_of(self._values, edges)
        is_own = (bin_of >= 0) & (bin_of < bins)
        found = np.zeros((bins, self._counts.shape[0]))
        np.add.at(found, bin_of[is_own], self._weighted.T[is_own])
        return found.T[:, None]

    def percentiles(self, percents: Sequence[float]) -> FloatArray:
        """Return (percent, time, 1) percentiles as `stats.percentiles` defines them; NaN where there is no value."""
        sums = np.cumsum(self._weighted, axis=1)
        find = self._inverted if self._is_weighted else self._linear
        found = np.array([find(sums, percent / 100) for percent in percents])
        found[:, self.count[:, 0] == 0] = np.nan
        return found[..., None]

    def _linear(self, sums: FloatArray, share: float) -> FloatArray:
        last = np.maximum(sums[:, -1] - 1, 0)
        place = last * share
        lower = np.floor(place).astype(np.int64)
        low, high = (
            self._values[np.minimum((sums <= each[:, None]).sum(axis=1), self._values.size - 1)]
            for each in (lower, np.minimum(lower + 1, last))
        )
        return lerp(low, high, place - lower)

    def _inverted(self, sums: FloatArray, share: float) -> FloatArray:
        is_reached = (sums >= share_needed(share) * sums[:, -1:]) & (sums > 0)
        found: FloatArray = self._values[np.argmax(is_reached, axis=1)]
        return found


def _counted(
    numbers: Numbers, codes: IndexArray, bins: int, weights: Callable[[int, int], FloatArray] | None
) -> tuple[IntArray, FloatArray | None, float]:
    """(time, number) counts of values, and their weights if they have some; and the weight of all cells."""
    times, cells = numbers.shape
    counts = np.zeros((times, bins + 1), dtype=np.int64)
    held = None if weights is None else np.zeros((times, bins + 1))
    whole = float(cells) if weights is None else 0.0
    across = min(cells, COUNTED_AT_ONCE)
    rows = max(1, COUNTED_AT_ONCE // across)
    for first in range(0, cells, across):
        part = slice(first, min(first + across, cells))
        weigh = None if weights is None else weights(part.start, part.stop)
        whole += 0.0 if weigh is None else float(weigh.sum())
        for row in range(0, times, rows):
            own = slice(row, min(row + rows, times))
            slots = numbers[own, part].astype(np.intp)
            slots[codes[own, part] != 0] = bins  # the slot of what is no value
            slots += np.arange(len(slots))[:, None] * (bins + 1)
            shape = (len(slots), bins + 1)
            counts[own] += np.bincount(slots.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
            if held is not None and weigh is not None:
                spread = np.broadcast_to(weigh, slots.shape).ravel()
                held[own] += np.bincount(slots.ravel(), spread, shape[0] * shape[1]).reshape(shape)
    return counts[:, :-1], None if held is None else held[:, :-1], whole
