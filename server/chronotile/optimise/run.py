"""`chronotile optimise new` and `update`: write files as a serving cube (docs/design/serving-cube.md).

Readers see the state in the last commit, the root document, which is replaced in one step. A run writes files that no
commit uses yet, then commits. New dates extend the arrays. Changed dates are first written into an overlay folder. A
commit then directs readers to the overlay, the files are linked to their final location, and another commit ends the
overlay.

| interrupted | visible to readers | next run with `--resume` |
|---|---|---|
| while files of new dates are written | the earlier dates | writes only tasks that are not in the journal |
| while the overlay is written | the old values | compares and writes changed dates again |
| after the commit of the overlay | the new values, in the overlay | links the files of the overlay first |
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from chronotile.core.durable_files import Disk, forget, sole_writer
from chronotile.core.errors import MissingExtra, UnsupportedSource, WriteFailed
from chronotile.core.extras import missing_extra
from chronotile.core.machine import this_machine
from chronotile.core.model.time.instants import DAY
from chronotile.optimise.arrays import group_attributes
from chronotile.optimise.changes import CubeChanges, changes_of
from chronotile.optimise.differences import find_differing_dates
from chronotile.optimise.existing import require_layout, require_nodata, rounding_findings
from chronotile.optimise.inputs import CubeInputs, DateOrigin, find_inputs
from chronotile.optimise.journal import FOLDER, Journal, WrittenFiles
from chronotile.optimise.memory import Budget, budget_of
from chronotile.optimise.options import Options, Report
from chronotile.optimise.plan import ServingCubePlan
from chronotile.optimise.planning import new_shape, plan_cube
from chronotile.optimise.runners import DaskRunner, LocalRunner, TaskRunner
from chronotile.optimise.store import CubeFolder, History
from chronotile.optimise.tasks import CubeJob, MapTask, RunSources, SeriesTask, SkippedItem, Task, TaskDate, task_name
from chronotile.readers.zarr.commit import Commit, commit_of

RunProgress = Callable[[str, float], None]


def optimise(
    sources: Sequence[str],
    target: Path,
    options: Options,
    *,
    disk: Disk | None = None,
    progress: RunProgress = lambda _what, _share: None,
) -> Report:
    """Write a serving cube of its sources, or add new and replaced dates to an existing one.

    Raises:
        UnsupportedSource: The sources cannot be written as one cube, or do not fit the existing one.
        SourceUnavailable: A source cannot be read.
        WriteFailed: The disk is full or fails; the last visible state stays visible.
        MissingExtra: An option needs a library that is not installed.
    """
    require_dask(options)
    inputs = find_inputs(sources, options, target=target)
    return write_cube(inputs, target, options, disk=disk or Disk(), progress=progress)


def require_dask(options: Options) -> None:
    """Check that the libraries for `--dask` are installed if it is set.

    Raises:
        MissingExtra: A library is missing.
    """
    if options.dask is not None and (message := missing_extra("dask", "--dask")):
        raise MissingExtra(message)


def write_cube(inputs: CubeInputs, target: Path, options: Options, *, disk: Disk, progress: RunProgress) -> Report:
    """Write a serving cube of its inputs, or add new and replaced dates to an existing one.

    Raises:
        ChronotileError: See `optimise`.
    """
    with _translate_write_errors(target):
        _require_free(target)
        disk.make_folder(target)
        local = LocalRunner(options.threads or this_machine().cores, disk)
        with sole_writer(target), local if options.dask is None else DaskRunner(options.dask) as runner:
            run = _prepare(inputs, target, options, runner=runner, disk=disk)
            run.bring_up_to_date(progress)
            run.end()
    return run.report


@contextmanager
def _translate_write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteFailed(
            f"{target.name} could not be written: {error.strerror or error}; the previous state stays visible, and "
            "--resume continues from here"
        ) from error


def _require_free(target: Path) -> None:
    if target.is_dir() and not (target / "zarr.json").exists() and not (target / FOLDER).exists():
        if any(target.iterdir()):
            raise UnsupportedSource(f"{target.name} is a folder with other files in it; name a new one")
    elif target.exists() and not target.is_dir():
        raise UnsupportedSource(f"{target.name} is a file; name a folder that ends in .zarr")


def _prepare(inputs: CubeInputs, target: Path, options: Options, *, runner: TaskRunner, disk: Disk) -> "_CubeRun":
    folder, journal = CubeFolder(target, disk), Journal(target / FOLDER, disk)
    if journal.is_there and not options.resume:
        raise UnsupportedSource(f"an earlier run on {target.name} was interrupted; use --resume to continue it")
    document = folder.root_document()
    commit = None if document is None else commit_of(document["attributes"])
    shape = journal.started_shape(new_shape(inputs, options, runner.threads) if commit is None else commit)
    require_layout(shape, options)
    planned = plan_cube(inputs, shape, options, folder=folder, document=document)
    inputs, plan = planned.inputs, planned.plan
    if inputs.mosaic is not None:
        require_nodata(plan)
    budget = budget_of(plan, options.memory_bytes, runner.threads)
    journal.begin(shape, group_attributes(plan.grid))  # after all checks that may refuse the run
    if commit is None:
        folder.create(plan)
    return _CubeRun(
        inputs=inputs,
        folder=folder,
        journal=journal,
        plan=plan,
        commit=shape if commit is None else commit,
        history=planned.history,
        runner=runner,
        budget=budget,
        report=Report(notes=(*inputs.notes, *rounding_findings(plan))),
    )


@dataclass(slots=True, kw_only=True)
class _CubeRun:
    """A run, and the state that it last made visible."""

    inputs: CubeInputs
    folder: CubeFolder
    journal: Journal
    plan: ServingCubePlan
    commit: Commit
    history: History
    runner: TaskRunner
    budget: Budget
    report: Report
    incomplete: set[DateOrigin] = field(default_factory=set)
    """Dates without some items, which could not be read."""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def bring_up_to_date(self, progress: RunProgress) -> None:
        """Write the dates that the cube lacks or has in an earlier state."""
        started = time.monotonic()
        if self.commit.overlay:
            self._settle_overlay()
        changes = changes_of(self.inputs, self.history)
        lengths = changes.times.bounds[:, 1] - changes.times.bounds[:, 0]
        if self.plan.bounds.name is not None and bool(np.any(lengths < DAY)):
            raise UnsupportedSource(
                "some of its times are exact instants, the existing cube has periods; write a new cube"
            )
        layouts = int(self.plan.shape.has_map) + int(self.plan.shape.has_series)
        self._append(changes, _ProgressMeter(progress, len(changes.new) * layouts, self._date_bytes()))
        self._replace(changes)
        self.report.late = changes.late
        self.report.native_bytes = (self.report.added + self.report.replaced) * self._date_bytes()
        self.report.seconds = time.monotonic() - started

    def end(self) -> None:
        """Remove temporary files of this run and of interrupted runs."""
        self.folder.drop_overlay()
        self.journal.end()

    def _append(self, changes: CubeChanges, watch: "_ProgressMeter") -> None:
        """Add new dates, up to the end of a block in each round, and make each round visible."""
        done = 0
        while done < len(changes.new):
            room = self.commit.block - self.commit.times % self.commit.block
            dates = changes.new[done : done + room]
            files = list(self._run_tasks(self._map_tasks(dates), self._job(len(dates)), watch))
            files += self._run_tasks(self._series_tasks(dates), self._job(len(dates)), watch)
            since = len(self.history)
            self.history = self._history_after(self.history.extend(changes.times.part(done, done + len(dates))), dates)
            self._publish(replace(self.commit, times=len(self.history)), since=since)
            forget(files)
            # The source files of a cube without maps are still served, so they stay in the page cache.
            if self.plan.shape.has_map:
                forget(path for date in dates for path in self.inputs.files[date.origin])
            done += len(dates)
            self.report.added += len(dates)

    def _replace(self, changes: CubeChanges) -> None:
        """Find dates with changed pixels; write them into the overlay, then to their final location."""
        if not changes.suspect:
            return
        differences: Counter[int] = Counter()
        with closing(RunSources()) as sources:
            job = replace(self._job(), sources=sources, take=self._note_skipped)
            for date, cells in find_differing_dates(job, changes.suspect):
                differences[date.position] += cells
        replaced = tuple(date for date in changes.suspect if differences[date.position])
        if replaced:
            self._write_overlay(replaced)
        positions = [date.position for date in changes.suspect]
        self.history = self._history_after(self.history, changes.suspect)
        self._settle_overlay(since=min(positions))
        self.report.replaced = len(replaced)

    def _history_after(self, history: History, dates: Sequence[TaskDate]) -> History:
        # History with the new source states; 0 for a date with skipped items, so that the next run writes it again.
        states = [(0,) * len(date.state) if date.origin in self.incomplete else date.state for date in dates]
        return history.replace_states([date.position for date in dates], states)

    def _note_skipped(self, item: SkippedItem) -> None:
        self.incomplete.add(item.origin)
        self.report.left_out.setdefault(item.item, item.reason)

    def _write_overlay(self, dates: tuple[TaskDate, ...]) -> None:
        watch = _ProgressMeter(lambda _what, _share: None, 1, 0)
        positions = tuple(date.position for date in dates)
        job = replace(self._job(), overlay=frozenset(positions))
        list(self._run_tasks(self._map_tasks(dates, in_overlay=True), job, watch))
        list(self._run_tasks(self._series_tasks(dates, in_overlay=True), job, watch))
        self.folder.describe_overlay(self.plan, self.commit.times)
        changed = {**self.commit.changed, **dict.fromkeys(positions, self.commit.revision + 1)}
        self._publish(replace(self.commit, changed=changed, overlay=positions), since=len(self.history))

    def _settle_overlay(self, since: int | None = None) -> None:
        """Move the overlay to its final location; an interrupted run may have left one."""
        if self.commit.overlay:
            self.folder.take_overlay(self.commit)
        self._publish(replace(self.commit, overlay=()), since=len(self.history) if since is None else since)
        self.folder.drop_overlay()

    def _publish(self, commit: Commit, *, since: int) -> None:
        self.commit = replace(commit, revision=self.commit.revision + 1)
        self.folder.publish(self.plan, self.commit, self.history, since=since)
        if not self.commit.overlay:
            self.journal.forget_tasks()

    def _run_tasks(self, tasks: Iterator[Task], job: CubeJob, watch: "_ProgressMeter") -> Iterator[Path]:
        """Run the tasks that are not in the journal; yield the written files."""
        done = self.journal.finished_tasks()
        tasks_by_name = {task_name(task, self.plan): task for task in tasks}
        for name in tasks_by_name.keys() & done.keys():
            self._count(tasks_by_name.pop(name), done[name], watch)
        for task, result in self.runner.run(job, tasks_by_name.values(), threads=self.budget.threads):
            written = WrittenFiles(result.bytes, len(result.files))
            for item in result.left_out:
                self._note_skipped(item)
            if not result.left_out:  # otherwise the next run tries the items again
                self.journal.add(task_name(task, self.plan), written)
            self._count(task, written, watch)
            yield from result.files

    def _count(self, task: Task, written: WrittenFiles, watch: "_ProgressMeter") -> None:
        self.report.files += written.files
        self.report.written_bytes += written.bytes
        watch.count(self._share(task))

    def _map_tasks(self, dates: Sequence[TaskDate], *, in_overlay: bool = False) -> Iterator[Task]:
        if not self.plan.shape.has_map:
            return
        step = self.budget.dates if self.inputs.have_times_in_blocks else 1
        for start in range(0, len(dates), step):
            for variable in self.plan.variables:
                yield MapTask(variable=variable, dates=tuple(dates[start : start + step]), in_overlay=in_overlay)

    def _series_tasks(self, dates: Sequence[TaskDate], *, in_overlay: bool = False) -> Iterator[Task]:
        if not self.plan.shape.has_series:
            return
        length = self.plan.shape.block
        after = max(len(self.history), dates[-1].position + 1)
        step = 1 if self.plan.shape.has_map else self.budget.columns
        rows, columns = self.plan.series_files
        for block in sorted({date.position // length for date in dates}):
            members = tuple(date for date in dates if date.position // length == block)
            for variable, row, column in product(self.plan.variables, range(rows), range(0, columns, step)):
                yield SeriesTask(
                    variable=variable,
                    block=block,
                    row=row,
                    columns=(column, min(column + step, columns)),
                    count=min(length, after - block * length),
                    dates=members,
                    in_overlay=in_overlay,
                )

    def _job(self, new: int = 0) -> CubeJob:
        return CubeJob(
            run=self.run_id,
            folder=self.folder.path.absolute(),
            plan=self.plan,
            specs=self.inputs.specs,
            stored_times=len(self.history) + new,
            mosaic=self.inputs.mosaic,
            reads_ahead=self.inputs.mosaic is not None or self.inputs.have_times_in_blocks,
        )

    def _share(self, task: Task) -> float:
        """Return the size of a task in dates of one layout."""
        if isinstance(task, MapTask):
            return len(task.dates) / len(self.plan.variables)
        rows, columns = self.plan.series_files
        return len(task.dates) * (task.columns[1] - task.columns[0]) / (rows * columns * len(self.plan.variables))

    def _date_bytes(self) -> int:
        # Bytes of the numbers of a date, unpacked
        cells = self.plan.grid.width * self.plan.grid.height
        return sum(cells * np.dtype(variable.encoding.dtype).itemsize for variable in self.plan.variables.values())


class _ProgressMeter:
    """Reports progress and speed of a run."""

    def __init__(self, progress: RunProgress, total: float, unit_bytes: int) -> None:
        self._progress = progress
        self._total = max(total, 1)
        self._unit_bytes = unit_bytes
        self._done = 0.0
        self._started = time.monotonic()

    def count(self, units: float) -> None:
        """Add finished work, in dates of one layout."""
        self._done += units
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self._done * self._unit_bytes / 1e6 / seconds
        remaining_s = seconds * (self._total - self._done) / max(self._done, 1e-9)
        self._progress(f"{rate:.0f} MB/s, {remaining_s:.0f} s left", min(1.0, self._done / self._total))
