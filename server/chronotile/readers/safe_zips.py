"""Sentinel-2 products in ZIP files, read without unpacking: `a.zip/b.SAFE/c.jp2` is the path of a member.

The directory at the end of a ZIP file is checked as a whole before any member is read. Members are inflated piece by
piece, only up to the bytes that are read.
"""

import glob
import io
import os
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.flights import Flights
from chronotile.readers.hrefs import base_name, split_member
from chronotile.readers.library_errors import Damaged

MAX_DIRECTORY_BYTES, MAX_MEMBERS = 1 << 20, 4096
"""Maximum size of a directory, and maximum number of its members; a product has about 120 members in 30 kB."""
MAX_BYTES = 4 << 30
"""Maximum size of all members together, as the directory states it; a product has about 1.2 GB."""
MAX_RATIO, SMALL_BYTES = 100, 1 << 20
"""Maximum size of a member in relation to its compressed size. Members up to `SMALL_BYTES` may have any ratio."""
CHUNK_BYTES = 1 << 14
"""Compressed bytes that are read together. The decoder of JPEG 2000 requests 1 kB at a time."""
MAX_STATES = 4
"""Stored states of the decoder of a deflated member; 40 kB each."""
CHECKED_BYTES = 1 << 20
"""Bytes of a member that are checked together."""
MAX_CHECKED = 1 << 16
"""Maximum number of members whose check is remembered."""
MAX_SHOWN = 100
"""Maximum number of letters of a name in messages."""

_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags of encrypted members and directories (APPNOTE 6.3, 4.4.4)."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_IN_PRODUCT = re.compile(r"[^/]*_MSI(L1C|L2A)_[^/]*\.SAFE/.*", re.DOTALL)
_READ = re.compile(r"[^/]+\.SAFE/(MTD_MSIL\w+\.xml|GRANULE/[^/]+/IMG_DATA/.+\.jp2)")
"""Members that are read."""
_NAMED_AS_PRODUCT = re.compile(r".*_MSI(L1C|L2A)_.*")
_PATTERN = re.compile(r"(?P<files>.+?)/(?P<member>[^/]*\.SAFE/.+)")
_checks = Flights[tuple[str, FileState], bool]()
"""Running checks of members, so that threads wait for the check of another thread."""
_DAMAGED = "the compressed bytes are damaged, copy the ZIP file again"


class ZipMember(NamedTuple):
    """A member as the directory of its ZIP file describes it."""

    position: int
    """Offset of its local header in the ZIP file."""
    stored_size: int
    size: int
    crc: int
    is_deflated: bool


def members_of(path: str) -> Mapping[str, ZipMember]:
    """Return the images and documents of products in a ZIP file by name; empty if it contains no product.

    Raises:
        OSError: The file is missing, or a product in it is not read: the message names the member.
    """
    directory = _read_directory(path, file_state(path))
    if isinstance(directory, str):
        raise Damaged(directory)
    return {name: ZipMember(*facts) for name, *facts in orjson.loads(zlib.decompress(directory))}


@lru_cache(maxsize=1 << 14)
def _read_directory(path: str, state: FileState) -> bytes | str:
    """Return the members that are read, packed into about 1 kB, or the fault of a product."""
    try:
        with _BoundedFile(path) as file, zipfile.ZipFile(file) as opened:
            members = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as error:
        is_meant = _NAMED_AS_PRODUCT.fullmatch(base_name(path)) is not None
        return f"it cannot be read as a ZIP file ({error}); copy it again, or unpack it" if is_meant else _pack([])
    if not any(_IN_PRODUCT.fullmatch(member.orig_filename) for member in members):
        return _pack([])
    fault = _fault_of(members, state.size)
    return fault or _pack([member for member in members if _READ.fullmatch(member.orig_filename)])


def _pack(members: list[zipfile.ZipInfo]) -> bytes:
    # From Python 3.12, `filename` may come from an extra field (Info-ZIP, 0x7075), which is not checked.
    facts = [
        (m.orig_filename, m.header_offset, m.compress_size, m.file_size, m.CRC, m.compress_type != 0) for m in members
    ]
    return zlib.compress(orjson.dumps(facts))


class _BoundedFile(io.FileIO):
    """A file for `zipfile`, which reads a directory of any size in one call."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return bytes at the position.

        Raises:
            BadZipFile: More bytes are requested than a directory may have.
        """
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory has {size} bytes, at most {MAX_DIRECTORY_BYTES} are read")
        return super().read(size)


