"""Whether there is anything to answer with, and what fails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.collection import Layer
from chronotile.core.yaml_source import list_names
from chronotile.pipeline.failing_dates import list_failing_dates
from chronotile.pipeline.revision import pixel_revision
from chronotile.pipeline.services import Services
from chronotile.readers.bisect_damage import FailingDate

NOT_OPEN = "its source cannot be opened, or contains nothing that can be served"
NEWEST_GONE = "the data of its newest time are gone"
MOST_NAMED = 3
"""Of files that are left out; the log has all."""
AWAY = "its source, on another machine, cannot be read now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is not served as it should be, without paths and URLs."""

    reason: str
    collection: str | None = None
    """`None` where it is in none."""
    layer: str | None = None
    variable: str | None = None
    time: str | None = None
    """Of the one date that it is about."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What can be read now."""

    is_ready: bool
    """Whether the newest data of at least one layer are there. A date that is known to be damaged does not count: it
    is damaged for all servers of the archive, and the others of its layer can be drawn."""
    failing: tuple[str, ...]
    """Ids of collections that did not open, or in which the newest time of a layer is gone, or was found damaged."""
    faults: tuple[Fault, ...]
    """All that is not served as it should be."""


def check_readiness(services: Services) -> Readiness:
    """Return whether the newest pixels of each layer are there, and all faults that are known; reads no pixels."""
    readable = {layer: _is_readable(layer, services) for layer in services.catalogue.layers}
    found = services.elsewhere.found
    unavailable = [each for each in found.unavailable if services.may_name(each)]
    gone = [layer for layer, is_readable in readable.items() if not is_readable and layer.collection not in unavailable]
    closed = [collection for collection in _closed(services) if collection not in unavailable]
    dates = list_failing_dates(services)
    damaged = (layer.collection for layer in services.catalogue.layers if _is_newest_among(dates, layer))
    failing = dict.fromkeys((*closed, *unavailable, *(layer.collection for layer in gone), *damaged))
    silent = {} if services.live_items is None else services.live_items.failing
    faults = (
        *(Fault(reason=NOT_OPEN, collection=collection) for collection in closed),
        *(
            Fault(reason=": ".join(filter(None, (AWAY, found.causes.get(each)))), collection=each)
            for each in unavailable
        ),
        *(Fault(reason=NEWEST_GONE, collection=layer.collection, layer=layer.id) for layer in gone),
        *_left_out(services),
        *(Fault(reason=f"searches leave it out: {reason}", collection=each) for each, reason in silent.items()),
        *(
            Fault(reason=each.reason, collection=each.collection, variable=each.variable, time=each.when)
            for each in dates
        ),
    )
    return Readiness(is_ready=any(readable.values()), failing=tuple(failing), faults=faults)


def _is_readable(layer: Layer, services: Services) -> bool:
    """Whether its newest time can be read. A source on another machine is not read here, as it may hang."""
    if layer.collection in services.elsewhere:
        return not services.elsewhere.is_away(layer.collection)
    newest = tuple(layer.times.instants[-1:])
    try:
        pixel_revision(layer, newest, services)
    except SourceUnavailable:
        return False
    return True


def _closed(services: Services) -> list[str]:
    """Collections of the configuration of which nothing is served."""
    served = {collection.id for collection in services.catalogue.collections}
    reported = dict.fromkeys(finding.collection for finding in services.findings if finding.is_left_out)
    return [collection for collection in reported if collection and collection not in served]


def _left_out(services: Services) -> Iterator[Fault]:
    """How much of each collection that is served, and of what is in none, is left out, with some names of files."""
    closed = {*_closed(services), *services.elsewhere.found.unavailable}
    places: dict[str, list[str]] = {}
    for finding in services.findings:
        if finding.is_left_out and finding.severity != "note" and finding.collection not in closed:
            name = finding.place.removeprefix(f"{finding.collection}: ").rpartition("/")[2]
            places.setdefault(finding.collection, []).append(name)
    for collection, names in places.items():
        what = "1 file or part of it is" if len(names) == 1 else f"{len(names)} files or parts of it are"
        shown = list_names(names, most=MOST_NAMED)
        yield Fault(reason=f"{what} left out: {shown}; see the log", collection=collection or None)


def _is_newest_among(dates: Sequence[FailingDate], layer: Layer) -> bool:
    """Whether the newest time of a layer, or its only data, could not be read in any of its variables."""
    newest = layer.times.instants[-1] if len(layer.times) else None
    names = {variable.name for variable in layer.variables}
    return any(
        date.collection == layer.collection and date.variable in names and date.instant == newest for date in dates
    )
