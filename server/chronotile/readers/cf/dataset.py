"""A Zarr group or NetCDF file understood by the CF conventions: its variables, where their cells and times are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import Finding, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.crs import Crs, crs_of
from chronotile.core.model.grid import NativeGrid
from chronotile.readers.cf.axes import (
    CURVILINEAR,
    Axes,
    axes_of,
    each_step,
    further_dimensions,
    is_coordinate,
    is_curvilinear,
    selected_steps,
)
from chronotile.readers.cf.encoding import bounds_of, decode, meaning_of, without_range
from chronotile.readers.cf.fields import Attributes, Field, FieldSet
from chronotile.readers.cf.time import Times, configured_climatology, configured_times, times_of_field, times_of_year
from chronotile.readers.encoding import apply_configuration, require_real
from chronotile.readers.native_crs import require_on_earth, source_crs


@dataclass(frozen=True, slots=True, kw_only=True)
class CfVariable:
    """One variable: what it is, and how its array is laid out."""

    info: VariableInfo
    """With the one level of this array."""
    array: str
    """The array's name."""
    axes: Axes
    dims: tuple[str, ...]
    steps: Mapping[str, int]
    """By further dimension the one index that is served; 0 of those that are not here."""
    positions: tuple[int, ...]
    """For each time its index along the stored time dimension."""
    findings: tuple[Finding, ...] = field(default=())

    @property
    def grid(self) -> NativeGrid:
        """The grid of this array."""
        return self.info.grid


@dataclass(frozen=True, slots=True)
class CfVariables:
    """The variables of a group or file by id, and what was found of those and of the ones left out."""

    variables: dict[str, CfVariable]
    findings: tuple[Finding, ...]


def understand(fields: FieldSet, spec: SourceSpec, *, others: tuple[Finding, ...] = ()) -> CfVariables:
    """Return the variables that the configuration names, or else all that can be served.

    Args:
        fields: The arrays.
        spec: What the configuration says.
        others: What was found elsewhere in the file or store, which explains why nothing can be served.

    Raises:
        UnsupportedSource: A named one, or every one there is, cannot be served.
    """
    if spec.variables:
        found = {variable.id: _configured_variable(fields, spec, variable) for variable in spec.variables.values()}
        return CfVariables(found, _findings_of(found))
    found, failures = _all(fields, spec)
    if not found:
        reasons = [f"{each.place}: {each.message}" for each in failures[:1]] or ["it holds no variable over x and y"]
        raise UnsupportedSource("; ".join((*reasons, *(each.message for each in others))))
    return CfVariables(found, (*_findings_of(found), *failures, *others))


def _all(fields: FieldSet, spec: SourceSpec) -> tuple[dict[str, CfVariable], list[Finding]]:
    found: dict[str, CfVariable] = {}
    failures: list[Finding] = []
    candidates = [each for each in fields.fields.values() if not is_coordinate(each, fields)]
    for candidate in candidates:
        try:
            found |= {each.id: _variable(candidate, fields, spec, each) for each in _parts(candidate, fields, spec)}
        except UnsupportedSource as error:
            failures.append(Finding("warning", candidate.name, error.message))
    return found, failures


def _parts(array: Field, fields: FieldSet, spec: SourceSpec) -> tuple[VariableSpec, ...]:
    """What is served of an array: all of it, or each of few steps of further dimensions."""
    whole = VariableSpec(id=array.name)
    if not spec.has_each_step:
        return (whole,)
    time_count = len(spec.times) if spec.times is not None else None
    return each_step(array, fields, further_dimensions(array, fields, time_count=time_count)) or (whole,)


def _configured_variable(fields: FieldSet, spec: SourceSpec, variable: VariableSpec) -> CfVariable:
    name = variable.name or variable.id
    if name not in fields.fields:
        there = ", ".join(each.name for each in fields.fields.values() if not is_coordinate(each, fields))
        raise UnsupportedSource(f"there is no array {name} in it; there are {there or 'none'}")
    try:
        return _variable(fields.fields[name], fields, spec, variable)
    except UnsupportedSource as error:
        raise UnsupportedSource(f"{name}: {error.message}") from error


def _variable(array: Field, fields: FieldSet, spec: SourceSpec, variable: VariableSpec) -> CfVariable:
    if array.fault is not None:
        raise UnsupportedSource(array.fault)
    if 0 in array.shape:
        empty = array.dims[array.shape.index(0)]
        raise UnsupportedSource(f"it has no values yet: its dimension {empty} has the length 0")
    require_real(array.dtype, "it")
    steps = selected_steps(array, fields, variable.select)
    axes = axes_of(array, fields, time_count=len(spec.times) if spec.times is not None else None, selected=steps)
    require_coordinates(array, fields, axes)
    crs, notes = (source_crs(spec.crs), ()) if spec.crs else crs_of_field(array, fields, axes)
    grid = grid_of_field(array, fields, axes, crs)
    times = _times(array, fields, axes, spec)
    meaning = meaning_of(array)
    info = VariableInfo(
        name=variable.id,
        encoding=apply_configuration(meaning.encoding, variable),
        stated=meaning.encoding,
        levels=(grid,),
        times=times.domain,
        title=variable.title or array.text("long_name") or None,
        standard_name=array.text("standard_name") or None,
        is_categorical=bool(meaning.classes),
        classes=meaning.classes,
        part=variable if variable.select else None,
    )
    return CfVariable(
        info=info,
        array=array.name,
        axes=axes,
        dims=array.dims,
        steps=steps,
        positions=times.positions,
        findings=(*notes, *times.findings, *meaning.findings),
    )


