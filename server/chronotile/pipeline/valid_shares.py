"""Shares of valid pixels of all times of layers, counted in the background, so that no request waits."""

import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from time import monotonic

import orjson

from chronotile.errors import ChronotileError
from chronotile.model.collection import Layer
from chronotile.model.time.instants import Instant
from chronotile.pipeline.revision import describe_part, layer_revision, pixel_revision
from chronotile.pipeline.services import Services
from chronotile.pipeline.valid_share import LayerArea, SharePlan, share_plans, valid_share
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.file_state import one_look

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Of the format of the files, and of how shares are counted."""
MAX_TABLES = 128
"""Layers and areas whose shares are cached in memory; those requested longest ago are forgotten."""
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
        while len(self._tables) > MAX_TABLES:
            self._tables.popitem(last=False)
        return table

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
        return {str(state): float(share) for state, share in stored.items()} if _are_shares(stored) else {}

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
    """Another for layers of one id whose cells or meaning differ."""
    meaning = tuple(describe_part((variable.encoding, variable.levels)) for variable in layer.variables)
    return blake2b(repr((FORMAT_VERSION, layer.id, meaning)).encode(), digest_size=16).hexdigest()


def _are_shares(stored: object) -> bool:
    return isinstance(stored, dict) and all(isinstance(share, int | float) for share in stored.values())
