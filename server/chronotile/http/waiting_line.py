"""The queue of a limiter: how long a request would wait, and which requests are refused."""

from collections.abc import Callable
from dataclasses import dataclass

from chronotile.core.turns import Turns

MOST_MEASURED = 64
"""Intervals in the mean, about: so a single long one (a cold file, a pause of the machine) changes little."""

LEAST_ASSUMED = 8
"""Measured intervals that the assumed pace counts for, at least."""

ASSUMED_S = 0.64
"""The assumed pace counts for as many intervals as fit in this time: a pause of a second should change
the mean little for quick work, of which it is a hundred intervals, and more for slow work, of which it is one."""

FORGET_S = 30.0
"""The measured pace is forgotten when nothing has waited for this time."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A request in the line."""

    since_s: float
    client: str
    usual_s: float
    """The assumed time of its work."""
    refuse: Callable[[], None] | None
    """Ends the wait; `None` for a request that may not be refused before its time limit."""


class WaitingLine:
    """A queue of requests, in which clients take turns, with their waiting times and the rate at which they leave.

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
        self._turns = Turns[Place]()
        self._joined_s = dict[str, float]()
        """Assumed times of all requests that wait, by client."""
        self._assume(usual_s)
        self._last_s = clock()
        """When the last one was served or, if later, the line formed."""
        self._refused = 0
        """Places at the end that were refused since then."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._turns)

    def expected_s(self, client: str = "") -> float:
        """Return how long a newcomer would wait.

        At least as long as the first request of its client has waited already or, without one, as nothing was served.
        """
        if not self._turns:
            return 0.0
        own = self._turns.entries_of(client)
        since_s = own[0].since_s if own else self._last_s
        return max(self._wait_behind(self._ahead_s(client, len(own))), self._clock() - since_s)

    def _ahead_s(self, client: str, count: int) -> float:
        """The assumed times of what is served before a newcomer whose client has `count` waiting requests."""
        ahead_s = 0.0
        for other, joined_s in self._joined_s.items():
            waiting = self._turns.count_of(other)
            ahead_s += joined_s if other == client else joined_s * min(1.0, (count + 1) / waiting)
        return ahead_s

    def join(self, refuse: Callable[[], None] | None = None, *, usual_s: float = 0.0, client: str = "") -> Place:
        """Return the place of a newcomer behind the waiting requests of its client.

        Args:
            refuse: Ends its wait, where it may be refused as soon as it is known that it would wait too long.
            usual_s: The assumed time of its work, if longer than that of all.
            client: With which others take turns.
        """
        now_s, usual_s = self._clock(), max(usual_s, self._usual_s)
        if not self._turns:
            if self._measured == 0 or now_s - self._last_s > FORGET_S:
                self._assume(usual_s)
            self._last_s, self._refused = now_s, 0
        place = Place(now_s, client, usual_s, refuse)
        self._turns.add(client, place)
        self._joined_s[client] = self._joined_s.get(client, 0.0) + usual_s
        return place

    def leave(self, place: Place, *, is_served: bool) -> None:
        """Take a request out of the line that is served or has waited too long."""
        if not self._take_out(place, is_served=is_served) and not is_served:
            return  # refused by `refuse_last` or `refuse`
        now_s = self._clock()
        # If even the first is not served, those refused behind it would not have been either.
        for _ in range(1 if is_served else 1 + self._refused):
            self._mean_s += self._weight * (now_s - self._last_s - self._mean_s)
            self._mean_usual_s += self._weight * (place.usual_s - self._mean_usual_s)
            self._measured += 1
        self._refused = 0
        if is_served:
            self._last_s = now_s

    def cancel(self, place: Place) -> None:
        """Take a request out of the line without measuring the pace."""
        self._take_out(place)

    def refuse_last(self, most_s: float) -> None:
        """Refuse requests at the end of the line that would have waited longer than `most_s` when they are served.

        Never the first, whose own time limit then shows that the work is stuck.
        """
        now_s, ahead_s = self._clock(), sum(self._joined_s.values())
        hopeless = list[Place]()
        for place in [*self._turns][:0:-1]:
            ahead_s -= place.usual_s
            if now_s - place.since_s + self._wait_behind(ahead_s) <= most_s:
                break
            if place.refuse is not None:
                hopeless.append(place)
        for place in hopeless:
            self.refuse(place)
        self._refused += len(hopeless)

    def refusable_for(self, client: str) -> Place | None:
        """Return the last request of the client with the most, which makes room for a newcomer of `client`.

        `None` if `client` itself has as many, or if none of them may be refused.
        """
        _longest, places = self._turns.crowd(client)
        return next((place for place in reversed(places) if place.refuse is not None), None)

    def refuse(self, place: Place | None) -> None:
        """Refuse a waiting request, if there is one."""
        if place is not None and self._take_out(place) and place.refuse is not None:
            place.refuse()

    def _assume(self, usual_s: float) -> None:
        """Begin to measure: as long as nothing is, work takes as long as is assumed."""
        self._assumed = min(MOST_MEASURED, max(LEAST_ASSUMED, ASSUMED_S / usual_s))
        self._measured = 0
        """Intervals since the pace was assumed."""
        self._mean_s = usual_s
        """Mean time between two that leave while others wait."""
        self._mean_usual_s = usual_s
        """Mean of what was assumed of their work."""

    def _take_out(self, place: Place, *, is_served: bool = False) -> bool:
        is_there = self._turns.remove(place.client, place, is_served=is_served)
        if self._turns.count_of(place.client) == 0:
            self._joined_s.pop(place.client, None)
        elif is_there:
            self._joined_s[place.client] -= place.usual_s
        return is_there

    def _wait_behind(self, ahead_s: float) -> float:
        # How long one waits behind work of which such a time is assumed, and behind what is running.
        return (ahead_s / self._mean_usual_s + 1) * self._pace_s

    @property
    def _weight(self) -> float:
        # Of the newest interval in the mean.
        return 1 / min(MOST_MEASURED, self._assumed + self._measured + 1)

    @property
    def _pace_s(self) -> float:
        # The mean; where the running work has taken longer already, as if an interval ended now.
        since_s = (self._clock() - self._last_s) / self._threads
        return self._mean_s + self._weight * max(0.0, since_s - self._mean_s)
