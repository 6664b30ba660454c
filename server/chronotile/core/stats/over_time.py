"""Rasters of one grid at many times to one raster, pixel by pixel."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Raster
from chronotile.core.model.request import PictureReducer
from chronotile.core.model.series.analysis import ANOMALY_UNITS, AnomalyKind
from chronotile.core.model.series.directions import mean_of_sums, shortest, vectors_of
from chronotile.core.model.types import AnyArray, Float64Array
from chronotile.core.stats.climatology import deviates

BLOCK_VALUES = 1 << 20
"""Values of all times together that are sorted at once."""
STRIP_VALUES = 1 << 17
"""Of one time that are added up or compared at once."""


def reduce_over_time(rasters: Iterable[Raster], reducer: PictureReducer) -> Raster:
    """Return what a reducer makes of each pixel's values.

    A pixel that never has a value keeps its newest number with `latest`, so that a cloud is painted as one, and is
    absent with any other reducer.

    Args:
        rasters: At least one, all of one encoding, newest first (`earliest`: oldest first);
            no more are taken than needed.
        reducer: `mean` and `median` give float64 values, the others numbers as they are stored.
    """
    remaining = iter(rasters)
    first = next(remaining)
    if reducer == "latest":
        return _first_values(first, remaining)
    if reducer == "earliest":
        found = _first_values(first, remaining)
        return replace(found, present=found.valid)
    if reducer == "mean":
        return _mean(first, remaining)
    if reducer == "median":
        return _median([first, *remaining])
    is_rising = first.encoding.scale >= 0
    return _extreme(first, remaining, np.greater if (reducer == "max") == is_rising else np.less)


def difference(later: Raster, base: Raster | None) -> Raster:
    """Return the float64 values of one raster less those of another; absent where either has none.

    Of directions it is the shorter way round.
    """
    values = later.values()
    apart = shortest(values - (np.nan if base is None else base.values()), later.encoding.circle)
    return Raster(apart, replace(_value_encoding(later.encoding), circle=None))


def anomaly(shown: Raster, usual: Iterable[Raster], kind: AnomalyKind) -> Raster:
    """Return how float64 values lie to those of the same time of the year, as `find_anomalies`; absent without either.

    Args:
        shown: The values.
        usual: What they are held against, of the same grid; no more than one is held.
        kind: Of the anomaly.
    """
    if shown.encoding.circle is not None:  # for which there are differences alone
        of_any = iter(usual)
        first = next(of_any, None)
        return difference(shown, None if first is None else _mean(first, of_any))
    values = shown.values()
    count, mean, squares, below = (np.zeros(values.shape) for _ in range(4))
    for raster in usual:
        others = raster.values()
        has_value = np.isfinite(others)
        count += has_value
        if kind == "percentile":
            below += (others < values) + 0.5 * (others == values)
        else:  # Welford, B. P. (1962): sums of squares of what is nearly alike lose no digits
            apart = np.where(has_value, others - mean, 0.0)
            mean += apart / np.maximum(count, 1)
            squares += apart * np.where(has_value, others - mean, 0.0)
    if kind == "percentile":
        found, divisor, is_told = 100 * np.where(np.isfinite(values), below, np.nan), count, count > 0
    elif kind == "z":
        divisor = np.sqrt(squares / np.maximum(count - 1, 1))
        found, is_told = values - mean, (count > 1) & deviates(divisor, mean)
    else:
        found, divisor, is_told = values - mean, np.ones(values.shape), count > 0
    anomalies = np.divide(found, divisor, out=np.full(values.shape, np.nan), where=is_told)
    return Raster(
        anomalies, _value_encoding(replace(shown.encoding, units=ANOMALY_UNITS.get(kind, shown.encoding.units)))
    )


def _first_values(found: Raster, others: Iterator[Raster]) -> Raster:
    gaps = ~found.valid
    while gaps.any() and (other := next(others, None)) is not None:
        taken = gaps & other.valid
        present = None if found.present is None else found.present | taken
        found = Raster(np.where(taken, other.numbers, found.numbers), found.encoding, present)
        gaps &= ~taken
    return found


def _extreme(first: Raster, others: Iterator[Raster], is_better: np.ufunc) -> Raster:
    found, has_value = first.numbers.copy(), first.valid.copy()
    for raster in others:
        for rows in _strips(raster):
            strip, numbers, valid = raster.part(rows), found[rows], has_value[rows]
            better = strip.valid & (~valid | is_better(strip.numbers, numbers))
            np.copyto(numbers, strip.numbers, where=better)
            valid |= better
    return Raster(found, first.encoding, has_value)


def _mean(first: Raster, others: Iterator[Raster]) -> Raster:
    circle = first.encoding.circle
    total: AnyArray = np.zeros(first.numbers.shape, dtype=np.float64 if circle is None else np.complex128)
    count, is_signed = np.zeros(total.shape, dtype=np.int32), np.zeros(total.shape, dtype=bool)
    for raster in chain([first], others):
        for rows in _strips(raster):
            strip = raster.part(rows)
            values, valid = strip.encoding.values(strip.numbers), strip.valid
            np.copyto(values, 0.0, where=~valid)
            if circle is None:
                total[rows] += values
            else:
                is_signed[rows] |= values < 0
                total[rows] += np.where(valid, vectors_of(values, circle), 0)
            count[rows] += valid
    return Raster(mean_of_sums(total, count, circle, is_signed), _value_encoding(first.encoding))


def _median(rasters: list[Raster]) -> Raster:
    shape = rasters[0].numbers.shape
    medians = np.empty(shape)
    step = max(1, BLOCK_VALUES // (len(rasters) * shape[1]))
    for top in range(0, shape[0], step):
        rows = slice(top, top + step)
        medians[rows] = _medians(np.stack([raster.part(rows).values() for raster in rasters]))
    return Raster(medians, _value_encoding(rasters[0].encoding))


def _medians(values: Float64Array) -> Float64Array:
    """Along the first axis, of what is not NaN; sorting puts that first."""
    values.sort(axis=0)
    count = np.isfinite(values).sum(axis=0, keepdims=True)
    low, high = (np.take_along_axis(values, np.maximum(count - each, 0) // 2, axis=0)[0] for each in (1, 0))
    middle: Float64Array = (low + high) / 2
    return middle


def _strips(raster: Raster) -> Iterator[slice]:
    """Rows that are worked on in the processor's own cache: of all at once, memory would be written and read again."""
    height, width = raster.numbers.shape
    step = max(1, STRIP_VALUES // width)
    return (slice(top, top + step) for top in range(0, height, step))


def _value_encoding(encoding: Encoding) -> Encoding:
    return Encoding(dtype="float64", nodata=float("nan"), units=encoding.units, circle=encoding.circle)
