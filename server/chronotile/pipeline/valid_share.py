"""How much of a layer has values: by a look at few of its cells, and of all times, counted in the background."""

import logging
import math
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import blake2b
from pathlib import Path
from time import monotonic

import numpy as np
import orjson

from chronotile.catalog.resolve_times import default_index
from chronotile.core.errors import ChronotileError, MissingTime, SourceUnavailable, TooManyPieces, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.raster import valid_pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox
from chronotile.core.model.space.crs import Crs, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.instants import ONE_NS, TimeSpan
from chronotile.core.model.time.selection import TimePart, TimeSelection
from chronotile.core.model.types import BoolArray, FloatArray, Instant, InstantArray
from chronotile.pipeline.revision import (
    dated_revision,
    describe_part,
    layer_revision,
    pixel_revision,
    time_index,
)
from chronotile.pipeline.services import Services, reading
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.hrefs import one_look
from chronotile.readers.reader import Reader

ENOUGH_CELLS = 1 << 16
"""The finest level with up to so many is counted: coarser ones have a value where any of their native cells has."""
COUNTED_CELLS = 1 << 18
"""Of a window that is read whole; of a larger one only some rows and columns are counted."""
READ_CELLS = 1 << 22
"""Of a stored level that is read whole, about; of a larger one, as of rasters without overviews, `SAMPLES` are."""
SAMPLES, SAMPLE_PX, BLOCK_PX = 8, 64, 512
"""So many windows along each side, so large, each at the corner of a block as most files have them."""
EDGE = 33
"""Points along each side of an area by which it is found among the cells."""


@dataclass(frozen=True, slots=True)
class LayerArea:
    """A part of the earth: a box in a CRS, x before y; longitudes may go on beyond 180."""

    box: BBox
    crs: Crs


@dataclass(frozen=True, slots=True)
class _Part:
    """Cells of one window that are counted."""

    window: Window
    step: int
    is_inside: BoolArray | None
    """(y, x) of what is read; `None` where all are."""


@dataclass(frozen=True, slots=True)
class SharePlan:
    """Which cells of a variable are counted, the same at all times."""

    variable: VariableInfo
    level: int
    parts: tuple[_Part, ...]

    def read(self, reader: Reader, instant: Instant) -> BoolArray:
        """Return (n,) whether each of the cells has a value.

        Raises:
            SourceUnavailable: They cannot be read.
        """
        index = time_index(self.variable.times.instants, instant)
        return np.concatenate([self._valid(reader, index, part) for part in self.parts])

    def _valid(self, reader: Reader, index: int, part: _Part) -> BoolArray:
        pixels = reader.read_window(
            self.variable.name, index=index, level=self.level, window=part.window, step=part.step
        )
        valid = valid_pixels(pixels, self.variable.encoding)
        return valid.ravel() if part.is_inside is None else valid[part.is_inside]


def share_plans(layer: Layer, area: LayerArea | None = None) -> tuple[SharePlan, ...]:
    """Return which cells of each of a layer's variables are counted: few, from a stored level.

    Args:
        layer: Whose cells.
        area: Of those inside it; `None` of all.

    Returns:
        A plan for each variable; none where the area holds no cell of one of them.
    """
    plans = tuple(_plan(variable, area) for variable in layer.variables)
    return plans if all(plan.parts for plan in plans) else ()


def valid_share(reader: Reader, plans: Sequence[SharePlan], instant: Instant) -> float:
    """Return the share of cells that have values at one of a layer's times, 0 to 1: of all its variables together.

    Raises:
        SourceUnavailable: They cannot be read.
    """
    valids = [plan.read(reader, instant) for plan in plans]
    if len({valid.shape for valid in valids}) > 1:
        return min(float(valid.mean()) for valid in valids)
    return float(reduce(np.logical_and, valids).mean())


@dataclass(frozen=True, slots=True)
class Filled:
    """A time and the share of cells that have values at it; -1 where none could be read."""

    instant: Instant
    share: float
    unreadable: tuple[tuple[Instant, SourceUnavailable], ...]
    """Times that were looked at before it and could not be read."""


