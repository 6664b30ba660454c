"""Filters in CQL2 text and JSON, limited in size and depth before any recursive function reads them."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter

MAX_TEXT = 10_000
"""Characters of a filter as text."""
MAX_NODES = 400
"""Operators, properties and values of a filter; coordinates of geometries are counted separately."""
DEEPEST = 32
MAX_VERTICES = 2_000
"""Vertices in all geometries of a filter."""
QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
INTEGER_MARK = "integer \x01"
LONG_INTEGER = re.compile(rf"{QUOTED.pattern}|(?<![\w.])(-?[0-9]{{16,19}})(?![\w.])")
MARKED_INTEGER = re.compile(rb'"integer \\u0001(-?[0-9]+)"')
CHAINED = re.compile(r"[-+*/^%]|\bNOT\b|\bDIV\b", re.IGNORECASE)
MAX_CHAINED = 100
"""Operators that the parser handles recursively without brackets: thousands of signs would crash the process."""
_PLAIN_TYPES = ("Point", "LineString", "Polygon")
GEOMETRY_TYPES = {*_PLAIN_TYPES, *(f"Multi{name}" for name in _PLAIN_TYPES), "GeometryCollection"}
NAMING = ("op", "property", "type")
"""Members of objects that identify them."""

Node = Any
"""A value of CQL2 JSON."""


def filter_from_text(text: str) -> Mapping[str, Any]:
    """Return a filter in CQL2 text as CQL2 JSON.

    Raises:
        InvalidParameter: The text is not a filter, or is too long or too deep.
    """
    if len(text) > MAX_TEXT:
        raise filter_error(f"has {len(text)} characters; at most {MAX_TEXT} are accepted")
    from cql2 import parse_text  # noqa: PLC0415 -- loaded with the first filter as text

    plain = QUOTED.sub("''", text)
    if _depth(plain) > DEEPEST or len(CHAINED.findall(plain)) > MAX_CHAINED:
        raise filter_error(f"has more than {DEEPEST} nested brackets, or more than {MAX_CHAINED} signs and NOT")
    # The parser reads all numbers as floats. Integers that are not exact as floats are marked and passed as texts.
    marked = LONG_INTEGER.sub(lambda match: f"'{INTEGER_MARK}{match[1]}'" if match[1] else match[0], text)
    try:
        tree: Node = parse_text(marked).to_json()
    except Exception as error:  # the parser raises the base class, for example for POINT EMPTY
        raise filter_error(f"is not valid CQL2 text: {' '.join(str(error).split())[:200]}") from error
    filter_ = check_filter({"op": "and", "args": [tree]} if isinstance(tree, bool) else tree)
    return filter_ if marked == text else orjson.loads(MARKED_INTEGER.sub(rb"\1", orjson.dumps(filter_)))


def check_filter(tree: Node) -> Mapping[str, Any]:
    """Return a filter in CQL2 JSON after checking its size and depth.

    Raises:
        InvalidParameter: It is not an object, or is too large.
    """
    if not isinstance(tree, Mapping):
        raise filter_error("is not a JSON object of CQL2")
    nodes = vertices = 0
    waiting: list[tuple[Node, int, bool]] = [(tree, 1, False)]
    while waiting:
        node, depth, is_geometry = waiting.pop()
        if isinstance(node, Mapping):
            for name in NAMING:
                if not isinstance(node.get(name, ""), str):
                    raise filter_error(f"has {name} {quote_node(node[name])} where a text is accepted")
            children, is_geometry = list(node.values()), is_geometry or is_geometry_type(node.get("type"))
        elif isinstance(node, list | tuple):
            children = list(node)
        else:
            children = []
        nodes, vertices = nodes + (not is_geometry), vertices + is_geometry
        if isinstance(node, float) and not math.isfinite(node):
            raise filter_error("has a number that is not finite")
        if depth > DEEPEST or nodes > 4 * MAX_NODES or vertices > 4 * MAX_VERTICES:
            raise filter_error(
                f"is too large: at most {MAX_NODES} operators and values, {DEEPEST} levels, and "
                f"{MAX_VERTICES} vertices are accepted"
            )
        waiting += [(child, depth + 1, is_geometry) for child in children]
    return tree


def is_geometry_type(name: Node) -> bool:
    """Return whether the member `type` of an object names a geometry."""
    return isinstance(name, str) and name in GEOMETRY_TYPES


def all_of(parts: Sequence[Node]) -> Node | None:
    """Return the conjunction of filters; `None` without any."""
    return {"op": "and", "args": list(parts)} if len(parts) > 1 else next(iter(parts), None)


def join_filters(operator: str, parts: Sequence[Node]) -> dict[str, Any] | bool:
    """Return the conjunction (`and`) or disjunction (`or`) of filters; a boolean if it is constant."""
    decisive = operator == "or"
    if any(part is decisive for part in parts):
        return decisive
    conditions = [part for part in parts if not isinstance(part, bool)]
    if not conditions:
        return not decisive
    return conditions[0] if len(conditions) == 1 else {"op": operator, "args": conditions}


def negate_filter(part: Node) -> dict[str, Any] | bool:
    """Return the negation of a filter."""
    return not part if isinstance(part, bool) else {"op": "not", "args": [part]}


def operands(node: Node, name: str, count: int | None = None) -> list[Node]:
    """Return the arguments of an operator.

    Raises:
        InvalidParameter: Their number is not `count`, or they are missing.
    """
    arguments = node.get("args")
    if not isinstance(arguments, list | tuple) or (count is not None and len(arguments) != count) or not arguments:
        expected = "its arguments" if count is None else f"{count} arguments" if count > 1 else "one argument"
        raise filter_error(f"has {name} without {expected}")
    return list(arguments)


def filter_error(why: str) -> InvalidParameter:
    """Return the error of an invalid filter."""
    return InvalidParameter(f"filter {why}", locator="filter")


def quote_node(node: Node) -> str:
    """Return a part of a filter as text for a message."""
    try:
        return orjson.dumps(node, default=str).decode()[:MAX_SHOWN]
    except orjson.JSONEncodeError:
        return type(node).__name__


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest
