"""Reading of the cells of areas at many times, block by block; each block is read once for all areas.

The indexes of the times are divided twice. The numbers of all areas at the times of a *slab* are in memory together. A
*part* of a slab is read in one call per window.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import ClientGone
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.raster import Codes, Pixels, pixel_codes
from chronotile.core.model.request import Weights
from chronotile.core.model.series.series import SeriesCost
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Float64Array, IndexArray, Int64Array, NumberArray
from chronotile.core.read_cost import ReadCost
from chronotile.core.stats.samples import CellWeights, Samples
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.pipeline.zones.outlines import Outlines
from chronotile.pipeline.zones.plan import AreaPlan, AreaWindow, Takes, plan_of
from chronotile.pipeline.zones.spans import Spans, reach_in
from chronotile.readers.bisect_damage import ReadDates, block_around_damage
from chronotile.readers.reader import Along, BlockShape, Reader

_Fetch = Callable[[tuple[int, ...]], tuple[Pixels, Takes]]
"""Returns (time, cell) pixels at the times of some indexes, and the targets of the cells."""

_ReadBatch = tuple[tuple[tuple[int, ...], slice], list[_Fetch]]
"""Indexes of times with their rows in the result, and the reads at these times."""

THREADS = 4
"""Number of threads per series; each reads another window."""

MAX_NUMBER_BYTES = 48 << 20
"""Maximum size of the numbers of all areas in memory, unless one time needs more."""

WINDOW_BYTES = 2 << 20
"""Maximum size of one read of a window, unless one time needs more."""

BLOCK_BYTES = 32 << 20
"""Maximum size of one read of blocks that contain many times: smaller reads would decode a block several times."""

READ_BYTES = 64 << 20
"""Maximum size of all concurrent reads, unless one needs more."""

TIMES_PER_READ = 12
"""Maximum number of times of files that a thread reads window by window; the files of all threads stay open."""

SCATTERED_VALUES = 1 << 20
"""Maximum number of values per read of scattered cells."""

KEPT_CELLS = 2 << 20
"""Up to this number of cells, their targets are cached between times."""

RUN_CELLS = 1 << 24
"""Maximum number of cells of the areas that are read together, unless one has more. Overlapping areas share none."""


CELL_S = 12e-9
"""Processor time to reduce a cell of an area at one time."""


FAR_APART = 256
"""If a window has more cells per cell that is read, its parts are fingerprinted separately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaReading:
    """Plan for reading the cells of areas."""

    layer: Layer
    plan: AreaPlan
    indexes: tuple[int, ...]
    """Indexes into the times of the layer."""
    shape: BlockShape
    along: Along
    read_cost: ReadCost

    @property
    def _itemsize(self) -> int:
        return np.dtype(self.layer.main_variable.encoding.dtype).itemsize

    def slabs(self) -> Iterator[tuple[int, ...]]:
        """Yield the indexes in runs whose numbers fit into memory together."""
        cells = int(self.plan.bounds[-1])
        if not self.indexes:
            return iter([()])
        return _runs(self.indexes, max(1, MAX_NUMBER_BYTES // max(1, cells * (self._itemsize + 1))), self.shape.times)

    def parts(self, slab: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the indexes of a slab in runs that can be read in one call per window."""
        most, blocks = (max(1, allowed // self._largest_bytes) for allowed in (WINDOW_BYTES, BLOCK_BYTES))
        if self.shape.times == 1:
            most = min(most, TIMES_PER_READ)
        return _runs(slab, max(most, min(blocks, self.shape.times)), self.shape.times)

    def threads(self, times: int) -> int:
        """Return the number of windows that may be read concurrently at a number of times."""
        return max(1, min(THREADS, READ_BYTES // (self._largest_bytes * max(1, times))))

    @property
    def _largest_bytes(self) -> int:
        # Size of the largest window at one time.
        heights, widths = (self.plan.windows[:, axis + 1] - self.plan.windows[:, axis] for axis in (0, 2))
        return int((heights * widths).max(initial=1)) * self._itemsize

    def chunks(self) -> int:
        """Return the number of chunks that are decoded."""
        length = self.shape.times
        per_block = sum(len({index // length for index in part}) for slab in self.slabs() for part in self.parts(slab))
        return int(self.plan.blocks.sum()) * per_block

    def cost(self, columns: int) -> SeriesCost:
        """Return the cost of an answer with a number of columns per area."""
        chunks = self.chunks()
        values = chunks * self.shape.times * self.shape.height * self.shape.width
        cells = int(self.plan.bounds[-1]) * len(self.indexes)
        return SeriesCost(
            chunks=chunks,
            bytes=values * self._itemsize,
            seconds=self.read_cost.seconds(blocks=chunks, values=values) + cells * CELL_S,
            cells=cells,
            values=len(self.indexes) * (self.plan.bounds.size - 1) * columns,
        )


def _runs(indexes: tuple[int, ...], max_length: int, length: int) -> Iterator[tuple[int, ...]]:
    """Yield runs of at most `max_length` indexes, cut at the end of a block of `length` times if a block fits."""
    aligned = max_length // length * length
    start = 0
    while start < len(indexes):
        stop = min(start + max_length, len(indexes))
        if aligned and stop < len(indexes):
            border = indexes[stop] // length * length
            cut = next((end for end in range(stop, start, -1) if indexes[end - 1] < border), start)
            stop = cut if cut > start else stop
        yield indexes[start:stop]
        start = stop


def cheapest_readings(
    spans: Spans, areas: int, *, layer: Layer, indexes: tuple[int, ...], services: Services
) -> tuple[AreaReading, ...]:
    """Return plans for reading areas in runs, each with a limited number of cells.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    ends = np.cumsum(np.bincount(spans.areas, weights=spans.lengths, minlength=areas))
    readings, first = list[AreaReading](), 0
    while first < areas or not readings:
        reached = float(ends[first - 1]) if first else 0.0
        last = max(int(np.searchsorted(ends, reached + RUN_CELLS, side="right")), min(first + 1, areas))
        run_spans = spans.select_areas(first, last)
        readings.append(cheapest_reading(run_spans, last - first, layer=layer, indexes=indexes, services=services))
        first = last
    return tuple(readings)


def cheapest_reading(
    spans: Spans, areas: int, *, layer: Layer, indexes: tuple[int, ...], services: Services
) -> AreaReading:
    """Return the plan for reading cells of areas from the cheaper layout; reads no pixels.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    reader, name = services.reader(layer), layer.main_variable.name
    readings: dict[BlockShape, AreaReading] = {}
    with reading(layer):
        for along in ("time", "space"):
            shape = reader.block_shape(name, along)
            if shape not in readings:
                plan = plan_of(spans, areas, shape)
                cost = reader.read_cost(name, indexes=indexes, window=_middle_window(plan), along=along)
                readings[shape] = AreaReading(
                    layer=layer, plan=plan, indexes=indexes, shape=shape, along=along, read_cost=cost
                )
    return min(readings.values(), key=lambda how: how.cost(1).seconds)


def _middle_window(plan: AreaPlan) -> Window:
    if not len(plan.windows):
        return Window.from_cell(0, 0)
    return Window(*plan.windows[len(plan.windows) // 2].tolist())


def takes_several_reads(how: AreaReading) -> bool:
    """Return whether an answer needs several reads that can differ (windows, operands, or items of a mosaic)."""
    variable = how.layer.main_variable
    return variable.is_derived or variable.is_mosaic or len(how.plan.windows) > 1


def windows_of_all(readings: Iterable[AreaReading]) -> tuple[tuple[Window], ...]:
    """Return windows that contain all cells that are read: one for cells that are close together, else several."""
    return tuple((window,) for window in _join_windows(np.concatenate([how.plan.windows for how in readings])))


def _join_windows(windows: Int64Array) -> Iterator[Window]:
    """Join windows that are close together into one; divide other windows into two halves and join each half."""
    if not len(windows):
        return
    top, bottom, west, east = windows.T
    read = int(((bottom - top) * (east - west)).sum())
    joined = Window(int(top.min()), int(bottom.max()), int(west.min()), int(east.max()))
    if len(windows) == 1 or joined.height * joined.width <= FAR_APART * read:
        yield joined
        return
    order = np.argsort(top if joined.height > joined.width else west, kind="stable")
    for half in np.array_split(windows[order], 2):
        yield from _join_windows(half)


class AreaCells:
    """Reads the cells of areas.

    Args:
        how: The plan.
        unreadable: Collects the dates of unreadable cells.
        is_active: Whether the client still waits; called before each window and each step of the work.
    """

    def __init__(self, how: AreaReading, unreadable: UnreadableDates, is_active: IsActive) -> None:
        self._how = how
        self._unreadable = unreadable
        self._reader: Reader = unreadable.reader
        self._is_active = is_active
        self._windows: dict[int, AreaWindow] = {}
        self._is_cached = int(how.plan.bounds[-1]) <= KEPT_CELLS
        self.names: tuple[str, ...] = how.layer.main_variable.encoding.code_names
        """Names of the reasons that codes stand for."""

    @cached_property
    def _weights(self) -> CellWeights | None:
        spans = self._how.plan.spans
        if spans.weights is None:
            return None
        return CellWeights(ends=np.append(0, np.cumsum(spans.lengths)), weights=spans.weights)

    def require_source(self) -> None:
        """Check that at least one date can be read; a date that was read counts.

        Raises:
            SourceUnavailable: No date can be read.
        """
        if len(self._how.plan.windows):
            first_row, _last_row, first_column, _last_column = self._how.plan.windows[0].tolist()
            self._unreadable.require_source(self._how.layer.main_variable, self._how.indexes, (first_row, first_column))

    def require_active(self) -> None:
        """Check that the client still waits.

        Raises:
            ClientGone: The client closed the connection.
        """
        if not self._is_active():
            raise ClientGone("the client disconnected")

    def samples(self, slab: tuple[int, ...]) -> Samples:
        """Return the numbers of all cells at the times of a slab, or `UNREADABLE_CODE` at unreadable times.

        Raises:
            SourceUnavailable: The source is unreachable.
            ClientGone: The client closed the connection.
        """
        plan = self._how.plan
        shape = (len(slab), int(plan.bounds[-1]))
        numbers = np.empty(shape, dtype=self._how.layer.main_variable.encoding.dtype)
        codes = np.empty(shape, dtype=np.uint8)
        fetches = self._fetches(len(slab))
        parts, start = list[tuple[tuple[int, ...], slice]](), 0
        for part in self._how.parts(slab):
            parts.append((part, slice(start, start + len(part))))
            start += len(part)

        def read(job: _ReadBatch) -> None:
            (part, times), fetches = job
            for fetch in fetches:
                read_window(part, times, fetch)

        def read_window(part: tuple[int, ...], times: slice, fetch: _Fetch) -> None:
            self.require_active()
            with reading(self._how.layer):
                cells, takes = fetch(part)
            pixels = pixel_codes(cells, self._how.layer.main_variable.encoding)
            self.names = max(self.names, pixels.names, key=len)  # a formula has more names than an unreadable date
            for first, last, start in takes:
                target = slice(start, start + last - first)
                numbers[times, target] = cells.numbers[:, first:last]
                codes[times, target] = pixels.numbers[:, first:last]

        # If threads read one file concurrently, each would open it.
        groups = [fetches] if self._how.shape.times == 1 and len(parts) > 1 else [[fetch] for fetch in fetches]
        _run_in_threads(
            read,
            list(product(parts, groups)),
            self._how.threads(max((len(part) for part, _times in parts), default=1)),
        )
        return Samples(numbers=numbers, codes=codes, bounds=plan.bounds, weights=self._weights)

    def _fetches(self, times: int) -> list[_Fetch]:
        """Return the reads that together fetch all cells at a number of times."""
        plan, variable = self._how.plan, self._how.layer.main_variable
        has_fast_cells = self._how.along == "time" and self._reader.has_fast_cells(variable.name)
        if not has_fast_cells or not plan.is_sparse.any():
            return [partial(self._read_in_window, number) for number in range(len(plan.windows))]
        runs = plan.runs(max(1, SCATTERED_VALUES // times))
        return [
            *(partial(self._read_in_window, int(number)) for number in np.flatnonzero(~plan.is_sparse)),
            *(partial(self._read_scattered, first, last) for first, last in runs),
        ]

    def _read_in_window(self, number: int, part: tuple[int, ...]) -> tuple[Pixels, Takes]:
        window = self._window(number)
        name = self._how.layer.main_variable.name
        read_window = window.window

        def read(indexes: Sequence[int]) -> Pixels:
            return self._reader.read_block(name, indexes=indexes, window=read_window, along=self._how.along)

        pixels = self._around_damage(read, part, (read_window.height, read_window.width))
        return _take_cells(pixels, window.cells), window.takes

    def _read_scattered(self, first: int, last: int, part: tuple[int, ...]) -> tuple[Pixels, Takes]:
        scattered_cells = self._how.plan.scattered_cells(first, last)
        name = self._how.layer.main_variable.name

        def read(indexes: Sequence[int]) -> Pixels:
            return self._reader.read_cells(
                name, indexes=indexes, rows=scattered_cells.rows, columns=scattered_cells.columns
            )

        return self._around_damage(read, part, scattered_cells.rows.shape), scattered_cells.takes

    def _around_damage(self, read: ReadDates, part: tuple[int, ...], shape: tuple[int, ...]) -> Pixels:
        variable = self._how.layer.main_variable
        return block_around_damage(read, part, variable.encoding, self._unreadable.reporter(variable), shape=shape)

    def _window(self, number: int) -> AreaWindow:
        window = self._windows.get(number)
        if window is None:
            window = self._how.plan.window(number)
            if self._is_cached:
                self._windows[number] = window
        return window


def _run_in_threads(work: Callable[[_ReadBatch], None], jobs: list[_ReadBatch], max_threads: int) -> None:
    """Do all jobs, some of them concurrently; stop at the first that fails."""
    if len(jobs) < 2:
        for job in jobs:
            work(job)
        return
    threads = ThreadPoolExecutor(min(max_threads, len(jobs)))
    try:
        for _ in threads.map(lambda job, context: context.run(work, job), jobs, [copy_context() for _ in jobs]):
            pass
    finally:
        threads.shutdown(cancel_futures=True)


def _take_cells(pixels: Pixels, cells: IndexArray) -> Pixels:
    """Return (time, cell) pixels of some cells of (time, y, x) pixels."""

    def take(values: NumberArray) -> NumberArray:
        return values.reshape(values.shape[0], -1).take(cells, axis=1)

    return Pixels(
        take(pixels.numbers),
        None if pixels.valid is None else take(pixels.valid),
        codes=None if pixels.codes is None else Codes(take(pixels.codes.numbers), pixels.codes.names),
    )


# Estimated memory for areas with long outlines or many cells (docs/design/large-answers.md).

CROSSING_BYTES = {"pixel": 130, "area": 340, "auto": 470}
"""Bytes per row that an outline crosses, and for `area` per column too: its cells, and the blocks that are read."""
CELL_BYTES = 2.5
"""Bytes per cell in addition to its numbers: its code, and its part of a span of a block 64 cells wide."""
BODY_BYTES = 64 << 20
"""Part of the memory for large answers that is reserved for bodies: two of the largest size may wait for the rest."""


def area_bytes(
    outlines: Outlines, variable: VariableInfo, *, weights: Weights, times: int = 1, max_bytes: int | None
) -> int:
    """Return the bytes for outlines, and for the numbers of their cells that are in memory together; reads no pixels.

    Args:
        outlines: The outlines of all areas.
        variable: The variable with the cells.
        weights: The weights of cells at the border.
        times: Number of times.
        max_bytes: Maximum result, if any: an answer that needs more is made while no other large answer is.
    """
    grid, itemsize = variable.grid, np.dtype(variable.encoding.dtype).itemsize
    reach = reach_in(grid)
    columns = np.clip(outlines.columns, reach.first, reach.last)
    rows = np.clip(outlines.rows, 0, grid.height)
    crossings = _length(rows) + (0.0 if weights == "pixel" else _length(columns))
    twice = columns[:, 0] * rows[:, 1] - columns[:, 1] * rows[:, 0]
    rings = np.abs(np.bincount(outlines.rings, weights=twice, minlength=outlines.is_hole.size)) / 2
    cells = float(rings[~outlines.is_hole].sum())
    numbers = max(cells * itemsize, min(times * cells * (itemsize + 1), MAX_NUMBER_BYTES + READ_BYTES) - cells)
    size = int(crossings * CROSSING_BYTES[weights] + cells * CELL_BYTES + numbers)
    return size if max_bytes is None else min(size, max_bytes)


def _length(along: Float64Array) -> float:
    # Approximate number of rows or columns that edges cross.
    return float(np.abs(along[:, 1] - along[:, 0]).sum())


# Rough time of the series of an area; reads no pixels and transforms no coordinates.

ROUGH_CELL_S = 10e-9
"""Processor time per cell and time in a serving cube, including other cells of its chunk."""

MAX_POLYGONS = 100
"""Areas with more polygons are not estimated, as the estimate runs in the event loop."""

MAX_ROUGH_S = 1.0
"""Maximum estimate: a larger area may exceed a limit, and uses only one thread of several."""


def rough_seconds(area: Area, time: TimeSelection, layer: Layer, services: Services) -> float:
    """Return the processor time in seconds to read and reduce the bounding box of an area at all its times.

    Returns:
        0 if the area or the extent of the layer is not in longitude and latitude, or the area has many polygons.

    Raises:
        ChronotileError: The times are invalid.
    """
    west, south, east, north = services.catalogue.collection(layer.collection).bbox
    is_comparable = area.crs.is_geographic and west < east and south < north
    if not (is_comparable and 0 < len(area.polygons) <= MAX_POLYGONS):
        return 0.0
    outlines = [rings[0] for rings in area.polygons]
    area_west, bottom = (min(float(ring[:, axis].min()) for ring in outlines) for axis in (0, 1))
    area_east, top = (max(float(ring[:, axis].max()) for ring in outlines) for axis in (0, 1))
    across = max(0.0, min(east, area_east) - max(west, area_west)) / (east - west)
    down = max(0.0, min(north, top) - max(south, bottom)) / (north - south)
    grid = layer.main_variable.grid
    times = len(resolve_series_times(layer, time, now=services.clock()).indexes)
    return min(MAX_ROUGH_S, across * grid.width * down * grid.height * times * ROUGH_CELL_S)
