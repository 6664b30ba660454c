"""Mosaics composed on a requested grid, and on the lattice of native cells that holds a place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Composite, Layer, Resampling, VariableInfo
from chronotile.core.model.crs import Crs, are_alike
from chronotile.core.model.grid import Grid, NativeGrid, Window, reach_in
from chronotile.core.model.raster import Encoding, Pixels, Raster, with_mask
from chronotile.core.model.request import Point
from chronotile.core.model.types import Instant
from chronotile.core.warp.plan import level_for, place_of
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services
from chronotile.readers.reader import Lattice, Reader


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


def native_windows(layer: Layer, grid: Grid) -> tuple[Window | None, ...]:
    """Return the native cells that may be in a picture, by variable: `None` for variables that are not mosaics."""
    return tuple(_window(variable.grid, grid) if variable.is_mosaic else None for variable in layer.variables)


@lru_cache(maxsize=4096)
def _window(native: NativeGrid, grid: Grid) -> Window:
    # The native cells that may be in a picture; any one of a picture outside of them, which has no state.
    return native.window_of(grid.bbox, grid.crs) or Window.of_cell(0, 0)


def picture_sources(layer: Layer, instants: Sequence[Instant], grid: Grid, services: Services) -> tuple[str, ...]:
    """Return what pictures of a mosaic at some times are composed of; nothing of other layers.

    Raises:
        SourceUnavailable: The source is gone.
    """
    if not layer.main_variable.is_mosaic:
        return ()
    reader = services.reader(layer)
    return tuple(
        reader.picture_inputs(variable.name, time_index(variable.times.instants, instant), grid)
        for variable in layer.variables
        for instant in instants
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Framed:
    """Layers of a mosaic whose grid is that of a lattice, and services that read them so."""

    layers: tuple[Layer, ...]
    services: Services


NAME_CRS = "name one with crs, or set grid in its configuration"


def framed(layers: Sequence[Layer], services: Services, lattice: Lattice | None) -> Framed:
    """Return layers of one mosaic on a lattice, over all that they hold; as they are where there is none."""
    if lattice is None:
        return Framed(layers=tuple(layers), services=services)
    native = layers[0].main_variable.grid
    grid = lattice.grid(reach_in(native.bbox, native.crs, lattice.crs))
    collection = layers[0].collection
    readers = {**services.readers, collection: services.reader(layers[0]).replace_grid(grid)}
    return Framed(layers=tuple(_on_grid(layer, grid) for layer in layers), services=replace(services, readers=readers))


def _on_grid(layer: Layer, grid: NativeGrid) -> Layer:
    content = layer.content
    if isinstance(content, Composite):
        return layer
    return replace(layer, content=replace(content, levels=(grid,)))


def lattice_at(layer: Layer, services: Services, place: Point) -> Lattice | None:
    """Return the lattice of a mosaic's native cells at a place, the same at all times; `None` for the layer's own.

    Where lattices of several pieces overlap, it is that of most pieces.
    """
    if not layer.main_variable.is_mosaic:
        return None
    return services.reader(layer).lattice_at(layer.main_variable.name, place)


def coverage_lattice(layer: Layer, services: Services, crs: Crs | None) -> Lattice | None:
    """Return the lattice that the cells of a coverage in a CRS lie on; `None` for the layer's own grid.

    Raises:
        InvalidParameter: No CRS is named, and the mosaic has no grid of its own.
    """
    if not layer.main_variable.is_mosaic:
        return None
    reader, name = services.reader(layer), layer.main_variable.name
    lattices, has_native_grid = reader.lattices(name), reader.has_native_grid(name)
    if crs is None:
        if not has_native_grid:
            names = ", ".join(dict.fromkeys(lattice.crs.name for lattice in lattices))
            raise InvalidParameter(
                f"layer {layer.id} has items in several CRSs ({names[:200]}); {NAME_CRS}", locator="crs"
            )
        return None
    if has_native_grid and are_alike(crs, layer.main_variable.grid.crs):
        return None
    alike = (lattice for lattice in lattices if are_alike(crs, lattice.crs))
    return next(alike, next(iter(lattices), None))
