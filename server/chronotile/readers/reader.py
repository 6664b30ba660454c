"""The interface of all kinds of source: windows of a level, and cells along time."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal, NamedTuple, Protocol

import numpy as np

from chronotile.core.errors import DateUnreadable
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import Point
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.crs import transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import BoolArray, Int64Array
from chronotile.core.read_cost import ReadCost
from chronotile.readers.file_states import one_look
from chronotile.readers.pixel_arrays import stack_pixels

GONE = "gone"
"""Revision of a date whose file is missing although other files of the source exist."""

Along = Literal["time", "space"]
"""Layout that blocks are read from if a source has two: long in time for series, or wide in space for maps."""


class BlockShape(NamedTuple):
    """Shape of the pixels that a source decodes together."""

    times: int
    height: int
    width: int


PLAIN_BLOCK = BlockShape(1, 512, 512)
"""Assumed for sources whose block shape is unknown."""


class Reader(Protocol):
    """Reader of one source. Methods may be called by several threads concurrently.

    `variable` is an id of `info.variables`; `index` is a position among the times of that variable (0 without time).
    Windows lie inside the level and are never empty. Data that cannot be read are never replaced by a fill value:
    methods raise `SourceUnavailable`, whose message has neither path nor URL, or its subclass `DateUnreadable` if the
    source answers and a requested date is damaged or missing. Callers find that date by requesting fewer
    dates (`readers.bisect_damage`).

    Readers inherit from this class. Methods with a body here work for any source; a source overrides them if it can be
    faster.
    """

    @property
    def info(self) -> SourceInfo:
        """The variables of the source, and findings about it; every reader sets `_info` at construction."""
        info: SourceInfo = getattr(self, "_info")  # noqa: B009 -- without a default, which would be an empty source
        return info

    def revision(self, variable: str, index: int) -> str:
        """Return a short text that changes when the pixels of a time change; reads no pixels."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of every `step`-th row and column of a window of a level."""

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of a window that is read soon, so that remote files are fetched concurrently.

        It does not wait or raise; `read_window` does. Readers of local files do nothing.
        """
        return

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell at `indexes`, in that order; the default is for one time."""
        if any(indexes):
            raise ValueError("a reader of several times must override read_cell")
        pixels = self.read_window(variable, index=0, level=0, window=Window.from_cell(row, column))
        valid = None if pixels.valid is None else np.repeat(pixels.valid[0], len(indexes))
        return Pixels(np.repeat(pixels.numbers[0], len(indexes)), valid)

    def close(self) -> None:
        """Close open files; the default has none."""
        return

    def read_point(self, variable: str, *, indexes: Sequence[int], point: Point) -> Pixels:
        """Return (time,) pixels of the native cell that contains a point of the source; in a mosaic, cells of pieces.

        Raises:
            DateUnreadable: No item of a time can be read.
            SourceUnavailable: The source or its item index is unreachable.
        """
        cell = self.find_native_cell(variable, indexes[0], point)
        if cell is None:
            raise ValueError("a point outside the source has no cell")
        return self.read_cell(variable, indexes=indexes, row=cell.row, column=cell.column)

    def find_native_cell(self, variable: str, index: int, point: Point) -> "NativeCell | None":
        """Return the native cell that a point has its value from at one time, or `None` if none contains it.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """
        return cell_at(self.info.variables[variable].grid, point)

    def raster_file(self, variable: str, index: int) -> str | None:
        """Return the path or URL of the raster file that has a whole time of a variable; `None` for other sources."""
        return None

    def file_of(self, variable: str, index: int) -> str | None:
        """Return the path or URL of the file that has a whole time of a variable; `None` for other sources."""
        return None

    def sample_pieces(self, variable: str, index: int) -> "tuple[SamplePiece, ...]":
        """Return a few parts that represent the values of a variable at one time; by default one with all values."""
        return (SamplePiece(self, variable, index),)

    def file_encodings(self, variable: str) -> frozenset[Encoding]:
        """Return the encodings that files state, regardless of the configuration; empty if unknown."""
        return frozenset()

    def revision_key(self, variable: str, index: int) -> Hashable:
        """Return a value that is equal for times that always have the same `revision`; inspects no file."""
        return index

    def revision_of_window(self, variable: str, index: int, window: Window) -> str:
        """Return a text that changes when the pixels of a window of the native grid change; reads no pixels."""
        return self.revision(variable, index)

    def revision_of_times(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> str:
        """Return a text that changes when pixels of these times change; reads no pixels.

        Each file and folder is inspected once.

        Args:
            variable: The variable.
            indexes: The times.
            window: Native cells that count. `None` means all; so does any window if the source has no finer revisions.

        Raises:
            SourceUnavailable: The source is unreachable.
        """
        revisions = dict[Hashable, str]()
        keys = [self.revision_key(variable, index) for index in indexes]
        with one_look():
            for key, index in zip(keys, indexes, strict=True):
                if key not in revisions:
                    revisions[key] = _revision(self, variable, index, window)
        return " ".join(map(revisions.__getitem__, keys))

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of blocks of the native grid; reads no pixels.

        Raises:
            SourceUnavailable: The source is unreachable.
        """
        return PLAIN_BLOCK

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the processor time of reading blocks, including the inputs of the variable; reads no pixels.

        Args:
            variable: The variable.
            indexes: The times.
            window: A window of the native grid, as an example of the windows that are read.
            along: The layout.

        Raises:
            SourceUnavailable: The source is unreachable.
        """
        return ReadCost()

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid at `indexes`, in that order.

        Raises:
            SourceUnavailable: The source is unreachable or damaged.
        """
        return stack_pixels([self.read_window(variable, index=index, level=0, window=window) for index in indexes])

    def has_fast_cells(self, variable: str) -> bool:
        """Return whether `read_cells` reads each chunk of scattered cells once, without the blocks around them."""
        return False

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of scattered native cells at `indexes`, in that order."""
        return _read_cells_by_block(self, variable, indexes, rows=rows, columns=columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeCell:
    """A cell of a native grid: the grid of a source or of one item of a mosaic."""

    grid: NativeGrid
    row: int
    column: int


@lru_cache(maxsize=4096)
def cell_at(grid: NativeGrid, point: Point) -> NativeCell | None:
    """Return the cell of a grid that contains a point, or `None` if the point is outside."""
    x, y = point.x, point.y
    if point.crs != grid.crs:
        x, y = transformer(point.crs, grid.crs).transform(x, y)
    position = grid.cell_at(x, y)
    return None if position is None else NativeCell(grid=grid, row=position[0], column=position[1])


@dataclass(frozen=True, slots=True)
class SamplePiece:
    """A part of a variable at one time, which can be read as a variable of a reader with one grid and encoding."""

    reader: Reader
    variable: str
    index: int

    @property
    def info(self) -> VariableInfo:
        """Grid, overviews and encoding."""
        return self.reader.info.variables[self.variable]


def _revision(reader: Reader, variable: str, index: int, window: Window | None) -> str:
    try:
        if window is None:
            return reader.revision(variable, index)
        return reader.revision_of_window(variable, index, window)
    except DateUnreadable:  # a missing date has a revision, too
        return GONE


def _read_cells_by_block(
    reader: Reader, variable: str, indexes: Sequence[int], *, rows: Int64Array, columns: Int64Array
) -> Pixels:
    """(time, cell) pixels, read block by block: the box around cells that lie far apart may be the whole source."""
    times, height, width = reader.block_shape(variable, "space")
    blocks = rows // height * (int(columns.max()) // width + 1) + columns // width
    order = np.argsort(blocks, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1)
    windows = [_window_around(rows[cells], columns[cells]) for cells in groups]
    shape = (len(indexes), rows.size)
    numbers = np.empty(shape, dtype=reader.info.variables[variable].encoding.dtype)
    valid: BoolArray | None = None
    start = 0
    for _block, run in groupby(indexes, key=lambda index: index // times):
        block_indexes = list(run)
        block_times = slice(start, start := start + len(block_indexes))
        for cells, window in zip(groups, windows, strict=True):
            block = reader.read_block(variable, indexes=block_indexes, window=window, along="space")
            inside = (slice(None), rows[cells] - window.row_start, columns[cells] - window.column_start)
            numbers[block_times, cells] = block.numbers[inside]
            if block.valid is not None:
                valid = np.ones(shape, dtype=bool) if valid is None else valid
                valid[block_times, cells] = block.valid[inside]
    return Pixels(numbers, valid)


def _window_around(rows: Int64Array, columns: Int64Array) -> Window:
    return Window(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)
