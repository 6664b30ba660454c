"""Grids that leave the earth."""

import numpy as np
import pytest

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.pipeline.maps.void_area import MAX_SAMPLES, void_area


def grid_of(crs, box, width, height):
    return Grid(crs=crs_of(crs), bbox=BBox(*box), width=width, height=height)


def test_degrees_beyond_the_poles_are_void():
    found = void_area(grid_of("CRS:84", (-180, -120, 180, 120), 36, 24))

    assert found.all(axis=1).nonzero()[0].tolist() == [0, 1, 2, 21, 22, 23]
    assert not found[3:-3].any()


def test_longitudes_go_round():
    assert not void_area(grid_of("EPSG:4326", (170, -10, 190, 10), 20, 20)).any()


@pytest.mark.parametrize(
    ("crs", "box"),
    [
        ("EPSG:32631", (300_000, 5_000_000, 700_000, 6_000_000)),
        ("EPSG:3035", (2_500_000, 1_400_000, 7_400_000, 5_500_000)),
        ("EPSG:3857", (-20_037_508, -20_037_508, 20_037_508, 20_037_508)),
        ("EPSG:3031", (-4_000_000, -4_000_000, 4_000_000, 4_000_000)),
    ],
)
def test_nothing_within_the_area_of_a_projection_is_void(crs, box):
    assert not void_area(grid_of(crs, box, 50, 40)).any()


def test_outside_the_disc_of_an_equal_area_projection_is_void():
    """The whole sphere fits into a disc of twice the radius of the earth (Snyder 1987, 24-13)."""
    grid = grid_of("EPSG:3035", (4_321_000 - 2e7, 3_210_000 - 2e7, 4_321_000 + 2e7, 3_210_000 + 2e7), 80, 80)

    x, y = np.meshgrid(grid.x_of(np.arange(80) + 0.5) - 4_321_000, grid.y_of(np.arange(80) + 0.5) - 3_210_000)
    distance = np.hypot(x, y)
    found = void_area(grid)
    assert found[distance > 1.01 * 2 * 6_371_007].all()
    assert not found[distance < 0.9 * 2 * 6_371_007].any()


def test_in_mercator_the_next_turn_round_the_earth_is_void():
    found = void_area(grid_of("EPSG:3857", (-30_000_000, -100_000, 30_000_000, 100_000), 60, 2))

    assert found.any(axis=0).nonzero()[0].tolist() == [*range(10), *range(50, 60)]


def test_large_grid_is_sampled():
    wide = void_area(grid_of("CRS:84", (-1, -180, 1, 180), 3, 4 * MAX_SAMPLES))

    assert wide.shape == (4 * MAX_SAMPLES, 3)
    assert wide[: MAX_SAMPLES - 4].all()
    assert not wide[MAX_SAMPLES + 4 : -MAX_SAMPLES - 4].any()


def test_points_that_are_not_void_can_be_transformed_back():
    grid = grid_of("EPSG:32631", (-3e7, -1e7, 3e7, 2e7), 40, 30)
    x, y = np.meshgrid(grid.x_of(np.arange(40) + 0.5), grid.y_of(np.arange(30) + 0.5))

    found = void_area(grid)

    there = transformer(grid.crs, CRS84).transform(x[~found], y[~found])
    assert (np.abs(there[1]) <= 90).all()
    assert found.any()
    assert not found.all()
