"""Valid fractions of all times of layers, counted by a background thread and cached on disk."""

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

from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import Layer
from chronotile.pipeline.revision import describe_part, layer_revision
from chronotile.pipeline.services import Services
from chronotile.pipeline.valid_share import DIGITS, LayerArea, SharePlan, share_key, share_plans, valid_share
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.file_states import one_look

log = logging.getLogger(__name__)

FORMAT_VERSION = 2
"""Version of the format of files and of the way of counting."""
MAX_TABLES = 128
"""Maximum number of layers and areas in memory; those without requests for the longest time are discarded."""
MAX_SHARES = 60_000
"""Maximum number of fractions in all tables, about 16 MB."""
END = ".shares"
"""Suffix of files, one per layer."""
MAX_TOTAL_BYTES = 64 << 20
"""Maximum size of the files of all layers together."""
SAVED_EVERY = 200
"""Number of new fractions between two writes of the file, so that a killed process loses few."""
RETRY_S = 60.0
"""Time after a failed read until the next request repeats it."""
ABANDONED_S = 300.0
"""Areas without a request for this time are not counted any more, as each move of a map makes a new area."""
CLOSING_S = 2.0
"""Maximum wait for a running count at the end of the process, as its store may hang."""
NICENESS = 10
"""Niceness of the counting thread, for systems with a priority per thread."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The valid fractions of some times of a layer."""

    values: tuple[float | None, ...]
    """0 to 1; `None` if it is not yet counted, or nothing can be counted."""
    pending: int
    """Number of times that are still being counted."""


@dataclass(slots=True, eq=False)
class _FractionTable:
    """The valid fractions of one version of a layer, or of an area of it."""

    layer: Layer
    services: Services
    revision: str
    area: LayerArea | None
    of_states: dict[str, float]
    """Fractions by instant and fingerprint of its pixels; still valid after a change of other times."""
    shares: dict[int, float | None] = field(default_factory=dict)
    """Fractions by index of the layer's times; `None` if counting failed or the area has no cell."""
    queued: dict[int, None] = field(default_factory=dict)
    """Indexes to count, in order."""
    requested_s: float = 0.0
    """Time of the last request, by the monotonic clock."""
    failed_s: float | None = None
    """Time of the last failed read, by the monotonic clock."""
    plans: tuple[SharePlan, ...] | None = None
    """Made by the counting thread, as it takes time."""
    states: dict[int, str] = field(default_factory=dict)
    """Fingerprints of queued times by index, to find times that were counted earlier."""
    unsaved: int = 0


