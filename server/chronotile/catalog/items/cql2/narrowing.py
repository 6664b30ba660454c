"""Facts that a filter implies for matching items before any is tested: values of properties, ids and starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from chronotile.catalog.items.cql2.times import FIRST, LAST, TimeBounds, interval_of_text, literal_interval
from chronotile.catalog.items.cql2.tree import Node, all_of
from chronotile.catalog.items.value_rows import key_of

ALWAYS = FIRST, LAST
"""First and last nanosecond of all time, since 1970."""
_FROM = {">", ">=", "=", "t_after", "t_during", "t_equals", "t_intersects"}
_TO = {"<", "<=", "=", "t_before", "t_during", "t_equals", "t_intersects"}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "t_after": "t_before", "t_before": "t_after"}


class Pair(NamedTuple):
    """A property and one of its values."""

    name: str
    value: Any
    is_truth: bool
    """Distinguishes true from 1, which are equal in Python."""


_NOTHING: frozenset[Pair] = frozenset()


@dataclass(frozen=True, slots=True)
class NarrowedPart:
    """A part of a filter that must be true, and pairs of property and value; matching items have one of the pairs."""

    pairs: frozenset[Pair]
    rest: Node | None
    """The filter without this part; `None` if it has no other parts."""

    is_found_by_value: bool
    """Whether the part is equivalent to the pairs, and they have rows in `VALUES`."""


def parts_of(node: Node) -> Iterator[Node]:
    """Yield conditions that must all be true for a filter to be true."""
    if isinstance(node, Mapping) and node.get("op") == "and":
        for part in node["args"]:
            yield from parts_of(part)
    else:
        yield node


def narrow_filter(node: Node, collection: str, names: frozenset[str]) -> list[NarrowedPart]:
    """Return the parts of a valid filter that restrict items of a collection to values of the properties `names`."""
    parts, narrowed = list(parts_of(node)), list[NarrowedPart]()
    for number, part in enumerate(parts):
        pairs = _pairs(part, collection, names)
        if pairs is not None:
            rest = all_of([*parts[:number], *parts[number + 1 :]])
            is_plain = _operation(part)[0] in {"=", "in"} and all(
                pair.name != "id" and key_of(pair.name, pair.value) is not None for pair in pairs
            )
            narrowed.append(NarrowedPart(pairs, rest, is_plain))
    return narrowed


def _pairs(node: Node, collection: str, names: frozenset[str]) -> frozenset[Pair] | None:
    """Return pairs of property and value; items that match a condition have one. `None` if any value may match."""
    operator, arguments = _operation(node)
    if operator in {"and", "or"}:
        choices = [_pairs(part, collection, names) for part in arguments]
        restricted = [pairs for pairs in choices if pairs is not None]
        if operator == "and":
            return min(restricted, key=len, default=None)
        return _NOTHING.union(*restricted) if len(restricted) == len(choices) else None
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
    """Return the earliest and latest possible start of items that match a valid filter, both included.

    Both are nanoseconds since 1970; `longest` is the longest duration of an item in nanoseconds.
    """
    first, last = FIRST, LAST
    for part in parts_of(node):
        operator, arguments = _operation(part)
        if not arguments or _property_name(arguments[0]) != "datetime":
            continue
        intervals = [_interval(argument) for argument in arguments[1:]]
        if operator == "between" and len(intervals) == 2:
            intervals, operator = [TimeBounds(intervals[0].first, intervals[1].last)], "="
        if operator in _FROM and len(intervals) == 1:
            first = max(first, intervals[0].first - longest)
        if operator in _TO and len(intervals) == 1:
            last = min(last, intervals[0].last)
    return first, last


def _operation(node: Node) -> tuple[str, list[Node]]:
    """Return the operator and its arguments, with the property first; empty if the node is no operation."""
    if not isinstance(node, Mapping) or not isinstance(node.get("args"), list | tuple):
        return "", []
    operator, arguments = str(node.get("op")), list(node["args"])
    if len(arguments) == 2 and _property_name(arguments[1]) is not None and _property_name(arguments[0]) is None:
        return _TURNED.get(operator, operator if operator in _FROM & _TO - {"t_during"} else ""), arguments[::-1]
    return operator, arguments


def _property_name(node: Node) -> str | None:
    return node.get("property") if isinstance(node, Mapping) else None


def _interval(node: Node) -> TimeBounds:
    """Return the interval of an argument; all time if it is not a constant time."""
    if isinstance(node, Mapping) and isinstance(node.get("interval"), list | tuple):
        first, last = (TimeBounds(FIRST, LAST) if end == ".." else _interval(end) for end in node["interval"])
        return TimeBounds(first.first, last.last)
    if isinstance(node, str):
        return interval_of_text(node)
    return literal_interval(node) or TimeBounds(FIRST, LAST)
