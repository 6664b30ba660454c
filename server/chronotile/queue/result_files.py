"""Where files of results are: in the folder of their job, and from its end on in a bucket, if there is one."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from chronotile.errors import SourceUnavailable
from chronotile.model.job import Result
from chronotile.queue.bucket import RESULT_GONE, Bucket

SAFE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class StoredFile:
    """An object of a bucket, whose existence is not checked."""

    bucket: Bucket
    key: str

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return self.bucket.size(self.key)

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return self.bucket.iter_bytes(self.key)

    def read_bytes(self) -> bytes:
        """Return all of it."""
        return b"".join(self.iter_bytes())

    def signed(self, method: Literal["GET", "HEAD"]) -> str:
        """Return a URL that opens it for a while."""
        return self.bucket.signed(self.key, method)


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The files of the results of one job."""

    folder: Path
    """Where they are made, and stay if there is no bucket."""
    bucket: Bucket | None = None
    job: str = ""
    """Its id, below which they are in the bucket."""

    def file(self, name: str) -> Path | StoredFile:
        """Return one of them, whatever the table says of its name.

        Raises:
            SourceUnavailable: It is gone.
        """
        path = self.folder / name
        if SAFE_NAME.fullmatch(name):
            if path.is_file() and not path.is_symlink():
                return path
            if self.bucket is not None:
                return StoredFile(self.bucket, f"{self.job}/{name}")
        raise SourceUnavailable(RESULT_GONE)

    def place(self, name: str) -> str:
        """Return where one of them lies, for who runs the server."""
        path = self.folder / name
        return str(path) if self.bucket is None or path.exists() else f"{self.bucket.url}/{self.job}/{name}"

    def store(self, results: Mapping[str, Result], *, is_active: Callable[[], bool] = lambda: True) -> None:
        """Put those of results into the bucket, if there is one; done again it does no harm.

        Raises:
            ClientGone: The client left.
            SourceUnavailable: The bucket does not take them.
        """
        if self.bucket is not None:
            for result in results.values():
                if result.file is not None:
                    key = f"{self.job}/{result.file}"
                    self.bucket.put(key, self.folder / result.file, media_type=result.media_type, is_active=is_active)
