"""All analyses of series, from their values; the order in which one thing builds on another."""

from dataclasses import replace

import numpy as np

from chronotile.core.errors import require_at_most
from chronotile.core.model.series.analysis import (
    Analysis,
    AnomalyKind,
    Climatology,
    Curves,
    Findings,
    FloatArray,
    IntArray,
    Normals,
    SavitzkyGolay,
    Smoothing,
    Step,
    Whittaker,
)
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.time.instants import DAY, InstantArray
from chronotile.core.stats.climatology import (
    SLOT_COUNTS,
    fill_from_normals,
    find_anomalies,
    find_normals,
    rank_count,
    slot_kind,
)
from chronotile.core.stats.period_means import merge_twins, observations_of, period_means, periods_of
from chronotile.core.stats.phenology import find_seasons
from chronotile.core.stats.smoothing import fill_linear, smooth_savitzky_golay, smooth_whittaker
from chronotile.core.stats.trend import PAIR_BYTES, find_trends, groups_of, pair_count


def analyse(series: Curves, reference: Curves, analysis: Analysis) -> Findings:
    """Return the findings about each series.

    Everything is found from the values as they are, but seasons, which are those of the smoothed curve (Whittaker's,
    where no other is requested). Curves, seasons and trends take the acquisitions of a day as one
    observation (`observations_of`). Nothing is extrapolated.

    Args:
        series: The series, of which a step makes means of periods before all else.
        reference: The same series at the times of the reference.
        analysis: What to compute.
    """
    counts, dates = None, (series, reference)
    if analysis.step is not None:
        series, counts = period_means(series, periods_of(series.times, analysis.step.period))
        reference, _ = period_means(reference, periods_of(reference.times, analysis.step.period))
    observations = observations_of(series.times)
    observed = merge_twins(series, observations)
    curve = None if analysis.smoothing is None else _smoothed(observed, analysis.smoothing)
    normals = find_normals(reference, series.times, analysis.climatology) if analysis.needs_normals else None
    anomalies, anomaly_counts = None, None
    if analysis.anomaly is not None and normals is not None and analysis.step is None:
        anomalies = find_anomalies(series, reference, normals, analysis.anomaly)
    elif analysis.anomaly is not None and analysis.step is not None:
        anomalies, anomaly_counts = _period_anomalies(
            *dates, analysis.climatology, step=analysis.step, kind=analysis.anomaly
        )
    trends = None
    if analysis.trend is not None:
        trends = find_trends(observed, groups_of(observed.times, analysis.trend, analysis.climatology.by))
    seasons = None
    if analysis.phenology is not None and curve is not None:
        seasons = find_seasons(Curves(times=observed.times, values=curve), analysis.phenology)
    return Findings(
        analysis=analysis,
        curves=series,
        counts=counts,
        smoothed=None if curve is None else curve[:, observations.of_time],
        filled=_filled(series, normals, analysis),
        normals=normals,
        anomalies=anomalies,
        anomaly_counts=anomaly_counts,
        trends=trends,
        seasons=seasons,
        reasons={
            "smooth": _unless(_has_values(curve), _why_no_curve(analysis)),
            "climatology": () if normals is None else tuple(map(_why_no_normals, normals.counts.max(axis=1).tolist())),
            "anomaly": _unless(_has_values(anomalies), "no time of the year has a value and enough in the reference"),
            "trend": _unless(
                _has_values(None if trends is None else trends.slope), "fewer than four values to compare"
            ),
            "phenology": _unless([each.start.size > 0 for each in seasons or ()], "no whole season was found"),
        },
    )


def _period_anomalies(
    series: Curves, reference: Curves, how: Climatology, *, step: Step, kind: AnomalyKind
) -> tuple[FloatArray, IntArray]:
    """The anomalies of periods, and the dates (series, period) that each is the mean of.

    Each date is compared with the normal of its own part of the year, so that missing dates move no mean: a June of
    which only late dates are clear is not compared with all of June.
    """
    longer = max(series.times, reference.times, key=len)
    how = replace(how, by=slot_kind(longer, how.by))

    def differences(curves: Curves) -> tuple[Curves, IntArray]:
        apart = find_anomalies(curves, reference, find_normals(reference, curves.times, how), "abs")
        return period_means(Curves(times=curves.times, values=apart), periods_of(curves.times, step.period))

    own, counts = differences(series)
    if kind == "abs":
        return own.values, counts
    others, _ = differences(reference)
    return find_anomalies(own, others, find_normals(others, own.times, Climatology(by=how.by)), kind), counts


