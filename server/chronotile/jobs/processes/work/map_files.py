"""Maps computed window by window: stored as partial results, which are combined into a file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from chronotile.core.model.collection import Collection
from chronotile.core.model.coverage import RUN_BYTES, Coverage, CoverageField
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.formats import GEOTIFF_TYPE
from chronotile.core.model.job import Result
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import NO_TIME, TimeDomain
from chronotile.core.model.time.instants import format_day
from chronotile.core.model.types import Json, NumberArray
from chronotile.jobs.processes.inputs import locate_errors
from chronotile.jobs.processes.process import Work, binary
from chronotile.jobs.processes.work.coverage_files import write_coverage
from chronotile.jobs.processes.work.partial_results import new_file, translate_missing_files
from chronotile.pipeline.encoders.coverage.cog import geo_tags

GEOTIFF: Json = binary(GEOTIFF_TYPE)
"""Schema of a result."""


def require_geotiff(coverage: Coverage) -> None:
    """Refuse a CRS that GeoTIFF cannot express, before cells are read.

    Raises:
        UnsupportedFormat: GeoTIFF cannot express the CRS.
    """
    with locate_errors({"f": "layer"}):
        geo_tags(coverage.grid)


def store_partial_maps(numbers: NumberArray, task: Json, work: Work) -> Json:
    """Store the (band, y, x) numbers of a task and return the result of the task.

    Raises:
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    with new_file(work.folder / _partial_name(task), work) as file:
        np.save(file, numbers)
    return task


def make_bands(coverage: Coverage, descriptions: Sequence[tuple[str, str]]) -> list[CoverageField]:
    """Return bands of computed values from the text after the name of the variable, and the units, of each band."""
    (field,) = coverage.fields
    return [
        replace(field, name=f"{field.name} {text}", title=f"{field.title}, {text}", encoding=floats(units))
        for text, units in descriptions
    ]


def floats(units: str) -> Encoding:
    """Return the encoding of computed values."""
    return Encoding(dtype="float32", nodata=math.nan, units=units)


def dates(times: TimeDomain) -> str:
    """Return the first and the last day, for names of bands."""
    first, last = (format_day(instant) for instant in times.instants[[0, -1]])
    return first if first == last else f"{first}/{last}"


def geotiff_of_partial_maps(
    coverage: Coverage, bands: Sequence[CoverageField], done: Sequence[Json], work: Work, *, name: str
) -> Result:
    """Combine the partial results of tasks into a cloud optimised GeoTIFF.

    Args:
        coverage: Coverage whose windows the tasks computed.
        bands: Bands of the partial results, all of one dtype.
        done: Results of tasks.
        work: Work of the job.
        name: Name of the file without extension.

    Raises:
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    return write_coverage(coverage_of_partial_maps(coverage, bands, done, work), "GTiff", work, name=name)


def coverage_of_partial_maps(
    coverage: Coverage, bands: Sequence[CoverageField], done: Sequence[Json], work: Work
) -> Coverage:
    """Return the partial results of tasks as a coverage without time, with the cells of `coverage` and these bands."""
    return _PartialMaps(
        collection=coverage.collection,
        fields=tuple(bands),
        grid=coverage.grid,
        etag=coverage.etag,
        tasks=tuple(done),
        folder=work.folder,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _PartialMaps:
    """A `Coverage` without time, whose numbers are in partial results with all fields."""

    collection: Collection
    fields: tuple[CoverageField, ...]
    grid: Grid
    etag: str
    tasks: tuple[Json, ...]
    folder: Path

    times: TimeDomain = NO_TIME
    time_runs: tuple[range, ...] = (range(1),)

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        return sum(self._row_bytes(field) for field in range(len(self.fields))) * self.grid.height

    @cached_property
    def row_runs(self) -> tuple[range, ...]:
        """Runs of rows: the rows of each task, in parts of at most `RUN_BYTES`."""
        step = max(1, RUN_BYTES // max(self._row_bytes(field) for field in range(len(self.fields))))
        return tuple(
            range(start, min(start + step, rows.stop))
            for rows in self._rows_of_tasks
            for start in range(rows.start, rows.stop, step)
        )

    def read_times(self, field: int, *, times: range, rows: range) -> NumberArray:
        """Return (1, y, x) numbers of a field."""
        numbers = np.empty((len(times), len(rows), self.grid.width), dtype=self.fields[field].encoding.dtype)
        task_rows = next(r for r in self._rows_of_tasks if r.start <= rows.start < r.stop)
        for task in self._rows_of_tasks[task_rows]:
            part = self._partial(task)[field, rows.start - task_rows.start : rows.stop - task_rows.start]
            numbers[:, :, slice(*task["columns"])] = part
        return numbers

    @cached_property
    def _rows_of_tasks(self) -> Mapping[range, Sequence[Json]]:
        """Tasks by their rows, from north to south."""
        tasks = dict[range, list[Json]]()
        for task in self.tasks:
            tasks.setdefault(range(*task["rows"]), []).append(task)
        return tasks

    def _partial(self, task: Json) -> NumberArray:
        with translate_missing_files():
            partial: NumberArray = np.load(self.folder / _partial_name(task), mmap_mode="r")
        return partial

    def _row_bytes(self, field: int) -> int:
        return self.grid.width * np.dtype(self.fields[field].encoding.dtype).itemsize


def _partial_name(task: Json) -> str:
    return f"{task['rows'][0]}-{task['columns'][0]}.npy"
