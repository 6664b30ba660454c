"""The order in which things are found, and what is too much."""

import numpy as np
import pytest

from chronotile.errors import LimitExceeded
from chronotile.model.analysis import Analysis, Climatology, Curves, Phenology, SavitzkyGolay, Step, Whittaker
from chronotile.model.time import parse_period
from chronotile.stats.analyse import analyse, check_cost
from chronotile.stats.climatology import find_normals
from chronotile.stats.phenology import find_seasons
from chronotile.stats.whittaker import smooth_whittaker
from tests.stats.curves import curves, dekads, of_days

MONTHLY = Step(parse_period("P1M"), "P1M")
TWENTY_YEARS = dekads(2001, 2020)


@pytest.fixture
def noisy():
    random = np.random.default_rng(2)
    values = np.sin(np.arange(144) / 36 * 2 * np.pi) + random.normal(0, 0.1, (2, 144))
    values[:, 50:60] = np.nan
    return Curves(times=dekads(2001, 2004), values=values)


def test_nothing_but_what_is_asked_is_found(noisy):
    found = analyse(noisy, noisy, Analysis())

    assert found.curves is noisy
    assert (found.smoothed, found.filled, found.normals, found.anomalies, found.trends, found.seasons) == (None,) * 6
    assert not any(found.reasons.values())


def test_seasons_are_looked_for_in_the_smoothed_curve(noisy):
    found = analyse(noisy, noisy, Analysis(smooth=Whittaker(stiffness=100.0), phenology=Phenology()))

    smoothed = smooth_whittaker(noisy, Whittaker(stiffness=100.0))
    expected = find_seasons(Curves(times=noisy.times, values=smoothed), Phenology())
    np.testing.assert_array_equal(found.smoothed, smoothed)
    assert [each.peak.tolist() for each in found.seasons] == [each.peak.tolist() for each in expected]


def test_a_step_comes_before_all_else(noisy):
    found = analyse(noisy, noisy, Analysis(step=MONTHLY, fill="climatology"))

    normals = find_normals(found.curves, found.curves.times, Climatology())
    assert found.curves.times.size == 48
    assert found.counts.max() == 3
    assert normals.by == "month"
    np.testing.assert_array_equal(
        found.filled, np.where(np.isfinite(found.curves.values), found.curves.values, normals.at_times)
    )


def test_each_series_has_a_reason_of_its_own():
    series = curves(of_days(range(6)), [1.0, 2.0, 4.0, 3.0, 5.0, 6.0], [1.0, None, None, None, None, 1.0])

    found = analyse(series, series, Analysis(smooth=SavitzkyGolay(window_days=3), trend="theil_sen"))

    assert found.reasons["trend"] == (None, "fewer than four values to compare")
    assert found.reasons["smooth"] == (None, None)


@pytest.mark.parametrize(
    ("analysis", "series"),
    [
        (Analysis(trend="theil_sen"), 300),
        (Analysis(trend="seasonal"), 5000),
        (Analysis(trend="theil_sen", step=Step(parse_period("P1Y"), "P1Y")), 20_000),
        (Analysis(phenology=Phenology()), 5000),
        (Analysis(smooth=Whittaker()), 100_000),
    ],
    ids=["few", "seasonal", "years", "seasons", "curves"],
)
def test_what_takes_seconds_is_allowed(analysis, series):
    check_cost(analysis, TWENTY_YEARS, series=series, most_values=10**9)


@pytest.mark.parametrize(
    ("analysis", "limit"),
    [(Analysis(trend="theil_sen"), "max_trend_pairs"), (Analysis(phenology=Phenology()), "max_season_days")],
)
def test_what_takes_minutes_is_refused_with_another_way(analysis, limit):
    with pytest.raises(LimitExceeded) as caught:
        check_cost(analysis, TWENTY_YEARS, series=20_000, most_values=10**9)

    assert caught.value.limit == limit
    assert caught.value.asked > caught.value.allowed


def test_what_is_told_beside_the_values_counts_as_they_do():
    asked = Analysis(smooth=Whittaker(), fill="linear", anomaly="z", trend="seasonal")

    with pytest.raises(LimitExceeded) as caught:
        check_cost(asked, TWENTY_YEARS, series=10, most_values=5 * 7200 - 1)

    assert (caught.value.limit, caught.value.asked) == ("max_series_values", 5 * 7200)
