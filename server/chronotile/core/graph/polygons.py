"""Processes with polygons: masks, and values of areas."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import shapely
from rasterio.features import geometry_mask

from chronotile.core.errors import ChronotileError
from chronotile.core.graph.cube import Dimension, GraphCube, as_float, missing_in, require_cube, values_of
from chronotile.core.graph.errors import invalid
from chronotile.core.graph.space import CellGrid, crop, crs_from, grid_of
from chronotile.core.graph.values import GraphProcess, Stack
from chronotile.core.model.geometry.geojson import GeometryRules, area_of
from chronotile.core.model.space.crs import CRS84, Crs, crs_of, transformer
from chronotile.core.model.types import BoolArray

MAX_VERTICES, MAX_FEATURES = 1_000_000, 10_000


def mask_polygon(data: GraphCube, mask: Any, replacement: float | None = None, inside: bool = False) -> GraphCube:  # noqa: ANN401 -- published
    """Return the cube with `replacement` in cells whose centres are outside of polygons, or inside with `inside`."""
    cube = require_cube(data)
    covered = _find_covered_cells(_shapes(mask, "mask"), grid_of(cube))
    y, x = cube.spatial()
    marks = GraphCube((y, x), covered if inside else ~covered).broadcast_to(cube)
    values = as_float(cube.values) if replacement is None else cube.values
    is_masked = np.broadcast_to(marks, values.shape) & ~missing_in(values)
    filled = np.nan if replacement is None else replacement
    return GraphCube(cube.dimensions, np.where(is_masked, np.asarray(filled, dtype=values.dtype), values))


def filter_spatial(data: GraphCube, geometries: Any) -> GraphCube:  # noqa: ANN401 -- GeoJSON
    """Return the cube in the box around the geometries, with no data in cells whose centres are outside of them."""
    masked = mask_polygon(data, geometries)
    name = grid_of(masked).crs
    moved = [_transform_shape(shape, crs, name) for shape, crs in _shapes(geometries, "geometries")]
    west, south, east, north = shapely.union_all(moved).bounds
    return crop(masked, lambda x: (x >= west) & (x <= east), lambda y: (y >= south) & (y <= north))


def aggregate_spatial(
    data: GraphCube,
    *,
    geometries: Any,  # noqa: ANN401 -- GeoJSON
    reducer: Callable[..., Any],
    target_dimension: str | None = None,
    context: object = None,
) -> GraphCube:
    """Return the cube with a dimension `geometry` instead of x and y; the labels are the features (GeoJSON)."""
    cube = require_cube(data)
    if target_dimension is not None:
        raise invalid("target_dimension", "counts of cells are not available; leave it out")
    grid = grid_of(cube)
    y, x = cube.spatial()
    rest = tuple(dimension for dimension in cube if dimension not in (y, x))
    values = np.moveaxis(cube.values, [cube.axis(y.name), cube.axis(x.name)], [0, 1])
    features, shapes = _features(geometries), _shapes(geometries, "geometries")
    results = []
    for shape in shapes:
        cells = values[_find_covered_cells([shape], grid)]
        results.append(values_of(reducer(data=Stack(cells, None), context=context), cells.shape[1:], cells))
    dimension = Dimension("geometry", "geometry", tuple(features), crs=str(CRS84))
    return GraphCube((dimension, *rest), np.stack(results) if results else np.empty((0, *map(len, rest))))


def _features(geometries: Any) -> list[Any]:  # noqa: ANN401 -- GeoJSON
    if isinstance(geometries, GraphCube):
        return list(geometries.dimensions_of_type("geometry")[0].labels)
    if isinstance(geometries, Mapping) and geometries.get("type") == "FeatureCollection":
        return list(geometries.get("features") or [])
    if isinstance(geometries, Mapping) and geometries.get("type") == "GeometryCollection":
        return [{"type": "Feature", "geometry": part, "properties": {}} for part in geometries.get("geometries") or []]
    if isinstance(geometries, Mapping) and geometries.get("type") == "Feature":
        return [geometries]
    return [{"type": "Feature", "geometry": geometries, "properties": {}}]


class _PlacedShape(NamedTuple):
    shape: shapely.Geometry
    crs: Crs


def _shapes(geometries: Any, argument: str) -> list[_PlacedShape]:  # noqa: ANN401 -- GeoJSON
    """Return the polygons of features; a point is the cell that contains it."""
    features = _features(geometries)
    rules = GeometryRules(max_vertices=MAX_VERTICES, max_features=MAX_FEATURES, crs_named=crs_of)
    outer = {"crs": geometries["crs"]} if isinstance(geometries, Mapping) and "crs" in geometries else {}
    shapes: list[_PlacedShape] = []
    try:
        for feature in features:
            geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
            if isinstance(geometry, Mapping) and geometry.get("type") == "Point":
                shapes.append(_PlacedShape(shapely.Point(geometry["coordinates"][:2]), CRS84))
                continue
            area = area_of(orjson.dumps({**feature, **outer}), rules)
            polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in area.polygons]
            shapes.append(_PlacedShape(shapely.MultiPolygon(polygons), area.crs))
    except (ChronotileError, orjson.JSONEncodeError) as error:
        raise invalid(argument, str(error.args[0])[:200]) from None
    return shapes


def _find_covered_cells(shapes: Sequence[_PlacedShape], grid: CellGrid) -> BoolArray:
    """Return the cells (row, column) whose centres are in a shape."""
    covered = np.zeros(grid.shape, dtype=bool)
    for shape, crs in shapes:
        moved = _transform_shape(shape, crs, grid.crs)
        if isinstance(moved, shapely.Point):
            (row,), (column,) = grid.y.positions(np.array([moved.y])), grid.x.positions(np.array([moved.x]))
            covered[row, column] |= row >= 0 and column >= 0
        elif not moved.is_empty and covered.size:
            covered |= geometry_mask([moved], covered.shape, grid.transform, invert=True)
    return covered


def _transform_shape(shape: shapely.Geometry, crs: Crs, name: str) -> shapely.Geometry:
    target = crs_from(name) if name else crs
    if crs.name == target.name:
        return shape
    to_target = transformer(crs, target)
    return shapely.transform(shape, to_target.transform, interleaved=False)


POLYGONS: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (aggregate_spatial, filter_spatial, mask_polygon)
}
"""Processes by name."""
