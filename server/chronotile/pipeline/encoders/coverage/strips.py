"""Strips of the numbers of a coverage, for encoders: field by field and time by time; each block is read once."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.types import AnyArray, Float64Array, NumberArray
from chronotile.pipeline.encoders.scratch_files import ScratchFile

CHUNK_SIDE = 512
"""Cells along a side of a chunk or tile, if the grid is larger."""
CHUNK_CELLS = CHUNK_SIDE * CHUNK_SIDE
"""Cells of a chunk; a chunk of a small grid has many times."""
MIN_ROWS = 16
"""Minimum number of rows of a chunk; sides of tiles of a GeoTIFF are multiples of it."""
ROW_OF_CHUNKS_BYTES = 16 << 20
"""Approximate size of a row of chunks across a grid, which is in memory until its last row arrives."""


class Strip(NamedTuple):
    """Numbers of one field, in all columns."""

    times: range
    rows: range
    numbers: NumberArray
    """(time, y, x)."""


class ChunkShape(NamedTuple):
    """Cells of a chunk along each axis."""

    time: int
    y: int
    x: int


SINGLE = ChunkShape(1, 1, 1)


def times_of(coverage: Coverage) -> int:
    """Return the number of pictures of a field; 1 without time."""
    return len(coverage.times) or 1


def chunk_rows(row_bytes: int) -> int:
    """Return the number of rows of a chunk or tile; few if a row of the grid needs many bytes."""
    rows = CHUNK_SIDE
    while rows > MIN_ROWS and rows * row_bytes > ROW_OF_CHUNKS_BYTES:
        rows //= 2
    return rows


def chunk_shape(coverage: Coverage) -> ChunkShape:
    """Return the shape of chunks in files: square, flat for a wide grid, or the whole grid if it is small."""
    grid = coverage.grid
    row_bytes = grid.width * max(np.dtype(field.encoding.dtype).itemsize for field in coverage.fields)
    y, x = min(grid.height, chunk_rows(row_bytes)), min(grid.width, CHUNK_SIDE)
    if (y, x) != (grid.height, grid.width) or len(coverage.row_runs) > 1:
        return ChunkShape(1, y, x)
    return ChunkShape(min(times_of(coverage), max(1, CHUNK_CELLS // (y * x))), y, x)


def strips(
    coverage: Coverage, field: int, *, shape: ChunkShape = SINGLE, is_active: IsActive = always_active
) -> Iterator[Strip]:
    """Yield the numbers of a field: pictures of as many times as fit, or each picture from north to south.

    If blocks of the source have many times, and pictures are too large for memory at all of them, the numbers are
    written to a scratch file first.

    Args:
        coverage: The coverage.
        field: Index of the field.
        shape: Strips consist of whole chunks of this shape, except at the end of times and rows.
        is_active: Whether the client still waits.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    if len(coverage.row_runs) == 1:
        yield from _whole_pictures(coverage, field, shape.time, is_active)
    elif all(len(times) == 1 for times in coverage.time_runs):
        for time in range(times_of(coverage)):
            yield from _picture(time, _read_picture(coverage, field, time, is_active), shape.y)
    else:
        picture_bytes = (
            coverage.grid.height * coverage.grid.width * np.dtype(coverage.fields[field].encoding.dtype).itemsize
        )
        with ScratchFile(times_of(coverage) * picture_bytes) as file:
            _write_by_time(coverage, field, file, is_active)
            for time in range(times_of(coverage)):
                yield from _picture(time, _read_written(coverage, field, time, file), shape.y)