def _times(array: Field, fields: FieldSet, axes: Axes, spec: SourceSpec) -> Times:
    count = array.sizes[axes.time] if axes.time is not None else None
    if spec.times is not None and axes.numbers_of_year is not None:
        return configured_climatology(spec.times, axes.numbers_of_year.size, fields)
    if spec.times is not None:
        return configured_times(spec.times, 1 if count is None else count, time=axes.time_field, fields=fields)
    if axes.time is not None and axes.numbers_of_year is not None:
        return times_of_year(axes.time, axes.numbers_of_year)
    return times_of_field(axes.time_field, fields, count)


def _findings_of(variables: dict[str, CfVariable]) -> tuple[Finding, ...]:
    # Each finding once, however many variables it is true of.
    return tuple(dict.fromkeys(finding for variable in variables.values() for finding in variable.findings))


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
        transform = _grid_from_attributes(attributes)
        if transform is not None:
            return transform
    return None


def _grid_from_attributes(attributes: Attributes) -> Affine | None:
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


# The coordinate reference system of an array, wherever the file says it.

_TEXTS = (
    "crs_wkt", "spatial_ref", "proj:wkt2", "proj:code", "proj:projjson", "esri_pe_string", "epsg_code", "epsg", "EPSG",
    "proj4", "proj4text", "proj4_params", "proj4_string", "crs",
)  # fmt: skip
"""Attributes that hold a system as text, from sure to loose."""

_DEGREES = ("latitude", "lat")


def crs_of_field(field: Field, fields: FieldSet, axes: Axes) -> tuple[Crs, tuple[Finding, ...]]:
    """Return the system of an array's x and y, with a note where it was guessed (on the axis, once for all arrays).

    Raises:
        UnsupportedSource: There is none, or one that is not understood or not of the Earth.
    """
    for attributes in _places(field, fields):
        crs = _crs_from_attributes(attributes)
        if crs is not None:
            return crs, ()
    if _is_geographic(axes):
        note = "it names no coordinate reference system; latitudes and longitudes are read as EPSG:4326"
        return crs_of("EPSG:4326"), (Finding("note", axes.y, note),)
    raise UnsupportedSource("it names no coordinate reference system; set crs: for the source")


def _places(field: Field, fields: FieldSet) -> Iterator[Attributes]:
    """Where the system may be said: the grid mapping, the array, any field that is nothing else, the whole file."""
    mapping = field.text("grid_mapping").partition(":")[0].strip()
    if mapping in fields.fields:
        yield fields.fields[mapping].attrs
    yield field.attrs
    for other in fields.coordinates_named_by(field):
        if not other.dims:
            yield other.attrs
    for other in fields.fields.values():
        if not other.dims and ("grid_mapping_name" in other.attrs or any(key in other.attrs for key in _TEXTS)):
            yield other.attrs
    yield fields.attrs


def _crs_from_attributes(attributes: Attributes) -> Crs | None:
    texts = [attributes[key] for key in _TEXTS if key in attributes]
    for text in texts:
        crs = _from_text(text)
        if crs is not None:
            return crs
    if "grid_mapping_name" not in attributes:
        return None
    try:
        definition = CRS.from_cf({key: _plain(value) for key, value in attributes.items() if key not in _TEXTS})
    except (CRSError, KeyError, ValueError, TypeError) as error:
        name = attributes["grid_mapping_name"]
        raise UnsupportedSource(f"its grid mapping {name} is not understood: {str(error)[:120]}") from error
    return source_crs(definition.to_wkt())


def _from_text(text: object) -> Crs | None:
    """The system that a text or number names, or `None` where it names none."""
    plain = _plain(text)
    if isinstance(plain, dict):
        return source_crs(CRS.from_json_dict(plain).to_wkt())
    spelled = str(int(plain)) if isinstance(plain, int | float) else str(plain).strip()
    spelled = f"EPSG:{spelled}" if spelled.isdigit() else spelled
    try:
        CRS.from_user_input(spelled)
    except CRSError:
        return None
    return source_crs(spelled)


def _plain(value: object) -> object:
    """An attribute without numpy's types."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size > 1 else value.ravel()[0].item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value


def _is_geographic(axes: Axes) -> bool:
    y = axes.y_field
    units = y.text("units").lower() if y is not None else ""
    is_named = y is not None and y.text("standard_name") == "latitude"
    return is_named or axes.y.lower() in _DEGREES or units in {"degrees_north", "degree_north", "degree_n", "degrees_n"}
