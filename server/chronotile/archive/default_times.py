"""Default times of layers that require a fraction of valid pixels."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.resolve_times import newest_index
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Layer
from chronotile.core.model.time.instants import ONE_NS, TimeSpan, format_instant
from chronotile.core.model.types import Instant
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.valid_share import newest_filled, share_plans
from chronotile.readers.elsewhere import START_S, Elsewhere
from chronotile.readers.reader import Reader

MAX_TIMES = 50
"""Number of times that are sampled, newest first."""
TOO_LATE = "its source did not respond in time, so valid pixels were not counted; the newest time is the default"


def add_valid_defaults(
    catalogue: Catalogue, readers: Mapping[str, Reader], now: Instant, *, elsewhere: Elsewhere
) -> tuple[Catalogue, tuple[Finding, ...]]:
    """Return the catalogue with default times for layers that require a fraction of valid pixels.

    Checks of remote sources have a time limit.

    Returns:
        The catalogue, and findings about unreadable times and layers without a time that has enough valid pixels.
    """
    findings: list[Finding] = []
    checks = BoundedChecks(START_S)

    def settle(layer: Layer) -> Layer:
        late = (layer, [Finding("warning", layer.id, TOO_LATE)])
        if layer.collection not in elsewhere or layer.time_rules.min_valid is None:
            settled, notes = _find_default(layer, readers, now)
        elif elsewhere.is_away(layer.collection):
            settled, notes = late
        else:
            settled, notes = checks.run(layer.id, partial(_find_default, layer, readers, now), last_value=late)
        findings.extend(notes)
        return settled

    settled = (
        replace(collection, layers=tuple(map(settle, collection.layers))) for collection in catalogue.collections
    )
    return replace(catalogue, collections=tuple(settled)), tuple(findings)


def _find_default(layer: Layer, readers: Mapping[str, Reader], now: Instant) -> tuple[Layer, list[Finding]]:
    # Returns its findings: it may still run when the caller has stopped waiting.
    least = layer.time_rules.min_valid
    newest = newest_index(layer.times, now)
    if least is None or newest is None:
        return layer, []
    sampled_times = layer.times.instants[max(0, newest + 1 - MAX_TIMES) : newest + 1][::-1]
    filled = newest_filled(readers[layer.collection], share_plans(layer), sampled_times, least=least)
    texts = [f"{format_instant(instant)}: {error.message}" for instant, error in filled.unreadable]
    findings = [Finding("error", layer.id, text) for text in texts]
    if filled.share < least:
        message = f"none of its newest {MAX_TIMES} times has {least:.0%} valid pixels; the fullest time is the default"
        findings.append(Finding("warning", layer.id, message))
    best = filled.instant
    return replace(layer, time_rules=replace(layer.time_rules, default=TimeSpan(best, best + ONE_NS))), findings
