"""Whether a TIFF that was cut off still has what its numbers mean.

GDAL warns where the data of a tag lie beyond the end of the file, ignores the tag and opens the file: without its
scale, its offset or its place, though all of its pixels may be there.
"""

import os
import struct
from typing import BinaryIO, NamedTuple

_BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""By the number of the type (TIFF 6.0, section 2; BigTIFF)."""


_MOST_ENTRIES = 0xFFFF
"""Of a directory that libtiff reads; of a damaged file the number may be anything, and is not to be held."""


class _Form(NamedTuple):
    """How a classic or a big TIFF is written."""

    first: int
    """The byte at which it stands where the first directory begins."""
    offset: str
    """Format of a place in the file; also what stands last in an entry: the data of its tag, or their place."""
    entries: str
    """Format of the number of entries."""
    entry: str
    """Format of what stands before that: tag, type, number of values."""


_CLASSIC = _Form(4, "I", "H", "HHI")
_BIG = _Form(8, "Q", "Q", "HHQ")
_FORMS = {b"II*\0": ("<", _CLASSIC), b"MM\0*": (">", _CLASSIC), b"II+\0": ("<", _BIG), b"MM\0+": (">", _BIG)}
"""By the first four bytes: the order of bytes, and the form."""


def require_whole_tags(path: str) -> None:
    """Check that all data of the first directory of a TIFF lie in the file; any other file passes.

    Raises:
        OSError: It is gone, or was cut off.
    """
    with open(path, "rb") as file:  # noqa: PTH123 -- done at each opening, and half the time of Path.open
        known = _FORMS.get(file.read(4))
        if known is not None and not _is_whole(file, *known):
            raise OSError(
                "the file is cut off: data of its tags are missing, such as its scale or its place; copy it again"
            )


def _is_whole(file: BinaryIO, order: str, form: _Form) -> bool:
    size = os.fstat(file.fileno()).st_size
    try:
        directory = _number(file, form.first, order + form.offset)
        count = _number(file, directory, order + form.entries)
    except struct.error:  # the file ends before
        return False
    if count > _MOST_ENTRIES:
        return True  # GDAL says what is wrong
    head, data = struct.Struct(order + form.entry), struct.Struct(order + form.offset)
    entry_bytes = head.size + data.size
    if directory + count * entry_bytes > size:
        return False
    table = file.read(count * entry_bytes)
    for start in range(0, len(table), entry_bytes):
        _tag, kind, values = head.unpack_from(table, start)
        length = values * _BYTES_OF_TYPE.get(kind, 0)
        if length > data.size and data.unpack_from(table, start + head.size)[0] + length > size:
            return False
    return len(table) == count * entry_bytes


def _number(file: BinaryIO, place: int, form: str) -> int:
    """The number that stands at a place, behind which the file is read on."""
    file.seek(place)
    (number,) = struct.unpack(form, file.read(struct.calcsize(form)))
    return int(number)
