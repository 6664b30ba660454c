"""Statements that find items of a collection, cached by the shape of the search.

Compiling a statement takes longer than running it. So all values of a search are parameters, except the values
in its filter.
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
from chronotile.catalog.items.cells import MAX_CELLS, cells_meeting, outward
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
from chronotile.catalog.items.properties import DAY_NS, is_text
from chronotile.catalog.items.schema import BODIES, COVERS, ITEMS, VALUES
from chronotile.catalog.items.statements import DriverCursor, Statement, Value, list_parameters, pad
from chronotile.catalog.items.value_rows import MAX_EXACT
from chronotile.core.database import POSTGRESQL
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox

REF_COUNT = 9
"""Number of columns of a row before its sort values."""
FEW = 10_000
"""Maximum number of items near a box that are read by their numbers; else all items of the times are read."""
MAX_COVERS = 2 * FEW
"""Maximum number of rows of the table `COVERS` that are read to find the row numbers of items near a box."""
MAX_TEXT = 2_000
"""Characters of a filter whose statements are cached."""
BOUNDS = {"=", *TURNED}
SORTED_TEXT = 200
"""Characters of a text that are compared by a sort: cursors contain them, and are parts of URLs."""


@dataclass(frozen=True, slots=True)
class SearchedCollection:
    """A collection to search."""

    number: int
    id: str
    levels: int
    longest: int
    """Longest duration of an item, in nanoseconds."""
    order_by: str | None
    is_descending: bool
    reordered_to: int | None
    """Number of the last item with a rank and values; `None` if all items have them."""
    searched: str | None
    """JSON list of the properties with rows in `VALUES`."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the properties whose values have an index in the database."""
        return frozenset() if self.reordered_to is not None else frozenset(orjson.loads(self.searched or b"[]"))

    @property
    def ranked(self) -> tuple[str, bool] | None:
        """Property that defines ranks, and whether ranks fall if it rises; `None` if not all items have ranks."""
        if self.reordered_to is not None or self.order_by is None or self.order_by in EXACT:
            return None
        return self.order_by, self.is_descending

    def rank_order(self, sort: Sequence[tuple[str, bool]]) -> bool | None:
        """Return whether a sort is by falling ranks; `None` if it is not by rank."""
        if self.ranked is None or len(sort) != 1 or sort[0][0] != self.order_by:
            return None
        return sort[0][1] != self.is_descending


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that `check_filter` returned; filters with equal text are equal."""

    text: str
    """`repr` of `node`."""
    node: Any = field(compare=False)
    made: dict[object, Any] = field(default_factory=dict, compare=False)
    """Cache of statements, shared by the collections of one search, if the text is too long for the global cache."""

    @property
    def is_short(self) -> bool:
        """Whether its statements are cached for other searches."""
        return len(self.text) <= MAX_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The parts of a search that its statements depend on."""

    dialect: Dialect
    filter: Filter | None
    sort: tuple[tuple[str, bool], ...]
    has_span: bool
    """Whether items must end after a time."""
    boxes: int | None
    """Number of boxes; an item meets one of them. `None` if items may be anywhere."""
    ranked: tuple[str, bool] | None = None
    """`SearchedCollection.ranked`."""
    do_ranks_fall: bool | None = None
    """Whether items are sorted by falling ranks; `None` if they are not sorted by rank."""
    are_listed: bool = False
    """Whether the numbers of the items to compare are a parameter."""
    has_starts: bool = False
    """Whether items must start between two times."""
    is_by_value: bool = False
    """Whether items are found by a value of a property; they are then sorted by start."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by; missing values come last."""

    column: ColumnElement[Any]
    is_descending: bool
    may_miss: bool
    is_text: bool
    """Whether its values are texts, or else numbers."""


