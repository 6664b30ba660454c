"""Searches of items: by place, time, ids and a filter, in pages that go on after the last item of the page before."""

import heapq
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import orjson
from isal import isal_zlib
from sqlalchemy import BigInteger, Null, Select, and_, case, false, func, literal, literal_column, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items import queries
from chronotile.catalog.items.cells import MOST_CELLS, cells_meeting, outward, search_boxes
from chronotile.catalog.items.cql2.columns import Columns
from chronotile.catalog.items.cql2.conditions import (
    Condition,
    Plain,
    holds,
    loosely,
    meets_box,
    near_boxes,
    plain_parts,
)
from chronotile.catalog.items.cql2.translate import translate
from chronotile.catalog.items.cql2.tree import checked
from chronotile.catalog.items.cursors import Cursor, cursor_of
from chronotile.catalog.items.footprints import meets, unpack
from chronotile.catalog.items.order import nanoseconds
from chronotile.catalog.items.schema import BODIES, COVERS, ITEMS
from chronotile.catalog.items.statements import Statement, Value, chunks, listed, padded
from chronotile.database import POSTGRESQL
from chronotile.errors import InvalidParameter
from chronotile.model.grid import BBox
from chronotile.model.items import FoundItem, ItemPage, ItemRef, ItemSearch
from chronotile.model.time.instants import DAY, Instant

MOST_ITEMS = 10_000
"""Items of a page."""
MOST_MATCHED = 10_000
"""Items that are counted."""
MOST_TESTED = 50_000
"""Items whose footprints one page tests."""
MOST_SORTED = 4
"""Properties to sort by."""
MOST_IDS = 1_000
SEARCH_S = 10.0
"""How long a search may take."""
READ = 500
"""Rows read at a time where footprints are tested."""
FEW = 10_000
"""Items near a box that are looked up by their numbers, instead of all items of the times."""
MOST_COVERS = 2 * FEW
"""Parts of items in cells that are read for it."""
READ_OF_FEW = 2_000
"""Rows read at a time of these: each time, all that follow are sorted."""
STEPS = 20_000
"""Steps of SQLite between two looks at the clock."""
DAY_NS = int(DAY.astype(int))
REF_COUNT = 9
"""Columns of a row before the values that it is sorted by."""


