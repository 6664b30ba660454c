"""What is looked up in the index: of which instants, and in which order what is found is returned."""

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
from chronotile.core.model.grid import BBox
from chronotile.core.model.items import Asset, FoundItem, ItemRef
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import InstantArray

MOST_BYTES = 16 << 20
"""Of the documents of a page, each with `ADDED_BYTES`; one that is larger is a page of its own."""
ADDED_BYTES = 4 << 10
"""What answers add to a document, such as links; of an item with eight layers up to 5 kB."""
READ_DOCUMENTS = 128
"""Documents read at a time."""
SMALL_BYTES = 64 << 10
"""Of a document as it is stored; larger ones are read one by one, as few fit in a page."""
MOST_INSTANTS = 64
"""Instants that are looked up one by one; more are found among all from the first to the last."""
MOST_NEAR = 256
"""Rows of items about a box out of which those of boxes within it are found in memory: an item has up to four."""
ITEM_BYTES, VERTEX_BYTES = 800, 120
"""Of an item in memory with the boxes that it meets, and of a vertex of its footprint."""
MOST_MET = 16
"""Boxes of which it is remembered which of those items they meet."""


@dataclass(frozen=True, slots=True)
class When:
    """Of which instants items are looked for, in nanoseconds since 1970, both ends included."""

    first: int
    last: int
    listed: tuple[int, ...] = ()
    """One by one, as many as a power of two; empty: all from the first to the last."""
    only: frozenset[int] | None = None
    """Those of them that are wanted; `None`: all."""

    @classmethod
    def of_selection(cls, span: TimeSpan | None, instants: InstantArray | None) -> "When | None":
        """Return it; `None` where no instant is."""
        first, last = -(1 << 63), (1 << 63) - 1
        if span is not None:
            first, last = nanoseconds(span.start), nanoseconds(span.end) - 1
        if instants is None:
            return cls(first, last)
        wanted = [each for each in instants.astype("datetime64[ns]").astype(np.int64).tolist() if first <= each <= last]
        if not wanted:
            return None
        if len(wanted) <= MOST_INSTANTS:
            return cls(wanted[0], wanted[-1], tuple(pad(wanted)))
        return cls(wanted[0], wanted[-1], (), frozenset(wanted))

    @property
    def values(self) -> dict[str, Value]:
        """The parameters of a statement."""
        return list_parameters("instant", self.listed) if self.listed else {"first": self.first, "last": self.last}


def in_order(rows: Iterable[Any], boxes: Sequence[BBox], when: When) -> list[Any]:
    """Return rows whose footprints meet a box; those of half a swath may not, though their boxes do."""
    known = dict[tuple[bytes, BBox], bool]()  # many items of one place have one footprint
    kept = []
    for row in rows:
        if when.only is not None and row[2] not in when.only:
            continue
        key = bytes(row[8]), BBox(*row[4:8])
        does_meet = known.get(key)
        if does_meet is None:
            does_meet = known[key] = meets(unpack(*key), boxes)
        if does_meet:
            kept.append(row)
    kept.sort(key=lambda row: (row[2], row[9] is None, row[9] or 0.0, row[1]))
    return kept


@dataclass(frozen=True, slots=True)
class ItemsNearBox:
    """The items whose footprints meet a box, with these; it finds those of any box within it."""

    found: tuple[tuple[ItemRef, tuple[Ring, ...]], ...]
    """In order."""
    are_all: bool
    """Whether they have no more rows than `MOST_NEAR`; else none is known."""
    _met: dict[BBox, tuple[ItemRef, ...]] = field(default_factory=dict, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes that they take, about."""
        vertices = sum(len(ring) for _ref, rings in self.found for ring in rings)
        return ITEM_BYTES * (1 + len(self.found)) + VERTEX_BYTES * vertices

    def meeting(self, box: BBox) -> tuple[ItemRef, ...]:
        """Return those whose footprints meet a box, in order."""
        met = self._met.get(box)
        if met is None:
            boxes = search_boxes(box)
            met = tuple(ref for ref, rings in self.found if meets(rings, boxes))
            if len(self._met) >= MOST_MET:
                self._met.clear()
            self._met[box] = met
        return met


def ref_of(row: DriverRow) -> ItemRef:
    """Return the item of a row of `covering`."""
    number, id_, instant, changed, west, south, east, north, *_ = row
    return ItemRef(number, id_, np.datetime64(instant, "ns"), changed, BBox(west, south, east, north))


def product_key(product: UUID) -> int:
    """Return the number by which the index finds a product; few others have the same."""
    return int.from_bytes(product.bytes[:8], signed=True)


def add_header(asset: Asset, header: Sequence[Any] | None) -> Asset:
    """Return an asset with its etag, size and header, if there is one."""
    if header is None:
        return asset
    etag, size, data = header
    return replace(asset, header=bytes(data), etag=etag, size=size)


def require_few(count: int, most: int, what: str) -> None:
    """Check that there are not too many.

    Raises:
        LimitExceeded: There are.
    """
    require_at_most(what, count, most, alternative="request a smaller area or time")


def found_items(
    rows: Sequence[tuple[str, Any]],
    cursor: DriverCursor,
    dialect: Dialect,
    *,
    before_reading: Callable[[], None] = lambda: None,
) -> Iterator[FoundItem]:
    """Yield the items of the first rows, as many as a page may have bytes of documents, and at least one.

    Args:
        rows: The id of a collection, and a row that begins with `REF_COLUMNS`.
        cursor: Of the driver, in a transaction.
        dialect: Of the database.
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
            if size > MOST_BYTES and not is_first:
                return
            yield item


def _documents(numbers: Sequence[int], cursor: DriverCursor, dialect: Dialect, *, most: int) -> dict[int, bytes]:
    """The compressed documents of items that have at most some bytes, by number."""
    wanted = pad(numbers)
    statement = statements.list_statement(statements.documents, len(wanted), dialect)
    rows = statement.run(cursor, {"most": most, **list_parameters("item", wanted)})
    return {item: bytes(data) for item, data in rows}


# Counters of collections, looked up at most once a second however many ask.
