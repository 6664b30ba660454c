"""What is found out about the series of many points, beside their values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chronotile.model.cancellation import IsActive, always_active, require_active
from chronotile.model.request import PointsSeriesRequest
from chronotile.model.series.analysis import Analysis
from chronotile.model.series.series import PointsSeries
from chronotile.pipeline.series.points import extract_points_series
from chronotile.pipeline.series.widened_times import WidenedTimes, widen_times
from chronotile.pipeline.services import Services
from chronotile.stats.analyse import analyse
from chronotile.stats.period_means import Periods, period_counts, period_sums, periods_of


def analyse_points_series(
    requests: Sequence[PointsSeriesRequest],
    analysis: Analysis | None,
    services: Services,
    *,
    is_active: IsActive = always_active,
) -> list[PointsSeries]:
    """Return `extract_points_series` with what an analysis finds, if there is one; of periods, where it has a step.

    Raises:
        InvalidParameter: A layer has no times.
        LimitExceeded: There are too many times and points for the analysis.
        ClientGone: The client left.
        ChronotileError: As `extract_points_series`.
    """
    if analysis is None:
        return extract_points_series(requests, services, is_active=is_active)
    times = [
        widen_times(analysis, each.layer, each.time, series=len(each.points) * len(requests), services=services)
        for each in requests
    ]
    widened = [replace(each, time=wide.time) for each, wide in zip(requests, times, strict=True)]
    read = extract_points_series(widened, services, is_active=is_active)
    found = []
    for series, wide in zip(read, times, strict=True):
        require_active(is_active)
        found.append(_analysed(series, wide, analysis))
    return found


def _analysed(read: PointsSeries, wide: WidenedTimes, analysis: Analysis) -> PointsSeries:
    findings = analyse(*wide.curves_of(read.times, read.values), analysis)
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


def _codes_of_periods(codes: NDArray[np.uint8], count: int, periods: Periods) -> NDArray[np.uint8]:
    """(point, period): the commonest of the codes from 1 to `count`."""
    times = [period_sums((codes == code).astype(np.int64).T, periods).T for code in range(1, count + 1)]
    return np.asarray(np.argmax(times, axis=0) + 1, dtype=np.uint8)
