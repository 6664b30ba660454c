"""Searches of items: by place, time, ids and a filter, in pages that go on after the last item of the page before."""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import orjson
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import queries
from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.items.cql2.columns import COLLECTION, Columns
from chronotile.catalog.items.cql2.conditions import holds
from chronotile.catalog.items.cql2.translate import translate
from chronotile.catalog.items.cql2.tree import checked
from chronotile.catalog.items.cursors import Cursor, cursor_of
from chronotile.catalog.items.footprints import meets, unpack
from chronotile.catalog.items.lookups import found_items
from chronotile.catalog.items.order import nanoseconds
from chronotile.catalog.items.search_query import (
    DAY_NS,
    REF_COUNT,
    Filter,
    Key,
    Query,
    SearchedCollection,
    Shape,
    after_values,
    box_values,
    boxes_near,
    in_cells,
    numbers_near,
    numbers_of,
    query_of,
)
from chronotile.catalog.items.statements import Statement, TimeLimit, Value
from chronotile.database import POSTGRESQL
from chronotile.errors import InvalidParameter
from chronotile.model.grid import BBox
from chronotile.model.items import ItemPage, ItemSearch
from chronotile.model.time.instants import Instant

MOST_ITEMS = 10_000
"""Items of a page."""
MOST_MATCHED = 10_000
"""Items that are counted."""
MOST_TESTED = 50_000
"""Items whose footprints one page tests."""
MOST_SORTED = 4
"""Properties to sort by."""
MOST_IDS = 1_000
MOST_COLLECTIONS = 1_000
"""That a search names."""
MOST_SKIPPED = 10_000
MOST_SORTED_ITEMS = 100_000
"""Items that one page compares by a property that has no index."""
SEARCH_S = 10.0
"""How long a search may take."""
READ = 500
"""Rows read at a time where footprints are tested."""
READ_OF_FEW = 2_000
"""Rows read at a time of these: each time, all that follow are sorted."""

Found = tuple[SearchedCollection, Any]
"""A row and its collection."""


