"""A reader of arrays over time, y and x in any storage."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Protocol

import numpy as np

from chronotile.core.errors import ChronotileError
from chronotile.core.model.raster import Pixels, reinterpret_numbers
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import NumberArray
from chronotile.readers.block_limit import require_small_block
from chronotile.readers.cf.dataset import CfVariable
from chronotile.readers.library_errors import reading, reading_dates
from chronotile.readers.reader import GONE, PLAIN_BLOCK, Along, BlockShape, Reader

Selection = tuple[int | slice | list[int], ...]
"""One entry per stored dimension, at most one list among them; dimensions with an integer are dropped."""


class ArraySource(Protocol):
    """One stored array. Several threads may call its methods concurrently."""

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order.

        Raises:
            Exception: The array is missing or damaged; the message comes from the storage.
        """

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Lengths of a chunk by stored dimension; `None` if the array has no chunks."""

    @property
    def files(self) -> tuple[int, ...] | None:
        """Lengths, by stored dimension, of the part in one file; `None` if one file has everything."""
        return None

    def revision(self, selection: Selection) -> str:
        """Return a short text that changes with the selected numbers, without reading them."""

    def is_there(self) -> bool:
        """Return whether the store is on this machine and has its metadata; numbers may be damaged."""
        return False

    def close(self) -> None:
        """Close open files; does nothing by default."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeLevel:
    """One level of a variable: an array and how its dimensions are used."""

    source: ArraySource
    time_axis: int | None
    y_axis: int
    x_axis: int
    steps: tuple[int, ...]
    """For each stored dimension the one index that is read; of time, y and x it does not count."""
    positions: tuple[int, ...]
    """For each time its index along the stored time dimension."""
    width: int
    height: int

    @property
    def block_axes(self) -> tuple[int, ...]:
        """The positions of time, if present, y and x among the axes of a read array."""
        axes = [axis for axis in (self.time_axis, self.y_axis, self.x_axis) if axis is not None]
        return tuple(sorted(axes).index(axis) for axis in axes)

    @property
    def block_shape(self) -> BlockShape:
        """Shape of the part of the array that is decoded together: a chunk or some rows."""
        chunks = self.source.chunks
        if chunks is None:
            return PLAIN_BLOCK
        return BlockShape(
            1 if self.time_axis is None else chunks[self.time_axis], chunks[self.y_axis], chunks[self.x_axis]
        )

    @property
    def whole(self) -> Window:
        """All cells."""
        return Window(0, self.height, 0, self.width)

    def chunk_of(self, index: int) -> int:
        """Return which chunk along time has a time."""
        files = self.source.files
        return 0 if files is None or self.time_axis is None else self.positions[index] // files[self.time_axis]

    def revision(self, index: int, window: Window) -> str:
        """Return a short text that changes with the numbers of a time and window, without reading them."""
        rows, columns = slice(window.row_start, window.row_stop), slice(window.column_start, window.column_stop)
        return self.source.revision(self.selection(self.positions[index], rows, columns))

    def selection(self, times: int | slice | list[int], rows: int | slice, columns: int | slice) -> Selection:
        """Return the selection by dimension; additional dimensions are selected at their served index."""
        parts: list[int | slice | list[int]] = list(self.steps)
        if self.time_axis is not None:
            parts[self.time_axis] = times
        parts[self.y_axis] = rows
        parts[self.x_axis] = columns
        return tuple(parts)


