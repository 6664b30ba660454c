"""Mosaics on the lattice of native cells that holds a place, for all that is counted in native cells."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chronotile.errors import InvalidParameter
from chronotile.model.collection import Composite, Layer
from chronotile.model.crs import Crs, are_alike
from chronotile.model.grid import NativeGrid, reach_in
from chronotile.model.request import Point
from chronotile.pipeline.services import Services
from chronotile.readers.reader import Lattice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Framed:
    """Layers of a mosaic whose grid is that of a lattice, and services that read them so."""

    layers: tuple[Layer, ...]
    services: Services


def framed(layers: Sequence[Layer], services: Services, lattice: Lattice | None) -> Framed:
    """Return layers of one mosaic on a lattice, over all that they hold; as they are where there is none."""
    if lattice is None:
        return Framed(layers=tuple(layers), services=services)
    native = layers[0].main_variable.grid
    grid = lattice.grid(reach_in(native.bbox, native.crs, lattice.crs))
    collection = layers[0].collection
    readers = {**services.readers, collection: services.reader(layers[0]).on_grid(grid)}
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
    lattices, has_own_grid = reader.lattices(name), reader.has_own_grid(name)
    if crs is None:
        if not has_own_grid:
            names = ", ".join(dict.fromkeys(lattice.crs.name for lattice in lattices))
            raise InvalidParameter(
                f"layer {layer.id} has items in several CRSs ({names[:200]}); name one with "
                "crs, or set grid in its configuration",
                locator="crs",
            )
        return None
    if has_own_grid and are_alike(crs, layer.main_variable.grid.crs):
        return None
    alike = (lattice for lattice in lattices if are_alike(crs, lattice.crs))
    return next(alike, next(iter(lattices), None))