@dataclass(frozen=True, slots=True)
class SearchedCollection:
    """A collection that is searched."""

    number: int
    id: str
    levels: int
    longest: int
    """How long the longest item lasts, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class _Key:
    """What items are sorted by; missing values come last."""

    column: ColumnElement[Any]
    is_descending: bool
    may_miss: bool
    is_text: bool
    """Or else a number."""


@dataclass(frozen=True, slots=True)
class _Query:
    """How the items of a collection are looked up."""

    collection: SearchedCollection
    select: Select[Any]
    keys: tuple[_Key, ...]
    condition: Condition | None
    """Where footprints have to be tested for it."""
    boxes: tuple[BBox, ...] | None
    """One of which footprints have to meet."""
    are_few: bool
    """Whether the items near a box are listed."""

    @property
    def is_tested(self) -> bool:
        """Whether footprints are tested."""
        return self.condition is not None or self.boxes is not None


@dataclass(frozen=True, slots=True)
class _Turned:
    """A value that sorts the other way round."""

    value: Any

    def __lt__(self, other: "_Turned") -> bool:
        return bool(other.value < self.value)


class ItemSearcher:
    """Finds a page of items.

    Args:
        search: What is looked for.
        collections: Of those that it names, the ones that are there.
        cursor: Of the driver, in a transaction.
        dialect: Of the database.

    Raises:
        InvalidParameter: The filter, a property to sort by, the cursor or a number is not accepted.
    """

    def __init__(
        self,
        search: ItemSearch,
        collections: Sequence[SearchedCollection],
        cursor: Any,  # noqa: ANN401 -- the driver's own
        dialect: Dialect,
    ) -> None:
        _check(search)
        self._search = search
        self._cursor = cursor
        self._dialect = dialect
        self._tested = 0
        self._boxes = None if search.bbox is None else search_boxes(search.bbox)
        filter_ = _whole_filter(search, dialect)
        self._queries = [self._query(collection, filter_) for collection in collections]
        # Without collections nothing says which values a cursor has, and there is nothing to go on with.
        are_texts = [key.is_text for key in self._queries[0].keys] if self._queries else None
        self._after = cursor_of(search, are_texts=are_texts, most_matched=MOST_MATCHED)

    def page(self) -> ItemPage:
        """Return the page."""
        with at_most(SEARCH_S, self._cursor, self._dialect):
            streams = [self._found(query, self._after, self._search.limit + 1) for query in self._queries]
            merged = heapq.merge(*streams, key=lambda pair: pair[0])
            found = list(islice(merged, self._search.limit + 1))
            rows = [row for _key, row in found[: self._search.limit]]
            is_last = len(found) <= self._search.limit
            matched = self._matched(len(found), merged)
            documents = documents_of([row[0] for _collection, row in rows], self._cursor, self._dialect)
        items = tuple(found_item(collection, row, documents[row[0]]) for collection, row in rows)
        if is_last:
            return ItemPage(items=items, next=None, matched=matched)
        last = rows[-1][1]
        keys = tuple(last[REF_COUNT : REF_COUNT + len(self._queries[0].keys)])
        return ItemPage(items=items, next=Cursor(keys, last[0], matched).text(self._search), matched=matched)

    def by_month(self) -> tuple[tuple[Instant, int], ...]:
        """Return the months in which items begin and how many do, ascending."""
        counts = Counter[Instant]()
        with at_most(SEARCH_S, self._cursor, self._dialect):
            for query in self._queries:
                if not query.is_tested:
                    day: ColumnElement[Any] = _day_of(ITEMS.c.start)
                    days: Select[Any] = query.select.with_only_columns(day, func.count()).group_by(day)
                    found = self._rows(days)
                else:
                    found = [
                        (row[REF_COUNT] // DAY_NS, 1) for _key, (_collection, row) in self._found(query, None, READ)
                    ]
                for number, count in found:
                    month: Instant = np.datetime64(int(number), "D").astype("datetime64[M]").astype("datetime64[ns]")
                    counts[month] += count
        return tuple(sorted(counts.items()))

    def _matched(self, count: int, others: Iterator[object]) -> int | None:
        """How many items match in all.

        Args:
            count: Of those that were found for the first page, and for whether there is a second.
            others: Those after them.
        """
        if self._after is not None:
            return self._after.matched
        if count <= self._search.limit:
            return count
        if any(query.is_tested for query in self._queries):  # the rows are there already
            total = count + sum(1 for _ in islice(others, MOST_MATCHED + 1 - count))
            return total if total <= MOST_MATCHED else None
        total = 0
        for query in self._queries:
            some = query.select.with_only_columns(literal_column("1")).limit(MOST_MATCHED + 1 - total).subquery()
            total += self._rows(select(func.count()).select_from(some))[0][0]
            if total > MOST_MATCHED:
                return None
        return total

    def _found(self, query: _Query, after: Cursor | None, count: int) -> Iterator[tuple[Any, Any]]:
        """Yield items of a collection after a cursor, each with what it is sorted by; some are read at a time."""
        size = max(count, READ_OF_FEW if query.are_few else READ) if query.is_tested else count
        order = [part for key in query.keys for part in _order(key)]
        while True:
            wanted = query.select if after is None else query.select.where(_is_after(query.keys, after))
            rows = self._rows(wanted.order_by(*order, ITEMS.c.number).limit(size))
            for row in rows:
                if not query.is_tested or self._holds(query, row):
                    yield _sort_key(query.keys, row), (query.collection, row)
            if len(rows) < size:
                return
            last = rows[-1]
            after = Cursor(tuple(last[REF_COUNT : REF_COUNT + len(query.keys)]), last[0], None)

    def _holds(self, query: _Query, row: Any) -> bool:  # noqa: ANN401 -- the driver's own
        self._tested += 1
        if self._tested > MOST_TESTED:
            raise InvalidParameter(
                f"the search compares more than {MOST_TESTED} footprints; restrict it by collections, bbox or datetime",
                locator="filter",
            )
        footprint, box = bytes(row[8]), BBox(*row[4:8])
        if query.boxes is not None and not meets(unpack(footprint, box), query.boxes):
            return False
        plain = iter(row[REF_COUNT + len(query.keys) :])
        return query.condition is None or holds(query.condition, plain, footprint, box) is True

    def _query(self, collection: SearchedCollection, filter_: Any) -> _Query:  # noqa: ANN401 -- JSON
        columns = Columns(self._dialect.name, collection.id)
        condition = None if filter_ is None else translate(filter_, columns)
        keys = _keys(self._search, columns)
        where = list(self._where(collection))
        if condition is not None:
            where.append(loosely(condition))
        near = self._boxes or (() if condition is None else near_boxes(condition))
        few = self._few_near(near, collection) if near else None
        if few is not None:
            where.append(_is_listed(few, self._dialect))  # without the collection, by which SQLite would take an index
        else:
            where.append(ITEMS.c.collection == collection.number)
        if near and few is None:
            where.append(_near(near, collection, self._instants(collection)))
        tested = None if condition is None or isinstance(condition, Plain) else condition
        plain = () if tested is None else tuple(plain_parts(tested))
        wanted = select(*queries.REF_COLUMNS[:REF_COUNT], *(key.column for key in keys), *plain)
        if columns.are_bodies_used:
            wanted = wanted.join_from(ITEMS, BODIES, BODIES.c.item == ITEMS.c.number)
        return _Query(collection, wanted.where(*where), keys, tested, self._boxes, are_few=few is not None)

    def _few_near(self, boxes: Sequence[BBox], collection: SearchedCollection) -> Sequence[int] | None:
        """The numbers of the items in the cells of some boxes; `None`: there are many."""
        numbers = set[int]()
        first, last = self._instants(collection)
        for box in boxes:
            cells = cells_meeting(box, collection.levels, most=MOST_CELLS)
            if cells is None:
                return None
            if not cells:  # of a collection without items
                continue
            wanted = padded(cells)
            west, south, east, north = outward(box)
            values: dict[str, Value] = {
                "collection": collection.number,
                "first": first,
                "last": last,
                "most": MOST_COVERS + 1,
                "west": west,
                "south": south,
                "east": east,
                "north": north,
                **listed("cell", wanted),
            }
            found = _numbers_statement(len(wanted), self._dialect).run(self._cursor, values)
            numbers.update(number for (number,) in found)
            if len(numbers) > FEW or len(found) > MOST_COVERS:
                return None
        return sorted(numbers)

    def _where(self, collection: SearchedCollection) -> Iterator[ColumnElement[bool]]:
        search = self._search
        if search.span is not None:
            start, end = nanoseconds(search.span.start), nanoseconds(search.span.end)
            yield ITEMS.c.start < end
            yield ITEMS.c.end > start
            yield ITEMS.c.start > max(start - collection.longest, -(1 << 63) + 1) - 1
        if search.ids:
            yield or_(*(ITEMS.c.id == id_ for id_ in search.ids))
        if self._boxes is not None:
            yield or_(*map(meets_box, self._boxes)) if self._boxes else literal_column("1") == literal_column("0")

    def _instants(self, collection: SearchedCollection) -> tuple[int, int]:
        """Between which instants those of the items lie: a solar day begins up to two days beside them."""
        if self._search.span is None:
            return -(1 << 63), (1 << 63) - 1
        start, end = nanoseconds(self._search.span.start), nanoseconds(self._search.span.end)
        return max(start - collection.longest - 2 * DAY_NS, -(1 << 63)), min(end + 2 * DAY_NS, (1 << 63) - 1)

    def _rows(self, wanted: Select[Any]) -> list[Any]:
        return Statement(wanted, self._dialect).run(self._cursor, {})


@contextmanager
def at_most(seconds: float, cursor: Any, dialect: Dialect) -> Iterator[None]:  # noqa: ANN401 -- the driver's own
    """End what a cursor does once it takes too long.

    Raises:
        InvalidParameter: It did.
    """
    deadline = time.monotonic() + seconds
    is_postgresql = dialect.name == POSTGRESQL
    if is_postgresql:
        cursor.execute(f"SET LOCAL statement_timeout = {max(1, round(1000 * seconds))}")
    else:
        cursor.connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        reason = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
        if reason not in {"SQLITE_INTERRUPT", "57014"}:
            raise
        raise InvalidParameter(
            f"the search takes longer than {seconds:.0f} s; restrict it by collections, bbox or datetime",
            locator="filter",
        ) from error
    finally:
        if not is_postgresql:
            cursor.connection.set_progress_handler(None, STEPS)


def _whole_filter(search: ItemSearch, dialect: Dialect) -> Any:  # noqa: ANN401 -- JSON
    """The filter, with the geometry as a part of it; `None`: there is neither."""
    parts = [] if search.filter is None else [checked(search.filter)]
    if search.geometry is not None:
        try:
            part = checked({"op": "s_intersects", "args": [{"property": "geometry"}, search.geometry]})
            translate(part, Columns(dialect.name, ""))
        except InvalidParameter as error:
            raise InvalidParameter(error.message.replace("filter", "geometry", 1), locator="geometry") from error
        parts.append(part)
    return {"op": "and", "args": parts} if len(parts) > 1 else parts[0] if parts else None


def _day_of(column: ColumnElement[int]) -> ColumnElement[int]:
    """The day of an instant, counted from 1970; both databases divide towards zero."""
    return case((column < 0, -((-column - 1) // DAY_NS) - 1), else_=column // DAY_NS)


def _check(search: ItemSearch) -> None:
    if not 1 <= search.limit <= MOST_ITEMS:
        raise InvalidParameter(f"limit is {search.limit}; accepted: 1 to {MOST_ITEMS}", locator="limit")
    if len(search.ids) > MOST_IDS:
        raise InvalidParameter(f"ids has {len(search.ids)} ids; at most {MOST_IDS} are accepted", locator="ids")
    if len(search.sort) > MOST_SORTED:
        raise InvalidParameter(f"sortby has more than {MOST_SORTED} properties", locator="sortby")


def _keys(search: ItemSearch, columns: Columns) -> tuple[_Key, ...]:
    """The columns to sort by: of a property that of its numbers and that of its texts."""
    keys = list[_Key]()
    for name, is_descending in search.sort:
        try:
            found = columns.property(name)
        except InvalidParameter as error:
            raise InvalidParameter(f"sortby: {error.message}", locator="sortby") from error
        number = found.time if found.is_time else func.coalesce(found.number, found.time)
        may_miss = name not in {"datetime", "id", "collection"}
        if not isinstance(found.number, Null) or found.is_time:
            keys.append(_Key(number, is_descending, may_miss, is_text=False))
        if not isinstance(found.text, Null):
            keys.append(_Key(found.text, is_descending, may_miss, is_text=True))
    return tuple(keys) or (_Key(ITEMS.c.start, is_descending=True, may_miss=False, is_text=False),)


def _order(key: _Key) -> Iterator[ColumnElement[Any]]:
    if key.may_miss:
        yield key.column.is_(None)
    yield key.column.desc() if key.is_descending else key.column.asc()


def _is_after(keys: Sequence[_Key], after: Cursor) -> ColumnElement[bool]:
    """Whether an item comes after another: its first value that differs does, or its number."""
    condition: ColumnElement[bool] = ITEMS.c.number > after.number
    for key, value in zip(reversed(keys), reversed(after.keys), strict=True):
        if value is None:
            condition = and_(key.column.is_(None), condition)
            continue
        beyond = key.column < value if key.is_descending else key.column > value
        missing = [key.column.is_(None)] if key.may_miss else []
        condition = or_(beyond, *missing, and_(key.column == value, condition))
    first, value = keys[0], after.keys[0]
    if value is None or first.may_miss:
        return condition
    # Which an index finds.
    return and_(first.column <= value if first.is_descending else first.column >= value, condition)


def _sort_key(keys: Sequence[_Key], row: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- the driver's own
    """By which items of several collections are merged, in the order in which the database sorts those of one."""
    parts = list[Any]()
    for key, value in zip(keys, row[REF_COUNT:], strict=False):
        known = 0 if value is None else value
        parts.append((value is None, _Turned(known) if key.is_descending and value is not None else known))
    return (*parts, row[0])


def _near(boxes: Sequence[BBox], collection: SearchedCollection, instants: tuple[int, int]) -> ColumnElement[bool]:
    """Whether an item lies in the cells of some boxes; true of large boxes, which have too many."""
    conditions = list[ColumnElement[bool]]()
    for box in boxes:
        cells = cells_meeting(box, collection.levels, most=MOST_CELLS)
        if cells is None:
            return and_(True)
        if not cells:  # of a collection without items
            continue
        west, south, east, north = outward(box)
        in_cells = select(COVERS.c.item).where(
            COVERS.c.collection == collection.number,
            COVERS.c.cell.in_([literal(cell) for cell in cells]),
            COVERS.c.instant.between(*instants),
            *(COVERS.c.west <= east, COVERS.c.east >= west, COVERS.c.south <= north, COVERS.c.north >= south),
        )
        conditions.append(ITEMS.c.number.in_(in_cells))
    return or_(false(), *conditions)


def _is_listed(numbers: Sequence[int], dialect: Dialect) -> ColumnElement[bool]:
    """Whether an item is one of some; of one parameter, so that the statement is short."""
    if dialect.name == POSTGRESQL:
        return ITEMS.c.number == func.any(literal(list(numbers), ARRAY(BigInteger)))
    listed_ = func.json_each(literal(orjson.dumps(numbers).decode())).table_valued("value")
    return ITEMS.c.number.in_(select(listed_.c.value))


@lru_cache(maxsize=16)
def _numbers_statement(cells: int, dialect: Dialect) -> Statement:
    return Statement(queries.numbers_in_cells(cells), dialect)


def documents_of(numbers: Sequence[int], cursor: Any, dialect: Dialect) -> dict[int, bytes]:  # noqa: ANN401 -- the driver's own
    """Return the compressed documents of items, by number."""
    found = dict[int, bytes]()
    for part in chunks(numbers):
        wanted = padded(part)
        statement = _documents_statement(len(wanted), dialect)
        found.update((item, bytes(data)) for item, data in statement.run(cursor, listed("item", wanted)))
    return found


@lru_cache(maxsize=64)
def _documents_statement(items: int, dialect: Dialect) -> Statement:
    return Statement(queries.documents(items), dialect)


def found_item(collection: SearchedCollection, row: Any, document: bytes) -> FoundItem:  # noqa: ANN401 -- the driver's own
    """Return the item of a row of `REF_COLUMNS`."""
    number, id_, instant, changed, *edges = row[:8]
    return FoundItem(
        ref=ItemRef(number, id_, np.datetime64(instant, "ns"), changed, BBox(*edges)),
        collection=collection.id,
        document=isal_zlib.decompress(document),
    )