def _fault_of(members: list[zipfile.ZipInfo], file_bytes: int) -> str | None:
    """Return why no member of a ZIP file of this size is read; `None` if it passes all checks."""
    if len(members) > MAX_MEMBERS:
        return f"it has {len(members)} members, at most {MAX_MEMBERS} are read"
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES:
        return f"its members have {size} bytes when unpacked, at most {MAX_BYTES} are read"
    name, count = Counter(member.orig_filename for member in members).most_common(1)[0]
    if count > 1:
        return f"it has {count} members of the name {_quote_name(name)}"
    faults = ((member.orig_filename, _fault_of_member(member, file_bytes)) for member in members)
    return next((f"its member {_quote_name(name)} {fault}" for name, fault in faults if fault), None)


def _fault_of_member(member: zipfile.ZipInfo, file_bytes: int) -> str | None:
    name, stored_size, size, method = member.orig_filename, member.compress_size, member.file_size, member.compress_type
    is_odd_name = re.search(r"[\\\0]", name) or {"", ".", ".."} & {*name.removesuffix("/").split("/")}
    faults = {
        "has no plain relative path": is_odd_name,
        "is encrypted": member.flag_bits & _ENCRYPTED,
        f"is compressed with method {method}; only deflate is read": method not in _METHODS,
        f"would grow from {stored_size} to {size} bytes": size > max(SMALL_BYTES, MAX_RATIO * stored_size),
        "is stored, and has two sizes": method == zipfile.ZIP_STORED and size != stored_size,
        "is not in the file": not 0 <= member.header_offset <= file_bytes - stored_size,
    }
    return next((fault for fault, is_present in faults.items() if is_present), None)


def _quote_name(name: str) -> str:
    """Return the name of a member for messages, without the folder of its product."""
    folder, _slash, below = name.partition("/")
    name = below if folder.endswith(".SAFE") else name
    return repr(name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}…")


class _InflateState(NamedTuple):
    """State of the decoder of a deflated member at a position."""

    position: int
    """Number of inflated bytes before it."""
    offset: int
    """Number of compressed bytes before it."""
    decoder: Any
    """State of zlib, which has no type."""


