"""Cells of swaths averaged over the cells of a coarser grid, compared with dense samples of exact cells."""

import numpy as np
import pytest
import xarray

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.quality import ValueBounds
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import Mask, TargetGrid, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.cf import cell_areas
from chronotile.readers.cf.cell_areas import AreaPart, average_areas, averaging_areas
from chronotile.readers.derived.derive import derive_variables
from chronotile.readers.kinds import open_source
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.made_swaths import orbit
from tests.scenes import make_spec, save_netcdf

SHAPE = 90, 70
TURN = np.radians(25)
DOWN, ACROSS = np.array([np.sin(TURN), np.cos(TURN)]) * 0.05, np.array([np.cos(TURN), -np.sin(TURN)]) * 0.05
"""Steps (longitude, latitude) between rows and columns of a made swath at the equator."""
DENSITY = 40
"""Sampled points of a pixel along x and y."""
RESOLUTION = 0.25


def positions(west=0.0):
    rows, columns = np.indices(SHAPE)
    return (rows[..., None] * DOWN + columns[..., None] * ACROSS + [west, -1.0]).transpose(2, 0, 1)


def smooth():
    rows, columns = np.indices(SHAPE)
    return 280 + 10 * np.sin(rows / 9) + 10 * np.cos(columns / 7)


def open_made(folder, values, *, west=0.0, longitudes=None, latitudes=None, resolution=RESOLUTION, **attrs):
    if longitudes is None:
        longitudes, latitudes = positions(west)
        longitudes = (longitudes + 180) % 360 - 180
    dims = ("scan", "pixel")
    dataset = xarray.Dataset(
        {"v": (dims, values, {"coordinates": "lat lon", **attrs})},
        {
            "lat": (dims, latitudes, {"units": "degrees_north"}),
            "lon": (dims, longitudes, {"units": "degrees_east"}),
        },
    )
    path = save_netcdf(dataset, folder / "made.nc", version=4)
    return open_source(
        make_spec("netcdf", path, variables={}, grid=TargetGrid(crs="EPSG:4326", resolution=resolution)), ReaderCaches()
    )


def read_whole(reader, window=None):
    grid = reader.info.variables["v"].grid
    with averaging_areas():
        pixels = reader.read_block(
            "v", indexes=[0], window=window or Window(0, grid.height, 0, grid.width), along="space"
        )
    return grid, np.asarray(pixels.numbers[0]), None if pixels.valid is None else pixels.valid[0]


def exact_cells(grid, west=0.0):
    """Return (y, x, point) the cell that contains each point of each pixel, and -1 for points in no cell."""
    steps = (np.arange(DENSITY) + 0.5) / DENSITY
    y, x = np.meshgrid(steps, steps, indexing="ij")
    rows, columns = np.mgrid[: grid.height, : grid.width]
    longitudes, latitudes = grid.points_at(columns[..., None] + x.ravel(), rows[..., None] + y.ravel())
    offsets = np.stack([longitudes - west, latitudes + 1.0], axis=-1)
    row, column = np.floor(np.moveaxis(offsets @ np.linalg.inv(np.array([DOWN, ACROSS])), -1, 0) + 0.5).astype(int)
    inside = (row >= 0) & (row < SHAPE[0]) & (column >= 0) & (column < SHAPE[1])
    return np.where(inside, row * SHAPE[1] + column, -1)


@pytest.mark.parametrize("west", [0.0, 178.0], ids=["zero", "antimeridian"])
def test_mean_differs_little_from_exact_overlaps(tmp_path, west):
    values = smooth()

    grid, numbers, _valid = read_whole(open_made(tmp_path, values, west=west))

    cells = exact_cells(grid, west)
    inside = (cells >= 0).all(axis=-1)
    exact = values.ravel()[cells[inside]].mean(axis=-1)
    assert inside.sum() > 100
    np.testing.assert_allclose(numbers[inside], exact, rtol=0.004)
    np.testing.assert_allclose(numbers[inside], exact, atol=0.2)


def test_noise_averages_as_over_exact_overlaps(tmp_path):
    values = np.random.default_rng(4).normal(100.0, 20.0, SHAPE)

    grid, numbers, _valid = read_whole(open_made(tmp_path, values))

    cells = exact_cells(grid)
    inside = (cells >= 0).all(axis=-1)
    exact = values.ravel()[cells[inside]].mean(axis=-1)
    assert np.abs(numbers[inside] - exact).mean() / 100 < 0.004


def test_mean_over_all_pixels_is_conserved(tmp_path):
    values = np.random.default_rng(5).normal(100.0, 20.0, SHAPE)

    grid, numbers, _valid = read_whole(open_made(tmp_path, values))

    fractions = (exact_cells(grid) >= 0).mean(axis=-1)
    valid = np.isfinite(numbers)
    assert np.average(numbers[valid], weights=fractions[valid]) == pytest.approx(values.mean(), rel=0.001)


def test_missing_cells_do_not_count(tmp_path):
    values = smooth()
    values[20:60, 10:50][::2] = np.nan

    grid, numbers, _valid = read_whole(open_made(tmp_path, values))

    cells = exact_cells(grid)
    inside = (cells >= 0).all(axis=-1)
    exact = np.nanmean(values.ravel()[cells[inside]], axis=-1)
    np.testing.assert_allclose(numbers[inside], exact, rtol=0.004)


