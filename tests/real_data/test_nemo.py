"""The tripolar grid of NEMO (ORCA2) in `iris-sample-data`: pixels compared with a tree over all cells of the file."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
from scipy.spatial import cKDTree

from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.scenes import make_spec

pytestmark = [pytest.mark.data, pytest.mark.slow]

FILE = Path(sys.prefix, "nemo/iris_sample_data/sample_data/NEMO/nemo_1m_20150101-20150201_grid-T.nc")
"""The package is installed by `make`, separately from packages of the server."""
SIDE = 40


def vectors_of(longitudes, latitudes):
    x, y = np.radians(longitudes), np.radians(latitudes)
    return np.stack(np.broadcast_arrays(np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)), axis=-1)


@pytest.fixture(scope="module")
def ocean():
    """Return the name of the variable, its reader, its numbers (row by row) and the tree of its cells."""
    if not FILE.exists():
        pytest.skip("the package iris-sample-data, with a grid of NEMO, is not installed")
    reader = open_source(make_spec("netcdf", FILE, variables={}), ReaderCaches())
    name = next(iter(reader.info.variables))
    with xarray.open_dataset(FILE, mask_and_scale=False, decode_times=False) as raw:
        numbers = raw[name].values.reshape(-1, *raw["nav_lat"].shape)[0].ravel()
        tree = cKDTree(vectors_of(raw["nav_lon"].values.ravel(), raw["nav_lat"].values.ravel()))
    yield name, reader, numbers, tree
    reader.close()


@pytest.mark.parametrize("latitude", [-60.0, 0.0, 45.0, 66.0, 80.0, 88.0])
def test_pixels_of_a_tripolar_grid_have_the_nearest_cells(ocean, latitude):
    name, reader, numbers, tree = ocean
    grid = reader.info.variables[name].grid
    row, _column = grid.cell_at(0.0, latitude)
    window = Window(max(0, row - SIDE // 2), min(grid.height, row + SIDE // 2), 0, grid.width)
    columns, rows = np.arange(grid.width) + 0.5, np.arange(window.row_start, window.row_stop)[:, None] + 0.5
    points = vectors_of(*grid.points_at(columns, rows))

    pixels = reader.read_window(name, index=0, level=0, window=window).numbers

    distances, nearest = tree.query(points, k=2)
    is_clear = distances[..., 1] - distances[..., 0] > 1e-9  # columns of NEMO overlap
    is_value = reader.info.variables[name].encoding.valid(pixels)
    same = numbers[nearest[..., 0]] == pixels
    assert same[is_clear & is_value].all()
    assert is_value.mean() > 0.02


def test_tripolar_grid_covers_all_longitudes(ocean):
    name, reader, _numbers, _tree = ocean

    assert reader.info.variables[name].grid.is_circular
