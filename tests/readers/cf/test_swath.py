"""Arrays with a latitude and longitude per cell, in NetCDF files and Zarr stores, read as rasters."""

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray
from affine import Affine
from scipy.spatial import cKDTree

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.request import Point
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.readers.cf.geolocation import find_geolocation
from chronotile.readers.cf.swath import open_swath
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.fieldsets import make_fields
from tests.readers.made_swaths import orbit, swath_fields
from tests.scenes import make_spec, save_netcdf, save_zarr

LONGITUDES, LATITUDES = orbit(20, 24, rows=60, angles=np.linspace(-2, 2, 50))
NUMBERS = (np.arange(3 * 60 * 50).reshape(3, 60, 50) % 7000).astype("int16")
FILL = -1
DAYS = np.array(["2020-01-01", "2020-01-02", "2020-01-04"], dtype="datetime64[ns]")


def dataset_of(dims=("time", "scan", "pixel"), *, days=DAYS, longitudes=LONGITUDES, dtype="int16"):
    attrs = {"coordinates": "lat lon"} | ({"_FillValue": np.int16(FILL)} if dtype == "int16" else {})
    v = xarray.DataArray(NUMBERS[: len(days)].astype(dtype), dims=("time", "scan", "pixel")).transpose(*dims)
    return xarray.Dataset(
        {"v": (dims, v.values, attrs)},
        {
            "time": ("time", days),
            "lat": (("scan", "pixel"), LATITUDES, {"units": "degrees_north"}),
            "lon": (("scan", "pixel"), longitudes, {"units": "degrees_east"}),
        },
    )


def open_made(kind, folder, dataset, **spec):
    if kind.startswith("zarr"):
        href = save_zarr(dataset, folder / "made.zarr", version=int(kind[-1]), v={"chunks": (1, 20, 20)})
    else:
        href = save_netcdf(dataset, folder / "made.nc", version=int(kind[-1]))
    return open_source(make_spec(kind.rpartition("-")[0], href, variables={}, **spec), ReaderCaches())


def whole_of(grid):
    return Window(0, grid.height, 0, grid.width)


def vectors_of(longitudes, latitudes):
    x, y = np.radians(longitudes), np.radians(latitudes)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


def nearest_on(grid):
    """Return (y, x) the nearest cell of each pixel, and its distance as a fraction of the side of a cell."""
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    vectors = vectors_of(LONGITUDES, LATITUDES)
    distances, nearest = cKDTree(vectors.reshape(-1, 3)).query(vectors_of(*grid.points_at(columns, rows)))
    return nearest, distances / np.linalg.norm(vectors[1, 0] - vectors[0, 0])


@pytest.mark.parametrize("kind", ["netcdf-3", "netcdf-4", "zarr-2", "zarr-3"])
def test_pixels_have_the_values_of_their_nearest_cells(kind, tmp_path):
    reader = open_made(kind, tmp_path, dataset_of())
    grid = reader.info.variables["v"].grid

    numbers = reader.read_window("v", index=1, level=0, window=whole_of(grid)).numbers

    nearest, distances = nearest_on(grid)
    inside, outside = distances < 0.7, distances > 0.95
    np.testing.assert_array_equal(numbers[inside], NUMBERS[1].ravel()[nearest[inside]])
    assert (numbers[outside] == FILL).all()
    assert 0.3 < inside.mean() < 0.9


@pytest.mark.parametrize("dims", [("pixel", "scan", "time"), ("scan", "time", "pixel")], ids="-".join)
def test_dimensions_of_a_swath_may_be_in_any_order(dims, tmp_path):
    reader = open_made("netcdf-4", tmp_path, dataset_of(dims))
    grid = reader.info.variables["v"].grid

    block = reader.read_block("v", indexes=[2, 0], window=whole_of(grid), along="time").numbers

    nearest, distances = nearest_on(grid)
    inside = distances < 0.7
    np.testing.assert_array_equal(block[:, inside], NUMBERS[[2, 0]].reshape(2, -1)[:, nearest[inside]])


@pytest.fixture(scope="module")
def swath(tmp_path_factory):
    """A reader, and its (time, y, x) numbers."""
    reader = open_made("netcdf-4", tmp_path_factory.mktemp("swath"), dataset_of())
    window = whole_of(reader.info.variables["v"].grid)
    return reader, reader.read_block("v", indexes=[0, 1, 2], window=window, along="space").numbers


