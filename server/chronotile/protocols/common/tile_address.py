"""Tile matrix set, zoom, column and row of a path."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, UnknownPath
from chronotile.model.grid import Grid
from chronotile.protocols.common.kvp import integer


def tile_grid_of(path: Mapping[str, str], catalogue: Catalogue) -> Grid:
    """Return the pixels of the tile that `…/{tms}/{z}/{x}/{y}` names.

    Raises:
        UnknownTileMatrixSet: The set is not offered, or has no such matrix.
        TileOutOfRange: The matrix has no such row or column.
        UnknownPath: A row or column is no number.
    """
    tile_matrix_set = catalogue.tile_matrix_set(path["tms"])
    matrix = tile_matrix_set.matrix(path["z"])
    row, column = _place(path["y"], "y"), _place(path["x"], "x")
    return tile_matrix_set.tile_grid(matrix, row=row, column=column)


def _place(text: str, locator: str) -> int:
    """A tile's row or column; text that is no number names no tile."""
    try:
        return integer(text, locator=locator)
    except InvalidParameter as error:
        raise UnknownPath(error.message, locator=locator) from error
