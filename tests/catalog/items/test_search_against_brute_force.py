"""For any search, the pages of the index contain the results of a test of all items, in its order."""

import operator
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from tests.catalog.items.brute_force import footprint_meets
from tests.catalog.items.conftest import instant
from tests.catalog.items.strategies import boxes, items

NAMES = count()
COMPARE = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
comparisons = st.builds(
    lambda name, value: {"op": name, "args": [{"property": "cloud"}, value]},
    st.sampled_from(sorted(COMPARE)),
    st.sampled_from([3, 3.25, 3.5, 70]),
)
times = st.builds(
    lambda name, hour: {
        "op": name,
        "args": [{"property": "datetime"}, {"timestamp": f"2024-05-0{1 + hour // 24}T{hour % 24:02}:00:00Z"}],
    },
    st.sampled_from(sorted(COMPARE)),
    st.integers(0, 60),
)
nulls = st.just({"op": "isNull", "args": [{"property": "cloud"}]})
places = boxes().map(lambda box: {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": list(box)}]})


def combined(inner):
    """Draw several conditions, or one that may not hold."""
    joined = st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3))
    return joined.map(lambda pair: {"op": pair[0], "args": pair[1]}) | inner.map(
        lambda part: {"op": "not", "args": [part]}
    )


filters = st.recursive(comparisons | times | nulls | places, combined, max_leaves=6)


def truth(tree, item):
    """Return whether a filter holds of an item; `None` is unknown."""
    name, args = tree["op"], tree["args"]
    if name in {"and", "or"}:
        found = [truth(each, item) for each in args]
        decisive = name == "or"
        return decisive if decisive in found else None if None in found else not decisive
    if name == "not":
        held = truth(args[0], item)
        return None if held is None else not held
    if name == "s_intersects":
        return footprint_meets(item, BBox(*args[1]["bbox"]))
    cloud = item.properties.get("cloud")
    if name == "isNull":
        return cloud is None
    if args[0]["property"] == "datetime":
        return bool(COMPARE[name](item.start, instant(args[1]["timestamp"].removesuffix("Z"))))
    return None if cloud is None else COMPARE[name](cloud, args[1])


def order(item, sort):
    """Return the sort key of an item: missing values come last."""
    if sort == ():
        return (-item.start.astype(np.int64),)
    cloud, sign = item.properties.get("cloud"), -1 if sort[0][1] else 1
    return cloud is None, sign * (cloud or 0)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    listed=st.lists(items(), max_size=14, unique_by=lambda item: item.id),
    filter_=st.none() | filters,
    box=st.none() | boxes(),
    hours=st.none() | st.integers(0, 60),
    sort=st.sampled_from([(), (("cloud", False),), (("cloud", True),)]),
    limit=st.integers(1, 5),
    searched=st.sampled_from([(), ("cloud",)]),
)
def test_pages_equal_brute_force(index, listed, filter_, box, hours, sort, limit, searched):
    collection = f"collection{next(NAMES)}"
    index.configure(collection, IndexSettings(searched=searched))
    index.put(collection, listed)
    start = instant("2024-05-01") + np.timedelta64(hours or 0, "h")
    span = None if hours is None else TimeSpan(start, start + np.timedelta64(20, "h"))
    search = {"collections": (collection,), "filter": filter_, "bbox": box, "span": span, "sort": sort, "limit": limit}

    found, cursor = [], None
    while not found or cursor is not None:
        page = index.search(ItemSearch(cursor=cursor, **search))
        found.append(page)
        cursor = page.next

    expected = [
        item
        for item in listed
        if (filter_ is None or truth(filter_, item) is True)
        and (box is None or footprint_meets(item, box))
        and (span is None or span.start <= item.start < span.end)
    ]
    # Items are numbered in the order of their insertion.
    in_order = sorted(expected, key=lambda item: (*order(item, sort), listed.index(item)))
    assert [item.ref.id for page in found for item in page.items] == [item.id for item in in_order]
    assert {page.matched for page in found} == {len(expected)}
