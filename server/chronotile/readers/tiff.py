"""Reads the directories of a TIFF or BigTIFF, of either byte order, in few requests."""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import NumberArray

ReadBytes = Callable[[int, int], bytes]
"""Reads bytes of a file: offset and number of bytes; returns fewer at the end of the file."""

PAGE_BYTES = 32 << 10
"""Size of the first part, larger than most headers of cloud-optimised files. Each later part is twice as large."""
MAX_PAGE_BYTES = 1 << 20
MAX_HEADER_BYTES = 64 << 20
MIN_BYTES = 16
"""Size of the smallest TIFF."""
MAX_DIRECTORIES = 64
MAX_TAGS = 4096

_TYPES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "V8", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "V8", 11: "f4", 12: "f8",
    13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
"""numpy types by the number of the TIFF type (TIFF 6.0, section 2; BigTIFF)."""
_FRACTION = "V8"
"""Fraction of two integers; only its size is used."""


class UnsupportedCog(UnsupportedSource):
    """The server cannot read this file as a TIFF; GDAL may read it, or report its fault."""


class CutOff(UnsupportedCog):
    """A part of the header lies beyond the end of the file."""

    def __init__(self) -> None:
        super().__init__("the file is cut off: a part of its header is missing")


class _NumberFormats(NamedTuple):
    """Formats of numbers in a classic TIFF or BigTIFF, for `struct`."""

    first: int
    """Position of the offset of the first directory."""
    offset: str
    """Format of an offset."""
    entries: str
    """Format of the number of entries."""
    entry: str
    """Format of an entry without its data: tag, type, number of values."""


_CLASSIC = _NumberFormats(4, "I", "H", "HHI")
_BIG = _NumberFormats(8, "Q", "Q", "HHQ")
_FORMATS_BY_MAGIC = {b"II*\0": ("<", _CLASSIC), b"MM\0*": (">", _CLASSIC), b"II+\0": ("<", _BIG), b"MM\0+": (">", _BIG)}
"""Byte order and number formats by the first four bytes of a file."""
TIFF = tuple(_FORMATS_BY_MAGIC)
"""First bytes of TIFF and BigTIFF files."""


class Directory:
    """The tags of one directory; their data are read when first needed.

    Args:
        entries: dtype, number of values and offset of the data by tag, without tags of fractions.
        pages: The file.
        order: Byte order, `<` or `>`.
        end: End of the data of all tags, as offset in the file.
    """

    def __init__(self, entries: dict[int, tuple[str, int, int]], pages: "HeaderPages", *, order: str, end: int) -> None:
        self._entries, self._pages, self.order, self.end = entries, pages, order, end

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def count(self, tag: int) -> int:
        """Return the number of values of a tag; 0 if it is missing."""
        return self._entries[tag][1] if tag in self._entries else 0

    def numbers(self, tag: int) -> NumberArray:
        """Return all values of a tag in the machine's byte order; empty if the tag is missing.

        Raises:
            UnsupportedCog: The values lie beyond the end of the file.
        """
        if tag not in self._entries:
            return np.empty(0, dtype=np.uint8)
        dtype, count, offset = self._entries[tag]
        kind = np.dtype(dtype)
        values = np.frombuffer(self._pages.read(offset, count * kind.itemsize), dtype=kind)
        return values.astype(kind.newbyteorder("="), copy=False)

    def number(self, tag: int, usual: int) -> int:
        """Return the only value of a tag, a whole number from 0.

        Args:
            tag: Number of the tag.
            usual: Value if the tag is missing.
        """
        dtype, count, offset = self._entries.get(tag, ("", 0, 0))
        if not count:
            return usual
        return int.from_bytes(self._pages.read(offset, int(dtype[2:])), "little" if self.order == "<" else "big")

    def text(self, tag: int) -> str | None:
        """Return the text of a tag, up to the first zero byte; `None` if the tag is missing."""
        if tag not in self._entries:
            return None
        return bytes(self.numbers(tag)).split(b"\0", 1)[0].decode("utf-8", errors="replace")


