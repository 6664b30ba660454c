"""Storing items of live collections in the item index: pictures and products are made from indexed items only.

The API of a live collection answers its searches. Items are stored when the API returns them in a page (`Touching`).
The newest items are stored before the first search (`seed`).
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chronotile.archive.index.apis import address_of
from chronotile.archive.index.fill import FillSummary, IndexStore, clear
from chronotile.archive.index.live.api import LiveApi, RefusedSearch
from chronotile.archive.index.live.requests import live_request
from chronotile.archive.index.source import ItemRules, Unread
from chronotile.archive.index.sources import SourceAccess, identities_of, rules_of
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.passes import new_holder
from chronotile.catalog.items.statements import chunks
from chronotile.core.errors import AddressRefused, InvalidItem, SourceUnavailable
from chronotile.core.model.items import FoundItem, IndexSettings, Item, ItemSearch, PutSummary
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.types import Json

MAX_TOUCHED = 100_000
"""Items of a live collection in the index; the oldest by time of indexing are removed first."""
MAX_LOGGED = 100
"""Logged reasons for skipped items."""
CHUNK = 500
"""Items per index query."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedItems:
    """Result of indexing the items of a page."""

    items: tuple[FoundItem, ...]
    """In the order of the page."""
    filtered: int
    """Number of items that the configured filter excludes."""
    refused: int
    """Number of items that cannot be indexed."""


class Touching:
    """Stores items of one collection in the index.

    Args:
        collection: Id of the collection.
        settings: Grouping and order of the items in the index.
        rules: The items to index.
    """

    def __init__(self, collection: str, settings: IndexSettings, rules: ItemRules) -> None:
        self._collection, self._settings, self.rules = collection, settings, rules
        self._logged = set[str]()
        self._lock = threading.Lock()

    def touch(
        self, features: Iterable[Json], page: str, items: ItemIndex, *, api_collection: str | None
    ) -> TouchedItems:
        """Store the items of a page in the index.

        Args:
            features: The features of the page.
            page: URL of the page.
            items: The index.
            api_collection: Id of the collection in the API, which all items must have; `None`: no id is required.

        Raises:
            SourceUnavailable: The index is unreachable.
        """
        chosen = dict[str, Item]()
        filtered = refused = 0
        for feature in features:
            try:
                if api_collection is not None and feature.get("collection") not in (None, api_collection):
                    raise InvalidItem("it is of another collection than was requested")
                admitted = self.rules.admit(feature, address_of(feature, page))
            except (InvalidItem, AddressRefused) as error:
                refused += 1
                self._log(error.message)
                continue
            filtered += not admitted
            chosen |= {item.id: item for item in admitted}
        if chosen:
            if items.settings(self._collection) != self._settings:
                items.configure(self._collection, self._settings)
            if items.put(self._collection, chosen.values()).added:
                items.trim(self._collection, MAX_TOUCHED)
        return TouchedItems(items=tuple(self._find_items(list(chosen), items)), filtered=filtered, refused=refused)

    def _find_items(self, ids: list[str], items: ItemIndex) -> Iterator[FoundItem]:
        for chunk_ids in chunks(ids, CHUNK):
            page = items.search(ItemSearch(collections=(self._collection,), ids=tuple(chunk_ids), limit=CHUNK))
            items_by_id = {item.ref.id: item for item in page.items}
            yield from (items_by_id[id_] for id_ in chunk_ids if id_ in items_by_id)

    def _log(self, reason: str) -> None:
        """Log a reason once."""
        with self._lock:
            if reason in self._logged or len(self._logged) >= MAX_LOGGED:
                return
            self._logged.add(reason)
        log.warning("%s: items that its API sends are left out: %s", self._collection, reason)


ITEMS = 10
"""Number of items that `seed` requests: the newest, if the API sorts."""
KIND = "live"


def reason_to_seed(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> str | None:
    """Return why the newest items of a collection are not indexed; `None` if they are.

    Raises:
        ConfigurationError: The collection's filter is invalid.
        SourceUnavailable: The database is unreachable.
    """
    settings = store.items.settings(spec.collection)
    if settings is None or store.items.extent(spec.collection) is None:
        return "nothing is known of its items"
    if spec.items is not None and settings != spec.items.settings:
        return "its grouping or order was changed in the configuration"
    if _previous_source(spec, store) != _source(spec, access):
        return "its items come from another API, or from another filter"
    return None


def seed(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> FillSummary:
    """Store the newest items of a live collection in the index; remove items of another source first.

    Raises:
        ConfigurationError: The collection's filter is invalid.
        SourceUnavailable: API or database are unreachable.
    """
    assert spec.items is not None  # noqa: S101 -- of a collection of items
    name, rules, api = spec.collection, rules_of(spec, access.prefixes), LiveApi(spec.href)
    request = live_request(api.search, rules, ItemSearch(limit=ITEMS), name, most=ITEMS)
    assert request is not None  # noqa: S101 -- without conditions that nothing matches
    try:
        page = api.page(request.first)
    except RefusedSearch as error:
        raise SourceUnavailable(f"its API refuses the search: {error}") from error
    source = _source(spec, access)
    if _previous_source(spec, store) not in {None, source}:
        clear(name, store)
    run = store.passes.begin(name, source=f"{KIND} {source}", holder=new_holder(), is_whole=False)
    try:
        touching, api_collection = Touching(name, spec.items.settings, rules), api.search.api_collection
        result = touching.touch(page.features, request.first.href, store.items, api_collection=api_collection)
        store.passes.finish(run)
    except BaseException:
        store.passes.release(run)
        raise
    unread = [] if result.items else [Unread(key=name, reason="its API sends no items that can be shown")]
    return FillSummary(
        collection=name,
        put=PutSummary(added=len(result.items)),
        is_whole=False,
        unread=tuple(unread),
        unread_count=len(unread),
        filtered=result.filtered,
    )


def _source(spec: SourceSpec, access: SourceAccess) -> str:
    # The source of a collection with its options, without the class of the source.
    return next(iter(identities_of(spec, access))).partition(" ")[2]


def _previous_source(spec: SourceSpec, store: IndexStore) -> str | None:
    # The source of the indexed items; `None` if unknown.
    source = store.passes.source(spec.collection)
    return None if source is None else source.partition(" ")[2]
