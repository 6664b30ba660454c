"""Serving cubes of swaths: on a coarser grid, means over areas."""

import numpy as np
import pytest
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.grid import Window
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.grouped import Stored, write_groups
from tests.readers.made_swaths import aligned_dataset
from tests.scenes import Scene, make_spec, save_netcdf, write_netcdf

VALUES = np.random.default_rng(8).normal(280, 10, (2, 40, 60)).astype("float32")
MEANS = VALUES.reshape(2, 10, 4, 15, 4).mean(axis=(2, 4))
COARSE = TargetGrid(crs="EPSG:4326", resolution=0.2)


def read_cube(path, variable="v"):
    """Return the grid of a cube and its (time, y, x) numbers."""
    reader = open_source(make_spec("zarr", path, variables={}), ReaderCaches())
    info = reader.info.variables[variable]
    window = Window(0, info.grid.height, 0, info.grid.width)
    numbers = reader.read_block(variable, indexes=range(len(info.times)), window=window, along="space").numbers
    return info.grid, numbers


@pytest.mark.parametrize("layout", ["map", "series"])
def test_cube_on_a_coarser_grid_has_means(tmp_path, layout):
    source = save_netcdf(aligned_dataset(VALUES), tmp_path / "made.nc")

    optimise([str(source)], tmp_path / "cube.zarr", Options(layout=layout, grid=COARSE, threads=1))

    grid, numbers = read_cube(tmp_path / "cube.zarr")
    assert (grid.resolution, grid.width, grid.height) == (0.2, 15, 10)
    np.testing.assert_allclose(numbers, MEANS, rtol=1e-6)


@pytest.mark.parametrize("layout", ["map", "series"])
def test_named_classes_are_the_most_frequent(tmp_path, layout):
    values = np.random.default_rng(3).choice([1, 2, 9], (2, 10, 15, 16), p=[0.45, 0.1, 0.45]).astype("uint8")
    values[..., :9] = values[..., :1]
    cells = values.reshape(2, 10, 15, 4, 4).swapaxes(2, 3).reshape(2, 40, 60)
    source = save_netcdf(aligned_dataset(cells, _FillValue=np.uint8(0)), tmp_path / "made.nc")

    optimise([str(source)], tmp_path / "cube.zarr", Options(layout=layout, grid=COARSE, threads=1, classes=("v",)))

    np.testing.assert_array_equal(read_cube(tmp_path / "cube.zarr")[1], values[..., 0])


def test_cube_on_the_default_grid_has_nearest_cells(tmp_path):
    source = save_netcdf(aligned_dataset(VALUES), tmp_path / "made.nc")

    optimise([str(source)], tmp_path / "cube.zarr", Options(layout="map", threads=1))

    _grid, numbers = read_cube(tmp_path / "cube.zarr")
    assert np.isin(numbers[np.isfinite(numbers)], VALUES).all()


def test_overviews_of_a_cube_conserve_the_mean(tmp_path):
    values = np.random.default_rng(2).normal(280, 10, (1, 1600, 1600)).astype("float32")
    source = save_netcdf(aligned_dataset(values, days=["2020-01-01"]).isel(time=[0]), tmp_path / "made.nc")

    optimise([str(source)], tmp_path / "cube.zarr", Options(layout="map", grid=COARSE, threads=1))

    _grid, numbers = read_cube(tmp_path / "cube.zarr")
    assert np.nanmean(numbers.astype(float)) == pytest.approx(values.mean(), rel=2e-5)


def test_grid_of_other_sources_is_refused(tmp_path):
    write_netcdf(tmp_path, Scene())

    with pytest.raises(UnsupportedSource, match="other cells are not resampled"):
        optimise([str(tmp_path / "made.nc")], tmp_path / "cube.zarr", Options(grid=COARSE))


def test_group_and_grid_are_options_of_the_command(tmp_path):
    dataset = aligned_dataset(VALUES)
    arrays = {
        str(name): Stored(variable.dims, variable.values, variable.attrs)
        for name, variable in dataset.variables.items()
        if name != "time"
    }
    arrays["time"] = Stored(("time",), np.array([0, 3], "i4"), {"units": "days since 2020-01-01"})
    path = write_groups({"one": arrays, "two": arrays}, tmp_path / "made.nc", "netcdf-4")
    words = ("--group", "two", "--crs", "EPSG:4326", "--resolution", "0.2", "--workers", "1")

    result = CliRunner().invoke(app, ["optimise", "new", str(path), str(tmp_path / "cube.zarr"), *words])

    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(read_cube(tmp_path / "cube.zarr")[1], MEANS, rtol=1e-6)
