"""NetCDF and Zarr, read with xarray without masking and scaling."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chronotile.audit.dates_in_names import time_in
from chronotile.audit.truth import Axis, Cells, NumberMeaning, StoredTruth, found_paths, override_meaning
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import DEFAULT_FILLS
from chronotile.core.model.quality import NamedFlag
from chronotile.core.model.source import DimensionStep, SourceSpec, VariableSpec
from chronotile.core.model.types import AnyArray, Float64Array, InstantArray, NumberArray
from chronotile.readers.kinds import kind_of_spec

if TYPE_CHECKING:
    import xarray


SECOND = np.timedelta64(1, "s")
DAY = np.timedelta64(1, "D")
PARTS_OF_YEAR = {"month": 12, "dayofyear": 366}
"""Dimensions of climatologies, with the number of their parts of a year."""


class SliceTimes(NamedTuple):
    """Times of the slices of a file, in the standard calendar."""

    coordinates: InstantArray
    """(time,)."""
    bounds: InstantArray | None = None
    """(time, 2); `None` without bounds, and for a climatology."""
    overlaps: bool = False
    """Whether the file states that its periods overlap."""


def times_of_axis(dataset: Any, time: Any) -> SliceTimes:  # noqa: ANN401 -- xarray has no types here
    """Return the times of a coordinate and its bounds; NaT if xarray decodes no dates.

    Raises:
        UnsupportedSource: The bounds cannot be decoded.
    """
    coordinate = dataset[time]
    kind = str(coordinate.attrs.get("time_kind", ""))
    coordinates = _standard(np.atleast_1d(coordinate.values))
    if coordinates is None:
        return SliceTimes(np.full(coordinate.size, np.datetime64("NaT", "ns")))
    name = coordinate.attrs.get("bounds", coordinate.encoding.get("bounds"))
    has_bounds = name in dataset.variables and dataset[name].shape == (*coordinate.shape, 2)
    if not has_bounds or coordinate.attrs.get("climatology") or kind == "climatology":
        return SliceTimes(coordinates)
    starts, ends = (_standard(np.atleast_1d(dataset[name].values[..., end])) for end in (0, 1))
    if starts is None or ends is None:
        raise UnsupportedSource("xarray does not decode the bounds of its times")
    return SliceTimes(coordinates, np.stack([starts, ends], axis=1), kind == "overlapping periods")


def times_of_year_parts(array: Any, dim: Any) -> SliceTimes | None:  # noqa: ANN401 -- as above
    """Return dates of the year 2000 for a dimension of months or days of a year; `None` for other dimensions."""
    size = array.sizes[dim]
    if dim not in PARTS_OF_YEAR or size < 2:
        return None
    numbers = array[dim].values if dim in array.coords else np.arange(1, size + 1)
    if dim not in array.coords and size != PARTS_OF_YEAR[dim]:
        return None
    if numbers.dtype.kind not in "iuf" or not set(numbers.tolist()) <= set(range(1, PARTS_OF_YEAR[dim] + 1)):
        return None
    steps = numbers.astype(int) - 1
    if dim == "month":
        return SliceTimes((np.datetime64("2000-01", "M") + steps).astype("datetime64[ns]"))
    if size == numbers.max() == 365:  # a year without 29 February
        steps = steps + (steps >= 59)
    return SliceTimes((np.datetime64("2000-01-01", "D") + steps).astype("datetime64[ns]"))


def slice_names(slices: Sequence[SliceTimes]) -> InstantArray:
    """Return each slice's date: the start of its bounds if these are consecutive periods, else its coordinate."""
    coordinates = np.concatenate([s.coordinates for s in slices])
    listed = [np.column_stack([s.bounds, s.coordinates]) for s in slices if s.bounds is not None]
    if not listed or any(s.overlaps for s in slices):
        return coordinates
    periods = np.concatenate(listed)
    starts, ends, inside = np.unique(periods.astype(np.int64), axis=0).astype("datetime64[ns]").T
    are_periods = (ends - starts >= DAY) & (starts <= inside) & (inside <= ends)
    if not are_periods.all() or (starts[1:] < ends[:-1] - SECOND).any():
        return coordinates
    return np.concatenate([s.coordinates if s.bounds is None else s.bounds[:, 0] for s in slices])


def _standard(times: AnyArray) -> InstantArray | None:
    import xarray

    if times.dtype == object:
        dated = xarray.Dataset({"t": ("time", np.arange(times.size))}, coords={"time": times})
        converted = dated.convert_calendar("standard", align_on="year", use_cftime=False)["time"].values
        if converted.size != times.size:  # the standard calendar lacks a day
            return None
        times = converted
    return times.astype("datetime64[ns]") if np.issubdtype(times.dtype, np.datetime64) else None


