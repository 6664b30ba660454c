"""Analyses of series of points and areas: the times that they need, their limits, and their results."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from chronotile.catalog.resolve_times import matching_times
from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter
from chronotile.core.extras import require_extra
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import AreaSeriesRequest, PointsSeriesRequest
from chronotile.core.model.series.analysis import Analysis, Curves, Findings
from chronotile.core.model.series.reducers import CELL_KINDS, COUNT_KINDS, Reducer
from chronotile.core.model.series.series import AreaSeries, AreasSeries, PointsSeries, Series
from chronotile.core.model.time.periods import Period
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Float64Array, IndexArray, Instant, InstantArray, Int64Array, UInt8Array
from chronotile.core.stats.analyse import analyse, analyse_in_parts
from chronotile.core.stats.analysis_costs import FEWER_PAIRS, check_directions, check_values, held_bytes
from chronotile.core.stats.period_means import Periods, period_counts, period_means, period_sums, periods_of
from chronotile.pipeline.resolve_series import instants_of, layer_with_values, selection_of, series_indexes
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.pipeline.series.points import extract_points_series
from chronotile.pipeline.services import Services


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WidenedTimes:
    """Times that an analysis reads: those of the answer, and those of its reference."""

    time: TimeSelection
    """Selection of all times."""
    requested: InstantArray
    """(time,) of the answer."""
    reference: InstantArray
    """(time,) of the reference; empty if the analysis has none."""
    circle: float | None
    """Period of the layer's values if they are directions, such as 360 degrees."""

    def indexes_of_answer(self, read: InstantArray) -> IndexArray:
        """Return the indexes of the answer's times in the times that were read."""
        return np.searchsorted(read, self.requested)

    def curves_of(
        self, read: InstantArray, values: Float64Array, *, are_directions: bool = True
    ) -> tuple[Curves, Curves]:
        """Return the requested values and those of the reference.

        Args:
            read: (time,) instants of `values`.
            values: (series, time) values.
            are_directions: Whether they are values of the layer or their mean, so that they may be directions.
        """
        circle = self.circle if are_directions else None
        requested, reference = self.indexes_of_answer(read), np.searchsorted(read, self.reference)
        return (
            Curves(times=self.requested, values=values[:, requested], circle=circle),
            Curves(times=self.reference, values=values[:, reference], circle=circle),
        )


