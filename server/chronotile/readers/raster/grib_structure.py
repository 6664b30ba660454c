"""Structure of GRIB messages: stated length, chain of sections, end mark, and the size of packed values.

If the sections of a message contradict its length, GDAL decodes uninitialised memory and reports success. Octets are
numbered as in WMO's Manual on Codes, FM 92; `octets[n - 1]` is octet n.
"""

from collections.abc import Iterator
from typing import NamedTuple

from chronotile.readers.raster.png import is_whole_png
from chronotile.readers.tiff import ReadBytes

START, END = b"GRIB", b"7777"
LOOK_BYTES = 4096
"""Bytes that are read together to search for the next message."""
MAX_SECTIONS = 100_000
"""Maximum of sections of a message; a file of edition 2 may have all fields in one message."""

_NEXT_SECTIONS = {0: {1}, 1: {2, 3}, 2: {3}, 3: {4}, 4: {5}, 5: {6}, 6: {7}, 7: {2, 3, 4, 8}}
"""Edition 2: section numbers that may follow a section; 8 is the end of the message."""
_REGULAR = (*range(44), 90, 140)
"""Grid templates of edition 2 with columns and rows."""
_SIMPLE, _FLOATS, _PNG = 0, 4, (41, 40010)
"""Packing templates of edition 2."""
_FLOAT_BITS = {1: 32, 2: 64}
_NO_BITMAP = 255
_COPY = "copy the file again"
_HARMONICS, _NOT_SIMPLE = 0x80, 0x50
"""Flags of a data section of edition 1: spherical harmonics; packing of second order, or with additional flags."""
SPECTRAL_TYPES = (50, 60, 70, 80)
"""Grid types of edition 1 that are spherical harmonics."""
_PACKED = "GDAL does not read its packing; pack it simply (grib_set -r -s packingType=grid_simple IN OUT)"
_LARGE = "GDAL does not read its length, of more than 16 MB; write it in edition 2 (grib_set -s edition=2 IN OUT)"


class MessageSection(NamedTuple):
    """A section of a message of edition 2."""

    number: int
    start: int
    """Offset in the file."""
    size: int
    """Bytes."""


class MessageSpan(NamedTuple):
    """A message in its file."""

    edition: int
    start: int
    """Offset in the file."""
    stop: int
    """Offset behind the message; after a damaged one, where the search continues."""
    sections: tuple[MessageSection, ...] = ()
    """Sections of a message of edition 2."""
    fault: str | None = None
    """Why the message cannot be read; `None` if it can."""


class _Contradiction(Exception):
    """The structure of a message contradicts itself."""


def find_messages(read: ReadBytes) -> Iterator[MessageSpan]:
    """Yield the messages of a file in their order, including damaged ones; bytes between messages are skipped."""
    at = 0
    while (at := _next_start(read, at)) >= 0:
        edition = read(at + 7, 1)
        if edition not in (b"\1", b"\2"):
            at += len(START)
            continue
        try:
            span = _second_edition(read, at) if edition == b"\2" else _first_edition(read, at)
        except _Contradiction as error:
            span = MessageSpan(edition[0], at, at + len(START), fault=f"{error}; {_COPY}")
        yield span
        at = span.stop


def _next_start(read: ReadBytes, at: int) -> int:
    """Return the offset of the next message, or -1; bulletin headers may lie between messages."""
    while True:
        block = read(at, LOOK_BYTES)
        index = block.find(START)
        if index >= 0:
            return at + index
        if len(block) < LOOK_BYTES:
            return -1
        at += len(block) - len(START) + 1


def _second_edition(read: ReadBytes, start: int) -> MessageSpan:
    length = _number(read, start + 8, 8)
    stop = start + length
    _require_end(read, start, length)
    at, sections = start + 16, list[MessageSection]()
    points = values = 0
    while at < stop - len(END):
        size, number = _number(read, at, 4), _number(read, at + 4, 1)
        before = sections[-1].number if sections else 0
        if number not in _NEXT_SECTIONS[before] or size < 5 or at + size > stop - len(END):
            raise _Contradiction(f"section {number} of {size} bytes after section {before} does not fit its length")
        if len(sections) >= MAX_SECTIONS:
            raise _Contradiction(f"it has more than {MAX_SECTIONS} sections")
        sections.append(MessageSection(number, at, size))
        if number == 3:
            points = _number_of_points(read, at)
        elif number == 5:
            values = _number(read, at + 5, 4)
        elif number == 7:
            _require_values(read, sections[-3:], points=points, values=values)
        at += size
    if at != stop - len(END) or not sections or 8 not in _NEXT_SECTIONS[sections[-1].number]:
        raise _Contradiction(f"its sections end before its stated length of {length} bytes")
    return MessageSpan(2, start, stop, tuple(sections))


def _number_of_points(read: ReadBytes, start: int) -> int:
    """Return the number of cells that section 3 states."""
    points, (columns, rows) = _number(read, start + 6, 4), (_number(read, start + at, 4) for at in (30, 34))
    is_regular = not _number(read, start + 10, 1) and _number(read, start + 12, 2) in _REGULAR
    if is_regular and points != columns * rows:
        raise _Contradiction(f"it states {points} points for {columns} x {rows} cells")
    return points