class MemberFile:
    """Any range of the bytes of a member. Only one thread may use it at a time.

    Args:
        path: The ZIP file.
        name: Name of the member.
        member: Its entry in the directory.

    Raises:
        OSError: The local header is missing, or names another member.
    """

    def __init__(self, path: str, name: str, member: ZipMember) -> None:
        self._path, self._member = path, member
        self.size, self.crc = member.size, member.crc
        header = _read_at(path, member.position, _LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise Damaged(f"its member {_quote_name(name)} is not at the position in the directory of the ZIP file")
        _signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        local_name = _read_at(path, member.position + _LOCAL_HEADER.size, name_bytes)
        if local_name not in {name.encode(), name.encode("cp437", errors="replace")}:
            raise Damaged(f"its member {_quote_name(name)} has another name at its position in the ZIP file")
        self._start = member.position + _LOCAL_HEADER.size + name_bytes + extra_bytes
        self._first, self._chunk = 0, b""
        """The last chunk, and its position in the member."""
        self._next = _InflateState(0, 0, zlib.decompressobj(-zlib.MAX_WBITS))
        self._states = [self._next._replace(decoder=self._next.decoder.copy())]

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes from an offset; fewer at the end of the member or of its undamaged part."""
        parts, stop = list[bytes](), min(offset + size, self.size)
        while offset < stop:
            if not self._first <= offset < self._first + len(self._chunk):
                self._chunk = b""
                with suppress(OSError, zlib.error):
                    (self._inflate_to if self._member.is_deflated else self._load)(offset)
            part = self._chunk[offset - self._first : stop - self._first] if self._chunk else b""
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _load(self, position: int) -> None:
        self._first = position
        self._chunk = _read_at(self._path, self._start + position, min(CHUNK_BYTES, self.size - position))

    def _inflate_to(self, position: int) -> None:
        """Inflate up to the chunk that contains a position; no chunk if the compressed bytes end before it."""
        if position < self._next.position:
            state = next(state for state in reversed(self._states) if state.position <= position)
            self._next = state._replace(decoder=state.decoder.copy())
        while not self._chunk:
            first, offset, decoder = self._next
            size = min(CHUNK_BYTES, self._member.stored_size - offset)
            data = _read_at(self._path, self._start + offset, size)
            chunk = decoder.decompress(data, 4 * CHUNK_BYTES)
            used = len(data) - len(decoder.unconsumed_tail) - len(decoder.unused_data)
            if not chunk and (decoder.eof or not used):
                return
            self._next = _InflateState(first + len(chunk), offset + used, decoder)
            if self._next.position >= self._states[-1].position + max(CHUNK_BYTES, self.size // MAX_STATES):
                self._states.append(self._next._replace(decoder=decoder.copy()))
            if position < self._next.position:
                self._first, self._chunk = first, chunk


def _read_at(path: str, offset: int, size: int) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 -- of each chunk; half the time of Path.open
        return os.pread(file.fileno(), size, offset)


def open_member(path: str) -> MemberFile | None:
    """Return the member of a ZIP file at a path; `None` for any other path.

    Raises:
        OSError: The ZIP file lacks the member, or is not read.
    """
    in_zip = split_member(path)
    if in_zip is None:
        return None
    member = members_of(in_zip.file).get(in_zip.name)
    if member is None:
        raise FileNotFoundError(f"its ZIP file lacks the member {_quote_name(in_zip.name)}")
    return MemberFile(in_zip.file, in_zip.name, member)


def is_file(path: str) -> bool:
    """Return whether a file, or a member of a ZIP file, exists at a path."""
    in_zip = split_member(path)
    with suppress(OSError):
        return Path(path).is_file() or (in_zip is not None and in_zip.name in members_of(in_zip.file))
    return False


def read_start(path: str, size: int) -> bytes:
    """Return the first bytes of a file or member.

    Raises:
        OSError: It is missing or damaged.
    """
    member = open_member(path)
    if member is None:
        with Path(path).open("rb") as file:
            return file.read(size)
    data = member.read(0, size)
    if len(data) == min(size, member.size) and (len(data) < member.size or zlib.crc32(data) == member.crc):
        return data
    raise Damaged(_DAMAGED)


def require_whole(path: str, state: FileState) -> None:
    """Check all bytes of a member, once per state of its ZIP file; other files pass.

    Raises:
        OSError: The member is missing or damaged.
    """
    if not _checks.share((path, state), lambda: _is_whole(path, state)):
        raise Damaged(_DAMAGED)


@lru_cache(maxsize=MAX_CHECKED)
def _is_whole(path: str, _state: FileState) -> bool:
    member = open_member(path)
    if member is None:
        return True
    crc = position = 0
    while data := member.read(position, CHECKED_BYTES):
        crc, position = zlib.crc32(data, crc), position + len(data)
    return crc == member.crc


def find_members(pattern: str) -> Iterator[str]:
    """Yield the members that a pattern with a part `….SAFE` matches, as if ZIP files were folders."""
    for file, member_pattern in _zips_at(pattern):
        with suppress(OSError):
            for name in members_of(file):
                # In as many parts, no `*` matches a slash.
                is_as_deep = "**" in member_pattern or name.count("/") == member_pattern.count("/")
                if is_as_deep and fnmatchcase(name, member_pattern):
                    yield f"{file}/{name}"


def find_faulty_zips(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield each ZIP file that a pattern searches but whose product is not read, with the reason."""
    for file, _member_pattern in _zips_at(pattern):
        try:
            members_of(file)
        except OSError as error:
            yield file, error.strerror or str(error)


def _zips_at(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the ZIP files that a pattern searches, with the pattern of members."""
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        return
    files = match["files"]
    is_recursive = files.endswith("/**")
    paths = glob.iglob(files.removesuffix("/**"), recursive=True)  # noqa: PTH207 -- pathlib needs a relative pattern
    for file in sorted(chain.from_iterable(map(_files_below, paths)) if is_recursive else paths):
        if file.lower().endswith(".zip") and Path(file).is_file():
            yield file, match["member"]


def _files_below(root: str) -> Iterator[str]:
    """Yield the files of a folder and its subfolders, without hidden ones and SAFE folders (many files, no ZIP)."""
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not name.endswith(".SAFE")]
        yield from (f"{folder.rstrip('/')}/{name}" for name in names if not name.startswith("."))
