"""Fills the index of collections that lack it, while a server serves the others."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from chronotile.archive.index.fill import IndexStore, Interrupted, fill
from chronotile.archive.index.sources import SourceAccess, identities_of, indexed, source_of
from chronotile.errors import ChronotileError
from chronotile.model.source import SourceSpec

LOOK_S = 5.0
"""How often collections are looked for that the configuration has now and did not have before."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
"""Before a source that could not be read is tried again; each failure doubles it."""
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
    if store.passes.source(spec.collection) not in identities_of(spec, access):
        return "its index was filled from another source, or with another filter or other variables"
    return None


@dataclass(slots=True)
class _Waiting:
    """A collection that could not be filled yet."""

    spec: SourceSpec
    due_s: float
    wait_s: float = FIRST_WAIT_S


class BackgroundFill:
    """Fills the index of collections that lack it, in a thread; of several processes one fills each.

    Args:
        specs: Returns the collections of items that the configuration has now.
        access: What their sources are opened with.
        open_store: Opens the index; called in the thread.
        wait: Waits so many seconds, or until the event is set; returns whether it is.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        specs: Callable[[], Sequence[SourceSpec]],
        access: SourceAccess,
        open_store: Callable[[], IndexStore],
        *,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._specs, self._open_store = specs, open_store
        self._access = replace(access, documents=access.documents.waiting_by(self._pause))
        self._wait, self._clock = wait, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._waiting: dict[str, _Waiting] = {}
        self._filled: dict[str, SourceSpec] = {}

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
                except Interrupted:
                    return
                except ChronotileError as error:
                    log.warning("the item index cannot be filled now: %s", error.message)
                    self._put_off(due)
                if self._wait(self._stopping, LOOK_S):
                    return
        finally:
            if store is not None:
                store.close()

    def _pause(self, seconds: float) -> None:
        """Wait before a request is repeated.

        Raises:
            Interrupted: The server ends.
        """
        if self._wait(self._stopping, seconds) or self._stopping.is_set():
            raise Interrupted

    def _due(self) -> list[_Waiting]:
        """The collections that are looked at now: those that are new or configured otherwise, and those that wait."""
        specs = {spec.collection: spec for spec in self._specs()}
        self._filled = {name: spec for name, spec in self._filled.items() if specs.get(name) == spec}
        waiting, now_s = self._waiting, self._clock()
        self._waiting = {
            name: waiting[name] if name in waiting and waiting[name].spec == spec else _Waiting(spec, now_s)
            for name, spec in specs.items()
            if name not in self._filled
        }
        return [each for each in self._waiting.values() if each.due_s <= now_s]

    def _fill(self, due: Sequence[_Waiting], store: IndexStore) -> None:
        for each in due:
            if self._is_filled(each.spec, store):
                self._filled[each.spec.collection] = each.spec
            else:
                self._put_off([each])

    def _put_off(self, some: Sequence[_Waiting]) -> None:
        for each in some:
            if each.due_s <= self._clock():
                each.due_s = self._clock() + each.wait_s
                each.wait_s = min(2 * each.wait_s, LONGEST_WAIT_S)

    def _is_filled(self, spec: SourceSpec, store: IndexStore) -> bool:
        """Fill the index of a collection, if it lacks it; return whether it is there now.

        Raises:
            SourceUnavailable: The database does not answer.
        """
        try:
            reason = reason_to_fill(spec, self._access, store)
            if reason is None:
                return True
            log.info("indexing %s: %s", spec.collection, reason)
            source = source_of(spec, self._access)
            summary = fill(indexed(spec), source, store, is_stopped=self._stopping.is_set)
        except ChronotileError as error:
            log.warning("%s cannot be indexed now: %s", spec.collection, error.message)
            return False
        except Interrupted:
            raise
        except Exception:  # the other collections are filled, and this one is tried again
            log.exception("%s cannot be indexed now", spec.collection)
            return False
        for line in summary.lines():
            log.info("%s", line)
        return summary.is_complete
