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


def test_what_is_asked_for_at_once_is_made_once():
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


def test_an_error_is_told_and_not_kept():
    cache = ByteCache(1000, len)

    def fail():
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        cache.get_or_make("a", fail)
    assert cache.get_or_make("a", lambda: b"x") == b"x"


def test_what_was_used_last_stays():
    cache = ByteCache(80, len)
    for key in "abcdefgh":
        cache.get_or_make(key, lambda: b"x" * 10)
    cache.get_or_make("a", lambda: b"")
    cache.get_or_make("i", lambda: b"x" * 10)

    made = []
    for key in "ab":
        cache.get_or_make(key, lambda key=key: made.append(key) or b"y")

    assert made == ["b"]


def test_what_takes_too_much_is_not_kept():
    cache = ByteCache(80, len)

    cache.get_or_make("a", lambda: b"x" * 11)

    assert cache.state.entries == 0


def test_what_takes_too_much_is_for_a_cache_to_say():
    cache = ByteCache(80, len, largest_share=2)

    cache.get_or_make("a", lambda: b"x" * 40)
    cache.get_or_make("b", lambda: b"x" * 41)

    assert (cache.state.entries, cache.state.bytes) == (1, 40)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=60))
def test_the_bound_holds_whatever_is_asked_for(asked):
    cache = ByteCache(50, len)

    for key, size in asked:
        cache.get_or_make((key, size), lambda size=size: b"x" * size)

    assert cache.state.bytes <= 50
