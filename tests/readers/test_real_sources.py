"""Real archives, compared with xarray's and rasterio's reading: exact digital numbers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray

from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.periods import DEKAD
from chronotile.readers.kinds import open_source
from chronotile.readers.sample import observed_range

pytestmark = pytest.mark.data

POINTS = 50


@dataclass(frozen=True)
class Case:
    """A source and its expected metadata."""

    href: str
    variable: str
    known: tuple[str, tuple[int, int], str, int]
    """The CRS, columns and rows, the first and the last time, and how many times there are."""
    configured: VariableSpec | None = None
    time_pattern: str | None = None
    times: object = None

    @property
    def kind(self) -> str:
        return {"nc": "netcdf", "zarr": "zarr"}.get(self.href.rpartition(".")[2], "cog")

    def spec(self, data: Path) -> SourceSpec:
        return SourceSpec(
            collection="real",
            kind=self.kind,
            href=str(data / self.href),
            variables={self.variable: self.configured} if self.configured else {},
            time_pattern=self.time_pattern,
            times=self.times,
        )


DEKADS = domain_of_periods(np.datetime64("2001-01-01", "ns"), DEKAD, 612)

CASES = {
    "modis_ndvi_north_america": Case(
        "modis_ndvi_north_america/ndvi_north_america_2001.nc",
        "ndvi",
        ("EPSG:4326", (977, 443), "2001-01-01/2001-12-01", 12),
    ),
    "s2_romania ndvi": Case(
        "s2_romania/ndvi_scl_romania_10m.nc", "ndvi", ("EPSG:3035", (100, 100), "2015-08-01/2021-01-01", 140)
    ),
    "s2_romania scl": Case(
        "s2_romania/ndvi_scl_romania_10m.nc", "scl", ("EPSG:3035", (100, 100), "2015-08-01/2021-01-01", 140)
    ),
    "s2_romania 20 m": Case(
        "s2_romania/sentinel2_cube_subset_romania_20m.nc", "B8A", ("EPSG:3035", (50, 50), "2015-08-01/2021-01-01", 140)
    ),
    "modis_sinop": Case(
        "modis_sinop/*.jp2",
        "NDVI",
        ("PROJCRS", (254, 144), "2013-09-14/2014-08-29", 23),
        configured=VariableSpec(id="NDVI", dtype="int16", scale=1e-4),
        time_pattern=r"_(?P<time>\d{4}-\d\d-\d\d)",
    ),
    "modis_evi_slovenia": Case(
        "modis_evi_slovenia/*.tif",
        "EVI",
        ("EPSG:32633", (8, 8), "2000-02-18/2015-12-19", 365),
        configured=VariableSpec(id="EVI", scale=1e-4),
        time_pattern=r"A(?P<time>\d{7})",
    ),
    "ndmi_dekads_mexico": Case(
        "ndmi_dekads_mexico/*.tif",
        "NDMI",
        ("PROJCRS", (55, 36), "2001-01-01/2017-12-21", 612),
        configured=VariableSpec(id="NDMI"),
        times=DEKADS,
    ),
    "global_ndvi_cgls": Case("global_ndvi_cgls/*.tif", "band1", ("EPSG:4326", (2520, 980), "", 0)),
    "global_ndvi_neo tif": Case(
        "global_ndvi_neo/*.tif", "band1", ("EPSG:4326", (720, 360), "2019-08-01/2019-08-01", 1)
    ),
    "global_ndvi_neo nc": Case(
        "global_ndvi_neo/ndvi_global_1deg_2dates.nc", "ndvi", ("EPSG:4326", (360, 180), "2019-08-01/2020-02-01", 2)
    ),
    "xcube_chl": Case(
        "xcube_chl/cube-1-250-250.zarr",
        "conc_chl",
        ("EPSG:4326", (2000, 1000), "2017-01-16T10:09:21/2017-01-30T10:46:33", 5),
    ),
    "vito_openeo fapar": Case(
        "vito_openeo/c_gls_FAPAR_200907100000_GLOBE_VGT_V2.0.1.nc",
        "FAPAR",
        ("EPSG:4326", (493, 266), "2009-07-10/2009-07-10", 1),
    ),
    "vito_openeo ndvi300": Case("vito_openeo/cgls_ndvi300.tif", "band1", ("EPSG:4326", (748, 673), "", 0)),
    "vito_openeo s2": Case("vito_openeo/S2-bands.tiff", "band5", ("EPSG:32631", (179, 168), "", 0)),
    "vito_fusets": Case(
        "vito_fusets/raw_s2_ndvi_field.nc", "NDVI", ("EPSG:32630", (56, 57), "2019-01-27/2019-12-28", 33)
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


@pytest.fixture
def spec(case, shared_data):
    return case.spec(shared_data)


@pytest.fixture
def reader(spec, closed_at_end):
    return closed_at_end(open_source(spec))


def read_stack(case, spec):
    """(time, y, x) of a raster stack by rasterio alone."""
    pattern = Path(spec.href)
    paths = sorted(pattern.parent.glob(pattern.name))
    band = int(case.variable.removeprefix("band")) if case.variable.startswith("band") else 1
    planes = []
    for path in paths:
        with rasterio.open(path) as file:
            planes.append(file.read() if case.times is not None else file.read([band]))
    whole = np.concatenate(planes)
    return whole.view("int16") if case.configured and case.configured.dtype else whole


def read_dataset(case, spec):
    """(time, y, x) of a NetCDF file or Zarr store by xarray alone."""
    options = {"mask_and_scale": False, "decode_times": False}
    opened = (
        xarray.open_zarr(spec.href, **options) if case.kind == "zarr" else xarray.open_dataset(spec.href, **options)
    )
    with opened as dataset:
        values = dataset[case.variable].values
        return values.view("uint8") if dataset[case.variable].attrs.get("_Unsigned") == "true" else values


def read_truth(case, spec):
    return read_stack(case, spec) if case.kind == "cog" else read_dataset(case, spec)


def test_grid_and_times_are_read(reader, case):
    info = reader.info.variables[case.variable]
    crs, size, interval, count = case.known
    first, _, last = interval.partition("/")

    assert info.grid.crs.name.startswith(crs)
    assert (info.grid.width, info.grid.height) == size
    assert len(info.times) == count
    named = [str(instant)[: len(first)] for instant in info.times.starts]
    assert (named[:1], named[-1:]) == (([first], [last]) if count else ([], []))


def test_numbers_at_random_points_along_time_are_exact(reader, case, spec):
    truth = read_truth(case, spec)
    random = np.random.default_rng(2)
    rows, columns = (random.integers(0, length, POINTS) for length in truth.shape[1:])

    found = [
        reader.read_cell(case.variable, indexes=range(len(truth)), row=row, column=column).numbers
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]

    np.testing.assert_array_equal(np.array(found).T, truth[:, rows, columns])
    assert found[0].dtype == truth.dtype


def test_newest_whole_is_exact(reader, case, spec):
    truth = read_truth(case, spec)
    window = Window(0, truth.shape[1], 0, truth.shape[2])

    numbers = reader.read_window(case.variable, index=len(truth) - 1, level=0, window=window).numbers

    np.testing.assert_array_equal(numbers, truth[-1])


def test_centres_of_cells_equal_those_of_xarray(reader, case, spec):
    if case.kind == "cog":
        pattern = Path(spec.href)
        with rasterio.open(next(iter(pattern.parent.glob(pattern.name)))) as file:
            expected = file.xy(3, 5)
    else:
        opened = xarray.open_zarr(spec.href) if case.kind == "zarr" else xarray.open_dataset(spec.href)
        with opened as dataset:
            y, x = dataset[case.variable].dims[-2:]
            expected = (float(dataset[x][5]), float(dataset[y][3]))
    grid = reader.info.variables[case.variable].grid

    assert grid.centre_of(3, 5) == pytest.approx(expected, abs=grid.resolution * 0.01)


def test_range_of_values_is_found(reader, case):
    low, high = observed_range(reader, case.variable)

    assert np.isfinite([low, high]).all()
    assert low < high
