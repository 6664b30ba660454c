"""Polygons with thousands of holes that reach beyond the data, against shapely, and the cost of clipping them."""

import sys
from collections import Counter
from math import isqrt

import numpy as np
import pytest
import shapely
from affine import Affine

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.zones import outlines as area_clipping
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.spans import centre_spans, covered_spans

GRID = NativeGrid(
    crs=crs_of("EPSG:32631"), transform=Affine(5_000, 0, 400_000, 0, -5_000, 5_750_000), width=72, height=56
)
"""About 1.5 to 6.8 degrees east and 49.2 to 52 north."""

CLEAR_DEG = 1e-5
"""A metre: straight edges of less than ten kilometres differ less in degrees and in metres."""


def box_ring(west, south, width, height):
    return np.array([(west, south), (west + width, south), (west + width, south + height), (west, south + height)])


def area_with_holes(count):
    """Return 0 to 10 degrees east and 45 to 55 north, with holes of different sizes that do not touch."""
    columns = isqrt(count - 1) + 1
    step, rng = 9.9 / columns, np.random.default_rng(count)
    sizes = rng.uniform(0.3, 0.8, (count, 2)) * step
    holes = [
        box_ring(0.05 + number % columns * step, 45.05 + number // columns * step, *size)
        for number, size in enumerate(sizes)
    ]
    rings = (box_ring(0.0, 45.0, 10.0, 10.0), *holes)
    return Area(polygons=(tuple(np.vstack([ring, ring[:1]]) for ring in rings),), crs=CRS84)


def cells_of(spans, weights):
    found = np.zeros((GRID.height, GRID.width))
    for row, start, stop, weight in zip(spans.rows, spans.starts, spans.stops, weights, strict=True):
        found[row, start:stop] += weight
    return found


MANY = [2_500, pytest.param(100_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", MANY)
def test_cells_are_those_whose_centres_are_not_in_a_hole(count):
    area = area_with_holes(count)
    columns, rows = np.meshgrid(np.arange(GRID.width) + 0.5, np.arange(GRID.height) + 0.5)
    centres = shapely.points(*transformer(GRID.crs, CRS84).transform(*GRID.points_at(columns.ravel(), rows.ravel())))
    holes = shapely.polygons([shapely.linearrings(ring) for ring in area.polygons[0][1:]])
    nearest = shapely.STRtree(holes).nearest(centres)
    is_in_hole = shapely.intersects(holes[nearest], centres)
    is_clear = shapely.distance(shapely.boundary(holes[nearest]), centres) > CLEAR_DEG

    spans = centre_spans(outlines_of([area], GRID), GRID)
    found = cells_of(spans, np.ones(spans.rows.size))

    assert is_clear.mean() > 0.99
    assert 0.1 < is_in_hole.mean() < 0.9
    np.testing.assert_array_equal(found.ravel()[is_clear], ~is_in_hole[is_clear])


@pytest.mark.parametrize("count", MANY)
def test_weights_exclude_the_holes_of_cells(count):
    area = area_with_holes(count)
    columns, rows = np.meshgrid(np.arange(GRID.width), np.arange(GRID.height))
    (left, top), (right, bottom) = GRID.points_at(columns, rows), GRID.points_at(columns + 1, rows + 1)
    cells = shapely.box(left.ravel(), bottom.ravel(), right.ravel(), top.ravel())
    holes = shapely.polygons([shapely.linearrings(ring) for ring in area.polygons[0][1:]])
    near = shapely.segmentize(holes[shapely.intersects(holes, shapely.box(1, 48.5, 7.5, 52.5))], 0.01)
    flat = shapely.transform(near, lambda xy: np.column_stack(transformer(CRS84, GRID.crs).transform(*xy.T)))
    hole, cell = shapely.STRtree(cells).query(flat)
    taken = np.bincount(cell, shapely.area(shapely.intersection(flat[hole], cells[cell])), minlength=cells.size)

    spans = covered_spans(outlines_of([area], GRID), GRID)

    expected = 1 - taken.reshape(GRID.height, GRID.width) / 5_000**2
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_allclose(cells_of(spans, spans.weights) / 5_000**2, expected, atol=1e-5)


def calls_in_clipping(area):
    """How often functions of the module are called while an area is cut to the data."""
    calls = Counter()

    def count(frame, event, _argument):
        if event == "call" and frame.f_code.co_filename == area_clipping.__file__:
            calls[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        area_clipping.clip_to_grid([area], GRID)
    finally:
        sys.setprofile(None)
    return calls


def test_all_rings_are_clipped_together():
    few, many = (area_with_holes(count) for count in (100, 1_000))
    calls_in_clipping(few)  # the boxes of the grid are kept from now on

    found = calls_in_clipping(many)

    assert found["clip_to_grid"] == 1
    assert found == calls_in_clipping(few)
