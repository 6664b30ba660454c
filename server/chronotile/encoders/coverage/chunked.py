"""Strips of numbers cut into chunks, each of the whole shape, as NetCDF-4 and Zarr hold them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.encoders.coverage.strips import ChunkShape, Strip


class Chunk(NamedTuple):
    """One chunk, and which it is."""

    place: tuple[int, int, int]
    """Its first time, row and column, in cells."""
    numbers: NDArray[Any]
    """(time, y, x), contiguous."""


def chunks_of(strip: Strip, shape: ChunkShape, *, dtype: np.dtype[Any], fill: float | None) -> Iterator[Chunk]:
    """Cut a strip, which begins where a chunk does; what lies beyond the grid is filled."""
    _, rows, columns = strip.numbers.shape
    for time in range(0, len(strip.times), shape.time):
        for row in range(0, rows, shape.y):
            for column in range(0, columns, shape.x):
                part = strip.numbers[time : time + shape.time, row : row + shape.y, column : column + shape.x]
                if part.shape != shape:
                    lacking = [(0, whole - there) for whole, there in zip(shape, part.shape, strict=True)]
                    part = np.pad(part, lacking, constant_values=0 if fill is None else fill)
                place = (strip.times.start + time, strip.rows.start + row, column)
                yield Chunk(place, np.ascontiguousarray(part, dtype=dtype))
