"""What a filter says of the items that it can match before it is tested of any: values, ids, and when they begin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from chronotile.catalog.items.cql2.times import FIRST, LAST, TimeBounds, interval_of_text, literal_interval
from chronotile.catalog.items.cql2.tree import Node, all_of
from chronotile.catalog.items.value_rows import key_of

# Times in filters: instants, dates and intervals as the first and last nanosecond, and how they compare.


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
class NarrowedPart:
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


def narrow_filter(node: Node, collection: str, names: frozenset[str]) -> list[NarrowedPart]:
    """Return the parts of a filter that narrow it to values of some properties, in a collection.

    Args:
        node: That `translate` accepts.
        collection: Its id.
        names: Of properties.
    """
    parts, found = list(parts_of(node)), list[NarrowedPart]()
    for number, part in enumerate(parts):
        pairs = _pairs(part, collection, names)
        if pairs is not None:
            rest = all_of([*parts[:number], *parts[number + 1 :]])
            is_plain = _operation(part)[0] in {"=", "in"} and all(
                each.name != "id" and key_of(each.name, each.value) is not None for each in pairs
            )
            found.append(NarrowedPart(pairs, rest, is_plain))
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
    name, value = _property_name(arguments[0]), arguments[1]
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
        if not arguments or _property_name(arguments[0]) != "datetime":
            continue
        given = [_interval(each) for each in arguments[1:]]
        if operator == "between" and len(given) == 2:
            given, operator = [TimeBounds(given[0].first, given[1].last)], "="
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
    if len(arguments) == 2 and _property_name(arguments[1]) is not None and _property_name(arguments[0]) is None:
        return _TURNED.get(operator, operator if operator in _FROM & _TO - {"t_during"} else ""), arguments[::-1]
    return operator, arguments


def _property_name(node: Node) -> str | None:
    return node.get("property") if isinstance(node, Mapping) else None


def _interval(node: Node) -> TimeBounds:
    """All of time for what is no time that is known before."""
    if isinstance(node, Mapping) and isinstance(node.get("interval"), list | tuple):
        first, last = (TimeBounds(FIRST, LAST) if each == ".." else _interval(each) for each in node["interval"])
        return TimeBounds(first.first, last.last)
    if isinstance(node, str):
        return interval_of_text(node)
    return literal_interval(node) or TimeBounds(FIRST, LAST)
