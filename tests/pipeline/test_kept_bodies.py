"""Files on the disk that several requests read."""

import os
from itertools import zip_longest

import pytest

from chronotile.encoders.file_parts import FileParts
from chronotile.encoders.scratch import IN_MEMORY_BYTES, ScratchFile
from chronotile.pipeline.kept_bodies import KeptBodies

LARGE = IN_MEMORY_BYTES + 1


class Files:
    """Makes files on the disk and knows which are open."""

    def __init__(self):
        self.made = {}

    def make(self, name, size=100):
        file = ScratchFile(LARGE)
        file.write(name.encode() * size)
        self.made[name] = file
        return FileParts([file])

    @property
    def open_ones(self):
        return "".join(name for name, file in self.made.items() if not file._file.closed)


@pytest.fixture
def files():
    found = Files()
    yield found
    for file in found.made.values():
        file.close()


def test_a_kept_file_is_found_and_read_in_parts(files):
    bodies = KeptBodies()
    bodies.keep("x", files.make("x")).close()

    found = bodies.find("x")

    assert (found.size, b"".join(found.part(90, 95)), len(b"".join(found.pieces()))) == (100, b"xxxxx", 100)
    found.close()


def test_a_file_that_was_not_kept_is_not_found():
    assert KeptBodies().find("x") is None


def test_of_too_many_bytes_the_file_used_last_stays(files):
    bodies = KeptBodies(most_bytes=250)
    for name in "abc":
        bodies.keep(name, files.make(name)).close()
    bodies.find("b").close()
    bodies.keep("d", files.make("d")).close()

    assert files.open_ones == "bd"
    assert bodies.total_bytes == 200


def test_of_too_many_files_the_first_goes(files):
    bodies = KeptBodies(most_files=2)
    for name in "abc":
        bodies.keep(name, files.make(name)).close()

    assert files.open_ones == "bc"


def test_a_file_that_is_dropped_is_there_for_its_readers(files):
    bodies = KeptBodies(most_files=1)
    first, second = bodies.keep("a", files.make("a")), bodies.find("a")
    bodies.keep("b", files.make("b")).close()
    first.close()
    first.close()  # once more does no harm

    assert b"".join(second.pieces()) == b"a" * 100
    second.close()
    assert files.open_ones == "b"


def test_a_file_larger_than_all_is_there_until_it_is_sent(files):
    body = KeptBodies(most_bytes=50).keep("a", files.make("a"))

    assert len(b"".join(body.pieces())) == 100
    body.close()
    assert files.open_ones == ""


def test_files_that_nobody_asks_for_go(files):
    now = [0.0]
    bodies = KeptBodies(unused_s=60.0, clock=lambda: now[0])
    bodies.keep("a", files.make("a")).close()
    now[0] = 61.0

    assert bodies.find("a") is None
    assert files.open_ones == ""


def test_the_same_file_made_twice_is_kept_once(files):
    bodies = KeptBodies()
    bodies.keep("a", files.make("a")).close()
    bodies.keep("a", files.make("b")).close()

    assert (files.open_ones, bodies.total_bytes) == ("b", 100)


def test_readers_at_once_do_not_disturb_one_another(files):
    bodies = KeptBodies()
    file = ScratchFile(LARGE)
    written = os.urandom(3 << 20)
    file.write(written)
    files.made["r"] = file
    first, second = bodies.keep("r", FileParts([file])), bodies.find("r")

    pairs = list(zip_longest(first.part(0, 3 << 20), second.part(1 << 19, 3 << 20), fillvalue=b""))

    assert b"".join(each for each, _ in pairs) == written
    assert b"".join(each for _, each in pairs) == written[1 << 19 :]
    first.close()
    second.close()


def test_all_files_go_in_the_end(files):
    bodies = KeptBodies()
    bodies.keep("a", files.make("a")).close()
    reading = bodies.keep("b", files.make("b"))
    bodies.close()

    assert (files.open_ones, bodies.total_bytes) == ("b", 0)
    reading.close()
    assert files.open_ones == ""


def test_part_of_a_body_of_several_files(files):
    body = FileParts([files.make("a")._parts[0], files.make("b", 5)._parts[0], files.make("c")._parts[0]])

    assert b"".join(body.part(98, 108)) == b"aabbbbbccc"
    body.close()
