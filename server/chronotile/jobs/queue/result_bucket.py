"""Result files as objects in a bucket of S3 or of an S3-compatible store."""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from chronotile.core.bucket_url import bucket_and_prefix
from chronotile.core.errors import ClientGone, ConfigurationError, SourceUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

SIGNED_S = 300
"""Lifetime of a signed URL; a download that has started continues after it."""
PART_BYTES = 8 << 20
"""Bytes of a file per request."""
PARTS_AT_ONCE = 4
MAX_PARTS = 10_000
"""Maximum number of parts per object in S3."""
READ_BYTES = 1 << 20
CONNECT_S = 5
PATIENCE_S = 10
"""Patience with the store while a client waits for the answer."""
WORKERS_PATIENCE_S = 60
"""Patience of a worker with the store; afterwards, the job is restarted."""
PART_TIMES = 10
"""Factor of the time limit for requests that carry a part of a file: a slow line is not a failing store."""
AWAY = "the result store is unreachable"
RESULT_GONE = "the file of this result is gone"

log = logging.getLogger(__name__)


class Bucket:
    """Objects below a prefix. Thread-safe.

    The address and the credentials of the store come from the usual environment variables of S3:
    `AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` and others.

    Args:
        url: `s3://bucket/prefix`.
        patience_s: Timeout of a request, multiplied by `PART_TIMES` if it carries a part of a file; also the time
            during which a failing request is repeated.

    Raises:
        ConfigurationError: The URL does not have that form, an environment variable is invalid, or obstore is not
            installed.
    """

    def __init__(self, url: str, *, patience_s: float) -> None:
        self.url = url.rstrip("/")
        patience = timedelta(seconds=patience_s)
        self._store = _store(url, patience, timeout=patience)
        self._store_of_parts = _store(url, patience, timeout=PART_TIMES * patience)

    def put(self, key: str, file: Path, *, media_type: str, is_active: Callable[[], bool] = lambda: True) -> None:
        """Store a file as an object, complete or not at all; an object with the same key is replaced.

        Args:
            key: Key below the prefix.
            file: It is read in parts.
            media_type: Media type of the object. Browsers save it under the name of the file.
            is_active: Called repeatedly for files above `PART_BYTES`; the upload stops when it returns `False`.

        Raises:
            ClientGone: `is_active` returned `False`.
            SourceUnavailable: The store does not accept the object, or the file is missing.
        """
        disposition = f'attachment; filename="{file.name}"'
        with _open(file) as opened, _store_faults():
            size = os.fstat(opened.fileno()).st_size
            self._store_of_parts.put(
                key,
                opened.read() if size <= PART_BYTES else _read(opened, is_active),
                attributes={"Content-Type": media_type, "Content-Disposition": disposition},
                chunk_size=max(PART_BYTES, -(-size // MAX_PARTS)),
                max_concurrency=PARTS_AT_ONCE,
            )

    def size(self, key: str) -> int:
        """Return the size of an object in bytes.

        Raises:
            SourceUnavailable: The object is missing, or the store is unreachable.
        """
        with _store_faults(missing=RESULT_GONE):
            return self._store.head(key)["size"]

    def iter_bytes(self, key: str) -> Iterator[bytes]:
        """Yield the bytes of an object in pieces of at most 1 MiB.

        Raises:
            SourceUnavailable: The object is missing, or the store is unreachable.
        """
        size = self.size(key)
        for start in range(0, size, PART_BYTES):
            with _store_faults(missing=RESULT_GONE):
                part = memoryview(self._store_of_parts.get_range(key, start=start, end=min(start + PART_BYTES, size)))
            for at in range(0, len(part), READ_BYTES):
                yield bytes(part[at : at + READ_BYTES])

    def sign_url(self, key: str, method: Literal["GET", "HEAD"]) -> str:
        """Return a URL that allows any client this method on this object for `SIGNED_S` seconds.

        Raises:
            SourceUnavailable: Credentials are missing.
        """
        import obstore

        with _store_faults():
            return obstore.sign(self._store, method, key, timedelta(seconds=SIGNED_S))

    def remove(self, folder: str) -> None:
        """Remove all objects whose keys begin with `folder` and a slash.

        Raises:
            SourceUnavailable: The store is unreachable or refuses.
        """
        with _store_faults():
            for entries in self._store.list(folder):
                self._store.delete([entry["path"] for entry in entries])

    def try_out(self) -> None:
        """Write, read and remove an empty object.

        Raises:
            SourceUnavailable: The store is unreachable or refuses.
        """
        folder = f"trial-{secrets.token_hex(8)}"
        with _store_faults():
            self._store.put(f"{folder}/nothing", b"")
        self.size(f"{folder}/nothing")
        self.remove(folder)


def open_bucket(url: str | None, *, patience_s: float) -> Bucket | None:
    """Return the bucket of a URL; `None` without a URL.

    Raises:
        ConfigurationError: See `Bucket`.
    """
    return None if url is None else Bucket(url, patience_s=patience_s)


def _store(url: str, patience: timedelta, *, timeout: timedelta) -> "S3Store":
    bucket, prefix = bucket_and_prefix(url, "CHRONOTILE_JOBS_RESULTS_URL")
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    try:
        return S3Store(
            bucket,
            prefix=prefix,
            # An operator who configures an endpoint with http:// wants plain HTTP.
            client_options={"allow_http": True, "connect_timeout": timedelta(seconds=CONNECT_S), "timeout": timeout},
            retry_config={"retry_timeout": patience},
        )
    except BaseError as error:
        raise ConfigurationError([f"the result store: {_words(error)}"]) from error


def _open(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        log.error("a result file: %s", error)  # noqa: TRY400 -- its words say it all
        raise SourceUnavailable("a result file disappeared before it was stored") from error


def _read(file: BinaryIO, is_active: Callable[[], bool]) -> Iterator[bytes]:
    while part := file.read(READ_BYTES):
        if not is_active():
            raise ClientGone("no client is waiting any more")
        yield part


@contextmanager
def _store_faults(*, missing: str = AWAY) -> Iterator[None]:
    """Log errors of the store, and raise `SourceUnavailable` instead, without names of hosts and buckets.

    Args:
        missing: Message if the object does not exist.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        log.error("the result store: %s", _words(error))  # noqa: TRY400 -- its words say it all
        raise SourceUnavailable(missing if isinstance(error, FileNotFoundError) else AWAY) from error


def _words(error: Exception) -> str:
    return str(error).partition("\n\nDebug source")[0]
