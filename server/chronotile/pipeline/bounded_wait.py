"""Checks of stores, any of which may hang: a caller waits for a limited time, then gets the last known value."""

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import TypeVar

log = logging.getLogger(__name__)

PATIENCE_S = 2.0

TURNS = 10
"""A look is waited for so many times, for a part of the patience each: a machine that stands still has stopped the look
too, and takes one turn from it."""

Result = TypeVar("Result")


class BoundedLooks:
    """Takes each look in a thread of its own, since nothing can end one that hangs."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._late: dict[Hashable, Future[None]] = {}

    def take(self, what: Hashable, look: Callable[[], Result], *, known: Result) -> Result:
        """Return what a look finds that begins now; `known` after `patience_s`, and at once while a late one goes on.

        Args:
            what: Is looked at; looks at other things do not wait for this one.
            look: Gives what is found. A late one goes on, and may keep what it finds.
            known: What was last known.
        """
        late = self._late.get(what)
        if late is not None and not late.done():
            return known
        found: list[Result] = []
        future = Future[None]()
        threading.Thread(target=_run, args=(future, lambda: found.append(look())), name="look", daemon=True).start()
        if not any(wait([future], self._patience_s / TURNS).done for _turn in range(TURNS)):
            self._late[what] = future
            log.warning("a store does not respond; its last known state is used until it does")
            return known
        future.result()
        return found[0]


def _run(future: Future[None], look: Callable[[], None]) -> None:
    try:
        look()
    except BaseException as error:  # noqa: BLE001 -- raised again in each waiting caller
        future.set_exception(error)
    else:
        future.set_result(None)
