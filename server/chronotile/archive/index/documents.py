"""JSON documents of catalogues from disk, web and S3, limited in bytes, time and attempts."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from stat import S_ISLNK
from time import sleep
from typing import Any, NoReturn
from urllib.parse import urlsplit

import orjson

from chronotile.core.errors import InvalidItem, InvalidParameter, SourceUnavailable, raised_instead
from chronotile.core.model.types import Json
from chronotile.core.web.fetch import TryLater, fetch_if_changed
from chronotile.core.web.places import BUCKETS
from chronotile.readers.file_states import FileState, fingerprint_of
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.remote.requests import Away, Refused, of_bucket, place_of, retry

MAX_BYTES = 64 << 20
"""Size of one document; pages of items usually have about 10 MB."""
MAX_OBJECTS, MAX_LISTS = 500_000, 2_000_000
"""Objects and lists of one document; each takes 50 to 250 bytes of memory, many times its text."""
MAX_S = 60.0
"""Duration of one request: slow databases need long for large pages."""
WAITS_S = (1.0, 4.0, 15.0)
"""Waits before further attempts, unless the server requests another wait."""
MAX_WAIT_S = 60.0
_JSON = {"Accept": "application/geo+json, application/json"}
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A JSON object."""

    href: str
    body: Json
    state: str
    """Changes when the document is replaced; empty if unknown."""


class MissingDocument(InvalidItem):
    """An address has no document, or its document is not a JSON object."""


class DocumentReader:
    """Reads documents.

    Args:
        wait: Waits some seconds before another attempt.
        max_bytes: Size limit of one document of the web.
        max_s: Time limit of one request of the web.
    """

    def __init__(
        self, *, wait: Callable[[float], None] = sleep, max_bytes: int = MAX_BYTES, max_s: float = MAX_S
    ) -> None:
        self._wait, self._max_bytes, self._max_s = wait, max_bytes, max_s

    def waiting_by(self, wait: Callable[[float], None]) -> "DocumentReader":
        """Return a reader of the same documents with another `wait`."""
        return DocumentReader(wait=wait, max_bytes=self._max_bytes, max_s=self._max_s)

    def read(self, href: str, before: str = "") -> Document | None:
        """Return the document at a path or URL; `None` if its state is still `before`.

        Raises:
            MissingDocument: It does not exist.
            SourceUnavailable: It is unreachable.
        """
        path = local_path(href)
        if path is not None:
            return _read_file(path, before)
        if urlsplit(href).scheme in BUCKETS:
            return self._again(lambda: _read_object(href, before))
        return self.ask(href, headers=_condition(before))

    def ask(
        self, href: str, *, body: Json | None = None, headers: Mapping[str, str] | None = None, is_patient: bool = True
    ) -> Document | None:
        """Return the document at an http or https URL; `None` if the server answers that it is unchanged (304).

        Args:
            href: The URL.
            body: Sent by POST; `None`: GET.
            headers: Additional headers.
            is_patient: Whether a failed request is repeated.

        Raises:
            MissingDocument: It does not exist, or the request was refused.
            SourceUnavailable: The server does not answer.
        """
        sent = None if body is None else orjson.dumps(body)
        content_type = {} if body is None else {"Content-Type": "application/json"}

        def request() -> Document | None:
            try:
                answer = fetch_if_changed(
                    href,
                    max_bytes=self._max_bytes,
                    locator=shown_href(href),
                    body=sent,
                    headers={**_JSON, **content_type, **(headers or {})},
                    max_s=self._max_s,
                )
            except InvalidParameter as error:
                raise MissingDocument(error.message.removeprefix(f"{shown_href(href)} ")) from error
            return None if answer is None else parse_document(href, answer.body, answer.tag, self._max_bytes)

        return self._again(request) if is_patient else request()

    def _again(self, request: Callable[[], Document | None]) -> Document | None:
        for wait_s in WAITS_S:
            try:
                return request()
            except TryLater as error:
                self._wait(min(wait_s if error.after_s is None else error.after_s, MAX_WAIT_S))
        return request()


def file_state(path: Path | str, *, is_link_followed: bool = True) -> str:
    """Return a text that changes when a file is replaced; empty for a link that is not followed.

    Raises:
        OSError: The file is missing.
    """
    status = os.stat(path, follow_symlinks=is_link_followed)  # noqa: PTH116 -- three times as fast for a text
    if not is_link_followed and S_ISLNK(status.st_mode):
        return ""
    return state_of(fingerprint_of(status))


def state_of(state: FileState) -> str:
    """Return a text that changes when a file is replaced, or a file that its content depends on."""
    return state.text if state.tag else f"{state.mtime_ns:x}-{state.size:x}-{state.inode:x}"


def _read_file(path: Path, before: str) -> Document | None:
    try:
        state = file_state(path)
        if state == before:
            return None
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise MissingDocument("there is no such file") from error
    except OSError as error:
        raise SourceUnavailable(f"it cannot be read: {error.strerror}") from error
    return parse_document(str(path), data, state)


def _read_object(href: str, before: str) -> Document | None:
    import obstore
    from obstore import exceptions

    place = place_of(href)
    assert place.store is not None  # noqa: S101 -- of S3
    options: dict[str, Any] = {"if_none_match": before} if before else {}

    def request() -> tuple[bytes, str] | None:
        with of_bucket(place.bucket) as gate:
            try:
                answer = obstore.get(place.store, place.key, options=options)  # type: ignore[arg-type]  # a dict of options
            except exceptions.NotModifiedError:
                return None
            gate.hear()
            if answer.meta["size"] > MAX_BYTES:
                _refuse_size()
            return bytes(answer.bytes()), answer.meta["e_tag"] or ""

    try:
        answer_parts = retry(request, None)
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise MissingDocument("there is no such object") from error
        raise SourceUnavailable("its bucket refuses access: are credentials missing?") from error
    except Away as error:
        raise TryLater("its bucket does not answer") from error
    return None if answer_parts is None else parse_document(href, *answer_parts)


def _condition(before: str) -> dict[str, str]:
    if not before:
        return {}
    return {"If-Modified-Since" if _DATE.match(before) else "If-None-Match": before}


def parse_document(href: str, data: bytes, state: str, max_bytes: int = MAX_BYTES) -> Document:
    """Parse a document.

    Raises:
        MissingDocument: It is too large, has too many members, or is not a JSON object.
    """
    if len(data) > max_bytes:
        _refuse_size(max_bytes)
    for sign, kind, limit in ((b"{", "objects", MAX_OBJECTS), (b"[", "lists", MAX_LISTS)):
        if data.count(sign) > limit:
            raise MissingDocument(f"it has more than {limit} {kind}")
    with raised_instead(orjson.JSONDecodeError, MissingDocument("it is not valid JSON")):
        body = orjson.loads(data)
    if not isinstance(body, dict):
        raise MissingDocument("it is not a JSON object")
    return Document(href=href, body=body, state=state)


def _refuse_size(max_bytes: int = MAX_BYTES) -> NoReturn:
    raise MissingDocument(f"it is larger than {max_bytes >> 20} MiB")


def require_document(document: Document | None) -> Document:
    """Return the document of an unconditional request.

    Raises:
        MissingDocument: The server answered 304 nevertheless.
    """
    if document is None:
        raise MissingDocument("its server answers 304 without a condition")
    return document
