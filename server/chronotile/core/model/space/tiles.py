"""Tile matrix sets (OGC 17-083r4) and the grids of their tiles."""

import math
from dataclasses import dataclass

from chronotile.core.errors import TileOutOfRange, UnknownTileMatrixSet
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid

PIXEL_SIZE_M = 0.00028
"""Size of a rendering pixel (OGC 17-083r4 §6.1.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileMatrix:
    """One scale of a tile matrix set; its corner is stored x before y."""

    id: str
    cell_size: float
    """CRS units per pixel."""
    scale_denominator: float
    left: float
    top: float
    tile_width: int
    tile_height: int
    matrix_width: int
    matrix_height: int


@dataclass(frozen=True, slots=True)
class TileRange:
    """Rows and columns of a tile matrix that contain data, both ends inclusive."""

    row_min: int
    row_max: int
    column_min: int
    column_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TileMatrixSet:
    """Tile matrices of one CRS, from coarse to fine."""

    id: str
    title: str
    crs: Crs
    matrices: tuple[TileMatrix, ...]
    well_known_scale_set: str | None = None
    uri: str | None = None
    """URI of a registered set."""
    aliases: tuple[str, ...] = ()

    def matrix(self, name: str) -> TileMatrix:
        """Return the matrix with an id; the name of the set and a colon may precede it, as in GeoWebCache.

        Raises:
            UnknownTileMatrixSet: The set has no such matrix.
        """
        prefix, colon, bare = name.rpartition(":")
        identifier = bare if colon and prefix in (self.id, *self.aliases) else name
        for matrix in self.matrices:
            if matrix.id == identifier:
                return matrix
        raise UnknownTileMatrixSet(
            f"tile matrix {name[:40]!r} is not in {self.id}; it has {self.matrices[0].id} to {self.matrices[-1].id}",
            locator="tile_matrix",
        )

    def fitting_matrix(self, box: BBox, pixels: int) -> int:
        """Return the index of the finest matrix in which no side of a box exceeds `pixels`; 0 if no matrix fits.

        The edges of boxes may be rounded, so a millionth more is accepted.
        """
        side = max(box.xmax - box.xmin, box.ymax - box.ymin)
        cells = [matrix.cell_size for matrix in self.matrices]
        return max(0, sum(side / cell <= pixels * (1 + 1e-6) for cell in cells) - 1)

    def tile_grid(self, matrix: TileMatrix, *, row: int, column: int) -> Grid:
        """Return the grid of one tile.

        Raises:
            TileOutOfRange: The row or column is not in the matrix.
        """
        for locator, value, size in (("row", row, matrix.matrix_height), ("column", column, matrix.matrix_width)):
            if not 0 <= value < size:
                raise TileOutOfRange(
                    f"tile {locator} {value} is outside 0 to {size - 1} of matrix {matrix.id}", locator=locator
                )
        width, height = matrix.cell_size * matrix.tile_width, matrix.cell_size * matrix.tile_height
        box = BBox(
            matrix.left + column * width,
            matrix.top - (row + 1) * height,
            matrix.left + (column + 1) * width,
            matrix.top - row * height,
        )
        return Grid(crs=self.crs, bbox=box, width=matrix.tile_width, height=matrix.tile_height)

    def tiles_over(self, matrix: TileMatrix, box: BBox) -> TileRange | None:
        """Return the tiles of a matrix that share area with `box` in CRS units, or `None`."""
        width, height = matrix.cell_size * matrix.tile_width, matrix.cell_size * matrix.tile_height
        epsilon = 1e-9
        column_min = math.floor((box.xmin - matrix.left) / width + epsilon)
        column_max = math.floor((box.xmax - matrix.left) / width - epsilon)
        row_min = math.floor((matrix.top - box.ymax) / height + epsilon)
        row_max = math.floor((matrix.top - box.ymin) / height - epsilon)
        if column_max < 0 or row_max < 0 or column_min >= matrix.matrix_width or row_min >= matrix.matrix_height:
            return None
        return TileRange(
            max(0, row_min),
            min(matrix.matrix_height - 1, row_max),
            max(0, column_min),
            min(matrix.matrix_width - 1, column_max),
        )
