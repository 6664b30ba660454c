"""One STAC API whose collection is served live: requests within bounds, and none while it does not answer."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import orjson

from chronotile.archive.index.apis import ApiSearch, Request, is_api, next_request, search_of
from chronotile.archive.index.documents import Document, Documents, MissingDocument, required
from chronotile.archive.index.live.requests import PAGES
from chronotile.core.errors import AddressRefused, InvalidParameter, SourceUnavailable, UnsupportedSource
from chronotile.core.model.types import Json
from chronotile.core.web.fetch import TryLater
from chronotile.core.web.inner_hosts import host_of, inner_hosts
from chronotile.core.web.item_places import split_query
from chronotile.core.web.places import AllowedPlaces, Outside
from chronotile.pipeline.services import require_remote_waits
from chronotile.readers.remote.gates import GateClosed, TooLate, gates

MOST_S = 10.0
"""How long one request may take."""
MOST_BYTES = 16 << 20
"""Of one page."""
MOST_FEATURES = 10_000
"""Of one page; others than were requested are not looked at for ever."""
DESCRIBED_S = 3600.0
"""How long is remembered what an API can do."""
MOST_AWAY_S = 60.0
"""The longest time that an API may ask not to be requested."""


_REASON = "returned no document: "


class RefusedSearch(Exception):
    """An API answers that it does not take a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPage:
    """A page as an API sends it."""

    request: Request
    features: tuple[Json, ...]
    next: Request | None
    matched: int | None


