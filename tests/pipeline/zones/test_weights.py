"""The part of each native cell in areas, and the true area of cells."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.spans import covered_spans, row_areas

UTM = crs_of("EPSG:32631")
GRID = NativeGrid(crs=UTM, transform=Affine(1, 0, 0, 0, -1, 30), width=40, height=30)
"""Cells of a square metre, so that weights are the parts inside."""
DEGREES = NativeGrid(crs=CRS84, transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)


def ring_of(*corners):
    return np.array([*corners, corners[0]], dtype=float)


def weights_of(*polygons, grid=GRID, crs=UTM):
    area = Area(polygons=polygons, crs=crs)
    spans = covered_spans(outlines_of([area], grid), grid)
    found = np.zeros((grid.height, grid.width))
    for row, start, stop, weight in zip(spans.rows, spans.starts, spans.stops, spans.weights, strict=True):
        found[row, start:stop] += weight
    return found


def test_a_cell_counts_for_the_part_inside():
    found = weights_of((ring_of((1.5, 28.25), (4.25, 28.25), (4.25, 26.0), (1.5, 26.0)),))

    assert np.argwhere(found).tolist() == [[row, column] for row in (1, 2, 3) for column in (1, 2, 3, 4)]
    assert found[1:4, 1:5] == pytest.approx(np.outer([0.25, 1, 1], [0.5, 1, 1, 0.25]))


def test_hole_of_any_orientation_is_subtracted():
    outer, hole = ring_of((2, 28), (12, 28), (12, 18), (2, 18)), ring_of((4.5, 26), (4.5, 22), (9, 22), (9, 26))

    expected = 100 - 4.5 * 4

    assert weights_of((outer, hole)).sum() == pytest.approx(expected)
    assert weights_of((outer[::-1], hole)).sum() == pytest.approx(expected)


@pytest.mark.parametrize("grid", [GRID, DEGREES], ids=["plain", "circular"])
def test_weights_do_not_depend_on_other_areas(grid):
    rng = np.random.default_rng(7)
    crs, (left, top) = grid.crs, grid.transform @ (0, 0)
    reach = (grid.width * 1.5, -grid.height)
    areas = [
        Area(polygons=((ring_of(*(rng.uniform(-0.1, 1, (5, 2)) * reach + (left, top))),),), crs=crs) for _ in range(40)
    ]

    together = covered_spans(outlines_of(areas, grid), grid)

    for number, area in enumerate(areas):
        own, alone = together.select_areas(number, number + 1), covered_spans(outlines_of([area], grid), grid)
        assert own.starts.tolist() == alone.starts.tolist()
        assert own.weights.tolist() == alone.weights.tolist()


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.tuples(st.floats(-10, 50), st.floats(-10, 40)), st.lists(st.floats(0.5, 20), min_size=3, max_size=9))
def test_any_star_has_the_parts_that_clipping_finds(centre, radii):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    star = ring_of(*(np.array(centre) + np.array([np.cos(angles), np.sin(angles)]).T * np.array(radii)[:, None]))

    found = weights_of((star,))

    assert found.max(initial=0) <= 1
    assert found == pytest.approx(clipped_parts(star), abs=1e-9)


def clipped_parts(ring):
    """Clip the ring to each cell by Sutherland and Hodgman, and apply the shoelace formula."""
    found = np.zeros((GRID.height, GRID.width))
    for row, column in np.ndindex(found.shape):
        corners = ring[:-1]
        for axis, sign, limit in ((0, 1, column), (0, -1, -column - 1), (1, 1, 29 - row), (1, -1, row - 30)):
            corners = _clipped(corners, axis, sign, limit)
        if len(corners):
            x, y = corners.T
            found[row, column] = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return found


def _clipped(corners, axis, sign, limit):
    kept = []
    for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        own, other = sign * here[axis] - limit, sign * there[axis] - limit
        if own >= 0:
            kept.append(here)
        if own * other < 0:
            kept.append(here + (there - here) * own / (own - other))
    return np.array(kept)


def test_rows_of_a_geographic_grid_have_their_area_on_the_ellipsoid():
    geod = Geod(ellps="WGS84")
    areas = row_areas(DEGREES)
    steps = np.linspace(0, 1, 200)
    along_parallels = [
        abs(geod.polygon_area_perimeter([*steps, *steps[::-1]], [north] * 200 + [north - 1] * 200)[0])
        for north in (90, 60, 1, -45)
    ]

    assert areas.sum() * 360 == pytest.approx(510_065_621_724_078, rel=1e-9)
    assert areas[[0, 30, 89, 135]] == pytest.approx(along_parallels, rel=1e-5)


def test_cells_that_are_wider_than_high_have_their_width():
    wide = NativeGrid(crs=CRS84, transform=Affine(2, 0, -180, 0, -0.5, 90), width=180, height=360)

    assert row_areas(wide).sum() * wide.width == pytest.approx(510_065_621_724_078, rel=1e-9)


def test_across_the_seam_of_a_circular_grid_both_sides_count():
    found = weights_of((ring_of((179.5, 10), (181.25, 10), (181.25, 9), (179.5, 9)),), grid=DEGREES, crs=CRS84)

    assert np.argwhere(found).tolist() == [[80, 0], [80, 1], [80, 359]]
    assert found[80, [359, 0, 1]] / row_areas(DEGREES)[80] == pytest.approx([0.5, 1, 0.25])


@pytest.mark.parametrize("edge", [-180.5, -180.25, -180.0])
def test_a_cell_on_the_seam_of_a_circular_grid_counts_once(edge):
    grid = NativeGrid(crs=CRS84, transform=Affine(1, 0, edge, 0, -1, 90), width=360, height=180)
    box = ring_of((-180, 10), (180, 10), (180, 0), (-180, 0))
    outlines = outlines_of([Area(polygons=((box,),), crs=CRS84)], grid)

    spans = covered_spans(outlines, grid)

    assert spans.cells == 3600
    assert weights_of((box,), grid=grid, crs=CRS84)[80:90] == pytest.approx(
        np.repeat(row_areas(grid)[80:90], 360).reshape(10, 360)
    )


def test_outlines_that_cross_too_many_rows_and_columns_are_refused():
    grid = NativeGrid(crs=UTM, transform=Affine(1, 0, 0, 0, -1, 1000), width=1000, height=1000)
    saw = [(1.5 + number % 990, 0.5 + 999 * (number % 2)) for number in range(1200)]

    weights_of((ring_of(*saw[:100]),), grid=grid)
    with pytest.raises(InvalidParameter, match=r"at most 1048576 are accepted; simplify"):
        weights_of((ring_of(*saw),), grid=grid)


def test_a_turned_geographic_grid_has_no_areas_of_rows():
    turned = NativeGrid(crs=CRS84, transform=Affine.rotation(10), width=10, height=10)

    with pytest.raises(InvalidParameter, match="parallels"):
        row_areas(turned)
