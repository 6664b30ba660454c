"""Values of places at one time, one column per layer, and files of places with these columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import shapely

from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.extras import require_extra
from chronotile.core.model.number_text import statistics
from chronotile.core.model.payload import Missing, TimeUsed, join_layer_times, join_missing
from chronotile.core.model.places import ChosenPlaces, PlaceValuesRequest
from chronotile.core.model.time.selection import ABSENT, DEFAULT
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles, translate_storage_errors
from chronotile.pipeline.encoders.vector.place_file import PLACE_FORMATS, write_place_file
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.places import PlaceValuesTarget, extract_place_values, resolve_place_values
from chronotile.pipeline.services import Services

ONE = "one is accepted, such as 2023-06-05: /places/{set}/values gives values along time"


@dataclass(frozen=True, slots=True, eq=False)
class PlaceColumnsTarget:
    """Requests for one time each, resolved to places and layers."""

    parts: tuple[tuple[PlaceValuesTarget, PlaceValuesRequest], ...]
    etag: str
    time: TimeUsed
    """The times of all layers."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceColumns:
    """One number per place and layer."""

    columns: Mapping[str, tuple[float | None, ...]]
    """(place,) values rounded as in documents, by id of the layer; `None` for missing values."""
    missing: Missing
    without_cells: Mapping[str, int]
    """Number of places without a cell centre, by id of the layer; only layers that have any."""


def resolve_place_columns(requests: Sequence[PlaceValuesRequest], services: Services) -> PlaceColumnsTarget:
    """Return the places, and the layer and time of each request; reads no pixels.

    Args:
        requests: Requests for the same places, one per layer; without a time, the default time of the layer is used.
        services: The services with the layers.

    Raises:
        LimitExceeded: There are more than `max_series_values` values.
        InvalidParameter: A layer has several of the requested times, or none.
        ChronotileError: Errors of `resolve_place_values`.
    """
    timed = [replace(request, time=DEFAULT) if request.time == ABSENT else request for request in requests]
    targets = [resolve_place_values(request, services) for request in timed]
    allowed, needed = services.catalogue.limits.max_series_values, sum(len(target.numbers) for target in targets)
    require_at_most("max_series_values", needed, allowed, alternative="request fewer places", locator="layer")
    for target in targets:
        if len(target.indexes) != 1:
            raise InvalidParameter(
                f"{len(target.indexes)} times of layer {target.layer.id} are selected; {ONE}", locator="time"
            )
    times = [ResolvedTimes(target.indexes, is_open=target.is_open).times_used(target.layer.times) for target in targets]
    etag = fingerprint("place columns", *(target.etag for target in targets))
    return PlaceColumnsTarget(tuple(zip(targets, timed, strict=True)), etag, join_layer_times(times))


def extract_place_columns(
    target: PlaceColumnsTarget, services: Services, *, is_active: IsActive = always_active
) -> PlaceColumns:
    """Return the numbers of `extract_place_values` for each layer, rounded as in documents.

    Raises:
        LimitExceeded: The places have too many cells.
        SourceUnavailable: A source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    layer_values = [extract_place_values(*part, services, is_active=is_active) for part in target.parts]
    rows = ((values.layer, statistics(values.values[:, 0], reducer=values.reducer).tolist()) for values in layer_values)
    return PlaceColumns(
        {layer: tuple(None if isnan(value) else value for value in row) for layer, row in rows},
        join_missing(values.missing for values in layer_values),
        {values.layer: values.without_cells for values in layer_values if values.without_cells},
    )


def note_on_cells(without_cells: Mapping[str, int], places: int) -> str:
    """Return a sentence about layers with places that contain no cell centre; empty if there are none."""
    return "; ".join(
        f"{count} of {places} places hold no centre of a cell of {layer}, weights=auto counts parts of cells"
        for layer, count in without_cells.items()
    )


# Files of places.

VERTEX_BYTES, PLACE_BYTES, PROPERTY_BYTES = 16, 200, 32
"""Approximate sizes in a file; a GeoPackage has an index in addition."""
FEWER = "request fewer places"


def place_file(
    chosen: ChosenPlaces, format_name: str, services: Services, *, is_active: IsActive = always_active
) -> ConcatenatedFiles:
    """Return places as a file; it is deleted when its body is closed.

    Args:
        chosen: The places.
        format_name: One of `PLACE_FORMATS`.
        services: The services with limits and memory.
        is_active: Whether the client still waits.

    Raises:
        MissingExtra: The library for the format is not installed.
        LimitExceeded: The file would be larger than `max_coverage_bytes`.
        ServerBusy: Other answers use the memory that it needs.
        StorageFull: The disk or its quota is full.
        ClientGone: The client closed the connection.
    """
    require_extra("places", f"format {format_name}", locator="f")
    vertices = int(shapely.get_num_coordinates(chosen.shapes).sum())
    size = VERTEX_BYTES * vertices + (PLACE_BYTES + PROPERTY_BYTES * len(chosen.columns)) * len(chosen.numbers)
    allowed = services.catalogue.limits.max_coverage_bytes
    require_at_most("max_coverage_bytes", size, allowed, alternative=FEWER, locator="f")
    memory = services.memory.taking(2 * size, alternative=FEWER, locator="f", is_active=is_active)
    with memory, translate_storage_errors():
        return write_place_file(chosen, PLACE_FORMATS[format_name])
