"""The queue of a limiter: how long a request would wait, and which requests are refused."""

from collections.abc import Callable
from dataclasses import dataclass

from chronotile.core.turns import Turns

MAX_MEASURED = 64
"""Approximate number of intervals in the mean: one long interval (a cold file, a pause) changes it little."""

MIN_ASSUMED = 8
"""Minimum weight of the assumed pace, in measured intervals."""

ASSUMED_S = 0.64
"""The assumed pace has the weight of the intervals that fit into this time: a pause of a second should change the mean
little for quick work, with hundreds of intervals per second, and more for slow work."""

FORGET_S = 30.0
"""The measured pace is dropped if no request has waited for this time."""


@dataclass(frozen=True, slots=True, eq=False)
class WaitingRequest:
    """A request in a line."""

    since_s: float
    client: str
    usual_s: float
    """Assumed time of the work."""
    refuse: Callable[[], None] | None
    """Ends the wait; `None` if the request must not be refused before its time limit."""


class WaitingLine:
    """The waiting requests of a limiter: predicts waiting times and refuses requests.

    `FairSemaphore` decides the order; its clients take turns.

    The pace is the mean time between two requests that leave the line. Assumed times of requests are only compared with
    each other: a request with twice the usual time counts as two.

    Args:
        usual_s: Assumed pace until it is measured, and minimum of the assumed times of requests.
        clock: Monotonic seconds.
        threads: The number of concurrent calls.
    """

    def __init__(self, usual_s: float, clock: Callable[[], float], *, threads: int = 1) -> None:
        self._usual_s = usual_s
        self._clock = clock
        self._threads = threads
        self._turns = Turns[WaitingRequest]()
        self._client_work_s = dict[str, float]()
        """Sum of the assumed times of waiting requests, by client."""
        self._assume(usual_s)
        self._last_s = clock()
        """When the last request was served or, if later, when the line formed."""
        self._refused = 0
        """Requests at the end that were refused since then."""

    def __len__(self) -> int:
        """Return the number of waiting requests."""
        return len(self._turns)

    def expected_s(self, client: str = "") -> float:
        """Return the expected wait of a new request.

        At least the time that the first request of its client has waited, or the time since the last request was
        served if the client has none.
        """
        if not self._turns:
            return 0.0
        requests = self._turns.entries_of(client)
        since_s = requests[0].since_s if requests else self._last_s
        return max(self._wait_behind(self._ahead_s(client, len(requests))), self._clock() - since_s)

    def _ahead_s(self, client: str, count: int) -> float:
        """Return the assumed time of the work before a new request whose client has `count` waiting requests."""
        ahead_s = 0.0
        for name, work_s in self._client_work_s.items():
            waiting = self._turns.count_of(name)
            ahead_s += work_s if name == client else work_s * min(1.0, (count + 1) / waiting)
        return ahead_s

    def join(
        self, refuse: Callable[[], None] | None = None, *, usual_s: float = 0.0, client: str = ""
    ) -> WaitingRequest:
        """Add a request behind the waiting requests of its client.

        Args:
            refuse: Ends the wait; `None` if the request must not be refused before its time limit.
            usual_s: Assumed time of the work, if longer than `usual_s` of the line.
            client: Name of the client; clients take turns.
        """
        now_s, usual_s = self._clock(), max(usual_s, self._usual_s)
        if not self._turns:
            if self._measured == 0 or now_s - self._last_s > FORGET_S:
                self._assume(usual_s)
            self._last_s, self._refused = now_s, 0
        request = WaitingRequest(now_s, client, usual_s, refuse)
        self._turns.add(client, request)
        self._client_work_s[client] = self._client_work_s.get(client, 0.0) + usual_s
        return request

    def leave(self, request: WaitingRequest, *, is_served: bool) -> None:
        """Remove a request that is served or has waited too long, and measure the pace."""
        if not self._remove(request, is_served=is_served) and not is_served:
            return  # refused by `refuse_last` or `refuse`
        now_s = self._clock()
        # If the first request is not served, the requests refused behind it would not have been served either.
        for _ in range(1 if is_served else 1 + self._refused):
            self._mean_s += self._weight * (now_s - self._last_s - self._mean_s)
            self._mean_usual_s += self._weight * (request.usual_s - self._mean_usual_s)
            self._measured += 1
        self._refused = 0
        if is_served:
            self._last_s = now_s

    def cancel(self, request: WaitingRequest) -> None:
        """Remove a request that ends without being served, so the pace is not measured."""
        self._remove(request)

    def refuse_last(self, max_s: float) -> None:
        """Refuse requests at the end of the line whose wait will exceed `max_s`.

        The first request is never refused: its time limit shows whether the work is stuck.
        """
        now_s, ahead_s = self._clock(), sum(self._client_work_s.values())
        late_requests = list[WaitingRequest]()
        for request in [*self._turns][:0:-1]:
            ahead_s -= request.usual_s
            if now_s - request.since_s + self._wait_behind(ahead_s) <= max_s:
                break
            if request.refuse is not None:
                late_requests.append(request)
        for request in late_requests:
            self.refuse(request)
        self._refused += len(late_requests)

    def refusable_for(self, client: str) -> WaitingRequest | None:
        """Return the last request of the client with the most requests, to be refused for a new request of `client`.

        `None` if `client` has nearly as many requests, or if none of them may be refused.
        """
        _longest, requests = self._turns.crowd(client)
        return next((request for request in reversed(requests) if request.refuse is not None), None)

    def refuse(self, request: WaitingRequest | None) -> None:
        """Refuse a waiting request; do nothing for `None`."""
        if request is not None and self._remove(request) and request.refuse is not None:
            request.refuse()

    def _assume(self, usual_s: float) -> None:
        """Drop the measured pace and start with the assumed one."""
        self._assumed = min(MAX_MEASURED, max(MIN_ASSUMED, ASSUMED_S / usual_s))
        self._measured = 0
        """Intervals measured since the rate was last assumed."""
        self._mean_s = usual_s
        """Mean time between two requests that leave."""
        self._mean_usual_s = usual_s
        """Mean of the assumed times of the requests that leave."""

    def _remove(self, request: WaitingRequest, *, is_served: bool = False) -> bool:
        was_waiting = self._turns.remove(request.client, request, is_served=is_served)
        if self._turns.count_of(request.client) == 0:
            self._client_work_s.pop(request.client, None)
        elif was_waiting:
            self._client_work_s[request.client] -= request.usual_s
        return was_waiting

    def _wait_behind(self, ahead_s: float) -> float:
        # Wait behind work of this assumed time, plus one interval for the running work.
        return (ahead_s / self._mean_usual_s + 1) * self._pace_s

    @property
    def _weight(self) -> float:
        # Weight of the newest interval in the mean.
        return 1 / min(MAX_MEASURED, self._assumed + self._measured + 1)

    @property
    def _pace_s(self) -> float:
        # Mean seconds per served request; the time since the last one, shared by the threads, counts if it is longer.
        since_s = (self._clock() - self._last_s) / self._threads
        return self._mean_s + self._weight * max(0.0, since_s - self._mean_s)
