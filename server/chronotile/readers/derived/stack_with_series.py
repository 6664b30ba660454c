"""Raster files with a serving cube of their series."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import BoolArray, Int64Array, UInt64Array
from chronotile.core.read_cost import ReadCost, sum_of_read_costs
from chronotile.readers.configured_encoding import encoding_text
from chronotile.readers.file_states import one_look
from chronotile.readers.hrefs import base_name
from chronotile.readers.joined.recoding import Recoding, recoding_of
from chronotile.readers.reader import Along, BlockShape, Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.wrapping_reader import WrappingReader
from chronotile.readers.zarr.commit import state_number
from chronotile.readers.zarr.serving_cube import ServingCube, open_serving_cube

ABSENT = -1
FRESH_S = 30e-6
"""Processor seconds to compare the revisions of a file and the cube."""


@dataclass(slots=True)
class CubeDates:
    """Positions of the dates of a variable in a cube, valid until the cube changes."""

    info: SourceInfo
    """Information about the cube; another object means that the cube has changed."""
    indexes: Int64Array
    """For each date of the files its index in the cube, or `ABSENT`."""
    source_states: UInt64Array
    """For each date of the cube, the number of the revision of its file."""
    fresh: dict[int, str] = field(default_factory=dict)
    """Revisions of files that the cube was made from, by index of the date."""


class SeriesCubeReader(WrappingReader):
    """Reader of maps from raster files, and of series from the cube that was made from them.

    A date that the cube lacks, or whose file has changed since, is read from its file. Maps and series therefore agree,
    however old the cube is.
    """

    def __init__(
        self, files: Reader, cube: ServingCube, arrays: dict[str, str], recodings: dict[str, Recoding]
    ) -> None:
        super().__init__(files)
        self._cube, self._arrays, self._recodings = cube, arrays, recodings
        self._dates: dict[str, CubeDates] = {}
        self._lock = threading.Lock()

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell, from the cube if it is current."""
        return self._read_both(Reader.read_cell, variable, indexes, row=row, column=column)

    def _read_both(
        self, method: Callable[..., Pixels], variable: str, indexes: Sequence[int], **options: object
    ) -> Pixels:
        """Return the result of a method of readers: from the cube for its current dates, else from the files."""
        read_cube: Callable[..., Pixels] = getattr(self._cube, method.__name__)
        read_files: Callable[..., Pixels] = getattr(self._reader, method.__name__)
        dates = self._cube_dates(variable)
        with one_look():
            is_current = np.array([self._is_current(variable, index, dates) for index in indexes], dtype=bool)
        if dates is None or not is_current.any():
            return read_files(variable, indexes=indexes, **options)
        requested = np.asarray(indexes, dtype=np.int64)
        try:
            numbers = read_cube(variable, indexes=dates.indexes[requested[is_current]].tolist(), **options)
        except SourceUnavailable:
            return read_files(variable, indexes=indexes, **options)
        cube_pixels = self._recodings[variable].pixels(numbers)
        if is_current.all():
            return cube_pixels
        file_pixels = read_files(variable, indexes=requested[~is_current].tolist(), **options)
        return _merge_pixels(cube_pixels, file_pixels, is_current)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of blocks of the series of the cube, or of the files."""
        if along == "time" and self._cube_dates(variable) is not None:
            try:
                return self._cube.block_shape(variable, along)
            except SourceUnavailable:
                pass
        return self._reader.block_shape(variable, along)

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of the cube, of comparing its dates with the files, and of files that the cube lacks."""
        dates = self._cube_dates(variable) if along == "time" else None
        if dates is None:
            return self._reader.read_cost(variable, indexes=indexes, window=window, along=along)
        file_indexes = [index for index in indexes if dates.indexes[index] == ABSENT]
        cube_indexes = [int(dates.indexes[index]) for index in indexes if dates.indexes[index] != ABSENT]
        cost = self._cube.read_cost(variable, indexes=cube_indexes, window=window, along=along)
        cost = replace(cost, opening_s=cost.opening_s + FRESH_S * len(indexes))
        if not file_indexes:
            return cost
        file_cost = self._reader.read_cost(variable, indexes=file_indexes, window=window, along="space")
        fraction = len(file_indexes) / len(indexes)
        file_cost = replace(file_cost, block_s=file_cost.block_s * fraction, value_s=file_cost.value_s * fraction)
        return sum_of_read_costs((cost, file_cost), value_s=0.0)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels; along time from the cube if it is current, else from the files."""
        if along == "space":
            return self._reader.read_block(variable, indexes=indexes, window=window, along=along)
        return self._read_both(Reader.read_block, variable, indexes, window=window, along=along)

    def has_fast_cells(self, variable: str) -> bool:
        """Return whether the cube has the variable."""
        return self._cube_dates(variable) is not None

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of native cells, from the cube if it is current, else from the files."""
        return self._read_both(Reader.read_cells, variable, indexes, rows=rows, columns=columns)

    def close(self) -> None:
        """Close open files of both."""
        self._reader.close()
        self._cube.close()

    def _is_current(self, variable: str, index: int, dates: CubeDates | None) -> bool:
        """Whether the date in the cube was made from the current file."""
        if dates is None or dates.indexes[index] == ABSENT:
            return False
        revision = self._reader.revision(variable, index)
        if dates.fresh.get(index) == revision:
            return True
        if state_number(revision) != int(dates.source_states[dates.indexes[index]]):
            return False
        dates.fresh[index] = revision
        return True

    def _cube_dates(self, variable: str) -> CubeDates | None:
        """The dates of the cube, or `None` if it lacks the variable or is unreachable."""
        if variable not in self._arrays:
            return None
        info = self._cube.info
        with self._lock:
            dates = self._dates.get(variable)
            if dates is None or dates.info is not info:
                try:
                    dates = self._find_cube_dates(variable, info)
                except SourceUnavailable:
                    return None
                self._dates[variable] = dates
            return dates

    def _find_cube_dates(self, variable: str, info: SourceInfo) -> CubeDates:
        file_times, cube_times = (
            self._reader.info.variables[variable].times.starts,
            info.variables[variable].times.starts,
        )
        positions = np.searchsorted(cube_times, file_times)
        is_in_cube = np.isin(file_times, cube_times)
        source_states = self._cube.source_states(self._arrays[variable])[: cube_times.size]
        return CubeDates(info, np.where(is_in_cube, positions, ABSENT), source_states)


