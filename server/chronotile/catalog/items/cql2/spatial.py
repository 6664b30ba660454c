"""Spatial operators between the footprint of an item and a geometry."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import shapely
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import shape

from chronotile.catalog.items.cql2.columns import GEOMETRIES
from chronotile.catalog.items.cql2.tree import Node, filter_error, is_geometry_type, quote_node
from chronotile.catalog.items.footprints import unpack
from chronotile.core.model.space.boxes import FARTHEST, BBox, boxes_of
from chronotile.core.model.space.crs import CRS84, Crs, is_north_first

TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "s_contains": shapely.contains,
    "s_crosses": shapely.crosses,
    "s_disjoint": shapely.disjoint,
    "s_equals": shapely.equals,
    "s_intersects": shapely.intersects,
    "s_overlaps": shapely.overlaps,
    "s_touches": shapely.touches,
    "s_within": shapely.within,
}


@dataclass(frozen=True, slots=True)
class SpatialTest:
    """A spatial operator between the footprint of an item and a geometry."""

    operator: str
    geometries: tuple[Any, ...]
    """The geometry, and copies 360 degrees to the east and west, for footprints across the antimeridian."""
    is_first: bool
    """Whether the geometry is the first argument."""

    @property
    def boxes(self) -> tuple[BBox, ...]:
        """Boxes within ±180 degrees; the box of a matching item meets one. Empty if items anywhere may match."""
        if self.operator == "s_disjoint":
            return ()
        west, south, east, north = shapely.bounds(self.geometries[0]).tolist()
        if west >= -180 and east <= 180:
            return (BBox(west, south, east, north),)
        return (BBox(-180.0, south, 180.0, north),)

    def holds(self, footprint: bytes, box: BBox) -> bool:
        """Return whether the operator is true of an item."""
        polygons = _polygons(footprint, box)
        test = TESTS[self.operator]
        results = (bool(test(part, polygons) if self.is_first else test(polygons, part)) for part in self.geometries)
        return all(results) if self.operator == "s_disjoint" else any(results)


def spatial_test(operator: str, arguments: Sequence[Node], crs: Crs = CRS84) -> SpatialTest:
    """Return the test of a spatial operator; its geometry has the axis order of `crs`.

    Raises:
        InvalidParameter: Its arguments are not the geometry of items and a valid geometry.
    """
    are_properties = [isinstance(part, Mapping) and part.get("property") in GEOMETRIES for part in arguments]
    if sum(are_properties) != 1:
        raise filter_error(f"has {operator} whose arguments are not the property geometry and a geometry")
    geometry = _geometry(arguments[are_properties.index(False)], crs)
    turned = (geometry, *(translate(geometry, turn) for turn in (360.0, -360.0)))
    return SpatialTest(operator, turned, is_first=are_properties[1])


def _geometry(node: Node, crs: Crs) -> Any:  # noqa: ANN401 -- shapely's
    if isinstance(node, Mapping) and "bbox" in node:
        return _box(node["bbox"], crs)
    if not isinstance(node, Mapping) or not is_geometry_type(node.get("type")):
        raise filter_error(f"has {quote_node(node)} where a GeoJSON geometry or a bbox is accepted")
    try:
        geometry = shape(dict(node))
        if is_north_first(crs):
            geometry = shapely.transform(geometry, lambda vertices: vertices[:, ::-1])
        is_good = not geometry.is_empty and all(map(math.isfinite, geometry.bounds)) and shapely.is_valid(geometry)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise filter_error(f"has the geometry {quote_node(node)}, which is not valid GeoJSON") from error
    farthest = (360, 90) * 2 if crs.is_geographic else (FARTHEST,) * 4
    if not is_good or any(abs(edge) > most for edge, most in zip(geometry.bounds, farthest, strict=True)):
        raise filter_error(
            f"has the geometry {quote_node(node)}, which is empty, crosses itself or is not on the earth"
        )
    return geometry


def _box(numbers: Node, crs: Crs) -> Any:  # noqa: ANN401 -- shapely's
    is_list = isinstance(numbers, list | tuple) and all(
        isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge) for edge in numbers
    )
    if not is_list or len(numbers) not in {4, 6}:
        raise filter_error(f"has the bbox {quote_node(numbers)}; accepted: west, south, east, north")
    half = len(numbers) // 2
    west, south, east, north = (float(edge) for edge in (*numbers[:2], *numbers[half : half + 2]))
    if is_north_first(crs):
        west, south, east, north = south, west, north, east
    if not crs.is_geographic and -FARTHEST <= west < east <= FARTHEST and -FARTHEST <= south < north <= FARTHEST:
        return shapely.box(west, south, east, north)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise filter_error(f"has the bbox {quote_node(numbers)}, which is not on the earth")
    return shapely.union_all([shapely.box(*part) for part in boxes_of(BBox(west, south, east, north))])


@lru_cache(maxsize=4096)
def _polygons(footprint: bytes, box: BBox) -> Any:  # noqa: ANN401 -- shapely's
    rings = [shapely.Polygon(ring) for ring in unpack(footprint, box)]
    polygons = rings[0] if len(rings) == 1 else shapely.MultiPolygon(rings)
    return polygons if shapely.is_valid(polygons) else shapely.make_valid(polygons)
