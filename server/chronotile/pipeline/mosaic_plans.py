"""Mosaic plans: how pictures of a mosaic are read, which native cells they show, and from which inputs.

Each piece of a mosaic has a separate grid. The reader therefore composes the pieces directly on the requested grid,
and nothing is left to warp: the only window of a mosaic plan is the requested grid itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chronotile.core.model.collection import Layer, Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, Raster, replace_codes_by_mask
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import Instant
from chronotile.core.warp.level_choice import level_for
from chronotile.core.warp.plan import place_of
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services
from chronotile.readers.mosaic_reader import as_mosaic
from chronotile.readers.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicPlan:
    """Plan of a mosaic with the methods of `WarpPlan`; the same for all times of a variable."""

    grid: Grid
    resampling: Resampling
    level: int
    """Level whose cells have about the size of a pixel; 0 is native. The reader chooses the level of each piece."""

    @property
    def windows(self) -> tuple[Window, ...]:
        """All pixels of the grid, as one window."""
        return (Window(0, self.grid.height, 0, self.grid.width),)

    @property
    def step(self) -> int:
        """1: every row and column is read."""
        return 1

    def read(self, reader: Reader, variable: VariableInfo, index: int) -> Pixels:
        """Return the (y, x) pixels of the grid at one time of the variable.

        Raises:
            DateUnreadable: No item of this time can be read.
            SourceUnavailable: The source or its item index is unreachable.
            LimitExceeded: More items would be opened than the collection allows.
        """
        return replace_codes_by_mask(
            as_mosaic(reader).compose(variable.name, index=index, grid=self.grid, resampling=self.resampling)
        )

    def warp(self, pixels: Pixels, encoding: Encoding) -> Raster:
        """Return the pixels as a raster; they are on the grid already."""
        return Raster(pixels.numbers, encoding, pixels.valid)


def plan_mosaic(grid: Grid, variable: VariableInfo, resampling: Resampling) -> MosaicPlan | None:
    """Return the plan of a mosaic on a grid, or `None` if they share no pixel."""
    return _plan_on_levels(grid, variable.levels, resampling)


@lru_cache(maxsize=4096)
def _plan_on_levels(grid: Grid, levels: tuple[NativeGrid, ...], resampling: Resampling) -> MosaicPlan | None:
    if place_of(grid, levels[0]) is None:
        return None
    return MosaicPlan(grid=grid, resampling=resampling, level=level_for(levels, grid))


def native_windows(layer: Layer, grid: Grid) -> tuple[Window | None, ...]:
    """Return the native cells that a picture may show, one window per variable.

    The window of a variable that is not a mosaic is `None`, which means all cells.
    """
    return tuple(_native_window(variable.grid, grid) if variable.is_mosaic else None for variable in layer.variables)


@lru_cache(maxsize=4096)
def _native_window(native: NativeGrid, grid: Grid) -> Window:
    # A picture outside the native grid shows no cell. `None` would mean all cells, so any single cell stands for it.
    return native.window_of(grid.bbox, grid.crs) or Window.from_cell(0, 0)


def list_picture_inputs(layer: Layer, instants: Sequence[Instant], grid: Grid, services: Services) -> tuple[str, ...]:
    """Return whether a picture of a mosaic is made from pieces or from overviews, per variable and instant.

    The two give different pixels although no item has changed, so the result is a part of the ETag. It contains
    `PROVISIONAL` if overviews are missing that will be made later. Layers that are not mosaics have no inputs.

    Raises:
        SourceUnavailable: The source or its item index is unreachable.
    """
    if not layer.main_variable.is_mosaic:
        return ()
    reader = services.mosaic_reader(layer)
    return tuple(
        reader.picture_inputs(variable.name, time_index(variable.times.instants, instant), grid)
        for variable in layer.variables
        for instant in instants
    )
