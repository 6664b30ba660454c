"""Filters in CQL2 over places: each condition is tested of all places of a set at once."""

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
"""(place,): 1 where a condition holds, -1 where it does not, 0 where that is unknown, as in SQL."""

ACCEPTED = "and, or, not, = <> < <= > >=, between, in, like, isNull, casei, and s_... of CQL2"
MAX_TESTS = 5_000_000
"""Conditions times places: two seconds, of patterns."""
NAMES = {"integer": "a number", "number": "a number", "string": "a text", "boolean": "true or false"}
INVERSES = {"s_contains": "s_within", "s_within": "s_contains"}
"""Operators that are not the same with their arguments exchanged."""


class PlaceFilter:
    """Tests conditions of CQL2 JSON, whose geometries are in `crs`, of the places of a set."""

    def __init__(self, places: PlaceSet, crs: Crs) -> None:
        self._places = places
        self._crs = crs
        self._tests_left = self._max_tests = max(1, MAX_TESTS // len(places))

    def truths(self, node: Node) -> Truths:
        """Return of which places a filter that `checked` returned holds.

        Raises:
            InvalidParameter: An operator, property or value in it is not accepted, or it has too many conditions.
        """
        if isinstance(node, bool):
            return np.full(len(self._places), 1 if node else -1, dtype=np.int8)
        name = node.get("op") or "property" if isinstance(node, Mapping) else ""
        if name in {"and", "or"}:
            parts = [self.truths(each) for each in operands(node, name)]
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

    def _to_truths(self, holds: Any, is_known: Any = True) -> Truths:  # noqa: ANN401 -- numpy's, of all or of each
        return np.broadcast_to(np.where(is_known, np.where(holds, 1, -1), 0).astype(np.int8), len(self._places))

    def _operand(self, node: Node) -> PropertyColumn:
        """The values of a property by place, or one value."""
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
        one, other = self._operand(first), self._operand(second)
        return self._to_truths(COMPARISONS[name](one.values, _values(other, one.type)), one.is_known & other.is_known)

    def _is_in(self, value: Node, listed: Node) -> Truths:
        one = self._operand(value)
        others = [_values(self._operand(each), one.type) for each in listed] if isinstance(listed, list | tuple) else []
        if {each.size for each in others} != {1}:
            raise filter_error("has in without a list of values")
        wanted = {each.item() for each in others}
        return self._to_truths([each in wanted for each in one.values.tolist()], one.is_known)

    def _match_pattern(self, value: Node, pattern: Node) -> Truths:
        one, other = self._operand(value), _values(self._operand(pattern), "string").tolist()
        if len(other) != 1 or len(other[0]) > MAX_PATTERN or other[0].count("%") > MAX_WILDCARDS:
            raise filter_error(f"has like without a text of at most {MAX_PATTERN} characters and {MAX_WILDCARDS} of %")
        # The expression does not go back behind what it has found: its time is that of the text times the pattern.
        matches = re.compile(fnmatch.translate(glob_of(other[0]))).match
        return self._to_truths([matches(each) is not None for each in _values(one, "string")], one.is_known)

    def _relate(self, name: str, arguments: Sequence[Node]) -> Truths:
        test = spatial_test(name, arguments, self._crs)
        operator = name if test.is_first else INVERSES.get(name, name)
        relation = TESTS["s_intersects" if operator == "s_disjoint" else operator]
        found = related_places(self._places, self._crs, test.geometries[0], relation)
        return self._to_truths(~found if operator == "s_disjoint" else found)


def _values(column: PropertyColumn, type_: PropertyType) -> AnyArray:
    """Its values, which have to be comparable with those of a type."""
    if {column.type, type_} - {"integer", "number"} and column.type != type_:
        raise filter_error(f"has {NAMES[column.type]} where {NAMES[type_]} is accepted")
    return column.values
