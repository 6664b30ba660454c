"""Bodies of answers that are too large to be held: files that are gone when read, and what is made while it is sent."""

import io
import tempfile
from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

PIECE_BYTES = 1 << 20
IN_MEMORY_BYTES = 4 << 20
"""What is smaller never touches a disk."""


class Body(Protocol):
    """What is sent, once."""

    @property
    def size(self) -> int | None:
        """In bytes; `None` where nobody knows before the end."""

    def pieces(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""

    def close(self) -> None:
        """Let it go, given or not; more than once does no harm."""


class FileParts:
    """A body that lies in several files, one after another."""

    def __init__(self, parts: Sequence[IO[bytes]]) -> None:
        self._parts = tuple(parts)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.seek(0, io.SEEK_END) for part in self._parts)

    def pieces(self) -> Iterator[bytes]:
        """Give all from the beginning on, at most a MiB at a time."""
        for part in self._parts:
            part.seek(0)
            while piece := part.read(PIECE_BYTES):
                yield piece

    def close(self) -> None:
        """Remove the files."""
        for part in self._parts:
            part.close()


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


def scratch_file() -> IO[bytes]:
    """Return a new empty file without a name, which is gone when closed, whatever becomes of the process."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)


class FailureKept(io.RawIOBase):
    """A file for a library that does not survive a full disk: what fails is kept, and seems to have been done."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._failure: OSError | None = None

    def check(self) -> None:
        """Say what failed.

        Raises:
            OSError: Anything did.
        """
        if self._failure is not None:
            raise self._failure

    def write(self, body: "ReadableBuffer") -> int:
        """Write where the file stands."""
        view = memoryview(body)
        try:
            return self._file.write(view)
        except OSError as error:
            self._failure = error
            return view.nbytes

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._file.flush()
        except OSError as error:
            self._failure = error

    def truncate(self, size: int | None = None) -> int:
        """Make the file as long as that."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._failure = error
            return size or 0

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read from where the file stands; zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        read = self._file.read(len(view))
        view[:] = read.ljust(len(view), b"\0")
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where the file stands."""
        return self._file.tell()
