"""What is found out about a series: which times it takes, whether that is too much, and the answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chronotile.catalog.resolve_times import matching_times
from chronotile.errors import InvalidParameter
from chronotile.extras import require_extra
from chronotile.model.collection import Layer
from chronotile.model.series.analysis import Analysis, Curves
from chronotile.model.series.series import Series
from chronotile.model.time.instants import Instant
from chronotile.pipeline.services import Services
from chronotile.stats.analyse import analyse
from chronotile.stats.analysis_cost import check_cost
from chronotile.stats.period_means import Periods, periods_of

Positions = NDArray[np.intp]


def reference_indexes(analysis: Analysis | None, layer: Layer, *, now: Instant) -> tuple[int, ...]:
    """Return the indexes of the times that series are held against: none where nothing is.

    Where no reference is named, they are all times of the layer: held against itself alone, a year would be normal
    throughout.

    Args:
        analysis: What to compute.
        layer: Of which layer.
        now: For a reference such as `latest`.

    Raises:
        MissingTime: The reference is `default` and the layer has none.
    """
    if analysis is None or not analysis.needs_normals:
        return ()
    return matching_times(layer, analysis.climatology.reference, now=now).indexes


def check_analysis(
    analysis: Analysis | None,
    layer: Layer,
    indexes: tuple[tuple[int, ...], tuple[int, ...]],
    *,
    series: int,
    services: Services,
) -> None:
    """Refuse an analysis that has no meaning or takes too long; reads no pixels.

    Args:
        analysis: What to compute.
        layer: Of which layer.
        indexes: Of the requested times, and of the reference.
        series: How many there are.
        services: Whose limits hold.

    Raises:
        InvalidParameter: The layer has no times.
        MissingExtra: It needs a library that is not installed.
        LimitExceeded: There are too many times and series for it.
    """
    if analysis is None:
        return
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times along which it could be analysed", locator="layer")
    if analysis.smoothing is not None:
        name = "phenology" if analysis.smooth is None else "smooth"
        require_extra("analysis", name, locator=name)
    times, reference = (layer.times.instants[list(each)] for each in indexes)
    check_cost(analysis, times, reference, series=series, most_values=services.catalogue.limits.max_series_values)


def analyse_series(read: Series, analysis: Analysis, *, requested: Positions, reference: Positions) -> Series:
    """Return the series with what was found; of periods, where there is a step.

    Args:
        read: Values at all times that the analysis takes.
        analysis: What to compute.
        requested: Which of them are the series.
        reference: Which of them it is held against.
    """
    curves, against = (
        Curves(times=read.times[positions], values=read.values[np.newaxis, positions])
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
    """Of each period without a value the commonest reason, the first of several."""
    bounds = pairwise([*periods.bounds.tolist(), len(reasons)])
    return [
        None if is_told else Counter(reasons[start:end]).most_common(1)[0][0]
        for (start, end), is_told in zip(bounds, np.isfinite(means.values[0]), strict=True)
    ]
