"""Tile matrix set, tile matrix, row and column of a path."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, UnknownPath
from chronotile.model.grid import Grid
from chronotile.model.tiles import TileMatrix, TileMatrixSet
from chronotile.protocols.common.query.kvp import integer


@dataclass(frozen=True, slots=True, kw_only=True)
class TileAddress:
    """Which tile, of a set and matrix that are offered; the row and column may lie outside the matrix."""

    tile_matrix_set: TileMatrixSet
    matrix: TileMatrix
    row: int
    column: int

    def grid(self) -> Grid:
        """Return the pixels of the tile.

        Raises:
            TileOutOfRange: The matrix has no such row or column.
        """
        return self.tile_matrix_set.tile_grid(self.matrix, row=self.row, column=self.column)


def tile_address(catalogue: Catalogue, *, tile_matrix_set: str, matrix: str, row: str, column: str) -> TileAddress:
    """Return the tile that segments of a path name.

    Raises:
        UnknownTileMatrixSet: The set is not offered, or has no such matrix.
        UnknownPath: A row or column is not a number.
    """
    found = catalogue.tile_matrix_set(tile_matrix_set)
    return TileAddress(
        tile_matrix_set=found,
        matrix=found.matrix(matrix),
        row=_place(row, "row"),
        column=_place(column, "column"),
    )


def tile_grid_of(path: Mapping[str, str], catalogue: Catalogue) -> Grid:
    """Return the pixels of the tile that `…/{tms}/{z}/{x}/{y}` names.

    Raises:
        UnknownTileMatrixSet: The set is not offered, or has no such matrix.
        TileOutOfRange: The matrix has no such row or column.
        UnknownPath: A row or column is not a number.
    """
    address = tile_address(catalogue, tile_matrix_set=path["tms"], matrix=path["z"], row=path["y"], column=path["x"])
    return address.grid()


def _place(text: str, locator: str) -> int:
    """A tile's row or column; text that is not a number names no tile."""
    try:
        return integer(text, locator=locator)
    except InvalidParameter as error:
        raise UnknownPath(error.message, locator=locator) from error
