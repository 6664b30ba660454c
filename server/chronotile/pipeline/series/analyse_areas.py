"""What is found out about the series of areas, beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter
from chronotile.model.cancellation import IsActive, always_active, require_active
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series.analysis import Analysis, Curves, Findings
from chronotile.model.series.reducer import Reducer
from chronotile.model.series.series import AreaSeries, AreasSeries
from chronotile.model.time.instants import Period
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.pipeline.series.widened_times import WidenedTimes, widen_times
from chronotile.pipeline.services import Services
from chronotile.stats.analyse import analyse
from chronotile.stats.period_means import period_counts, period_means, period_sums, periods_of

NOT_ANALYSED = frozenset({"count", "valid_share", "histogram"})
"""Kinds of reducers that tell of cells, not of values."""
ADDED_UP = frozenset({"count", "histogram"})
"""Kinds of reducers of which a period has the sum of its dates, where others have the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenedRequest:
    """A request for the times that an analysis takes, and which of them are what."""

    request: AreaSeriesRequest
    times: WidenedTimes | None
    """`None` without an analysis."""


def analyse_area_series(
    request: AreaSeriesRequest, services: Services, *, is_active: IsActive = always_active
) -> AreasSeries:
    """Return `extract_area_series` with what its analysis finds, if there is one.

    Of periods, where there is a step: means of all reducers but counts of cells, which add up.

    Raises:
        InvalidParameter: No reducer is one of values, or the layer has no times.
        LimitExceeded: There are too many times and areas for the analysis.
        ClientGone: The client left.
        ChronotileError: As `extract_area_series`.
    """
    widened = widen_request(request, services)
    read = extract_area_series(widened.request, services, is_active=is_active)
    if request.analysis is None or widened.times is None:
        return read
    findings = {}
    for reducer in _analysed(request.reducers):
        require_active(is_active)
        findings[reducer.name] = _findings(read, reducer.name, widened.times, request.analysis)
    areas = tuple(_at(area, widened.times.indexes_of_answer(read.times)) for area in read.areas)
    series = replace(read, times=widened.times.requested, areas=areas, findings=findings)
    return series if request.analysis.step is None else _of_periods(series, request, request.analysis.step.period)


def widen_request(request: AreaSeriesRequest, services: Services) -> WidenedRequest:
    """Return what is to be read for a request, the times of its analysis' reference included; reads no pixels.

    Raises:
        ChronotileError: As `analyse_area_series`.
    """
    analysis = request.analysis
    if analysis is None:
        return WidenedRequest(request=request, times=None)
    analysed = _analysed(request.reducers)
    if not analysed:
        raise InvalidParameter(
            "an analysis is of values, such as mean, median or p10; counts, valid_share and histograms have none",
            locator="reducers",
        )
    count = len(request.areas) * len(analysed)
    times = widen_times(analysis, request.layer, request.time, series=count, services=services)
    return WidenedRequest(request=replace(request, time=times.time), times=times)


def _analysed(reducers: Iterable[Reducer]) -> list[Reducer]:
    return [reducer for reducer in reducers if reducer.kind not in NOT_ANALYSED]


def _findings(read: AreasSeries, name: str, times: WidenedTimes, analysis: Analysis) -> Findings:
    values = np.stack([area.reduced[name] for area in read.areas]) if read.areas else np.empty((0, read.times.size))
    return analyse(*times.curves_of(read.times, values), analysis)


def _at(area: AreaSeries, positions: NDArray[np.intp]) -> AreaSeries:
    """The series at some of its times."""
    return replace(
        area,
        reduced={name: column[positions] for name, column in area.reduced.items()},
        valid=area.valid[positions],
        reasons=_occurring({name: counts[positions] for name, counts in area.reasons.items()}),
    )


def _of_periods(series: AreasSeries, request: AreaSeriesRequest, period: Period) -> AreasSeries:
    periods = periods_of(series.times, period)

    def column(number: int, reducer: Reducer) -> NDArray[np.float64]:
        if reducer.name in series.findings:
            return np.asarray(series.findings[reducer.name].curves.values[number])
        values = series.areas[number].reduced[reducer.name]
        if reducer.kind in ADDED_UP:
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


def _occurring(reasons: Mapping[str, NDArray[np.int64]]) -> Mapping[str, NDArray[np.int64]]:
    return {name: counts for name, counts in reasons.items() if counts.any()}
