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


# Files without a name, which are gone when closed, whatever happens to the process.

IN_MEMORY_BYTES = 4 << 20
"""What is smaller never touches a disk."""


ROOM_BYTES = 16 << 30


class Room:
    """What files on disk may take together; past it, writing fails as on a disk that is full."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = Lock()

    def take(self, count: int) -> None:
        """Take so many bytes.

        Raises:
            OSError: They are not left.
        """
        with self._lock:
            if count > self._left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._left -= count

    def give_back(self, count: int) -> None:
        """Leave so many bytes to others."""
        with self._lock:
            self._left += count


ROOM = Room(ROOM_BYTES)
"""Of this process: clients that are slow keep their files until they have them."""


class ScratchFile:
    """A new file, empty. Nothing is held back: what could not be written fails at once, and closing never does.

    Args:
        most: Bytes that it may come to hold, about; a small one lies in memory.
        room: That files share.
        folder: Where it is on the disk; that of temporary files unless another is named.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, most: int, room: Room = ROOM, folder: Path | None = None) -> None:
        self._room = room
        self._taken = 0
        self._file: io.RawIOBase | io.BytesIO = io.BytesIO()
        if most > IN_MEMORY_BYTES:
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 -- `close` does
        self.size = 0
        """In bytes."""

    @property
    def is_in_memory(self) -> bool:
        """Whether it is on no disk."""
        return isinstance(self._file, io.BytesIO)

    def write(self, body: "ReadableBuffer", at: int | None = None) -> None:
        """Write at a place, or at the end.

        Raises:
            OSError: There is no room; a part may have been written.
        """
        view = memoryview(body).cast("B")
        start = self.size if at is None else at
        self._take(start + len(view))
        self._file.seek(start)
        left = view
        while left:
            left = left[self._file.write(left) or 0 :]
        self.size = max(self.size, start + len(view))

    def read(self, at: int, most: int) -> bytes:
        """Return what is there, less than `most` bytes only at the end."""
        self._file.seek(at)
        parts = []
        while most and (part := self._file.read(most)):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)

    def resize(self, size: int) -> None:
        """Cut it off, or make it longer with zeros.

        Raises:
            OSError: There is no room.
        """
        if size > self.size:
            self.write(bytes(size - self.size))
        self._file.truncate(size)
        self.size = size

    def close(self) -> None:
        """Remove the file; more than once does no harm."""
        self._file.close()
        taken, self._taken = self._taken, 0
        self._room.give_back(taken)

    def _take(self, size: int) -> None:
        """Have room for a file of that size."""
        if size > self._taken and not isinstance(self._file, io.BytesIO):
            self._room.take(size - self._taken)
            self._taken = size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """Where scratch files lie."""

    folder: Path | None = None
    """`None` is that of temporary files."""
    room: Room = ROOM

    def file(self, most: int) -> ScratchFile:
        """Return a new file, which may come to hold about so many bytes.

        Raises:
            OSError: It cannot be made.
        """
        return ScratchFile(most, self.room, self.folder)


TEMPORARY = Scratch()


class UnfailingFile(io.RawIOBase):
    """A scratch file for libraries in C: a write that fails takes HDF5 down with the whole process.

    What fails is recorded for `check`. From then on writes are held in memory, so that they can be read back.
    """

    def __init__(self, file: ScratchFile) -> None:
        self._file = file
        self._failure: OSError | None = None
        self._held: list[tuple[int, bytes]] = []
        self._at = self._end = 0

    def check(self) -> None:
        """Report what failed.

        Raises:
            OSError: Anything did.
        """
        if self._failure is not None:
            raise self._failure

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def seekable(self) -> bool:
        """Return that it can be written at any place."""
        return True

    def write(self, body: "ReadableBuffer") -> int:
        """Write where the file stands."""
        view = memoryview(body).cast("B")
        if not self._has_done(lambda: self._file.write(view, self._at)):
            self._held.append((self._at, bytes(view)))
        self._at += len(view)
        self._end = max(self._end, self._at)
        return len(view)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read from where the file stands; zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        view[:] = self._file.read(self._at, len(view)).ljust(len(view), b"\0")
        for place, body in self._held:
            start, stop = max(place, self._at), min(place + len(body), self._at + len(view))
            if start < stop:
                view[start - self._at : stop - self._at] = body[start - place : stop - place]
        self._at += len(view)
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + (self._end if whence == io.SEEK_END else 0)  # nothing else is requested
        return self._at

    def tell(self) -> int:
        """Return where the file stands."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Make the file that long."""
        end = self._end = self._at if size is None else size
        self._has_done(lambda: self._file.resize(end))
        return end

    def _has_done(self, act: Callable[[], None]) -> bool:
        if self._failure is None:
            try:
                act()
            except OSError as error:
                self._failure = error
        return self._failure is None


READ_BYTES = 1 << 20
STREAMED_AT_ONCE = 4
"""Bodies that are made while they are sent: each holds a part of its source for as long as its client takes."""

