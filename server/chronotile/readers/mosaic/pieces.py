"""Reading of pieces on a grid, or in the cell at a point, in the common encoding of all pieces."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice
from typing import TypeVar

import numpy as np

from chronotile.core.errors import (
    ChronotileError,
    DateUnreadable,
    SourceUnavailable,
    UnsupportedSource,
    VariableLacking,
)
from chronotile.core.model.collection import Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import ItemRef
from chronotile.core.model.raster import Codes, Pixels, cell_reasons, pixel_codes
from chronotile.core.model.request import Point
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.crs import transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import FloatArray, IndexArray, NumberArray
from chronotile.core.warp.level_choice import level_for
from chronotile.core.warp.level_windows import Slices
from chronotile.core.warp.plan import WarpPlan, plan_warp
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.joined.recoding import recoding_of
from chronotile.readers.lattices import lattice_of
from chronotile.readers.mosaic.overlap import UNCOVERED_CODE, PartOfGrid, Sheet, sheet_of
from chronotile.readers.mosaic.scenes import Scene, Scenes
from chronotile.readers.mosaic_reader import ReportSkippedItem
from chronotile.readers.reader import NativeCell, Reader, cell_at

# Alignment for statistics: pieces with different cells are read at the centre of the cell that `first` would choose.


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOfPiece:
    """A piece on a grid: each pixel has the native cell that contains its centre."""

    sheet: Sheet
    grid: NativeGrid
    """Native grid of the piece."""
    read: Callable[[Window], Sheet]
    """Read (y, x) native cells of a window of that grid.

    Raises:
        SourceUnavailable: The cells cannot be read.
    """


def at_centres(pieces: Sequence[SheetOfPiece], grid: Grid) -> list[Sheet]:
    """Return the pieces with the cells at the centres of the cells that `first` would choose.

    Args:
        pieces: Pieces in order.
        grid: Grid of their sheets.

    Raises:
        SourceUnavailable: A piece cannot be read.
    """
    lattices = [lattice_of(piece.grid) for piece in pieces]
    if len(set(lattices)) <= 1 and None not in lattices:
        return [piece.sheet for piece in pieces]
    chosen = _chosen_pieces(pieces)
    x, y = np.meshgrid(grid.x_of(np.arange(grid.width) + 0.5), grid.y_of(np.arange(grid.height) + 0.5))
    moved = [Sheet(piece.sheet.numbers.copy(), piece.sheet.codes.copy()) for piece in pieces]
    for number, first in enumerate(pieces):
        is_first = chosen == number
        if not is_first.any():
            continue
        centres = _centres(first.grid, *transformer(grid.crs, first.grid.crs).transform(x[is_first], y[is_first]))
        for other, piece in enumerate(pieces):
            if other != number and (lattices[other] is None or lattices[other] != lattices[number]):
                cells = _cells(piece, *transformer(first.grid.crs, piece.grid.crs).transform(*centres))
                moved[other].numbers[is_first], moved[other].codes[is_first] = cells.numbers, cells.codes
    return moved


def _chosen_pieces(pieces: Sequence[SheetOfPiece]) -> IndexArray:
    """Return (y, x) positions of the first piece with a value or a flag; -1 if no piece has one."""
    chosen = np.full(pieces[0].sheet.codes.shape, -1, dtype=np.intp)
    for number, piece in enumerate(pieces):
        chosen[(chosen < 0) & ~piece.sheet.is_lacking] = number
    return chosen


def _centres(grid: NativeGrid, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    # The centres of the cells that contain points.
    columns, rows = grid.pixels_at(x, y)
    return grid.points_at(np.floor(columns) + 0.5, np.floor(rows) + 0.5)


def _cells(piece: SheetOfPiece, x: FloatArray, y: FloatArray) -> Sheet:
    """Return (point,) cells of a piece that contain points; `UNCOVERED_CODE` for points outside the piece."""
    columns, rows = (np.floor(each) for each in piece.grid.pixels_at(x, y))
    is_inside = (columns >= 0) & (columns < piece.grid.width) & (rows >= 0) & (rows < piece.grid.height)
    numbers = np.zeros(columns.shape, dtype=piece.sheet.numbers.dtype)
    sheet = Sheet(numbers, np.full(columns.shape, UNCOVERED_CODE, dtype=np.uint8))
    if is_inside.any():
        cell_rows, cell_columns = rows[is_inside].astype(np.intp), columns[is_inside].astype(np.intp)
        top, left = int(cell_rows.min()), int(cell_columns.min())
        cells = piece.read(Window(top, int(cell_rows.max()) + 1, left, int(cell_columns.max()) + 1))
        at = cell_rows - top, cell_columns - left
        sheet.numbers[is_inside], sheet.codes[is_inside] = cells.numbers[at], cells.codes[at]
    return sheet


Result = TypeVar("Result")

AT_ONCE = 8
"""Number of items whose assets are read from the index in one query. Few maps need more."""

MAX_NAMED = 3
"""Maximum number of item ids in an error."""

TOGETHER = 4
"""Number of items whose pixels are requested concurrently. Most pictures need as many; few requests are wasted."""

OTHER_ENCODING = "its encoding is another than those known when the mosaic was opened"

Plans = ByteCache[WarpPlan | None]
"""Warp plans by levels, grid, resampling and level: 10⁶ items have some hundred layouts."""


@dataclass(slots=True)
class Failures:
    """The items that could not be read for a raster."""

    report: ReportSkippedItem
    errors: dict[int, Exception] = field(default_factory=dict)
    """First error of each item by its number; an item is read again for each strip of a raster."""
    lacking: set[int] = field(default_factory=set)
    """Numbers of items without the variable, which cannot be read later either."""

    def take(self, ref: ItemRef, error: Exception) -> None:
        """Add a skipped item."""
        if ref.number not in self.errors:
            self.errors[ref.number] = error
            self.report(ref, error)

    def lack(self, ref: ItemRef, error: VariableLacking) -> None:
        """Add an item without the variable, which counts as outside of all items."""
        if ref.number not in self.lacking:
            self.lacking.add(ref.number)
            self.report(ref, error)

    def require_some(self, refs: Sequence[ItemRef]) -> None:
        """Check that not all items of an answer failed, apart from items without the variable.

        Raises:
            DateUnreadable: All failed; at least one store answered.
            SourceUnavailable: All failed; no store answered.
        """
        if not self.errors or len(self.errors) + len(self.lacking) < len(refs):
            return
        errors = list(self.errors.values())
        kind = SourceUnavailable if all(type(x) is SourceUnavailable for x in errors) else DateUnreadable
        names = ", ".join(ref.id for ref in refs[:MAX_NAMED])
        more = ", …" if len(refs) > MAX_NAMED else ""
        raise kind(f"no item there can be read: {names}{more}") from errors[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceInPiece:
    """A piece at a point."""

    scene: Scene
    info: VariableInfo
    cell: NativeCell
    """The cell that contains the point."""
    sheet: Sheet
    """The place's value: a number and a code, both arrays of shape (1,)."""

    @property
    def centre(self) -> Point:
        """The centre of the cell."""
        x, y = self.cell.grid.centre_of(self.cell.row, self.cell.column)
        return Point(x=x, y=y, crs=self.cell.grid.crs)


