"""Mosaics far away: pictures that would take many items are drawn from overviews of each instant."""

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
from chronotile.core.warp.plan import cells_per_pixel, place_of, plan_warp
from chronotile.core.warp.strips import plan_strips, strips_of
from chronotile.readers.cog.planes import spans
from chronotile.readers.mosaic.overlap import OUTSIDE_CODE, Sheet, overlapped
from chronotile.readers.mosaic.overview_files import OverviewFiles, Wanted
from chronotile.readers.overviews import Counting
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.reader import Reader

# Where overviews of mosaics are: square blocks of coarse cells, in tiers, each of which is one small file.

FIRST_FACTOR = 16
"""Native cells along a side of a cell of the finest tier: 160 m for Sentinel-2, whose own overviews reach that far."""
BETWEEN_TIERS = 8
"""Cells of a tier along a side of one of the next; a block has the overviews between them."""
BLOCK_SIDE = 2048
"""Cells: 327 km of the finest tier for Sentinel-2. A map of a screen takes four blocks or fewer of its tier."""
FINER = 1.25
"""A tier is used for pixels down to its cells divided by this."""
MOST_BLOCKS = 8
"""That a picture opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewBlock:
    """Some cells of a tier of the grid of a mosaic."""

    whole: NativeGrid
    """The native grid of the mosaic's levels."""
    tier: int
    """0 is the finest."""
    row: int
    """Of the blocks, from the north."""
    column: int

    @property
    def factor(self) -> int:
        """Native cells along a side of a cell."""
        return factor_of(self.tier)

    @property
    def native(self) -> NativeGrid:
        """The cells."""
        tier = self.whole.coarser(self.factor)
        top, left = self.row * BLOCK_SIDE, self.column * BLOCK_SIDE
        bottom, right = min(top + BLOCK_SIDE, tier.height), min(left + BLOCK_SIDE, tier.width)
        return tier.part(Window(top, bottom, left, right))

    @property
    def levels(self) -> tuple[NativeGrid, ...]:
        """The cells, and coarser ones that the file has too."""
        return tuple(self.native.coarser(factor) if factor > 1 else self.native for factor in self.factors)

    @property
    def factors(self) -> tuple[int, ...]:
        """Cells along a side of a cell of each level."""
        return tuple(2**number for number in range(BETWEEN_TIERS.bit_length()))

    @property
    def grid(self) -> Grid:
        """The cells as a grid that is requested."""
        native = self.native
        box = native.bbox
        return Grid(crs=native.crs, bbox=BBox(*box), width=native.width, height=native.height)

    def parts(self) -> Iterator["OverviewBlock"]:
        """Yield the blocks of the tier below, from whose overviews this one is made; none for the finest tier."""
        if self.tier == 0:
            return
        below = OverviewBlock(whole=self.whole, tier=self.tier - 1, row=0, column=0)
        tier = self.whole.coarser(below.factor)
        for row in range(self.row * BETWEEN_TIERS, (self.row + 1) * BETWEEN_TIERS):
            for column in range(self.column * BETWEEN_TIERS, (self.column + 1) * BETWEEN_TIERS):
                if row * BLOCK_SIDE < tier.height and column * BLOCK_SIDE < tier.width:
                    yield OverviewBlock(whole=self.whole, tier=self.tier - 1, row=row, column=column)


def levels_of_tier(whole: NativeGrid, tier: int) -> tuple[NativeGrid, ...]:
    """Return the levels that the blocks of a tier have together."""
    return tuple(whole.coarser(factor_of(tier) * 2**number) for number in range(BETWEEN_TIERS.bit_length()))


