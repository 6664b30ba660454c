"""What is observed of sources once they are open: ranges of values, and the newest time with enough of them."""

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

# The range of values in sources whose configuration names no styles, over which a style can be stretched.


def observed_infos(sections: Mapping[str, CollectionSection], readers: Mapping[str, Reader]) -> dict[str, SourceInfo]:
    """Return what the sources hold, with the range of the values of each variable that is given no style."""
    selected = [
        (collection, name)
        for collection, reader in readers.items()
        for name, info in reader.info.variables.items()
        if not info.classes and info.name not in styled_variables(sections[collection])
    ]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="observe") as pool:
        ranges = dict(zip(selected, pool.map(lambda each: _range(readers[each[0]], *each), selected), strict=True))
    return {collection: _observed(collection, reader.info, ranges) for collection, reader in readers.items()}


def styled_variables(section: CollectionSection) -> frozenset[str]:
    """Return the variables for which the configuration names styles."""
    return frozenset(name for name, variable in section.variables.items() if variable.styles is not None)


def _range(reader: Reader, collection: str, variable: str) -> tuple[float, float] | None:
    """Nothing where the pixels cannot be read now: requests report that."""
    try:
        with reading(collection, variable):
            return observed_range(reader, variable)
    except SourceUnavailable:
        return None


def _observed(
    collection: str, info: SourceInfo, ranges: Mapping[tuple[str, str], tuple[float, float] | None]
) -> SourceInfo:
    variables = {
        name: replace(each, observed_range=ranges.get((collection, name), each.observed_range))
        for name, each in info.variables.items()
    }
    return replace(info, variables=variables)


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
    looks = BoundedChecks(START_S)

    def settle(layer: Layer) -> Layer:
        late = (layer, [Finding("warning", layer.id, TOO_LATE)])
        if layer.collection not in elsewhere or layer.time_rules.min_valid is None:
            settled, notes = _settled(layer, readers, now)
        elif elsewhere.is_away(layer.collection):
            settled, notes = late
        else:
            settled, notes = looks.run(layer.id, partial(_settled, layer, readers, now), last_value=late)
        findings.extend(notes)
        return settled

    settled = (replace(each, layers=tuple(map(settle, each.layers))) for each in catalogue.collections)
    return replace(catalogue, collections=tuple(settled)), tuple(findings)


def _settled(layer: Layer, readers: Mapping[str, Reader], now: Instant) -> tuple[Layer, list[Finding]]:
    # With findings of its own: it may still run after the caller stopped waiting.
    least = layer.time_rules.min_valid
    newest = layer.times.at_or_before(now + DAY)
    if least is None or newest is None:
        return layer, []
    looked_at = layer.times.instants[max(0, newest + 1 - MAX_TIMES) : newest + 1][::-1]
    filled = newest_filled(readers[layer.collection], share_plans(layer), looked_at, least=least)
    texts = [f"{format_instant(instant)}: {error.message}" for instant, error in filled.unreadable]
    findings = [Finding("error", layer.id, text) for text in texts]
    if filled.share < least:
        message = f"none of its newest {MAX_TIMES} times has {least:.0%} valid pixels; the fullest time is the default"
        findings.append(Finding("warning", layer.id, message))
    best = filled.instant
    return replace(layer, time_rules=replace(layer.time_rules, default=TimeSpan(best, best + ONE_NS))), findings


# Layers without the pixels that the classes of their collection call unclear; they answer, but are not listed.

MASKED = "~clear"
"""Behind the id of a layer; no id that is configured or found has a tilde."""


def with_clear_layers(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with a masked layer for each layer of values whose clear pixels are known."""
    return replace(catalogue, clear=dict(pair for each in catalogue.collections for pair in _clear_layers(each)))


def _clear_layers(collection: Collection) -> Iterator[tuple[str, Layer]]:
    """Yield id and masked layer; those whose grids or times do not fit the classes have none."""
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
        made = replace(layer, id=f"{layer.id}{MASKED}", content=info, times=info.times, aliases=(), mask=mask)
        yield layer.id, made
