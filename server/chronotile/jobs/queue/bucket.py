"""A place in a bucket of S3, or of a store that speaks as S3 does."""

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
"""How long a signed URL opens an object; what was begun by then goes on."""
PART_BYTES = 8 << 20
"""Of a file, sent or read in one request."""
PARTS_AT_ONCE = 4
MAX_PARTS = 10_000
"""Of one object, as S3 allows it."""
READ_BYTES = 1 << 20
CONNECT_S = 5
PATIENCE_S = 10
"""With a store, where a client waits for the answer."""
WORKERS_PATIENCE_S = 60
"""Of who has a job begun again then."""
PART_TIMES = 10
"""Factor by which the time limit is longer for requests with a part of a file: a slow line is not a failing store."""
AWAY = "the result store is unreachable"
RESULT_GONE = "the file of this result is gone"

log = logging.getLogger(__name__)


class Bucket:
    """Objects below a prefix; any thread may ask.

    The store's address and credentials are in the variables of all programs that use S3: `AWS_ENDPOINT_URL_S3`,
    `AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on.

    Args:
        url: `s3://bucket/prefix`.
        patience_s: How long a request may take, `PART_TIMES` as long if it carries a part of a file; and how long one
            that fails is tried again.

    Raises:
        ConfigurationError: The URL is not one of that form, one of those variables has no such value, or obstore is not
            installed.
    """

    def __init__(self, url: str, *, patience_s: float) -> None:
        self.url = url.rstrip("/")
        patience = timedelta(seconds=patience_s)
        self._store = _store(url, patience, timeout=patience)
        self._store_of_parts = _store(url, patience, timeout=PART_TIMES * patience)

    def put(self, key: str, file: Path, *, media_type: str, is_active: Callable[[], bool] = lambda: True) -> None:
        """Store a file as an object, whole or not at all; an object with that key is replaced.

        Args:
            key: Below the prefix.
            file: Is read in parts.
            media_type: Of the object; browsers save it under the name of the file.
            is_active: Called repeatedly; once it returns `False`, the rest is not sent.

        Raises:
            ClientGone: The client left.
            SourceUnavailable: The store does not accept it, or the file is gone.
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
        """Return how large an object is, in bytes.

        Raises:
            SourceUnavailable: It is gone, or the store out of reach.
        """
        with _store_faults(missing=RESULT_GONE):
            return self._store.head(key)["size"]

    def iter_bytes(self, key: str) -> Iterator[bytes]:
        """Give an object, at most a MiB at a time.

        Raises:
            SourceUnavailable: It is gone, or the store out of reach.
        """
        size = self.size(key)
        for start in range(0, size, PART_BYTES):
            with _store_faults(missing=RESULT_GONE):
                part = memoryview(self._store_of_parts.get_range(key, start=start, end=min(start + PART_BYTES, size)))
            for at in range(0, len(part), READ_BYTES):
                yield bytes(part[at : at + READ_BYTES])

    def sign_url(self, key: str, method: Literal["GET", "HEAD"]) -> str:
        """Return a signed URL that allows any client this method on this object, for `SIGNED_S`.

        Raises:
            SourceUnavailable: There are no credentials.
        """
        import obstore

        with _store_faults():
            return obstore.sign(self._store, method, key, timedelta(seconds=SIGNED_S))

    def remove(self, folder: str) -> None:
        """Remove all objects whose keys begin with `folder` and a slash.

        Raises:
            SourceUnavailable: The store is out of reach, or does not let us.
        """
        with _store_faults():
            for some in self._store.list(folder):
                self._store.delete([each["path"] for each in some])

    def try_out(self) -> None:
        """Do once what is done with results, with an object of no bytes.

        Raises:
            SourceUnavailable: The store is out of reach, or does not let us.
        """
        folder = f"trial-{secrets.token_hex(8)}"
        with _store_faults():
            self._store.put(f"{folder}/nothing", b"")
        self.size(f"{folder}/nothing")
        self.remove(folder)


def open_bucket(url: str | None, *, patience_s: float) -> Bucket | None:
    """Return the bucket of a URL, if there is one.

    Raises:
        ConfigurationError: As `Bucket`.
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
            # An endpoint that is named with http:// is meant so.
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
    """What the store says names hosts and buckets: it goes to the log alone."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        log.error("the result store: %s", _words(error))  # noqa: TRY400 -- its words say it all
        raise SourceUnavailable(missing if isinstance(error, FileNotFoundError) else AWAY) from error


def _words(error: Exception) -> str:
    return str(error).partition("\n\nDebug source")[0]
