"""The numbers of a resolved coverage, read run by run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chronotile.model.collection import Collection
from chronotile.model.coverage import CoverageField, Numbers
from chronotile.model.grid import Grid
from chronotile.model.payload import PixelStates
from chronotile.model.raster import Pixels
from chronotile.model.time.instants import Instant, TimeDomain
from chronotile.pipeline.coverage.area import Inside
from chronotile.pipeline.coverage.numbers import nodata_of, nothing
from chronotile.pipeline.coverage.read_runs import ReadRuns
from chronotile.pipeline.one_state import require_state
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates, instants_of_all, items_of_all
from chronotile.readers.around_damage import dates_around_damage
from chronotile.readers.reader import Reader

IntArray = NDArray[np.int64]

ABSENT = -1
"""In place of the index of a time that a field does not have."""


class CellSource(Protocol):
    """Where the cells of a coverage's grid come from; rows are counted from the north."""

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return in which runs a field is best read at its times of some indexes; reads no pixels."""

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> Numbers:
        """Return (time, y, x) numbers of rows, as they are written, at the field's times of some indexes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadCoverage:
    """A `Coverage` that is read from its source."""

    collection: Collection
    fields: tuple[CoverageField, ...]
    grid: Grid
    times: TimeDomain
    etag: str
    indexes: tuple[IntArray, ...]
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
    def rows_at_once(self) -> int:
        """Rows of the largest of `row_runs`."""
        return self._read_runs.rows_at_once

    @property
    def row_runs(self) -> tuple[range, ...]:
        """All rows, cut where blocks of the source end."""
        return self._read_runs.row_runs

    @property
    def time_runs(self) -> tuple[range, ...]:
        """All times, cut where blocks of the source end."""
        return self._read_runs.time_runs

    def read(self, field: int, *, time: int, rows: range) -> Numbers:
        """Return (y, x) numbers of a field.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        numbers: Numbers = self.read_times(field, times=range(time, time + 1), rows=rows)[0]
        return numbers

    def read_times(self, field: int, *, times: range, rows: range) -> Numbers:
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
        return found if self.inside is None else self._in_area(found, rows, whole)

    def _read_dates(self, field: int, indexes: list[int], rows: range) -> Numbers:
        """(time, y, x) numbers of a field; dates that cannot be read have none where those may be lacking."""
        whole, lacking = self.fields[field], self.found[field]

        def read(some: Sequence[int]) -> Pixels:
            return Pixels(self.cells.read(lacking.reader, whole, indexes=some, rows=rows))

        if not self.is_lenient or lacking.is_closed:
            return read(indexes).numbers
        variable = whole.layer.main_variable
        parts = list(dates_around_damage(read, indexes, lacking.teller(variable)))
        if not parts:
            lacking.require_source(variable, indexes, (0, 0))
        if len(parts) == 1 and len(parts[0][1].numbers) == len(indexes):
            return parts[0][1].numbers
        numbers = nothing((len(indexes), len(rows), self.grid.width), whole.encoding)
        for place, pixels in parts:
            numbers[place] = pixels.numbers
        return numbers

    @property
    def unreadable(self) -> tuple[Instant, ...]:
        """Ascending, of what was read so far: dates that have no values at some cells, since those cannot be read."""
        return instants_of_all(self.found)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Ids of items of a mosaic that could not be read so far."""
        return items_of_all(self.found)

    def require_states(self) -> None:
        """Check that the files that were read are as they were before.

        Raises:
            SourceChanged: They are not.
        """
        for each, indexes, states in zip(self.fields, self.indexes, self.states, strict=True):
            there = indexes[indexes != ABSENT].tolist()
            instants = each.layer.times.instants[there] if len(each.layer.times) else ()
            require_state(each.layer, tuple(instants), states, self.services)

    def close_dates(self) -> None:
        """Let reading fail from now on where a date cannot be read: the headers of the answer are fixed already."""
        for each in self.found:
            each.is_closed = True

    def _in_area(self, numbers: Numbers, rows: range, whole: CoverageField) -> Numbers:
        assert self.inside is not None  # noqa: S101 -- checked just before
        return np.where(self.inside.on(rows, self.grid.width), numbers, numbers.dtype.type(nodata_of(whole.encoding)))

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
    return sum(np.dtype(each.encoding.dtype).itemsize for each in fields) * grid.width * grid.height * times
