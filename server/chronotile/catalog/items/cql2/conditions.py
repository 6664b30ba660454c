"""Conditions of filters: parts that the database tests, and tests of footprints of the items that it returns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.spatial import SpatialTest
from chronotile.catalog.items.schema import ITEMS
from chronotile.core.model.space.boxes import BBox

Truth = bool | None
"""`None` is unknown: a comparison of a property that an item lacks."""


@dataclass(frozen=True, slots=True)
class PlainCondition:
    """A condition that the database tests."""

    sql: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Spatial:
    """A condition on the footprint, tested in Python."""

    test: SpatialTest


@dataclass(frozen=True, slots=True)
class JoinedCondition:
    """Several conditions; all or any of them must be true."""

    parts: tuple["FilterCondition", ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class NegatedCondition:
    """A condition that must not be true."""

    part: "FilterCondition"


FilterCondition = PlainCondition | Spatial | JoinedCondition | NegatedCondition


def join(parts: list[FilterCondition], *, is_all: bool) -> FilterCondition:
    """Return the conjunction (`is_all`) or disjunction of conditions; it is plain if all parts are plain."""
    plain = [part.sql for part in parts if isinstance(part, PlainCondition)]
    if len(plain) == len(parts):
        return PlainCondition(sa.and_(*plain) if is_all else sa.or_(*plain))
    return JoinedCondition(tuple(parts), is_all)


def negate(part: FilterCondition) -> FilterCondition:
    """Return the negation of a condition."""
    return PlainCondition(sa.not_(part.sql)) if isinstance(part, PlainCondition) else NegatedCondition(part)


def loosely(condition: FilterCondition) -> ColumnElement[bool]:
    """Return SQL that is true for all items that match a condition, and perhaps for others."""
    if isinstance(condition, PlainCondition):
        return condition.sql
    if isinstance(condition, Spatial):
        boxes = condition.test.boxes
        return sa.or_(*map(meets_box, boxes)) if boxes else sa.true()
    if isinstance(condition, NegatedCondition):
        return sa.true()
    parts = [loosely(part) for part in condition.parts]
    return sa.and_(*parts) if condition.is_all else sa.or_(*parts)


def meets_box(box: BBox) -> ColumnElement[bool]:
    """Return SQL that the box of an item meets a box within ±180 degrees."""
    is_west, is_east = ITEMS.c.west <= float(box.xmax), ITEMS.c.east >= float(box.xmin)
    return sa.and_(
        ITEMS.c.south <= float(box.ymax),
        ITEMS.c.north >= float(box.ymin),
        sa.or_(sa.and_(is_west, is_east), sa.and_(ITEMS.c.west > ITEMS.c.east, sa.or_(is_west, is_east))),
    )


def boxes_of_condition(condition: FilterCondition) -> tuple[BBox, ...]:
    """Return boxes; a matching item meets one of them. Empty if items anywhere may match."""
    if isinstance(condition, Spatial):
        return condition.test.boxes
    if isinstance(condition, JoinedCondition) and condition.is_all:
        return next((boxes for boxes in map(boxes_of_condition, condition.parts) if boxes), ())
    return ()


def plain_parts(condition: FilterCondition) -> Iterator[ColumnElement[bool]]:
    """Yield the SQL of the plain conditions within a condition, in the order in which `holds` reads their results."""
    if isinstance(condition, PlainCondition):
        yield condition.sql
    elif isinstance(condition, NegatedCondition):
        yield from plain_parts(condition.part)
    elif isinstance(condition, JoinedCondition):
        for part in condition.parts:
            yield from plain_parts(part)


def holds(condition: FilterCondition, plain: Iterator[Truth], footprint: bytes, box: BBox) -> Truth:
    """Return whether a condition is true of an item, with the three truth values of SQL.

    `plain` yields the results of `plain_parts` in the database; `footprint` and `box` are the item's.
    """
    if isinstance(condition, PlainCondition):
        result = next(plain)
        return None if result is None else bool(result)
    if isinstance(condition, Spatial):
        return condition.test.holds(footprint, box)
    if isinstance(condition, NegatedCondition):
        return opposite(holds(condition.part, plain, footprint, box))
    return combine_truths([holds(part, plain, footprint, box) for part in condition.parts], is_all=condition.is_all)


def opposite(truth: Truth) -> Truth:
    """Return the negation; unknown stays unknown."""
    return None if truth is None else not truth


def combine_truths(truths: Sequence[Truth], *, is_all: bool) -> Truth:
    """Return whether all or any truth values are true; unknown if unknown values decide it."""
    decisive = not is_all
    return decisive if decisive in truths else None if None in truths else not decisive