def test_cell_equals_the_pixel_of_a_window(swath):
    reader, numbers = swath
    _time, height, width = numbers.shape

    pixels = reader.read_cell("v", indexes=[2, 1], row=height // 2, column=width // 2)

    assert pixels.numbers.tolist() == numbers[[2, 1], height // 2, width // 2].tolist()


def test_point_equals_the_pixel_of_a_window(swath):
    reader, numbers = swath
    grid = reader.info.variables["v"].grid
    x, y = grid.centre_of(100, 90)

    assert reader.read_point("v", indexes=[1], point=Point(x=x, y=y, crs=CRS84)).numbers[0] == numbers[1, 100, 90]


def test_scattered_cells_equal_pixels_of_a_window(swath):
    reader, numbers = swath
    rows, columns = np.random.default_rng(2).integers(0, numbers.shape[1:], (300, 2)).T

    pixels = reader.read_cells("v", indexes=[0, 2], rows=rows, columns=columns)

    np.testing.assert_array_equal(pixels.numbers, numbers[[0, 2]][:, rows, columns])


def test_every_nth_pixel_equals_the_pixel_of_a_window(swath):
    reader, numbers = swath

    pixels = reader.read_window("v", index=0, level=0, window=Window(3, 150, 10, 160), step=4)

    np.testing.assert_array_equal(pixels.numbers, numbers[0, 3:150:4, 10:160:4])


def turn_positions(longitudes, latitudes, *, degrees, middle=(0.0, 0.0)):
    """Return positions near the equator, turned about a middle."""
    turn = np.exp(1j * np.radians(degrees))
    points = (longitudes + 1j * latitudes) * turn
    return points.real + middle[0], points.imag + middle[1]


def long_cells(rows, columns, down, across, **turn):
    """Return (y, x) positions of cells with two sides in degrees."""
    return turn_positions(*np.meshgrid(np.arange(columns) * across, np.arange(rows) * down), **turn)


LONG = {
    "orbit": orbit(0, 5, rows=250, angles=np.linspace(-3, 3, 60)),
    "1 to 5": long_cells(300, 60, 0.02, 0.1, degrees=0),
    "5 to 1": long_cells(60, 300, 0.1, 0.02, degrees=0),
    "1 to 5, turned": long_cells(300, 60, 0.02, 0.1, degrees=37),
    "5 to 1, turned": long_cells(60, 300, 0.1, 0.02, degrees=-61),
    "1 to 20, turned": long_cells(600, 30, 0.01, 0.2, degrees=20),
}


def cells_on(level, longitudes, latitudes):
    """Return a coarse grid, (n,) pixels with a cell, and (n,) rows and columns of these cells."""
    fields = swath_fields(longitudes, latitudes)
    swath = open_swath(find_geolocation(fields.fields["v"], fields), TargetGrid(crs="EPSG:4326", resolution=1 / 128))
    grid = NativeGrid(
        crs=swath.levels[0].crs,
        transform=swath.levels[0].transform @ Affine.scale(2**level),
        width=-(-swath.levels[0].width >> level),
        height=-(-swath.levels[0].height >> level),
    )
    coarse = replace(swath, levels=(swath.levels[0], grid))
    plan = coarse.plan(1, whole_of(grid), 1)
    parts = [np.divmod(part.sources, part.window.width) for part in plan.parts]
    rows = np.concatenate([y + part.window.row_start for (y, _x), part in zip(parts, plan.parts, strict=True)])
    columns = np.concatenate([x + part.window.column_start for (_y, x), part in zip(parts, plan.parts, strict=True)])
    return grid, np.concatenate([part.targets for part in plan.parts]), rows, columns


@pytest.mark.parametrize("level", [2, 3, 4, 5])
@pytest.mark.parametrize("name", LONG)
def test_coarse_pixel_shows_a_cell_within_half_its_diagonal(name, level):
    longitudes, latitudes = LONG[name]
    vectors = vectors_of(longitudes, latitudes)

    grid, targets, rows, columns = cells_on(level, longitudes, latitudes)

    y, x = np.divmod(targets, grid.width)
    distances = np.linalg.norm(vectors_of(*grid.points_at(x + 0.5, y + 0.5)) - vectors[rows, columns], axis=-1)
    sides = [np.median(np.linalg.norm(np.diff(vectors, axis=axis), axis=-1)) for axis in (0, 1)]
    reach = 0.5 * math.hypot(*(max(side, np.radians(grid.resolution)) for side in sides))
    assert distances.max() < 1.06 * reach
    assert targets.size > 20


@pytest.mark.parametrize("level", [2, 3, 4, 5])
@pytest.mark.parametrize("name", LONG)
def test_coarse_level_has_no_hole_between_cells(name, level):
    longitudes, latitudes = LONG[name]
    grid, targets, _rows, _columns = cells_on(level, longitudes, latitudes)
    vectors, pixel = vectors_of(longitudes, latitudes), np.radians(grid.resolution)
    y, x = np.divmod(np.arange(grid.width * grid.height), grid.width)
    points = vectors_of(*grid.points_at(x + 0.5, y + 0.5))

    distances, _cells = cKDTree(vectors[8:-8, 2:-2].reshape(-1, 3)).query(points)

    assert np.isin(np.flatnonzero(distances < 0.3 * pixel), targets).all()


@pytest.mark.parametrize(("name", "axis"), [("1 to 5", 1), ("5 to 1", 0), ("1 to 5, turned", 1), ("5 to 1, turned", 0)])
def test_coarse_level_shows_cells_longer_than_its_pixels(name, axis):
    longitudes, latitudes = LONG[name]

    cells = cells_on(3, longitudes, latitudes)[2 + axis]

    np.testing.assert_array_equal(np.unique(cells), np.arange(longitudes.shape[axis]))


def test_pixels_without_a_cell_are_masked_if_all_numbers_are_values(tmp_path):
    reader = open_made("netcdf-4", tmp_path, dataset_of(dtype="int32").drop_attrs(deep=False))
    source = reader.info.variables["v"]

    pixels = reader.read_window("v", index=1, level=0, window=whole_of(source.grid))

    valid = source.encoding.valid(pixels.numbers) & (True if pixels.valid is None else pixels.valid)
    _nearest, distances = nearest_on(source.grid)
    assert valid[distances < 0.7].all()
    assert not valid[distances > 0.95].any()


def test_files_on_one_curvilinear_grid_are_joined(tmp_path):
    save_netcdf(dataset_of(days=DAYS[:1]), tmp_path / "a_20200101.nc")
    save_netcdf(dataset_of(days=DAYS[1:2]), tmp_path / "a_20200102.nc")

    reader = open_source(make_spec("netcdf", tmp_path / "*.nc", variables={}), ReaderCaches())

    window = Window(60, 90, 60, 90)
    first, second = (reader.read_window("v", index=index, level=0, window=window).numbers for index in (0, 1))
    assert reader.info.variables["v"].times.starts.tolist() == DAYS[:2].tolist()
    np.testing.assert_array_equal(first, second)


def test_replaced_positions_are_an_error(tmp_path):
    reader = open_made("netcdf-4", tmp_path, dataset_of())
    reader.read_cell("v", indexes=[0], row=90, column=90)
    save_netcdf(dataset_of(longitudes=LONGITUDES + 1), tmp_path / "made.nc")

    with pytest.raises(SourceUnavailable):
        reader.read_cell("v", indexes=[0], row=90, column=90)


def test_replaced_values_are_read_at_unchanged_positions(tmp_path):
    reader = open_made("netcdf-4", tmp_path, dataset_of())
    before = reader.read_cell("v", indexes=[0], row=90, column=90).numbers
    changed = dataset_of()
    changed["v"] = changed["v"] + np.int16(1)
    changed["v"].attrs = dataset_of()["v"].attrs
    save_netcdf(changed, tmp_path / "made.nc")

    assert reader.read_cell("v", indexes=[0], row=90, column=90).numbers == before + 1


def test_cells_of_a_window_are_searched_once_for_all_times():
    reads = []
    fields = swath_fields(LONGITUDES + 0.125, LATITUDES)

    def count_reads(field):
        return replace(field, part=lambda picks: reads.append(picks) or field.load()[picks])

    fields = make_fields(*map(count_reads, fields.fields.values()))
    made = open_swath(find_geolocation(fields.fields["v"], fields), None)

    first = made.plan(0, Window(10, 60, 10, 60), 1)
    count = len(reads)

    assert made.plan(0, Window(10, 60, 10, 60), 1) is first
    assert len(reads) == count > 0


def test_coarse_level_is_read_if_thinned_cells_lack_neighbours(tmp_path):
    row, column = np.indices((600, 600))
    is_missing = ~np.isin(row % 4, (0, 1))
    latitudes, longitudes = (
        np.where(is_missing, np.nan, values) for values in (45 + row * 0.01 + column * 0.001, column * 0.01)
    )
    dims = ("scan", "pixel")
    positions = {
        "lat": (dims, latitudes, {"units": "degrees_north"}),
        "lon": (dims, longitudes, {"units": "degrees_east"}),
    }
    dataset = xarray.Dataset({"v": (dims, row.astype("float32"), {"coordinates": "lat lon"})}, positions)
    reader = open_source(
        make_spec("netcdf", save_netcdf(dataset, tmp_path / "made.nc", version=4), variables={}), ReaderCaches()
    )
    levels = reader.info.variables["v"].levels

    last = reader.read_window("v", index=0, level=len(levels) - 1, window=whole_of(levels[-1])).numbers

    assert set(np.unique(last[np.isfinite(last)]) % 4) <= {0, 1}
    assert np.isfinite(last).mean() > 0.3
