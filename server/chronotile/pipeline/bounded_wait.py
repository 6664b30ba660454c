"""Checks of stores that may hang: a caller waits for a limited time, then gets the value of the last check."""

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import TypeVar

log = logging.getLogger(__name__)

MAX_WAIT_S = 2.0
WAIT_PARTS = 10
"""Number of waits that share `MAX_WAIT_S`. If the process is suspended, only the current wait runs out."""

Result = TypeVar("Result")


class BoundedChecks:
    """Runs each check in a separate thread, as a check that hangs cannot be ended. Thread-safe."""

    def __init__(self, max_wait_s: float = MAX_WAIT_S) -> None:
        self._max_wait_s = max_wait_s
        self._late: dict[Hashable, Future[None]] = {}

    def run(self, key: Hashable, check: Callable[[], Result], *, last_value: Result) -> Result:
        """Return the result of a check, or `last_value` if it takes longer than `max_wait_s`.

        While a late check with the same key still runs, `last_value` is returned immediately.

        Args:
            key: The subject of the check; checks with other keys do not wait for it.
            check: Returns the value. It is not ended if it is late, and may store its value itself.
            last_value: Value of the last check that finished in time.
        """
        late = self._late.get(key)
        if late is not None and not late.done():
            return last_value
        results: list[Result] = []
        future = Future[None]()
        threading.Thread(target=_run, args=(future, lambda: results.append(check())), name="check", daemon=True).start()
        if not any(wait([future], self._max_wait_s / WAIT_PARTS).done for _part in range(WAIT_PARTS)):
            self._late[key] = future
            log.warning("a store does not respond; its last known state is used until it does")
            return last_value
        future.result()
        return results[0]


def _run(future: Future[None], check: Callable[[], None]) -> None:
    try:
        check()
    except BaseException as error:  # noqa: BLE001 -- raised again by `future.result()`
        future.set_exception(error)
    else:
        future.set_result(None)
