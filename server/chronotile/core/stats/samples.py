"""Values of the cells of areas, reduced to one an area and time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.analysis import Reducer
from chronotile.core.model.series.directions import circular_deviations, mean_directions, vectors_of
from chronotile.core.model.types import ComplexArray, Float64Array, Int64Array, NumberArray, UInt8Array
from chronotile.core.stats.percentiles import (
    NumberCounts,
    Sortable,
    bins_of,
    percentiles,
    percentiles_of_many,
    table_size,
)

PART_VALUES = 1 << 19
"""Values that are worked on at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellWeights:
    """What each cell counts for, held by runs of cells that weigh the same."""

    ends: Int64Array
    """(run + 1,): cells of run `k` stand from `ends[k]` to `ends[k + 1]`."""
    weights: Float64Array
    """(run,)."""

    def part(self, origin: int, first: int, last: int) -> Float64Array:
        """Return (cell,) as `slice_cells` does, of cells counted from an origin."""
        return self.slice_cells(origin + first, origin + last)

    def slice_cells(self, first: int, last: int) -> Float64Array:
        """Return (cell,) of the cells from `first` to before `last`, at least one."""
        start = int(np.searchsorted(self.ends, first, side="right")) - 1
        stop = int(np.searchsorted(self.ends, last, side="left"))
        ends: Int64Array = np.clip(self.ends[start : stop + 1], first, last)
        return np.repeat(self.weights[start:stop], ends[1:] - ends[:-1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Digital numbers of the cells of areas, one area after the other."""

    numbers: NumberArray
    """(time, cell)."""
    codes: UInt8Array
    """(time, cell): 0 where there is a value, else that of the reason why there is none."""
    bounds: Int64Array
    """(area + 1,): cells of area `k` stand from `bounds[k]` to `bounds[k + 1]`."""
    weights: CellWeights | None = None
    """`None` of all the same."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """What became of samples."""

    values: Mapping[str, Float64Array]
    """(time, area) by the reducer's name, of a histogram (time, area, bin); NaN where there is no value."""
    valid: Int64Array
    """(time, area): cells with a value."""
    valid_share: Float64Array
    """(time, area): of the weight of all cells; NaN of an area without cells."""
    causes: Mapping[int, Int64Array]
    """(time, area): cells without a value, by the code of the reason; only codes that occur."""


@dataclass(frozen=True, slots=True)
class AreaBlock:
    """Some times of some areas, all of which have cells."""

    times: slice
    first: int
    last: int
    """The area after the last."""
    is_counted: bool
    """Whether it is one area whose numbers are so many that each is counted."""


class InOrder(Protocol):
    """Calls a function with each of some places, as `map` does."""

    def __call__(self, function: Callable[[AreaBlock], None], places: Iterable[AreaBlock], /) -> Iterable[None]:
        """Return what the function does, in order."""


def reduce_samples(
    samples: Samples,
    encoding: Encoding,
    reducers: Sequence[Reducer],
    edges: Mapping[str, Float64Array],
    *,
    in_order: InOrder = map,
) -> Reduced:
    """Return what reducers make of the values of each area at each time.

    `std` divides by the weight (ddof 0), `sum` adds value times weight. Of directions (`Encoding.circle`) `mean` and
    `std` are circular. Percentiles are numpy's, linear between the two nearest of the sorted values; of cells that
    weigh differently the least value that holds, with all smaller ones, at least that part of the weight (numpy's
    `inverted_cdf`). A histogram's last bin has its upper edge, and what lies beyond the edges is in none.

    Args:
        samples: All cells of all areas.
        encoding: What their numbers mean.
        reducers: Each once.
        edges: (bin + 1,) by the name of each histogram among the reducers.
        in_order: `map`, or that of threads.
    """
    shape = (samples.numbers.shape[0], samples.bounds.size - 1)
    values = {each.name: np.full((*shape, each.bins) if each.bins else shape, np.nan) for each in reducers}
    values |= {each.name: np.zeros(shape) for each in reducers if each.kind == "count"}
    valid = np.zeros(shape, dtype=np.int64)
    share = np.full(shape, np.nan)
    most = int(samples.codes.max(initial=0))
    occurring = [code for code in range(1, most + 1) if (samples.codes == code).any()]
    causes = {code: np.zeros(shape, dtype=np.int64) for code in occurring}

    def reduce_place(place: AreaBlock) -> None:
        target = (place.times, slice(place.first, place.last))
        part = _part(samples, place, encoding)
        valid[target] = part.count
        cells = np.diff(samples.bounds[place.first : place.last + 1])
        share[target] = own_share = _share(part, cells)
        rest = cells - part.count
        for code in list(causes)[1:]:
            causes[code][target] = counts = part.count_code(code)
            rest -= counts
        for code in list(causes)[:1]:  # what has no value for no other reason
            causes[code][target] = rest
        for name, each in _reduce(part, own_share, reducers, edges, circle=encoding.circle).items():
            values[name][target] = each

    for _ in in_order(reduce_place, _places(samples)):
        pass
    return Reduced(values=values, valid=valid, valid_share=share, causes=causes)


def _places(samples: Samples) -> Iterator[AreaBlock]:
    """Times and areas that are worked on at once: areas of one kind that have cells, one after the other."""
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
            taken = max(1, int(np.searchsorted(cells * len(samples.numbers), PART_VALUES, side="right")))
            first, last = int(run[start]), int(run[start + taken - 1]) + 1
            yield from _rows(samples, int(cells[taken - 1]), first, last, is_counted=False)
            start += taken


def _rows(samples: Samples, length: int, first: int, last: int, *, is_counted: bool) -> Iterator[AreaBlock]:
    """Times of some areas, as many at once as may be of which each has a length."""
    count = samples.numbers.shape[0]
    step = max(1, PART_VALUES // length)
    for row in range(0, count, step):
        yield AreaBlock(slice(row, min(count, row + step)), first, last, is_counted)


class _BlockSums(Protocol):
    """Some times of some areas, each of which has cells; arrays are (time, area)."""

    count: Int64Array
    """Cells with a value."""
    weight: Float64Array
    """Of those."""
    whole: Float64Array
    """(area,): the weight of all cells."""

    def count_code(self, code: int) -> Int64Array: ...
    def sums(self) -> Float64Array: ...
    def squares(self, mean: Float64Array) -> Float64Array: ...
    def vectors(self, circle: float) -> ComplexArray: ...
    def least(self) -> Float64Array: ...
    def greatest(self) -> Float64Array: ...
    def histogram(self, edges: Float64Array) -> Float64Array: ...
    def percentiles(self, percents: Sequence[float]) -> Float64Array: ...


def _share(part: _BlockSums, cells: Int64Array) -> Float64Array:
    # (time, area): the part of the weight that has a value, exactly 1 of all cells, however sums are rounded.
    return np.where(part.count == cells, 1.0, np.minimum(part.weight / part.whole, 1.0))


def _reduce(
    part: _BlockSums,
    share: Float64Array,
    reducers: Sequence[Reducer],
    edges: Mapping[str, Float64Array],
    *,
    circle: float | None,
) -> dict[str, Float64Array]:
    """What reducers make of a part; NaN where there is no value."""
    is_empty = part.count == 0
    kinds = {reducer.kind for reducer in reducers}
    found = {"count": part.count.astype(np.float64), "valid_share": share}
    sums = part.sums() if kinds & {"mean", "sum", "std"} else np.zeros(is_empty.shape)
    mean = np.divide(sums, part.weight, out=np.full(is_empty.shape, np.nan), where=~is_empty)
    found |= {"mean": mean, "sum": np.where(is_empty, np.nan, sums)}
    if circle is not None and kinds & {"mean", "std"}:
        total = part.vectors(circle)
        found["mean"] = mean_directions(total, part.weight, circle, part.least() < 0)
        found["std"] = circular_deviations(total, part.weight, circle)
    elif "std" in kinds:
        squares = part.squares(mean)
        found["std"] = np.sqrt(np.divide(squares, part.weight, out=np.full(is_empty.shape, np.nan), where=~is_empty))
    if "min" in kinds:
        found["min"] = np.where(is_empty, np.nan, part.least())
    if "max" in kinds:
        found["max"] = np.where(is_empty, np.nan, part.greatest())
    for name, each in edges.items():
        found[name] = np.where(is_empty[..., None], np.nan, part.histogram(each))
    ranked = {reducer.name: reducer.percent for reducer in reducers if reducer.percent is not None}
    if ranked:
        found |= dict(zip(ranked, part.percentiles(list(ranked.values())), strict=True))
    return {reducer.name: found[reducer.name] for reducer in reducers}


def _part(samples: Samples, place: AreaBlock, encoding: Encoding) -> _BlockSums:
    first, last = int(samples.bounds[place.first]), int(samples.bounds[place.last])
    if place.is_counted:
        return NumberCounts(
            samples.numbers[place.times, first:last],
            samples.codes[place.times, first:last],
            encoding,
            None if samples.weights is None else partial(samples.weights.part, first),
        )
    if last - first > PART_VALUES:
        row = place.times.start
        return _Large(
            numbers=samples.numbers[row, first:last],
            codes=samples.codes[row, first:last],
            first=first,
            weights=samples.weights,
            encoding=encoding,
        )
    return _Small(
        codes=samples.codes[place.times, first:last],
        numbers=samples.numbers[place.times, first:last],
        encoding=encoding,
        bounds=samples.bounds[place.first : place.last + 1] - first,
        weights=None if samples.weights is None else samples.weights.slice_cells(first, last),
    )


class _Small:
    """Some times of some areas at once; `numbers` are (time, cell)."""

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
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are no values
            self._values = encoding.values(numbers)
        self._values[~self._is_valid] = 0.0  # no sum takes them, and they may be as large as floats get
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
        """Counts of cells; of cells that weigh differently sums of weights."""
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

    def _sum(self, each: Float64Array) -> Float64Array:
        return np.add.reduceat(each, self._starts, axis=1)


class _Large:
    """One area at one time that is too large to be worked on at once; arrays are (1, 1)."""

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
        found = percentiles_of_many(self._numbers, self._codes == 0, self._encoding, percents, weights=weights)
        return found[:, None, None]

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
