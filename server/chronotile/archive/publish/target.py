"""Targets of a catalogue: a folder, or a prefix in a bucket."""

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
"""Suffix of the hidden folder in which a new catalogue is written."""
_DISK = Disk()


def read_document(target: "Target", path: str) -> dict[str, Any] | None:
    """Return a JSON object; `None` if it is missing.

    Raises:
        WriteFailed: It is not a JSON object, or cannot be read.
    """
    data = target.read(path)
    try:
        document = None if data is None else orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WriteFailed(f"{path} of {target.name} is not valid JSON; remove it, or name another place") from error
    if document is not None and not isinstance(document, dict):
        raise WriteFailed(f"{path} of {target.name} is not a JSON object; remove it, or name another place")
    return document


class FolderTarget:
    """A local folder.

    A new folder appears when it is complete. Until then files are in a hidden folder next to it, where an interrupted
    run can continue. Paths are relative to the folder, with slashes. Methods raise `WriteFailed` on errors of the disk.

    Args:
        folder: The folder of the catalogue.
        disk: Writes files.
    """

    def __init__(self, folder: Path, *, disk: Disk = _DISK) -> None:
        self.folder, self._disk = folder.absolute(), disk
        self.name = str(folder)
        self._is_new = not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir()))
        staging_folder = self.folder.with_name(f".{self.folder.name}{STAGING}")
        self._root = staging_folder if self._is_new else self.folder
        if not self._root.is_dir():
            if self._root.exists():
                raise WriteFailed(f"{self.name} is a file; name a folder for --to")
            with self._faults():
                disk.make_folder(self._root)

    def alone(self) -> AbstractContextManager[None]:
        """Return a context that locks the folder against other runs.

        Raises:
            UnsupportedSource: Another run is writing to it.
        """
        return sole_writer(self._root, name=self.name, by="publish")

    def read(self, path: str) -> bytes | None:
        """Return a document; `None` if it is missing."""
        with self._faults():
            try:
                return (self._root / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; `None` if it is missing."""
        try:
            return (self._root / path).stat().st_size
        except OSError:
            return None

    def write(self, path: str, data: bytes, *, media_type: str) -> None:
        """Write a document atomically."""
        self.store(path, (data,), media_type=media_type)

    def store(self, path: str, parts: Iterable[bytes], *, media_type: str) -> None:
        """Write a file part by part; it gets its name when it is complete. Errors of `parts` are raised unchanged."""
        del media_type  # the suffix implies it
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
        except BaseException:  # free the space on the disk in any case
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        with self._faults():
            self._disk.settle([file.parent])

    def remove(self, path: str) -> None:
        """Remove a file, which may be missing, and folders that become empty."""
        place = self._root / path
        with self._faults():
            self._disk.remove(place)
        self._remove_empty(place.parent)

    def remove_folder(self, path: str) -> None:
        """Remove a folder, which may be missing, with its content, and folders that become empty."""
        place = self._root / path
        if place.is_dir() and not place.is_symlink():
            with self._faults():
                shutil.rmtree(place)
        self._remove_empty(place.parent)

    def is_empty(self) -> bool:
        """Return whether there is no file except partial files of an interrupted run."""
        return not any(x for x in self._root.iterdir() if not x.name.endswith(PARTIAL))

    def finish(self) -> None:
        """Rename a new folder to its final name; written files are durable afterwards."""
        with self._faults():
            if self._is_new:
                self._disk.rename(self._root, self.folder)
            self._disk.settle([self.folder, self.folder.parent])

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # `rmdir` raises if a folder contains other files
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
"""A target of a catalogue. Thread-safe."""
