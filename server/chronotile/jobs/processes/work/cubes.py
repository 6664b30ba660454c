"""Serving cubes written by jobs: by the tasks of `chronotile optimise` in any order, then packed into a ZIP file."""

import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
from affine import Affine

from chronotile.core.cancellation import require_active
from chronotile.core.durable_files import Disk
from chronotile.core.errors import (
    ChronotileError,
    InvalidParameter,
    UnsupportedSource,
    require_at_most,
    translate_error,
)
from chronotile.core.model.coverage import Coverage, CoverageField
from chronotile.core.model.job import Result
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.cf_bounds import are_periods, bounds_form
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import Json
from chronotile.jobs.processes.process import Inputs, Work, binary
from chronotile.jobs.processes.work.partial_results import new_file, new_file_unsynced, translate_job_storage_errors
from chronotile.jobs.processes.work.published_cubes import is_published, publish_cube
from chronotile.optimise.conversion import conversion_of
from chronotile.optimise.inputs import DateOrigin
from chronotile.optimise.memory import BASE_BYTES, BYTES_PER_COUNT, COPIES, Budget, budget_of, region_for
from chronotile.optimise.options import BLOCK, LayoutChoice
from chronotile.optimise.plan import PlannedVariable, ServingCubePlan, level_count, time_unit
from chronotile.optimise.store import DOCUMENT, CubeFolder, History
from chronotile.optimise.tasks import CubeJob, MapTask, ReadSource, SeriesTask, Task, TaskDate, run_task
from chronotile.pipeline.coverage.grid import is_upright
from chronotile.pipeline.encoders.coverage.zarr import FIRST_DAY
from chronotile.pipeline.revision import fingerprint
from chronotile.readers.zarr.commit import FORMAT_VERSION, Commit

