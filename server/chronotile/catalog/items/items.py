"""The operations of an index of items, in any database."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from chronotile.catalog.items.preparing import Prepared
from chronotile.model.grid import BBox
from chronotile.model.items import (
    Asset,
    BandLayout,
    ChangePage,
    CollectionState,
    FoundItem,
    IndexSettings,
    Item,
    ItemPage,
    ItemRef,
    ItemSearch,
    PutSummary,
)
from chronotile.model.time.instants import Instant, InstantArray, TimeDomain, TimeSpan


class Items(Protocol):
    """An index of items; any thread may use it.

    Each call sees one state of the index: an item is there with all that belongs to it, or not at all. Methods raise
    `SourceUnavailable` if the database does not answer, `StorageFull` if there is no room for what is written.
    """

    def covering(
        self, collection: str, box: BBox, *, span: TimeSpan | None = None, instants: InstantArray | None = None
    ) -> tuple[ItemRef, ...]:
        """Return the items whose footprint meets a box, by instant, then in the collection's order.

        Args:
            collection: Its id.
            box: CRS84; west > east where it crosses the antimeridian; of a point, a box without extent.
            span: Only items of instants in it.
            instants: (time,), ascending: only items of these.
        """

    def assets(self, numbers: Sequence[int]) -> Mapping[int, tuple[Asset, ...]]:
        """Return the assets of items, by number; items that are gone are missing."""

    def addresses(self, collection: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the id of each item, and where its assets are; items that are put meanwhile may be missing."""

    def changes(self, numbers: Sequence[int]) -> Mapping[int, int]:
        """Return the counters at which items changed last, by number; items that are gone are missing."""

    def changes_of(self, collection: str, instants: InstantArray) -> tuple[int, tuple[int, ...]]:
        """Return the counter of a collection, and those at which items of some instants changed last; 0: no items."""

    def times(self, collection: str, *, box: BBox | None = None) -> TimeDomain:
        """Return the instants of items, of all or of those whose boxes meet a box; a solar day spans a day."""

    def extent(self, collection: str) -> BBox | None:
        """Return a CRS84 box that holds all items; `None` without items."""

    def layouts(self, collection: str) -> Mapping[str, tuple[BandLayout, ...]]:
        """Return the distinct layouts of items by asset name, those of most items first."""

    def state(self, collection: str, *, is_fresh: bool = False) -> CollectionState:
        """Return the counters of a collection, all 0 of one that is not there.

        They are looked up at most once a second, or now if they are to be fresh.
        """

    def settings(self, collection: str) -> IndexSettings | None:
        """Return how its items are grouped and ordered; `None` of a collection that is not there."""

    def configure(self, collection: str, settings: IndexSettings) -> None:
        """Group and order the items of a collection in this way from now on, those that are there too."""

    def put(self, collection: str, items: Iterable[Item | Prepared]) -> PutSummary:
        """Add items, or replace those of the same id; an item that is equal to the one that is there stays as it is."""

    def add(self, collection: str, items: Sequence[Item]) -> PutSummary:
        """Add items of distinct ids, none of which may be there: all of them, in one transaction, or none.

        Raises:
            ItemExists: One is there.
        """

    def replace(self, collection: str, item: Item, *, found: ItemRef | None = None) -> bool:
        """Put an item in place of the one of its id; return whether one is there, and `found` if that is given."""

    def remove(self, collection: str, ids: Iterable[str]) -> int:
        """Remove items; return how many were there."""

    def trim(self, collection: str, most: int) -> int:
        """Remove items that were put first, some at a time, where there are more than so many; return how many."""

    def note_header(
        self, ref: ItemRef, asset: str, *, header: bytes, etag: str, size: int, layouts: Sequence[BandLayout] = ()
    ) -> None:
        """Keep what opening a file costs, if the item is as it was found. Another etag is a change of the item."""

    def note_layouts(self, ref: ItemRef, asset: str, layouts: Sequence[BandLayout]) -> None:
        """Keep what a file turned out to be, if the item is as it was found. Does not count as a change of it."""

    def search(self, search: ItemSearch, *, among: Container[str] | None = None) -> ItemPage:
        """Return a page of items.

        Args:
            search: What is looked for.
            among: Ids of the collections that are looked at, of those that it names; `None`: all.

        Raises:
            InvalidParameter: The filter, a property to sort by or the cursor is not accepted.
        """

    def count_by_month(
        self, search: ItemSearch, *, among: Container[str] | None = None
    ) -> tuple[tuple[Instant, int], ...]:
        """Return how many items begin in which month, ascending; limit, order and cursor of the search do not matter.

        Raises:
            InvalidParameter: The filter is not accepted.
        """

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return the item of a collection that has an id; `None` if there is none."""

    def find_product(self, product: UUID) -> FoundItem | None:
        """Return the item of a product; `None` if there is none."""

    def newest(self, collection: str, limit: int) -> tuple[FoundItem, ...]:
        """Return the items of a collection that were added or replaced last; of those put together the latest first.

        There are fewer than `limit` where documents are large, as in a page of a search.
        """

    def changes_after(
        self,
        since: str | None,
        *,
        limit: int = 100,
        among: Container[str] | None = None,
        without_first_fill: bool = False,
    ) -> ChangePage:
        """Return changes of items in the order in which they were made.

        Args:
            since: The cursor of a page before; `None`: no changes, but the cursor of now.
            limit: How many at most.
            among: Ids of the collections that are looked at; `None`: all.
            without_first_fill: Whether changes made before a first pass over a collection's source ended are left out.

        Raises:
            InvalidParameter: The cursor or the limit is not accepted.
            CursorExpired: Not everything that was removed since is known any more.
        """

    def close(self) -> None:
        """Close the connections to the database."""
