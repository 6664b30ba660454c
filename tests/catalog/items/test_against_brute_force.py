"""After any changes of the items of a collection, the index returns the same items as a test of every item."""

from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chronotile.core.model.items import IndexSettings
from chronotile.core.model.time.instants import TimeSpan
from tests.catalog.items.brute_force import BruteForce, instants_of
from tests.catalog.items.conftest import instant
from tests.catalog.items.strategies import boxes, items

NAMES = count()
SETTINGS = [
    IndexSettings(),
    IndexSettings(group="solar_day"),
    IndexSettings(group="solar_day", order_by="cloud"),
    IndexSettings(order_by="cloud", is_descending=True),
]
actions = st.one_of(
    st.tuples(st.just("put"), st.lists(items(), min_size=1, max_size=12)),
    st.tuples(st.just("remove"), st.lists(st.sampled_from("abcdefgh"), max_size=4)),
    st.tuples(st.just("configure"), st.sampled_from(SETTINGS)),
)


def perform(action, value, index, collection, model):
    if action == "put":
        index.put(collection, value)
        model.put(value)
    elif action == "remove":
        assert index.remove(collection, value) == len(set(value) & set(model.items))
        model.remove(value)
    else:
        index.configure(collection, value)
        model.settings = value


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    done=st.lists(actions, min_size=1, max_size=6),
    box=boxes(are_points=True),
    hours=st.lists(st.integers(0, 72), max_size=4, unique=True),
)
def test_search_equals_brute_force(index, done, box, hours):
    collection, model = f"collection{next(NAMES)}", BruteForce()
    for action, value in done:
        perform(action, value, index, collection, model)

    some = instants_of(instant("2024-05-01") + np.timedelta64(hour, "h") for hour in hours)
    span = TimeSpan(instant("2024-05-01T08:00"), instant("2024-05-03"))
    looked_for = [box, *(item.bbox for item in model.items.values())]
    found = [
        [ref.id for ref in index.covering(collection, each, **when)]
        for each in looked_for
        for when in ({}, {"span": span}, {"instants": some})
    ]
    expected = [
        model.covering(each, **when) for each in looked_for for when in ({}, {"span": span}, {"instants": some})
    ]
    assert found == expected
    assert list(index.times(collection).starts) == model.times()
    assert [list(index.times(collection, box=each).starts) for each in looked_for] == [
        model.times(each) for each in looked_for
    ]
