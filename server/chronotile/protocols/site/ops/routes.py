"""`/health` and `/metrics`: whether the process lives, whether it can answer, what it does."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import get_args

import orjson
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import Severity
from chronotile.core.model.time.instants import DAY
from chronotile.http.endpoint import RETRY_AFTER_S, problem_response
from chronotile.http.run import METRICS, READINESS, ServerState, run, services_of, state_of
from chronotile.jobs.queue.webhooks.outbox import OUTCOMES, WebhookCounts
from chronotile.pipeline.readiness import Fault, check_readiness
from chronotile.pipeline.search.search_items import being_filled
from chronotile.pipeline.services import Services
from chronotile.protocols.common.openapi import TEXT, ref
from chronotile.protocols.common.operation import Operation
from chronotile.protocols.site.ops.siblings import Siblings, merge_metrics
from chronotile.readers.caches.byte_cache import CacheState
from chronotile.readers.left_out import REASONS
from chronotile.readers.library_caches import library_caches
from chronotile.readers.raster.overviews.previews import PreviewsState

STALE = "the last reload failed; still serving the previous state; see the log"


async def get_live(request: Request) -> Response:  # noqa: ARG001 -- the answer is that there is one
    """Return that the process answers."""
    return _respond(200, {"status": "live"})


async def get_ready(request: Request) -> Response:
    """Return 200 where at least one layer can be read, else 503, and what fails in either case."""
    state, services = state_of(request), services_of(request)
    readiness = await run(request, READINESS, partial(check_readiness, services))
    stale = (Fault(reason=STALE),) if state.live.is_stale else ()
    document: dict[str, object] = {
        "status": "ready" if readiness.is_ready else "not ready",
        "failing": list(readiness.failing),
        "filling": await run(request, READINESS, partial(_filling, services)),
        "faults": [_members(fault) for fault in (*stale, *readiness.faults)],
    }
    return _respond(200 if readiness.is_ready else 503, document)


def _filling(services: Services) -> list[str]:
    """The collections that are served and whose items are not all known yet; none where no index answers."""
    try:
        return list(being_filled(services.catalogue.collections_by_id.keys(), services))
    except ChronotileError:
        return []


def _members(fault: Fault) -> dict[str, str]:
    return {name: value for name, value in asdict(fault).items() if value is not None}


def _respond(status: int, document: dict[str, object]) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": RETRY_AFTER_S} if status == 503 else {})
    return Response(orjson.dumps(document), status_code=status, media_type="application/json", headers=headers)


async def get_metrics(registry: CollectorRegistry, siblings: Siblings | None, request: Request) -> Response:
    """Return a registry as Prometheus reads it (text format 0.0.4); with siblings, those of all workers."""
    body = await run(request, METRICS, partial(generate_latest, registry))
    if siblings is not None:
        # Not requested at our own socket: where all workers are slow, no metrics at all would arrive in time.
        texts = await siblings.ask() | {str(siblings.number): body.decode()}
        body = await run(request, METRICS, partial(merge_metrics, texts))
    return Response(body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


describe = partial(Operation, tag="Service", faults=problem_response, refusals=())
health = partial(describe, answers={"application/json": ref("Health")})


def operations_of(registry: CollectorRegistry = REGISTRY, siblings: Siblings | None = None) -> tuple[Operation, ...]:
    """Return the operations; the metrics are those of a registry, with siblings of those of all workers."""
    return (
        health("/health/live", get_live, "getLive", "Whether the server process responds"),
        health("/health/ready", get_ready, "getReady", "Whether at least one layer can be read"),
        describe(
            "/metrics",
            partial(get_metrics, registry, siblings),
            "getMetrics",
            "Metrics for Prometheus",
            answers={"text/plain": TEXT},
        ),
    )


# The state of the process as Prometheus reads it.

LARGE_ANSWERS = "large answers"
"""What waits for memory, though it has a thread: counted among the requests that are answered, too."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class StateCollector(Collector):
    """Metrics of limiters, caches, reloads and layers, at the time of the call."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of now."""
        caches = self._state.services.caches
        yield from _limiters(self._state)
        read = self._state.services.reader_caches
        states = {"payloads": caches.payloads.state, "plans": caches.plans.state, "cubes": caches.cubes.state}
        if read.byte_blocks is not None:
            states["stored_blocks"] = read.byte_blocks.state
        yield from _caches({**states, "blocks": read.blocks.state, **library_caches(read)})
        yield _counter("chronotile_reloads", "Times that what is served was replaced", self._state.live.reloads)
        yield _counter(
            "chronotile_failed_reloads",
            "New configurations that are not served for their mistakes",
            self._state.live.failed_reloads,
        )
        revision = InfoMetricFamily("chronotile_archive", "Which state of configuration, styles and sources is served")
        revision.add_metric([], {"revision": self._state.services.revision})
        yield revision
        if self._state.previews is not None:
            yield from _previews(self._state.previews.state)
        if self._state.webhooks is not None:
            yield _webhooks(self._state.webhooks)
        if self._state.items is not None:
            tries = self._state.items.failed.count
            yield _counter("chronotile_refused_tokens", "Wrong tokens that were shown for writing items", tries)
        waiting = self._state.valid_shares.waiting
        yield _gauge("chronotile_shares_waiting", "Shares of valid pixels that are to be counted", waiting)
        yield from _faults(self._state.services)
        yield _newest_times(self._state.services)
        layers = GaugeMetricFamily("chronotile_layers", "Layers that are served")
        layers.add_metric([], sum(1 for _ in self._state.services.catalogue.layers))
        yield layers