class HeaderPages:
    """Parts of a file that were read, in memory.

    Args:
        read: Reads the file.
        size: Size of the file in bytes.
        max_page_bytes: Maximum size of a part; only larger tables are read in a larger one.
    """

    def __init__(self, read: ReadBytes, size: int, max_page_bytes: int) -> None:
        self._read, self._size, self._max_page_bytes = read, size, max_page_bytes
        self._parts: list[tuple[int, bytes]] = []
        self._bytes = 0

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the file.

        Raises:
            CutOff: They lie beyond the end of the file.
            UnsupportedCog: More than `MAX_HEADER_BYTES` would be in memory.
        """
        if offset < 0 or offset + count > self._size:
            raise CutOff
        for start, part in self._parts:
            if start <= offset and offset + count <= start + len(part):
                return part[offset - start : offset - start + count]
        size = min(max(count, min(PAGE_BYTES << len(self._parts), self._max_page_bytes)), self._size - offset)
        self._bytes += size
        if self._bytes > MAX_HEADER_BYTES:
            raise UnsupportedCog(f"its header has more than {MAX_HEADER_BYTES >> 20} MiB")
        part = self._read(offset, size)
        if len(part) != size:
            raise CutOff
        self._parts.append((offset, part))
        return part[:count]


def directories(read: ReadBytes, size: int, *, max_page_bytes: int = MAX_PAGE_BYTES) -> Iterator[Directory]:
    """Yield the directories of a TIFF.

    Args:
        read: Reads the file; its errors are passed on.
        size: Size of the file in bytes.
        max_page_bytes: Maximum of bytes that are read in one part.

    Raises:
        UnsupportedCog: It is not a TIFF, or is damaged.
    """
    pages = HeaderPages(read, size, max_page_bytes)
    first = pages.read(0, 4) if size >= MIN_BYTES else b""
    if first not in _FORMATS_BY_MAGIC:
        raise UnsupportedCog("it is not a TIFF")
    order, form = _FORMATS_BY_MAGIC[first]
    offset_format = order + form.offset
    offset = _number(pages, form.first, offset_format)
    offsets = set[int]()
    while offset:
        if offset in offsets or len(offsets) >= MAX_DIRECTORIES:
            raise UnsupportedCog(f"it has more than {MAX_DIRECTORIES} directories, or they form a circle")
        offsets.add(offset)
        count = _number(pages, offset, order + form.entries)
        if count > MAX_TAGS:
            raise UnsupportedCog(f"a directory of it has more than {MAX_TAGS} tags")
        begin = offset + struct.calcsize(form.entries)
        entry_bytes = struct.calcsize("=" + form.entry) + struct.calcsize(form.offset)
        entries, end = _entries(pages, begin, count, order=order, form=form)
        yield Directory(entries, pages, order=order, end=end)
        offset = _number(pages, begin + count * entry_bytes, offset_format)


def _entries(
    pages: HeaderPages, begin: int, count: int, *, order: str, form: _NumberFormats
) -> tuple[dict[int, tuple[str, int, int]], int]:
    """Return dtype, number of values and offset of each tag of a directory, and the end of the data of all tags."""
    entry, data = struct.Struct(order + form.entry), struct.Struct(order + form.offset)
    entry_bytes = entry.size + data.size
    table = pages.read(begin, count * entry_bytes)
    entries, end = dict[int, tuple[str, int, int]](), 0
    for start in range(0, len(table), entry_bytes):
        tag, kind, values = entry.unpack_from(table, start)
        dtype = _TYPES.get(kind)
        if dtype is None:
            continue
        is_inside = values * int(dtype[1]) <= data.size
        offset = begin + start + entry.size if is_inside else data.unpack_from(table, start + entry.size)[0]
        end = max(end, offset + values * int(dtype[1]))
        if dtype != _FRACTION:
            entries[tag] = order + dtype, values, offset
    return entries, end


def _number(pages: HeaderPages, offset: int, form: str) -> int:
    return int(struct.unpack(form, pages.read(offset, struct.calcsize(form)))[0])