@dataclass(frozen=True, slots=True)
class _Search:
    """How the items of a collection are looked up, and the values for it."""

    collection: SearchedCollection
    query: Query
    values: Mapping[str, Value]
    boxes: tuple[BBox, ...] | None
    """One of which footprints have to meet."""
    are_few: bool
    """Whether all that may be found are listed by their numbers."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """What items are sorted by."""
        return self.query.keys

    @property
    def is_tested(self) -> bool:
        """Whether footprints are tested."""
        return self.query.condition is not None or self.boxes is not None


@dataclass(frozen=True, slots=True)
class _Turned:
    """A value that sorts the other way round."""

    value: Any

    def __lt__(self, other: "_Turned") -> bool:
        return bool(other.value < self.value)


class ItemSearcher:
    """Finds a page of items.

    Args:
        search: What is looked for, with numbers that `check_numbers` accepts.
        collections: Of those that it names, the ones that are there.
        cursor: Of the driver, in a transaction.
        dialect: Of the database.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        search: ItemSearch,
        collections: Sequence[SearchedCollection],
        cursor: Any,  # noqa: ANN401 -- the driver's own
        dialect: Dialect,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search = search
        self._collections = collections
        self._cursor = cursor
        self._dialect = dialect
        self._clock = clock
        self._tested = 0
        self._boxes = None if search.bbox is None else search_boxes(search.bbox)

    def page(self) -> ItemPage:
        """Return the page.

        Raises:
            InvalidParameter: The filter, a property to sort by or the cursor is not accepted.
        """
        search = self._search
        with TimeLimit(SEARCH_S, self._cursor, self._dialect, self._clock) as time_limit:
            planned = self._searches(time_limit)
            # Without collections nothing says which values a cursor has, and there is nothing to go on with.
            are_texts = [key.is_text for key in planned[0].keys] if planned else None
            after = cursor_of(search, are_texts=are_texts, most_matched=MOST_MATCHED)
            wanted = search.skip + search.limit
            streams = [self._found(query, after, wanted + 1, time_limit) for query in planned]
            merged = heapq.merge(*streams, key=lambda pair: pair[0])
            found = [row for _key, row in islice(merged, wanted + 1)]
            matched = self._matched(planned, len(found), merged, time_limit) if after is None else after.matched
            rows = [(collection.id, row) for collection, row in found[search.skip : wanted]]
            items = tuple(found_items(rows, self._cursor, self._dialect, before_reading=time_limit.renew))
        reached = search.skip + len(items)
        if reached >= len(found):
            return ItemPage(items=items, next=None, matched=matched)
        last = found[reached - 1][1]
        keys = tuple(last[REF_COUNT : REF_COUNT + len(planned[0].keys)])
        return ItemPage(items=items, next=Cursor(keys, last[0], matched).text(search), matched=matched)

    def by_month(self) -> tuple[tuple[Instant, int], ...]:
        """Return the months in which items begin and how many do, ascending.

        Raises:
            InvalidParameter: The filter is not accepted.
        """
        counts = Counter[Instant]()
        with TimeLimit(SEARCH_S, self._cursor, self._dialect, self._clock) as time_limit:
            for query in self._searches(time_limit):
                if not query.is_tested:
                    time_limit.renew()
                    found = query.query.by_day().run(self._cursor, query.values)
                else:
                    rows = self._found(query, None, READ, time_limit)
                    found = [(row[REF_COUNT] // DAY_NS, 1) for _key, (_collection, row) in rows]
                for number, count in found:
                    month: Instant = np.datetime64(int(number), "D").astype("datetime64[M]").astype("datetime64[ns]")
                    counts[month] += count
        return tuple(sorted(counts.items()))

    def _searches(self, time_limit: TimeLimit) -> list[_Search]:
        filter_, planned = _whole_filter(self._search, self._dialect), list[_Search]()
        for collection in self._collections:
            time_limit.renew()
            planned.append(self._planned(collection, filter_))
        return planned

    def _matched(
        self, planned: Sequence[_Search], count: int, others: Iterator[object], time_limit: TimeLimit
    ) -> int | None:
        """How many items match in all.

        Args:
            planned: By which they are looked up.
            count: Of those that were found for the first page, and for whether there is a second.
            others: Those after them.
            time_limit: Of the search.
        """
        if count <= self._search.skip + self._search.limit:
            return count if count <= MOST_MATCHED else None
        if any(query.is_tested for query in planned):  # the rows are there already
            total = count + sum(1 for _ in islice(others, max(0, MOST_MATCHED + 1 - count)))
            return total if total <= MOST_MATCHED else None
        total = 0
        for query in planned:
            time_limit.renew()
            values = {**query.values, "most": MOST_MATCHED + 1 - total}
            total += query.query.count().run(self._cursor, values)[0][0]
            if total > MOST_MATCHED:
                return None
        return total

    def _found(
        self, query: _Search, after: Cursor | None, count: int, time_limit: TimeLimit
    ) -> Iterator[tuple[Any, Found]]:
        """Yield items of a collection after a cursor, each with what it is sorted by; some are read at a time."""
        size = max(count, READ_OF_FEW if query.are_few else READ) if query.is_tested else count
        while True:
            values = {**query.values, **after_values(after), "most": size}
            time_limit.renew()
            rows = query.query.page(after).run(self._cursor, values)
            for row in rows:
                if not query.is_tested or self._holds(query, row, time_limit):
                    yield _sort_key(query.keys, row), (query.collection, row)
            if len(rows) < size:
                return
            last = rows[-1]
            after = Cursor(tuple(last[REF_COUNT : REF_COUNT + len(query.keys)]), last[0], None)

    def _holds(self, query: _Search, row: Any, time_limit: TimeLimit) -> bool:  # noqa: ANN401 -- the driver's own
        time_limit.check()
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
        condition = query.query.condition
        return condition is None or holds(condition, plain, footprint, box) is True

    def _planned(self, collection: SearchedCollection, filter_: Filter | None) -> _Search:
        search = self._search
        shape = Shape(
            dialect=self._dialect,
            filter=filter_,
            sort=search.sort,
            has_span=search.span is not None,
            boxes=None if self._boxes is None else len(self._boxes),
        )
        values: dict[str, Value] = {
            "collection": collection.number,
            COLLECTION: collection.id,
            **box_values(self._boxes or ()),
        }
        if search.span is not None:
            start, end = nanoseconds(search.span.start), nanoseconds(search.span.end)
            earliest = max(start - collection.longest, -(1 << 63) + 1) - 1
            values |= {"start": start, "end": end, "earliest": earliest}
        near = self._boxes or boxes_near(shape)
        instants = self._instants(collection)
        few: Sequence[int] | None = None
        if search.ids:
            few = numbers_of(search.ids, collection, self._cursor, dialect=self._dialect)
        elif near:
            few = numbers_near(near, collection, instants, self._cursor, dialect=self._dialect)
        if few is not None:
            query = query_of(replace(shape, are_listed=True))
            numbers = orjson.dumps(few).decode()  # an array is written in braces
            values["numbers"] = f"{{{numbers[1:-1]}}}" if self._dialect.name == POSTGRESQL else numbers
        else:
            is_ordered = len(self._collections) == 1 and not near
            query = query_of(replace(shape, do_ranks_fall=collection.rank_order(search.sort) if is_ordered else None))
            if query.scans and not near:
                self._require_few_sorted(collection, instants)
        if near and few is None:
            query = query.within(in_cells(near, collection, instants))
        return _Search(collection, query, values, self._boxes, are_few=few is not None)

    def _require_few_sorted(self, collection: SearchedCollection, instants: tuple[int, int]) -> None:
        values: dict[str, Value] = {"collection": collection.number, "first": instants[0], "last": instants[1]}
        ((items,),) = _items_of_instants(self._dialect).run(self._cursor, values)
        if (items or 0) <= MOST_SORTED_ITEMS:
            return
        own = "datetime" if collection.order_by in {None, "id", "datetime"} else f"datetime or {collection.order_by}"
        raise InvalidParameter(
            f"sortby would compare {items} items of {collection.id}; at most {MOST_SORTED_ITEMS} are compared: give a "
            f"bbox, a shorter datetime or ids, or sort this collection alone by {own}, of which there is an index",
            locator="sortby",
        )

    def _instants(self, collection: SearchedCollection) -> tuple[int, int]:
        """Between which instants those of the items lie: a solar day begins up to two days beside them."""
        if self._search.span is None:
            return -(1 << 63), (1 << 63) - 1
        start, end = nanoseconds(self._search.span.start), nanoseconds(self._search.span.end)
        return max(start - collection.longest - 2 * DAY_NS, -(1 << 63)), min(end + 2 * DAY_NS, (1 << 63) - 1)


@lru_cache(maxsize=4)
def _items_of_instants(dialect: Dialect) -> Statement:
    return Statement(queries.items_of_instants(), dialect)


def _whole_filter(search: ItemSearch, dialect: Dialect) -> Filter | None:
    """The filter, with the geometry as a part of it; `None`: there is neither."""
    parts = [] if search.filter is None else [checked(search.filter)]
    if search.geometry is not None:
        try:
            part = checked({"op": "s_intersects", "args": [{"property": "geometry"}, search.geometry]})
            translate(part, Columns(dialect.name))
        except InvalidParameter as error:
            raise InvalidParameter(error.message.replace("filter", "geometry", 1), locator="geometry") from error
        parts.append(part)
    if not parts:
        return None
    whole = {"op": "and", "args": parts} if len(parts) > 1 else parts[0]
    return Filter(repr(whole), whole)


def check_numbers(search: ItemSearch) -> None:
    """Check that a search is not for too much.

    Raises:
        InvalidParameter: It is.
    """
    if not 1 <= search.limit <= MOST_ITEMS:
        raise InvalidParameter(f"limit is {search.limit}; accepted: 1 to {MOST_ITEMS}", locator="limit")
    if not 0 <= search.skip <= MOST_SKIPPED:
        raise InvalidParameter(f"skip is {search.skip}; accepted: 0 to {MOST_SKIPPED}", locator="skip")
    if len(search.ids) > MOST_IDS:
        raise InvalidParameter(f"ids has {len(search.ids)} ids; at most {MOST_IDS} are accepted", locator="ids")
    if len(search.collections) > MOST_COLLECTIONS:
        raise InvalidParameter(
            f"collections has {len(search.collections)} names; at most {MOST_COLLECTIONS} are accepted",
            locator="collections",
        )
    if len(search.sort) > MOST_SORTED:
        raise InvalidParameter(f"sortby has more than {MOST_SORTED} properties", locator="sortby")


def _sort_key(keys: Sequence[Key], row: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- the driver's own
    """By which items of several collections are merged, in the order in which the database sorts those of one."""
    parts = list[Any]()
    for key, value in zip(keys, row[REF_COUNT:], strict=False):
        known = 0 if value is None else value
        parts.append((value is None, _Turned(known) if key.is_descending and value is not None else known))
    return (*parts, row[0])
