"""A file with a fixed fingerprint, read in parts: bytes of two versions are never mixed."""

import os
import stat
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Literal, Protocol, Self
from urllib.parse import unquote, urlsplit

from chronotile.core.errors import SourceChanged, SourceUnavailable, UnknownPath, UnsupportedSource
from chronotile.readers.file_states import FileState, fingerprint_of
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.remote.files import looks
from chronotile.readers.remote.requests import (
    Away,
    ObjectState,
    Refused,
    Replaced,
    WithoutParts,
    ask_document,
    ask_part,
    place_of,
    read_deadline,
    retry,
)
from chronotile.readers.remote.s3_environment import s3_access

READ_BYTES = 1 << 20
"""Bytes per read."""
CHANGED = "a file of this product was written while it was read; request it again"
MISSING = "a file of this product is not at its source now"


class OpenProductFile(Protocol):
    """An open file; used by one thread at a time."""

    def read(self, start: int, stop: int) -> bytes:
        """Return exactly the bytes from `start` to `stop` (exclusive).

        Raises:
            SourceChanged: The file has changed since it was listed.
            SourceUnavailable: The file cannot be read now.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Release resources; none by default."""
        return


@dataclass(frozen=True, slots=True)
class ProductFile:
    """A file of a product, with its fingerprint when it was listed."""

    href: str
    """Absolute path without symbolic links, or URL."""
    state: FileState
    whole: bytes | None = None
    """The whole contents, if the server does not support range requests."""

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.state.size

    @property
    def tag(self) -> str | None:
        """A text that changes with the contents; `None` for a remote file whose server sends no ETag or time."""
        state = self.state
        if not (state.mtime_ns or state.tag.startswith('"')):
            return None
        return f"{state.mtime_ns:x}-{state.size:x}-{state.inode:x}-{state.tag}"

    def open(self) -> OpenProductFile:
        """Open the file.

        Raises:
            SourceChanged: The file has changed since it was listed.
            SourceUnavailable: The file cannot be read now.
        """
        if self.whole is not None:
            return _BytesFile(self.whole)
        path = local_path(self.href)
        return _OpenRemoteFile(self) if path is None else _LocalFile(str(path), self.state)


def name_of(href: str) -> str:
    """Return the last part of a path or URL, without percent-encoding."""
    if local_path(href) is not None:
        return base_name(href)
    return unquote(urlsplit(href).path.rstrip("/").rpartition("/")[2], errors="replace")


def file_at(href: str, *, in_parts: bool = False) -> ProductFile:
    """Return a file with its current fingerprint.

    Args:
        href: An absolute path without symbolic links, or a URL; already checked against the allowed locations.
        in_parts: Require range requests. Otherwise files of up to `READ_BYTES` are read whole if the server has none.

    Raises:
        UnknownPath: The file does not exist.
        SourceUnavailable: The file cannot be read now.
        WithoutParts: The server does not support range requests.
    """
    path = local_path(href)
    if path is None:
        return _remote_file(href, in_parts=in_parts)
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnknownPath(MISSING) from error
    except OSError as error:
        raise SourceUnavailable("a file of this product cannot be read now") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnknownPath(MISSING)
    return ProductFile(str(path), fingerprint_of(status))


def _remote_file(href: str, *, in_parts: bool) -> ProductFile:
    try:
        object_state = looks.state(href)
    except UnsupportedSource as error:
        raise SourceUnavailable(error.message) from error
    except WithoutParts as error:
        if in_parts:
            raise
        return _whole_remote_file(href, str(error))
    except Refused as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise UnknownPath(MISSING) from error
        # Servers refuse a range request to an empty file.
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return ProductFile(href, FileState(0, 0, 0))
        raise SourceUnavailable(f"a file of this product cannot be read now: {error}") from error
    except OSError as error:
        raise SourceUnavailable(f"a file of this product cannot be read now: {error}") from error
    return ProductFile(href, FileState(object_state.modified_ns, object_state.size, 0, object_state.tag))


def _whole_remote_file(href: str, reason: str) -> ProductFile:
    """A file from a server without range requests, usually a picture that the server renders."""
    try:
        data = retry(lambda: ask_document(place_of(href), READ_BYTES), read_deadline())
    except (UnsupportedSource, OSError) as error:
        raise SourceUnavailable(f"a file of this product cannot be read now: {reason}") from error
    return ProductFile(href, FileState(0, len(data), 0, f'"{sha256(data).hexdigest()}"'), data)


class _LocalFile(OpenProductFile):
    def __init__(self, path: str, state: FileState) -> None:
        self._state = state
        try:
            # Links were resolved with the check of the path. Without `O_NONBLOCK`, a pipe would wait for a writer.
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceChanged(CHANGED) from error
        self._file = open(number, "rb", buffering=0)  # noqa: PTH123, SIM115 -- from a descriptor; `__exit__` closes it
        try:
            self._require_state()
        except SourceChanged:
            self._file.close()
            raise

    def read(self, start: int, stop: int) -> bytes:
        try:
            data = os.pread(self._file.fileno(), stop - start, start)
            while len(data) < stop - start:
                more = os.pread(self._file.fileno(), stop - start - len(data), start + len(data))
                if not more:
                    raise SourceChanged(CHANGED)
                data += more
        except OSError as error:
            raise SourceUnavailable("a file of this product cannot be read now") from error
        self._require_state()
        return data

    def _require_state(self) -> None:
        status = os.fstat(self._file.fileno())
        # Replacing the name of an open file changes its ctime only.
        now, before = (state._replace(ctime_ns=0) for state in (fingerprint_of(status), self._state))
        if not stat.S_ISREG(status.st_mode) or now != before:
            raise SourceChanged(CHANGED)

    def __exit__(self, *_error: object) -> None:
        self._file.close()


class _BytesFile(OpenProductFile):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, stop: int) -> bytes:
        return self._data[start:stop]


class _OpenRemoteFile(OpenProductFile):
    def __init__(self, file: ProductFile) -> None:
        self._href = file.href
        self._place = place_of(file.href)
        self._state = ObjectState(file.state.mtime_ns, file.state.size, file.state.tag)

    def read(self, start: int, stop: int) -> bytes:
        try:
            data, state = retry(lambda: ask_part(self._place, start, stop, self._state), read_deadline())
        except Replaced as error:
            looks.forget(self._href)
            raise SourceChanged(CHANGED) from error
        except Away as error:
            raise SourceUnavailable(f"a file of this product cannot be read now: {error}") from error
        if state != self._state or len(data) != stop - start:
            looks.forget(self._href)
            raise SourceChanged(CHANGED)
        return data


# URLs from which clients fetch a file from its bucket directly.

SIGNED_S = 300
"""Validity of a signed URL in seconds; a download that has started continues after it."""


def signed_url(href: str, method: Literal["GET", "HEAD"]) -> str | None:
    """Return a URL that allows any client this method on an S3 object; `None` if the server must send the file.

    `None` is returned for other remote files, for anonymous access, and for buckets whose requester pays.

    Raises:
        SourceUnavailable: There are no credentials.
    """
    if not href.startswith("s3://"):
        return None
    access = s3_access()
    place = place_of(href, access)
    if access.is_anonymous or access.is_paying or place.store is None:
        return None
    import obstore
    from obstore.exceptions import BaseError

    try:
        return obstore.sign(place.store, method, place.key, timedelta(seconds=SIGNED_S))  # type: ignore[arg-type]  # a bucket of S3
    except (BaseError, OSError) as error:
        raise SourceUnavailable("a file of this product cannot be read now: no access to its bucket") from error
