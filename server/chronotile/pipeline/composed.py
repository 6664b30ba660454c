"""Mosaics on a requested grid: they are composed there, so that there is nothing left to warp."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chronotile.model.collection import Layer, Resampling
from chronotile.model.grid import Grid, NativeGrid, Window
from chronotile.model.raster import Encoding, Pixels, Raster, with_mask
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import Instant
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services
from chronotile.readers.reader import Reader
from chronotile.warp.plan import level_for, place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedPlan:
    """How a mosaic is brought onto a grid: its reader does it."""

    grid: Grid
    resampling: Resampling
    level: int
    """0 where pixels are about as large as native cells, else more."""

    @property
    def windows(self) -> tuple[Window, ...]:
        """What is read, in pixels of the grid."""
        return (Window(0, self.grid.height, 0, self.grid.width),)

    @property
    def step(self) -> int:
        """Every row and column."""
        return 1

    def read(self, reader: Reader, variable: VariableInfo, index: int) -> Pixels:
        """Return the pixels of the grid at one time of the variable.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        return with_mask(reader.compose(variable.name, index=index, grid=self.grid, resampling=self.resampling))

    def warp(self, pixels: Pixels, encoding: Encoding) -> Raster:
        """Return what was read."""
        return Raster(pixels.numbers, encoding, pixels.valid)


def composed_plan(grid: Grid, variable: VariableInfo, resampling: Resampling) -> ComposedPlan | None:
    """Return how a mosaic is brought onto a grid; `None` where they share no pixel."""
    return _plan(grid, variable.levels, resampling)


@lru_cache(maxsize=4096)
def _plan(grid: Grid, levels: tuple[NativeGrid, ...], resampling: Resampling) -> ComposedPlan | None:
    place = place_of(grid, levels[0])
    return None if place is None else ComposedPlan(grid=grid, resampling=resampling, level=level_for(levels, grid))


def ground_windows(layer: Layer, grid: Grid) -> tuple[Window | None, ...]:
    """Return the native cells that may be in a picture, by variable: `None` for variables that are not mosaics."""
    return tuple(_window(variable.grid, grid) if variable.is_mosaic else None for variable in layer.variables)


@lru_cache(maxsize=4096)
def _window(native: NativeGrid, grid: Grid) -> Window:
    """The native cells that may be in a picture; any one of a picture outside of them, which has no state."""
    return native.window_of(grid.bbox, grid.crs) or Window.of_cell(0, 0)


def drawn_from(layer: Layer, instants: Sequence[Instant], grid: Grid, services: Services) -> tuple[str, ...]:
    """Return what pictures of a mosaic at some times are composed of; nothing of other layers.

    Raises:
        SourceUnavailable: The source is gone.
    """
    if not layer.main_variable.is_mosaic:
        return ()
    reader = services.reader(layer)
    return tuple(
        reader.drawn_from(variable.name, time_index(variable.times.instants, instant), grid)
        for variable in layer.variables
        for instant in instants
    )
