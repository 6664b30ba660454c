"""The values of places at one time, a column a layer, as properties of features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.payload import TimeUsed, time_of_all
from chronotile.core.model.places import PlaceValuesRequest
from chronotile.core.model.request import IsActive, always_active
from chronotile.core.model.time.instants import ABSENT, DEFAULT, Instant
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.places import PlaceValuesTarget, extract_place_values, resolve_place_values
from chronotile.pipeline.services import Services

ONE = "one is accepted, such as 2023-06-05: /places/{set}/values gives values along time"


@dataclass(frozen=True, slots=True, eq=False)
class PlaceColumnsTarget:
    """Requests of one time each, resolved to what exists."""

    parts: tuple[tuple[PlaceValuesTarget, PlaceValuesRequest], ...]
    etag: str
    time: TimeUsed
    """Of all layers."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceColumns:
    """One number a place and layer."""

    columns: Mapping[str, tuple[float | None, ...]]
    """(place,) by the id of the layer: `None` where there is no value."""
    unreadable: tuple[Instant, ...]
    """Ascending: times at which a place has a cell that could not be read."""
    left_out: tuple[str, ...]
    """Ids of items of mosaics that could not be read."""


def resolve_place_columns(requests: Sequence[PlaceValuesRequest], services: Services) -> PlaceColumnsTarget:
    """Return the places, and the layer and time of each request; reads no pixels.

    Args:
        requests: Of the same places, one a layer, whose default time is meant where a request has none.
        services: What is served.

    Raises:
        LimitExceeded: There would be more than `max_series_values`.
        InvalidParameter: A time is several ones of a layer, or none.
        ChronotileError: As `resolve_place_values`.
    """
    timed = [replace(each, time=DEFAULT) if each.time == ABSENT else each for each in requests]
    targets = [resolve_place_values(each, services) for each in timed]
    allowed, needed = services.catalogue.limits.max_series_values, sum(len(each.numbers) for each in targets)
    require_at_most("max_series_values", needed, allowed, alternative="request fewer places", locator="layer")
    for each in targets:
        if len(each.indexes) != 1:
            raise InvalidParameter(
                f"{len(each.indexes)} times of layer {each.layer.id} are selected; {ONE}", locator="time"
            )
    times = [ResolvedTimes(each.indexes, is_open=each.is_open).used(each.layer.times) for each in targets]
    etag = fingerprint("place columns", *(each.etag for each in targets))
    return PlaceColumnsTarget(tuple(zip(targets, timed, strict=True)), etag, time_of_all(times))


def extract_place_columns(
    target: PlaceColumnsTarget, services: Services, *, is_active: IsActive = always_active
) -> PlaceColumns:
    """Return the numbers that `extract_place_values` gives for each layer.

    Raises:
        LimitExceeded: The places have too many cells.
        SourceUnavailable: A source is gone or damaged.
        ClientGone: The client disconnected.
    """
    found = [extract_place_values(*part, services, is_active=is_active) for part in target.parts]
    rows = ((each.layer, each.values[:, 0].tolist()) for each in found)
    return PlaceColumns(
        {layer: tuple(None if isnan(value) else value for value in row) for layer, row in rows},
        tuple(sorted({instant for each in found for instant in each.unreadable})),
        tuple(sorted({item for each in found for item in each.left_out})),
    )
