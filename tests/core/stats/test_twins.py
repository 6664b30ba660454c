"""Acquisitions minutes apart: a series with them has the same results as without."""

from dataclasses import dataclass

import numpy as np
import pytest

from chronotile.core.model.series.analysis import Analysis, Climatology, Curves, Phenology, SavitzkyGolay, Whittaker
from chronotile.core.stats.analyse import analyse
from chronotile.core.stats.climatology import slot_kind
from chronotile.core.stats.observations import merge_twins, observations_of
from chronotile.core.stats.phenology import MIN_LENGTH_DAYS
from tests.core.stats.curves import curves, dekads, of_days
from tests.sampling import IS_FULL

SEVEN_MINUTES = np.timedelta64(7, "m")
DAY = np.timedelta64(1, "D")
SPREADS = [(-8, -1), (1, 8), (-60, 60), (-11 * 60, 11 * 60)]
"""Minutes that twins lie after their dates: before them, after them, and on either side."""
REPEATED = 10 if IS_FULL else 3
SMOOTHINGS = [
    pytest.param(Whittaker(), id="hampel"),
    pytest.param(Whittaker(stiffness=300.0, outliers="upper"), id="upper"),
    pytest.param(Whittaker(stiffness=30.0, outliers="keep"), id="keep"),
    pytest.param(SavitzkyGolay(), id="savgol"),
]


def phenology_of(series, smooth=None, **how):
    return analyse(series, series, Analysis(smooth=smooth, phenology=Phenology(**how)))


def with_twins(series, random, *, noise=0.0, minutes=(-11 * 60, 11 * 60)):
    """Return the series with a second acquisition of about every third date, so many minutes before or after it."""
    has_twin = random.random(series.times.size) < 0.3
    apart = random.integers(*minutes, np.count_nonzero(has_twin), endpoint=True).astype("timedelta64[m]")
    twins = series.values[:, has_twin]
    twins = twins + noise * random.normal(size=twins.shape)
    times = np.concatenate([series.times, series.times[has_twin] + apart])
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
    minutes = 60 * random.integers(0, 24) + random.choice([0, 20]) * random.uniform(-1, 1, days.size)
    return Curves(times=of_days(days) + np.round(minutes).astype("timedelta64[m]"), values=values)


def broken(found):
    """Return seasons that exceed the range of their curve or are shorter than the minimum."""
    return [
        (row, seasons)
        for row, seasons in enumerate(found.seasons)
        if (seasons.amplitude > np.ptp(found.smoothed[row][np.isfinite(found.smoothed[row])], axis=0)).any()
        or (seasons.peak_value > np.nanmax(found.smoothed[row])).any()
        or (seasons.length_days < MIN_LENGTH_DAYS).any()
    ]


@pytest.fixture
def years():
    """Five years of a cosine every ten days, with noise, lowest on day 60."""
    days = np.arange(0, 5 * 365.25, 10)
    noise = np.random.default_rng(5).normal(0, 0.01, days.size)
    return curves(of_days(days), 0.5 - 0.3 * np.cos(2 * np.pi * (days - 60) / 365.25) + noise)


def test_five_years_with_twins_have_their_four_seasons(years):
    twins = with_twins(years, np.random.default_rng(6), noise=0.02, minutes=(1, 8))

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
    for minutes in SPREADS * REPEATED:
        series = random_curves(random, 50)
        alone, twice = (
            phenology_of(each, smooth, **how) for each in (series, with_twins(series, random, minutes=minutes))
        )
        noisy = phenology_of(with_twins(series, random, noise=0.1, minutes=minutes), smooth, **how)
        counted.seasons += sum(seasons.start.size for seasons in alone.seasons)
        counted.broken += sum(len(broken(found)) for found in (alone, twice, noisy))
        counted.moved += sum(map(has_moved, alone.seasons, twice.seasons))

    assert counted.seasons > 400 * REPEATED
    assert (counted.broken, counted.moved) == (0, 0)


def has_moved(before, after):
    """Return whether there are more or fewer seasons, or any by more than a day elsewhere."""
    days = [(before.start, after.start), (before.peak, after.peak), (before.end, after.end)]
    return before.start.size != after.start.size or any((np.abs(old - new) > DAY).any() for old, new in days)


@pytest.mark.quick_cases("minutes0")
@pytest.mark.parametrize("smooth", SMOOTHINGS)
@pytest.mark.parametrize("minutes", SPREADS)
def test_seasons_of_some_random_curves_with_twins_keep_their_properties(smooth, minutes):
    random = np.random.default_rng(8)
    series = random_curves(random, 40)

    alone, noisy = (
        phenology_of(each, smooth) for each in (series, with_twins(series, random, noise=0.1, minutes=minutes))
    )
    twice = phenology_of(with_twins(series, random, minutes=minutes), smooth)

    assert sum(seasons.start.size for seasons in alone.seasons) > 40
    assert not [each for found in (alone, twice, noisy) for each in broken(found)]
    assert not any(map(has_moved, alone.seasons, twice.seasons))