def _why_lacking(info: SourceInfo, variable: str) -> str:
    messages = (x.message for x in info.findings if x.place == variable)
    return next(messages, f"it has no variable {variable}")


class Pieces:
    """Reader of a variable of items.

    Args:
        scenes: Open items.
        plans: Cached warp plans of layouts.
        variable: Id of the variable.
        encoding: Common encoding of all pieces.
    """

    def __init__(self, scenes: Scenes, plans: Plans, variable: str, encoding: Encoding) -> None:
        self._scenes, self._plans, self._variable, self._encoding = scenes, plans, variable, encoding

    def open_scenes(self, refs: Sequence[ItemRef], failures: Failures) -> Iterator[tuple[Scene, VariableInfo]]:
        """Yield the items that can be opened and have the variable, in order; no more are opened than needed."""
        for start in range(0, len(refs), AT_ONCE):
            some = refs[start : start + AT_ONCE]
            assets = self._scenes.assets(some, self._variable)
            for ref in some:
                failure = self._scenes.failure(ref, self._variable)
                if failure is not None:
                    failures.take(ref, failure)
                    continue
                try:
                    scene = self._scenes.open(ref, self._variable, assets.get(ref.number))
                    if scene is None:
                        continue  # the item was removed after the search; the removal changes the ETag of the answer
                    info = scene.reader.info.variables.get(self._variable)
                    if info is None:
                        failures.lack(ref, VariableLacking(_why_lacking(scene.reader.info, self._variable)))
                        continue
                    if recoding_of(info.encoding, self._encoding) is None:
                        is_alike = info.encoding.units == self._encoding.units
                        self._scenes.note_encoding(ref, info, is_alike=is_alike)
                        failures.take(ref, UnsupportedSource(OTHER_ENCODING))
                        continue
                except (ChronotileError, OSError) as error:
                    self._scenes.note_unopened(ref, self._variable, error)
                    failures.take(ref, error)
                    continue
                yield scene, info

    def parts(
        self, refs: Sequence[ItemRef], grid: Grid, resampling: Resampling, failures: Failures, *, frame: Grid
    ) -> Iterator[PartOfGrid]:
        """Yield the pieces that cover a part of a grid, in order; they are read on demand.

        Args:
            refs: The items.
            grid: Grid of the pixels.
            resampling: How they are resampled.
            failures: Receives items that cannot be read.
            frame: Grid of the whole picture, which determines the levels.
        """
        for planned in self._plan_scenes(refs, failures, partial(self._plan_in, grid, resampling, frame)):
            *_scene, plan = planned
            yield PartOfGrid(at=plan.place.at, inside=plan.inside, read=partial(self._warp, planned, failures))

    def _warp(self, planned: tuple[Scene, VariableInfo, WarpPlan], failures: Failures, only: Slices) -> Sheet | None:
        scene, info, plan = planned
        pixels = self._try_read(partial(plan.read, scene.reader, info, 0), scene, failures)
        if pixels is None:
            return None
        raster = plan.warp_place(pixels, info.encoding, only)
        codes = info.encoding.codes(raster.numbers)
        if raster.present is not None:
            codes[~raster.present] = UNCOVERED_CODE
        return self._sheet(raster.numbers, Codes(codes, info.encoding.code_names), info)

    def coded_sheets(self, refs: Sequence[ItemRef], grid: Grid, failures: Failures) -> Iterator[Sheet]:
        """Yield the pieces on a grid, each pixel with the nearest native cell."""
        for piece in self._read_on_grid(refs, grid, failures):
            yield piece.sheet

    def sheets_at_centres(self, refs: Sequence[ItemRef], grid: Grid, failures: Failures) -> list[Sheet]:
        """Return all pieces on a grid, each pixel with the native cell at the centre of the cell that `first` chooses.

        Raises:
            SourceUnavailable: A piece cannot be read a second time.
        """
        pieces = list(self._read_on_grid(refs, grid, failures))
        return at_centres(pieces, grid) if pieces else []

    def is_native(self, refs: Sequence[ItemRef], grid: Grid, failures: Failures) -> bool:
        """Return whether a picture of a grid shows native cells of its first item."""
        first = next(self.open_scenes(refs, failures), None)
        return first is not None and _level(first[1].levels, grid) == 0

    def _read_on_grid(self, refs: Sequence[ItemRef], grid: Grid, failures: Failures) -> Iterator[SheetOfPiece]:
        for scene, info, plan in self._plan_scenes(refs, failures, partial(self._native_plan_in, grid)):
            block = self._try_read(partial(_block, scene.reader, info, plan), scene, failures)
            if block is None:
                continue
            whole = plan.warp(Pixels(block.numbers), info.encoding)
            codes = _placed_codes(plan, block, whole.numbers, info.encoding)
            sheet = self._sheet(whole.numbers, codes, info)
            yield SheetOfPiece(sheet=sheet, grid=info.grid, read=partial(self._native_cells, scene, info))

    def _native_cells(self, scene: Scene, info: VariableInfo, window: Window) -> Sheet:
        block = scene.reader.read_block(info.name, indexes=[0], window=window, along="space")
        codes = pixel_codes(block, info.encoding)
        return self._sheet(block.numbers[0], Codes(codes.numbers[0], codes.names), info)

    def _plan_scenes(
        self, refs: Sequence[ItemRef], failures: Failures, plan_of: Callable[[VariableInfo], WarpPlan | None]
    ) -> Iterator[tuple[Scene, VariableInfo, WarpPlan]]:
        """Yield the items that cover a part of a grid; files of several are requested before the first is read."""
        opened = self.open_scenes(refs, failures)
        while some := list(islice(opened, TOGETHER)):
            reaching = ((scene, info, plan) for scene, info in some if (plan := plan_of(info)) is not None)
            if all(scene.files for scene, _info in some):
                yield from reaching  # on demand: local files need no requests
                continue
            planned = list(reaching)
            if self.is_of_several_files(len(planned)):
                for scene, info, plan in planned:
                    if not scene.files:
                        _fetch_ahead(scene, info, plan)
            yield from planned

    def is_of_several_files(self, count: int) -> bool:
        """Return whether `count` items are read from more than one file."""
        return count > 1 or (count == 1 and self._scenes.has_several_files(self._variable))

    def _plan_in(self, grid: Grid, resampling: Resampling, frame: Grid, info: VariableInfo) -> WarpPlan | None:
        return self._plan(info.levels, grid, resampling, _level(info.levels, frame))

    def _native_plan_in(self, grid: Grid, info: VariableInfo) -> WarpPlan | None:
        return self._plan(info.levels, grid, "nearest", 0)

    def fetch_ahead(self, refs: Sequence[ItemRef], point: Point) -> None:
        """Request the native cells of items at a point, which `at_place` reads; it also reports failures."""

        def request(scene: Scene, info: VariableInfo) -> None:
            cell = cell_at(info.grid, point)
            if cell is not None:
                window = Window.from_cell(cell.row, cell.column)
                scene.reader.fetch_ahead(self._variable, index=0, level=0, window=window)

        self._request(refs, request)

    def fetch_blocks_ahead(self, refs: Sequence[ItemRef], grid: Grid) -> None:
        """Request the native cells of items for a grid, which `coded_sheets` reads; it also reports failures."""

        def request(scene: Scene, info: VariableInfo) -> None:
            plan = self._native_plan_in(grid, info)
            if plan is not None:
                _fetch_ahead(scene, info, plan)

        self._request(refs, request)

    def _request(self, refs: Sequence[ItemRef], request: Callable[[Scene, VariableInfo], None]) -> None:
        for scene, info in self.open_scenes(refs, Failures(lambda _ref, _error: None)):
            if not scene.files:  # local files need no requests
                request(scene, info)

    def at_place(self, scene: Scene, info: VariableInfo, point: Point, failures: Failures) -> "PlaceInPiece | None":
        """Return the native cell of a piece at a point; `None` outside the piece or if it cannot be read."""
        cell = cell_at(info.grid, point)
        return None if cell is None else self._try_read(partial(self._read, scene, info, cell), scene, failures)

    def _try_read(self, read: Callable[[], Result], scene: Scene, failures: Failures) -> Result | None:
        """Return the result of `read`; `None` if it fails, and record the failure."""
        try:
            return read()
        except (ChronotileError, OSError) as error:
            self._scenes.note_failure(scene, self._variable, error)
            failures.take(scene.ref, error)
            return None

    def read_or_reuse(
        self, scene: Scene, info: VariableInfo, point: Point, failures: Failures, *, cell_before: "PlaceInPiece | None"
    ) -> "PlaceInPiece | None":
        """Return the cell of a piece at a point, which may be `cell_before`; `None` as in `at_place`."""
        if cell_before is not None and cell_at(info.grid, point) == cell_before.cell:
            return cell_before
        return self.at_place(scene, info, point, failures)

    def _read(self, scene: Scene, info: VariableInfo, cell: NativeCell) -> "PlaceInPiece":
        pixels = scene.reader.read_cell(self._variable, indexes=[0], row=cell.row, column=cell.column)
        reason = cell_reasons(pixels, info.encoding)[0]
        names = info.encoding.code_names
        code = 0 if reason is None else names.index(reason) + 1
        sheet = self._sheet(pixels.numbers, Codes(np.array([code], dtype=np.uint8), names), info)
        return PlaceInPiece(scene=scene, info=info, cell=cell, sheet=sheet)

    def _sheet(self, numbers: NumberArray, codes: Codes, info: VariableInfo) -> Sheet:
        return sheet_of(numbers, codes, source=info.encoding, target=self._encoding)

    def _plan(self, levels: tuple[NativeGrid, ...], grid: Grid, resampling: Resampling, level: int) -> WarpPlan | None:
        return self._plans.get_or_make(
            (levels, grid, resampling, level), lambda: plan_warp(levels, grid, resampling=resampling, level=level)
        )


