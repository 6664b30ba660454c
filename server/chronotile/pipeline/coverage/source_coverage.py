"""The numbers of a resolved coverage, read run by run."""

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
from chronotile.pipeline.coverage.grid import Inside
from chronotile.pipeline.coverage.numbers import nodata_of, nothing
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.bisect_damage import dates_around_damage
from chronotile.readers.reader import Along, BlockShape, Reader

# The runs in which a coverage is best read: whole blocks of its source, in bounded memory.

MAX_FILES = 256
"""Times of files that are read between two looks at whether the client is still connected."""
LAYOUTS: tuple[Along, Along] = ("space", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRuns:
    """Runs of rows, each at each run of times."""

    row_runs: tuple[range, ...]
    time_runs: tuple[range, ...]


def cheapest_layout(
    reader: Reader, variable: str, *, indexes: Sequence[int], windows: Sequence[Window]
) -> tuple[Along, BlockShape]:
    """Return the layout that takes the least time to read windows of the native grid at some times; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    shapes = {along: reader.block_shape(variable, along) for along in LAYOUTS}
    along = min(LAYOUTS, key=lambda layout: _seconds(shapes[layout], indexes, windows))
    return along, shapes[along]


def read_cheaply(reader: Reader, variable: str, *, indexes: Sequence[int], window: Window) -> Pixels:
    """Return (time, y, x) pixels of a window of the native grid, from the layout that takes the least time.

    Raises:
        SourceUnavailable: The source is gone or damaged.
    """
    along, _shape = cheapest_layout(reader, variable, indexes=indexes, windows=(window,))
    if along == "space" and len(indexes) == 1:  # without the copies, and the reasons, that blocks of many times have
        pixels = reader.read_window(variable, index=indexes[0], level=0, window=window)
        return Pixels(pixels.numbers[np.newaxis], None if pixels.valid is None else pixels.valid[np.newaxis])
    return reader.read_block(variable, indexes=indexes, window=window, along=along)


def runs(count: int, most: int) -> Iterator[range]:
    """Give what is counted up to `count` in runs of at most so many."""
    for start in range(0, count, most):
        yield range(start, min(start + most, count))


def runs_of_blocks(
    shape: BlockShape, *, indexes: Sequence[int], first_row: int, height: int, row_bytes: int
) -> ReadRuns:
    """Return runs of some rows from a first one of a grid that lies in blocks, at times that have some indexes."""
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


def _time_runs(indexes: Sequence[int], most: int, length: int) -> Iterator[range]:
    """Runs of at most so many times, cut where blocks of a length end if one fits."""
    blocks = [index // length for index in indexes]
    start = 0
    while start < len(indexes):
        stop = min(start + most, len(indexes))
        if stop < len(indexes):
            stop = next((end for end in range(stop, start, -1) if blocks[end] != blocks[end - 1]), stop)
        yield range(start, stop)
        start = stop


def _seconds(shape: BlockShape, indexes: Sequence[int], windows: Sequence[Window]) -> float:
    """About how long it takes to decode all blocks that windows touch."""
    times = len({index // shape.times for index in indexes})
    blocks = sum(
        len(range(window.row_start // shape.height, -(-window.row_stop // shape.height)))
        * len(range(window.column_start // shape.width, -(-window.column_stop // shape.width)))
        for window in windows
    )
    return times * blocks * (BLOCK_S + VALUE_S * shape.times * shape.height * shape.width)


ABSENT = -1
"""In place of the index of a time that a field does not have."""


class CellSource(Protocol):
    """Where the cells of a coverage's grid come from; rows are counted from the north."""

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return in which runs a field is best read at its times of some indexes; reads no pixels."""

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> NumberArray:
        """Return (time, y, x) numbers of rows, as they are written, at the field's times of some indexes."""

    def reading_seconds(self, field: CoverageField, grid: Grid, indexes: Sequence[int], services: Services) -> float:
        """Return the processor time of reading all cells of the grid of the coverage; reads no pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadCoverage:
    """A `Coverage` that is read from its source."""

    collection: Collection
    fields: tuple[CoverageField, ...]
    grid: Grid
    times: TimeDomain
    etag: str
    indexes: tuple[Int64Array, ...]
    """By field, (time,): where it is among the times of its variable, or `ABSENT`; one without time has 0."""
    cells: CellSource
    inside: Inside | None
    """`None` where no area is requested."""
    services: Services = field(repr=False)
    states: tuple[PixelStates, ...]
    """By field: of its pixels at those of the times that it has."""
    found: tuple[UnreadableDates, ...]
    """By field: dates that could not be read."""
    is_lenient: bool = False
    """Whether such dates have no values; otherwise reading them fails."""

    @property
    def nbytes(self) -> int:
        """Of all its numbers, uncompressed."""
        return coverage_bytes(self.fields, self.grid, times=self.indexes[0].size)

    @property
    def row_runs(self) -> tuple[range, ...]:
        """All rows, cut where blocks of the source end."""
        return self._read_runs.row_runs

    @property
    def time_runs(self) -> tuple[range, ...]:
        """All times, cut where blocks of the source end."""
        return self._read_runs.time_runs

    def read_times(self, field: int, *, times: range, rows: range) -> NumberArray:
        """Return (time, y, x) numbers of a field.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        whole = self.fields[field]
        indexes = self.indexes[field][times.start : times.stop]
        there = indexes != ABSENT
        shape = (indexes.size, len(rows), self.grid.width)
        if not there.any():
            return nothing(shape, whole.encoding)
        with reading(whole.layer):
            found = self._read_dates(field, indexes[there].tolist(), rows)
        if not there.all():
            numbers = nothing(shape, whole.encoding)
            numbers[there] = found
            found = numbers
        if self.inside is None:
            return found
        return np.where(self.inside.on(rows, self.grid.width), found, found.dtype.type(nodata_of(whole.encoding)))

    def _read_dates(self, field: int, indexes: list[int], rows: range) -> NumberArray:
        """(time, y, x) numbers of a field; dates that cannot be read have none where those may be lacking."""
        whole, lacking = self.fields[field], self.found[field]

        def read(some: Sequence[int]) -> Pixels:
            return Pixels(self.cells.read(lacking.reader, whole, indexes=some, rows=rows))

        if not self.is_lenient or lacking.is_closed:
            return read(indexes).numbers
        variable = whole.layer.main_variable
        parts = list(dates_around_damage(read, indexes, lacking.reporter(variable)))
        if not parts:
            lacking.require_source(variable, indexes, (0, 0))
        if len(parts) == 1 and len(parts[0][1].numbers) == len(indexes):
            return parts[0][1].numbers
        numbers = nothing((len(indexes), len(rows), self.grid.width), whole.encoding)
        for place, pixels in parts:
            numbers[place] = pixels.numbers
        return numbers

    @property
    def missing(self) -> Missing:
        """The dates and items that could not be read so far. An unreadable date has values at other cells."""
        return join_missing(field_found.missing for field_found in self.found)

    def reading_seconds(self) -> float:
        """Return the processor time of reading all numbers.

        Raises:
            SourceUnavailable: The source is gone.
        """
        seconds = 0.0
        for each, own in zip(self.fields, self.indexes, strict=True):
            there = own[own != ABSENT].tolist()
            if there:
                seconds += self.cells.reading_seconds(each, self.grid, there, self.services)
        return seconds

    def require_states(self) -> None:
        """Check that the files that were read are as they were before.

        Raises:
            SourceChanged: They are not.
        """
        for each, indexes, states in zip(self.fields, self.indexes, self.states, strict=True):
            there = indexes[indexes != ABSENT].tolist()
            instants = each.layer.times.instants[there] if len(each.layer.times) else ()
            require_unchanged_files(each.layer, tuple(instants), states, self.services)

    def close_dates(self) -> None:
        """Let reading fail from now on where a date cannot be read: the headers of the answer are fixed already."""
        for each in self.found:
            each.is_closed = True

    @cached_property
    def _read_runs(self) -> ReadRuns:
        """Of the first field: all have one grid, and mostly blocks of one shape."""
        first = self.fields[0]
        row_bytes = self.grid.width * max(np.dtype(each.encoding.dtype).itemsize for each in self.fields)
        with reading(first.layer):
            return self.cells.read_runs(
                self.services.reader(first.layer),
                first,
                indexes=np.maximum.accumulate(np.maximum(self.indexes[0], 0)).tolist(),
                row_bytes=row_bytes,
            )


def coverage_bytes(fields: Sequence[CoverageField], grid: Grid, *, times: int) -> int:
    """Return what the numbers of fields on a grid take at some times."""
    return sum(np.dtype(field.encoding.dtype).itemsize for field in fields) * grid.width * grid.height * times
