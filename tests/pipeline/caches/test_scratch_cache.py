"""Files on the disk that several requests read."""

import os
from itertools import zip_longest

import pytest

from chronotile.pipeline.caches.scratch_cache import ScratchCache
from chronotile.pipeline.encoders.bodies import BytesBody, ConcatenatedFiles
from chronotile.pipeline.encoders.scratch_files import IN_MEMORY_BYTES, ScratchFile

LARGE = IN_MEMORY_BYTES + 1


class Files:
    """Makes files on the disk and records the open ones."""

    def __init__(self):
        self.made = {}

    def make(self, name, size=100):
        file = ScratchFile(LARGE)
        file.write(name.encode() * size)
        self.made[name] = file
        return ConcatenatedFiles([file])

    @property
    def open_ones(self):
        return "".join(name for name, file in self.made.items() if not file._file.closed)


@pytest.fixture
def files():
    found = Files()
    yield found
    for file in found.made.values():
        file.close()


def test_cached_file_is_found_and_read_in_parts(files):
    cache = ScratchCache()
    cache.keep("x", files.make("x")).close()

    found = cache.find("x")

    assert (found.size, b"".join(found.part(90, 95)), len(b"".join(found.iter_bytes()))) == (100, b"xxxxx", 100)
    found.close()


def test_unknown_file_is_not_found():
    assert ScratchCache().find("x") is None


def test_of_too_many_bytes_the_file_used_last_stays(files):
    cache = ScratchCache(max_bytes=250)
    for name in "abc":
        cache.keep(name, files.make(name)).close()
    cache.find("b").close()
    cache.keep("d", files.make("d")).close()

    assert files.open_ones == "bd"
    assert cache.total_bytes == 200


def test_of_too_many_files_the_first_goes(files):
    cache = ScratchCache(max_files=2)
    for name in "abc":
        cache.keep(name, files.make(name)).close()

    assert files.open_ones == "bc"


def test_dropped_file_stays_readable_for_its_readers(files):
    cache = ScratchCache(max_files=1)
    first, second = cache.keep("a", files.make("a")), cache.find("a")
    cache.keep("b", files.make("b")).close()
    first.close()
    first.close()  # once more does no harm

    assert b"".join(second.iter_bytes()) == b"a" * 100
    second.close()
    assert files.open_ones == "b"


def test_too_large_file_exists_until_it_is_sent_and_evicts_none(files):
    cache = ScratchCache(max_bytes=150)
    cache.keep("b", files.make("b")).close()
    body = cache.keep("a", files.make("a", 151))

    assert len(b"".join(body.iter_bytes())) == 151
    assert cache.find("a") is None
    body.close()
    assert (files.open_ones, cache.total_bytes) == ("b", 100)


def test_unused_files_are_removed(files):
    now = [0.0]
    cache = ScratchCache(unused_s=60.0, clock=lambda: now[0])
    for name in "abc":
        cache.keep(name, files.make(name)).close()
        now[0] += 30.0
    cache.find("b").close()
    cache.tidy()

    assert files.open_ones == "bc"


def test_of_the_same_file_made_twice_the_first_stays_since_a_part_of_it_may_have_been_sent(files):
    cache = ScratchCache()
    cache.keep("a", files.make("a")).close()
    second = cache.keep("a", files.make("b"))

    assert b"".join(second.iter_bytes()) == b"a" * 100
    second.close()
    assert (files.open_ones, cache.total_bytes) == ("a", 100)


def test_files_without_readers_are_evicted_when_space_is_needed(files):
    cache = ScratchCache()
    reader = cache.keep("a", files.make("a"))
    cache.keep("b", files.make("b")).close()

    assert [cache.drop_idle(), cache.drop_idle()] == [True, False]
    assert files.open_ones == "a"
    reader.close()


def test_a_reader_that_was_closed_gives_nothing(files):
    reader = ScratchCache().keep("a", files.make("a"))
    reader.close()

    assert list(reader.iter_bytes()) == []


def test_file_in_memory_is_moved_to_the_disk(files):
    small, large = (ScratchFile(most) for most in (0, LARGE))
    small.write(b"small")
    large.write(b"large")
    body = ConcatenatedFiles([small, large, *files.make("c", 3)._parts])
    before = body.checksum()
    body.move_to_disk()

    assert (b"".join(body.iter_bytes()), body.checksum()) == (b"smalllargeccc", before)
    assert not any(part.is_in_memory for part in body._parts)
    body.close()
    assert large._file.closed


def test_file_that_cannot_be_moved_to_the_disk_stays_in_memory(monkeypatch, tmp_path):
    small = ScratchFile(0)
    small.write(b"small")
    body = ConcatenatedFiles([small])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))

    with pytest.raises(OSError, match="No such file"):
        body.move_to_disk()
    assert b"".join(body.iter_bytes()) == b"small"


def test_checksums_cover_all_bytes(files):
    bodies = [files.make("a"), files.make("b"), BytesBody(b"a" * 100)]

    one, other, whole = (body.checksum() for body in bodies)
    assert (one == whole, one == other) == (True, False)


def test_concurrent_readers_do_not_disturb_each_other(files):
    cache = ScratchCache()
    file = ScratchFile(LARGE)
    written = os.urandom(3 << 20)
    file.write(written)
    files.made["r"] = file
    first, second = cache.keep("r", ConcatenatedFiles([file])), cache.find("r")

    pairs = list(zip_longest(first.part(0, 3 << 20), second.part(1 << 19, 3 << 20), fillvalue=b""))

    assert b"".join(each for each, _ in pairs) == written
    assert b"".join(each for _, each in pairs) == written[1 << 19 :]
    first.close()
    second.close()


def test_all_files_go_in_the_end(files):
    cache = ScratchCache()
    cache.keep("a", files.make("a")).close()
    reading = cache.keep("b", files.make("b"))
    cache.close()

    assert (files.open_ones, cache.total_bytes) == ("b", 0)
    reading.close()
    assert files.open_ones == ""


def test_part_of_a_body_of_several_files(files):
    body = ConcatenatedFiles([files.make("a")._parts[0], files.make("b", 5)._parts[0], files.make("c")._parts[0]])

    assert b"".join(body.part(98, 108)) == b"aabbbbbccc"
    body.close()
