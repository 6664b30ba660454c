"""Filters of documents in memory, with the same operators as the index."""

from collections.abc import Callable, Mapping
from typing import Any

import cql2
import orjson
import shapely

from chronotile.catalog.items.cql2 import conditions
from chronotile.catalog.items.cql2.columns import PropertyColumns
from chronotile.catalog.items.cql2.conditions import Truth
from chronotile.catalog.items.cql2.translate import translate
from chronotile.catalog.items.cql2.tree import Node, check_filter, filter_error
from chronotile.core.model.space.boxes import BBox, boxes_of

_Test = Callable[[dict[str, Any]], Truth]


class DocumentFilter:
    """A filter in CQL2 for flat documents.

    Args:
        tree: CQL2 JSON.

    Raises:
        InvalidParameter: Searches of items would not accept the filter either.
    """

    def __init__(self, tree: Node) -> None:
        translate(check_filter(tree), PropertyColumns("sqlite"))
        self._test = _test_of(cut_boxes(tree))

    def holds(self, members: Mapping[str, Any]) -> bool:
        """Return whether a document matches; a comparison of a missing member is unknown, as in SQL."""
        return self._test(dict(members)) is True


def cut_boxes(node: Node) -> Node:
    """Return CQL2 JSON with two polygons instead of each box across the antimeridian, which the library misreads."""
    if isinstance(node, list):
        return [cut_boxes(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    box = node.get("bbox")
    if isinstance(box, list) and len(box) == 4 and box[0] > box[2]:
        parts = [shapely.box(*part) for part in boxes_of(BBox(*box))]
        return orjson.loads(shapely.to_geojson(shapely.MultiPolygon(parts)))
    return {name: cut_boxes(part) for name, part in node.items()}


def _test_of(node: Node) -> _Test:
    if isinstance(node, bool):
        return lambda _members: node
    name = node.get("op")
    if name in {"and", "or"}:
        parts = [_test_of(part) for part in node["args"]]
        return lambda members: conditions.combine_truths([part(members) for part in parts], is_all=name == "and")
    if name == "not":
        negated = _test_of(node["args"][0])
        return lambda members: conditions.opposite(negated(members))
    try:
        expression = cql2.parse_json(orjson.dumps(node).decode())
    except (cql2.ParseError, cql2.ValidationError, ValueError) as error:
        raise filter_error("has a condition that is not valid CQL2") from error

    def test(members: dict[str, Any]) -> Truth:
        try:
            return bool(expression.matches(members))
        except Exception:  # noqa: BLE001 -- the library's one error of comparisons without a result
            return None

    return test
