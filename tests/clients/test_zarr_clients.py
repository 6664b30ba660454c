"""`/zarr` over a socket: xarray and tensorstore read the values of `/timeseries`, and faults are errors to them."""

import json
import urllib.request
from urllib.parse import urlencode

import numpy as np
import pytest
import tensorstore
import xarray

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from tests.agreement.conftest import STYLE
from tests.protocols.listening import listening
from tests.scenes import NODATA, Scene, write_cogs

pytestmark = pytest.mark.slow

YEAR = tuple(f"2020-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 11, 21))
SCENE = Scene(width=530, height=270, days=YEAR, gap=300)
ROWS, COLUMNS = range(120, 128), range(176, 186)
"""A region with a cell without value in each row."""
DAMAGED = 4
CONFIGURATION = """
collections:
  made:
    source: {kind: cog, href: 'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'}
    variables: {NDVI: {layer: NDVI, styles: [numbers]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("zarr")
    write_cogs(place, SCENE)
    (place / "styles").mkdir()
    (place / "styles" / "numbers.yaml").write_text(STYLE)
    (place / "chronotile.yaml").write_text(CONFIGURATION)
    return place


@pytest.fixture(scope="module")
def url(folder):
    """The base URL of the application over the scene."""
    archive = open_archive(folder / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with listening(application(archive.services)) as base:
        yield base


def answer(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def region_of(dataset: xarray.Dataset) -> xarray.DataArray:
    return dataset["NDVI"].isel(y=slice(ROWS.start, ROWS.stop), x=slice(COLUMNS.start, COLUMNS.stop))


def places_of(region: xarray.DataArray):
    """Return longitudes and latitudes (y, x) of the region's cells."""
    x, y = np.meshgrid(region["x"], region["y"])
    return transformer(crs_of(SCENE.crs), CRS84).transform(x, y)


def test_xarray_opens_a_layer_lazily_by_one_address(url):
    dataset = xarray.open_zarr(f"{url}/zarr/NDVI")

    assert dict(dataset.sizes) == {"time": 36, "y": 270, "x": 530, "bnds": 2}
    assert dataset["NDVI"].chunks is not None
    assert np.array_equal(dataset["time"], SCENE.times)


def test_every_cell_of_a_region_and_year_equals_that_of_a_point_series(url):
    region = region_of(xarray.open_zarr(f"{url}/zarr/NDVI")).load()

    longitudes, latitudes = places_of(region)
    for row, column in np.ndindex(longitudes.shape):
        query = urlencode({"lon": longitudes[row, column], "lat": latitudes[row, column]})
        values = answer(f"{url}/timeseries/NDVI/point?{query}")["values"]
        np.testing.assert_allclose(region.values[:, row, column], np.array(values, dtype=float), rtol=0, atol=1e-12)
    assert np.isnan(region.values).any()


def test_mean_of_a_region_equals_that_of_an_area_series(url):
    region = region_of(xarray.open_zarr(f"{url}/zarr/NDVI"))
    means = region.mean(("y", "x")).values

    (x0, x1), (y0, y1) = ((float(region[axis].min()) - 5, float(region[axis].max()) + 5) for axis in "xy")
    ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    query = urlencode({"weights": "pixel", "reducers": "mean", "crs": SCENE.crs})
    found = answer(f"{url}/timeseries/NDVI/area?{query}", {"type": "Polygon", "coordinates": [ring]})

    (feature,) = found["features"]
    assert feature["total"] == len(ROWS) * len(COLUMNS)
    assert means.dtype == np.float64
    np.testing.assert_allclose(means, feature["series"]["mean"], rtol=0, atol=1e-6)


def test_tensorstore_reads_the_same_numbers(url):
    store = {"driver": "http", "base_url": url, "path": "/zarr/NDVI/NDVI/"}

    numbers = tensorstore.open({"driver": "zarr3", "kvstore": store}).result().read().result()

    assert np.array_equal(numbers, SCENE.cube())
    assert (numbers == NODATA).any()


@pytest.fixture
def damaged(folder):
    """Truncate the file of a date during a test."""
    path = folder / f"NDVI_{YEAR[DAMAGED].replace('-', '')}.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    yield
    path.write_bytes(whole)


@pytest.mark.usefixtures("damaged")
def test_a_damaged_date_is_an_error_of_xarray_and_others_are_read(url):
    ndvi = xarray.open_zarr(f"{url}/zarr/NDVI", mask_and_scale=False)["NDVI"]

    with pytest.raises(Exception, match="503"):
        ndvi.isel(time=DAMAGED, x=slice(300, None)).load()
    other = ndvi.isel(time=DAMAGED + 3, x=slice(300, None)).load()
    assert np.array_equal(other, SCENE.numbers(DAMAGED + 3)[:, 300:])


@pytest.mark.usefixtures("damaged")
def test_a_damaged_date_is_an_error_of_tensorstore(url):
    retries = {"max_retries": 1, "initial_delay": "1ms", "max_delay": "1ms"}
    store = {"driver": "http", "base_url": url, "path": "/zarr/NDVI/NDVI/"}
    array = tensorstore.open(
        {"driver": "zarr3", "kvstore": store, "context": {"http_request_retries": retries}}
    ).result()

    with pytest.raises(ValueError, match="503"):
        array[DAMAGED, :, 300:].read().result()
