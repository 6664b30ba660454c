"""The raster that is measured on: one 10980² UTM tile of NDVI-like numbers, as Zarr cube and as COG."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import zarr
from pyproj import CRS
from rasterio.shutil import copy as copy_raster
from rasterio.transform import from_origin

SIZE = 10_980
NODATA = 255
EPSG = 32631
WEST, NORTH, RESOLUTION_M = 499_980.0, 5_700_000.0, 10.0
LEVELS = 6
VERSION = "1"


def make_data(folder: Path) -> None:
    """Write `ndvi.zarr` and `ndvi_20240601.tif` into `folder`, unless they are there."""
    marker = folder / "complete"
    if marker.exists() and marker.read_text() == VERSION:
        return
    folder.mkdir(parents=True, exist_ok=True)
    levels = _levels(_field())
    _write_zarr(folder / "ndvi.zarr", levels)
    _write_cog(folder / "ndvi_20240601.tif", levels[0])
    marker.write_text(VERSION)


def _field() -> np.ndarray:
    """Fields with an edge every 40 pixels or so, noise of a few numbers a pixel, and holes: (y, x) uint8."""
    rng = np.random.default_rng(20240601)
    parcels = rng.integers(40, 220, (SIZE // 40 + 2, SIZE // 30 + 2)).astype(np.float32)
    rows = (np.arange(SIZE) + 25 * np.sin(np.arange(SIZE) / 90)) // 40
    columns = (np.arange(SIZE) + 20 * np.sin(np.arange(SIZE) / 70)) // 30
    field = parcels[np.clip(rows, 0, None).astype(int)][:, np.clip(columns, 0, None).astype(int)]
    numbers: np.ndarray = np.clip(field + rng.normal(0, 3, field.shape).astype(np.float32), 0, 250).astype(np.uint8)
    clouds = rng.random((SIZE // 300 + 1, SIZE // 300 + 1)) < 0.1
    numbers[np.kron(clouds, np.ones((300, 300), dtype=bool))[:SIZE, :SIZE]] = NODATA
    return numbers


def _levels(numbers: np.ndarray) -> list[np.ndarray]:
    """The field and its overviews, each every second pixel of the one before; means would be as fast to read."""
    levels = [numbers]
    while len(levels) < LEVELS:
        levels.append(np.ascontiguousarray(levels[-1][::2, ::2]))
    return levels


def _write_zarr(path: Path, levels: list[np.ndarray]) -> None:
    root = zarr.open_group(path, mode="w")
    for number, level in enumerate(levels):
        size = RESOLUTION_M * SIZE / level.shape[0]
        group = root.create_group(str(number))
        array = group.create_array(
            "ndvi",
            shape=(1, *level.shape),
            chunks=(1, 512, 512),
            shards=(1, 2048, 2048),
            dtype="uint8",
            fill_value=NODATA,
            dimension_names=("time", "y", "x"),
            attributes={
                "grid_mapping": "spatial_ref",
                "_FillValue": NODATA,
                "scale_factor": 0.004,
                "add_offset": -0.08,
            },
        )
        array[:] = level[np.newaxis]
        _coordinate(
            group, "x", WEST + size * (np.arange(level.shape[1]) + 0.5), standard_name="projection_x_coordinate"
        )
        _coordinate(
            group, "y", NORTH - size * (np.arange(level.shape[0]) + 0.5), standard_name="projection_y_coordinate"
        )
        _coordinate(group, "time", np.array([19875]), units="days since 1970-01-01", standard_name="time")
        group.create_array("spatial_ref", shape=(), dtype="int32", attributes=CRS.from_epsg(EPSG).to_cf())


def _coordinate(group: zarr.Group, name: str, values: np.ndarray, **attributes: Any) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape,
        dimension_names=(name,),
        attributes=attributes,
    )
    array[:] = values


def _write_cog(path: Path, numbers: np.ndarray) -> None:
    profile = {
        "driver": "GTiff", "width": SIZE, "height": SIZE, "count": 1, "dtype": "uint8", "nodata": NODATA,
        "crs": f"EPSG:{EPSG}", "transform": from_origin(WEST, NORTH, RESOLUTION_M, RESOLUTION_M),
        "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate",
    }  # fmt: skip
    plain = path.with_suffix(".plain.tif")
    with rasterio.open(plain, "w", **profile) as dataset:
        dataset.write(numbers, 1)
    copy_raster(
        plain,
        path,
        driver="COG",
        compress="deflate",
        blocksize=512,
        overview_resampling="nearest",
        level=6,
        num_threads=2,
    )
    plain.unlink()
