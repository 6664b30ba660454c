"""The plug that every kind of source fits: windows of a level, and one cell along time."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import DateUnreadable
from chronotile.model.grid import Window
from chronotile.model.raster import BoolArray, Encoding, Pixels
from chronotile.model.source import SourceInfo, VariableInfo
from chronotile.readers.file_state import one_look

GONE = "gone"
"""The state of a date whose file is gone while others are there."""

Along = Literal["time", "space"]
"""Which layout blocks are read from, where a source has two: that of series, or that of maps."""

IntArray = NDArray[np.int64]


class BlockShape(NamedTuple):
    """What a source decodes at once."""

    times: int
    height: int
    width: int


PLAIN_BLOCK = BlockShape(1, 512, 512)
"""Of a source whose blocks are not known."""


class Reader(Protocol):
    """Reads one source. Methods may be called by several threads at once.

    `variable` is an id of `info.variables`; `index` counts that variable's times (0 for one without time). Windows
    lie inside the level and are never empty. If the store cannot be reached, methods raise `SourceUnavailable`, whose
    message has neither path nor URL. Its subclass `DateUnreadable` means that the store can be reached, and one of the
    requested dates is damaged or gone; the caller finds it by requesting fewer dates (`readers.around_damage`). Data
    that cannot be read are never replaced by a fill value.

    Readers inherit from this class. Methods with a body here work for any source, and are overridden where a source
    can be faster.
    """

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""

    def revision(self, variable: str, index: int) -> str:
        """Return a short text that changes when the pixels of that time do; reads no pixels."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level; of every `step`-th row and column where `step` exceeds 1."""

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell at the times of `indexes`, in that order."""

    def close(self) -> None:
        """Let go of open files."""

    def pieces(self, variable: str, index: int) -> "tuple[Piece, ...]":
        """Return the parts of a variable at one time, each with a grid, an encoding and a state of its own."""
        return (Piece(self, variable, index),)

    def encodings_in_files(self, variable: str) -> frozenset[Encoding]:
        """Return the encodings that the files themselves tell, whatever the configuration says; none if not known."""
        return frozenset()

    def state_key(self, variable: str, index: int) -> Hashable:
        """Return a value that is equal for times whose `revision` is always the same; looks at no file."""
        return index

    def revision_of_window(self, variable: str, index: int, window: Window) -> str:
        """Return a text that changes when the pixels of a window of the native grid do; reads no pixels."""
        return self.revision(variable, index)

    def revision_of_times(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> str:
        """Return a text that changes when the pixels of any of the times do; reads no pixels.

        Each file and folder is looked at once.

        Args:
            variable: The variable.
            indexes: The times.
            window: The cells of the native grid that count; all of them by default, and where windows have no state.

        Raises:
            SourceUnavailable: The source is gone.
        """
        states = dict[Hashable, str]()
        keys = [self.state_key(variable, index) for index in indexes]
        with one_look():
            for key, index in zip(keys, indexes, strict=True):
                if key not in states:
                    states[key] = _revision(self, variable, index, window)
        return " ".join(map(states.__getitem__, keys))

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of blocks of the native grid; reads no pixels.

        Raises:
            SourceUnavailable: The source is gone.
        """
        return PLAIN_BLOCK

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid at the times of `indexes`, in that order.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        return stack_pixels([self.read_window(variable, index=index, level=0, window=window) for index in indexes])

    def reads_cells(self, variable: str) -> bool:
        """Return whether `read_cells` reads each chunk of scattered cells once, without the blocks around them."""
        return False

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: IntArray, columns: IntArray) -> Pixels:
        """Return (time, cell) pixels of scattered native cells at the times of `indexes`, in that order."""
        return _cells_of_blocks(self, variable, indexes, rows=rows, columns=columns)


@dataclass(frozen=True, slots=True)
class Piece:
    """A variable of a source at one time, which has one grid, one encoding and one state there."""

    reader: Reader
    """In which it has the grid and the encoding of its own."""
    variable: str
    index: int
    path: str | None = None
    """The file that holds all of it, with what that file says of the numbers, where it is known."""

    @property
    def info(self) -> VariableInfo:
        """Its grid with overviews, and its encoding."""
        return self.reader.info.variables[self.variable]


def _revision(reader: Reader, variable: str, index: int, window: Window | None) -> str:
    """The state of a date; one whose file alone is gone has a state too."""
    try:
        if window is None:
            return reader.revision(variable, index)
        return reader.revision_of_window(variable, index, window)
    except DateUnreadable:
        return GONE


def stack_pixels(parts: Sequence[Pixels]) -> Pixels:
    """Return (time, y, x) pixels of (y, x) ones, at least one."""
    numbers = np.stack([part.numbers for part in parts])
    valid = None
    if any(part.valid is not None for part in parts):
        valid = np.stack(
            [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]
        )
    return Pixels(numbers, valid)


def _cells_of_blocks(
    reader: Reader, variable: str, indexes: Sequence[int], *, rows: IntArray, columns: IntArray
) -> Pixels:
    """(time, cell) pixels, read block by block: cells may lie far apart, and the box round them be all there is."""
    times, height, width = reader.block_shape(variable, "space")
    blocks = rows // height * (int(columns.max()) // width + 1) + columns // width
    order = np.argsort(blocks, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1)
    windows = [_window_round(rows[cells], columns[cells]) for cells in groups]
    shape = (len(indexes), rows.size)
    numbers = np.empty(shape, dtype=reader.info.variables[variable].encoding.dtype)
    valid: BoolArray | None = None
    start = 0
    for _block, run in groupby(indexes, key=lambda index: index // times):
        some = list(run)
        own = slice(start, start := start + len(some))
        for cells, window in zip(groups, windows, strict=True):
            block = reader.read_block(variable, indexes=some, window=window, along="space")
            inside = (slice(None), rows[cells] - window.row_start, columns[cells] - window.column_start)
            numbers[own, cells] = block.numbers[inside]
            if block.valid is not None:
                valid = np.ones(shape, dtype=bool) if valid is None else valid
                valid[own, cells] = block.valid[inside]
    return Pixels(numbers, valid)


def _window_round(rows: IntArray, columns: IntArray) -> Window:
    return Window(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)
