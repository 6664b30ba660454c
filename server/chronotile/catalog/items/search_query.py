"""How items of a collection are looked up: statements that are made once for all searches of one shape.

To make a statement takes longer than to run it: what a search compares with are parameters, but for the values in its
filter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.visitors import iterate

from chronotile.catalog.items import statements as queries
from chronotile.catalog.items.cells import MOST_CELLS, cells_meeting, outward
from chronotile.catalog.items.cql2.columns import EXACT, PropertyColumns
from chronotile.catalog.items.cql2.conditions import (
    FilterCondition,
    PlainCondition,
    boxes_of_condition,
    loosely,
    plain_parts,
)
from chronotile.catalog.items.cql2.narrowing import parts_of
from chronotile.catalog.items.cql2.translate import COMPARISONS, TURNED, translate
from chronotile.catalog.items.cursors import ItemCursor
from chronotile.catalog.items.properties import is_text
from chronotile.catalog.items.schema import BODIES, COVERS, ITEMS, VALUES
from chronotile.catalog.items.statements import DriverCursor, Statement, Value, list_parameters, pad
from chronotile.core.database import POSTGRESQL
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import DAY

REF_COUNT = 9
"""Columns of a row before the values that it is sorted by."""
FEW = 10_000
"""Items near a box that are looked up by their numbers, instead of all items of the times."""
MOST_COVERS = 2 * FEW
"""Parts of items in cells that are read for it."""
DAY_NS = int(DAY.astype(int))
MOST_TEXT = 2_000
"""Characters of a filter whose statements are kept."""
BOUNDS = {"=", *TURNED}
MOST_EXACT = 1 << 53
"""Integers up to here are numbers with a point without loss."""
SORTED_TEXT = 200
"""Characters by which texts are sorted: cursors have them, and are part of addresses."""


@dataclass(frozen=True, slots=True)
class SearchedCollection:
    """A collection that is searched."""

    number: int
    id: str
    levels: int
    longest: int
    """How long the longest item lasts, in nanoseconds."""
    order_by: str | None
    is_descending: bool
    reordered_to: int | None
    """`None`: the ranks and values of all items are there."""
    searched: str | None
    """Names of properties, as a list in JSON."""

    @property
    def names(self) -> frozenset[str]:
        """The properties whose values are found by an index."""
        return frozenset() if self.reordered_to is not None else frozenset(orjson.loads(self.searched or b"[]"))

    @property
    def ranked(self) -> tuple[str, bool] | None:
        """The property whose numbers ranks are, and whether ranks fall as it rises."""
        if self.reordered_to is not None or self.order_by is None or self.order_by in EXACT:
            return None
        return self.order_by, self.is_descending

    def rank_order(self, sort: Sequence[tuple[str, bool]]) -> bool | None:
        """Return whether ranks fall where items are sorted in a way; `None` where that is not the collection's own."""
        if self.ranked is None or len(sort) != 1 or sort[0][0] != self.order_by:
            return None
        return sort[0][1] != self.is_descending


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that `checked` returned; equal to others of the same text."""

    text: str
    """`repr` of it."""
    node: Any = field(compare=False)
    made: dict[object, Any] = field(default_factory=dict, compare=False)
    """What was made of it for one collection, and serves the others, where its text is too long to be kept."""

    @property
    def is_short(self) -> bool:
        """Whether what is made of it is kept for other searches."""
        return len(self.text) <= MOST_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the statements of a search depend on."""

    dialect: Dialect
    filter: Filter | None
    sort: tuple[tuple[str, bool], ...]
    has_span: bool
    """Whether items have to last until after a time."""
    boxes: int | None
    """One of which items have to meet; `None`: they may be anywhere."""
    ranked: tuple[str, bool] | None = None
    """As the collection has it."""
    do_ranks_fall: bool | None = None
    """Where items are sorted by their ranks."""
    are_listed: bool = False
    """Whether the numbers of items that may be found are a parameter."""
    has_starts: bool = False
    """Whether items have to begin between two times."""
    is_by_value: bool = False
    """Whether items are found by a value of a property; they are then sorted by their start."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """What items are sorted by; missing values come last."""

    column: ColumnElement[Any]
    is_descending: bool
    may_miss: bool
    is_text: bool
    """Or else a number."""


@dataclass(frozen=True, eq=False)
class Query:
    """The statements of a shape; parameters are those of `parameters_of`, `most` and those of `cursor_values`."""

    dialect: Dialect
    select: sa.Select[Any]
    """Items in no order."""
    keys: tuple[SortKey, ...]
    condition: FilterCondition | None
    """Where footprints have to be tested for it."""
    pages: dict[tuple[bool, ...] | None, Statement] = field(default_factory=dict)
    """Made so far, for each set of values that a cursor misses."""

    def page(self, after: ItemCursor | None) -> Statement:
        """Return the statement of at most `most` items after a cursor, in their order."""
        missing = None if after is None else tuple(value is None for value in after.keys)
        if missing not in self.pages:
            order = [part for key in self.keys for part in _order(key)]
            wanted = self.select if missing is None else self.select.where(_is_after(self.keys, missing))
            wanted = wanted.order_by(*order, ITEMS.c.number).limit(sa.bindparam("most"))
            self.pages[missing] = Statement(wanted, self.dialect)
        return self.pages[missing]

    @cached_property
    def count(self) -> Statement:
        """The statement that counts items, up to `most`."""
        some = self.select.with_only_columns(sa.literal_column("1")).limit(sa.bindparam("most")).subquery()
        return Statement(sa.select(sa.func.count()).select_from(some), self.dialect)

    @property
    def scans(self) -> bool:
        """Whether all items have to be compared before the first is known, for want of an index."""
        columns = {part for key in self.keys for part in iterate(key.column) if isinstance(part, sa.Column)}
        return ITEMS.c.updated in columns or any(column.table is BODIES for column in columns)

    @cached_property
    def by_day(self) -> Statement:
        """The statement that counts items by the days in which they begin, counted from 1970."""
        start = ITEMS.c.start  # both databases divide towards zero
        day: ColumnElement[Any] = sa.case((start < 0, -((-start - 1) // DAY_NS) - 1), else_=start // DAY_NS)
        days: sa.Select[Any] = self.select.with_only_columns(day, sa.func.count()).group_by(day)
        return Statement(days, self.dialect)

    def add_condition(self, condition: ColumnElement[bool]) -> "Query":
        """Return the same with one more condition."""
        return replace(self, select=self.select.where(condition), pages={})


def query_of(shape: Shape) -> Query:
    """Return how items are looked up.

    Raises:
        InvalidParameter: The filter, or a property to sort by, is not accepted.
    """
    if shape.filter is None or shape.filter.is_short:
        return _query_of(shape)
    key, made = replace(shape, filter=None), shape.filter.made
    if key not in made:
        made[key] = _query_of.__wrapped__(shape)
    query: Query = made[key]
    return query


def boxes_near(shape: Shape) -> tuple[BBox, ...]:
    """Return boxes of the filter, one of which an item has to meet; empty: it may be anywhere.

    Raises:
        InvalidParameter: The filter is not accepted.
    """
    condition, _uses_bodies = _condition_of(shape)
    return () if condition is None else boxes_of_condition(condition)


def box_values(boxes: Sequence[BBox]) -> dict[str, Value]:
    """Return the parameters of boxes within ±180 degrees."""
    edges = ((number, zip(queries.EDGES, box, strict=True)) for number, box in enumerate(boxes))
    return {f"{name}{number}": float(value) for number, box in edges for name, value in box}


def cursor_values(after: ItemCursor | None) -> Mapping[str, Value]:
    """Return the parameters of a cursor."""
    if after is None:
        return {}
    return {"after_number": after.number, **{f"after{number}": value for number, value in enumerate(after.keys)}}


@lru_cache(maxsize=128)
def _query_of(shape: Shape) -> Query:
    condition, uses_bodies = _condition_of(shape)
    columns = PropertyColumns(shape.dialect.name)
    by_rank = (SortKey(ITEMS.c.rank, bool(shape.do_ranks_fall), may_miss=True, is_text=False),)
    by_start = (SortKey(VALUES.c.start, not shape.sort or shape.sort[0][1], may_miss=False, is_text=False),)
    by_property = _keys(shape.sort, columns)
    keys = by_start if shape.is_by_value else by_property if shape.do_ranks_fall is None else by_rank
    tested = None if condition is None or isinstance(condition, PlainCondition) else condition
    plain = () if tested is None else tuple(plain_parts(tested))
    wanted = sa.select(*queries.REF_COLUMNS[:REF_COUNT], *(key.column for key in keys), *plain)
    has_body = BODIES.c.item == ITEMS.c.number
    if shape.is_by_value:
        wanted = wanted.join_from(VALUES, ITEMS, ITEMS.c.number == VALUES.c.item)
        wanted = wanted.join(BODIES, has_body) if uses_bodies else wanted
    elif uses_bodies or columns.are_bodies_used:
        wanted = wanted.join_from(ITEMS, BODIES, has_body)
    where = [*_where(shape), *rank_bounds(shape), *(() if condition is None else (loosely(condition),))]
    return Query(shape.dialect, wanted.where(*where), keys, tested)


def _condition_of(shape: Shape) -> tuple[FilterCondition | None, bool]:
    """The condition of the filter, and whether it looks at properties."""
    if shape.filter is None:
        return None, False
    if shape.filter.is_short:
        return _translate_filter(shape.filter, shape.dialect.name)
    made = shape.filter.made
    if shape.dialect.name not in made:
        made[shape.dialect.name] = _translate_filter.__wrapped__(shape.filter, shape.dialect.name)
    condition, uses_bodies = made[shape.dialect.name]
    return condition, uses_bodies


@lru_cache(maxsize=128)
def _translate_filter(filter_: Filter, dialect: str) -> tuple[FilterCondition, bool]:
    columns = PropertyColumns(dialect)
    condition = translate(filter_.node, columns)
    return condition, columns.are_bodies_used


def _where(shape: Shape) -> Iterator[ColumnElement[bool]]:
    start = VALUES.c.start if shape.is_by_value else ITEMS.c.start
    if shape.is_by_value:
        yield sa.and_(VALUES.c.collection == sa.bindparam("collection"), VALUES.c.value == sa.bindparam("value"))
    elif shape.are_listed:  # without the collection, by which SQLite would take an index
        yield _is_listed(shape.dialect)
    else:
        yield ITEMS.c.collection == sa.bindparam("collection")
    if shape.has_span:
        yield ITEMS.c.end > sa.bindparam("after")
    if shape.has_starts:
        yield start.between(sa.bindparam("first_start"), sa.bindparam("last_start"))
    if shape.boxes is not None:
        near = [queries.in_box(number) for number in map(str, range(shape.boxes))]
        yield sa.or_(*near) if near else sa.literal_column("1") == sa.literal_column("0")


def rank_bounds(shape: Shape) -> Iterator[ColumnElement[bool]]:
    """Yield what a filter says of the property that ranks are of; the filter holds as well.

    Where items are sorted by ranks, an index finds it. Else it leaves items out before their properties are read, and
    the sum keeps databases from that index.
    """
    if shape.ranked is None or shape.filter is None:
        return
    name, is_turned = shape.ranked
    rank: ColumnElement[float] = ITEMS.c.rank if shape.do_ranks_fall is not None else ITEMS.c.rank + 0.0
    for part in parts_of(shape.filter.node):
        operator = str(part.get("op")) if isinstance(part, Mapping) else ""
        if operator not in BOUNDS or part["args"][0] != {"property": name}:
            continue
        value = part["args"][1]
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= MOST_EXACT:
            continue
        compare = COMPARISONS[TURNED.get(operator, operator) if is_turned else operator]
        yield compare(rank, float(-value if is_turned else value))


def _is_listed(dialect: Dialect) -> ColumnElement[bool]:
    """Whether an item is one of `numbers`: one parameter, so that the statement is short."""
    if dialect.name == POSTGRESQL:
        return ITEMS.c.number == sa.func.any(sa.bindparam("numbers", type_=ARRAY(sa.BigInteger)))
    listed = sa.func.json_each(sa.bindparam("numbers")).table_valued("value")
    return ITEMS.c.number.in_(sa.select(listed.c.value))


def _keys(sort: Sequence[tuple[str, bool]], columns: PropertyColumns) -> tuple[SortKey, ...]:
    """The columns to sort by: of a property that of its numbers and that of its texts."""
    keys = list[SortKey]()
    for name, is_descending in sort:
        try:
            found = columns.property(name)
        except InvalidParameter as error:
            raise InvalidParameter(f"sortby: {error.message}", locator="sortby") from error
        number = found.time if found.is_time else sa.func.coalesce(found.number, found.time)
        may_miss = name not in {"datetime", "id", "collection"}
        if not isinstance(found.number, sa.Null) or found.is_time:
            keys.append(SortKey(number, is_descending, may_miss, is_text=False))
        if not isinstance(found.text, sa.Null):
            is_short = name in {"id", "collection"}
            text = (
                found.text if is_short else columns.collate(sa.func.substr(found.text, 1, SORTED_TEXT, type_=sa.Text()))
            )
            keys.append(SortKey(text, is_descending, may_miss, is_text=True))
    return tuple(keys) or (SortKey(ITEMS.c.start, is_descending=True, may_miss=False, is_text=False),)


def _order(key: SortKey) -> Iterator[ColumnElement[Any]]:
    if key.column is ITEMS.c.rank:  # of which there is an index
        yield (key.column.desc() if key.is_descending else key.column.asc()).nulls_last()
        return
    if key.may_miss:
        yield key.column.is_(None)
    yield key.column.desc() if key.is_descending else key.column.asc()


def _is_after(keys: Sequence[SortKey], missing: Sequence[bool]) -> ColumnElement[bool]:
    """Whether an item comes after another: its first value that differs does, or its number.

    Args:
        keys: What items are sorted by.
        missing: Which of the values the other one lacks.
    """
    condition: ColumnElement[bool] = ITEMS.c.number > sa.bindparam("after_number")
    for number, key in reversed(tuple(enumerate(keys))):
        if missing[number]:
            condition = sa.and_(key.column.is_(None), condition)
            continue
        value = sa.bindparam(f"after{number}", type_=key.column.type)
        beyond = key.column < value if key.is_descending else key.column > value
        lacking = [key.column.is_(None)] if key.may_miss else []
        condition = sa.or_(beyond, *lacking, sa.and_(key.column == value, condition))
    first, value = keys[0], sa.bindparam("after0", type_=keys[0].column.type)
    if missing[0] or first.may_miss:
        return condition
    # Which an index finds.
    return sa.and_(first.column <= value if first.is_descending else first.column >= value, condition)


def numbers_of(
    ids: Sequence[str], collection: SearchedCollection, cursor: DriverCursor, *, dialect: Dialect
) -> Sequence[int]:
    """Return the numbers of the items that have some ids, ascending; an id that no database holds is of none."""
    texts = [each for each in ids if is_text(each)]
    if not texts:
        return ()
    wanted = pad(texts)
    statement = queries.list_statement(queries.numbers_of_ids, len(wanted), dialect)
    rows = statement.run(cursor, {"collection": collection.number, **list_parameters("id", wanted)})
    return sorted(number for (number,) in rows)


def numbers_near(
    boxes: Sequence[BBox],
    collection: SearchedCollection,
    instants: tuple[int, int],
    cursor: DriverCursor,
    *,
    dialect: Dialect,
) -> Sequence[int] | None:
    """Return the numbers of the items in the cells of some boxes, ascending; `None`: there are many."""
    numbers = set[int]()
    for box in boxes:
        cells = cells_meeting(box, collection.levels, most=MOST_CELLS)
        if cells is None:
            return None
        if not cells:  # of a collection without items
            continue
        count, values = queries.box_parameters(box, cells)
        values |= {"collection": collection.number, "first": instants[0], "last": instants[1], "most": MOST_COVERS + 1}
        found = queries.list_statement(queries.numbers_in_cells, count, dialect).run(cursor, values)
        numbers.update(number for (number,) in found)
        if len(found) > MOST_COVERS or len(numbers) > FEW:
            return None
    return sorted(numbers)


def in_cells(boxes: Sequence[BBox], collection: SearchedCollection, instants: tuple[int, int]) -> ColumnElement[bool]:
    """Return whether an item lies in the cells of some boxes; true of large boxes, which have too many."""
    conditions = list[ColumnElement[bool]]()
    for box in boxes:
        cells = cells_meeting(box, collection.levels, most=MOST_CELLS)
        if cells is None:
            return sa.and_(True)
        if not cells:  # of a collection without items
            continue
        west, south, east, north = outward(box)
        found = sa.select(COVERS.c.item).where(
            COVERS.c.collection == collection.number,
            COVERS.c.cell.in_([sa.literal(cell) for cell in cells]),
            COVERS.c.instant.between(*instants),
            *(COVERS.c.west <= east, COVERS.c.east >= west, COVERS.c.south <= north, COVERS.c.north >= south),
        )
        conditions.append(ITEMS.c.number.in_(found))
    return sa.or_(sa.false(), *conditions)
