"""Reader of mosaics: pieces of an instant composed on any grid, and native cells at any point."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

import numpy as np

from chronotile.core.errors import SourceUnavailable, TooManyPieces, VariableLacking
from chronotile.core.model.collection import Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.raster import Codes, Pixels, replace_codes_by_mask
from chronotile.core.model.request import Point
from chronotile.core.model.source import Mask, SourceSpec, VariableInfo
from chronotile.core.model.space.boxes import WORLD, BBox
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import Instant, InstantArray, NumberArray
from chronotile.core.read_cost import ReadCost
from chronotile.core.warp.strips import rows_of, strips_of
from chronotile.readers.derived.alignment import shared_times
from chronotile.readers.lattices import Lattice, lattice_at, require_same_cells
from chronotile.readers.mosaic.boxes import box_of_grid, box_of_point, widen_box
from chronotile.readers.mosaic.info import MosaicInfo, mosaic_info, replace_rule
from chronotile.readers.mosaic.overlap import STATISTICS, Sheet, overlap_parts, overlap_sheets
from chronotile.readers.mosaic.overviews import FIRST_FACTOR, Overviews
from chronotile.readers.mosaic.parts import FarAway, MosaicParts, parts_of
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.mosaic.pieces import Failures, Pieces
from chronotile.readers.mosaic.places import PlacesInPieces, requested_ahead
from chronotile.readers.mosaic.scenes import OpenAhead, OpenAsset, Scenes
from chronotile.readers.mosaic_reader import PROVISIONAL, MosaicReader, ReportSkippedItem
from chronotile.readers.reader import Along, NativeCell, SamplePiece
from chronotile.readers.skipped_items import SkippedItems

MOST_DIRECT = 8
"""Items above which a picture is composed from overviews, if these exist."""
MOST_DATED = 16
"""Times above which the revision of all items is used instead of a revision of these times."""
PREPARED_SIDE = 1024
"""Side in pixels of a picture of the whole mosaic, whose overviews are prepared."""


SAMPLED = 4
"""Items per time that are sampled for the range of values."""
FILE_S = 3.5e-3
"""Processor seconds to open a file of an item."""
PIECE_S = 0.8e-3
"""Processor seconds to read a block of a file and to place it."""
PIECE_VALUE_S = 15e-9
"""Processor seconds per number of a block."""
BLOCKS_AHEAD = 4
"""Times of a series of an area whose files are requested ahead; fewer than for points, as windows are larger."""


def open_mosaic(
    spec: SourceSpec,
    index: PieceIndex,
    open_asset: OpenAsset,
    *,
    open_ahead: OpenAhead | None = None,
    far: FarAway | None = None,
    skipped_items: SkippedItems | None = None,
) -> "ItemsReader":
    """Return a reader of the items of a collection.

    Args:
        spec: The source.
        index: Index of its items.
        open_asset: Opens a file.
        open_ahead: Starts to open files that `open_asset` opens soon; `None` if files are only opened one by one.
        far: Storage of overviews of mosaics; `None` to compose all pictures from items.
        skipped_items: Cache of failures of items, shared with other sources; `None` for a separate one.

    Raises:
        UnsupportedSource: The index has no item.
        SourceUnavailable: The item index is unreachable, or no tried item can be opened.
    """
    scenes = Scenes(spec, index, open_asset, open_ahead, skipped_items=skipped_items)
    return ItemsReader(parts_of(spec, index, scenes, far), mosaic_info(spec, index, scenes))


class ItemsReader(MosaicReader):
    """Reader of overlapping items as one raster per instant.

    The levels belong to a grid over all pieces. Windows and blocks on it are composed like pictures: a cell has the
    value of the mosaic at its centre.

    Args:
        parts: Index, scenes and settings, shared by all readers of the source.
        mosaic: Variables of the mosaic.
        report: Called for each skipped item; by default skipped items are counted and logged.
    """

    def __init__(self, parts: MosaicParts, mosaic: MosaicInfo, *, report: ReportSkippedItem | None = None) -> None:
        self._parts = parts
        self._mosaic, self._info = mosaic, mosaic.info
        self._overviews = None if parts.far is None else self._overviews_in(parts.far)
        self._report = report or self._log

    @property
    def reopen_reason(self) -> str:
        """Names a file with an encoding that was unknown when the mosaic was opened; empty without one."""
        return self._parts.scenes.reopen_reason

    def learn_encodings(self, variable: str) -> None:
        """Open the files of items that do not state their encoding."""
        native = self.info.variables[variable].grid
        grid = grid_of_window(native, Window(0, native.height, 0, native.width))
        for index in range(len(self.info.variables[variable].times)):
            refs = self._parts.scenes.list_unstated(self._refs_on(variable, index, grid), variable)
            for _opened in self._pieces(variable).open_scenes(refs, Failures(lambda _ref, _error: None)):
                pass

    def lattices(self, variable: str) -> tuple[Lattice, ...]:
        """Return the lattices of the native cells of the pieces; the lattice of most pieces is first."""
        return self._mosaic.variables[variable].lattices

    def has_native_grid(self, variable: str) -> bool:
        """Return whether the cells of the levels are native cells of all pieces, or configured."""
        return self._mosaic.variables[variable].has_native_grid

    def lattice_at(self, variable: str, point: Point) -> Lattice | None:
        """Return the lattice of native cells at a point, of most pieces; `None` if the levels have it."""
        pieces = self._mosaic.variables[variable]
        if len(pieces.lattices) == 1 and self._parts.items.grid is None:
            return None
        return lattice_at(pieces.grids, pieces.lattices, point)

    def replace_report(self, report: ReportSkippedItem) -> "ItemsReader":
        """Return a reader of the same source that calls `report` for each skipped item."""
        return self._replace_mosaic(self._mosaic, report)

    def replace_grid(self, grid: NativeGrid) -> "ItemsReader":
        """Return a reader of the same source with windows, blocks and cells of another grid."""
        pieces = {name: replace(info, has_native_grid=True) for name, info in self._mosaic.variables.items()}
        variables = {name: replace(variable, levels=(grid,)) for name, variable in self.info.variables.items()}
        info = replace(self._mosaic.info, variables=variables)
        return self._replace_mosaic(replace(self._mosaic, info=info, variables=pieces), self._report)

    def mosaic_rule(self, variable: str) -> MosaicRule:
        """Return how overlapping pieces of a variable are combined."""
        return self._mosaic.variables[variable].rule

    def replace_rule(self, rule: MosaicRule) -> "ItemsReader":
        """Return a reader of the same source that combines pieces by another rule; their order stays."""
        return ItemsReader(self._parts.replace_rule(rule), replace_rule(self._mosaic, rule), report=self._report)

    def replace_times(self, times: TimeDomain) -> "ItemsReader":
        """Return a reader whose indexes count these times, even if its items have other times now."""
        variables = {name: replace(variable, times=times) for name, variable in self.info.variables.items()}
        info = replace(self._mosaic.info, variables=variables)
        return self._replace_mosaic(replace(self._mosaic, info=info), self._report)

    def _replace_mosaic(self, mosaic: MosaicInfo, report: ReportSkippedItem) -> "ItemsReader":
        return ItemsReader(self._parts, mosaic, report=report)

    def add_formula(self, name: str, expression: Expression, operands: Sequence[str]) -> "ItemsReader":
        """Return a reader of the same items with an additional variable, which is computed for each item.

        Args:
            name: Id of the variable.
            expression: Expression over variables of the source.
            operands: The ids of these variables; the formula has the grid of the first.

        Raises:
            InvalidParameter: The operands lie on different grids, or have no time in common.
        """
        require_same_cells({operand: self._mosaic.variables[operand].lattices for operand in operands})
        first = self.info.variables[operands[0]]
        times = shared_times([self.info.variables[operand] for operand in operands])
        encoding = Encoding(dtype="float32", nodata=float("nan"))
        variable = VariableInfo(
            name=name, encoding=encoding, levels=first.levels, times=times, is_mosaic=True, is_derived=True
        )
        mosaic, info = self._mosaic, self.info
        pieces = replace(mosaic.variables[operands[0]], encoding=encoding)
        return ItemsReader(
            self._parts.add_formula(name, expression),
            replace(
                mosaic,
                info=replace(info, variables={**info.variables, name: variable}),
                variables={**mosaic.variables, name: pieces},
            ),
            report=self._report,
        )

    def add_mask(self, masked: VariableInfo, mask: Mask) -> "ItemsReader":
        """Return a reader of the same items that masks a variable in each: masked pixels show the piece below.

        Args:
            masked: The variable, with the times that its mask has, too.
            mask: The variable of the source that masks it.
        """
        info = replace(self.info, variables={**self.info.variables, masked.name: masked})
        parts = self._parts.add_mask(masked.name, mask, self.info.variables)
        return ItemsReader(parts, replace(self._mosaic, info=info), report=self._report)

    def compose(self, variable: str, *, index: int, grid: Grid, resampling: Resampling = "nearest") -> Pixels:
        """Return (y, x) pixels on a grid at one time, composed of all pieces, with codes.

        Raises:
            DateUnreadable: No item on the grid can be read.
            SourceUnavailable: The item index is unreachable.
            LimitExceeded: More items than `max_pieces` would be opened.
        """
        refs = self._refs_on(variable, index, grid)
        if len(refs) > MOST_DIRECT and self._overviews is not None:
            info = self.info.variables[variable]
            with suppress(OSError):  # a stored block is damaged: compose the items now; the block is made again later
                overview_pixels = self._overviews.compose(info, index, grid, resampling)
                if overview_pixels is not None:
                    return overview_pixels
        mosaic = self._parts.items.mosaic
        if len(refs) > mosaic.max_pieces:
            outlined = mosaic.too_many == "footprints"
            boxes = [ref.bbox for ref in refs]
            raise TooManyPieces(boxes, allowed=mosaic.max_pieces, may_be_outlined=outlined)
        return self._from_pieces(variable, refs, grid, resampling)

    def picture_inputs(self, variable: str, index: int, grid: Grid) -> str:
        """Return whether a picture is composed of pieces or of overviews, which give different pixels."""
        if len(self._refs_on(variable, index, grid)) <= MOST_DIRECT:
            return "pieces"
        if self._overviews is None:
            return PROVISIONAL
        return "overviews" if self._overviews.are_stored(self.info.variables[variable], index, grid) else PROVISIONAL

    def prepare_overviews(self, variable: str, index: int) -> None:
        """Queue the overviews of a whole time, which are composed in the background."""
        if self._overviews is None:
            return
        info = self.info.variables[variable]
        native = info.grid
        cells = max(native.width, native.height) / PREPARED_SIDE
        if cells >= FIRST_FACTOR:
            whole = Window(0, native.height, 0, native.width)
            size = max(1, round(native.width / cells)), max(1, round(native.height / cells))
            grid = grid_of_window(native, whole)
            self._overviews.request(info, index, replace(grid, width=size[0], height=size[1]))

    def _overviews_in(self, far: FarAway) -> Overviews:
        return Overviews(
            files=far.files,
            pool=far.pool,
            meaning=self._parts.meaning,
            state=self._state_of_block,
            made=self._compose_all,
        )

    def _state_of_block(self, variable: str, index: int, grid: Grid) -> bytes | None:
        return self._parts.state(variable, self._instants(variable, [index]), box_of_grid(grid))

    def _compose_all(self, variable: str, index: int, grid: Grid) -> Pixels:
        """(y, x) pixels of a grid from all items, without a limit.

        Raises:
            SourceUnavailable: An item cannot be read; a temporary gap must not be stored.
        """
        failed = list[Exception]()

        def report(_ref: ItemRef, error: Exception) -> None:
            if not isinstance(error, VariableLacking):
                failed.append(error)

        reader = self.replace_report(report)
        refs = self._refs_on(variable, index, grid)
        pixels = reader._from_pieces(variable, refs, grid, "nearest")  # noqa: SLF001 -- of the same class
        if failed:
            raise SourceUnavailable(f"{len(failed)} items of it cannot be read now") from failed[0]
        return pixels

    def _from_pieces(self, variable: str, refs: Sequence[ItemRef], grid: Grid, resampling: Resampling) -> Pixels:
        failures, pieces = Failures(self._report), self._pieces(variable)
        is_combined = self._mosaic.variables[variable].rule in STATISTICS
        is_of_cells = is_combined and resampling == "nearest" and pieces.is_native(refs, grid, failures)

        def sheets(rows: slice) -> Pixels:
            part = grid if rows == slice(0, grid.height) else rows_of(grid, rows)
            shape = part.height, part.width
            if is_of_cells:
                return self._combine_sheets(variable, iter(pieces.sheets_at_centres(refs, part, failures)), shape)
            parts = pieces.parts(refs, part, resampling, failures, frame=grid)
            info = self._mosaic.variables[variable]
            return overlap_parts(parts, info.rule, info.encoding, shape)

        strips = [sheets(rows) for rows in strips_of(grid)]
        failures.require_some(refs)
        return strips[0] if len(strips) == 1 else _combine(strips, np.concatenate)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, every `step`-th row and column.

        Level 0 has native cells of the pieces, as in blocks, however large these are. Other levels are composed of the
        overviews of the pieces.
        """
        if level == 0:
            block = self.read_block(variable, indexes=[index], window=window, along="space")
            codes = block.codes and Codes(block.codes.numbers[0], block.codes.names)
            pixels = replace_codes_by_mask(Pixels(block.numbers[0], codes=codes))
        else:
            grid = grid_of_window(self._levels(variable)[level], window)
            pixels = replace_codes_by_mask(self.compose(variable, index=index, grid=grid))
        return Pixels(pixels.numbers[::step, ::step], None if pixels.valid is None else pixels.valid[::step, ::step])

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:  # noqa: ARG002 -- there is one layout
        """Return the cost of opening the files of items in a window, and of composing their blocks."""
        box = box_of_grid(grid_of_window(self._levels(variable)[0], window))
        items, times = len(self._refs(variable, indexes, box)), max(1, len(set(indexes)))
        files = items * self._parts.files_of(variable)
        return ReadCost(
            opening_s=files * FILE_S,
            block_s=files / times * PIECE_S,
            value_s=max(1.0, files / times) * PIECE_VALUE_S,
        )

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:  # noqa: ARG002 -- there is one layout
        """Return (time, y, x) pixels of a window of the native grid, with codes."""
        grid = grid_of_window(self._levels(variable)[0], window)
        by_instant = self._refs_by_instant(variable, indexes, box_of_grid(grid))
        refs = [by_instant.get(self._instant(variable, index), ()) for index in indexes]
        blocks, pieces = [], self._pieces(variable)
        is_combined = self._mosaic.variables[variable].rule in STATISTICS

        def request(coming: Sequence[Sequence[ItemRef]]) -> None:
            if len(refs) > 1:  # the pieces of a single time are requested together anyway
                pieces.fetch_blocks_ahead([ref for time_refs in coming for ref in time_refs], grid)

        for time_refs in requested_ahead(refs, BLOCKS_AHEAD, request):
            failures = Failures(self._report)
            sheets = pieces.coded_sheets(time_refs, grid, failures)
            if is_combined:
                sheets = iter(pieces.sheets_at_centres(time_refs, grid, failures))
            blocks.append(self._combine_sheets(variable, sheets, (grid.height, grid.width)))
            failures.require_some(time_refs)
        return _combine(blocks, np.stack)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of the mosaic at the centre of a cell of the native grid."""
        grid = self._levels(variable)[0]
        x, y = grid.centre_of(row, column)
        return self.read_point(variable, indexes=indexes, point=Point(x=x, y=y, crs=grid.crs))

    def read_point(self, variable: str, *, indexes: Sequence[int], point: Point) -> Pixels:
        """Return (time,) pixels of the native cells of the pieces at a point.

        The rule `first` gives the cell of the first piece, in order, with a value or a flag. A statistic uses
        the cells of all pieces that contain the centre of this cell.

        Raises:
            DateUnreadable: No item of a time can be read.
            SourceUnavailable: The item index is unreachable.
        """
        box = box_of_point(point)
        pieces = self._mosaic.variables[variable]
        if pieces.rule in STATISTICS:  # pieces that do not contain the point may contain the centre of the cell
            box = widen_box(box, max(grid.resolution * grid.crs.metres_per_unit for grid in pieces.grids))
        by_instant = self._refs_by_instant(variable, indexes, box)
        refs = [by_instant.get(self._instant(variable, index), ()) for index in indexes]
        return self._places(variable).read(refs, point)

    def find_native_cell(self, variable: str, index: int, point: Point) -> NativeCell | None:
        """Return the cell of the piece that the rule `first` shows at a point; `None` without a piece.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """
        refs = self._refs(variable, [index], box_of_point(point))
        return self._places(variable).cell(refs, point)

    def sample_pieces(self, variable: str, index: int) -> tuple[SamplePiece, ...]:
        """Return some readable items of a time, spread over the order of the items."""
        refs = self._refs(variable, [index], WORLD)
        sample = refs[:: max(1, len(refs) // SAMPLED)][:SAMPLED]
        opened = self._pieces(variable).open_scenes(sample, Failures(self._report))
        return tuple(SamplePiece(scene.reader, variable, 0) for scene, _info in opened)

    def items_revision(self) -> str:
        """Return the change counter of the items, and how variables are made from them."""
        parts = self._parts
        made = " ".join(parts.made_of(name, info.rule) for name, info in self._mosaic.variables.items())
        return f"{parts.index.state(parts.spec.collection).counter} {made}"

    def are_files_indexed(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> bool:
        """Return whether the index has the current local files; `items_revision` is read from the index again."""
        box = WORLD if window is None else box_of_grid(grid_of_window(self._levels(variable)[0], window))
        return self._parts.are_counted(variable, self._instants(variable, indexes), box)

    def revision(self, variable: str, index: int) -> str:
        """Return the revision of all items of a time."""
        return self.revision_of_times(variable, [index])

    def revision_of_window(self, variable: str, index: int, window: Window) -> str:
        """Return the revision of the items that intersect a window of the native grid."""
        return self.revision_of_times(variable, [index], window)

    def revision_of_times(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> str:
        """Return the revision of the items of some times in a window, and how the variable is made from them.

        Without a window, all items of these times count; with more than `MOST_DATED` times, all items of the source.
        """
        parts = self._parts
        made = parts.made_of(variable, self._mosaic.variables[variable].rule)
        if window is None and len(indexes) > MOST_DATED:
            return self.items_revision()
        if window is None:
            return f"{parts.revision_of_times(variable, self._instants(variable, indexes))} {made}"
        box = box_of_grid(grid_of_window(self._levels(variable)[0], window))
        state = parts.state(variable, self._instants(variable, indexes), box)
        return f"{(state or b'').hex()} {made}"

    def _combine_sheets(self, variable: str, sheets: Iterator[Sheet], shape: tuple[int, ...]) -> Pixels:
        pieces = self._mosaic.variables[variable]
        return overlap_sheets(sheets, pieces.rule, pieces.encoding, shape)

    def _pieces(self, variable: str) -> Pieces:
        return Pieces(self._parts.scenes, self._parts.plans, variable, self._mosaic.variables[variable].encoding)

    def _places(self, variable: str) -> PlacesInPieces:
        pieces = self._mosaic.variables[variable]
        return PlacesInPieces(self._pieces(variable), pieces.rule, pieces.encoding, self._report)

    def _levels(self, variable: str) -> tuple[NativeGrid, ...]:
        return self.info.variables[variable].levels

    def _instant(self, variable: str, index: int) -> Instant:
        instant: Instant = self.info.variables[variable].times.instants[index]
        return instant

    def _refs(self, variable: str, indexes: Sequence[int], box: BBox) -> tuple[ItemRef, ...]:
        # Items of some times that intersect a box.
        return self._parts.refs(self._instants(variable, indexes), box)

    def _instants(self, variable: str, indexes: Sequence[int]) -> InstantArray:
        return self.info.variables[variable].times.instants[sorted(set(indexes))]

    def _refs_on(self, variable: str, index: int, grid: Grid) -> tuple[ItemRef, ...]:
        return self._refs(variable, [index], box_of_grid(grid))

    def _refs_by_instant(self, variable: str, indexes: Sequence[int], box: BBox) -> dict[Instant, tuple[ItemRef, ...]]:
        refs = self._refs(variable, indexes, box)
        return {instant: tuple(some) for instant, some in groupby(refs, key=attrgetter("instant"))}

    def _log(self, ref: ItemRef, error: Exception) -> None:
        self._parts.scenes.skipped_items.report(self._parts.spec.collection, ref, error)


def grid_of_window(grid: NativeGrid, window: Window) -> Grid:
    """Return the grid of some cells of a north-up native one."""
    a, _b, c, _d, e, f = grid.transform[:6]
    return Grid(
        crs=grid.crs,
        bbox=BBox(
            c + window.column_start * a, f + window.row_stop * e, c + window.column_stop * a, f + window.row_start * e
        ),
        width=window.width,
        height=window.height,
    )


def _combine(parts: Sequence[Pixels], combine: Callable[[list[NumberArray]], NumberArray]) -> Pixels:
    codes = [part.codes for part in parts if part.codes is not None]
    all_codes = Codes(combine([each.numbers for each in codes]), codes[0].names)
    return Pixels(combine([part.numbers for part in parts]), codes=all_codes)
