"""The item index: a database that finds items by area and time, and stores their assets and documents."""

import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache, partial
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
from isal import isal_zlib
from sqlalchemy import Connection, Engine, Select, bindparam, func, select

from chronotile.catalog.items import altering, damage, lookups, preparing, statements, writing
from chronotile.catalog.items.asset_forms import assets_of_form, layouts_of, packed_digest, packed_hrefs, unpack_assets
from chronotile.catalog.items.cells import MAX_CELLS, cells_meeting, search_boxes
from chronotile.catalog.items.collection_states import CollectionStates
from chronotile.catalog.items.footprints import unpack
from chronotile.catalog.items.history import HistoryReader
from chronotile.catalog.items.pass_tables import FIRST_PASSES, IS_FILLED, IS_WHOLE, PASSES, scope_of
from chronotile.catalog.items.properties import is_text
from chronotile.catalog.items.reserve import keep_reserve, release_reserve
from chronotile.catalog.items.schema import BODIES, COLLECTIONS, INDEX, INSTANTS, ITEMS
from chronotile.catalog.items.search import ItemSearcher, check_numbers
from chronotile.catalog.items.search_query import SearchedCollection
from chronotile.catalog.items.statements import (
    MAX_LISTED,
    DriverCursor,
    Statement,
    Value,
    chunks,
    list_parameters,
    pad,
    reading,
)
from chronotile.core.database import close_engine, write_transaction
from chronotile.core.errors import LimitExceeded, SourceUnavailable, StorageFull
from chronotile.core.finding import Finding
from chronotile.core.model.items import (
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
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, domain_of_bounds
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import Instant, InstantArray

MAX_ITEMS = 100_000
"""Items that one call of `covering` returns."""
MAX_TRIMMED = 1_000
"""Items that one call of `trim` removes."""
MAX_FORMS = 20_000
"""Forms of assets that one call of `layouts` reads."""

_WriteBatch = Callable[[Connection, str, str], PutSummary | None]
"""Writes to a collection of an archive in a transaction; returns `None` if the collection does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFaults:
    """Faults of the items of a collection."""

    items: int = 0
    """Number of items."""
    unranked: int = 0
    """Items without the property that orders them; all items if they are ordered by id."""


@dataclass(frozen=True, slots=True)
class _CollectionLevels:
    """Number of a collection, and the levels of cells that its items use."""

    number: int
    levels: int


class ItemIndex:
    """An index of items in a database, opened by `open_items`. Thread-safe.

    Each call sees one consistent version of the index: an item exists with all its parts or not at all. Methods raise
    `SourceUnavailable` if the database does not answer, and `StorageFull` if the disk is full.
    """

    def __init__(
        self, engine: Engine, *, archive: str, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._folder, self._archive, self._clock = engine, folder, archive, clock
        self._marker = None if folder is None else damage.mark_open(folder)
        self._states = CollectionStates(self._look_up_states, clock)
        self._levels = dict[str, int]()
        """Levels of cells by collection, when they were last read."""
        self._statement = lru_cache(maxsize=512)(lambda query: Statement(query, engine.dialect))

    def covering(
        self, collection: str, box: BBox, *, span: TimeSpan | None = None, instants: InstantArray | None = None
    ) -> tuple[ItemRef, ...]:
        """Return the items whose footprint meets a box, by instant, then in the collection's order.

        Args:
            collection: Its id.
            box: In CRS84; west > east if it crosses the antimeridian; a point is a box without extent.
            span: Only items of instants in it.
            instants: (time,), ascending: only items of these.

        Raises:
            LimitExceeded: There are more than `MAX_ITEMS`.
        """
        rows = self._covering(collection, box, lookups.When.from_selection(span, instants), most=MAX_ITEMS)
        return tuple(map(lookups.ref_of, rows))

    def find_near(self, collection: str, box: BBox, instants: InstantArray) -> lookups.ItemsNearBox:
        """Return the items of some instants that meet a box, prepared for lookups of boxes within it."""
        try:
            rows = self._covering(collection, box, lookups.When.from_selection(None, instants), most=lookups.MAX_NEAR)
        except LimitExceeded:
            return lookups.ItemsNearBox((), are_all=False)
        items = ((lookups.ref_of(row), unpack(bytes(row[8]), BBox(*row[4:8]))) for row in rows)
        return lookups.ItemsNearBox(tuple(items), are_all=True)

    def _covering(self, collection: str, box: BBox, when: lookups.When | None, *, most: int) -> list[Any]:
        """Return rows of items whose footprints meet a box, in order.

        Raises:
            LimitExceeded: There are more than `most`.
        """
        boxes = search_boxes(box)
        if not boxes or when is None:
            return []
        rows = self._rows_of_known_levels(collection, boxes[0], when, most) if len(boxes) == 1 else None
        if rows is None:
            with self._reading() as cursor:
                collection_levels = self._collection(cursor, collection)
                if collection_levels is None:
                    return []
                rows = [row for part in boxes for row in self._rows_meeting(cursor, collection_levels, part, when)]
        lookups.require_few(len(rows), most, "items")
        return lookups.rows_meeting({row[0]: row for row in rows}.values(), boxes, when)

    def assets(self, numbers: Sequence[int]) -> Mapping[int, tuple[Asset, ...]]:
        """Return the assets of items by `ItemRef.number`; deleted items are missing."""
        if not numbers:
            return {}
        numbers = sorted(set(numbers))
        with self._reading() as cursor:
            packed = dict[int, bytes](self._run_list(cursor, statements.bodies, "item", numbers))
            rows = self._run_list(cursor, statements.headers, "item", numbers)
            headers = {(item, asset): header for item, asset, *header in rows}
            digests = sorted({packed_digest(data) for data in packed.values()})
            bodies = dict[str, bytes](self._run_list(cursor, statements.forms, "digest", digests))
        without_headers = {number: unpack_assets(data, bodies) for number, data in packed.items()}
        return {
            number: tuple(lookups.add_header(asset, headers.get((number, asset.name))) for asset in assets)
            for number, assets in without_headers.items()
        }

    def addresses(self, collection: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the id of each item and the URLs of its assets; items that are added during the call may be missing."""
        after = -1
        while True:
            with self._reading(is_single=True) as cursor:
                rows = self._run(cursor, _ADDRESSES, {"archive": self._archive, "id": collection, "after": after})
            if not rows:
                return
            yield from ((id_, packed_hrefs(assets)) for _number, id_, assets in rows)
            after = rows[-1][0]

    def changes(self, numbers: Sequence[int]) -> Mapping[int, int]:
        """Return the counters of the last changes of items, by `ItemRef.number`; deleted items are missing."""
        if not numbers:
            return {}
        with self._reading() as cursor:
            return dict(self._run_list(cursor, statements.changes, "item", sorted(set(numbers))))

    def changes_of(self, collection: str, instants: InstantArray) -> tuple[int, tuple[int, ...]]:
        """Return the counter of a collection, and the counters of the last changes at some instants; 0 without items.

        Processes of version 2 write no counter per instant; the counter of the collection is returned instead.
        """
        numbers = instants.astype("datetime64[ns]").astype(np.int64).tolist()
        of_collection = {"archive": self._archive, "id": collection}
        with self._reading() as cursor:
            rows = list(self._run_list(cursor, statements.instants_changed, "instant", numbers, **of_collection))
        counter = rows[0][0] if rows else 0
        changes = {instant: changed or counter for _, instant, changed in rows if instant is not None}
        return counter, tuple(changes.get(number, 0) for number in numbers)

    def times(self, collection: str, *, box: BBox | None = None) -> TimeDomain:
        """Return the instants of all items, or of items whose boxes meet a box; a solar day is an interval of a day.

        Boxes are compared in millionths of a degree; a box across the antimeridian that is wider than half of the earth
        counts as the whole circle of latitude.
        """
        with self._reading() as cursor:
            collection_levels = self._collection(cursor, collection)
            if collection_levels is None:
                return NO_TIME
            if box is not None:
                return _domain_of(self._instants_near(cursor, collection_levels, box))
            return _domain_of(self._run(cursor, statements.ALL_INSTANTS, {"collection": collection_levels.number}))

    def ends(self, collection: str) -> TimeDomain:
        """Return the first and the last instant of `times`."""
        with self._reading() as cursor:
            collection_levels = self._collection(cursor, collection)
            if collection_levels is None:
                return NO_TIME
            of_collection = {"collection": collection_levels.number}
            rows = [row for query in statements.ENDS for row in self._run(cursor, query, of_collection)]
        return _domain_of(list(dict.fromkeys(rows)))

    def extent(self, collection: str) -> BBox | None:
        """Return a CRS84 box around all items; `None` without items."""
        with self._reading() as cursor:
            row = self._collection_row(cursor, collection)
        if row is None or row["west"] is None:
            return None
        west, east = row["west"], row["east"]
        if row["east_360"] - row["west_360"] < east - west:
            west, east = (turn - 360 if turn > 180 else turn for turn in (row["west_360"], row["east_360"]))
        return BBox(west, row["south"], east, row["north"])

    def layouts(self, collection: str) -> Mapping[str, tuple[BandLayout, ...]]:
        """Return the distinct layouts of assets by asset name, the most frequent first.

        Raises:
            LimitExceeded: The assets of the items have more than `MAX_FORMS` different forms.
        """
        with self._reading() as cursor:
            collection_levels = self._collection(cursor, collection)
            if collection_levels is None:
                return {}
            values = {"collection": collection_levels.number, "most": MAX_FORMS + 1}
            rows = self._run(cursor, statements.FORMS_OF_COLLECTION, values)
        lookups.require_few(len(rows), MAX_FORMS, "layouts")
        counts = dict[str, dict[BandLayout, int]]()
        for body, items in rows:
            for asset in assets_of_form(bytes(body)):
                of_asset = counts.setdefault(asset.name, {})
                for layout in layouts_of(asset):
                    of_asset[layout] = of_asset.get(layout, 0) + items
        ordered = {name: sorted(counter, key=lambda layout: -counter[layout]) for name, counter in counts.items()}
        return {name: tuple(layouts) for name, layouts in ordered.items() if layouts}

    def state(self, collection: str, *, is_fresh: bool = False) -> CollectionState:
        """Return counters of a collection, and whether all its items are indexed; 0 and False if it does not exist.

        The database is read at most once a second, or now if `is_fresh`.
        """
        return self._states.state_of(collection, is_fresh=is_fresh)

    def settings(self, collection: str) -> IndexSettings | None:
        """Return the grouping and order of its items; `None` if the collection does not exist."""
        with self._reading() as cursor:
            row = self._collection_row(cursor, collection)
        return None if row is None else writing.settings_of(SimpleNamespace(**row))

    def faults(self, collection: str) -> ItemFaults:
        """Return the faults of a collection that the index can count."""
        with self._reading() as cursor:
            collection_levels = self._collection(cursor, collection)
            if collection_levels is None:
                return ItemFaults()
            ((items, unranked),) = self._run(cursor, statements.UNRANKED, {"collection": collection_levels.number})
        return ItemFaults(items=items, unranked=unranked)

    def put(self, collection: str, items: Iterable[Item | preparing.Prepared]) -> PutSummary:
        """Add items or replace items with the same id, in one transaction per `BATCH`; equal items stay unchanged."""
        summary = PutSummary()
        for batch in preparing.batches(items):
            summary += self._write(collection, partial(writing.put_batch, batch=batch))
        return summary

    def add(self, collection: str, items: Sequence[Item]) -> PutSummary:
        """Add new items with distinct ids in one transaction.

        Raises:
            ItemExists: An item with one of the ids exists; nothing is added.
        """
        if self._folder is not None:
            keep_reserve(self._folder)
        return self._write(collection, partial(writing.add_batch, batch=list(map(preparing.prepare, items))))

    def replace(self, collection: str, item: Item, *, expected: ItemRef | None = None) -> bool:
        """Replace the item with the same id; return False if it does not exist or has changed since `expected`."""
        prepared = preparing.prepare(item)
        with self._writing() as connection:
            is_replaced = altering.replace_one(connection, self._archive, collection, prepared, expected=expected)
        self._states.forget()
        return is_replaced

    def remove(self, collection: str, ids: Iterable[str]) -> int:
        """Remove items and return the number of existing ones; on a full disk, the reserved space is used."""
        count = 0
        for part in chunks(sorted(set(ids)), preparing.BATCH):
            try:
                count += self._remove_part(collection, part)
            except StorageFull:
                if self._folder is None or not release_reserve(self._folder):
                    raise
                count += self._remove_part(collection, part)
                # A checkpoint moves SQLite's log into the file, which frees the space of the log. It may fail.
                with suppress(StorageFull, SourceUnavailable), self._reading(is_single=True) as cursor:
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                if self._folder is not None:
                    keep_reserve(self._folder, margin_bytes=0)
            self._states.forget()
        return count

    def trim(self, collection: str, most: int) -> int:
        """Remove the oldest items beyond a number, and return how many were removed.

        At most `MAX_TRIMMED` are removed per call, because a request waits for it.
        """
        count = min(self.faults(collection).items - most, MAX_TRIMMED)
        if count <= 0:
            return 0
        with self._reading() as cursor:
            rows = self._run(cursor, _OLDEST, {"archive": self._archive, "id": collection, "most": count})
        return self.remove(collection, [id_ for (id_,) in rows])

    def configure(self, collection: str, settings: IndexSettings) -> None:
        """Set the grouping, order and searched properties of a collection, for existing items too.

        Existing items are changed in batches; after an interruption, the next call continues.
        """
        are_more: bool | None = None
        while are_more is None:
            with self._writing() as connection:
                are_more = altering.begin_reordering(connection, self._archive, collection, settings)
            if are_more is None:
                self._make_collection(collection, settings)
        while are_more:
            with self._writing() as connection:
                are_more = altering.reorder_some(connection, self._archive, collection)
        self._states.forget()

    def note_header(self, ref: ItemRef, asset: str, *, header: bytes, etag: str, size: int) -> None:
        """Store the header of a file, which is costly to read. Another ETag counts as a change of the item.

        Args:
            ref: The item as it was read; nothing is stored if it has changed since, as its file may be another.
            asset: Name of the asset.
            header: Bytes that `readers.cog` writes.
            etag: ETag of the file when it was read; empty if unknown.
            size: Bytes of the file.
        """
        values = {"header": header, "etag": etag, "size": size}
        with self._writing() as connection:
            is_change = altering.note_header(connection, ref, asset, values=values)
        if is_change:
            self._states.forget()

    def note_layouts(self, ref: ItemRef, asset: str, layouts: Sequence[BandLayout]) -> None:
        """Store the layouts of a file, unless the item was deleted or has changed; this does not count as a change."""
        with self._writing() as connection:
            altering.note_layouts(connection, ref, asset, layouts)
        self._states.forget()

    def search(self, search: ItemSearch, *, among: Container[str] | None = None) -> ItemPage:
        """Return a page of items.

        Args:
            search: The search.
            among: Ids of the collections that may be searched; `None` for all.

        Raises:
            InvalidParameter: The filter, a property to sort by or the cursor is not accepted.
        """
        with self._searching(search, among) as searcher:
            return searcher.page()

    def count_by_month(
        self, search: ItemSearch, *, among: Container[str] | None = None
    ) -> tuple[tuple[Instant, int], ...]:
        """Return the number of items that start in each month, ascending; limit, order and cursor are ignored.

        Raises:
            InvalidParameter: The filter is not accepted.
        """
        with self._searching(replace(search, sort=(), cursor=None), among) as searcher:
            return searcher.count_by_month()

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return the item with that id, or `None`."""
        if not is_text(id_):
            return None
        with self._reading(is_single=True) as cursor:
            rows = self._run(cursor, _BY_ID, {"archive": self._archive, "collection": collection, "id": id_})
        return next(_found_items(rows), None)

    def find_product(self, product: UUID, *, among: Collection[str]) -> FoundItem | None:
        """Return the item of a product in the collections `among`, or `None`.

        The database skips other collections, so that the response time does not reveal their items.
        """
        values: dict[str, Value] = {"archive": self._archive, "product": lookups.product_key(product)}
        with self._reading(is_single=len(among) <= MAX_LISTED) as cursor:
            items = _found_items(self._run_list(cursor, _product_query, "collection", sorted(among), **values))
            return next((item for item in items if item.product == product), None)

    def newest(self, collection: str, limit: int) -> tuple[FoundItem, ...]:
        """Return the most recently added or replaced items of a collection; within one transaction, the latest first.

        Large documents reduce their number below `limit`, as in a page of a search.
        """
        with self._reading() as cursor:
            rows = self._run(cursor, _NEWEST, {"archive": self._archive, "id": collection, "most": limit})
            return tuple(lookups.found_items([(collection, row) for row in rows], cursor, self._engine.dialect))

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
            since: Cursor of the previous page; `None` returns no changes and the current cursor.
            limit: Maximum number of changes.
            among: Ids of the collections to read; `None` for all.
            without_first_fill: Whether to omit changes before the end of the first pass over a collection's source.

        Raises:
            InvalidParameter: The cursor or the limit is not accepted.
            CursorExpired: Some items removed since then are no longer listed.
        """
        with self._reading() as cursor:
            dialect = self._engine.dialect
            reader = HistoryReader(self._archive, cursor, dialect, among=among, without_first_fill=without_first_fill)
            return reader.page(since, limit)

    def close(self) -> None:
        """Close the connections to the database."""
        close_engine(self._engine)
        if self._marker is not None:
            self._marker.unlink(missing_ok=True)

    def check(self) -> tuple[Finding, ...]:
        """Read the whole index and return its faults.

        Raises:
            SourceUnavailable: The database does not answer.
        """
        findings = () if self._folder is None else damage.check_file(self._folder)
        if any(finding.severity == "error" for finding in findings):
            return findings
        with self._reading() as cursor:
            ((items,),) = self._run(cursor, _ALL_ITEMS, {})
            ((items_by_time,),) = self._run(cursor, _COUNTED_ITEMS, {})
        if items == items_by_time:
            return findings
        message = f"has {items} items, and counts {items_by_time} by time; delete it, {damage.FILLED_AGAIN}"
        return (*findings, Finding("error", "item index", message))

    def _write(self, collection: str, write: _WriteBatch) -> PutSummary:
        """Run a transaction on a collection, creating the collection if it does not exist."""
        summary: PutSummary | None = None
        while summary is None:
            with self._writing() as connection:
                summary = write(connection, self._archive, collection)
            if summary is None:
                self._make_collection(collection, IndexSettings())
        self._states.forget()
        return summary

    def _remove_part(self, collection: str, ids: Sequence[str]) -> int:
        with self._writing() as connection:
            return altering.remove(connection, self._archive, collection, ids)

    def _make_collection(self, collection: str, settings: IndexSettings) -> None:
        with self._writing() as connection:
            writing.make_collection(connection, self._archive, collection, settings)

    @contextmanager
    def _searching(self, search: ItemSearch, among: Container[str] | None) -> Iterator[ItemSearcher]:
        check_numbers(search)
        ids = frozenset(search.collections)
        with self._reading() as cursor:
            searched = [SearchedCollection(*row) for row in self._run(cursor, _SEARCHED, {"archive": self._archive})]
            collections = [
                part for part in searched if (not ids or part.id in ids) and (among is None or part.id in among)
            ]
            yield ItemSearcher(search, collections, cursor, self._engine.dialect, clock=self._clock)

    @contextmanager
    def _reading(self, *, is_single: bool = False) -> Iterator[Any]:
        with self._noting_damage(), reading(self._engine, INDEX, is_single=is_single) as cursor:
            yield cursor

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._noting_damage(), write_transaction(self._engine, INDEX) as connection:
            yield connection

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except SourceUnavailable as error:
            if self._folder is not None and damage.met_damage(error):
                damage.note_damage(self._folder)
            raise

    def _run(self, cursor: DriverCursor, query: Select[Any], values: Mapping[str, Value]) -> list[Any]:
        return self._statement(query).run(cursor, values)

    def _run_list(
        self,
        cursor: DriverCursor,
        query: Callable[[int], Select[Any]],
        prefix: str,
        values_of_list: Sequence[Value],
        **values: Value,
    ) -> Iterator[Any]:
        """Yield the rows of a query with a list of values, in chunks."""
        for part in chunks(values_of_list):
            padded = pad(part)
            yield from self._run(cursor, query(len(padded)), {**values, **list_parameters(prefix, padded)})

    def _collection_row(self, cursor: DriverCursor, collection: str) -> Mapping[str, Any] | None:
        rows = self._run(cursor, statements.COLLECTION, {"archive": self._archive, "id": collection})
        return dict(zip(COLLECTIONS.c.keys(), rows[0], strict=True)) if rows else None

    def _collection(self, cursor: DriverCursor, collection: str) -> _CollectionLevels | None:
        rows = self._run(cursor, _NUMBER, {"archive": self._archive, "id": collection})
        if not rows:
            return None
        collection_levels = _CollectionLevels(*rows[0])
        self._levels[collection] = collection_levels.levels
        return collection_levels

    def _rows_of_known_levels(self, collection: str, box: BBox, when: lookups.When, most: int) -> list[Any] | None:
        """Return the same rows as `_rows_meeting`, with one statement instead of two.

        The statement uses the cached levels of cells (`catalog/items/cells.py`) that the items of the collection have.
        `None` if no levels are cached, or if the items have other levels now.
        """
        levels = self._levels.get(collection, 0)
        cells = cells_meeting(box, levels, most=MAX_CELLS)
        if not cells:
            return None
        count, near = statements.box_parameters(box, cells)
        values: dict[str, Value] = {"archive": self._archive, "id": collection, "most": most + 1, **when.values, **near}
        with self._reading(is_single=True) as cursor:
            rows = self._run(cursor, statements.levels_and_covering(count, len(when.listed)), values)
        if not rows or rows[0][0] != levels:
            return None
        return [row[1:] for row in rows if row[1] is not None]

    def _rows_meeting(
        self, cursor: DriverCursor, collection: _CollectionLevels, box: BBox, when: lookups.When
    ) -> list[Any]:
        """Return rows of items whose boxes meet a box; some may miss it narrowly."""
        count = len(when.listed)
        query_values = _choose_near_query(
            box,
            collection,
            by_cells=lambda cells: statements.covering(cells, count),
            by_box=lambda: statements.items_of_instants(count),
        )
        if query_values is None:
            return []
        query, values = query_values
        return self._run(cursor, query, {**values, **when.values, "most": MAX_ITEMS + 1})

    def _instants_near(self, cursor: DriverCursor, collection: _CollectionLevels, box: BBox) -> list[Any]:
        """Return the instants with an item near a box, ascending, with their ends."""
        near = list[list[Any]]()
        for part in search_boxes(box):
            by_cells, by_box = statements.instants_in_cells, statements.instants_in_box
            query_values = _choose_near_query(part, collection, by_cells=by_cells, by_box=by_box)
            if query_values is not None:
                near.append(self._run(cursor, *query_values))
        return near[0] if len(near) == 1 else sorted({row for rows in near for row in rows})

    def _look_up_states(self) -> dict[str, CollectionState]:
        with self._reading() as cursor:
            rows = self._run(cursor, _STATES, {"archive": self._archive})
        return {
            id_: CollectionState(
                counter=counter, times_counter=times, layouts_counter=layouts, is_whole=is_whole, is_filled=is_filled
            )
            for id_, counter, times, layouts, is_whole, is_filled in rows
        }


def _domain_of(rows: Sequence[Any]) -> TimeDomain:
    """Return the time domain of rows (instant, end), ascending."""
    if not rows:
        return NO_TIME
    pairs = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=2 * len(rows)).astype("datetime64[ns]")
    return domain_of_bounds(pairs[::2], pairs[1::2])


