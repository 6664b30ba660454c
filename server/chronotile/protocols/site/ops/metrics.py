"""Metrics of the process for Prometheus."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import get_args

from prometheus_client.core import CounterMetricFamily as Count
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from chronotile.catalog.resolve_times import newest_index
from chronotile.core.finding import Severity
from chronotile.core.model.collection import Layer
from chronotile.http.server_state import ServerState
from chronotile.jobs.queue.webhooks.outbox import OUTCOMES
from chronotile.pipeline.services import Services
from chronotile.readers.caches.byte_cache import CacheState
from chronotile.readers.library_caches import library_caches
from chronotile.readers.raster.overviews.previews import PreviewsState
from chronotile.readers.skipped_items import REASONS

LARGE_ANSWERS = "large answers"
"""Label of requests that wait for memory; their work has a thread and is counted among the running."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class StateCollector(Collector):
    """Metrics of limiters, caches, reloads and layers, computed when they are collected."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """Yield the current metrics."""
        state, services = self._state, self._state.services
        yield from _limiters(state)
        caches, read = services.caches, services.reader_caches
        states = {"payloads": caches.payloads.state, "plans": caches.plans.state, "cubes": caches.cubes.state}
        if read.byte_blocks is not None:
            states["stored_blocks"] = read.byte_blocks.state
        yield from _caches({**states, "blocks": read.blocks.state, **library_caches(read)})
        yield Count("chronotile_reloads", "Times that the served state was replaced", state.live.reloads)
        mistaken = "New configurations that are not served because of mistakes"
        yield Count("chronotile_failed_reloads", mistaken, state.live.failed_reloads)
        served = "Revision of the served configuration, styles and sources"
        yield InfoMetricFamily("chronotile_archive", served, {"revision": services.revision})
        yield Gauge("chronotile_database_up", "Whether the database answers", state.is_database_up())
        if state.previews is not None:
            yield from _previews(state.previews.state)
        if state.webhooks is not None:
            events: dict[str, int] = {outcome: state.webhooks.count_of(outcome) for outcome in OUTCOMES}
            meaning = "Events of webhooks: sent, failed tries, given up; and times that changes were lost"
            yield _family(Count, "chronotile_webhook_events", meaning, outcome=events)
        if state.items is not None:
            tries = state.items.failed.count
            yield Count("chronotile_refused_tokens", "Wrong tokens that were shown for writing items", tries)
        waiting = state.valid_shares.waiting
        yield Gauge("chronotile_shares_waiting", "Shares of valid pixels that wait to be counted", waiting)
        yield from _faults(services)
        newest = {layer.id: _newest_second(layer, services) for layer in services.catalogue.layers}
        yield _family(Gauge, "chronotile_layer_newest_time_seconds", "Newest time of a layer", layer=newest)
        yield Gauge("chronotile_layers", "Layers that are served", len(newest))


def _family(kind: type[Gauge] | type[Count], name: str, meaning: str, **labelled: Mapping[str, float | None]) -> Metric:
    """Return a metric with one label, the name of the mapping; a value of `None` has no sample."""
    ((label, values),) = labelled.items()
    family = kind(name, meaning, labels=[label])
    for label_value, value in values.items():
        if value is not None:
            family.add_metric([label_value], value)
    return family


def _faults(services: Services) -> Iterable[Metric]:
    severities = Counter(finding.severity for finding in services.findings)
    counts: dict[str, int] = {severity: severities[severity] for severity in SEVERITIES}
    yield _family(Gauge, "chronotile_findings", "Findings about the sources", severity=counts)
    unreadable = Counter(date.collection for date in services.failing_dates.list_dates())
    dates = {collection.id: unreadable[collection.id] for collection in services.catalogue.collections}
    meaning = "Dates that could not be read, in the list that all processes share"
    yield _family(Gauge, "chronotile_unreadable_dates", meaning, collection=dates)
    unavailable = {name: services.elsewhere.is_away(name) for name in sorted(services.elsewhere)}
    yield _family(
        Gauge,
        "chronotile_source_away",
        "Whether a source on another machine cannot be read now",
        collection=unavailable,
    )
    meaning, labels = "Items that answers lacked, once per state of an item", ["collection", "reason"]
    left_out, counts_of_items = (
        Count("chronotile_items_left_out", meaning, labels=labels),
        services.reader_caches.skipped_items.counts,
    )
    for collection in services.catalogue.collections:
        if any(variable.is_mosaic for layer in collection.layers for variable in layer.variables):
            for reason in REASONS:
                left_out.add_metric([collection.id, reason], counts_of_items.get((collection.id, reason), 0))
    yield left_out


def _newest_second(layer: Layer, services: Services) -> int | None:
    index = newest_index(layer.times, services.clock()) if len(layer.times) else None
    return None if index is None else int(layer.times.instants[index].astype("datetime64[s]").astype("int64"))


def _limiters(state: ServerState) -> Iterable[Metric]:
    limiters, memory = (*state.limiters, *state.remote_limiters.values()), state.services.memory
    waiting = {limiter.name: limiter.waiting for limiter in limiters} | {LARGE_ANSWERS: memory.waiting}
    refused = {limiter.name: limiter.refused for limiter in limiters} | {LARGE_ANSWERS: memory.refused}
    threads, running = (
        {limiter.name: getattr(limiter, name) for limiter in limiters} for name in ("threads", "running")
    )
    yield _family(Gauge, "chronotile_threads", "Threads work may take", work=threads)
    yield _family(Gauge, "chronotile_running", "Threads at work", work=running)
    yield _family(Gauge, "chronotile_waiting", "Requests that wait for a thread, or for memory", work=waiting)
    yield _family(Count, "chronotile_refused", "Requests that would wait too long", work=refused)


def _caches(states: Mapping[str, CacheState]) -> Iterable[Metric]:
    of_all = {
        member.name: {name: getattr(state, member.name) for name, state in states.items()}
        for member in fields(CacheState)
    }
    yield _family(Gauge, "chronotile_cache_bytes", "Bytes a cache holds", cache=of_all["bytes"])
    yield _family(Gauge, "chronotile_cache_max_bytes", "Bytes a cache may hold", cache=of_all["max_bytes"])
    yield _family(Gauge, "chronotile_cache_entries", "Things a cache holds", cache=of_all["entries"])
    yield _family(Count, "chronotile_cache_hits", "Times a thing was in the cache", cache=of_all["hits"])
    yield _family(Count, "chronotile_cache_misses", "Times a thing had to be made", cache=of_all["misses"])


def _previews(state: PreviewsState) -> Iterable[Metric]:
    yield Gauge("chronotile_preview_bytes", "Bytes that previews of all processes take", state.bytes)
    yield Gauge("chronotile_preview_max_bytes", "Bytes that previews may take", state.max_bytes)
    yield Gauge("chronotile_previews", "Previews in the cache that all processes share", state.count)
    yield Gauge("chronotile_previews_waiting", "Previews that wait to be built", state.waiting)
    yield Count("chronotile_previews_built", "Previews that were built", state.built)
    yield Count("chronotile_previews_failed", "Previews that could not be built or stored", state.failed)
