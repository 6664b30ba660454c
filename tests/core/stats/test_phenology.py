"""Seasons of curves with dates determined by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.series.analysis import Curves, Phenology, Whittaker
from chronotile.core.stats.phenology import MIN_LENGTH_DAYS, find_seasons
from chronotile.core.stats.whittaker import smooth_whittaker
from tests.core.stats.curves import curves, dekads, of_days, uneven


def days_of(instants):
    return instants.astype("datetime64[D]").astype(str).tolist()


def cosine(times, *, cycles=1, amplitude=0.3):
    """Troughs on 1 January (and between), peaks half a cycle later."""
    days = (times - np.datetime64("2001-01-01", "ns")) / np.timedelta64(1, "D")
    return 0.5 - amplitude * np.cos(2 * np.pi * cycles * (days - 10) / 365.25)


@pytest.fixture
def years():
    return dekads(2001, 2004)


def test_half_of_the_amplitude_is_a_quarter_of_the_cycle_from_the_peak(years):
    (found,) = find_seasons(curves(years, cosine(years)), Phenology())

    assert days_of(found.peak) == ["2001-07-13", "2002-07-13", "2003-07-13"]
    assert days_of(found.start) == ["2001-04-13", "2002-04-13", "2003-04-13"]
    assert days_of(found.end) == ["2001-10-11", "2002-10-12", "2003-10-12"]
    assert found.length_days.tolist() == [181, 182, 182]
    np.testing.assert_allclose(found.amplitude, 0.6, atol=1e-3)
    np.testing.assert_allclose(found.peak_value, 0.8, atol=1e-3)


@pytest.mark.parametrize(
    ("threshold", "days_before"), [(0.2, 365.25 * (1 - np.arccos(1 - 2 * 0.2) / np.pi) / 2), (0.8, 53.9)]
)
def test_the_share_of_the_amplitude_decides(years, threshold, days_before):
    (found,) = find_seasons(curves(years, cosine(years)), Phenology(threshold=threshold))

    before = (found.peak - found.start) / np.timedelta64(1, "D")
    after = (found.end - found.peak) / np.timedelta64(1, "D")
    np.testing.assert_allclose([before, after], days_before, atol=1.5)


def test_the_steepest_days_of_a_cosine_are_a_quarter_of_the_cycle_from_its_peak(years):
    (found,) = find_seasons(curves(years, cosine(years)), Phenology(method="derivative"))

    np.testing.assert_allclose((found.peak - found.start) / np.timedelta64(1, "D"), 91, atol=6)
    np.testing.assert_allclose((found.end - found.peak) / np.timedelta64(1, "D"), 91, atol=6)


def test_two_seasons_a_year_are_two(years):
    (found,) = find_seasons(curves(years, cosine(years, cycles=2)), Phenology())

    assert [day[:7] for day in days_of(found.peak)] == [
        *("2001-04", "2001-10", "2002-04", "2002-10", "2003-04", "2003-10", "2004-04"),
    ]


def test_each_side_is_measured_from_its_own_trough():
    days = np.arange(0, 400, 5)
    values = np.interp(days, [0, 50, 150, 250, 400], [0.3, 0.0, 1.0, 0.4, 0.9])

    (found,) = find_seasons(curves(of_days(days), values), Phenology(threshold=0.5))

    assert days_of(found.start) == [str(np.datetime64("2020-01-01") + np.timedelta64(100, "D"))]
    assert days_of(found.end) == [str(np.datetime64("2020-01-01") + np.timedelta64(200, "D"))]
    np.testing.assert_allclose(found.amplitude, [0.8], atol=0.02)


def test_a_small_rise_within_a_season_is_part_of_it():
    days = np.arange(0, 400, 5)
    values = np.interp(days, [0, 50, 120, 150, 180, 300, 400], [0.3, 0.0, 0.9, 0.8, 1.0, 0.0, 0.5])

    (found,) = find_seasons(curves(of_days(days), values), Phenology())

    assert days_of(found.peak) == [str(np.datetime64("2020-01-01") + np.timedelta64(180, "D"))]


def test_seasons_cut_off_by_the_ends_are_excluded():
    times = np.arange("2001-05-01", "2003-05-01", 10, dtype="datetime64[D]").astype("datetime64[ns]")

    (found,) = find_seasons(curves(times, cosine(times)), Phenology())

    assert days_of(found.peak) == ["2002-07-13"]


@pytest.mark.parametrize("is_reversed", [False, True], ids=["ends", "begins"])
@pytest.mark.parametrize("base", [0.0, 1e-4], ids=["constant", "sinking"])
def test_a_season_in_a_flat_base_is_whole(is_reversed, base):
    days = np.arange(0, 365, 5)
    values = 0.2 + 0.6 * np.exp(-(((days - 120) / 30.0) ** 2)) - base * days
    rising = np.interp(days, [0, 40], [0.5, 0.0], right=0.0)
    shaped = np.maximum(values, rising)[:: -1 if is_reversed else 1]

    (found,) = find_seasons(curves(of_days(days), shaped), Phenology())

    assert found.peak.size == 1
    np.testing.assert_allclose(found.length_days, [50], atol=3)


def test_a_fall_that_has_not_reached_a_base_is_no_whole_season():
    days = np.arange(0, 250, 5)

    (found,) = find_seasons(curves(of_days(days), np.interp(days, [0, 50, 150, 250], [0.2, 0, 1, 0.3])), Phenology())

    assert found.peak.size == 0


def test_rise_shorter_than_the_minimum_is_no_season():
    days = np.arange(0, 400, 2)
    broad, narrow = (np.exp(-(((days - day) / width) ** 2)) for day, width in ((150, 40), (320, 8)))

    (found,) = find_seasons(curves(of_days(days), 0.9 * broad + narrow), Phenology())

    assert days_of(found.peak) == [str(np.datetime64("2020-01-01") + np.timedelta64(150, "D"))]
    assert found.length_days.min() >= MIN_LENGTH_DAYS


def logistic(days, rise, fall, steep):
    """Return a season with a flat base, as a share of its amplitude."""
    return 1 / (1 + np.exp((rise - days) / steep)) / (1 + np.exp((days - fall) / 12))


@pytest.mark.parametrize(("stiffness", "days"), [(3_000.0, -4.5), (300.0, -1.0)])
def test_a_stiff_curve_starts_seasons_too_early_by_the_days_that_the_reference_names(stiffness, days):
    seasons = [(100 + 365.7 * year, 215 + 365.7 * year, 5 + year / 2) for year in range(20)]
    times, fine = np.arange(0, 20 * 366, 10.0), np.arange(0, 366, 0.05)
    series = curves(of_days(times), sum(logistic(times, *each) for each in seasons))
    rising = [(fine + 365.7 * year, logistic(fine + 365.7 * year, *each)) for year, each in enumerate(seasons)]
    truth = [around[curve >= 0.2 * curve.max()][0] for around, curve in rising]

    smoothed = smooth_whittaker(series, Whittaker(stiffness=stiffness))
    (found,) = find_seasons(Curves(times=series.times, values=smoothed), Phenology(threshold=0.2))

    starts = (found.start - series.times[0]) / np.timedelta64(1, "D")
    assert np.mean(starts - truth) == pytest.approx(days, abs=0.5)


@pytest.mark.parametrize(
    "row",
    [[], [1.0], [1.0, 2.0, 1.0], [0.5] * 30, [0.1 + 0.2] * 15 + [0.3] * 15, list(range(30)), [None] * 30],
    ids=["none", "one", "three", "constant", "rounding", "rising", "gaps"],
)
def test_without_rise_and_fall_there_is_no_season(row):
    (found,) = find_seasons(curves(of_days(np.arange(len(row)) * 10), row), Phenology())

    assert found.start.size == 0
    assert found.start.dtype == "datetime64[ns]"


def test_days_are_those_of_the_calendar_at_any_hour(years):
    at_noon = years + np.timedelta64(13, "h")

    (found,) = find_seasons(curves(at_noon, cosine(at_noon)), Phenology())

    assert days_of(found.peak) == ["2001-07-13", "2002-07-13", "2003-07-13"]
    assert np.array_equal(found.peak, found.peak.astype("datetime64[D]"))


@given(
    uneven(st.lists(st.none() | st.floats(-1, 1), min_size=4, max_size=60)),
    st.sampled_from(["threshold", "derivative"]),
)
def test_seasons_start_before_their_peak_and_do_not_overlap(series, method):
    smoothed = smooth_whittaker(series, Whittaker(stiffness=100.0))

    (found,) = find_seasons(Curves(times=series.times, values=smoothed), Phenology(method=method))

    assert np.all(found.start <= found.peak)
    assert np.all(found.peak <= found.end)
    assert np.all(found.end[:-1] <= found.start[1:])
    assert np.all(found.amplitude > 0)
