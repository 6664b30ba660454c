"""Reads filters: CQL2 text and JSON, bounded before anything recurses into them."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter

MOST_TEXT = 10_000
"""Characters of a filter as text."""
MOST_NODES = 400
"""Operators, properties and values of a filter, with the coordinates of its geometries counted apart."""
DEEPEST = 32
MOST_VERTICES = 2_000
"""Of all geometries of a filter."""
QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
INTEGER_MARK = "integer \x01"
LONG_INTEGER = re.compile(rf"{QUOTED.pattern}|(?<![\w.])(-?[0-9]{{16,19}})(?![\w.])")
MARKED_INTEGER = re.compile(rb'"integer \\u0001(-?[0-9]+)"')
CHAINED = re.compile(r"[-+*/^%]|\bNOT\b|\bDIV\b", re.IGNORECASE)
MOST_CHAINED = 100
"""Operators that the parser recurses into without brackets: thousands of signs would end the process."""
_PLAIN_TYPES = ("Point", "LineString", "Polygon")
GEOMETRY_TYPES = {*_PLAIN_TYPES, *(f"Multi{name}" for name in _PLAIN_TYPES), "GeometryCollection"}
NAMING = ("op", "property", "type")
"""Members of objects that identify them."""

Node = Any
"""A value of CQL2 JSON."""


def filter_from_text(text: str) -> Mapping[str, Any]:
    """Return a filter in CQL2 text as CQL2 JSON.

    Raises:
        InvalidParameter: It is none, too long, or too deep.
    """
    if len(text) > MOST_TEXT:
        raise filter_error(f"has {len(text)} characters; at most {MOST_TEXT} are accepted")
    from cql2 import parse_text  # noqa: PLC0415 -- loaded with the first filter as text

    plain = QUOTED.sub("''", text)
    if _depth(plain) > DEEPEST or len(CHAINED.findall(plain)) > MOST_CHAINED:
        raise filter_error(f"has more than {DEEPEST} brackets within one another, or {MOST_CHAINED} signs and NOT")
    # The parser has numbers with a point alone: integers that those do not hold are texts to it.
    marked = LONG_INTEGER.sub(lambda found: f"'{INTEGER_MARK}{found[1]}'" if found[1] else found[0], text)
    try:
        tree: Node = parse_text(marked).to_json()
    except Exception as error:  # the parser raises plain ones, such as for POINT EMPTY
        raise filter_error(f"is not valid CQL2 text: {' '.join(str(error).split())[:200]}") from error
    found = check_filter({"op": "and", "args": [tree]} if isinstance(tree, bool) else tree)
    return found if marked == text else orjson.loads(MARKED_INTEGER.sub(rb"\1", orjson.dumps(found)))


def check_filter(tree: Node) -> Mapping[str, Any]:
    """Return a filter in CQL2 JSON, if it is an object within the bounds.

    Raises:
        InvalidParameter: It is not.
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
        if depth > DEEPEST or nodes > 4 * MOST_NODES or vertices > 4 * MOST_VERTICES:
            raise filter_error(
                f"is too large: at most {MOST_NODES} operators and values, {DEEPEST} within one another, and "
                f"{MOST_VERTICES} vertices are accepted"
            )
        waiting += [(child, depth + 1, is_geometry) for child in children]
    return tree


def is_geometry_type(name: Node) -> bool:
    """Return whether a member `type` is that of a geometry."""
    return isinstance(name, str) and name in GEOMETRY_TYPES


def all_of(parts: Sequence[Node]) -> Node | None:
    """Return the filter that holds where all of some do; `None`: there is none."""
    return {"op": "and", "args": list(parts)} if len(parts) > 1 else next(iter(parts), None)


def join_filters(operator: str, parts: Sequence[Node]) -> dict[str, Any] | bool:
    """Return the filter that holds where all (`and`) or any (`or`) of some do; true or false where it always is."""
    decisive = operator == "or"
    if any(part is decisive for part in parts):
        return decisive
    left = [part for part in parts if not isinstance(part, bool)]
    if not left:
        return not decisive
    return left[0] if len(left) == 1 else {"op": operator, "args": left}


def negate_filter(part: Node) -> dict[str, Any] | bool:
    """Return the filter that holds where another does not."""
    return not part if isinstance(part, bool) else {"op": "not", "args": [part]}


def operands(node: Node, name: str, count: int | None = None) -> list[Node]:
    """Return the arguments of an operator.

    Raises:
        InvalidParameter: They are not as many.
    """
    found = node.get("args")
    if not isinstance(found, list | tuple) or (count is not None and len(found) != count) or not found:
        wanted = "its arguments" if count is None else f"{count} arguments" if count > 1 else "one argument"
        raise filter_error(f"has {name} without {wanted}")
    return list(found)


def filter_error(why: str) -> InvalidParameter:
    """Return the error of a filter that is not accepted."""
    return InvalidParameter(f"filter {why}", locator="filter")


def quote_node(node: Node) -> str:
    """Return a part of a filter for a message."""
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
