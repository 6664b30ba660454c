"""A queue that estimates how long a newcomer would wait in it, and refuses those who would wait too long."""

from collections.abc import Callable
from typing import NamedTuple

MOST_MEASURED = 64
"""Intervals in the mean, about: so a single long one (a cold file, a pause of the machine) changes little."""

LEAST_ASSUMED = 8
"""Measured intervals that the assumed pace counts for, at least."""

ASSUMED_S = 0.64
"""The assumed pace counts for as many intervals as fit in this time: a pause of a second should change
the mean little for quick work, of which it is a hundred intervals, and more for slow work, of which it is one."""

FORGET_S = 30.0
"""The measured pace is forgotten when nothing has waited for this time."""


class Place(NamedTuple):
    """A request in the line."""

    since_s: float
    usual_s: float
    """The assumed time of its work."""
    refuse: Callable[[], None] | None
    """Ends the wait; `None` for a request that may not be refused before its time limit."""


class WaitingLine:
    """A queue of requests, first in, first out, with their waiting times and the rate at which they leave.

    The assumed times of requests only compare them with each other; the actual rate is measured.

    Args:
        usual_s: The assumed time between two requests that leave, until it is measured; that of some may be longer.
        clock: Seconds of a monotonic clock.
        threads: How many of the queued calls run at once.
    """

    def __init__(self, usual_s: float, clock: Callable[[], float], *, threads: int = 1) -> None:
        self._usual_s = usual_s
        self._clock = clock
        self._threads = threads
        self._joined = dict[object, Place]()
        self._joined_s = 0.0
        """Assumed times of all who wait."""
        self._assume(usual_s)
        self._last_s = clock()
        """When the last one was served or, if later, the line formed."""
        self._refused = 0
        """Places at the end that were refused since then."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._joined)

    @property
    def expected_s(self) -> float:
        """How long a newcomer would wait: at least as long as the first in line has waited already."""
        if not self._joined:
            return 0.0
        first = next(iter(self._joined.values()))
        return max(self._wait_behind(self._joined_s), self._clock() - first.since_s)

    def join(self, refuse: Callable[[], None] | None = None, *, usual_s: float = 0.0) -> object:
        """Return a token for a newcomer at the end of the line.

        Args:
            refuse: Ends its wait, where it may be refused as soon as it is known that it would wait too long.
            usual_s: The assumed time of its work, if longer than that of all.
        """
        now_s, usual_s = self._clock(), max(usual_s, self._usual_s)
        if not self._joined:
            if self._measured == 0 or now_s - self._last_s > FORGET_S:
                self._assume(usual_s)
            self._last_s, self._refused = now_s, 0
        token = object()
        self._joined[token] = Place(now_s, usual_s, refuse)
        self._joined_s += usual_s
        return token

    def leave(self, token: object, *, is_served: bool) -> None:
        """Take a request out of the line that is served or has waited too long."""
        place = self._take_out(token)
        if place is None and not is_served:
            return  # refused by `refuse_last`
        now_s = self._clock()
        usual_s = self._mean_usual_s if place is None else place.usual_s
        # If even the first is not served, those refused behind it would not have been either.
        for _ in range(1 if is_served else 1 + self._refused):
            self._mean_s += self._weight * (now_s - self._last_s - self._mean_s)
            self._mean_usual_s += self._weight * (usual_s - self._mean_usual_s)
            self._measured += 1
        self._refused = 0
        if is_served:
            self._last_s = now_s

    def cancel(self, token: object) -> None:
        """Take a request out of the line without measuring the pace."""
        self._take_out(token)

    def refuse_last(self, most_s: float) -> None:
        """Refuse requests at the end of the line that would have waited longer than `most_s` when they are served.

        Never the first, whose own time limit then shows that the work is stuck.
        """
        now_s, ahead_s = self._clock(), self._joined_s
        hopeless = list[tuple[object, Callable[[], None]]]()
        for token, (since_s, usual_s, refuse) in [*reversed(self._joined.items())][:-1]:
            ahead_s -= usual_s
            if now_s - since_s + self._wait_behind(ahead_s) <= most_s:
                break
            if refuse is not None:
                hopeless.append((token, refuse))
        for token, refuse in hopeless:
            self._take_out(token)
            refuse()
        self._refused += len(hopeless)

    def _assume(self, usual_s: float) -> None:
        """Begin to measure: as long as nothing is, work takes as long as is assumed."""
        self._assumed = min(MOST_MEASURED, max(LEAST_ASSUMED, ASSUMED_S / usual_s))
        self._measured = 0
        """Intervals since the pace was assumed."""
        self._mean_s = usual_s
        """Mean time between two that leave while others wait."""
        self._mean_usual_s = usual_s
        """Mean of what was assumed of their work."""

    def _take_out(self, token: object) -> Place | None:
        place = self._joined.pop(token, None)
        if place is not None:
            self._joined_s = self._joined_s - place.usual_s if self._joined else 0.0
        return place

    def _wait_behind(self, ahead_s: float) -> float:
        """How long one waits behind work of which such a time is assumed, and behind what is running."""
        return (ahead_s / self._mean_usual_s + 1) * self._pace_s

    @property
    def _weight(self) -> float:
        """Of the newest interval in the mean."""
        return 1 / min(MOST_MEASURED, self._assumed + self._measured + 1)

    @property
    def _pace_s(self) -> float:
        """The mean; where the running work has taken longer already, as if an interval ended now."""
        since_s = (self._clock() - self._last_s) / self._threads
        return self._mean_s + self._weight * max(0.0, since_s - self._mean_s)
