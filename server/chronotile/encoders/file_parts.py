"""Bodies of answers that are too large for memory: in private files, or made while they are sent."""

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import chain, groupby
from threading import BoundedSemaphore
from typing import Protocol, runtime_checkable

from chronotile.encoders.deflated import deflate
from chronotile.encoders.scratch import ScratchFile

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

    def checksum(self) -> str:
        """Return a short text of the bytes of all."""


def _crc(body: Body) -> str:
    """CRC-32: finds any difference of up to 32 bits in a row, and of others all but one in four thousand million."""
    value = 0
    for part in body.iter_bytes():
        value = deflate.crc32(part, value)
    return f"{value:08x}"


class FileParts:
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

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all from the beginning on, at most a MiB at a time."""
        return self.part(0, self.size)

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
            self._checksum = _crc(self)
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


class Whole:
    """A body that is there already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self._body)

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return self.part(0, self.size)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        for place in range(start, stop, READ_BYTES):
            yield self._body[place : min(place + READ_BYTES, stop)]

    def checksum(self) -> str:
        """Return a short text of the bytes of all."""
        return _crc(self)

    def close(self) -> None:
        """Let it go."""
        self._body = b""


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
