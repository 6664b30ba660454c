"""The grid of an array's cells: from coordinates or a transform, compared with all other statements of the file."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import Attributes, Float64Array
from chronotile.readers.cf.axes import CURVILINEAR, Axes, CurvilinearArray, cell_coordinates, is_curvilinear
from chronotile.readers.cf.crs import METRES, ArrayCrs, grid_mappings, resolve_crs
from chronotile.readers.cf.encoding import bounds_of, decode, without_range
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.native_crs import require_on_earth, source_crs

REGULARITY_PX = 0.05
"""Largest distance of coordinates from evenly spaced ones, in cells; rounding by type or packing is added."""

MOST_PACKING_PX = 0.5
"""Largest rounding by packing that is accepted, in cells; none if one step of a packed number is a cell."""

_RADIANS = {"rad", "radian", "radians"}
_NO_UNITS = {"", "1", "none", "unknown", "degree", "degrees", "deg"}

TOLERANCE_PX = 0.5
"""Distance in cells between two statements of the place that is reported."""
ROUNDING_M = 10.0
"""Tolerance of longitudes and latitudes, as float32 rounds them."""
MAX_DISTANCE_M = 50_000.0
"""Maximum distance of cells from their stored latitudes and longitudes, which may be on a sphere."""
SAMPLE = 9
"""Latitudes and longitudes of cells that are compared along each dimension."""
_METRES_PER_DEGREE = 111_320.0


def place_array(field: Field, fields: FieldSet, axes: Axes, crs: str | None) -> tuple[NativeGrid, tuple[Finding, ...]]:
    """Return the grid of an array's cells, for any direction of its coordinates, with findings on contradictions.

    Args:
        field: The array.
        fields: All arrays, including its coordinates.
        axes: Its dimensions.
        crs: The configured CRS, which overrides the CRS of the file.

    Raises:
        UnsupportedSource: Coordinates or their CRS are missing, not understood, uneven, or contradict latitudes and
            longitudes of the cells.
    """
    written = _written_transform(field, fields, axes)
    if written is None and (axes.x_field is None or axes.y_field is None):
        lack = "it has no coordinates along x and y, and no GeoTransform in their place"
        raise CurvilinearArray(CURVILINEAR) if is_curvilinear(field, fields) else UnsupportedSource(lack)
    found = ArrayCrs(source_crs(crs), "crs: of the source") if crs else resolve_crs(field, fields, axes)
    transform = _transform_of_coordinates(axes, fields, found.crs) or written or Affine.identity()
    grid = NativeGrid(crs=found.crs, transform=transform, width=field.sizes[axes.x], height=field.sizes[axes.y])
    require_on_earth(grid)
    notes = [*found.findings, *_unit_notes(axes, found.crs)]
    if written is not None and not _is_same_place(grid, replace(grid, transform=written)):
        message = (
            "its GeoTransform and its coordinates place it differently; its coordinates count; remove the one that"
        )
        notes.append(Finding("warning", field.name, f"{message} is wrong from the file"))
    return grid, (*notes, *_doubts(field, fields, axes, grid=grid, found=found))


def _transform_of_coordinates(axes: Axes, fields: FieldSet, crs: Crs) -> Affine | None:
    if axes.x_field is None or axes.y_field is None:
        return None
    left, x_step = _edge_and_step(axes.x_field, fields, crs, is_longitude=crs.is_geographic)
    top, y_step = _edge_and_step(axes.y_field, fields, crs, is_longitude=False)
    return Affine(x_step, 0.0, left, 0.0, y_step, top)


def _is_same_place(grid: NativeGrid, other: NativeGrid) -> bool:
    """Return whether two grids cover the same box within half a cell, in either direction and turn of longitudes."""
    turn = 360.0 if grid.crs.is_geographic else np.inf
    most = TOLERANCE_PX * max(map(abs, grid.steps)) * 1.01
    apart = [abs(own - its) for own, its in zip(grid.bbox, other.bbox, strict=True)]
    return all(min(each, abs(each - turn)) <= most for each in apart)


def _unit_notes(axes: Axes, crs: Crs) -> Iterator[Finding]:
    for axis in (axes.y_field, axes.x_field):
        unit = axis.text("units").strip() if axis and not crs.is_geographic else ""
        if axis and unit.lower() not in {*METRES, *_RADIANS, *_NO_UNITS}:
            message = f"its unit {unit[:40]!r} is not known; it is read as the unit of the coordinate reference system"
            yield Finding("warning", axis.name, message)


def _edge_and_step(axis: Field, fields: FieldSet, crs: Crs, *, is_longitude: bool) -> tuple[float, float]:
    """The outer edge of the first cell and the (signed) step to the next, in units of the system."""
    decoded = decode(without_range(axis))
    if decoded.is_missing.any():
        raise UnsupportedSource(f"its coordinates {axis.name} have gaps")
    centres = decoded.values.astype(np.float64).ravel()
    if is_longitude and centres.size > 2 and (np.abs(np.diff(centres)) > 180).any():
        centres = np.unwrap(centres, period=360.0)  # without the jump at the antimeridian or at Greenwich
    factor = _factor(axis, crs)
    if centres.size == 1:
        step = _width_of_single(axis, fields)
    else:
        step = float(centres[-1] - centres[0]) / (centres.size - 1)
        most = np.inf if axis.dtype.kind == "f" else MOST_PACKING_PX * abs(step)
        _require_regular(centres, step, axis.name, rounding=min(decoded.rounding, most))
    return (float(centres[0]) - step / 2) * factor, step * factor


def _require_regular(centres: Float64Array, step: float, name: str, *, rounding: float) -> None:
    if step == 0:
        raise UnsupportedSource(f"its coordinates {name} do not advance")
    even = centres[0] + step * np.arange(centres.size)
    stray = np.abs(centres - even)
    worst = int(np.argmax(stray))
    if stray[worst] > REGULARITY_PX * abs(step) + rounding:
        raise UnsupportedSource(
            f"its coordinates {name} are not evenly spaced: number {worst} is {centres[worst]:.8g}, "
            f"{stray[worst] / abs(step):.2f} cells off; regrid it first"
        )


def _width_of_single(axis: Field, fields: FieldSet) -> float:
    """The width of the only cell along an axis, by its bounds."""
    bounds = bounds_of(axis, fields, axis.text("bounds"))
    if bounds is not None:
        decoded = decode(bounds)
        low, high = decoded.values.ravel().astype(np.float64)
        if high != low and not decoded.is_missing.any():
            return float(high - low)
    raise UnsupportedSource(f"it has a single cell along {axis.name} and no bounds, so its width is unknown")


def _factor(axis: Field, crs: Crs) -> float:
    """Return the length of the unit of coordinates in units of the CRS."""
    unit = axis.text("units").strip().lower()
    if unit in _RADIANS or axis.text("standard_name").endswith("_angular_coordinate"):
        return _perspective_height(crs) if not crs.is_geographic else float(np.degrees(1.0))
    if crs.is_geographic or unit not in METRES:
        return 1.0
    return METRES[unit] / crs.metres_per_unit


def _perspective_height(crs: Crs) -> float:
    """A geostationary system counts metres; files count scanning angles (CF §F, geostationary)."""
    height = crs.definition.to_cf().get("perspective_point_height")
    if height is None:
        raise UnsupportedSource("its coordinates are in radians and its system has no perspective height")
    return float(height)


# Transforms in attributes: GDAL's, GeoZarr's, rasterio's.


def _written_transform(field: Field, fields: FieldSet, axes: Axes) -> Affine | None:
    """The nearest transform that is for an array of this size."""
    size = field.sizes[axes.y], field.sizes[axes.x]
    own, further = grid_mappings(field, fields, axes)
    for attributes in (*(each.attrs for each in (*own, *further)), field.attrs, *fields.levels):
        is_of_parent = any(attributes is each for each in fields.levels[1:])
        transform = _transform_in(attributes, size, needs_size=is_of_parent)
        if transform is not None:
            return transform
    return None


def _transform_in(attributes: Attributes, size: tuple[int, int], *, needs_size: bool) -> Affine | None:
    """Return the transform of cell edges if stated for this size; that of a parent may be for any of its levels."""
    shape, box = _numbers(attributes.get("spatial:shape"), 2), _numbers(attributes.get("spatial:bbox"), 4)
    is_of_nodes = attributes.get("spatial:registration") == "node"
    keys = ("GeoTransform", "spatial:transform", "transform")
    gdal, numbers, plain = (_numbers(attributes.get(key), 6) for key in keys)
    spatial = Affine(*numbers) @ Affine.translation(-0.5 * is_of_nodes, -0.5 * is_of_nodes) if numbers else None
    is_of_size = (shape is None or tuple(shape) == size) and (shape or box or not needs_size)
    if gdal and not needs_size:
        transform = Affine.from_gdal(*gdal)
    elif spatial and is_of_size and (box is None or _fills(spatial, box, size)):
        transform = spatial
    elif plain and not needs_size:
        transform = Affine(*plain)
    else:
        return _transform_of_box(box, size, is_of_nodes=is_of_nodes)
    return None if transform.is_degenerate else transform


def _fills(transform: Affine, box: list[float], size: tuple[int, int]) -> bool:
    """Return whether a transform fills a box with this number of cells; a finer level's fills only a part."""
    x, y = transform @ (size[1], size[0])
    most = 2 * max(abs(transform.a) + abs(transform.b), abs(transform.d) + abs(transform.e))
    return (
        abs(abs(x - transform.c) - (box[2] - box[0])) <= most and abs(abs(y - transform.f) - (box[3] - box[1])) <= most
    )


