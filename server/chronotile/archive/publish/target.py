"""Where a catalogue is written: a folder, or a place in a bucket."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from chronotile.archive.publish.bucket import BucketTarget
from chronotile.core.durable_files import PARTIAL, Disk, sole_writer
from chronotile.core.errors import WriteFailed

STAGING = ".publishing"
"""End of the name of the hidden folder in which a catalogue is written for the first time."""
_DISK = Disk()


def read_document(target: "Target", path: str) -> dict[str, Any] | None:
    """Return a JSON object; `None` where there is none.

    Raises:
        WriteFailed: It is something else, or cannot be read.
    """
    data = target.read(path)
    try:
        found = None if data is None else orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WriteFailed(f"{path} of {target.name} is not valid JSON; remove it, or name another place") from error
    if found is not None and not isinstance(found, dict):
        raise WriteFailed(f"{path} of {target.name} is not a JSON object; remove it, or name another place")
    return found


class FolderTarget:
    """A folder of this machine.

    A folder that is not there, or empty, appears at the end: what is written until then lies in a hidden folder beside,
    where an interrupted run goes on. Paths have slashes, and name files below it. Methods raise `WriteFailed` where
    they cannot do it.

    Args:
        folder: Where the catalogue will be.
        disk: Where it is.
    """

    def __init__(self, folder: Path, *, disk: Disk = _DISK) -> None:
        self.folder, self._disk = folder.absolute(), disk
        self.name = str(folder)
        self._is_new = not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir()))
        beside = self.folder.with_name(f".{self.folder.name}{STAGING}")
        self._root = beside if self._is_new else self.folder
        if not self._root.is_dir():
            if self._root.exists():
                raise WriteFailed(f"{self.name} is a file; name a folder for --to")
            with self._faults():
                disk.make_folder(self._root)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the folder against other runs.

        Raises:
            UnsupportedSource: Another run is writing there.
        """
        return sole_writer(self._root, name=self.name, by="publish")

    def read(self, path: str) -> bytes | None:
        """Return a document; `None` where there is none."""
        with self._faults():
            try:
                return (self._root / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; `None` where there is none."""
        try:
            return (self._root / path).stat().st_size
        except OSError:
            return None

    def write(self, path: str, data: bytes, *, media_type: str) -> None:
        """Write a document, whole or not at all."""
        self.store(path, (data,), media_type=media_type)

    def store(self, path: str, parts: Iterable[bytes], *, media_type: str) -> None:
        """Write a file part by part; it has its name once it is whole. What `parts` raises goes through."""
        del media_type  # its suffix says it
        file = self._root / path
        partial = file.with_name(file.name + PARTIAL)
        with self._faults():
            self._disk.make_folder(file.parent)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            for part in parts:
                with self._faults():
                    self._disk.write(descriptor, part)
            with self._faults():
                self._disk.fsync(descriptor)
                self._disk.rename(partial, file)
        except BaseException:  # whatever it is: room on the disk is given back
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        with self._faults():
            self._disk.settle([file.parent])

    def remove(self, path: str) -> None:
        """Remove a file, if it is there, and the folders that hold nothing else."""
        place = self._root / path
        with self._faults():
            self._disk.remove(place)
        self._remove_empty(place.parent)

    def remove_folder(self, path: str) -> None:
        """Remove a folder with all that is in it, if it is there, and those that hold nothing else."""
        place = self._root / path
        if place.is_dir() and not place.is_symlink():
            with self._faults():
                shutil.rmtree(place)
        self._remove_empty(place.parent)

    def is_empty(self) -> bool:
        """Whether nothing is there, not counting what an interrupted run has left."""
        return not any(each for each in self._root.iterdir() if not each.name.endswith(PARTIAL))

    def finish(self) -> None:
        """Give a new folder its name; what was written will outlast a loss of power."""
        with self._faults():
            if self._is_new:
                self._disk.rename(self._root, self.folder)
            self._disk.settle([self.folder, self.folder.parent])

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # one has other files
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise WriteFailed(
                    f"there is no room for {self.name}; make some and run it again: what is copied is not copied again"
                ) from error
            raise WriteFailed(f"{self.name} cannot be written: {error.strerror or error}") from error


Target = FolderTarget | BucketTarget
"""A place for a catalogue; any thread may use it."""