class GatedDocuments(Documents):
    """Documents of one API, requested once, through the gate of its server.

    Args:
        host: Of the API.
        most_s: How long one request may take.
        clock: Monotonic, in seconds.
    """

    def __init__(self, host: str, *, most_s: float = MOST_S, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(most_bytes=MOST_BYTES, most_s=most_s)
        self._host, self._clock = host, clock
        self._put_off = 0.0, ""
        """Until when the API wants no requests, and what it said."""

    def ask(
        self, href: str, *, body: Json | None = None, headers: Mapping[str, str] | None = None, is_patient: bool = True
    ) -> Document | None:
        """Return what the API gives; errors are those of `Documents`, whose messages do not name its address.

        Raises:
            RemoteWaitRefused: This thread may not wait for it.
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
                self._put_off = self._clock() + min(error.after_s, MOST_AWAY_S), reason
            raise SourceUnavailable(f"its API does not answer now: {reason}") from error


class LiveApi:
    """The API of one collection.

    Args:
        href: The landing page, or the collection.
        most_s: How long one request may take.
        clock: Monotonic, in seconds.
    """

    def __init__(self, href: str, *, most_s: float = MOST_S, clock: Callable[[], float] = monotonic) -> None:
        inner_hosts.trust(href)
        self._href, self._clock = href, clock
        self._documents = GatedDocuments(host_of(href), most_s=most_s, clock=clock)
        self._described: tuple[float, ApiSearch] | None = None
        self._describing = threading.Lock()
        self.most_items = PAGES[0]
        """Of a page: fewer once the API was seen to refuse as many."""

    @property
    def search(self) -> ApiSearch:
        """How items are requested, as the API described it some time ago at most.

        Raises:
            SourceUnavailable: It does not answer, or its source is not a STAC API.
            RemoteWaitRefused: This thread may not wait for it.
        """
        known = self._described
        if known is not None and self._clock() - known[0] < DESCRIBED_S:
            return known[1]
        require_remote_waits(host_of(self._href))
        with self._describing:
            if self._described is known:
                self._described = self._clock(), self._look()
            assert self._described is not None  # noqa: S101 -- set above, or by the thread before
            return self._described[1]

    def page(self, request: Request) -> ApiPage:
        """Return a page of items.

        Raises:
            RefusedSearch: The API does not take the request.
            SourceUnavailable: It does not answer, or sends something else than a page.
            RemoteWaitRefused: This thread may not wait for it.
        """
        try:
            document = required(self._documents.ask(request.href, body=request.body))
        except MissingDocument as error:
            if _REASON not in error.message:
                raise SourceUnavailable(f"its API sends no page of items: {error.message}") from error
            raise RefusedSearch(error.message.rpartition(_REASON)[2]) from error
        features = document.body.get("features")
        if document.body.get("type") == "Feature":
            features = [document.body]
        if not isinstance(features, list) or len(features) > MOST_FEATURES:
            raise SourceUnavailable("its API sends no page of items")
        return ApiPage(
            request=request,
            features=tuple(each for each in features if isinstance(each, dict)),
            next=self._next(document, request),
            matched=_matched(document.body),
        )

    def _next(self, document: Document, request: Request) -> Request | None:
        try:
            found = next_request(document, request)
            following = None if found is None else within(found, self.search)
        except AddressRefused as error:
            raise SourceUnavailable(f"its API cannot be followed: {error.message}") from error
        if following is not None and following.key == request.key:
            raise SourceUnavailable("its API cannot be followed: a page leads to itself")
        return following

    def _look(self) -> ApiSearch:
        try:
            document = required(self._documents.ask(self._href))
            if not is_api(document.body):
                raise SourceUnavailable("its source is not a STAC API, which mode live needs")
            return search_of(document, self._documents)
        except (MissingDocument, UnsupportedSource) as error:
            # Without the address that it is about.
            reason = error.message.rpartition(_REASON)[2] if _REASON in error.message else "see the log"
            raise SourceUnavailable(f"its API cannot be used: {reason}") from error


def _matched(body: Json) -> int | None:
    context: Any = body.get("context")
    found = body.get("numberMatched", context.get("matched") if isinstance(context, dict) else None)
    return found if type(found) is int and found >= 0 else None


# Where a walk through the pages of an API stands, as text that clients give back, and which addresses it may lead to.
#
# Anyone can make such a text: an address outside of the API is refused, and what is found is checked as all items
# are.

MOST_TEXT = 6_000
"""Of a place: longer ones do not fit into the links of all clients."""
MOST_SKIPPED = 100_000
MEMBERS = 4
LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """Where the next page of a search begins."""

    request: Request
    """A page of the API."""
    skipped: int = 0
    """Items at its beginning that came before."""

    def text(self, first: Request, api: ApiSearch) -> str:
        """Return it as text, without the address of the API and what the first page of the search has as well.

        Raises:
            AddressRefused: It is too long.
        """
        members, is_whole = _difference(self.request.body, first.body)
        found = orjson.dumps([self.request.href.removeprefix(api.root), members, is_whole, self.skipped]).decode()
        if len(found) > MOST_TEXT:
            raise AddressRefused("its link to the next page is too long")
        return found


def place_of(text: str, first: Request, api: ApiSearch) -> PagePlace:
    """Return the place of a text.

    Args:
        text: As `PagePlace.text` makes it.
        first: The first page of the search.
        api: To whose addresses it has to lead.

    Raises:
        InvalidParameter: It is not one of this search.
    """
    refused = InvalidParameter("cursor is not that of a page of this search", locator="cursor")
    try:
        found: Any = orjson.loads(text) if len(text) <= MOST_TEXT else None
    except orjson.JSONDecodeError as error:
        raise refused from error
    if not (isinstance(found, list) and len(found) == MEMBERS):
        raise refused
    href, members, is_whole, skipped = found
    is_valid = (
        isinstance(href, str)
        and href[:1] in {"", "/", "?"}
        and isinstance(members, dict | None)
        and isinstance(is_whole, bool)
    )
    if not is_valid or type(skipped) is not int or not 0 <= skipped <= MOST_SKIPPED:
        raise refused
    body = None if members is None else members if is_whole else {**(first.body or {}), **members}
    try:
        return PagePlace(request=within(Request(href=api.root + href, body=body), api), skipped=skipped)
    except AddressRefused as error:
        raise refused from error


def within(request: Request, api: ApiSearch) -> Request:
    """Return a request whose address is in its one spelling.

    Raises:
        AddressRefused: It lies outside of the API.
    """
    try:
        plain, query = split_query(request.href)
        return Request(href=AllowedPlaces([api.root]).find(plain) + query, body=request.body)
    except (Outside, ValueError, OSError) as error:
        raise AddressRefused("its link to the next page leads out of the API") from error


def _difference(body: Json | None, first: Json | None) -> tuple[Json | None, bool]:
    """The members of a body that differ from those of the first, and whether they are all of it."""
    if body is None:
        return None, True
    if first is None or first.keys() - body.keys():
        return body, True
    differing = {name: value for name, value in body.items() if name not in first or first[name] != value}
    # Places of APIs that count pages mean something with the same limit alone.
    return differing | {name: body[name] for name in (LIMIT,) if name in body}, False
