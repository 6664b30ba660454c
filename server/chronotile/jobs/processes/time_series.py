"""The process *time-series*: values of layers at many points over time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Literal, assert_never, get_args

from chronotile.core.cancellation import require_active
from chronotile.core.errors import InvalidParameter
from chronotile.core.extras import require_extra
from chronotile.core.model.formats import TableFormat
from chronotile.core.model.geometry.json_text import MAX_ID_LENGTH
from chronotile.core.model.job import Result
from chronotile.core.model.request import Point, PointsSeriesRequest, place_in_degrees
from chronotile.core.model.series.series import PointsSeries
from chronotile.core.model.types import AnyArray, Json
from chronotile.jobs.processes.inputs import (
    MAX_FEATURES,
    RequestedTimes,
    lift_limits,
    locate_errors,
    resolve_input_times,
    times_from_json,
)
from chronotile.jobs.processes.process import Input, Inputs, JobPlan, Process, Work, choice, optional, require_few_tasks
from chronotile.jobs.processes.shared_inputs import (
    CSV_INPUTS,
    DATETIME,
    MAX_LAYERS,
    check_csv_inputs,
    csv_options_of,
    series_file,
)
from chronotile.jobs.processes.sources import JobSource
from chronotile.jobs.processes.work.partial_results import (
    PartialResult,
    new_file,
    read_partial_result,
    write_partial_result,
)
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.csv import encode_places_csv
from chronotile.pipeline.encoders.series.json import encode_points_json
from chronotile.pipeline.encoders.series.parquet import write_series_parquet
from chronotile.pipeline.encoders.series.table import Rows, SeriesTable, names_of, rows_of_points, value_column
from chronotile.pipeline.resolve_series import instants_of
from chronotile.pipeline.series.points import estimate_points, extract_points_series
from chronotile.pipeline.services import Services

POINTS_PER_TASK = 500
TASK_VALUES = 2_000_000
"""Values in the result of a task, unless one point has more."""
VALUE_S = 2e-7
"""Processor time to write a value of a point."""

PointsFormat = Literal[TableFormat.CSV, TableFormat.JSON, TableFormat.PARQUET]
FORMATS: Mapping[str, PointsFormat] = {str(format_): format_ for format_ in get_args(PointsFormat)}
"""Formats by name, which is also the extension of the file."""
NAMES = {"layer": "layers", "time": "datetime"}
"""Names of inputs of the job, by names of parameters in errors of the core."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    tasks, times_of_layers, sources = list[Json](), dict[str, list[int]](), list[JobSource]()
    seconds, pixels = 0.0, 0
    with locate_errors(NAMES):
        layers, points = _layers(inputs, services), _points(inputs, slice(None))
        format_ = inputs.get("format", TableFormat.CSV)
        if len(layers) > 1 and format_ != TableFormat.JSON:
            raise InvalidParameter(f"format {format_} takes one layer at a time; json takes several", locator="format")
        if format_ == TableFormat.PARQUET:
            require_extra("parquet", "format parquet", locator="format")
        check_csv_inputs(inputs, map(services.catalogue.layer, layers))
        for layer in layers:
            times = resolve_input_times(layer, inputs, services)
            times_of_layers[layer], count = times.as_json, len(times.indexes)
            sources.append(times.source)
            step = max(1, min(POINTS_PER_TASK, TASK_VALUES // max(1, count)))
            firsts = range(0, len(points), step)
            require_few_tasks(len(tasks) + len(firsts), alternative="request fewer points, layers or times")
            tasks += [{"layer": layer, "first": first, "last": min(first + step, len(points))} for first in firsts]
            seconds += estimate_points(times.layer, points, times.indexes, services) + len(points) * count * VALUE_S
            pixels += len(points) * count
    shared = {"times": times_of_layers}
    return JobPlan(tasks=tasks, seconds=seconds, held_bytes=0, shared=shared, sources=sources, pixels=pixels)


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    with locate_errors(NAMES):
        times = _times(task, work)
        request = PointsSeriesRequest(
            layer=times.layer.id, points=_points(inputs, slice(task["first"], task["last"])), time=times.selection
        )
        (series,) = extract_points_series([request], lift_limits(work.services), is_active=work.is_active)
    arrays: dict[str, AnyArray] = {"values": series.values, "codes": series.codes, "is_outside": series.is_outside}
    metadata = {"reasons": series.reasons, "reach": series.reach, "hints": series.hints}
    partial = f"{task['layer']}-{task['first']}"
    write_partial_result(work, partial, PartialResult(arrays=arrays, metadata=metadata))
    return task | {"piece": partial}


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    format_ = FORMATS[inputs.get("format", "csv")]
    name = f"series.{format_}"
    with new_file(work.results / name, work) as file:
        match format_:
            case TableFormat.JSON:
                by_layer = groupby(done, key=lambda task: task["layer"])
                file.writelines(encode_points_json(_table(inputs, list(tasks), work) for _layer, tasks in by_layer))
            case TableFormat.CSV:
                file.writelines(encode_places_csv(_table(inputs, done, work), csv_options_of(inputs)))
            case TableFormat.PARQUET:
                write_series_parquet(_table(inputs, done, work), file)
            case _:
                assert_never(format_)
    return {"series": Result(file=name, media_type=format_.media_type)}


def _table(inputs: Inputs, tasks: Sequence[Json], work: Work) -> SeriesTable:
    """Return the table of the results of all tasks of a layer."""
    times = _times(tasks[0], work)
    layer, instants = times.layer, instants_of(times.layer, times.indexes)
    encoding = layer.main_variable.encoding

    def parts() -> Iterator[Rows]:
        for task in tasks:
            require_active(work.is_active)
            read = read_partial_result(work, task["piece"])
            series = PointsSeries(
                layer=layer.id,
                units=encoding.units,
                times=instants,
                points=_points(inputs, slice(task["first"], task["last"])),
                is_outside=read.arrays["is_outside"],
                values=read.arrays["values"],
                codes=read.arrays["codes"],
                reasons=tuple(read.metadata["reasons"]),
                reach=read.metadata["reach"],
                hints=read.metadata["hints"],
                encoding=encoding,
            )
            yield rows_of_points(series, first=task["first"])

    return SeriesTable(
        title=layer.id,
        units=encoding.units,
        times=instants,
        columns=(value_column(encoding.units, encoding, instants),),
        names=names_of(id_ for _position, id_ in _positions(inputs, slice(None))[0]),
        parts=parts,
        credits=Credits.from_layers([layer]),
    )


def _times(task: Json, work: Work) -> RequestedTimes:
    # Times of the layer of a task
    return times_from_json(task["layer"], work.shared["times"][task["layer"]], work.services)


def _layers(inputs: Inputs, services: Services) -> list[str]:
    # Ids of the layers without duplicates
    names = inputs["layers"] if isinstance(inputs["layers"], list) else [inputs["layers"]]
    return list(dict.fromkeys(services.catalogue.layer(name).id for name in names))


def _points(inputs: Inputs, part: slice) -> tuple[Point, ...]:
    # The points of one part of the job
    listed, path = _positions(inputs, part)
    return tuple(_point(*position, path.format(number)) for number, position in enumerate(listed, part.start or 0))


def _positions(inputs: Inputs, part: slice) -> tuple[list[tuple[Sequence[float], Any]], str]:
    """Return position and id of a slice of the points, and the format of their paths in the inputs."""
    points = inputs["points"]
    if isinstance(points, list):
        return [(position, None) for position in points[part]], "points[{}]"
    if points["type"] == "MultiPoint":
        return [(position, None) for position in points["coordinates"][part]], "points.coordinates[{}]"
    listed = [(feature["geometry"]["coordinates"], feature.get("id")) for feature in points["features"][part]]
    return listed, "points.features[{}].geometry.coordinates"


def _point(position: Sequence[float], id_: Any, path: str) -> Point:  # noqa: ANN401 -- as the schema has it
    try:
        place = place_in_degrees(float(position[0]), float(position[1]))
    except InvalidParameter as error:
        raise InvalidParameter(f"inputs.{path}: {error.message}", locator=f"inputs.{path}") from error
    return replace(place, id=id_)


POSITION: Json = {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "number"}}
POSITIONS: Json = {"type": "array", "minItems": 1, "maxItems": MAX_FEATURES, "items": POSITION}
MULTI_POINT: Json = {
    "type": "object",
    "required": ["type", "coordinates"],
    "properties": {"type": {"type": "string", "enum": ["MultiPoint"]}, "coordinates": POSITIONS},
    "format": "geojson-geometry",
}
POINT_FEATURE: Json = {
    "type": "object",
    "required": ["geometry"],
    "properties": {
        "id": {"oneOf": [{"type": "string", "maxLength": MAX_ID_LENGTH}, {"type": "number"}]},
        "geometry": {
            "type": "object",
            "required": ["type", "coordinates"],
            "properties": {"type": {"type": "string", "enum": ["Point"]}, "coordinates": POSITION},
        },
    },
}
POINT_FEATURES: Json = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "minItems": 1, "maxItems": MAX_FEATURES, "items": POINT_FEATURE},
    },
    "format": "geojson-feature-collection",
}

process = Process(
    id="time-series",
    title="Time series",
    description="Time series of layers at many points: the same as /timeseries/points, for up to "
    f"{MAX_FEATURES:,} points.",
    keywords=("time series", "points"),
    inputs={
        "layers": Input(
            title="Layers",
            description="Ids or aliases; several only with json.",
            schema={"type": "string", "maxLength": 200},
            most=MAX_LAYERS,
        ),
        "points": Input(
            title="Points",
            description="Longitudes and latitudes in CRS84: a list of positions, a GeoJSON MultiPoint, or a "
            "FeatureCollection of points, whose ids are in the result.",
            schema={"oneOf": [POSITIONS, MULTI_POINT, POINT_FEATURES]},
        ),
        "datetime": DATETIME,
        "format": optional(
            "Format",
            "Format of the file: csv and parquet are long tables, one row per point and time.",
            choice(FORMATS),
        ),
        **CSV_INPUTS,
    },
    outputs={"series": series_file("Series", "The file, as from /timeseries/points.", get_args(PointsFormat))},
    plan=_plan,
    run=_run,
    finish=_finish,
)
