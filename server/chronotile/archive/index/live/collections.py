"""The collections of mode `live` of an application: pages of their APIs, cached for minutes."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic

import orjson

from chronotile.archive.index.apis import Request
from chronotile.archive.index.live.api import MOST_S, LiveApi, PagePlace, RefusedSearch, place_of
from chronotile.archive.index.live.requests import PAGES, DocumentCheck, LiveRequest, item_request, live_request
from chronotile.archive.index.live.touching import Touching
from chronotile.archive.index.source import ItemRules
from chronotile.archive.index.sources import SourceAccess, rules_of
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.errors import AddressRefused, ConfigurationError, SearchNotSupported, SourceAway, SourceUnavailable
from chronotile.core.model.items import FoundItem, ItemSearch
from chronotile.core.model.source import SourceSpec
from chronotile.core.web.inner_hosts import host_of
from chronotile.pipeline.services import LivePage, require_remote_waits
from chronotile.readers.caches.byte_cache import ByteCache

log = logging.getLogger(__name__)

PAGE_S = 300.0
"""How long a page is answered again without requesting it."""
CACHED_BYTES = 32 << 20
"""Of all pages."""
ITEM_BYTES = 1 << 10
"""Of a cached item beside its document."""
MOST_REQUESTS = 2
"""That one search of ours sends to an API: anyone can send such a search."""
NOT_FOUND = "404"


@dataclass(frozen=True, slots=True, kw_only=True)
class _CachedPage:
    """The items of a page of an API that may be shown."""

    found: tuple[FoundItem, ...]
    next: Request | None
    matched: int | None
    """As the API says; `None` where items are left out."""
    is_refused: bool
    """Whether there are items, and none of them can be shown."""

    @property
    def nbytes(self) -> int:
        return ITEM_BYTES + sum(len(each.document) + ITEM_BYTES for each in self.found)


@dataclass(frozen=True, slots=True)
class _Live:
    """A collection, as long as it is configured so."""

    spec: SourceSpec
    api: LiveApi
    touching: Touching

    @property
    def rules(self) -> ItemRules:
        """Which items are taken."""
        return self.touching.rules


class LiveCollections:
    """Answers searches of collections whose items are found by the APIs of others; any thread may use it.

    Args:
        specs: Returns the collections of now, by id.
        items: Returns the index.
        access: What sources are opened with.
        most_s: How long one request of an API may take.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        specs: Callable[[], Mapping[str, SourceSpec]],
        items: Callable[[], ItemIndex | None],
        access: SourceAccess,
        *,
        most_s: float = MOST_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._specs, self._items, self._access = specs, items, access
        self._most_s, self._clock = most_s, clock
        self._lives = dict[str, _Live]()
        self._names: tuple[Mapping[str, SourceSpec], tuple[str, ...]] | None = None
        self._lock = threading.Lock()
        self._pages: ByteCache[_CachedPage] = ByteCache(CACHED_BYTES, lambda page: page.nbytes, largest_share=2)
        self._failing = dict[str, str]()

    @property
    def names(self) -> tuple[str, ...]:
        """Their ids, in the order of the configuration."""
        specs = self._specs()
        known = self._names
        if known is None or known[0] is not specs:  # each search needs them, and there may be thousands of collections
            known = self._names = specs, tuple(name for name, spec in specs.items() if spec.is_live)
        return known[1]

    @property
    def failing(self) -> Mapping[str, str]:
        """Why the APIs of collections did not answer when they were last requested, by collection."""
        names = self.names
        return {name: reason for name, reason in list(self._failing.items()) if name in names}

    def page(self, collection: str, search: ItemSearch, *, at: str | None) -> LivePage:
        """Return items that the API finds now, or found some minutes ago; they are in the index then.

        Errors are those of `pipeline.services.LiveItems`.
        """
        with self._noting(collection):
            live = self._live(collection)
            api = live.api.search
            wanted = live_request(api, live.rules, search, collection, most=live.api.most_items)
            if wanted is None:
                return LivePage(items=(), next=None, matched=0)
            place = PagePlace(request=wanted.first) if at is None else place_of(at, wanted.first, api)
            return self._walk(live, wanted, place, search)

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return an item by its id; errors are those of `page`."""
        with self._noting(collection):
            live = self._live(collection)
            api = live.api.search
            search = ItemSearch(ids=(id_,), limit=1)
            if api.is_of_items:
                request = item_request(api, id_)
            else:
                wanted = live_request(api, live.rules, search, collection, most=1)
                assert wanted is not None  # noqa: S101 -- without conditions that nothing matches
                request = wanted.first
            try:
                found = self._cached(live, request).found
            except RefusedSearch as error:
                if NOT_FOUND not in str(error):
                    raise SourceUnavailable(f"its API refuses the item: {error}") from error
                return None
            return next((each for each in found if each.ref.id == id_), None)

    def _walk(self, live: _Live, wanted: LiveRequest, place: PagePlace, search: ItemSearch) -> LivePage:
        """Read pages of the API from a place on, until there are enough items."""
        items = list[FoundItem]()
        request, skipped, left = place.request, place.skipped, MOST_REQUESTS
        following: PagePlace | None = None
        matched: int | None = None
        while left > 0:
            left -= 1
            try:
                page = self._cached(live, request)
            except RefusedSearch as error:
                is_first = left > 0 and request == wanted.first
                page, request = self._smaller(live, wanted, search, error, is_first=is_first)
                left -= 1
            matched = page.matched if wanted.is_exact else None
            if page.is_refused:
                raise SourceUnavailable("none of the items that its API sends can be shown; see the server's log")
            missing = search.limit - len(items)
            rest = _matching(page.found[skipped:], wanted.check, search.ids)
            items += [found for _place, found in rest[:missing]]
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
                f"its API sent {len(items)} of {len(search.ids)} items in {MOST_REQUESTS} pages; send fewer ids",
                locator="ids",
            )
        if following is not None and not items:
            raise SearchNotSupported(
                f"the first {MOST_REQUESTS} pages that the API sends match nothing; restrict the search by bbox or "
                "datetime",
                locator="filter",
            )
        try:
            at = None if following is None else following.text(wanted.first, live.api.search)
        except AddressRefused as error:
            raise SourceUnavailable(f"its API cannot be followed: {error.message}") from error
        return LivePage(items=tuple(items), next=at, matched=matched)

    def _smaller(
        self, live: _Live, wanted: LiveRequest, search: ItemSearch, refusal: RefusedSearch, *, is_first: bool
    ) -> tuple[_CachedPage, Request]:
        """The first page as small as any API sends it, and its request; if it comes, later pages are smaller, too."""
        try:
            if not is_first or wanted.page <= PAGES[-1]:
                raise refusal
            smallest = live_request(live.api.search, live.rules, search, live.spec.collection, most=PAGES[-1])
            assert smallest is not None  # noqa: S101 -- as before
            page = self._cached(live, smallest.first)
        except RefusedSearch as error:
            locator = "filter" if search.filter is not None else "sortby" if search.sort else "collections"
            problem = f"the API of the collection refuses the search: {error}"
            raise SearchNotSupported(problem, locator=locator) from error
        live.api.most_items = next(each for each in PAGES if each < wanted.page)
        return page, smallest.first

    def _cached(self, live: _Live, request: Request) -> _CachedPage:
        """A page of the API, requested again once a period of time is over."""
        period = int(self._clock() // PAGE_S)
        asked = blake2b(request.key.encode(), digest_size=16).digest()  # of any size, as clients write filters
        key = live.spec.collection, live.spec.href, live.rules.identity, period, asked
        if self._pages.get(key) is None:
            require_remote_waits(host_of(live.spec.href))  # others may wait for what this thread would not make
        return self._pages.get_or_make(key, lambda: self._requested(live, request))

    def _requested(self, live: _Live, request: Request) -> _CachedPage:
        page = live.api.page(request)
        index = self._items()
        if index is None:
            raise SourceUnavailable("this server has no index of items")
        done = live.touching.touch(page.features, page.request.href, index, own=live.api.search.own)
        is_whole = len(done.found) == len(page.features)
        return _CachedPage(
            found=done.found,
            next=page.next,
            matched=page.matched if is_whole else None,
            is_refused=bool(done.refused) and done.refused == len(page.features),
        )

    def _live(self, collection: str) -> _Live:
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
                api = LiveApi(spec.href, most_s=self._most_s, clock=self._clock)
                live = _Live(spec, api, Touching(collection, spec.items.settings, rules))
                self._lives[collection] = live
            return live

    @contextmanager
    def _noting(self, collection: str) -> Iterator[None]:
        """Remember why an API does not answer, until it does."""
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
    found: Sequence[FoundItem], check: DocumentCheck | None, ids: tuple[str, ...]
) -> list[tuple[int, FoundItem]]:
    """Items that match, each with where it stands; some APIs ignore ids."""
    return [
        (number, each)
        for number, each in enumerate(found)
        if (not ids or each.ref.id in ids) and (check is None or check(orjson.loads(each.document)))
    ]
