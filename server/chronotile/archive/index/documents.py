"""JSON documents of catalogues: of this machine, of the web and of S3, bounded in bytes, time and attempts."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from stat import S_ISLNK
from time import sleep
from typing import Any, NoReturn

import orjson

from chronotile.core.errors import InvalidItem, InvalidParameter, SourceUnavailable, raised_instead
from chronotile.core.model.types import Json
from chronotile.core.web.fetch import TryLater, fetch_if_changed
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.remote.requests import Away, Refused, of_bucket, place_of, retry

MOST_BYTES = 64 << 20
"""Of one document; of a page of items about 10 MB are usual."""
MAX_OBJECTS, MAX_LISTS = 500_000, 2_000_000
"""Of a document; in memory each takes 50 to 250 bytes, many times its text."""
MOST_S = 60.0
"""How long one request may take: large pages of slow databases."""
WAITS_S = (1.0, 4.0, 15.0)
"""Before a further attempt, unless the server states a time."""
MOST_WAIT_S = 60.0
_JSON = {"Accept": "application/geo+json, application/json"}
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A JSON object."""

    href: str
    body: Json
    state: str
    """What changes when it is replaced; empty: not known."""


class MissingDocument(InvalidItem):
    """There is no document at an address, or it is not a JSON object."""


class Documents:
    """Reads documents.

    Args:
        wait: Waits so many seconds before a further attempt.
        most_bytes: Of one document of the web.
        most_s: How long one request of the web may take.
    """

    def __init__(
        self, *, wait: Callable[[float], None] = sleep, most_bytes: int = MOST_BYTES, most_s: float = MOST_S
    ) -> None:
        self._wait, self._most_bytes, self._most_s = wait, most_bytes, most_s

    def waiting_by(self, wait: Callable[[float], None]) -> "Documents":
        """Return what reads the same documents, and waits in another way before a further attempt."""
        return Documents(wait=wait, most_bytes=self._most_bytes, most_s=self._most_s)

    def read(self, href: str, before: str = "") -> Document | None:
        """Return the document at a path or URL; nothing if it is in the state of before.

        Raises:
            MissingDocument: There is none.
            SourceUnavailable: It cannot be read now.
        """
        path = local_path(href)
        if path is not None:
            return _read_file(path, before)
        if href.startswith("s3://"):
            return self._again(lambda: _read_object(href, before))
        return self.ask(href, headers=_condition(before))

    def ask(
        self, href: str, *, body: Json | None = None, headers: Mapping[str, str] | None = None, is_patient: bool = True
    ) -> Document | None:
        """Return what an http or https URL gives, by POST if there is a body; nothing if it is as the headers name.

        Args:
            href: Where it is.
            body: Sent by POST; `None`: GET.
            headers: Of the request.
            is_patient: Whether a request that fails is repeated.

        Raises:
            MissingDocument: There is none, or the request was refused.
            SourceUnavailable: There is no answer now.
        """
        sent = None if body is None else orjson.dumps(body)
        of_body = {} if body is None else {"Content-Type": "application/json"}

        def request() -> Document | None:
            try:
                answer = fetch_if_changed(
                    href,
                    max_bytes=self._most_bytes,
                    locator=shown_href(href),
                    body=sent,
                    headers={**_JSON, **of_body, **(headers or {})},
                    most_s=self._most_s,
                )
            except InvalidParameter as error:
                raise MissingDocument(error.message.removeprefix(f"{shown_href(href)} ")) from error
            return None if answer is None else parse_document(href, answer.body, answer.tag, self._most_bytes)

        return self._again(request) if is_patient else request()

    def _again(self, request: Callable[[], Document | None]) -> Document | None:
        for wait_s in WAITS_S:
            try:
                return request()
            except TryLater as error:
                self._wait(min(wait_s if error.after_s is None else error.after_s, MOST_WAIT_S))
        return request()


def file_state(path: Path | str, *, is_link_followed: bool = True) -> str:
    """Return what changes when a file is replaced; nothing of a link that is not followed.

    Raises:
        OSError: It is not there.
    """
    status = os.stat(path, follow_symlinks=is_link_followed)  # noqa: PTH116 -- of a text a third of its time
    if not is_link_followed and S_ISLNK(status.st_mode):
        return ""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _read_file(path: Path, before: str) -> Document | None:
    try:
        state = file_state(path)
        if state == before:
            return None
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
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
            if answer.meta["size"] > MOST_BYTES:
                _refuse_size()
            return bytes(answer.bytes()), answer.meta["e_tag"] or ""

    try:
        found = retry(request, None)
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise MissingDocument("there is no such object") from error
        raise SourceUnavailable("its bucket refuses access: are credentials missing?") from error
    except Away as error:
        raise TryLater("its bucket does not answer") from error
    return None if found is None else parse_document(href, *found)


def _condition(before: str) -> dict[str, str]:
    if not before:
        return {}
    return {"If-Modified-Since" if _DATE.match(before) else "If-None-Match": before}


def parse_document(href: str, data: bytes, state: str, most_bytes: int = MOST_BYTES) -> Document:
    """Return the document of a body.

    Raises:
        MissingDocument: It is too large, has too many members, or is not a JSON object.
    """
    if len(data) > most_bytes:
        _refuse_size(most_bytes)
    for sign, kind, limit in ((b"{", "objects", MAX_OBJECTS), (b"[", "lists", MAX_LISTS)):
        if data.count(sign) > limit:
            raise MissingDocument(f"it has more than {limit} {kind}")
    with raised_instead(orjson.JSONDecodeError, MissingDocument("it is not valid JSON")):
        body = orjson.loads(data)
    if not isinstance(body, dict):
        raise MissingDocument("it is not a JSON object")
    return Document(href=href, body=body, state=state)


def _refuse_size(most_bytes: int = MOST_BYTES) -> NoReturn:
    raise MissingDocument(f"it is larger than {most_bytes >> 20} MiB")


def required(document: Document | None) -> Document:
    """Return a document that was requested without a condition.

    Raises:
        MissingDocument: Its server answers that it has not changed.
    """
    if document is None:
        raise MissingDocument("its server answers 304 without a condition")
    return document
