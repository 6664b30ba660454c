"""Coordinates in the order a CRS defines its axes: turned to x, y here, and nowhere else.

The rule is PROJ's normalisation for visualisation, on which all transforms of the core rest (`always_xy`). Axis names
mislead (EPSG:2180 calls northing x), and directions alone do where all axes point one way (polar systems).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from chronotile.model.crs import Crs
from chronotile.model.grid import BBox

POLAR_NORTHING_FIRST = {
    (("south", 180.0), ("south", 90.0)),  # EPSG:32661; EPSG:5041 has them the other way
    (("north", 0.0), ("north", 90.0)),  # EPSG:32761; EPSG:5042 and EPSG:3031 have them the other way
    (("north", 180.0), ("north", -90.0)),  # EPSG:5482
}
"""Directions and meridians of two axes that both point to or from a pole, northing before easting."""


@lru_cache(maxsize=512)
def is_north_first(crs: Crs) -> bool:
    """Return whether the first coordinate is latitude or northing, i.e. y (WMS 1.3.0 §6.7.2, OGC 08-038r7)."""
    axes = tuple((axis["direction"], _meridian(axis)) for axis in _axes(crs.definition.to_json_dict())[:2])
    directions = tuple(direction for direction, _meridian_degrees in axes)
    return directions == ("north", "east") or axes in POLAR_NORTHING_FIRST


def as_xy(box: BBox, crs: Crs) -> BBox:
    """Return a box whose edges were written in the axis order of `crs` with x before y."""
    return BBox(box.ymin, box.xmin, box.ymax, box.xmax) if is_north_first(crs) else box


def in_axis_order(coordinates: Sequence[float], crs: Crs) -> tuple[float, ...]:
    """Return x, y pairs (`x, y` or `xmin, ymin, xmax, ymax`) in the axis order of `crs`."""
    if not is_north_first(crs):
        return tuple(coordinates)
    return tuple(coordinate for x, y in zip(coordinates[::2], coordinates[1::2], strict=True) for coordinate in (y, x))


def _axes(definition: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The axes of a PROJJSON definition; a compound system begins with its horizontal one."""
    if "components" in definition:
        return _axes(definition["components"][0])
    if "source_crs" in definition:
        return _axes(definition["source_crs"])
    axes: Sequence[Mapping[str, Any]] = definition["coordinate_system"]["axis"]
    return axes


def _meridian(axis: Mapping[str, Any]) -> float | None:
    """Degrees of the meridian along which a polar axis points."""
    meridian = axis.get("meridian")
    if meridian is None:
        return None
    longitude = meridian["longitude"]
    return float(longitude if isinstance(longitude, int | float) else longitude["value"])
