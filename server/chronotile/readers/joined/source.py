"""Files that each hold some times, read as one source: one after another along time, each with its own encoding."""

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
from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.read_cost import ReadCost
from chronotile.readers.hrefs import FileState, file_state, is_any_there
from chronotile.readers.joined.common_encoding import Recoding, recoding_of
from chronotile.readers.library_errors import BeingWritten, one_line, origin_of, reading_dates, unavailable
from chronotile.readers.pixel_arrays import concatenate_pixels
from chronotile.readers.reader import Along, BlockShape, Reader

# Files whose rows run the other way than those of most, or whose longitudes begin elsewhere: the same cells.

NEAR_PX = 1e-4
"""By which corners may differ, in cells: what writers lose of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where cells of a grid are in that of a file."""

    height: int
    width: int
    is_flipped: bool = False
    """Whether the first row is the last of the file."""
    shift: int = 0
    """Columns from the first of the file to that of the grid; behind the last comes the first."""

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Return row and column in the file of a cell of the grid."""
        return self.height - 1 - row if self.is_flipped else row, (column + self.shift) % self.width

    def read(self, read: Callable[[Window], Pixels], window: Window, *, step: int = 1) -> Pixels:
        """Return (…, y, x) pixels of a window of the grid, of every `step`-th row and column, in the grid's order.

        Args:
            read: Returns those of a window of the file, of every `step`-th row and column.
            window: Of the grid.
            step: Rows and columns from one to the next.
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
    # Whether behind the last column comes the first, with no cell twice.
    return grid.wrap_columns is not None and abs(grid.wrap_columns - grid.width) <= NEAR_PX * grid.width


def turn_of(own: NativeGrid, grid: NativeGrid) -> Turn | None:
    """Return where the cells of a grid are in a file's own, to a ten-thousandth of one; `None` if that has others."""
    near = grid.resolution * NEAR_PX
    (a, b, c, d, e, f), (own_a, own_b, own_c, own_d, own_e, own_f) = grid.transform[:6], own.transform[:6]
    is_flipped = e * own_e < 0 and b == 0 and d == 0
    if is_flipped:
        own_e, own_f = -own_e, own_f + own_e * own.height
    is_alike = (own.width, own.height, own.crs) == (grid.width, grid.height, grid.crs)
    pairs = zip((a, b, d, e, f), (own_a, own_b, own_d, own_e, own_f), strict=True)
    if not is_alike or any(abs(one - other) > near for one, other in pairs):
        return None
    turns = round((c - own_c) / WHOLE_CIRCLE) if grid.wrap_columns is not None else 0
    distance = c - own_c - turns * WHOLE_CIRCLE
    if abs(distance) <= near:
        return Turn(height=grid.height, width=grid.width, is_flipped=is_flipped)
    columns = round(distance / a) if _goes_round(grid) else 0
    if not columns or abs(distance - columns * a) > near:
        return None
    return Turn(height=grid.height, width=grid.width, is_flipped=is_flipped, shift=columns % grid.width)


MAX_OPEN_FILES = 256
"""Files of a source that stay open; the least recently used is closed first."""
FILE_S = 45e-3
"""Processor time of opening a file, such as a NetCDF file, with all its variables and times."""
Found = TypeVar("Found")


