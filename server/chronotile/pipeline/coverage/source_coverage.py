"""Coverages that are read from their source in runs of rows and times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np

from chronotile.core.model.collection import Collection
from chronotile.core.model.coverage import RUN_BYTES, CoverageField
from chronotile.core.model.payload import Missing, PixelStates, join_missing
from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.grid import Grid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import Int64Array, NumberArray
from chronotile.core.read_cost import BLOCK_S, VALUE_S
from chronotile.pipeline.changed_files import require_unchanged_files
from chronotile.pipeline.coverage.grid import CellMask
from chronotile.pipeline.coverage.numbers import blank_numbers, nodata_of
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.bisect_damage import dates_around_damage
from chronotile.readers.reader import Along, BlockShape, Reader

# Runs that consist of whole blocks of the source, in limited memory.

MAX_FILES = 256
"""Maximum number of times per read from files, between two checks of the connection."""
LAYOUTS: tuple[Along, Along] = ("space", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRuns:
    """Runs of rows; each is read at each run of times."""

    row_runs: tuple[range, ...]
    time_runs: tuple[range, ...]


def cheapest_layout(
    reader: Reader, variable: str, *, indexes: Sequence[int], windows: Sequence[Window]
) -> tuple[Along, BlockShape]:
    """Return the layout that takes the least time to read windows of the native grid at some times; reads no pixels.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    shapes = {along: reader.block_shape(variable, along) for along in LAYOUTS}
    along = min(LAYOUTS, key=lambda layout: _seconds(shapes[layout], indexes, windows))
    return along, shapes[along]


def read_cheaply(reader: Reader, variable: str, *, indexes: Sequence[int], window: Window) -> Pixels:
    """Return (time, y, x) pixels of a window of the native grid, from the layout that takes the least time.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
    """
    along, _shape = cheapest_layout(reader, variable, indexes=indexes, windows=(window,))
    if along == "space" and len(indexes) == 1:  # faster than `read_block`, which copies and returns reasons
        pixels = reader.read_window(variable, index=indexes[0], level=0, window=window)
        return Pixels(pixels.numbers[np.newaxis], None if pixels.valid is None else pixels.valid[np.newaxis])
    return reader.read_block(variable, indexes=indexes, window=window, along=along)


def runs(count: int, max_length: int) -> Iterator[range]:
    """Yield consecutive ranges up to `count`, of at most `max_length`."""
    for start in range(0, count, max_length):
        yield range(start, min(start + max_length, count))


