"""The STAC API of one live collection: limited requests, and none while the API does not answer."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from chronotile.archive.index.apis import PAGES, ApiSearch, Request, is_api, next_request, search_of
from chronotile.archive.index.documents import Document, DocumentReader, MissingDocument, require_document
from chronotile.archive.index.live.positions import require_within
from chronotile.core.errors import AddressRefused, SourceUnavailable, UnsupportedSource
from chronotile.core.model.types import Json
from chronotile.core.web.fetch import TryLater
from chronotile.core.web.inner_hosts import host_of, inner_hosts
from chronotile.pipeline.services import require_remote_waits
from chronotile.readers.remote.gates import GateClosed, TooLate, gates

MAX_S = 10.0
"""Time limit of one request."""
MAX_BYTES = 16 << 20
"""Size of one page."""
MAX_FEATURES = 10_000
"""Features of one page. An API may send more than were requested."""
DESCRIBED_S = 3600.0
"""The description of an API is used for this long."""
MAX_AWAY_S = 60.0
"""Longest pause that an API may request."""


_REASON = "returned no document: "


class RefusedSearch(Exception):
    """An API refuses a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPage:
    """A page of an API."""

    request: Request
    features: tuple[Json, ...]
    next: Request | None
    matched: int | None


class GatedDocuments(DocumentReader):
    """Documents of one API. Each is requested once, through the gate of its server.

    Args:
        host: Host of the API.
        max_s: Time limit of one request.
        clock: Monotonic, in seconds.
    """

    def __init__(self, host: str, *, max_s: float = MAX_S, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(max_bytes=MAX_BYTES, max_s=max_s)
        self._host, self._clock = host, clock
        self._put_off = 0.0, ""
        """End of the pause that the API has requested, and the reason."""

    def ask(
        self, href: str, *, body: Json | None = None, headers: Mapping[str, str] | None = None, is_patient: bool = True
    ) -> Document | None:
        """Return a document; errors are those of `DocumentReader`, without the URL of the API in their messages.

        Raises:
            RemoteWaitRefused: This thread must not wait for the API.
        """
        del is_patient
        gate = gates.of(self._host)
        until_s, reason = self._put_off
        if self._clock() < until_s:
            raise SourceUnavailable(f"its API wants no requests for some seconds: {reason}")
        try:
            gate.require_open()
            require_remote_waits(self._host)
            with gate.passing():
                return self._ask(href, body, headers)
        except TooLate as error:
            raise SourceUnavailable("its API did not answer in time") from error
        except GateClosed as error:
            raise SourceUnavailable(f"its API cannot be requested: {error}") from error

    def _ask(self, href: str, body: Json | None, headers: Mapping[str, str] | None) -> Document | None:
        try:
            return super().ask(href, body=body, headers=headers, is_patient=False)
        except TryLater as error:
            if error.is_late:
                raise TooLate from error
            reason = error.message.rpartition(_REASON)[2]
            if error.after_s:
                self._put_off = self._clock() + min(error.after_s, MAX_AWAY_S), reason
            raise SourceUnavailable(f"its API does not answer now: {reason}") from error


class LiveApi:
    """The API of one collection.

    Args:
        href: The landing page, or the collection.
        max_s: Time limit of one request.
        clock: Monotonic, in seconds.
    """

    def __init__(self, href: str, *, max_s: float = MAX_S, clock: Callable[[], float] = monotonic) -> None:
        inner_hosts.trust(href)
        self._href, self._clock = href, clock
        self._documents = GatedDocuments(host_of(href), max_s=max_s, clock=clock)
        self._described: tuple[float, ApiSearch] | None = None
        self._describing = threading.Lock()
        self.most_items = PAGES[0]
        """Items per page; fewer after the API has refused a page."""

    @property
    def search(self) -> ApiSearch:
        """Parameters of searches, from a description that is at most `DESCRIBED_S` old.

        Raises:
            SourceUnavailable: The API does not answer, or the source is not a STAC API.
            RemoteWaitRefused: This thread must not wait for the API.
        """
        description = self._described
        if description is not None and self._clock() - description[0] < DESCRIBED_S:
            return description[1]
        require_remote_waits(host_of(self._href))
        with self._describing:
            if self._described is description:
                self._described = self._clock(), self._look()
            assert self._described is not None  # noqa: S101 -- set above, or by another thread
            return self._described[1]

    def page(self, request: Request) -> ApiPage:
        """Return a page of items.

        Raises:
            RefusedSearch: The API refuses the request.
            SourceUnavailable: It does not answer, or does not send a page.
            RemoteWaitRefused: This thread must not wait for the API.
        """
        try:
            document = require_document(self._documents.ask(request.href, body=request.body))
        except MissingDocument as error:
            if _REASON not in error.message:
                raise SourceUnavailable(f"its API sends no page of items: {error.message}") from error
            raise RefusedSearch(error.message.rpartition(_REASON)[2]) from error
        features = document.body.get("features")
        if document.body.get("type") == "Feature":
            features = [document.body]
        if not isinstance(features, list) or len(features) > MAX_FEATURES:
            raise SourceUnavailable("its API sends no page of items")
        return ApiPage(
            request=request,
            features=tuple(feature for feature in features if isinstance(feature, dict)),
            next=self._next(document, request),
            matched=_number_matched(document.body),
        )

    def _next(self, document: Document, request: Request) -> Request | None:
        try:
            link_request = next_request(document, request)
            following = None if link_request is None else require_within(link_request, self.search)
        except AddressRefused as error:
            raise SourceUnavailable(f"its API cannot be followed: {error.message}") from error
        if following is not None and following.key == request.key:
            raise SourceUnavailable("its API cannot be followed: a page leads to itself")
        return following

    def _look(self) -> ApiSearch:
        try:
            document = require_document(self._documents.ask(self._href))
            if not is_api(document.body):
                raise SourceUnavailable("its source is not a STAC API, which mode live needs")
            return search_of(document, self._documents)
        except (MissingDocument, UnsupportedSource) as error:
            # The message must not contain the URL.
            reason = error.message.rpartition(_REASON)[2] if _REASON in error.message else "see the log"
            raise SourceUnavailable(f"its API cannot be used: {reason}") from error


def _number_matched(body: Json) -> int | None:
    context: Any = body.get("context")
    count = body.get("numberMatched", context.get("matched") if isinstance(context, dict) else None)
    return count if type(count) is int and count >= 0 else None
