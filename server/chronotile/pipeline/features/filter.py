"""CQL2 filters over places; each condition is tested for all places of a set in one array operation."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.catalog.items.cql2.columns import glob_of
from chronotile.catalog.items.cql2.spatial import TESTS, spatial_test
from chronotile.catalog.items.cql2.translate import COMPARISONS, MAX_PATTERN, MAX_WILDCARDS, operands_of_between
from chronotile.catalog.items.cql2.tree import Node, filter_error, operands, quote_node
from chronotile.core.model.places import PlaceSet, PropertyColumn, PropertyType, property_column
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.types import AnyArray
from chronotile.pipeline.place_shapes import related_places

Truths = NDArray[np.int8]
"""(place,) 1 if a condition is true, -1 if it is false, 0 if it is unknown, as in SQL."""

ACCEPTED = "and, or, not, = <> < <= > >=, between, in, like, isNull, casei, and s_... of CQL2"
MAX_TESTS = 5_000_000
"""Maximum number of conditions times places: two seconds for patterns."""
NAMES = {"integer": "a number", "number": "a number", "string": "a text", "boolean": "true or false"}
INVERSES = {"s_contains": "s_within", "s_within": "s_contains"}
"""Operators that change if their arguments are exchanged."""


class PlaceFilter:
    """Tests conditions of CQL2 JSON, with geometries in `crs`, for the places of a set."""

    def __init__(self, places: PlaceSet, crs: Crs) -> None:
        self._places = places
        self._crs = crs
        self._tests_left = self._max_tests = max(1, MAX_TESTS // len(places))

    def truths(self, node: Node) -> Truths:
        """Return whether a filter is true for each place; the filter comes from `cql2.tree.checked`.

        Raises:
            InvalidParameter: An operator, property or value is invalid, or there are too many conditions.
        """
        if isinstance(node, bool):
            return np.full(len(self._places), 1 if node else -1, dtype=np.int8)
        name = node.get("op") or "property" if isinstance(node, Mapping) else ""
        if name in {"and", "or"}:
            parts = [self.truths(part) for part in operands(node, name)]
            joined: Truths = (np.minimum if name == "and" else np.maximum).reduce(parts)
            return joined
        if name == "not":
            return -self.truths(operands(node, name, 1)[0])
        self._tests_left -= 1
        if self._tests_left < 0:
            raise filter_error(f"has more than {self._max_tests} conditions")
        return self._condition(name, node)

    def _condition(self, name: str, node: Node) -> Truths:
        if name == "property":
            return self._compare("=", node, True)
        if name == "between":
            value, low, high = operands_of_between(node)
            return np.minimum(self._compare(">=", value, low), self._compare("<=", value, high))
        if name == "isNull":
            return self._to_truths(~self._operand(operands(node, name, 1)[0]).is_known)
        if name in COMPARISONS:
            return self._compare(name, *operands(node, name, 2))
        if name in TESTS:
            return self._relate(name, operands(node, name, 2))
        test = {"in": self._is_in, "like": self._match_pattern}.get(name)
        if test is None:
            raise filter_error(f"has {quote_node(name or node)}, which is not accepted here; accepted: {ACCEPTED}")
        return test(*operands(node, name, 2))

    def _to_truths(self, holds: Any, is_known: Any = True) -> Truths:  # noqa: ANN401 -- a truth value or an array
        return np.broadcast_to(np.where(is_known, np.where(holds, 1, -1), 0).astype(np.int8), len(self._places))

    def _operand(self, node: Node) -> PropertyColumn:
        """Return the values of a property, one per place, or a single value."""
        if isinstance(node, bool | int | float | str):
            return property_column([node])
        if isinstance(node, Mapping) and node.get("op") == "casei":
            inner = self._operand(operands(node, "casei", 1)[0])
            texts = [text.casefold() for text in _values(inner, "string").tolist()]
            return replace(inner, values=np.array(texts, dtype=object))
        if not isinstance(node, Mapping) or "property" not in node:
            raise filter_error(f"has {quote_node(node)}, where a property, number, text, true or false is accepted")
        columns = self._places.typed_columns
        if node["property"] not in columns:
            raise filter_error(
                f"names the property {node['property'][:60]!r}; accepted: {', '.join(columns)}, geometry"
            )
        return columns[node["property"]]

    def _compare(self, name: str, first: Node, second: Node) -> Truths:
        left_operand, right_operand = self._operand(first), self._operand(second)
        return self._to_truths(
            COMPARISONS[name](left_operand.values, _values(right_operand, left_operand.type)),
            left_operand.is_known & right_operand.is_known,
        )

    def _is_in(self, value: Node, listed: Node) -> Truths:
        column = self._operand(value)
        values = (
            [_values(self._operand(item), column.type) for item in listed] if isinstance(listed, list | tuple) else []
        )
        if {item.size for item in values} != {1}:
            raise filter_error("has in without a list of values")
        accepted = {item.item() for item in values}
        return self._to_truths([item in accepted for item in column.values.tolist()], column.is_known)

    def _match_pattern(self, value: Node, pattern: Node) -> Truths:
        column, patterns = self._operand(value), _values(self._operand(pattern), "string").tolist()
        if len(patterns) != 1 or len(patterns[0]) > MAX_PATTERN or patterns[0].count("%") > MAX_WILDCARDS:
            raise filter_error(f"has like without a text of at most {MAX_PATTERN} characters and {MAX_WILDCARDS} of %")
        # The expression does not backtrack over matched parts: its time is proportional to text times pattern.
        matches = re.compile(fnmatch.translate(glob_of(patterns[0]))).match
        return self._to_truths([matches(text) is not None for text in _values(column, "string")], column.is_known)

    def _relate(self, name: str, arguments: Sequence[Node]) -> Truths:
        test = spatial_test(name, arguments, self._crs)
        operator = name if test.is_first else INVERSES.get(name, name)
        relation = TESTS["s_intersects" if operator == "s_disjoint" else operator]
        is_related = related_places(self._places, self._crs, test.geometries[0], relation)
        return self._to_truths(~is_related if operator == "s_disjoint" else is_related)


def _values(column: PropertyColumn, type_: PropertyType) -> AnyArray:
    """Return the values of a column, after checking that they are comparable with a type."""
    if {column.type, type_} - {"integer", "number"} and column.type != type_:
        raise filter_error(f"has {NAMES[column.type]} where {NAMES[type_]} is accepted")
    return column.values
