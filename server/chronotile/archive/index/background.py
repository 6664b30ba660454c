"""Fills the index of collections that lack it, while a server serves the others."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from time import monotonic

from chronotile.archive.index.dates import DatedCollection, list_dates, reason_to_list
from chronotile.archive.index.fill import FillSummary, IndexStore, Interrupted, fill
from chronotile.archive.index.live.touching import reason_to_seed, seed
from chronotile.archive.index.source import ItemSource
from chronotile.archive.index.sources import SourceAccess, identities_of, indexed, source_of
from chronotile.catalog.items.passes import strip_allowed_locations
from chronotile.core.errors import ChronotileError
from chronotile.core.model.source import SourceSpec

LOOK_S = 5.0
"""How often collections are looked for that the configuration has now and did not have before."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
"""Before a source that could not be read is tried again; each failure doubles it."""
REST = 3.0
"""Times as long as dates were listed, the thread rests: requests have priority."""
BEFORE_REST_S = 0.3
"""How long dates are listed before the thread rests, so that those of a few files are there at once."""
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
    if source not in identities and strip_allowed_locations(source) in map(strip_allowed_locations, identities):
        return "other addresses are allowed now"
    if source not in identities:
        return "its index was filled from another source, or with another filter or other variables"
    return None


# What fills the index of a collection: equal to another that need not be done after it; `reason` is why it has to be
# done, `None` if it need not be.
@dataclass(frozen=True, slots=True)
class _Scenes:
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
        return fill(indexed(self.spec), source, store, is_stopped=stopping.is_set)


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

    @property
    def collection(self) -> str:
        return self.dated.id

    def reason(self, store: IndexStore) -> str | None:
        return reason_to_list(self.dated, store)

    def fill(self, store: IndexStore, stopping: threading.Event) -> FillSummary:
        begun_s = monotonic()

        def rest(_count: int) -> None:
            nonlocal begun_s
            listed_s = monotonic() - begun_s
            if listed_s >= BEFORE_REST_S:
                stopping.wait(REST * listed_s)
                begun_s = monotonic()

        return list_dates(self.dated, store, progress=rest, is_stopped=stopping.is_set)


_Work = _Scenes | _Dates


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
                    if error.message != self._told:
                        self._told = error.message
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
        # How long until the next look, at the latest when a collection is due.
        due_s = min((each.due_s for each in self._waiting.values()), default=math.inf)
        return min(LOOK_S, max(due_s - self._clock(), LEAST_WAIT_S))

    def _due(self) -> list[_Waiting]:
        """The collections that are looked at now: those that are new or others than before, and those that wait."""
        # Without its scenes a collection is not served at all.
        works: list[_Work] = [(_Live if spec.is_live else _Scenes)(spec, self._access) for spec in self._specs()]
        works += [_Dates(each) for each in self._dates()]
        now = {work.collection: work for work in works}
        self._filled = {name: work for name, work in self._filled.items() if now.get(name) == work}
        waiting, now_s = self._waiting, self._clock()
        self._waiting = {
            name: waiting[name] if name in waiting and waiting[name].work == work else _Waiting(work, now_s)
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


# Goes on looking at sources, so that a new, replaced or removed item is in the index soon.

TICK_S = 0.5
"""How often sources on this machine are looked at."""
MOST_FILES = 10_000
"""Files that are looked at each time, to see whether one was written over; folders show all other changes."""
EVERY_S = 60.0
"""By default, how often sources elsewhere are requested."""
WHOLE_S = 86_400.0
"""How often all of a source is looked at, to find items that were removed."""
LATEST_S = 600.0
"""The longest wait after failures; each failure doubles it."""


@dataclass(slots=True)
class _Watched:
    spec: SourceSpec
    source: ItemSource | None = None
    due_s: float = 0.0
    failures: int = 0
    has_begun: bool = False
    whole_due_s: float = 0.0
    """When all of it is looked at again, with or without changes."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at the sources of some collections until it is stopped."""

    specs: InitVar[Sequence[SourceSpec]]
    access: SourceAccess
    store: IndexStore
    every_s: float = EVERY_S
    report: Callable[[FillSummary], None] = lambda _summary: None
    """Called after each pass that changed something, or could not be completed."""
    is_stopped: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = monotonic
    _watched: list[_Watched] = field(default_factory=list)

    def __post_init__(self, specs: Sequence[SourceSpec]) -> None:
        self.follow(specs)

    def follow(self, specs: Sequence[SourceSpec]) -> None:
        """Look at the sources of these collections from now on; those configured as before go on."""
        before = {each.spec.collection: each for each in self._watched}
        self._watched = [
            before[spec.collection]
            if spec.collection in before and before[spec.collection].spec == spec
            else _Watched(spec)
            for spec in specs
        ]

    def look(self) -> None:
        """Look once at each source that is due; one that cannot be read is logged, and looked at later.

        Raises:
            Interrupted: It was stopped.
        """
        for each in self._watched:
            if self.clock() >= each.due_s:
                self._look_at(each)
            if self.is_stopped():
                raise Interrupted

    def _look_at(self, each: _Watched) -> None:
        try:
            if each.source is None:
                each.source = source_of(each.spec, self.access)
            each.due_s = self.clock() + (TICK_S if each.source.is_here else self.every_s)
            is_whole = self._is_whole_due(each, each.source)
            if not is_whole and not each.source.has_changed(most_files=MOST_FILES):
                return
            each.has_begun = False  # what is not stored now is not seen as a change later
            is_forced = is_whole and not each.source.state
            collection, stopped = indexed(each.spec), self.is_stopped
            summary = fill(collection, each.source, self.store, is_whole=is_forced, is_stopped=stopped)
            each.has_begun, each.failures = summary.is_complete, 0
            if summary.is_whole and summary.is_complete:
                each.whole_due_s = self.clock() + WHOLE_S
            if not summary.is_complete:
                each.due_s = self.clock() + self.every_s
            if summary.is_news:
                self.report(summary)
        except ChronotileError as error:
            each.failures += 1
            each.due_s = self.clock() + min(LATEST_S, self.every_s * 2 ** min(each.failures - 1, 10))
            if each.failures == 1:
                log.warning("%s: %s", each.spec.collection, error.message)

    def _is_whole_due(self, each: _Watched, source: ItemSource) -> bool:
        """Whether all of a source is looked at: one of this machine at first, and each from time to time."""
        if not each.has_begun and source.is_here:
            return True
        if not each.has_begun:
            age_s = self.store.passes.whole_age_s(each.spec.collection, source=source.identity)
            each.whole_due_s = self.clock() + (0.0 if age_s is None else WHOLE_S - age_s)
        return self.clock() >= each.whole_due_s
