"""The matrix of a tile matrix set that reaches the cell size of a layer, for any location."""

from pathlib import Path

import pytest
from affine import Affine

from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.tile_ranges import native_matrix

FROM_150_TO_180_M = 3_339_584.7


@pytest.mark.parametrize(
    ("name", "expected"), [("WebMercatorQuad", 8), ("WorldCRS84Quad", 7), ("WorldMercatorWGS84Quad", 8)]
)
def test_cells_on_both_sides_of_180_degrees_are_as_large_as_others(name, expected):
    tiles = load_tile_matrix_set(name, folder=Path())

    def found(west):
        grid = NativeGrid(
            crs=crs_of("EPSG:3832"), transform=Affine(1000, 0, west, 0, -1000, -1_800_000), width=96, height=96
        )
        return native_matrix(grid, tiles)

    assert [found(FROM_150_TO_180_M - 1000 * cells) for cells in (80, 48.5, 48, 16)] == [expected] * 4


def test_a_seam_along_a_row_makes_cells_no_larger():
    tiles = load_tile_matrix_set("WebMercatorQuad", folder=Path())
    # In this polar CRS 180 degrees is the line y = 0 east of the pole.
    found = [
        native_matrix(
            NativeGrid(
                crs=crs_of("EPSG:3576"), transform=Affine(1000, 0, 2_000_000, 0, -1000, top), width=96, height=96
            ),
            tiles,
        )
        for top in (48_500.0, 48_000.0, 48_900.0, 148_000.0)
    ]
    assert len(set(found)) == 1
    assert found[0] > 5