class FoldedArray(ArraySource):
    """An array with several dimensions read as one dimension, at the position of the first of them."""

    def __init__(self, source: ArraySource, cells: Sequence[tuple[int, ...]], axes: tuple[int, ...]) -> None:
        self._source, self._cells, self._axes = source, cells, axes
        self._sorted = sorted(cells)
        self._ranks = np.array([bisect_left(self._sorted, cell) for cell in cells])

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order.

        Cells that differ along the last of the dimensions only are read together, in ascending order, as array
        libraries need.
        """
        first, last = self._axes[0], self._axes[-1]
        chosen = selection[first]
        if isinstance(chosen, int):
            return self._source.read(self._stored(selection, self._cells[chosen]))
        axis, parts = _kept_before(selection, first), list[NumberArray]()
        ranks, places = np.unique(self._ranks[chosen], return_inverse=True)
        for _shared, members in groupby((self._sorted[rank] for rank in ranks), key=lambda cell: cell[:-1]):
            cells = list(members)
            stored = list(self._stored(selection, cells[0]))
            stored[last] = _run([cell[-1] for cell in cells])
            parts.append(np.moveaxis(self._source.read(tuple(stored)), _kept_before(stored, last), axis))
        return np.concatenate(parts, axis=axis).take(places, axis=axis)

    def _stored(self, selection: Selection, cell: tuple[int, ...]) -> Selection:
        parts = list(selection)
        for axis in self._axes[1:]:
            parts.insert(axis, 0)
        for axis, index in zip(self._axes, cell, strict=True):
            parts[axis] = index
        return tuple(parts)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Lengths of a chunk; along time, the length of the last folded dimension."""
        chunks = self._source.chunks
        if chunks is None:
            return None
        own = [*chunks]
        own[self._axes[0]] = chunks[self._axes[-1]]
        return tuple(length for axis, length in enumerate(own) if axis not in self._axes[1:])

    def revision(self, selection: Selection) -> str:
        """Return a short text that changes when the selected numbers of one time do."""
        chosen = selection[self._axes[0]]
        cells = [self._cells[chosen]] if isinstance(chosen, int) else self._cells
        return " ".join(self._source.revision(self._stored(selection, cell)) for cell in cells)

    def is_there(self) -> bool:
        """Return whether the store is on this machine and its metadata exist."""
        return self._source.is_there()

    def close(self) -> None:
        """Close the array."""
        self._source.close()


def level_of(variable: CfVariable, source: ArraySource) -> CubeLevel:
    """Return the level that a variable's array is.

    Raises:
        UnsupportedSource: Its chunks do not fit into memory.
    """
    dims, axes = variable.dims, variable.axes
    if variable.folded is not None:
        source = FoldedArray(
            source, variable.folded.cells, tuple(map(variable.stored_dims.index, variable.folded.dims))
        )
    if source.chunks is not None:
        dtype = np.dtype(variable.info.encoding.dtype)
        require_small_block(prod(source.chunks), dtype, remedy=f"write {variable.array} again in smaller chunks")
    return CubeLevel(
        source=source,
        time_axis=dims.index(axes.time) if axes.time is not None else None,
        y_axis=dims.index(axes.y),
        x_axis=dims.index(axes.x),
        steps=tuple(variable.steps.get(dim, 0) for dim in dims),
        positions=variable.positions,
        width=variable.size[1],
        height=variable.size[0],
    )


@dataclass(frozen=True, slots=True)
class CubeVariable:
    """One variable with its levels, from fine to coarse."""

    info: VariableInfo
    levels: tuple[CubeLevel, ...]