def _choose_near_query(
    box: BBox,
    collection: _CollectionLevels,
    *,
    by_cells: Callable[[int], Select[Any]],
    by_box: Callable[[], Select[Any]],
) -> tuple[Select[Any], dict[str, Value]] | None:
    """Return a query for rows near a box, with its values: by cells, or by edges if there are too many cells.

    `None` if the box meets no cell.
    """
    cells = cells_meeting(box, collection.levels, most=MAX_CELLS)
    values: dict[str, Value] = {"collection": collection.number}
    if cells is None:
        return by_box(), values | dict(zip(statements.EDGES, map(float, box), strict=True))
    if not cells:
        return None
    count, near = statements.box_parameters(box, cells)
    return by_cells(count), values | near


_NUMBER = statements.COLLECTION.with_only_columns(COLLECTIONS.c.number, COLLECTIONS.c.levels)
_SCOPE = scope_of(COLLECTIONS.c.archive, COLLECTIONS.c.id)
_HAS_ITEMS = COLLECTIONS.c.grouping != "dates"
"""Other collections have dates instead, which a pass lists; until it ends, `since` is missing."""
_STATES = (
    select(
        COLLECTIONS.c.id,
        COLLECTIONS.c.counter,
        COLLECTIONS.c.times_counter,
        COLLECTIONS.c.layouts_counter,
        (IS_WHOLE & (_HAS_ITEMS | PASSES.c.since.is_not(None))).label("is_whole"),
        (IS_FILLED & (_HAS_ITEMS | PASSES.c.collection.is_not(None))).label("is_filled"),
    )
    .join_from(COLLECTIONS, PASSES, PASSES.c.collection == _SCOPE, isouter=True)
    .join(FIRST_PASSES, FIRST_PASSES.c.collection == _SCOPE, isouter=True)
    .where(COLLECTIONS.c.archive == bindparam("archive"))
)
_ALL_ITEMS = select(func.count()).select_from(ITEMS)
_COUNTED_ITEMS = select(func.coalesce(func.sum(INSTANTS.c["items"]), 0))
_SEARCHED = (
    select(*(COLLECTIONS.c[field.name] for field in fields(SearchedCollection)))
    .where(COLLECTIONS.c.archive == bindparam("archive"))
    .order_by(COLLECTIONS.c.id)
)
_WHOLE = (
    select(*statements.REF_COLUMNS, COLLECTIONS.c.id, BODIES.c.document)
    .join_from(ITEMS, COLLECTIONS, COLLECTIONS.c.number == ITEMS.c.collection)
    .join(BODIES, BODIES.c.item == ITEMS.c.number)
    .where(COLLECTIONS.c.archive == bindparam("archive"))
)
_BY_ID = _WHOLE.where(COLLECTIONS.c.id == bindparam("collection"), ITEMS.c.id == bindparam("id"))


