"""Bodies of answers that are too large to be held: in files that nobody else sees, or made while they are sent."""

import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from threading import BoundedSemaphore
from typing import Protocol, runtime_checkable

from chronotile.encoders.scratch import ScratchFile

PIECE_BYTES = 1 << 20
STREAMED_AT_ONCE = 4
"""Bodies that are made while they are sent: each holds a part of its source for as long as its client takes."""

_STREAMING = BoundedSemaphore(STREAMED_AT_ONCE)


class Body(Protocol):
    """What is sent, once."""

    @property
    def size(self) -> int | None:
        """In bytes; `None` where nobody knows before the end."""

    def pieces(self) -> Iterator[bytes]:
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


class FileParts:
    """A body that lies in several files, one after another."""

    def __init__(self, parts: Sequence[ScratchFile]) -> None:
        self._parts = tuple(parts)

    @property
    def is_in_memory(self) -> bool:
        """Whether no part of it is on a disk."""
        return all(part.is_in_memory for part in self._parts)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.size for part in self._parts)

    def pieces(self) -> Iterator[bytes]:
        """Give all from the beginning on, at most a MiB at a time."""
        return self.part(0, self.size)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        begin = 0
        for part in self._parts:
            first, last = max(0, start - begin), min(part.size, stop - begin)
            for place in range(first, last, PIECE_BYTES):
                yield part.read(place, min(PIECE_BYTES, last - place))
            begin += part.size

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

    def pieces(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return self.part(0, self.size)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        for place in range(start, stop, PIECE_BYTES):
            yield self._body[place : min(place + PIECE_BYTES, stop)]

    def close(self) -> None:
        """Let it go."""
        self._body = b""


class Streamed:
    """A body that is made while it is sent. The first piece is made at once, so that what fails at once is told."""

    size = None

    def __init__(self, pieces: Generator[bytes]) -> None:
        self._pieces = pieces
        self._first = next(pieces, b"")

    def pieces(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return chain([self._first], self._pieces)

    def close(self) -> None:
        """Stop making it."""
        self._pieces.close()


def streamed(pieces: Generator[bytes]) -> Body:
    """Return a body that is made while it is sent; while `STREAMED_AT_ONCE` others are, it is made now, into a file.

    So clients that are slow hold no more memory than that many bodies take, and nobody waits for them.

    Raises:
        OSError: There is no room for the file.
    """
    if not _STREAMING.acquire(blocking=False):
        return _stored(pieces)
    return Streamed(_releasing(pieces))


def _releasing(pieces: Generator[bytes]) -> Generator[bytes]:
    try:
        yield from pieces
    finally:
        _STREAMING.release()


def _stored(pieces: Generator[bytes]) -> FileParts:
    with closing(pieces), ExitStack() as opened:
        file = opened.enter_context(ScratchFile(sys.maxsize))
        for piece in pieces:
            file.write(piece)
        opened.pop_all()
        return FileParts([file])
