"""One file in one state, read in parts: bytes of two states are never mixed."""

import os
import stat
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Literal, Protocol, Self
from urllib.parse import unquote, urlsplit

from chronotile.core.errors import SourceChanged, SourceUnavailable, UnknownPath, UnsupportedSource
from chronotile.readers.hrefs import FileState, base_name, fingerprint_of, local_path
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
"""Of a file at once."""
CHANGED = "a file of this product was written while it was read; request it again"
MISSING = "a file of this product is not at its source now"


class OpenFile(Protocol):
    """A file that is read; one thread at a time."""

    def read(self, start: int, stop: int) -> bytes:
        """Return bytes from `start` up to `stop`, all of them.

        Raises:
            SourceChanged: The file is not in its state any more.
            SourceUnavailable: It cannot be read now.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Let go of what is held, by default nothing."""
        return


@dataclass(frozen=True, slots=True)
class ProductFile:
    """A file of a product in the state in which it was found."""

    href: str
    """Absolute path without links, or URL."""
    state: FileState
    whole: bytes | None = None
    """All of it, where its server sends no parts."""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.state.size

    @property
    def tag(self) -> str | None:
        """A text that changes with its bytes; `None` of a file elsewhere whose server does not tell its state."""
        state = self.state
        if not (state.mtime_ns or state.tag.startswith('"')):
            return None
        return f"{state.mtime_ns:x}-{state.size:x}-{state.inode:x}-{state.tag}"

    def open(self) -> OpenFile:
        """Return it, open.

        Raises:
            SourceChanged: It is not in its state any more.
            SourceUnavailable: It cannot be read now.
        """
        if self.whole is not None:
            return _Whole(self.whole)
        path = local_path(self.href)
        return _Elsewhere(self) if path is None else _Here(str(path), self.state)


def name_of(href: str) -> str:
    """Return the last part of a path or URL, without percent-encoding."""
    if local_path(href) is not None:
        return base_name(href)
    return unquote(urlsplit(href).path.rstrip("/").rpartition("/")[2], errors="replace")


def file_at(href: str, *, in_parts: bool = False) -> ProductFile:
    """Return a file in its state of now.

    Args:
        href: An absolute path without links, or a URL; its place is allowed.
        in_parts: Whether its server must send parts of it; otherwise up to `READ_BYTES` are read as a whole.

    Raises:
        UnknownPath: There is none.
        SourceUnavailable: It cannot be read now.
        WithoutParts: Its server sends no parts.
    """
    path = local_path(href)
    if path is None:
        return _file_elsewhere(href, in_parts=in_parts)
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnknownPath(MISSING) from error
    except OSError as error:
        raise SourceUnavailable("a file of this product cannot be read now") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnknownPath(MISSING)
    return ProductFile(str(path), fingerprint_of(status))


def _file_elsewhere(href: str, *, in_parts: bool) -> ProductFile:
    try:
        found = looks.state(href)
    except UnsupportedSource as error:
        raise SourceUnavailable(error.message) from error
    except WithoutParts as error:
        if in_parts:
            raise
        return _whole_elsewhere(href, str(error))
    except Refused as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise UnknownPath(MISSING) from error
        # A range request to an empty file is refused, though it is there.
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return ProductFile(href, FileState(0, 0, 0))
        raise SourceUnavailable(f"a file of this product cannot be read now: {error}") from error
    except OSError as error:
        raise SourceUnavailable(f"a file of this product cannot be read now: {error}") from error
    return ProductFile(href, FileState(found.modified_ns, found.size, 0, found.tag))


def _whole_elsewhere(href: str, reason: str) -> ProductFile:
    """A file of which no parts are sent: a picture that its server draws, as a rule."""
    try:
        data = retry(lambda: ask_document(place_of(href), READ_BYTES), read_deadline())
    except (UnsupportedSource, OSError) as error:
        raise SourceUnavailable(f"a file of this product cannot be read now: {reason}") from error
    return ProductFile(href, FileState(0, len(data), 0, f'"{sha256(data).hexdigest()}"'), data)


class _Here(OpenFile):
    def __init__(self, path: str, state: FileState) -> None:
        self._state = state
        try:
            # Links were followed when its place was checked; a pipe in its place would wait for a writer.
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceChanged(CHANGED) from error
        self._file = open(number, "rb", buffering=0)  # noqa: PTH123, SIM115 -- of a descriptor; `__exit__` closes it
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
        # Of a file whose name another one takes over, the time of change alone is new.
        now, before = (each._replace(ctime_ns=0) for each in (fingerprint_of(status), self._state))
        if not stat.S_ISREG(status.st_mode) or now != before:
            raise SourceChanged(CHANGED)

    def __exit__(self, *_error: object) -> None:
        self._file.close()


class _Whole(OpenFile):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, stop: int) -> bytes:
        return self._data[start:stop]


class _Elsewhere(OpenFile):
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


# Addresses at which clients fetch a file from its bucket themselves.

SIGNED_S = 300
"""How long a signed URL opens a file; what was begun by then goes on."""


def signed_url(href: str, method: Literal["GET", "HEAD"]) -> str | None:
    """Return a URL that allows any client this method on a file of S3; `None` where the server has to send the file.

    That is so of files elsewhere, and of buckets whose requests are not signed, or paid for by who sends them.

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
