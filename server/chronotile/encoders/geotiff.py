"""Values as a GeoTIFF."""

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from chronotile.model.grid import Grid
from chronotile.model.raster import Raster

FLOAT_PREDICTOR = 3


def encode_geotiff(raster: Raster, grid: Grid) -> bytes:
    """Return one band of float32 physical values on `grid`, NaN (also its nodata) where there is none."""
    x_size, y_size = grid.resolution
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            dtype="float32",
            count=1,
            width=grid.width,
            height=grid.height,
            crs=CRS.from_wkt(grid.crs.definition.to_wkt()),
            transform=Affine(x_size, 0, grid.bbox.xmin, 0, -y_size, grid.bbox.ymax),
            nodata=np.nan,
            compress="deflate",
            predictor=FLOAT_PREDICTOR,
        ) as dataset:
            dataset.write(raster.values().astype(np.float32), 1)
            dataset.set_band_unit(1, raster.encoding.units)
        body: bytes = memory.read()
    return body