def _require_values(read: ReadBytes, sections: list[MessageSection], *, points: int, values: int) -> None:
    """Check that the bitmap and the packed values of a field of edition 2 have the required size.

    Args:
        read: Reads the file.
        sections: Sections 5, 6 and 7 of the field.
        points: Number of cells of its grid.
        values: Number of values that section 5 states.
    """
    packing, bitmap, data = sections
    indicator = _number(read, bitmap.start + 5, 1)
    if indicator == _NO_BITMAP and values != points:
        raise _Contradiction(f"it states {values} values for {points} cells without a bitmap")
    if indicator == 0:
        count = _number_of_bits(read(bitmap.start + 6, bitmap.size - 6), points)
        if count != values:
            raise _Contradiction(f"it states {values} values, its bitmap {count}")
    template = _number(read, packing.start + 9, 2)
    if template in _PNG and not is_whole_png(read, data.start + 5):
        raise _Contradiction("the PNG of its values is damaged")
    bits = 0
    if template == _SIMPLE:
        bits = _number(read, packing.start + 19, 1)
    elif template == _FLOATS:
        bits = _FLOAT_BITS.get(_number(read, packing.start + 11, 1), 0)
        if not bits:
            raise _Contradiction("its values have an unknown number of bits")
    if values * bits > (data.size - 5) * 8:
        raise _Contradiction(f"its data of {data.size} bytes are too short for {values} values")


def _first_edition(read: ReadBytes, start: int) -> MessageSpan:
    length = _number(read, start + 4, 3)
    at = start + 8
    product = _octets(read, at)
    if len(product) < 28:
        raise _Contradiction("its product definition is cut off")
    at += len(product)
    grid = _octets(read, at) if product[7] & 0x80 else b""
    at += len(grid)
    bitmap = _octets(read, at) if product[7] & 0x40 else b""
    at += len(bitmap)
    size = _number(read, at, 3)
    is_large = bool(length & 0x800000) and size < 120
    if is_large:
        # ECMWF's messages above 16 MB: the length is in units of 120 bytes, minus the size of the last section.
        length = (length & 0x7FFFFF) * 120 - size + 4
        size = start + length - len(END) - at
    _require_end(read, start, length)
    if size < 11 or at + size != start + length - len(END):
        raise _Contradiction(f"its sections have {at + size + len(END) - start} bytes, its stated length is {length}")
    head = read(at, 11)
    _require_values_of_first_edition(grid, bitmap, head, size)
    fault = _LARGE if is_large else _PACKED if head[3] & _NOT_SIMPLE and not head[3] & _HARMONICS else None
    return MessageSpan(1, start, start + length, fault=fault)


def _require_values_of_first_edition(grid: bytes, bitmap: bytes, head: bytes, size: int) -> None:
    """Check that the data section is long enough for the cells of a regular grid with simple packing."""
    is_spectral = len(grid) > 5 and grid[5] in SPECTRAL_TYPES
    if bool(head[3] & _HARMONICS) != is_spectral:
        raise _Contradiction("its data section and its grid contradict each other: only one has spherical harmonics")
    if is_spectral or head[3] & _NOT_SIMPLE or len(grid) < 32 or b"\xff\xff" in (grid[6:8], grid[8:10]):
        return
    points = int.from_bytes(grid[6:8], "big") * int.from_bytes(grid[8:10], "big")
    values = points
    if bitmap:
        if bitmap[4:6] != b"\0\0":
            raise _Contradiction("its bitmap is named by a number alone, and GDAL has no list of them")
        values = _number_of_bits(bitmap[6:], points, unused=bitmap[3])
    if values * head[10] > (size - 11) * 8 - (head[3] & 0x0F):
        raise _Contradiction(f"its data of {size} bytes are too short for {values} values")


def _number_of_bits(bitmap: bytes, points: int, *, unused: int = 0) -> int:
    """Return the number of cells with a value; the last `unused` bits of the bitmap are padding."""
    if len(bitmap) * 8 - unused < points:
        raise _Contradiction(f"its bitmap of {len(bitmap) * 8 - unused} bits is too short for {points} cells")
    bits = int.from_bytes(bitmap[: -(-points // 8)], "big")
    return (bits >> (-points % 8)).bit_count()


def _require_end(read: ReadBytes, start: int, length: int) -> None:
    if length < 16 + len(END) or read(start + length - len(END), len(END)) != END:
        raise _Contradiction(f"no end of message stands at its stated length of {length} bytes")


def _octets(read: ReadBytes, at: int) -> bytes:
    """Return a section of edition 1."""
    size = _number(read, at, 3)
    octets = read(at, size)
    if size < 6 or len(octets) < size:
        raise _Contradiction("a section of it is cut off")
    return octets


def _number(read: ReadBytes, at: int, size: int) -> int:
    octets = read(at, size)
    if len(octets) < size:
        raise _Contradiction("it is cut off")
    return int.from_bytes(octets, "big")