class ValidShares:
    """Valid fractions of layers and areas, counted by a background thread of the process.

    Args:
        folder: Folder that stores fractions of whole layers for other processes; `None` keeps them in memory only.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else DiskCache(folder, MAX_TOTAL_BYTES, end=END)
        self._tables: OrderedDict[tuple[str, LayerArea | None], _FractionTable] = OrderedDict()
        self._changed = threading.Condition()
        self._counting = threading.Lock()
        self._closing = False
        self._counter: threading.Thread | None = None

    def shares(
        self, layer: Layer, indexes: Sequence[int], services: Services, *, area: LayerArea | None = None
    ) -> Shares:
        """Return the available fractions and queue the others, newest first.

        Args:
            layer: The layer.
            indexes: Indexes of its times.
            services: The services that read it.
            area: Only pixels inside it are counted; `None` means all.
        """
        revision = layer_revision(layer, services)
        with self._changed:
            table = self._table(layer, services, revision, area)
            lacking = [index for index in indexes if index not in table.shares]
            if lacking and not self._closing:
                waiting = (index for index in table.queued if index not in table.shares)
                table.queued = dict.fromkeys([*sorted(lacking, reverse=True), *waiting])
                self._start()
            return Shares(tuple(table.shares.get(index) for index in indexes), len(lacking))

    @property
    def waiting(self) -> int:
        """Number of queued times."""
        with self._changed:
            return sum(len(table.queued) for table in self._tables.values())

    def count_next(self) -> bool:
        """Count one time of the last requested table; return whether any was queued."""
        with self._counting:
            with self._changed:
                self._abandon()
                table = next((table for table in reversed(self._tables.values()) if table.queued), None)
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
        """Stop counting, and wait at most `CLOSING_S` for a running count."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._counter is not None:
            self._counter.join(CLOSING_S)
            if self._counter.is_alive():
                log.warning("a valid fraction is still being counted; continuing without it")

    def _table(self, layer: Layer, services: Services, revision: str, area: LayerArea | None) -> _FractionTable:
        table = self._tables.pop((layer.id, area), None)
        if table is None or table.revision != revision:
            of_states = {} if table is None else table.of_states
            table = _FractionTable(layer, services, revision, area, of_states)
        table.layer, table.services = layer, services  # a reload has closed the readers of earlier services
        if table.failed_s is not None and monotonic() - table.failed_s > RETRY_S:
            table.shares = {index: share for index, share in table.shares.items() if share is not None}
            table.failed_s = None
        table.requested_s = monotonic()
        self._tables[layer.id, area] = table  # moved to the end, as the most recently requested
        while len(self._tables) > MAX_TABLES or (len(self._tables) > 1 and self._count() > MAX_SHARES):
            self._tables.popitem(last=False)
        return table

    def _count(self) -> int:
        return sum(max(len(table.of_states), len(table.shares)) for table in self._tables.values())

    def _abandon(self) -> None:
        now_s = monotonic()
        for table in self._tables.values():
            if table.area is not None and now_s - table.requested_s > ABANDONED_S:
                table.queued.clear()

    def _start(self) -> None:
        if self._counter is None:
            self._counter = threading.Thread(target=self._count_all, name="shares", daemon=True)
            self._counter.start()
        self._changed.notify_all()

    def _count_all(self) -> None:
        if sys.platform == "linux":  # on Linux, each thread has a priority
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._closing:
            if not self.count_next():
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._closing or any(table.queued for table in self._tables.values())
                    )

    def _share_if_any(self, table: _FractionTable, index: int) -> float | None:
        try:
            return self._share(table, index)
        except ChronotileError as error:
            log.info("a valid fraction could not be counted: %s", error.message)
            # While a remote source is unreachable, each read fails immediately and does not delay other layers.
            table.services.elsewhere.suspect((table.layer.collection,))
        except Exception:  # counting of other times must continue
            log.exception("a valid fraction cannot be counted")
        table.failed_s = monotonic()
        return None

    def _share(self, table: _FractionTable, index: int) -> float | None:
        if table.plans is None:
            table.plans = share_plans(table.layer, table.area)
            table.of_states = {**self._read_saved(table), **table.of_states}
        if not table.plans:
            return None
        stored = table.of_states.get(self._find_state(table, index))
        if stored is not None:
            return stored
        layer, instant = table.layer, table.layer.times.instants[index]
        state = share_key(layer, instant, table.services)  # the fingerprint may have changed since `_find_state`
        if state not in table.of_states:
            share = valid_share(table.services.reader(layer), table.plans, instant)
            table.of_states[state] = round(share, DIGITS)
            table.unsaved += 1
        return table.of_states[state]

    def _find_state(self, table: _FractionTable, index: int) -> str:
        """Return the fingerprint of a time; all queued times are found together, with one check per file."""
        if index not in table.states:
            with self._changed:
                queued = {index, *table.queued}
            instants = table.layer.times.instants
            with one_look():
                table.states = {number: share_key(table.layer, instants[number], table.services) for number in queued}
        return table.states.pop(index)

    def _read_saved(self, table: _FractionTable) -> dict[str, float]:
        """Return the fractions in the file of a layer; empty if it cannot be read."""
        if self._folder is None or table.area is not None:
            return {}
        try:
            stored = orjson.loads(self._folder.read(_name(table.layer)) or b"")
        except orjson.JSONDecodeError:
            return {}
        are_shares = isinstance(stored, dict) and all(isinstance(share, int | float) for share in stored.values())
        return {str(state): float(share) for state, share in stored.items()} if are_shares else {}

    def _save(self, table: _FractionTable) -> None:
        """Add the fractions of a table to the file of its layer; later, if another process is writing."""
        if self._folder is None or table.area is not None:
            table.unsaved = 0
            return
        try:
            with self._folder.sole_builder() as is_sole:
                if is_sole:
                    together = {**self._read_saved(table), **table.of_states}
                    newest = list(together.items())[-2 * len(table.layer.times) :]
                    self._folder.put(_name(table.layer), orjson.dumps(dict(newest)))
                    table.unsaved = 0
        except OSError as error:
            log.warning("valid fractions are cached only in memory: %s", error.strerror)
            self._folder = None


def _name(layer: Layer) -> str:
    # The name differs for layers of one id with different cells or meaning.
    meaning = tuple(describe_part((variable.encoding, variable.levels)) for variable in layer.variables)
    return blake2b(repr((FORMAT_VERSION, layer.id, meaning)).encode(), digest_size=16).hexdigest()
