"""Collections of OGC API: common properties of several layers."""

from dataclasses import replace

import numpy as np

from chronotile.catalog.offered import offered_collection
from chronotile.core.model.time.domain import TimeDomain
from tests.protocols import served

DEKADS = TimeDomain(
    np.array(["2020-06-01", "2020-06-11"], dtype="datetime64[ns]"),
    np.array(["2020-06-11", "2020-06-21"], dtype="datetime64[ns]"),
)
LATER = TimeDomain(
    np.array(["2020-06-11", "2020-06-21"], dtype="datetime64[ns]"),
    np.array(["2020-06-21", "2020-07-01"], dtype="datetime64[ns]"),
)


def offered_of(*domains):
    layers = [served.make_layer(f"L{number}", times=times) for number, times in enumerate(domains)]
    return offered_collection(served.make_services(served.make_collection(*layers)).catalogue, "s2")


def test_combined_times_cover_those_of_several_layers():
    times = offered_of(DEKADS, LATER).times

    assert times.starts.astype("datetime64[D]").astype(str).tolist() == ["2020-06-01", "2020-06-11", "2020-06-21"]
    assert times.ends.astype("datetime64[D]").astype(str).tolist() == ["2020-06-11", "2020-06-21", "2020-07-01"]


def test_shortest_of_times_with_one_start_is_offered():
    days = served.days_of("2020-06-11")

    times = offered_of(DEKADS, days).times

    assert times.ends.astype("datetime64[D]").astype(str).tolist() == ["2020-06-11", "2020-06-12"]


def test_equal_times_are_those_of_each_layer():
    times = offered_of(DEKADS, replace(DEKADS)).times

    assert times.ends.tolist() == DEKADS.ends.tolist()


def test_layer_without_time_adds_none():
    assert offered_of(DEKADS, served.NO_TIME).times.ends.tolist() == DEKADS.ends.tolist()


def test_nothing_has_no_time():
    assert len(offered_of(served.NO_TIME, replace(served.NO_TIME)).times) == 0
