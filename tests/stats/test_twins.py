"""Acquisitions minutes apart: what is found out of a series with them is what is found without."""

from dataclasses import dataclass

import numpy as np
import pytest

from chronotile.model.analysis import Analysis, Climatology, Curves, Phenology, SavitzkyGolay, Whittaker
from chronotile.stats.analyse import analyse
from chronotile.stats.climatology import slot_kind
from chronotile.stats.phenology import LEAST_LENGTH_DAYS
from chronotile.stats.twins import merge_twins, observations_of
from tests.stats.curves import curves, dekads, of_days

SEVEN_MINUTES = np.timedelta64(7, "m")
DAY = np.timedelta64(1, "D")
SMOOTHINGS = [
    pytest.param(Whittaker(), id="hampel"),
    pytest.param(Whittaker(stiffness=300.0, outliers="upper"), id="upper"),
    pytest.param(Whittaker(stiffness=30.0, outliers="keep"), id="keep"),
    pytest.param(SavitzkyGolay(), id="savgol"),
]


def phenology_of(series, smooth=None, **how):
    return analyse(series, series, Analysis(smooth=smooth, phenology=Phenology(**how)))


def with_twins(series, random, *, noise=0.0, latest_minutes=11 * 60):
    """The series with a second acquisition of about every third date, up to so many minutes after it."""
    has_twin = random.random(series.times.size) < 0.3
    minutes = random.integers(1, latest_minutes, np.count_nonzero(has_twin)).astype("timedelta64[m]")
    twins = series.values[:, has_twin]
    twins = twins + noise * random.normal(size=twins.shape)
    times = np.concatenate([series.times, series.times[has_twin] + minutes])
    order = np.argsort(times, kind="stable")
    return Curves(times=times[order], values=np.concatenate([series.values, twins], axis=1)[:, order])


def random_curve(days, random):
    curve = 0.15 + random.normal(0, random.choice([0.0, 0.01, 0.05]), days.size)
    curve += random.choice([0.0, 0.1]) * np.sin(days / random.uniform(20, 80))
    for year in range(-1, 5):
        rise, fall = np.sort(random.uniform(0, 365, 2)) + 365.25 * year
        up, down = random.uniform(3, 20, 2)
        curve += random.uniform(0, 0.8) / (1 + np.exp((rise - days) / up)) / (1 + np.exp((days - fall) / down))
    return curve


