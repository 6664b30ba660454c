"""Files with different times, read as one source along time; each file may have a different encoding."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol, TypeVar

import numpy as np

from chronotile.core.errors import ChronotileError, DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.read_cost import ReadCost
from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.hrefs import is_any_there
from chronotile.readers.joined.recoding import Recoding, recoding_of
from chronotile.readers.library_errors import BeingWritten, one_line, origin_of, reading_dates, unavailable
from chronotile.readers.pixel_arrays import concatenate_pixels
from chronotile.readers.reader import Along, BlockShape, Reader

# Grids with the same cells in another order: reversed rows, or another first longitude.

NEAR_PX = 1e-4
"""Tolerance in cells for comparing corners of grids; writers round coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Positions of the cells of a grid in a file with the same cells in another order."""

    height: int
    width: int
    is_flipped: bool = False
    """Whether the first row of the grid is the last row of the file."""
    shift: int = 0
    """Column of the file that is the first column of the grid; columns continue around the globe."""

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Return the row and column in the file of a cell of the grid."""
        return self.height - 1 - row if self.is_flipped else row, (column + self.shift) % self.width

    def read(self, read: Callable[[Window], Pixels], window: Window, *, step: int = 1) -> Pixels:
        """Return (…, y, x) pixels of a window of the grid, every `step`-th row and column.

        Args:
            read: Returns pixels of a window of the file, every `step`-th row and column.
            window: Window of the grid.
            step: Distance of rows and of columns.
        """
        if not (self.is_flipped or self.shift):
            return read(window)
        rows = np.arange(window.row_start, window.row_stop, step)
        rows = self.height - 1 - rows[::-1] if self.is_flipped else rows
        columns = (np.arange(window.column_start, window.column_stop, step) + self.shift) % self.width
        runs = np.split(columns, np.flatnonzero(np.diff(columns) < 0) + 1)
        parts = [read(Window(int(rows[0]), int(rows[-1]) + 1, int(run[0]), int(run[-1]) + 1)) for run in runs]
        order = slice(None, None, -1 if self.is_flipped else 1)
        whole = concatenate_pixels(parts, axis=-1)
        return Pixels(whole.numbers[..., order, :], None if whole.valid is None else whole.valid[..., order, :])


def _goes_round(grid: NativeGrid) -> bool:
    # Whether the columns cover the whole circle once.
    return grid.wrap_columns is not None and abs(grid.wrap_columns - grid.width) <= NEAR_PX * grid.width


def turn_of(file_grid: NativeGrid, grid: NativeGrid) -> Turn | None:
    """Return the positions of the cells of `grid` in the grid of a file; `None` if its cells differ by `NEAR_PX`."""
    near = grid.resolution * NEAR_PX
    (a, b, c, d, e, f), (file_a, file_b, file_c, file_d, file_e, file_f) = grid.transform[:6], file_grid.transform[:6]
    is_flipped = e * file_e < 0 and b == 0 and d == 0
    if is_flipped:
        file_e, file_f = -file_e, file_f + file_e * file_grid.height
    is_alike = (file_grid.width, file_grid.height, file_grid.crs) == (grid.width, grid.height, grid.crs)
    pairs = zip((a, b, d, e, f), (file_a, file_b, file_d, file_e, file_f), strict=True)
    if not is_alike or any(abs(one - other) > near for one, other in pairs):
        return None
    circle = abs(a) * (grid.wrap_columns or 0.0)
    distance = math.remainder(c - file_c, circle) if circle else c - file_c
    if abs(distance) <= near:
        return Turn(height=grid.height, width=grid.width, is_flipped=is_flipped)
    columns = round(distance / a) if _goes_round(grid) else 0
    if not columns or abs(distance - columns * a) > near:
        return None
    return Turn(height=grid.height, width=grid.width, is_flipped=is_flipped, shift=columns % grid.width)


MAX_OPEN_FILES = 256
"""Largest number of open files of a source; the least recently used is closed first."""
FILE_S = 45e-3
"""Processor seconds to open a file, such as a NetCDF file, with all its variables and times."""
Found = TypeVar("Found")


class JoinedFile(Protocol):
    """A file, or some bands of it, with some times of some variables."""

    @property
    def path(self) -> str:
        """Path of the file."""

    @property
    def span(self) -> TimeSpan | None:
        """Time in the name of the file, for files without times in their data."""

    def open(self) -> Reader:
        """Return a reader of the file.

        Raises:
            UnsupportedSource: The file cannot be served.
        """


