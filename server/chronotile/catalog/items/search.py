"""Searches of items by area, time, ids and a filter, in pages that start after the last item of the previous page.

Each collection is searched by one statement or a few, in the order of the search, and their rows are merged. How a
collection is searched depends on the number of items that its indexes leave to compare: few items are listed by their
numbers; else one statement reads an index by value, rank or start until the page is full. Footprints are tested here.
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import search_query
from chronotile.catalog.items.candidates import MAX_MATCHED, Candidates, numbers_text
from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.items.cql2.columns import COLLECTION, PropertyColumns
from chronotile.catalog.items.cql2.conditions import holds
from chronotile.catalog.items.cql2.narrowing import ALWAYS, NarrowedPart, narrow_filter, starts
from chronotile.catalog.items.cql2.translate import meeting
from chronotile.catalog.items.cql2.tree import all_of, check_filter
from chronotile.catalog.items.cursors import ItemCursor, cursor_of
from chronotile.catalog.items.footprints import meets, unpack
from chronotile.catalog.items.lookups import found_items
from chronotile.catalog.items.properties import DAY_NS, nanoseconds
from chronotile.catalog.items.search_query import FEW, REF_COUNT, Filter, Query, SearchedCollection, Shape, SortKey
from chronotile.catalog.items.statements import DriverCursor, DriverRow, TimeLimit, Value
from chronotile.catalog.items.value_rows import key_of
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.items import ItemPage, ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Instant

MAX_ITEMS = 10_000
"""Items of a page."""
MAX_TESTED = 50_000
"""Items whose footprints a page tests."""
MAX_SORTED = 4
"""Properties to sort by."""
MAX_IDS = 1_000
MAX_COLLECTIONS = 1_000
"""Collections that a search lists."""
MAX_SKIPPED = 10_000
SEARCH_S = 10.0
"""Time limit of a search."""
READ = 500
"""Rows per read if footprints are tested."""
READ_OF_FEW = 2_000
"""Rows per read if the numbers of the items near a box are listed: each read sorts all remaining items."""
READ_OF_EACH = 16
"""Minimum rows per read if many statements contribute to a page."""
FEW_VALUES = 16
"""Maximum number of values of a property that are sampled one by one to check whether they match too many items."""

FoundRow = tuple[SearchedCollection, Any]
"""A collection and a row of it."""


@dataclass(frozen=True, slots=True)
class _Search:
    """A statement that finds items of a collection, with its parameters."""

    collection: SearchedCollection
    query: Query
    values: Mapping[str, Value]
    boxes: tuple[BBox, ...] | None
    """Boxes; the footprint of an item meets one of them. `None` if there is no bbox."""
    are_few: bool
    """Whether the statement lists the numbers of the items to compare."""
    are_many: bool = False
    """Whether more items match than are counted, estimated from a sample without tests of footprints."""

    @property
    def keys(self) -> tuple[SortKey, ...]:
        """Columns to sort by."""
        return self.query.keys

    @property
    def is_tested(self) -> bool:
        """Whether footprints are tested after the statement."""
        return self.query.condition is not None or self.boxes is not None


@dataclass(frozen=True, slots=True)
class _Turned:
    """A value with the opposite order."""

    value: Any

    def __lt__(self, other: "_Turned") -> bool:
        return bool(other.value < self.value)


class ItemSearcher:
    """Finds a page of items.

    Args:
        search: The search, with numbers that `check_numbers` accepts.
        collections: Existing collections of the search.
        cursor: Cursor of the driver, in a transaction.
        dialect: Dialect of the database.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        search: ItemSearch,
        collections: Sequence[SearchedCollection],
        cursor: DriverCursor,
        dialect: Dialect,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search, self._collections = search, collections
        self._cursor, self._dialect, self._clock = cursor, dialect, clock
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
            # Without collections no cursor can be checked, and no page follows.
            are_texts = [key.is_text for key in planned[0].keys] if planned else None
            after = cursor_of(search, are_texts=are_texts, most_matched=MAX_MATCHED)
            needed = search.skip + search.limit
            streams = [self._find_rows(query, after, needed + 1, time_limit, among=len(planned)) for query in planned]
            merged = heapq.merge(*streams, key=lambda pair: pair[0])
            rows_found = [row for _key, row in islice(merged, needed + 1)]
            matched = (
                self._count_matches(planned, len(rows_found), merged, time_limit) if after is None else after.matched
            )
            rows = [(collection.id, row) for collection, row in rows_found[search.skip : needed]]
            items = tuple(found_items(rows, self._cursor, self._dialect, before_reading=time_limit.renew))
        end = search.skip + len(items)
        if end >= len(rows_found):
            return ItemPage(items=items, next=None, matched=matched)
        last = rows_found[end - 1][1]
        keys = tuple(last[REF_COUNT : REF_COUNT + len(planned[0].keys)])
        return ItemPage(items=items, next=ItemCursor(keys, last[0], matched).text(search), matched=matched)

    def count_by_month(self) -> tuple[tuple[Instant, int], ...]:
        """Return the months in which matching items start, with their numbers, ascending.

        Raises:
            InvalidParameter: The filter is not accepted.
        """
        counts = Counter[Instant]()
        with TimeLimit(SEARCH_S, self._cursor, self._dialect, self._clock) as time_limit:
            for query in self._searches(time_limit):
                if not query.is_tested:
                    time_limit.renew()
                    day_counts = query.query.by_day.run(self._cursor, query.values)
                else:
                    rows = self._find_rows(query, None, READ, time_limit, among=1)
                    day_counts = [(row[REF_COUNT] // DAY_NS, 1) for _key, (_collection, row) in rows]
                for number, count in day_counts:
                    month: Instant = np.datetime64(int(number), "D").astype("datetime64[M]").astype("datetime64[ns]")
                    counts[month] += count
        return tuple(sorted(counts.items()))

    def _searches(self, time_limit: TimeLimit) -> list[_Search]:
        filter_, planned = _whole_filter(self._search, self._dialect), list[_Search]()
        for collection in self._collections:
            time_limit.renew()
            planned += self._plan(collection, filter_, time_limit)
        return planned

    def _count_matches(
        self, planned: Sequence[_Search], count: int, following: Iterator[object], time_limit: TimeLimit
    ) -> int | None:
        """Return the number of all matching items, or `None` if it is more than `MAX_MATCHED`.

        `count` rows were read for the first page, one more than it has if another page follows; `following` yields
        the rows after them.
        """
        if count <= self._search.skip + self._search.limit:
            return count if count <= MAX_MATCHED else None
        if any(query.is_tested for query in planned):  # footprints are tested row by row, so count the rows that remain
            total = count + sum(1 for _ in islice(following, max(0, MAX_MATCHED + 1 - count)))
            return total if total <= MAX_MATCHED else None
        if any(query.are_many for query in planned):
            return None
        total = 0
        for query in planned:
            time_limit.renew()
            values = {**query.values, "most": MAX_MATCHED + 1 - total}
            total += query.query.count.run(self._cursor, values)[0][0]
            if total > MAX_MATCHED:
                return None
        return total

    def _find_rows(
        self, query: _Search, after: ItemCursor | None, count: int, time_limit: TimeLimit, *, among: int
    ) -> Iterator[tuple[Any, FoundRow]]:
        """Yield items of a collection after a cursor, with their sort keys.

        Rows are read in batches; `among` is the number of searches that together read about as many as one.
        """
        size = max(count, READ_OF_FEW if query.are_few else READ) if query.is_tested else count
        size = max(min(size, READ_OF_EACH), size // among)
        while True:
            values = {**query.values, **search_query.cursor_values(after), "most": size}
            time_limit.renew()
            rows = query.query.page(after).run(self._cursor, values)
            for row in rows:
                if not query.is_tested or self._holds(query, row, time_limit):
                    yield _sort_key(query.keys, row), (query.collection, row)
            if len(rows) < size:
                return
            last = rows[-1]
            after = ItemCursor(tuple(last[REF_COUNT : REF_COUNT + len(query.keys)]), last[0], None)

    def _holds(self, query: _Search, row: DriverRow, time_limit: TimeLimit) -> bool:
        time_limit.check()
        self._tested += 1
        if self._tested > MAX_TESTED:
            raise InvalidParameter(
                f"the search compares more than {MAX_TESTED} footprints; restrict it by collections, bbox or datetime",
                locator="filter",
            )
        footprint, box = bytes(row[8]), BBox(*row[4:8])
        if query.boxes is not None and not meets(unpack(footprint, box), query.boxes):
            return False
        plain = iter(row[REF_COUNT + len(query.keys) :])
        condition = query.query.condition
        return condition is None or holds(condition, plain, footprint, box) is True

    def _plan(self, collection: SearchedCollection, filter_: Filter | None, time_limit: TimeLimit) -> Iterator[_Search]:
        search, boxes = self._search, self._boxes
        shape = Shape(
            dialect=self._dialect,
            filter=filter_,
            sort=search.sort,
            has_span=search.span is not None,
            boxes=None if boxes is None else len(boxes),
            ranked=collection.ranked,
        )
        near_filter = search_query.boxes_near(shape)  # this also checks the filter, which is split below
        near = boxes or near_filter
        starts, instants = self._times(collection, filter_)
        shape = replace(shape, has_starts=starts != ALWAYS)
        values: dict[str, Value] = {
            "collection": collection.number,
            COLLECTION: collection.id,
            **dict(zip(("first_start", "last_start"), starts, strict=True)),
            **search_query.box_values(boxes or ()),
        }
        if search.span is not None:
            values["after"] = nanoseconds(search.span.start)
        candidates = Candidates(collection, starts, instants, self._cursor, self._dialect, time_limit)
        parts = [] if filter_ is None else narrow_filter(filter_.node, collection.id, collection.names | {"id"})
        if not all(part.pairs for part in parts):
            return
        few: Sequence[int] | None = None
        if search.ids:
            few = search_query.numbers_of(search.ids, collection, self._cursor, dialect=self._dialect)
        elif near:
            few = search_query.numbers_near(near, collection, instants, self._cursor, dialect=self._dialect)
        if few is None and parts:
            count, part = min(((candidates.count_pairs(part.pairs), part) for part in parts), key=itemgetter(0))
            is_checked = part.rest is None or candidates.are_few(count)
            is_by_start = not search.sort or (len(search.sort) == 1 and search.sort[0][0] == "datetime")
            if part.is_found_by_value and is_by_start and (is_checked or len(part.pairs) <= FEW_VALUES):
                shape = replace(shape, is_by_value=True)
                yield from self._plan_by_value(part, shape, values, candidates, None if is_checked else near)
                return
            few = candidates.numbers(part.pairs) if count <= FEW else None
        if few is not None:
            query = search_query.query_of(replace(shape, are_listed=True))
            values["numbers"] = numbers_text(few, self._dialect)
            yield _Search(collection, query, values, boxes, are_few=True)
            return
        shape = replace(shape, do_ranks_fall=None if near else self._do_ranks_fall(candidates))
        query = search_query.query_of(shape)
        if query.scans and not near:
            candidates.require_few_sorted()
        are_many = filter_ is not None and candidates.require_few(shape, values, near)
        query = query.add_condition(search_query.cells_condition(near, collection, instants)) if near else query
        yield _Search(collection, query, values, boxes, are_few=False, are_many=are_many)

    def _do_ranks_fall(self, candidates: Candidates) -> bool | None:
        """Return whether items are read by falling or rising ranks; `None` if they are not read by rank."""
        collection = candidates.collection
        falls = collection.rank_order(self._search.sort) if len(self._collections) == 1 else None
        return None if falls is None or not candidates.have_ranks() else falls  # text properties have no ranks

    def _plan_by_value(  # noqa: PLR0917 -- parts of one search
        self,
        part: NarrowedPart,
        shape: Shape,
        values: Mapping[str, Value],
        candidates: Candidates,
        near: Sequence[BBox] | None,
    ) -> Iterator[_Search]:
        """Yield one search per value of a property; unless `near` is `None`, check that each compares few items."""
        shape = replace(shape, filter=None if part.rest is None else Filter(repr(part.rest), part.rest))
        for pair in sorted(part.pairs, key=repr):
            value_parameters = {**values, "value": key_of(pair.name, pair.value)}
            are_many = near is not None and candidates.require_few(shape, value_parameters, near)
            query = search_query.query_of(shape)
            yield _Search(candidates.collection, query, value_parameters, self._boxes, are_few=False, are_many=are_many)

    def _times(self, collection: SearchedCollection, filter_: Filter | None) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return first and last start, and first and last instant: a solar day starts up to two days from its items."""
        longest, span = collection.longest, self._search.span
        first, last = ALWAYS if filter_ is None else starts(filter_.node, longest)
        if span is not None:
            first = max(first, nanoseconds(span.start) - longest)
            last = min(last, nanoseconds(span.end) - 1)
        two_days = 2 * DAY_NS
        return (first, last), (max(first - two_days, -(1 << 63)), min(last + two_days, (1 << 63) - 1))


def _whole_filter(search: ItemSearch, dialect: Dialect) -> Filter | None:
    """Return the filter with the geometry as a condition; `None` without both."""
    parts = [] if search.filter is None else [check_filter(search.filter)]
    if search.geometry is not None:
        parts.append(meeting(search.geometry, PropertyColumns(dialect.name)))
    whole = all_of(parts)
    return None if whole is None else Filter(repr(whole), whole)


def check_numbers(search: ItemSearch) -> None:
    """Check the limit, skip and lists of a search.

    Raises:
        InvalidParameter: A number or list is too large.
    """
    for name, value, least, most in (("limit", search.limit, 1, MAX_ITEMS), ("skip", search.skip, 0, MAX_SKIPPED)):
        if not least <= value <= most:
            raise InvalidParameter(f"{name} is {value}; accepted: {least} to {most}", locator=name)
    ids, collections = (
        ("ids", "ids", search.ids, MAX_IDS),
        ("collections", "names", search.collections, MAX_COLLECTIONS),
    )
    for name, what, values, most in (ids, collections):
        if len(values) > most:
            raise InvalidParameter(f"{name} has {len(values)} {what}; at most {most} are accepted", locator=name)
    if len(search.sort) > MAX_SORTED:
        raise InvalidParameter(f"sortby has more than {MAX_SORTED} properties", locator="sortby")


def _sort_key(keys: Sequence[SortKey], row: DriverRow) -> tuple[Any, ...]:
    """Return the key for merging rows of several collections; it has the same order as the database."""
    parts = list[Any]()
    for key, value in zip(keys, row[REF_COUNT:], strict=False):
        comparable = 0 if value is None else value
        is_turned = key.is_descending and value is not None
        parts.append((value is None, _Turned(comparable) if is_turned else comparable))
    return (*parts, row[0])
