"""Processes that reduce a list to one value, or to a few: statistics, counts, first and last values."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.numbers import both, either, is_valid
from chronotile.core.graph.values import (
    MAX_STACK_VALUES,
    Elements,
    GraphProcess,
    Stack,
    as_elements,
    as_number,
    is_number,
    members_of,
    require_number,
    require_whole,
)
from chronotile.core.model.types import AnyArray
from chronotile.core.stats.percentiles import percentile_of_ordered

MAX_PROBABILITIES = 1000
"""Maximum number of quantiles of one call."""
BLOCK_VALUES = 1 << 20
"""Number of values that are sorted in one call."""


def _statistic(
    name: str, with_gaps: Callable[[AnyArray], AnyArray], complete: Callable[[AnyArray], Any]
) -> GraphProcess:
    """Return a process with two functions along the first axis: one ignores NaN, the other returns NaN for it."""

    def call(data: Any, ignore_nodata: bool = True) -> Any:  # noqa: ANN401 -- published
        elements = as_elements(data)
        with np.errstate(all="ignore"):
            if isinstance(elements, Stack):
                values = as_number(elements.values)
                if not len(values):
                    return np.full(values.shape[1:], np.nan, dtype=values.dtype)
                return np.asarray((with_gaps if ignore_nodata else complete)(values))
            numbers = _numbers(elements, ignore_nodata=ignore_nodata)
            if numbers is None:
                return None
            result = float(complete(np.array(numbers, dtype=np.float64)))
        is_whole = all(isinstance(number, int) for number in numbers) and result.is_integer()
        return int(result) if is_whole and abs(result) < 2**53 else result

    return GraphProcess(name, call)


def _numbers(elements: list[Any], *, ignore_nodata: bool) -> list[float] | None:
    # None: there are no numbers, or one is missing and may not be ignored.
    present = [require_number(value, "data") for value in elements if value is not None]
    return None if not present or (not ignore_nodata and len(present) < len(elements)) else present


def _or_missing(results: AnyArray, values: AnyArray, *, least: int = 1) -> AnyArray:
    count = np.count_nonzero(~np.isnan(values), axis=0)
    return np.where(count >= least, results, np.asarray(np.nan, dtype=results.dtype))


def _sum(values: AnyArray) -> AnyArray:
    return _or_missing(np.nansum(values, axis=0), values)


def _product(values: AnyArray) -> AnyArray:
    return _or_missing(np.nanprod(values, axis=0), values)


def _mean(values: AnyArray) -> AnyArray:
    count = np.count_nonzero(~np.isnan(values), axis=0).astype(values.dtype)
    means: AnyArray = np.nansum(values, axis=0) / count  # 0 / 0 is NaN
    return means


def _variance(values: AnyArray) -> AnyArray:
    # Sample variance; one value has no variance.
    count = np.count_nonzero(~np.isnan(values), axis=0)
    squares = np.nansum((values - _mean(values)) ** 2, axis=0)
    return _or_missing(squares / np.maximum(count - 1, 1).astype(values.dtype), values, least=2)


def _complete_variance(values: AnyArray) -> AnyArray:
    squares: AnyArray = ((values - np.mean(values, axis=0)) ** 2).sum(axis=0)
    return squares / (len(values) - 1) if len(values) > 1 else np.full_like(squares, np.nan)


def _median(values: AnyArray) -> AnyArray:
    median: AnyArray = _quantiles(values, [0.5])[0]
    return median


def _quantiles(values: AnyArray, probabilities: list[float]) -> AnyArray:
    """Return (probability, …) quantiles of (n, …) values without NaN (Hyndman and Fan 1996, definition 7)."""
    flat = values.reshape(len(values), -1)
    results = np.empty((len(probabilities), flat.shape[1]), dtype=values.dtype)
    step = max(1, BLOCK_VALUES // len(values))
    for start in range(0, flat.shape[1], step):
        ordered = np.sort(flat[:, start : start + step].T, axis=-1)
        for row, probability in zip(results, probabilities, strict=True):
            row[start : start + step] = percentile_of_ordered(ordered, probability * 100)
    return results.reshape(len(probabilities), *values.shape[1:])


def quantiles(
    data: Any,  # noqa: ANN401 -- a list or a stack
    probabilities: list[float] | int | None = None,
    q: int | None = None,
    ignore_nodata: bool = True,
) -> Any:  # noqa: ANN401 -- a list or a stack
    """Return the quantiles for probabilities, or for the limits of equal parts."""
    if probabilities is None and q is None:
        raise ProcessFault("QuantilesParameterMissing", "probabilities: it is required")
    if probabilities is not None and q is not None:
        raise ProcessFault("QuantilesParameterConflict", "q: accepted is either probabilities or q")
    listed = _probabilities(q if probabilities is None else probabilities)
    elements = as_elements(data)
    if isinstance(elements, Stack):
        values = as_number(elements.values)
        cells = math.prod(values.shape[1:])
        if len(listed) * cells > MAX_STACK_VALUES:
            reason = f"{len(listed)} quantiles of {cells} cells; at most {MAX_STACK_VALUES} values are accepted"
            raise invalid("probabilities", reason)
        if not len(values):
            return Stack(np.full((len(listed), *values.shape[1:]), np.nan, dtype=values.dtype))
        results = _quantiles(values, listed)
        is_missing = np.isnan(values).any(axis=0) & (not ignore_nodata)
        return Stack(np.where(is_missing, np.asarray(np.nan, dtype=results.dtype), results))
    numbers = _numbers(elements, ignore_nodata=ignore_nodata)
    if numbers is None:
        return [None] * len(listed)
    if any(math.isnan(number) for number in numbers):
        return [math.nan] * len(listed)
    return [_single_quantile(sorted(map(float, numbers)), probability) for probability in listed]


def _single_quantile(ordered: list[float], probability: float) -> float:
    place = (len(ordered) - 1) * probability
    low, part = ordered[math.floor(place)], place - math.floor(place)
    return low if part == 0 else low * (1 - part) + ordered[math.floor(place) + 1] * part


def _probabilities(value: object) -> list[float]:
    if not isinstance(value, list):
        count = require_whole(value, "probabilities", least=2, most=MAX_PROBABILITIES)
        return [index / count for index in range(1, count)]
    if len(value) > MAX_PROBABILITIES:
        raise invalid("probabilities", f"{len(value)} probabilities; at most {MAX_PROBABILITIES} are accepted")
    if not all(is_number(number) and 0 <= number <= 1 for number in value):
        raise invalid("probabilities", f"{shorten(value)} is not accepted; accepted are numbers from 0 to 1")
    if sorted(value) != value:
        raise ProcessFault(
            "AscendingProbabilitiesRequired", f"probabilities: {shorten(value)} is not in ascending order"
        )
    return [float(number) for number in value]


def extrema(data: Any, ignore_nodata: bool = True) -> Any:  # noqa: ANN401 -- published
    """Return the smallest and the greatest value."""
    results = [REDUCERS[name].call(data=data, ignore_nodata=ignore_nodata) for name in ("min", "max")]
    return Stack(np.stack(results)) if isinstance(results[0], np.ndarray) else results


def count_values(data: Any, condition: Any = None, context: Any = None) -> Any:  # noqa: ANN401 -- published
    """Count the valid values, all values (`true`), or the values that meet a condition (`count`)."""
    elements = as_elements(data)
    if condition is True:
        return (
            np.full(elements.values.shape[1:], float(len(elements))) if isinstance(elements, Stack) else len(elements)
        )
    if condition is not None and not callable(condition):
        raise invalid("condition", f"{shorten(condition)} is not accepted; accepted are null, true and a process")
    members = members_of(elements)
    results = (is_valid(x) if condition is None else condition(x=x, context=context) for x in members)
    if not isinstance(elements, Stack):
        return sum(result is True for result in results)
    totals = np.zeros(elements.values.shape[1:])
    for result in results:
        totals += np.nan_to_num(as_number(np.asarray(result)))
    return totals


def _first(data: Any, ignore_nodata: bool = True) -> Any:  # noqa: ANN401 -- published
    return _end_value(as_elements(data), ignore_nodata=ignore_nodata, step=1)


def _last(data: Any, ignore_nodata: bool = True) -> Any:  # noqa: ANN401 -- published
    return _end_value(as_elements(data), ignore_nodata=ignore_nodata, step=-1)


def _end_value(elements: Elements, *, ignore_nodata: bool, step: int) -> Any:  # noqa: ANN401 -- any value
    if not isinstance(elements, Stack):
        ordered = elements[::step]
        return next((value for value in ordered if value is not None or not ignore_nodata), None)
    values = elements.values[::step]
    if len(values) and values.dtype.kind != "f":
        return values[0, ...]
    if not len(values):
        return np.full(values.shape[1:], np.nan, dtype=as_number(values).dtype)
    result = values[0, ...].copy()
    for value in values[1:] if ignore_nodata else ():
        np.copyto(result, value, where=np.isnan(result))
    return result


def _any(data: Any, ignore_nodata: bool = True) -> Any:  # noqa: ANN401 -- published
    return _decide(as_elements(data), ignore_nodata=ignore_nodata, combine=either)


def _all(data: Any, ignore_nodata: bool = True) -> Any:  # noqa: ANN401 -- published
    return _decide(as_elements(data), ignore_nodata=ignore_nodata, combine=both)


def _decide(elements: Elements, *, ignore_nodata: bool, combine: Callable[[Any, Any], Any]) -> Any:  # noqa: ANN401
    neutral = combine is both
    result: Any = np.full(elements.values.shape[1:], neutral) if isinstance(elements, Stack) else neutral
    for value in members_of(elements):
        result = combine(result, _or_neutral(value, neutral) if ignore_nodata else value)
    return result


def _or_neutral(value: Any, neutral: bool) -> Any:  # noqa: ANN401 -- a value or all cells
    if isinstance(value, np.ndarray):
        numbers = as_number(value)
        return np.where(np.isnan(numbers), neutral, numbers != 0)
    return neutral if value is None else value


REDUCERS: Mapping[str, GraphProcess] = {
    process.name: process
    for process in (
        _statistic("max", np.fmax.reduce, np.maximum.reduce),
        _statistic("mean", _mean, lambda values: np.mean(values, axis=0)),
        _statistic("median", _median, lambda values: np.median(values, axis=0)),
        _statistic("min", np.fmin.reduce, np.minimum.reduce),
        _statistic("product", _product, np.multiply.reduce),
        _statistic("sd", lambda values: np.sqrt(_variance(values)), lambda values: np.sqrt(_complete_variance(values))),
        _statistic("sum", _sum, np.add.reduce),
        _statistic("variance", _variance, _complete_variance),
        GraphProcess("all", _all),
        GraphProcess("any", _any),
        GraphProcess("count", count_values),
        GraphProcess("extrema", extrema),
        GraphProcess("first", _first),
        GraphProcess("last", _last),
        GraphProcess("quantiles", quantiles),
    )
}
"""Processes by name."""
