"""Where overviews of mosaics are: square blocks of coarse cells, in tiers, each of which is one small file."""

from collections.abc import Iterator
from dataclasses import dataclass

from affine import Affine

from chronotile.model.grid import BBox, Grid, NativeGrid
from chronotile.warp.plan import cells_per_pixel, place_of

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
        return NativeGrid(
            crs=tier.crs,
            transform=tier.transform @ Affine.translation(left, top),
            width=min(BLOCK_SIDE, tier.width - left),
            height=min(BLOCK_SIDE, tier.height - top),
        )

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
