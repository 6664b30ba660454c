"""Filters as conditions: what a database tests, and what is tested of the footprints of the items that it finds."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import and_, not_, or_, true
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.spatial import SpatialTest
from chronotile.catalog.items.schema import ITEMS
from chronotile.model.grid import BBox

Truth = bool | None
"""`None` is unknown, as of properties that an item lacks."""


@dataclass(frozen=True, slots=True)
class Plain:
    """What a database tests."""

    sql: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Spatial:
    """What is tested of a footprint."""

    test: SpatialTest


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions, of which all or any have to hold."""

    parts: tuple["Condition", ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Negated:
    """A condition that may not hold."""

    part: "Condition"


Condition = Plain | Spatial | Joined | Negated


def join(parts: list[Condition], *, is_all: bool) -> Condition:
    """Return conditions of which all or any have to hold, as one of the database if it can test all."""
    plain = [part.sql for part in parts if isinstance(part, Plain)]
    if len(plain) == len(parts):
        return Plain(and_(*plain) if is_all else or_(*plain))
    return Joined(tuple(parts), is_all)


def negate(part: Condition) -> Condition:
    """Return the condition that another does not hold."""
    return Plain(not_(part.sql)) if isinstance(part, Plain) else Negated(part)


def loosely(condition: Condition) -> ColumnElement[bool]:
    """Return what holds in the database wherever a condition does, and perhaps elsewhere."""
    if isinstance(condition, Plain):
        return condition.sql
    if isinstance(condition, Spatial):
        boxes = condition.test.boxes
        return or_(*map(meets_box, boxes)) if boxes else true()
    if isinstance(condition, Negated):
        return true()
    parts = [loosely(part) for part in condition.parts]
    return and_(*parts) if condition.is_all else or_(*parts)


def meets_box(box: BBox) -> ColumnElement[bool]:
    """Return whether the box of an item meets one within ±180 degrees."""
    is_west, is_east = ITEMS.c.west <= float(box.xmax), ITEMS.c.east >= float(box.xmin)
    return and_(
        ITEMS.c.south <= float(box.ymax),
        ITEMS.c.north >= float(box.ymin),
        or_(and_(is_west, is_east), and_(ITEMS.c.west > ITEMS.c.east, or_(is_west, is_east))),
    )


def near_boxes(condition: Condition) -> tuple[BBox, ...]:
    """Return boxes, one of which an item has to meet; empty: it may be anywhere."""
    if isinstance(condition, Spatial):
        return condition.test.boxes
    if isinstance(condition, Joined) and condition.is_all:
        return next((boxes for boxes in map(near_boxes, condition.parts) if boxes), ())
    return ()


def plain_parts(condition: Condition) -> Iterator[ColumnElement[bool]]:
    """Yield what the database has to say of an item, for `holds`, in its order."""
    if isinstance(condition, Plain):
        yield condition.sql
    elif isinstance(condition, Negated):
        yield from plain_parts(condition.part)
    elif isinstance(condition, Joined):
        for part in condition.parts:
            yield from plain_parts(part)


def holds(condition: Condition, plain: Iterator[Truth], footprint: bytes, box: BBox) -> Truth:
    """Return whether a condition holds of an item, with three values of truth, as in SQL.

    Args:
        condition: It.
        plain: The outcomes of `plain_parts` in the database.
        footprint: Of the item.
        box: Of the item.
    """
    if isinstance(condition, Plain):
        said = next(plain)
        return None if said is None else bool(said)
    if isinstance(condition, Spatial):
        return condition.test.holds(footprint, box)
    if isinstance(condition, Negated):
        held = holds(condition.part, plain, footprint, box)
        return None if held is None else not held
    found = [holds(part, plain, footprint, box) for part in condition.parts]
    decisive = not condition.is_all
    return decisive if decisive in found else None if None in found else not decisive
