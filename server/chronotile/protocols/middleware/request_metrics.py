"""Requests counted and timed by route, for `/metrics`."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from time import perf_counter

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.protocols.common.state import FAULT_STATUS
from chronotile.protocols.middleware.request_log import route_pattern

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


@dataclass(slots=True)
class _Answers:
    """Those of one route with one status."""

    count: int = 0
    bytes: int = 0
    seconds: float = 0.0
    took: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    """How many took at most so long, and longer than the bound before; at the end, longer than all."""


class RequestMetrics(Collector):
    """Counts requests by route and status, their time and their bytes.

    They are summed up in the event loop, where nothing need be locked: prometheus_client's own counters took a third of
    the time of an answer given again.
    """

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self._app = app
        self._answers = dict[tuple[str, int], _Answers]()
        registry.register(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        status, size = 500, 0

        async def send_and_note(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            # The pattern of the route: paths of clients would make a series each.
            key = route_pattern(scope), scope.get(FAULT_STATUS, status)
            answers = self._answers.get(key)
            if answers is None:
                answers = self._answers[key] = _Answers()
            seconds = perf_counter() - start
            answers.count += 1
            answers.bytes += size
            answers.seconds += seconds
            answers.took[bisect_left(SECONDS, seconds)] += 1

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of now."""
        requests = CounterMetricFamily("chronotile_requests", "Requests", labels=["route", "status"])
        by_route = dict[str, list[_Answers]]()
        for (route, status), answers in list(self._answers.items()):
            requests.add_metric([route, str(status)], answers.count)
            by_route.setdefault(route, []).append(answers)
        sizes = CounterMetricFamily("chronotile_response_bytes", "Bytes of answers", labels=["route"])
        times = HistogramMetricFamily("chronotile_request_seconds", "Time of requests", labels=["route"])
        for route, parts in by_route.items():
            sizes.add_metric([route], sum(each.bytes for each in parts))
            up_to = accumulate(map(sum, zip(*(each.took for each in parts), strict=True)))
            bounds = [*map(str, SECONDS), "+Inf"]
            times.add_metric([route], list(zip(bounds, up_to, strict=True)), sum(each.seconds for each in parts))
        yield from (requests, sizes, times)
