"""What the sources of a cube have in its cells, and what the cube has there, each read by itself.

To find faults of the readers and of the conversion, neither is used here. Files are read with rasterio, NetCDF and Zarr
with xarray, and each is decoded by its own metadata; the cube is read with xarray and decoded by its own. Only the file
of each date, or its position along time, comes from the conversion.
"""

import glob
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterioWindow

from chronotile.archive.audit.steps import select_steps
from chronotile.errors import UnsupportedSource
from chronotile.model.grid import Window
from chronotile.model.source import SourceSpec, VariableSpec
from chronotile.optimise.inputs import Inputs
from chronotile.optimise.tasks import Job, TaskDate
from chronotile.readers.kinds import kind_of_spec
from chronotile.readers.zarr.commit import SERIES

if TYPE_CHECKING:
    import xarray

Values = NDArray[np.float64]
"""(y, x), NaN where there is no value."""

MISSING = "missing"
"""Name of the flag of a further missing value, which has no name in CF."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells (y, x), by what they are."""

    values: Values
    flags: NDArray[np.uint32]
    """A number for the name of the flag that a cell is; 0 of all others."""


class SourceCells:
    """A variable's sources and its arrays in the cube, read apart."""

    def __init__(self, job: Job, inputs: Inputs, name: str) -> None:
        import xarray

        planned = job.plan.variables[name]
        self._inputs = inputs
        self._info = planned.info
        self._column = list(inputs.variables).index(self._info.name)
        self._conversion = planned.conversion
        self._shape = planned.info.grid.height, planned.info.grid.width
        self._block = job.plan.shape.block
        self._cubes = {
            group: xarray.open_zarr(
                job.folder / job.plan.shape.path_of(group),
                consolidated=True,  # without it the folder of the run would be taken for a broken group
                chunks=None,
                mask_and_scale=False,
                decode_times=False,
            )
            for group in ("0", SERIES)
            if group in job.plan.groups
        }
        self._arrays = {group: cube[name] for group, cube in self._cubes.items()}
        self._usual = {number: _usual_names(spec) for number, spec in enumerate(inputs.specs) if has_bands(spec)}
        self._open: dict[int, xarray.Dataset] = {}
        self._kept: tuple[object, NDArray[Any]] | None = None

    @property
    def drops_flags(self) -> bool:
        """Whether flags were to become nodata, as repacking makes them."""
        return not self._conversion.target.flags

    def close(self) -> None:
        """Let go of open files."""
        for dataset in (*self._cubes.values(), *self._open.values()):
            dataset.close()

    def stored(self, position: int, window: Window) -> Iterator[Cells]:
        """Yield the cube's cells of a date in each layout."""
        for group, array in self._arrays.items():
            start = position // self._block * self._block if group == SERIES else position
            stop = start + self._block if group == SERIES else position + 1
            stored_numbers = self._kept
            if group == SERIES and stored_numbers is not None and stored_numbers[0] == (start, window):
                numbers = stored_numbers[1]
            else:
                numbers = array[start:stop, slice(*window[:2]), slice(*window[2:])].values
            if group == SERIES:
                self._kept = (start, window), numbers
            yield _decoded(numbers[position - start], array.attrs, has_flags=not self._info.is_categorical)

    def cells(self, date: TaskDate, window: Window) -> Cells:
        """Return what the date's own file has."""
        spec = self._inputs.specs[date.origin.source]
        if has_bands(spec):
            return self._of_raster(date, window)
        array = self._array(date.origin.source)
        numbers = _part(array, date.origin.index, window, self._shape)
        said = spec.variables.get(self._info.name, VariableSpec(id=self._info.name))
        return _decoded(numbers, _under(said, array.attrs), has_flags=bool(self._info.encoding.flags))

    def tolerance(self, values: Values) -> Values:
        """Return how far stored values may lie from these: no farther than the last digits of their computation."""
        target = self._conversion.target
        size = np.abs(np.where(np.isfinite(values), values, 0))
        kind = np.dtype(target.dtype)
        if self._conversion.is_exact:
            step = abs(target.scale) * 1e-6 if kind.kind != "f" else 0.0
        elif kind.kind == "f":
            return np.asarray(np.spacing(size.astype(kind)), dtype=np.float64)
        else:
            step = abs(target.scale) * (0.5 + 1e-6)
        return np.asarray(size * 1e-12 + step)

    def place(self, date: TaskDate) -> str:
        """Return where the values of a date are."""
        if not has_bands(self._inputs.specs[date.origin.source]):
            return f"{Path(self._inputs.specs[date.origin.source].href).name} has"
        path = self._path(date)
        with rasterio.open(path) as file:
            band = self._band(file, date)
            title = file.descriptions[band - 1]
        return f"band {band}{f' ({title})' if title else ''} of {path.name} has"

    def _path(self, date: TaskDate) -> Path:
        files = self._inputs.files[date.origin]
        if not files:
            raise UnsupportedSource(
                "--verify cannot identify the bands of files with many times each; leave --verify out"
            )
        return files[self._column]

    def _of_raster(self, date: TaskDate, window: Window) -> Cells:
        place = RasterioWindow(window.column_start, window.row_start, window.width, window.height)
        spec = self._inputs.specs[date.origin.source]
        said = spec.variables.get(self._info.name, VariableSpec(id=self._info.name))
        with rasterio.open(self._path(date)) as file:
            band = self._band(file, date)
            numbers = file.read(band, window=place)
            numbers = numbers if said.dtype is None else numbers.view(said.dtype)
            own = {
                "scale_factor": file.scales[band - 1],
                "add_offset": file.offsets[band - 1],
                "_FillValue": file.nodatavals[band - 1],
            }
            cells = _decoded(numbers, _under(said, own), has_flags=False)
            is_mask = MaskFlags.per_dataset in file.mask_flag_enums[band - 1]
            if is_mask and not (spec.times is not None and ColorInterp.alpha in file.colorinterp):
                cells.values[file.read_masks(band, window=place) == 0] = np.nan
            return cells

    def _band(self, file: Any, date: TaskDate) -> int:  # noqa: ANN401 -- rasterio has no types
        """The band of a file: the one called what the variable's is in most files; else the same number."""
        spec, usual = self._inputs.specs[date.origin.source], self._usual[date.origin.source]
        if spec.times is not None:
            return date.origin.index + 1
        said = spec.variables.get(self._info.name, VariableSpec(id=self._info.name))
        name = said.name or said.id
        number = said.band or (usual.index(name) + 1 if name in usual else 1)
        if said.band is None and name not in usual and name.removeprefix("band").isdecimal():
            number = int(name.removeprefix("band"))
        title = usual[number - 1]
        if title and usual.count(title) == 1 and file.descriptions.count(title) == 1:
            return int(file.descriptions.index(title)) + 1
        return number

    def _array(self, source: int) -> "xarray.DataArray":
        """An array of NetCDF or Zarr as it is stored."""
        spec = self._inputs.specs[source]
        said = spec.variables.get(self._info.name, VariableSpec(id=self._info.name))
        name = said.name or self._info.name
        if source not in self._open:
            self._open[source] = _dataset(spec, name)
        return select_steps(self._open[source][name], said.select)


