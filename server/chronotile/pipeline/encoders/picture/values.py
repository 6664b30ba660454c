"""Values and pictures in formats for programs: GeoTIFF and NumPy arrays."""

import io
from collections.abc import Callable

import numpy as np
from numpy.lib import format as npy
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.windows import Window

from chronotile.core.model.picture import Picture, picture_strips
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import AnyArray, Float32Array, UInt8Array
from chronotile.pipeline.encoders.picture.picture import Background, add_background

FLOAT_PREDICTOR = 3
INTEGER_PREDICTOR = 2


def encode_geotiff(values: Float32Array, grid: Grid, *, units: str) -> bytes:
    """Return a GeoTIFF with one band of physical values (y, x) on `grid`; missing values are NaN, the nodata."""
    profile = {"dtype": "float32", "nodata": np.nan, "predictor": FLOAT_PREDICTOR}
    return _encode(lambda rows: values[np.newaxis, rows], 1, grid, profile, units=units)


def encode_picture_geotiff(picture: Picture, grid: Grid, background: Background | None = None) -> bytes:
    """Return a picture as a GeoTIFF with bands red, green, blue and, without a background, alpha."""

    def bands(rows: slice) -> UInt8Array:
        strip = picture.part(rows)
        pixels = strip.rgba() if background is None else add_background(strip, background).rgba()[..., :3]
        return np.moveaxis(pixels, -1, 0)

    profile = {"dtype": "uint8", "photometric": "RGB", "predictor": INTEGER_PREDICTOR}
    if background is None:
        profile["alpha"] = "non-premultiplied"
    return _encode(bands, 4 if background is None else 3, grid, profile)


def _encode(
    bands_of: Callable[[slice], AnyArray],
    count: int,
    grid: Grid,
    profile: dict[str, object],
    *,
    units: str | None = None,
) -> bytes:
    """Return a GeoTIFF with `count` bands on a grid; `bands_of` returns (band, y, x) for a slice of rows."""
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            count=count,
            width=grid.width,
            height=grid.height,
            crs=CRS.from_wkt(grid.crs.definition.to_wkt()),
            transform=grid.transform,
            compress="deflate",
            **profile,
        ) as dataset:
            for rows in picture_strips((grid.height, grid.width)):
                dataset.write(bands_of(rows), window=Window(0, rows.start, grid.width, rows.stop - rows.start))
            if units is not None:
                dataset.set_band_unit(1, units)
        body: bytes = memory.read()
    return body


def encode_npy(values: Float32Array) -> bytes:
    """Return values as an array (y, x) for `numpy.load`; row 0 is in the north, NaN marks missing values."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(values))
    return b"".join([header.getvalue(), np.ascontiguousarray(values).data])
