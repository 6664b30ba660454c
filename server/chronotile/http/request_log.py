"""One line in the log for each request, and its metrics (docs/operations.md)."""

import asyncio
import logging
import os
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from time import perf_counter
from typing import cast
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.core.logs import REQUEST_ID
from chronotile.http.asgi_headers import header_value
from chronotile.http.meter import COUNTER, Counter

log = logging.getLogger(__name__)

FAULT_STATUS = "chronotile.fault_status"
"""ASGI scope key of the status of an error that is answered with another status, for the log and the metrics."""

_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,@-]{0,199}")
_IDS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.:/+=@-]{0,127}")
HEADER = b"x-request-id"
LAYER_PARAMETERS = {"layer", "layers", "coverageid", "coverage", "identifier"}
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
LINE = "%(method)s %(route)s layer=%(layer)s time=%(datetime)s status=%(status)d ms=%(ms).1f bytes=%(bytes)d id=%(id)s"


@dataclass(slots=True)
class _Answers:
    """Those of one route with one status."""

    count: int = 0
    bytes: int = 0
    seconds: float = 0.0
    took: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    """How many took at most so long, and longer than the bound before; at the end, longer than all."""


class RequestLog(Collector):
    """Gives each request an id, and logs route, layer, instants, status, milliseconds and bytes of what was sent.

    The id is that of the header `X-Request-Id`, which the answer then has too; otherwise a new one. Answers to requests
    without the header have none, as shared caches store them for other requests.

    Requests are counted by route and status, with their time and their bytes, for the metrics. They are summed up in
    the event loop, where nothing need be locked: prometheus_client's own counters took a third of the time of an answer
    given again.
    """

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry | None = None) -> None:
        self._app = app
        self._answers = dict[tuple[str, int], _Answers]()
        if registry is not None:
            registry.register(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # The id that the client or a proxy gave the request; one that a log could not hold is not used.
        sent_id = header_value(scope["headers"], HEADER)
        is_sent = _IDS.fullmatch(sent_id) is not None
        request_id = sent_id.decode("ascii") if is_sent else os.urandom(16).hex()
        start = perf_counter()
        status, size, instants, is_cancelled = 500, 0, "-", False

        async def send_and_note(message: Message) -> None:
            nonlocal status, size, instants
            if message["type"] == "http.response.start":
                status = message["status"]
                instants = header_value(message["headers"], b"chronotile-time").decode("latin-1") or "-"
                if is_sent:
                    message["headers"] = [*message["headers"], (HEADER, sent_id)]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        token = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:  # the server is being stopped and has answered 503
            is_cancelled = True
            raise
        finally:
            REQUEST_ID.reset(token)
            seconds, route = perf_counter() - start, getattr(scope.get("route"), "path", "-")
            status = scope.get(FAULT_STATUS, status)
            self._count(route, status, size, seconds)
            is_logged, counter = log.isEnabledFor(logging.INFO), cast(Counter | None, scope.get(COUNTER))
            layer, sent = layer_of(scope) if is_logged else None, 0 if scope["method"] == "HEAD" else size
            if counter is not None:
                counter.add(scope, route, layer, status=status, size=sent)
            if is_logged:
                values = {"method": scope["method"], "route": route, "layer": layer, "datetime": instants}
                values |= {"status": 503 if is_cancelled else status, "ms": round(seconds * 1000, 1)}
                values |= {"bytes": sent, "id": request_id}
                # As `log.info` does, but for the search of the stack for who called it.
                log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, LINE, (values,), None))

    def _count(self, route: str, status: int, size: int, seconds: float) -> None:
        # The pattern of the route: paths of clients would make a series each.
        answers = self._answers.get((route, status))
        if answers is None:
            answers = self._answers[route, status] = _Answers()
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


def layer_of(scope: Scope) -> str:
    """Return the layer of the path or query, or the collection of OGC API; `-` in place of what is not a name."""
    in_path = scope.get("path_params", {})
    named = in_path.get("layer") or in_path.get("collectionId") or ""
    if not named and scope["path"] != "/wps":  # whose IDENTIFIER is a process
        query = parse_qsl(scope["query_string"][:2000].decode("latin-1"))
        named = next((value for name, value in query if name.lower() in LAYER_PARAMETERS), "")
    return named if _NAMES.fullmatch(named) else "-"
