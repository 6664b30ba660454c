"""The plug that every kind of source fits: windows of a level, and one cell along time."""

import logging
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from affine import Affine

from chronotile.core.errors import REPLACE_FILES, ChronotileError, DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.collection import Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import Point
from chronotile.core.model.source import Mask, SourceInfo, VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import BoolArray, Int64Array
from chronotile.core.read_cost import ReadCost
from chronotile.core.warp.plan import plan_warp
from chronotile.readers.hrefs import one_look
from chronotile.readers.library_errors import (
    BeingWritten,
    Damaged,
    origin_of,
    unavailable,
    unavailable_text,
    with_causes,
)

log = logging.getLogger(__name__)

GONE = "gone"
"""The state of a date whose file is gone while others are there."""

Along = Literal["time", "space"]
"""Which layout blocks are read from, where a source has two: that of series, or that of maps."""


class BlockShape(NamedTuple):
    """What a source decodes at once."""

    times: int
    height: int
    width: int


PROVISIONAL = "pieces for now"
"""What a picture is composed of until there are overviews: later, or at another host, it has other pixels."""
MOST_BLOCK_BYTES = 176 << 20
"""Of what is decoded at once: as much as a worker has for all large answers together. Larger blocks are not served."""


def require_small_block(numbers: int, dtype: np.dtype[Any], *, remedy: str) -> None:
    """Check that what a source decodes at once fits into memory.

    Args:
        numbers: Of a block.
        dtype: Their type.
        remedy: How to write the source again.

    Raises:
        UnsupportedSource: It does not.
    """
    size = numbers * dtype.itemsize
    if size > MOST_BLOCK_BYTES:
        raise UnsupportedSource(
            f"a block of it, which is read as a whole, takes {size >> 20} MiB, at most {MOST_BLOCK_BYTES >> 20} MiB "
            f"are accepted; {remedy}"
        )


PLAIN_BLOCK = BlockShape(1, 512, 512)
"""Of a source whose blocks are not known."""


