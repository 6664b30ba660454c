"""Observations in the data of open sources: ranges of values, and the newest time with enough valid pixels."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from chronotile.archive.open_sources import THREADS
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.configuration import CollectionSection
from chronotile.core.errors import InvalidParameter, SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.source import SourceInfo
from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan, format_instant
from chronotile.core.model.types import Instant
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.valid_share import newest_filled, share_plans
from chronotile.readers.derived.derive import masked_info
from chronotile.readers.elsewhere import START_S, Elsewhere
from chronotile.readers.reader import Reader, reading
from chronotile.readers.sample import observed_range

# Ranges of values, over which styles are stretched if the configuration names none.


def observed_infos(sections: Mapping[str, CollectionSection], readers: Mapping[str, Reader]) -> dict[str, SourceInfo]:
    """Return the sources' contents, with observed ranges of variables without classes and configured styles."""
    selected = [
        (collection, name)
        for collection, reader in readers.items()
        for name, info in reader.info.variables.items()
        if not info.classes and info.name not in styled_variables(sections[collection])
    ]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="observe") as pool:
        ranges = dict(zip(selected, pool.map(lambda key: _range(readers[key[0]], *key), selected), strict=True))
    return {collection: _add_ranges(collection, reader.info, ranges) for collection, reader in readers.items()}


def styled_variables(section: CollectionSection) -> frozenset[str]:
    """Return the variables for which the configuration names styles."""
    return frozenset(name for name, variable in section.variables.items() if variable.styles is not None)


def _range(reader: Reader, collection: str, variable: str) -> tuple[float, float] | None:
    """Return `None` if the pixels are unreadable now; requests report that."""
    try:
        with reading(collection, variable):
            return observed_range(reader, variable)
    except SourceUnavailable:
        return None


def _add_ranges(
    collection: str, info: SourceInfo, ranges: Mapping[tuple[str, str], tuple[float, float] | None]
) -> SourceInfo:
    variables = {
        name: replace(variable, observed_range=ranges.get((collection, name), variable.observed_range))
        for name, variable in info.variables.items()
    }
    return replace(info, variables=variables)


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
    newest = layer.times.at_or_before(now + DAY)
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


# Layers without the pixels that are unclear by the classes of their collection. They are served, but not listed.

MASKED = "~clear"
"""Suffix of the ids of these layers; other ids contain no tilde."""


def add_clear_layers(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with a masked layer for each layer whose collection has classes of clear pixels."""
    return replace(
        catalogue, clear=dict(pair for collection in catalogue.collections for pair in _clear_layers(collection))
    )


def _clear_layers(collection: Collection) -> Iterator[tuple[str, Layer]]:
    """Yield ids and masked layers of the layers whose grid and times match those of the classes."""
    mask = collection.clear
    quality = None if mask is None else collection.variables.get(mask.variable)
    if mask is None or quality is None:
        return
    for layer in collection.layers:
        variable = layer.main_variable
        if layer.is_composite or layer.styles[0].is_categorical or variable.is_mosaic != quality.is_mosaic:
            continue
        try:
            info = masked_info(variable, mask, quality)
        except InvalidParameter:
            continue
        masked = replace(layer, id=f"{layer.id}{MASKED}", content=info, times=info.times, aliases=(), mask=mask)
        yield layer.id, masked
