"""The live collections of an application: pages of their APIs, cached for minutes."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic

import orjson

from chronotile.archive.index.apis import PAGES, Request
from chronotile.archive.index.live.api import MAX_S, LiveApi, RefusedSearch
from chronotile.archive.index.live.positions import PagePlace, place_of
from chronotile.archive.index.live.requests import DocumentCheck, LiveRequest, item_request, live_request
from chronotile.archive.index.live.touching import Touching
from chronotile.archive.index.source import ItemRules
from chronotile.archive.index.sources import SourceAccess, rules_of
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.errors import AddressRefused, ConfigurationError, SearchNotSupported, SourceAway, SourceUnavailable
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch
from chronotile.core.model.source import SourceSpec
from chronotile.core.web.inner_hosts import host_of
from chronotile.pipeline.services import require_remote_waits
from chronotile.readers.caches.byte_cache import ByteCache

log = logging.getLogger(__name__)

PAGE_S = 300.0
"""Pages are cached for this long."""
CACHED_BYTES = 32 << 20
"""Size of all cached pages."""
ITEM_BYTES = 1 << 10
"""Size of a cached item without its document."""
MAX_REQUESTS = 2
"""Requests to an API for one search, limited because anyone can send searches."""
NOT_FOUND = "404"


@dataclass(frozen=True, slots=True, kw_only=True)
class _CachedPage:
    """The items of a page of an API that may be shown."""

    items: tuple[FoundItem, ...]
    next: Request | None
    matched: int | None
    """Number of matches by the API; `None` if items were skipped."""
    is_refused: bool
    """Whether the page has items, but all of them were refused."""

    @property
    def nbytes(self) -> int:
        return ITEM_BYTES + sum(len(f.document) + ITEM_BYTES for f in self.items)


@dataclass(frozen=True, slots=True)
class _LiveCollection:
    """A live collection; replaced when its configuration changes."""

    spec: SourceSpec
    api: LiveApi
    touching: Touching

    @property
    def rules(self) -> ItemRules:
        """The items to index."""
        return self.touching.rules


class LiveCollections:
    """Answers searches of live collections by their APIs. Thread-safe.

    Args:
        specs: Returns the current collections, by id.
        items: Returns the index.
        access: Access to the sources.
        max_s: Time limit of one request to an API.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        specs: Callable[[], Mapping[str, SourceSpec]],
        items: Callable[[], ItemIndex | None],
        access: SourceAccess,
        *,
        max_s: float = MAX_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._specs, self._items, self._access = specs, items, access
        self._max_s, self._clock = max_s, clock
        self._lives = dict[str, _LiveCollection]()
        self._names: tuple[Mapping[str, SourceSpec], tuple[str, ...]] | None = None
        self._lock = threading.Lock()
        self._pages: ByteCache[_CachedPage] = ByteCache(CACHED_BYTES, lambda page: page.nbytes, entry_divisor=2)
        self._failing = dict[str, str]()

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the live collections in the order of the configuration."""
        specs = self._specs()
        cached = self._names
        if cached is None or cached[0] is not specs:  # each search needs the ids, maybe of thousands of collections
            cached = self._names = specs, tuple(name for name, spec in specs.items() if spec.is_live)
        return cached[1]

    @property
    def failing(self) -> Mapping[str, str]:
        """Errors of the last requests to the APIs, by collection; without collections whose API answered."""
        names = self.names
        return {name: reason for name, reason in list(self._failing.items()) if name in names}

    def page(self, collection: str, search: ItemSearch, *, at: str | None) -> ItemPage:
        """Return items of a page of the API, at most `PAGE_S` old. They are in the index afterwards.

        Errors are those of `pipeline.services.LiveItems`.
        """
        with self._report_failures(collection):
            live = self._live(collection)
            api = live.api.search
            request = live_request(api, live.rules, search, collection, most=live.api.most_items)
            if request is None:
                return ItemPage(items=(), next=None, matched=0)
            place = PagePlace(request=request.first) if at is None else place_of(at, request.first, api)
            return self._walk(live, request, place, search)

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return an item by id; errors are those of `page`."""
        with self._report_failures(collection):
            live = self._live(collection)
            api = live.api.search
            search = ItemSearch(ids=(id_,), limit=1)
            if api.is_of_items:
                request = item_request(api, id_)
            else:
                api_request = live_request(api, live.rules, search, collection, most=1)
                assert api_request is not None  # noqa: S101 -- without conditions that nothing matches
                request = api_request.first
            try:
                page_items = self._cached_page(live, request).items
            except RefusedSearch as error:
                if NOT_FOUND not in str(error):
                    raise SourceUnavailable(f"its API refuses the item: {error}") from error
                return None
            return next((item for item in page_items if item.ref.id == id_), None)

    def _walk(self, live: _LiveCollection, api_request: LiveRequest, place: PagePlace, search: ItemSearch) -> ItemPage:
        """Read pages of the API from a position until the page of the search is full."""
        items = list[FoundItem]()
        request, skipped, requests_left = place.request, place.skipped, MAX_REQUESTS
        following: PagePlace | None = None
        matched: int | None = None
        while requests_left > 0:
            requests_left -= 1
            try:
                page = self._cached_page(live, request)
            except RefusedSearch as error:
                is_first = requests_left > 0 and request == api_request.first
                page, request = self._smaller(live, api_request, search, error, is_first=is_first)
                requests_left -= 1
            matched = page.matched if api_request.is_exact else None
            if page.is_refused:
                raise SourceUnavailable("none of the items that its API sends can be shown; see the server's log")
            missing = search.limit - len(items)
            rest = _matching(page.items[skipped:], api_request.check, search.ids)
            items += [item for _place, item in rest[:missing]]
            if len(rest) > missing:
                following = PagePlace(request=request, skipped=skipped + rest[missing][0])
                break
            has_all = len(items) == len(set(search.ids)) > 0
            following = None if page.next is None or has_all else PagePlace(request=page.next)
            if following is None or len(items) == search.limit:
                break
            request, skipped = following.request, 0
        if following is not None and search.ids and len(items) < search.limit:
            raise SearchNotSupported(
                f"its API sent {len(items)} of {len(search.ids)} items in {MAX_REQUESTS} pages; send fewer ids",
                locator="ids",
            )
        if following is not None and not items:
            raise SearchNotSupported(
                f"the first {MAX_REQUESTS} pages that the API sends match nothing; restrict the search by bbox or "
                "datetime",
                locator="filter",
            )
        try:
            at = None if following is None else following.text(api_request.first, live.api.search)
        except AddressRefused as error:
            raise SourceUnavailable(f"its API cannot be followed: {error.message}") from error
        return ItemPage(items=tuple(items), next=at, matched=matched)

    def _smaller(
        self,
        live: _LiveCollection,
        api_request: LiveRequest,
        search: ItemSearch,
        refusal: RefusedSearch,
        *,
        is_first: bool,
    ) -> tuple[_CachedPage, Request]:
        """Return the first page in the smallest size, and its request; on success, later pages are smaller too."""
        try:
            if not is_first or api_request.page <= PAGES[-1]:
                raise refusal
            smallest = live_request(live.api.search, live.rules, search, live.spec.collection, most=PAGES[-1])
            assert smallest is not None  # noqa: S101 -- as before
            page = self._cached_page(live, smallest.first)
        except RefusedSearch as error:
            locator = "filter" if search.filter is not None else "sortby" if search.sort else "collections"
            problem = f"the API of the collection refuses the search: {error}"
            raise SearchNotSupported(problem, locator=locator) from error
        live.api.most_items = next(P for P in PAGES if api_request.page > P)
        return page, smallest.first

    def _cached_page(self, live: _LiveCollection, request: Request) -> _CachedPage:
        """Return a page of the API from the cache, which is renewed every `PAGE_S`."""
        period = int(self._clock() // PAGE_S)
        request_digest = blake2b(request.key.encode(), digest_size=16).digest()  # of any size, as clients write filters
        key = live.spec.collection, live.spec.href, live.rules.identity, period, request_digest
        if self._pages.get(key) is None:
            require_remote_waits(host_of(live.spec.href))  # before others may wait for this thread to make the page
        return self._pages.get_or_make(key, lambda: self._request_page(live, request))

    def _request_page(self, live: _LiveCollection, request: Request) -> _CachedPage:
        page = live.api.page(request)
        index = self._items()
        if index is None:
            raise SourceUnavailable("this server has no index of items")
        done = live.touching.touch(
            page.features, page.request.href, index, api_collection=live.api.search.api_collection
        )
        is_whole = len(done.items) == len(page.features)
        return _CachedPage(
            items=done.items,
            next=page.next,
            matched=page.matched if is_whole else None,
            is_refused=bool(done.refused) and done.refused == len(page.features),
        )

    def _live(self, collection: str) -> _LiveCollection:
        spec = self._specs().get(collection)
        if spec is None or spec.items is None:
            raise SourceUnavailable("it is not configured any more")
        with self._lock:
            live = self._lives.get(collection)
            if live is None or live.spec != spec:
                try:
                    rules = rules_of(spec, self._access.prefixes)
                except ConfigurationError as error:
                    raise SourceUnavailable(f"it is not configured correctly: {error.message}") from error
                api = LiveApi(spec.href, max_s=self._max_s, clock=self._clock)
                live = _LiveCollection(spec, api, Touching(collection, spec.items.settings, rules))
                self._lives[collection] = live
            return live

    @contextmanager
    def _report_failures(self, collection: str) -> Iterator[None]:
        """Store the reason why an API does not answer, until it answers."""
        try:
            yield
        except SourceUnavailable as error:
            if collection not in self._failing:
                log.warning("searches leave out %s: %s", collection, error.message)
            self._failing[collection] = error.message
            raise SourceAway(error.message) from error
        if self._failing.pop(collection, None) is not None:
            log.info("searches have %s again", collection)


def _matching(
    page_items: Sequence[FoundItem], check: DocumentCheck | None, ids: tuple[str, ...]
) -> list[tuple[int, FoundItem]]:
    """Return matching items with their position in `page_items`; ids are compared because some APIs ignore them."""
    return [
        (number, item)
        for number, item in enumerate(page_items)
        if (not ids or item.ref.id in ids) and (check is None or check(orjson.loads(item.document)))
    ]
