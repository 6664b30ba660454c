"""Instants of lookups, the order of their results, and reading of the items in a page."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np
from isal import isal_zlib
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import statements
from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.items.footprints import Ring, meets, unpack
from chronotile.catalog.items.properties import nanoseconds
from chronotile.catalog.items.statements import DriverCursor, DriverRow, Value, chunks, list_parameters, pad
from chronotile.core.errors import require_at_most
from chronotile.core.model.items import Asset, FoundItem, ItemRef
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import InstantArray

MAX_BYTES = 16 << 20
"""Bytes of the documents of a page, including `ADDED_BYTES` per document; a larger document is a page alone."""
ADDED_BYTES = 4 << 10
"""Bytes that answers add to a document, such as links (up to 5 kB for an item with eight layers)."""
READ_DOCUMENTS = 128
"""Documents read at a time."""
SMALL_BYTES = 64 << 10
"""Stored bytes of a document; larger documents are read one by one, because few fit in a page."""
MAX_INSTANTS = 64
"""Instants that a statement lists; for more, it reads all from the first to the last."""
MAX_NEAR = 256
"""Maximum number of rows cached around a box. Lookups of smaller boxes use them; an item has up to four rows."""
ITEM_BYTES, VERTEX_BYTES = 800, 120
"""Memory of an item with the boxes that it meets, and of a vertex of its footprint."""
MAX_MET = 16
"""Boxes whose items are cached."""


@dataclass(frozen=True, slots=True)
class When:
    """The instants of a lookup, in nanoseconds since 1970, both ends included."""

    first: int
    last: int
    listed: tuple[int, ...] = ()
    """Instants in the statement, padded to a power of two; empty: the statement reads all from `first` to `last`."""
    only: frozenset[int] | None = None
    """Set if there are too many instants for `listed`: other rows are removed from the result. `None` keeps all."""

    @classmethod
    def from_selection(cls, span: TimeSpan | None, instants: InstantArray | None) -> "When | None":
        """Return the instants of a request; `None` if it selects no instants."""
        first, last = -(1 << 63), (1 << 63) - 1
        if span is not None:
            first, last = nanoseconds(span.start), nanoseconds(span.end) - 1
        if instants is None:
            return cls(first, last)
        matches = [
            instant
            for instant in instants.astype("datetime64[ns]").astype(np.int64).tolist()
            if first <= instant <= last
        ]
        if not matches:
            return None
        if len(matches) <= MAX_INSTANTS:
            return cls(matches[0], matches[-1], tuple(pad(matches)))
        return cls(matches[0], matches[-1], (), frozenset(matches))

    @property
    def values(self) -> dict[str, Value]:
        """The parameters of a statement."""
        return list_parameters("instant", self.listed) if self.listed else {"first": self.first, "last": self.last}


def rows_meeting(rows: Iterable[Any], boxes: Sequence[BBox], when: When) -> list[Any]:
    """Return the rows whose footprints (not only bboxes) meet a box, in order."""
    results = dict[tuple[bytes, BBox], bool]()  # items of one tile have equal footprints
    matches = []
    for row in rows:
        if when.only is not None and row[2] not in when.only:
            continue
        key = bytes(row[8]), BBox(*row[4:8])
        does_meet = results.get(key)
        if does_meet is None:
            does_meet = results[key] = meets(unpack(*key), boxes)
        if does_meet:
            matches.append(row)
    matches.sort(key=lambda row: (row[2], row[9] is None, row[9] or 0.0, row[1]))
    return matches


@dataclass(frozen=True, slots=True)
class ItemsNearBox:
    """Items whose footprints meet a box; `meeting` finds the items of any box within it."""

    items: tuple[tuple[ItemRef, tuple[Ring, ...]], ...]
    """Items with their rings, in order."""
    are_all: bool
    """False if there were more than `MAX_NEAR` rows; `items` is then empty."""
    _met: dict[BBox, tuple[ItemRef, ...]] = field(default_factory=dict, compare=False)

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes."""
        vertices = sum(len(ring) for _ref, rings in self.items for ring in rings)
        return ITEM_BYTES * (1 + len(self.items)) + VERTEX_BYTES * vertices

    def meeting(self, box: BBox) -> tuple[ItemRef, ...]:
        """Return the items whose footprints meet a box, in order."""
        refs = self._met.get(box)
        if refs is None:
            boxes = search_boxes(box)
            refs = tuple(ref for ref, rings in self.items if meets(rings, boxes))
            if len(self._met) >= MAX_MET:
                self._met.clear()
            self._met[box] = refs
        return refs


def ref_of(row: DriverRow) -> ItemRef:
    """Return the item of a row of `covering`."""
    number, id_, instant, changed, west, south, east, north, *_ = row
    return ItemRef(number, id_, np.datetime64(instant, "ns"), changed, BBox(west, south, east, north))


def product_key(product: UUID) -> int:
    """Return the number that the index stores for a product; collisions are rare."""
    return int.from_bytes(product.bytes[:8], signed=True)


def add_header(asset: Asset, header: Sequence[Any] | None) -> Asset:
    """Return the asset with its etag, size and header, or unchanged without a header."""
    if header is None:
        return asset
    etag, size, data = header
    return replace(asset, header=bytes(data), etag=etag, size=size)


def require_few(count: int, most: int, what: str) -> None:
    """Raise an error for too many results.

    Raises:
        LimitExceeded: `count` is larger than `most`.
    """
    require_at_most(what, count, most, alternative="request a smaller area or time")


def found_items(
    rows: Sequence[tuple[str, Any]],
    cursor: DriverCursor,
    dialect: Dialect,
    *,
    before_reading: Callable[[], None] = lambda: None,
) -> Iterator[FoundItem]:
    """Yield items with their documents until a page is full of bytes, but at least one.

    Args:
        rows: Pairs of collection id and row; rows start with `REF_COLUMNS`.
        cursor: Cursor of the driver, in a transaction.
        dialect: Dialect of the database.
        before_reading: Called before each statement.
    """
    size = 0
    for part in chunks(rows, READ_DOCUMENTS):
        before_reading()
        small = _documents([row[0] for _collection, row in part], cursor, dialect, most=SMALL_BYTES)
        for collection, row in part:
            document = small.pop(row[0], None)
            if document is None:
                before_reading()
                document = _documents([row[0]], cursor, dialect, most=sys.maxsize)[row[0]]
            item = FoundItem(ref=ref_of(row), collection=collection, document=isal_zlib.decompress(document))
            is_first, size = size == 0, size + len(item.document) + ADDED_BYTES
            if size > MAX_BYTES and not is_first:
                return
            yield item


def _documents(numbers: Sequence[int], cursor: DriverCursor, dialect: Dialect, *, most: int) -> dict[int, bytes]:
    """Return the compressed documents of at most `most` bytes, by number of the item."""
    padded = pad(numbers)
    statement = statements.list_statement(statements.documents, len(padded), dialect)
    rows = statement.run(cursor, {"most": most, **list_parameters("item", padded)})
    return {item: bytes(data) for item, data in rows}
