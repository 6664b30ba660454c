"""Items of a live collection in the index: those that its API sends, and the first ones before anyone searches."""

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

# Puts the items that an API sends into the index, so that they have pictures and products.

MOST_TOUCHED = 100_000
"""Items of a collection that stay in the index; those that were put there first go first."""
MOST_LOGGED = 100
"""Reasons to leave out items that are logged."""
CHUNK = 500
"""Items that are looked up together."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedItems:
    """What became of the items of a page."""

    found: tuple[FoundItem, ...]
    """In the order of the page."""
    filtered: int
    """Those that the configured filter leaves out."""
    refused: int
    """Those that cannot be indexed."""


class Touching:
    """Puts items of one collection into the index.

    Args:
        collection: Its id.
        settings: How the index groups and orders them.
        rules: Which are taken.
    """

    def __init__(self, collection: str, settings: IndexSettings, rules: ItemRules) -> None:
        self._collection, self._settings, self.rules = collection, settings, rules
        self._logged = set[str]()
        self._lock = threading.Lock()

    def touch(self, features: Iterable[Json], page: str, items: ItemIndex, *, own: str | None) -> TouchedItems:
        """Put the items of a page into the index.

        Args:
            features: As the API sends them.
            page: Its address.
            items: The index.
            own: The collection's id in the API, whose items have no other; `None`: those of all collections are wanted.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        chosen = dict[str, Item]()
        filtered = refused = 0
        for feature in features:
            try:
                if own is not None and feature.get("collection") not in (None, own):
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
                items.trim(self._collection, MOST_TOUCHED)
        return TouchedItems(found=tuple(self._found(list(chosen), items)), filtered=filtered, refused=refused)

    def _found(self, ids: list[str], items: ItemIndex) -> Iterator[FoundItem]:
        for some in chunks(ids, CHUNK):
            page = items.search(ItemSearch(collections=(self._collection,), ids=tuple(some), limit=CHUNK))
            found = {each.ref.id: each for each in page.items}
            yield from (found[id_] for id_ in some if id_ in found)

    def _log(self, reason: str) -> None:
        """Warn of a reason once."""
        with self._lock:
            if reason in self._logged or len(self._logged) >= MOST_LOGGED:
                return
            self._logged.add(reason)
        log.warning("%s: items that its API sends are left out: %s", self._collection, reason)


ITEMS = 10
"""The newest of an API that sorts, or those that it sends first."""
KIND = "live"


def reason_to_seed(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> str | None:
    """Return why the newest items of a collection have to be requested; `None`: they need not be.

    Raises:
        ConfigurationError: The collection's filter is not valid.
        SourceUnavailable: The database does not answer.
    """
    settings = store.items.settings(spec.collection)
    if settings is None or store.items.extent(spec.collection) is None:
        return "nothing is known of its items"
    if spec.items is not None and settings != spec.items.settings:
        return "its items are to be grouped or ordered in another way"
    if _before(spec, store) != _source(spec, access):
        return "its items were those of another API, or with another filter"
    return None


def seed(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> FillSummary:
    """Put the newest items of a live collection into the index, in place of those of another source.

    Raises:
        ConfigurationError: The collection's filter is not valid.
        SourceUnavailable: The API or the database does not answer.
    """
    assert spec.items is not None  # noqa: S101 -- of a collection of items
    name, rules, api = spec.collection, rules_of(spec, access.prefixes), LiveApi(spec.href)
    wanted = live_request(api.search, rules, ItemSearch(limit=ITEMS), name, most=ITEMS)
    assert wanted is not None  # noqa: S101 -- without conditions that nothing matches
    try:
        page = api.page(wanted.first)
    except RefusedSearch as error:
        raise SourceUnavailable(f"its API refuses the search: {error}") from error
    source = _source(spec, access)
    if _before(spec, store) not in {None, source}:
        clear(name, store)
    run = store.passes.begin(name, source=f"{KIND} {source}", holder=new_holder(), is_whole=False)
    try:
        touching, own = Touching(name, spec.items.settings, rules), api.search.own
        done = touching.touch(page.features, wanted.first.href, store.items, own=own)
        store.passes.finish(run)
    except BaseException:
        store.passes.release(run)
        raise
    unread = [] if done.found else [Unread(key=name, reason="its API sends no items that can be shown")]
    return FillSummary(
        collection=name,
        put=PutSummary(added=len(done.found)),
        is_whole=False,
        unread=tuple(unread),
        unread_count=len(unread),
        filtered=done.filtered,
    )


def _source(spec: SourceSpec, access: SourceAccess) -> str:
    # The source of a collection with its options: the same where all of its items are indexed.
    return next(iter(identities_of(spec, access))).partition(" ")[2]


def _before(spec: SourceSpec, store: IndexStore) -> str | None:
    # The source that its items were of; `None`: not known.
    found = store.passes.source(spec.collection)
    return None if found is None else found.partition(" ")[2]
