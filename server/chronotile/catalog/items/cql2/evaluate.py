"""Filters of documents in memory, with the operators that the index has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cql2
import orjson
import shapely

from chronotile.catalog.items.cql2.columns import Columns
from chronotile.catalog.items.cql2.conditions import Truth
from chronotile.catalog.items.cql2.translate import translate
from chronotile.catalog.items.cql2.tree import Node, checked, refused
from chronotile.model.grid import BBox
from chronotile.model.items import boxes_of


@dataclass(frozen=True, slots=True)
class _Joined:
    parts: "tuple[_Condition, ...]"
    is_all: bool


@dataclass(frozen=True, slots=True)
class _Negated:
    part: "_Condition"


_Condition = bool | _Joined | _Negated | cql2.Expr


class DocumentFilter:
    """A filter in CQL2 that flat documents are held against one by one.

    Args:
        tree: CQL2 JSON.

    Raises:
        InvalidParameter: It is not a filter that a search of items accepts, too.
    """

    def __init__(self, tree: Node) -> None:
        translate(checked(tree), Columns("sqlite"))
        self._condition = _condition(with_cut_boxes(tree))

    def holds(self, members: Mapping[str, Any]) -> bool:
        """Return whether it holds of a document; a comparison with a member that is missing is unknown, as in SQL."""
        return _held(self._condition, dict(members)) is True


def with_cut_boxes(node: Node) -> Node:
    """Return CQL2 JSON whose boxes across the antimeridian are two polygons; the library takes them for all others."""
    if isinstance(node, list):
        return [with_cut_boxes(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    box = node.get("bbox")
    if isinstance(box, list) and len(box) == 4 and box[0] > box[2]:
        parts = [shapely.box(*part) for part in boxes_of(BBox(*box))]
        return orjson.loads(shapely.to_geojson(shapely.MultiPolygon(parts)))
    return {name: with_cut_boxes(each) for name, each in node.items()}


def _condition(node: Node) -> _Condition:
    if isinstance(node, bool):
        return node
    name = node.get("op")
    if name in {"and", "or"}:
        return _Joined(tuple(_condition(each) for each in node["args"]), is_all=name == "and")
    if name == "not":
        return _Negated(_condition(node["args"][0]))
    try:
        return cql2.parse_json(orjson.dumps(node).decode())
    except (cql2.ParseError, cql2.ValidationError, ValueError) as error:
        raise refused("has a condition that is not valid CQL2") from error


def _held(condition: _Condition, members: dict[str, Any]) -> Truth:
    if isinstance(condition, bool):
        return condition
    if isinstance(condition, _Negated):
        held = _held(condition.part, members)
        return None if held is None else not held
    if isinstance(condition, _Joined):
        found = [_held(part, members) for part in condition.parts]
        decisive = not condition.is_all
        return decisive if decisive in found else None if None in found else not decisive
    try:
        return bool(condition.matches(members))
    except Exception:  # noqa: BLE001 -- the library's one error of comparisons without a result
        return None
