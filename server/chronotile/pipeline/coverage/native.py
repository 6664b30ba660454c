"""Coverages whose cells are native ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chronotile.model.coverage import CoverageField, Numbers
from chronotile.model.grid import NativeGrid, Window
from chronotile.pipeline.coverage.cells import CellRun, column_runs
from chronotile.pipeline.coverage.numbers import nothing, output_numbers
from chronotile.pipeline.coverage.read_runs import ReadRuns, cheapest_layout, read_cheaply, runs_of_blocks
from chronotile.readers.reader import Reader


@dataclass(frozen=True, kw_only=True, eq=False)
class NativeCells:
    """A window of a native grid that is not rotated, whose columns may go on beyond the last one of a circle."""

    grid: NativeGrid
    window: Window

    @cached_property
    def runs(self) -> tuple[CellRun, ...]:
        """What of the window's columns the source has."""
        return tuple(column_runs(self.grid, self.window))

    @property
    def enclosing(self) -> Window | None:
        """The smallest window of the source that has all cells; `None` where the source has none of them."""
        if not self.runs:
            return None
        start, stop = min(run.start for run in self.runs), max(run.stop for run in self.runs)
        return Window(self.window.row_start, self.window.row_stop, start, stop)

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return in which runs a field is best read, by rows from the north.

        Raises:
            SourceUnavailable: The source is gone.
        """
        height = self.window.height
        windows = self._windows(range(height))
        _along, shape = cheapest_layout(reader, field.name, indexes=indexes, windows=windows)
        read_runs = runs_of_blocks(
            shape, indexes=indexes, first_row=self.window.row_start, height=height, row_bytes=row_bytes
        )
        if not self._is_south_up:
            return read_runs
        runs = tuple(range(height - run.stop, height - run.start) for run in reversed(read_runs.row_runs))
        return ReadRuns(row_runs=runs, time_runs=read_runs.time_runs)

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> Numbers:
        """Return (time, y, x) numbers at some of the variable's times, as they are written.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        windows = self._windows(rows)
        parts = [self._read(reader, field, indexes, window) for window in windows]
        if len(parts) == 1 and windows[0].width == self.window.width:
            numbers = parts[0]
        else:
            numbers = nothing((len(indexes), len(rows), self.window.width), field.encoding)
            for run, part in zip(self.runs, parts, strict=True):
                numbers[:, :, run.place : run.place + part.shape[2]] = part
        turned = numbers[:, :: -1 if self._is_south_up else 1, :: -1 if self.grid.transform.a < 0 else 1]
        return np.ascontiguousarray(turned)

    def _read(self, reader: Reader, field: CoverageField, indexes: Sequence[int], window: Window) -> Numbers:
        pixels = read_cheaply(reader, field.name, indexes=indexes, window=window)
        return output_numbers(pixels, field.layer.main_variable.encoding, field.encoding)

    def _windows(self, rows: range) -> list[Window]:
        """What is read for rows that are counted from the north."""
        first, last = self.window.row_start + rows.start, self.window.row_start + rows.stop
        if self._is_south_up:
            first, last = self.window.row_stop - rows.stop, self.window.row_stop - rows.start
        return [Window(first, last, run.start, run.stop) for run in self.runs]

    @property
    def _is_south_up(self) -> bool:
        return self.grid.transform.e > 0
