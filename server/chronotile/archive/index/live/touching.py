"""Puts the items that an API sends into the index, so that they have pictures and products."""

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chronotile.archive.index.apis import address_of
from chronotile.archive.index.documents import Json
from chronotile.archive.index.rules import ItemRules
from chronotile.catalog.items.items import Items
from chronotile.errors import AddressRefused, InvalidItem
from chronotile.model.items import FoundItem, IndexSettings, Item, ItemSearch

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

    def touch(self, features: Iterable[Json], page: str, items: Items, *, own: str | None) -> TouchedItems:
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
                admitted = self._admitted(feature, page, own)
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

    def _admitted(self, feature: Json, page: str, own: str | None) -> tuple[Item, ...]:
        if own is not None and feature.get("collection") not in (None, own):
            raise InvalidItem("it is of another collection than was requested")
        return self.rules.admit(feature, address_of(feature, page))

    def _found(self, ids: list[str], items: Items) -> Iterator[FoundItem]:
        for start in range(0, len(ids), CHUNK):
            some = tuple(ids[start : start + CHUNK])
            page = items.search(ItemSearch(collections=(self._collection,), ids=some, limit=CHUNK))
            found = {each.ref.id: each for each in page.items}
            yield from (found[id_] for id_ in some if id_ in found)

    def _log(self, reason: str) -> None:
        """Warn of a reason once."""
        with self._lock:
            if reason in self._logged or len(self._logged) >= MOST_LOGGED:
                return
            self._logged.add(reason)
        log.warning("%s: items that its API sends are left out: %s", self._collection, reason)
