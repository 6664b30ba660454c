"""Limits and costs of an analysis, determined before a value is read."""

from chronotile.core.errors import require_at_most
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.time.instants import DAY
from chronotile.core.model.types import InstantArray
from chronotile.core.stats.climatology import SLOT_COUNTS, rank_count, slot_kind
from chronotile.core.stats.period_means import periods_of
from chronotile.core.stats.trend import PAIR_BYTES, groups_of, pair_count

FEWER_PAIRS = "request trend=seasonal, a coarser step such as P1Y"

PAIR_S = 22e-9
"""Processor time per pair of values in a trend."""

RANK_S = 12e-9
"""Processor time per comparison for anomalies in percent."""

DAY_S = 0.1e-6
"""Processor time per day in the search for seasons."""

SERIES_S = {"step": 10e-6, "smooth": 150e-6, "fill": 7e-6, "normals": 7e-6, "anomaly": 10e-6, "trend": 60e-6}
"""Processor time per series, by computation."""

VALUE_S = {"step": 10e-9, "smooth": 0.25e-6, "fill": 25e-9, "normals": 20e-9, "anomaly": 35e-9, "trend": 0.0}
"""Processor time per value of a series."""

TEXT_S = 0.5e-6
"""Processor time to write a result."""


def held_bytes(analysis: Analysis, times: InstantArray) -> int:
    """Return the memory for an analysis of a series with these times: the slopes of all pairs of values in a trend."""
    if analysis.trend is None:
        return 0
    if analysis.step is not None:
        times = periods_of(times, analysis.step.period).starts
    return PAIR_BYTES * pair_count(groups_of(times, analysis.trend, analysis.climatology.by))


def check_directions(analysis: Analysis, layer: str, circle: float | None) -> None:
    """Refuse analyses that are not meaningful for directions.

    Raises:
        InvalidParameter: The values are directions, and such an analysis is requested.
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


def check_values(analysis: Analysis, times: InstantArray, *, series: int, most_values: int) -> None:
    """Refuse too many numbers.

    Args:
        analysis: Requested computations.
        times: (time,) of the series.
        series: Number of series.
        most_values: `max_series_values`: limit for values and results together.

    Raises:
        LimitExceeded: There are more than `most_values`.
    """
    times = _times_of(analysis, times)
    fewer = "request a coarser step, a shorter interval or fewer series"
    numbers = (1 + analysis.columns) * times.size
    if analysis.has_climatology:
        numbers += 2 * SLOT_COUNTS[slot_kind(times, analysis.climatology.by)]  # usual values and their counts
    require_at_most("max_series_values", numbers * series, most_values, alternative=fewer, locator="time")


def analysis_seconds(analysis: Analysis | None, times: InstantArray, reference: InstantArray, *, series: int) -> float:
    """Return the estimated processor time of an analysis.

    Args:
        analysis: Requested computations; `None` takes no time.
        times: (time,) of the series.
        reference: (time,) of the reference.
        series: Number of series.
    """
    if analysis is None or not times.size:
        return 0.0
    sizes = {"step": times.size + reference.size if analysis.step is not None else 0}
    times, reference = _times_of(analysis, times), _times_of(analysis, reference)
    days = float((times[-1] - times[0]) / DAY)
    sizes |= {
        "smooth": times.size if analysis.smoothing is not None else 0,
        "fill": times.size if analysis.fill is not None else 0,
        "normals": times.size + reference.size if analysis.needs_normals else 0,
        "anomaly": times.size if analysis.anomaly is not None else 0,
        "trend": times.size if analysis.trend is not None else 0,
    }
    seconds = sum(SERIES_S[name] + VALUE_S[name] * size for name, size in sizes.items() if size)
    seconds += TEXT_S * analysis.columns * times.size
    if analysis.trend is not None:
        seconds += PAIR_S * pair_count(groups_of(times, analysis.trend, analysis.climatology.by))
    if analysis.anomaly == "percentile":
        seconds += RANK_S * rank_count(times, reference, slot_kind(times, analysis.climatology.by))
    if analysis.phenology is not None:
        seconds += DAY_S * days
    return series * seconds


def _times_of(analysis: Analysis, times: InstantArray) -> InstantArray:
    return times if analysis.step is None else periods_of(times, analysis.step.period).starts
