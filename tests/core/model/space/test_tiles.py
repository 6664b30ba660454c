"""Tile matrix sets, against morecantile."""

import morecantile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import TileOutOfRange, UnknownTileMatrixSet
from chronotile.core.model.space.boxes import BBox
from tests.protocols.served import make_services

SETS = {each.id: each for each in make_services().catalogue.tile_matrix_sets}
tiles = st.integers(0, 18).flatmap(lambda z: st.tuples(st.just(z), st.integers(0, 2**z - 1), st.integers(0, 2**z - 1)))


@pytest.mark.parametrize("name", SETS)
@given(tiles)
def test_the_grid_of_a_tile_has_the_bounds_of_the_standard(name, place):
    z, row, column = place

    grid = SETS[name].tile_grid(SETS[name].matrices[z], row=row, column=column)

    bounds = morecantile.tms.get(name).xy_bounds(column, row, z)
    assert tuple(grid.bbox) == pytest.approx(tuple(bounds), rel=1e-9, abs=1e-6)
    assert (grid.width, grid.height) == (256, 256)


@pytest.mark.parametrize("name", SETS)
@given(tiles)
def test_the_tiles_over_a_tiles_own_box_are_that_tile(name, place):
    z, row, column = place
    matrix = SETS[name].matrices[z]

    found = SETS[name].tiles_over(matrix, SETS[name].tile_grid(matrix, row=row, column=column).bbox)

    assert (found.row_min, found.row_max, found.column_min, found.column_max) == (row, row, column, column)


@pytest.mark.parametrize("west", [3e7, 2.01e7, -2.02e7, -4e7])
def test_box_outside_has_no_tiles(west):
    quad = SETS["WebMercatorQuad"]

    assert quad.tiles_over(quad.matrices[3], BBox(west, 0, west + 1e5, 1e6)) is None


@pytest.mark.parametrize("name", SETS)
@given(tiles, st.integers(1, 8))
def test_the_fitting_matrix_shows_more_than_half_of_the_pixels_and_no_more_than_all(name, place, pixels):
    """A tile, 256 pixels of its matrix, has 256 * 2^n pixels n matrices later."""
    z, row, column = place

    fitting = SETS[name].fitting_matrix(BBox(*morecantile.tms.get(name).xy_bounds(column, row, z)), 128 * pixels)

    side = 256 * 2.0 ** (fitting - z)
    assert fitting == 0 or side <= 128 * pixels
    assert fitting == len(SETS[name].matrices) - 1 or side > 64 * pixels


@pytest.mark.parametrize("name", ["5", "WebMercatorQuad:5", "EPSG:3857:5"])
def test_a_matrix_answers_to_its_id_with_or_without_the_set(name):
    assert SETS["WebMercatorQuad"].matrix(name).id == "5"


@pytest.mark.parametrize("name", ["25", "-1", "", "five", "EPSG:4326:5", "5 "])
def test_an_unknown_matrix_is_refused(name):
    with pytest.raises(UnknownTileMatrixSet):
        SETS["WebMercatorQuad"].matrix(name)


@pytest.mark.parametrize(
    ("row", "column", "locator"), [(4, 0, "row"), (-1, 0, "row"), (0, 4, "column"), (0, -1, "column")]
)
def test_a_tile_outside_its_matrix_is_refused(row, column, locator):
    quad = SETS["WebMercatorQuad"]

    with pytest.raises(TileOutOfRange) as caught:
        quad.tile_grid(quad.matrices[2], row=row, column=column)

    assert caught.value.locator == locator
