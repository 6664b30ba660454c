"""Straight lines through series, robust against outliers, and the significance of trends.

Theil, H. (1950): A rank-invariant method of linear and polynomial regression analysis; Sen, P. K. (1968): Estimates of
the regression coefficient based on Kendall's tau. JASA 63, 1379-1389 (slope and interval); Mann, H. B. (1945),
Econometrica 13, 245-259, and Kendall, M. G. (1975): Rank correlation methods (test, with correction for ties);
Hirsch, R. M., Slack, J. R. and Smith, R. A. (1982): Techniques of trend analysis for monthly water quality data.
Water Resources Research 18, 107-121 (within seasons).
"""

from collections.abc import Sequence
from math import erfc
from statistics import NormalDist

import numpy as np

from chronotile.core.model.series.analysis import CONFIDENCE, Curves, SlotKind, TrendMethod, Trends
from chronotile.core.model.types import Float64Array, IndexArray, InstantArray, Int64Array
from chronotile.core.stats.climatology import slot_kind, slot_numbers
from chronotile.core.stats.gaps import days_of
from chronotile.core.stats.percentiles import percentile_of_ordered, value_at

DAYS_A_YEAR = 365.25
MIN_PAIRS = 6
"""Pairs of four values; fewer cannot distinguish a trend from chance."""
BLOCK_VALUES = 1 << 19
"""Number of slopes of pairs in memory, unless one series has more."""
PAIR_BYTES = 9
"""Memory per pair: its slope, and whether it has one."""

_ERFC = np.frompyfunc(erfc, 1, 1)
"""Elementwise, which takes a hundredth of the time for the slopes."""


def find_trends(curves: Curves, groups: Sequence[IndexArray]) -> Trends:
    """Return the median slope over all pairs of values of each series, its interval and its significance.

    Slope and interval are Sen's. The probability is from the Mann-Kendall test: normal approximation with continuity
    correction, variance corrected for ties. With several groups (seasons), only values of one group are compared:
    median slope, statistic and variance are from the seasonal Kendall test, which assumes independent seasons.
    Values that are too close in time to be independent make `p` too small.
    """
    size = max(1, BLOCK_VALUES // max(pair_count(groups), 1))
    blocks = [
        _trends_of_block(Curves(times=curves.times, values=curves.values[top : top + size]), groups)
        for top in range(0, max(len(curves.values), 1), size)
    ]
    slope, low, high, intercept, p = (np.concatenate(column) for column in zip(*blocks, strict=True))
    count = np.isfinite(curves.values).sum(axis=1)
    return Trends(slope=slope, low=low, high=high, intercept=intercept, p=p, count=count)


def groups_of(times: InstantArray, method: TrendMethod, by: SlotKind | None) -> tuple[IndexArray, ...]:
    """Return the times (time,) that are compared: one group, possibly empty, or with `seasonal` one per slot."""
    if method == "theil_sen" or times.size == 0:
        return (np.arange(times.size),)
    slots = slot_numbers(times, slot_kind(times, by))
    return tuple(np.flatnonzero(slots == slot) for slot in np.unique(slots))


def pair_count(groups: Sequence[IndexArray]) -> int:
    """Return the number of pairs per series that are compared."""
    return sum(group.size * (group.size - 1) // 2 for group in groups)


def _trends_of_block(curves: Curves, groups: Sequence[IndexArray]) -> tuple[Float64Array, ...]:
    years = days_of(curves) / DAYS_A_YEAR
    slopes = np.empty((len(curves.values), pair_count(groups)))
    statistic, variance = np.zeros(len(curves.values)), np.zeros(len(curves.values))
    start = 0
    for group in groups:
        values = curves.values[:, group]
        for lag in range(1, group.size):  # in place: indexes of both ends, and copies, took ten times the memory
            rise = slopes[:, start : start + group.size - lag]
            np.subtract(values[:, lag:], values[:, :-lag], out=rise)
            statistic += np.nansum(np.sign(rise), axis=1)
            rise /= years[group][lag:] - years[group][:-lag]
            start += group.size - lag
        variance += _variance(values)
    slopes.sort(axis=1)
    slope, low, high = _interval(slopes, variance)
    intercept = percentile_of_ordered(np.sort(curves.values - slope[:, np.newaxis] * years, axis=1), 50)
    return slope, low, high, intercept, np.where(np.isnan(slope), np.nan, _probability(statistic, variance))


def _interval(ordered: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return median and interval of ordered slopes (series, pair), NaN last; ranks as in Sen (1968, equation 2.6)."""
    counts = np.isfinite(ordered).sum(axis=1)
    slope = np.where(counts >= MIN_PAIRS, percentile_of_ordered(ordered, 50), np.nan)
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * np.sqrt(variance)
    lower = np.maximum(np.round((counts - reach) / 2) - 1, 0)
    upper = np.minimum(np.round((counts + reach) / 2), np.maximum(counts - 1, 0))
    low, high = (value_at(ordered, ranks.astype(np.int64)) for ranks in (lower, upper))
    has_slope = np.isfinite(slope)
    return slope, np.where(has_slope, low, np.nan), np.where(has_slope, high, np.nan)


def _probability(statistic: Float64Array, variance: Float64Array) -> Float64Array:
    """Return two-sided probabilities; 1 if all values are equal."""
    distance = np.maximum(np.abs(statistic) - 1, 0)
    deviation = np.sqrt(np.where(variance > 0, variance, 1.0))
    return np.asarray(_ERFC(distance / (deviation * np.sqrt(2))), dtype=np.float64)


def _variance(values: Float64Array) -> Float64Array:
    # Variance of Kendall's statistic per series (series, n), corrected for ties (Kendall 1975).
    return (_spread(np.isfinite(values).sum(axis=1)) - _sum_ties(values)) / 18


def _spread(count: Int64Array) -> Int64Array:
    return count * (count - 1) * (2 * count + 5)


def _sum_ties(values: Float64Array) -> Float64Array:
    """Return the sum over runs of equal values per series; NaN is not equal to NaN."""
    if values.size == 0:
        return np.zeros(len(values))
    ordered = np.sort(values, axis=1)
    is_new = np.ones(values.shape, dtype=bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    firsts = np.flatnonzero(is_new)
    lengths = np.diff(firsts, append=values.size)
    return np.bincount(firsts // values.shape[1], weights=_spread(lengths), minlength=len(values)).astype(np.float64)
