"""Native cells in areas."""

import tracemalloc
from functools import reduce

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import rasterize

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.spans import centre_spans

UTM = crs_of("EPSG:32631")
GRID = NativeGrid(crs=UTM, transform=Affine(10, 0, 600_000, 0, -10, 5_650_000), width=3000, height=2500)
COARSE = NativeGrid(crs=UTM, transform=GRID.transform @ Affine.scale(5), width=600, height=500)
either_grid = pytest.mark.parametrize(
    "grid", [pytest.param(GRID, marks=pytest.mark.slow), COARSE], ids=["10 m", "50 m"]
)
DEGREES = NativeGrid(crs=CRS84, transform=Affine(1, 0, 0, 0, -1, 90), width=360, height=180)
TRIANGLE = np.array([[601_003.0, 5_649_991.0], [604_017.0, 5_648_502.0], [600_408.0, 5_646_013.0]])


def area_of(*rings, crs=UTM):
    return Area(polygons=(tuple(np.array([*ring, ring[0]], dtype=float) for ring in rings),), crs=crs)


def square(left, top, size):
    return [(left, top), (left + size, top), (left + size, top - size), (left, top - size)]


def spans_of(*areas, grid):
    return centre_spans(outlines_of(areas, grid), grid)


def mask_of(spans, grid, area=0):
    mask = np.zeros((grid.height, grid.width), dtype=int)
    for number, row, start, stop in zip(spans.areas, spans.rows, spans.starts, spans.stops, strict=True):
        mask[row, start:stop] += number == area
    return mask


def whole_mask(area, grid):
    return mask_of(spans_of(area, grid=grid), grid)


def centres_in_triangle(corners, grid):
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = grid.points_at(columns, rows)
    sides = [
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    return reduce(np.logical_and, (side < 0 for side in sides))


@either_grid
def test_cells_with_their_centre_inside_are_selected(grid):
    assert np.array_equal(whole_mask(area_of(TRIANGLE), grid), centres_in_triangle(TRIANGLE, grid))


@either_grid
def test_each_of_many_areas_has_separate_cells(grid):
    corners = [TRIANGLE + shift for shift in ([0, 0], [200, -300], [9000, -9000])]

    spans = spans_of(*(area_of(each) for each in corners), grid=grid)

    for number, each in enumerate(corners):
        assert np.array_equal(mask_of(spans, grid, number), centres_in_triangle(each, grid))


@given(st.lists(st.tuples(st.floats(-5, 45), st.floats(-5, 35)), min_size=3, max_size=12))
def test_any_ring_has_the_cells_that_gdal_burns(corners):
    grid = NativeGrid(crs=UTM, transform=Affine.identity(), width=40, height=30)
    # Corners avoid centres, at which GDAL's rounding and ours may differ; no edge between these corners meets a centre.
    ring = np.round(np.array([*corners, corners[0]]) * 16) / 16 + [0.01, 0.01 * np.sqrt(2)]

    burnt = rasterize([{"type": "Polygon", "coordinates": [ring.tolist()]}], (30, 40), dtype="uint8")

    assert np.array_equal(whole_mask(Area(polygons=((ring,),), crs=UTM), grid), burnt)


def test_hole_is_excluded():
    outer, hole = square(600_100, 5_649_900, 100), square(600_130, 5_649_870, 40)

    assert whole_mask(area_of(outer, hole), GRID).sum() == 10 * 10 - 4 * 4


def test_polygons_that_overlap_count_once():
    one, other = area_of(square(600_100, 5_649_900, 100)), area_of(square(600_150, 5_649_900, 100))

    both = Area(polygons=(*one.polygons, *other.polygons), crs=UTM)

    assert whole_mask(both, GRID).sum() == 15 * 10


@either_grid
def test_an_edge_along_a_parallel_stays_on_it(grid):
    area = area_of([(4.5, 50.9), (4.8, 50.9), (4.8, 50.85), (4.5, 50.85)], crs=CRS84)
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    longitude, latitude = transformer(UTM, CRS84).transform(*grid.points_at(columns, rows))

    expected = (longitude > 4.5) & (longitude < 4.8) & (latitude > 50.85) & (latitude < 50.9)

    # An edge strays by centimetres, and a cell is 10 m wide or more.
    assert np.count_nonzero(whole_mask(area, grid) != expected) <= 0.001 * expected.sum()


def test_area_beyond_the_data_is_cut_off():
    assert whole_mask(area_of(square(599_950, 5_650_050, 100)), GRID).sum() == 5 * 5


def test_an_area_elsewhere_is_outside():
    areas = [area_of(square(left, 5_650_050, 100)) for left in (500_000, 600_000)]

    assert outlines_of(areas, GRID).is_outside.tolist() == [True, False]


def test_an_area_between_centres_has_no_cells():
    assert spans_of(area_of(square(600_101, 5_649_899, 3)), grid=GRID).cells == 0


def test_outline_round_the_world_a_hundred_times_takes_no_more_than_it_may():
    corners = [(360, -90), (-360, 90)] * 50
    area = area_of([(4.4, 51.0), *corners], crs=CRS84)

    tracemalloc.start()
    try:
        outlines = outlines_of([area], GRID)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert not outlines.is_outside.any()
    assert peak_bytes < 200 << 20


def test_longitudes_count_modulo_a_circle():
    mask = whole_mask(area_of(square(-20, 10, 5), crs=CRS84), DEGREES)

    assert np.argwhere(mask).min(axis=0).tolist() == [80, 340]
    assert mask.sum() == 25


def test_an_area_across_the_seam_has_cells_on_both_sides():
    mask = whole_mask(area_of(square(-2, 10, 5), crs=CRS84), DEGREES)

    assert sorted(set(np.nonzero(mask)[1].tolist())) == [0, 1, 2, 358, 359]
    assert mask.max() == 1
    assert mask.sum() == 25


def test_outlines_that_are_too_long_in_cells_are_refused():
    across = [(600_000.5 + 10 * (number % 2) * 2999, 5_650_000 - 24_990 * (number % 3) / 2) for number in range(4000)]

    with pytest.raises(InvalidParameter, match="simplify"):
        spans_of(area_of(across), grid=GRID)
