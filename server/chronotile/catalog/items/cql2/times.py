"""Times in filters as first and last nanosecond, and the relations between them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Null, and_, false, or_, true
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.columns import Property, PropertyColumns
from chronotile.catalog.items.cql2.tree import Node, filter_error, quote_node
from chronotile.catalog.items.properties import DAY_NS, instant_in, nanoseconds
from chronotile.catalog.items.schema import ITEMS
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST

DATE = re.compile(r"\d{4}-\d\d-\d\d")
FIRST, LAST = nanoseconds(DISTANT_PAST), nanoseconds(DISTANT_FUTURE)


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """A closed interval: both ends belong to it."""

    first: Any
    """Nanoseconds since 1970, or an SQL expression."""
    last: Any


def literal_interval(node: Node) -> TimeBounds | None:
    """Return the interval of a timestamp or date of CQL2 JSON; `None` for any other node.

    Raises:
        InvalidParameter: The timestamp or date is not valid.
    """
    if isinstance(node, Mapping) and ("timestamp" in node or "date" in node):
        return interval_of_text(node.get("timestamp", node.get("date")))
    return None


def interval_of_text(text: object) -> TimeBounds:
    """Return the interval of the text of a timestamp or date.

    Raises:
        InvalidParameter: The text is not a valid timestamp or date.
    """
    if isinstance(text, str) and DATE.fullmatch(text):
        first = instant_in(f"{text}T00:00:00Z")
        if first is not None and FIRST <= first < LAST:
            return TimeBounds(first, first + DAY_NS - 1)
    instant = instant_in(text) if isinstance(text, str) else None
    if instant is None or not FIRST <= instant < LAST:
        raise filter_error(f"has the time {quote_node(text)}; accepted: 2024-05-01, 2024-05-01T10:30:00Z")
    return TimeBounds(instant, instant)


def temporal_operand(node: Node, columns: PropertyColumns) -> TimeBounds:
    """Return an argument of a temporal operator.

    Raises:
        InvalidParameter: The argument is not a valid time.
    """
    if isinstance(node, Mapping) and "property" in node:
        property_ = columns.property(node["property"])
        if property_.name == "datetime":
            return TimeBounds(ITEMS.c.start, ITEMS.c.end - 1)
        return TimeBounds(_time_of(property_), _time_of(property_))
    if isinstance(node, Mapping) and "interval" in node:
        ends = node["interval"]
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise filter_error(f"has the interval {quote_node(ends)}; an interval has a start and an end")
        return TimeBounds(_end(ends[0], columns, is_last=False), _end(ends[1], columns, is_last=True))
    return literal_interval(node) or interval_of_text(node)


def _end(node: Node, columns: PropertyColumns, *, is_last: bool) -> Any:  # noqa: ANN401 -- an integer or an expression
    if node == "..":
        return LAST if is_last else FIRST
    if isinstance(node, Mapping) and "property" in node:
        return _time_of(columns.property(node["property"]))
    bounds = literal_interval(node) or interval_of_text(node)
    return bounds.last if is_last else bounds.first


def _time_of(property_: Property) -> Any:  # noqa: ANN401 -- an expression
    """Return the time of a property; a property without times cannot be compared."""
    if isinstance(property_.time, Null):
        raise filter_error(f"compares {property_.name} as a time, which it is not")
    return property_.time


Relation = Callable[[TimeBounds, TimeBounds], ColumnElement[bool]]

RELATIONS: Mapping[str, Relation] = {
    "t_after": lambda a, b: _is(a.first > b.last),
    "t_before": lambda a, b: _is(a.last < b.first),
    "t_contains": lambda a, b: and_(_is(a.first < b.first), _is(a.last > b.last)),
    "t_disjoint": lambda a, b: or_(_is(a.first > b.last), _is(a.last < b.first)),
    "t_during": lambda a, b: and_(_is(a.first > b.first), _is(a.last < b.last)),
    "t_equals": lambda a, b: and_(_is(a.first == b.first), _is(a.last == b.last)),
    "t_finishedBy": lambda a, b: and_(_is(a.first < b.first), _is(a.last == b.last)),
    "t_finishes": lambda a, b: and_(_is(a.first > b.first), _is(a.last == b.last)),
    "t_intersects": lambda a, b: and_(_is(a.first <= b.last), _is(a.last >= b.first)),
    "t_meets": lambda a, b: _is(a.last == b.first),
    "t_metBy": lambda a, b: _is(a.first == b.last),
    "t_overlappedBy": lambda a, b: and_(_is(a.first > b.first), _is(a.first < b.last), _is(a.last > b.last)),
    "t_overlaps": lambda a, b: and_(_is(a.first < b.first), _is(a.last > b.first), _is(a.last < b.last)),
    "t_startedBy": lambda a, b: and_(_is(a.first == b.first), _is(a.last > b.last)),
    "t_starts": lambda a, b: and_(_is(a.first == b.first), _is(a.last < b.last)),
}
"""Relation of the first interval to the second (OGC 21-065r2 §7.9), by operator."""


def _is(comparison: Any) -> ColumnElement[bool]:  # noqa: ANN401 -- two integers compare to a boolean
    if isinstance(comparison, bool):
        return true() if comparison else false()
    sql: ColumnElement[bool] = comparison
    return sql
