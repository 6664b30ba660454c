"""What a filter says of the items that it can match before it is tested of any: values, ids, and when they begin."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Null, and_, false, or_, true
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.conditions import Columns, Property
from chronotile.catalog.items.cql2.tree import Node, all_of, refused, shown
from chronotile.catalog.items.properties import instant_in, key_of, nanoseconds
from chronotile.catalog.items.schema import ITEMS
from chronotile.core.model.time.instants import DAY, DISTANT_FUTURE, DISTANT_PAST

# Times in filters: instants, dates and intervals as the first and last nanosecond, and how they compare.

DATE = re.compile(r"\d{4}-\d\d-\d\d")
FIRST, LAST = nanoseconds(DISTANT_PAST), nanoseconds(DISTANT_FUTURE)
DAY_NS = int(DAY.astype(int))


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends belong to it."""

    first: Any
    """Nanoseconds since 1970, or an expression."""
    last: Any


def literal_interval(node: Node) -> Interval | None:
    """Return the interval of a timestamp or date of CQL2 JSON; `None` of anything else.

    Raises:
        InvalidParameter: It is not a valid one.
    """
    if isinstance(node, Mapping) and ("timestamp" in node or "date" in node):
        return interval_of_text(node.get("timestamp", node.get("date")))
    return None


def interval_of_text(text: object) -> Interval:
    """Return the interval of the text of a timestamp or date.

    Raises:
        InvalidParameter: It is not a valid one.
    """
    if isinstance(text, str) and DATE.fullmatch(text):
        first = instant_in(f"{text}T00:00:00Z")
        if first is not None and FIRST <= first < LAST:
            return Interval(first, first + DAY_NS - 1)
    instant = instant_in(text) if isinstance(text, str) else None
    if instant is None or not FIRST <= instant < LAST:
        raise refused(f"has the time {shown(text)}; accepted: 2024-05-01, 2024-05-01T10:30:00Z")
    return Interval(instant, instant)


def temporal_operand(node: Node, columns: Columns) -> Interval:
    """Return an argument of a temporal operator.

    Raises:
        InvalidParameter: It is not a valid time.
    """
    if isinstance(node, Mapping) and "property" in node:
        found = columns.property(node["property"])
        if found.name == "datetime":
            return Interval(ITEMS.c.start, ITEMS.c.end - 1)
        return Interval(_time_of(found), _time_of(found))
    if isinstance(node, Mapping) and "interval" in node:
        ends = node["interval"]
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise refused(f"has the interval {shown(ends)}; an interval has a start and an end")
        return Interval(_end(ends[0], columns, is_last=False), _end(ends[1], columns, is_last=True))
    return literal_interval(node) or interval_of_text(node)


def _end(node: Node, columns: Columns, *, is_last: bool) -> Any:  # noqa: ANN401 -- an integer or an expression
    if node == "..":
        return LAST if is_last else FIRST
    if isinstance(node, Mapping) and "property" in node:
        return _time_of(columns.property(node["property"]))
    found = literal_interval(node) or interval_of_text(node)
    return found.last if is_last else found.first


def _time_of(found: Property) -> Any:  # noqa: ANN401 -- an expression
    """The time of a property; the database cannot compare one that never is a time."""
    if isinstance(found.time, Null):
        raise refused(f"compares {found.name} as a time, which it is not")
    return found.time


Relation = Callable[[Interval, Interval], ColumnElement[bool]]

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
"""How the first interval lies to the second (OGC 21-065r2, 7.9), by operator."""


def _is(comparison: Any) -> ColumnElement[bool]:  # noqa: ANN401 -- two integers compare to a boolean
    if isinstance(comparison, bool):
        return true() if comparison else false()
    found: ColumnElement[bool] = comparison
    return found


ALWAYS = FIRST, LAST
"""All of time, in nanoseconds since 1970."""
_FROM = {">", ">=", "=", "t_after", "t_during", "t_equals", "t_intersects"}
_TO = {"<", "<=", "=", "t_before", "t_during", "t_equals", "t_intersects"}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "t_after": "t_before", "t_before": "t_after"}


class Pair(NamedTuple):
    """A property and a value of it."""

    name: str
    value: Any
    is_truth: bool
    """1 and true are equal in Python, and different values here."""


