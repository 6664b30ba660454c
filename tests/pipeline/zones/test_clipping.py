"""Areas that reach far beyond the data, outside the valid range of their projection."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.spans import centre_spans, covered_spans

SINUSOIDAL = "+proj=sinu +lon_0=0 +R=6371007.181 +units=m"


def grid_of(crs, left, top, cell_m, width=36, height=28):
    return NativeGrid(crs=crs_of(crs), transform=Affine(cell_m, 0, left, 0, -cell_m, top), width=width, height=height)


LAEA = grid_of("EPSG:3035", 3_800_000, 3_200_000, 10_000)
GRIDS = {
    "UTM": grid_of("EPSG:32631", 400_000, 5_750_000, 10_000),
    "UTM across the antimeridian": grid_of("EPSG:32701", 100_000, 8_200_000, 10_000),
    "LAEA": LAEA,
    "round the north pole": grid_of("EPSG:3413", -1_801_000, 1_402_000, 100_000),
    "round the south pole": grid_of("EPSG:3031", -1_801_000, 1_402_000, 100_000),
    "sinusoidal tile": grid_of(SINUSOIDAL, -10_007_554, 5_559_752, 30_000),
    "sinusoidal world": grid_of(SINUSOIDAL, -19_990_000, 9_980_000, 1_110_000, width=36, height=18),
    "Mercator world": grid_of("EPSG:3857", -20_037_508, 20_037_508, 1_113_194, width=36, height=36),
}
QUICK = {"UTM", "UTM across the antimeridian", "round the north pole"}
WORLD = [(-180, -90), (180, -90), (180, 90), (-180, 90)]
PACIFIC = [(-179, -60), (-160, -60), (-160, -40), (-179, -40)]


def area_of(*rings, crs=CRS84):
    return Area(polygons=(tuple(np.array([*ring, ring[0]], dtype=float) for ring in rings),), crs=crs)


def mask_of(area, grid, spans=centre_spans):
    found = spans(outlines_of([area], grid), grid)
    mask = np.zeros((grid.height, grid.width), dtype=int)
    for row, start, stop in zip(found.rows, found.starts, found.stops, strict=True):
        mask[row, start:stop] += 1
    return mask


def centres_of(grid, crs=CRS84):
    """Return the coordinates of centres in the CRS, and whether they are distinct there."""
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    there = transformer(grid.crs, crs)
    x, y = there.transform(*grid.points_at(columns, rows))
    back = grid.pixels_at(*there.transform(x, y, direction="INVERSE"))
    return x, y, np.isfinite(x) & (np.hypot(back[0] - columns, back[1] - rows) < 0.01)


def crossings_are_odd(corners, x, y):
    is_inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if ay != by:
            is_inside ^= ((ay <= y) != (by <= y)) & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    return is_inside


def assert_as_by_brute_force(corners, grid):
    """At all centres that are not within some kilometres of an edge."""
    x, y, is_known = centres_of(grid)
    expected, is_clear = np.zeros(x.shape, dtype=bool), is_known.copy()
    for turn in (-360, 0, 360):
        expected |= crossings_are_odd(corners, x + turn, y)
        far = shapely.distance(shapely.LinearRing(corners), shapely.points(x[is_known] + turn, y[is_known])) > 0.05
        is_clear[is_known] &= far

    assert np.array_equal(mask_of(area_of(corners), grid)[is_clear] > 0, expected[is_clear])


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_the_whole_world_holds_all_cells(grid):
    _x, _y, is_known = centres_of(grid)

    assert (mask_of(area_of(WORLD), grid)[is_known] == 1).all()


@pytest.mark.parametrize(
    "grid",
    [pytest.param(grid, id=name, marks=[] if name in QUICK else pytest.mark.slow) for name, grid in GRIDS.items()],
)
@given(
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.5, 180)), min_size=3, max_size=8),
)
def test_any_polygon_has_the_cells_whose_centres_lie_in_it(grid, longitude, latitude, rays):
    angles = np.cumsum([share for share, _length in rays])
    angles *= 2 * np.pi / angles[-1]
    lengths = [length for _share, length in rays]
    corners = [
        (np.clip(longitude + length * np.cos(angle), -360, 360), np.clip(latitude + length * np.sin(angle), -90, 90))
        for angle, length in zip(angles, lengths, strict=True)
    ]

    assert_as_by_brute_force(corners, grid)


@pytest.mark.parametrize("spans", [centre_spans, covered_spans])
@pytest.mark.parametrize(
    "corners", [pytest.param(PACIFIC, id="antipode"), pytest.param([(20, 40), (21, 40), (21, 41)], id="near")]
)
def test_a_polygon_elsewhere_is_outside(corners, spans):
    area = area_of(corners)

    assert outlines_of([area], LAEA).is_outside.tolist() == [True]
    assert mask_of(area, LAEA, spans).sum() == 0


def test_the_world_covers_each_cell_whole():
    spans = covered_spans(outlines_of([area_of(WORLD)], LAEA), LAEA)

    assert np.unique(spans.weights) == pytest.approx([10_000.0**2])
    assert spans.cells == LAEA.width * LAEA.height


def test_hole_of_the_world_is_excluded():
    x, y, _is_known = centres_of(LAEA)
    hole = [(4, 50), (5, 50), (5, 51), (4, 51)]

    mask = mask_of(area_of(WORLD, hole), LAEA)

    assert np.array_equal(mask == 0, crossings_are_odd(hole, x, y))


def test_the_world_of_another_projection_holds_all_cells():
    half = 20_037_508.34
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]

    assert (mask_of(area_of(corners, crs=crs_of("EPSG:3857")), LAEA) == 1).all()


def test_area_beyond_the_data_is_reported():
    inside, across, beyond = ([(x, 50), (x + 0.5, 50), (x + 0.5, 50.4), (x, 50.4)] for x in (4.0, 2.5, -40.0))

    outlines = outlines_of([area_of(inside), area_of(across), area_of(beyond), area_of(WORLD)], LAEA)

    assert (outlines.is_beyond & ~outlines.is_outside).tolist() == [False, True, False, True]


PACIFIC_GRIDS = {
    "from 170": grid_of("EPSG:4326", 170, 20, 1, width=50, height=40),
    "from -190": grid_of("OGC:CRS84", -190, 20, 1, width=50, height=40),
    "NAD 83": grid_of("EPSG:4269", 170, 20, 1, width=50, height=40),
}
SPLIT = Area(  # at the antimeridian, as RFC 7946 has it
    polygons=(
        (np.array([[174, -10], [180, -10], [180, 10], [174, 10], [174, -10]], dtype=float),),
        (np.array([[-180, -10], [-176, -10], [-176, 10], [-180, 10], [-180, -10]], dtype=float),),
    ),
    crs=CRS84,
)


@pytest.mark.parametrize("spans", [centre_spans, covered_spans], ids=["centres", "shares"])
@pytest.mark.parametrize("grid", PACIFIC_GRIDS.values(), ids=PACIFIC_GRIDS)
@pytest.mark.parametrize("west", [-180, -150, 0])
def test_area_around_the_globe_contains_all_cells_of_data_in_degrees(west, grid, spans):
    area = area_of([(west, -80), (west + 360, -80), (west + 360, 80), (west, 80)])

    assert (mask_of(area, grid, spans) == 1).all()


@pytest.mark.parametrize("grid", PACIFIC_GRIDS.values(), ids=PACIFIC_GRIDS)
def test_both_parts_of_an_area_split_at_the_antimeridian_have_cells(grid):
    longitudes, _latitudes, _known = centres_of(grid)
    rows = np.arange(grid.height)[:, np.newaxis]
    is_inside = ((longitudes % 360 > 174) & (longitudes % 360 < 184)) & (rows >= 10) & (rows < 30)

    np.testing.assert_array_equal(mask_of(SPLIT, grid), is_inside)


def test_area_that_meets_the_data_in_two_turns_reaches_beyond():
    outlines = outlines_of([area_of(WORLD)], grid_of("EPSG:4326", 170, 20, 1, width=4, height=4))

    assert (outlines.is_beyond[0], outlines.is_outside[0]) == (True, False)
