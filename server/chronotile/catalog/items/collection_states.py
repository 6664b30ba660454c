"""Counters of collections, looked up at most once a second for all threads."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chronotile.core.errors import ChronotileError
from chronotile.core.model.items import CollectionState

FRESH_S = 1.0
NO_STATE = CollectionState(counter=0, times_counter=0, layouts_counter=0, is_whole=False, is_filled=False)


@dataclass(frozen=True, slots=True)
class _LookUp:
    """Result of a look-up. It is immutable, because threads use it while another thread replaces it."""

    began_s: float
    tried_s: float
    states: Mapping[str, CollectionState]
    error: ChronotileError | None = None


class CollectionStates:
    """The counters of all collections of an archive, by id."""

    def __init__(self, look_up: Callable[[], Mapping[str, CollectionState]], clock: Callable[[], float]) -> None:
        self._look_up = look_up
        self._clock = clock
        self._looking = threading.Lock()
        self._last: _LookUp | None = None
        """`None` before the first look-up and after `forget`."""

    def state_of(self, collection: str, *, is_fresh: bool = False) -> CollectionState:
        """Return the counters of a collection; while one thread looks them up, others use the previous ones.

        Args:
            collection: Id of the collection.
            is_fresh: Whether to require a look-up (of any thread) that began after this call.

        Raises:
            SourceUnavailable: The database did not answer within the last second.
        """
        last = self._last
        if is_fresh:
            called_s = self._clock()
            with self._looking:  # threads that wait for one look-up take the next together
                last = self._last
                last = self._look() if last is None or last.began_s <= called_s else last
        elif last is None or self._is_due(last):
            last = self._renew(last)
        if last.error is not None:
            raise last.error
        return last.states.get(collection, NO_STATE)

    def forget(self) -> None:
        """Discard the counters, because this process has changed the index."""
        with self._looking:
            self._last = None

    def _renew(self, before: _LookUp | None) -> _LookUp:
        """Look up the counters, unless another thread has just done so, or is doing so and older counters exist."""
        if not self._looking.acquire(blocking=before is None or before.error is not None):
            assert before is not None  # noqa: S101 -- otherwise it has waited
            return before
        try:
            last = self._last
            return self._look() if last is None or self._is_due(last) else last
        finally:
            self._looking.release()

    def _is_due(self, last: _LookUp) -> bool:
        return self._clock() - last.tried_s >= FRESH_S

    def _look(self) -> _LookUp:
        began_s = self._clock()
        try:
            states, error = self._look_up(), None
        except ChronotileError as failure:
            states, error = {}, failure
        self._last = _LookUp(began_s, self._clock(), states, error)
        return self._last
