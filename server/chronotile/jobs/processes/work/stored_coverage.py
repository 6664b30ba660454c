"""The numbers of a coverage, stored by tasks as partial results and read again as the same coverage.

A partial result has one field in some runs of rows, all columns wide, at some runs of times. The coverage itself is
read in these runs, so the numbers are the same, even if they are warped. Each run of rows at each time is a separately
compressed record, since files are written picture by picture. The index of records is at the end of the file.
"""

import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise, product

import numpy as np

from chronotile.core.cancellation import require_active
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import Json, NumberArray
from chronotile.jobs.processes.process import Work, require_few_tasks
from chronotile.jobs.processes.work.partial_results import new_file, translate_missing_files
from chronotile.pipeline.coverage.numbers import blank_numbers
from chronotile.pipeline.encoders.coverage.strips import times_of
from chronotile.pipeline.encoders.deflated import deflate

LEVEL = 1
PARTIAL_BYTES = 64 << 20
"""Approximate size of the numbers in a partial result before compression: a killed worker loses a second or two."""
PICTURE_BYTES, HEAD_BYTES = 2 << 10, 64 << 10
"""Bytes of a file in addition to its numbers: per picture, and for the whole file."""
INDEX = np.dtype("<i8")
"""Offset and length of a record: one pair for each run of rows at each time."""


def max_file_bytes(grid: Grid, pictures: int, itemsize: int) -> int:
    """Return the maximum size of the file of a coverage in any format, with overviews, coordinates and names."""
    numbers = grid.width * grid.height * pictures * itemsize
    return numbers * 3 // 2 + 16 * (grid.width + grid.height) + PICTURE_BYTES * pictures + HEAD_BYTES


def coverage_tasks(coverage: Coverage) -> list[Json]:
    """Return tasks, each with the edges of some runs of rows and times of a field.

    Raises:
        LimitExceeded: The tasks are too many.
    """
    down, along = coverage.row_runs, coverage.time_runs
    itemsize = max(np.dtype(field.encoding.dtype).itemsize for field in coverage.fields)
    run_bytes = max(map(len, down)) * coverage.grid.width * itemsize * max(map(len, along))
    most = max(1, PARTIAL_BYTES // run_bytes)
    rows = _group_runs(down, most)
    times = _group_runs(along, max(1, most // len(down)))
    require_few_tasks(
        len(coverage.fields) * len(rows) * len(times), alternative="request a smaller bbox, or fewer times or layers"
    )
    return [
        {"field": field, "rows": own_rows, "times": own_times}
        for field, own_times, own_rows in product(range(len(coverage.fields)), times, rows)
    ]


def store_partial_coverage(coverage: Coverage, task: Json, work: Work, *, lacking: frozenset[int]) -> None:
    """Read the numbers of a task run by run and store them.

    Args:
        coverage: Coverage at the times of the task only.
        task: Task from `coverage_tasks`.
        work: Work of the job.
        lacking: Indexes of times in the coverage that the field lacks, or lacked when tasks were planned.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    field, down = task["field"], _ranges(task["rows"])
    first = task["times"][0]
    index = np.zeros((len(down), times_of(coverage), 2), dtype=INDEX)
    with new_file(work.folder / _name_of(task), work) as file:
        for row, rows in enumerate(down):
            for run in _ranges(task["times"]):
                times = range(run.start - first, run.stop - first)
                require_active(work.is_active)
                if all(time in lacking for time in times):
                    continue
                for time, picture in zip(times, coverage.read_times(field, times=times, rows=rows), strict=True):
                    if time not in lacking:
                        record = deflate.compress(np.ascontiguousarray(picture), LEVEL)
                        index[row, time] = file.tell(), len(record)
                        file.write(record)
        file.write(index.tobytes())


class StoredCoverage:
    """A `Coverage` whose numbers are in partial results.

    Args:
        of: The original coverage.
        tasks: All planned tasks.
        work: Work of the job.
    """

    def __init__(self, of: Coverage, tasks: Sequence[Json], work: Work) -> None:
        self.collection, self.fields, self.grid, self.times = of.collection, of.fields, of.grid, of.times
        self.etag, self.nbytes = of.etag, of.nbytes
        self.tasks, self.work = tasks, work

    @cached_property
    def row_runs(self) -> tuple[range, ...]:
        """Runs of rows of all tasks."""
        return tuple(rows for edges in self._rows.values() for rows in _ranges(edges))

    @cached_property
    def time_runs(self) -> tuple[range, ...]:
        """Runs of times of tasks if pictures are small; otherwise single times, as files are written sequentially."""
        if len(self.row_runs) > 1:
            return tuple(range(time, time + 1) for time in range(times_of(self)))
        return tuple(times for edges in self._times.values() for times in _ranges(edges))

    def read_times(self, field: int, *, times: range, rows: range) -> NumberArray:
        """Return (time, y, x) numbers of a field in one of the runs of rows.

        Raises:
            ClientGone: The job was dismissed.
        """
        encoding = self.fields[field].encoding
        numbers = blank_numbers((len(times), len(rows), self.grid.width), encoding)
        for place, time in enumerate(times):
            record = self._record(field, time, rows)
            if record:
                numbers[place] = np.frombuffer(record, dtype=encoding.dtype).reshape(numbers.shape[1:])
        return numbers

    def _record(self, field: int, time: int, rows: range) -> bytes:
        """Return the stored bytes of a field; empty if it lacks the time."""
        down, along = _group_of(rows.start, self._rows), _group_of(time, self._times)
        count = along[-1] - along[0]
        place = (down.index(rows.start) * count + time - along[0]) * 2 * INDEX.itemsize
        path = self.work.folder / _name_of({"field": field, "rows": down, "times": along})
        with translate_missing_files(), path.open("rb", buffering=0) as file:
            file.seek(place - (len(down) - 1) * count * 2 * INDEX.itemsize, os.SEEK_END)
            start, length = np.frombuffer(file.read(2 * INDEX.itemsize), dtype=INDEX).tolist()
            file.seek(start)
            return deflate.decompress(file.read(length)) if length else b""

    @cached_property
    def _rows(self) -> Mapping[int, list[int]]:
        # Edges of the runs of rows in a partial result, by the first edge
        return {task["rows"][0]: task["rows"] for task in self.tasks}

    @cached_property
    def _times(self) -> Mapping[int, list[int]]:
        # Edges of the runs of times in a partial result, by the first edge
        return {task["times"][0]: task["times"] for task in self.tasks}


def _group_runs(runs: Sequence[range], most: int) -> list[list[int]]:
    """Return the edges of adjacent runs in groups of at most `most` runs."""
    return [
        [*(run.start for run in runs[first : first + most]), runs[min(first + most, len(runs)) - 1].stop]
        for first in range(0, len(runs), most)
    ]


def _ranges(edges: Sequence[int]) -> list[range]:
    return [range(start, stop) for start, stop in pairwise(edges)]


def _group_of(place: int, groups: Mapping[int, list[int]]) -> list[int]:
    # The group that contains an index, among adjacent groups.
    starts = list(groups)
    return groups[starts[bisect_right(starts, place) - 1]]


def _name_of(task: Json) -> str:
    return f"{task['field']}-{task['rows'][0]}-{task['times'][0]}.numbers"
