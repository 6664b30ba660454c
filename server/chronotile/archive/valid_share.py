"""The newest time at which enough of a layer has values."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.source import Finding
from chronotile.model.time.instants import DAY, ONE_NS, Instant, TimeSpan, format_instant
from chronotile.pipeline.bounded_wait import BoundedLooks
from chronotile.pipeline.valid_share import newest_filled, share_plans
from chronotile.readers.elsewhere.sources import START_S, Elsewhere
from chronotile.readers.reader import Reader

MAX_TIMES = 50
"""Times looked at, newest first."""
TOO_LATE = "its source did not respond in time, so valid pixels were not counted; the newest time is the default"


def with_valid_defaults(
    catalogue: Catalogue, readers: Mapping[str, Reader], now: Instant, *, elsewhere: Elsewhere
) -> tuple[Catalogue, tuple[Finding, ...]]:
    """Return the catalogue with the instant of each default that requests a share of valid pixels.

    Sources on other machines have a time limit.
    """
    findings: list[Finding] = []
    looks = BoundedLooks(START_S)

    def settle(layer: Layer) -> Layer:
        if layer.collection not in elsewhere or layer.time_rules.min_valid is None:
            return _settled(layer, readers[layer.collection], now, findings)
        late = (layer, [Finding("warning", layer.id, TOO_LATE)])
        if elsewhere.is_away(layer.collection):
            settled, notes = late
        else:
            settled, notes = looks.take(layer.id, partial(_settled_alone, layer, readers, now), known=late)
        findings.extend(notes)
        return settled

    collections = tuple(
        replace(collection, layers=tuple(map(settle, collection.layers))) for collection in catalogue.collections
    )
    return replace(catalogue, collections=collections), tuple(findings)


def _settled_alone(layer: Layer, readers: Mapping[str, Reader], now: Instant) -> tuple[Layer, list[Finding]]:
    """As `_settled`, with findings of its own: it may still run after the caller stopped waiting."""
    findings: list[Finding] = []
    return _settled(layer, readers[layer.collection], now, findings), findings


def _settled(layer: Layer, reader: Reader, now: Instant, findings: list[Finding]) -> Layer:
    least = layer.time_rules.min_valid
    newest = layer.times.at_or_before(now + DAY)
    if least is None or newest is None:
        return layer
    looked_at = layer.times.instants[max(0, newest + 1 - MAX_TIMES) : newest + 1][::-1]
    filled = newest_filled(reader, share_plans(layer), looked_at, least=least)
    for instant, error in filled.unreadable:
        findings.append(Finding("error", layer.id, f"{format_instant(instant)}: {error.message}"))
    if filled.share < least:
        message = f"none of its newest {MAX_TIMES} times has {least:.0%} valid pixels; the fullest time is the default"
        findings.append(Finding("warning", layer.id, message))
    best = filled.instant
    return replace(layer, time_rules=replace(layer.time_rules, default=TimeSpan(best, best + ONE_NS)))
