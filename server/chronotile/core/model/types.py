"""Type aliases that the whole server shares: arrays by dtype, and JSON objects.

Array names state the dtype, or the family of dtypes. Docstrings state the axes, as in `(time, y, x)`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]
NumberArray = NDArray[Any]
"""Digital numbers or values: any integer or floating-point dtype."""
BoolArray = NDArray[np.bool_]
UInt8Array = NDArray[np.uint8]
UInt16Array = NDArray[np.uint16]
UInt32Array = NDArray[np.uint32]
UInt64Array = NDArray[np.uint64]
UnsignedArray = NDArray[np.unsignedinteger[Any]]
"""Any unsigned integer dtype."""
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
IndexArray = NDArray[np.intp]
"""Positions in another array."""
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
FloatArray = NDArray[np.floating[Any]]
"""Any floating-point dtype."""
ComplexArray = NDArray[np.complex128]
ObjectArray = NDArray[np.object_]
ColourArray = NDArray[np.uint8]
"""Red, green, blue and possibly alpha on the last axis."""

if TYPE_CHECKING:  # datetime64 is generic only in the stubs of numpy
    Instant: TypeAlias = np.datetime64[Any]
    Duration: TypeAlias = np.timedelta64[Any]
    InstantArray: TypeAlias = NDArray[np.datetime64[Any]]
else:
    Instant = np.datetime64
    Duration = np.timedelta64
    InstantArray = NDArray[np.datetime64]
"""Instants are `datetime64[ns]` in UTC, durations `timedelta64[ns]`."""

Json = dict[str, Any]
"""JSON object."""
JsonMapping = Mapping[str, Any]
"""JSON object that is only read."""
JsonValue = Any
"""JSON value as a client sent it, not checked yet."""
Attributes = Mapping[str, Any]
"""CF attributes of a variable or file."""
