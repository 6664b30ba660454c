"""Grids, native grids and the boxes between CRS."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox, box_in
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, divides

WEB_MERCATOR = crs_of("EPSG:3857")
POLAR = NativeGrid(
    crs=crs_of("EPSG:3411"), transform=Affine(25000, 0, -3_850_000, 0, -25000, 5_850_000), width=304, height=448
)
UTM_60 = NativeGrid(
    crs=crs_of("EPSG:32660"), transform=Affine(300, 0, 600_000, 0, -300, 7_000_000), width=1000, height=1000
)


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-5, 5)])
def test_a_grid_needs_pixels(width, height):
    with pytest.raises(InvalidParameter):
        Grid(crs=CRS84, bbox=BBox(0, 0, 1, 1), width=width, height=height)


@pytest.mark.parametrize("box", [(1, 0, 0, 1), (0, 1, 1, 0), (0, 0, 0, 1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)])
def test_a_grid_needs_a_box_with_something_inside(box):
    with pytest.raises(InvalidParameter) as caught:
        Grid(crs=CRS84, bbox=BBox(*box), width=1, height=1)

    assert caught.value.locator == "bbox"


finite = st.floats(-1e7, 1e7)


@given(finite, finite, st.floats(1, 1e6), st.floats(1, 1e6), st.integers(1, 3000), st.integers(1, 3000))
def test_pixel_coordinates_span_the_box_from_the_north_west(xmin, ymin, across, up, width, height):
    grid = Grid(crs=WEB_MERCATOR, bbox=BBox(xmin, ymin, xmin + across, ymin + up), width=width, height=height)

    x, y = grid.x_of(np.array([0.0, width])), grid.y_of(np.array([0.0, height]))

    assert np.allclose(x, [grid.bbox.xmin, grid.bbox.xmax], rtol=1e-12, atol=1e-6)
    assert np.allclose(y, [grid.bbox.ymax, grid.bbox.ymin], rtol=1e-12, atol=1e-6)


@given(st.integers(0, 303), st.integers(0, 447))
def test_a_cell_holds_its_own_centre(column, row):
    assert POLAR.cell_at(*POLAR.centre_of(row, column)) == (row, column)


@given(st.floats(-1000, 1000), st.floats(-1000, 1000), st.floats(-179, 179))
def test_pixels_and_points_are_inverse(column, row, angle):
    grid = NativeGrid(
        crs=WEB_MERCATOR, transform=Affine.rotation(angle) @ Affine.scale(10, -20) @ Affine.shear(5), width=9, height=9
    )

    columns, rows = grid.pixels_at(*grid.points_at(np.array([column]), np.array([row])))

    assert columns[0] == pytest.approx(column, abs=1e-8)
    assert rows[0] == pytest.approx(row, abs=1e-8)


@given(st.floats(2, 4), st.floats(50, 51), st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_the_window_of_a_box_holds_the_cells_of_its_places(west, south, across, up):
    zone = NativeGrid(
        crs=crs_of("EPSG:32631"), transform=Affine(900, 0, 450_000, 0, -900, 5_660_000), width=90, height=70
    )
    box = BBox(west, south, west + across, south + up)
    x, y = np.meshgrid(np.linspace(box.xmin, box.xmax, 9), np.linspace(box.ymin, box.ymax, 9))
    places = zip(*(each.ravel() for each in transformer(CRS84, zone.crs).transform(x, y)), strict=True)
    cells = [cell for place in places if (cell := zone.cell_at(*place)) is not None]
    window = zone.window_of(box, CRS84)
    assert not cells or window is not None
    for row, column in cells:
        assert window.row_start <= row < window.row_stop
        assert window.column_start <= column < window.column_stop
    if window is not None:
        assert 0 <= window.row_start < window.row_stop <= zone.height
        assert 0 <= window.column_start < window.column_stop <= zone.width


def test_the_far_edges_belong_to_the_last_cells():
    grid = NativeGrid(crs=WEB_MERCATOR, transform=Affine(10, 0, 0, 0, -10, 100), width=10, height=10)

    assert grid.cell_at(100, 0) == (9, 9)
    assert grid.cell_at(100.01, 0) is None
    assert grid.cell_at(math.inf, 0) is None


def test_a_grid_over_a_pole_reaches_all_round():
    box = POLAR.bbox_in(CRS84)

    assert (box.xmin, box.xmax, box.ymax) == (-180, 180, 90)
    assert 30 < box.ymin < 32


def test_a_grid_across_the_antimeridian_has_the_whole_circle():
    box = UTM_60.bbox_in(CRS84)

    assert (box.xmin, box.xmax) == (-180, 180)
    assert 60 < box.ymin < box.ymax < 64


@pytest.mark.parametrize(
    ("first", "width", "expected"),
    [
        (0, 360, (-180, 180)),
        (-180, 360, (-180, 180)),
        (170, 5, (170, 175)),
        (185, 10, (-175, -165)),
        (175, 10, (-180, 180)),
    ],
)
def test_longitudes_are_reported_within_180(first, width, expected):
    grid = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, first, 0, -1, 10), width=width, height=20)

    box = grid.bbox_in(CRS84)

    assert (box.xmin, box.xmax) == expected
    assert (box.ymin, box.ymax) == (-10, 10)


@pytest.mark.parametrize(("size", "is_circular"), [(1.0, True), (360 / 2520, True), (0.999, False), (0.9, False)])
def test_a_grid_is_circular_if_its_ends_meet(size, is_circular):
    width = round(360 / size) if is_circular else 300
    grid = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(size, 0, -180, 0, -size, 90), width=width, height=10)

    assert grid.is_circular is is_circular


@given(st.floats(-170, 160), st.floats(-80, 70), st.floats(0.01, 10), st.floats(0.01, 10))
def test_box_transformed_to_mercator_and_back_contains_itself(west, south, across, up):
    box = BBox(west, south, west + across, south + up)

    back = box_in(box_in(box, CRS84, WEB_MERCATOR), WEB_MERCATOR, CRS84)

    assert np.allclose(back, box, atol=1e-9)


def test_a_box_that_a_crs_cannot_express_is_refused():
    with pytest.raises(InvalidParameter):
        box_in(BBox(1e9, 1e9, 2e9, 2e9), crs_of("EPSG:3035"), crs_of("EPSG:32631"))


@pytest.mark.parametrize("name", ["CRS:84", "OGC:CRS84", "crs84"])
def test_names_of_crs84_are_one(name):
    assert crs_of(name) == CRS84


def test_a_definition_of_epsg_goes_under_its_code():
    assert crs_of(crs_of("EPSG:32631").definition.to_wkt()).name == "EPSG:32631"


def native_of(resolution, xmin=0.0, ymax=0.0, crs=WEB_MERCATOR, turned=0.0) -> NativeGrid:
    """100 x 100 cells."""
    transform = Affine(resolution, turned, xmin, turned, -resolution, ymax)
    return NativeGrid(crs=crs, transform=transform, width=100, height=100)


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        pytest.param(native_of(10), True, id="the same cells"),
        pytest.param(native_of(20), True, id="halves of cells"),
        pytest.param(native_of(30, xmin=-70, ymax=110), True, id="thirds, from another corner"),
        pytest.param(native_of(10, xmin=1e-4), True, id="but for rounding"),
        pytest.param(native_of(5), False, id="several cells"),
        pytest.param(native_of(15), False, id="one and a half"),
        pytest.param(native_of(10, xmin=5), False, id="shifted by half a cell"),
        pytest.param(native_of(10, ymax=3), False, id="shifted down"),
        pytest.param(native_of(10, turned=1), False, id="turned"),
        pytest.param(native_of(10, crs=crs_of("EPSG:32631")), False, id="another CRS"),
    ],
)
def test_pixels_within_cells_are_distinguished_from_others(native, expected):
    grid = Grid(crs=WEB_MERCATOR, bbox=BBox(-2560, -2560, 2560, 2560), width=512, height=512)

    assert divides(grid, native) is expected


@pytest.mark.parametrize(
    ("west", "east", "columns"),
    [
        (179.2, 179.4, (19, 41)),
        (-179.9, -179.8, (109, 121)),
        (539.2, 539.4, (19, 41)),
        (-180.0, 180.0, (0, 200)),
        (10.0, 11.0, None),
    ],
)
def test_boxes_meet_a_grid_beyond_the_antimeridian_in_its_turn(west, east, columns):
    grid = NativeGrid(crs=CRS84, transform=Affine(0.01, 0, 179.0, 0, -0.01, 1.0), width=200, height=100)

    window = grid.window_of(BBox(west, 0.5, east, 1.0), CRS84)

    found = window and (window.column_start, window.column_stop)
    assert found == columns or found == pytest.approx(columns, abs=1)


WORLD_M = 20037508.342789244
SIZE_PX = 256
CELL_M = 2 * WORLD_M / SIZE_PX


@pytest.mark.parametrize("wider_m", [0.0, CELL_M / 2, -CELL_M / 2, 1e-6, -1e-6])
@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:3857",
        "EPSG:3395",
        "EPSG:4087",
        "+proj=merc +lon_0=180 +datum=WGS84",
        "+proj=eqc +lon_0=150 +datum=WGS84",
        "+proj=mill +datum=WGS84",
    ],
)
def test_projected_world_has_all_longitudes(crs, wider_m):
    left, cell = -WORLD_M - wider_m, CELL_M + 2 * wider_m / SIZE_PX
    transform = Affine(cell, 0, left, 0, -cell, WORLD_M / 2)
    grid = NativeGrid(crs=crs_of(crs), transform=transform, width=SIZE_PX, height=SIZE_PX // 2)

    box = grid.bbox_in(CRS84)

    assert (box.xmin, box.xmax) == (-180, 180)


@pytest.mark.parametrize(
    ("crs", "left_m", "right_m", "west", "east"),
    [
        ("EPSG:3857", -WORLD_M / 2, WORLD_M, -90, 180),
        ("EPSG:3857", WORLD_M * 0.75, WORLD_M * 1.25, 135, 225),
        ("+proj=merc +lon_0=180 +datum=WGS84", -WORLD_M * 0.75, WORLD_M * 0.75, 45, 315),
    ],
)
def test_projected_part_of_the_world_is_not_wound(crs, left_m, right_m, west, east):
    transform = Affine((right_m - left_m) / SIZE_PX, 0, left_m, 0, -1000, 50_000)

    box = NativeGrid(crs=crs_of(crs), transform=transform, width=SIZE_PX, height=100).unwound_box_in(CRS84)

    assert (box.xmin, box.xmax) == pytest.approx((west, east))


def test_box_across_the_antimeridian_continues_beyond_180():
    assert BBox(170, -10, -170, 10).unwound() == BBox(170, -10, 190, 10)
    assert BBox(-10, -10, 10, 10).unwound() == BBox(-10, -10, 10, 10)


@pytest.mark.parametrize("grid", [POLAR, UTM_60])
def test_edges_form_one_ring_around_all_pixels(grid):
    edges = grid.edges_in(grid.crs)

    width, height = grid.width * grid.transform.a, grid.height * -grid.transform.e
    lengths = [float(np.abs(np.diff(edge, axis=0)).sum()) for edge in edges]
    np.testing.assert_allclose(lengths, [width, height, width, height])
    for edge, following in zip(edges, edges[1:] + edges[:1], strict=True):
        np.testing.assert_array_equal(edge[-1], following[0])
    points = np.concatenate(edges)
    np.testing.assert_allclose([*points.min(axis=0), *points.max(axis=0)], grid.bbox)