@dataclass(frozen=True, eq=False)
class Query:
    """The statements of a shape. Their parameters are values of the shape, `most` and the result of `cursor_values`."""

    dialect: Dialect
    select: sa.Select[Any]
    """Selects the items, without an order."""
    keys: tuple[SortKey, ...]
    condition: FilterCondition | None
    """Condition that needs tests of footprints; `None` if the database tests the whole filter."""
    pages: dict[tuple[bool, ...] | None, Statement] = field(default_factory=dict)
    """Cache of statements by the sort values that a cursor lacks; `None` is the first page."""

    def page(self, after: ItemCursor | None) -> Statement:
        """Return the statement that selects at most `most` items after a cursor, in order."""
        missing = None if after is None else tuple(value is None for value in after.keys)
        if missing not in self.pages:
            order = [part for key in self.keys for part in _order(key)]
            statement = self.select if missing is None else self.select.where(_is_after(self.keys, missing))
            statement = statement.order_by(*order, ITEMS.c.number).limit(sa.bindparam("most"))
            self.pages[missing] = Statement(statement, self.dialect)
        return self.pages[missing]

    @cached_property
    def count(self) -> Statement:
        """The statement that counts items, up to `most`."""
        limited = self.select.with_only_columns(sa.literal_column("1")).limit(sa.bindparam("most")).subquery()
        return Statement(sa.select(sa.func.count()).select_from(limited), self.dialect)

    @property
    def scans(self) -> bool:
        """Whether the database compares all items before it returns the first, because no index has the order."""
        columns = {part for key in self.keys for part in iterate(key.column) if isinstance(part, sa.Column)}
        return ITEMS.c.updated in columns or any(column.table is BODIES for column in columns)

    @cached_property
    def by_day(self) -> Statement:
        """The statement that counts items by the day of their start, in days since 1970."""
        start = ITEMS.c.start  # SQLite and PostgreSQL round quotients towards zero, so negative starts are shifted
        day: ColumnElement[Any] = sa.case((start < 0, -((-start - 1) // DAY_NS) - 1), else_=start // DAY_NS)
        days: sa.Select[Any] = self.select.with_only_columns(day, sa.func.count()).group_by(day)
        return Statement(days, self.dialect)

    def add_condition(self, condition: ColumnElement[bool]) -> "Query":
        """Return a query with one more condition."""
        return replace(self, select=self.select.where(condition), pages={})


def query_of(shape: Shape) -> Query:
    """Return the query of a shape.

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
    """Return boxes of the filter; a matching item meets one of them. Empty if items anywhere may match.

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
    spatial = None if condition is None or isinstance(condition, PlainCondition) else condition
    plain = () if spatial is None else tuple(plain_parts(spatial))
    statement = sa.select(*queries.REF_COLUMNS[:REF_COUNT], *(key.column for key in keys), *plain)
    has_body = BODIES.c.item == ITEMS.c.number
    if shape.is_by_value:
        statement = statement.join_from(VALUES, ITEMS, ITEMS.c.number == VALUES.c.item)
        statement = statement.join(BODIES, has_body) if uses_bodies else statement
    elif uses_bodies or columns.are_bodies_used:
        statement = statement.join_from(ITEMS, BODIES, has_body)
    where = [*_where(shape), *rank_bounds(shape), *(() if condition is None else (loosely(condition),))]
    return Query(shape.dialect, statement.where(*where), keys, spatial)


def _condition_of(shape: Shape) -> tuple[FilterCondition | None, bool]:
    """Return the condition of the filter, and whether it needs the table `BODIES`."""
    if shape.filter is None:
        return None, False
    if shape.filter.is_short:
        return _translate_filter(shape.filter, shape.dialect.name)
    conditions = shape.filter.made
    if shape.dialect.name not in conditions:
        conditions[shape.dialect.name] = _translate_filter.__wrapped__(shape.filter, shape.dialect.name)
    condition, uses_bodies = conditions[shape.dialect.name]
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
    elif shape.are_listed:  # a condition on the collection would make SQLite use another index
        yield _is_listed(shape.dialect)
    else:
        yield ITEMS.c.collection == sa.bindparam("collection")
    if shape.has_span:
        yield ITEMS.c.end > sa.bindparam("after")
    if shape.has_starts:
        yield start.between(sa.bindparam("first_start"), sa.bindparam("last_start"))
    if shape.boxes is not None:
        near = [queries.box_condition(number) for number in map(str, range(shape.boxes))]
        yield sa.or_(*near) if near else sa.literal_column("1") == sa.literal_column("0")


def rank_bounds(shape: Shape) -> Iterator[ColumnElement[bool]]:
    """Yield bounds of the rank that follow from a filter; the filter is still tested.

    If items are sorted by rank, an index finds them. Else the bounds reject items before their properties are read,
    and `+ 0.0` keeps the database from that index.
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
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= MAX_EXACT:
            continue
        compare = COMPARISONS[TURNED.get(operator, operator) if is_turned else operator]
        yield compare(rank, float(-value if is_turned else value))


def _is_listed(dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that an item is in the parameter `numbers`: one parameter, so the statement is short."""
    if dialect.name == POSTGRESQL:
        return ITEMS.c.number == sa.func.any(sa.bindparam("numbers", type_=ARRAY(sa.BigInteger)))
    listed = sa.func.json_each(sa.bindparam("numbers")).table_valued("value")
    return ITEMS.c.number.in_(sa.select(listed.c.value))


def _keys(sort: Sequence[tuple[str, bool]], columns: PropertyColumns) -> tuple[SortKey, ...]:
    """Return the columns to sort by; most properties have a column of numbers and a column of texts."""
    keys = list[SortKey]()
    for name, is_descending in sort:
        try:
            property_ = columns.property(name)
        except InvalidParameter as error:
            raise InvalidParameter(f"sortby: {error.message}", locator="sortby") from error
        number = property_.time if property_.is_time else sa.func.coalesce(property_.number, property_.time)
        may_miss = name not in {"datetime", "id", "collection"}
        if not isinstance(property_.number, sa.Null) or property_.is_time:
            keys.append(SortKey(number, is_descending, may_miss, is_text=False))
        if not isinstance(property_.text, sa.Null):
            start = sa.func.substr(property_.text, 1, SORTED_TEXT, type_=sa.Text())
            text = property_.text if name in {"id", "collection"} else columns.collate(start)
            keys.append(SortKey(text, is_descending, may_miss, is_text=True))
    return tuple(keys) or (SortKey(ITEMS.c.start, is_descending=True, may_miss=False, is_text=False),)


def _order(key: SortKey) -> Iterator[ColumnElement[Any]]:
    if key.column is ITEMS.c.rank:  # the indexes of ranks have NULL last
        yield (key.column.desc() if key.is_descending else key.column.asc()).nulls_last()
        return
    if key.may_miss:
        yield key.column.is_(None)
    yield key.column.desc() if key.is_descending else key.column.asc()


def _is_after(keys: Sequence[SortKey], missing: Sequence[bool]) -> ColumnElement[bool]:
    """Return the condition that an item comes after another, which lacks some sort values (`missing`).

    The first sort value that differs decides, else the number.
    """
    condition: ColumnElement[bool] = ITEMS.c.number > sa.bindparam("after_number")
    for number, key in reversed(tuple(enumerate(keys))):
        if missing[number]:
            condition = sa.and_(key.column.is_(None), condition)
            continue
        value = sa.bindparam(f"after{number}", type_=key.column.type)
        beyond = key.column < value if key.is_descending else key.column > value
        missing_last = [key.column.is_(None)] if key.may_miss else []
        condition = sa.or_(beyond, *missing_last, sa.and_(key.column == value, condition))
    first, value = keys[0], sa.bindparam("after0", type_=keys[0].column.type)
    if missing[0] or first.may_miss:
        return condition
    # Redundant, but an index can answer this comparison, and not the condition that follows.
    return sa.and_(first.column <= value if first.is_descending else first.column >= value, condition)


def numbers_of(
    ids: Sequence[str], collection: SearchedCollection, cursor: DriverCursor, *, dialect: Dialect
) -> Sequence[int]:
    """Return the numbers of the items with some ids, ascending; ids that are not valid text have no item."""
    texts = [id_ for id_ in ids if is_text(id_)]
    if not texts:
        return ()
    padded = pad(texts)
    statement = queries.list_statement(queries.numbers_of_ids, len(padded), dialect)
    rows = statement.run(cursor, {"collection": collection.number, **list_parameters("id", padded)})
    return sorted(number for (number,) in rows)


def numbers_near(
    boxes: Sequence[BBox],
    collection: SearchedCollection,
    instants: tuple[int, int],
    cursor: DriverCursor,
    *,
    dialect: Dialect,
) -> Sequence[int] | None:
    """Return the numbers of the items in the cells of some boxes, ascending; `None` if there are too many."""
    numbers = set[int]()
    for box in boxes:
        cells = cells_meeting(box, collection.levels, most=MAX_CELLS)
        if cells is None:
            return None
        if not cells:  # the collection has no items
            continue
        count, values = queries.box_parameters(box, cells)
        values |= {"collection": collection.number, "first": instants[0], "last": instants[1], "most": MAX_COVERS + 1}
        rows = queries.list_statement(queries.numbers_in_cells, count, dialect).run(cursor, values)
        numbers.update(number for (number,) in rows)
        if len(rows) > MAX_COVERS or len(numbers) > FEW:
            return None
    return sorted(numbers)


def cells_condition(
    boxes: Sequence[BBox], collection: SearchedCollection, instants: tuple[int, int]
) -> ColumnElement[bool]:
    """Return the condition that an item lies in the cells of some boxes; true if a box has too many cells."""
    conditions = list[ColumnElement[bool]]()
    for box in boxes:
        cells = cells_meeting(box, collection.levels, most=MAX_CELLS)
        if cells is None:
            return sa.and_(True)
        if not cells:  # the collection has no items
            continue
        west, south, east, north = outward(box)
        covers = sa.select(COVERS.c.item).where(
            COVERS.c.collection == collection.number,
            COVERS.c.cell.in_([sa.literal(cell) for cell in cells]),
            COVERS.c.instant.between(*instants),
            *(COVERS.c.west <= east, COVERS.c.east >= west, COVERS.c.south <= north, COVERS.c.north >= south),
        )
        conditions.append(ITEMS.c.number.in_(covers))
    return sa.or_(sa.false(), *conditions)
