"""Savitzky and Golay's filter on dates."""

import numpy as np
import pytest
from hypothesis import given
from scipy.signal import savgol_filter

from chronotile.core.model.series.analysis import SavitzkyGolay
from chronotile.core.stats.savitzky_golay import smooth_savitzky_golay, window_points
from tests.core.stats.curves import curves, of_days, uneven


@pytest.mark.parametrize(("window_days", "points"), [(90, 9), (45, 5), (100, 11), (1, 5)])
def test_windows_are_odd_and_longer_than_the_order(window_days, points):
    assert window_points(SavitzkyGolay(window_days=window_days), spacing_days=10.0) == points


def test_on_even_times_it_is_the_plain_filter():
    values = np.random.default_rng(1).normal(size=50)

    smoothed = smooth_savitzky_golay(curves(of_days(np.arange(50) * 8), values), SavitzkyGolay(window_days=56))[0]

    np.testing.assert_allclose(smoothed, savgol_filter(values, 7, 2), atol=1e-12)


def test_gaps_are_filled_linearly_first_and_ends_stay_empty():
    values = np.random.default_rng(1).normal(size=40)
    holed = [None, None, *values[2:20], None, *values[21:39], None]
    filled = np.interp(np.arange(2, 39), np.delete(np.arange(2, 39), 18), np.delete(values[2:39], 18))

    smoothed = smooth_savitzky_golay(curves(of_days(np.arange(40) * 10), holed), SavitzkyGolay())[0]

    expected = [np.nan, np.nan, *savgol_filter(filled, 9, 2), np.nan]
    np.testing.assert_allclose(smoothed, expected, atol=1e-12)


def test_parabola_at_uneven_times_is_nearly_unchanged():
    days = np.cumsum(np.random.default_rng(4).integers(3, 8, 80)).astype(float)

    smoothed = smooth_savitzky_golay(curves(of_days(days), (days / 100) ** 2), SavitzkyGolay(window_days=40))[0]

    np.testing.assert_allclose(smoothed, (days / 100) ** 2, atol=0.005)


@pytest.mark.parametrize(
    "days", [[0, 10, 20], [], [5], [*np.arange(20) / 1e6, 4000]], ids=["shorter", "none", "one", "uneven"]
)
def test_without_a_whole_window_there_is_no_curve(days):
    smoothed = smooth_savitzky_golay(curves(of_days(days), [1.0] * len(days)), SavitzkyGolay())

    assert smoothed.shape == (1, len(days))
    assert np.isnan(smoothed).all()


@given(uneven())
def test_curves_lie_between_the_first_and_the_last_value_or_nowhere(series):
    smoothed = smooth_savitzky_golay(series, SavitzkyGolay(window_days=30))[0]

    known = np.flatnonzero(np.isfinite(series.values[0]))
    told = np.flatnonzero(np.isfinite(smoothed)).tolist()
    assert told in ([], list(range(known[0], known[-1] + 1)) if known.size else [])