@lru_cache(maxsize=4096)
def _level(levels: tuple[NativeGrid, ...], frame: Grid) -> int:
    return level_for(levels, frame)


def _fetch_ahead(scene: Scene, info: VariableInfo, plan: WarpPlan) -> None:
    for window in plan.windows:
        scene.reader.fetch_ahead(info.name, index=0, level=plan.level, window=window, step=plan.step)


def _block(reader: Reader, info: VariableInfo, plan: WarpPlan) -> Pixels:
    """Return (y, x) native pixels of a plan's windows, with codes if numbers alone do not show missing values."""
    blocks = [reader.read_block(info.name, indexes=[0], window=window, along="space") for window in plan.windows]
    numbers = (
        np.concatenate([block.numbers[0] for block in blocks], axis=-1) if len(blocks) > 1 else blocks[0].numbers[0]
    )
    if all(block.valid is None and block.codes is None for block in blocks):
        return Pixels(numbers)
    coded = [pixel_codes(block, info.encoding) for block in blocks]
    codes = np.concatenate([x.numbers[0] for x in coded], axis=-1)
    return Pixels(numbers, codes=Codes(codes, coded[0].names))


def _placed_codes(plan: WarpPlan, block: Pixels, numbers: NumberArray, encoding: Encoding) -> Codes:
    """Return the codes of native pixels on the grid.

    Args:
        plan: Plan with the position of the pixels on the grid.
        block: Pixels as read by `_block`.
        numbers: (y, x) numbers on the grid.
        encoding: Encoding of the numbers.
    """
    placed = np.full(numbers.shape, UNCOVERED_CODE, dtype=np.uint8)
    at = plan.place.at
    codes = encoding.codes(numbers[at]) if block.codes is None else plan.gather.cells.take(block.codes.numbers)
    placed[at] = codes if plan.inside is None else np.where(plan.inside, codes, UNCOVERED_CODE)
    return Codes(placed, encoding.code_names if block.codes is None else block.codes.names)
