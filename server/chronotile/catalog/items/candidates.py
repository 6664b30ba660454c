"""Number of items that a search would compare without an index, counted and sampled before it runs.

A search whose filter no index can answer compares all items of its times and places. If these are more than
`MAX_COMPARED`, a sample of them is compared first. The search runs only if a tenth of the sample matches: then
`MAX_COMPARED` items contain `MAX_MATCHED` matches, more than a page needs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import statements
from chronotile.catalog.items.cells import MAX_CELLS, cells_meeting
from chronotile.catalog.items.cql2.narrowing import Pair
from chronotile.catalog.items.schema import INSTANTS, ITEMS, VALUES
from chronotile.catalog.items.search_query import FEW, SearchedCollection, Shape, numbers_of, query_of, rank_bounds
from chronotile.catalog.items.statements import DriverCursor, Statement, TimeLimit, Value
from chronotile.catalog.items.value_rows import key_of
from chronotile.core.database import POSTGRESQL
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox

MAX_COMPARED = 100_000
"""Items that a search may compare without an index."""
MAX_MATCHED = 10_000
"""Matching items that are counted."""
SURELY = 1.5
"""Factor of certainty: an estimate from one in `SPREAD` items that exceeds `MAX_MATCHED` by 50 % is right by
five standard deviations."""
SPREAD = 97
"""One in this many items is in the uniform sample of `_spread`; a prime, because item numbers may be periodic."""
ROWS_OF_ITEM = 4
"""Maximum number of cells that an item lies in."""
SAMPLES, SAMPLED = 16, 64
"""Number of start times of the first sample, and number of items that follow each of them in it."""


@dataclass(frozen=True)
class Candidates:
    """The items of a collection that a search may have to compare.

    Args:
        collection: The collection.
        starts: First and last start of items, in nanoseconds since 1970, both included.
        instants: First and last instant of the same items.
        cursor: Cursor of the driver, in a transaction.
        dialect: Dialect of the database.
        time_limit: Time limit of the search, renewed before each statement.
    """

    collection: SearchedCollection
    starts: tuple[int, int]
    instants: tuple[int, int]
    cursor: DriverCursor
    dialect: Dialect
    time_limit: TimeLimit
    counts: dict[Value, int] = field(default_factory=dict)
    """How many items have each value."""

    @cached_property
    def number(self) -> tuple[int, tuple[int, int]]:
        """The number of items, at least `MAX_COMPARED` + 1 if more exist, and their first and last instant."""
        first, last = self.instants
        ((items, earliest, latest),) = self._run(_instants_query(self.dialect), first=first, last=last)
        return int(items or 0), (earliest or 0, latest or 0)

    def count_pairs(self, pairs: Collection[Pair]) -> int:
        """Return the number of items with any of some values, at least `MAX_COMPARED` + 1 if it is larger."""
        count = sum(pair.name == "id" for pair in pairs)
        keys = [key_of(pair.name, pair.value) for pair in pairs if pair.name != "id"]
        if None in keys:
            return MAX_COMPARED + 1
        for key in keys:
            if count > MAX_COMPARED:
                break
            count += self._count_of(key)
        return count

    def numbers(self, pairs: Collection[Pair]) -> Sequence[int]:
        """Return the numbers of items with any of some values of properties, ascending."""
        ids = [str(pair.value) for pair in pairs if pair.name == "id"]
        numbers = set(numbers_of(ids, self.collection, self.cursor, dialect=self.dialect))
        for pair in pairs:
            if pair.name != "id":
                rows = self._run(_value_query(self.dialect), value=key_of(pair.name, pair.value))
                numbers.update(number for (number,) in rows)
        return sorted(numbers)

    def require_few(self, shape: Shape, values: dict[str, Value], near: Sequence[BBox]) -> bool:
        """Check that a search compares few items or finds enough; return whether it surely finds more than are counted.

        Args:
            shape: Shape of the search, with a filter.
            values: Parameters of its statements.
            near: Boxes; matching items meet one of them. Empty if items anywhere may match.

        Raises:
            InvalidParameter: It compares too many items, and a sample has few that match.
        """
        items, ends = self.number
        compared = min(items, self._count_by_index(shape, values, near))
        if compared <= min(MAX_COMPARED, 2 * MAX_MATCHED):
            return False
        sample = self._sample(shape, values, ends)
        matching = self._count_matching(sample, shape, values)
        if compared <= MAX_COMPARED or matching * MAX_COMPARED >= len(sample) * MAX_MATCHED:
            return matching * compared > SURELY * len(sample) * MAX_MATCHED and self._are_many(shape, values)
        names = " or ".join(sorted(self.collection.names)) or "configured in search"
        raise InvalidParameter(
            f"filter would compare more than {MAX_COMPARED} items of {self.collection.id}, and few of them match; "
            f"give a bbox, a shorter datetime or ids, or compare an indexed property ({names}) by =",
            locator="filter",
        )

    def _are_many(self, shape: Shape, values: dict[str, Value]) -> bool:
        # Whether more items match than are counted. The other sample has too many items of times with few items.
        spread = [number for (number,) in self._run(_spread(shape), **values, spread=SPREAD)]
        return self._count_matching(spread, shape, values) * SPREAD > SURELY * MAX_MATCHED

    def _count_matching(self, numbers: Sequence[int], shape: Shape, values: dict[str, Value]) -> int:
        """Return how many of the items with some numbers match."""
        statement = query_of(replace(shape, are_listed=True, is_by_value=False, do_ranks_fall=None)).count
        sampled = {**values, "numbers": numbers_text(numbers, self.dialect), "most": len(numbers)}
        return int(self._run(statement, **sampled)[0][0])

    def are_few(self, items: int) -> bool:
        """Return whether a number of items may be compared one by one."""
        return items <= MAX_COMPARED

    def have_ranks(self) -> bool:
        """Return whether any item of the collection has a rank: a number in the property that orders the collection."""
        return bool(self._run(_rank_query(self.dialect)))

    def require_few_sorted(self) -> None:
        """Check that a sort without an index does not compare too many items.

        Raises:
            InvalidParameter: It compares more than `MAX_COMPARED`.
        """
        items, _ends = self.number
        if items <= MAX_COMPARED:
            return
        order_by = self.collection.order_by
        indexed = "datetime" if order_by in {None, "id", "datetime"} else f"datetime or {order_by}"
        raise InvalidParameter(
            f"sortby would compare more than {MAX_COMPARED} items of {self.collection.id}: give a bbox, a shorter "
            f"datetime or ids, or sort this collection alone by {indexed}, which has an index",
            locator="sortby",
        )

    def _count_by_index(self, shape: Shape, values: dict[str, Value], near: Sequence[BBox]) -> int:
        if shape.is_by_value:
            return self._count_of(values["value"])
        if _is_by_ranks(shape):
            return int(self._run(_ranks_query(shape))[0][0])
        cells = [cells_meeting(box, self.collection.levels, most=MAX_CELLS) for box in near]
        if not cells or None in cells:
            return MAX_COMPARED + 1
        rows_in_cells = 0
        for box, box_cells in zip(near, cells, strict=True):
            count, near_box = statements.box_parameters(box, box_cells or [-1])
            span = {**near_box, "first": self.instants[0], "last": self.instants[1]}
            rows = self._run(_cells_query(count, self.dialect), **span, most=ROWS_OF_ITEM * MAX_COMPARED + 1)
            rows_in_cells += rows[0][0]
        return rows_in_cells // ROWS_OF_ITEM

    def _count_of(self, key: Value) -> int:
        """Return the number of items with a value, at most `MAX_COMPARED` + 1; each value is counted once."""
        if key not in self.counts:
            self.counts[key] = int(self._run(_value_query(self.dialect, is_count=True), value=key)[0][0])
        return self.counts[key]

    def _sample(self, shape: Shape, values: dict[str, Value], ends: tuple[int, int]) -> Sequence[int]:
        """Return numbers of items from all times, or from the whole range of ranks that is read."""
        if _is_by_ranks(shape):
            return self._sample_of_ranks(shape)
        first, last = (max(min(end, self.starts[1]), self.starts[0]) for end in ends)
        statement = _next_ones(self.dialect, is_by_value=shape.is_by_value)
        numbers = set[int]()
        for step in range(SAMPLES):
            step_values = {
                **values,
                "first_start": first + (last - first) * step // SAMPLES,
                "last_start": self.starts[1],
            }
            numbers.update(number for (number,) in self._run(statement, **step_values))
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
        return statement.run(self.cursor, {**common, "most": MAX_COMPARED + 1, **values})


def numbers_text(numbers: Sequence[int], dialect: Dialect) -> str:
    """Return the value of the parameter `numbers`."""
    text = orjson.dumps(numbers).decode()
    return f"{{{text[1:-1]}}}" if dialect.name == POSTGRESQL else text  # PostgreSQL writes arrays in braces


def _count(query: Select[Any]) -> Select[Any]:
    return select(func.count()).select_from(query.limit(bindparam("most")).subquery())


@lru_cache(maxsize=4)
def _instants_query(dialect: Dialect) -> Statement:
    of_collection = INSTANTS.c.collection == bindparam("collection")
    within = INSTANTS.c.instant.between(bindparam("first"), bindparam("last"))
    some = select(INSTANTS.c["items"]).where(of_collection, within).limit(bindparam("most")).subquery()
    ends = (
        select(end(INSTANTS.c.instant)).where(of_collection, within).scalar_subquery() for end in (func.min, func.max)
    )
    return Statement(select(func.sum(some.c["items"]), *ends), dialect)


@lru_cache(maxsize=4)
def _value_query(dialect: Dialect, *, is_count: bool = False) -> Statement:
    numbers = statements.numbers_of_value()
    return Statement(_count(numbers) if is_count else numbers.limit(FEW + 1), dialect)


def _is_by_ranks(shape: Shape) -> bool:
    # Whether a search reads items in a range of ranks.
    return shape.do_ranks_fall is not None and any(True for _ in rank_bounds(shape))


def _select_in_ranks(shape: Shape, column: ColumnElement[Any]) -> Select[Any]:
    return select(column).where(ITEMS.c.collection == bindparam("collection"), *rank_bounds(shape))


@lru_cache(maxsize=128)
def _ranks_query(shape: Shape) -> Statement:
    return Statement(_count(_select_in_ranks(shape, literal_column("1"))), shape.dialect)


@lru_cache(maxsize=128)
def _ends_of_ranks(shape: Shape) -> Statement:
    ends = (_select_in_ranks(shape, end(ITEMS.c.rank)).scalar_subquery() for end in (func.min, func.max))
    return Statement(select(*ends), shape.dialect)


@lru_cache(maxsize=128)
def _next_ranks(shape: Shape) -> Statement:
    following = _select_in_ranks(shape, ITEMS.c.number).where(ITEMS.c.rank >= bindparam("first_rank"))
    return Statement(following.order_by(ITEMS.c.rank).limit(SAMPLED), shape.dialect)


@lru_cache(maxsize=128)
def _spread(shape: Shape) -> Statement:
    """Numbers of one in `spread` of the first `most` items in the order of an index."""
    if _is_by_ranks(shape):
        numbers = _select_in_ranks(shape, ITEMS.c.number)
    else:
        numbers = statements.numbers_of_value() if shape.is_by_value else statements.numbers_of_starts()
    (number,) = numbers.limit(bindparam("most")).subquery().c
    return Statement(select(number).where(number % bindparam("spread", type_=BigInteger) == 0), shape.dialect)


@lru_cache(maxsize=32)
def _cells_query(cells: int, dialect: Dialect) -> Statement:
    return Statement(select(func.count()).select_from(statements.numbers_in_cells(cells).subquery()), dialect)


@lru_cache(maxsize=4)
def _next_ones(dialect: Dialect, *, is_by_value: bool) -> Statement:
    start = VALUES.c.start if is_by_value else ITEMS.c.start
    numbers = statements.numbers_of_value() if is_by_value else statements.numbers_of_starts()
    return Statement(numbers.order_by(start).limit(SAMPLED), dialect)


@lru_cache(maxsize=4)
def _rank_query(dialect: Dialect) -> Statement:
    of_collection = ITEMS.c.collection == bindparam("collection")
    return Statement(select(literal_column("1")).where(of_collection, ITEMS.c.rank.is_not(None)).limit(1), dialect)
