"""All analyses of series of values, in the order of their dependencies."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from chronotile.core.cancellation import IsActive, require_active
from chronotile.core.model.series.analysis import (
    Analysis,
    AnomalyKind,
    Climatology,
    Curves,
    Findings,
    Normals,
    PeriodStep,
    SavitzkyGolay,
    Smoothing,
    Trends,
    Whittaker,
)
from chronotile.core.model.types import Float64Array, Int64Array
from chronotile.core.stats.climatology import fill_from_normals, find_anomalies, find_normals, slot_kind
from chronotile.core.stats.gaps import fill_linear
from chronotile.core.stats.observations import merge_twins, observations_of
from chronotile.core.stats.period_means import period_means, periods_of
from chronotile.core.stats.phenology import find_seasons
from chronotile.core.stats.savitzky_golay import smooth_savitzky_golay
from chronotile.core.stats.trend import find_trends, groups_of
from chronotile.core.stats.whittaker import smooth_whittaker


def analyse(series: Curves, reference: Curves, analysis: Analysis) -> Findings:
    """Return the results for each series.

    Results come from the values themselves. Only seasons come from the smoothed curve (Whittaker's if no other is
    requested). Curves, seasons and trends combine the acquisitions of a day into one observation (`observations_of`).
    Nothing is extrapolated.

    Args:
        series: The series. With a step, means of periods replace its values first.
        reference: The same series at the times of the reference.
        analysis: Requested computations.
    """
    counts, dates = None, (series, reference)
    if analysis.step is not None:
        series, counts = period_means(series, periods_of(series.times, analysis.step.period))
        reference, _ = period_means(reference, periods_of(reference.times, analysis.step.period))
    observations = observations_of(series.times)
    observed = merge_twins(series, observations)
    curve = None if analysis.smoothing is None else _smooth(observed, analysis.smoothing)
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
        filled=_fill(series, normals, analysis),
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
            "phenology": _unless([s.start.size > 0 for s in seasons or ()], "no whole season was found"),
        },
    )


def _period_anomalies(
    series: Curves, reference: Curves, how: Climatology, *, step: PeriodStep, kind: AnomalyKind
) -> tuple[Float64Array, Int64Array]:
    """Return the anomalies of periods, and the number of dates (series, period) in each mean.

    Each date is compared with the usual value of its part of the year, so that missing dates do not shift a mean: a
    June with only late clear dates is not compared with the whole of June.
    """
    how = replace(how, by=slot_kind(max(series.times, reference.times, key=len), how.by))

    def differences(curves: Curves) -> tuple[Curves, Int64Array]:
        apart = find_anomalies(curves, reference, find_normals(reference, curves.times, how), "abs")
        return period_means(Curves(times=curves.times, values=apart), periods_of(curves.times, step.period))

    target, counts = differences(series)
    if kind == "abs":
        return target.values, counts
    base, _ = differences(reference)
    return find_anomalies(target, base, find_normals(base, target.times, Climatology(by=how.by)), kind), counts


PART_SERIES = 100
"""Number of series that are analysed between two checks of the client's connection."""


def analyse_in_parts(series: Curves, reference: Curves, analysis: Analysis, *, is_active: IsActive) -> Findings:
    """Return the results of `analyse`, computed for some series at a time.

    Raises:
        ClientGone: The client disconnected.
    """
    parts = list[Findings]()
    for first in range(0, max(1, len(series.values)), PART_SERIES):
        require_active(is_active)
        rows = slice(first, first + PART_SERIES)
        part, against = (replace(curves, values=curves.values[rows]) for curves in (series, reference))
        parts.append(analyse(part, against, analysis))
    return parts[0] if len(parts) == 1 else _join(parts)


def _join(parts: Sequence[Findings]) -> Findings:
    """Return the results for the series of all parts, in order."""
    first = parts[0]

    def arrays_of(name: str, members: Sequence[object] = parts) -> Any:  # noqa: ANN401 -- of any field
        arrays = [getattr(member, name) for member in members]
        return None if arrays[0] is None else np.concatenate(arrays)

    normals, trends = ([getattr(part, name) for part in parts] for name in ("normals", "trends"))
    return replace(
        first,
        curves=replace(first.curves, values=np.concatenate([part.curves.values for part in parts])),
        **{name: arrays_of(name) for name in ("counts", "smoothed", "filled", "anomalies", "anomaly_counts")},
        normals=first.normals
        and replace(first.normals, **{name: arrays_of(name, normals) for name in ("values", "counts", "at_times")}),
        trends=first.trends and Trends(**{f.name: arrays_of(f.name, trends) for f in fields(Trends)}),
        seasons=None if first.seasons is None else tuple(series for part in parts for series in part.seasons or ()),
        reasons={name: tuple(reason for part in parts for reason in part.reasons[name]) for name in first.reasons},
    )


def _smooth(observed: Curves, how: Smoothing) -> Float64Array:
    return smooth_whittaker(observed, how) if isinstance(how, Whittaker) else smooth_savitzky_golay(observed, how)


def _fill(series: Curves, normals: Normals | None, analysis: Analysis) -> Float64Array | None:
    if analysis.fill == "linear":
        return fill_linear(series)
    return fill_from_normals(series, normals) if analysis.fill == "climatology" and normals is not None else None


def _has_values(results: Float64Array | None) -> list[bool]:
    # Whether each series has a result; empty if it was not requested.
    return [] if results is None else [bool(np.isfinite(row).any()) for row in results]


def _unless(have_results: list[bool], reason: str) -> tuple[str | None, ...]:
    return tuple(None if has_result else reason for has_result in have_results)


def _why_no_normals(most: int) -> str | None:
    """Return why usual values are missing. A slot has at most `most` values; with 1, no comparison makes sense."""
    if most > 1:
        return None
    return "the reference has one value at most for each time of the year" if most else "the reference has no values"


def _why_no_curve(analysis: Analysis) -> str:
    if isinstance(analysis.smooth, SavitzkyGolay):
        return "the values do not span the window, or their times are too uneven"
    return "fewer than three values, or times too near for so stiff a curve"
