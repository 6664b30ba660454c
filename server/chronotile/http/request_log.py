"""One line in the log for each request, and its metrics (docs/reference/monitoring.md)."""

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
from chronotile.http.principal import KEY_NAME

log = logging.getLogger(__name__)

FAULT_STATUS = "chronotile.fault_status"
"""ASGI scope key of the status of an error that is answered with another status, for the log and the metrics."""

_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,@-]{0,199}")
_IDS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.:/+=@-]{0,127}")
HEADER = b"x-request-id"
LAYER_PARAMETERS = {"layer", "layers", "coverageid", "coverage", "identifier"}
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
LINE = "%(method)s %(route)s layer=%(layer)s time=%(datetime)s status=%(status)d ms=%(ms).1f bytes=%(bytes)d id=%(id)s"
LINE_WITH_KEY = f"{LINE} key=%(key)s"
"""Line of a request with an API key that was answered with an error."""


@dataclass(slots=True)
class _Answers:
    """Counters of the answers of one route with one status."""

    count: int = 0
    bytes: int = 0
    seconds: float = 0.0
    took: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    """Answers per interval of `SECONDS`; the last number counts longer answers."""


class RequestLog(Collector):
    """Middleware that writes one log line per request, and counts requests for the metrics.

    The id of a request is that of its header `X-Request-Id`, which the answer repeats, or else a new one. Answers to
    requests without the header do not contain the id, because shared caches store them for other requests.

    Requests are counted on the event loop, without locks: the counters of prometheus_client took a third of the time of
    a replayed answer.
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
        # The id of the client or a proxy, unless it does not fit into a log line.
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
            layer, sent_bytes = layer_of(scope) if is_logged else None, 0 if scope["method"] == "HEAD" else size
            if counter is not None:
                counter.add(scope, route, layer, status=status, size=sent_bytes)
            if is_logged:
                values = {"method": scope["method"], "route": route, "layer": layer, "datetime": instants}
                values |= {"status": 503 if is_cancelled else status, "ms": round(seconds * 1000, 1)}
                key = {"key": scope[KEY_NAME]} if status >= 400 and KEY_NAME in scope else {}
                values |= {"bytes": sent_bytes, "id": request_id, **key}
                # `log.info` without its search for the caller in the stack.
                log.handle(
                    log.makeRecord(log.name, logging.INFO, __file__, 0, LINE_WITH_KEY if key else LINE, (values,), None)
                )

    def _count(self, route: str, status: int, size: int, seconds: float) -> None:
        # `route` is a pattern: each path would make a separate time series.
        answers = self._answers.get((route, status))
        if answers is None:
            answers = self._answers[route, status] = _Answers()
        answers.count += 1
        answers.bytes += size
        answers.seconds += seconds
        answers.took[bisect_left(SECONDS, seconds)] += 1

    def collect(self) -> Iterable[Metric]:
        """Return the current metrics."""
        requests = CounterMetricFamily("chronotile_requests", "Requests", labels=["route", "status"])
        by_route = dict[str, list[_Answers]]()
        for (route, status), answers in list(self._answers.items()):
            requests.add_metric([route, str(status)], answers.count)
            by_route.setdefault(route, []).append(answers)
        sizes = CounterMetricFamily("chronotile_response_bytes", "Bytes of answers", labels=["route"])
        times = HistogramMetricFamily("chronotile_request_seconds", "Time of requests", labels=["route"])
        for route, parts in by_route.items():
            sizes.add_metric([route], sum(answers.bytes for answers in parts))
            cumulative = accumulate(map(sum, zip(*(answers.took for answers in parts), strict=True)))
            bounds = [*map(str, SECONDS), "+Inf"]
            times.add_metric(
                [route], list(zip(bounds, cumulative, strict=True)), sum(answers.seconds for answers in parts)
            )
        yield from (requests, sizes, times)


def layer_of(scope: Scope) -> str:
    """Return the layer or collection in the path or query; `-` if there is none or it is not a valid name."""
    in_path = scope.get("path_params", {})
    name = in_path.get("layer") or in_path.get("collectionId") or ""
    if not name and scope["path"] != "/wps":  # IDENTIFIER of WPS is a process, not a layer
        query = parse_qsl(scope["query_string"][:2000].decode("latin-1"))
        name = next((value for parameter, value in query if parameter.lower() in LAYER_PARAMETERS), "")
    return name if _NAMES.fullmatch(name) else "-"
