"""The inputs of jobs about places: times that their tasks agree on, geometries, and which input is at fault."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chronotile.errors import ChronotileError, SourceUnavailable
from chronotile.model.collection import Layer
from chronotile.model.geometry.geojson import GeometryRules
from chronotile.model.time.instants import ABSENT, ONE_NS, InstantArray, TimePart, TimeSelection, TimeSpan
from chronotile.model.time.parser import parse_time
from chronotile.pipeline.resolve_series import layer_with_values, selection_of, series_indexes
from chronotile.pipeline.services import Services
from chronotile.processes.process import Inputs
from chronotile.processes.sources import Source, source_of

UNBOUNDED = 1 << 62
"""Of a job in all, whose tasks are bounded each."""
MOST_FEATURES = 250_000
MOST_VERTICES = 4_000_000
MOST_CONTAINERS = 4_000_000
"""Lists and objects of the body of an execution, each of which takes a hundred bytes and more once taken apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedTimes:
    """The times of a layer that a job is about."""

    layer: Layer
    indexes: tuple[int, ...]
    """Ascending, into the layer's times; of a layer without time, the one index 0."""
    selection: TimeSelection
    """Selects them."""

    @property
    def as_json(self) -> list[int]:
        """Nanoseconds since 1970 for all tasks, so that all find the same times even if new ones have come."""
        return instants_to_json(self._instants)

    @property
    def source(self) -> Source:
        """What a job reads that is about them."""
        return source_of(self.layer, self._instants)

    @property
    def _instants(self) -> InstantArray:
        instants = self.layer.times.instants
        return instants[list(self.indexes)] if instants.size else instants


@contextmanager
def locate_errors(names: Mapping[str, str]) -> Iterator[None]:
    """Say in errors which input is at fault.

    Args:
        names: Of inputs, by what the verbs call them.

    Raises:
        ChronotileError: The task did.
    """
    try:
        yield
    except ChronotileError as error:
        if error.locator is not None and not error.locator.startswith("inputs."):
            error.locator = f"inputs.{names.get(error.locator, error.locator)}"
        raise


def resolve_input_times(name: str, inputs: Inputs, services: Services) -> RequestedTimes:
    """Return the times of a layer that the input `datetime` names, however many.

    Raises:
        InvalidParameter: The layer is a composite.
        ChronotileError: The name or the times are not accepted.
    """
    layer = layer_with_values(name, services)
    selection = parse_time(inputs.get("datetime"))
    indexes = series_indexes(layer, selection, without_limits(services))
    return RequestedTimes(layer=layer, indexes=indexes, selection=selection)


def times_from_json(name: str, nanoseconds: Sequence[int], services: Services) -> RequestedTimes:
    """Return the times of a layer from the input of a task.

    Raises:
        UnknownLayer: The layer is gone.
        SourceUnavailable: One of them is.
    """
    layer = services.catalogue.layer(name)
    if not len(layer.times):
        return RequestedTimes(layer=layer, indexes=(0,), selection=ABSENT)
    starts, instants = layer.times.starts, instants_from_json(nanoseconds)
    if not np.isin(instants, starts).all():
        raise SourceUnavailable(f"a time of layer {layer.id} is gone since the job began; submit it again")
    indexes = tuple(np.searchsorted(starts, instants).tolist())
    selection = selection_of(layer.times, indexes) if indexes else _nothing_before(starts)
    return RequestedTimes(layer=layer, indexes=indexes, selection=selection)


def instants_to_json(instants: InstantArray) -> list[int]:
    """Return instants as JSON has them: nanoseconds since 1970."""
    nanoseconds: list[int] = instants.astype("datetime64[ns]").astype(np.int64).tolist()
    return nanoseconds


def instants_from_json(nanoseconds: Sequence[int]) -> InstantArray:
    """Return the instants that `instants_to_json` wrote."""
    return np.array(nanoseconds, dtype=np.int64).view("datetime64[ns]")


def without_limits(services: Services) -> Services:
    """Return services for what is read and written in parts, not answered at once; each picture keeps its limits."""
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
    crs_named = partial(services.catalogue.offered_crs, layer=layer)
    return GeometryRules(max_vertices=MOST_VERTICES, max_features=MOST_FEATURES, crs_named=crs_named, first=first)


def _nothing_before(starts: InstantArray) -> TimeSelection:
    # A selection in which none of a layer's times lies.
    before = (starts - ONE_NS)[0]
    return TimeSelection("parts", (TimePart(TimeSpan(before, before), is_interval=True),))
