"""What an analysis takes, known before a value is read."""

from chronotile.errors import LimitExceeded
from chronotile.model.series.analysis import Analysis
from chronotile.model.time.instants import DAY, InstantArray
from chronotile.stats.climatology import SLOT_COUNTS, rank_count, slot_kind
from chronotile.stats.period_means import periods_of
from chronotile.stats.trend import groups_of, pair_count

MAX_PAIRS = 100_000_000
"""Of values that are compared for trends, all series together: about two seconds."""
MAX_RANKS = 1_000_000_000
"""Comparisons for anomalies in percent, all series together: about three seconds."""
MAX_DAYS = 40_000_000
"""In which seasons are looked for, all series together: about two seconds, 5,000 series of 22 years."""


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
    _check("max_series_values", numbers * series, most_values, alternative=fewer, of="time")
    if analysis.trend is not None:
        pairs = pair_count(groups_of(times, analysis.trend, analysis.climatology.by)) * series
        other = "request trend=seasonal, a coarser step such as P1Y, or fewer series"
        _check("max_trend_pairs", pairs, MAX_PAIRS, alternative=other, of="trend")
    if analysis.anomaly == "percentile":
        ranks = rank_count(times, reference, slot_kind(times, analysis.climatology.by)) * series
        _check("max_ranks", ranks, MAX_RANKS, alternative=fewer, of="anomaly")
    if analysis.phenology is not None and times.size:
        days = int((times[-1] - times[0]) / DAY) * series
        _check("max_season_days", days, MAX_DAYS, alternative=fewer, of="phenology")


def _check(limit: str, requested: int, allowed: int, *, alternative: str, of: str) -> None:
    if requested > allowed:
        raise LimitExceeded(limit, allowed=allowed, needed=requested, alternative=alternative, locator=of)