class Reader(Protocol):
    """Reads one source. Methods may be called by several threads at once.

    `variable` is an id of `info.variables`; `index` counts that variable's times (0 for one without time). Windows
    lie inside the level and are never empty. If the store cannot be reached, methods raise `SourceUnavailable`, whose
    message has neither path nor URL. Its subclass `DateUnreadable` means that the store can be reached, and one of the
    requested dates is damaged or gone; the caller finds it by requesting fewer dates (`readers.bisect_damage`). Data
    that cannot be read are never replaced by a fill value.

    Readers inherit from this class. Methods with a body here work for any source, and are overridden where a source
    can be faster.
    """

    @property
    def info(self) -> SourceInfo:
        """What the source holds; by default always what a reader sets when it is made."""
        found: SourceInfo = getattr(self, "_info")  # noqa: B009 -- without a default, which would be an empty source
        return found

    def revision(self, variable: str, index: int) -> str:
        """Return a short text that changes when the pixels of that time do; reads no pixels."""

    def items_revision(self) -> str:
        """Return a text that changes with every change to the items of a mosaic; empty for other sources.

        Raises:
            SourceUnavailable: The index of items does not answer.
        """
        return ""

    def are_files_indexed(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> bool:
        """Return whether the item index has seen the current files of some times in a window.

        `items_revision` is read from the index again, so that it includes them.

        Raises:
            SourceUnavailable: The index of items does not answer.
        """
        return True

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level; of every `step`-th row and column where `step` exceeds 1."""

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the requests of a window that is read soon, so that files elsewhere are fetched side by side.

        It waits for nothing, and raises nothing: reading the window does. Sources whose files are here need not do it.
        """
        return

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell at the times of `indexes`, in that order; by default of one time."""
        if any(indexes):
            raise ValueError("a reader of several times has a read_cell of its own")
        pixels = self.read_window(variable, index=0, level=0, window=Window.from_cell(row, column))
        valid = None if pixels.valid is None else np.repeat(pixels.valid[0], len(indexes))
        return Pixels(np.repeat(pixels.numbers[0], len(indexes)), valid)

    def close(self) -> None:
        """Let go of open files; by default it has none open."""
        return

    def replace_report(self, report: "ReportSkippedItem") -> "Reader":
        """Return a reader of the same source that calls `report` for each skipped item."""
        return self

    def compose(self, variable: str, *, index: int, grid: Grid, resampling: Resampling = "nearest") -> Pixels:
        """Return (y, x) pixels of a variable on a grid at one time; of a mosaic, of all its pieces.

        Raises:
            DateUnreadable: None of the items there can be read.
            SourceUnavailable: The source is gone, or the index of items does not answer.
            LimitExceeded: More items than the source allows would be opened.
        """
        info = self.info.variables[variable]
        plan = plan_warp(info.levels, grid, resampling=resampling)
        if plan is None:
            numbers = np.zeros((grid.height, grid.width), dtype=info.encoding.dtype)
            return Pixels(numbers, np.zeros(numbers.shape, dtype=bool))
        raster = plan.warp(plan.read(self, info, index), info.encoding)
        return Pixels(raster.numbers, raster.present)

    def picture_inputs(self, variable: str, index: int, grid: Grid) -> str:
        """Return what a picture of a mosaic is composed of, by which its pixels may differ though no item changed."""
        return ""

    def add_mask(self, masked: VariableInfo, mask: Mask) -> "Reader":
        """Return the reader of the same mosaic, of which each item masks a variable."""
        raise ValueError("only mosaics are masked by their reader")

    def add_formula(self, name: str, expression: Expression, over: Sequence[str]) -> "Reader":
        """Return the reader of the same mosaic with a further variable, which is computed of each item.

        Args:
            name: Of the variable.
            expression: Over variables of the source.
            over: Which those are; the first has its grid.

        Raises:
            InvalidParameter: They have no time in common.
        """
        raise ValueError("only formulas over a mosaic are computed by its reader")

    def prepare_overviews(self, variable: str, index: int) -> None:
        """Let what pictures of all of a mosaic at one time are drawn from be made in the background."""
        return

    def read_point(self, variable: str, *, indexes: Sequence[int], point: Point) -> Pixels:
        """Return (time,) pixels of the native cell that holds a place of the source; of a mosaic, of its pieces there.

        Raises:
            DateUnreadable: None of the items of a time can be read.
            SourceUnavailable: The source is gone, or the index of items does not answer.
        """
        cell = self.find_native_cell(variable, indexes[0], point)
        if cell is None:
            raise ValueError("a place outside the source has no cell")
        return self.read_cell(variable, indexes=indexes, row=cell.row, column=cell.column)

    def find_native_cell(self, variable: str, index: int, point: Point) -> "Cell | None":
        """Return the native cell whose value is that of a place at one time; `None` where there is none.

        Raises:
            SourceUnavailable: The index of items does not answer.
        """
        return cell_at(self.info.variables[variable].grid, point)

    @property
    def reopen_reason(self) -> str:
        """Why the source has to be opened again: a file has an encoding that was unknown at opening. Empty if not."""
        return ""

    def learn_encodings(self, variable: str) -> None:
        """Read the unknown encodings of the files of a variable, for the reader that opens the source next.

        Raises:
            SourceUnavailable: The index of items does not answer.
        """
        return

    def lattices(self, variable: str) -> "tuple[Lattice, ...]":
        """Return those of the native cells of a mosaic's pieces, of most pieces first."""
        return ()

    def has_native_grid(self, variable: str) -> bool:
        """Return whether the levels of a variable are native cells, or as the configuration has them."""
        return True

    def lattice_at(self, variable: str, point: Point) -> "Lattice | None":
        """Return the lattice of a mosaic's native cells at a place; `None` where its levels have them."""
        return None

    def replace_grid(self, grid: NativeGrid) -> "Reader":
        """Return the reader of the same mosaic whose windows, blocks and cells are those of a north-up grid."""
        return self

    def mosaic_rule(self, variable: str) -> MosaicRule | None:
        """Return how pieces of a variable of a mosaic are combined; `None` of other sources."""
        return None

    def replace_rule(self, rule: MosaicRule) -> "Reader":
        """Return the reader of the same mosaic whose pieces, in their order, are combined by another rule."""
        return self

    def replace_times(self, times: TimeDomain) -> "Reader":
        """Return the reader of the same mosaic whose indexes count these times, whatever its items have by now."""
        return self

    def raster_file(self, variable: str, index: int) -> str | None:
        """Return the path or URL of the raster file with all of a variable at one time, or `None` for other sources."""
        return None

    def file_of(self, variable: str, index: int) -> str | None:
        """Return the path or URL of the file that holds all of a variable at one time; `None` where none does."""
        return None

    def sample_pieces(self, variable: str, index: int) -> "tuple[Piece, ...]":
        """Return parts of a variable at one time that show which values it has: few, however many it has."""
        return (Piece(self, variable, index),)

    def file_encodings(self, variable: str) -> frozenset[Encoding]:
        """Return the encodings that the files themselves tell, whatever the configuration says; none if not known."""
        return frozenset()

    def revision_key(self, variable: str, index: int) -> Hashable:
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
        keys = [self.revision_key(variable, index) for index in indexes]
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

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return what reading blocks takes, including all that the variable is made of; reads no pixels.

        Args:
            variable: The variable.
            indexes: The times.
            window: One of those that are read, of the native grid.
            along: The layout.

        Raises:
            SourceUnavailable: The source is gone.
        """
        return ReadCost()

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid at the times of `indexes`, in that order.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        return stack_pixels([self.read_window(variable, index=index, level=0, window=window) for index in indexes])

    def has_fast_cells(self, variable: str) -> bool:
        """Return whether `read_cells` reads each chunk of scattered cells once, without the blocks around them."""
        return False

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array) -> Pixels:
        """Return (time, cell) pixels of scattered native cells at the times of `indexes`, in that order."""
        return _cells_of_blocks(self, variable, indexes, rows=rows, columns=columns)


ReportSkippedItem = Callable[[ItemRef, Exception], None]
"""Called with an item that is skipped, and the error."""


SHARE_OF_CELL = 1e-3
"""By which corners of one lattice may differ, as stored coordinates are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Cells of one size and position that go on without end; of north-up grids."""

    crs: Crs
    width: float
    """Of a cell, in units of the CRS."""
    height: float
    x: float
    """Of the left edge of some column, at least 0 and less than `width`."""
    y: float
    """Of the upper edge of some row."""

    def grid(self, box: BBox) -> NativeGrid:
        """Return the cells that a box of the CRS touches."""
        slack = SHARE_OF_CELL
        left = math.floor((box.xmin - self.x) / self.width + slack)
        right = max(left + 1, math.ceil((box.xmax - self.x) / self.width - slack))
        top = math.ceil((box.ymax - self.y) / self.height - slack)
        bottom = min(top - 1, math.floor((box.ymin - self.y) / self.height + slack))
        return NativeGrid(
            crs=self.crs,
            transform=Affine(self.width, 0, self.x + left * self.width, 0, -self.height, self.y + top * self.height),
            width=right - left,
            height=top - bottom,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A native cell of a piece."""

    grid: NativeGrid
    row: int
    column: int


@lru_cache(maxsize=4096)
def cell_at(grid: NativeGrid, point: Point) -> Cell | None:
    """Return the cell of a grid that holds a place; `None` outside. The files of a series mostly have one grid."""
    x, y = point.x, point.y
    if point.crs != grid.crs:
        x, y = transformer(point.crs, grid.crs).transform(x, y)
    found = grid.cell_at(x, y)
    return None if found is None else Cell(grid=grid, row=found[0], column=found[1])


@dataclass(frozen=True, slots=True)
class Piece:
    """A variable of a source at one time, which has one grid, one encoding and one state there."""

    reader: Reader
    """In which it has the grid and the encoding of its own."""
    variable: str
    index: int

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
    masks = _masks(parts)
    return Pixels(np.stack([part.numbers for part in parts]), None if masks is None else np.stack(masks))


def concatenate_pixels(parts: Sequence[Pixels], axis: int = 0) -> Pixels:
    """Return pixels one after another along an axis, by default each below those before; of one part its own."""
    if len(parts) == 1:
        return parts[0]
    masks = _masks(parts)
    numbers = np.concatenate([part.numbers for part in parts], axis=axis)
    return Pixels(numbers, None if masks is None else np.concatenate(masks, axis=axis))


def _masks(parts: Sequence[Pixels]) -> list[BoolArray] | None:
    if all(part.valid is None for part in parts):
        return None
    return [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]


def _cells_of_blocks(
    reader: Reader, variable: str, indexes: Sequence[int], *, rows: Int64Array, columns: Int64Array
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


def _window_round(rows: Int64Array, columns: Int64Array) -> Window:
    return Window(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)


# Errors of reading, turned into our own.


@contextmanager
def reading(collection: str, variable: str) -> Iterator[None]:
    """Turn what goes wrong inside into an error that names the variable, and no path; the log has the rest.

    Raises:
        SourceUnavailable: In place of a foreign error.
    """
    try:
        yield
    except ChronotileError:
        raise
    except Exception as error:  # as in `library_errors.opening`
        log.warning("reading %s of %s failed: %s", variable, collection, with_causes(error))
        raise unavailable(collection, variable, "cannot be read") from error


@contextmanager
def reading_dates(collection: str, variable: str, *, is_source_there: Callable[[], bool]) -> Iterator[None]:
    """Turn what goes wrong with the data of some dates into an error that names the variable, and no path.

    Args:
        collection: Its id.
        variable: The variable's id.
        is_source_there: Whether the source can be reached; called only after a failure.

    Raises:
        DateUnreadable: The dates failed although the source is there.
        SourceUnavailable: The source is away.
    """
    try:
        yield
    except Exception as error:  # as in `library_errors.opening`
        if isinstance(error, ChronotileError) and not isinstance(error, SourceUnavailable):
            raise
        if isinstance(origin_of(error), BeingWritten):
            raise unavailable(collection, variable, "are being written") from error
        known = error.message if isinstance(error, SourceUnavailable) else None
        if isinstance(origin_of(error), Damaged) or is_source_there():
            damaged = f"files of {variable} in collection {collection} are damaged or missing; {REPLACE_FILES}"
            raise DateUnreadable(known or damaged) from error  # the caller lists and logs the date
        if not isinstance(error, SourceUnavailable) or error.__cause__ is not None:
            log.warning("reading %s of %s failed: %s", variable, collection, with_causes(error))
        raise SourceUnavailable(known or unavailable_text(collection, variable)) from error
