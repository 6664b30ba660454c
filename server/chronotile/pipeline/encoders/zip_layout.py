"""Layout of ZIP files that are made while they are sent: the position of each byte follows from names and sizes.

Entries are stored without compression (APPNOTE 6.3), so the size of the ZIP is available before any file is read. The
CRC-32 of an entry follows its data (data descriptor) and is repeated in the directory at the end. A ZIP that is sent
from its start needs no checksum in advance, and a part of it only the checksums that it contains.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Literal, NamedTuple

LARGE = 0xFFFFFFFF
"""Sizes and positions from here on need the fields of ZIP64."""
MANY = 0xFFFF
FOLDER_END = "/"

_LOCAL, _DESCRIPTOR, _CENTRAL, _END, _END_64, _LOCATOR = (
    struct.pack("<I", signature)
    for signature in (0x04034B50, 0x08074B50, 0x02014B50, 0x06054B50, 0x06064B50, 0x07064B50)
)
_UNIX = 3 << 8
_UTF_8, _HAS_DESCRIPTOR = 1 << 11, 1 << 3
_PLAIN, _ZIP64 = 20, 45
"""Versions of the format that are needed to extract."""
_FILE_MODE, _FOLDER_MODE = 0o100644 << 16, (0o40755 << 16) | 0x10


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file of a ZIP, or an empty folder; the name of a folder ends with a slash."""

    name: str
    size: int
    """Size in bytes."""
    modified_ns: int
    """Nanoseconds since 1970, UTC; 0 if unavailable."""

    @property
    def has_descriptor(self) -> bool:
        """Whether a checksum follows the data; it does not for empty entries."""
        return self.size > 0

    @property
    def is_large(self) -> bool:
        """Whether the size needs ZIP64."""
        return self.size >= LARGE


EntryPart = Literal["header", "data", "descriptor"]


class ZipPart(NamedTuple):
    """Bytes of one part of a ZIP."""

    kind: EntryPart | Literal["directory"]
    entry: int
    """Position of the entry; for the directory, the number of entries."""
    start: int
    """Offset from the start of the part."""
    stop: int


class ZipLayout:
    """Positions of all parts of a ZIP.

    Args:
        entries: The entries in order, with different names.
    """

    def __init__(self, entries: Sequence[ZipEntry]) -> None:
        self.entries = tuple(entries)
        self._names = tuple(entry.name.encode() for entry in self.entries)
        sizes = (
            self._header_size(number) + entry.size + _descriptor_size(entry)
            for number, entry in enumerate(self.entries)
        )
        self._starts = tuple(accumulate(sizes, initial=0))
        self._directory_start = self._starts[-1]
        self.size = self._directory_start + len(self.directory([0] * len(self.entries)))
        """Size in bytes."""

    def parts(self, start: int, stop: int) -> Iterator[ZipPart]:
        """Yield the parts that contain the bytes from `start` up to `stop`, in order."""
        first = bisect_right(self._starts, start) - 1
        for number in range(max(0, first), len(self.entries)):
            if self._starts[number] >= stop:
                return
            yield from self._parts_of_entry(number, start, stop)
        first, last = max(start, self._directory_start), min(stop, self.size)
        if first < last:
            before = self._directory_start
            yield ZipPart("directory", len(self.entries), first - before, last - before)

    def _parts_of_entry(self, number: int, start: int, stop: int) -> Iterator[ZipPart]:
        entry, position = self.entries[number], self._starts[number]
        sizes: dict[EntryPart, int] = {
            "header": self._header_size(number),
            "data": entry.size,
            "descriptor": _descriptor_size(entry),
        }
        for kind, size in sizes.items():
            first, last = max(start - position, 0), min(stop - position, size)
            if first < last:
                yield ZipPart(kind, number, first, last)
            position += size

    def header(self, number: int) -> bytes:
        """Return the header that precedes the data of an entry."""
        entry, name = self.entries[number], self._names[number]
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if entry.is_large else b""
        size = LARGE if entry.is_large else 0
        fields = (_ZIP64 if entry.is_large else _PLAIN, _flags(entry), 0, *_dos_time(entry.modified_ns), 0, size, size)
        return _LOCAL + struct.pack("<HHHHHIIIHH", *fields, len(name), len(extra)) + name + extra

    def descriptor(self, number: int, crc: int) -> bytes:
        """Return the descriptor that follows the data of an entry, with its CRC-32 `crc`."""
        entry = self.entries[number]
        return _DESCRIPTOR + struct.pack("<IQQ" if entry.is_large else "<III", crc, entry.size, entry.size)

    def directory(self, crcs: Sequence[int]) -> bytes:
        """Return the directory at the end of the ZIP.

        Args:
            crcs: CRC-32 of each entry.
        """
        central = b"".join(self._central(number, crc) for number, crc in enumerate(crcs))
        start, count = self._directory_start, len(self.entries)
        end_64 = b""
        if count >= MANY or len(central) >= LARGE or start >= LARGE:
            fields = (44, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, len(central), start)
            end_64 = _END_64 + struct.pack("<QHHIIQQQQ", *fields)
            end_64 += _LOCATOR + struct.pack("<IQI", 0, start + len(central), 1)
        most = min(count, MANY)
        end = struct.pack("<HHHHIIH", 0, 0, most, most, min(len(central), LARGE), min(start, LARGE), 0)
        return central + end_64 + _END + end

    def _central(self, number: int, crc: int) -> bytes:
        entry, name, position = self.entries[number], self._names[number], self._starts[number]
        large = [entry.size, entry.size] if entry.is_large else []
        large += [position] if position >= LARGE else []
        extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        version, size = _ZIP64 if large else _PLAIN, min(entry.size, LARGE)
        mode = _FOLDER_MODE if entry.name.endswith(FOLDER_END) else _FILE_MODE
        fields = (_UNIX | version, version, _flags(entry), 0, *_dos_time(entry.modified_ns), crc, size, size)
        more = (len(name), len(extra), 0, 0, 0, mode, min(position, LARGE))
        return _CENTRAL + struct.pack("<HHHHHHIIIHHHHHII", *fields, *more) + name + extra

    def _header_size(self, number: int) -> int:
        return 30 + len(self._names[number]) + (20 if self.entries[number].is_large else 0)


def _descriptor_size(entry: ZipEntry) -> int:
    if not entry.has_descriptor:
        return 0
    return 24 if entry.is_large else 16


def _flags(entry: ZipEntry) -> int:
    return _UTF_8 | (_HAS_DESCRIPTOR if entry.has_descriptor else 0)


def _dos_time(modified_ns: int) -> tuple[int, int]:
    # Time and date; they start in 1980 and count units of two seconds.
    when = datetime.fromtimestamp(min(max(modified_ns // 10**9, 315_532_800), 4_354_819_199), UTC)
    return (when.hour << 11 | when.minute << 5 | when.second // 2, (when.year - 1980) << 9 | when.month << 5 | when.day)
