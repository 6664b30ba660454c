"""Pictures that end at the seam of a global source, compared with a formula and with pictures across it."""

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.warp.plan import plan_warp
from chronotile.core.warp.strips import plan_strips
from tests.readers.arrays import make_reader

NUMBERS = np.random.default_rng(5).integers(1, 250, (1, 180, 360)).astype("uint8")
PIXELS = 160
"""Pixels along each side of a picture of 20 by 20 cells, 8 per cell."""


def source(west):
    return make_reader("EPSG:4326", Affine(1, 0, west, 0, -1, 90), 360, 180, numbers=NUMBERS)


def grid_of(crs, west, east):
    """Return the pixels between two longitudes, 8 a degree, from 30 to 50 degrees north."""
    named = crs_of(crs)
    x, y = transformer(crs_of("EPSG:4326"), named).transform(np.array([west, west + 1]), np.array([30, 50]))
    right = x[0] + (x[1] - x[0]) * (east - west)
    return Grid(crs=named, bbox=BBox(x[0], y[0], right, y[1]), width=int(east - west) * PIXELS // 20, height=PIXELS)


def drawn(reader, grid, resampling, make=plan_warp):
    plan = make(reader.variable.levels, grid, resampling=resampling)
    return plan.warp(plan.read(reader, reader.variable, 0), reader.variable.encoding).numbers


def expected(west, grid):
    """Return the means of four cells (y, x) by distance, of a row of cells that continues at its start."""
    x, y = np.meshgrid(grid.x_of(np.arange(grid.width) + 0.5), grid.y_of(np.arange(grid.height) + 0.5))
    x, y = transformer(grid.crs, crs_of("EPSG:4326")).transform(x, y)
    columns, rows = x - west - 0.5, 89.5 - y
    left, top = np.floor(columns).astype(int), np.floor(rows).astype(int)
    across, down = columns - left, rows - top
    return sum(
        NUMBERS[0][top + below, (left + beside) % 360]
        * (down if below else 1 - down)
        * (across if beside else 1 - across)
        for below in (0, 1)
        for beside in (0, 1)
    )


@pytest.mark.quick_cases("3857")
@pytest.mark.parametrize("make", [plan_warp, plan_strips])
@pytest.mark.parametrize(
    ("crs", "west", "seam"),
    [
        ("EPSG:4326", -180, -180),
        ("EPSG:4326", 0, 0),
        ("EPSG:3857", -180, -180),
        ("EPSG:3857", 0, 0),
        ("EPSG:3832", -180, 180),  # its middle is at 150 degrees, so it has no seam there
    ],
)
@pytest.mark.parametrize("side", ["west", "east", "across", "all round"])
def test_bilinear_takes_the_cells_beyond_the_seam(side, crs, west, seam, make):
    ends = {"west": (-20, 0), "east": (0, 20), "across": (-20, 20), "all round": (-180, 180)}[side]
    grid = grid_of(crs, *(seam + end for end in ends))

    found = drawn(source(west), grid, "bilinear", make)

    assert np.abs(found - expected(west, grid)).max() < 0.6


@pytest.mark.parametrize("west", [-180, 0])
def test_two_pictures_that_meet_at_the_seam_are_one_across_it(west):
    reader = source(west)
    west_of_it, east_of_it, across = (
        drawn(reader, grid_of("EPSG:4326", west + left, west + right), "bilinear")
        for left, right in ((-20, 0), (0, 20), (-20, 20))
    )

    assert np.array_equal(np.concatenate([west_of_it, east_of_it], axis=1), across)


@pytest.mark.parametrize("side", [(-20, 0), (0, 20)])
def test_nearest_takes_no_cell_beyond_the_seam(side):
    reader = source(-180)
    grid = grid_of("EPSG:4326", *(180 + end for end in side))

    found = drawn(reader, grid, "nearest")

    cells = NUMBERS[0][40:60, 340:] if side[1] == 0 else NUMBERS[0][40:60, :20]
    assert np.array_equal(found, cells.repeat(8, axis=0).repeat(8, axis=1))
    assert [(each.column_start, each.column_stop) for each in reader.windows] == [
        (340, 360) if side[1] == 0 else (0, 20)
    ]
