"""Swaths of real instruments: each pixel compared with a tree over all cells of the file."""

import io
import math

import numpy as np
import pytest
import rasterio
import xarray
from scipy.spatial import cKDTree
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
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
POINTS = 200
UNDATED = {"OLCI": "olci_20171014.nc", "SSMIS": "ssmis_20190805.nc"}
"""Dated names for files without a time."""
CONFIG = """
collections:
  swaths:
    source: {{kind: netcdf, href: '{path}'{rest}}}
    variables:
      {variable}: {{layer: V}}
"""


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
        path = folder / UNDATED.get(name, file)
        if name == "SSMIS":
            write_ssmis(path)
        else:
            path.symlink_to(SWATHS / file)
        self.path = path
        self.reader = open_source(make_spec("netcdf", path, variables={}), ReaderCaches())
        self.grid = self.reader.info.variables[self.name].grid
        group, group_of_positions = GROUPS.get(name, (None, None))
        with xarray.open_dataset(path, mask_and_scale=False, group=group) as raw:
            self.numbers = raw[self.name].values.ravel()
        with xarray.open_dataset(path, group=group) as decoded:
            values = decoded[self.name]
        limits = [raw[self.name].attrs.get(f"valid_{end}", sign * np.inf) for end, sign in (("min", -1), ("max", 1))]
        is_valid = (self.numbers >= limits[0]) & (self.numbers <= limits[1])
        self.values = np.where(is_valid, values.values.ravel(), np.nan)
        rest = [] if group is None else [f"group: {group}"]
        if name in UNDATED:
            rest.append(r"time_pattern: '_(?P<time>\d{8})'")
        self.config = CONFIG.format(path=path, rest="".join(f", {key}" for key in rest), variable=self.name)
        with xarray.open_dataset(path, group=group_of_positions) as dataset:
            positions = (
                dataset[name] for name in sorted(dataset.variables, reverse=True) if name[:3] in {"lon", "lat"}
            )
            longitudes, latitudes = (array.values.astype(float) for array in positions)
        longitudes[np.abs(latitudes) > 90] = np.nan
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

    def reaches(self):
        """Return half of the smallest and of the greatest diagonal of a cell, without outliers."""
        sides = [np.linalg.norm(np.diff(self.vectors, axis=axis), axis=-1) for axis in (0, 1)]
        return tuple(math.hypot(*(pick(side) for side in sides)) / 2 for pick in (_low, _high))

    def points(self):
        """Return (point,) longitudes and latitudes of centres of grid cells in and around cells, most with a value."""
        rng = np.random.default_rng(11)
        valued = np.flatnonzero(np.isfinite(self.values[self.usable]))
        cells = [*rng.choice(valued, POINTS * 3 // 4), *rng.integers(0, self.usable.size, POINTS // 4)]
        chosen = self.tree.data[cells]
        latitudes = np.degrees(np.arcsin(chosen[:, 2])) + rng.uniform(-2, 2, POINTS) * self.grid.steps[1]
        longitudes = (
            np.degrees(np.arctan2(chosen[:, 1], chosen[:, 0])) + rng.uniform(-2, 2, POINTS) * self.grid.steps[0]
        )
        pixels = [self.grid.cell_at(*point) for point in zip(longitudes, latitudes, strict=True)]
        centres = np.array([self.grid.centre_of(*pixel) for pixel in pixels if pixel is not None])
        return (centres[:, 0] + 180) % 360 - 180, centres[:, 1]


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
    least, most = swath.reaches()
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


def read_series(client, longitude, latitude, _cell):
    (value,) = client.get("/timeseries/V/point", params={"lon": longitude, "lat": latitude}).json()["values"]
    return value


def read_feature_info(client, longitude, latitude, cell):
    half = cell / 4
    document = client.get("/wms", params={
        "SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetFeatureInfo", "LAYERS": "V", "QUERY_LAYERS": "V",
        "STYLES": "", "CRS": "CRS:84", "WIDTH": 1, "HEIGHT": 1, "I": 0, "J": 0, "INFO_FORMAT": "application/json",
        "BBOX": f"{longitude - half},{latitude - half},{longitude + half},{latitude + half}",
    }).json()  # fmt: skip
    return document["features"][0]["properties"]["value"]


def read_position(client, longitude, latitude, _cell):
    answer = client.get("/ogcapi/collections/V/position", params={"coords": f"POINT({longitude} {latitude})"})
    (values,) = (item["values"] for item in answer.json()["ranges"].values())
    return values[0]


def read_coverage(client, longitude, latitude, cell):
    half = cell / 4
    subset = f"Lon({longitude - half}:{longitude + half}),Lat({latitude - half}:{latitude + half})"
    answer = client.get("/ogcapi/collections/V/coverage", params={"f": "GTiff", "subset": subset})
    with rasterio.open(io.BytesIO(answer.content)) as file:
        assert (file.width, file.height) == (1, 1)
        numbers = file.read(1, masked=True)
        return None if numbers.mask.all() else float(numbers[0, 0]) * file.scales[0] + file.offsets[0]


@pytest.mark.every_case
@pytest.mark.parametrize("read", [read_series, read_feature_info, read_position, read_coverage])
@pytest.mark.parametrize("swath", FILES, indirect=True)
def test_points_have_the_value_of_the_nearest_cell(swath, read, tmp_path):
    (tmp_path / "served.yaml").write_text(swath.config)
    archive = open_archive(tmp_path / "served.yaml", environment={}, clock=lambda: np.datetime64("2025-01-01", "ns"))
    longitudes, latitudes = swath.points()
    distances, cells = swath.tree.query(vectors_of(longitudes, latitudes))
    expected = swath.values[swath.usable[cells]]
    least, most = swath.reaches()
    compared = 0

    with TestClient(application(archive.services)) as client:
        for longitude, latitude, distance, value in zip(longitudes, latitudes, distances, expected, strict=True):
            answer = read(client, longitude, latitude, swath.grid.steps[0])
            if answer is None:
                assert np.isnan(value) or distance > 0.9 * least
            else:
                assert answer == pytest.approx(value, rel=1e-5)
                assert distance < 1.06 * most
                compared += 1

    assert compared > POINTS / 4


@pytest.mark.parametrize("swath", FILES, indirect=True)
def test_time_is_the_time_of_the_granule(swath):
    times = swath.reader.info.variables[swath.name].times

    assert [format_instant(time) for time in times.starts] == ([] if swath.time is None else [swath.time])
