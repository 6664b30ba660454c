"""Costs of analyses: the number of values in an answer, and the estimated processor time."""

import numpy as np
import pytest

from chronotile.core.cancellation import always_active
from chronotile.core.errors import ClientGone, LimitExceeded
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
from chronotile.core.stats.analyse import analyse, analyse_in_parts
from chronotile.core.stats.analysis_costs import analysis_seconds, check_values
from chronotile.core.stats.climatology import rank_count
from tests.core.stats.curves import dekads

TWENTY_YEARS = dekads(2001, 2020)
EVERYTHING = Analysis(
    smooth=SavitzkyGolay(),
    fill="climatology",
    has_climatology=True,
    anomaly="percentile",
    trend="seasonal",
    phenology=Phenology(),
)


def seconds(analysis: Analysis, series: int) -> float:
    return analysis_seconds(analysis, TWENTY_YEARS, TWENTY_YEARS, series=series)


@pytest.mark.parametrize(
    ("analysis", "series", "least_s"),
    [
        (Analysis(trend="theil_sen"), 30_000, 100.0),
        (Analysis(phenology=Phenology()), 30_000, 20.0),
        (Analysis(anomaly="percentile", climatology=Climatology(by="month")), 30_000, 5.0),
        (Analysis(smooth=Whittaker()), 100_000, 20.0),
    ],
    ids=["pairs", "seasons", "ranks", "curves"],
)
def test_analysis_of_many_series_takes_long(analysis, series, least_s):
    assert seconds(analysis, series) > least_s
    assert seconds(analysis, 1) < 0.1


def test_analysis_of_years_takes_less_than_of_dekads():
    of_years = Analysis(trend="theil_sen", step=PeriodStep(parse_period("P1Y"), "P1Y"))

    assert seconds(of_years, 1000) < seconds(Analysis(trend="theil_sen"), 1000) / 10


def test_no_analysis_and_no_times_take_no_time():
    assert analysis_seconds(None, TWENTY_YEARS, TWENTY_YEARS, series=9) == 0
    assert analysis_seconds(EVERYTHING, TWENTY_YEARS[:0], TWENTY_YEARS, series=9) == 0


def test_values_of_findings_count_like_those_of_the_series():
    asked = Analysis(smooth=Whittaker(), fill="linear", anomaly="z", trend="seasonal")

    with pytest.raises(LimitExceeded) as caught:
        check_values(asked, TWENTY_YEARS, series=10, most_values=5 * 7200 - 1)

    assert (caught.value.limit, caught.value.needed) == ("max_series_values", 5 * 7200)


def test_findings_per_slot_of_a_year_count_too():
    asked = Analysis(has_climatology=True, climatology=Climatology(by="day"))

    with pytest.raises(LimitExceeded) as caught:
        check_values(asked, TWENTY_YEARS, series=10, most_values=10_000)

    assert caught.value.needed == 10 * (2 * 720 + 2 * 365)


def test_each_value_is_ranked_among_those_of_its_slot():
    ten_years = dekads(2001, 2010)

    assert rank_count(TWENTY_YEARS, ten_years, "dekad") == 720 * 10
    assert rank_count(TWENTY_YEARS, np.array([], dtype="datetime64[ns]"), "day") == 0


def curves_of(series: int) -> Curves:
    times = dekads(2018, 2020)
    noise = np.random.default_rng(4).normal(0, 0.05, (series, times.size))
    return Curves(times=times, values=np.sin(np.arange(times.size) / 5.7) + noise)


def test_analysis_in_parts_equals_the_analysis_of_all(monkeypatch):
    monkeypatch.setattr("chronotile.core.stats.analyse.PART_SERIES", 5)
    curves = curves_of(13)
    whole = analyse(curves, curves, EVERYTHING)

    parts = analyse_in_parts(curves, curves, EVERYTHING, is_active=always_active)

    np.testing.assert_array_equal(parts.curves.values, whole.curves.values)
    np.testing.assert_allclose(parts.smoothed, whole.smoothed)
    np.testing.assert_array_equal(parts.anomalies, whole.anomalies)
    np.testing.assert_array_equal(parts.normals.at_times, whole.normals.at_times)
    np.testing.assert_allclose(parts.trends.slope, whole.trends.slope)
    assert [each.start.tolist() for each in parts.seasons] == [each.start.tolist() for each in whole.seasons]
    assert parts.reasons == whole.reasons


def test_analysis_stops_after_a_part_when_the_client_left(monkeypatch):
    monkeypatch.setattr("chronotile.core.stats.analyse.PART_SERIES", 3)
    looks = []

    def is_active() -> bool:
        looks.append(None)
        return len(looks) < 2

    with pytest.raises(ClientGone):
        analyse_in_parts(curves_of(9), curves_of(9), EVERYTHING, is_active=is_active)

    assert len(looks) == 2
