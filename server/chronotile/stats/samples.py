"""Values of cells of areas, reduced to one an area and time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import Encoding, IndexArray, Numbers
from chronotile.model.reducer import Reducer
from chronotile.stats.percentiles import percentiles

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PIECE_VALUES = 1 << 20
"""Values that are worked on at once; of one area at one time there may be more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Digital numbers of the cells of areas, one area after the other."""

    numbers: Numbers
    """(time, cell)."""
    codes: IndexArray | None
    """(time, cell): 0 where there is a value; `None` where the encoding tells by the number alone."""
    bounds: IntArray
    """(area + 1,): cells of area `k` stand from `bounds[k]` to `bounds[k + 1]`."""
    weights: FloatArray | None
    """(cell,): what each counts for; `None` of all the same."""

    def part(self, times: slice, first: int, last: int) -> "Samples":
        """Return some times of the areas from `first` to before `last`."""
        cells = slice(self.bounds[first], self.bounds[last])
        return Samples(
            numbers=self.numbers[times, cells],
            codes=None if self.codes is None else self.codes[times, cells],
            bounds=self.bounds[first : last + 1] - self.bounds[first],
            weights=None if self.weights is None else self.weights[cells],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """What became of samples."""

    values: Mapping[str, FloatArray]
    """(time, area) by the reducer's name, of a histogram (time, area, bin); NaN where there is no value."""
    total: IntArray
    """(area,): cells."""
    valid: IntArray
    """(time, area): cells with a value."""
    valid_share: FloatArray
    """(time, area): of the weight of all cells; NaN of an area without cells."""
    causes: Mapping[int, IntArray]
    """(time, area): cells without a value, by the code of the reason; only codes that occur."""


def reduce_samples(
    samples: Samples, encoding: Encoding, reducers: Sequence[Reducer], edges: Mapping[str, FloatArray]
) -> Reduced:
    """Return what reducers make of the values of each area at each time.

    `std` divides by the weight (ddof 0), `sum` adds value times weight. Percentiles are numpy's, linear between the
    two nearest of the sorted values; of cells that weigh differently the least value that holds, with all smaller ones,
    at least that part of the weight (numpy's `inverted_cdf`). A histogram's last bin has its upper edge, and what lies
    beyond the edges is in none.

    Args:
        samples: All cells of all areas.
        encoding: What their numbers mean.
        reducers: Each once.
        edges: (bin + 1,) by the name of each histogram among the reducers.
    """
    shape = (samples.numbers.shape[0], samples.bounds.size - 1)
    values = {
        each.name: np.full((*shape, each.bins) if each.bins else shape, np.nan, dtype=np.float64) for each in reducers
    }
    valid = np.zeros(shape, dtype=np.int64)
    share = np.full(shape, np.nan)
    causes: dict[int, IntArray] = {}
    sorted_out = [each for each in reducers if each.percent is not None]
    percents = [each.percent for each in sorted_out if each.percent is not None]
    for times, first, last in _pieces(samples):
        piece = _Piece.of(samples.part(times, first, last), encoding)
        place = (times, slice(first, last))
        valid[place], share[place] = piece.count, piece.valid_share
        for code, counts in piece.causes().items():
            causes.setdefault(code, np.zeros(shape, dtype=np.int64))[place] = counts
        for reducer in reducers:
            if reducer.percent is None:
                values[reducer.name][place] = piece.reduced(reducer, edges.get(reducer.name))
        for reducer, found in zip(sorted_out, piece.percentiles(percents), strict=True):
            values[reducer.name][place] = found
    return Reduced(values=values, total=np.diff(samples.bounds), valid=valid, valid_share=share, causes=causes)


