"""Overviews of mosaics: coarse pictures that would need many items are drawn from stored overviews of each instant.

Overviews are square blocks of coarse cells, in tiers of increasing cell size. Each block is a small file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b

import numpy as np

from chronotile.core.model.collection import Resampling
from chronotile.core.model.raster import Pixels, replace_codes_by_mask
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.time.domain import NO_TIME
from chronotile.core.model.types import Instant
from chronotile.core.warp.level_choice import cells_per_pixel
from chronotile.core.warp.plan import place_of, plan_warp
from chronotile.core.warp.strips import plan_strips, strips_of
from chronotile.readers.cog.planes import spans
from chronotile.readers.mosaic.overlap import UNCOVERED_CODE, Sheet, overlap_sheets
from chronotile.readers.mosaic.overview_files import OverviewFiles, Wanted
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.reader import Reader

FIRST_FACTOR = 16
"""Native cells along a side of a cell of the finest tier: 160 m for Sentinel-2, whose own overviews end there."""
BETWEEN_TIERS = 8
"""Ratio of the cell sizes of successive tiers. The overviews of a block lie between its tier and the next."""
BLOCK_SIDE = 2048
"""Side of a block in cells: 327 km in the finest tier for Sentinel-2. A map on a screen needs at most four blocks."""
FINER = 1.25
"""A tier is used for pixels down to its cell size divided by this."""
MAX_OPENED_BLOCKS = 8
"""Maximum number of blocks per picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewBlock:
    """A block of cells of a tier."""

    whole: NativeGrid
    """The native grid of the mosaic's levels."""
    tier: int
    """0 is the finest."""
    row: int
    """Row among the blocks of its tier, from the north."""
    column: int

    @property
    def factor(self) -> int:
        """Native cells along a side of a cell."""
        return factor_of(self.tier)

    @property
    def native(self) -> NativeGrid:
        """Grid of the cells."""
        tier = self.whole.coarser(self.factor)
        top, left = self.row * BLOCK_SIDE, self.column * BLOCK_SIDE
        bottom, right = min(top + BLOCK_SIDE, tier.height), min(left + BLOCK_SIDE, tier.width)
        return tier.part(Window(top, bottom, left, right))

    @property
    def levels(self) -> tuple[NativeGrid, ...]:
        """Grids of the cells and of the coarser levels in the file."""
        return tuple(self.native.coarser(factor) if factor > 1 else self.native for factor in self.factors)

    @property
    def factors(self) -> tuple[int, ...]:
        """Cells of the first level along a side of a cell of each level."""
        return tuple(2**number for number in range(BETWEEN_TIERS.bit_length()))

    @property
    def grid(self) -> Grid:
        """The cells as a requested grid."""
        native = self.native
        box = native.bbox
        return Grid(crs=native.crs, bbox=BBox(*box), width=native.width, height=native.height)

    def parts(self) -> Iterator["OverviewBlock"]:
        """Yield the blocks of the next finer tier that this block is made from; the finest tier yields nothing."""
        if self.tier == 0:
            return
        below = OverviewBlock(whole=self.whole, tier=self.tier - 1, row=0, column=0)
        tier = self.whole.coarser(below.factor)
        for row in range(self.row * BETWEEN_TIERS, (self.row + 1) * BETWEEN_TIERS):
            for column in range(self.column * BETWEEN_TIERS, (self.column + 1) * BETWEEN_TIERS):
                if row * BLOCK_SIDE < tier.height and column * BLOCK_SIDE < tier.width:
                    yield OverviewBlock(whole=self.whole, tier=self.tier - 1, row=row, column=column)


def levels_of_tier(whole: NativeGrid, tier: int) -> tuple[NativeGrid, ...]:
    """Return the levels of all blocks of a tier together."""
    return tuple(whole.coarser(factor_of(tier) * 2**number) for number in range(BETWEEN_TIERS.bit_length()))


