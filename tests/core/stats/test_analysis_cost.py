"""What is too much."""

import numpy as np
import pytest

from chronotile.core.errors import LimitExceeded
from chronotile.core.model.series.analysis import Analysis, Climatology, Phenology, Step, Whittaker
from chronotile.core.model.time.parser import parse_period
from chronotile.core.stats.analyse import check_cost
from chronotile.core.stats.climatology import rank_count
from tests.core.stats.curves import dekads

TWENTY_YEARS = dekads(2001, 2020)


@pytest.mark.parametrize(
    ("analysis", "series"),
    [
        (Analysis(trend="theil_sen"), 300),
        (Analysis(trend="seasonal"), 5000),
        (Analysis(trend="theil_sen", step=Step(parse_period("P1Y"), "P1Y")), 20_000),
        (Analysis(phenology=Phenology()), 5000),
        (Analysis(anomaly="percentile", climatology=Climatology(by="day")), 5000),
        (Analysis(smooth=Whittaker()), 100_000),
    ],
    ids=["few", "seasonal", "years", "seasons", "ranks", "curves"],
)
def test_what_takes_seconds_is_allowed(analysis, series):
    check_cost(analysis, TWENTY_YEARS, TWENTY_YEARS, series=series, most_values=10**9)


@pytest.mark.parametrize(
    ("analysis", "limit"),
    [
        (Analysis(trend="theil_sen"), "max_trend_pairs"),
        (Analysis(phenology=Phenology()), "max_season_days"),
        (Analysis(anomaly="percentile", climatology=Climatology(by="month")), "max_ranks"),
    ],
)
def test_what_takes_minutes_is_refused_with_another_way(analysis, limit):
    with pytest.raises(LimitExceeded) as caught:
        check_cost(analysis, TWENTY_YEARS, TWENTY_YEARS, series=30_000, most_values=10**9)

    assert caught.value.limit == limit
    assert caught.value.needed > caught.value.allowed


def test_what_is_told_beside_the_values_counts_as_they_do():
    asked = Analysis(smooth=Whittaker(), fill="linear", anomaly="z", trend="seasonal")

    with pytest.raises(LimitExceeded) as caught:
        check_cost(asked, TWENTY_YEARS, TWENTY_YEARS, series=10, most_values=5 * 7200 - 1)

    assert (caught.value.limit, caught.value.needed) == ("max_series_values", 5 * 7200)


def test_what_is_told_of_each_slot_of_a_year_counts_too():
    asked = Analysis(has_climatology=True, climatology=Climatology(by="day"))

    with pytest.raises(LimitExceeded) as caught:
        check_cost(asked, TWENTY_YEARS, TWENTY_YEARS, series=10, most_values=10_000)

    assert caught.value.needed == 10 * (2 * 720 + 2 * 365)


def test_each_value_is_ranked_among_those_of_its_slot():
    ten_years = dekads(2001, 2010)

    assert rank_count(TWENTY_YEARS, ten_years, "dekad") == 720 * 10
    assert rank_count(TWENTY_YEARS, np.array([], dtype="datetime64[ns]"), "day") == 0