def widen_times(analysis: Analysis, name: str, time: TimeSelection, *, series: int, services: Services) -> WidenedTimes:
    """Return the times that an analysis reads; reads no pixels.

    Args:
        analysis: The analysis.
        name: The layer's id or alias.
        time: The requested times.
        series: Number of series.
        services: The services with the layer.

    Raises:
        ChronotileError: A name or time is invalid; also errors of `check_analysis`.
    """
    layer = layer_with_values(name, services)
    indexes = series_indexes(layer, time, services)
    reference = reference_indexes(analysis, layer, now=services.clock())
    check_analysis(analysis, layer, indexes, series=series, services=services)
    if not set(reference) <= set(indexes):
        time = selection_of(layer.times, sorted({*indexes, *reference}), is_of_open=time.is_open)
    return WidenedTimes(
        time=time,
        requested=instants_of(layer, indexes),
        reference=instants_of(layer, reference),
        circle=layer.main_variable.encoding.circle,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenedRequest:
    """A request widened to all times that its analysis reads."""

    request: AreaSeriesRequest
    times: WidenedTimes | None
    """`None` without an analysis."""


def analyse_area_series(
    request: AreaSeriesRequest, services: Services, *, is_active: IsActive = always_active
) -> AreasSeries:
    """Return `extract_area_series` with the findings of its analysis, if the request has one.

    If the analysis has a step, the series has one value per period: means, or sums for counts of cells.

    Raises:
        InvalidParameter: No reducer can be analysed, or the layer has no times.
        LimitExceeded: The analysis has too many times and areas.
        ClientGone: The client closed the connection.
        ChronotileError: Errors of `extract_area_series`.
    """
    wide_request = widen_request(request, services)
    read = extract_area_series(wide_request.request, services, is_active=is_active)
    if request.analysis is None or wide_request.times is None:
        return read
    findings = {}
    for reducer in _analysable_reducers(request.reducers):
        with memory_for(request.analysis, wide_request.times.requested, services, is_active):
            findings[reducer.name] = _findings(
                read, reducer.name, wide_request.times, request.analysis, is_active=is_active
            )
    areas = tuple(_select_times(area, wide_request.times.indexes_of_answer(read.times)) for area in read.areas)
    series = replace(read, times=wide_request.times.requested, areas=areas, findings=findings)
    return (
        series if request.analysis.step is None else _reduce_to_periods(series, request, request.analysis.step.period)
    )


def widen_request(request: AreaSeriesRequest, services: Services) -> WidenedRequest:
    """Return the request with the times of its analysis' reference; reads no pixels.

    Raises:
        ChronotileError: Errors of `analyse_area_series`.
    """
    analysis = request.analysis
    if analysis is None:
        return WidenedRequest(request=request, times=None)
    analysable = _analysable_reducers(request.reducers)
    if not analysable:
        raise InvalidParameter(
            "an analysis is of values, such as mean, median or p10; counts, valid_share and histograms have none",
            locator="reducers",
        )
    count = len(request.areas) * len(analysable)
    times = widen_times(analysis, request.layer, request.time, series=count, services=services)
    return WidenedRequest(request=replace(request, time=times.time), times=times)


def _analysable_reducers(reducers: Iterable[Reducer]) -> list[Reducer]:
    return [reducer for reducer in reducers if reducer.kind not in CELL_KINDS]


def _findings(
    read: AreasSeries, name: str, times: WidenedTimes, analysis: Analysis, *, is_active: IsActive
) -> Findings:
    values = np.stack([area.reduced[name] for area in read.areas]) if read.areas else np.empty((0, read.times.size))
    curves = times.curves_of(read.times, values, are_directions=name == "mean")
    return analyse_in_parts(*curves, analysis, is_active=is_active)


def _select_times(area: AreaSeries, positions: IndexArray) -> AreaSeries:
    """Return the series at some of its times."""
    return replace(
        area,
        reduced={name: column[positions] for name, column in area.reduced.items()},
        valid=area.valid[positions],
        reasons=_occurring({name: counts[positions] for name, counts in area.reasons.items()}),
    )


def _reduce_to_periods(series: AreasSeries, request: AreaSeriesRequest, period: Period) -> AreasSeries:
    periods = periods_of(series.times, period)

    def column(number: int, reducer: Reducer) -> Float64Array:
        if reducer.name in series.findings:
            return np.asarray(series.findings[reducer.name].curves.values[number])
        values = series.areas[number].reduced[reducer.name]
        if reducer.kind in COUNT_KINDS:
            return period_sums(values, periods)
        means, _ = period_means(Curves(times=series.times, values=values[np.newaxis]), periods)
        return np.asarray(means.values[0])

    areas = (
        replace(
            area,
            reduced={reducer.name: column(number, reducer) for reducer in request.reducers},
            valid=period_sums(area.valid, periods),
            totals=period_counts(series.times, periods) * area.total,
            reasons=_occurring({name: period_sums(counts, periods) for name, counts in area.reasons.items()}),
        )
        for number, area in enumerate(series.areas)
    )
    return replace(series, times=periods.starts, areas=tuple(areas))


def _occurring(reasons: Mapping[str, Int64Array]) -> Mapping[str, Int64Array]:
    return {name: counts for name, counts in reasons.items() if counts.any()}


def analyse_points_series(
    requests: Sequence[PointsSeriesRequest],
    analysis: Analysis | None,
    services: Services,
    *,
    is_active: IsActive = always_active,
) -> list[PointsSeries]:
    """Return `extract_points_series` with the findings of an analysis, if there is one; per period if it has a step.

    Raises:
        InvalidParameter: A layer has no times.
        LimitExceeded: The analysis has too many times and points.
        ClientGone: The client closed the connection.
        ChronotileError: Errors of `extract_points_series`.
    """
    if analysis is None:
        return extract_points_series(requests, services, is_active=is_active)
    times = [
        widen_times(
            analysis, request.layer, request.time, series=len(request.points) * len(requests), services=services
        )
        for request in requests
    ]
    wide_requests = [replace(request, time=wide.time) for request, wide in zip(requests, times, strict=True)]
    read = extract_points_series(wide_requests, services, analysis=analysis, is_active=is_active)
    analysed_series = []
    for series, wide in zip(read, times, strict=True):
        with memory_for(analysis, wide.requested, services, is_active):
            analysed_series.append(_analyse_points(series, wide, analysis, is_active))
    return analysed_series


def _analyse_points(read: PointsSeries, wide: WidenedTimes, analysis: Analysis, is_active: IsActive) -> PointsSeries:
    findings = analyse_in_parts(*wide.curves_of(read.times, read.values), analysis, is_active=is_active)
    codes, period_times = read.codes[:, wide.indexes_of_answer(read.times)], None
    if analysis.step is not None:
        periods = periods_of(wide.requested, analysis.step.period)
        period_times = period_counts(wide.requested, periods)
        codes = _codes_of_periods(codes, len(read.reasons), periods)
        codes[np.isfinite(findings.curves.values)] = 0
    return replace(
        read,
        times=findings.curves.times,
        values=findings.curves.values,
        codes=codes,
        encoding=read.encoding if analysis.step is None else None,
        findings=findings,
        period_times=period_times,
    )


def _codes_of_periods(codes: UInt8Array, count: int, periods: Periods) -> UInt8Array:
    # (point, period): the most common of the codes from 1 to `count`.
    times = [period_sums((codes == code).astype(np.int64).T, periods).T for code in range(1, count + 1)]
    return np.asarray(np.argmax(times, axis=0) + 1, dtype=np.uint8)


def reference_indexes(analysis: Analysis | None, layer: Layer, *, now: Instant) -> tuple[int, ...]:
    """Return the indexes of the reference times of an analysis; empty if it needs none.

    Without a named reference, all times of the layer are returned: compared with itself, a single year would always be
    normal.

    Args:
        analysis: The analysis, if any.
        layer: The layer.
        now: The instant from which a reference such as `latest` is resolved.

    Raises:
        MissingTime: The reference is `default` and the layer has no default time.
    """
    if analysis is None or not analysis.needs_normals:
        return ()
    return matching_times(layer, analysis.climatology.reference, now=now).indexes


def check_analysis(
    analysis: Analysis | None,
    layer: Layer,
    indexes: tuple[int, ...],
    *,
    series: int,
    services: Services,
) -> None:
    """Check that an analysis is possible and within the limits; reads no pixels.

    Args:
        analysis: The analysis, if any.
        layer: The layer.
        indexes: Indexes of the requested times.
        series: Number of series.
        services: The services with the limits.

    Raises:
        InvalidParameter: The layer has no times.
        MissingExtra: A library is not installed.
        LimitExceeded: There are too many times and series.
    """
    if analysis is None:
        return
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times along which it could be analysed", locator="layer")
    check_directions(analysis, layer.id, layer.main_variable.encoding.circle)
    if analysis.smoothing is not None:
        name = "phenology" if analysis.smooth is None else "smooth"
        require_extra("analysis", name, locator=name)
    most_values = services.catalogue.limits.max_series_values
    check_values(analysis, layer.times.instants[list(indexes)], series=series, most_values=most_values)


def memory_for(
    analysis: Analysis, times: InstantArray, services: Services, is_active: IsActive = always_active
) -> AbstractContextManager[None]:
    """Take the memory that the analysis of one series needs, like `AnswerMemory.taking`."""
    size, alternative = held_bytes(analysis, times), f"{FEWER_PAIRS}, or a shorter interval"
    return services.memory.taking(size, alternative=alternative, locator="trend", is_active=is_active)


def analyse_series(read: Series, analysis: Analysis, *, requested: IndexArray, reference: IndexArray) -> Series:
    """Return the series with the findings of an analysis, per period if it has a step.

    Args:
        read: Values at all times that the analysis needs.
        analysis: The analysis.
        requested: Positions of the requested times.
        reference: Positions of the reference times.
    """
    circle = None if read.encoding is None else read.encoding.circle
    curves, against = (
        Curves(times=read.times[positions], values=read.values[np.newaxis, positions], circle=circle)
        for positions in (requested, reference)
    )
    findings = analyse(curves, against, analysis)
    reasons = [read.reasons[position] for position in requested]
    if analysis.step is not None:
        reasons = _reasons_of_periods(reasons, periods_of(curves.times, analysis.step.period), findings.curves)
    return replace(
        read,
        times=findings.curves.times,
        values=findings.curves.values[0],
        reasons=tuple(reasons),
        encoding=read.encoding if analysis.step is None else None,
        findings=findings,
    )


def _reasons_of_periods(reasons: Sequence[str | None], periods: Periods, means: Curves) -> list[str | None]:
    """Return the most common reason of each period without a value; of equal ones the first."""
    bounds = pairwise([*periods.bounds.tolist(), len(reasons)])
    return [
        None if has_value else Counter(reasons[start:end]).most_common(1)[0][0]
        for (start, end), has_value in zip(bounds, np.isfinite(means.values[0]), strict=True)
    ]