def coverage_values(coverage: Coverage, field: int, *, is_active: IsActive = always_active) -> Float64Array:
    """Return all values (time, y, x) of a field, NaN for missing values; for documents, whose size is limited.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    encoding, grid = coverage.fields[field].encoding, coverage.grid
    values = np.empty((times_of(coverage), grid.height, grid.width))
    for strip in strips(coverage, field, is_active=is_active):
        part = values[strip.times.start : strip.times.stop, strip.rows.start : strip.rows.stop]
        part[...] = np.where(encoding.valid(strip.numbers), encoding.values(strip.numbers), np.nan)
    return values


def _whole_pictures(coverage: Coverage, field: int, step: int, is_active: IsActive) -> Iterator[Strip]:
    (rows,) = coverage.row_runs
    stop = 0
    for numbers in _recut_parts(_read_runs(coverage, field, rows, is_active), step):
        start, stop = stop, stop + len(numbers)
        yield Strip(range(start, stop), rows, numbers)
        del numbers


def _picture(time: int, parts: Iterable[NumberArray], step: int) -> Iterator[Strip]:
    stop = 0
    for numbers in _recut_parts(parts, step):
        start, stop = stop, stop + len(numbers)
        yield Strip(range(time, time + 1), range(start, stop), numbers[np.newaxis])
        del numbers


def _recut_parts(parts: Iterable[NumberArray], step: int) -> Iterator[NumberArray]:
    """Cut parts again along the first axis: each except the last has a multiple of `step`.

    No yielded array is referenced while the next part is read, as each may need all memory that is allowed.
    """
    remainder: NumberArray | None = None
    for part in parts:
        joined = part if remainder is None else np.concatenate([remainder, part])
        whole = len(joined) // step * step
        remainder = joined[whole:].copy() if whole < len(joined) else None
        if whole:
            yield joined[:whole]
        del part, joined
    if remainder is not None:
        yield remainder


def _read_runs(coverage: Coverage, field: int, rows: range, is_active: IsActive) -> Iterator[NumberArray]:
    """Yield (time, y, x) numbers of all times."""
    for times in coverage.time_runs:
        require_active(is_active)
        yield coverage.read_times(field, times=times, rows=rows)


def _read_picture(coverage: Coverage, field: int, time: int, is_active: IsActive) -> Iterator[NumberArray]:
    """Yield (y, x) numbers of all rows of one time."""
    for rows in coverage.row_runs:
        require_active(is_active)
        yield coverage.read_times(field, times=range(time, time + 1), rows=rows)[0]


def _write_by_time(coverage: Coverage, field: int, file: ScratchFile, is_active: IsActive) -> None:
    """Write all numbers of a field into a file, ordered by time."""
    height = coverage.grid.height
    for rows in coverage.row_runs:
        numbers = _read_runs(coverage, field, rows, is_active)
        for time, picture in enumerate(picture for run in numbers for picture in run):
            file.write(np.ascontiguousarray(picture).data, at=(time * height + rows.start) * picture[0].nbytes)


def _read_written(coverage: Coverage, field: int, time: int, file: ScratchFile) -> Iterator[NumberArray]:
    """Yield (y, x) numbers of all rows of one time from the file of `_write_by_time`."""
    grid, dtype = coverage.grid, np.dtype(coverage.fields[field].encoding.dtype)
    row_bytes = grid.width * dtype.itemsize
    for rows in coverage.row_runs:
        read = file.read((time * grid.height + rows.start) * row_bytes, len(rows) * row_bytes)
        yield np.frombuffer(read, dtype=dtype).reshape(len(rows), grid.width)


# Chunks of strips, for NetCDF-4 and Zarr.


class Chunk(NamedTuple):
    """A chunk and its position."""

    start: tuple[int, int, int]
    """First time, row and column, in cells."""
    numbers: AnyArray
    """(time, y, x), contiguous."""


def chunks_of(strip: Strip, shape: ChunkShape, *, dtype: np.dtype[Any], fill: float | None) -> Iterator[Chunk]:
    """Cut a strip that starts at a chunk; cells outside the grid are filled."""
    _, rows, columns = strip.numbers.shape
    for time in range(0, len(strip.times), shape.time):
        for row in range(0, rows, shape.y):
            for column in range(0, columns, shape.x):
                part = strip.numbers[time : time + shape.time, row : row + shape.y, column : column + shape.x]
                if part.shape != shape:
                    lacking = [(0, size - length) for size, length in zip(shape, part.shape, strict=True)]
                    part = np.pad(part, lacking, constant_values=0 if fill is None else fill)
                start = (strip.times.start + time, strip.rows.start + row, column)
                yield Chunk(start, np.ascontiguousarray(part, dtype=dtype))
