"""The rows and columns that the capabilities allow for a layer."""

from chronotile.model.collection import Layer
from chronotile.model.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.protocols.common.tile_ranges import tile_range


def tile_limits(layer: Layer, tile_matrix_set: TileMatrixSet, matrix: TileMatrix) -> TileRange | None:
    """Return the limits of a tile matrix, or `None` where the layer has no tile in it.

    They are the tiles that hold data, but reach to row and column 1 at least, where the matrix does: the schema has
    no maximum of 0 (`positiveInteger` in wmtsGetCapabilities_response.xsd).
    """
    held = tile_range(layer.main_variable.grid, tile_matrix_set, matrix)
    if held is None:
        return None
    return TileRange(
        row_min=held.row_min,
        row_max=max(held.row_max, min(1, matrix.matrix_height - 1)),
        column_min=held.column_min,
        column_max=max(held.column_max, min(1, matrix.matrix_width - 1)),
    )
