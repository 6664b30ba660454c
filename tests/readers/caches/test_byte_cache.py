"""The cache that is bounded in bytes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.readers.caches.byte_cache import ByteCache
from tests.running import PATIENCE_S


def test_a_value_is_made_once():
    cache = ByteCache(1000, len)

    values = [cache.get_or_make("a", lambda: b"x" * 10) for _ in range(3)]

    assert values == [b"x" * 10] * 3
    assert (cache.state.hits, cache.state.misses, cache.state.entries, cache.state.bytes) == (2, 1, 1, 10)


def test_value_requested_concurrently_is_made_once():
    cache = ByteCache(0, len)
    made, started, may_end = [], threading.Event(), threading.Event()

    def make():
        made.append(1)
        started.set()
        may_end.wait(PATIENCE_S)
        return b"x"

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cache.get_or_make, "a", make)
        started.wait(PATIENCE_S)
        others = [pool.submit(cache.get_or_make, "a", make) for _ in range(3)]
        while cache.state.misses < 4:
            threading.Event().wait(0.001)
        may_end.set()
        values = [each.result(PATIENCE_S) for each in (first, *others)]

    assert values == [b"x"] * 4
    assert made == [1]


def test_error_is_raised_and_not_cached():
    cache = ByteCache(1000, len)

    def fail():
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        cache.get_or_make("a", fail)
    assert cache.get_or_make("a", lambda: b"x") == b"x"


def test_most_recently_used_values_stay():
    cache = ByteCache(80, len)
    for key in "abcdefgh":
        cache.get_or_make(key, lambda: b"x" * 10)
    cache.get_or_make("a", lambda: b"")
    cache.get_or_make("i", lambda: b"x" * 10)

    made = []
    for key in "ab":
        cache.get_or_make(key, lambda key=key: made.append(key) or b"y")

    assert made == ["b"]


def test_too_large_value_is_not_cached():
    cache = ByteCache(80, len)

    cache.get_or_make("a", lambda: b"x" * 11)

    assert cache.state.entries == 0


def test_largest_share_of_one_value_is_configurable():
    cache = ByteCache(80, len, entry_divisor=2)

    cache.get_or_make("a", lambda: b"x" * 40)
    cache.get_or_make("b", lambda: b"x" * 41)

    assert (cache.state.entries, cache.state.bytes) == (1, 40)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=60))
def test_limit_holds_for_any_requests(asked):
    cache = ByteCache(50, len)

    for key, size in asked:
        cache.get_or_make((key, size), lambda size=size: b"x" * size)

    assert cache.state.bytes <= 50