def runs_of_blocks(
    shape: BlockShape, *, indexes: Sequence[int], first_row: int, height: int, row_bytes: int
) -> ReadRuns:
    """Return the runs of a window that starts at a row of a grid, cut at edges of its blocks."""
    rows = RUN_BYTES // (row_bytes * min(shape.times, len(indexes)))
    rows = rows // shape.height * shape.height or shape.height
    while rows > 1 and rows * row_bytes > RUN_BYTES:
        rows = -(-rows // 2)
    times = max(1, RUN_BYTES // (min(rows, height) * row_bytes))
    if shape.times == 1:
        times = min(times, MAX_FILES)
    ends = range(first_row // shape.height * shape.height, first_row + height, rows)[1:]
    edges = [0, *(end - first_row for end in ends), height]
    return ReadRuns(
        row_runs=tuple(range(start, stop) for start, stop in pairwise(edges)),
        time_runs=tuple(_time_runs(indexes, times, shape.times)),
    )


def _time_runs(indexes: Sequence[int], max_length: int, length: int) -> Iterator[range]:
    """Yield runs of at most `max_length` times, cut at the end of a block of `length` times if one fits."""
    blocks = [index // length for index in indexes]
    start = 0
    while start < len(indexes):
        stop = min(start + max_length, len(indexes))
        if stop < len(indexes):
            stop = next((end for end in range(stop, start, -1) if blocks[end] != blocks[end - 1]), stop)
        yield range(start, stop)
        start = stop


def _seconds(shape: BlockShape, indexes: Sequence[int], windows: Sequence[Window]) -> float:
    """Return the approximate time to decode all blocks that windows touch."""
    times = len({index // shape.times for index in indexes})
    blocks = sum(
        len(range(window.row_start // shape.height, -(-window.row_stop // shape.height)))
        * len(range(window.column_start // shape.width, -(-window.column_stop // shape.width)))
        for window in windows
    )
    return times * blocks * (BLOCK_S + VALUE_S * shape.times * shape.height * shape.width)


ABSENT = -1
"""Stands for the index of a time that a field does not have."""


class CellSource(Protocol):
    """Source of the cells of a coverage's grid; rows are counted from the north."""

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return the best runs to read a field at the times of `indexes`; reads no pixels."""

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> NumberArray:
        """Return the (time, y, x) numbers of rows as they are written, at the field's times of `indexes`."""

    def reading_seconds(self, field: CoverageField, grid: Grid, indexes: Sequence[int], services: Services) -> float:
        """Return the processor time in seconds to read all cells of the coverage; reads no pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadCoverage:
    """A `Coverage` that reads from its source."""

    collection: Collection
    fields: tuple[CoverageField, ...]
    grid: Grid
    times: TimeDomain
    etag: str
    indexes: tuple[Int64Array, ...]
    """Per field, (time,): the index among the times of its variable, or `ABSENT`; 0 without time."""
    cells: CellSource
    inside: CellMask | None
    """Mask of the requested area; `None` without an area."""
    services: Services = field(repr=False)
    states: tuple[PixelStates, ...]
    """Per field: fingerprints of its pixels at its times."""
    unreadable: tuple[UnreadableDates, ...]
    """Per field: dates that could not be read."""
    is_lenient: bool = False
    """Whether unreadable dates have no values; otherwise reading them fails."""

    @property
    def nbytes(self) -> int:
        """Size of all numbers, uncompressed."""
        return coverage_bytes(self.fields, self.grid, times=self.indexes[0].size)

    @property
    def row_runs(self) -> tuple[range, ...]:
        """All rows, cut at edges of blocks of the source."""
        return self._read_runs.row_runs

    @property
    def time_runs(self) -> tuple[range, ...]:
        """All times, cut at edges of blocks of the source."""
        return self._read_runs.time_runs

    def read_times(self, field: int, *, times: range, rows: range) -> NumberArray:
        """Return (time, y, x) numbers of a field.

        Raises:
            SourceUnavailable: The source is unreachable or damaged.
        """
        whole = self.fields[field]
        indexes = self.indexes[field][times.start : times.stop]
        exists = indexes != ABSENT
        shape = (indexes.size, len(rows), self.grid.width)
        if not exists.any():
            return blank_numbers(shape, whole.encoding)
        with reading(whole.layer):
            numbers = self._read_dates(field, indexes[exists].tolist(), rows)
        if not exists.all():
            all_numbers = blank_numbers(shape, whole.encoding)
            all_numbers[exists] = numbers
            numbers = all_numbers
        if self.inside is None:
            return numbers
        return np.where(
            self.inside.rows_mask(rows, self.grid.width), numbers, numbers.dtype.type(nodata_of(whole.encoding))
        )

    def _read_dates(self, field: int, indexes: list[int], rows: range) -> NumberArray:
        """Return (time, y, x) numbers of a field; unreadable dates have no values if the coverage is lenient."""
        whole, unreadable = self.fields[field], self.unreadable[field]

        def read(date_indexes: Sequence[int]) -> Pixels:
            return Pixels(self.cells.read(unreadable.reader, whole, indexes=date_indexes, rows=rows))

        if not self.is_lenient or unreadable.is_closed:
            return read(indexes).numbers
        variable = whole.layer.main_variable
        parts = list(dates_around_damage(read, indexes, unreadable.reporter(variable)))
        if not parts:
            unreadable.require_source(variable, indexes, (0, 0))
        if len(parts) == 1 and len(parts[0][1].numbers) == len(indexes):
            return parts[0][1].numbers
        numbers = blank_numbers((len(indexes), len(rows), self.grid.width), whole.encoding)
        for part, pixels in parts:
            numbers[part] = pixels.numbers
        return numbers

    @property
    def missing(self) -> Missing:
        """The dates and items that could not be read so far. An unreadable date may have values in other cells."""
        return join_missing(dates.missing for dates in self.unreadable)

    def reading_seconds(self) -> float:
        """Return the processor time in seconds to read all numbers.

        Raises:
            SourceUnavailable: The source is unreachable.
        """
        seconds = 0.0
        for read_field, indexes in zip(self.fields, self.indexes, strict=True):
            existing = indexes[indexes != ABSENT].tolist()
            if existing:
                seconds += self.cells.reading_seconds(read_field, self.grid, existing, self.services)
        return seconds

    def require_states(self) -> None:
        """Check that no file changed since the coverage was resolved.

        Raises:
            SourceChanged: A file changed.
        """
        for read_field, indexes, states in zip(self.fields, self.indexes, self.states, strict=True):
            layer, existing = read_field.layer, indexes[indexes != ABSENT].tolist()
            instants = layer.times.instants[existing] if len(layer.times) else ()
            require_unchanged_files(layer, tuple(instants), states, self.services)

    def close_dates(self) -> None:
        """Make further unreadable dates an error, as the headers of the answer are fixed."""
        for dates in self.unreadable:
            dates.is_closed = True

    @cached_property
    def _read_runs(self) -> ReadRuns:
        """The runs of the first field: all fields have one grid, and mostly blocks of one shape."""
        first = self.fields[0]
        row_bytes = self.grid.width * max(np.dtype(field.encoding.dtype).itemsize for field in self.fields)
        with reading(first.layer):
            return self.cells.read_runs(
                self.services.reader(first.layer),
                first,
                indexes=np.maximum.accumulate(np.maximum(self.indexes[0], 0)).tolist(),
                row_bytes=row_bytes,
            )


def coverage_bytes(fields: Sequence[CoverageField], grid: Grid, *, times: int) -> int:
    """Return the size of the numbers of fields on a grid at a number of times."""
    return sum(np.dtype(field.encoding.dtype).itemsize for field in fields) * grid.width * grid.height * times
