"""Scratch files: files without a name, deleted when they are closed or the process ends, within a quota."""

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