def _transform_of_box(box: list[float] | None, size: tuple[int, int], *, is_of_nodes: bool) -> Affine | None:
    """The transform from the box of a north-up grid; of nodes it reaches from the first centre to the last."""
    rows, columns = (each - is_of_nodes for each in size)
    if box is None or min(rows, columns) < 1 or not (box[0] < box[2] and box[1] < box[3]):
        return None
    x_step, y_step = (box[2] - box[0]) / columns, (box[3] - box[1]) / rows
    edge = 0.5 * is_of_nodes
    return Affine(x_step, 0.0, box[0] - edge * x_step, 0.0, -y_step, box[3] + edge * y_step)


def _numbers(value: object, count: int) -> list[float] | None:
    parts = value.replace(",", " ").split() if isinstance(value, str) else value
    try:
        numbers = [float(part) for part in np.asarray(parts).ravel()[:count]] if parts is not None else []
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


# Attributes and coordinates that contradict the grid read from the axes and the CRS.


def _doubts(field: Field, fields: FieldSet, axes: Axes, *, grid: NativeGrid, found: ArrayCrs) -> Iterator[Finding]:
    """Yield findings on statements that contradict the location of the cells.

    Raises:
        UnsupportedSource: Latitudes and longitudes of the cells are far away, or no statement is for the array.
    """
    for other in found.others:
        distance_m = 0.0 if other.crs == found.crs else _distance_between(grid, other.crs)
        if distance_m <= max(TOLERANCE_PX * _cell_m(grid), other.tolerance_m, ROUNDING_M):
            continue
        message = f"{found.place} and {other.place} place it {_kilometres(distance_m)} apart"
        if not other.is_for_array:
            raise UnsupportedSource(f"{message}, and it names neither; set crs: for the source")
        yield Finding("warning", field.name, f"{message}; the first counts; if it is wrong, set crs: for the source")
    cells = cell_coordinates(field, fields, axes)
    distance_m = 0.0 if cells is None else _distance_from_cells(grid, axes, *cells)
    if cells is None or distance_m <= max(TOLERANCE_PX * _cell_m(grid), ROUNDING_M):
        return
    names = f"{cells[0].name} and {cells[1].name}"
    if distance_m > max(MAX_DISTANCE_M, 2 * _cell_m(grid)):
        raise UnsupportedSource(
            f"{CURVILINEAR}: its {names} lie {_kilometres(distance_m)} from where its coordinates {axes.y} and "
            f"{axes.x} would place it by {found.place or 'EPSG:4326'}; set grid: to place it by its {names}"
        )
    message = (
        f"its {names} lie up to {_kilometres(distance_m)} from its coordinates {axes.y} and {axes.x}, by which it is "
        "placed; compare the earth's radius in its grid mapping"
    )
    yield Finding("warning", field.name, message)


