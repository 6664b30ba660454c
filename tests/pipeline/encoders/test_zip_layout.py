"""ZIP files that lie nowhere, read by Python's zipfile."""

import io
import zipfile
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.pipeline.encoders.zip_layout import LARGE, ZipEntry, ZipLayout

TIME_NS = 1_590_000_000 * 10**9
"""2020-05-20T18:40:00Z."""


def layout_of(files):
    return ZipLayout([ZipEntry(name, len(data), TIME_NS) for name, data in files.items()])


def bytes_of(layout, contents, start, stop):
    crcs = [zlib.crc32(data) for data in contents]
    parts = []
    for part in layout.parts(start, stop):
        whole = {
            "header": lambda part=part: layout.header(part.entry),
            "data": lambda part=part: contents[part.entry],
            "descriptor": lambda part=part: layout.descriptor(part.entry, crcs[part.entry]),
            "directory": lambda: layout.directory(crcs),
        }[part.kind]()
        parts.append(whole[part.start : part.stop])
    return b"".join(parts)


def test_python_reads_names_bytes_and_times():
    files = {"a/MTD.xml": b"<x/>", "a/é.bin": bytes(range(256)) * 9, "a/nothing.txt": b"", "a/empty/": b""}
    layout = layout_of(files)
    archive = zipfile.ZipFile(io.BytesIO(bytes_of(layout, list(files.values()), 0, layout.size)))

    assert archive.testzip() is None
    assert {info.filename: archive.read(info) for info in archive.infolist()} == files
    assert archive.getinfo("a/empty/").is_dir()
    assert archive.getinfo("a/MTD.xml").date_time == (2020, 5, 20, 18, 40, 0)


def test_a_zip_without_entries_is_one():
    layout = ZipLayout([])
    assert zipfile.ZipFile(io.BytesIO(bytes_of(layout, [], 0, layout.size))).namelist() == []


contents = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


@given(contents, st.data())
def test_any_split_into_ranges_gives_the_same_bytes(files, data):
    layout = layout_of({f"{number}.bin": each for number, each in enumerate(files)})
    whole = bytes_of(layout, files, 0, layout.size)
    cuts = data.draw(st.lists(st.integers(0, layout.size), max_size=6))
    edges = sorted({0, layout.size, *cuts})

    parts = [bytes_of(layout, files, start, stop) for start, stop in pairwise(edges)]

    assert len(whole) == layout.size
    assert b"".join(parts) == whole


class Zeros(io.RawIOBase):
    """A ZIP whose entries are zeros, except small ones, which are not held in memory either."""

    def __init__(self, layout, small):
        self.layout, self.small, self.place = layout, small, 0

    def seekable(self):
        return True

    def readable(self):
        return True

    def seek(self, offset, whence=0):
        self.place = offset + (0, self.place, self.layout.size)[whence]
        return self.place

    def tell(self):
        return self.place

    def read(self, size=-1):
        stop = self.layout.size if size < 0 else min(self.layout.size, self.place + size)
        parts = [self.part(part) for part in self.layout.parts(self.place, stop)]
        self.place = stop
        return b"".join(parts)

    def part(self, part):
        crcs = [zlib.crc32(self.small.get(number, b"")) for number in range(len(self.layout.entries))]
        match part.kind:
            case "header":
                whole = self.layout.header(part.entry)
            case "data":
                return self.small[part.entry][part.start : part.stop]
            case "descriptor":
                whole = self.layout.descriptor(part.entry, crcs[part.entry])
            case _:
                whole = self.layout.directory(crcs)
        return whole[part.start : part.stop]


@pytest.mark.parametrize("size", [LARGE - 1, LARGE, 3 << 32])
def test_entries_of_four_gigabytes_and_their_successors_are_found(size):
    layout = ZipLayout([ZipEntry("large.tif", size, TIME_NS), ZipEntry("small.txt", 5, TIME_NS)])
    archive = zipfile.ZipFile(Zeros(layout, {1: b"found"}))

    assert archive.getinfo("large.tif").file_size == size
    assert archive.read("small.txt") == b"found"


@pytest.mark.slow
def test_more_than_65535_entries_are_counted():
    layout = ZipLayout([ZipEntry(f"{number}", 0, 0) for number in range(70_000)])
    archive = zipfile.ZipFile(Zeros(layout, {}))

    assert len(archive.namelist()) == 70_000
    assert archive.infolist()[-1].date_time == (1980, 1, 1, 0, 0, 0)
