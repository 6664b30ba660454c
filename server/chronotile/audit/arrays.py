"""NetCDF and Zarr, read apart with xarray, which neither masks nor scales here."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chronotile.audit.truth import Axis, Cells, Meaning, StoredTruth, found_paths, meant, time_in
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import DEFAULT_FILLS
from chronotile.core.model.source import DimensionStep, SourceSpec, VariableSpec
from chronotile.core.model.types import AnyArray, Float64Array, InstantArray, NumberArray
from chronotile.readers.kinds import kind_of_spec

if TYPE_CHECKING:
    import xarray


SECOND = np.timedelta64(1, "s")
DAY = np.timedelta64(1, "D")
PARTS_OF_YEAR = {"month": 12, "dayofyear": 366}
"""Dimensions of climatologies, and how many parts of a year there are."""


class SliceTimes(NamedTuple):
    """What a file says of its slices, in the standard calendar."""

    coordinates: InstantArray
    """(time,)."""
    bounds: InstantArray | None = None
    """(time, 2); `None` of a climatology."""
    overlaps: bool = False
    """Whether it says that its periods overlap."""


def times_of_axis(dataset: Any, time: Any) -> SliceTimes:  # noqa: ANN401 -- xarray has no types here
    """Return what a decoded coordinate and its bounds say; no date where xarray decodes none.

    Raises:
        UnsupportedSource: Bounds are not decoded.
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
    """Return the dates of 2000 of a dimension that numbers months or days of a year; `None` of another."""
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
    if size == numbers.max() == 365:  # of a year without 29 February
        steps = steps + (steps >= 59)
    return SliceTimes((np.datetime64("2000-01-01", "D") + steps).astype("datetime64[ns]"))


def slice_names(slices: Sequence[SliceTimes]) -> InstantArray:
    """Return each slice's name: the start of its bounds if those of all follow one another, else its coordinate."""
    coordinates = np.concatenate([each.coordinates for each in slices])
    listed = [np.column_stack([each.bounds, each.coordinates]) for each in slices if each.bounds is not None]
    if not listed or any(each.overlaps for each in slices):
        return coordinates
    periods = np.concatenate(listed)
    starts, ends, inside = np.unique(periods.astype(np.int64), axis=0).astype("datetime64[ns]").T
    are_periods = (ends - starts >= DAY) & (starts <= inside) & (inside <= ends)
    if not are_periods.all() or (starts[1:] < ends[:-1] - SECOND).any():
        return coordinates
    return np.concatenate([each.coordinates if each.bounds is None else each.bounds[:, 0] for each in slices])


def _standard(times: AnyArray) -> InstantArray | None:
    import xarray

    if times.dtype == object:
        dated = xarray.Dataset({"t": ("time", np.arange(times.size))}, coords={"time": times})
        converted = dated.convert_calendar("standard", align_on="year", use_cftime=False)["time"].values
        if converted.size != times.size:  # a day that the standard calendar lacks
            return None
        times = converted
    return times.astype("datetime64[ns]") if np.issubdtype(times.dtype, np.datetime64) else None


TWO_DAYS = np.timedelta64(2, "D")
"""By which conversions of other calendars may differ."""
UNITLESS = {"", "1", "-", "class", "classes", "none"}