TWO_DAYS = np.timedelta64(2, "D")
"""Tolerance for conversions of other calendars."""
UNITLESS = {"", "1", "-", "class", "classes", "none"}


class ArrayTruth(StoredTruth):
    """An array over time, y and x, in one store, or in several stores or NetCDF files joined along time."""

    def __init__(self, specs: Sequence[SourceSpec], variable: VariableSpec) -> None:
        self._has_listed_times = specs[0].times is not None
        self._failures: list[UnsupportedSource] = []
        """Errors of files without the array, or that the audit does not understand."""
        parts: list[ArrayPart] = []
        for spec, path in ((s, path) for s in specs for path in found_paths(s.href)):
            try:
                parts.append(ArrayPart(spec, variable, Path(path)))
            except UnsupportedSource as error:
                self._failures.append(error)
        if not parts:
            raise next(iter(self._failures), UnsupportedSource("no file is found for it"))
        self._names = slice_names([part.times for part in parts])
        self._slices = [(p, position) for p in parts for position in range(p.times.coordinates.size)]
        self.has_known_dates = not bool(np.isnat(self._names).all())  # xarray decodes all dates of a file, or none
        self._tolerance = SECOND if all(p.is_standard for p in parts) else TWO_DAYS

    def cells(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Cells:
        """Return numbers (y, x) with their encoding."""
        part, position = self._slice(instant, index)
        return Cells(part.numbers(position, x, y), part.meaning, origin=part.name)

    def has(self, instant: np.datetime64) -> bool:
        """Return whether a slice has the date, or may have it in a file that is not understood."""
        return bool(self._failures) or bool((np.abs(self._names - instant) <= self._tolerance).any())

    def _slice(self, instant: np.datetime64 | None, index: int) -> "tuple[ArrayPart, int]":
        """Return the slice of a date, the first if there are several."""
        if self._has_listed_times:
            return self._slices[index]
        if instant is None or (len(self._slices) == 1 and np.isnat(self._names[0])):
            return self._slices[0]
        distances = np.abs(self._names - instant)
        if (distances <= self._tolerance).any():
            return self._slices[int(np.where(np.isnat(distances), self._tolerance * 2, distances).argmin())]
        if self._failures:
            raise UnsupportedSource(f"{len(self._failures)} files are ignored: {self._failures[0].message}")
        raise UnsupportedSource(f"its time axis has no {instant}")


class ArrayPart:
    """The array in one store or file."""

    def __init__(self, spec: SourceSpec, variable: VariableSpec, path: Path) -> None:
        self.name = path.name
        dataset, array = _open_array(spec, path, variable.name or variable.id)
        array = select_steps(array, variable.select)
        axes = set(_axes(array).values())  # these dimensions stay, even with one step
        array = array.isel({name: 0 for name in array.dims if array.sizes[name] == 1 and name not in axes})
        x, y, time = _axes(array).values()
        if x is None or y is None:
            raise UnsupportedSource("no x and y axes are identified by attributes or names")
        more_dimensions = [name for name in array.dims if name not in {x, y, time}]
        if more_dimensions:
            raise UnsupportedSource(f"it has an additional dimension, {', '.join(map(str, more_dimensions))}")
        self._time = time
        self._array = array.transpose(*([time] if time else []), y, x)
        self._x, self._y = (_axis(dataset, array, name) for name in (x, y))
        self._places: tuple[Any, Any] | None = None
        """Points and their positions, which are the same for each date of a window."""
        self.meaning = override_meaning(meaning_of(array, is_netcdf=spec.kind == "netcdf"), variable)
        self.is_standard = time not in array.coords or decode_coordinate(dataset, time)[time].dtype != object
        self.times = _times_inside(dataset, array, time) or SliceTimes(_path_times(path, spec.time_pattern))

    def numbers(self, position: int, x: Float64Array, y: Float64Array) -> NumberArray:
        """Return digital numbers (y, x) of a slice."""
        if self._places is None or self._places[0] is not x:
            self._places = x, (self._x.places(x), self._y.places(y))
        columns, rows = self._places[1]
        plane = self._array if self._time is None else self._array[position]
        top, first_column = int(rows.min()), int(columns.min())
        read = np.asarray(plane[top : int(rows.max()) + 1, first_column : int(columns.max()) + 1].values)
        read = read.astype(read.dtype.newbyteorder("="), copy=False)
        if str(self._array.attrs.get("_Unsigned", "")).lower() == "true" and read.dtype.kind == "i":
            read = read.view(f"u{read.dtype.itemsize}")
        return np.asarray(read[rows - top, columns - first_column])


def _times_inside(dataset: Any, array: Any, time: Any) -> SliceTimes | None:  # noqa: ANN401 -- as above
    """Return the times inside a file; `None` if it has none."""
    if time is not None:
        return times_of_year_parts(array, time) or times_of_axis(decode_coordinate(dataset, time), time)
    is_single = "time" in dataset.variables and dataset["time"].size == 1
    single = times_of_axis(decode_coordinate(dataset, "time"), "time") if is_single else None
    return None if single is None or np.isnat(single.coordinates[0]) else single


def _path_times(path: Path, pattern: str | None) -> InstantArray:
    # The one time in a path, or NaT.
    time = time_in(str(path), pattern)
    return np.array(["NaT" if time is None else time], dtype="datetime64[ns]")


def _open_array(spec: SourceSpec, path: Path, name: str) -> tuple[Any, Any]:
    """Return a dataset and its array of that name."""
    try:
        for dataset in kind_of_spec(spec).datasets(path, spec.group):
            if name in dataset.data_vars:
                return dataset, dataset[name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnsupportedSource(f"xarray cannot open {path.name}") from error
    raise UnsupportedSource(f"xarray does not find {name} in {path.name}")


def _axes(array: Any) -> dict[str, Any]:  # noqa: ANN401 -- as above
    """Return the dimensions of x, y and time, identified by attributes or names."""
    axes: dict[str, Any] = {"X": None, "Y": None, "T": None}
    for name in array.dims:
        if name not in array.coords or array[name].ndim != 1:
            continue
        coordinate = array[name]
        words = {str(coordinate.attrs.get(x, "")).lower() for x in ("axis", "standard_name", "units")}
        words.add(str(name).lower())
        if np.issubdtype(coordinate.dtype, np.datetime64) or " since " in str(coordinate.attrs.get("units", "")):
            axes["T"] = name
        elif words & {"x", "longitude", "lon", "degrees_east", "projection_x_coordinate", "easting", "grid_longitude"}:
            axes["X"] = name
        elif words & {"y", "latitude", "lat", "degrees_north", "projection_y_coordinate", "northing", "grid_latitude"}:
            axes["Y"] = name
        elif words & {"t", "time"}:
            axes["T"] = name
    if axes["T"] is None:
        axes["T"] = next((name for name in array.dims if times_of_year_parts(array, name)), None)
    return axes


def decode_coordinate(dataset: Any, name: Any) -> Any:  # noqa: ANN401 -- as above
    """Decode a coordinate and its bounds with xarray: scale, offset, fill value and times.

    Raises:
        UnsupportedSource: xarray cannot decode it.
    """
    import xarray

    if name not in dataset.variables:
        return dataset
    names = [name, dataset[name].attrs.get("bounds")]
    coordinates = dataset[[n for n in names if n in dataset.variables]]
    try:
        return xarray.decode_cf(coordinates, decode_coords=False, decode_timedelta=False)
    except (ValueError, OverflowError, TypeError) as error:
        raise UnsupportedSource(f"xarray does not decode its coordinates {name}") from error


def _axis(dataset: Any, array: Any, name: Any) -> Axis:  # noqa: ANN401 -- as above
    """Return the coordinates of a dimension, in degrees or metres."""
    coordinate = decode_coordinate(dataset, name)[name]
    unit, standard = (str(coordinate.attrs.get(x, "")).strip().lower() for x in ("units", "standard_name"))
    factor = 1000.0 if unit in {"km", "kilometer", "kilometers", "kilometre", "kilometres"} else 1.0
    if unit in {"rad", "radian", "radians"} or standard.endswith("_angular_coordinate"):
        mapping = str(array.attrs.get("grid_mapping", "")).partition(":")[0].strip()
        height = dataset[mapping].attrs.get("perspective_point_height") if mapping in dataset.variables else None
        factor = float(np.degrees(1.0)) if height is None else float(np.ravel(height)[0])
    types = [x.dtype for x in (coordinate, dataset[name]) if x.dtype.kind == "f"]
    return Axis(
        str(name),
        np.asarray(coordinate.values, dtype=np.float64) * factor,
        max((2 * float(np.finfo(t).eps) for t in types), default=1e-12),
        is_longitude=unit.startswith("degree") or not unit,
    )


def meaning_of(array: Any, *, is_netcdf: bool = False) -> NumberMeaning:  # noqa: ANN401 -- as above
    """Return the encoding of an array by its attributes, or by the defaults of NetCDF."""
    attributes = {**array.encoding, **array.attrs}
    scale, offset = (_first(attributes, name) for name in ("scale_factor", "add_offset"))
    fills = [a for name in ("_FillValue", "missing_value") for a in _all(attributes, name)] or _all(
        attributes, "nodata"
    )
    if "_FillValue" not in attributes and is_netcdf:
        fills.append(DEFAULT_FILLS.get(array.dtype.str[1:], np.nan))
    fills = [fill for fill in fills if fill == fill]  # noqa: PLR0124 -- NaN is never a value
    is_unsigned = str(attributes.get("_Unsigned", "")).lower() == "true"
    if is_unsigned:
        fills = [f % 256.0**array.dtype.itemsize for f in fills]
    is_packed = scale is not None or offset is not None
    own_scale, own_offset = 1.0 if scale is None else scale, 0.0 if offset is None else offset
    return NumberMeaning(
        scale=own_scale,
        offset=own_offset,
        nodata=fills,
        flags=_flags(array, attributes, is_packed=is_packed),
        valid_range=_range(array, attributes, own_scale, own_offset),
        quality_flags=_quality_flags(attributes),
    )


def _flags(array: Any, attributes: dict[str, Any], *, is_packed: bool) -> tuple[tuple[float, str], ...]:  # noqa: ANN401 -- as above
    """Return flags, which are no values; numbers of classes are values."""
    flags = list(zip(_all(attributes, "flag_values"), str(attributes.get("flag_meanings", "")).split(), strict=False))
    is_classes = array.dtype.kind in "iu" and len(flags) > 1 and not is_packed
    if "flag_masks" in attributes or (is_classes and str(attributes.get("units", "")).strip().lower() in UNITLESS):
        return ()
    return tuple(
        (int(number) if array.dtype.kind in "iu" else number, name) for number, name in flags if number.is_integer()
    )


def _quality_flags(attributes: dict[str, Any]) -> list[NamedFlag]:
    names = str(attributes.get("flag_meanings", "")).split()
    masks, numbers = (_whole_numbers(attributes, key) for key in ("flag_masks", "flag_values"))
    if not numbers:
        return [NamedFlag(name, mask) for name, mask in zip(names, masks, strict=False)]
    flags = zip(names, masks or [-1] * len(numbers), numbers, strict=False)
    return [NamedFlag(name, mask, number) for name, mask, number in flags]


def _whole_numbers(attributes: dict[str, Any], name: str) -> list[int]:
    # Numbers with fractions are no flags: replaced by 0, so that names and numbers still correspond.
    return [int(number) if number.is_integer() else 0 for number in _all(attributes, name)]


def _range(array: Any, attributes: dict[str, Any], scale: float, offset: float) -> tuple[float, float]:  # noqa: ANN401 -- as above
    both = _all(attributes, "valid_range")
    low, high = both if len(both) == 2 else (_first(attributes, "valid_min"), _first(attributes, "valid_max"))
    kinds = [
        np.asarray(attributes[name]).dtype.kind
        for name in ("valid_range", "valid_min", "valid_max")
        if name in attributes
    ]
    if "f" in kinds and array.dtype.kind in "iu" and (scale, offset) != (1.0, 0.0):  # a range of values
        low, high = (None if end is None else round((end - offset) / scale, 6) for end in (low, high))
        low, high = (high, low) if scale < 0 else (low, high)
    return (-np.inf if low is None else low, np.inf if high is None else high)


def _all(attributes: dict[str, Any], name: str) -> list[float]:
    if name not in attributes or isinstance(attributes[name], str):
        return []
    listed = np.ravel(attributes[name])
    try:
        return [float(str(x)) if listed.dtype == np.float32 else float(x) for x in listed]
    except (TypeError, ValueError):
        return []


def _first(attributes: dict[str, Any], name: str) -> float | None:
    return next(iter(_all(attributes, name)), None)


def select_steps(array: "xarray.DataArray", steps: Sequence[DimensionStep]) -> "xarray.DataArray":
    """Select the configured steps of additional dimensions.

    Raises:
        UnsupportedSource: xarray cannot identify the step with the configured value.
    """
    for step in steps:
        index = step.index
        if index is None:
            positions = _positions(array, step)
            if len(positions) != 1:
                raise UnsupportedSource(
                    f"xarray does not find which step of {step.dimension} is used; select it by position, "
                    f"{step.dimension}=index:0"
                )
            index = positions[0]
        array = array.isel({step.dimension: index})
    return array


def _positions(array: "xarray.DataArray", step: DimensionStep) -> list[int]:
    """Return the positions at which a coordinate has the configured value."""
    if step.dimension not in array.coords:
        return []
    coordinate = array.coords[step.dimension]
    if coordinate.dtype.kind not in "iuf" or not isinstance(step.value, (int, float)):
        return np.flatnonzero(coordinate.values.astype(str) == str(step.value)).tolist()
    values = coordinate.values.astype(np.float64) * coordinate.attrs.get("scale_factor", 1)
    values = values + coordinate.attrs.get("add_offset", 0)
    return np.flatnonzero(np.isclose(values, step.value, rtol=1e-6, atol=0)).tolist()