def random_curves(random, count):
    """Four years of seasons of any shape over a flat base or a swinging one, at even or uneven dates, with gaps."""
    spacing = random.choice([3, 5, 10, 16])
    days = np.cumsum(np.maximum(1, spacing + random.integers(-2, 3, 1500 // spacing))).astype(float)
    values = np.stack([random_curve(days, random) for _ in range(count)])
    values[random.random(values.shape) < random.choice([0.0, 0.3])] = np.nan
    return Curves(times=of_days(days) + np.timedelta64(int(random.integers(0, 24)), "h"), values=values)


def broken(found):
    """Which seasons exceed the range of their curve, or are shorter than the least."""
    return [
        (row, seasons)
        for row, seasons in enumerate(found.seasons)
        if (seasons.amplitude > np.ptp(found.smoothed[row][np.isfinite(found.smoothed[row])], axis=0)).any()
        or (seasons.peak_value > np.nanmax(found.smoothed[row])).any()
        or (seasons.length_days < LEAST_LENGTH_DAYS).any()
    ]


@pytest.fixture
def years():
    """Five years of a cosine every ten days, with noise, lowest on day 60."""
    days = np.arange(0, 5 * 365.25, 10)
    noise = np.random.default_rng(5).normal(0, 0.01, days.size)
    return curves(of_days(days), 0.5 - 0.3 * np.cos(2 * np.pi * (days - 60) / 365.25) + noise)


def test_five_years_with_twins_have_their_four_seasons(years):
    twins = with_twins(years, np.random.default_rng(6), noise=0.02, latest_minutes=8)

    (found,) = phenology_of(twins).seasons

    (expected,) = phenology_of(years).seasons
    assert found.start.size == expected.start.size == 4
    assert np.abs((found.start - expected.start) / DAY).max() <= 3
    np.testing.assert_allclose(found.amplitude, 0.58, atol=0.03)


@dataclass
class Counted:
    """Seasons of random curves."""

    seasons: int = 0
    broken: int = 0
    moved: int = 0


@pytest.mark.slow
@pytest.mark.parametrize("smooth", SMOOTHINGS)
@pytest.mark.parametrize("how", [{}, {"threshold": 0.2}, {"method": "derivative"}], ids=["half", "fifth", "derivative"])
def test_seasons_of_random_curves_with_random_twins_keep_their_properties(smooth, how):
    random, counted = np.random.default_rng(16), Counted()
    for series in (random_curves(random, 50) for _ in range(40)):
        alone, twice = (phenology_of(each, smooth, **how) for each in (series, with_twins(series, random)))
        noisy = phenology_of(with_twins(series, random, noise=0.1), smooth, **how)
        counted.seasons += sum(seasons.start.size for seasons in alone.seasons)
        counted.broken += sum(len(broken(found)) for found in (alone, twice, noisy))
        counted.moved += sum(map(has_moved, alone.seasons, twice.seasons))

    assert counted.seasons > 4_000
    assert (counted.broken, counted.moved) == (0, 0)


def has_moved(before, after):
    """Whether there are more or fewer seasons, or any by more than a day elsewhere."""
    days = [(before.start, after.start), (before.peak, after.peak), (before.end, after.end)]
    return before.start.size != after.start.size or any((np.abs(old - new) > DAY).any() for old, new in days)


@pytest.mark.parametrize("smooth", SMOOTHINGS)
def test_seasons_of_some_random_curves_with_twins_keep_their_properties(smooth):
    random = np.random.default_rng(8)
    series = random_curves(random, 40)

    alone, noisy = phenology_of(series, smooth), phenology_of(with_twins(series, random, noise=0.1), smooth)
    twice = phenology_of(with_twins(series, random), smooth)

    assert sum(seasons.start.size for seasons in alone.seasons) > 40
    assert not [each for found in (alone, twice, noisy) for each in broken(found)]
    assert not any(map(has_moved, alone.seasons, twice.seasons))


def test_an_observation_is_the_mean_of_what_has_a_value_within_twelve_hours_of_its_first():
    series = curves(
        of_days([0, 0.005, 0.49, 0.5, 10, 10.3, 20]),
        [1.0, 2.0, 6.0, 4.0, None, 5.0, None],
        [None, 1.0, None, 2.0, None, None, 3.0],
    )

    merged = merge_twins(series, observations_of(series.times))

    assert merged.times.tolist() == of_days([0, 0.5, 10, 20]).tolist()
    np.testing.assert_array_equal(merged.values, [[3.0, 4.0, 5.0, np.nan], [1.0, 2.0, np.nan, 3.0]])


def test_hourly_values_are_observations_each_but_their_twins():
    hours = np.arange(100) / 24

    alone, twice = (observations_of(of_days(np.sort(days))) for days in (hours, np.append(hours, hours[50] + 0.001)))

    assert alone.times.tolist() == twice.times.tolist() == of_days(hours).tolist()


def test_the_curve_of_twins_is_told_at_both(years):
    twins = with_twins(years, np.random.default_rng(1))

    smoothed = phenology_of(twins).smoothed

    np.testing.assert_array_equal(smoothed[:, np.isin(twins.times, years.times)], phenology_of(years).smoothed)
    assert np.isfinite(smoothed).all()


@pytest.mark.parametrize("trend", ["theil_sen", "seasonal"])
def test_twins_make_no_trend_more_significant(trend):
    random = np.random.default_rng(4)
    times = dekads(2001, 2004)
    series = Curves(times=times, values=random.normal(0.5, 0.1, (3, times.size)) + np.linspace(0, 0.05, times.size))

    alone, twice = (analyse(each, each, Analysis(trend=trend)).trends for each in (series, with_twins(series, random)))

    np.testing.assert_array_equal(twice.p, alone.p)
    np.testing.assert_array_equal([twice.slope, twice.low, twice.high], [alone.slope, alone.low, alone.high])
    assert twice.count.tolist() == alone.count.tolist() == [144] * 3


def test_monthly_values_with_twins_are_held_against_months():
    months = np.arange("2001-01", "2004-01", dtype="datetime64[M]").astype("datetime64[ns]")

    assert slot_kind(np.sort(np.concatenate([months, months + SEVEN_MINUTES])), None) == "month"


def test_gaps_beside_twins_lie_on_the_line():
    series = curves(of_days([0, 0.005, 10, 10.005, 20]), [1.0, None, None, 2.0, 3.0])

    found = analyse(series, series, Analysis(fill="linear", anomaly="abs", climatology=Climatology(by="month")))

    np.testing.assert_allclose(found.filled, [[1.0, 1.0005, 1.9995, 2.0, 3.0]], atol=1e-6)
    np.testing.assert_allclose(found.anomalies, [[-1.0, np.nan, np.nan, 0.0, 1.0]])
