"""The directories of a TIFF or BigTIFF, of either byte order, read in few parts."""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import NumberArray

Read = Callable[[int, int], bytes]
"""Returns bytes of a file from an offset, fewer at its end."""


PAGE_BYTES = 32 << 10
"""Size of the first part: most headers of cloud-optimised files are smaller. Each further part is twice as long."""
MOST_PAGE_BYTES = 1 << 20
MOST_HEADER_BYTES = 64 << 20
MIN_BYTES = 16
"""Bytes of the smallest file."""
MOST_DIRECTORIES = 64
MOST_TAGS = 4096

_TYPES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "V8", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "V8", 11: "f4", 12: "f8",
    13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
"""numpy's types by the number of the type (TIFF 6.0, section 2; BigTIFF)."""
_FRACTION = "V8"
"""A fraction of two numbers, of which only the size is used."""


class UnsupportedCog(UnsupportedSource):
    """A file is not one that is read here; GDAL may read it, or report what is wrong with it."""


class CutOff(UnsupportedCog):
    """A part of the header lies beyond the end of the file."""

    def __init__(self) -> None:
        super().__init__("the file is cut off: a part of its header is missing")


class _Form(NamedTuple):
    """Formats of numbers in a classic TIFF or a BigTIFF."""

    first: int
    """Offset of the offset of the first directory."""
    place: str
    """Format of an offset."""
    entries: str
    """Format of the number of entries."""
    entry: str
    """Format of an entry before its data: tag, type, number of values."""


_CLASSIC = _Form(4, "I", "H", "HHI")
_BIG = _Form(8, "Q", "Q", "HHQ")
_FORMS = {b"II*\0": ("<", _CLASSIC), b"MM\0*": (">", _CLASSIC), b"II+\0": ("<", _BIG), b"MM\0+": (">", _BIG)}
"""Byte order and form by the first four bytes of a file."""
TIFF = tuple(_FORMS)
"""First bytes of TIFF and BigTIFF files."""


class Directory:
    """The tags of one directory; the data of a tag are read when they are first needed.

    Args:
        entries: Type, number of values and offset of the data by tag; no fractions.
        pages: The file.
        order: Byte order, `<` or `>`.
        end: The offset behind the last data of a tag.
    """

    def __init__(self, entries: dict[int, tuple[str, int, int]], pages: "Pages", *, order: str, end: int) -> None:
        self._entries, self._pages, self.order, self.end = entries, pages, order, end

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def count(self, tag: int) -> int:
        """Return the number of values of a tag; 0 if it is missing."""
        return self._entries[tag][1] if tag in self._entries else 0

    def numbers(self, tag: int) -> NumberArray:
        """Return all values of a tag in the machine's byte order; none where there is no such tag.

        Raises:
            UnsupportedCog: They lie beyond the end of the file.
        """
        if tag not in self._entries:
            return np.empty(0, dtype=np.uint8)
        dtype, count, place = self._entries[tag]
        kind = np.dtype(dtype)
        found = np.frombuffer(self._pages.read(place, count * kind.itemsize), dtype=kind)
        return found.astype(kind.newbyteorder("="), copy=False)

    def number(self, tag: int, usual: int) -> int:
        """Return the only value of a tag, a whole number from 0.

        Args:
            tag: Its number.
            usual: Of a file without it.
        """
        dtype, count, place = self._entries.get(tag, ("", 0, 0))
        if not count:
            return usual
        return int.from_bytes(self._pages.read(place, int(dtype[2:])), "little" if self.order == "<" else "big")

    def text(self, tag: int) -> str | None:
        """Return the text of a tag, up to the first zero byte; `None` without one."""
        if tag not in self._entries:
            return None
        return bytes(self.numbers(tag)).split(b"\0", 1)[0].decode("utf-8", errors="replace")


class Pages:
    """Parts of a file in memory.

    Args:
        read: Reads the file.
        size: Of the file, in bytes.
        max_page_bytes: Size of the parts; only larger tables are read in one part.
    """

    def __init__(self, read: Read, size: int, max_page_bytes: int) -> None:
        self._read, self._size, self._max_page_bytes = read, size, max_page_bytes
        self._parts: list[tuple[int, bytes]] = []
        self._bytes = 0

    def read(self, place: int, count: int) -> bytes:
        """Return bytes of the file.

        Raises:
            CutOff: They lie beyond its end.
            UnsupportedCog: All are too many.
        """
        if place < 0 or place + count > self._size:
            raise CutOff
        for start, part in self._parts:
            if start <= place and place + count <= start + len(part):
                return part[place - start : place - start + count]
        wanted = min(max(count, min(PAGE_BYTES << len(self._parts), self._max_page_bytes)), self._size - place)
        self._bytes += wanted
        if self._bytes > MOST_HEADER_BYTES:
            raise UnsupportedCog(f"its header has more than {MOST_HEADER_BYTES >> 20} MiB")
        part = self._read(place, wanted)
        if len(part) != wanted:
            raise CutOff
        self._parts.append((place, part))
        return part[:count]


def directories(read: Read, size: int, *, max_page_bytes: int = MOST_PAGE_BYTES) -> Iterator[Directory]:
    """Yield the directories of a TIFF.

    Args:
        read: Reads the file; what it raises is passed on.
        size: Of the file, in bytes.
        max_page_bytes: Bytes that are read in one part.

    Raises:
        UnsupportedCog: It is not a TIFF, or is damaged.
    """
    pages = Pages(read, size, max_page_bytes)
    first = pages.read(0, 4) if size >= MIN_BYTES else b""
    if first not in _FORMS:
        raise UnsupportedCog("it is not a TIFF")
    order, form = _FORMS[first]
    place_format = order + form.place
    place = _number(pages, form.first, place_format)
    seen = set[int]()
    while place:
        if place in seen or len(seen) >= MOST_DIRECTORIES:
            raise UnsupportedCog(f"it has more than {MOST_DIRECTORIES} directories, or they form a circle")
        seen.add(place)
        count = _number(pages, place, order + form.entries)
        if count > MOST_TAGS:
            raise UnsupportedCog(f"a directory of it has more than {MOST_TAGS} tags")
        begin = place + struct.calcsize(form.entries)
        entry_bytes = struct.calcsize("=" + form.entry) + struct.calcsize(form.place)
        entries, end = _entries(pages, begin, count, order=order, form=form)
        yield Directory(entries, pages, order=order, end=end)
        place = _number(pages, begin + count * entry_bytes, place_format)


def _entries(
    pages: Pages, begin: int, count: int, *, order: str, form: _Form
) -> tuple[dict[int, tuple[str, int, int]], int]:
    """Return type, number of values and offset of the data of each tag of a directory, and the end of all data."""
    entry, data = struct.Struct(order + form.entry), struct.Struct(order + form.place)
    entry_bytes = entry.size + data.size
    table = pages.read(begin, count * entry_bytes)
    found, end = dict[int, tuple[str, int, int]](), 0
    for start in range(0, len(table), entry_bytes):
        tag, kind, values = entry.unpack_from(table, start)
        dtype = _TYPES.get(kind)
        if dtype is None:
            continue
        is_inside = values * int(dtype[1]) <= data.size
        place = begin + start + entry.size if is_inside else data.unpack_from(table, start + entry.size)[0]
        end = max(end, place + values * int(dtype[1]))
        if dtype != _FRACTION:
            found[tag] = order + dtype, values, place
    return found, end


def _number(pages: Pages, place: int, form: str) -> int:
    return int(struct.unpack(form, pages.read(place, struct.calcsize(form)))[0])
