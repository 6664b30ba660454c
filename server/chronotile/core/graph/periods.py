"""Processes along time: aggregation over intervals and calendar periods, normals, anomalies, nearest times."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chronotile.core.graph.calendar_periods import PERIODS, period_named
from chronotile.core.graph.cells import reduce_stack
from chronotile.core.graph.cube import (
    Dimension,
    GraphCube,
    as_float,
    indexes_between,
    instant_of,
    interval_of,
    missing_in,
    require_cube,
)
from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.values import GraphProcess, Stack
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import AnyArray, BoolArray, InstantArray, Int64Array

MAX_PERIODS = 100_000
"""Maximum number of periods of one aggregation: 11 years by hour."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T|$)")
"""Times that are no labels of periods."""


def aggregate_temporal(
    data: GraphCube,
    *,
    intervals: list[list[str]],
    reducer: Callable[..., Any],
    labels: list[Any] | None = None,
    dimension: str | None = None,
    context: object = None,
) -> GraphCube:
    """Return the cube with one time for each half-open interval; the default label is its start."""
    cube = require_cube(data)
    time = cube.time(dimension)
    if len(intervals) > MAX_PERIODS:
        raise invalid("intervals", f"{len(intervals)} intervals; at most {MAX_PERIODS} are accepted")
    if labels and len(labels) != len(intervals):
        raise invalid("labels", f"{len(labels)} labels for {len(intervals)} intervals; accepted is the same number")
    instants = time.instants()
    members = [_members(instants, interval) for interval in intervals]
    names = list(labels or [interval[0] for interval in intervals])
    if len(set(names)) < len(names):
        raise ProcessFault("DistinctDimensionLabelsRequired", f"labels: {shorten(names)} has equal labels")
    aggregated = _aggregate(cube, time, dict(zip(names, members, strict=True)), reducer=reducer, context=context)
    return aggregated.replace_spans(time.name, _spans(intervals))


def aggregate_temporal_period(
    data: GraphCube,
    *,
    period: str,
    reducer: Callable[..., Any],
    dimension: str | None = None,
    context: object = None,
) -> GraphCube:
    """Return the cube with one time for each calendar period from the first to the last time."""
    cube = require_cube(data)
    time, kind = cube.time(dimension), period_named(period)
    instants = time.instants()
    if not len(instants):
        return _aggregate(cube, time, {}, reducer=reducer, context=context)
    numbers = kind.numbers(instants)
    first, last = int(numbers.min()), int(numbers.max())
    if last - first >= MAX_PERIODS:
        raise invalid("period", f"{last - first + 1} periods of a {period}; at most {MAX_PERIODS} are accepted")
    members = [np.flatnonzero(numbers == number) for number in range(first, last + 1)]
    names = [kind.label(number) for number in range(first, last + 1)]
    spans = tuple(TimeSpan(kind.start(number), kind.start(number + 1)) for number in range(first, last + 1))
    aggregated = _aggregate(cube, time, dict(zip(names, members, strict=True)), reducer=reducer, context=context)
    return aggregated.replace_spans(time.name, spans)


def climatological_normal(data: GraphCube, period: str, climatology_period: Sequence[Any] = (1981, 2010)) -> GraphCube:
    """Return the mean of each period of the year over several years, both years included."""
    cube = require_cube(data)
    time = cube.time()
    first, last = (_year(value) for value in _pair(climatology_period))
    instants = time.instants()
    if period == "climatology-period":
        starts = np.array([f"{first:04}", f"{last + 1:04}"], dtype="datetime64[Y]").astype("datetime64[ns]")
        inside = indexes_between(instants, starts[0], starts[1])
        return _aggregate(cube, time, {f"{first:04}": inside}, reducer=_mean)
    if period not in ("day", "month", "season", "tropical-season"):
        accepted = "day, month, season, tropical-season, climatology-period"
        raise invalid("period", f"{shorten(period)} is not accepted; accepted are {accepted}")
    years, slots, names = _slots(instants, period)
    inside = (years >= first) & (years <= last)
    if period in ("season", "tropical-season"):
        inside &= _is_complete(instants, years, slots, first)
    members = [np.flatnonzero(inside & (slots == slot)) for slot in range(len(names))]
    return _aggregate(cube, time, dict(zip(names, members, strict=True)), reducer=_mean)