_STREAMING = BoundedSemaphore(STREAMED_AT_ONCE)


class Body(Protocol):
    """What is sent, once."""

    @property
    def size(self) -> int | None:
        """In bytes; `None` if it is unknown before the end."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""

    def close(self) -> None:
        """Let it go, given or not; more than once does no harm."""


@runtime_checkable
class SizedBody(Body, Protocol):
    """A body that is there already, so that any part of it can be sent."""

    @property
    def size(self) -> int:
        """In bytes."""

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all from the beginning on, at most a MiB at a time."""
        return self.part(0, self.size)

    def checksum(self) -> str:
        """Return the CRC-32 of all bytes.

        It finds any difference of up to 32 bits in a row, and misses one of four thousand million others.

        Raises:
            OSError: They cannot be read.
        """
        value = 0
        for part in self.iter_bytes():
            value = deflate.crc32(part, value)
        return f"{value:08x}"


class FileParts(SizedBody):
    """A body that lies in several files, one after another."""

    def __init__(self, parts: Sequence[ScratchFile]) -> None:
        self._parts = tuple(parts)
        self._checksum: str | None = None

    @property
    def is_in_memory(self) -> bool:
        """Whether no part of it is on a disk."""
        return all(part.is_in_memory for part in self._parts)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.size for part in self._parts)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        begin = 0
        for part in self._parts:
            first, last = max(0, start - begin), min(part.size, stop - begin)
            for place in range(first, last, READ_BYTES):
                yield part.read(place, min(READ_BYTES, last - place))
            begin += part.size

    def checksum(self) -> str:
        """Return a short text of the bytes of all, which are read the first time.

        Raises:
            OSError: They cannot be.
        """
        if self._checksum is None:
            self._checksum = super().checksum()
        return self._checksum

    def move_to_disk(self) -> None:
        """Move what lies in memory to the disk.

        Raises:
            OSError: There is no room; then it lies where it lay.
        """
        parts, moved = list[ScratchFile](), list[ScratchFile]()
        with ExitStack() as opened:
            for is_in_memory, run in groupby(self._parts, key=lambda part: part.is_in_memory):
                files = list(run)
                if is_in_memory:
                    moved += files
                    files = [_written(FileParts(files).iter_bytes(), opened)]
                parts += files
            opened.pop_all()
        self._parts = tuple(parts)
        for file in moved:
            file.close()

    def close(self) -> None:
        """Remove the files."""
        for part in self._parts:
            part.close()


class Whole(SizedBody):
    """A body that is there already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self._body)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        for place in range(start, stop, READ_BYTES):
            yield self._body[place : min(place + READ_BYTES, stop)]

    def close(self) -> None:
        """Let it go."""
        self._body = b""


class Joined(SizedBody):
    """Bodies one after another, as one."""

    def __init__(self, bodies: Sequence[SizedBody]) -> None:
        self._bodies = tuple(bodies)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(body.size for body in self._bodies)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        begin = 0
        for body in self._bodies:
            first, last = max(0, start - begin), min(body.size, stop - begin)
            if first < last:
                yield from body.part(first, last)
            begin += body.size

    def close(self) -> None:
        """Let them go."""
        for body in self._bodies:
            body.close()


class Streamed:
    """A body that is made while it is sent. The first part is made at once, so that early errors are reported."""

    size = None

    def __init__(self, parts: Generator[bytes]) -> None:
        self._parts = parts
        self._first = next(parts, b"")

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return chain([self._first], self._parts)

    def close(self) -> None:
        """Stop making it."""
        self._parts.close()


def stream_parts(parts: Generator[bytes]) -> Body:
    """Return a body that is made while it is sent, or, while `STREAMED_AT_ONCE` others are, a file made at once.

    This limits the memory of slow clients to that many bodies, and no other client waits for them.

    Raises:
        OSError: There is no room for the file.
    """
    if not _STREAMING.acquire(blocking=False):
        with closing(parts):
            return store_parts(parts)
    return Streamed(_releasing(parts))


def _releasing(parts: Generator[bytes]) -> Generator[bytes]:
    try:
        yield from parts
    finally:
        _STREAMING.release()


def store_parts(parts: Iterable[bytes]) -> FileParts:
    """Return a body of these parts that lies on the disk.

    Raises:
        OSError: There is no room for the file.
    """
    with ExitStack() as opened:
        file = _written(parts, opened)
        opened.pop_all()
        return FileParts([file])


def _written(parts: Iterable[bytes], opened: ExitStack) -> ScratchFile:
    file = opened.enter_context(ScratchFile(sys.maxsize))
    for part in parts:
        file.write(part)
    return file


@contextmanager
def translate_storage_errors() -> Iterator[None]:
    """Say that a file could not be written; readers have words of their own for what cannot be read."""
    try:
        yield
    except OSError as error:
        reason = strerror(error.errno) if error.errno else "the disk failed"
        raise StorageFull(f"no disk space to write the file: {reason}; request less, or try later") from error
