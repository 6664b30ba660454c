"""Clock, waiting and threads of workers, as values, so that tests pass simulated ones."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event


def threads(count: int, name: str) -> Executor:
    """Return an executor of `count` threads."""
    return ThreadPoolExecutor(count, thread_name_prefix=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Clock, waiting and threads of this process."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic clock in seconds."""
    wait: Callable[[Event, float], bool] = Event.wait
    """Wait for an event or a number of seconds; return whether the event is set."""
    threads: Callable[[int, str], Executor] = threads
    """Create an executor with a number of threads and a prefix of their names."""


SYSTEM = Runtime()
