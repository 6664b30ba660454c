"""Folders of jobs: partial results, and result files on disk or in a bucket."""

import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from chronotile.core.durable_files import Disk
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.job import Result
from chronotile.core.private_files import make_private_folder
from chronotile.jobs.queue.result_bucket import RESULT_GONE, Bucket

log = logging.getLogger(__name__)
RESULTS = "results"
PARTIAL_RESULTS = "pieces"
"""Contains one folder per plan: a suspended process may resume a task of an older plan."""
ASIDE = "pieces.gone."
"""Prefix of the names of partial results that are being removed."""


def make_folders(folder: Path) -> None:
    """Create the folders of a job."""
    for name in (PARTIAL_RESULTS, RESULTS):
        make_private_folder(folder / name)
    Disk().settle([folder.parent, folder, folder / PARTIAL_RESULTS])


def clear(folder: Path) -> None:
    """Remove all files of a job except its results; running tasks notice it and stop."""
    try:
        remove_partial_results(folder)
        for path in folder.glob("*"):
            if path.is_file():
                path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("obsolete files of the job %s cannot be deleted: %s", folder.name, error)


def remove(folder: Path) -> bool:
    """Remove the folder of a job; return whether it is removed. If not, the operator gets a log line."""
    try:
        _put_aside(folder)
        shutil.rmtree(folder)
    except FileNotFoundError:  # the folder never existed, or another process removes it now
        return not folder.exists()
    except OSError as error:
        log.warning("the files of the job %s cannot be deleted: %s", folder.name, error)
        return False
    return True


def remove_partial_results(folder: Path) -> None:
    """Remove the partial results of a job; running tasks then cannot write any more."""
    _put_aside(folder)
    for folder_aside in folder.glob(f"{ASIDE}*"):
        shutil.rmtree(folder_aside, ignore_errors=True)


def _put_aside(folder: Path) -> None:
    # Rename first: running tasks could write new files during the removal.
    with suppress(FileNotFoundError):
        (folder / PARTIAL_RESULTS).rename(folder / f"{ASIDE}{secrets.token_hex(4)}")


SAFE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class StoredFile:
    """An object of a bucket. Its existence is not checked."""

    bucket: Bucket
    key: str

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return self.bucket.size(self.key)

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB."""
        return self.bucket.iter_bytes(self.key)

    def read_bytes(self) -> bytes:
        """Return the content."""
        return b"".join(self.iter_bytes())

    def sign_url(self, method: Literal["GET", "HEAD"]) -> str:
        """Return a URL that opens the object for some minutes."""
        return self.bucket.sign_url(self.key, method)


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The result files of one job."""

    folder: Path
    """Folder in which they are written; without a bucket they stay there."""
    bucket: Bucket | None = None
    job: str = ""
    """Id of the job, the prefix of its objects in the bucket."""

    def file(self, name: str) -> Path | StoredFile:
        """Return a file by its name. The name may come from a damaged table, so it is checked.

        Raises:
            SourceUnavailable: The file is missing.
        """
        path = self.folder / name
        if SAFE_NAME.fullmatch(name):
            if path.is_file() and not path.is_symlink():
                return path
            if self.bucket is not None:
                return StoredFile(self.bucket, f"{self.job}/{name}")
        raise SourceUnavailable(RESULT_GONE)

    def place(self, name: str) -> str:
        """Return the path or URL of a file for the operator."""
        path = self.folder / name
        return str(path) if self.bucket is None or path.exists() else f"{self.bucket.url}/{self.job}/{name}"

    def store(self, results: Mapping[str, Result], *, is_active: Callable[[], bool] = lambda: True) -> None:
        """Copy the files of results into the bucket, if one is configured. Repeating it does no harm.

        Raises:
            ClientGone: `is_active` returned `False`.
            SourceUnavailable: The bucket does not accept the files.
        """
        if self.bucket is not None:
            for result in results.values():
                if result.file is not None:
                    key = f"{self.job}/{result.file}"
                    self.bucket.put(key, self.folder / result.file, media_type=result.media_type, is_active=is_active)
