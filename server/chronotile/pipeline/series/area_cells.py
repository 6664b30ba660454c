"""The cells of areas at many times, read block by block, each block once for all areas."""

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
from chronotile.readers.bisect_damage import Read, block_around_damage
from chronotile.readers.reader import Along, BlockShape, Reader

_Fetch = Callable[[tuple[int, ...]], tuple[Pixels, Takes]]
"""Gives (time, cell) pixels at the times of some indexes, and where the cells go."""

_Job = tuple[tuple[tuple[int, ...], slice], list[_Fetch]]
"""Indexes with the rows they go to, and what is read at them."""

THREADS = 4
"""Of one series; each reads another window."""

HELD_BYTES = 48 << 20
"""Of numbers of all areas that are held at once, if one time is not more already."""

WINDOW_BYTES = 2 << 20
"""Of numbers of a window that are read at once, if one time is not more already."""

BLOCK_BYTES = 32 << 20
"""Of a window of blocks of many times, which would otherwise be decoded again for each part of their times."""

READ_BYTES = 64 << 20
"""Of all windows that are read at once, if one is not more already."""

FILES_AT_ONCE = 12
"""Times of files that a thread reads window by window: those of all threads stay open (64 NetCDF files)."""

SCATTERED_VALUES = 1 << 20
"""Numbers of cells here and there that are read at once."""

KEPT_CELLS = 2 << 20
"""As long as there are no more, where each cell goes is cached between times."""

RUN_CELLS = 1 << 24
"""Of all areas that are held at once, if one has not more already; those that overlap have each cell of their own."""


CELL_S = 12e-9
"""What it takes to reduce a cell of an area at one time."""


