"""Values as numpy's own file."""

import io

import numpy as np

from chronotile.model.raster import Raster


def encode_npy(raster: Raster) -> bytes:
    """Return what `numpy.load` reads as float32 (y, x): values, row 0 in the north, NaN where there is none."""
    buffer = io.BytesIO()
    np.save(buffer, raster.values_for_files(), allow_pickle=False)
    return buffer.getvalue()
