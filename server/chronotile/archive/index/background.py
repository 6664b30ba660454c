"""Indexing in the background: a thread fills missing indexes while the server serves other collections."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from chronotile.archive.index.dates import DatedCollection, list_dates, reason_to_list
from chronotile.archive.index.fill import FillSummary, IndexStore, Interrupted, fill
from chronotile.archive.index.live.touching import reason_to_seed, seed
from chronotile.archive.index.sources import SourceAccess, identities_of, indexed_collection, source_of
from chronotile.catalog.items.passes import strip_allowed_locations
from chronotile.core.errors import ChronotileError
from chronotile.core.model.source import SourceSpec

LOOK_S = 5.0
"""Interval of checks for collections that are new in the configuration."""
FIRST_WAIT_S, MAX_WAIT_S = 5.0, 600.0
"""Wait before an unreadable source is tried again; each failure doubles it up to the longest wait."""
REST = 3.0
"""After listing dates the thread rests for this multiple of the time it took, because requests have priority."""
BEFORE_REST_S = 0.3
"""Dates are listed without a rest for this long, so that collections of a few files are complete immediately."""
MIN_WAIT_S = 0.1
"""Shortest wait between two checks."""
CLOSE_S = 5.0
"""Time limit of a shutdown for running reads and writes."""

log = logging.getLogger(__name__)


def reason_to_fill(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> str | None:
    """Return why the index of a collection is incomplete; `None` if it is complete.

    Raises:
        ConfigurationError: The collection's filter is invalid.
        SourceUnavailable: The database is unreachable.
    """
    settings = store.items.settings(spec.collection)
    if settings is None or store.items.extent(spec.collection) is None:
        return "its index is empty"
    if spec.items is not None and settings != spec.items.settings:
        return "its grouping or order was changed in the configuration"
    if not store.passes.was_whole(spec.collection):
        return "its source was never read completely"
    source, identities = store.passes.source(spec.collection) or "", identities_of(spec, access)
    if source not in identities and strip_allowed_locations(source) in map(strip_allowed_locations, identities):
        return "other addresses are allowed now"
    if source not in identities:
        return "its index was filled from another source, or with another filter or other variables"
    return None


# Kinds of work that fill the index of a collection. Work that equals finished work is not repeated. `reason` returns
# why the index is incomplete, or `None`.
@dataclass(frozen=True, slots=True)
class _ItemsWork:
    """A collection of items."""

    spec: SourceSpec
    access: SourceAccess = field(compare=False)

    @property
    def collection(self) -> str:
        return self.spec.collection

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_fill(self.spec, self.access, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        source = source_of(self.spec, replace(self.access, is_watched=False))
        return fill(indexed_collection(self.spec), source, store, is_stopped=stopping.is_set)


class _LiveWork(_ItemsWork):
    """A live collection: only its newest items are indexed, which show the properties of its layers."""

    __slots__ = ()

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_seed(self.spec, self.access, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        del stopping  # a single request; a shutdown does not wait for its answer
        return seed(self.spec, self.access, store)


@dataclass(frozen=True, slots=True)
class _DatesWork:
    """A collection with one item per date."""

    dated: DatedCollection

    @property
    def collection(self) -> str:
        return self.dated.id

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_list(self.dated, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        start_s = monotonic()

        def rest(_count: int) -> None:
            nonlocal start_s
            listed_s = monotonic() - start_s
            if listed_s >= BEFORE_REST_S:
                stopping.wait(REST * listed_s)
                start_s = monotonic()

        return list_dates(self.dated, store, progress=rest, is_stopped=stopping.is_set)


_Work = _ItemsWork | _DatesWork


@dataclass(slots=True)
class _Waiting:
    """A collection that is not filled yet."""

    work: _Work
    due_s: float
    wait_s: float = FIRST_WAIT_S


class BackgroundFill:
    """A thread that fills missing indexes. If several processes serve an archive, one of them fills each collection.

    Dates are listed again whenever they or their files change. Items are read only if the index lacks them. For live
    collections only the newest items are requested.

    Args:
        specs: Returns the currently configured collections of items.
        access: Access to their sources.
        open_store: Opens the index; called in the thread.
        dates: Returns the currently served collections with one item per date.
        wait: Waits some seconds, or until the event is set; returns whether it is set.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        specs: Callable[[], Sequence[SourceSpec]],
        access: SourceAccess,
        open_store: Callable[[], IndexStore],
        *,
        dates: Callable[[], Sequence[DatedCollection]] = tuple,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._specs, self._dates, self._open_store = specs, dates, open_store
        self._access = replace(access, documents=access.documents.waiting_by(self._pause))
        self._wait, self._clock = wait, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._logged_failure = ""
        self._waiting: dict[str, _Waiting] = {}
        self._filled: dict[str, _Work] = {}

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; the next start continues. A hanging request is not waited for."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        store: IndexStore | None = None
        try:
            while not self._stopping.is_set():
                due = self._due()
                try:
                    if due:
                        store = store or self._open_store()
                        self._fill(due, store)
                        self._logged_failure = ""
                except Interrupted:
                    return
                except ChronotileError as error:
                    if error.message != self._logged_failure:
                        self._logged_failure = error.message
                        log.warning("the item index cannot be filled now: %s", error.message)
                    self._put_off(due)
                if self._wait(self._stopping, self._pause_s()):
                    return
        finally:
            if store is not None:
                store.close()

    def _pause(self, seconds: float) -> None:
        # Wait before a request is repeated.
        if self._wait(self._stopping, seconds) or self._stopping.is_set():
            raise Interrupted

    def _pause_s(self) -> float:
        # Time until the next check, at most until a collection is due.
        due_s = min((w.due_s for w in self._waiting.values()), default=math.inf)
        return min(LOOK_S, max(due_s - self._clock(), MIN_WAIT_S))

    def _due(self) -> list[_Waiting]:
        """Return the collections to check now: new and changed ones, and waiting ones that are due."""
        # Items come before dates: without its items a collection is not served at all.
        works: list[_Work] = [(_LiveWork if spec.is_live else _ItemsWork)(spec, self._access) for spec in self._specs()]
        works += [_DatesWork(date) for date in self._dates()]
        now = {work.collection: work for work in works}
        self._filled = {name: work for name, work in self._filled.items() if now.get(name) == work}
        waiting, now_s = self._waiting, self._clock()
        self._waiting = {
            name: waiting[name] if name in waiting and waiting[name].work == work else _Waiting(work, now_s)
            for name, work in now.items()
            if name not in self._filled
        }
        return [w for w in self._waiting.values() if w.due_s <= now_s]

    def _fill(self, due: Sequence[_Waiting], store: IndexStore) -> None:
        for waiting in due:
            if self._is_filled(waiting.work, store):
                self._filled[waiting.work.collection] = self._waiting.pop(waiting.work.collection).work
            else:
                self._put_off([waiting])

    def _put_off(self, collections: Sequence[_Waiting]) -> None:
        for waiting in collections:
            if waiting.due_s <= self._clock():
                waiting.due_s = self._clock() + waiting.wait_s
                waiting.wait_s = min(2 * waiting.wait_s, MAX_WAIT_S)

    def _is_filled(self, work: _Work, store: IndexStore) -> bool:
        """Fill the index of a collection if necessary; return whether it is complete.

        Raises:
            SourceUnavailable: The database is unreachable.
        """
        try:
            reason = work.reason(store)
            if reason is None:
                return True
            log.info("indexing %s: %s", work.collection, reason)
            summary = work.fill(store, self._stopping)
        except ChronotileError as error:
            log.warning("%s cannot be indexed now: %s", work.collection, error.message)
            return False
        except Interrupted:
            raise
        except Exception:  # other collections are filled nevertheless, and this one is retried
            log.exception("%s cannot be indexed now", work.collection)
            return False
        for line in summary.lines():
            log.info("%s", line)
        return summary.is_complete
