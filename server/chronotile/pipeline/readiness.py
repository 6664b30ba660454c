"""Readiness: whether the server can answer about data, and the faults of its collections."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.collection import Layer
from chronotile.core.yaml_source import list_names
from chronotile.pipeline.failing_dates import list_failing_dates
from chronotile.pipeline.revision import pixel_revision
from chronotile.pipeline.services import Services
from chronotile.readers.failing_dates import FailingDate

NOT_OPEN = "its source cannot be opened, or contains nothing that can be served"
NEWEST_GONE = "the data of its newest time are gone"
MAX_LISTED_FILES = 3
"""Number of skipped files that a fault lists; the log has all."""
AWAY = "its source, on another machine, cannot be read now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A collection, layer or date that is not served as configured; the reason has no paths and URLs."""

    reason: str
    collection: str | None = None
    """`None` if the fault belongs to no collection."""
    layer: str | None = None
    variable: str | None = None
    time: str | None = None
    """The date of an unreadable date."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Result of a check of all layers."""

    is_ready: bool
    """Whether the newest data of at least one layer exist. A damaged date counts as existing: it is damaged for all
    servers of the archive, and other dates of its layer can be drawn."""
    failing: tuple[str, ...]
    """Ids of collections that did not open, or have a layer whose newest time is missing or damaged."""
    faults: tuple[Fault, ...]


def check_readiness(services: Services) -> Readiness:
    """Return whether the newest pixels of each layer exist, and all faults; reads no pixels."""
    readable = {layer: _is_readable(layer, services) for layer in services.catalogue.layers}
    remote = services.elsewhere.found
    unavailable = [collection for collection in remote.unavailable if services.may_name(collection)]
    missing = [
        layer for layer, is_readable in readable.items() if not is_readable and layer.collection not in unavailable
    ]
    closed_collections = [collection for collection in _closed_collections(services) if collection not in unavailable]
    dates = list_failing_dates(services)
    damaged = (layer.collection for layer in services.catalogue.layers if _is_newest_among(dates, layer))
    failing = dict.fromkeys((*closed_collections, *unavailable, *(layer.collection for layer in missing), *damaged))
    silent = {} if services.live_items is None else services.live_items.failing
    faults = (
        *(Fault(reason=NOT_OPEN, collection=collection) for collection in closed_collections),
        *(
            Fault(reason=": ".join(filter(None, (AWAY, remote.causes.get(collection)))), collection=collection)
            for collection in unavailable
        ),
        *(Fault(reason=NEWEST_GONE, collection=layer.collection, layer=layer.id) for layer in missing),
        *_list_skipped_files(services),
        *(
            Fault(reason=f"searches leave it out: {reason}", collection=collection)
            for collection, reason in silent.items()
        ),
        *(
            Fault(reason=date.reason, collection=date.collection, variable=date.variable, time=date.when)
            for date in dates
        ),
    )
    return Readiness(is_ready=any(readable.values()), failing=tuple(failing), faults=faults)


def _is_readable(layer: Layer, services: Services) -> bool:
    """Return whether the newest time can be read. Remote sources may hang and are not requested here."""
    if layer.collection in services.elsewhere:
        return not services.elsewhere.is_away(layer.collection)
    newest = tuple(layer.times.instants[-1:])
    try:
        pixel_revision(layer, newest, services)
    except SourceUnavailable:
        return False
    return True


def _closed_collections(services: Services) -> list[str]:
    """Return the configured collections without a layer that is served."""
    served = {collection.id for collection in services.catalogue.collections}
    reported = dict.fromkeys(finding.collection for finding in services.findings if finding.is_left_out)
    return [collection for collection in reported if collection and collection not in served]


def _list_skipped_files(services: Services) -> Iterator[Fault]:
    """Yield one fault for each open collection with skipped files, and one for files of no collection."""
    closed = {*_closed_collections(services), *services.elsewhere.found.unavailable}
    places: dict[str, list[str]] = {}
    for finding in services.findings:
        if finding.is_left_out and finding.severity != "note" and finding.collection not in closed:
            name = finding.place.removeprefix(f"{finding.collection}: ").rpartition("/")[2]
            places.setdefault(finding.collection, []).append(name)
    for collection, names in places.items():
        count = "1 file or part of it is" if len(names) == 1 else f"{len(names)} files or parts of it are"
        listed = list_names(names, most=MAX_LISTED_FILES)
        yield Fault(reason=f"{count} left out: {listed}; see the log", collection=collection or None)


def _is_newest_among(dates: Sequence[FailingDate], layer: Layer) -> bool:
    """Return whether the newest time of a layer, or its only data, is unreadable in one of its variables."""
    newest = layer.times.instants[-1] if len(layer.times) else None
    names = {variable.name for variable in layer.variables}
    return any(
        date.collection == layer.collection and date.variable in names and date.instant == newest for date in dates
    )