def blocks_for(whole: NativeGrid, grid: Grid) -> tuple[OverviewBlock, ...] | None:
    """Return the blocks that a picture is drawn from; `None` where its pixels are too fine, or it takes too many.

    Args:
        whole: The native grid of the mosaic's levels, north-up.
        grid: Of the picture.
    """
    place = place_of(grid, whole)
    if place is None:
        return None
    cells = cells_per_pixel(place.grid, whole) * FINER
    tier = _tier_of(cells)
    if tier is None:
        return None
    # In cells of the coarsest level that blocks have, so that those beside the picture are there for bilinear.
    window = whole.coarser(factor_of(tier + 1)).window_of(place.grid.bbox, place.grid.crs)
    if window is None:
        return None
    side = BLOCK_SIDE // BETWEEN_TIERS
    rows = range(window.row_start // side, -(-window.row_stop // side))
    columns = range(window.column_start // side, -(-window.column_stop // side))
    if len(rows) * len(columns) > MOST_BLOCKS:
        return None
    return tuple(OverviewBlock(whole=whole, tier=tier, row=row, column=column) for row in rows for column in columns)


def _tier_of(cells: float) -> int | None:
    """The coarsest tier whose cells are no larger than so many native ones along a side."""
    if cells < FIRST_FACTOR:
        return None
    tier = 0
    while factor_of(tier + 1) <= cells:
        tier += 1
    return tier


def factor_of(tier: int) -> int:
    """Return how many native cells lie along a side of a cell of a tier."""
    factor: int = FIRST_FACTOR * BETWEEN_TIERS**tier
    return factor


FORMAT_VERSION = 1
"""Of blocks and of how they are made; those of other versions are not found, and make room in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overviews:
    """The overviews of one mosaic.

    Blocks are named by the states of the items that they are made of: one whose items change is another one.
    """

    files: OverviewFiles
    pool: HandlePool
    meaning: str
    """Of the collection and its variables, its rule and order: what two mosaics differ in."""
    state: Callable[[str, int, Grid], bytes | None]
    """Gives the state of the items that a grid touches, of a variable at the index of a time; `None`: there is none."""
    made: Callable[[str, int, Grid], Pixels]
    """Gives the same's (y, x) pixels on a grid out of all items, however many."""

    def compose(self, variable: VariableInfo, index: int, grid: Grid, resampling: Resampling) -> Pixels | None:
        """Return (y, x) pixels of a grid at one time with codes; `None` while blocks are lacking, which are requested.

        Raises:
            OSError: A block is damaged, and removed.
        """
        blocks = blocks_for(variable.grid, grid)
        names = None if blocks is None else self._names(variable, index, blocks)
        if blocks is None or names is None:
            return None
        return self._composed(variable, names, grid, resampling)

    def is_there(self, variable: VariableInfo, index: int, grid: Grid) -> bool:
        """Return whether a picture is drawn from overviews; requests nothing."""
        blocks = blocks_for(variable.grid, grid)
        if blocks is None:
            return False
        named = ((block, self._name(variable, index, block)) for block in blocks)
        return all(name is None or self.files.has(name) for _block, name in named)

    def request(self, variable: VariableInfo, index: int, grid: Grid) -> None:
        """Let the blocks of a grid at one time be made."""
        blocks = blocks_for(variable.grid, grid)
        if blocks is not None:
            self._names(variable, index, blocks)

    def _names(
        self, variable: VariableInfo, index: int, blocks: Sequence[OverviewBlock]
    ) -> list[tuple[OverviewBlock, str]] | None:
        """The blocks that hold something; `None` where some are lacking, which are requested."""
        found, is_whole = [], True
        for block in blocks:
            name = self._name(variable, index, block)
            if name is None:
                continue
            if self.files.has(name):
                found.append((block, name))
            else:
                is_whole = False
                self._want(variable, index, block, name)
        return found if is_whole else None

    def _name(self, variable: VariableInfo, index: int, block: OverviewBlock) -> str | None:
        """The name of a block; `None` of one without items."""
        state = self.state(variable.name, index, block.grid)
        if state is None:
            return None
        parts = (FORMAT_VERSION, self.meaning, variable.name, _ns(variable, index), variable.encoding, block, state)
        return blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    def _want(self, variable: VariableInfo, index: int, block: OverviewBlock, name: str) -> None:
        wanted = Wanted(
            order=(-_ns(variable, index), block.tier, block.row, block.column),
            make=partial(self._made, variable, index, block),
            levels=block.levels,
            factors=block.factors,
            counting=Counting(encoding=variable.encoding, is_categorical=variable.is_categorical),
        )
        self.files.request(name, wanted)

    def _made(self, variable: VariableInfo, index: int, block: OverviewBlock) -> Pixels | None:
        """The cells of a block; `None` while those of its parts are lacking."""
        parts = tuple(block.parts())
        if not parts:
            return replace_codes_by_mask(self.made(variable.name, index, block.grid))
        names = self._names(variable, index, parts)
        return None if names is None else replace_codes_by_mask(self._composed(variable, names, block.grid, "nearest"))

    def _composed(
        self, variable: VariableInfo, blocks: Sequence[tuple[OverviewBlock, str]], grid: Grid, resampling: Resampling
    ) -> Pixels:
        if not blocks:
            return overlapped((), "first", variable.encoding, (grid.height, grid.width))
        first = blocks[0][0]
        levels = levels_of_tier(first.whole, first.tier)
        own = replace(variable, levels=levels, times=NO_TIME, is_mosaic=False)
        readers = {(block.row, block.column): self.files.reader(name, own, self.pool) for block, name in blocks}
        sheet = _sheet(_Tier(readers, own), own, grid, resampling)
        return overlapped(() if sheet is None else (sheet,), "first", variable.encoding, (grid.height, grid.width))


@dataclass(frozen=True, slots=True)
class _Tier:
    """Blocks of a tier as one source, so that a picture across their borders is that of a single file."""

    blocks: Mapping[tuple[int, int], Reader]
    """By row and column; those without items are missing."""
    info: VariableInfo
    """With the levels of the tier."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column.

        Raises:
            OSError: A block is damaged, and removed.
        """
        shape = -(-window.height // step), -(-window.width // step)
        numbers, valid = np.zeros(shape, dtype=self.info.encoding.dtype), np.zeros(shape, dtype=bool)
        side = BLOCK_SIDE >> level
        for row, rows, into_rows in spans(window.row_start, window.row_stop, side, step):
            for column, columns, into_columns in spans(window.column_start, window.column_stop, side, step):
                block = self.blocks.get((row, column))
                if block is None:
                    continue
                own = Window(rows.start, rows.stop, columns.start, columns.stop)
                part = block.read_window(variable, index=index, level=level, window=own, step=step)
                numbers[into_rows, into_columns] = part.numbers
                valid[into_rows, into_columns] = True if part.valid is None else part.valid
        return Pixels(numbers, None if valid.all() else valid)


def _sheet(tier: _Tier, variable: VariableInfo, grid: Grid, resampling: Resampling) -> Sheet | None:
    """A tier on a grid; `None` where they share no pixel."""
    is_small = len(strips_of(grid)) == 1
    plan = (plan_warp if is_small else plan_strips)(variable.levels, grid, resampling=resampling)
    if plan is None:
        return None
    raster = plan.warp(plan.read(tier, variable, 0), variable.encoding)
    codes = variable.encoding.codes(raster.numbers)
    if raster.present is not None:
        codes[~raster.present] = OUTSIDE_CODE
    return Sheet(raster.numbers, codes)


def _ns(variable: VariableInfo, index: int) -> int:
    instant: Instant = variable.times.instants[index]
    return int(instant.astype("datetime64[ns]").astype(int))
