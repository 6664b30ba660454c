"""The meaning of inputs of processes: layers, parts of them, and times that all tasks of a job share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chronotile.core.errors import ChronotileError, SourceUnavailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import Trim
from chronotile.core.model.geometry.geojson import GeometryRules
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84_URI, is_north_first
from chronotile.core.model.time.instants import ONE_NS, TimeSpan
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimePart, TimeSelection
from chronotile.core.model.types import InstantArray
from chronotile.jobs.processes.process import Inputs
from chronotile.jobs.processes.shared_inputs import MAX_LAYERS
from chronotile.jobs.processes.sources import JobSource, source_of
from chronotile.pipeline.resolve_series import layer_with_values, selection_of, series_indexes
from chronotile.pipeline.services import Services

UNBOUNDED = 1 << 62
"""Limit of a whole job: only its tasks are limited."""
MAX_FEATURES = 250_000
MAX_VERTICES = 4_000_000
MAX_CONTAINERS = 4_000_000
"""Limit of lists and objects in the body of an execution: each takes many times its text when parsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedTimes:
    """The times of a layer that a job reads."""

    layer: Layer
    indexes: tuple[int, ...]
    """Ascending, into the times of the layer; (0,) for a layer without time."""
    selection: TimeSelection
    """Selection of the same times, for requests to operations."""

    @property
    def as_json(self) -> list[int]:
        """Nanoseconds since 1970 for all tasks, so that new times of the layer do not change the indexes."""
        return instants_to_json(self._instants)

    @property
    def source(self) -> JobSource:
        """The layer at these times, for the list of sources of the job."""
        return source_of(self.layer, self._instants)

    @property
    def _instants(self) -> InstantArray:
        instants = self.layer.times.instants
        return instants[list(self.indexes)] if instants.size else instants


@contextmanager
def locate_errors(names: Mapping[str, str]) -> Iterator[None]:
    """Name the input at fault in errors of the body.

    Args:
        names: Names of inputs by the locators of errors of operations.
    """
    try:
        yield
    except ChronotileError as error:
        if error.locator is not None and not error.locator.startswith("inputs."):
            error.locator = f"inputs.{names.get(error.locator, error.locator)}"
        raise


def resolve_input_times(name: str, inputs: Inputs, services: Services) -> RequestedTimes:
    """Return the times of a layer in the input `datetime`, without a limit of their number.

    Raises:
        InvalidParameter: The layer is a composite.
        ChronotileError: The layer or the times are invalid.
    """
    layer = layer_with_values(name, services)
    selection = parse_time(inputs.get("datetime"))
    indexes = series_indexes(layer, selection, lift_limits(services))
    return RequestedTimes(layer=layer, indexes=indexes, selection=selection)


def times_from_json(name: str, nanoseconds: Sequence[int], services: Services) -> RequestedTimes:
    """Return the times of a layer from the shared input of tasks.

    Raises:
        UnknownLayer: The layer was removed.
        SourceUnavailable: A time was removed.
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
    """Return nanoseconds since 1970."""
    nanoseconds: list[int] = instants.astype("datetime64[ns]").astype(np.int64).tolist()
    return nanoseconds


def instants_from_json(nanoseconds: Sequence[int]) -> InstantArray:
    """Return the instants that `instants_to_json` wrote."""
    return np.array(nanoseconds, dtype=np.int64).view("datetime64[ns]")


def lift_limits(services: Services) -> Services:
    """Return services without limits for work that is done in parts; the limit of a single picture stays."""
    unlimited = ("max_series_values", "max_area_values", "max_coverage_bytes", "max_animation_pixels", "max_seconds")
    limits = services.catalogue.limits.model_copy(update=dict.fromkeys(unlimited, UNBOUNDED))
    return replace(services, catalogue=replace(services.catalogue, limits=limits))


def geometry_rules(layer: Layer, services: Services, *, first: int = 1) -> GeometryRules:
    """Return the rules for geometries about a layer; messages count features from `first`."""
    crs_named = partial(services.catalogue.offered_crs, owner=layer)
    return GeometryRules(max_vertices=MAX_VERTICES, max_features=MAX_FEATURES, crs_named=crs_named, first=first)


def _nothing_before(starts: InstantArray) -> TimeSelection:
    # A selection without any time of the layer
    before = (starts - ONE_NS)[0]
    return TimeSelection("parts", (TimePart(TimeSpan(before, before), is_interval=True),))


def layers_of(inputs: Inputs) -> tuple[str, ...]:
    """Return the ids or aliases in the input `layer`, which is a text or a list."""
    layers = inputs["layer"]
    return (layers,) if isinstance(layers, str) else tuple(layers)


def layer_names_in(inputs: Inputs) -> list[str]:
    """Return the names of layers in the unchecked inputs of any process."""
    values = [inputs.get(name, ()) for name in ("layer", "layers")]
    several = (value if isinstance(value, list | tuple) else (value,) for value in values)
    return [name for names in several for name in names[:MAX_LAYERS] if isinstance(name, str)]


def trims_of(inputs: Inputs, services: Services) -> tuple[Trim, ...]:
    """Return the part that the input `bbox` selects; empty without it.

    Raises:
        UnsupportedCrs: Its CRS is not offered.
        InvalidParameter: It is not a box.
    """
    if "bbox" not in inputs:
        return ()
    with locate_errors({"crs": "bbox.crs"}):
        layer = services.catalogue.layer(layers_of(inputs)[0])
        crs = services.catalogue.offered_crs(inputs["bbox"].get("crs", CRS84_URI), layer)
    box = BBox(*map(float, inputs["bbox"]["bbox"]))
    if is_north_first(crs):
        box = BBox(box.ymin, box.xmin, box.ymax, box.xmax)
    return (Trim(box=box, crs=crs, locator="bbox"),)
