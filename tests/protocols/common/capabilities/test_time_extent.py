"""Lists of long series of times: each value is read back as the same times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.catalog.resolve_times import resolve_picture_times
from chronotile.core.model.collection import TimeRules
from chronotile.core.model.time.domain import NO_TIME, domain_of_instants
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import step_instants
from chronotile.protocols.common.capabilities.time_extent import (
    LONGEST_RUN,
    MAX_LISTED,
    MIN_LISTED,
    most_listed_times,
    time_extent,
)
from tests.protocols import served

YEAR_1990 = np.datetime64("1990-01-01", "ns")


def layer_of(times, **rules):
    return served.make_layer(variable=served.make_variable(times=times), time_rules=TimeRules(**rules))


def regular(period, count, start=YEAR_1990):
    return domain_of_instants(step_instants(start, parse_period(period), count))


def test_layer_without_time_has_no_extent():
    assert time_extent(layer_of(NO_TIME), served.NOW) is None


def test_short_series_are_listed_whole():
    extent = time_extent(layer_of(served.DEKADS), served.NOW)

    assert extent.values == ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")


def test_times_of_day_are_written_as_instants():
    domain = served.days_of("2020-06-20T10:50:31", "2020-06-30T10:50:31.024")

    assert time_extent(layer_of(domain), served.NOW).values == ("2020-06-20T10:50:31Z", "2020-06-30T10:50:31.024Z")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (regular("PT5S", 13, np.datetime64("2000-01-01", "ns")), ("2000-01-01T00:00:00Z/2000-01-01T00:01:00Z/PT5S",)),
        (regular("P1D", 3), ("1990-01-01/1990-01-03/P1D",)),
        (regular("P1M", 12), ("1990-01-01/1990-12-01/P1M",)),
        (regular("P1D", LONGEST_RUN + 1), ("1990-01-01/1991-01-01/P1D", "1991-01-02")),
        (regular("P1D", 2), ("1990-01-01", "1990-01-02")),
        (served.DEKADS, ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")),
    ],
    ids=["seconds", "least", "months", "more than a run", "two", "irregular"],
)
def test_extent_has_regular_times_as_an_interval_however_few_they_are(times, expected):
    assert time_extent(layer_of(times), served.NOW).extent == expected


def test_values_of_few_regular_times_stand_for_themselves():
    assert time_extent(layer_of(regular("P1D", 3)), served.NOW).values == ("1990-01-01", "1990-01-02", "1990-01-03")


@pytest.mark.parametrize("period", ["P1D", "P8D", "P1M", "PT6H", "PT15M"])
def test_long_regular_series_are_intervals_of_at_most_a_year_of_days(period):
    extent = time_extent(layer_of(regular(period, 1500)), served.NOW)

    assert len(extent.values) == -(-1500 // LONGEST_RUN)
    assert {value.split("/")[2] for value in extent.values} == {period}


def test_months_that_begin_late_are_listed_since_their_lengths_differ():
    extent = time_extent(layer_of(regular("P1M", 1200, np.datetime64("1990-01-31", "ns"))), served.NOW)

    assert "P1M" not in "".join(extent.values)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.integers(1001, 2500),
    st.sampled_from(["P1D", "P3D", "P1M", "PT1H", "PT90S", "dekad"]),
    st.sets(st.integers(0, 2499), max_size=40),
)
def test_values_stand_for_all_times_and_no_other(count, period, missing):
    instants = np.delete(step_instants(YEAR_1990, parse_period(period), count), [i for i in missing if i < count])
    layer = layer_of(domain_of_instants(instants))

    indexes = [
        index
        for value in time_extent(layer, served.NOW).values
        for index in resolve_picture_times(layer, parse_time(value), now=served.NOW).indexes
    ]

    assert sorted(indexes) == list(range(len(instants)))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [({}, "2020-06-21"), ({"default": "earliest"}, "2020-05-21"), ({"default": "none"}, None)],
    ids=["latest", "earliest", "none"],
)
def test_default_is_that_of_the_rules(rules, expected):
    assert time_extent(layer_of(served.DEKADS, **rules), served.NOW).default == expected


def test_times_in_the_future_are_listed_but_not_the_newest():
    extent = time_extent(layer_of(served.days_of("2020-06-21", "2106-01-01")), served.NOW)

    assert (extent.default, extent.newest, extent.values[-1]) == ("2020-06-21", "2020-06-21", "2106-01-01")


def test_layer_of_future_times_alone_has_no_newest():
    extent = time_extent(layer_of(served.days_of("2106-01-01")), served.NOW)

    assert (extent.default, extent.newest) == (None, None)


@pytest.mark.parametrize(("match", "expected"), [("exact", False), ("nearest", True), ("before", True)])
def test_nearest_value_follows_the_match(match, expected):
    assert time_extent(layer_of(served.DEKADS, match=match), served.NOW).is_nearest is expected


def irregular(count):
    days = np.cumsum(np.random.default_rng(1).integers(1, 9, count))
    return domain_of_instants(np.datetime64("1700-01-01", "ns") + days.astype("timedelta64[D]"))


def test_of_long_irregular_series_the_last_are_listed():
    domain = irregular(134_000 // 8)

    extent = time_extent(layer_of(domain), np.datetime64("2261-01-01", "ns"), limit=10)

    assert extent.values == tuple(str(instant)[:10] for instant in domain.instants[-10:])
    assert (extent.is_whole, extent.count) == (False, len(domain))
    assert (extent.first, extent.last) == (str(domain.instants[0])[:10], extent.values[-1])


def test_default_is_listed_though_it_is_not_among_the_last():
    extent = time_extent(layer_of(irregular(2000), default="earliest"), served.NOW, limit=10)

    assert extent.values[0] == extent.default == extent.first
    assert len(extent.values) == 11


def test_dekads_are_three_series_of_months():
    extent = time_extent(layer_of(regular("dekad", 1002)), served.NOW, limit=40)

    assert extent.values == ("1990-01-01/2017-10-01/P1M", "1990-01-11/2017-10-11/P1M", "1990-01-21/2017-10-21/P1M")
    assert extent.is_whole


@pytest.mark.parametrize(
    ("layers", "listed"), [(1, MAX_LISTED), (20, MAX_LISTED), (100, 319), (500, 11), (600, MIN_LISTED)]
)
def test_the_more_layers_the_fewer_times_each_lists(layers, listed):
    assert most_listed_times(layers) == listed
