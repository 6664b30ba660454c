"""Values as files: numpy's own and GeoTIFF."""

import io

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Raster
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.pipeline.encoders.picture.values import encode_geotiff, encode_npy

ENCODING = Encoding(dtype="uint8", scale=0.004, offset=-0.08, nodata=255, flags=((252, "cloud"),), units="m2 m-2")
NUMBERS = np.array([[0, 20, 250], [255, 252, 7]], dtype=np.uint8)
VALUES = np.array([[-0.08, 0.0, 0.92], [np.nan, np.nan, np.nan]]).astype(np.float32)


@pytest.fixture
def raster():
    return Raster(NUMBERS, ENCODING, np.array([[True, True, True], [True, True, False]]))


@pytest.fixture(params=["EPSG:3857", "EPSG:32631", "EPSG:4326", "CRS:84", "EPSG:3035"])
def grid(request):
    return Grid(crs=crs_of(request.param), bbox=BBox(3.0, 50.0, 6.0, 51.0), width=3, height=2)


def test_npy_contains_values_and_nan_where_missing(raster):
    values = np.load(io.BytesIO(encode_npy(raster.values_for_files())))

    assert values.dtype == np.float32
    np.testing.assert_allclose(values, VALUES, atol=1e-7)


def test_geotiff_is_read_by_gdal_as_values_on_the_grid(raster, grid):
    with (
        MemoryFile(encode_geotiff(raster.values_for_files(), grid, units=raster.encoding.units)) as memory,
        memory.open() as dataset,
    ):
        values = dataset.read(1)

        assert (dataset.count, dataset.dtypes, dataset.units) == (1, ("float32",), ("m2 m-2",))
        assert tuple(dataset.bounds) == pytest.approx(grid.bbox)
        assert np.isnan(dataset.nodata)
        np.testing.assert_allclose(values, VALUES, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "epsg"), [("EPSG:3857", 3857), ("EPSG:32631", 32631), ("EPSG:4326", 4326), ("CRS:84", 4326)]
)
def test_geotiff_names_its_crs(raster, name, epsg):
    grid = Grid(crs=crs_of(name), bbox=BBox(3.0, 50.0, 6.0, 51.0), width=3, height=2)

    with (
        MemoryFile(encode_geotiff(raster.values_for_files(), grid, units=raster.encoding.units)) as memory,
        memory.open() as dataset,
    ):
        assert dataset.crs == rasterio.crs.CRS.from_epsg(epsg)
