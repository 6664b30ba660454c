"""Sentinel-2 products in SAFE folders and ZIP files: values of protocols equal rasterio and the specification."""

import zipfile
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio

from tests.odd_archives.safe import CORNER, SafeProduct
from tests.walk.serving import served

pytestmark = pytest.mark.slow

OLD = SafeProduct()
NEW = SafeProduct(sensed="20220105T101401", baseline="04.00", offset=-1000, satellite="S2B")
PRODUCTS = (OLD, NEW)
LAYER = "t32tqm"
RESOLUTIONS = {"B02": 10, "B04": 10, "AOT": 10, "B11": 20, "SCL": 20, "B01": 60}
TO_DEGREES = pyproj.Transformer.from_crs(OLD.crs, "OGC:CRS84", always_xy=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with products of two baselines."""
    folder = tmp_path_factory.mktemp("products")
    for product in PRODUCTS:
        product.write(folder / "data")
    return folder / "data"


ZIP_ARCHIVES = ["ZIP files", "folder and ZIP file"]


@pytest.fixture(scope="module", params=["folders", *ZIP_ARCHIVES])
def archive(request, place, tmp_path_factory):
    """The folder of the server, with the same products."""
    folder = tmp_path_factory.mktemp("archive") / "data"
    folder.mkdir()
    if request.param == "folders":
        return place
    if request.param == "ZIP files":
        OLD.write_zip(folder, end=".SAFE.zip")
    else:
        OLD.write(folder)
    NEW.write_zip(folder, compression=zipfile.ZIP_STORED)
    return folder


@pytest.fixture(scope="module")
def client(archive, tmp_path_factory):
    """The application over the archive."""
    with served(archive, tmp_path_factory.mktemp("stored")) as test_client:
        yield test_client


def values_in(place: Path, product: SafeProduct, band: str) -> np.ndarray:
    """Return (y, x) values by rasterio and the specification; NaN without a value."""
    with rasterio.open(place / product.name / product.image(band, RESOLUTIONS[band])) as file:
        numbers = file.read(1).astype(float)
    if band == "SCL":
        return np.where(numbers == 0, np.nan, numbers)
    offset, quantification = (0, 1000) if band == "AOT" else (product.offset_of(band), 10_000)
    return np.where(numbers == 0, np.nan, (numbers + offset) / quantification)


def degrees_of(row: int, column: int, metres: int) -> tuple[float, float]:
    return TO_DEGREES.transform(CORNER[0] + (column + 0.5) * metres, CORNER[1] - (row + 0.5) * metres)


@pytest.mark.parametrize("band", RESOLUTIONS)
def test_coverage_equals_rasterio_with_quantification_and_offset(client, place, band):
    for product in PRODUCTS:
        time = f"{product.sensed[:4]}-{product.sensed[4:6]}-{product.sensed[6:8]}"
        body = client.get(
            f"/ogcapi/collections/{LAYER}.{band}/coverage", params={"f": "geotiff", "datetime": time}
        ).content
        with rasterio.MemoryFile(body) as memory, memory.open() as file:
            values = file.read(1, masked=True).astype(float).filled(np.nan) * file.scales[0] + file.offsets[0]
            crs = file.crs

        np.testing.assert_allclose(values, values_in(place, product, band), atol=1e-6)
        assert crs == rasterio.CRS.from_string(product.crs)


@pytest.mark.parametrize("band", RESOLUTIONS)
def test_points_equal_rasterio_at_many_places(client, place, band):
    metres = RESOLUTIONS[band]
    expected = np.stack([values_in(place, product, band) for product in PRODUCTS])
    rng = np.random.default_rng(6)
    for _ in range(20):
        row, column = (int(number) for number in rng.integers(expected.shape[1], size=2))
        longitude, latitude = degrees_of(row, column, metres)
        series = client.get(f"/timeseries/{LAYER}.{band}/point", params={"lon": longitude, "lat": latitude}).json()
        position = client.get(
            f"/ogcapi/collections/{LAYER}.{band}/position",
            params={"coords": f"POINT({longitude} {latitude})", "f": "json"},
        ).json()
        ranges = next(iter(position["ranges"].values()))["values"]

        np.testing.assert_allclose(np.array(series["values"], float), expected[:, row, column], atol=1e-6)
        np.testing.assert_allclose(np.array(ranges, float), expected[:, row, column], atol=1e-6)


def test_feature_info_shows_the_reflectance(client, place):
    x, y = CORNER[0] + 505, CORNER[1] - 705
    document = client.get(
        "/wms",
        params={
            "SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetFeatureInfo", "LAYERS": f"{LAYER}.B04",
            "QUERY_LAYERS": f"{LAYER}.B04", "CRS": OLD.crs, "BBOX": f"{x - 5},{y - 5},{x + 5},{y + 5}", "WIDTH": 1,
            "HEIGHT": 1, "I": 0, "J": 0, "INFO_FORMAT": "application/json", "STYLES": "",
            "TIME": "2022-01-05T10:14:01Z",
        },
    ).json()  # fmt: skip

    assert document["features"][0]["properties"]["value"] == pytest.approx(
        values_in(place, NEW, "B04")[70, 50], abs=1e-6
    )


def test_two_baselines_are_one_continuous_series(client):
    """Both months have the same surface, apart from 0.001 per month."""
    longitude, latitude = degrees_of(100, 90, 10)
    values = client.get(f"/timeseries/{LAYER}.B04/point", params={"lon": longitude, "lat": latitude}).json()["values"]

    assert values == pytest.approx([OLD.reflectance(10)[100, 90], NEW.reflectance(10)[100, 90]], abs=0.51 / 10_000)


def test_scene_classes_mask_clouds(client, place):
    classes, reflectance = values_in(place, OLD, "SCL"), values_in(place, OLD, "B11")
    row, column = (int(number) for number in np.argwhere(classes == 9)[5])
    longitude, latitude = degrees_of(row, column, 20)
    hidden = client.get(f"/timeseries/{LAYER}.B11~clear/point", params={"lon": longitude, "lat": latitude}).json()
    visible = client.get(f"/timeseries/{LAYER}.B11/point", params={"lon": longitude, "lat": latitude}).json()

    assert hidden["values"] == [None, None]
    assert visible["values"][0] == pytest.approx(reflectance[row, column], abs=1e-6)


@pytest.mark.parametrize("archive", ZIP_ARCHIVES, indirect=True)
def test_product_of_a_zip_is_the_unchanged_file(client, archive):
    (zipped,) = archive.glob(f"{NEW.name.removesuffix('.SAFE')}.zip")
    items = client.get(f"/stac/collections/{LAYER}/items", params={"datetime": "2022-01-05T10:14:01Z"}).json()
    (asset,) = (asset for asset in items["features"][0]["assets"].values() if asset["roles"] == ["data"])
    answer = client.get(asset["href"])

    assert asset["type"] == answer.headers["content-type"] == "application/zip"
    assert answer.content == zipped.read_bytes()