def _smoothed(observed: Curves, how: Smoothing) -> FloatArray:
    return smooth_whittaker(observed, how) if isinstance(how, Whittaker) else smooth_savitzky_golay(observed, how)


def _filled(series: Curves, normals: Normals | None, analysis: Analysis) -> FloatArray | None:
    if analysis.fill == "linear":
        return fill_linear(series)
    return fill_from_normals(series, normals) if analysis.fill == "climatology" and normals is not None else None


def _has_values(found: FloatArray | None) -> list[bool]:
    # Whether each series has any; empty where it was not requested.
    return [] if found is None else [bool(np.isfinite(each).any()) for each in found]


def _unless(are_told: list[bool], reason: str) -> tuple[str | None, ...]:
    return tuple(None if is_told else reason for is_told in are_told)


def _why_no_normals(most: int) -> str | None:
    """Of the most values that a slot has; where that is one, values of the reference are held against themselves."""
    if most > 1:
        return None
    return "the reference has one value at most for each time of the year" if most else "the reference has no values"


def _why_no_curve(analysis: Analysis) -> str:
    if isinstance(analysis.smooth, SavitzkyGolay):
        return "the values do not span the window, or their times are too uneven"
    return "fewer than three values, or times too near for so stiff a curve"


# What an analysis takes, known before a value is read.

MAX_PAIRS = 100_000_000
"""Of values that are compared for trends, all series together: about two seconds."""
FEWER_PAIRS = "request trend=seasonal, a coarser step such as P1Y"
MAX_RANKS = 1_000_000_000
"""Comparisons for anomalies in percent, all series together: about three seconds."""
MAX_DAYS = 40_000_000
"""In which seasons are looked for, all series together: about two seconds, 5,000 series of 22 years."""


def held_bytes(analysis: Analysis, times: InstantArray) -> int:
    """Return what an analysis of a series of such times holds at once: slopes of all pairs of values of a trend."""
    if analysis.trend is None:
        return 0
    if analysis.step is not None:
        times = periods_of(times, analysis.step.period).starts
    return PAIR_BYTES * pair_count(groups_of(times, analysis.trend, analysis.climatology.by))


def check_directions(analysis: Analysis, layer: str, circle: float | None) -> None:
    """Refuse analyses that directions do not have.

    Raises:
        InvalidParameter: The values are directions, and it is one of those.
    """
    how = analysis.climatology.reducer
    for name, requested, what in (
        ("smooth", analysis.smooth, "smooth curve"),
        ("fill", analysis.fill == "linear", "linear interpolation"),
        ("anomaly", analysis.anomaly in {"z", "percentile"}, f"anomaly {analysis.anomaly}"),
        ("climatology", analysis.needs_normals and how.kind != "mean", f"climatology {how.name}"),
        ("trend", analysis.trend, "trend"),
        ("phenology", analysis.phenology, "seasons"),
    ):
        require_directional(not requested, what, layer, circle, locator=name)


def check_cost(
    analysis: Analysis, times: InstantArray, reference: InstantArray, *, series: int, most_values: int
) -> None:
    """Refuse what would take too long, or be too much.

    Args:
        analysis: What to compute.
        times: (time,) of the series.
        reference: (time,) of what they are held against.
        series: How many there are.
        most_values: `max_series_values`: of the series and of what is found at each time together.

    Raises:
        LimitExceeded: There are more than `most_values`, or an analysis takes more than `MAX_PAIRS`, `MAX_RANKS` or
            `MAX_DAYS`.
    """
    if analysis.step is not None:
        times, reference = (periods_of(each, analysis.step.period).starts for each in (times, reference))
    fewer = "request a coarser step, a shorter interval or fewer series"
    numbers = (1 + analysis.columns) * times.size
    if analysis.has_climatology:
        numbers += 2 * SLOT_COUNTS[slot_kind(times, analysis.climatology.by)]  # what is normal, and of how many values
    require_at_most("max_series_values", numbers * series, most_values, alternative=fewer, locator="time")
    if analysis.trend is not None:
        pairs = pair_count(groups_of(times, analysis.trend, analysis.climatology.by)) * series
        require_at_most(
            "max_trend_pairs", pairs, MAX_PAIRS, alternative=f"{FEWER_PAIRS}, or fewer series", locator="trend"
        )
    if analysis.anomaly == "percentile":
        ranks = rank_count(times, reference, slot_kind(times, analysis.climatology.by)) * series
        require_at_most("max_ranks", ranks, MAX_RANKS, alternative=fewer, locator="anomaly")
    if analysis.phenology is not None and times.size:
        days = int((times[-1] - times[0]) / DAY) * series
        require_at_most("max_season_days", days, MAX_DAYS, alternative=fewer, locator="phenology")
