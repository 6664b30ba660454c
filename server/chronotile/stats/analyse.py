"""All that is asked about series, found out from their values; the order in which one thing builds on another."""

import numpy as np

from chronotile.errors import LimitExceeded
from chronotile.model.analysis import (
    Analysis,
    Curves,
    Findings,
    FloatArray,
    Normals,
    SavitzkyGolay,
    Smoothing,
    Whittaker,
)
from chronotile.model.time import DAY, InstantArray
from chronotile.stats.climatology import (
    fill_from_normals,
    find_anomalies,
    find_normals,
    slot_kind,
    slot_numbers,
)
from chronotile.stats.gaps import fill_linear
from chronotile.stats.period_means import period_means, periods_of
from chronotile.stats.phenology import find_seasons
from chronotile.stats.savitzky_golay import smooth_savitzky_golay
from chronotile.stats.trend import Group, find_trends, pair_count, seasonal_groups
from chronotile.stats.whittaker import smooth_whittaker

MAX_PAIRS = 100_000_000
"""Of values that are compared for trends, all series together: about two seconds."""
MAX_DAYS = 40_000_000
"""In which seasons are looked for, all series together: about two seconds, 5,000 series of 22 years."""


def analyse(asked: Curves, reference: Curves, analysis: Analysis) -> Findings:
    """Return what is asked about each series.

    Everything is found from the values as they are, but seasons, which are those of the smoothed curve (Whittaker's,
    where no other is asked for). Nothing is extrapolated.

    Args:
        asked: The series, of which a step makes means of periods before all else.
        reference: The same series at the times of the reference.
        analysis: What is asked.
    """
    counts = None
    if analysis.step is not None:
        asked, counts = period_means(asked, periods_of(asked.times, analysis.step.period))
        reference, _ = period_means(reference, periods_of(reference.times, analysis.step.period))
    curve = None if analysis.smoothing is None else _smoothed(asked, analysis.smoothing)
    normals = find_normals(reference, asked.times, analysis.climatology) if analysis.needs_normals else None
    anomalies = None
    if analysis.anomaly is not None and normals is not None:
        anomalies = find_anomalies(asked, reference, normals, analysis.anomaly)
    trends = None if analysis.trend is None else find_trends(asked, _groups(asked.times, analysis))
    seasons = None
    if analysis.phenology is not None and curve is not None:
        seasons = find_seasons(Curves(times=asked.times, values=curve), analysis.phenology)
    return Findings(
        analysis=analysis,
        curves=asked,
        counts=counts,
        smoothed=curve,
        filled=_filled(asked, normals, analysis),
        normals=normals,
        anomalies=anomalies,
        trends=trends,
        seasons=seasons,
        reasons={
            "smooth": _unless(_has_values(curve), _why_no_curve(analysis)),
            "climatology": _unless(
                _has_values(None if normals is None else normals.values), "the reference has no values"
            ),
            "anomaly": _unless(_has_values(anomalies), "no time of the year has a value and enough in the reference"),
            "trend": _unless(
                _has_values(None if trends is None else trends.slope), "fewer than four values to compare"
            ),
            "phenology": _unless([each.start.size > 0 for each in seasons or ()], "no whole season was found"),
        },
    )


def check_cost(analysis: Analysis, times: InstantArray, *, series: int, most_values: int) -> None:
    """Refuse what would take too long, or be too much.

    Args:
        analysis: What is asked.
        times: (time,) of the series.
        series: How many there are.
        most_values: `max_series_values`: of the series and of what is found at each time together.

    Raises:
        LimitExceeded: There are more than `most_values`, trends compare more than `MAX_PAIRS` pairs of values, or
            seasons are looked for in more than `MAX_DAYS` days.
    """
    if analysis.step is not None:
        times = periods_of(times, analysis.step.period).starts
    values = (1 + analysis.columns) * times.size * series
    if values > most_values:
        raise LimitExceeded(
            "max_series_values",
            allowed=most_values,
            asked=values,
            alternative="ask for a coarser step, a shorter interval, fewer series or fewer analyses at once",
            locator="time",
        )
    pairs = 0 if analysis.trend is None else pair_count(_groups(times, analysis)) * series
    if pairs > MAX_PAIRS:
        raise LimitExceeded(
            "max_trend_pairs",
            allowed=MAX_PAIRS,
            asked=pairs,
            alternative="ask for trend=seasonal, a coarser step such as P1Y, or fewer series",
            locator="trend",
        )
    days = 0 if analysis.phenology is None or not times.size else int((times[-1] - times[0]) / DAY) * series
    if days > MAX_DAYS:
        raise LimitExceeded(
            "max_season_days",
            allowed=MAX_DAYS,
            asked=days,
            alternative="ask for a shorter interval or fewer series",
            locator="phenology",
        )


def _smoothed(asked: Curves, how: Smoothing) -> FloatArray:
    return smooth_whittaker(asked, how) if isinstance(how, Whittaker) else smooth_savitzky_golay(asked, how)


def _filled(asked: Curves, normals: Normals | None, analysis: Analysis) -> FloatArray | None:
    if analysis.fill == "linear":
        return fill_linear(asked)
    return fill_from_normals(asked, normals) if analysis.fill == "climatology" and normals is not None else None


def _groups(times: InstantArray, analysis: Analysis) -> tuple[Group, ...]:
    if analysis.trend != "seasonal":
        return (np.arange(times.size),)
    return seasonal_groups(slot_numbers(times, slot_kind(times, analysis.climatology.by)))


def _has_values(found: FloatArray | None) -> list[bool]:
    """Whether each series has any; empty where it was not asked for."""
    return [] if found is None else [bool(np.isfinite(each).any()) for each in found]


def _unless(are_told: list[bool], reason: str) -> tuple[str | None, ...]:
    return tuple(None if is_told else reason for is_told in are_told)


def _why_no_curve(analysis: Analysis) -> str:
    if isinstance(analysis.smooth, SavitzkyGolay):
        return "the values do not span the window, or their times are too uneven"
    return "fewer than three values"