StoredTime = tuple[int, ...]
"""A time as stored in a file, in nanoseconds since 1970: its coordinate and bounds, or only the start without bounds.

Identifies the time within the file, also after other times were added to the file.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedVariable:
    """A variable that is joined from several files."""

    info: VariableInfo
    """Description of the joined variable: common grid and encoding, and the times of all files."""
    slots: tuple[int, ...]
    """(time,): index of the file that contains each time."""
    stored_times: tuple[StoredTime | None, ...]
    """(time,): key of each time in its file; `None` if the time is only in the name of the file."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A variable of an open file."""

    reader: Reader
    recoding: Recoding
    indexes: Mapping[StoredTime, int]
    """Index in the file by stored time; empty if the data of the file have no times."""
    levels: tuple[tuple[int, Turn], ...]
    """For each level of the joined variable: the level of the file, and the positions of the cells in it."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int) -> Pixels:
        """Return (y, x) pixels of a window of a level of the joined variable."""
        file_level, turn = self.levels[level]

        def read(file_window: Window) -> Pixels:
            return self.reader.read_window(variable, index=index, level=file_level, window=file_window, step=step)

        return turn.read(read, window, step=step)


@dataclass(slots=True)
class _OpenFile:
    reader: Reader
    state: FileState | None
    parts: dict[str, _Part]


class Joined(Reader):
    """Reader of several files as one source. Files are opened when they are read, and again when they have changed."""

    def __init__(
        self, collection: str, files: Sequence[JoinedFile], variables: Mapping[str, JoinedVariable], info: SourceInfo
    ) -> None:
        self._collection = collection
        self._files = tuple(files)
        self._variables = dict(variables)
        self._info = info
        self._open: OrderedDict[int, _OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def revision(self, variable: str, index: int) -> str:
        """Return the fingerprint of the file of a time."""
        number = self._variables[variable].slots[index]
        with self._reading(variable, number):
            return file_state(self._files[number].path).text

    def revision_key(self, variable: str, index: int) -> int:
        """Return the number of the file of a time."""
        return self._variables[variable].slots[index]

    def file_of(self, variable: str, index: int) -> str:
        """Return the path of the file of a time."""
        return self._files[self._variables[variable].slots[index]].path

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, every `step`-th row and column."""
        number = self._variables[variable].slots[index]
        with self._reading(variable, number):
            part = self._part(variable, number)
            (file_index,) = self._indexes(variable, part, [index])
            pixels = part.read_window(variable, index=file_index, level=level, window=window, step=step)
            return part.recoding.pixels(pixels)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; consecutive times of a file are read together."""

        def read(part: _Part, file_indexes: Sequence[int]) -> Pixels:
            file_row, file_column = part.levels[0][1].cell(row, column)
            return part.reader.read_cell(variable, indexes=file_indexes, row=file_row, column=file_column)

        return self._read_runs(variable, indexes, read)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of the blocks of the first file that opens."""
        return self._find_in_any_file(variable, lambda part: part.reader.block_shape(variable, along))

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of opening the files of some times, and of reading the first file that opens."""
        slots = self._variables[variable].slots
        files = len({slots[index] for index in indexes})

        def cost_of(part: _Part) -> ReadCost:
            cost = part.reader.read_cost(variable, indexes=[0], window=window, along=along)
            opening_s = files * (FILE_S + cost.opening_s)
            return replace(cost, opening_s=opening_s)

        return self._find_in_any_file(variable, cost_of)

    def _find_in_any_file(self, variable: str, find: Callable[[_Part], Found]) -> Found:
        """The result of `find` for the first file that opens."""

        def find_in(number: int) -> Found:
            with self._reading(variable, number):
                return find(self._part(variable, number))

        first, *others = dict.fromkeys(self._variables[variable].slots)
        try:
            return find_in(first)
        except DateUnreadable:
            for number in others:
                with suppress(DateUnreadable):
                    return find_in(number)
            raise

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""

        def read(part: _Part, file_indexes: Sequence[int]) -> Pixels:
            def read_file(file_window: Window) -> Pixels:
                return part.reader.read_block(variable, indexes=file_indexes, window=file_window, along=along)

            return part.levels[0][1].read(read_file, window)

        return self._read_runs(variable, indexes, read)

    def _read_runs(
        self, variable: str, indexes: Sequence[int], read: Callable[[_Part, Sequence[int]], Pixels]
    ) -> Pixels:
        """Return (time, …) pixels, read file by file."""
        parts = []
        for number, members in groupby(indexes, key=self._variables[variable].slots.__getitem__):
            run = list(members)
            with self._reading(variable, number):
                part = self._part(variable, number)
                parts.append(part.recoding.pixels(read(part, self._indexes(variable, part, run))))
        if not parts:
            return Pixels(np.empty(0, dtype=self._variables[variable].info.encoding.dtype))
        return concatenate_pixels(parts)

    def close(self) -> None:
        """Close open files."""
        with self._lock:
            files = list(self._open.values())
            self._open.clear()
        for file in files:
            file.reader.close()

    @contextmanager
    def _reading(self, variable: str, number: int) -> Iterator[None]:
        """Convert errors in the block: the message for clients names the variable, the logged cause names the path.

        If any file of the source exists, only the dates that were read are reported as unreadable, not the source.

        Args:
            variable: Id of the variable.
            number: Index of the file that is read.
        """

        def is_there() -> bool:
            return is_any_there(file.path for file in self._files)

        with reading_dates(self._collection, variable, is_source_reachable=is_there):
            try:
                yield
            except Exception as error:  # readers of files raise errors of several libraries
                origin = origin_of(error)
                if isinstance(origin, BeingWritten):
                    raise
                if isinstance(error, ChronotileError) and not isinstance(error, SourceUnavailable):
                    raise
                named = OSError(f"{self._files[number].path}: {one_line(origin)}")
                if isinstance(error, SourceUnavailable):
                    raise SourceUnavailable(error.message) from named
                raise named from None

    def _indexes(self, variable: str, part: _Part, indexes: Sequence[int]) -> list[int]:
        """Return the time indexes in the file for time indexes of the joined variable."""
        if not part.indexes:
            return [0] * len(indexes)
        joined = self._variables[variable]
        keys = [joined.stored_times[index] for index in indexes]
        if None in keys:
            times, starts = part.reader.info.variables[variable].times, joined.info.times.starts
            if len(times) == 1 and times.starts[0] == starts[indexes[0]]:
                return [0] * len(indexes)
            raise unavailable(self._collection, variable, "have another time in their file than in its name")
        try:
            return [part.indexes[key] for key in keys if key is not None]
        except KeyError as error:
            raise unavailable(self._collection, variable, "no longer have a time that they had") from error

    def _part(self, variable: str, number: int) -> _Part:
        """Return a variable of the current version of a file, which is opened again if it was replaced."""
        opened = self._opened(number, file_state(self._files[number].path))
        part = opened.parts.get(variable)
        if part is None:
            part = opened.parts[variable] = self._new_part(variable, opened.reader)
        return part

    def _opened(self, number: int, state: FileState | None) -> _OpenFile:
        with self._lock:
            cached = self._open.pop(number, None)
            if cached is not None and cached.state == state:
                self._open[number] = cached
                return cached
        if cached is not None:
            cached.reader.close()  # before opening: HDF5 returns the old contents of a file that is still open
        try:
            opened = _OpenFile(self._files[number].open(), state, {})
        except UnsupportedSource as error:
            raise OSError(f"{self._files[number].path}: {error.message}") from error
        surplus = []
        with self._lock:
            other = self._open.pop(number, None)  # opened meanwhile by another thread
            if other is not None:
                surplus.append(other)
            self._open[number] = opened
            while len(self._open) > MAX_OPEN_FILES:
                surplus.append(self._open.popitem(last=False)[1])
        for file in surplus:
            file.reader.close()
        return opened

    def _new_part(self, variable: str, reader: Reader) -> _Part:
        joined, variable_info = self._variables[variable].info, reader.info.variables.get(variable)
        if variable_info is None:
            raise unavailable(self._collection, variable, "are not in their file")
        levels = _levels_of(joined, variable_info)
        if levels is None:
            raise unavailable(self._collection, variable, "have another grid than those of other files")
        is_climatology = variable_info.times.is_climatology
        if variable_info.is_categorical != joined.is_categorical or is_climatology != joined.times.is_climatology:
            raise unavailable(self._collection, variable, "are not of the kind of those of other files")
        recoding = recoding_of(variable_info.encoding, joined.encoding)
        if recoding is None:
            raise unavailable(self._collection, variable, "have another encoding than those of other files")
        indexes = {key: index for index, key in enumerate(stored_times(variable_info.times))}
        return _Part(reader, recoding, indexes, levels)


def stored_times(times: TimeDomain) -> tuple[StoredTime, ...]:
    """Return the key of each time of a file."""
    rows = times.starts[:, np.newaxis] if times.stated is None else times.stated
    return tuple(map(tuple, rows.astype("datetime64[ns]").astype(np.int64).tolist()))


def _levels_of(joined: VariableInfo, variable: VariableInfo) -> tuple[tuple[int, Turn], ...] | None:
    """Return the level of the file, and its cells, per level of the joined variable; `None` if the file lacks one."""
    matches = [
        next(((n, turn) for n, grid in enumerate(variable.levels) if (turn := turn_of(grid, level)) is not None), None)
        for level in joined.levels
    ]
    levels = tuple(match for match in matches if match is not None)
    return levels if len(levels) == len(matches) else None
