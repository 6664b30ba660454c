"""All analyses of series, from their values; the order in which one thing builds on another."""

import numpy as np

from chronotile.model.series.analysis import (
    Analysis,
    Curves,
    Findings,
    FloatArray,
    Normals,
    SavitzkyGolay,
    Smoothing,
    Whittaker,
)
from chronotile.stats.climatology import (
    fill_from_normals,
    find_anomalies,
    find_normals,
)
from chronotile.stats.gaps import fill_linear
from chronotile.stats.period_means import period_means, periods_of
from chronotile.stats.phenology import find_seasons
from chronotile.stats.savitzky_golay import smooth_savitzky_golay
from chronotile.stats.trend import find_trends, groups_of
from chronotile.stats.twins import merge_twins, observations_of
from chronotile.stats.whittaker import smooth_whittaker


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
    counts = None
    if analysis.step is not None:
        series, counts = period_means(series, periods_of(series.times, analysis.step.period))
        reference, _ = period_means(reference, periods_of(reference.times, analysis.step.period))
    observations = observations_of(series.times)
    observed = merge_twins(series, observations)
    curve = None if analysis.smoothing is None else _smoothed(observed, analysis.smoothing)
    normals = find_normals(reference, series.times, analysis.climatology) if analysis.needs_normals else None
    anomalies = None
    if analysis.anomaly is not None and normals is not None:
        anomalies = find_anomalies(series, reference, normals, analysis.anomaly)
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


def _smoothed(observed: Curves, how: Smoothing) -> FloatArray:
    return smooth_whittaker(observed, how) if isinstance(how, Whittaker) else smooth_savitzky_golay(observed, how)


def _filled(series: Curves, normals: Normals | None, analysis: Analysis) -> FloatArray | None:
    if analysis.fill == "linear":
        return fill_linear(series)
    return fill_from_normals(series, normals) if analysis.fill == "climatology" and normals is not None else None


def _has_values(found: FloatArray | None) -> list[bool]:
    """Whether each series has any; empty where it was not requested."""
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
