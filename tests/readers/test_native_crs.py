"""Grids that lie on the Earth, as files have them, and that do not."""

import pytest
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.readers.native_crs import require_on_earth


def grid_of(north, step, rows, crs="EPSG:4326"):
    return NativeGrid(crs=crs_of(crs), transform=Affine(0.25, 0, -180, 0, -step, north), width=20, height=rows)


@pytest.mark.parametrize(
    ("grid", "most_px"),
    [
        (grid_of(90, 0.25, 720), 0.05),
        (grid_of(90.125, 0.25, 721), 0.05),
        (grid_of(90.0000001, 1, 180), 0.05),
        (grid_of(90.25, 0.25, 722), 1.0),
        (grid_of(5_000_000, 10_000, 900, "EPSG:32631"), 0.05),
    ],
    ids=["edges at the poles", "centres at the poles", "rounded", "a row too many", "metres"],
)
def test_grids_whose_centres_are_between_the_poles_are_accepted(grid, most_px):
    require_on_earth(grid, most_px=most_px)


@pytest.mark.parametrize(
    ("grid", "latitude"),
    [(grid_of(90.25, 0.25, 721), "90.125"), (grid_of(-90, -16, 16), "158"), (grid_of(3, 16, 11), "-165")],
    ids=["north", "south up", "south"],
)
def test_grids_with_a_centre_beyond_a_pole_are_refused(grid, latitude):
    with pytest.raises(UnsupportedSource, match=rf"its latitudes reach {latitude}, beyond the pole"):
        require_on_earth(grid)
