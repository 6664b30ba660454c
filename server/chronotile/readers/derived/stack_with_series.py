"""Raster files whose series lie in a serving cube beside them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import BoolArray, Int64Array, UInt64Array
from chronotile.core.read_cost import ReadCost, sum_of_read_costs
from chronotile.readers.derived.wrapped import Wrapped
from chronotile.readers.encoding import encoding_text
from chronotile.readers.hrefs import base_name, one_look
from chronotile.readers.joined.common_encoding import Recoding, recoding_of
from chronotile.readers.reader import Along, BlockShape, Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.commit import state_number
from chronotile.readers.zarr.serving_cube import ServingCube, open_serving_cube

ABSENT = -1
FRESH_S = 30e-6
"""To compare the state of a file with that of the cube."""


@dataclass(slots=True)
class Twin:
    """Where a variable's dates lie in the cube, as long as the cube is as it is."""

    info: SourceInfo
    """The cube's, by which another state is known."""
    indexes: Int64Array
    """For each date of the files its index in the cube, or `ABSENT`."""
    made_from: UInt64Array
    """For each date of the cube."""
    fresh: dict[int, str] = field(default_factory=dict)
    """Revisions of files that were found to be those the cube was made from."""


class WithSeries(Wrapped):
    """Reads maps from raster files, and cells along time from the cube that was made of them.

    A date that the cube lacks, or whose file is another than the cube was made from, is read from its file: both
    questions have one answer, however old the cube is.
    """

    def __init__(
        self, files: Reader, cube: ServingCube, arrays: dict[str, str], recodings: dict[str, Recoding]
    ) -> None:
        super().__init__(files)
        self._cube, self._arrays, self._recodings = cube, arrays, recodings
        self._twins: dict[str, Twin] = {}
        self._lock = threading.Lock()

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell, from the cube where it is up to date."""
        return self._from_both(Reader.read_cell, variable, indexes, row=row, column=column)

    def _from_both(
        self, method: Callable[..., Pixels], variable: str, indexes: Sequence[int], **options: object
    ) -> Pixels:
        """Return what a method of readers reads at each time: of the cube where it is up to date, else of the files."""
        read_cube: Callable[..., Pixels] = getattr(self._cube, method.__name__)
        read_files: Callable[..., Pixels] = getattr(self._reader, method.__name__)
        twin = self._twin(variable)
        with one_look():
            inside = np.array([self._is_fresh(variable, index, twin) for index in indexes], dtype=bool)
        if twin is None or not inside.any():
            return read_files(variable, indexes=indexes, **options)
        requested = np.asarray(indexes, dtype=np.int64)
        try:
            numbers = read_cube(variable, indexes=twin.indexes[requested[inside]].tolist(), **options)
        except SourceUnavailable:
            return read_files(variable, indexes=indexes, **options)
        cells = self._recodings[variable].pixels(numbers)
        if inside.all():
            return cells
        return _merged(cells, read_files(variable, indexes=requested[~inside].tolist(), **options), inside)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of blocks of the cube's series, or of the files."""
        if along == "time" and self._twin(variable) is not None:
            try:
                return self._cube.block_shape(variable, along)
            except SourceUnavailable:
                pass
        return self._reader.block_shape(variable, along)

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of the cube and of comparing its dates with the files, and of files that the cube lacks."""
        twin = self._twin(variable) if along == "time" else None
        if twin is None:
            return self._reader.read_cost(variable, indexes=indexes, window=window, along=along)
        lacking = [index for index in indexes if twin.indexes[index] == ABSENT]
        there = [int(twin.indexes[index]) for index in indexes if twin.indexes[index] != ABSENT]
        cost = self._cube.read_cost(variable, indexes=there, window=window, along=along)
        cost = replace(cost, opening_s=cost.opening_s + FRESH_S * len(indexes))
        if not lacking:
            return cost
        rest = self._reader.read_cost(variable, indexes=lacking, window=window, along="space")
        share = len(lacking) / len(indexes)
        more = replace(rest, block_s=rest.block_s * share, value_s=rest.value_s * share)
        return sum_of_read_costs((cost, more), value_s=0.0)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels: along time from the cube where it is up to date, else from the files."""
        if along == "space":
            return self._reader.read_block(variable, indexes=indexes, window=window, along=along)
        return self._from_both(Reader.read_block, variable, indexes, window=window, along=along)

    def has_fast_cells(self, variable: str) -> bool:
        """Return whether the cube has the variable."""
        return self._twin(variable) is not None

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of native cells, from the cube where it is up to date, else from the files."""
        return self._from_both(Reader.read_cells, variable, indexes, rows=rows, columns=columns)

    def close(self) -> None:
        """Let go of open files."""
        self._reader.close()
        self._cube.close()

    def _is_fresh(self, variable: str, index: int, twin: Twin | None) -> bool:
        """Whether the cube's date was made from the file as it is now."""
        if twin is None or twin.indexes[index] == ABSENT:
            return False
        revision = self._reader.revision(variable, index)
        if twin.fresh.get(index) == revision:
            return True
        if state_number(revision) != int(twin.made_from[twin.indexes[index]]):
            return False
        twin.fresh[index] = revision
        return True

    def _twin(self, variable: str) -> Twin | None:
        """Nothing where the cube lacks the variable, or is gone."""
        if variable not in self._arrays:
            return None
        info = self._cube.info
        with self._lock:
            twin = self._twins.get(variable)
            if twin is None or twin.info is not info:
                try:
                    twin = self._twin_of(variable, info)
                except SourceUnavailable:
                    return None
                self._twins[variable] = twin
            return twin

    def _twin_of(self, variable: str, info: SourceInfo) -> Twin:
        ours, theirs = self._reader.info.variables[variable].times.starts, info.variables[variable].times.starts
        places = np.searchsorted(theirs, ours)
        there = np.isin(ours, theirs)
        made_from = self._cube.made_from(self._arrays[variable])[: theirs.size]
        return Twin(info, np.where(there, places, ABSENT), made_from)