_NOTHING: frozenset[Pair] = frozenset()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A part of a filter that has to hold, and the properties and values of which items need one for it."""

    pairs: frozenset[Pair]
    rest: Node | None
    """The filter without that part; `None`: there are no others."""

    is_found_by_value: bool
    """Whether it says no more than that one property has one of the values, which are found by their keys."""


def parts_of(node: Node) -> Iterator[Node]:
    """Yield conditions that all have to hold for a filter."""
    if isinstance(node, Mapping) and node.get("op") == "and":
        for each in node["args"]:
            yield from parts_of(each)
    else:
        yield node


def narrowed(node: Node, collection: str, names: frozenset[str]) -> list[Narrowed]:
    """Return the parts of a filter that narrow it to values of some properties, in a collection.

    Args:
        node: That `translate` accepts.
        collection: Its id.
        names: Of properties.
    """
    parts, found = list(parts_of(node)), list[Narrowed]()
    for number, part in enumerate(parts):
        pairs = _pairs(part, collection, names)
        if pairs is not None:
            rest = all_of([*parts[:number], *parts[number + 1 :]])
            is_plain = _operation(part)[0] in {"=", "in"} and all(
                each.name != "id" and key_of(each.name, each.value) is not None for each in pairs
            )
            found.append(Narrowed(pairs, rest, is_plain))
    return found


def _pairs(node: Node, collection: str, names: frozenset[str]) -> frozenset[Pair] | None:
    """Names and values of which an item has one if a condition holds of it; `None`: it may have any."""
    operator, arguments = _operation(node)
    if operator in {"and", "or"}:
        each = [_pairs(part, collection, names) for part in arguments]
        known = [pairs for pairs in each if pairs is not None]
        if operator == "and":
            return min(known, key=len, default=None)
        return _NOTHING.union(*known) if len(known) == len(each) else None
    if operator not in {"=", "in"} or len(arguments) != 2:
        return None
    name, value = _named(arguments[0]), arguments[1]
    values = value if operator == "in" else [value]
    if not isinstance(values, list | tuple) or not all(isinstance(one, str | int | float) for one in values):
        return None
    if name == "collection":
        return None if collection in values else _NOTHING
    return frozenset(Pair(name, one, isinstance(one, bool)) for one in values) if name in names else None


def starts(node: Node, longest: int) -> tuple[int, int]:
    """Return between which nanoseconds since 1970 items begin of which a filter holds, both included.

    Args:
        node: That `translate` accepts.
        longest: How long an item may last, in nanoseconds.
    """
    first, last = FIRST, LAST
    for part in parts_of(node):
        operator, arguments = _operation(part)
        if not arguments or _named(arguments[0]) != "datetime":
            continue
        given = [_interval(each) for each in arguments[1:]]
        if operator == "between" and len(given) == 2:
            given, operator = [Interval(given[0].first, given[1].last)], "="
        if operator in _FROM and len(given) == 1:
            first = max(first, given[0].first - longest)
        if operator in _TO and len(given) == 1:
            last = min(last, given[0].last)
    return first, last


def _operation(node: Node) -> tuple[str, list[Node]]:
    """The operator and its arguments, the property first."""
    if not isinstance(node, Mapping) or not isinstance(node.get("args"), list | tuple):
        return "", []
    operator, arguments = str(node.get("op")), list(node["args"])
    if len(arguments) == 2 and _named(arguments[1]) is not None and _named(arguments[0]) is None:
        return _TURNED.get(operator, operator if operator in _FROM & _TO - {"t_during"} else ""), arguments[::-1]
    return operator, arguments


def _named(node: Node) -> str | None:
    return node.get("property") if isinstance(node, Mapping) else None


def _interval(node: Node) -> Interval:
    """All of time for what is no time that is known before."""
    if isinstance(node, Mapping) and isinstance(node.get("interval"), list | tuple):
        first, last = (Interval(FIRST, LAST) if each == ".." else _interval(each) for each in node["interval"])
        return Interval(first.first, last.last)
    if isinstance(node, str):
        return interval_of_text(node)
    return literal_interval(node) or Interval(FIRST, LAST)
