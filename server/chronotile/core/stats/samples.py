"""Reduction of the cells of areas to one value per area and time.

Samples are processed in blocks. Several areas at several times are one block (`_Small`), a large area at one time is
processed in parts (`_Large`). If an area has more cells than its integer type has numbers, the frequencies of its
numbers are counted (`NumberCounts`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.directions import circular_deviations, mean_directions, vectors_of
from chronotile.core.model.series.reducers import Reducer
from chronotile.core.model.types import ComplexArray, Float64Array, Int64Array, NumberArray, UInt8Array
from chronotile.core.stats.histogram_bins import bins_of
from chronotile.core.stats.number_counts import NumberCounts, table_size
from chronotile.core.stats.percentiles import Sortable, percentiles, percentiles_of_many

PART_VALUES = 1 << 19
"""Number of values that are processed together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellWeights:
    """Weights of cells, stored per run of cells with equal weights."""

    ends: Int64Array
    """(run + 1,): cells of run `k` are from `ends[k]` to `ends[k + 1]`."""
    weights: Float64Array
    """(run,)."""

    def part(self, origin: int, first: int, last: int) -> Float64Array:
        """Return (cell,) weights like `slice_cells`, for cells that are counted from an origin."""
        return self.slice_cells(origin + first, origin + last)

    def slice_cells(self, first: int, last: int) -> Float64Array:
        """Return (cell,) weights of the cells from `first` to before `last`, at least one."""
        start = int(np.searchsorted(self.ends, first, side="right")) - 1
        stop = int(np.searchsorted(self.ends, last, side="left"))
        ends: Int64Array = np.clip(self.ends[start : stop + 1], first, last)
        return np.repeat(self.weights[start:stop], ends[1:] - ends[:-1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Digital numbers of the cells of areas, area by area."""

    numbers: NumberArray
    """(time, cell)."""
    codes: UInt8Array
    """(time, cell): 0 for a value, else the code of the reason why it is missing."""
    bounds: Int64Array
    """(area + 1,): cells of area `k` are from `bounds[k]` to `bounds[k + 1]`."""
    weights: CellWeights | None = None
    """`None`: equal weights."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """Reduced values of samples."""

    values: Mapping[str, Float64Array]
    """(time, area) by reducer name, (time, area, bin) for a histogram; NaN without a value."""
    valid: Int64Array
    """(time, area): number of cells with a value."""
    valid_share: Float64Array
    """(time, area): fraction of the weight of all cells; NaN for an area without cells."""
    causes: Mapping[int, Int64Array]
    """(time, area) by code of the reason: number of cells without a value; only codes that occur."""


@dataclass(frozen=True, slots=True)
class AreaBlock:
    """Areas and times of samples that are reduced in one step; every area has at least one cell."""

    times: slice
    """Indexes along the time axis of the samples."""
    first: int
    """Index of the first area."""
    last: int
    """Index after the last area."""
    is_counted: bool
    """True for a single area with so many cells that it is reduced from the frequencies of its numbers."""


InOrder = Callable[[Callable[[AreaBlock], None], Iterable[AreaBlock]], Iterable[None]]
"""Calls a function with each block, and returns its results in order, like `map`."""


def reduce_samples(
    samples: Samples,
    encoding: Encoding,
    reducers: Sequence[Reducer],
    edges: Mapping[str, Float64Array],
    *,
    in_order: InOrder = map,
) -> Reduced:
    """Reduce the values of each area at each time.

    `std` divides by the weight (ddof 0), `sum` adds value times weight. `mean` and `std` of directions
    (`Encoding.circle`) are circular. Percentiles are numpy's, linear between the two nearest sorted values. If weights
    differ, they are the smallest value that has, with all smaller values, at least this fraction of the weight
    (numpy's `inverted_cdf`). A histogram's last bin includes its upper edge; values beyond the edges are in no bin.

    Args:
        samples: All cells of all areas.
        encoding: Encoding of the numbers.
        reducers: Without duplicates.
        edges: (bin + 1,) by name, for each histogram.
        in_order: `map`, or a version with threads.
    """
    shape = (samples.numbers.shape[0], samples.bounds.size - 1)
    values = {reducer.name: np.full((*shape, reducer.bins) if reducer.bins else shape, np.nan) for reducer in reducers}
    values |= {reducer.name: np.zeros(shape) for reducer in reducers if reducer.kind == "count"}
    valid = np.zeros(shape, dtype=np.int64)
    share = np.full(shape, np.nan)
    most = int(samples.codes.max(initial=0))
    occurring = [code for code in range(1, most + 1) if (samples.codes == code).any()]
    causes = {code: np.zeros(shape, dtype=np.int64) for code in occurring}

    def reduce_place(block: AreaBlock) -> None:
        target = (block.times, slice(block.first, block.last))
        part = _part(samples, block, encoding)
        valid[target] = part.count
        cells = np.diff(samples.bounds[block.first : block.last + 1])
        share[target] = own_share = _share(part, cells)
        rest = cells - part.count
        for code in list(causes)[1:]:
            causes[code][target] = counts = part.count_code(code)
            rest -= counts
        for code in list(causes)[:1]:  # the first code counts cells without a value for any other reason
            causes[code][target] = rest
        for name, reduced in _reduce(part, own_share, reducers, edges, circle=encoding.circle).items():
            values[name][target] = reduced

    for _ in in_order(reduce_place, _split_blocks(samples)):
        pass
    return Reduced(values=values, valid=valid, valid_share=share, causes=causes)


def _split_blocks(samples: Samples) -> Iterator[AreaBlock]:
    """Yield blocks to process together: areas of one kind that have cells, in order."""
    lengths = np.diff(samples.bounds)
    bins = table_size(samples.numbers.dtype) or 0
    is_counted = lengths >= (bins or np.inf)
    filled = np.flatnonzero(lengths)
    breaks = np.flatnonzero((np.diff(filled) != 1) | np.diff(is_counted[filled])) + 1
    for run in np.split(filled, breaks):
        if run.size and is_counted[run[0]]:
            for area in run.tolist():
                yield from _rows(samples, max(bins, int(lengths[area])), area, area + 1, is_counted=True)
            continue
        start = 0
        while start < run.size:
            cells = samples.bounds[run[start:] + 1] - samples.bounds[run[start]]
            area_count = max(1, int(np.searchsorted(cells * len(samples.numbers), PART_VALUES, side="right")))
            first, last = int(run[start]), int(run[start + area_count - 1]) + 1
            yield from _rows(samples, int(cells[area_count - 1]), first, last, is_counted=False)
            start += area_count


def _rows(samples: Samples, length: int, first: int, last: int, *, is_counted: bool) -> Iterator[AreaBlock]:
    """Yield blocks of areas with `length` cells per time; each block has as many times as `PART_VALUES` allows."""
    count = samples.numbers.shape[0]
    step = max(1, PART_VALUES // length)
    for row in range(0, count, step):
        yield AreaBlock(slice(row, min(count, row + step)), first, last, is_counted)


class _BlockSums(Protocol):
    """Sums over the cells of each area of a block, at each time; arrays are (time, area)."""

    count: Int64Array
    """Number of cells with a value."""
    weight: Float64Array
    """Weight of the cells with a value."""
    whole: Float64Array
    """(area,): weight of all cells."""

    def count_code(self, code: int) -> Int64Array: ...
    def sums(self) -> Float64Array: ...
    def squares(self, mean: Float64Array) -> Float64Array: ...
    def vectors(self, circle: float) -> ComplexArray: ...
    def least(self) -> Float64Array: ...
    def greatest(self) -> Float64Array: ...
    def histogram(self, edges: Float64Array) -> Float64Array: ...
    def percentiles(self, percents: Sequence[float]) -> Float64Array: ...


def _share(part: _BlockSums, cells: Int64Array) -> Float64Array:
    # (time, area): fraction of the weight that has a value, exactly 1 for all cells even if sums are rounded.
    return np.where(part.count == cells, 1.0, np.minimum(part.weight / part.whole, 1.0))


def _reduce(
    part: _BlockSums,
    share: Float64Array,
    reducers: Sequence[Reducer],
    edges: Mapping[str, Float64Array],
    *,
    circle: float | None,
) -> dict[str, Float64Array]:
    """Return the results of reducers for a part; NaN without a value."""
    is_empty = part.count == 0
    kinds = {reducer.kind for reducer in reducers}
    results = {"count": part.count.astype(np.float64), "valid_share": share}
    sums = part.sums() if kinds & {"mean", "sum", "std"} else np.zeros(is_empty.shape)
    mean = np.divide(sums, part.weight, out=np.full(is_empty.shape, np.nan), where=~is_empty)
    results |= {"mean": mean, "sum": np.where(is_empty, np.nan, sums)}
    if circle is not None and kinds & {"mean", "std"}:
        total = part.vectors(circle)
        results["mean"] = mean_directions(total, part.weight, circle, part.least() < 0)
        results["std"] = circular_deviations(total, part.weight, circle)
    elif "std" in kinds:
        squares = part.squares(mean)
        results["std"] = np.sqrt(np.divide(squares, part.weight, out=np.full(is_empty.shape, np.nan), where=~is_empty))
    if "min" in kinds:
        results["min"] = np.where(is_empty, np.nan, part.least())
    if "max" in kinds:
        results["max"] = np.where(is_empty, np.nan, part.greatest())
    for name, bin_edges in edges.items():
        results[name] = np.where(is_empty[..., None], np.nan, part.histogram(bin_edges))
    ranked = {reducer.name: reducer.percent for reducer in reducers if reducer.percent is not None}
    if ranked:
        results |= dict(zip(ranked, part.percentiles(list(ranked.values())), strict=True))
    return {reducer.name: results[reducer.name] for reducer in reducers}


def _part(samples: Samples, block: AreaBlock, encoding: Encoding) -> _BlockSums:
    first, last = int(samples.bounds[block.first]), int(samples.bounds[block.last])
    if block.is_counted:
        return NumberCounts(
            samples.numbers[block.times, first:last],
            samples.codes[block.times, first:last],
            encoding,
            None if samples.weights is None else partial(samples.weights.part, first),
        )
    if last - first > PART_VALUES:
        row = block.times.start
        return _Large(
            numbers=samples.numbers[row, first:last],
            codes=samples.codes[row, first:last],
            first=first,
            weights=samples.weights,
            encoding=encoding,
        )
    return _Small(
        codes=samples.codes[block.times, first:last],
        numbers=samples.numbers[block.times, first:last],
        encoding=encoding,
        bounds=samples.bounds[block.first : block.last + 1] - first,
        weights=None if samples.weights is None else samples.weights.slice_cells(first, last),
    )


class _Small:
    """Some times of some areas in one step; `numbers` are (time, cell)."""

    def __init__(
        self,
        *,
        numbers: NumberArray,
        codes: UInt8Array,
        encoding: Encoding,
        bounds: Int64Array,
        weights: Float64Array | None,
    ) -> None:
        self._numbers = numbers
        self._encoding = encoding
        self._codes = codes
        self._is_valid = codes == 0
        with np.errstate(over="ignore", invalid="ignore"):  # numbers that have no value may overflow
            self._values = encoding.values(numbers)
        self._values[~self._is_valid] = 0.0  # sums must not contain them; some have overflowed
        self._bounds = bounds
        self._starts = bounds[:-1]
        self._weights = weights
        self.count = self.count_code(0)
        if weights is None:
            self.weight, self.whole = self.count.astype(np.float64), np.diff(bounds).astype(np.float64)
        else:
            self.weight, self.whole = (self._sum(weights * self._is_valid), np.add.reduceat(weights, self._starts))

    def count_code(self, code: int) -> Int64Array:
        return np.add.reduceat(self._codes == code, self._starts, axis=1, dtype=np.int64)

    def sums(self) -> Float64Array:
        return self._sum(self._apply_weights(self._values))

    def squares(self, mean: Float64Array) -> Float64Array:
        distances = self._values - np.repeat(mean, np.diff(self._bounds), axis=1)
        distances[~self._is_valid] = 0.0
        return self._sum(self._apply_weights(distances * distances))

    def vectors(self, circle: float) -> ComplexArray:
        vectors = np.where(self._is_valid, vectors_of(self._values, circle), 0)
        return np.add.reduceat(vectors if self._weights is None else vectors * self._weights, self._starts, axis=1)

    def least(self) -> Float64Array:
        return np.minimum.reduceat(np.where(self._is_valid, self._values, np.inf), self._starts, axis=1)

    def greatest(self) -> Float64Array:
        return np.maximum.reduceat(np.where(self._is_valid, self._values, -np.inf), self._starts, axis=1)

    def histogram(self, edges: Float64Array) -> Float64Array:
        """Return numbers of cells, or sums of weights if weights differ."""
        bins = edges.size - 1
        bin_of = bins_of(self._values, edges)
        row, cell = np.nonzero(self._is_valid & (bin_of >= 0) & (bin_of < bins))
        area = np.repeat(np.arange(self._starts.size), np.diff(self._bounds))
        slots = (row * self._starts.size + area[cell]) * bins + bin_of[row, cell]
        weights = None if self._weights is None else self._weights[cell]
        counts = np.bincount(slots, weights=weights, minlength=self.count.size * bins)
        return counts.reshape(*self.count.shape, bins).astype(np.float64)

    def percentiles(self, percents: Sequence[float]) -> Float64Array:
        sortable = Sortable.from_numbers(self._numbers, self._is_valid, self._values, self._encoding)
        return percentiles(sortable, self._bounds, percents, weights=self._weights)

    def _apply_weights(self, values: Float64Array) -> Float64Array:
        return values if self._weights is None else values * self._weights

    def _sum(self, values: Float64Array) -> Float64Array:
        return np.add.reduceat(values, self._starts, axis=1)


class _Large:
    """One area at one time that is too large for one step; arrays are (1, 1)."""

    def __init__(
        self, *, numbers: NumberArray, codes: UInt8Array, first: int, weights: CellWeights | None, encoding: Encoding
    ) -> None:
        self._numbers = numbers
        self._codes = codes
        self._first = first
        self._weights = weights
        self._encoding = encoding
        self.count = np.array([[np.count_nonzero(codes == 0)]])
        self.weight = self._sum_parts(lambda part: part.weight)
        self.whole = self._sum_parts(lambda part: part.whole[None])[0]

    def count_code(self, code: int) -> Int64Array:
        return np.array([[np.count_nonzero(self._codes == code)]])

    def sums(self) -> Float64Array:
        return self._sum_parts(lambda part: part.sums())

    def squares(self, mean: Float64Array) -> Float64Array:
        return self._sum_parts(lambda part: part.squares(mean))

    def vectors(self, circle: float) -> ComplexArray:
        return np.asarray(np.sum([part.vectors(circle) for part in self._parts()], axis=0))

    def least(self) -> Float64Array:
        least: Float64Array = np.min([part.least() for part in self._parts()], axis=0)
        return least

    def greatest(self) -> Float64Array:
        greatest: Float64Array = np.max([part.greatest() for part in self._parts()], axis=0)
        return greatest

    def histogram(self, edges: Float64Array) -> Float64Array:
        return self._sum_parts(lambda part: part.histogram(edges))

    def percentiles(self, percents: Sequence[float]) -> Float64Array:
        weights = (
            None if self._weights is None else self._weights.slice_cells(self._first, self._first + self._numbers.size)
        )
        values = percentiles_of_many(self._numbers, self._codes == 0, self._encoding, percents, weights=weights)
        return values[:, None, None]

    def _sum_parts(self, find: Callable[[_Small], Float64Array]) -> Float64Array:
        added: Float64Array = np.sum([find(part) for part in self._parts()], axis=0)
        return added

    def _parts(self) -> Iterator[_Small]:
        for start in range(0, self._numbers.size, PART_VALUES):
            stop = min(start + PART_VALUES, self._numbers.size)
            yield _Small(
                codes=self._codes[None, start:stop],
                numbers=self._numbers[None, start:stop],
                encoding=self._encoding,
                bounds=np.array([0, stop - start]),
                weights=None
                if self._weights is None
                else self._weights.slice_cells(self._first + start, self._first + stop),
            )
