"""A reader around another one."""

from collections.abc import Hashable, Sequence
from copy import copy

from chronotile.model.collection import Resampling
from chronotile.model.grid import Grid, Window
from chronotile.model.raster import Pixels
from chronotile.model.request import Point
from chronotile.model.source import SourceInfo
from chronotile.readers.reader import Along, BlockShape, Cell, IntArray, Reader, TellItem


class Wrapped(Reader):
    """Reads what another reader does; a subclass overrides what it changes.

    Args:
        reader: Of the same source.
        info: What the source holds, if not what the reader says.
    """

    def __init__(self, reader: Reader, info: SourceInfo | None = None) -> None:
        self._reader = reader
        self._info = info

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""
        return self._reader.info if self._info is None else self._info

    def revision(self, variable: str, index: int) -> str:
        """Return the reader's state."""
        return self._reader.revision(variable, index)

    def counter(self) -> str:
        """Return the reader's."""
        return self._reader.counter()

    def is_counted(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> bool:
        """Return what the reader says of it."""
        return self._reader.is_counted(variable, indexes, window)

    def state_key(self, variable: str, index: int) -> Hashable:
        """Return that of the reader."""
        return self._reader.state_key(variable, index)

    def file_of(self, variable: str, index: int) -> str | None:
        """Return that of the reader."""
        return self._reader.file_of(variable, index)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        return self._reader.read_window(variable, index=index, level=level, window=window, step=step)

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the reader's requests of a window that is read soon."""
        self._reader.fetch_ahead(variable, index=index, level=level, window=window, step=step)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        return self._reader.read_cell(variable, indexes=indexes, row=row, column=column)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of the reader's blocks."""
        return self._reader.block_shape(variable, along)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""
        return self._reader.read_block(variable, indexes=indexes, window=window, along=along)

    def reads_cells(self, variable: str) -> bool:
        """Return whether the reader reads scattered cells at once."""
        return self._reader.reads_cells(variable)

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: IntArray, columns: IntArray) -> Pixels:
        """Return (time, cell) pixels of native cells."""
        return self._reader.read_cells(variable, indexes=indexes, rows=rows, columns=columns)

    def telling(self, tell: TellItem) -> Reader:
        """Return a reader around that of the same source which reports left-out items to `tell`."""
        reader = self._reader.telling(tell)
        if reader is self._reader:
            return self
        changed = copy(self)
        changed._reader = reader  # noqa: SLF001 -- of this class
        return changed

    def compose(self, variable: str, *, index: int, grid: Grid, resampling: Resampling = "nearest") -> Pixels:
        """Return the reader's (y, x) pixels of a grid."""
        return self._reader.compose(variable, index=index, grid=grid, resampling=resampling)

    def drawn_from(self, variable: str, index: int, grid: Grid) -> str:
        """Return what the reader composes a picture of."""
        return self._reader.drawn_from(variable, index, grid)

    def prepare(self, variable: str, index: int) -> None:
        """Let the reader prepare."""
        self._reader.prepare(variable, index)

    def read_place(self, variable: str, *, indexes: Sequence[int], place: Point) -> Pixels:
        """Return the reader's (time,) pixels at a place."""
        return self._reader.read_place(variable, indexes=indexes, place=place)

    def native_cell(self, variable: str, index: int, place: Point) -> Cell | None:
        """Return the reader's cell at a place."""
        return self._reader.native_cell(variable, index, place)

    def close(self) -> None:
        """Let go of open files."""
        self._reader.close()
