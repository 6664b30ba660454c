"""Fills the index of collections that lack it, while a server serves the others."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol

from chronotile.archive.index.dates import DatedCollection, list_dates, reason_to_list
from chronotile.archive.index.fill import FillSummary, IndexStore, Interrupted, fill
from chronotile.archive.index.live.seed import reason_to_seed, seed
from chronotile.archive.index.sources import SourceAccess, identities_of, indexed, source_of
from chronotile.catalog.items.passes import without_places
from chronotile.errors import ChronotileError
from chronotile.model.source import SourceSpec

LOOK_S = 5.0
"""How often collections are looked for that the configuration has now and did not have before."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
"""Before a source that could not be read is tried again; each failure doubles it."""
SETTLED_S = 1.0
"""How long after the start or a reload the listing of dates begins: the first requests come before it."""
REST = 3.0
"""Times as long as dates were listed, the thread rests after each batch: requests have priority."""
LEAST_WAIT_S = 0.1
"""Between two looks."""
CLOSE_S = 5.0
"""How long what is being read or written is waited for when the server ends."""

log = logging.getLogger(__name__)


def reason_to_fill(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> str | None:
    """Return why the index of a collection has to be filled before it is served as a whole; `None`: it need not be.

    Raises:
        ConfigurationError: The collection's filter is not valid.
        SourceUnavailable: The database does not answer.
    """
    settings = store.items.settings(spec.collection)
    if settings is None or store.items.extent(spec.collection) is None:
        return "its index is empty"
    if spec.items is not None and settings != spec.items.settings:
        return "its items are to be grouped or ordered in another way"
    if not store.passes.was_whole(spec.collection):
        return "its source was never read completely"
    source, identities = store.passes.source(spec.collection) or "", identities_of(spec, access)
    if source not in identities and without_places(source) in map(without_places, identities):
        return "other addresses are allowed now"
    if source not in identities:
        return "its index was filled from another source, or with another filter or other variables"
    return None


class _Work(Protocol):
    """What fills the index of a collection; equal to another that need not be done after it."""

    @property
    def collection(self) -> str:
        """Its id."""

    @property
    def delay_s(self) -> float:
        """How long to wait before it is begun."""

    def reason(self, store: IndexStore) -> str | None:
        """Return why it has to be done; `None`: it need not be."""

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        """Do it."""


@dataclass(frozen=True, slots=True)
class _Scenes:
    """A collection of items."""

    spec: SourceSpec
    access: SourceAccess = field(compare=False)
    delay_s: float = 0.0

    @property
    def collection(self) -> str:
        return self.spec.collection

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_fill(self.spec, self.access, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        return fill(indexed(self.spec), source_of(self.spec, self.access), store, is_stopped=stopping.is_set)


class _Live(_Scenes):
    """A collection whose items are in the catalogue of others: its newest ones tell what its layers are."""

    __slots__ = ()

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_seed(self.spec, self.access, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        del stopping  # one request, which is not waited for when the server ends
        return seed(self.spec, self.access, store)


@dataclass(frozen=True, slots=True)
class _Dates:
    """A collection whose items are its dates."""

    dated: DatedCollection
    delay_s: float = SETTLED_S

    @property
    def collection(self) -> str:
        return self.dated.id

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_list(self.dated, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        begun_s = monotonic()

        def rest(_count: int) -> None:
            nonlocal begun_s
            stopping.wait(REST * (monotonic() - begun_s))
            begun_s = monotonic()

        return list_dates(self.dated, store, progress=rest, is_stopped=stopping.is_set)


@dataclass(slots=True)
class _Waiting:
    """A collection that is not filled yet."""

    work: _Work
    due_s: float
    wait_s: float = FIRST_WAIT_S


class BackgroundFill:
    """Fills the index of collections that lack it, in a thread; of several processes one fills each.

    Dates are listed again whenever they or their files change, items only where the index lacks them; of live
    collections only the newest are.

    Args:
        specs: Returns the collections of items that the configuration has now.
        access: What their sources are opened with.
        open_store: Opens the index; called in the thread.
        dates: Returns the collections whose dates are listed, as they are served now.
        wait: Waits so many seconds, or until the event is set; returns whether it is.
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
        self._told = ""
        self._waiting: dict[str, _Waiting] = {}
        self._filled: dict[str, _Work] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; the next start goes on. A request that hangs is not waited for."""
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
                        self._told = ""
                except Interrupted:
                    return
                except ChronotileError as error:
                    self._warn(error.message)
                    self._put_off(due)
                if self._wait(self._stopping, self._pause_s()):
                    return
        finally:
            if store is not None:
                store.close()

    def _warn(self, reason: str) -> None:
        """Log why the index cannot be used, once until there is another reason."""
        if reason != self._told:
            self._told = reason
            log.warning("the item index cannot be filled now: %s", reason)

    def _pause(self, seconds: float) -> None:
        """Wait before a request is repeated.

        Raises:
            Interrupted: The server ends.
        """
        if self._wait(self._stopping, seconds) or self._stopping.is_set():
            raise Interrupted

    def _pause_s(self) -> float:
        """How long until the next look, at the latest when a collection is due."""
        due_s = min((each.due_s for each in self._waiting.values()), default=math.inf)
        return min(LOOK_S, max(due_s - self._clock(), LEAST_WAIT_S))

    def _due(self) -> list[_Waiting]:
        """The collections that are looked at now: those that are new or others than before, and those that wait."""
        works: list[_Work] = [_Dates(each) for each in self._dates()]
        works += [(_Live if spec.is_live else _Scenes)(spec, self._access) for spec in self._specs()]
        now = {work.collection: work for work in works}
        self._filled = {name: work for name, work in self._filled.items() if now.get(name) == work}
        waiting, now_s = self._waiting, self._clock()
        self._waiting = {
            name: waiting[name]
            if name in waiting and waiting[name].work == work
            else _Waiting(work, now_s + work.delay_s)
            for name, work in now.items()
            if name not in self._filled
        }
        return [each for each in self._waiting.values() if each.due_s <= now_s]

    def _fill(self, due: Sequence[_Waiting], store: IndexStore) -> None:
        for each in due:
            if self._is_filled(each.work, store):
                self._filled[each.work.collection] = self._waiting.pop(each.work.collection).work
            else:
                self._put_off([each])

    def _put_off(self, some: Sequence[_Waiting]) -> None:
        for each in some:
            if each.due_s <= self._clock():
                each.due_s = self._clock() + each.wait_s
                each.wait_s = min(2 * each.wait_s, LONGEST_WAIT_S)

    def _is_filled(self, work: _Work, store: IndexStore) -> bool:
        """Fill the index of a collection, if it lacks it; return whether it is there now.

        Raises:
            SourceUnavailable: The database does not answer.
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
        except Exception:  # the other collections are filled, and this one is tried again
            log.exception("%s cannot be indexed now", work.collection)
            return False
        for line in summary.lines():
            log.info("%s", line)
        return summary.is_complete
