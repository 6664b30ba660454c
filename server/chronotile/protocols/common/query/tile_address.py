"""Tiles that paths name."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter, UnknownPath, translate_error
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.space.tiles import TileMatrix, TileMatrixSet
from chronotile.protocols.common.query.values import integer


@dataclass(frozen=True, slots=True, kw_only=True)
class TileAddress:
    """A tile of an offered tile matrix set; row and column may be outside the matrix."""

    tile_matrix_set: TileMatrixSet
    matrix: TileMatrix
    row: int
    column: int

    def grid(self) -> Grid:
        """Return the pixel grid of the tile.

        Raises:
            TileOutOfRange: Row or column is outside the matrix.
        """
        return self.tile_matrix_set.tile_grid(self.matrix, row=self.row, column=self.column)


def tile_address(catalogue: Catalogue, *, tile_matrix_set: str, matrix: str, row: str, column: str) -> TileAddress:
    """Return the tile that the segments of a path name.

    Raises:
        UnknownTileMatrixSet: The set or its matrix is not offered.
        UnknownPath: A row or column is not a number.
    """
    offered_set = catalogue.tile_matrix_set(tile_matrix_set)
    return TileAddress(
        tile_matrix_set=offered_set,
        matrix=offered_set.matrix(matrix),
        row=_parse_index(row, "row"),
        column=_parse_index(column, "column"),
    )


def tile_grid_of(path: Mapping[str, str], catalogue: Catalogue) -> Grid:
    """Return the pixel grid of the tile at `…/{tms}/{z}/{x}/{y}`.

    Raises:
        UnknownTileMatrixSet: The set or its matrix is not offered.
        TileOutOfRange: Row or column is outside the matrix.
        UnknownPath: A row or column is not a number.
    """
    address = tile_address(catalogue, tile_matrix_set=path["tms"], matrix=path["z"], row=path["y"], column=path["x"])
    return address.grid()


def _parse_index(text: str, locator: str) -> int:
    with translate_error(InvalidParameter, UnknownPath, locator=locator):
        return integer(text, locator=locator)