def require_apart(inputs: Inputs) -> None:
    """Check, before anything is written, that it is known which file each date comes from.

    Raises:
        UnsupportedSource: It is not, of joined times.
    """
    joined = any(not has_bands(spec) and not Path(spec.href).exists() for spec in inputs.specs)
    of_rasters = [origin for origin in inputs.origins if has_bands(inputs.specs[origin.source])]
    if joined or not all(inputs.files.get(origin) for origin in of_rasters):
        raise UnsupportedSource("--verify cannot distinguish the files of joined times; leave it out, or name one file")


def _usual_names(spec: SourceSpec) -> tuple[str | None, ...]:
    """The descriptions of the bands of most files."""
    counts = Counter[tuple[str | None, ...]]()
    for path in sorted(glob.glob(spec.href)) if not spec.files else spec.files:  # noqa: PTH207 -- an absolute pattern
        with rasterio.open(path) as file:
            counts[tuple(file.descriptions)] += 1
    return max(counts, key=lambda each: counts[each], default=(None,))


def has_bands(spec: SourceSpec) -> bool:
    """Return whether a source is of files with bands."""
    return kind_of_spec(spec).options.has_bands


def _dataset(spec: SourceSpec, name: str) -> "xarray.Dataset":
    """The group of a file or store that holds an array."""
    path = Path(spec.href)
    try:
        for dataset in kind_of_spec(spec).datasets(path):
            if name in dataset:
                return dataset
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnsupportedSource(f"--verify cannot open {path.name} with xarray; leave --verify out") from error
    raise UnsupportedSource(f"--verify does not find {name} in {path.name} with xarray; leave --verify out")


