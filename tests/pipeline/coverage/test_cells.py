"""Trims of grids contain the cells that overlap the box by more than an edge, for any box."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from affine import Affine
from hypothesis import assume, given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter, OutsideData
from chronotile.core.model.coverage import Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.pipeline.coverage.cells import column_runs, grid_of, intersect_trims, trim_window
from chronotile.pipeline.coverage.extract import NativeCells

UTM = crs_of("EPSG:32631")
SIXTEENTHS = NativeGrid(crs=UTM, transform=Affine(1 / 16, 0, 3.0, 0, -1 / 16, 9.0), width=40, height=30)
"""A grid with edges that are exact in binary, so that the cells that a box touches are exact."""
GLOBE = NativeGrid(crs=CRS84, transform=Affine(1.0, 0, -180.0, 0, -1.0, 90.0), width=360, height=180)
THIRDS = NativeGrid(crs=CRS84, transform=Affine(1 / 336, 0, -180.0, 0, -1 / 336, 75.0), width=120_960, height=45_360)
FIJI = NativeGrid(crs=CRS84, transform=Affine(1.0, 0, 170.0, 0, -1.0, -10.0), width=20, height=10)
THIRDS_OF_GLOBE = replace(THIRDS, transform=Affine(1 / 336, 0, -180.0, 0, -1 / 336, 90.0), height=60_480)
BELGIUM = NativeGrid(crs=UTM, transform=Affine(1000.0, 0, 500_000.0, 0, -1000.0, 5_700_000.0), width=150, height=120)
ZONE_31 = replace(BELGIUM, transform=Affine(10.0, 0, 400_000.0, 0, -10.0, 5_700_000.0), width=30_000, height=30_000)
MERCATOR = NativeGrid(
    crs=crs_of("EPSG:3857"),
    transform=Affine(50_093.77085697311, 0, -20_037_508.342789244, 0, -50_093.77085697311, 20_037_508.342789244),
    width=800,
    height=800,
)
INF = float("inf")


def box(*edges, crs=UTM, locator="bbox"):
    return Trim(box=BBox(*edges), crs=crs, locator=locator)


def touched(low, high, start, size, count):
    """Return the cells that overlap two positions by more than an edge, in exact arithmetic."""
    start, size = Fraction(start), Fraction(size)
    edges = [start + size * cell for cell in range(count + 1)]
    return [cell for cell in range(count) if edges[cell] < Fraction(high) and edges[cell + 1] > Fraction(low)]


@given(*(st.floats(2.0, 6.0) for _ in range(2)), *(st.floats(6.5, 9.5) for _ in range(2)))
def test_any_box_has_the_cells_whose_inside_it_touches(x, other_x, y, other_y):
    xmin, xmax, ymin, ymax = min(x, other_x), max(x, other_x), min(y, other_y), max(y, other_y)
    assume(xmax - xmin > 1e-6 and ymax - ymin > 1e-6)
    edges = [(value - 3.0) * 16 for value in (xmin, xmax)] + [(9.0 - value) * 16 for value in (ymin, ymax)]
    assume(all(abs(edge - round(edge)) > 1e-8 or edge == round(edge) for edge in edges))
    columns = touched(xmin, xmax, 3.0, 1 / 16, 40)
    rows = touched(9.0 - ymax, 9.0 - ymin, 0.0, 1 / 16, 30)
    assume(columns and rows)

    window = trim_window(SIXTEENTHS, [box(xmin, ymin, xmax, ymax)])

    assert window == Window(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)


@given(st.integers(1, 120_959), st.integers(1, 45_359))
def test_two_boxes_that_meet_at_cell_edges_share_no_cell_and_leave_none_out(column, row):
    x, y = (float(each) for each in THIRDS.points_at(np.array(column), np.array(row)))

    west, east = (
        trim_window(THIRDS, [box(-INF, -INF, x, INF, crs=CRS84)]),
        trim_window(THIRDS, [box(x, -INF, INF, INF, crs=CRS84)]),
    )
    north, south = (
        trim_window(THIRDS, [box(-INF, y, INF, INF, crs=CRS84)]),
        trim_window(THIRDS, [box(-INF, -INF, INF, y, crs=CRS84)]),
    )

    assert (west.column_start, west.column_stop, east.column_start, east.column_stop) == (0, column, column, 120_960)
    assert (north.row_start, north.row_stop, south.row_start, south.row_stop) == (0, row, row, 45_360)


@given(st.integers(-360, 719), st.integers(1, 359))
def test_whole_degrees_of_longitude_are_whole_columns_in_any_turn(west, width):
    window = trim_window(GLOBE, [box(float(west), 0.0, float(west + width), 1.0, crs=CRS84)])

    columns = [column for run in column_runs(GLOBE, window) for column in range(run.start, run.stop)]
    assert columns == [(west + 180 + column) % 360 for column in range(width)]


@given(st.integers(-360, 719), st.integers(1, 359))
def test_enclosing_window_has_all_columns_that_are_read_and_lies_in_the_source(west, width):
    window = trim_window(GLOBE, [box(float(west), 0.0, float(west + width), 1.0, crs=CRS84)])

    enclosing = NativeCells(grid=GLOBE, window=window).enclosing

    columns = {(west + 180 + column) % 360 for column in range(width)}
    assert (enclosing.row_start, enclosing.row_stop) == (window.row_start, window.row_stop)
    assert (enclosing.column_start, enclosing.column_stop) == (min(columns), max(columns) + 1)


@given(st.floats(-720.0, 720.0), st.floats(-90.0, 90.0))
def test_a_slice_has_the_cell_that_a_series_at_the_point_has(longitude, latitude):
    window = trim_window(THIRDS_OF_GLOBE, [box(longitude, latitude, longitude, latitude, crs=CRS84)])

    assert (window.row_start, window.column_start) == THIRDS_OF_GLOBE.cell_at(longitude, latitude)
    assert (window.height, window.width) == (1, 1)


USUAL_SIZES = [Fraction(1, n) for n in (4, 5, 8, 10, 12, 20, 25, 50, 60, 100, 112, 120, 240, 336, 360, 500, 1000, 1200)]


@given(st.sampled_from(USUAL_SIZES), st.integers(-170, 100), st.integers(-60, 60), st.integers(1, 900))
def test_slice_at_outer_edge_selects_outermost_cell(size, west, north, count):
    east = float(west + size * count)
    south = float(north - size * count)
    assume(south >= -90)
    transform = Affine(float(size), 0, west, 0, -float(size), north)
    grid = NativeGrid(crs=CRS84, transform=transform, width=count, height=count)

    eastern = trim_window(grid, [box(east, -INF, east, INF, crs=CRS84)])
    southern = trim_window(grid, [box(-INF, south, INF, south, crs=CRS84)])

    assert (eastern.column_start, eastern.column_stop) == (count - 1, count)
    assert (southern.row_start, southern.row_stop) == (count - 1, count)


@pytest.mark.parametrize("grid", [SIXTEENTHS, GLOBE, THIRDS], ids=["sixteenths", "globe", "thirds"])
def test_the_edges_of_the_extent_give_exactly_its_cells(grid):
    assert trim_window(grid, [Trim(box=grid.bbox, crs=grid.crs)]) == Window(0, grid.height, 0, grid.width)


@given(st.integers(1, 100_000), st.integers(1, 100))
def test_a_part_s_own_edges_give_the_part(column, width):
    part = grid_of(THIRDS, Window(100, 200, column, column + width), CRS84)

    assert trim_window(THIRDS, [Trim(box=part.bbox, crs=CRS84)]) == Window(100, 200, column, column + width)


@given(
    st.sampled_from(["EPSG:32631", "EPSG:3035", "EPSG:3857", "EPSG:4258"]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.01, 1),
)
def test_a_box_in_another_crs_has_all_cells_whose_centre_lies_in_it(crs, across, down, size):
    place = crs_of(crs)
    whole = BELGIUM.bbox_in(place)
    xmin = whole.xmin + across * (whole.xmax - whole.xmin)
    ymin = whole.ymin + down * (whole.ymax - whole.ymin)
    asked = BBox(xmin, ymin, xmin + size * (whole.xmax - whole.xmin), ymin + size * (whole.ymax - whole.ymin))
    columns, rows = np.meshgrid(np.arange(BELGIUM.width), np.arange(BELGIUM.height))
    x, y = transformer(BELGIUM.crs, place).transform(*BELGIUM.points_at(columns + 0.5, rows + 0.5))
    inside = (x > asked.xmin) & (x < asked.xmax) & (y > asked.ymin) & (y < asked.ymax)
    assume(inside.any())

    window = trim_window(BELGIUM, [Trim(box=asked, crs=place)])

    assert window.row_start <= rows[inside].min() <= rows[inside].max() < window.row_stop
    assert window.column_start <= columns[inside].min() <= columns[inside].max() < window.column_stop


def test_a_box_in_another_crs_is_the_box_of_its_outline():
    corners = transformer(CRS84, UTM).transform(np.linspace(2.0, 4.0, 100_001), np.full(100_001, 50.0))
    south = float(np.min(corners[1]))

    window = trim_window(ZONE_31, [box(2.0, 50.0, 4.0, 50.5, crs=CRS84)])

    assert window.row_stop == np.ceil((ZONE_31.bbox.ymax - south) / 10)


@pytest.mark.parametrize(
    ("trims", "expected"),
    [
        pytest.param([(3.0, 8.0, 5.0, 9.0), (4.0, 7.5, 6.0, 8.5)], (4.0, 8.0, 5.0, 8.5), id="overlap"),
        pytest.param([(3.5, -INF, 3.5, INF), (3.0, 8.0, 4.0, 9.0)], (3.5, 8.0, 3.5, 9.0), id="a slice of a box"),
        pytest.param([(3.5, -INF, 3.5, INF), (-INF, 8.0, INF, 8.0)], (3.5, 8.0, 3.5, 8.0), id="two slices"),
    ],
)
def test_trims_of_one_crs_are_combined(trims, expected):
    (trim,) = intersect_trims([box(*edges) for edges in trims])

    assert trim.box == expected


def test_longitudes_of_two_trims_share_one_turn():
    (trim,) = intersect_trims([box(170.0, -10.0, -170.0, 10.0, crs=CRS84), box(-178.0, 0.0, -160.0, 20.0, crs=CRS84)])

    assert trim.box == (182.0, 0.0, 190.0, 10.0)


def test_touching_boxes_have_no_intersection():
    with pytest.raises(InvalidParameter, match="subset and bbox have no overlap"):
        intersect_trims([box(3.0, 8.0, 4.0, 9.0), box(4.0, 8.0, 5.0, 9.0, locator="subset")])


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param((float("nan"), 0.0, 1.0, 1.0), id="not a number"),
        pytest.param((INF, 0.0, INF, 1.0), id="nowhere"),
        pytest.param((0.0, -INF, 1.0, -INF), id="nowhere in the south"),
        pytest.param((0.0, 2.0, 1.0, 1.0), id="upside down"),
        pytest.param((2.0, 0.0, 1.0, 1.0), id="the wrong way round"),
    ],
)
def test_invalid_boxes_are_refused(edges):
    with pytest.raises(InvalidParameter):
        box(*edges)


@pytest.mark.parametrize(
    ("grid", "trim", "columns"),
    [
        pytest.param(GLOBE, box(170.0, -INF, INF, INF, crs=CRS84), (350, 360), id="to the data's end"),
        pytest.param(GLOBE, box(200.0, -INF, INF, INF, crs=CRS84), (20, 360), id="of the next turn"),
        pytest.param(GLOBE, box(-INF, -INF, -170.0, INF, crs=CRS84), (0, 10), id="from the data's start"),
        pytest.param(FIJI, box(178.0, -INF, INF, INF, crs=CRS84), (8, 20), id="over the antimeridian"),
    ],
)
def test_open_ends_are_those_of_the_data(grid, trim, columns):
    window = trim_window(grid, [trim])

    assert (window.column_start, window.column_stop) == columns


def test_cells_of_a_mercator_world_go_on_across_the_antimeridian():
    window = trim_window(MERCATOR, [box(179.0, 0.0, -179.0, 1.0, crs=CRS84)])

    columns = [column for run in column_runs(MERCATOR, window) for column in range(run.start, run.stop)]
    assert columns == [797, 798, 799, 0, 1, 2]


def test_trims_of_two_crs_are_combined():
    window = trim_window(
        BELGIUM, [box(510_000.0, 5_600_000.0, 520_000.0, 5_700_000.0), box(3.2, 51.0, 5.0, 51.1, crs=CRS84)]
    )

    west = min(transformer(CRS84, UTM).transform([3.2, 3.2], [51.0, 51.1])[0])
    assert (window.column_start, window.column_stop) == (int((west - 500_000) / 1000), 20)
    assert window.row_start == int((5_700_000 - transformer(CRS84, UTM).transform(5.0, 51.1)[1]) / 1000)


def test_trims_of_two_crs_without_a_common_cell_are_refused():
    with pytest.raises(OutsideData, match="subset and bbox have no overlap"):
        trim_window(
            BELGIUM,
            [
                box(510_000.0, 5_600_000.0, 520_000.0, 5_700_000.0),
                box(4.0, 50.9, 4.5, 51.1, crs=CRS84, locator="subset"),
            ],
        )


def test_longitudes_of_two_crs_are_cut_in_one_turn():
    window = trim_window(
        GLOBE, [box(170.0, 0.0, -170.0, 1.0, crs=CRS84), box(-178.0, 0.0, -160.0, 1.0, crs=crs_of("EPSG:4258"))]
    )

    assert [run.start for run in column_runs(GLOBE, window)] == [2]
    assert window.width == 8


@pytest.mark.parametrize(
    "trim",
    [
        pytest.param(box(10.0, -20.0, 20.0, -15.0, crs=CRS84), id="another longitude"),
        pytest.param(box(0.0, 0.0, 1e6, 1e6, crs=crs_of("EPSG:3857")), id="another CRS"),
        pytest.param(box(80.0, 95.0, 100.0, 99.0, crs=CRS84), id="beyond the pole"),
    ],
)
def test_boxes_outside_a_part_of_the_circle_are_outside(trim):
    with pytest.raises(OutsideData):
        trim_window(FIJI, [trim])


def test_open_ends_of_another_crs_are_those_of_the_data():
    window = trim_window(FIJI, [box(19_500_000.0, -INF, INF, INF, crs=crs_of("EPSG:3857"))])

    assert (window.column_start, window.row_start, window.row_stop) == (5, 0, 10)


def test_a_box_about_a_pole_has_all_longitudes():
    window = trim_window(GLOBE, [box(-1e6, -1e6, 1e6, 1e6, crs=crs_of("EPSG:3413"))])

    farthest = transformer(crs_of("EPSG:3413"), CRS84).transform(1e6, 1e6)[1]
    assert window == Window(0, int(np.ceil(90 - farthest)), 0, 360)


def test_a_box_without_coordinates_is_refused_by_name():
    with pytest.raises(InvalidParameter) as refused:
        trim_window(GLOBE, [box(1e30, 1e30, 2e30, 2e30, crs=crs_of("EPSG:3035"), locator="subset")])

    assert refused.value.locator == "subset"


@pytest.mark.parametrize(
    "edges", [(3.25, 3.25 + 1e-13), (3.25 - 1e-13, 3.25 + 1e-13)], ids=["behind an edge", "about it"]
)
def test_box_too_thin_to_be_distinguished_from_an_edge_has_one_cell(edges):
    window = trim_window(SIXTEENTHS, [box(edges[0], 8.0, edges[1], 8.5)])

    assert window.width == 1
    assert window.column_start in {3, 4}
