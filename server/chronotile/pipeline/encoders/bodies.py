"""Bodies of answers that may be too large for memory: in scratch files, or made while they are sent."""

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain, groupby
from os import strerror
from threading import BoundedSemaphore
from typing import Protocol, runtime_checkable

from chronotile.core.errors import StorageFull
from chronotile.pipeline.encoders.deflated import deflate
from chronotile.pipeline.encoders.scratch_files import ScratchFile

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


class ConcatenatedFiles(SizedBody):
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
                    files = [_write_file(ConcatenatedFiles(files).iter_bytes(), opened)]
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


def store_parts(parts: Iterable[bytes]) -> ConcatenatedFiles:
    """Return a body in a scratch file.

    Raises:
        OSError: The disk or the quota is full.
    """
    with ExitStack() as opened:
        file = _write_file(parts, opened)
        opened.pop_all()
        return ConcatenatedFiles([file])


def _write_file(parts: Iterable[bytes], opened: ExitStack) -> ScratchFile:
    file = opened.enter_context(ScratchFile(sys.maxsize))
    for part in parts:
        file.write(part)
    return file


@contextmanager
def translate_storage_errors(folder: str = "the folder of temporary files (TMPDIR)") -> Iterator[None]:
    """Raise `StorageFull`, with these words for the folder, instead of `OSError` if a file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = strerror(error.errno) if error.errno else "the disk failed"
        message = f"no disk space to write the file: {reason} in {folder}; request less, or try later"
        raise StorageFull(message) from error