class JoinedFile(Protocol):
    """One file, or some bands of one, that holds some times of some variables."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def span(self) -> TimeSpan | None:
        """Its time where its data tell none: that of its name."""

    def open(self) -> Reader:
        """Return a reader of it.

        Raises:
            UnsupportedSource: It cannot be served.
        """


OwnName = tuple[int, ...]
"""A time as its own file states it, whatever it is called among those of all files, in nanoseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedVariable:
    """One variable of several files."""

    info: VariableInfo
    """With the grid, the encoding and the times that its files have in common."""
    slots: tuple[int, ...]
    """(time,): the number of the file that holds it."""
    names: tuple[OwnName | None, ...]
    """(time,): what the file calls it; `None` where the file's name has its only time."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A variable of an open file."""

    reader: Reader
    recoding: Recoding
    indexes: Mapping[OwnName, int]
    """By what the file calls each time; empty where the data tell none."""
    levels: tuple[tuple[int, Turn], ...]
    """For each level of the joined variable the file's, and where its cells are in that."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int) -> Pixels:
        """Return (y, x) pixels of a window of a level of the joined variable."""
        own, turn = self.levels[level]

        def read(there: Window) -> Pixels:
            return self.reader.read_window(variable, index=index, level=own, window=there, step=step)

        return turn.read(read, window, step=step)


@dataclass(slots=True)
class _OpenFile:
    reader: Reader
    state: FileState | None
    parts: dict[str, _Part]


class Joined(Reader):
    """Reads several files as one source. Files are opened when they are read, and again when their file changed."""

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
        """Return the fingerprint of the file of that time."""
        number = self._variables[variable].slots[index]
        with self._reading(variable, number):
            return file_state(self._files[number].path).text

    def revision_key(self, variable: str, index: int) -> int:
        """Return the number of the file of that time."""
        return self._variables[variable].slots[index]

    def file_of(self, variable: str, index: int) -> str:
        """Return the file of that time."""
        return self._files[self._variables[variable].slots[index]].path

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        number = self._variables[variable].slots[index]
        with self._reading(variable, number):
            part = self._part(variable, number)
            (own,) = self._indexes(variable, part, [index])
            pixels = part.read_window(variable, index=own, level=level, window=window, step=step)
            return part.recoding.pixels(pixels)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; times of one file that follow one another are one read."""

        def read(part: _Part, own: Sequence[int]) -> Pixels:
            own_row, own_column = part.levels[0][1].cell(row, column)
            return part.reader.read_cell(variable, indexes=own, row=own_row, column=own_column)

        return self._of_runs(variable, indexes, read)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of the blocks of the first file that opens."""
        return self._of_any_file(variable, lambda part: part.reader.block_shape(variable, along))

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of opening the files of some times, and of reading the first file that opens."""
        slots = self._variables[variable].slots
        files = len({slots[index] for index in indexes})

        def of(part: _Part) -> ReadCost:
            cost = part.reader.read_cost(variable, indexes=[0], window=window, along=along)
            opening_s = files * (FILE_S + cost.opening_s)
            return replace(cost, opening_s=opening_s)

        return self._of_any_file(variable, of)

    def _of_any_file(self, variable: str, find: Callable[[_Part], Found]) -> Found:
        """What is found in the first file that opens."""

        def of(number: int) -> Found:
            with self._reading(variable, number):
                return find(self._part(variable, number))

        first, *others = dict.fromkeys(self._variables[variable].slots)
        try:
            return of(first)
        except DateUnreadable:
            for number in others:
                with suppress(DateUnreadable):
                    return of(number)
            raise

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""

        def read(part: _Part, own: Sequence[int]) -> Pixels:
            def read_there(there: Window) -> Pixels:
                return part.reader.read_block(variable, indexes=own, window=there, along=along)

            return part.levels[0][1].read(read_there, window)

        return self._of_runs(variable, indexes, read)

    def _of_runs(self, variable: str, indexes: Sequence[int], read: Callable[[_Part, Sequence[int]], Pixels]) -> Pixels:
        """(time, …) pixels, read file by file."""
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
        """Let go of open files."""
        with self._lock:
            files = list(self._open.values())
            self._open.clear()
        for each in files:
            each.reader.close()

    @contextmanager
    def _reading(self, variable: str, number: int) -> Iterator[None]:
        """Name the variable in what goes wrong with a file, and for the log its path.

        While its file or another one is there, its dates alone failed.
        """

        def is_there() -> bool:
            return is_any_there(file.path for file in self._files)

        with reading_dates(self._collection, variable, is_source_reachable=is_there):
            try:
                yield
            except Exception as error:  # of any reader of a file
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
        """The file's indexes of times of the joined variable."""
        if not part.indexes:
            return [0] * len(indexes)
        joined = self._variables[variable]
        names = [joined.names[index] for index in indexes]
        if None in names:
            own, starts = part.reader.info.variables[variable].times, joined.info.times.starts
            if len(own) == 1 and own.starts[0] == starts[indexes[0]]:
                return [0] * len(indexes)
            raise unavailable(self._collection, variable, "have another time in their file than in its name")
        try:
            return [part.indexes[name] for name in names if name is not None]
        except KeyError as error:
            raise unavailable(self._collection, variable, "no longer have a time that they had") from error

    def _part(self, variable: str, number: int) -> _Part:
        """The variable in a file, as its file is now."""
        opened = self._opened(number, file_state(self._files[number].path))
        part = opened.parts.get(variable)
        if part is None:
            part = opened.parts[variable] = self._new_part(variable, opened.reader)
        return part

    def _opened(self, number: int, state: FileState | None) -> _OpenFile:
        with self._lock:
            known = self._open.pop(number, None)
            if known is not None and known.state == state:
                self._open[number] = known
                return known
        if known is not None:
            known.reader.close()  # first: HDF5 takes a file that is open still for the one that it was
        try:
            opened = _OpenFile(self._files[number].open(), state, {})
        except UnsupportedSource as error:
            raise OSError(f"{self._files[number].path}: {error.message}") from error
        surplus = []
        with self._lock:
            other = self._open.pop(number, None)  # of a thread that was quicker
            if other is not None:
                surplus.append(other)
            self._open[number] = opened
            while len(self._open) > MAX_OPEN_FILES:
                surplus.append(self._open.popitem(last=False)[1])
        for each in surplus:
            each.reader.close()
        return opened

    def _new_part(self, variable: str, reader: Reader) -> _Part:
        joined, own = self._variables[variable].info, reader.info.variables.get(variable)
        if own is None:
            raise unavailable(self._collection, variable, "are not in their file")
        levels = _levels_of(joined, own)
        if levels is None:
            raise unavailable(self._collection, variable, "have another grid than those of other files")
        if own.is_categorical != joined.is_categorical or own.times.is_climatology != joined.times.is_climatology:
            raise unavailable(self._collection, variable, "are not of the kind of those of other files")
        recoding = recoding_of(own.encoding, joined.encoding)
        if recoding is None:
            raise unavailable(self._collection, variable, "have another encoding than those of other files")
        indexes = {name: index for index, name in enumerate(own_names(own.times))}
        return _Part(reader, recoding, indexes, levels)


def own_names(times: TimeDomain) -> tuple[OwnName, ...]:
    """Return what a file calls each of its times: by the bounds that it states, or else by its start."""
    rows = times.starts[:, np.newaxis] if times.stated is None else times.stated
    return tuple(map(tuple, rows.astype("datetime64[ns]").astype(np.int64).tolist()))


def _levels_of(joined: VariableInfo, own: VariableInfo) -> tuple[tuple[int, Turn], ...] | None:
    """The file's level for each of the joined variable's, and where its cells are in it; nothing if it lacks one."""
    found = [
        next(((n, turn) for n, grid in enumerate(own.levels) if (turn := turn_of(grid, level)) is not None), None)
        for level in joined.levels
    ]
    levels = tuple(each for each in found if each is not None)
    return levels if len(levels) == len(found) else None
