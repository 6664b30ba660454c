"""Files without a name, which are gone when closed, whatever happens to the process."""

import errno
import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

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