@cache
def _product_query(collections: int) -> Select[Any]:
    among = COLLECTIONS.c.id.in_(statements.names("collection", collections))
    return _WHOLE.where(ITEMS.c.product == bindparam("product"), among)


def _found_items(rows: Iterable[Any]) -> Iterator[FoundItem]:
    # Rows end with the collection and the document.
    for *row, collection, document in rows:
        yield FoundItem(ref=lookups.ref_of(row), collection=collection, document=isal_zlib.decompress(document))


_IDS = (
    select(ITEMS.c.id)
    .join_from(ITEMS, COLLECTIONS, COLLECTIONS.c.number == ITEMS.c.collection)
    .where(COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id"))
)
_OLDEST = _IDS.order_by(ITEMS.c.last_change, ITEMS.c.number).limit(bindparam("most"))
_NEWEST = (
    _IDS.with_only_columns(*statements.REF_COLUMNS)
    .order_by(ITEMS.c.last_change.desc(), ITEMS.c.start.desc(), ITEMS.c.number.desc())
    .limit(bindparam("most"))
)
_ADDRESSES = (
    _IDS.with_only_columns(ITEMS.c.number, ITEMS.c.id, BODIES.c.assets)
    .join(BODIES, BODIES.c.item == ITEMS.c.number)
    .where(ITEMS.c.number > bindparam("after"))
    .order_by(ITEMS.c.number)
    .limit(1000)
)