def _kilometres(distance_m: float) -> str:
    return f"{distance_m / 1000:.3g} km" if np.isfinite(distance_m) else "very far"


@lru_cache(maxsize=512)
def _cell_m(grid: NativeGrid) -> float:
    return max(map(abs, grid.steps)) * grid.crs.metres_per_unit


@lru_cache(maxsize=512)
def _distance_between(grid: NativeGrid, other: Crs) -> float:
    """Return the greatest distance between cells of a grid and of one with the same coordinates in another CRS."""
    rows, columns = np.meshgrid([0, grid.height / 2, grid.height], [0, grid.width / 2, grid.width])
    x, y = grid.points_at(columns.astype(np.float64), rows.astype(np.float64))
    return _distance_m(transformer(grid.crs, CRS84).transform(x, y), transformer(other, CRS84).transform(x, y))


def _distance_from_cells(grid: NativeGrid, axes: Axes, latitude: Field, longitude: Field) -> float:
    """The greatest distance of a cell from its own latitude and longitude, of few cells over all the grid."""
    values = []
    for each in (longitude, latitude):
        decoded = decode(each.sampled(SAMPLE))
        numbers = np.where(decoded.is_missing, np.nan, decoded.values.astype(np.float64)).reshape(decoded.values.shape)
        values.append(numbers if each.dims[0] == axes.y else numbers.T)
    rows, columns = (np.arange(0, length, max(1, (length - 1) // (SAMPLE - 1))) for length in (grid.height, grid.width))
    x, y = grid.points_at(*(each + 0.5 for each in np.meshgrid(columns.astype(np.float64), rows.astype(np.float64))))
    return _distance_m(transformer(grid.crs, CRS84).transform(x, y), (values[0], values[1]), is_partial=True)


def _distance_m(
    first: tuple[Float64Array, ...], second: tuple[Float64Array, ...], *, is_partial: bool = False
) -> float:
    """Return the greatest distance between longitudes and latitudes; infinite if only one of them is on the Earth."""
    with np.errstate(invalid="ignore"):
        east = (first[0] - second[0] + 180) % 360 - 180
        apart = np.hypot(east * np.cos(np.radians(first[1])), first[1] - second[1]) * _METRES_PER_DEGREE
        is_known = np.isfinite(second[0]) & np.isfinite(second[1]) & (np.abs(second[1]) <= 90)
    both = is_known & np.isfinite(apart)
    if not is_partial and (np.isfinite(first[0]) != np.isfinite(second[0])).any():
        return float("inf")
    return float(apart[both].max()) if both.any() else 0.0
