"""Rasters of any numbers; those in `tests.scenes` follow its formula."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling

PLACE = {"driver": "GTiff", "crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 5e6)}


def write_raster(path: Path, numbers: np.ndarray, *, scale=None, offset=None, overviews=(), **profile) -> Path:
    """Write (y, x) or (band, y, x) numbers, at `PLACE` unless the profile has a location; return the path."""
    bands = numbers if numbers.ndim == 3 else numbers[np.newaxis]
    size = dict(zip(("count", "height", "width"), bands.shape, strict=True))
    with rasterio.open(path, "w", dtype=bands.dtype, **size, **PLACE | profile) as file:
        file.write(bands)
        if scale is not None:
            file.scales, file.offsets = (scale,) * len(bands), (offset,) * len(bands)
        if overviews:
            file.build_overviews(list(overviews), Resampling.nearest)
    return path
