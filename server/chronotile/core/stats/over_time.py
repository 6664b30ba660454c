"""Reduction of rasters on one grid at many times to one raster, pixel by pixel."""

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
"""Number of values, of all times together, that are sorted in one call."""
STRIP_VALUES = 1 << 17
"""Number of values of one time that are added or compared in one call."""


def reduce_over_time(rasters: Iterable[Raster], reducer: PictureReducer) -> Raster:
    """Reduce the values of each pixel.

    A pixel that never has a value keeps its newest number with `latest`, so that a cloud is painted as a cloud. With
    other reducers it is absent.

    Args:
        rasters: At least one, in one encoding, newest first (`earliest`: oldest first). Only the needed ones are taken.
        reducer: `mean` and `median` return float64 values, other reducers stored numbers.
    """
    remaining = iter(rasters)
    first = next(remaining)
    if reducer == "latest":
        return _first_values(first, remaining)
    if reducer == "earliest":
        reduced = _first_values(first, remaining)
        return replace(reduced, present=reduced.valid)
    if reducer == "mean":
        return _mean(first, remaining)
    if reducer == "median":
        return _median([first, *remaining])
    is_rising = first.encoding.scale >= 0
    return _extreme(first, remaining, np.greater if (reducer == "max") == is_rising else np.less)


def difference(later: Raster, base: Raster | None) -> Raster:
    """Return the float64 values of one raster minus the values of another; absent if one value is missing.

    Differences of directions are the shorter way round.
    """
    values = later.values()
    apart = shortest(values - (np.nan if base is None else base.values()), later.encoding.circle)
    return Raster(apart, replace(_value_encoding(later.encoding), circle=None))


def anomaly(current: Raster, usual: Iterable[Raster], kind: AnomalyKind) -> Raster:
    """Return float64 anomalies relative to the same time of the year, like `find_anomalies`; absent if undefined.

    Args:
        current: The values.
        usual: Values of the reference on the same grid; only one raster is in memory at a time.
        kind: Kind of anomaly.
    """
    if current.encoding.circle is not None:  # directions have only differences
        usual_rasters = iter(usual)
        first = next(usual_rasters, None)
        return difference(current, None if first is None else _mean(first, usual_rasters))
    values = current.values()
    count, mean, squares, below = (np.zeros(values.shape) for _ in range(4))
    for raster in usual:
        usual_values = raster.values()
        has_value = np.isfinite(usual_values)
        count += has_value
        if kind == "percentile":
            below += (usual_values < values) + 0.5 * (usual_values == values)
        else:  # Welford, B. P. (1962): sums of squares of nearly equal values lose no digits
            apart = np.where(has_value, usual_values - mean, 0.0)
            mean += apart / np.maximum(count, 1)
            squares += apart * np.where(has_value, usual_values - mean, 0.0)
    if kind == "percentile":
        numerators, divisor, is_defined = 100 * np.where(np.isfinite(values), below, np.nan), count, count > 0
    elif kind == "z":
        divisor = np.sqrt(squares / np.maximum(count - 1, 1))
        numerators, is_defined = values - mean, (count > 1) & deviates(divisor, mean)
    else:
        numerators, divisor, is_defined = values - mean, np.ones(values.shape), count > 0
    anomalies = np.divide(numerators, divisor, out=np.full(values.shape, np.nan), where=is_defined)
    return Raster(
        anomalies, _value_encoding(replace(current.encoding, units=ANOMALY_UNITS.get(kind, current.encoding.units)))
    )


def _first_values(merged: Raster, rasters: Iterator[Raster]) -> Raster:
    gaps = ~merged.valid
    while gaps.any() and (other := next(rasters, None)) is not None:
        is_filled = gaps & other.valid
        present = None if merged.present is None else merged.present | is_filled
        merged = Raster(np.where(is_filled, other.numbers, merged.numbers), merged.encoding, present)
        gaps &= ~is_filled
    return merged


def _extreme(first: Raster, rasters: Iterator[Raster], is_better: np.ufunc) -> Raster:
    extremes, has_value = first.numbers.copy(), first.valid.copy()
    for raster in rasters:
        for rows in _strips(raster):
            strip, numbers, valid = raster.part(rows), extremes[rows], has_value[rows]
            better = strip.valid & (~valid | is_better(strip.numbers, numbers))
            np.copyto(numbers, strip.numbers, where=better)
            valid |= better
    return Raster(extremes, first.encoding, has_value)


def _mean(first: Raster, rasters: Iterator[Raster]) -> Raster:
    circle = first.encoding.circle
    total: AnyArray = np.zeros(first.numbers.shape, dtype=np.float64 if circle is None else np.complex128)
    count, is_signed = np.zeros(total.shape, dtype=np.int32), np.zeros(total.shape, dtype=bool)
    for raster in chain([first], rasters):
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
    """Return medians along the first axis without NaN, which sorting puts last."""
    values.sort(axis=0)
    count = np.isfinite(values).sum(axis=0, keepdims=True)
    low, high = (np.take_along_axis(values, np.maximum(count - offset, 0) // 2, axis=0)[0] for offset in (1, 0))
    middle: Float64Array = (low + high) / 2
    return middle


def _strips(raster: Raster) -> Iterator[slice]:
    """Return rows that fit into the processor's cache; more rows would be written to memory and read again."""
    height, width = raster.numbers.shape
    step = max(1, STRIP_VALUES // width)
    return (slice(top, top + step) for top in range(0, height, step))


def _value_encoding(encoding: Encoding) -> Encoding:
    return Encoding(dtype="float64", nodata=float("nan"), units=encoding.units, circle=encoding.circle)