def _webhooks(counts: WebhookCounts) -> Metric:
    events = CounterMetricFamily(
        "chronotile_webhook_events",
        "Events of webhooks: sent, failed tries, given up; and times that changes were lost",
        labels=["outcome"],
    )
    for outcome in OUTCOMES:
        events.add_metric([outcome], counts.of(outcome))
    return events


def _faults(services: Services) -> Iterable[Metric]:
    findings = GaugeMetricFamily("chronotile_findings", "Findings about the sources", labels=["severity"])
    counts = Counter(finding.severity for finding in services.findings)
    for severity in SEVERITIES:
        findings.add_metric([severity], counts[severity])
    dates = GaugeMetricFamily(
        "chronotile_unreadable_dates", "Dates that could not be read, of all processes", labels=["collection"]
    )
    unreadable = Counter(date.collection for date in services.failing_dates.listed())
    for collection in services.catalogue.collections:
        dates.add_metric([collection.id], unreadable[collection.id])
    away = GaugeMetricFamily(
        "chronotile_source_away", "Whether a source on another machine cannot be read now", labels=["collection"]
    )
    for name in sorted(services.elsewhere):
        away.add_metric([name], services.elsewhere.is_away(name))
    left_out = CounterMetricFamily(
        "chronotile_items_left_out",
        "Items that answers lacked, once per state of an item",
        labels=["collection", "reason"],
    )
    counts_of_items = services.reader_caches.left_out.counts
    for collection in services.catalogue.collections:
        if any(each.is_mosaic for layer in collection.layers for each in layer.variables):
            for reason in REASONS:
                left_out.add_metric([collection.id, reason], counts_of_items.get((collection.id, reason), 0))
    yield from (findings, dates, away, left_out)


def _newest_times(services: Services) -> Metric:
    """Without times of the future, which mistakes in names make."""
    newest = GaugeMetricFamily("chronotile_layer_newest_time_seconds", "Newest time of a layer", labels=["layer"])
    for layer in services.catalogue.layers:
        index = layer.times.at_or_before(services.clock() + DAY) if len(layer.times) else None
        if index is not None:
            newest.add_metric([layer.id], int(layer.times.instants[index].astype("datetime64[s]").astype("int64")))
    return newest


def _limiters(state: ServerState) -> Iterable[Metric]:
    threads = GaugeMetricFamily("chronotile_threads", "Threads work may take", labels=["work"])
    running = GaugeMetricFamily("chronotile_running", "Threads at work", labels=["work"])
    waiting = GaugeMetricFamily("chronotile_waiting", "Requests that wait for a thread, or for memory", labels=["work"])
    refused = CounterMetricFamily("chronotile_refused", "Requests that would wait too long", labels=["work"])
    for limiter in (*state.limiters, *state.elsewhere.values()):
        threads.add_metric([limiter.name], limiter.threads)
        running.add_metric([limiter.name], limiter.running)
        waiting.add_metric([limiter.name], limiter.waiting)
        refused.add_metric([limiter.name], limiter.refused)
    memory = state.services.memory
    waiting.add_metric([LARGE_ANSWERS], memory.waiting)
    refused.add_metric([LARGE_ANSWERS], memory.refused)
    yield from (threads, running, waiting, refused)


def _caches(states: Mapping[str, CacheState]) -> Iterable[Metric]:
    held = GaugeMetricFamily("chronotile_cache_bytes", "Bytes a cache holds", labels=["cache"])
    bound = GaugeMetricFamily("chronotile_cache_max_bytes", "Bytes a cache may hold", labels=["cache"])
    entries = GaugeMetricFamily("chronotile_cache_entries", "Things a cache holds", labels=["cache"])
    hits = CounterMetricFamily("chronotile_cache_hits", "Times a thing was there", labels=["cache"])
    misses = CounterMetricFamily("chronotile_cache_misses", "Times a thing had to be made", labels=["cache"])
    for name, state in states.items():
        values = (
            (held, state.bytes),
            (bound, state.max_bytes),
            (entries, state.entries),
            (hits, state.hits),
            (misses, state.misses),
        )
        for family, value in values:
            if value is not None:
                family.add_metric([name], value)
    yield from (held, bound, entries, hits, misses)


def _previews(state: PreviewsState) -> Iterable[Metric]:
    yield _gauge("chronotile_preview_bytes", "Bytes that previews take, of all processes", state.bytes)
    yield _gauge("chronotile_preview_max_bytes", "Bytes that previews may take", state.max_bytes)
    yield _gauge("chronotile_previews", "Previews in the cache, of all processes", state.count)
    yield _gauge("chronotile_previews_waiting", "Previews that wait to be built", state.waiting)
    yield _counter("chronotile_previews_built", "Previews that were built", state.built)
    yield _counter("chronotile_previews_failed", "Previews that could not be built or stored", state.failed)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, meaning)
    gauge.add_metric([], value)
    return gauge


def _counter(name: str, meaning: str, value: float) -> CounterMetricFamily:
    counter = CounterMetricFamily(name, meaning)
    counter.add_metric([], value)
    return counter
