"""Parts of remote files on disk: the right bytes or none, within the limit, for any damage of the folder."""

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


def test_stored_block_is_available_to_other_processes(blocks, tmp_path):
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
def test_other_blocks_are_absent(name, size, blocks):
    blocks.put(b"a", DATA)

    assert blocks.get(name, size) is None


@pytest.mark.parametrize("place", [0, 3, 4, 5000, -1])
def test_damaged_block_is_absent_and_removed(place, blocks, tmp_path):
    blocks.put(b"a", DATA)
    (file,) = tmp_path.rglob(f"*{END}")
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)

    assert blocks.get(b"a", len(DATA)) is None
    assert not file.exists()


def test_block_under_another_name_is_not_used(blocks, tmp_path):
    blocks.put(b"a", DATA)
    blocks._path_of(b"b").parent.mkdir(exist_ok=True)
    blocks._path_of(b"a").rename(blocks._path_of(b"b"))

    assert blocks.get(b"b", len(DATA)) is None


def test_limit_holds_for_writes_of_several_processes(tmp_path):
    writers = [ByteBlocks(tmp_path, MAX_BYTES) for _ in range(8)]
    most = 0

    for number in range(400):
        writers[number % 8].put(str(number).encode(), DATA)
        if number % 20 == 0:
            most = max(most, stored_bytes(tmp_path))

    assert MAX_BYTES // 2 < most <= MAX_BYTES
    assert writers[7].get(b"399", len(DATA)) == DATA
    assert writers[7].state.bytes <= MAX_BYTES


def test_used_blocks_outlive_unused_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOUCH_S", -1.0)
    blocks = ByteBlocks(tmp_path, MAX_BYTES)
    for number in range(300):
        blocks.put(str(number).encode(), DATA)
        if number == 0:
            continue
        assert blocks.get(b"0", len(DATA)) == DATA

    assert not blocks.has(b"1")


def test_block_of_a_32nd_of_the_limit_is_not_stored(blocks):
    blocks.put(b"a", bytes(MAX_BYTES // 32))

    assert not blocks.has(b"a")


def test_remains_of_a_killed_writer_are_removed(blocks, tmp_path):
    blocks.put(b"a", DATA)
    left = blocks._path_of(b"a").with_name(f"1{PARTIAL}")
    left.write_bytes(DATA)
    os.utime(left, (1e9, 1e9))

    ByteBlocks(tmp_path / "blocks", MAX_BYTES).put(b"b", DATA)

    assert not left.exists()


def test_full_disk_is_not_written_for_a_minute_and_logged_once(tmp_path, caplog):
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
