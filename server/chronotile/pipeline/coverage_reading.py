"""The numbers of a resolved coverage, read piece by piece."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chronotile.model.collection import Collection
from chronotile.model.coverage import CoverageField, Numbers
from chronotile.model.grid import Grid
from chronotile.model.time import TimeDomain
from chronotile.pipeline.coverage_area import Inside
from chronotile.pipeline.coverage_numbers import nodata_of, nothing
from chronotile.pipeline.coverage_pieces import Pieces
from chronotile.pipeline.services import Services, reading
from chronotile.readers.reader import Reader

IntArray = NDArray[np.int64]

ABSENT = -1
"""In place of the index of a time that a field does not have."""


class CellSource(Protocol):
    """Where the cells of a coverage's grid come from; rows are counted from the north."""

    def pieces(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> Pieces:
        """Return in which pieces a field is best read at its times of some indexes; reads no pixels."""

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> Numbers:
        """Return (time, y, x) numbers of rows, as they are told, at the field's times of some indexes."""


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
    """`None` where no area is asked for."""
    services: Services = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Of all its numbers, uncompressed."""
        return coverage_bytes(self.fields, self.grid, times=self.indexes[0].size)

    @property
    def rows_at_once(self) -> int:
        """Rows of the largest of `row_runs`."""
        return self._pieces.rows_at_once

    @property
    def row_runs(self) -> tuple[range, ...]:
        """All rows, cut where blocks of the source end."""
        return self._pieces.row_runs

    @property
    def time_runs(self) -> tuple[range, ...]:
        """All times, cut where blocks of the source end."""
        return self._pieces.time_runs

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
        told = self.fields[field]
        indexes = self.indexes[field][times.start : times.stop]
        there = indexes != ABSENT
        shape = (indexes.size, len(rows), self.grid.width)
        if not there.any():
            return nothing(shape, told.encoding)
        with reading(told.layer):
            found = self.cells.read(self.services.reader(told.layer), told, indexes=indexes[there].tolist(), rows=rows)
        if not there.all():
            numbers = nothing(shape, told.encoding)
            numbers[there] = found
            found = numbers
        return found if self.inside is None else self._in_area(found, rows, told)

    def _in_area(self, numbers: Numbers, rows: range, told: CoverageField) -> Numbers:
        assert self.inside is not None  # noqa: S101 -- asked just before
        return np.where(self.inside.on(rows, self.grid.width), numbers, numbers.dtype.type(nodata_of(told.encoding)))

    @cached_property
    def _pieces(self) -> Pieces:
        """Of the first field: all have one grid, and mostly blocks of one shape."""
        first = self.fields[0]
        row_bytes = self.grid.width * max(np.dtype(each.encoding.dtype).itemsize for each in self.fields)
        with reading(first.layer):
            return self.cells.pieces(
                self.services.reader(first.layer),
                first,
                indexes=np.maximum.accumulate(np.maximum(self.indexes[0], 0)).tolist(),
                row_bytes=row_bytes,
            )


def coverage_bytes(fields: Sequence[CoverageField], grid: Grid, *, times: int) -> int:
    """Return what the numbers of fields on a grid take at some times."""
    return sum(np.dtype(each.encoding.dtype).itemsize for each in fields) * grid.width * grid.height * times
