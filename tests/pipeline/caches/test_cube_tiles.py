"""Cached cubes: small ones in memory, others in a folder, each made only one time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chronotile.core.errors import ClientGone
from chronotile.pipeline.caches.cube_tiles import SMALL_BYTES, CubeTileCache
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.caches.disk import DiskCache
from tests.running import PATIENCE_S

LARGE, SMALL = b"x" * (SMALL_BYTES + 1), b"x" * 10


@pytest.fixture
def make_cubes(tmp_path):
    """Return `make_cubes(max_bytes)`: the cache of one process; all caches share a folder."""

    def make(max_bytes: int = 10 * SMALL_BYTES) -> CubeTileCache:
        return CubeTileCache(ByteCache(10 * SMALL_BYTES, len), DiskCache(tmp_path / "cubes", max_bytes, end=".cube"))

    return make


def ask(cubes: CubeTileCache, etag: str, body: bytes, *, made: list[str] | None = None) -> bytes:
    def make() -> bytes:
        (made if made is not None else []).append(etag)
        return body

    return cubes.get_or_make(etag, make, is_active=lambda: True)


def test_large_cube_is_available_to_other_processes(make_cubes):
    first, second = make_cubes(), make_cubes()

    ask(first, "a", LARGE)

    assert second.get("a") == LARGE


def test_a_small_cube_stays_in_memory(make_cubes, tmp_path):
    first, second = make_cubes(), make_cubes()

    ask(first, "a", SMALL)

    assert (first.get("a"), second.get("a")) == (SMALL, None)
    assert not (tmp_path / "cubes").exists()


def test_a_cube_is_made_once(make_cubes):
    cubes, made = make_cubes(), []

    bodies = [ask(cubes, etag, LARGE, made=made) for etag in "abab"]

    assert (bodies, made) == ([LARGE] * 4, ["a", "b"])


def test_least_recently_used_cubes_are_evicted(make_cubes, tmp_path):
    cubes = make_cubes(max_bytes=2 * len(LARGE))

    for etag in "abc":
        ask(cubes, etag, LARGE)

    assert len(list((tmp_path / "cubes").glob("*.cube"))) == 2
    assert cubes.get("c") == LARGE


def test_without_a_folder_all_are_in_memory():
    cubes = CubeTileCache(ByteCache(10 * SMALL_BYTES, len))

    ask(cubes, "a", LARGE)

    assert cubes.get("a") == LARGE


def test_read_only_folder_caches_nothing_and_blocks_nobody(tmp_path, caplog):
    (tmp_path / "cubes").write_text("no folder")
    cubes = CubeTileCache(ByteCache(0, len), DiskCache(tmp_path / "cubes", 10**9, end=".cube"))

    assert ask(cubes, "a", LARGE) == LARGE
    assert cubes.get("a") is None
    assert ask(cubes, "b", LARGE) == LARGE
    assert caplog.text.count("cubes are no longer cached") == 1


def test_waiter_for_a_client_that_left_makes_the_cube_itself(make_cubes):
    cubes, started, may_end, made = make_cubes(), threading.Event(), threading.Event(), []

    def leave() -> bytes:
        started.set()
        may_end.wait(PATIENCE_S)
        raise ClientGone("left")

    def make() -> bytes:
        made.append(1)
        return LARGE

    with ThreadPoolExecutor(2) as pool:
        left = pool.submit(cubes.get_or_make, "a", leave, is_active=lambda: False)
        started.wait(PATIENCE_S)
        stays = pool.submit(cubes.get_or_make, "a", make, is_active=lambda: True)
        may_end.set()

        assert isinstance(left.exception(PATIENCE_S), ClientGone)
        assert stays.result(PATIENCE_S) == LARGE
    assert made == [1]


def test_error_is_raised_and_nothing_is_cached(make_cubes):
    cubes = make_cubes()

    def fail() -> bytes:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        cubes.get_or_make("a", fail, is_active=lambda: True)
    assert ask(cubes, "a", LARGE) == LARGE


def test_cached_bytes_are_counted(make_cubes):
    cubes = make_cubes()
    ask(cubes, "a", LARGE)
    ask(cubes, "a", LARGE)

    state = cubes.state

    assert (state.entries, state.bytes, state.hits, state.misses) == (1, len(LARGE), 1, 1)
