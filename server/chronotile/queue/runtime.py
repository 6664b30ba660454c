"""How those who do jobs tell the time, wait, and start threads: values, so that tests pass a simulated clock."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event


def threads(count: int, name: str) -> Executor:
    """Return an executor of so many threads."""
    return ThreadPoolExecutor(count, thread_name_prefix=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The clock, the waiting and the threads of this process."""

    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    wait: Callable[[Event, float], bool] = Event.wait
    """Wait for an event, or so many seconds; return whether the event has happened."""
    threads: Callable[[int, str], Executor] = threads
    """Make an executor, with a number of threads and a name for them."""


SYSTEM = Runtime()
