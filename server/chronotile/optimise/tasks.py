"""The tasks of a run, which may run in any order, anywhere, and repeatedly.

Each writes complete files with fixed names, so a repetition changes nothing.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorstore as ts

from chronotile.core.durable_files import Disk
from chronotile.core.errors import DateUnreadable, SourceUnavailable
from chronotile.core.model.items import ItemRef
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.grid import Window, windows_over
from chronotile.core.model.types import NumberArray
from chronotile.core.yaml_source import list_names
from chronotile.optimise.arrays import ArraySpec
from chronotile.optimise.inputs import DateOrigin
from chronotile.optimise.mosaics import CollectionMosaic, read_mosaic
from chronotile.optimise.plan import PlannedVariable, ServingCubePlan
from chronotile.readers.cf.cell_areas import averaging_areas
from chronotile.readers.hrefs import base_name, tensorstore_path
from chronotile.readers.joined.recoding import recoding_of
from chronotile.readers.kinds import open_source
from chronotile.readers.library_errors import one_line, origin_of
from chronotile.readers.mosaic_reader import as_mosaic
from chronotile.readers.overview_summaries import Counting, Summary, paste_summaries, summary_of
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.commit import OVERLAY, SERIES

MAX_NAMED = 3
"""Files listed in the message of a failed read."""
log = logging.getLogger(__name__)

SOURCE_WINDOW_PX = 512
"""Rows and columns read together from a source with many dates per chunk."""


ReadSource = Callable[[str, Sequence[DateOrigin], Window], Iterable[NumberArray]]
"""Yields the (y, x) numbers of a window of a variable at each date of a sequence, in the encoding of the cube."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDate:
    """One date that a task writes."""

    position: int
    origin: DateOrigin
    state: tuple[int, ...]
    """State of the source, per variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTask:
    """Dates of a variable in the map layout, with their overviews."""

    variable: str
    dates: tuple[TaskDate, ...]
    in_overlay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTask:
    """Adjacent files of a block of a variable in the series layout, in one row of files."""

    variable: str
    block: int
    row: int
    columns: tuple[int, int]
    """First column of files, and the one after the last."""
    count: int
    """Number of positions in the block after the task."""
    dates: tuple[TaskDate, ...]
    """New and replaced dates."""
    in_overlay: bool = False


Task = MapTask | SeriesTask


class SkippedItem(NamedTuple):
    """An item that is missing in a mosaic because it cannot be read."""

    origin: DateOrigin
    """Date of the item."""
    item: str
    reason: str


def log_skipped_item(item: SkippedItem) -> None:
    """Log a skipped item."""
    log.warning("item %s is left out: %s", item.item, item.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeJob:
    """Everything that all tasks of a run share; it may be sent to other hosts that see the same files."""

    run: str
    """Unique id of the run."""
    folder: Path
    plan: ServingCubePlan
    specs: tuple[SourceSpec, ...]
    stored_times: int
    """Positions with pixels in the store, in the overlay or at the final location."""
    overlay: frozenset[int] = frozenset()
    """Positions in the overlay."""
    reads_ahead: bool = False
    """Whether all dates of a task are read in small windows one after the other: for sources with many dates per chunk,
    or with many pieces."""
    read: ReadSource | None = None
    """Reads the numbers if there are no `specs`."""
    mosaic: CollectionMosaic | None = None
    """The mosaics that are read instead of `specs`."""
    sources: "RunSources | None" = None
    """Open sources of this process; `None` on Dask workers, as tasks arrive as pickles (docs/design/process.md)."""
    take: "Callable[[SkippedItem], None]" = log_skipped_item
    """Called with each skipped item of a mosaic."""
    is_in_any_order: bool = False
    """Whether series tasks read the sources even if the cube has maps, because these may not be written yet."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """Files written by a task."""

    bytes: int
    files: tuple[Path, ...]
    left_out: tuple[SkippedItem, ...] = ()
    """Skipped items."""


def task_name(task: Task, plan: ServingCubePlan) -> str:
    """Return a name that is unique among all runs, including runs that differ only in numbers or overviews."""
    planned = plan.variables[task.variable]
    how = (task, planned.conversion, planned.info.is_categorical)
    return hashlib.blake2b(repr(how).encode(), digest_size=12).hexdigest()


def run_task(job: CubeJob, task: Task, disk: Disk) -> TaskResult:
    """Run a task.

    Raises:
        SourceUnavailable: A source cannot be read.
        OSError: A file cannot be written.
    """
    writer = _Writer(job, disk, in_overlay=task.in_overlay)
    left_out = set[SkippedItem]()
    job = replace(job, take=left_out.add)
    with averaging_areas(has_classes=job.plan.variables[task.variable].info.is_categorical):
        if isinstance(task, MapTask):
            _write_maps(job, task, writer)
        else:
            _write_series(job, task, writer)
    return replace(writer.finish(), left_out=tuple(sorted(left_out)))


class _Writer:
    """Writes files of arrays, and makes their folders durable at the end."""

    def __init__(self, job: CubeJob, disk: Disk, *, in_overlay: bool) -> None:
        self._root = job.folder / OVERLAY if in_overlay else job.folder
        self._shape = job.plan.shape
        self._disk = disk
        self._folders: set[Path] = set()
        self._files: list[Path] = []
        self._bytes = 0

    def put(self, group: str, variable: str, spec: ArraySpec, *, place: tuple[int, ...], numbers: NumberArray) -> None:
        """Write the file at a position along each dimension."""
        folder = self._root / self._shape.path_of(group, variable)
        if folder not in self._folders:
            self._disk.make_folder(folder)
        data = spec.encode(numbers)
        self._disk.put(folder / spec.key(*place), data)
        self._folders.add(folder)
        self._files.append(folder / spec.key(*place))
        self._bytes += len(data)

    def finish(self) -> TaskResult:
        """Make the files durable and return the result of the task."""
        self._disk.settle(sorted(self._folders))
        return TaskResult(self._bytes, tuple(self._files))


def _write_maps(job: CubeJob, task: MapTask, writer: _Writer) -> None:
    """Write the native level and the overviews within regions, region by region; then the coarser overviews."""
    plan = job.plan
    drawers = [_Drawer(plan, task.variable, date.position, writer) for date in task.dates]
    for window in windows_over(plan.grid, plan.shape.region_px):
        for drawer, native in zip(drawers, _source_windows(job, task, window), strict=True):
            drawer.draw_region(native, window)
    for drawer in drawers:
        drawer.draw_rest()


class _Drawer:
    """Writes one date of a variable, level by level."""

    def __init__(self, plan: ServingCubePlan, variable: str, position: int, writer: _Writer) -> None:
        planned = plan.variables[variable]
        self._plan = plan
        self._variable = variable
        self._position = position
        self._writer = writer
        self._counting = Counting(encoding=planned.encoding, is_categorical=planned.info.is_categorical)
        self._parts: dict[tuple[int, int], Summary] = {}

    def draw_region(self, native: NumberArray, window: Window) -> None:
        """Write the levels of one region, and keep a summary for the coarser levels."""
        self._put(0, (window.row_start, window.column_start), native)
        summary: Summary | None = None
        for level in range(1, self._plan.shape.levels):
            summary = summary_of(native, self._counting) if summary is None else summary.halved()
            corner = (window.row_start >> level, window.column_start >> level)
            if not self._plan.is_regional(level):
                self._parts[corner] = summary
                return
            self._put(level, corner, summary.numbers())

    def draw_rest(self) -> None:
        """Write the levels whose files span several regions."""
        if not self._parts:
            return
        first = next(level for level in range(1, self._plan.shape.levels) if not self._plan.is_regional(level))
        grid = self._plan.grid_of(str(first))
        dtype = np.dtype(self._counting.encoding.dtype)
        summary = paste_summaries(self._parts, (grid.height, grid.width), dtype)
        for level in range(first, self._plan.shape.levels):
            summary = summary if level == first else summary.halved()
            self._put(level, (0, 0), summary.numbers())

    def _put(self, level: int, corner: tuple[int, int], numbers: NumberArray) -> None:
        """Write numbers into files; `corner` is the row and column of their first cell at the level."""
        spec = self._plan.array(str(level), self._variable)
        _, height, width = spec.file
        for row, column in product(range(0, numbers.shape[0], height), range(0, numbers.shape[1], width)):
            place = (self._position, (corner[0] + row) // height, (corner[1] + column) // width)
            part = numbers[np.newaxis, row : row + height, column : column + width]
            self._writer.put(str(level), self._variable, spec, place=place, numbers=part)


def _write_series(job: CubeJob, task: SeriesTask, writer: _Writer) -> None:
    spec = job.plan.array(SERIES, task.variable)
    _, height, width = spec.file
    window = _series_window(job.plan, task, (height, width))
    is_of_maps = job.plan.shape.has_map and not job.is_in_any_order
    numbers = _block_of_maps(job, task, window) if is_of_maps else _block_of_sources(job, task, window)
    for column in range(*task.columns):
        offset = column * width - window.column_start
        part = numbers[:, :, offset : offset + width]
        writer.put(SERIES, task.variable, spec, place=(task.block, task.row, column), numbers=part)


def _series_window(plan: ServingCubePlan, task: SeriesTask, file: tuple[int, int]) -> Window:
    (height, width), (first, last) = file, task.columns
    return Window(
        task.row * height,
        min((task.row + 1) * height, plan.grid.height),
        first * width,
        min(last * width, plan.grid.width),
    )


def _block_of_maps(job: CubeJob, task: SeriesTask, window: Window) -> NumberArray:
    """Return a block (time, y, x) from the map layout."""
    start = task.block * job.plan.shape.block
    rows, columns = slice(*window[:2]), slice(*window[2:])
    stored = stored_array(job, "0", task.variable)
    replaced = [position for position in range(start, start + task.count) if position in job.overlay]
    numbers: NumberArray = stored[start : start + task.count, rows, columns].read().result()
    if replaced:
        overlay = stored_array(job, "0", task.variable, in_overlay=True)
        for position in replaced:
            numbers[position - start] = overlay[position, rows, columns].read().result()
    return numbers


def _block_of_sources(job: CubeJob, task: SeriesTask, window: Window) -> NumberArray:
    """Return a block (time, y, x): stored dates from the series layout, new dates from their sources."""
    start = task.block * job.plan.shape.block
    new = {date.position: date for date in task.dates}
    unchanged = [position for position in range(start, start + task.count) if position not in new]
    spec = job.plan.array(SERIES, task.variable)
    numbers: NumberArray = np.empty((task.count, window.height, window.width), dtype=spec.dtype)
    if unchanged:
        stored = stored_array(job, SERIES, task.variable)
        numbers[[position - start for position in unchanged]] = (
            stored[unchanged, slice(*window[:2]), slice(*window[2:])].read().result()
        )
    _fill_from_sources(job, task.variable, new, numbers, window=window, start=start)
    return numbers


def _fill_from_sources(
    job: CubeJob, variable: str, dates: Mapping[int, TaskDate], numbers: NumberArray, *, window: Window, start: int
) -> None:
    """Read dates, given by position, into (time, y, x) numbers whose first position is `start`."""
    if not job.reads_ahead:
        for position, date in dates.items():
            (numbers[position - start],) = source_numbers(job, variable, [date.origin], window)
        return
    origins = [date.origin for date in dates.values()]
    for part, rows, columns in _parts(window, job.plan.variables[variable]):
        for position, part_numbers in zip(dates, source_numbers(job, variable, origins, part), strict=True):
            numbers[position - start, rows, columns] = part_numbers


def stored_array(job: CubeJob, group: str, variable: str, *, in_overlay: bool = False) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
    """Return an array of the store with all written times, also those that its document does not contain yet."""
    document = job.plan.array(group, variable).document(job.stored_times)
    folder = job.folder / OVERLAY if in_overlay else job.folder
    return ts.open(
        {
            "driver": "zarr3",
            "kvstore": {
                "driver": "file",
                "path": f"{tensorstore_path(folder / job.plan.shape.path_of(group, variable))}/",
            },
            "metadata": {key: value for key, value in document.items() if key != "storage_transformers"},
            "assume_metadata": True,
            "fill_missing_data_reads": False,
            "open": True,
        }
    ).result()


def _source_windows(job: CubeJob, task: MapTask, window: Window) -> Iterator[NumberArray]:
    """Yield the numbers of a window at each date of a task, in the encoding of the cube."""
    origins = [date.origin for date in task.dates]
    if not job.reads_ahead:
        for origin in origins:
            yield from source_numbers(job, task.variable, [origin], window)
        return
    planned = job.plan.variables[task.variable]
    numbers = np.empty((len(origins), window.height, window.width), dtype=planned.encoding.dtype)
    for part, rows, columns in _parts(window, planned):
        for number, part_numbers in enumerate(source_numbers(job, task.variable, origins, part)):
            numbers[number, rows, columns] = part_numbers
    yield from numbers


def _parts(window: Window, planned: PlannedVariable) -> Iterator[tuple[Window, slice, slice]]:
    """Yield parts of a window that are read together from sources with many dates per chunk, with rows and columns.

    If numbers of the source are larger than those of the cube, parts have fewer rows, because the memory limit is
    computed with the numbers of the cube.
    """
    sizes = [np.dtype(encoding.dtype).itemsize for encoding in (planned.encoding, planned.info.encoding)]
    height, width = max(1, SOURCE_WINDOW_PX * sizes[0] // max(sizes)), SOURCE_WINDOW_PX
    for row, column in product(range(0, window.height, height), range(0, window.width, width)):
        row_stop, column_stop = min(row + height, window.height), min(column + width, window.width)
        first_row, first_column = window.row_start, window.column_start
        part = Window(first_row + row, first_row + row_stop, first_column + column, first_column + column_stop)
        yield part, slice(row, row_stop), slice(column, column_stop)


def source_numbers(job: CubeJob, variable: str, origins: Sequence[DateOrigin], window: Window) -> Iterable[NumberArray]:
    """Return the (y, x) numbers of a window at each date in `origins` of the sources, in the encoding of the cube."""
    if job.read is not None:
        return job.read(variable, origins, window)
    return (job.sources or _worker_sources).read(job, variable, origins, window)


class RunSources:
    """The open sources of one run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run = ""
        self._readers: tuple[Reader, ...] = ()
        self._stack = ExitStack()

    def read(self, job: CubeJob, variable: str, origins: Sequence[DateOrigin], window: Window) -> Iterator[NumberArray]:
        """Yield the (y, x) numbers of a window at each date in `origins`, in the encoding of the cube.

        Dates of one source are read together, so that a chunk with several dates is decoded once. They are converted
        one by one, as a conversion takes several float64 arrays of the same shape.

        Raises:
            SourceUnavailable: A source cannot be read, or its encoding changed since the cube was planned.
        """
        planned = job.plan.variables[variable]
        for number, run in groupby(origins, key=lambda origin: origin.source):
            reader = self._open_readers(job)[number]
            recoding = recoding_of(reader.info.variables[planned.info.name].encoding, planned.info.encoding)
            if recoding is None:
                raise SourceUnavailable(f"the numbers of {planned.info.name} changed during the run; run it again")
            for pixels in _blocks(reader, job, planned.info.name, origins=list(run), window=window):
                for date, numbers in enumerate(pixels.numbers):
                    valid = None if pixels.valid is None else pixels.valid[date]
                    yield planned.conversion.numbers(recoding.pixels(Pixels(numbers, valid)))

    def _open_readers(self, job: CubeJob) -> tuple[Reader, ...]:
        """Return the readers of a run's sources."""
        with self._lock:
            if self._run != job.run:
                self._close()
                if job.mosaic is not None:
                    self._readers = (self._stack.enter_context(job.mosaic.open_reader()),)
                else:
                    caches = ReaderCaches()
                    self._readers = tuple(open_source(spec, caches) for spec in job.specs)
                self._run = job.run
            return self._readers

    def close(self) -> None:
        """Close the sources."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.close()
        self._stack.close()
        self._readers, self._run = (), ""


def _blocks(
    reader: Reader, job: CubeJob, variable: str, *, origins: Sequence[DateOrigin], window: Window
) -> Iterator[Pixels]:
    """Yield pixels (time, y, x) of a window at dates of one source; mosaics are read date by date."""
    if job.mosaic is None:
        indexes = [origin.index for origin in origins]
        try:
            pixels = reader.read_block(variable, indexes=indexes, window=window, along="space")
        except DateUnreadable as error:
            files = (reader.file_of(variable, index) for index in indexes)
            names = list_names(list(dict.fromkeys(base_name(file) for file in files if file)), most=MAX_NAMED)
            raise SourceUnavailable(
                f"{names or variable}: {one_line(origin_of(error))}; replace what is damaged, or leave it out, then "
                "run again with --resume"
            ) from error
        yield pixels
        return
    for origin in origins:

        def take(ref: ItemRef, reason: str, origin: DateOrigin = origin) -> None:
            job.take(SkippedItem(origin, ref.id, reason))

        yield read_mosaic(as_mosaic(reader), variable, index=origin.index, window=window, take=take)


_worker_sources = RunSources()
"""Open sources of a Dask worker."""
