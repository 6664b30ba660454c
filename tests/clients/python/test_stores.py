"""A layer as a lazy xarray array over a socket, compared with the files and the series of the server."""

import asyncio

import numpy as np
import pytest
import xarray

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile_client import Archive, AsyncArchive, InvalidRequest
from tests.protocols.listening import listening


@pytest.fixture(scope="module")
def url(demo_folder):
    """The address of the demo."""
    with listening(create_app(Settings(config=demo_folder / "demo.yaml"))) as url:
        yield url


@pytest.mark.slow
def test_lazy_array_has_the_numbers_of_the_files(url, ndvi_of_files):
    with Archive(url) as archive:
        array = archive.layers["NDVI"].open()

        assert array.dims == ndvi_of_files.dims
        assert array.shape == ndvi_of_files.shape
        assert array.attrs["layer"] == "NDVI"
        assert array.attrs["attribution"] == archive.layers["NDVI"].attribution
    np.testing.assert_allclose(array[4:7, 20:60, 30:90], ndvi_of_files[4:7, 20:60, 30:90], atol=1e-6)


@pytest.mark.slow
def test_lazy_array_without_dask_agrees_with_the_series_and_the_cube(url):
    with Archive(url) as archive:
        layer = archive.layers["NDVI"]
        array = layer.open(chunks=None)
        cell = array[:, 31, 77]
        point = transformer(crs_of("EPSG:3035"), CRS84).transform(float(cell.x), float(cell.y))
        cube = layer.cube((4.4, 50.97, 4.43, 51.0), "2023-06")

        np.testing.assert_allclose(cell.values, layer.series(point)["value"].to_numpy(), rtol=1e-12)
        np.testing.assert_array_equal(array.sel(time=cube.time, y=cube.y, x=cube.x), cube)


@pytest.mark.slow
def test_lazy_array_with_await(url):
    async def request():
        async with AsyncArchive(url, headers={"X-Test": "1"}) as archive:
            return await (await archive.layer("LAI")).open()

    with Archive(url) as archive:
        expected = archive.layers["LAI"].open()

    xarray.testing.assert_identical(asyncio.run(request())[:1], expected[:1])


def test_composite_is_refused(archive):
    with pytest.raises(InvalidRequest, match="composite"):
        archive.layers["TRUE_COLOUR"].open()