FAR_APART = 256
"""Cells of a window for each that is read in it, above which its parts have states of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaReading:
    """How cells of areas are read."""

    layer: Layer
    plan: AreaPlan
    indexes: tuple[int, ...]
    """Into the layer's times."""
    shape: BlockShape
    along: Along
    read_cost: ReadCost

    @property
    def _itemsize(self) -> int:
        return np.dtype(self.layer.main_variable.encoding.dtype).itemsize

    def slabs(self) -> Iterator[tuple[int, ...]]:
        """Give the indexes in runs whose numbers may be held at once."""
        cells = int(self.plan.bounds[-1])
        if not self.indexes:
            return iter([()])
        return _runs(self.indexes, max(1, HELD_BYTES // max(1, cells * (self._itemsize + 1))), self.shape.times)

    def parts(self, slab: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Give a slab's indexes in runs of which any window may be read at once."""
        most, blocks = (max(1, allowed // self._largest_bytes) for allowed in (WINDOW_BYTES, BLOCK_BYTES))
        if self.shape.times == 1:
            most = min(most, FILES_AT_ONCE)
        return _runs(slab, max(most, min(blocks, self.shape.times)), self.shape.times)

    def threads(self, times: int) -> int:
        """Return how many windows of so many times may be read at once."""
        return max(1, min(THREADS, READ_BYTES // (self._largest_bytes * max(1, times))))

    @property
    def _largest_bytes(self) -> int:
        # Of numbers of the largest window at one time.
        heights, widths = (self.plan.windows[:, axis + 1] - self.plan.windows[:, axis] for axis in (0, 2))
        return int((heights * widths).max(initial=1)) * self._itemsize

    def chunks(self) -> int:
        """Return how many chunks are decoded."""
        length = self.shape.times
        each = sum(len({index // length for index in part}) for slab in self.slabs() for part in self.parts(slab))
        return int(self.plan.blocks.sum()) * each

    def cost(self, columns: int) -> SeriesCost:
        """Return what it takes to read; the answer has so many columns an area."""
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


def _runs(indexes: tuple[int, ...], most: int, length: int) -> Iterator[tuple[int, ...]]:
    """Runs of at most so many indexes, cut where blocks of a length end if more than one such fits."""
    aligned = most // length * length
    start = 0
    while start < len(indexes):
        stop = min(start + most, len(indexes))
        if aligned and stop < len(indexes):
            border = indexes[stop] // length * length
            cut = next((place for place in range(stop, start, -1) if indexes[place - 1] < border), start)
            stop = cut if cut > start else stop
        yield indexes[start:stop]
        start = stop


def cheapest_readings(
    spans: Spans, areas: int, *, layer: Layer, indexes: tuple[int, ...], services: Services
) -> tuple[AreaReading, ...]:
    """Return how to read areas that follow one another in runs, of which each has a bounded number of cells.

    Raises:
        SourceUnavailable: The source is gone.
    """
    ends = np.cumsum(np.bincount(spans.areas, weights=spans.lengths, minlength=areas))
    readings, first = list[AreaReading](), 0
    while first < areas or not readings:
        reached = float(ends[first - 1]) if first else 0.0
        last = max(int(np.searchsorted(ends, reached + RUN_CELLS, side="right")), min(first + 1, areas))
        own = spans.from_to(first, last)
        readings.append(cheapest_reading(own, last - first, layer=layer, indexes=indexes, services=services))
        first = last
    return tuple(readings)


def cheapest_reading(
    spans: Spans, areas: int, *, layer: Layer, indexes: tuple[int, ...], services: Services
) -> AreaReading:
    """Return how to read cells of areas from the layout that takes the least time; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    reader, name = services.reader(layer), layer.main_variable.name
    found: dict[BlockShape, AreaReading] = {}
    with reading(layer):
        for along in ("time", "space"):
            shape = reader.block_shape(name, along)
            if shape not in found:
                plan = plan_of(spans, areas, shape)
                cost = reader.read_cost(name, indexes=indexes, window=_middle_window(plan), along=along)
                found[shape] = AreaReading(
                    layer=layer, plan=plan, indexes=indexes, shape=shape, along=along, read_cost=cost
                )
    return min(found.values(), key=lambda each: each.cost(1).seconds)


def _middle_window(plan: AreaPlan) -> Window:
    if not len(plan.windows):
        return Window.from_cell(0, 0)
    return Window(*plan.windows[len(plan.windows) // 2].tolist())


def takes_several_reads(how: AreaReading) -> bool:
    """Return whether a file may be read more than once, or several of a mosaic: for its windows, dates or variables."""
    variable = how.layer.main_variable
    return variable.is_derived or variable.is_mosaic or len(how.plan.windows) > 1


def places_of_all(readings: Iterable[AreaReading]) -> tuple[tuple[Window], ...]:
    """Return windows that hold all cells that are read: one of cells that lie close together, several of others."""
    return tuple((each,) for each in _joined(np.concatenate([how.plan.windows for how in readings])))


def _joined(windows: Int64Array) -> Iterator[Window]:
    """Give one window in place of some that lie close together, or those of each half of them."""
    if not len(windows):
        return
    top, bottom, left, right = windows.T
    read = int(((bottom - top) * (right - left)).sum())
    found = Window(int(top.min()), int(bottom.max()), int(left.min()), int(right.max()))
    if len(windows) == 1 or found.height * found.width <= FAR_APART * read:
        yield found
        return
    order = np.argsort(top if found.height > found.width else left, kind="stable")
    for half in np.array_split(windows[order], 2):
        yield from _joined(half)


class AreaCells:
    """Reads the cells of areas.

    Args:
        how: What to read.
        found: Takes the dates of which a cell cannot be read.
        is_active: Whether the client still waits; called before each window and each step of the work.
    """

    def __init__(self, how: AreaReading, found: UnreadableDates, is_active: IsActive) -> None:
        self._how = how
        self._found = found
        self._reader: Reader = found.reader
        self._is_active = is_active
        self._windows: dict[int, AreaWindow] = {}
        self._is_cached = int(how.plan.bounds[-1]) <= KEPT_CELLS
        self.names: tuple[str, ...] = how.layer.main_variable.encoding.code_names
        """Of the reasons that codes stand for."""

    @cached_property
    def _weights(self) -> CellWeights | None:
        spans = self._how.plan.spans
        if spans.weights is None:
            return None
        return CellWeights(ends=np.append(0, np.cumsum(spans.lengths)), weights=spans.weights)

    def require_source(self) -> None:
        """Check that a date can be read, if not of those that were.

        Raises:
            SourceUnavailable: None can.
        """
        if len(self._how.plan.windows):
            first_row, _last_row, first_column, _last_column = self._how.plan.windows[0].tolist()
            self._found.require_source(self._how.layer.main_variable, self._how.indexes, (first_row, first_column))

    def require_active(self) -> None:
        """Check that the client still waits.

        Raises:
            ClientGone: The client disconnected.
        """
        if not self._is_active():
            raise ClientGone("the client disconnected")

    def samples(self, slab: tuple[int, ...]) -> Samples:
        """Return the numbers of all cells at the times of a slab; of those that cannot be read, that code alone.

        Raises:
            SourceUnavailable: The source is away.
            ClientGone: The client left.
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

        def read(job: _Job) -> None:
            (part, times), fetches = job
            for fetch in fetches:
                read_window(part, times, fetch)

        def read_window(part: tuple[int, ...], times: slice, fetch: _Fetch) -> None:
            self.require_active()
            with reading(self._how.layer):
                cells, takes = fetch(part)
            pixels = pixel_codes(cells, self._how.layer.main_variable.encoding)
            self.names = max(self.names, pixels.names, key=len)  # of a formula more than of what cannot be read
            for first, last, place in takes:
                target = slice(place, place + last - first)
                numbers[times, target] = cells.numbers[:, first:last]
                codes[times, target] = pixels.numbers[:, first:last]

        # Threads that read one file at the same moment would open it once each.
        groups = [fetches] if self._how.shape.times == 1 and len(parts) > 1 else [[fetch] for fetch in fetches]
        _in_threads(
            read,
            list(product(parts, groups)),
            self._how.threads(max((len(part) for part, _times in parts), default=1)),
        )
        return Samples(numbers=numbers, codes=codes, bounds=plan.bounds, weights=self._weights)

    def _fetches(self, times: int) -> list[_Fetch]:
        """What reads all cells at some times, each its own."""
        plan, variable = self._how.plan, self._how.layer.main_variable
        has_fast_cells = self._how.along == "time" and self._reader.has_fast_cells(variable.name)
        if not has_fast_cells or not plan.is_sparse.any():
            return [partial(self._in_window, number) for number in range(len(plan.windows))]
        runs = plan.runs(max(1, SCATTERED_VALUES // times))
        return [
            *(partial(self._in_window, int(number)) for number in np.flatnonzero(~plan.is_sparse)),
            *(partial(self._here_and_there, first, last) for first, last in runs),
        ]

    def _in_window(self, number: int, part: tuple[int, ...]) -> tuple[Pixels, Takes]:
        window = self._window(number)
        name = self._how.layer.main_variable.name
        place = window.window

        def read(some: Sequence[int]) -> Pixels:
            return self._reader.read_block(name, indexes=some, window=place, along=self._how.along)

        return _taken(self._around_damage(read, part, (place.height, place.width)), window.cells), window.takes

    def _here_and_there(self, first: int, last: int, part: tuple[int, ...]) -> tuple[Pixels, Takes]:
        places = self._how.plan.scattered(first, last)
        name = self._how.layer.main_variable.name

        def read(some: Sequence[int]) -> Pixels:
            return self._reader.read_cells(name, indexes=some, rows=places.rows, columns=places.columns)

        return self._around_damage(read, part, places.rows.shape), places.takes

    def _around_damage(self, read: Read, part: tuple[int, ...], shape: tuple[int, ...]) -> Pixels:
        variable = self._how.layer.main_variable
        return block_around_damage(read, part, variable.encoding, self._found.reporter(variable), shape=shape)

    def _window(self, number: int) -> AreaWindow:
        found = self._windows.get(number)
        if found is None:
            found = self._how.plan.window(number)
            if self._is_cached:
                self._windows[number] = found
        return found


def _in_threads(work: Callable[[_Job], None], jobs: list[_Job], most: int) -> None:
    """Do all jobs, some at once, or stop at the first that fails."""
    if len(jobs) < 2:
        for job in jobs:
            work(job)
        return
    threads = ThreadPoolExecutor(min(most, len(jobs)))
    try:
        for _ in threads.map(lambda job, context: context.run(work, job), jobs, [copy_context() for _ in jobs]):
            pass
    finally:
        threads.shutdown(cancel_futures=True)


def _taken(pixels: Pixels, cells: IndexArray) -> Pixels:
    """(time, cell) pixels of some cells of (time, y, x) ones."""

    def of(each: NumberArray) -> NumberArray:
        return each.reshape(each.shape[0], -1).take(cells, axis=1)

    return Pixels(
        of(pixels.numbers),
        None if pixels.valid is None else of(pixels.valid),
        codes=None if pixels.codes is None else Codes(of(pixels.codes.numbers), pixels.codes.names),
    )


# Estimated bytes of memory for areas with long outlines or many cells; measured in docs/design/process.md.

CROSSING_BYTES = {"pixel": 130, "area": 340, "auto": 470}
"""For each row that an outline crosses, of `area` for each column too: its cells, and the blocks that are read."""
CELL_BYTES = 2.5
"""For each cell, beside its number at one time: its code, and its share of a span of a block 64 cells wide."""
BODY_BYTES = 64 << 20
"""Of the memory of large answers, left to bodies: two of the largest size may wait for the rest."""


def area_bytes(
    outlines: Outlines, variable: VariableInfo, *, weights: Weights, times: int = 1, most: int | None
) -> int:
    """Return the bytes needed for outlines, and for the numbers of their cells held at once; reads no pixels.

    Args:
        outlines: Of all areas.
        variable: In whose cells they are.
        weights: How cells at the border count.
        times: At how many times.
        most: What is returned for more, if there is such a limit: it is made while no other large answer is.
    """
    grid, itemsize = variable.grid, np.dtype(variable.encoding.dtype).itemsize
    reach = reach_in(grid)
    columns = np.clip(outlines.columns, reach.first, reach.last)
    rows = np.clip(outlines.rows, 0, grid.height)
    crossings = _length(rows) + (0.0 if weights == "pixel" else _length(columns))
    twice = columns[:, 0] * rows[:, 1] - columns[:, 1] * rows[:, 0]
    rings = np.abs(np.bincount(outlines.rings, weights=twice, minlength=outlines.is_hole.size)) / 2
    cells = float(rings[~outlines.is_hole].sum())
    numbers = max(cells * itemsize, min(times * cells * (itemsize + 1), HELD_BYTES + READ_BYTES) - cells)
    size = int(crossings * CROSSING_BYTES[weights] + cells * CELL_BYTES + numbers)
    return size if most is None else min(size, most)


def _length(along: Float64Array) -> float:
    # How many whole numbers edges cross.
    return float(np.abs(along[:, 1] - along[:, 0]).sum())


# How long the series of an area takes, roughly; reads no pixels and transforms no coordinates.

ROUGH_CELL_S = 10e-9
"""Processor time of each cell at one time, in a serving cube, with what is decoded beside it in the same chunk."""

MOST_POLYGONS = 100
"""Of an area of more nothing is assumed: this runs in the event loop."""

MOST_S = 1.0
"""However large the area is: it may be past a limit, and holds one thread of several."""


def rough_seconds(area: Area, time: TimeSelection, layer: Layer, services: Services) -> float:
    """Return the processor time that reading and reducing take, of the box of the area at all its times.

    0 where it is not given in longitude and latitude, or the extent of the layer is not, or it has many polygons.

    Raises:
        ChronotileError: The times are not accepted.
    """
    west, south, east, north = services.catalogue.collection(layer.collection).bbox
    is_known = area.crs.is_geographic and west < east and south < north
    if not (is_known and 0 < len(area.polygons) <= MOST_POLYGONS):
        return 0.0
    outlines = [rings[0] for rings in area.polygons]
    left, bottom = (min(float(ring[:, axis].min()) for ring in outlines) for axis in (0, 1))
    right, top = (max(float(ring[:, axis].max()) for ring in outlines) for axis in (0, 1))
    across = max(0.0, min(east, right) - max(west, left)) / (east - west)
    down = max(0.0, min(north, top) - max(south, bottom)) / (north - south)
    grid = layer.main_variable.grid
    times = len(resolve_series_times(layer, time, now=services.clock()).indexes)
    return min(MOST_S, across * grid.width * down * grid.height * times * ROUGH_CELL_S)
