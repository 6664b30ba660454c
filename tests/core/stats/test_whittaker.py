"""Whittaker's smoother, against the minimum found by dense linear algebra."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.series.analysis import Curves, Whittaker
from chronotile.core.stats.whittaker import smooth_whittaker
from tests.core.stats.curves import curves, dekads, of_days, uneven

PLAIN = Whittaker(stiffness=500.0, outliers="keep")


def dense(days, values, stiffness, weights):
    """Return the minimum of the definition by least squares over a stacked matrix: no bands, no normal equations."""
    second = np.zeros((days.size - 2, days.size))
    for row, (before, here, after) in enumerate(zip(days, days[1:], days[2:], strict=False)):
        width = (after - before) / 2
        second[row, row : row + 3] = np.polyfit([before, here, after], np.eye(3), 2)[0] * 2 * np.sqrt(width)
    system = np.vstack([np.diag(np.sqrt(weights)), np.sqrt(stiffness) * second])
    target = np.concatenate([np.sqrt(weights) * np.nan_to_num(values), np.zeros(days.size - 2)])
    return np.linalg.lstsq(system, target)[0]


@pytest.fixture
def noisy():
    random = np.random.default_rng(3)
    days = np.cumsum(random.integers(2, 15, 60))
    values = np.sin(days / 50) + random.normal(0, 0.1, days.size)
    values[[7, 8, 30]] = np.nan
    return curves(of_days(days), values), days.astype(float), values


def test_curve_is_the_minimum_of_its_definition(noisy):
    series, days, values = noisy

    smoothed = smooth_whittaker(series, PLAIN)[0]

    np.testing.assert_allclose(smoothed, dense(days, values, 500, np.isfinite(values)), atol=1e-9)


def test_upper_is_the_minimum_with_a_tenth_of_the_weight_below_the_curve(noisy):
    series, days, values = noisy

    smoothed = smooth_whittaker(series, Whittaker(stiffness=500.0, outliers="upper"))[0]

    weights = np.where(np.isfinite(values), np.where(values >= smoothed, 1.0, 0.1), 0.0)
    np.testing.assert_allclose(smoothed, dense(days, values, 500, weights), atol=1e-9)


def test_on_daily_values_it_is_the_smoother_of_eilers():
    values = np.random.default_rng(1).normal(size=40)
    differences = np.diff(np.eye(40), 2, axis=0)

    smoothed = smooth_whittaker(curves(of_days(range(40)), values), Whittaker(stiffness=7.0, outliers="keep"))[0]

    np.testing.assert_allclose(smoothed, np.linalg.solve(np.eye(40) + 7 * differences.T @ differences, values))


@pytest.mark.parametrize("outliers", ["hampel", "upper"])
def test_a_cloud_pulls_less_than_it_would(outliers):
    days = np.arange(0, 400, 10)
    clean = np.sin(days / 60)
    clouded = np.where(days == 200, clean - 1.0, clean)
    series = curves(of_days(days), clouded)

    pulled, weighed = (
        smooth_whittaker(series, Whittaker(outliers=each))[0, 20] - clean[20] for each in ("keep", outliers)
    )

    assert pulled < -0.1
    assert abs(weighed) < 0.4 * abs(pulled)


def test_a_season_of_few_dates_is_no_outlier():
    days = np.arange(0, 360, 15)
    values = 0.2 + 0.6 * np.exp(-(((days - 150) / 30.0) ** 2))

    smoothed = smooth_whittaker(curves(of_days(days), values), Whittaker(stiffness=100.0))[0]

    assert smoothed.max() > 0.7


def test_weights_are_those_of_hampels_distances(noisy):
    series, days, values = noisy
    known = values[np.isfinite(values)]
    noise = np.median(
        [abs(here - (before + after) / 2) for before, here, after in zip(known, known[1:], known[2:], strict=False)]
    )
    weights = [1.0, 1.0]
    for middle in range(2, known.size - 2):
        apart = abs(known[middle] - sorted(known[middle - 2 : middle + 3])[2])
        weights.append(max(0.0, 1 - (apart / (6 * noise)) ** 2) ** 2)
    every = np.zeros(values.size)
    every[np.isfinite(values)] = [*weights, 1.0, 1.0]

    smoothed = smooth_whittaker(series, Whittaker(stiffness=500.0))[0]

    np.testing.assert_allclose(smoothed, dense(days, values, 500, every), atol=1e-9)
    assert min(weights) < 0.5


@given(uneven(), st.floats(0.1, 1e9), st.sampled_from(["keep", "hampel", "upper"]), st.floats(-5, 5))
def test_line_is_unchanged(series, stiffness, outliers, slope):
    days = (series.times - series.times[0]) / np.timedelta64(1, "D")
    line = np.where(np.isfinite(series.values), slope * days / 100, np.nan)

    smoothed = smooth_whittaker(
        Curves(times=series.times, values=line), Whittaker(stiffness=stiffness, outliers=outliers)
    )

    known = np.flatnonzero(np.isfinite(line[0]))
    expected = np.full(line.shape, np.nan)
    if known.size >= 3:
        expected[0, known[0] : known[-1] + 1] = slope * days[known[0] : known[-1] + 1] / 100
    np.testing.assert_allclose(smoothed, expected, atol=1e-6, rtol=1e-6)


@given(uneven(), st.sampled_from(["keep", "hampel", "upper"]))
def test_nothing_before_the_first_and_after_the_last_value(series, outliers):
    smoothed = smooth_whittaker(series, Whittaker(outliers=outliers))[0]

    known = np.flatnonzero(np.isfinite(series.values[0]))
    told = np.flatnonzero(np.isfinite(smoothed))
    assert told.tolist() == (list(range(known[0], known[-1] + 1)) if known.size >= 3 else [])


def test_series_are_smoothed_each_for_itself():
    random = np.random.default_rng(2)
    values = random.normal(size=(5, 72))
    values[random.random(values.shape) < 0.3] = np.nan
    times = dekads(2001, 2002)

    together = smooth_whittaker(Curves(times=times, values=values), Whittaker())

    alone = [smooth_whittaker(Curves(times=times, values=row[np.newaxis]), Whittaker())[0] for row in values]
    np.testing.assert_array_equal(together, alone)


def test_times_a_moment_apart_are_smoothed_too():
    days = np.sort(np.concatenate([np.arange(30) * 5.0, np.arange(30) * 5.0 + 1e-8]))

    smoothed = smooth_whittaker(curves(of_days(days), np.sin(days / 20)), Whittaker(stiffness=10.0))[0]

    np.testing.assert_allclose(smoothed, np.sin(days / 20), atol=0.01)


def test_a_wave_of_the_length_that_lambda_names_keeps_half_of_its_height():
    length = 2 * np.pi * (3000.0 * 10) ** 0.25
    days = np.arange(0, 100 * length, 10.0)
    wave = np.sin(2 * np.pi * days / length)

    smoothed = smooth_whittaker(curves(of_days(days), wave), Whittaker(outliers="keep"))[0]

    middle = slice(100, -100)
    assert smoothed[middle] @ wave[middle] / (wave[middle] @ wave[middle]) == pytest.approx(0.5, abs=0.03)


def test_result_decided_by_rounding_is_not_given():
    ten_minutes = np.arange(500) / 144

    smoothed = [
        smooth_whittaker(curves(of_days(ten_minutes), np.sin(ten_minutes)), Whittaker(stiffness=stiffness))[0]
        for stiffness in (1.0, 1e9)
    ]

    np.testing.assert_allclose(smoothed[0], np.sin(ten_minutes), atol=0.1)
    assert np.isnan(smoothed[1]).all()
