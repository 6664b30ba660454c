"""Parameters of searches: every text is a value, or an error that names its parameter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter
from chronotile.core.model.space.boxes import BBox
from chronotile.protocols.catalogue.stac.params import (
    OF_SEARCH,
    StacSearch,
    box_of,
    search_of_members,
    search_of_query,
    span_of,
)
from chronotile.protocols.common.query.kvp import Kvp

NAMES = [each.name for each in OF_SEARCH]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40)))
def test_any_query_is_a_search_or_refused(pairs):
    found = value_or_error(lambda: search_of_query(Kvp(pairs.items())))

    assert isinstance(found, StacSearch) or found.status == 400


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_body_is_a_search_or_refused(members):
    found = value_or_error(lambda: search_of_members(members))

    assert found.status == 400 if isinstance(found, ChronotileError) else 1 <= found.items.limit <= 10_000


@pytest.mark.parametrize(("name", "most"), [("collections", 1000), ("ids", 1000), ("sortby", 4)])
def test_lists_of_bodies_have_a_bound(name, most):
    entry = {"field": "id", "direction": "asc"} if name == "sortby" else "a"
    search_of_members({name: [entry] * most})

    with pytest.raises(InvalidParameter, match=f"{name} has .* {most} ") as refused:
        search_of_members({name: [entry] * (most + 1)})

    assert refused.value.locator == name


def value_or_error(make):
    """Return the result, or the `ChronotileError` that was raised."""
    try:
        return make()
    except ChronotileError as error:
        return error


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52", "1985-04-12T23:20:50.53"),
        ("1985-04-12t23:20:50z", "1985-04-12T23:20:50", "1985-04-12T23:20:51"),
        ("2020-07-23T00:00:00+03:00", "2020-07-22T21:00:00", "2020-07-22T21:00:01"),
        ("../2020-06-01T00:00:00Z", "1678-01-01", "2020-06-01T00:00:01"),
        ("/2020-06-01T00:00:00Z", "1678-01-01", "2020-06-01T00:00:01"),
        ("2020-06-01T00:00:00Z/..", "2020-06-01", "2262-01-01"),
        ("2020-06-01T00:00:00Z/2020-06-30T23:59:59Z", "2020-06-01", "2020-07-01"),
    ],
)
def test_times_are_those_of_rfc_3339(text, start, end):
    assert span_of(text) == (np.datetime64(start, "ns"), np.datetime64(end, "ns"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "../..", "/..", "../", "latest", "1985-04-12", "2020", "1985-12-12T23:20:50.52"),
        *("1985-13-12T23:20:50Z", "1985-12-32T23:20:50Z", "1985-12-01T25:20:50Z", "1985-12-01T00:60:50Z"),
        *("1985-04-12T23:20:50.Z", "1985-04-12T23:20:50,52Z", "1937-01-01T12:00:27.87+0100", "21985-12-12T23:20:50Z"),
        *("1986-04-12T23:20:50Z/1985-04-12T23:20:50Z", "1984-04-12T23:20:50Z/1985-04-12T23:20:50Z/", "a/b/c"),
    ],
)
def test_other_times_are_refused(text):
    with pytest.raises(InvalidParameter) as refused:
        span_of(text)

    assert refused.value.locator == "datetime"


def test_heights_of_a_box_are_ignored():
    assert box_of([1, 2, -100, 3, 4, 100]) == BBox(1, 2, 3, 4)
    assert box_of([170, 0, -170, 1]) == BBox(170, 0, -170, 1)