class Cube(Reader):
    """Reads variables that are arrays over time, y and x.

    Args:
        collection: Id of the collection, for messages.
        variables: Variables by id.
        info: Description of the source.
        file: The path of the file with the whole source, if it is one.
    """

    def __init__(
        self, collection: str, variables: Mapping[str, CubeVariable], info: SourceInfo, *, file: str | None = None
    ) -> None:
        self._collection, self._file = collection, file
        self._variables = dict(variables)
        self._state_keys = {name: _state_keys(variable.levels) for name, variable in variables.items()}
        self._info = info

    def revision(self, variable: str, index: int) -> str:
        """Return the fingerprints of the chunks of that time at all levels, with the metadata of a Zarr store."""
        native, *overviews = self._variables[variable].levels
        own = self.revision_of_window(variable, index, native.whole)
        return " ".join((own, *(_state_of_overview(level, index) for level in overviews)))

    def revision_of_window(self, variable: str, index: int, window: Window) -> str:
        """Return the fingerprint of the native chunks of that time and window, with the metadata of a Zarr store."""
        level = self._variables[variable].levels[0]
        with reading_dates(self._collection, variable, is_source_reachable=level.source.is_there):
            return level.revision(index, window)

    def revision_key(self, variable: str, index: int) -> int:
        """Return a number that differs between times in different chunks of any level."""
        return self._state_keys[variable][index]

    def file_of(self, variable: str, index: int) -> str | None:  # noqa: ARG002 -- all is in it
        """Return the file that holds everything, if one does."""
        return self._file

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        source = self._variables[variable]
        array = source.levels[level]
        rows = slice(window.row_start, window.row_stop, step)
        columns = slice(window.column_start, window.column_stop, step)
        numbers = self._read(variable, array, array.selection(array.positions[index], rows, columns))
        if array.x_axis < array.y_axis:
            numbers = numbers.T
        return Pixels(reinterpret_numbers(numbers, source.info.encoding.dtype))

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        source = self._variables[variable]
        array = source.levels[0]
        if not indexes:
            return Pixels(np.empty(0, dtype=source.info.encoding.dtype))
        positions = [array.positions[index] for index in indexes]
        numbers = self._read(variable, array, array.selection(_run(positions), row, column))
        if array.time_axis is None:
            numbers = np.repeat(numbers, len(positions))
        return Pixels(reinterpret_numbers(numbers, source.info.encoding.dtype))

    def _read(self, variable: str, level: CubeLevel, selection: Selection) -> NumberArray:
        with reading_dates(self._collection, variable, is_source_reachable=level.source.is_there):
            return level.source.read(selection)

    def block_shape(self, variable: str, along: Along) -> BlockShape:  # noqa: ARG002 -- there is one layout
        """Return the shape of the chunks."""
        with reading(self._collection, variable):
            return self._variables[variable].levels[0].block_shape

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:  # noqa: ARG002 -- there is one layout
        """Return (time, y, x) pixels of a window of the native grid."""
        source = self._variables[variable]
        array = source.levels[0]
        rows, columns = slice(window.row_start, window.row_stop), slice(window.column_start, window.column_stop)
        times = _run([array.positions[index] for index in indexes])
        numbers = self._read(variable, array, array.selection(times, rows, columns))
        numbers = np.moveaxis(numbers, array.block_axes, range(-len(array.block_axes), 0))
        if array.time_axis is None:
            numbers = np.repeat(numbers[np.newaxis], len(indexes), axis=0)
        return Pixels(reinterpret_numbers(numbers, source.info.encoding.dtype))

    def close(self) -> None:
        """Let go of open files."""
        for variable in self._variables.values():
            for level in variable.levels:
                level.source.close()


def _state_keys(levels: Sequence[CubeLevel]) -> list[int]:
    """For each time a number that stands for the chunks along time that have it."""
    numbers: dict[tuple[int, ...], int] = {}
    chunks = (tuple(level.chunk_of(index) for level in levels) for index in range(len(levels[0].positions)))
    return [numbers.setdefault(each, len(numbers)) for each in chunks]


def _state_of_overview(level: CubeLevel, index: int) -> str:
    """Return the state of a time; a missing overview is no failure, as the native level may be read."""
    try:
        return level.revision(index, level.whole)
    except (OSError, ChronotileError):
        return GONE


def _kept_before(selection: Sequence[int | slice | list[int]], axis: int) -> int:
    # The axis of a stored dimension after integers of a selection are dropped.
    return sum(not isinstance(each, int) for each in selection[:axis])


def _run(positions: list[int]) -> slice | list[int]:
    # A slice for consecutive positions, which arrays read fastest.
    first, count = positions[0], len(positions)
    return slice(first, first + count) if positions == list(range(first, first + count)) else positions
