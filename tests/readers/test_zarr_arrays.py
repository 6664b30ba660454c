"""Arrays of a Zarr store that are opened again while several threads read them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chronotile.readers.zarr_arrays import Watched
from tests.running import PATIENCE_S

ALL = (slice(0, 1),)


class Files:
    """Files in one state, which a test changes."""

    def __init__(self):
        self.now = {"file": (1, 1, 1)}

    def metadata_states(self):
        return dict(self.now)

    def states(self, _selection):
        return dict(self.now)


class Openings:
    """Opens arrays, which are numbers; the second opening hangs until `door` is open."""

    def __init__(self):
        self.door = threading.Event()
        self.hangs = threading.Event()
        self.count = 0
        self.fails = False
        self._lock = threading.Lock()

    def open(self):
        with self._lock:
            self.count += 1
            mine = self.count
        if mine == 2:
            self.hangs.set()
            assert self.door.wait(PATIENCE_S)
        if self.fails:
            raise OSError("away")
        return mine


@pytest.fixture
def openings():
    one = Openings()
    yield one
    one.door.set()


def test_array_that_is_to_be_opened_again_is_by_the_next_read_alone(openings):
    openings.door.set()
    watched = Watched(Files(), openings.open)
    watched.renew()
    watched.renew()

    assert openings.count == 1
    assert [watched.for_reading(ALL).array for _ in range(2)] == [2, 2]


def test_read_does_not_wait_for_the_opening_of_another_that_hangs(openings):
    watched = Watched(Files(), openings.open)
    watched.renew()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(watched.for_reading, ALL)
        try:
            assert openings.hangs.wait(PATIENCE_S)
            second = threads.submit(watched.for_reading, ALL).result(PATIENCE_S)
            threads.submit(watched.renew).result(PATIENCE_S)
            third = threads.submit(watched.for_reading, ALL).result(PATIENCE_S)
        finally:
            openings.door.set()

    assert [second.array, third.array] == [3, 4]
    assert first.result().array == 2
    assert watched.for_reading(ALL).array == 4  # not what began to be opened before


def test_array_that_did_not_open_again_is_opened_by_the_next_read(openings):
    openings.door.set()
    files = Files()
    watched = Watched(files, openings.open)
    files.now = {"file": (2, 2, 2)}
    openings.fails = True
    with pytest.raises(OSError, match="away"):
        watched.for_reading(ALL)
    openings.fails = False

    assert watched.for_reading(ALL).array == 3
