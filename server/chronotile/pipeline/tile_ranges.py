"""Tiles of a tile matrix set that a layer covers, and the tile matrix that shows its native pixels."""

import itertools
from collections.abc import Iterator
from functools import lru_cache

from chronotile.core.errors import InvalidParameter, TileOutOfRange
from chronotile.core.model.space.boxes import BBox, box_in
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.space.tiles import TileMatrix, TileMatrixSet, TileRange

OVERZOOM = 2
"""Number of advertised matrices that are finer than the native pixels: clients scale tiles of the finest one."""


@lru_cache(maxsize=4096)
def box_in_set(native: NativeGrid, tile_matrix_set: TileMatrixSet) -> BBox | None:
    """Return the layer's box in the CRS of a tile matrix set, cut to the set, or `None` if they are disjoint."""
    matrix = tile_matrix_set.matrices[0]
    covered = BBox(
        matrix.left,
        matrix.top - matrix.cell_size * matrix.tile_height * matrix.matrix_height,
        matrix.left + matrix.cell_size * matrix.tile_width * matrix.matrix_width,
        matrix.top,
    )
    try:
        box = _box(native, tile_matrix_set, covered)
    except InvalidParameter:
        return None
    return box.common(covered) if box.intersects(covered) else None


def is_cylindrical(crs: Crs) -> bool:
    """Return whether the CRS of a tile matrix set has straight, vertical meridians."""
    return crs.name in {"EPSG:3857", "EPSG:4326", CRS84.name}


def _box(native: NativeGrid, tile_matrix_set: TileMatrixSet, covered: BBox) -> BBox:
    """Return the box by way of longitude and latitude if the CRS is cylindrical, which is right at seams and poles."""
    if not is_cylindrical(tile_matrix_set.crs):
        return native.bbox_in(tile_matrix_set.crs)
    cut = native.bbox_in(CRS84).common(box_in(covered, tile_matrix_set.crs, CRS84))
    if cut.xmin >= cut.xmax or cut.ymin >= cut.ymax:
        raise InvalidParameter("the layer lies outside the tile matrix set", locator="tile_matrix_set")
    return box_in(cut, CRS84, tile_matrix_set.crs)


@lru_cache(maxsize=4096)
def native_matrix(native: NativeGrid, tile_matrix_set: TileMatrixSet) -> int:
    """Return the index of the first matrix with pixels no larger than native pixels in the middle of the layer."""
    column, row = native.width / 2, native.height / 2
    # The seam of the set's CRS, such as 180 degrees, cuts at most three of four neighbouring cells.
    neighbours = itertools.product((column, column + 1), (row, row + 1))
    area = min(_cell_area(native, tile_matrix_set.crs, *corner) for corner in neighbours)
    size = area**0.5 * (1 + 1e-6)
    for index, matrix in enumerate(tile_matrix_set.matrices):
        if matrix.cell_size <= size:
            return index
    return len(tile_matrix_set.matrices) - 1


def _cell_area(native: NativeGrid, crs: Crs, column: float, row: float) -> float:
    corners = [native.transform @ corner for corner in ((column, row), (column + 1, row), (column, row + 1))]
    xs, ys = zip(*corners, strict=True)
    if native.crs != crs:
        xs, ys = transformer(native.crs, crs).transform(xs, ys)
    return float(abs((xs[1] - xs[0]) * (ys[2] - ys[0]) - (xs[2] - xs[0]) * (ys[1] - ys[0])))


def tile_range(native: NativeGrid, tile_matrix_set: TileMatrixSet, matrix: TileMatrix) -> TileRange | None:
    """Return the rows and columns of a matrix that a layer touches, or `None`."""
    box = box_in_set(native, tile_matrix_set)
    return None if box is None else tile_matrix_set.tiles_over(matrix, box)


def shown_matrices(native: NativeGrid, tile_matrix_set: TileMatrixSet) -> Iterator[tuple[TileMatrix, TileRange]]:
    """Yield the matrices that show more of a layer than coarser ones, with the tiles that the layer touches."""
    for matrix in tile_matrix_set.matrices:
        tiles = shown_range(native, tile_matrix_set, matrix)
        if tiles is not None:
            yield matrix, tiles


def shown_range(native: NativeGrid, tile_matrix_set: TileMatrixSet, matrix: TileMatrix) -> TileRange | None:
    """Return the tiles that a layer touches, or `None` if the matrix shows no more than a coarser one."""
    finest = tile_matrix_set.matrices[: native_matrix(native, tile_matrix_set) + OVERZOOM + 1][-1]
    return tile_range(native, tile_matrix_set, matrix) if matrix.cell_size >= finest.cell_size else None


def check_in_range(limits: TileRange | None, *, row: int, column: int) -> None:
    """Check that a tile is within the limits that a protocol advertises.

    Raises:
        TileOutOfRange: The row or column is outside.
    """
    if limits is None:
        raise TileOutOfRange("the layer has no tiles in this tile matrix", locator="row")
    for locator, value, least, most in (
        ("row", row, limits.row_min, limits.row_max),
        ("column", column, limits.column_min, limits.column_max),
    ):
        if not least <= value <= most:
            raise TileOutOfRange(f"tile {locator} {value} is outside {least} to {most}", locator=locator)