def _pieces(samples: Samples) -> Iterator[tuple[slice, int, int]]:
    """Times and areas that are worked on at once: areas that have cells, one after the other."""
    count = samples.numbers.shape[0]
    lengths = np.diff(samples.bounds)
    filled = np.flatnonzero(lengths)
    breaks = np.flatnonzero(np.diff(filled) != 1) + 1
    for run in np.split(filled, breaks):
        start = 0
        while start < run.size:
            ends = samples.bounds[run[start:] + 1] - samples.bounds[run[start]]
            taken = max(1, int(np.searchsorted(ends * count, PIECE_VALUES, side="right")))
            rows = max(1, PIECE_VALUES // int(ends[taken - 1]))
            for row in range(0, count, rows):
                yield slice(row, min(count, row + rows)), int(run[start]), int(run[start + taken - 1]) + 1
            start += taken


class _Piece:
    """Some times of some areas, each of which has cells; what several reducers need is found once."""

    def __init__(self, samples: Samples, codes: IndexArray, values: FloatArray) -> None:
        self.starts = samples.bounds[:-1]
        self.bounds = samples.bounds
        self.weights = samples.weights
        self.codes = codes
        self.values = values
        self.is_valid = codes == 0
        self.count = self._counted(self.is_valid)
        """(time, area)."""
        self.weight = self.count.astype(np.float64) if self.weights is None else self._sum(self._weighted(1.0))
        lengths = np.diff(self.bounds)
        whole = lengths if self.weights is None else np.add.reduceat(self.weights, self.starts)
        self.valid_share = self.weight / whole
        self._sums: FloatArray | None = None

    @classmethod
    def of(cls, samples: Samples, encoding: Encoding) -> "_Piece":
        codes = encoding.codes(samples.numbers) if samples.codes is None else samples.codes
        return cls(samples, codes, encoding.values(samples.numbers))

    def causes(self) -> dict[int, IntArray]:
        """(time, area) cells by the code of why they have no value."""
        return {
            int(code): self._counted(self.codes == code)
            for code in np.flatnonzero(np.bincount(self.codes.ravel(), minlength=1))
            if code
        }

    def reduced(self, reducer: Reducer, edges: FloatArray | None) -> FloatArray:
        """(time, area), of a histogram (time, area, bin)."""
        if reducer.kind == "count":
            return self.count.astype(np.float64)
        if reducer.kind == "valid_share":
            return self.valid_share
        if edges is not None:
            return self._histogram(edges)
        found = {"mean": self.mean, "sum": self.sums, "std": self._deviation, "min": self._least, "max": self._greatest}
        return np.where(self.count > 0, found[reducer.kind](), np.nan)

    def percentiles(self, percents: Sequence[float]) -> FloatArray:
        """(percent, time, area)."""
        if not percents:
            return np.empty((0, *self.count.shape))
        values = np.where(self.is_valid, self.values, np.nan)
        return percentiles(values, self.bounds, percents, weights=self.weights)

    def sums(self) -> FloatArray:
        """(time, area) of values times weights."""
        if self._sums is None:
            self._sums = self._sum(self._weighted(self.values))
        return self._sums

    def mean(self) -> FloatArray:
        """(time, area)."""
        mean: FloatArray = np.full(self.count.shape, np.nan)
        return np.divide(self.sums(), self.weight, out=mean, where=self.weight > 0)

    def _deviation(self) -> FloatArray:
        distances = self.values - np.repeat(self.mean(), np.diff(self.bounds), axis=1)
        squares = self._sum(self._weighted(distances * distances))
        deviation: FloatArray = np.sqrt(np.divide(squares, self.weight, out=squares, where=self.weight > 0))
        return deviation

    def _least(self) -> FloatArray:
        least: FloatArray = np.minimum.reduceat(np.where(self.is_valid, self.values, np.inf), self.starts, axis=1)
        return least

    def _greatest(self) -> FloatArray:
        greatest: FloatArray = np.maximum.reduceat(np.where(self.is_valid, self.values, -np.inf), self.starts, axis=1)
        return greatest

    def _histogram(self, edges: FloatArray) -> FloatArray:
        """Counts of cells; of cells that weigh differently sums of weights."""
        bins = edges.size - 1
        places = np.searchsorted(edges, self.values, side="right") - 1
        places[self.values == edges[-1]] = bins - 1
        row, cell = np.nonzero(self.is_valid & (places >= 0) & (places < bins))
        areas = np.repeat(np.arange(self.starts.size), np.diff(self.bounds))
        slots = (row * self.starts.size + areas[cell]) * bins + places[row, cell]
        weights = None if self.weights is None else self.weights[cell]
        counts = np.bincount(slots, weights=weights, minlength=self.count.size * bins)
        histogram = counts.reshape(*self.count.shape, bins).astype(np.float64)
        histogram[self.count == 0] = np.nan
        return histogram

    def _weighted(self, values: FloatArray | float) -> FloatArray:
        """(time, cell): values times weights, 0 where there is no value."""
        weighted = values if self.weights is None else values * self.weights
        return np.where(self.is_valid, weighted, 0.0)

    def _sum(self, each: FloatArray) -> FloatArray:
        summed: FloatArray = np.add.reduceat(each, self.starts, axis=1)
        return summed

    def _counted(self, each: NDArray[np.bool_]) -> IntArray:
        counts: IntArray = np.add.reduceat(each, self.starts, axis=1, dtype=np.int64)
        return counts
