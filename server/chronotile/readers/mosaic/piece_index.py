"""What the reader of a mosaic needs of the item index (`catalog.items`), which this room does not know."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chronotile.core.model.items import Asset, BandLayout, CollectionState, IndexSettings, ItemRef
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import InstantArray


class NearItems(Protocol):
    """The items of a box, out of which those of boxes within it are found without the index."""

    @property
    def are_all(self) -> bool:
        """Whether they are few enough for that; else none is known."""

    @property
    def nbytes(self) -> int:
        """Bytes that they take, about."""

    def meeting(self, box: BBox) -> tuple[ItemRef, ...]:
        """Return those whose footprints meet a CRS84 box, in order."""


class PieceIndex(Protocol):
    """Which items cover a place at some instants, and which files they have; as `catalog.items.index.ItemIndex`."""

    def covering(
        self, collection: str, box: BBox, *, span: TimeSpan | None = None, instants: InstantArray | None = None
    ) -> tuple[ItemRef, ...]:
        """Return the items whose footprint meets a CRS84 box, by instant, then in the collection's order."""

    def near(self, collection: str, box: BBox, instants: InstantArray) -> NearItems:
        """Return what finds the items of some instants as `covering`, of a CRS84 box and of boxes within it."""

    def assets(self, numbers: Sequence[int]) -> Mapping[int, tuple[Asset, ...]]:
        """Return the assets of items, by number; items that are gone are missing."""

    def changes(self, numbers: Sequence[int]) -> Mapping[int, int]:
        """Return the counters at which items changed last, by number; items that are gone are missing."""

    def changes_of(self, collection: str, instants: InstantArray) -> tuple[int, tuple[int, ...]]:
        """Return the counter of a collection, and those at which items of some instants changed last; 0: no items."""

    def times(self, collection: str, *, box: BBox | None = None) -> TimeDomain:
        """Return the instants of items."""

    def extent(self, collection: str) -> BBox | None:
        """Return a CRS84 box that holds all items; `None` without items."""

    def settings(self, collection: str) -> IndexSettings | None:
        """Return how its items are grouped and ordered; `None` of a collection that is not there."""

    def layouts(self, collection: str) -> Mapping[str, tuple[BandLayout, ...]]:
        """Return the distinct layouts of items by asset name, those of most items first."""

    def state(self, collection: str, *, is_fresh: bool = False) -> CollectionState:
        """Return the counters of a collection as they were a second ago at most, or as they are now."""

    def note_header(self, ref: ItemRef, asset: str, *, header: bytes, etag: str, size: int) -> None:
        """Keep what opening a file costs; another etag than before is a change of the item."""

    def close(self) -> None:
        """Close the connections to its database."""

    def note_layouts(self, ref: ItemRef, asset: str, layouts: Sequence[BandLayout]) -> None:
        """Keep what a file turned out to be: `layouts` have it from then on, and the state of the collection tells."""
