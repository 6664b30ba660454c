"""Filters in CQL2 over places: each condition is tested of all places of a set at once."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.catalog.items.cql2.conditions import TESTS, glob_of, lower, spatial_test
from chronotile.catalog.items.cql2.translate import COMPARISONS, MOST_PATTERN, MOST_WILDCARDS, between_operands
from chronotile.catalog.items.cql2.tree import Node, operands, refused, shown
from chronotile.core.model.crs import Crs
from chronotile.core.model.places import PlaceSet, property_column
from chronotile.pipeline.place_shapes import related_places

Truths = NDArray[np.int8]
"""(place,): 1 where a condition holds, -1 where it does not, 0 where that is unknown, as in SQL."""

ACCEPTED = "and, or, not, = <> < <= > >=, between, in, like, isNull, casei, and s_... of CQL2"
MOST_TESTS = 10_000_000
"""Conditions times places: a few seconds, of patterns."""
INVERSES = {"s_contains": "s_within", "s_within": "s_contains"}
"""Operators that are not the same with their arguments exchanged."""
KINDS = {"integer": "a number", "number": "a number", "string": "a text", "boolean": "true or false"}
LITERALS = {"true or false": (bool,), "a number": (int, float), "a text": (str,)}
"""Types by kind; a truth is an integer as well."""


@dataclass(frozen=True, slots=True, eq=False)
class _Operand:
    kind: str
    values: NDArray[Any]
    """(place,), or (1,) of all."""
    is_known: NDArray[np.bool_]


class PlaceFilter:
    """Tests conditions of CQL2 JSON, whose geometries are in `crs`, of the places of a set."""

    def __init__(self, places: PlaceSet, crs: Crs) -> None:
        self._places = places
        self._crs = crs
        self._tests_left = self._most = max(1, MOST_TESTS // len(places))

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
            raise refused(f"has more than {self._most} conditions")
        return self._condition(name, node)

    def _condition(self, name: str, node: Node) -> Truths:
        if name == "property":
            return self._compared("=", node, True)
        if name == "between":
            value, low, high = between_operands(node)
            return np.minimum(self._compared(">=", value, low), self._compared("<=", value, high))
        if name == "isNull":
            operand = self._operand(operands(node, name, 1)[0])
            return self._known(~operand.is_known)
        if name in COMPARISONS:
            return self._compared(name, *operands(node, name, 2))
        test = self._related if name in TESTS else {"in": self._is_in, "like": self._like}.get(name)
        if test is None:
            raise refused(f"has {shown(name or node)}, which is not accepted here; accepted: {ACCEPTED}")
        return test(name, *operands(node, name, 2))

    def _known(self, holds: Any, is_known: Any = True) -> Truths:  # noqa: ANN401 -- numpy's, of all or of each
        return np.broadcast_to(np.where(is_known, np.where(holds, 1, -1), 0).astype(np.int8), len(self._places))

    def _operand(self, node: Node) -> _Operand:
        if isinstance(node, Mapping) and node.get("op") == "casei":
            inner = self._operand(operands(node, "casei", 1)[0])
            texts = np.array([lower(text) for text in self._of_kind(inner, "a text", "casei").tolist()], dtype=object)
            return _Operand(inner.kind, texts, inner.is_known)
        if isinstance(node, Mapping) and "property" in node:
            columns = self._places.columns
            if node["property"] not in columns:
                raise refused(f"names the property {node['property'][:60]!r}; accepted: {', '.join(columns)}, geometry")
            column = property_column(columns[node["property"]])
            return _Operand(KINDS[column.type], column.values, column.is_known)
        kind = next((kind for kind, types in LITERALS.items() if isinstance(node, types)), None)
        if kind is None:
            raise refused(f"has {shown(node)}, where a property, number, text, true or false is accepted")
        values = np.array([node], dtype=object if kind == "a text" else None)
        return _Operand(kind, values, np.array([True]))

    def _of_kind(self, operand: _Operand, kind: str, name: str) -> NDArray[Any]:
        if operand.kind != kind:
            raise refused(f"has {name} with a value that is {operand.kind}, where {kind} is accepted")
        return operand.values

    def _compared(self, name: str, first: Node, second: Node) -> Truths:
        one, other = self._operand(first), self._operand(second)
        holds = COMPARISONS[name](one.values, self._of_kind(other, one.kind, name))
        return self._known(holds, one.is_known & other.is_known)

    def _is_in(self, name: str, value: Node, listed: Node) -> Truths:
        if not isinstance(listed, list | tuple) or not listed or any(isinstance(each, Mapping) for each in listed):
            raise refused("has in without a list of values")
        one = self._operand(value)
        wanted = {self._of_kind(self._operand(each), one.kind, name).item() for each in listed}
        return self._known([each in wanted for each in one.values.tolist()], one.is_known)

    def _like(self, name: str, value: Node, pattern: Node) -> Truths:
        one, other = self._operand(value), self._of_kind(self._operand(pattern), "a text", name).tolist()
        if len(other) != 1 or len(other[0]) > MOST_PATTERN or other[0].count("%") > MOST_WILDCARDS:
            raise refused(f"has like without a text of at most {MOST_PATTERN} characters and {MOST_WILDCARDS} of %")
        # The expression does not go back behind what it has found: its time is that of the text times the pattern.
        matches = re.compile(fnmatch.translate(glob_of(other[0]))).match
        return self._known([matches(each) is not None for each in self._of_kind(one, "a text", name)], one.is_known)

    def _related(self, name: str, *arguments: Node) -> Truths:
        test = spatial_test(name, arguments, self._crs)
        operator = name if test.is_first else INVERSES.get(name, name)
        relation = TESTS["s_intersects" if operator == "s_disjoint" else operator]
        found = related_places(self._places, self._crs, test.geometries[0], relation)
        return self._known(~found if operator == "s_disjoint" else found)