def newest_filled(reader: Reader, plans: Sequence[SharePlan], instants: InstantArray, *, least: float) -> Filled:
    """Return the newest of some times at which `least` of the cells have values; the fullest if there is none.

    No more times of a mosaic are looked at once one would open too many items.

    Args:
        reader: Of the source.
        plans: Of the layer.
        instants: (time,), at least one, the newest first; each is read until one has enough.
        least: Share of cells.
    """
    best, best_share = instants[0], -1.0
    unreadable: list[tuple[Instant, SourceUnavailable]] = []
    for instant in instants:
        try:
            share = valid_share(reader, plans, instant)
        except TooManyPieces:
            break  # a mosaic without overviews yet: the newest time, or the fullest so far
        except SourceUnavailable as error:
            unreadable.append((instant, error))
            continue
        if share > best_share:
            best, best_share = instant, share
        if share >= least:
            break
    return Filled(best, best_share, tuple(unreadable))


def _plan(variable: VariableInfo, area: LayerArea | None) -> SharePlan:
    stored = variable.stored_levels
    for level, grid in sorted(stored.items()):
        window = Window(0, grid.height, 0, grid.width) if area is None else _window(grid, area)
        if window is None:
            break
        if window.height * window.width <= ENOUGH_CELLS or level == max(stored):
            return SharePlan(variable, level, tuple(_parts(window, grid, area)))
    return SharePlan(variable, min(stored), ())


def _parts(window: Window, grid: NativeGrid, area: LayerArea | None) -> Iterator[_Part]:
    """The window, or of a large one samples of it; those without a cell inside the area are left out."""
    cells = window.height * window.width
    step = math.ceil(math.sqrt(cells / COUNTED_CELLS)) if cells <= READ_CELLS else 1
    for each in [window] if cells <= READ_CELLS else _samples(window):
        if area is None:
            yield _Part(each, step, None)
        else:
            is_inside = _is_inside(each, step, grid, area)
            if is_inside.any():
                yield _Part(each, step, is_inside)


def _samples(window: Window) -> Iterator[Window]:
    """Windows spread over a large one, each within one block of most files, so that little is decoded for it."""
    for row in _corners(window.row_start, window.row_stop):
        for column in _corners(window.column_start, window.column_stop):
            row_stop, column_stop = min(row + SAMPLE_PX, window.row_stop), min(column + SAMPLE_PX, window.column_stop)
            yield Window(row, row_stop, column, column_stop)


