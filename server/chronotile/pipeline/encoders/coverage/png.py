"""Coverages as PNG: digital numbers as grey values."""

from typing import Any

import numpy as np

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter, UnsupportedFormat
from chronotile.core.model.coverage import Coverage
from chronotile.pipeline.encoders.coverage.strips import strips, times_of
from chronotile.pipeline.encoders.picture.picture import encode_grey_png


def encode_coverage_png(coverage: Coverage, *, is_active: IsActive = always_active) -> bytes:
    """Return one field at one time with 8 or 16 bits; the number for missing values is transparent.

    Raises:
        InvalidParameter: There are several fields, or times.
        UnsupportedFormat: The numbers are not unsigned integers up to 65535.
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    check_coverage_png(coverage)
    encoding = coverage.fields[0].encoding
    numbers = np.concatenate([strip.numbers[0] for strip in strips(coverage, 0, is_active=is_active)])
    return encode_grey_png(numbers, None if encoding.nodata is None else int(encoding.nodata))


def is_grey(dtype: np.dtype[Any]) -> bool:
    """Return whether numbers of a type can be grey values of a PNG."""
    return dtype.kind == "u" and dtype.itemsize <= 2


def check_coverage_png(coverage: Coverage) -> None:
    """Check that a coverage can be a PNG.

    Raises:
        InvalidParameter: There are several fields, or times.
        UnsupportedFormat: The numbers cannot be grey values.
    """
    if len(coverage.fields) > 1:
        names = ", ".join(field.name for field in coverage.fields[:10])
        raise InvalidParameter(f"a PNG holds one field; name one of {names} with properties", locator="properties")
    if times_of(coverage) > 1:
        raise InvalidParameter(
            f"a PNG holds one time, these are {times_of(coverage)}; name one with datetime", locator="datetime"
        )
    field = coverage.fields[0]
    dtype = np.dtype(field.encoding.dtype)
    if not is_grey(dtype):
        raise UnsupportedFormat(
            f"a PNG holds whole numbers from 0 to 65535, {field.name} is {dtype.name}; "
            "GTiff, NetCDF, zarr and json hold its values, and /map draws them",
            locator="f",
        )
