"""Geometries of items as OData writes them."""

from collections.abc import Mapping
from typing import Any

from chronotile.model.geometry.json_text import is_number

TYPES = {
    "Point": 0,
    "LineString": 1,
    "MultiPoint": 1,
    "Polygon": 2,
    "MultiLineString": 2,
    "MultiPolygon": 3,
}
"""How many lists are around a position, by type."""


def footprint_of(geometry: Mapping[str, Any] | None) -> str | None:
    """Return a GeoJSON geometry as a geography literal; `None` of none, of a collection, or of what is not valid."""
    kind = None if geometry is None else geometry.get("type")
    if geometry is None or kind not in TYPES:
        return None
    try:
        body = _written(geometry["coordinates"], TYPES[kind])
    except (ValueError, TypeError, KeyError):  # of holes, which nothing else looks at
        return None
    return f"geography'SRID=4326;{kind.upper()} {body if TYPES[kind] else f'({body})'}'"


def _written(coordinates: Any, depth: int) -> str:  # noqa: ANN401 -- lists within lists
    if depth == 0:
        x, y = coordinates[:2]
        if not (is_number(x) and is_number(y)):
            raise TypeError("a position has two numbers")
        return f"{x!r} {y!r}"
    return f"({', '.join(_written(each, depth - 1) for each in coordinates)})"
