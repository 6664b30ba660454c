"""What happened in places at one time, one column per layer, and places with such columns as whole files."""

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
from chronotile.pipeline.encoders.bodies import FileParts, translate_storage_errors
from chronotile.pipeline.encoders.vector.place_file import PLACE_FORMATS, write_place_file
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
    """(place,) by the id of the layer, as text has them: `None` where there is no value."""
    missing: Missing
    without_cells: Mapping[str, int]
    """Places that hold no cell's centre, by the id of each layer that has some."""


def resolve_place_columns(requests: Sequence[PlaceValuesRequest], services: Services) -> PlaceColumnsTarget:
    """Return the places, and the layer and time of each request; reads no pixels.

    Args:
        requests: Of the same places, one per layer, whose default time is meant where a request has none.
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
    return PlaceColumnsTarget(tuple(zip(targets, timed, strict=True)), etag, join_layer_times(times))


def extract_place_columns(
    target: PlaceColumnsTarget, services: Services, *, is_active: IsActive = always_active
) -> PlaceColumns:
    """Return the numbers that documents have of `extract_place_values` for each layer.

    Raises:
        LimitExceeded: The places have too many cells.
        SourceUnavailable: A source is gone or damaged.
        ClientGone: The client disconnected.
    """
    found = [extract_place_values(*part, services, is_active=is_active) for part in target.parts]
    rows = ((each.layer, statistics(each.values[:, 0], reducer=each.reducer).tolist()) for each in found)
    return PlaceColumns(
        {layer: tuple(None if isnan(value) else value for value in row) for layer, row in rows},
        join_missing(values.missing for values in found),
        {each.layer: each.without_cells for each in found if each.without_cells},
    )


def note_on_cells(without_cells: Mapping[str, int], places: int) -> str:
    """Return of which layers places have no value as they hold no cell's centre; empty without any."""
    return "; ".join(
        f"{count} of {places} places hold no centre of a cell of {layer}, weights=auto counts parts of cells"
        for layer, count in without_cells.items()
    )


# Whole files.

VERTEX_BYTES, PLACE_BYTES, PROPERTY_BYTES = 16, 200, 32
"""Of a file, about; a GeoPackage has an index as well."""
FEWER = "request fewer places"


def place_file(
    chosen: ChosenPlaces, format_name: str, services: Services, *, is_active: IsActive = always_active
) -> FileParts:
    """Return places as a file, which is written before this returns and is gone with its body.

    Args:
        chosen: What is written.
        format_name: One of `PLACE_FORMATS`.
        services: Their limits and memory.
        is_active: Whether the client still waits.

    Raises:
        MissingExtra: The server lacks the library that writes it.
        LimitExceeded: It would be larger than `max_coverage_bytes`.
        ServerBusy: Other answers take the memory that it needs.
        StorageFull: There is no room to write it.
        ClientGone: The client left.
    """
    require_extra("places", f"format {format_name}", locator="f")
    vertices = int(shapely.get_num_coordinates(chosen.shapes).sum())
    size = VERTEX_BYTES * vertices + (PLACE_BYTES + PROPERTY_BYTES * len(chosen.columns)) * len(chosen.numbers)
    allowed = services.catalogue.limits.max_coverage_bytes
    require_at_most("max_coverage_bytes", size, allowed, alternative=FEWER, locator="f")
    memory = services.memory.taking(2 * size, alternative=FEWER, locator="f", is_active=is_active)
    with memory, translate_storage_errors():
        return write_place_file(chosen, PLACE_FORMATS[format_name])
