"""Values as numpy's own file."""

import io

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


def encode_npy(values: NDArray[np.float32]) -> bytes:
    """Return what `numpy.load` reads as (y, x): values, row 0 in the north, NaN where there is none."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(values))
    return b"".join([header.getvalue(), np.ascontiguousarray(values).data])