def open_with_series(spec: SourceSpec, files: Reader, caches: ReaderCaches) -> Reader:
    """Return a reader of raster files that takes series from the cube of `spec`, or has a finding with the reason."""
    try:
        return _add_cube(spec, files, caches)
    except UnsupportedSource as error:
        note = Finding("warning", base_name(spec.series or ""), f"series are read from the files: {error.message}")
        return WrappingReader(files, replace(files.info, findings=(*files.info.findings, note)))


def _add_cube(spec: SourceSpec, files: Reader, caches: ReaderCaches) -> SeriesCubeReader:
    stored = open_serving_cube(SourceSpec(collection=spec.collection, kind="zarr", href=spec.series or ""), caches)
    arrays = {name: _array_of(name, spec, stored.info) for name in files.info.variables}
    variables = {
        name: replace(spec.variables.get(name, VariableSpec(id=name)), name=array) for name, array in arrays.items()
    }
    cube = open_serving_cube(
        SourceSpec(collection=spec.collection, kind="zarr", href=spec.series or "", crs=spec.crs, variables=variables),
        caches,
    )
    recodings = {}
    for name, info in files.info.variables.items():
        _require_same_numbers(
            files, name, spec.variables.get(name, VariableSpec(id=name)), stored.info.variables[arrays[name]].encoding
        )
        recodings[name] = _recoding(info, cube.info.variables[name])
    return SeriesCubeReader(files, cube, arrays, recodings)


def _array_of(name: str, spec: SourceSpec, cube: SourceInfo) -> str:
    """Return the name of a variable's array in the cube: as configured, of the same name, or the only one."""
    configured = spec.variables.get(name, VariableSpec(id=name))
    for array in (configured.name, name):
        if array in cube.variables:
            return str(array)
    if len(cube.variables) == 1:
        return next(iter(cube.variables))
    raise UnsupportedSource(f"it has no variable {name}; it has {', '.join(cube.variables)}")


def _recoding(files: VariableInfo, cube: VariableInfo) -> Recoding:
    """How numbers of the cube become numbers of the files.

    Raises:
        UnsupportedSource: The grids differ, or the encoding of the files cannot express the values of the cube.
    """
    if not _is_same(files.grid, cube.grid):
        raise UnsupportedSource("it has another grid than the files")
    recoding = recoding_of(cube.encoding, files.encoding)
    if recoding is None:
        raise UnsupportedSource(
            f"its numbers are {encoding_text(cube.encoding)}, which the files' {encoding_text(files.encoding)} cannot "
            "hold; write it again with chronotile optimise new"
        )
    return recoding


def _require_same_numbers(files: Reader, name: str, spec: VariableSpec, cube: Encoding) -> None:
    """Check that the cube stores the numbers of the files unchanged, if the configuration sets their encoding.

    Raises:
        UnsupportedSource: The encodings of the files differ, so that the cube was recoded and the setting does not fit.
    """
    settings = (spec.scale, spec.offset, spec.nodata, spec.valid_range, spec.dtype, spec.flags or None)
    if all(setting is None for setting in settings):
        return
    for encoding in files.file_encodings(name):
        same_nodata = encoding.nodata == cube.nodata or (encoding.nodata is None) or (cube.nodata is None)
        is_same = (encoding.dtype, encoding.scale, encoding.offset) == (cube.dtype, cube.scale, cube.offset)
        if not is_same or not same_nodata:
            raise UnsupportedSource(
                f"it was made of files that differ, but the configuration sets the encoding of {name} in the "
                "files; leave scale:, offset: and nodata: out of it, or series: out of the source"
            )


def _is_same(grid: NativeGrid, other: NativeGrid) -> bool:
    # Whether two grids have the same coordinates and size. Unlike `turn_of`, this does not compare their CRS.
    near = all(abs(a - b) <= grid.resolution * 1e-4 for a, b in zip(grid.transform, other.transform, strict=True))
    return near and (grid.width, grid.height) == (other.width, other.height)


def _merge_pixels(cube: Pixels, files: Pixels, is_cube: BoolArray) -> Pixels:
    shape = (is_cube.size, *cube.numbers.shape[1:])
    numbers = np.empty(shape, dtype=cube.numbers.dtype)
    numbers[is_cube], numbers[~is_cube] = cube.numbers, files.numbers
    if files.valid is None:
        return Pixels(numbers)
    valid = np.ones(shape, dtype=bool)  # true for the cube: its masked pixels have the nodata number
    valid[~is_cube] = files.valid
    return Pixels(numbers, valid)
