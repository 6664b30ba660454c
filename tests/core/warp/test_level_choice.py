"""The level chosen for pixels of a requested size, against sizes computed by hand."""

import pytest
from affine import Affine

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.warp.level_choice import cells_per_pixel, choose_level
from tests.readers.arrays import make_levels

WEB_MERCATOR = crs_of("EPSG:3857")


@pytest.mark.parametrize(("cells", "level"), [(0.01, 0), (1.0, 0), (1.39, 0), (1.45, 1), (2.8, 1), (2.9, 2), (500, 3)])
def test_level_closest_in_size_is_chosen(cells, level):
    levels = make_levels("EPSG:32631", Affine(10, 0, 0, 0, -10, 0), 1024, 1024, count=4)

    assert choose_level(levels, cells) == level


@pytest.mark.parametrize("size", [1e100, 1e200, 1e308])
def test_tiny_pixel_is_a_positive_fraction_of_a_cell(size):
    levels = make_levels("EPSG:3857", Affine(size, 0, 0, 0, -size, 0), 1, 1)

    grid = Grid(crs=WEB_MERCATOR, bbox=BBox(0, 0, 5_000_000, 5_000_000), width=256, height=256)

    cells = cells_per_pixel(grid, levels[0])

    assert 0 < cells < 1e-90
    assert choose_level(levels, cells) == 0
