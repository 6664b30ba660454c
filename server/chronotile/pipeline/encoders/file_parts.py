"""Bodies of answers that are too large for memory: in files without a name, or made while they are sent."""

import errno
import io
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from os import strerror
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from chronotile.core.errors import StorageFull
from chronotile.pipeline.encoders.deflated import deflate

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


IN_MEMORY_BYTES = 4 << 20
"""Smaller files stay in memory."""
DISK_QUOTA_BYTES = 16 << 30


class DiskQuota:
    """Limit of the total size of files on disk; beyond it, writing fails as on a full disk. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._remaining = max_bytes
        self._lock = Lock()

    def take(self, count: int) -> None:
        """Take a number of bytes.

        Raises:
            OSError: Fewer bytes are left.
        """
        with self._lock:
            if count > self._remaining:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._remaining -= count

    def give_back(self, count: int) -> None:
        """Return a number of bytes to the quota."""
        with self._lock:
            self._remaining += count


DISK_QUOTA = DiskQuota(DISK_QUOTA_BYTES)
"""Quota of this process. A file counts until a slow client has received it."""


class ScratchFile:
    """A new, empty file without a name, deleted when it is closed or the process ends.

    It has no buffer: a failed write raises immediately, and closing never fails.

    Args:
        max_bytes: Approximate size that it may reach; small files stay in memory.
        quota: The quota that the file shares with others.
        folder: Folder of the file; `None` for that of temporary files.

    Raises:
        OSError: The file cannot be created.
    """

    def __init__(self, max_bytes: int, quota: DiskQuota = DISK_QUOTA, folder: Path | None = None) -> None:
        self._quota = quota
        self._taken = 0
        self._file: io.RawIOBase | io.BytesIO = io.BytesIO()
        if max_bytes > IN_MEMORY_BYTES:
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 -- `close` does
        self.size = 0
        """Size in bytes."""

    @property
    def is_in_memory(self) -> bool:
        """Whether the file is in memory instead of on disk."""
        return isinstance(self._file, io.BytesIO)

    def write(self, body: "ReadableBuffer", at: int | None = None) -> None:
        """Write at an offset, or at the end if it is `None`.

        Raises:
            OSError: The disk or the quota is full; a part may have been written.
        """
        view = memoryview(body).cast("B")
        start = self.size if at is None else at
        self._take(start + len(view))
        self._file.seek(start)
        remaining = view
        while remaining:
            remaining = remaining[self._file.write(remaining) or 0 :]
        self.size = max(self.size, start + len(view))

    def read(self, at: int, most: int) -> bytes:
        """Return `most` bytes from an offset, or fewer at the end of the file."""
        self._file.seek(at)
        parts = []
        while most and (part := self._file.read(most)):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)

    def resize(self, size: int) -> None:
        """Truncate the file, or extend it with zeros.

        Raises:
            OSError: The disk or the quota is full.
        """
        if size > self.size:
            self.write(bytes(size - self.size))
        self._file.truncate(size)
        self.size = size

    def close(self) -> None:
        """Delete the file; may be called again."""
        self._file.close()
        count, self._taken = self._taken, 0
        self._quota.give_back(count)

    def _take(self, size: int) -> None:
        """Extend the part of the quota that this file takes to `size` bytes."""
        if size > self._taken and not isinstance(self._file, io.BytesIO):
            self._quota.take(size - self._taken)
            self._taken = size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """Location and quota of scratch files."""

    folder: Path | None = None
    """`None` for the folder of temporary files."""
    quota: DiskQuota = DISK_QUOTA

    def file(self, max_bytes: int) -> ScratchFile:
        """Return a new file that may reach approximately `max_bytes`.

        Raises:
            OSError: The file cannot be created.
        """
        return ScratchFile(max_bytes, self.quota, self.folder)


TEMPORARY = Scratch()


class UnfailingFile(io.RawIOBase):
    """A scratch file for libraries in C that do not survive a failed write: HDF5 ends the process.

    The first failure is stored for `check`. Later writes are stored in memory, so that the library can read them.
    """

    def __init__(self, file: ScratchFile) -> None:
        self._file = file
        self._failure: OSError | None = None
        self._unwritten: list[tuple[int, bytes]] = []
        self._at = self._end = 0

    def check(self) -> None:
        """Raise the failure of a write, if there was one.

        Raises:
            OSError: A write failed.
        """
        if self._failure is not None:
            raise self._failure

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def write(self, body: "ReadableBuffer") -> int:
        """Write at the current position."""
        view = memoryview(body).cast("B")
        if not self._try(lambda: self._file.write(view, self._at)):
            self._unwritten.append((self._at, bytes(view)))
        self._at += len(view)
        self._end = max(self._end, self._at)
        return len(view)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read from the current position; bytes that were never written are zeros."""
        view = memoryview(buffer).cast("B")
        view[:] = self._file.read(self._at, len(view)).ljust(len(view), b"\0")
        for offset, body in self._unwritten:
            start, stop = max(offset, self._at), min(offset + len(body), self._at + len(view))
            if start < stop:
                view[start - self._at : stop - self._at] = body[start - offset : stop - offset]
        self._at += len(view)
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the current position."""
        self._at = offset + (self._end if whence == io.SEEK_END else 0)  # HDF5 uses no other `whence`
        return self._at

    def tell(self) -> int:
        """Return the current position."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file."""
        end = self._end = self._at if size is None else size
        self._try(lambda: self._file.resize(end))
        return end

    def _try(self, act: Callable[[], None]) -> bool:
        if self._failure is None:
            try:
                act()
            except OSError as error:
                self._failure = error
        return self._failure is None


