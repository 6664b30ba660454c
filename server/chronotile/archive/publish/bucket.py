"""A catalogue in a bucket of S3 or of a compatible store."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta

from chronotile.core.bucket_url import bucket_and_prefix
from chronotile.core.errors import WriteFailed
from chronotile.readers.remote.s3_environment import s3_access

CONNECT_S = 5
REQUEST_S = 60
PART_BYTES = 16 << 20
"""Size of a part, sent in one request. An object has at most 10,000 parts, so files are limited to 156 GiB."""
PARTS_AT_ONCE = 2

log = logging.getLogger(__name__)


class BucketTarget:
    """Objects below a prefix. The root document is written last, so readers never find an incomplete catalogue.

    Endpoint and credentials are read from the usual environment variables of S3 clients: `AWS_ENDPOINT_URL_S3`,
    `AWS_REGION`, `AWS_ACCESS_KEY_ID` and others.

    Args:
        url: `s3://bucket/prefix`.

    Raises:
        ConfigurationError: The URL has another form, or obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        bucket, prefix = bucket_and_prefix(url, "--to", otherwise="a folder or ")
        from obstore.store import S3Store

        self.name = url.rstrip("/")
        self._store = S3Store(
            bucket,
            prefix=prefix,
            **s3_access().obstore_config(),
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=CONNECT_S),
                "timeout": timedelta(seconds=REQUEST_S),
            },
            retry_config={"retry_timeout": timedelta(seconds=REQUEST_S)},
        )

    def alone(self) -> AbstractContextManager[None]:
        """Return an empty context: a bucket has no locks."""
        return nullcontext()

    def read(self, path: str) -> bytes | None:
        """Return a document; `None` if it is missing."""
        import obstore

        with self._faults():
            try:
                return bytes(obstore.get(self._store, path).bytes())
            except FileNotFoundError:
                return None

    def size(self, path: str) -> int | None:
        """Return the size of an object in bytes; `None` if it is missing."""
        import obstore

        with self._faults():
            try:
                return obstore.head(self._store, path)["size"]
            except FileNotFoundError:
                return None

    def write(self, path: str, data: bytes, *, media_type: str) -> None:
        """Write a document."""
        import obstore

        with self._faults():
            obstore.put(self._store, path, data, attributes={"Content-Type": media_type})

    def store(self, path: str, parts: Iterable[bytes], *, media_type: str) -> None:
        """Write an object part by part; it appears when it is complete."""
        import obstore

        source = _UploadParts(parts)
        with self._faults(source):
            obstore.put(
                self._store,
                path,
                source,
                attributes={"Content-Type": media_type},
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )

    def remove(self, path: str) -> None:
        """Remove an object, which may be missing."""
        import obstore

        with self._faults(), suppress(FileNotFoundError):
            obstore.delete(self._store, path)

    def remove_folder(self, path: str) -> None:
        """Remove all objects below a path."""
        import obstore

        with self._faults():
            for objects in obstore.list(self._store, path):
                obstore.delete(self._store, [o["path"] for o in objects])

    def is_empty(self) -> bool:
        """Return whether no object exists."""
        import obstore

        with self._faults():
            return not any(some for some in obstore.list(self._store, chunk_size=1))

    def finish(self) -> None:
        """Do nothing: objects are written under their final names."""

    @contextmanager
    def _faults(self, source: "_UploadParts | None" = None) -> Iterator[None]:
        """Log errors of the store, which name hosts, and raise `WriteFailed`; raise errors of `source` unchanged."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            if source is not None and source.failure is not None:
                raise source.failure from error
            log.error("%s: %s", self.name, str(error).partition("\n\nDebug source")[0])  # noqa: TRY400 -- the message suffices
            raise WriteFailed(f"{self.name} cannot be written or read: see the messages above") from error


class _UploadParts:
    """Parts of a file; stores the error of reading them, which obstore does not pass on."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts
        except Exception as error:
            self.failure = error
            raise
