"""The order of findings."""

import numpy as np
import pytest

from chronotile.core.model.series.analysis import (
    Analysis,
    Climatology,
    Curves,
    PeriodStep,
    Phenology,
    SavitzkyGolay,
    Whittaker,
)
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.stats.analyse import analyse
from chronotile.core.stats.climatology import find_normals
from chronotile.core.stats.phenology import find_seasons
from chronotile.core.stats.whittaker import smooth_whittaker
from tests.core.stats.curves import curves, dekads, of_days

MONTHLY = PeriodStep(parse_period("P1M"), "P1M")


@pytest.fixture
def noisy():
    random = np.random.default_rng(2)
    values = np.sin(np.arange(144) / 36 * 2 * np.pi) + random.normal(0, 0.1, (2, 144))
    values[:, 50:60] = np.nan
    return Curves(times=dekads(2001, 2004), values=values)


def test_only_requested_findings_are_returned(noisy):
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


def test_step_is_checked_before_the_others(noisy):
    found = analyse(noisy, noisy, Analysis(step=MONTHLY, fill="climatology"))

    normals = find_normals(found.curves, found.curves.times, Climatology())
    assert found.curves.times.size == 48
    assert found.counts.max() == 3
    assert normals.by == "month"
    np.testing.assert_array_equal(
        found.filled, np.where(np.isfinite(found.curves.values), found.curves.values, normals.at_times)
    )


def test_each_series_has_a_separate_reason():
    series = curves(of_days(range(6)), [1.0, 2.0, 4.0, 3.0, 5.0, 6.0], [1.0, None, None, None, None, 1.0])

    found = analyse(series, series, Analysis(smooth=SavitzkyGolay(window_days=3), trend="theil_sen"))

    assert found.reasons["trend"] == (None, "fewer than four values to compare")
    assert found.reasons["smooth"] == (None, None)
