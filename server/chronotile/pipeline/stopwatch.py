"""How long the steps of one request took."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Adds up the time of named steps, in seconds; for one request, in one thread."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of what is done inside for `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - start

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """Names and seconds, in the order of their first use."""
        return tuple(self._seconds.items())
