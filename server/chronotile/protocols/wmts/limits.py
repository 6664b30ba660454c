"""The rows and columns that the capabilities allow for a layer."""

from collections.abc import Iterator

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.pipeline.tile_ranges import shown_matrices, tile_range
from chronotile.protocols.common.crs_names import urn

LIMITED_LAYERS = 50
"""Layers up to which a document has limits, which take more room than all else that it says of a layer."""


def has_limits(catalogue: Catalogue) -> bool:
    """Return whether the capabilities of all layers advertise limits, so that no tile outside them is drawn."""
    return len(catalogue.offered_layers) <= LIMITED_LAYERS


def offered_sets(catalogue: Catalogue) -> tuple[TileMatrixSet, ...]:
    """Return the tile matrix sets that can be advertised: those whose CRS has a URN."""
    return tuple(each for each in catalogue.tile_matrix_sets if urn(each.crs) is not None)


def advertised_matrices(layer: Layer, tile_matrix_set: TileMatrixSet) -> Iterator[tuple[TileMatrix, TileRange]]:
    """Yield the matrices of a set that a layer has tiles in, as far as they show more, with its limits."""
    for matrix, held in shown_matrices(layer.main_variable.grid, tile_matrix_set):
        yield matrix, _as_limits(held, matrix)


def tile_limits(layer: Layer, tile_matrix_set: TileMatrixSet, matrix: TileMatrix) -> TileRange | None:
    """Return the limits of a tile matrix, or `None` where the layer has no tile in it."""
    held = tile_range(layer.main_variable.grid, tile_matrix_set, matrix)
    return None if held is None else _as_limits(held, matrix)


def _as_limits(held: TileRange, matrix: TileMatrix) -> TileRange:
    """The tiles that hold data, but they reach to row and column 1 at least, where the matrix does.

    The schema has no maximum of 0 (`positiveInteger` in wmtsGetCapabilities_response.xsd).
    """
    return TileRange(
        row_min=held.row_min,
        row_max=max(held.row_max, min(1, matrix.matrix_height - 1)),
        column_min=held.column_min,
        column_max=max(held.column_max, min(1, matrix.matrix_width - 1)),
    )
