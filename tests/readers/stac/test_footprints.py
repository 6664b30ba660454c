"""Footprints: few vertices, never smaller than the item, right across the antimeridian and at the poles."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.space.boxes import boxes_of
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.readers.stac.footprints import footprint_of
from chronotile.readers.stac.items import item_of
from tests.readers.stac.documents import TILE_CORNERS, box, item, polygon


def grid_of(crs, west, north, *, size=109_800, cells=10_980):
    """Return a square grid."""
    return NativeGrid(
        crs=crs_of(crs), transform=Affine(size / cells, 0, west, 0, -size / cells, north), width=cells, height=cells
    )


BELGIUM = grid_of("EPSG:32631", 600_000, 5_700_000)


def shapes(footprint):
    """Return the outlines as one shape."""
    return shapely.union_all([shapely.Polygon(ring) for ring in footprint.rings])


def edges_in_degrees(grid, count=2000):
    """Many points on the edges of a grid."""
    along = np.linspace(0, grid.width, count)
    columns = np.concatenate([along, along, np.zeros(count), np.full(count, grid.width)])
    rows = np.concatenate([np.zeros(count), np.full(count, grid.height), along, along])
    x, y = transformer(grid.crs, CRS84).transform(*grid.points_at(columns, rows))
    return np.column_stack([x, y])


def split_at_180(corners):
    """Return a multipolygon of a ring that crosses the antimeridian."""
    whole = shapely.Polygon(np.column_stack([corners[:, 0] % 360, corners[:, 1]]))
    east, west = (shapely.intersection(whole, shapely.box(low, -90, low + 180, 90)) for low in (0, 180))
    rings = [np.array(east.exterior.coords), np.array(west.exterior.coords) - [360, 0]]
    return {"type": "MultiPolygon", "coordinates": [[ring.tolist()] for ring in rings]}


def is_in_boxes(points, bbox):
    """Return whether each point lies in a box, which may cross the antimeridian."""
    inside = np.zeros(len(points), dtype=bool)
    for west, south, east, north in boxes_of(bbox):
        x, y = points.T
        inside |= (x >= west) & (x <= east) & (y >= south) & (y <= north)
    return inside


@pytest.mark.parametrize("grid", [BELGIUM, None], ids=["grid known", "not known"])
def test_a_footprint_holds_the_edges_of_the_raster_between_its_corners(grid):
    """The northern edge lies up to 250 m beyond the line between the corners."""
    points = edges_in_degrees(BELGIUM)

    footprint = footprint_of(polygon(*TILE_CORNERS), grid)

    assert not shapely.contains_xy(shapely.Polygon(TILE_CORNERS).buffer(0.001), points).all()
    assert shapely.contains_xy(shapes(footprint), points).all()
    assert is_in_boxes(points, footprint.bbox).all()


def test_a_footprint_is_little_larger_than_its_tile():
    area = shapely.Polygon(edges_in_degrees(BELGIUM)).convex_hull.area

    assert shapes(footprint_of(polygon(*TILE_CORNERS), BELGIUM)).area < 1.001 * area
    assert shapes(footprint_of(polygon(*TILE_CORNERS))).area < 1.03 * area


def test_half_a_swath_is_not_the_whole_tile():
    half = polygon(TILE_CORNERS[0], (5.0, 51.43), (4.7, 50.45), TILE_CORNERS[3])

    footprint = footprint_of(half, BELGIUM)

    assert footprint.is_of_grid
    assert footprint.bbox.xmax < 5.01


def test_grid_of_another_place_is_not_that_of_the_item():
    assert not footprint_of(box(10, 40, 11, 41), BELGIUM).is_of_grid


def test_a_box_with_heights_has_no_effect():
    document = item(geometry=box(4.5, 50.5, 4.6, 50.6), bbox=[4.5, 50.5, -10, 4.6, 50.6, 300])

    west, south, east, north = item_of(document, "/a/b").bbox

    assert (west, south, east, north) == pytest.approx((4.5, 50.5, 4.6, 50.6), abs=1e-3)


def test_a_geometry_with_heights():
    ring = [[4, 50, 1], [5, 50, 2], [5, 51, 3], [4, 50, 1]]

    assert footprint_of({"type": "Polygon", "coordinates": [ring]}).bbox.xmin == pytest.approx(4, abs=0.01)


ACROSS = {
    "one ring": polygon((179, -17), (-179, -17), (-179, -16), (179, -16)),
    "one ring beyond 180": polygon((179, -17), (181, -17), (181, -16), (179, -16)),
    "one ring beyond -180": polygon((-181, -17), (-179, -17), (-179, -16), (-181, -16)),
    "two polygons": {
        "type": "MultiPolygon",
        "coordinates": [box(179, -17, 180, -16)["coordinates"], box(-180, -17, -179, -16)["coordinates"]],
    },
    "a collection": {
        "type": "GeometryCollection",
        "geometries": [
            box(179, -17, 180, -16),
            {"type": "GeometryCollection", "geometries": [box(-180, -17, -179, -16)]},
        ],
    },
}


@pytest.mark.parametrize("geometry", ACROSS.values(), ids=ACROSS)
def test_across_the_antimeridian(geometry):
    footprint = footprint_of(geometry)

    assert tuple(footprint.bbox) == pytest.approx((179, -17, -179, -16), abs=0.01)
    assert len(footprint.rings) == 2
    assert shapely.contains_xy(shapes(footprint), [179.5, -179.5], [-16.5, -16.5]).all()
    assert not shapely.contains_xy(shapes(footprint), 0, -16.5)


@pytest.mark.parametrize("is_split", [False, True], ids=["one ring", "split at 180"])
def test_a_tile_of_utm_across_the_antimeridian(is_split):
    grid = grid_of("EPSG:32701", 100_000, 8_100_040)
    points = edges_in_degrees(grid)
    corners = points[[0, 1999, 3999, 2000]]
    geometry = split_at_180(corners) if is_split else polygon(*corners.tolist())

    footprint = footprint_of(geometry, grid)

    assert footprint.bbox.xmin > footprint.bbox.xmax
    assert is_in_boxes(points, footprint.bbox).all()
    assert shapely.contains_xy(shapes(footprint), points).all()


def test_a_ring_round_the_pole_holds_it():
    ring = polygon((0, 80), (120, 80), (-120, 80))

    footprint = footprint_of(ring)

    assert tuple(footprint.bbox) == pytest.approx((-180, 80, 180, 90), abs=0.3)
    assert shapely.contains_xy(shapes(footprint), [0, 90, -170], [89.9, 85, 81]).all()


@pytest.mark.parametrize("west", [-180, -170])
def test_a_map_of_the_world_is_no_strip_at_the_antimeridian(west):
    grid = NativeGrid(crs=CRS84, transform=Affine(-2 * west / 3600, 0, west, 0, -0.1, 75), width=3600, height=1350)

    bbox = footprint_of(box(west, -60, -west, 75), grid).bbox

    assert tuple(bbox) == pytest.approx((west, -60, -west, 75), abs=0.01)


def test_map_of_the_world_without_a_grid_is_no_strip():
    assert footprint_of(box(-180, -60, 180, 75)).bbox.xmin == -180


def test_many_islands_are_one_outline():
    islands = [box(x, y, x + 0.1, y + 0.1)["coordinates"] for x in range(5) for y in range(5)]

    footprint = footprint_of({"type": "MultiPolygon", "coordinates": islands})

    assert len(footprint.rings) == 1
    assert tuple(footprint.bbox) == pytest.approx((0, 0, 4.1, 4.1), abs=0.1)


def test_a_geometry_without_area_has_an_outline():
    footprint = footprint_of(polygon((4, 50), (4, 50), (4, 50)))

    assert shapely.contains_xy(shapes(footprint), 4, 50)


circle = st.integers(3, 200).flatmap(
    lambda count: st.tuples(
        st.lists(st.floats(0.05, 3), min_size=count, max_size=count), st.floats(-179.99, 179.99), st.floats(-85, 85)
    )
)


@pytest.mark.slow
@given(circle)
def test_a_footprint_contains_the_geometry_with_few_vertices(star):
    radii, x, y = star
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    points = np.column_stack([x + radii * np.cos(angles), np.clip(y + radii * np.sin(angles), -90, 90)])

    footprint = footprint_of(polygon(*points.tolist()))

    wrapped = np.column_stack([(points[:, 0] + 180) % 360 - 180, points[:, 1]])
    assert max(map(len, footprint.rings)) <= 16
    assert all(ring[0] == ring[-1] for ring in footprint.rings)
    assert shapely.contains_xy(shapes(footprint).buffer(1e-6), wrapped).all()
    assert is_in_boxes(wrapped, footprint.bbox).all()
