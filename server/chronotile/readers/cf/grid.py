"""The grid that coordinates describe."""

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource
from chronotile.model.crs import Crs
from chronotile.model.grid import NativeGrid
from chronotile.readers.cf.axes import CURVILINEAR, Axes, is_curvilinear
from chronotile.readers.cf.decoded import bounds_of, decode, without_range
from chronotile.readers.cf.fields import Attributes, Field, FieldSet
from chronotile.readers.native_crs import require_on_earth

REGULARITY_PX = 0.05
"""Coordinates may stray this far, in cells, from evenly spaced ones; rounding by type or packing is added."""

MOST_PACKING_PX = 0.5
"""What packing rounds off, up to this, in cells; where one step of a packed number is a cell, it rounds off nothing."""

_METRES = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), 1000.0),
}
_RADIANS = {"rad", "radian", "radians"}


def grid_of_field(field: Field, fields: FieldSet, axes: Axes, crs: Crs) -> NativeGrid:
    """Return the grid of an array's cells, in whatever direction its coordinates run.

    Raises:
        UnsupportedSource: The coordinates are absent, not evenly spaced, or beyond the poles.
    """
    if axes.x_field is None or axes.y_field is None:
        require_coordinates(field, fields, axes)
        transform = _written_transform(field, fields) or Affine.identity()
    else:
        left, x_step = _edge_and_step(axes.x_field, fields, crs, is_longitude=crs.is_geographic)
        top, y_step = _edge_and_step(axes.y_field, fields, crs, is_longitude=False)
        transform = Affine(x_step, 0.0, left, 0.0, y_step, top)
    grid = NativeGrid(crs=crs, transform=transform, width=field.sizes[axes.x], height=field.sizes[axes.y])
    require_on_earth(grid)
    return grid


def require_coordinates(field: Field, fields: FieldSet, axes: Axes) -> None:
    """Check that an array has coordinates or a GeoTransform.

    Raises:
        UnsupportedSource: It has neither.
    """
    if (axes.x_field is None or axes.y_field is None) and _written_transform(field, fields) is None:
        if is_curvilinear(field, fields):
            raise UnsupportedSource(CURVILINEAR)
        raise UnsupportedSource("it has no coordinates along x and y, and no GeoTransform in their place")


def _edge_and_step(axis: Field, fields: FieldSet, crs: Crs, *, is_longitude: bool) -> tuple[float, float]:
    """The outer edge of the first cell and the (signed) step to the next, in units of the system."""
    decoded = decode(without_range(axis))
    if decoded.is_missing.any():
        raise UnsupportedSource(f"its coordinates {axis.name} have gaps")
    centres = decoded.values.astype(np.float64).ravel()
    if is_longitude and centres.size > 2:
        centres = _unrolled(centres)
    factor = _factor(axis, crs)
    if centres.size == 1:
        step = _width_of_single(axis, fields)
    else:
        step = float(centres[-1] - centres[0]) / (centres.size - 1)
        most = np.inf if axis.dtype.kind == "f" else MOST_PACKING_PX * abs(step)
        _require_regular(centres, step, axis.name, rounding=min(decoded.rounding, most))
    return (float(centres[0]) - step / 2) * factor, step * factor


def _unrolled(longitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes without the jump at the antimeridian or at Greenwich."""
    jumps = np.abs(np.diff(longitudes)) > 180
    return np.unwrap(longitudes, period=360.0) if jumps.any() else longitudes


def _require_regular(centres: NDArray[np.float64], step: float, name: str, *, rounding: float) -> None:
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
    """What takes the coordinates' unit to the system's."""
    unit = axis.text("units").strip().lower()
    if unit in _RADIANS or axis.text("standard_name").endswith("_angular_coordinate"):
        return _perspective_height(crs) if not crs.is_geographic else float(np.degrees(1.0))
    if crs.is_geographic or unit not in _METRES:
        return 1.0
    return _METRES[unit] / crs.metres_per_unit


def _perspective_height(crs: Crs) -> float:
    """A geostationary system counts metres; files count scanning angles (CF §F, geostationary)."""
    height = crs.definition.to_cf().get("perspective_point_height")
    if height is None:
        raise UnsupportedSource("its coordinates are in radians and its system has no perspective height")
    return float(height)


def _written_transform(field: Field, fields: FieldSet) -> Affine | None:
    """A transform that stands in attributes: GDAL's, GeoZarr's, rasterio's."""
    mapping = fields.fields.get(field.text("grid_mapping").partition(":")[0].strip())
    for attributes in (*([mapping.attrs] if mapping is not None else []), field.attrs, fields.attrs):
        transform = _from_attributes(attributes)
        if transform is not None:
            return transform
    return None


def _from_attributes(attributes: Attributes) -> Affine | None:
    for key, is_gdal in (("GeoTransform", True), ("spatial:transform", False), ("transform", False)):
        numbers = _six_numbers(attributes.get(key))
        if numbers is not None:
            transform = Affine.from_gdal(*numbers) if is_gdal else Affine(*numbers)
            return None if transform.is_degenerate else transform
    return None


def _six_numbers(value: object) -> list[float] | None:
    parts = value.replace(",", " ").split() if isinstance(value, str) else value
    try:
        numbers = [float(part) for part in np.asarray(parts).ravel()[:6]] if parts is not None else []
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 6 else None