def anomaly(data: GraphCube, normals: GraphCube, period: str) -> GraphCube:
    """Return the values minus the normal of their period; labels as of `aggregate_temporal_period` or times."""
    cube, usual = require_cube(data), require_cube(normals, "normals")
    time, usual_time = cube.time(), usual.time()
    labels = [str(label) for label in usual_time.labels]
    indexes = np.array([_normal_index(label, labels, period) for label in time.labels], dtype=np.intp)
    axis = usual.axis(usual_time.name)
    padding = [(0, int(other == axis)) for other in range(usual.values.ndim)]
    padded = np.pad(as_float(usual.values), padding, constant_values=np.nan)
    renamed = replace(usual_time, name=time.name, labels=time.labels)
    matched = usual.replace_dimension(usual_time.name, renamed, padded.take(indexes, axis=axis))
    dimensions = tuple(replace(d, origins=None) if d.name == time.name else d for d in cube)
    return GraphCube(dimensions, as_float(cube.values) - matched.broadcast_to(cube))


def resample_cube_temporal(
    data: GraphCube, target: GraphCube, dimension: str | None = None, valid_within: float | None = None
) -> GraphCube:
    """Return the cube with the times of another cube, and the values of the nearest times; of two, the earlier.

    With `valid_within` (days), the nearest value that is not missing and nearer than that is taken, else no data.
    """
    cube, other = require_cube(data), require_cube(target, "target")
    if dimension is None:
        names = [
            d.name
            for d in cube.dimensions_of_type("temporal")
            if d.name in {t.name for t in other.dimensions_of_type("temporal")}
        ]
        if not names:
            raise ProcessFault(
                "DimensionMismatch", "dimension: the cubes have no temporal dimension with the same name"
            )
    else:
        names = [dimension]
        if cube.dimension(dimension).type != "temporal" or other.dimension(dimension).type != "temporal":
            raise ProcessFault("DimensionMismatch", f"dimension: {dimension} is not temporal in both cubes")
    for name in names:
        cube = _nearest_times(cube, cube.dimension(name), other.dimension(name), valid_within)
    return cube


def _nearest_times(cube: GraphCube, time: Dimension, target: Dimension, days: float | None) -> GraphCube:
    axis, instants, targets = cube.axis(time.name), time.instants(), target.instants()
    values = np.moveaxis(as_float(cube.values), axis, 0)
    resampled = np.full((len(targets), *values.shape[1:]), np.nan, dtype=values.dtype)
    order = np.argsort(instants, kind="stable")
    for index, instant in enumerate(targets):
        apart = np.abs((instants[order] - instant).astype(np.int64))
        nearest = order[np.argsort(apart, kind="stable")]
        if days is None:
            resampled[index] = values[nearest[0]] if len(nearest) else np.nan
            continue
        for candidate in nearest:
            if abs(int((instants[candidate] - instant).astype(np.int64))) >= days * 86_400e9:
                break
            np.copyto(resampled[index], values[candidate], where=missing_in(resampled[index]))
    return cube.replace_dimension(
        time.name,
        replace(time, labels=tuple(target.labels), spans=target.spans, origins=None),
        np.moveaxis(resampled, 0, axis),
    )


def _aggregate(
    cube: GraphCube,
    time: Dimension,
    members: Mapping[Any, AnyArray],
    *,
    reducer: Callable[..., Any],
    context: object = None,
) -> GraphCube:
    """Return the cube with a value of the reducer for each label; `members` are the positions of its times."""
    axis = cube.axis(time.name)
    values = np.moveaxis(cube.values, axis, 0)
    labels = list(time.labels)
    parts = [
        as_float(np.asarray(reduce_stack(reducer, Stack(values[indexes], tuple(labels[i] for i in indexes)), context)))
        for indexes in members.values()
    ]
    stacked = np.stack(parts) if parts else np.empty((0, *values.shape[1:]), dtype=as_float(cube.values).dtype)
    origins = None
    if time.origins is not None:
        origins = tuple(frozenset().union(*(time.origins[i] for i in indexes)) for indexes in members.values())
    aggregated = replace(time, labels=tuple(members), spans=None, origins=origins)
    return cube.replace_dimension(time.name, aggregated, np.moveaxis(stacked, 0, axis))


