"""The rows and columns that the capabilities allow for a layer."""

from collections.abc import Iterator

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.pipeline.tile_ranges import box_in_set, check_in_range, shown_matrices, shown_range
from chronotile.protocols.common.capabilities.crs_names import urn

LIMITED_LAYERS = 50
"""Layers up to which a document has limits, which take more room than all else that it says of a layer."""


def has_limits(catalogue: Catalogue) -> bool:
    """Return whether the capabilities of all layers advertise limits, so that no tile outside them is drawn."""
    return len(catalogue.offered_layers) <= LIMITED_LAYERS


def offered_sets(catalogue: Catalogue) -> tuple[TileMatrixSet, ...]:
    """Return the tile matrix sets that can be advertised: those whose CRS has a URN."""
    return tuple(each for each in catalogue.tile_matrix_sets if urn(each.crs) is not None)


def advertised_limits(layer: Layer, tile_matrix_set: TileMatrixSet) -> Iterator[tuple[TileMatrix, TileRange]]:
    """Yield the matrices of a set in which a layer shows more than before, with its limits, if they are known."""
    for matrix, held in shown_matrices(layer.main_variable.grid, tile_matrix_set):
        limits = _as_limits(held, matrix)
        if limits is not None:
            yield matrix, limits


def check_tile_limits(
    layer: Layer, tile_matrix_set: TileMatrixSet, matrix: TileMatrix, *, row: int, column: int
) -> None:
    """Refuse a tile outside the limits that the capabilities tell; where they tell none, no tile of a matrix.

    Raises:
        TileOutOfRange: The row or column is outside, or the layer has no tile in the whole set.
    """
    native = layer.main_variable.grid
    if box_in_set(native, tile_matrix_set) is None:
        check_in_range(None, row=row, column=column)
    held = shown_range(native, tile_matrix_set, matrix)
    limits = None if held is None else _as_limits(held, matrix)
    if limits is not None:
        check_in_range(limits, row=row, column=column)


def _as_limits(held: TileRange, matrix: TileMatrix) -> TileRange | None:
    """The tiles that hold data, but they reach to row and column 1 at least; none of a single row or column.

    The schema has no maximum of 0 (`positiveInteger` in wmtsGetCapabilities_response.xsd).
    """
    if matrix.matrix_height == 1 or matrix.matrix_width == 1:
        return None
    return TileRange(
        row_min=held.row_min,
        row_max=max(held.row_max, 1),
        column_min=held.column_min,
        column_max=max(held.column_max, 1),
    )