def _part(array: "xarray.DataArray", index: int, window: Window, shape: tuple[int, int]) -> NDArray[Any]:
    """(y, x) numbers at one of the ascending times of an array."""
    y, x = _axis(array, "y"), _axis(array, "x")
    rest = [dim for dim in array.dims if dim not in {y, x}]
    long = [dim for dim in rest if array.sizes[dim] > 1]
    if (array.sizes[y], array.sizes[x]) != shape or len(long) > 1:
        raise UnsupportedSource(
            f"--verify cannot identify the dimensions {array.dims} of {array.name}; leave --verify out"
        )
    at = dict.fromkeys(rest, 0)
    if long:
        times = array.coords[long[0]].values if long[0] in array.coords else np.arange(array.sizes[long[0]])
        at[long[0]] = int(np.unique(times, return_index=True)[1][index])
    part = array.isel({**at, y: slice(*window[:2]), x: slice(*window[2:])}).transpose(y, x)
    return np.asarray(part.values)


_NAMES = {"y": ("y", "lat", "latitude", "northing", "row"), "x": ("x", "lon", "longitude", "easting", "col", "column")}


def _axis(array: "xarray.DataArray", axis: str) -> Hashable:
    """The dimension along an axis: by its attribute, by its name, or one of the last two."""
    for dim in array.dims:
        said = str(array.coords[dim].attrs.get("axis", "")).lower() if dim in array.coords else ""
        if said == axis or str(dim).lower() in _NAMES[axis]:
            return dim
    return array.dims[-2 if axis == "y" else -1]


def _under(said: VariableSpec, attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes with what a configuration says in their place."""
    given = {
        "scale_factor": said.scale,
        "add_offset": said.offset,
        "_FillValue": said.nodata,
        "valid_range": said.valid_range,
    }
    return {**attributes, **{name: value for name, value in given.items() if value is not None}}


def _decoded(numbers: NDArray[Any], attributes: Mapping[Any, Any], *, has_flags: bool) -> Cells:
    """Cells by the attributes of CF, which are named so for rasters too."""
    unsigned = str(attributes.get("_Unsigned", "")).lower() == "true" and numbers.dtype.kind == "i"
    kind = np.dtype(f"u{numbers.dtype.itemsize}") if unsigned else numbers.dtype
    numbers = numbers.view(kind) if unsigned else numbers

    def stored(name: str) -> NDArray[Any]:
        said = attributes.get(name)
        given = np.array([] if said is None else np.atleast_1d(said), dtype=np.float64)
        if unsigned:
            return np.where(given < 0, given + 2.0 ** (8 * kind.itemsize), given)
        return given.astype(kind).astype(np.float64) if kind.kind == "f" else given

    wide = numbers.astype(np.float64)
    lacking = ~np.isfinite(wide) | np.isin(wide, np.concatenate([stored("_FillValue"), stored("missing_value")]))
    ends = stored("valid_range")
    for low in (*ends[:1], *stored("valid_min")):
        lacking |= wide < low
    for high in (*ends[1:], *stored("valid_max")):
        lacking |= wide > high
    flags = np.zeros(numbers.shape, dtype=np.uint32)
    if has_flags:
        for number, name in zip(stored("flag_values"), str(attributes.get("flag_meanings", "")).split(), strict=False):
            if name == MISSING:
                lacking |= wide == number
            else:
                flags[wide == number] = crc32(name.encode())
    scale, offset = float(attributes.get("scale_factor", 1.0)), float(attributes.get("add_offset", 0.0))
    return Cells(np.where(lacking | (flags > 0), np.nan, wide * scale + offset), flags)