class ArrayTruth(StoredTruth):
    """One array over time, y and x, of one store, or of several stores or NetCDF files along time."""

    def __init__(self, specs: Sequence[SourceSpec], variable: VariableSpec) -> None:
        self._has_listed_times = specs[0].times is not None
        self._failures: list[UnsupportedSource] = []
        """Of files that hold no such array, or that are not understood."""
        parts: list[Part] = []
        for spec, path in ((each, path) for each in specs for path in found_paths(each.href)):
            try:
                parts.append(Part(spec, variable, Path(path)))
            except UnsupportedSource as error:
                self._failures.append(error)
        if not parts:
            raise next(iter(self._failures), UnsupportedSource("no file is found for it"))
        self._names = slice_names([each.times for each in parts])
        self._slices = [(each, position) for each in parts for position in range(each.times.coordinates.size)]
        self.tells_dates = not bool(np.isnat(self._names).all())  # xarray decodes those of a file all or none
        self._tolerance = SECOND if all(each.is_standard for each in parts) else TWO_DAYS

    def cells(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Cells:
        """Return numbers (y, x) with what they mean."""
        part, position = self._slice(instant, index)
        return Cells(part.numbers(position, x, y), part.meaning, origin=part.name)

    def has(self, instant: np.datetime64) -> bool:
        """Return whether a slice goes by that date, or may do so in a file that is not understood."""
        return bool(self._failures) or bool((np.abs(self._names - instant) <= self._tolerance).any())

    def _slice(self, instant: np.datetime64 | None, index: int) -> "tuple[Part, int]":
        """The slice of a date; of two of one date the first."""
        if self._has_listed_times:
            return self._slices[index]
        if instant is None or (len(self._slices) == 1 and np.isnat(self._names[0])):
            return self._slices[0]
        apart = np.abs(self._names - instant)
        if (apart <= self._tolerance).any():
            return self._slices[int(np.where(np.isnat(apart), self._tolerance * 2, apart).argmin())]
        if self._failures:
            raise UnsupportedSource(f"{len(self._failures)} files are ignored: {self._failures[0].message}")
        raise UnsupportedSource(f"its time axis has no {instant} by itself")


class Part:
    """The array in one store or file."""

    def __init__(self, spec: SourceSpec, variable: VariableSpec, path: Path) -> None:
        self.name = path.name
        dataset, array = _opened(spec, path, variable.name or variable.id)
        array = select_steps(array, variable.select)
        axes = set(_axes(array).values())  # which stay, though of one step
        array = array.isel({name: 0 for name in array.dims if array.sizes[name] == 1 and name not in axes})
        x, y, time = _axes(array).values()
        if x is None or y is None:
            raise UnsupportedSource("no x and y axes are identified by attributes or names")
        others = [name for name in array.dims if name not in {x, y, time}]
        if others:
            raise UnsupportedSource(f"it has a further dimension, {', '.join(map(str, others))}")
        self._time = time
        self._array = array.transpose(*([time] if time else []), y, x)
        self._x, self._y = (_axis(dataset, array, name) for name in (x, y))
        self._places: tuple[Any, Any] | None = None
        """Points, and where they are: those of one window are looked up for each date."""
        self.meaning = meant(meaning_of(array, is_netcdf=spec.kind == "netcdf"), variable)
        self.is_standard = time not in array.coords or decoded(dataset, time)[time].dtype != object
        self.times = _times_inside(dataset, array, time) or SliceTimes(_named(path, spec.time_pattern))

    def numbers(self, position: int, x: Float64Array, y: Float64Array) -> NumberArray:
        """Return digital numbers (y, x) of a slice."""
        if self._places is None or self._places[0] is not x:
            self._places = x, (self._x.places(x), self._y.places(y))
        columns, rows = self._places[1]
        plane = self._array if self._time is None else self._array[position]
        top, left = int(rows.min()), int(columns.min())
        read = np.asarray(plane[top : int(rows.max()) + 1, left : int(columns.max()) + 1].values)
        read = read.astype(read.dtype.newbyteorder("="), copy=False)
        if str(self._array.attrs.get("_Unsigned", "")).lower() == "true" and read.dtype.kind == "i":
            read = read.view(f"u{read.dtype.itemsize}")
        return np.asarray(read[rows - top, columns - left])


def _times_inside(dataset: Any, array: Any, time: Any) -> SliceTimes | None:  # noqa: ANN401 -- as above
    """What the times inside a file say; `None` where there are none."""
    if time is not None:
        return times_of_year_parts(array, time) or times_of_axis(decoded(dataset, time), time)
    is_single = "time" in dataset.variables and dataset["time"].size == 1
    single = times_of_axis(decoded(dataset, "time"), "time") if is_single else None
    return None if single is None or np.isnat(single.coordinates[0]) else single


def _named(path: Path, pattern: str | None) -> InstantArray:
    # The one time in a path, or none.
    time = time_in(str(path), pattern)
    return np.array(["NaT" if time is None else time], dtype="datetime64[ns]")


def _opened(spec: SourceSpec, path: Path, name: str) -> tuple[Any, Any]:
    """The dataset and the array in it."""
    try:
        for dataset in kind_of_spec(spec).datasets(path):
            if name in dataset.data_vars:
                return dataset, dataset[name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnsupportedSource(f"xarray cannot open {path.name}") from error
    raise UnsupportedSource(f"xarray does not find {name} in {path.name}")


def _axes(array: Any) -> dict[str, Any]:  # noqa: ANN401 -- as above
    """The dimensions of x, y and time by what they say of themselves."""
    found: dict[str, Any] = {"X": None, "Y": None, "T": None}
    for name in array.dims:
        if name not in array.coords or array[name].ndim != 1:
            continue
        coordinate = array[name]
        words = {str(coordinate.attrs.get(each, "")).lower() for each in ("axis", "standard_name", "units")}
        words.add(str(name).lower())
        if np.issubdtype(coordinate.dtype, np.datetime64) or " since " in str(coordinate.attrs.get("units", "")):
            found["T"] = name
        elif words & {"x", "longitude", "lon", "degrees_east", "projection_x_coordinate", "easting", "grid_longitude"}:
            found["X"] = name
        elif words & {"y", "latitude", "lat", "degrees_north", "projection_y_coordinate", "northing", "grid_latitude"}:
            found["Y"] = name
        elif words & {"t", "time"}:
            found["T"] = name
    if found["T"] is None:
        found["T"] = next((name for name in array.dims if times_of_year_parts(array, name)), None)
    return found


def decoded(dataset: Any, name: Any) -> Any:  # noqa: ANN401 -- as above
    """Return a coordinate and its bounds as xarray decodes them: scale, offset, fill value and times.

    Raises:
        UnsupportedSource: xarray does not decode it.
    """
    import xarray

    if name not in dataset.variables:
        return dataset
    names = [name, dataset[name].attrs.get("bounds")]
    own = dataset[[each for each in names if each in dataset.variables]]
    try:
        return xarray.decode_cf(own, decode_coords=False, decode_timedelta=False)
    except (ValueError, OverflowError, TypeError) as error:
        raise UnsupportedSource(f"xarray does not decode its coordinates {name}") from error


def _axis(dataset: Any, array: Any, name: Any) -> Axis:  # noqa: ANN401 -- as above
    """The coordinates of a dimension, in degrees or metres."""
    coordinate = decoded(dataset, name)[name]
    unit, standard = (str(coordinate.attrs.get(each, "")).strip().lower() for each in ("units", "standard_name"))
    factor = 1000.0 if unit in {"km", "kilometer", "kilometers", "kilometre", "kilometres"} else 1.0
    if unit in {"rad", "radian", "radians"} or standard.endswith("_angular_coordinate"):
        mapping = str(array.attrs.get("grid_mapping", "")).partition(":")[0].strip()
        height = dataset[mapping].attrs.get("perspective_point_height") if mapping in dataset.variables else None
        factor = float(np.degrees(1.0)) if height is None else float(np.ravel(height)[0])
    types = [each.dtype for each in (coordinate, dataset[name]) if each.dtype.kind == "f"]
    return Axis(
        str(name),
        np.asarray(coordinate.values, dtype=np.float64) * factor,
        max((2 * float(np.finfo(each).eps) for each in types), default=1e-12),
        is_longitude=unit.startswith("degree") or not unit,
    )


def meaning_of(array: Any, *, is_netcdf: bool = False) -> Meaning:  # noqa: ANN401 -- as above
    """Return what the numbers of an array mean by its attributes, or by the defaults of NetCDF."""
    said = {**array.encoding, **array.attrs}
    scale, offset = (_first(said, name) for name in ("scale_factor", "add_offset"))
    fills = [each for name in ("_FillValue", "missing_value") for each in _all(said, name)] or _all(said, "nodata")
    if "_FillValue" not in said and is_netcdf:
        fills.append(DEFAULT_FILLS.get(array.dtype.str[1:], np.nan))
    fills = [each for each in fills if each == each]  # noqa: PLR0124 -- NaN is no value anyhow
    is_unsigned = str(said.get("_Unsigned", "")).lower() == "true"
    if is_unsigned:
        fills = [each % 256.0**array.dtype.itemsize for each in fills]
    is_packed = scale is not None or offset is not None
    own_scale, own_offset = 1.0 if scale is None else scale, 0.0 if offset is None else offset
    return Meaning(
        scale=own_scale,
        offset=own_offset,
        nodata=fills,
        flags=_flags(array, said, is_packed=is_packed),
        valid_range=_range(array, said, own_scale, own_offset),
    )


def _flags(array: Any, said: dict[str, Any], *, is_packed: bool) -> tuple[tuple[float, str], ...]:  # noqa: ANN401 -- as above
    """Numbers with names among numbers that are values; those of classes are the values themselves."""
    named = list(zip(_all(said, "flag_values"), str(said.get("flag_meanings", "")).split(), strict=False))
    is_classes = array.dtype.kind in "iu" and len(named) > 1 and not is_packed
    if "flag_masks" in said or (is_classes and str(said.get("units", "")).strip().lower() in UNITLESS):
        return ()
    return tuple(
        (int(number) if array.dtype.kind in "iu" else number, name) for number, name in named if number.is_integer()
    )


def _range(array: Any, said: dict[str, Any], scale: float, offset: float) -> tuple[float, float]:  # noqa: ANN401 -- as above
    both = _all(said, "valid_range")
    low, high = both if len(both) == 2 else (_first(said, "valid_min"), _first(said, "valid_max"))
    attributes = [
        np.asarray(said[name]).dtype.kind for name in ("valid_range", "valid_min", "valid_max") if name in said
    ]
    if "f" in attributes and array.dtype.kind in "iu" and (scale, offset) != (1.0, 0.0):  # of values, not numbers
        low, high = (None if end is None else round((end - offset) / scale, 6) for end in (low, high))
        low, high = (high, low) if scale < 0 else (low, high)
    return (-np.inf if low is None else low, np.inf if high is None else high)


def _all(said: dict[str, Any], name: str) -> list[float]:
    if name not in said or isinstance(said[name], str):
        return []
    listed = np.ravel(said[name])
    try:
        return [float(str(each)) if listed.dtype == np.float32 else float(each) for each in listed]
    except (TypeError, ValueError):
        return []


def _first(said: dict[str, Any], name: str) -> float | None:
    return next(iter(_all(said, name)), None)


def select_steps(array: "xarray.DataArray", steps: Sequence[DimensionStep]) -> "xarray.DataArray":
    """Return an array at the steps of its further dimensions that were requested.

    Raises:
        UnsupportedSource: xarray cannot identify the step with the requested value.
    """
    for step in steps:
        index = step.index
        if index is None:
            found = _positions(array, step)
            if len(found) != 1:
                raise UnsupportedSource(
                    f"xarray does not find which step of {step.dimension} is used; select it by position, "
                    f"{step.dimension}=index:0"
                )
            index = found[0]
        array = array.isel({step.dimension: index})
    return array


def _positions(array: "xarray.DataArray", step: DimensionStep) -> list[int]:
    """Where the coordinate of a dimension has the requested value."""
    if step.dimension not in array.coords:
        return []
    coordinate = array.coords[step.dimension]
    if coordinate.dtype.kind not in "iuf" or not isinstance(step.value, (int, float)):
        return np.flatnonzero(coordinate.values.astype(str) == str(step.value)).tolist()
    values = coordinate.values.astype(np.float64) * coordinate.attrs.get("scale_factor", 1)
    values = values + coordinate.attrs.get("add_offset", 0)
    return np.flatnonzero(np.isclose(values, step.value, rtol=1e-6, atol=0)).tolist()
