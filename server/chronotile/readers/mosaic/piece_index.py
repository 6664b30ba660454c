"""The part of the item index (`catalog.items`) that readers of mosaics use; readers cannot import the catalogue."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chronotile.core.model.items import Asset, BandLayout, CollectionState, IndexSettings, ItemRef
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import InstantArray


class NearItems(Protocol):
    """The items of a box, which answers for smaller boxes without a query."""

    @property
    def are_all(self) -> bool:
        """Whether all items of the box are stored; if there are too many, none is."""

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""

    def meeting(self, box: BBox) -> tuple[ItemRef, ...]:
        """Return the items whose footprints intersect a CRS84 box, in the order of the collection."""


class PieceIndex(Protocol):
    """Lookup of items by box and instant, and of their files; implemented by `catalog.items.index.ItemIndex`."""

    def covering(
        self, collection: str, box: BBox, *, span: TimeSpan | None = None, instants: InstantArray | None = None
    ) -> tuple[ItemRef, ...]:
        """Return the items whose footprints intersect a CRS84 box, by instant, then in the order of the collection."""

    def find_near(self, collection: str, box: BBox, instants: InstantArray) -> NearItems:
        """Return the items of some instants in a CRS84 box, for repeated queries with boxes inside it."""

    def assets(self, numbers: Sequence[int]) -> Mapping[int, tuple[Asset, ...]]:
        """Return the assets of items, by `ItemRef.number`; deleted items are missing."""

    def changes(self, numbers: Sequence[int]) -> Mapping[int, int]:
        """Return the change counters of items, by `ItemRef.number`; deleted items are missing."""

    def changes_of(self, collection: str, instants: InstantArray) -> tuple[int, tuple[int, ...]]:
        """Return the change counter of a collection, and the last one of its items per instant; 0 without items."""

    def times(self, collection: str, *, box: BBox | None = None) -> TimeDomain:
        """Return the instants of the items, optionally of those in a CRS84 box."""

    def extent(self, collection: str) -> BBox | None:
        """Return a CRS84 box that contains all items; `None` without items."""

    def settings(self, collection: str) -> IndexSettings | None:
        """Return how items are grouped and ordered; `None` if the index does not have the collection."""

    def layouts(self, collection: str) -> Mapping[str, tuple[BandLayout, ...]]:
        """Return the distinct layouts of items by asset name, the most frequent first."""

    def state(self, collection: str, *, is_fresh: bool = False) -> CollectionState:
        """Return the counters of a collection, at most a second old; current ones with `is_fresh`."""

    def note_header(self, ref: ItemRef, asset: str, *, header: bytes, etag: str, size: int) -> None:
        """Store the header of a file, so that it opens without requests; a new ETag counts as a change of the item."""

    def close(self) -> None:
        """Close the connections to its database."""

    def note_layouts(self, ref: ItemRef, asset: str, layouts: Sequence[BandLayout]) -> None:
        """Store the layouts of a file that differs from the index; this changes the state of the collection."""
