"""Inputs and outputs that several processes have, and what they mean; places, and times that tasks agree on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chronotile.core.errors import ChronotileError, InvalidParameter, SourceUnavailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import Trim
from chronotile.core.model.formats import TableFormat
from chronotile.core.model.geometry.geojson import GeometryRules
from chronotile.core.model.series.analysis import SLOT_KINDS
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84_URI, is_north_first
from chronotile.core.model.time.instants import ONE_NS, TimeSpan
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimePart, TimeSelection
from chronotile.core.model.types import InstantArray, Json
from chronotile.jobs.processes.process import Input, Inputs, JobSource, Output, choice, optional, source_of
from chronotile.pipeline.encoders.series.csv import DIALECTS, CsvOptions, require_days_apart
from chronotile.pipeline.resolve_series import layer_with_values, selection_of, series_indexes
from chronotile.pipeline.services import Services

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
    def source(self) -> JobSource:
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
    indexes = series_indexes(layer, selection, lift_limits(services))
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


def lift_limits(services: Services) -> Services:
    """Return services for what is read and written in parts, not answered at once; each picture keeps its limits."""
    unlimited = ("max_series_values", "max_area_values", "max_coverage_bytes", "max_animation_pixels", "max_seconds")
    limits = services.catalogue.limits.model_copy(update=dict.fromkeys(unlimited, UNBOUNDED))
    return replace(services, catalogue=replace(services.catalogue, limits=limits))


def geometry_rules(layer: Layer, services: Services, *, first: int = 1) -> GeometryRules:
    """Return what geometries about a layer may be; messages count features from `first`."""
    crs_named = partial(services.catalogue.offered_crs, owner=layer)
    return GeometryRules(max_vertices=MOST_VERTICES, max_features=MOST_FEATURES, crs_named=crs_named, first=first)


def _nothing_before(starts: InstantArray) -> TimeSelection:
    # A selection in which none of a layer's times lies.
    before = (starts - ONE_NS)[0]
    return TimeSelection("parts", (TimePart(TimeSpan(before, before), is_interval=True),))


# Inputs and outputs that several processes have.

LAYER = Input(title="Layer", description="Id or alias of the layer.", schema={"type": "string", "maxLength": 200})
MOST_LAYERS = 100
LAYERS = Input(
    title="Layers",
    description="Ids or aliases of layers of one collection, on one grid.",
    schema=LAYER.schema,
    most=MOST_LAYERS,
)
DATETIME = optional(
    "Times",
    "An instant, an interval, or a list of either; default: all times of the layer.",
    {"type": "string", "maxLength": 10_000},
)
BBOX = optional(
    "Bounding box",
    "Cells outside are left out; default: the whole layer. Coordinates are in the axis order of their "
    "CRS (default: CRS84). A west greater than the east crosses the antimeridian.",
    {
        "type": "object",
        "examples": [{"bbox": [4, 50, 5, 51]}],
        "required": ["bbox"],
        "additionalProperties": False,
        "properties": {
            "bbox": {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
            "crs": {"type": "string", "format": "uri", "default": CRS84_URI},
        },
        "format": "ogc-bbox",
    },
)
BY = optional(
    "Division of the year",
    "Parts of a year: days, dekads or months; by default, months for times four weeks and more apart, else dekads.",
    {"type": "string", "enum": list(SLOT_KINDS)},
)


CSV_INPUTS: Mapping[str, Input] = {
    "dialect": optional("Dialect of CSV", "semicolon writes ; between fields and a decimal comma.", choice(DIALECTS)),
    "date": optional(
        "Dates of CSV",
        "day writes times as YYYY-MM-DD, of layers with at most one time per day.",
        choice(("instant", "day")),
    ),
    "columns": optional(
        "Columns of CSV", "all adds the columns layer, units and attribution.", {"type": "string", "enum": ["all"]}
    ),
}


def check_csv_inputs(inputs: Inputs, layers: Iterable[Layer]) -> None:
    """Refuse inputs that a CSV of these layers, or a file that is not CSV, cannot have.

    Raises:
        InvalidParameter: There is one.
    """
    given = [name for name in CSV_INPUTS if name in inputs]
    if given and inputs.get("format", "csv") != "csv":
        raise InvalidParameter(f"{given[0]} is accepted for format csv alone; leave it out", locator=given[0])
    if csv_options_of(inputs).has_days:
        require_days_apart(layers)


def csv_options_of(inputs: Inputs) -> CsvOptions:
    """Return how the CSV of a job is written."""
    return CsvOptions(
        dialect=inputs.get("dialect", "comma"), has_days=inputs.get("date") == "day", has_source="columns" in inputs
    )


def series_file(title: str, description: str, formats: Sequence[TableFormat]) -> Output:
    """Return an output that is a file of series in one of some formats."""
    kinds: dict[str, Json] = {"csv": {"type": "string"}, "parquet": {"type": "string", "contentEncoding": "binary"}}
    media_types = {str(each): each.media_type for each in formats}
    schemas = [
        {**kinds.get(name, {"type": "object"}), "contentMediaType": media_type}
        for name, media_type in media_types.items()
    ]
    return Output(title=title, description=description, schema={"oneOf": schemas}, formats=media_types)


def layers_of(inputs: Inputs) -> tuple[str, ...]:
    """Return the ids or aliases that `layer` has, one or several."""
    layers = inputs["layer"]
    return (layers,) if isinstance(layers, str) else tuple(layers)


def layer_names_in(inputs: Inputs) -> list[str]:
    """Return the names of layers that any process is given, of inputs that are not checked yet."""
    given = [inputs.get(name, ()) for name in ("layer", "layers")]
    several = (each if isinstance(each, list | tuple) else (each,) for each in given)
    return [name for names in several for name in names[:MOST_LAYERS] if isinstance(name, str)]


def trims_of(inputs: Inputs, services: Services) -> tuple[Trim, ...]:
    """Return what `bbox` leaves: all without it.

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