READ_BYTES = 1 << 20
MAX_STREAMED = 4
"""Maximum number of bodies that are made while they are sent; each needs memory as long as its client takes."""

_STREAMING = BoundedSemaphore(MAX_STREAMED)


class Body(Protocol):
    """A body that is sent once."""

    @property
    def size(self) -> int | None:
        """Size in bytes; `None` if it is unavailable before the end."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield all bytes in pieces of at most 1 MiB."""

    def close(self) -> None:
        """Release the resources of the body; may be called again."""


@runtime_checkable
class SizedBody(Body, Protocol):
    """A complete body, any part of which can be sent."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop` in pieces of at most 1 MiB."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield all bytes in pieces of at most 1 MiB."""
        return self.part(0, self.size)

    def checksum(self) -> str:
        """Return the CRC-32 of all bytes.

        It detects every difference within 32 consecutive bits; other differences stay undetected with a chance of 2⁻³².

        Raises:
            OSError: The bytes cannot be read.
        """
        value = 0
        for part in self.iter_bytes():
            value = deflate.crc32(part, value)
        return f"{value:08x}"


class FileParts(SizedBody):
    """The concatenated contents of several scratch files."""

    def __init__(self, parts: Sequence[ScratchFile]) -> None:
        self._parts = tuple(parts)
        self._checksum: str | None = None

    @property
    def is_in_memory(self) -> bool:
        """Whether all files are in memory."""
        return all(part.is_in_memory for part in self._parts)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return sum(part.size for part in self._parts)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop` in pieces of at most 1 MiB."""
        begin = 0
        for part in self._parts:
            first, last = max(0, start - begin), min(part.size, stop - begin)
            for position in range(first, last, READ_BYTES):
                yield part.read(position, min(READ_BYTES, last - position))
            begin += part.size

    def checksum(self) -> str:
        """Return the CRC-32 of all bytes, which are read at the first call.

        Raises:
            OSError: The bytes cannot be read.
        """
        if self._checksum is None:
            self._checksum = super().checksum()
        return self._checksum

    def move_to_disk(self) -> None:
        """Move the files that are in memory to the disk.

        Raises:
            OSError: The disk or the quota is full; the files stay in memory.
        """
        parts, moved = list[ScratchFile](), list[ScratchFile]()
        with ExitStack() as opened:
            for is_in_memory, run in groupby(self._parts, key=lambda part: part.is_in_memory):
                files = list(run)
                if is_in_memory:
                    moved += files
                    files = [_write_file(FileParts(files).iter_bytes(), opened)]
                parts += files
            opened.pop_all()
        self._parts = tuple(parts)
        for file in moved:
            file.close()

    def close(self) -> None:
        """Delete the files."""
        for part in self._parts:
            part.close()


class BytesBody(SizedBody):
    """A body in memory."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self._body)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop` in pieces of at most 1 MiB."""
        for position in range(start, stop, READ_BYTES):
            yield self._body[position : min(position + READ_BYTES, stop)]

    def close(self) -> None:
        """Release the memory."""
        self._body = b""


class JoinedBody(SizedBody):
    """Concatenated bodies."""

    def __init__(self, bodies: Sequence[SizedBody]) -> None:
        self._bodies = tuple(bodies)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return sum(body.size for body in self._bodies)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop` in pieces of at most 1 MiB."""
        begin = 0
        for body in self._bodies:
            first, last = max(0, start - begin), min(body.size, stop - begin)
            if first < last:
                yield from body.part(first, last)
            begin += body.size

    def close(self) -> None:
        """Close all bodies."""
        for body in self._bodies:
            body.close()


class StreamedBody:
    """A body that is made while it is sent. The first part is made at construction, so that early errors are raised."""

    size = None

    def __init__(self, parts: Generator[bytes]) -> None:
        self._parts = parts
        self._first = next(parts, b"")

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield all bytes in pieces of at most 1 MiB."""
        return chain([self._first], self._parts)

    def close(self) -> None:
        """Stop making the body."""
        self._parts.close()


def stream_parts(parts: Generator[bytes]) -> Body:
    """Return a body that is made while it is sent; a file if `MAX_STREAMED` other bodies are being sent.

    So slow clients need the memory of at most `MAX_STREAMED` bodies, and no client waits for another.

    Raises:
        OSError: The disk or the quota is full.
    """
    if not _STREAMING.acquire(blocking=False):
        with closing(parts):
            return store_parts(parts)
    return StreamedBody(_release_at_end(parts))


def _release_at_end(parts: Generator[bytes]) -> Generator[bytes]:
    try:
        yield from parts
    finally:
        _STREAMING.release()


def store_parts(parts: Iterable[bytes]) -> FileParts:
    """Return a body in a scratch file.

    Raises:
        OSError: The disk or the quota is full.
    """
    with ExitStack() as opened:
        file = _write_file(parts, opened)
        opened.pop_all()
        return FileParts([file])


def _write_file(parts: Iterable[bytes], opened: ExitStack) -> ScratchFile:
    file = opened.enter_context(ScratchFile(sys.maxsize))
    for part in parts:
        file.write(part)
    return file


@contextmanager
def translate_storage_errors() -> Iterator[None]:
    """Raise `StorageFull` instead of `OSError` if a file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = strerror(error.errno) if error.errno else "the disk failed"
        raise StorageFull(f"no disk space to write the file: {reason}; request less, or try later") from error