def test_packed_numbers_are_means_rounded(tmp_path):
    values = np.round(smooth() * 10).astype("int16")

    grid, numbers, _valid = read_whole(open_made(tmp_path, values, scale_factor=0.1, _FillValue=np.int16(-1)))

    cells = exact_cells(grid)
    inside = (cells >= 0).all(axis=-1)
    np.testing.assert_allclose(numbers[inside], values.ravel()[cells[inside]].mean(axis=-1), rtol=0.004)
    assert (numbers[(cells < 0).all(axis=-1)] == -1).mean() > 0.5


def test_classes_are_the_most_frequent(tmp_path):
    rows, columns = np.indices(SHAPE)
    values = (1 + (rows // 20 + columns // 20) % 3).astype("uint8")
    classes = {"flag_values": np.array([1, 2, 3], "uint8"), "flag_meanings": "a b c", "_FillValue": np.uint8(0)}

    grid, numbers, _valid = read_whole(open_made(tmp_path, values, **classes))

    cells = exact_cells(grid)
    inside = (cells >= 0).all(axis=-1)
    counts = np.stack([(values.ravel()[cells[inside]] == c).mean(axis=-1) for c in (1, 2, 3)])
    is_clear = np.diff(np.sort(counts, axis=0)[1:], axis=0)[0] > 0.1
    np.testing.assert_array_equal(numbers[inside][is_clear], counts.argmax(axis=0)[is_clear] + 1)


def test_bits_come_from_the_nearest_cell(tmp_path):
    values = np.random.default_rng(3).integers(0, 4, SHAPE).astype("uint8")
    reader = open_made(tmp_path, values, flag_masks=np.array([1, 2], "uint8"), flag_meanings="cloud land")

    grid, numbers, _valid = read_whole(reader)

    window = Window(0, grid.height, 0, grid.width)
    np.testing.assert_array_equal(numbers, reader.read_window("v", index=0, level=0, window=window).numbers)


def test_fine_grid_has_the_nearest_cells(tmp_path):
    reader = open_made(tmp_path, smooth(), resolution=0.03125)

    grid, numbers, _valid = read_whole(reader)

    window = Window(0, grid.height, 0, grid.width)
    np.testing.assert_array_equal(numbers, reader.read_window("v", index=0, level=0, window=window).numbers)


def test_window_equals_a_part_of_the_whole(tmp_path):
    reader = open_made(tmp_path, smooth())
    _grid, whole, _valid = read_whole(reader)

    _grid, part, _valid = read_whole(reader, Window(5, 12, 3, 17))

    np.testing.assert_array_equal(part, whole[5:12, 3:17])


@pytest.mark.parametrize("start", [80, 262], ids=["north", "south"])
def test_constant_swath_over_a_pole_has_no_hole(tmp_path, start):
    longitudes, latitudes = orbit(start, start + 20, rows=200, inclination=90.0)
    values = np.full(latitudes.shape, 7.0)
    reader = open_made(tmp_path, values, longitudes=longitudes, latitudes=latitudes, resolution=0.5)

    _grid, numbers, _valid = read_whole(reader)

    assert set(np.unique(numbers[np.isfinite(numbers)])) == {7.0}
    assert np.isfinite(numbers[0 if start < 90 else -1]).all()


def test_native_windows_have_the_means_of_blocks(tmp_path):
    reader = open_made(tmp_path, smooth())
    _grid, whole, _valid = read_whole(reader)

    with averaging_areas():
        pixels = reader.read_window("v", index=0, level=0, window=Window(5, 12, 3, 17))

    np.testing.assert_array_equal(pixels.numbers, whole[5:12, 3:17])


@pytest.mark.parametrize("name", ["v", "w"], ids=["mask", "formula"])
def test_masked_variables_and_formulas_have_the_nearest_cells(tmp_path, name):
    variables = {
        "v": VariableSpec(id="v", mask=Mask("v", ValueBounds(at_least=280))),
        "w": VariableSpec(id="w", formula=parse_expression("v * (v + 1)", {"v"})),
    }
    reader = derive_variables(
        open_made(tmp_path, smooth()), make_spec("netcdf", tmp_path / "made.nc", variables=variables)
    )
    window = Window(5, 12, 3, 17)

    nearest = reader.read_window(name, index=0, level=0, window=window)
    with averaging_areas():
        pixels = reader.read_window(name, index=0, level=0, window=window)
        block = reader.read_block(name, indexes=[0], window=window, along="space")

    np.testing.assert_array_equal(pixels.numbers, nearest.numbers)
    np.testing.assert_array_equal(block.numbers[0], nearest.numbers)


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 5), (2 * 8 * 12, [2, 2, 1]), (1 << 20, [5])])
def test_times_are_read_in_slabs_of_limited_size(monkeypatch, limit, sizes):
    monkeypatch.setattr(cell_areas, "SLAB_BYTES", limit)
    values, reads = np.arange(40.0).reshape(5, 2, 4), []
    numbers = np.arange(4)
    part = AreaPart(Window(0, 2, 0, 4), numbers * 2, numbers // 2, np.ones(4, dtype=np.int64))

    def read(window, times):
        reads.append(len(values[times]))
        return Pixels(values[times])

    counting = Counting(encoding=Encoding(dtype="float64", nodata=np.nan), is_categorical=False)
    pixels = average_areas((part,), Pixels(np.zeros((5, 1, 2))), read, counting)

    assert reads == sizes
    np.testing.assert_array_equal(pixels.numbers[:, 0], values[:, :, ::2].mean(axis=2))
