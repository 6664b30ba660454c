"""Shares of valid pixels, held against the formula and against whole files."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline import valid_share as module
from chronotile.pipeline.valid_share import LayerArea, share_plans, valid_share
from tests.protocols import served

UTM = crs_of("EPSG:32631")
VALID_NUMBERS = 199 / 250
"""Fraction of valid numbers in the formula, in which all are equally frequent."""
FLAGGED = {"flags": ((100, "cloud"), (103, "cloud")), "valid_range": (0.0, 200.0)}


def is_valid(grid: NativeGrid, time: int) -> np.ndarray:
    """(y, x) by the formula, of `FLAGGED`."""
    rows, columns = np.mgrid[0 : grid.height, 0 : grid.width]
    numbers = served.number_at(rows, columns, time)
    return (numbers <= 200) & (numbers != 100) & (numbers != 103)


def centres(grid: NativeGrid, crs=UTM) -> tuple[np.ndarray, np.ndarray]:
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = grid.points_at(columns, rows)
    return (x, y) if crs == grid.crs else transformer(grid.crs, crs).transform(x, y)


def share_of(layer, area=None, *, time=2):
    reader = served.make_reader(served.make_collection(layer))
    return valid_share(reader, share_plans(layer, area), layer.times.instants[time])


def make_layer(grid=served.BELGIUM_31N):
    return served.make_layer(variable=served.make_variable(grid=grid, **FLAGGED))


@pytest.mark.parametrize("time", range(4))
def test_a_layer_has_the_share_of_its_cells_that_are_values(time):
    assert share_of(make_layer(), time=time) == is_valid(served.BELGIUM_31N, time).mean()


@pytest.mark.parametrize(
    ("crs", "box"),
    [
        (UTM, BBox(605_000, 5_622_000, 620_000, 5_634_000)),
        (UTM, BBox(0, 0, 605_000, 9_000_000)),
        (UTM, BBox(610_040, 5_630_040, 610_160, 5_630_160)),
        (CRS84, BBox(4.5, 50.8, 4.7, 50.9)),
        (CRS84, BBox(364.5, 50.8, 364.7, 50.9)),
        (crs_of("EPSG:3857"), BBox(500_000, 6_580_000, 530_000, 6_610_000)),
    ],
)
def test_an_area_has_the_share_of_the_cells_whose_centres_lie_in_it(crs, box):
    x, y = centres(served.BELGIUM_31N, crs)
    east = (x - box.xmin) % 360 if crs == CRS84 else x - box.xmin
    inside = (east >= 0) & (east <= box.xmax - box.xmin) & (y >= box.ymin) & (y <= box.ymax)

    assert share_of(make_layer(), LayerArea(box, crs)) == is_valid(served.BELGIUM_31N, 2)[inside].mean()


@pytest.mark.parametrize(
    "area",
    [
        LayerArea(BBox(10, 10, 11, 11), CRS84),
        LayerArea(BBox(610_001, 5_630_001, 610_010, 5_630_010), UTM),
        LayerArea(BBox(1e8, 1e8, 2e8, 2e8), UTM),
    ],
    ids=["elsewhere", "between centres", "nowhere on earth"],
)
def test_an_area_without_a_cell_has_no_plan(area):
    assert share_plans(make_layer(), area) == ()


@given(st.floats(-180, 180), st.floats(-80, 70), st.floats(1, 180))
def test_areas_across_the_seam_of_a_grid_round_the_earth_have_their_cells(west, south, width):
    layer = make_layer(served.WORLD_4326)
    box = BBox(west, south, west + width, south + 10)
    x, y = centres(served.WORLD_4326, served.WORLD_4326.crs)
    inside = ((x - west) % 360 <= width) & (y >= south) & (y <= south + 10)

    share = share_of(layer, LayerArea(box, CRS84))

    assert share == pytest.approx(is_valid(served.WORLD_4326, 2)[inside].mean(), abs=0.02)


def test_finest_level_with_few_enough_cells_is_counted():
    fine = NativeGrid(crs=UTM, transform=Affine(10, 0, 600_000, 0, -10, 5_650_000), width=4096, height=4096)
    levels = (fine, fine.coarser(4), fine.coarser(16))
    layer = served.make_layer(variable=replace(served.make_variable(grid=fine), levels=levels))
    side = 4096 * 10

    boxes = [BBox(600_000, 5_650_000 - side / part, 600_000 + side / part, 5_650_000) for part in (1, 4, 16, 64)]
    plans = [share_plans(layer, LayerArea(box, UTM))[0] for box in boxes]

    assert [plan.level for plan in plans] == [2, 1, 0, 0]
    assert share_plans(layer)[0].level == 2


def test_share_of_a_small_layer_is_that_of_native_cells():
    grid = served.WORLD_4326
    layer = served.make_layer(variable=replace(served.make_variable(grid=grid), levels=(grid, grid.coarser(8))))

    assert [plan.level for plan in share_plans(layer)] == [0]


def test_a_level_that_is_made_is_not_read():
    grid = served.BELGIUM_31N
    variable = replace(served.make_variable(), levels=(grid, grid.coarser(8)), made_levels=frozenset({1}))

    (plan,) = share_plans(served.make_layer(variable=variable))

    assert plan.level == 0


def test_share_of_a_large_raster_without_overviews_is_estimated_from_samples():
    grid = NativeGrid(crs=UTM, transform=Affine(10, 0, 600_000, 0, -10, 5_650_000), width=10_980, height=10_980)
    layer = make_layer(grid)
    reader = served.make_reader(served.make_collection(layer))

    share = valid_share(reader, share_plans(layer), layer.times.instants[2])

    windows = reader.windows_read
    assert sum(window.width * window.height for window in windows) == 64 * 64 * 64
    assert all(window.row_start // 512 == (window.row_stop - 1) // 512 for window in windows)
    assert all(window.column_start // 512 == (window.column_stop - 1) // 512 for window in windows)
    assert abs(share - VALID_NUMBERS) < 0.01


def test_a_level_of_middling_size_is_read_whole_but_not_counted_cell_by_cell():
    grid = NativeGrid(crs=UTM, transform=Affine(10, 0, 600_000, 0, -10, 5_650_000), width=2000, height=2000)
    layer = make_layer(grid)

    (plan,) = share_plans(layer)

    assert [part.step for part in plan.parts] == [4]
    assert abs(share_of(layer) - is_valid(grid, 2).mean()) < 0.01


def test_of_a_composite_all_variables_must_have_values():
    layer = served.make_composite()
    red, green, blue = layer.content.variables
    few = replace(red, encoding=replace(red.encoding, valid_range=(0.0, 100.0)))
    many = replace(green, encoding=replace(green.encoding, valid_range=(50.0, 250.0)))
    layer = replace(layer, content=replace(layer.content, variables=(few, many, blue)))
    rows, columns = np.mgrid[0:300, 0:400]
    numbers = served.number_at(rows, columns, 2)

    assert share_of(layer) == ((numbers >= 50) & (numbers <= 100)).mean()


@pytest.mark.parametrize("stop", [64, 65, 511, 512, 513, 4096, 10_980, 100_000])
def test_samples_lie_inside_and_apart(stop):
    corners = np.array(module._corners(0, stop))

    assert corners.min() >= 0
    assert corners.max() + 64 <= stop
    assert (np.diff(np.sort(corners)) > 0).all()
