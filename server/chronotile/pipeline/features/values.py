"""The values of places at one time, a column a layer, as properties of features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.places import PlaceValuesRequest
from chronotile.core.model.request import IsActive, always_active
from chronotile.core.model.time.instants import ABSENT, DEFAULT, Instant
from chronotile.pipeline.resolve_series import instants_of
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.places import PlaceValuesTarget, extract_place_values, resolve_place_values
from chronotile.pipeline.services import Services


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
    parts = tuple((resolve_place_values(each, services), each) for each in timed)
    allowed, needed = (
        services.catalogue.limits.max_series_values,
        sum(len(target.numbers) for target, _request in parts),
    )
    require_at_most("max_series_values", needed, allowed, alternative="request fewer places", locator="layer")
    for target, _request in parts:
        if len(target.indexes) != 1:
            raise InvalidParameter(
                f"datetime selects {len(target.indexes)} times of layer {target.layer.id}; one is accepted, such as "
                "2023-06-05: /places/{set}/values gives values along time",
                locator="time",
            )
    used = {instant for target, _request in parts for instant in instants_of(target.layer, target.indexes)}
    return PlaceColumnsTarget(
        parts,
        fingerprint("place columns", *(target.etag for target, _request in parts)),
        TimeUsed(
            instants=tuple(sorted((each for each in used if not np.isnat(each)), reverse=True)),
            is_open=any(target.is_open for target, _request in parts),
        ),
    )


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
    return PlaceColumns(
        {
            each.layer: tuple(None if np.isnan(value) else value for value in each.values[:, 0].tolist())
            for each in found
        },
        tuple(sorted({instant for each in found for instant in each.unreadable})),
        tuple(sorted({item for each in found for item in each.left_out})),
    )
