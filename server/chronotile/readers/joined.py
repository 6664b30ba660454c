"""Files that each hold some times, read as one source: one after another along time, each with its own encoding."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import NativeGrid, Window
from chronotile.model.raster import Pixels
from chronotile.model.source import SourceInfo, VariableInfo
from chronotile.model.time import Instant, TimeSpan
from chronotile.readers.file_state import FileState, file_state
from chronotile.readers.foreign import reading, unavailable
from chronotile.readers.reader import Along, BlockShape, Reader, block_shape, read_block
from chronotile.readers.recoding import Recoding, recoding_of

MAX_OPEN_PIECES = 256
"""Pieces of a source that stay open; the least recently used is closed first."""


class Piece(Protocol):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedVariable:
    """One variable of several pieces."""

    info: VariableInfo
    """With the grid, the encoding and the times that its pieces have in common."""
    slots: tuple[int, ...]
    """(time,): the number of the piece that holds it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A variable of an open piece."""

    reader: Reader
    recoding: Recoding
    indexes: Mapping[Instant, int]
    """By the start of each time; empty where the data tell none."""
    levels: tuple[int, ...]
    """For each level of the joined variable the piece's."""


@dataclass(slots=True)
class _OpenPiece:
    reader: Reader
    state: FileState | None
    parts: dict[str, _Part]


Run = tuple[int, list[int]]
"""A piece, and times of the variable that it holds."""


class Joined:
    """Reads several pieces as one source. Pieces are opened when they are read, and again when their file changed."""

    def __init__(
        self, collection: str, pieces: Sequence[Piece], variables: Mapping[str, JoinedVariable], info: SourceInfo
    ) -> None:
        self._collection = collection
        self._pieces = tuple(pieces)
        self._variables = dict(variables)
        self._info = info
        self._open: OrderedDict[int, _OpenPiece] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def info(self) -> SourceInfo:
        """What the pieces hold together."""
        return self._info

    def path(self, variable: str, index: int) -> str:
        """Return the file of that time."""
        return self._pieces[self._variables[variable].slots[index]].path

    def revision(self, variable: str, index: int) -> str:
        """Return the size and age of the file of that time."""
        with reading(self._collection, variable):
            state = file_state(self.path(variable, index))
        return f"{state.mtime_ns:x}-{state.size:x}" if state else "0"

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        part = self._part(variable, self._variables[variable].slots[index])
        (own,) = self._indexes(variable, part, [index])
        pixels = part.reader.read_window(variable, index=own, level=part.levels[level], window=window, step=step)
        return part.recoding.pixels(pixels)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell; times of one piece that follow one another are one read."""
        parts = []
        for number, run in self._runs(variable, indexes):
            part = self._part(variable, number)
            own = self._indexes(variable, part, run)
            parts.append(part.recoding.pixels(part.reader.read_cell(variable, indexes=own, row=row, column=column)))
        return self._concatenated(variable, parts)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of the blocks of the first piece."""
        return block_shape(self._part(variable, self._variables[variable].slots[0]).reader, variable, along)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""
        parts = []
        for number, run in self._runs(variable, indexes):
            part = self._part(variable, number)
            own = self._indexes(variable, part, run)
            parts.append(
                part.recoding.pixels(read_block(part.reader, variable, indexes=own, window=window, along=along))
            )
        return self._concatenated(variable, parts)

    def close(self) -> None:
        """Let go of open files."""
        with self._lock:
            pieces = list(self._open.values())
            self._open.clear()
        for each in pieces:
            each.reader.close()

    def _runs(self, variable: str, indexes: Sequence[int]) -> Iterator[Run]:
        slots = self._variables[variable].slots
        for number, members in groupby(indexes, key=slots.__getitem__):
            yield number, list(members)

    def _concatenated(self, variable: str, parts: Sequence[Pixels]) -> Pixels:
        if not parts:
            return Pixels(np.empty(0, dtype=self._variables[variable].info.encoding.dtype))
        numbers = np.concatenate([part.numbers for part in parts])
        if all(part.valid is None for part in parts):
            return Pixels(numbers)
        valid = [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]
        return Pixels(numbers, np.concatenate(valid))

    def _indexes(self, variable: str, part: _Part, indexes: Sequence[int]) -> list[int]:
        """The piece's indexes of times of the joined variable."""
        if not part.indexes:
            return [0] * len(indexes)
        starts = self._variables[variable].info.times.starts
        try:
            return [part.indexes[starts[index]] for index in indexes]
        except KeyError as error:
            raise unavailable(self._collection, variable, "no longer have a time that they had") from error

    def _part(self, variable: str, number: int) -> _Part:
        """The variable in a piece, as its file is now."""
        with reading(self._collection, variable):
            state = file_state(self._pieces[number].path)
            opened = self._opened(number, state)
            part = opened.parts.get(variable)
            if part is None:
                part = opened.parts[variable] = self._new_part(variable, opened.reader)
            return part

    def _opened(self, number: int, state: FileState | None) -> _OpenPiece:
        with self._lock:
            known = self._open.get(number)
            if known is not None and known.state == state:
                self._open.move_to_end(number)
                return known
        try:
            opened = _OpenPiece(self._pieces[number].open(), state, {})
        except UnsupportedSource as error:
            raise OSError(f"{self._pieces[number].path}: {error.message}") from error
        surplus = [known] if known is not None else []
        with self._lock:
            self._open[number] = opened
            self._open.move_to_end(number)
            while len(self._open) > MAX_OPEN_PIECES:
                surplus.append(self._open.popitem(last=False)[1])
        for each in surplus:
            each.reader.close()
        return opened

    def _new_part(self, variable: str, reader: Reader) -> _Part:
        joined, own = self._variables[variable].info, reader.info.variables.get(variable)
        if own is None:
            raise unavailable(self._collection, variable, "are no longer in their file")
        levels = _levels_of(joined, own)
        if levels is None:
            raise unavailable(self._collection, variable, "have another grid than when they were opened")
        recoding = recoding_of(own.encoding, joined.encoding)
        if recoding is None:
            raise unavailable(self._collection, variable, "have another encoding than when they were opened")
        indexes = {start: index for index, start in enumerate(own.times.starts)}
        return _Part(reader, recoding, indexes, levels)


def _levels_of(joined: VariableInfo, own: VariableInfo) -> tuple[int, ...] | None:
    """The piece's level for each of the joined variable's; nothing where it lacks one."""
    found = [
        next((n for n, grid in enumerate(own.levels) if is_same_grid(grid, wanted)), None) for wanted in joined.levels
    ]
    levels = tuple(each for each in found if each is not None)
    return levels if len(levels) == len(found) else None


def is_same_grid(grid: NativeGrid, other: NativeGrid) -> bool:
    """Return whether two grids have the same cells, to a ten-thousandth of one: what writers lose of the corner."""
    near = grid.resolution * 1e-4
    return (grid.width, grid.height, grid.crs) == (other.width, other.height, other.crs) and all(
        abs(a - b) <= near for a, b in zip(grid.transform, other.transform, strict=True)
    )