@pytest.mark.parametrize("hour", [0, 10.5, 22.5, 23.75], ids=["dates", "morning", "Fiji", "midnight"])
@pytest.mark.parametrize("minutes", [-25, 25])
def test_twins_of_every_date_change_no_season(years, hour, minutes):
    at_hour = Curves(times=years.times + np.timedelta64(int(hour * 60), "m"), values=years.values)
    times = np.sort(np.concatenate([at_hour.times, at_hour.times + np.timedelta64(minutes, "m")]))

    (alone,) = phenology_of(at_hour).seasons
    (twice,) = phenology_of(Curves(times=times, values=np.repeat(years.values, 2, axis=1))).seasons

    for name in ("start", "peak", "end", "amplitude", "peak_value"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(alone, name))


def test_observation_is_the_mean_of_values_around_the_usual_time_of_day():
    gaps = [None] * 6
    series = curves(
        of_days([0.99, 1.0, 1.49, 1.51, 11, 11.3, 21, 30.6, 31, 41, *range(51, 111, 10)]),
        [1.0, 2.0, 6.0, 4.0, None, 5.0, None, 7.0, None, 8.0, *gaps],
        [None, 1.0, None, 2.0, None, None, 3.0, None, None, None, *gaps],
    )

    merged = merge_twins(series, observations_of(series.times))

    assert merged.times.tolist() == of_days([1, 2, 11, 21, 31, 41, *range(51, 111, 10)]).tolist()
    known = merged.values[:, :6]
    np.testing.assert_array_equal(known, [[3.0, 4.0, 5.0, np.nan, 7.0, 8.0], [1.0, 2.0, np.nan, 3.0, np.nan, np.nan]])
    assert np.isnan(merged.values[:, 6:]).all()


@pytest.mark.parametrize(
    ("days", "count"),
    [
        ([], 0),
        ([5.4], 1),
        ([5.4, 5.405], 1),
        ([5.4, 35.4], 2),
        ([5.4] * 3, 1),
        (np.repeat(np.arange(0.4, 300, 10), 2), 30),
        (np.repeat(np.arange(0.4, 300, 10), 2) + np.tile([0, 0.005], 30), 30),
        (np.arange(24 * 20) / 24, 24 * 20),
        (np.arange(4) / 24, 4),
        (np.arange(4 * 200) / 4, 4 * 200),
        (np.arange(2 * 200) / 2 + 0.25, 2 * 200),
        (np.arange(600) / 86400, 600),
        (np.arange(100) * 30.4375, 100),
    ],
    ids=[
        *("none", "one", "one with a twin", "two", "one instant", "every instant twice", "every date with a twin"),
        *("hours", "four hours", "six-hourly", "morning and evening", "seconds", "months"),
    ],
)
def test_observations_of_times_of_all_kinds(days, count):
    observations = observations_of(of_days(np.asarray(days, dtype=float)))

    assert observations.times.size == count
    assert np.all(np.diff(observations.times) > np.timedelta64(0, "s"))
    assert np.all(np.abs(observations.times[observations.of_time] - of_days(np.asarray(days, dtype=float))) < DAY)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "times",
    [[], [5.4, 5.405], [5.4] * 9, [5.4, 35.4], np.repeat(np.arange(0.4, 300, 10), 2), np.arange(600) / 86400],
    ids=["none", "one date", "one instant", "two dates", "every instant twice", "seconds"],
)
@pytest.mark.parametrize("value", [0.5, np.nan])
@pytest.mark.parametrize("smooth", SMOOTHINGS)
def test_series_without_seasons_have_none(times, value, smooth):
    series = Curves(times=of_days(np.asarray(times, dtype=float)), values=np.full((2, len(times)), value))

    found = phenology_of(series, smooth)

    assert [seasons.start.size for seasons in found.seasons] == [0, 0]
    assert found.smoothed.shape == series.values.shape


def test_hourly_values_are_observations_each_but_their_twins():
    hours = np.arange(100) / 24

    alone, twice = (observations_of(of_days(np.sort(days))) for days in (hours, np.append(hours, hours[50] + 0.001)))

    assert alone.times.tolist() == twice.times.tolist() == of_days(hours).tolist()


def test_curve_is_given_at_both_twins(years):
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


def test_monthly_values_with_twins_are_compared_with_months():
    months = np.arange("2001-01", "2004-01", dtype="datetime64[M]").astype("datetime64[ns]")

    assert slot_kind(np.sort(np.concatenate([months, months + SEVEN_MINUTES])), None) == "month"


def test_gaps_next_to_twins_lie_on_the_line():
    series = curves(of_days([0, 0.005, 10, 10.005, 20]), [1.0, None, None, 2.0, 3.0])

    found = analyse(series, series, Analysis(fill="linear", anomaly="abs", climatology=Climatology(by="month")))

    np.testing.assert_allclose(found.filled, [[1.0, 1.0005, 1.9995, 2.0, 3.0]], atol=1e-6)
    np.testing.assert_allclose(found.anomalies, [[-1.0, np.nan, np.nan, 0.0, 1.0]])
