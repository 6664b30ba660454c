"""Slopes and their significance, against SciPy and loops over all pairs."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from scipy import stats

from chronotile.core.model.series.analysis import Curves
from chronotile.core.stats.trend import BLOCK_VALUES, PAIR_BYTES, find_trends, groups_of, pair_count
from tests.core.stats.curves import curves, dekads, of_days, uneven

DAY = np.timedelta64(1, "D")


def all_of(series):
    return (np.arange(series.times.size),)


def mann_kendall(groups):
    """Statistic and p of values in order, within groups (Kendall 1975, Hirsch et al. 1982), pair by pair."""
    statistic = sum(np.sign(later - earlier) for group in groups for earlier, later in combinations(group, 2))
    variance = 0.0
    for group in groups:
        ties = [np.sum(np.equal(group, value)) for value in set(group)]
        variance += (
            sum(n * (n - 1) * (2 * n + 5) * sign for n, sign in [(len(group), 1), *((tie, -1) for tie in ties)]) / 18
        )
    if statistic == 0 or variance == 0:
        return 1.0
    return 2 * stats.norm.sf((abs(statistic) - 1) / np.sqrt(variance))


@given(uneven())
def test_slope_interval_and_probability_equal_those_of_loops_and_scipy(series):
    known = np.isfinite(series.values[0])
    values = series.values[0, known]
    years = (series.times[known] - series.times[0]) / DAY / 365.25
    assume(values.size >= 4)

    found = find_trends(series, all_of(series))

    if np.unique(values).size > 1:
        slope, _, low, high = stats.theilslopes(values, years, 0.95)
        np.testing.assert_allclose([found.slope[0], found.low[0], found.high[0]], [slope, low, high], atol=1e-12)
    assert found.p[0] == pytest.approx(mann_kendall([values.tolist()]))
    assert found.intercept[0] == pytest.approx(np.median(values - found.slope[0] * years))
    assert found.count[0] == values.size


def test_probability_agrees_with_kendalls_tau_without_ties():
    values = np.random.default_rng(1).normal(size=200)

    found = find_trends(curves(of_days(range(200)), values), (np.arange(200),))

    tau = stats.kendalltau(np.arange(200), values, method="asymptotic")
    assert found.p[0] == pytest.approx(tau.pvalue, rel=0.02)


def test_seasons_are_compared_with_themselves():
    random = np.random.default_rng(6)
    times = dekads(2001, 2012)
    slots = np.tile(np.arange(36), 12)
    values = np.round(
        np.cos(slots / 36 * 2 * np.pi) + 0.01 * np.arange(times.size) / 36 + random.normal(0, 0.02, 432), 2
    )
    values[random.random(432) < 0.2] = np.nan
    years = (times - times[0]) / DAY / 365.25
    groups = [np.flatnonzero((slots == slot) & np.isfinite(values)) for slot in range(36)]
    slopes = [
        (values[later] - values[earlier]) / (years[later] - years[earlier])
        for group in groups
        for earlier, later in combinations(group, 2)
    ]

    found = find_trends(curves(times, values), groups_of(times, "seasonal", "dekad"))

    assert found.slope[0] == pytest.approx(np.median(slopes))
    assert found.p[0] == pytest.approx(mann_kendall([values[group].tolist() for group in groups]), abs=1e-12)
    assert found.low[0] < 0.01 < found.high[0]


def test_a_constant_series_has_a_slope_of_nothing_and_no_trend():
    found = find_trends(curves(of_days(range(5)), [3.0] * 5), (np.arange(5),))

    assert [found.slope[0], found.low[0], found.high[0], found.p[0], found.intercept[0]] == [0, 0, 0, 1, 3]


@pytest.mark.parametrize("row", [[], [None] * 6, [1.0], [1.0, 2.0, None, 3.0]], ids=["none", "gaps", "one", "three"])
def test_fewer_than_four_values_have_no_trend(row):
    found = find_trends(curves(of_days(range(len(row))), row), (np.arange(len(row)),))

    assert np.isnan([found.slope, found.low, found.high, found.p, found.intercept]).all()
    assert found.count.tolist() == [sum(value is not None for value in row)]


@pytest.mark.slow
def test_blocks_of_series_equal_single_series():
    values = np.random.default_rng(8).normal(size=(40, 600))
    series = Curves(times=of_days(range(600)), values=values)

    found = find_trends(series, all_of(series))

    alone = [find_trends(Curves(times=series.times, values=row[np.newaxis]), all_of(series)).slope[0] for row in values]
    assert pair_count(all_of(series)) * 40 > BLOCK_VALUES
    assert found.slope.tolist() == alone


@pytest.mark.slow
@pytest.mark.parametrize(("count", "length"), [(400, 180), (1, 2000)], ids=["cells of a map", "one long series"])
def test_trends_take_little_more_memory_than_their_largest_block(count, length):
    values = np.random.default_rng(8).normal(size=(count, length))
    series = Curves(times=of_days(range(length)), values=values)
    pairs = pair_count(all_of(series))
    tracemalloc.start()

    find_trends(series, all_of(series))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= PAIR_BYTES * max(BLOCK_VALUES, pairs) + (2 << 20)


def test_no_series_have_no_trends():
    nothing = Curves(times=of_days(range(5)), values=np.empty((0, 5)))

    assert find_trends(nothing, (np.arange(5),)).slope.shape == (0,)


@pytest.mark.parametrize("method", ["theil_sen", "seasonal"])
def test_series_without_times_have_no_trend(method):
    times = np.array([], dtype="datetime64[ns]")

    trends = find_trends(Curves(times=times, values=np.empty((2, 0))), groups_of(times, method, None))

    assert np.isnan(trends.slope).tolist() == [True, True]
