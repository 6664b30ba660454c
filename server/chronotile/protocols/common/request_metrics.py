"""Requests counted and timed by route, for `/metrics`."""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.protocols.common.request_log import route_pattern

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class RequestMetrics:
    """Counts requests by route and status, their time and their bytes."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter("chronotile_requests", "Requests", ["route", "status"], registry=registry)
        self._bytes = Counter("chronotile_response_bytes", "Bytes of answers", ["route"], registry=registry)
        self._seconds = Histogram(
            "chronotile_request_seconds", "Time of requests", ["route"], buckets=SECONDS, registry=registry
        )
        self._known = dict[tuple[str, int], tuple[Counter, Counter, Histogram]]()

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
            requests, sizes, seconds = self._of(route_pattern(scope), status)
            requests.inc()
            sizes.inc(size)
            seconds.observe(perf_counter() - start)

    def _of(self, route: str, status: int) -> tuple[Counter, Counter, Histogram]:
        """What counts the requests of a route and status; looked up once, since that takes longer than to count."""
        known = self._known.get((route, status))
        if known is None:
            known = self._known[route, status] = (
                self._requests.labels(route, str(status)),
                self._bytes.labels(route),
                self._seconds.labels(route),
            )
        return known
