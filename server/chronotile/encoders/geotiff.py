"""Values, and pictures, as a GeoTIFF."""

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from chronotile.encoders.picture import Background, on_background
from chronotile.model.grid import Grid
from chronotile.model.raster import Picture, Raster

FLOAT_PREDICTOR = 3
INTEGER_PREDICTOR = 2


def encode_geotiff(raster: Raster, grid: Grid) -> bytes:
    """Return one band of float32 physical values on `grid`, NaN (also its nodata) where there is none."""
    profile = {"dtype": "float32", "nodata": np.nan, "predictor": FLOAT_PREDICTOR}
    return _encode(raster.values_for_files()[np.newaxis], grid, profile, units=raster.encoding.units)


def encode_picture_geotiff(picture: Picture, grid: Grid, background: Background | None = None) -> bytes:
    """Return a picture with its place on earth: bands red, green and blue, and alpha unless it lies on a background."""
    pixels = picture.rgba() if background is None else on_background(picture, background).rgba()[..., :3]
    profile = {"dtype": "uint8", "photometric": "RGB", "predictor": INTEGER_PREDICTOR}
    if background is None:
        profile["alpha"] = "unspecified"  # colours are not multiplied by it
    return _encode(np.moveaxis(pixels, -1, 0), grid, profile)


def _encode(bands: NDArray[Any], grid: Grid, profile: dict[str, object], *, units: str | None = None) -> bytes:
    """Return (band, y, x) on a grid."""
    x_size, y_size = grid.resolution
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            count=len(bands),
            width=grid.width,
            height=grid.height,
            crs=CRS.from_wkt(grid.crs.definition.to_wkt()),
            transform=Affine(x_size, 0, grid.bbox.xmin, 0, -y_size, grid.bbox.ymax),
            compress="deflate",
            **profile,
        ) as dataset:
            dataset.write(bands)
            if units is not None:
                dataset.set_band_unit(1, units)
        body: bytes = memory.read()
    return body