def _spans(intervals: list[list[str]]) -> tuple[TimeSpan, ...] | None:
    # Intervals of times of day, and intervals without an end, are no spans.
    if any(None in interval or all(map(_is_time_of_day, interval)) for interval in intervals):
        return None
    return tuple(TimeSpan(*map(instant_of, interval)) for interval in intervals)


def _members(instants: InstantArray, interval: object) -> AnyArray:
    if isinstance(interval, list) and len(interval) == 2 and all(_is_time_of_day(end) for end in interval):
        start, end = (_seconds_of_day(str(text)) for text in interval)
        seconds = ((instants - instants.astype("datetime64[D]")).astype(np.int64)) // 1_000_000_000
        inside = (seconds >= start) & (seconds < end) if start < end else (seconds >= start) | (seconds < end)
        return np.flatnonzero(inside)
    return indexes_between(instants, *interval_of(interval, "intervals"))


def _is_time_of_day(value: object) -> bool:
    return isinstance(value, str) and len(value) >= 5 and value[2] == ":"


def _seconds_of_day(text: str) -> int:
    parts = [int(part) for part in text.rstrip("Z").split(":")]
    return sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False))


def _slots(instants: InstantArray, name: str) -> tuple[Int64Array, Int64Array, list[str]]:
    """Return the year of each instant's period, its number in the year from 0, and the labels of these numbers."""
    if name == "day":
        years = instants.astype("datetime64[Y]")
        of_year = (instants.astype("datetime64[D]") - years.astype("datetime64[D]")).astype(np.int64)
        count = 366 if (of_year == 365).any() else 365
        return 1970 + years.astype(np.int64), of_year, [f"{day:03}" for day in range(1, count + 1)]
    period = PERIODS[name]
    numbers = period.numbers(instants)
    labels = [period.label(slot).rsplit("-", 1)[-1] for slot in range(period.per_year)]
    return 1970 + numbers // period.per_year, numbers % period.per_year, labels


def _is_complete(instants: InstantArray, years: Int64Array, slots: Int64Array, first: int) -> BoolArray:
    """Return False for the winter of the first year if no time of the year before belongs to it (`data`)."""
    is_first = (years == first) & (slots == 0)
    has_start = (is_first & (instants < np.datetime64(f"{first:04}", "ns"))).any()
    return np.ones(len(instants), dtype=bool) if has_start else ~is_first


def _normal_index(label: object, labels: list[str], period: str) -> int:
    """Return the position of the normal of a time or of a period; -1 without one, for the padding of `anomaly`."""
    if period in ("single-period", "climatology-period"):
        return 0
    text = str(label)
    if _DATE.match(text):
        kind = period_named(period)
        text = kind.label(int(kind.numbers(np.array([instant_of(text)]))[0]))
    name = text.rsplit("-", 1)[-1]
    return labels.index(name) if name in labels else -1


def _pair(value: Sequence[Any]) -> Iterator[Any]:
    if len(value) != 2:
        raise invalid("climatology_period", f"{shorten(value)} is not a list of two years")
    return iter(value)


def _year(value: object) -> int:
    text = str(value)[:4]
    if not text.isdigit():
        raise invalid("climatology_period", f"{shorten(value)} is not a year")
    return int(text)


def _mean(*, data: Stack, context: object) -> AnyArray:  # noqa: ARG001 -- as child graphs
    values = as_float(data.values)
    is_missing = missing_in(values)
    count = (~is_missing).sum(axis=0)
    total = np.where(is_missing, 0, values).sum(axis=0)
    means: AnyArray = np.divide(total, count, out=np.full(total.shape, np.nan, dtype=total.dtype), where=count > 0)
    return means


PROCESSES_IN_TIME: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (
        aggregate_temporal,
        aggregate_temporal_period,
        anomaly,
        climatological_normal,
        resample_cube_temporal,
    )
}
"""Processes by name."""
