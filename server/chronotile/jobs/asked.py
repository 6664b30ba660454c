"""What jobs about places are asked with: times that their blocks agree on, geometries, and which input is at fault."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chronotile.errors import ChronotileError, SourceUnavailable
from chronotile.jobs.job import Json
from chronotile.jobs.process import Inputs
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs
from chronotile.model.geojson import GeometryRules
from chronotile.model.time import TimeSelection, format_instant, parse_instant, parse_time
from chronotile.pipeline.extract_series import layer_with_values, series_indexes
from chronotile.pipeline.services import Services
from chronotile.pipeline.widened_times import selection_of

UNBOUNDED = 1 << 62
"""Of a job in all, whose blocks are bounded each."""
MOST_FEATURES = 250_000
MOST_VERTICES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTimes:
    """The times of a layer that a job is about."""

    layer: Layer
    indexes: tuple[int, ...]
    """Ascending, into the layer's times; of a layer without time, the one index 0."""
    selection: TimeSelection
    """Selects them."""

    @property
    def told(self) -> Json:
        """What a block is told, so that it finds the same times even where newer ones have come."""
        has_times = len(self.layer.times) > 0 and len(self.indexes) > 0
        until = format_instant(self.layer.times.instants[self.indexes[-1]]) if has_times else None
        return {"count": len(self.indexes), "until": until}


@contextmanager
def located(names: Mapping[str, str]) -> Iterator[None]:
    """Say in errors which input is at fault.

    Args:
        names: Of inputs, by what the verbs call them.

    Raises:
        ChronotileError: The block did.
    """
    try:
        yield
    except ChronotileError as error:
        if error.locator is not None and not error.locator.startswith("inputs."):
            error.locator = f"inputs.{names.get(error.locator, error.locator)}"
        raise


def asked_times(name: str, inputs: Inputs, services: Services) -> AskedTimes:
    """Return the times of a layer that the input `datetime` names.

    Raises:
        InvalidParameter: The layer is a composite.
        ChronotileError: The name or the times are not accepted.
    """
    layer = layer_with_values(name, services)
    selection = parse_time(inputs.get("datetime"))
    return AskedTimes(layer=layer, indexes=series_indexes(layer, selection, services), selection=selection)


def told_times(name: str, inputs: Inputs, told: Json, services: Services) -> AskedTimes:
    """Return the times that a block was told of.

    Raises:
        SourceUnavailable: There are others now.
        ChronotileError: As `asked_times`.
    """
    asked = asked_times(name, inputs, services)
    domain, indexes = asked.layer.times, asked.indexes
    if told["until"] is not None:
        until = parse_instant(told["until"]).start
        indexes = tuple(index for index in indexes if domain.instants[index] <= until)
    if len(indexes) != told["count"]:
        raise SourceUnavailable(f"the times of layer {asked.layer.id} changed since the job began; ask for it anew")
    selection = selection_of(domain, indexes) if told["until"] is not None else asked.selection
    return AskedTimes(layer=asked.layer, indexes=indexes, selection=selection)


def without_limits(services: Services) -> Services:
    """Return services for what is read and written in pieces, not answered at once; each picture keeps its limits."""
    limits = replace(
        services.catalogue.limits,
        max_series_values=UNBOUNDED,
        max_area_values=UNBOUNDED,
        max_coverage_bytes=UNBOUNDED,
        max_animation_pixels=UNBOUNDED,
    )
    return replace(services, catalogue=replace(services.catalogue, limits=limits))


def geometry_rules(layer: Layer, services: Services, *, first: int = 1) -> GeometryRules:
    """Return what geometries about a layer may be; messages count features from `first`."""

    def crs_named(name: str) -> Crs:
        own = layer.main_variable.grid.crs
        return own if name.upper() == own.name.upper() else services.catalogue.offered_crs(name)

    return GeometryRules(max_vertices=MOST_VERTICES, max_features=MOST_FEATURES, crs_named=crs_named, first=first)
