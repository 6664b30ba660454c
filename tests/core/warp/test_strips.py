"""Large grids, warped some rows at a time, against one plan of the whole grid: not a pixel is another."""

import tracemalloc

import numpy as np
import pytest
from affine import Affine

from chronotile.core.errors import ChronotileError
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.warp import strips as warp_strips
from chronotile.core.warp.approximation import Exact, OnPixels
from chronotile.core.warp.plan import plan_warp
from chronotile.core.warp.strips import plan_strips, rows_of, strips_of
from tests.readers.arrays import ArrayReader, make_levels

SOURCES = {
    "geographic": ("EPSG:4326", Affine(1 / 100, 0, 2.5, 0, -1 / 100, 51.6), 403, 202),
    "utm": ("EPSG:32631", Affine(100, 0, 499980, 0, -100, 5700000), 1098, 1098),
    "near": ("EPSG:32631", Affine(400, 0, 480_000, 0, -400, 5_720_000), 400, 400),
    "laea": ("EPSG:3035", Affine(500, 0, 3_900_000, 0, -500, 3_160_000), 480, 360),
    "polar": ("EPSG:3411", Affine(25000, 0, -3_850_000, 0, -25000, 5_850_000), 304, 448),
    "antimeridian": ("EPSG:32660", Affine(1500, 0, 600000, 0, -1500, 7_000_000), 200, 200),
    "circular": ("EPSG:4326", Affine(1, 0, 0, 0, -1, 90), 360, 180),
    "half-circle": ("EPSG:4326", Affine(1, 0, 90, 0, -1, 60), 180, 100),
    "ascending": ("EPSG:4326", Affine(0.5, 0, -180, 0, 0.5, -90), 720, 360),
    "rotated": (
        "EPSG:32631",
        Affine.translation(600000, 5600000) @ Affine.rotation(30) @ Affine.scale(200, -200),
        450,
        350,
    ),
}
CRS = ["EPSG:3857", "EPSG:4326", "EPSG:3035", "EPSG:32631", "EPSG:3031"]
ENCODINGS = {
    "bytes": Encoding(dtype="uint8", nodata=255),
    "bytes without nodata": Encoding(dtype="uint8"),
    "floats": Encoding(dtype="float32", nodata=float("nan")),
}


def make_source(name, encoding="bytes without nodata", *, valid=None):
    crs, transform, width, height = SOURCES[name]
    levels = make_levels(crs, transform, width, height, count=3)
    rng = np.random.default_rng(3)
    meant = ENCODINGS[encoding]
    arrays = [rng.integers(1, 250, (1, each.height, each.width)).astype(meant.dtype) for each in levels]
    return ArrayReader(levels, arrays, encoding=meant, valid=valid)


def grids_over(native, crs):
    """Return boxes of another CRS: a source and more, its middle, a corner; and one a whole circle to the east."""
    try:
        box = BBox(*native.bbox_in(crs))
    except ChronotileError:
        return
    across, up = box.xmax - box.xmin, box.ymax - box.ymin
    for left, bottom, right, top, width, height in (
        (-0.6, -0.4, 1.4, 1.3, 97, 143),
        (-3, -2, 1.1, 1.1, 120, 90),
        (0.41, 0.4, 0.6, 0.6, 111, 89),  # not symmetric: centres of pixels on a meridian may be edges of cells
        (0.7, 0.5, 1.9, 0.9, 64, 131),
        (0.02, 0.48, 0.98, 0.49, 700, 31),
    ):
        yield Grid(
            crs=crs,
            bbox=BBox(box.xmin + left * across, box.ymin + bottom * up, box.xmin + right * across, box.ymin + top * up),
            width=width,
            height=height,
        )
    if crs.is_geographic:
        yield Grid(crs=crs, bbox=BBox(box.xmin + 360, box.ymin, box.xmax + 360, box.ymax), width=90, height=120)
        yield Grid(crs=crs, bbox=BBox(-190, -91, 200, 92), width=130, height=71)


def require_same(reader, grid, resampling):
    """Compare both ways; give whether there is anything to compare."""
    levels, encoding = reader.variable.levels, reader.variable.encoding
    whole = plan_warp(levels, grid, resampling=resampling)
    plan = plan_strips(levels, grid, resampling=resampling)
    if whole is None:
        assert plan is None
        return False
    assert (plan.windows, plan.step, plan.level) == (whole.windows, whole.step, whole.level)
    pixels = plan.read(reader, reader.variable, 0)
    expected = whole.warp(pixels, encoding)
    rasters = [plan.plan_rows(rows).warp(pixels, encoding) for rows in strips_of(grid)]
    assert len(rasters) > 1
    np.testing.assert_array_equal(np.concatenate([each.numbers for each in rasters]), expected.numbers)
    assert {each.numbers.dtype for each in rasters} == {expected.numbers.dtype}
    if expected.present is None:
        assert all(each.present is None for each in rasters)
    else:
        np.testing.assert_array_equal(np.concatenate([each.present for each in rasters]), expected.present)
    return True


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """Strips of 7 rows of 100 pixels, however small the grid."""
    monkeypatch.setattr(warp_strips, "WHOLE_PIXELS", 0)
    monkeypatch.setattr(warp_strips, "STRIP_PIXELS", 700)


