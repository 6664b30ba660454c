"""Filters as conditions: what a database tests, and what is tested of the footprints of the items that it finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.spatial import SpatialTest
from chronotile.catalog.items.schema import ITEMS
from chronotile.core.model.space.boxes import BBox

Truth = bool | None
"""`None` is unknown, as of properties that an item lacks."""


@dataclass(frozen=True, slots=True)
class PlainCondition:
    """What a database tests."""

    sql: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Spatial:
    """What is tested of a footprint."""

    test: SpatialTest


@dataclass(frozen=True, slots=True)
class JoinedCondition:
    """Several conditions, of which all or any have to hold."""

    parts: tuple["FilterCondition", ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class NegatedCondition:
    """A condition that may not hold."""

    part: "FilterCondition"


FilterCondition = PlainCondition | Spatial | JoinedCondition | NegatedCondition


def join(parts: list[FilterCondition], *, is_all: bool) -> FilterCondition:
    """Return conditions of which all or any have to hold, as one of the database if it can test all."""
    plain = [part.sql for part in parts if isinstance(part, PlainCondition)]
    if len(plain) == len(parts):
        return PlainCondition(sa.and_(*plain) if is_all else sa.or_(*plain))
    return JoinedCondition(tuple(parts), is_all)


def negate(part: FilterCondition) -> FilterCondition:
    """Return the condition that another does not hold."""
    return PlainCondition(sa.not_(part.sql)) if isinstance(part, PlainCondition) else NegatedCondition(part)


def loosely(condition: FilterCondition) -> ColumnElement[bool]:
    """Return what holds in the database wherever a condition does, and perhaps elsewhere."""
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
    """Return whether the box of an item meets one within ±180 degrees."""
    is_west, is_east = ITEMS.c.west <= float(box.xmax), ITEMS.c.east >= float(box.xmin)
    return sa.and_(
        ITEMS.c.south <= float(box.ymax),
        ITEMS.c.north >= float(box.ymin),
        sa.or_(sa.and_(is_west, is_east), sa.and_(ITEMS.c.west > ITEMS.c.east, sa.or_(is_west, is_east))),
    )


def boxes_of_condition(condition: FilterCondition) -> tuple[BBox, ...]:
    """Return boxes, one of which an item has to meet; empty: it may be anywhere."""
    if isinstance(condition, Spatial):
        return condition.test.boxes
    if isinstance(condition, JoinedCondition) and condition.is_all:
        return next((boxes for boxes in map(boxes_of_condition, condition.parts) if boxes), ())
    return ()


def plain_parts(condition: FilterCondition) -> Iterator[ColumnElement[bool]]:
    """Yield what the database has to say of an item, for `holds`, in its order."""
    if isinstance(condition, PlainCondition):
        yield condition.sql
    elif isinstance(condition, NegatedCondition):
        yield from plain_parts(condition.part)
    elif isinstance(condition, JoinedCondition):
        for part in condition.parts:
            yield from plain_parts(part)


def holds(condition: FilterCondition, plain: Iterator[Truth], footprint: bytes, box: BBox) -> Truth:
    """Return whether a condition holds of an item, with three values of truth, as in SQL.

    Args:
        condition: It.
        plain: The outcomes of `plain_parts` in the database.
        footprint: Of the item.
        box: Of the item.
    """
    if isinstance(condition, PlainCondition):
        said = next(plain)
        return None if said is None else bool(said)
    if isinstance(condition, Spatial):
        return condition.test.holds(footprint, box)
    if isinstance(condition, NegatedCondition):
        return opposite(holds(condition.part, plain, footprint, box))
    return combine_truths([holds(part, plain, footprint, box) for part in condition.parts], is_all=condition.is_all)


def opposite(held: Truth) -> Truth:
    """Return whether a condition does not hold."""
    return None if held is None else not held


def combine_truths(held: Sequence[Truth], *, is_all: bool) -> Truth:
    """Return whether all or any of some conditions hold."""
    decisive = not is_all
    return decisive if decisive in held else None if None in held else not decisive


# Properties of items as expressions over the tables: columns where there are some, else values within JSON.
