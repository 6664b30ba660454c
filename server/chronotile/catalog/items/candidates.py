"""How many items a search would compare one by one: counted, and sampled, before it runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import statements
from chronotile.catalog.items.cells import MOST_CELLS, cells_meeting
from chronotile.catalog.items.cql2.narrowing import Pair
from chronotile.catalog.items.schema import INSTANTS, ITEMS, VALUES
from chronotile.catalog.items.search_query import FEW, SearchedCollection, Shape, numbers_of, query_of, rank_bounds
from chronotile.catalog.items.statements import DriverCursor, Statement, TimeLimit, Value
from chronotile.catalog.items.value_rows import key_of
from chronotile.core.database import POSTGRESQL
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox

MOST_COMPARED = 100_000
"""Items that a search compares by what has no index."""
MOST_MATCHED = 10_000
"""Items that are counted."""
SURELY = 1.5
"""Times `MOST_MATCHED` items that match by a sample: five standard deviations of what one of each `SPREAD` says."""
SPREAD = 97
"""Of so many items one is in the sample that weighs all times as items do; a prime, as numbers may have periods."""
ROWS_OF_ITEM = 4
"""Cells that an item lies in, at most."""
SAMPLES, SAMPLED = 16, 64
"""Times from which on items are looked at to know how many match, and how many of each."""


@dataclass(frozen=True)
class Candidates:
    """The items of a collection among which a search looks.

    Args:
        collection: It.
        starts: Between which nanoseconds since 1970 they begin, both included.
        instants: Of the same items.
        cursor: Of the driver, in a transaction.
        dialect: Of the database.
        time_limit: Of the search, which is renewed before each statement.
    """

    collection: SearchedCollection
    starts: tuple[int, int]
    instants: tuple[int, int]
    cursor: DriverCursor
    dialect: Dialect
    time_limit: TimeLimit
    counts: dict[Value, int] = field(default_factory=dict)
    """Of items by the key of a value."""

    @cached_property
    def number(self) -> tuple[int, tuple[int, int]]:
        """How many there are, if not more than `MOST_COMPARED`, and their first and last instants."""
        first, last = self.instants
        ((items, earliest, latest),) = self._run(_instants_query(self.dialect), first=first, last=last)
        return int(items or 0), (earliest or 0, latest or 0)

    def count_pairs(self, pairs: Collection[Pair]) -> int:
        """Return how many have one of some values of properties, if not more than `MOST_COMPARED`."""
        found = sum(each.name == "id" for each in pairs)
        keys = [key_of(each.name, each.value) for each in pairs if each.name != "id"]
        if None in keys:
            return MOST_COMPARED + 1
        for key in keys:
            if found > MOST_COMPARED:
                break
            found += self._count_of(key)
        return found

    def numbers(self, pairs: Collection[Pair]) -> Sequence[int]:
        """Return the numbers of those that have one of some values of properties, ascending."""
        ids = [str(each.value) for each in pairs if each.name == "id"]
        found = set(numbers_of(ids, self.collection, self.cursor, dialect=self.dialect))
        for each in pairs:
            if each.name != "id":
                rows = self._run(_value_query(self.dialect), value=key_of(each.name, each.value))
                found.update(number for (number,) in rows)
        return sorted(found)

    def require_few(self, shape: Shape, values: dict[str, Value], near: Sequence[BBox]) -> bool:
        """Check that a search does not compare too many; return whether, by a sample, more match than are counted.

        Args:
            shape: With a filter.
            values: Of its parameters.
            near: Boxes, one of which an item has to meet; empty: it may be anywhere.

        Raises:
            InvalidParameter: It does, as it seems by a sample.
        """
        items, ends = self.number
        found = min(items, self._count_by_index(shape, values, near))
        if found <= min(MOST_COMPARED, 2 * MOST_MATCHED):
            return False
        sample = self._sample(shape, values, ends)
        matching = self._matching(sample, shape, values)
        if found <= MOST_COMPARED or matching * MOST_COMPARED >= len(sample) * MOST_MATCHED:
            return matching * found > SURELY * len(sample) * MOST_MATCHED and self._are_many(shape, values)
        names = " or ".join(sorted(self.collection.names)) or "a property that the configuration names in search"
        raise InvalidParameter(
            f"filter would compare more than {MOST_COMPARED} items of {self.collection.id}, of which few match; give a "
            f"bbox, a shorter datetime or ids, or compare {names} by =, of which there is an index",
            locator="filter",
        )

    def _are_many(self, shape: Shape, values: dict[str, Value]) -> bool:
        # Whether more match than are counted; the other sample has too many of times from which there are few.
        spread = [number for (number,) in self._run(_spread(shape), **values, spread=SPREAD)]
        return self._matching(spread, shape, values) * SPREAD > SURELY * MOST_MATCHED

    def _matching(self, numbers: Sequence[int], shape: Shape, values: dict[str, Value]) -> int:
        """How many of some items match."""
        counted = query_of(replace(shape, are_listed=True, is_by_value=False, do_ranks_fall=None)).count
        given = {**values, "numbers": numbers_text(numbers, self.dialect), "most": len(numbers)}
        return int(self._run(counted, **given)[0][0])

    def are_few(self, items: int) -> bool:
        """Return whether so many may be compared one by one."""
        return items <= MOST_COMPARED

    def have_ranks(self) -> bool:
        """Return whether the property by which the collection is ordered is a number in any of its items."""
        return bool(self._run(_rank_query(self.dialect)))

    def require_few_sorted(self) -> None:
        """Check that a sort without an index does not compare too many.

        Raises:
            InvalidParameter: It does.
        """
        items, _ends = self.number
        if items <= MOST_COMPARED:
            return
        order_by = self.collection.order_by
        own = "datetime" if order_by in {None, "id", "datetime"} else f"datetime or {order_by}"
        raise InvalidParameter(
            f"sortby would compare more than {MOST_COMPARED} items of {self.collection.id}: give a bbox, a shorter "
            f"datetime or ids, or sort this collection alone by {own}, of which there is an index",
            locator="sortby",
        )

    def _count_by_index(self, shape: Shape, values: dict[str, Value], near: Sequence[BBox]) -> int:
        if shape.is_by_value:
            return self._count_of(values["value"])
        if _is_by_ranks(shape):
            return int(self._run(_ranks_query(shape))[0][0])
        cells = [cells_meeting(box, self.collection.levels, most=MOST_CELLS) for box in near]
        if not cells or None in cells:
            return MOST_COMPARED + 1
        found = 0
        for box, some in zip(near, cells, strict=True):
            count, near_box = statements.box_parameters(box, some or [-1])
            given = {**near_box, "first": self.instants[0], "last": self.instants[1]}
            rows = self._run(_cells_query(count, self.dialect), **given, most=ROWS_OF_ITEM * MOST_COMPARED + 1)
            found += rows[0][0]
        return found // ROWS_OF_ITEM

    def _count_of(self, key: Value) -> int:
        """How many items have a value, if not more than `MOST_COMPARED`; counted once."""
        if key not in self.counts:
            self.counts[key] = int(self._run(_value_query(self.dialect, is_count=True), value=key)[0][0])
        return self.counts[key]

    def _sample(self, shape: Shape, values: dict[str, Value], ends: tuple[int, int]) -> Sequence[int]:
        """Numbers of some items from all of the time, or from the range of ranks that is read."""
        if _is_by_ranks(shape):
            return self._sample_of_ranks(shape)
        first, last = (max(min(each, self.starts[1]), self.starts[0]) for each in ends)
        statement = _next_ones(self.dialect, is_by_value=shape.is_by_value)
        numbers = set[int]()
        for step in range(SAMPLES):
            given = {**values, "first_start": first + (last - first) * step // SAMPLES, "last_start": self.starts[1]}
            numbers.update(number for (number,) in self._run(statement, **given))
        return sorted(numbers)

    def _sample_of_ranks(self, shape: Shape) -> Sequence[int]:
        ((least, most),) = self._run(_ends_of_ranks(shape))
        numbers = set[int]()
        for step in range(SAMPLES):
            rows = self._run(_next_ranks(shape), first_rank=least + (most - least) * step / SAMPLES)
            numbers.update(number for (number,) in rows)
        return sorted(numbers)

    def _run(self, statement: Statement, **values: Value) -> list[Any]:
        self.time_limit.renew()
        first, last = self.starts
        common: dict[str, Value] = {"collection": self.collection.number, "first_start": first, "last_start": last}
        return statement.run(self.cursor, {**common, "most": MOST_COMPARED + 1, **values})


def numbers_text(numbers: Sequence[int], dialect: Dialect) -> str:
    """Return numbers as the parameter `numbers` has them."""
    text = orjson.dumps(numbers).decode()
    return f"{{{text[1:-1]}}}" if dialect.name == POSTGRESQL else text  # where an array is written in braces


def _count(some: Select[Any]) -> Select[Any]:
    return select(func.count()).select_from(some.limit(bindparam("most")).subquery())


@lru_cache(maxsize=4)
def _instants_query(dialect: Dialect) -> Statement:
    of_collection = INSTANTS.c.collection == bindparam("collection")
    within = INSTANTS.c.instant.between(bindparam("first"), bindparam("last"))
    some = select(INSTANTS.c["items"]).where(of_collection, within).limit(bindparam("most")).subquery()
    found = (select(end(INSTANTS.c.instant)).where(of_collection, within) for end in (func.min, func.max))
    ends = (each.scalar_subquery() for each in found)
    return Statement(select(func.sum(some.c["items"]), *ends), dialect)


@lru_cache(maxsize=4)
def _value_query(dialect: Dialect, *, is_count: bool = False) -> Statement:
    found = statements.numbers_of_value()
    return Statement(_count(found) if is_count else found.limit(FEW + 1), dialect)


def _is_by_ranks(shape: Shape) -> bool:
    # Whether a search reads the items of a range of ranks.
    return shape.do_ranks_fall is not None and any(True for _ in rank_bounds(shape))


def _in_ranks(shape: Shape, column: ColumnElement[Any]) -> Select[Any]:
    return select(column).where(ITEMS.c.collection == bindparam("collection"), *rank_bounds(shape))


@lru_cache(maxsize=128)
def _ranks_query(shape: Shape) -> Statement:
    return Statement(_count(_in_ranks(shape, literal_column("1"))), shape.dialect)


@lru_cache(maxsize=128)
def _ends_of_ranks(shape: Shape) -> Statement:
    ends = (_in_ranks(shape, end(ITEMS.c.rank)).scalar_subquery() for end in (func.min, func.max))
    return Statement(select(*ends), shape.dialect)


@lru_cache(maxsize=128)
def _next_ranks(shape: Shape) -> Statement:
    following = _in_ranks(shape, ITEMS.c.number).where(ITEMS.c.rank >= bindparam("first_rank"))
    return Statement(following.order_by(ITEMS.c.rank).limit(SAMPLED), shape.dialect)


@lru_cache(maxsize=128)
def _spread(shape: Shape) -> Statement:
    """Numbers of one of each `spread` of the first `most` items that an index gives."""
    if _is_by_ranks(shape):
        found = _in_ranks(shape, ITEMS.c.number)
    else:
        found = statements.numbers_of_value() if shape.is_by_value else statements.numbers_of_starts()
    (number,) = found.limit(bindparam("most")).subquery().c
    return Statement(select(number).where(number % bindparam("spread", type_=BigInteger) == 0), shape.dialect)


@lru_cache(maxsize=32)
def _cells_query(cells: int, dialect: Dialect) -> Statement:
    return Statement(select(func.count()).select_from(statements.numbers_in_cells(cells).subquery()), dialect)


@lru_cache(maxsize=4)
def _next_ones(dialect: Dialect, *, is_by_value: bool) -> Statement:
    start = VALUES.c.start if is_by_value else ITEMS.c.start
    found = statements.numbers_of_value() if is_by_value else statements.numbers_of_starts()
    return Statement(found.order_by(start).limit(SAMPLED), dialect)


@lru_cache(maxsize=4)
def _rank_query(dialect: Dialect) -> Statement:
    of_collection = ITEMS.c.collection == bindparam("collection")
    return Statement(select(literal_column("1")).where(of_collection, ITEMS.c.rank.is_not(None)).limit(1), dialect)