@pytest.mark.quick_cases("utm-", "antimeridian-EPSG:3857", "polar-EPSG:3031", "circular-EPSG:3035")
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("crs", CRS)
@pytest.mark.parametrize("name", SOURCES)
def test_strips_have_the_pixels_of_the_whole(name, crs, resampling):
    reader = make_source(name)

    compared = [require_same(reader, grid, resampling) for grid in grids_over(reader.variable.grid, crs_of(crs))]

    assert any(compared) or not compared or crs == "EPSG:3031" or name in {"antimeridian", "polar"}


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("is_masked", [False, True])
def test_strips_are_absent_where_the_whole_is(encoding, is_masked, resampling):
    valid = np.random.default_rng(1).random((1098, 1098)) > 0.3 if is_masked else None
    reader = make_source("utm", encoding, valid=valid)

    for grid in grids_over(reader.variable.grid, crs_of("EPSG:3857")):
        if grid.width > 64:  # of one level alone, as the mask is
            require_same(
                ArrayReader(reader.variable.levels[:1], reader.arrays[:1], encoding=ENCODINGS[encoding], valid=valid),
                grid,
                resampling,
            )


@pytest.mark.quick_cases("utm-", "rotated-bilinear")
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("name", ["utm", "geographic", "circular", "rotated"])
def test_strips_of_a_window_that_is_thinned_have_the_pixels_of_the_whole(name, resampling, monkeypatch):
    monkeypatch.setattr("chronotile.core.warp.level_windows.MAX_WINDOW_PIXELS", 900)
    reader = make_source(name)

    for crs in ("EPSG:3857", "EPSG:4326", "EPSG:3035"):
        for grid in grids_over(reader.variable.grid, crs_of(crs)):
            require_same(reader, grid, resampling)


@pytest.mark.quick_cases("circular-EPSG:3857-bilinear")
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize(("name", "crs"), [("utm", "EPSG:3857"), ("near", "EPSG:4326"), ("circular", "EPSG:3857")])
def test_strips_of_a_large_picture_have_the_pixels_of_the_whole(name, crs, resampling, monkeypatch):
    monkeypatch.undo()
    reader = make_source(name)
    box = BBox(*reader.variable.grid.bbox_in(crs_of(crs)))
    grid = Grid(crs=crs_of(crs), bbox=box, width=1100, height=1300)

    assert require_same(reader, grid, resampling)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("name", ["near", "utm"])
def test_rows_are_warped_with_the_plan_of_their_window(name, resampling, monkeypatch):
    """Products of other rows may differ in their last bits, which could shift a cell at the edge of the window."""
    reader = make_source(name)
    asked = set()
    at = OnPixels.at
    monkeypatch.setattr(OnPixels, "at", lambda self, some: asked.add((some.start, some.stop)) or at(self, some))

    for grid in grids_over(reader.variable.grid, crs_of("EPSG:3857")):
        asked.clear()
        plan = plan_strips(reader.variable.levels, grid, resampling=resampling)
        found = set(asked)
        asked.clear()
        for rows in strips_of(grid) if plan else ():
            plan.plan_rows(rows)

        assert {rows for rows in asked if rows[0] < rows[1]} <= found


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_pixels_over_a_pole_are_transformed_twice(resampling, monkeypatch):
    """First to find the window, except for the middle row, then to find the cells of a strip."""
    reader, transformed, at = make_source("circular"), [], Exact.at
    monkeypatch.setattr(
        Exact, "at", lambda self, grid, some: transformed.append(some.stop - some.start) or at(self, grid, some)
    )
    grid = Grid(crs=crs_of("EPSG:3413"), bbox=BBox(-5e6, -5e6, 5e6, 5e6), width=100, height=70)

    plan = plan_strips(reader.variable.levels, grid, resampling=resampling)
    found = sum(transformed)
    for rows in strips_of(grid):
        plan.plan_rows(rows)

    assert (found, sum(transformed)) == (71, 141)


def test_plan_of_strips_is_smaller_than_that_of_the_whole(monkeypatch):
    monkeypatch.setattr(warp_strips, "STRIP_PIXELS", 1 << 17)
    (level,) = make_levels("EPSG:32631", Affine(10, 0, 499980, 0, -10, 5700000), 10980, 10980)
    box = BBox(340_000, 6_500_000, 380_000, 6_540_000)
    grid = Grid(crs=crs_of("EPSG:3857"), bbox=box, width=2048, height=2048)
    taken = {}
    for make in (plan_warp, plan_strips):
        tracemalloc.start()
        try:
            plan = make((level,), grid)
            if make is plan_strips:
                for rows in strips_of(grid):
                    plan.plan_rows(rows)
            taken[make] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert taken[plan_strips] < 12 << 20
    assert taken[plan_warp] > 6 * taken[plan_strips]


def test_rows_of_a_grid_keep_their_place():
    grid = Grid(crs=crs_of("EPSG:3857"), bbox=BBox(0, 0, 100, 200), width=10, height=20)

    part = rows_of(grid, slice(5, 15))

    assert (part.bbox, part.width, part.height) == (BBox(0, 50, 100, 150), 10, 10)
