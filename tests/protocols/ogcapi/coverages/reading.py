"""Coverages as clients read them: rasterio, xarray and plain JSON."""

import io
import json
from dataclasses import dataclass

import numpy as np
import rasterio
import xarray
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient
from zarr.storage import ZipStore

from chronotile.core.model.space.grid import NativeGrid, Window
from tests.protocols import served


@dataclass(frozen=True)
class Raster:
    """A GeoTIFF that was read."""

    numbers: np.ndarray
    """(band, y, x), digital numbers."""
    transform: Affine
    epsg: int | None
    names: tuple[str, ...]
    """Names of the bands."""
    tags: dict[str, str]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: float


def geotiff_of(body: bytes) -> Raster:
    """Return a GeoTIFF as rasterio reads it."""
    with rasterio.MemoryFile(body) as memory, memory.open() as dataset:
        return Raster(
            numbers=dataset.read(),
            transform=dataset.transform,
            epsg=dataset.crs.to_epsg(),
            names=dataset.descriptions,
            tags=dataset.tags(),
            scales=dataset.scales,
            offsets=dataset.offsets,
            nodata=dataset.nodata,
        )


def asked_geotiff(client: TestClient, collection: str, **query: str) -> Raster:
    """Return the GeoTIFF of a collection; underscores in names are hyphens."""
    named = {name.replace("_", "-"): text for name, text in query.items()}
    answer = client.get(f"/ogcapi/collections/{collection}/coverage", params=named)
    assert answer.status_code == 200, answer.text
    return geotiff_of(answer.content)


def values_of(format_name: str, body: bytes, name: str, *, folder) -> np.ndarray:
    """Return values (time, y, x) of a field in any format that has values; NaN stands for no value."""
    return READERS[format_name](body, name, folder)


def expected_window(grid: NativeGrid, window: Window, time: int) -> np.ndarray:
    """Return the numbers of the formula in a window of a grid."""
    rows, columns = np.arange(*window[:2]), np.arange(*window[2:])
    return served.number_at(rows[:, np.newaxis] % grid.height, columns[np.newaxis, :] % grid.width, time)


def _geotiff_values(body: bytes, name: str, _folder) -> np.ndarray:
    raster = geotiff_of(body)
    bands = [index for index, band in enumerate(raster.names) if band.split(" ")[0] == name]
    values = [raster.numbers[band] * raster.scales[band] + raster.offsets[band] for band in bands]
    return np.where(raster.numbers[bands] == raster.nodata, np.nan, np.stack(values))


def _netcdf_values(body: bytes, name: str, _folder) -> np.ndarray:
    with xarray.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        return dataset[name].to_numpy()


def _zarr_values(body: bytes, name: str, folder) -> np.ndarray:
    path = folder / "coverage.zip"
    path.write_bytes(body)
    with xarray.open_zarr(ZipStore(path, mode="r")) as dataset:
        return dataset[name].to_numpy()


def _json_values(body: bytes, name: str, _folder) -> np.ndarray:
    found = json.loads(body)["ranges"][name]
    shape = dict(zip(found["axisNames"], found["shape"], strict=True))
    values = np.array([np.nan if value is None else value for value in found["values"]], dtype=float)
    return values.reshape(shape.get("t", 1), shape["y"], shape["x"])


def png_numbers(body: bytes) -> np.ndarray:
    """Return the numbers (y, x) of a picture."""
    return np.asarray(Image.open(io.BytesIO(body)))


READERS = {"GTiff": _geotiff_values, "NetCDF": _netcdf_values, "zarr": _zarr_values, "json": _json_values}