def open_with_series(spec: SourceSpec, files: Reader, caches: ReaderCaches) -> Reader:
    """Return a reader of raster files that takes series from the cube of `spec`, or has a finding with the reason."""
    try:
        return _joined(spec, files, caches)
    except UnsupportedSource as error:
        note = Finding("warning", base_name(spec.series or ""), f"series are read from the files: {error.message}")
        return Wrapped(files, replace(files.info, findings=(*files.info.findings, note)))


def _joined(spec: SourceSpec, files: Reader, caches: ReaderCaches) -> WithSeries:
    held = open_serving_cube(SourceSpec(collection=spec.collection, kind="zarr", href=spec.series or ""), caches)
    arrays = {name: _array_of(name, spec, held.info) for name in files.info.variables}
    variables = {
        name: replace(spec.variables.get(name, VariableSpec(id=name)), name=array) for name, array in arrays.items()
    }
    cube = open_serving_cube(
        SourceSpec(collection=spec.collection, kind="zarr", href=spec.series or "", crs=spec.crs, variables=variables),
        caches,
    )
    recodings = {}
    for name, info in files.info.variables.items():
        _require_raw(files, name, spec.variables.get(name, VariableSpec(id=name)), held.info.variables[arrays[name]])
        recodings[name] = _recoding(info, cube.info.variables[name])
    return WithSeries(files, cube, arrays, recodings)


def _array_of(name: str, spec: SourceSpec, held: SourceInfo) -> str:
    """The cube's array of a variable: of its name, or the only one."""
    said = spec.variables.get(name, VariableSpec(id=name))
    for each in (said.name, name):
        if each in held.variables:
            return str(each)
    if len(held.variables) == 1:
        return next(iter(held.variables))
    raise UnsupportedSource(f"it has no variable {name}; it has {', '.join(held.variables)}")


def _recoding(ours: VariableInfo, theirs: VariableInfo) -> Recoding:
    """How the cube's numbers become those of the files.

    Raises:
        UnsupportedSource: They lie elsewhere, or mean something that the files' numbers cannot say.
    """
    if not _is_same(ours.grid, theirs.grid):
        raise UnsupportedSource("it has another grid than the files")
    found = recoding_of(theirs.encoding, ours.encoding)
    if found is None:
        raise UnsupportedSource(
            f"its numbers are {encoding_text(theirs.encoding)}, which the files' {encoding_text(ours.encoding)} cannot "
            "hold; write it again with chronotile optimise"
        )
    return found


def _require_raw(files: Reader, name: str, said: VariableSpec, held: VariableInfo) -> None:
    """Check that the cube has the very numbers of the files, if the configuration says what those mean.

    Raises:
        UnsupportedSource: It may have others, made of files that differ, of which the configuration says nothing.
    """
    encoding = (said.scale, said.offset, said.nodata, said.valid_range, said.dtype, said.flags or None)
    if all(each is None for each in encoding):
        return
    cube = held.encoding
    for own in files.file_encodings(name):
        same_nodata = own.nodata == cube.nodata or (own.nodata is None) or (cube.nodata is None)
        if (own.dtype, own.scale, own.offset) != (cube.dtype, cube.scale, cube.offset) or not same_nodata:
            raise UnsupportedSource(
                f"it was made of files that differ, but the configuration sets the encoding of {name} in the "
                "files; leave scale:, offset: and nodata: out of it, or series: out of the source"
            )


def _is_same(grid: NativeGrid, other: NativeGrid) -> bool:
    # Whether two grids have the same coordinates and size; unlike `turn_of` this does not compare their CRS.
    near = all(abs(a - b) <= grid.resolution * 1e-4 for a, b in zip(grid.transform, other.transform, strict=True))
    return near and (grid.width, grid.height) == (other.width, other.height)


def _merged(cells: Pixels, rest: Pixels, inside: BoolArray) -> Pixels:
    shape = (inside.size, *cells.numbers.shape[1:])
    numbers = np.empty(shape, dtype=cells.numbers.dtype)
    numbers[inside], numbers[~inside] = cells.numbers, rest.numbers
    if rest.valid is None:
        return Pixels(numbers)
    valid = np.ones(shape, dtype=bool)  # what a mask took away is nodata in the cube
    valid[~inside] = rest.valid
    return Pixels(numbers, valid)
