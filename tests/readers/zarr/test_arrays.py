"""Arrays of a Zarr store that are opened again while several threads read them."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import zarr

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.file_states import SETTLED_NS
from chronotile.readers.kinds import open_source
from chronotile.readers.zarr import arrays as zarr_arrays
from chronotile.readers.zarr.arrays import Watched, open_array
from chronotile.readers.zarr.metadata import read_group
from tests.running import PATIENCE_S
from tests.scenes import Scene, make_dataset, make_spec, save_zarr

NOW_NS = 1_600_000_000 * 10**9
SCENE = Scene(days=("2020-01-01",))
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


def test_array_marked_for_reopening_is_reopened_by_the_next_read_only(openings):
    openings.door.set()
    watched = Watched(Files(), openings.open)
    watched.renew()
    watched.renew()

    assert openings.count == 1
    assert [watched.current(ALL).array for _ in range(2)] == [2, 2]


def test_read_does_not_wait_for_the_opening_of_another_that_hangs(openings):
    watched = Watched(Files(), openings.open)
    watched.renew()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(watched.current, ALL)
        try:
            assert openings.hangs.wait(PATIENCE_S)
            second = threads.submit(watched.current, ALL).result(PATIENCE_S)
            threads.submit(watched.renew).result(PATIENCE_S)
            third = threads.submit(watched.current, ALL).result(PATIENCE_S)
        finally:
            openings.door.set()

    assert [second.array, third.array] == [3, 4]
    assert first.result().array == 2
    assert watched.current(ALL).array == 4  # not one whose opening started before


@pytest.mark.parametrize(("age_ns", "opened"), [(SETTLED_NS, [2, 3, 4]), (SETTLED_NS + 1, [1, 1, 1])])
def test_array_whose_files_were_just_written_is_opened_again_by_each_read(openings, monkeypatch, age_ns, opened):
    openings.door.set()
    files = Files()
    files.now = {"file": (NOW_NS - age_ns, 1, 1)}
    monkeypatch.setattr(zarr_arrays, "time_ns", lambda: NOW_NS)

    watched = Watched(files, openings.open)

    assert [watched.current(ALL).array for _ in range(3)] == opened


def test_two_chunks_written_within_a_clock_tick_are_both_seen(tmp_path, monkeypatch):
    """The second gives the folder the time that it has already."""
    stored = zarr.create_group(tmp_path).create_array("NDVI", shape=(2, 2), chunks=(1, 1), dtype="u1")
    stored[:] = 1
    array = open_array(str(tmp_path), read_group(str(tmp_path)).arrays["NDVI"])
    monkeypatch.setattr(zarr_arrays, "time_ns", lambda: NOW_NS)
    found = []
    for number in (2, 3):
        stored[0, 0] = number
        os.utime(tmp_path / "NDVI/c/0", ns=(NOW_NS, NOW_NS))
        found.append(int(array.read((0, slice(0, 2)))[0]))

    assert found == [2, 3]


def test_array_that_did_not_open_again_is_opened_by_the_next_read(openings):
    openings.door.set()
    files = Files()
    watched = Watched(files, openings.open)
    files.now = {"file": (2, 2, 2)}
    openings.fails = True
    with pytest.raises(OSError, match="away"):
        watched.current(ALL)
    openings.fails = False

    assert watched.current(ALL).array == 3


def test_missing_codec_is_named(tmp_path):
    store = save_zarr(make_dataset(SCENE), tmp_path / "made.zarr", version=2)
    document = store / "NDVI" / ".zarray"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"compressor": {"id": "unheard", "level": 8}}))
    (store / ".zmetadata").unlink(missing_ok=True)

    with pytest.raises(UnsupportedSource, match=r"NDVI has codecs that are not read \(.*unheard"):
        open_source(make_spec("zarr", store))
