"""What is found out about the series of areas, beside them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import ClientGone, InvalidParameter
from chronotile.model.analysis import Analysis, Curves, Findings
from chronotile.model.reducer import Reducer
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series import AreaSeries, AreasSeries
from chronotile.model.time import (
    ONE_NS,
    InstantArray,
    Period,
    TimeDomain,
    TimePart,
    TimeSelection,
    TimeSpan,
)
from chronotile.pipeline.analyse_series import check_analysis, reference_indexes
from chronotile.pipeline.extract_area_series import extract_area_series
from chronotile.pipeline.extract_series import instants_of, layer_with_values, series_indexes
from chronotile.pipeline.services import Services
from chronotile.stats.analyse import analyse
from chronotile.stats.period_means import period_means, period_sums, periods_of

NOT_ANALYSED = frozenset({"count", "valid_share", "histogram"})
"""Kinds of reducers that tell of cells, not of values."""
ADDED_UP = frozenset({"count", "histogram"})
"""Kinds of reducers of which a period has the sum of its dates, where others have the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenedRequest:
    """A request for the times that an analysis takes, and which of them are what."""

    request: AreaSeriesRequest
    asked: InstantArray
    """(time,) of the answer."""
    reference: InstantArray
    """(time,) that it is held against; none where nothing is."""


def analyse_area_series(
    request: AreaSeriesRequest, services: Services, *, is_wanted: Callable[[], bool] = lambda: True
) -> AreasSeries:
    """Return `extract_area_series` with what its analysis finds, if there is one.

    Of periods, where there is a step: means of all reducers but counts of cells, which add up.

    Raises:
        InvalidParameter: No reducer is one of values, or the layer has no times.
        LimitExceeded: There are too many times and areas for the analysis.
        ClientGone: `is_wanted` says that nobody waits any more.
        ChronotileError: As `extract_area_series`.
    """
    if request.analysis is None:
        return extract_area_series(request, services, is_wanted=is_wanted)
    widened = widened_request(request, services)
    read = extract_area_series(widened.request, services, is_wanted=is_wanted)
    asked, reference = (np.searchsorted(read.times, times) for times in (widened.asked, widened.reference))
    findings = {}
    for reducer in _analysed(request.reducers):
        if not is_wanted():
            raise ClientGone("the client left")
        findings[reducer.name] = _findings(read, reducer.name, (asked, reference), request.analysis)
    series = replace(read, times=widened.asked, areas=tuple(_at(area, asked) for area in read.areas), findings=findings)
    return series if request.analysis.step is None else _of_periods(series, request, request.analysis.step.period)


def widened_request(request: AreaSeriesRequest, services: Services) -> WidenedRequest:
    """Return what is to be read for a request, the times of its analysis' reference included; reads no pixels.

    Raises:
        ChronotileError: As `analyse_area_series`.
    """
    layer = layer_with_values(request.layer, services)
    indexes = series_indexes(layer, request.time, services)
    times = instants_of(layer, indexes)
    analysis = request.analysis
    if analysis is None:
        return WidenedRequest(request=request, asked=times, reference=times[:0])
    analysed = _analysed(request.reducers)
    if not analysed:
        raise InvalidParameter(
            "an analysis is of values, such as mean, median or p10; counts, valid_share and histograms have none",
            locator="reducers",
        )
    reference = reference_indexes(analysis, layer, indexes, now=services.clock())
    series = len(request.areas) * len(analysed)
    check_analysis(analysis, layer, (indexes, reference), series=series, services=services)
    if not set(reference) <= set(indexes):
        request = replace(request, time=_selection(layer.times, sorted({*indexes, *reference})))
    return WidenedRequest(request=request, asked=times, reference=instants_of(layer, reference))


def _analysed(reducers: Iterable[Reducer]) -> list[Reducer]:
    return [reducer for reducer in reducers if reducer.kind not in NOT_ANALYSED]


def _selection(domain: TimeDomain, indexes: list[int]) -> TimeSelection:
    """What selects the times of ascending indexes: an interval for each run of them."""
    runs = np.split(indexes, np.flatnonzero(np.diff(indexes) > 1) + 1)
    spans = (TimeSpan(domain.starts[run[0]], domain.starts[run[-1]] + ONE_NS) for run in runs)
    return TimeSelection("parts", tuple(TimePart(span, is_interval=True) for span in spans))


def _findings(
    read: AreasSeries, name: str, positions: tuple[NDArray[np.intp], NDArray[np.intp]], analysis: Analysis
) -> Findings:
    values = np.stack([area.reduced[name] for area in read.areas]) if read.areas else np.empty((0, read.times.size))
    asked, reference = (Curves(times=read.times[each], values=values[:, each]) for each in positions)
    return analyse(asked, reference, analysis)


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
            reasons=_occurring({name: period_sums(counts, periods) for name, counts in area.reasons.items()}),
        )
        for number, area in enumerate(series.areas)
    )
    return replace(series, times=periods.starts, areas=tuple(areas))


def _occurring(reasons: Mapping[str, NDArray[np.int64]]) -> Mapping[str, NDArray[np.int64]]:
    return {name: counts for name, counts in reasons.items() if counts.any()}