def blocks_for(whole: NativeGrid, grid: Grid) -> tuple[OverviewBlock, ...] | None:
    """Return the blocks that a picture is drawn from; `None` if its pixels are too fine or it needs too many blocks.

    Args:
        whole: The native grid of the mosaic's levels, north-up.
        grid: Grid of the picture.
    """
    located = place_of(grid, whole)
    if located is None:
        return None
    cells = cells_per_pixel(located.grid, whole) * FINER
    tier = _tier_of(cells)
    if tier is None:
        return None
    # Counted in cells of the coarsest level of a block, so that bilinear resampling has the neighbouring cells.
    window = whole.coarser(factor_of(tier + 1)).window_of(located.grid.bbox, located.grid.crs)
    if window is None:
        return None
    side = BLOCK_SIDE // BETWEEN_TIERS
    rows = range(window.row_start // side, -(-window.row_stop // side))
    columns = range(window.column_start // side, -(-window.column_stop // side))
    if len(rows) * len(columns) > MAX_OPENED_BLOCKS:
        return None
    return tuple(OverviewBlock(whole=whole, tier=tier, row=row, column=column) for row in rows for column in columns)


def _tier_of(cells: float) -> int | None:
    """Return the coarsest tier whose cells have at most `cells` native cells along a side; `None` if too fine."""
    if cells < FIRST_FACTOR:
        return None
    tier = 0
    while factor_of(tier + 1) <= cells:
        tier += 1
    return tier


def factor_of(tier: int) -> int:
    """Return the number of native cells along a side of a cell of a tier."""
    factor: int = FIRST_FACTOR * BETWEEN_TIERS**tier
    return factor


FORMAT_VERSION = 1
"""Version of the files and their computation. Files of other versions are not used, and are removed as the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overviews:
    """The overviews of one mosaic.

    The name of a block contains the revision of its items, so that changed items have another block.
    """

    files: OverviewFiles
    pool: HandlePool
    meaning: str
    """Text that differs between mosaics with different overviews: collection, variables, rule and order."""
    state: Callable[[str, int, Grid], bytes | None]
    """Return the revision of a variable's items on a grid at the index of a time; `None` without items."""
    made: Callable[[str, int, Grid], Pixels]
    """Return (y, x) pixels of a variable at the index of a time on a grid, composed of all its items."""

    def compose(self, variable: VariableInfo, index: int, grid: Grid, resampling: Resampling) -> Pixels | None:
        """Return (y, x) pixels of a grid at one time with codes; `None` if blocks are missing, which it requests.

        Raises:
            OSError: A block is damaged and was removed.
        """
        blocks = blocks_for(variable.grid, grid)
        names = None if blocks is None else self._names(variable, index, blocks)
        if blocks is None or names is None:
            return None
        return self._compose(variable, names, grid, resampling)

    def are_stored(self, variable: VariableInfo, index: int, grid: Grid) -> bool:
        """Return whether a picture is drawn from overviews, without requesting any."""
        blocks = blocks_for(variable.grid, grid)
        if blocks is None:
            return False
        names = ((block, self._name(variable, index, block)) for block in blocks)
        return all(name is None or self.files.has(name) for _block, name in names)

    def request(self, variable: VariableInfo, index: int, grid: Grid) -> None:
        """Request the blocks of a grid at one time, which are made in the background."""
        blocks = blocks_for(variable.grid, grid)
        if blocks is not None:
            self._names(variable, index, blocks)

    def _names(
        self, variable: VariableInfo, index: int, blocks: Sequence[OverviewBlock]
    ) -> list[tuple[OverviewBlock, str]] | None:
        """Return the blocks that have items, with their names; `None` if files are missing, which it requests."""
        stored_blocks, is_whole = [], True
        for block in blocks:
            name = self._name(variable, index, block)
            if name is None:
                continue
            if self.files.has(name):
                stored_blocks.append((block, name))
            else:
                is_whole = False
                self._request_block(variable, index, block, name)
        return stored_blocks if is_whole else None

    def _name(self, variable: VariableInfo, index: int, block: OverviewBlock) -> str | None:
        """Return the name of a block; `None` if it has no items."""
        state = self.state(variable.name, index, block.grid)
        if state is None:
            return None
        parts = (FORMAT_VERSION, self.meaning, variable.name, _ns(variable, index), variable.encoding, block, state)
        return blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    def _request_block(self, variable: VariableInfo, index: int, block: OverviewBlock, name: str) -> None:
        request = Wanted(
            order=(-_ns(variable, index), block.tier, block.row, block.column),
            make=partial(self._make_cells, variable, index, block),
            levels=block.levels,
            factors=block.factors,
            counting=Counting(encoding=variable.encoding, is_categorical=variable.is_categorical),
        )
        self.files.request(name, request)

    def _make_cells(self, variable: VariableInfo, index: int, block: OverviewBlock) -> Pixels | None:
        """Return the cells of a block; `None` if blocks of the finer tier are missing."""
        parts = tuple(block.parts())
        if not parts:
            return replace_codes_by_mask(self.made(variable.name, index, block.grid))
        names = self._names(variable, index, parts)
        return None if names is None else replace_codes_by_mask(self._compose(variable, names, block.grid, "nearest"))

    def _compose(
        self, variable: VariableInfo, blocks: Sequence[tuple[OverviewBlock, str]], grid: Grid, resampling: Resampling
    ) -> Pixels:
        if not blocks:
            return overlap_sheets((), "first", variable.encoding, (grid.height, grid.width))
        first = blocks[0][0]
        levels = levels_of_tier(first.whole, first.tier)
        tier_variable = replace(variable, levels=levels, times=NO_TIME, is_mosaic=False)
        readers = {
            (block.row, block.column): self.files.reader(name, tier_variable, self.pool) for block, name in blocks
        }
        sheet = _sheet(_Tier(readers, tier_variable), tier_variable, grid, resampling)
        return overlap_sheets(() if sheet is None else (sheet,), "first", variable.encoding, (grid.height, grid.width))


@dataclass(frozen=True, slots=True)
class _Tier:
    """Blocks of a tier as one source, so that pictures across their borders have no seam."""

    blocks: Mapping[tuple[int, int], Reader]
    """Readers by row and column; blocks without items are missing."""
    info: VariableInfo
    """Variable with the levels of the tier."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column.

        Raises:
            OSError: A block is damaged and was removed.
        """
        shape = -(-window.height // step), -(-window.width // step)
        numbers, valid = np.zeros(shape, dtype=self.info.encoding.dtype), np.zeros(shape, dtype=bool)
        side = BLOCK_SIDE >> level
        for row, rows, into_rows in spans(window.row_start, window.row_stop, side, step):
            for column, columns, into_columns in spans(window.column_start, window.column_stop, side, step):
                block = self.blocks.get((row, column))
                if block is None:
                    continue
                block_window = Window(rows.start, rows.stop, columns.start, columns.stop)
                part = block.read_window(variable, index=index, level=level, window=block_window, step=step)
                numbers[into_rows, into_columns] = part.numbers
                valid[into_rows, into_columns] = True if part.valid is None else part.valid
        return Pixels(numbers, None if valid.all() else valid)


def _sheet(tier: _Tier, variable: VariableInfo, grid: Grid, resampling: Resampling) -> Sheet | None:
    """Return a tier on a grid; `None` if they have no common pixel."""
    is_small = len(strips_of(grid)) == 1
    plan = (plan_warp if is_small else plan_strips)(variable.levels, grid, resampling=resampling)
    if plan is None:
        return None
    raster = plan.warp(plan.read(tier, variable, 0), variable.encoding)
    codes = variable.encoding.codes(raster.numbers)
    if raster.present is not None:
        codes[~raster.present] = UNCOVERED_CODE
    return Sheet(raster.numbers, codes)


def _ns(variable: VariableInfo, index: int) -> int:
    instant: Instant = variable.times.instants[index]
    return int(instant.astype("datetime64[ns]").astype(int))