FOLDER = "cube.zarr"
"""Folder among the partial results of a job."""
FORMAT = "format"
"""Member of the shared input with the format version of the cube: another release may run some tasks."""
ZIP_TYPE = "application/zip"
ZIP: Json = binary(ZIP_TYPE)
"""Schema of a result."""
MAX_BYTES = 1 << 38
"""Limit of all numbers before compression."""
MEMORY_BYTES = BASE_BYTES + (384 << 20)
"""Memory of a task process: overviews of 4096 by 4096 bytes, or of 2048 by 2048 floats, fit."""
MAX_NUMBER_BYTES = 4
"""Longest numbers, in bytes, with series blocks of full length; for longer ones a block has half the dates."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JobCube:
    """A serving cube that is being written."""

    plan: ServingCubePlan
    times: TimeDomain
    """Ascending."""
    reads_ahead: bool = False
    """Whether the source stores many dates in a chunk."""

    @cached_property
    def budget(self) -> Budget:
        """Sizes of tasks."""
        return budget_of(self.plan, MEMORY_BYTES, 1)

    @property
    def held_bytes(self) -> int:
        """Maximum memory of a task; less if the whole cube is small."""
        variables = self.plan.variables.values()
        cell_bytes = (
            sum(np.dtype(variable.encoding.dtype).itemsize for variable in variables) * len(self.times) * COPIES
        )
        cells = self.plan.grid.width * self.plan.grid.height
        return int(min(MEMORY_BYTES - BASE_BYTES, cells * (cell_bytes + BYTES_PER_COUNT)))

    def map_tasks(self, dates: range) -> Iterator[Task]:
        """Yield the tasks that write the maps of some dates."""
        step = self.budget.dates if self.reads_ahead else 1
        for start, variable in product(range(dates.start, dates.stop, step), self.plan.variables):
            yield MapTask(variable=variable, dates=_dates(range(start, min(start + step, dates.stop))))

    @property
    def series_count(self) -> int:
        """Number of tasks that write the series of all dates."""
        rows, columns = self.plan.series_files
        count = -(-len(self.times) // self.plan.shape.block) * rows * -(-columns // self.budget.columns)
        return count * len(self.plan.variables)

    def series_tasks(self) -> Iterator[SeriesTask]:
        """Yield the tasks that write the series of all dates."""
        (rows, columns), step = self.plan.series_files, self.budget.columns
        blocks = range(-(-len(self.times) // self.plan.shape.block))
        places = product(self.plan.variables, blocks, range(rows), range(0, columns, step))
        for variable, block, row, first in places:
            yield self.series_task(variable, block, row, (first, min(first + step, columns)))

    def series_task(self, variable: str, block: int, row: int, columns: tuple[int, int]) -> SeriesTask:
        """Return the task that writes some files of a block of dates."""
        length = self.plan.shape.block
        dates = _dates(range(block * length, min((block + 1) * length, len(self.times))))
        return SeriesTask(variable=variable, block=block, row=row, columns=columns, count=len(dates), dates=dates)

    def write(self, tasks: Iterable[Task], read: ReadSource, work: Work) -> int:
        """Run tasks and return the bytes of the written files.

        Args:
            tasks: In any order; each may run repeatedly.
            read: Yields the numbers of the cube.
            work: Work of the job.

        Raises:
            SourceUnavailable: The source is unreachable or damaged.
            StorageFull: The disk is full.
            ClientGone: The job was dismissed.
        """
        job = CubeJob(
            run=self.plan.shape.id,
            folder=work.folder / FOLDER,
            plan=self.plan,
            specs=(),
            stored_times=len(self.times),
            reads_ahead=self.reads_ahead,
            read=read,
            is_in_any_order=True,
        )
        disk = _JobDisk(work)
        return sum(run_task(job, task, disk).bytes for task in tasks)

    def to_result(self, states: Sequence[Sequence[int]], inputs: Inputs, *, file: str, work: Work) -> Result:
        """Complete the store; return a ZIP file of it, or publish it under the `name` in the inputs.

        Args:
            states: States of the source, (time, variable).
            inputs: Inputs of the job.
            file: Name of the file without extension.
            work: Work of the job.

        Raises:
            InvalidParameter: Another cube has got that name since.
            LimitExceeded: All published cubes together would be too large.
            StorageFull: The disk is full.
            SourceUnavailable: The folder of published cubes cannot be written.
            ClientGone: The job was dismissed.
        """
        name = inputs.get("name")
        if name is None:
            self._settle(states, work)
            _zip(work.folder / FOLDER, work.results / f"{file}.zarr.zip", work)
            return Result(file=f"{file}.zarr.zip", media_type=ZIP_TYPE)
        if not is_published(name, self.plan.shape.id, work.services):
            try:
                self._settle(states, work)
                publish_cube(work.folder / FOLDER, name, work)
            except ChronotileError:  # perhaps another attempt finished the job and moved the store
                if not is_published(name, self.plan.shape.id, work.services):
                    raise
        return Result(value={"name": name})

    def _settle(self, states: Sequence[Sequence[int]], work: Work) -> None:
        folder = CubeFolder(work.folder / FOLDER, _JobDisk(work))
        starts, periods = (instants.astype("datetime64[ns]") for instants in (self.times.starts, self.times.periods))
        history = History(starts, periods, np.array(states, dtype=np.uint64))
        folder.create(self.plan)
        folder.publish(self.plan, replace(self.plan.shape, times=len(history), revision=1), history, since=0)


def cube_of(
    coverage: Coverage,
    variables: Sequence[VariableInfo],
    *,
    times: TimeDomain,
    layout: LayoutChoice,
    reads_ahead: bool = False,
    format_number: int = FORMAT_VERSION,
) -> JobCube:
    """Return a serving cube of the cells of a coverage.

    Args:
        coverage: Cells and attributes; its revision is part of the id of the cube.
        variables: Variables of the cube, all on one grid.
        times: Times of the cube.
        layout: Maps with overviews, series, or both.
        reads_ahead: Whether the source stores many dates in a chunk.
        format_number: Format version of the store; `format_of` a job that has started.

    Raises:
        InvalidParameter: The grid is too large, or the name of a variable is reserved in a cube.
        LimitExceeded: The cube would be too large.
    """
    grid, itemsizes = variables[0].grid, [np.dtype(variable.encoding.dtype).itemsize for variable in variables]
    requested = grid.width * grid.height * len(times) * sum(itemsizes)
    alternative = "request a smaller bbox or fewer times"
    require_at_most("bytes of a cube", requested, MAX_BYTES, alternative=alternative, locator="inputs.bbox")
    descriptions = tuple((variable.name, variable.title, variable.encoding) for variable in variables)
    shape = Commit(
        id=fingerprint("cube", coverage.etag, descriptions, times.starts.tobytes(), layout),
        block=BLOCK if max(itemsizes) <= MAX_NUMBER_BYTES else BLOCK // 2,
        region_px=region_for(grid, max(itemsizes), MEMORY_BYTES, 1),
        has_map=layout != "series",
        has_series=layout != "map",
        levels=0 if layout == "series" else level_count(grid),
        format=format_number,
    )
    cube = JobCube(plan=_plan(coverage, variables, times, shape), times=times, reads_ahead=reads_ahead)
    try:
        _ = cube.budget
    except UnsupportedSource as error:
        raise InvalidParameter(
            f"overviews of {cube.plan.grid.width} x {cube.plan.grid.height} cells take more memory than a task may; "
            "request a smaller bbox, or use series alone",
            locator="inputs.bbox",
        ) from error
    return cube


def format_of(work: Work) -> int:
    """Return the format version of the cube of a started job; 1 if an earlier release started it without naming one."""
    number: int = work.shared.get(FORMAT, 1)
    return number


def _plan(coverage: Coverage, variables: Sequence[VariableInfo], times: TimeDomain, shape: Commit) -> ServingCubePlan:
    planned = {
        variable.name: PlannedVariable(info=variable, conversion=conversion_of(variable.encoding, None))
        for variable in variables
    }
    with translate_error(UnsupportedSource, InvalidParameter, locator="inputs.layer"):
        return ServingCubePlan(
            grid=variables[0].grid,
            variables=planned,
            shape=shape,
            time_unit=time_unit(times),
            bounds=bounds_form(times, are_periods=are_periods(times)),
            about=_about(coverage),
        )


def variable_of(coverage: Coverage, field: CoverageField) -> VariableInfo:
    """Return a field as a variable of a source with the cells of a coverage."""
    return replace(
        field.layer.main_variable,
        title=field.title,
        encoding=field.encoding,
        levels=(_native_grid(coverage),),
        made_levels=frozenset(),
    )


def _native_grid(coverage: Coverage) -> NativeGrid:
    """Return the cells of a coverage, with the cell size of the source if possible: the size from a box is rounded."""
    grid, native = coverage.grid, coverage.fields[0].layer.main_variable.grid
    width, height = (abs(native.transform.a), abs(native.transform.e)) if is_upright(native) else grid.resolution
    transform = Affine(width, 0, grid.bbox.xmin, 0, -height, grid.bbox.ymax)
    return NativeGrid(crs=grid.crs, transform=transform, width=grid.width, height=grid.height)


def _about(coverage: Coverage) -> dict[str, str]:
    collection, layer = coverage.collection, coverage.fields[0].layer
    texts = {
        "title": collection.title.get("") or next(iter(collection.title.values()), ""),
        "attribution": layer.attribution or collection.attribution,
        "license": layer.license or collection.license,
    }
    return {name: text for name, text in texts.items() if text}


def _dates(positions: range) -> tuple[TaskDate, ...]:
    return tuple(TaskDate(position=position, origin=DateOrigin(0, position), state=()) for position in positions)


class _JobDisk(Disk):
    """Writes files that another attempt may write concurrently, and no files after the job was cancelled."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def make_folder(self, path: Path) -> None:
        """Create a folder below the folder of the job, which must exist: it is removed with the job."""
        below = [path, *path.parents]
        with translate_job_storage_errors():
            for folder in reversed(below[: below.index(self._work.folder)]):
                folder.mkdir(exist_ok=True)

    def put(self, path: Path, data: bytes) -> None:
        """Write a complete file, then give it its name."""
        require_active(self._work.is_active)
        with new_file_unsynced(path, self._work) as file:
            file.write(data)

    def settle(self, folders: Iterable[Path]) -> None:
        """Return when the names in these folders survive a loss of power."""
        with translate_job_storage_errors():
            super().settle(folders)


def _zip(folder: Path, target: Path, work: Work) -> None:
    """Write all files of a store into a ZIP file, its root document first; equal files give equal bytes."""
    root = folder / DOCUMENT
    files = [root, *sorted(file for file in folder.rglob("*") if file.is_file() and file != root)]
    with new_file(target, work) as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            require_active(work.is_active)
            member = zipfile.ZipInfo(file.relative_to(folder).as_posix(), FIRST_DAY)
            member.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(member, "w") as written:
                shutil.copyfileobj(source, written, 1 << 20)
