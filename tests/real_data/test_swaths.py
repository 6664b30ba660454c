"""Swaths of real instruments: each pixel compared with a tree over all cells of the file."""

import math

import numpy as np
import pytest
import xarray
from scipy.spatial import cKDTree

from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.instants import format_instant
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.scenes import make_spec, save_netcdf
from tests.strict import SHARED

pytestmark = [pytest.mark.data, pytest.mark.slow]

SWATHS = SHARED / "data" / "instruments" / "swath"
FILES = {
    "MODIS": ("SS_MODIS_A-JPL-L2P-v2014.0.nc", "sea_surface_temperature", "2019-08-05T06:55:01Z"),
    "VIIRS": ("SS_VIIRS_NPP-NAVO-L2P-v3.0.nc", "sea_surface_temperature", "2019-08-05T20:37:02Z"),
    "ASCAT": ("ascat_20150702_084200_metopa_45145_eps_o_250_2300_ovw.l2.nc", "wind_speed", "2015-07-02T09:32:58Z"),
    "OLCI": ("O_L2_0001_SNS_2017104102450_v1.0.nc", "conc_chl", None),
    "SSMIS": ("ssmis.nc", "tb", None),
    "TEMPO": (
        "TEMPO_NO2_L2_V03_20240601T210934Z_S012G01_subsetted.nc4",
        "vertical_column_stratosphere",
        "2024-06-01T21:13:10Z",
    ),
}
GROUPS = {"TEMPO": ("product", "geolocation")}
"""Groups of the values and of the positions."""
WINDOWS, SIDE = 50, 20
"""20,000 pixels of each file."""


def write_ssmis(path):
    """Write the cells of the archive of numpy, 90 in a scan line, as a file."""
    longitudes, latitudes, values = np.load(SWATHS / "ssmis_swath.npz")["data"].reshape(-1, 90, 3).transpose(2, 0, 1)
    dims = ("scan", "pixel")
    positions = {
        "lat": (dims, latitudes, {"units": "degrees_north"}),
        "lon": (dims, longitudes, {"units": "degrees_east"}),
    }
    return save_netcdf(xarray.Dataset({"tb": (dims, values, {"coordinates": "lat lon"})}, positions), path)


class Swath:
    """A file: its reader, and its cells by xarray alone."""

    def __init__(self, name, folder):
        file, self.name, self.time = FILES[name]
        path = write_ssmis(folder / file) if name == "SSMIS" else SWATHS / file
        self.reader = open_source(make_spec("netcdf", path, variables={}), ReaderCaches())
        self.grid = self.reader.info.variables[self.name].grid
        group, group_of_positions = GROUPS.get(name, (None, None))
        with xarray.open_dataset(path, mask_and_scale=False, group=group) as raw:
            self.numbers = raw[self.name].values.ravel()
        with xarray.open_dataset(path, group=group_of_positions) as dataset:
            positions = (
                dataset[name] for name in sorted(dataset.variables, reverse=True) if name[:3] in {"lon", "lat"}
            )
            longitudes, latitudes = (array.values.astype(float) for array in positions)
        self.vectors = vectors_of(longitudes, latitudes)
        self.usable = np.flatnonzero(np.isfinite(self.vectors[..., 0].ravel()))
        self.tree = cKDTree(self.vectors.reshape(-1, 3)[self.usable])

    def windows(self):
        """Windows around random cells."""
        rng = np.random.default_rng(7)
        latitudes = np.degrees(np.arcsin(self.tree.data[:, 2]))
        longitudes = np.degrees(np.arctan2(self.tree.data[:, 1], self.tree.data[:, 0]))
        for cell in rng.integers(0, self.usable.size, WINDOWS):
            row, column = self.grid.cell_at(float(longitudes[cell]), float(latitudes[cell]))
            top = min(max(0, row - SIDE // 2), self.grid.height - SIDE)
            west = min(max(0, column - SIDE // 2), self.grid.width - SIDE)
            yield Window(top, top + SIDE, west, west + SIDE)

    def nearest(self, window):
        """(y, x) cells of the tree, and distances to them."""
        columns, rows = np.meshgrid(
            np.arange(window.column_start, window.column_stop) + 0.5, np.arange(window.row_start, window.row_stop) + 0.5
        )
        distances, cells = self.tree.query(vectors_of(*self.grid.points_at(columns, rows)))
        return self.usable[cells], distances


def vectors_of(longitudes, latitudes):
    x, y = np.radians(longitudes), np.radians(latitudes)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


@pytest.fixture(scope="module")
def swath(request, tmp_path_factory):
    if not SWATHS.is_dir():
        pytest.skip("the swaths of ../shared/data/instruments are missing")
    return Swath(request.param, tmp_path_factory.mktemp("swaths"))


@pytest.mark.every_case
@pytest.mark.parametrize("swath", FILES, indirect=True)
def test_random_pixels_have_the_numbers_of_the_nearest_cells(swath):
    encoding = swath.reader.info.variables[swath.name].encoding
    compared = 0
    for window in swath.windows():
        numbers = swath.reader.read_window(swath.name, index=0, level=0, window=window).numbers
        cells, _distances = swath.nearest(window)
        is_value = encoding.valid(numbers)
        np.testing.assert_array_equal(numbers[is_value], swath.numbers[cells[is_value]])
        compared += int(is_value.sum())

    assert compared > 200


@pytest.mark.every_case
@pytest.mark.parametrize("swath", FILES, indirect=True)
def test_random_pixels_have_a_cell_within_half_a_diagonal(swath):
    sides = [np.linalg.norm(np.diff(swath.vectors, axis=axis), axis=-1) for axis in (0, 1)]
    least, most = (math.hypot(*(pick(side) for side in sides)) / 2 for pick in (_low, _high))
    plans = swath.reader._derived[swath.name].swath
    for window in swath.windows():
        plan = plans.plan(0, window, 1)
        is_reached = np.zeros(SIDE * SIDE, dtype=bool)
        is_reached[[target for part in plan.parts for target in part.targets]] = True
        _cells, distances = swath.nearest(window)
        assert (distances.ravel()[is_reached] < 1.06 * most).all()
        assert (distances.ravel()[~is_reached] > 0.9 * least).all()


def _low(sides):
    return np.nanpercentile(sides, 1)


def _high(sides):
    return np.nanpercentile(sides, 99.9)


@pytest.mark.parametrize("swath", FILES, indirect=True)
def test_time_is_the_time_of_the_granule(swath):
    times = swath.reader.info.variables[swath.name].times

    assert [format_instant(time) for time in times.starts] == ([] if swath.time is None else [swath.time])
