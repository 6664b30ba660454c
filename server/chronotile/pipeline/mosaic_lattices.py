"""Lattices of mosaics: the native cells from which a series or a coverage takes its numbers.

The pieces of a mosaic may have different cells, for example in two UTM zones. The native grid of the layer covers all
pieces, but its cells may be those of no file. To return numbers that are not resampled, an operation chooses the
lattice of some pieces and reads the mosaic on the part of this lattice that covers it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import Point
from chronotile.core.model.space.boxes import reach_in
from chronotile.core.model.space.crs import Crs, are_alike
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.services import Services
from chronotile.readers.lattices import Lattice

NAME_CRS = "name one with crs, or set grid in its configuration"
"""Remedy in the error of `choose_coverage_lattice`; processes without an input `crs` replace it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedLayers:
    """Layers of one mosaic whose native grid is a part of one lattice, and the services that read them on it."""

    layers: tuple[Layer, ...]
    services: Services


def align_layers(layers: Sequence[Layer], services: Services, lattice: Lattice | None) -> AlignedLayers:
    """Return layers of one mosaic on a lattice, or unchanged if `lattice` is `None`.

    Args:
        layers: Layers of one mosaic with one grid; no composites.
        services: The services that read them.
        lattice: The lattice of some pieces.

    Raises:
        InvalidParameter: The mosaic has no coordinates in the CRS of the lattice.
    """
    if lattice is None:
        return AlignedLayers(layers=tuple(layers), services=services)
    native = layers[0].main_variable.grid
    grid = lattice.grid(reach_in(native.bbox, native.crs, lattice.crs))
    reader = services.mosaic_reader(layers[0]).replace_grid(grid)
    readers = {**services.readers, layers[0].collection: reader}
    return AlignedLayers(
        layers=tuple(_replace_grid(layer, grid) for layer in layers), services=replace(services, readers=readers)
    )


def _replace_grid(layer: Layer, grid: NativeGrid) -> Layer:
    return replace(layer, content=replace(layer.main_variable, levels=(grid,)))


def lattice_at(layer: Layer, services: Services, point: Point) -> Lattice | None:
    """Return the lattice of the native cells at a point, the same at all times.

    If pieces with different lattices overlap there, the lattice of the most pieces is returned.

    Returns:
        `None` if the native grid of the layer has these cells.
    """
    if not layer.main_variable.is_mosaic:
        return None
    return services.mosaic_reader(layer).lattice_at(layer.main_variable.name, point)


def choose_coverage_lattice(layer: Layer, services: Services, crs: Crs | None) -> Lattice | None:
    """Return the lattice on which a coverage of a mosaic is read.

    It is the most common lattice in the requested CRS, else the most common lattice of all items.

    Args:
        layer: A layer of the coverage.
        services: The services that read it.
        crs: The requested CRS; `None` if the client names none.

    Returns:
        `None` if the coverage is read on the native grid of the layer.

    Raises:
        InvalidParameter: `crs` is `None`, and no item has the cells of the native grid of the mosaic.
    """
    if not layer.main_variable.is_mosaic:
        return None
    reader, name = services.mosaic_reader(layer), layer.main_variable.name
    lattices, has_native_grid = reader.lattices(name), reader.has_native_grid(name)
    if crs is None and has_native_grid:
        return None
    if crs is None:
        names = ", ".join(dict.fromkeys(lattice.crs.name for lattice in lattices))
        raise InvalidParameter(f"layer {layer.id} has items in several CRSs ({names[:200]}); {NAME_CRS}", locator="crs")
    if has_native_grid and are_alike(crs, layer.main_variable.grid.crs):
        return None
    in_crs = [lattice for lattice in lattices if are_alike(crs, lattice.crs)]
    return next(iter([*in_crs, *lattices]), None)  # the most common lattice is the first
