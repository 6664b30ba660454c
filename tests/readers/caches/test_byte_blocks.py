"""Parts of files elsewhere on disk: what was put or nothing, within the bound, whatever becomes of the folder."""

import os
import threading

import pytest

from chronotile.readers.caches import byte_blocks as module
from chronotile.readers.caches.byte_blocks import END, PARTIAL, ByteBlocks
from tests.full_disk import disk_without_room
from tests.running import PATIENCE_S, until

MAX_BYTES = 1 << 20
DATA = bytes(range(256)) * 40


@pytest.fixture
def blocks(tmp_path):
    return ByteBlocks(tmp_path / "blocks", MAX_BYTES)


def stored_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_was_put_is_there_for_other_processes(blocks, tmp_path):
    blocks.put(b"a", DATA)

    other = ByteBlocks(tmp_path / "blocks", MAX_BYTES)

    assert other.has(b"a")
    assert other.get(b"a", len(DATA)) == DATA
    assert (other.state.hits, other.state.misses) == (1, 0)
    until(lambda: other.state.entries == 1)
    assert (tmp_path / "blocks").stat().st_mode & 0o777 == 0o700


def test_state_does_not_wait_until_all_files_are_counted(blocks, tmp_path, monkeypatch):
    blocks.put(b"a", DATA)
    is_free, entries = threading.Event(), module._entries

    def slow_disk(path):
        assert is_free.wait(PATIENCE_S)
        return entries(path)

    monkeypatch.setattr(module, "_entries", slow_disk)
    other = ByteBlocks(tmp_path / "blocks", MAX_BYTES)

    assert [(other.state.bytes, other.state.entries) for _ in range(3)] == [(None, None)] * 3
    assert [each.name for each in threading.enumerate()].count("stored blocks") == 1
    is_free.set()
    until(lambda: other.state.entries == 1)
    assert other.state.bytes == stored_bytes(tmp_path)


@pytest.mark.parametrize(("name", "size"), [(b"b", len(DATA)), (b"a", len(DATA) - 1)], ids=["name", "size"])
def test_anything_else_is_not_there(name, size, blocks):
    blocks.put(b"a", DATA)

    assert blocks.get(name, size) is None


@pytest.mark.parametrize("place", [0, 3, 4, 5000, -1])
def test_what_is_damaged_is_not_there_and_is_removed(place, blocks, tmp_path):
    blocks.put(b"a", DATA)
    (file,) = tmp_path.rglob(f"*{END}")
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)

    assert blocks.get(b"a", len(DATA)) is None
    assert not file.exists()


def test_block_under_another_name_is_not_taken_for_it(blocks, tmp_path):
    blocks.put(b"a", DATA)
    blocks._path_of(b"b").parent.mkdir(exist_ok=True)
    blocks._path_of(b"a").rename(blocks._path_of(b"b"))

    assert blocks.get(b"b", len(DATA)) is None


def test_bound_holds_whatever_several_processes_put(tmp_path):
    writers = [ByteBlocks(tmp_path, MAX_BYTES) for _ in range(8)]
    most = 0

    for number in range(400):
        writers[number % 8].put(str(number).encode(), DATA)
        if number % 20 == 0:
            most = max(most, stored_bytes(tmp_path))

    assert MAX_BYTES // 2 < most <= MAX_BYTES
    assert writers[7].get(b"399", len(DATA)) == DATA
    assert writers[7].state.bytes <= MAX_BYTES


def test_what_is_used_outlives_what_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOUCH_S", -1.0)
    blocks = ByteBlocks(tmp_path, MAX_BYTES)
    for number in range(300):
        blocks.put(str(number).encode(), DATA)
        if number == 0:
            continue
        assert blocks.get(b"0", len(DATA)) == DATA

    assert not blocks.has(b"1")


def test_what_would_take_much_of_the_bound_is_not_put(blocks):
    blocks.put(b"a", bytes(MAX_BYTES // 32))

    assert not blocks.has(b"a")


def test_what_a_killed_writer_left_is_removed(blocks, tmp_path):
    blocks.put(b"a", DATA)
    left = blocks._path_of(b"a").with_name(f"1{PARTIAL}")
    left.write_bytes(DATA)
    os.utime(left, (1e9, 1e9))

    ByteBlocks(tmp_path / "blocks", MAX_BYTES).put(b"b", DATA)

    assert not left.exists()


def test_full_disk_is_left_alone_for_a_minute_and_logged_once(tmp_path, caplog):
    now = [0.0]
    blocks = ByteBlocks(tmp_path, MAX_BYTES, clock=lambda: now[0])

    with disk_without_room():
        blocks.put(b"a", DATA)
        blocks.put(b"b", DATA)
    now[0] += module.PAUSE_S - 1
    blocks.put(b"c", DATA)
    now[0] += 2
    blocks.put(b"d", DATA)

    assert [blocks.has(name) for name in (b"a", b"b", b"c", b"d")] == [False, False, False, True]
    assert len(caplog.records) == 1
    assert not list(tmp_path.rglob(f"*{PARTIAL}"))
