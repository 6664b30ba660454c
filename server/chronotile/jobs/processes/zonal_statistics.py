"""The process *zonal-statistics*: statistics of a layer in many areas over time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, assert_never, get_args

import numpy as np
import orjson

from chronotile.core.cancellation import require_active
from chronotile.core.errors import InvalidParameter
from chronotile.core.extras import require_extra
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import TableFormat
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.geometry.geojson import areas_of
from chronotile.core.model.job import Result
from chronotile.core.model.request import WEIGHTS, AreaSeriesRequest
from chronotile.core.model.series.reducers import MAX_REDUCERS, Reducer, parse_reducers
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Json
from chronotile.jobs.processes.inputs import (
    MAX_FEATURES,
    RequestedTimes,
    geometry_rules,
    lift_limits,
    locate_errors,
    resolve_input_times,
    times_from_json,
)
from chronotile.jobs.processes.process import Input, Inputs, JobPlan, Process, Work, choice, optional, require_few_tasks
from chronotile.jobs.processes.shared_inputs import (
    CSV_INPUTS,
    DATETIME,
    LAYER,
    check_csv_inputs,
    csv_options_of,
    series_file,
)
from chronotile.jobs.processes.work.partial_results import (
    PartialResult,
    new_file,
    read_metadata,
    read_partial_result,
    write_partial_result,
)
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.csv import encode_places_csv
from chronotile.pipeline.encoders.series.json import encode_series_geojson
from chronotile.pipeline.encoders.series.parquet import write_series_parquet
from chronotile.pipeline.encoders.series.table import Rows, SeriesTable, names_of, reducer_columns, table_values
from chronotile.pipeline.resolve_series import instants_of
from chronotile.pipeline.series.areas import cost_of_area_series, extract_area_series
from chronotile.pipeline.services import Services

PLACES_PER_TASK = 500
TASK_VALUES = 1_000_000
"""Values in the result of a task, unless one place has more."""
COSTS = 16
"""Sampled tasks: finding the cells of all tasks for the estimate would take as long as reading some of them."""
PLACE_S = 1e-4
"""Processor time to write a place, in addition to its cells."""

StatisticsFormat = Literal[TableFormat.CSV, TableFormat.GEOJSON, TableFormat.PARQUET]
FORMATS: Mapping[str, StatisticsFormat] = {str(format_): format_ for format_ in get_args(StatisticsFormat)}
"""Formats by name, which is also the extension of the file."""
NAMES = {"geometry": "places", "place": "places", "crs": "places.crs", "time": "datetime"}
"""Names of inputs by the locators of errors of operations."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    with locate_errors(NAMES):
        times = resolve_input_times(inputs["layer"], inputs, services)
        reducers = parse_reducers(inputs.get("reducers", ["mean"]))
        if inputs.get("format") == "parquet":
            require_extra("parquet", "format parquet", locator="format")
        check_csv_inputs(inputs, [times.layer])
        columns = sum(reducer.bins or 1 for reducer in reducers)
        step = max(1, min(PLACES_PER_TASK, TASK_VALUES // max(1, columns * len(times.indexes))))
        count = _count(inputs, services)
        firsts = range(0, count, step)
        require_few_tasks(len(firsts), alternative="request fewer places or times")
        sampled_firsts = firsts[:: max(1, len(firsts) // COSTS)]
        costs = []
        for first in firsts:  # all are parsed, to refuse invalid places, but only one task is in memory
            areas = _areas(inputs, slice(first, first + step), times.layer, services)
            if first in sampled_firsts:
                request = _request(inputs, times.layer, areas, times.selection)
                costs.append(cost_of_area_series(request, lift_limits(services)))
        if not any(cost.cells for cost in costs):
            _require_some_inside(inputs, times, services, firsts=firsts)
    seconds = sum(cost.seconds for cost in costs) * len(firsts) / len(sampled_firsts) + PLACE_S * count
    tasks = [{"first": first, "last": min(first + step, count)} for first in firsts]
    shared, pixels = {"times": times.as_json}, sum(cost.cells for cost in costs) * len(firsts) // len(sampled_firsts)
    return JobPlan(tasks=tasks, seconds=seconds, held_bytes=0, shared=shared, sources=[times.source], pixels=pixels)


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    with locate_errors(NAMES):
        times = times_from_json(inputs["layer"], work.shared["times"], work.services)
        areas = _areas(inputs, slice(task["first"], task["last"]), times.layer, work.services)
        request = _request(inputs, times.layer, areas, times.selection)
        series = extract_area_series(request, lift_limits(work.services), is_active=work.is_active)
    name = f"places-{task['first']}"
    places = [[area.area.id, area.area.note] for area in series.areas]
    arrays = {
        "total": np.array([area.total for area in series.areas], dtype=np.int64),
        "valid": np.stack([area.valid for area in series.areas]),
        **{
            f"reduced-{number}": np.stack([area.reduced[reducer.name] for area in series.areas])
            for number, reducer in enumerate(request.reducers)
        },
    }
    edges = {reducer: area.tolist() for reducer, area in series.edges.items()}
    write_partial_result(work, name, PartialResult(arrays=arrays, metadata={"places": places, "edges": edges}))
    return {"piece": name, "first": task["first"], "last": task["last"]}


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    times = times_from_json(inputs["layer"], work.shared["times"], work.services)
    layer, reducers = times.layer, parse_reducers(inputs.get("reducers", ["mean"]))
    format_ = FORMATS[inputs.get("format", "csv")]
    instants = instants_of(layer, times.indexes)

    def parts() -> Iterator[Rows]:
        for task in done:
            require_active(work.is_active)
            read = read_partial_result(work, task["piece"])
            part = slice(task["first"], task["last"])
            outlines = _areas(inputs, part, layer, work.services) if format_ == TableFormat.GEOJSON else None
            yield _rows(read, reducers, first=task["first"], outlines=outlines)

    metadata = [read_metadata(work, task["piece"]) for task in done]
    units = layer.main_variable.encoding.units
    edges = {name: np.array(values) for name, values in metadata[0]["edges"].items()}
    places = [place for part in metadata for place in part["places"]]
    table = SeriesTable(
        title=layer.id,
        units=units,
        times=instants,
        columns=reducer_columns([reducer.name for reducer in reducers], units, instants, edges),
        names=names_of(id_ for id_, _note in places),
        parts=parts,
        has_areas=True,
        has_notes=any(note is not None for _id, note in places),
        edges=edges,
        credits=Credits.from_layers([layer]),
    )
    name = f"statistics.{format_}"
    with new_file(work.results / name, work) as file:
        match format_:
            case TableFormat.CSV:
                file.writelines(encode_places_csv(table, csv_options_of(inputs)))
            case TableFormat.GEOJSON:
                file.writelines(encode_series_geojson(table))
            case TableFormat.PARQUET:
                write_series_parquet(table, file)
            case _:
                assert_never(format_)
    return {"statistics": Result(file=name, media_type=format_.media_type)}


def _require_some_inside(inputs: Inputs, times: RequestedTimes, services: Services, *, firsts: range) -> None:
    """Refuse places that all lie outside the layer. Every task is checked, as the estimate samples only some.

    Raises:
        InvalidParameter: All places lie outside.
    """
    fault: InvalidParameter | None = None
    for first in firsts:
        areas = _areas(inputs, slice(first, first + firsts.step), times.layer, services)
        try:
            request = _request(inputs, times.layer, areas, times.selection, may_be_outside=False)
            cost_of_area_series(request, lift_limits(services))
        except InvalidParameter as error:
            fault = fault or error  # only the first, as each refers to the areas of a task
        else:
            return
    if fault is not None:
        count = _count(inputs, services)
        prefix = "" if len(firsts) == 1 else f"none of the {count} places lies in the layer: of the first "
        raise InvalidParameter(f"{prefix}{fault.message}", locator=fault.locator) from fault


def _request(
    inputs: Inputs, layer: Layer, areas: Sequence[Area], time: TimeSelection, *, may_be_outside: bool = True
) -> AreaSeriesRequest:
    return AreaSeriesRequest(
        layer=layer.id,
        areas=tuple(areas),
        time=time,
        reducers=parse_reducers(inputs.get("reducers", ["mean"])),
        weights=inputs.get("weights", "pixel"),
        min_valid=float(inputs.get("min_valid", 0)),
        may_be_outside=may_be_outside,
    )


def _count(inputs: Inputs, services: Services) -> int:
    places = inputs["places"]
    return len(services.catalogue.place_set(places) if isinstance(places, str) else places["features"])


def _areas(inputs: Inputs, part: slice, layer: Layer, services: Services) -> Sequence[Area]:
    """Return a slice of the places."""
    places = inputs["places"]
    if isinstance(places, str):
        place_set = services.catalogue.place_set(places)
        return place_set.areas_of(range(len(place_set))[part])

    rules = geometry_rules(layer, services, first=(part.start or 0) + 1)
    return areas_of(orjson.dumps(places | {"features": places["features"][part]}), rules)


def _rows(read: PartialResult, reducers: Sequence[Reducer], *, first: int, outlines: Sequence[Area] | None) -> Rows:
    """Return the rows of the result of a task; their areas have no polygons without `outlines`."""
    ids, notes = zip(*read.metadata["places"], strict=True)
    return Rows(
        places=[Area(polygons=(), id=id_) for id_ in ids] if outlines is None else outlines,
        values={
            reducer.name: table_values(reducer.name, read.arrays[f"reduced-{number}"])
            for number, reducer in enumerate(reducers)
        },
        first=first,
        valid=read.arrays["valid"],
        total=read.arrays["total"],
        notes=notes,
    )


FEATURES: Json = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "minItems": 1, "maxItems": MAX_FEATURES, "items": {"type": "object"}},
    },
    "format": "geojson-feature-collection",
}

process = Process(
    id="zonal-statistics",
    title="Zonal statistics",
    description="Statistics of a layer in many areas over time, such as the mean of each field at each date: the "
    f"same as /timeseries/{{layer}}/areas, for up to {MAX_FEATURES:,} areas.",
    keywords=("statistics", "time series", "polygons"),
    inputs={
        "layer": LAYER,
        "places": Input(
            title="Places",
            description="The areas: polygons as a GeoJSON FeatureCollection, or the id of a set of places.",
            schema={"oneOf": [{"type": "string", "maxLength": 200}, FEATURES]},
        ),
        "datetime": DATETIME,
        "reducers": optional(
            "Reducers",
            "Reducers of the values of an area at one time: mean, min, max, std, median, count, "
            "valid_share, sum, percentiles such as p10, histogram:BINS:LOW:HIGH.",
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_REDUCERS,
                "items": {"type": "string", "maxLength": 100},
                "default": ["mean"],
            },
        ),
        "weights": optional(
            "Weights",
            "pixel: cells with their centre in the area, with equal weight; area: all cells that it "
            "touches, weighted by the part inside.",
            choice(WEIGHTS),
        ),
        "min_valid": optional(
            "Least valid share",
            "Minimum share of cells with a value; below it there is no statistic.",
            {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
        ),
        "format": optional(
            "Format", "Format of the file: csv and parquet are long tables, one row per area and time.", choice(FORMATS)
        ),
        **CSV_INPUTS,
    },
    outputs={
        "statistics": series_file(
            "Statistics", "The file, as from /timeseries/{layer}/areas.", get_args(StatisticsFormat)
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
