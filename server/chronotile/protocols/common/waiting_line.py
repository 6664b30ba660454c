"""A queue that estimates how long a newcomer would wait in it."""

from collections.abc import Callable

SMOOTHING = 1 / 64
"""Weight of the newest interval in the mean: one that is long (a cold file, a pause of the machine) says little."""

FORGET_S = 30.0
"""After so long without anybody waiting, the measured pace says nothing of the work to come."""


class WaitingLine:
    """First come, first served: who waits, since when, and at which pace they leave to be served.

    Args:
        usual_s: The assumed time between two that leave, until it is measured.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, usual_s: float, clock: Callable[[], float]) -> None:
        self._usual_s = usual_s
        self._clock = clock
        self._joined = dict[object, float]()
        self._pace_s = usual_s
        """Mean time between two that leave while others wait."""
        self._last_s = clock()
        """When the last one left or, if later, the line formed."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._joined)

    @property
    def expected_s(self) -> float:
        """How long a newcomer would wait: at least as long as the first in line has waited already."""
        if not self._joined:
            return 0.0
        return max((len(self._joined) + 1) * self._pace_s, self._clock() - next(iter(self._joined.values())))

    def join(self) -> object:
        """Return a token for a newcomer at the end of the line."""
        now_s = self._clock()
        if not self._joined:
            if now_s - self._last_s > FORGET_S:
                self._pace_s = self._usual_s
            self._last_s = now_s
        token = object()
        self._joined[token] = now_s
        return token

    def leave(self, token: object, *, is_served: bool) -> None:
        """Take somebody out of the line, who is served or has waited too long."""
        del self._joined[token]
        now_s = self._clock()
        self._pace_s += SMOOTHING * (now_s - self._last_s - self._pace_s)
        if is_served:
            self._last_s = now_s

    def cancel(self, token: object) -> None:
        """Take somebody out of the line for a reason that says nothing of its pace."""
        del self._joined[token]
