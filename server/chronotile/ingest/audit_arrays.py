"""NetCDF and Zarr, read apart with xarray, which neither masks nor scales here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource
from chronotile.ingest.audit_sources import FloatArray, Meaning, Numbers, meant
from chronotile.model.source import SourceSpec, VariableSpec

SECOND = np.timedelta64(1, "s")
TWO_DAYS = np.timedelta64(2, "D")
"""By which conversions of other calendars may differ."""
GROUPS = (None, "0", "series")
"""Where an array may lie in a Zarr store: at its root, or in the finest level of a pyramid."""
UNITLESS = {"", "1", "-", "class", "classes", "none"}


class ArrayTruth:
    """One array over time, y and x."""

    def __init__(self, spec: SourceSpec, variable: VariableSpec) -> None:
        self._spec = spec
        self._variable = variable
        dataset, array = _opened(spec, variable.name or variable.id)
        array = array.isel({name: 0 for name in array.dims if array.sizes[name] == 1 and name not in _axes(array)})
        x, y, time = _axes(array).values()
        if x is None or y is None:
            raise UnsupportedSource("no axes of x and y are told by their attributes or names")
        others = [name for name in array.dims if name not in {x, y, time}]
        if others:
            raise UnsupportedSource(f"it has a further dimension, {', '.join(map(str, others))}")
        self._time = time
        self._array = array.transpose(*([time] if time else []), y, x)
        self._x, self._y = (_in_metres(array[name]) for name in (x, y))
        self._meaning = meant(_meaning(array), variable)
        is_standard = time is None or np.issubdtype(array[time].dtype, np.datetime64)
        self._tolerance = SECOND if is_standard else TWO_DAYS
        self._times = [] if time is None else _instants(dataset, time)

    def values(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return values (y, x)."""
        return self._meaning.values(self.numbers(instant, index, x, y))

    def numbers(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> Numbers:
        """Return digital numbers (y, x)."""
        columns, rows = (_nearest(axis, points) for axis, points in ((self._x, x), (self._y, y)))
        plane = self._array if not self._times else self._array[self._index(instant, index)]
        top, left = int(rows.min()), int(columns.min())
        read = np.asarray(plane[top : int(rows.max()) + 1, left : int(columns.max()) + 1].values)
        read = read.astype(read.dtype.newbyteorder("="), copy=False)
        if str(self._array.attrs.get("_Unsigned", "")).lower() == "true" and read.dtype.kind == "i":
            read = read.view(f"u{read.dtype.itemsize}")
        return read[rows - top, columns - left]

    def has(self, instant: np.datetime64) -> bool:
        """Return whether the time axis has that date, by its coordinate or the start of its bounds."""
        return any(bool((np.abs(times - instant) <= self._tolerance).any()) for times in self._times)

    def _index(self, instant: np.datetime64 | None, index: int) -> int:
        if self._spec.times is not None:
            return index
        if instant is None:
            return 0
        for times in self._times:
            apart = np.abs(times - instant)
            if (apart <= self._tolerance).any():
                return int(np.nanargmin(apart))
        raise UnsupportedSource(f"its time axis has no {instant} by itself")


def _opened(spec: SourceSpec, name: str) -> tuple[Any, Any]:
    """The dataset and the array in it."""
    import xarray
    from zarr.storage import ZipStore

    path = Path(spec.href.removeprefix("file://"))
    keep: dict[str, Any] = {"mask_and_scale": False, "decode_coords": False, "decode_timedelta": False}
    for group in _groups(path) if spec.kind == "zarr" else (None,):
        try:
            if spec.kind == "zarr":
                store = ZipStore(path, mode="r") if path.suffix == ".zip" else path
                dataset = xarray.open_zarr(store, group=group, chunks=None, consolidated=False, **keep)
            else:
                dataset = xarray.open_dataset(path, **keep)
        except (OSError, ValueError, KeyError):
            continue
        if name in dataset.data_vars:
            return dataset, dataset[name]
    raise UnsupportedSource("xarray finds no such array where it was looked for")


def _groups(path: Path) -> Iterator[str | None]:
    """Where to look; in a zip file also in the one folder that holds all of it."""
    yield from GROUPS
    if path.suffix == ".zip":
        with ZipFile(path) as file:
            folders = {name.partition("/")[0] for name in file.namelist()}
        for folder in folders if len(folders) == 1 else ():
            yield from (folder if group is None else f"{folder}/{group}" for group in GROUPS)


def _axes(array: Any) -> dict[str, Any]:  # noqa: ANN401 -- as above
    """The dimensions of x, y and time by what they say of themselves."""
    found: dict[str, Any] = {"X": None, "Y": None, "T": None}
    for name in array.dims:
        if name not in array.coords or array[name].ndim != 1:
            continue
        told = array[name]
        words = {str(told.attrs.get(each, "")).lower() for each in ("axis", "standard_name", "units")}
        words.add(str(name).lower())
        if np.issubdtype(told.dtype, np.datetime64) or told.dtype == object:
            found["T"] = name
        elif words & {"x", "longitude", "lon", "degrees_east", "projection_x_coordinate", "easting", "grid_longitude"}:
            found["X"] = name
        elif words & {"y", "latitude", "lat", "degrees_north", "projection_y_coordinate", "northing", "grid_latitude"}:
            found["Y"] = name
        elif words & {"t", "time"}:
            found["T"] = name
    return found


def _instants(dataset: Any, time: Any) -> list[NDArray[np.datetime64]]:  # noqa: ANN401 -- as above
    """What dates may be called by: the coordinate, then the starts of its bounds; in the standard calendar."""
    coordinate = dataset[time]
    bounds = coordinate.attrs.get("bounds", coordinate.encoding.get("bounds"))
    listed = [coordinate.values, *([dataset[bounds].values[:, 0]] if bounds in dataset.variables else [])]
    return [each for each in map(_standard, listed) if each is not None] or [np.array(["NaT"], dtype="datetime64[ns]")]


def _standard(times: NDArray[Any]) -> NDArray[np.datetime64] | None:
    import xarray

    if times.dtype == object:
        dated = xarray.Dataset({"t": ("time", np.arange(times.size))}, coords={"time": times})
        times = dated.convert_calendar("standard", align_on="year", use_cftime=False)["time"].values
    return times.astype("datetime64[ns]") if np.issubdtype(times.dtype, np.datetime64) else None


def _in_metres(axis: Any) -> FloatArray:  # noqa: ANN401 -- as above
    factor = 1000.0 if str(axis.attrs.get("units", "")).lower() in {"km", "kilometer", "kilometre"} else 1.0
    return np.asarray(axis.values, dtype=np.float64) * factor


def _nearest(axis: FloatArray, points: FloatArray) -> NDArray[np.intp]:
    """The index of the coordinate whose cell holds each point."""
    ascending = np.sort(axis)
    step = float(np.median(np.abs(np.diff(axis)))) if axis.size > 1 else np.inf
    for turn in (0.0, 360.0, -360.0):
        places = np.clip(np.searchsorted(ascending, points + turn), 1, max(1, axis.size - 1))
        if axis.size == 1:
            places = np.zeros(points.shape, dtype=np.intp)
        else:
            before, after = ascending[places - 1], ascending[places]
            places = places - (points + turn - before < after - points - turn)
        if (np.abs(ascending[places] - points - turn) <= 0.51 * step).all():
            return np.asarray(np.argsort(axis, kind="stable")[places])
    raise UnsupportedSource("its coordinates are not where the cells served are")


def _meaning(array: Any) -> Meaning:  # noqa: ANN401 -- as above
    said = {**array.encoding, **array.attrs}
    scale, offset = (_first(said, name) for name in ("scale_factor", "add_offset"))
    fills = [each for name in ("_FillValue", "missing_value") for each in _all(said, name)] or _all(said, "nodata")
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
        invalid=_flags(array, said, is_packed=is_packed),
        valid_range=_range(array, said, own_scale, own_offset),
    )


def _flags(array: Any, said: dict[str, Any], *, is_packed: bool) -> tuple[int, ...]:  # noqa: ANN401 -- as above
    """Numbers with names among numbers that are values; those of classes are the values themselves."""
    numbers = _all(said, "flag_values")[: len(str(said.get("flag_meanings", "")).split())]
    is_classes = array.dtype.kind in "iu" and len(numbers) > 1 and not is_packed
    if "flag_masks" in said or (is_classes and str(said.get("units", "")).strip().lower() in UNITLESS):
        return ()
    return tuple(int(each) for each in numbers if float(each).is_integer())


def _range(array: Any, said: dict[str, Any], scale: float, offset: float) -> tuple[float, float]:  # noqa: ANN401
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