def _corners(start: int, stop: int) -> list[int]:
    """Where samples begin along a side: the corner of a block that follows each of some places, or the place itself."""
    places = np.linspace(start, max(start, stop - SAMPLE_PX), SAMPLES).astype(int)
    corners = -(-places // BLOCK_PX) * BLOCK_PX
    return list(dict.fromkeys(np.where(corners + SAMPLE_PX <= stop, corners, places).tolist()))


def _window(grid: NativeGrid, area: LayerArea) -> Window | None:
    """The least window that holds all cells inside an area; `None` where it holds none."""
    x, y = np.meshgrid(np.linspace(area.box.xmin, area.box.xmax, EDGE), np.linspace(area.box.ymin, area.box.ymax, EDGE))
    if area.crs != grid.crs:
        x, y = transformer(area.crs, grid.crs).transform(x, y)
    columns, rows = grid.pixels_at(x, y)
    usable = np.isfinite(columns) & np.isfinite(rows)
    if not usable.any():
        return None
    first_row, last_row = _span(rows[usable], grid.height)
    first_column, last_column = _turned_span(columns[usable], grid)
    if first_row >= last_row or first_column >= last_column:
        return None
    return Window(first_row, last_row, first_column, last_column)


def _span(places: FloatArray, length: int) -> tuple[int, int]:
    return max(0, math.floor(places.min())), min(length, math.ceil(places.max()))


def _turned_span(columns: FloatArray, grid: NativeGrid) -> tuple[int, int]:
    """Columns of a grid in degrees count modulo the whole circle; of what lies on both its ends, all are taken."""
    period = grid.wrap_columns
    if period is None or (columns.min() >= 0 and columns.max() <= grid.width):
        return _span(columns, grid.width)
    west = columns - math.floor(columns.min() / period) * period
    return (0, grid.width) if west.max() > period else _span(west, grid.width)


def _is_inside(window: Window, step: int, grid: NativeGrid, area: LayerArea) -> BoolArray:
    """(y, x): which of the cells that are read have their centres inside the area."""
    columns = np.arange(window.column_start, window.column_stop, step) + 0.5
    rows = np.arange(window.row_start, window.row_stop, step) + 0.5
    x, y = grid.points_at(*np.meshgrid(columns, rows))
    if area.crs != grid.crs:
        x, y = transformer(grid.crs, area.crs).transform(x, y)
    box = area.box
    # What has no coordinates there is infinite, and inside nothing.
    with np.errstate(invalid="ignore"):
        east = (x - box.xmin) % WHOLE_CIRCLE if area.crs.is_geographic else x - box.xmin
        inside = (east >= 0) & (east <= box.xmax - box.xmin) & (y >= box.ymin) & (y <= box.ymax)
    return np.asarray(inside)


ENOUGH, CLEAR = 0.5, 0.8
"""Shares of valid pixels: of previews, and of the first time of pages."""
MAX_TIMES = 12
"""Times looked at, newest first."""


def clear_selection(layer: Layer, services: Services) -> TimeSelection:
    """Return the selection of the newest time with enough valid pixels; the fullest of the newest if none has.

    A default that is configured as something else than the newest time is that time. It is found once for each state
    of the layer and each newest time.

    Raises:
        SourceUnavailable: The source is away.
    """
    instants = layer.times.instants
    if len(instants) == 0:
        return TimeSelection()
    try:
        newest = default_index(layer, services.clock())
    except MissingTime:
        newest = len(instants) - 1
    if layer.time_rules.default == "latest":
        return _selection_of(_newest_clear(layer, newest, services, least=ENOUGH))
    return _selection_of(instants[newest])


def clear_default(layer: Layer, services: Services) -> Instant | None:
    """Return the newest time that is nearly clear, or the fullest of the newest, for pages that show it first.

    `None` without times, where the default is configured as something else, and where to look would take long: of
    sources elsewhere.
    """
    if len(layer.times) == 0:
        return None
    if layer.time_rules.default != "latest" or layer.collection not in services.is_local:
        return None
    try:
        return _newest_clear(layer, default_index(layer, services.clock()), services, least=CLEAR)
    except (MissingTime, SourceUnavailable):
        return None


def _newest_clear(layer: Layer, newest: int, services: Services, *, least: float) -> Instant:
    looked_at = layer.times.instants[max(0, newest + 1 - MAX_TIMES) : newest + 1][::-1]
    state = dated_revision(layer, tuple(looked_at), services), newest
    found = services.clear_times.get((layer.id, least))
    if found is None or found[0] != state:
        with reading(layer):
            filled = newest_filled(services.reader(layer), share_plans(layer), looked_at, least=least)
        found = state, filled.instant
        services.clear_times[layer.id, least] = found
    return found[1]


def _selection_of(instant: Instant) -> TimeSelection:
    # It was resolved, so that its answers are cached for a short time only.
    return TimeSelection("parts", (TimePart(TimeSpan(instant, instant + ONE_NS)),), is_of_open=True)


MAX_COMPARED = 400
"""Times, of which one is the clearest: a year of days."""


def find_clearest(layer: Layer, indexes: Sequence[int], services: Services) -> int:
    """Return the index of the time with the largest share of valid pixels in the whole layer, of equal ones the newest.

    Shares are those of `ValidShares`; each is counted once for each state of its pixels. A time that cannot be read has
    none.

    Raises:
        LimitExceeded: There are more than `MAX_COMPARED` times.
    """
    fewer = "request a shorter period, another reducer, or a job of the process composite"
    require_at_most("times to find the clearest of", len(indexes), MAX_COMPARED, alternative=fewer, locator="time")
    plans, reader, instants = share_plans(layer), services.reader(layer), layer.times.instants

    def share(index: int) -> float:
        def count() -> float:
            return round(valid_share(reader, plans, instants[index]), DIGITS)

        try:
            return services.counted_shares.get_or_make((layer.id, _state(layer, instants[index], services)), count)
        except SourceUnavailable:
            return -1.0

    with one_look(), reading(layer):
        return max(indexes, key=lambda index: (share(index), index))


log = logging.getLogger(__name__)

FORMAT_VERSION = 2
"""Of the format of the files, and of how shares are counted."""
MAX_TABLES = 128
"""Layers and areas whose shares are cached in memory; those requested longest ago are forgotten."""
MAX_SHARES = 60_000
"""Of all tables together; about 16 MB."""
END = ".shares"
"""Of the name of a file with the shares of a layer."""
MAX_FILE_BYTES = 64 << 20
"""Of all files together."""
SAVED_EVERY = 200
"""Shares, so that little is counted again after a process was killed."""
DIGITS = 4
RETRY_S = 60.0
"""Time after which a failed read is repeated at the next request."""
ABANDONED_S = 300.0
"""After which areas that no client requests any more are not counted further: each move of a map makes another."""
CLOSING_S = 2.0
"""That a share being counted is waited for at the end: a store that hangs must not keep a process from ending."""
NICENESS = 10
"""By which counting gives way to answering, where threads have such a thing."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of some times of a layer."""

    values: tuple[float | None, ...]
    """0 to 1; `None` where it is not known, or there is nothing to count."""
    pending: int
    """How many of them are being counted."""


@dataclass(slots=True, eq=False)
class _Table:
    """The shares of one layer, or of an area of it, in one state."""

    layer: Layer
    services: Services
    revision: str
    area: LayerArea | None
    of_states: dict[str, float]
    """By instant and state of its pixels: what was counted before in whichever state of the layer."""
    shares: dict[int, float | None] = field(default_factory=dict)
    """By index of the layer's times; `None` where it cannot be counted."""
    queued: dict[int, None] = field(default_factory=dict)
    """Indexes that are to be counted, in that order."""
    asked_s: float = 0.0
    """Time of the last request, by the monotonic clock."""
    failed_s: float | None = None
    """When one could last not be read, by the monotonic clock."""
    plans: tuple[SharePlan, ...] | None = None
    """Made in the background, where cells are looked for too."""
    states: dict[int, str] = field(default_factory=dict)
    """By index: the states of times that are to be counted, to find out which were counted before."""
    unsaved: int = 0


class ValidShares:
    """The shares of valid pixels of one process.

    Args:
        folder: Stores those of whole layers for other processes and times; with `None` they are in memory alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else DiskCache(folder, MAX_FILE_BYTES, end=END)
        self._tables: OrderedDict[tuple[str, LayerArea | None], _Table] = OrderedDict()
        self._changed = threading.Condition()
        self._counting = threading.Lock()
        self._closing = False
        self._counter: threading.Thread | None = None

    def shares(
        self, layer: Layer, indexes: Sequence[int], services: Services, *, area: LayerArea | None = None
    ) -> Shares:
        """Return the shares that are known; the others are counted from now on, the newest first.

        Args:
            layer: Whose times.
            indexes: Which of them.
            services: To count them with.
            area: Of pixels inside it; `None` of all.
        """
        revision = layer_revision(layer, services)
        with self._changed:
            table = self._table(layer, services, revision, area)
            lacking = [index for index in indexes if index not in table.shares]
            if lacking and not self._closing:
                others = (index for index in table.queued if index not in table.shares)
                table.queued = dict.fromkeys([*sorted(lacking, reverse=True), *others])
                self._start()
            return Shares(tuple(table.shares.get(index) for index in indexes), len(lacking))

    @property
    def waiting(self) -> int:
        """How many shares are to be counted."""
        with self._changed:
            return sum(len(table.queued) for table in self._tables.values())

    def count_next(self) -> bool:
        """Count one share of what was requested last; return whether there was any to count."""
        with self._counting:
            with self._changed:
                self._abandon()
                table = next((each for each in reversed(self._tables.values()) if each.queued), None)
                if table is None or self._closing:
                    return False
                index = next(iter(table.queued))
            share = self._share_if_any(table, index)
            with self._changed:
                table.shares[index] = share
                table.queued.pop(index, None)
                is_done = not table.queued
            if table.unsaved >= SAVED_EVERY or (is_done and table.unsaved):
                self._save(table)
            return True

    def close(self) -> None:
        """Stop counting; a share that takes longer than `CLOSING_S` is given up."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._counter is not None:
            self._counter.join(CLOSING_S)
            if self._counter.is_alive():
                log.warning("a share of valid pixels is still being read; continuing without it")

    def _table(self, layer: Layer, services: Services, revision: str, area: LayerArea | None) -> _Table:
        table = self._tables.pop((layer.id, area), None)
        if table is None or table.revision != revision:
            of_states = {} if table is None else table.of_states
            table = _Table(layer, services, revision, area, of_states)
        table.layer, table.services = layer, services  # readers of before are closed after a reload
        if table.failed_s is not None and monotonic() - table.failed_s > RETRY_S:
            table.shares = {index: share for index, share in table.shares.items() if share is not None}
            table.failed_s = None
        table.asked_s = monotonic()
        self._tables[layer.id, area] = table  # requested last
        while len(self._tables) > MAX_TABLES or (len(self._tables) > 1 and self._count() > MAX_SHARES):
            self._tables.popitem(last=False)
        return table

    def _count(self) -> int:
        return sum(max(len(table.of_states), len(table.shares)) for table in self._tables.values())

    def _abandon(self) -> None:
        now_s = monotonic()
        for table in self._tables.values():
            if table.area is not None and now_s - table.asked_s > ABANDONED_S:
                table.queued.clear()

    def _start(self) -> None:
        if self._counter is None:
            self._counter = threading.Thread(target=self._count_all, name="shares", daemon=True)
            self._counter.start()
        self._changed.notify_all()

    def _count_all(self) -> None:
        if sys.platform == "linux":  # where a thread has a niceness of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._closing:
            if not self.count_next():
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or any(each.queued for each in self._tables.values()))

    def _share_if_any(self, table: _Table, index: int) -> float | None:
        try:
            return self._share(table, index)
        except ChronotileError as error:
            log.info("a share of valid pixels is not known: %s", error.message)
            # While a source elsewhere is away, each further share fails at once and does not hold up other layers.
            table.services.elsewhere.suspect((table.layer.collection,))
        except Exception:  # it must not end the counting of others
            log.exception("a share of valid pixels cannot be counted")
        table.failed_s = monotonic()
        return None

    def _share(self, table: _Table, index: int) -> float | None:
        if table.plans is None:
            table.plans = share_plans(table.layer, table.area)
            table.of_states = {**self._saved(table), **table.of_states}
        if not table.plans:
            return None
        stored = table.of_states.get(self._found_state(table, index))
        if stored is not None:
            return stored
        layer, instant = table.layer, table.layer.times.instants[index]
        state = _state(layer, instant, table.services)  # as it is now, just before it is read
        if state not in table.of_states:
            share = valid_share(table.services.reader(layer), table.plans, instant)
            table.of_states[state] = round(share, DIGITS)
            table.unsaved += 1
        return table.of_states[state]

    def _found_state(self, table: _Table, index: int) -> str:
        """The state of a time, found by one look together with those of the others that are to be counted."""
        if index not in table.states:
            with self._changed:
                queued = {index, *table.queued}
            instants = table.layer.times.instants
            with one_look():
                table.states = {each: _state(table.layer, instants[each], table.services) for each in queued}
        return table.states.pop(index)

    def _saved(self, table: _Table) -> dict[str, float]:
        """The shares that this or another process stored; none if the file cannot be read."""
        if self._folder is None or table.area is not None:
            return {}
        try:
            stored = orjson.loads(self._folder.read(_name(table.layer)) or b"")
        except orjson.JSONDecodeError:
            return {}
        are_shares = isinstance(stored, dict) and all(isinstance(each, int | float) for each in stored.values())
        return {str(state): float(share) for state, share in stored.items()} if are_shares else {}

    def _save(self, table: _Table) -> None:
        """Store what is known of a layer beside the entries of other processes; later, if one is writing."""
        if self._folder is None or table.area is not None:
            table.unsaved = 0
            return
        try:
            with self._folder.sole_builder() as is_sole:
                if is_sole:
                    together = {**self._saved(table), **table.of_states}
                    newest = list(together.items())[-2 * len(table.layer.times) :]
                    self._folder.put(_name(table.layer), orjson.dumps(dict(newest)))
                    table.unsaved = 0
        except OSError as error:
            log.warning("shares of valid pixels are cached in memory alone: %s", error.strerror)
            self._folder = None


def _state(layer: Layer, instant: Instant, services: Services) -> str:
    return f"{instant.astype('int64')}-{pixel_revision(layer, (instant,), services)}"


def _name(layer: Layer) -> str:
    # Another for layers of one id whose cells or meaning differ.
    meaning = tuple(describe_part((variable.encoding, variable.levels)) for variable in layer.variables)
    return blake2b(repr((FORMAT_VERSION, layer.id, meaning)).encode(), digest_size=16).hexdigest()
