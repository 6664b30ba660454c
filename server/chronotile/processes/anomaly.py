"""How values lie to those of the same time of other years."""

from collections.abc import Mapping, Sequence
from functools import partial

from chronotile.encoders.coverage.cog import MOST_BANDS
from chronotile.errors import LimitExceeded
from chronotile.model.job import Json, Result
from chronotile.model.series.analysis import ANOMALY_KINDS, AnomalyKind, Climatology, Curves, FloatArray
from chronotile.model.time.instants import format_instant
from chronotile.pipeline.services import Services
from chronotile.processes.inputs import BBOX, BY, DATETIME, LAYER
from chronotile.processes.process import Input, Inputs, JobPlan, Output, Process, Work
from chronotile.processes.work.map_files import (
    GEOTIFF,
    geotiff_of_partial_maps,
    make_bands,
    require_geotiff,
    store_partial_maps,
)
from chronotile.processes.work.windows import all_of, found_by_cell, itemsize, planned_windows, select_cells, window_of
from chronotile.stats.climatology import find_anomalies, find_normals

VALUE_S = 40e-9
"""What it takes to hold a number against others."""
UNITS: Mapping[AnomalyKind, str] = {"z": "1", "percentile": "percent"}
"""Those of the layer by default."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    coverage = select_cells(inputs, services)
    require_geotiff(coverage)
    reference = select_cells(inputs, services, "reference")
    count = len(coverage.times)
    if count > MOST_BANDS:
        raise LimitExceeded(
            "bands of a GeoTIFF",
            allowed=MOST_BANDS,
            needed=count,
            alternative="request fewer times",
            locator="inputs.datetime",
        )
    return planned_windows(
        coverage,
        reference,
        value_s=VALUE_S,
        held_bytes=(count + len(reference.times)) * itemsize(coverage) + count * 4,
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    windows = [window_of(inputs, task, work, number=number) for number in (0, 1)]
    find = partial(_anomalies, how=Climatology(by=inputs.get("by")), kind=_kind(inputs))
    return store_partial_maps(found_by_cell(windows, len(windows[0].times), find, work), task, work)


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    coverage, kind = all_of(inputs, work), _kind(inputs)
    units = UNITS.get(kind, coverage.fields[0].encoding.units)
    said = [(f"anomaly ({kind}) {format_instant(instant)}", units) for instant in coverage.times]
    return {"anomaly": geotiff_of_partial_maps(coverage, make_bands(coverage, said), done, work, name="anomaly")}


def _kind(inputs: Inputs) -> AnomalyKind:
    kind: AnomalyKind = inputs.get("kind", ANOMALY_KINDS[0])
    return kind


def _anomalies(series: Curves, reference: Curves, *, how: Climatology, kind: AnomalyKind) -> FloatArray:
    """(series, time)."""
    return find_anomalies(series, reference, find_normals(reference, series.times, how), kind)


process = Process(
    id="anomaly",
    title="Anomaly",
    description="The anomaly of each cell: its values compared with a reference for the same time of the year.",
    keywords=("map", "time"),
    inputs={
        "layer": LAYER,
        "datetime": Input(
            title="Times",
            description="Times to compare with the reference: an instant, an interval, or a list of either.",
            schema=DATETIME.schema,
        ),
        "reference": Input(
            title="Reference",
            description="Times of the reference; default: all of the layer.",
            schema=DATETIME.schema,
            is_required=False,
        ),
        "kind": Input(
            title="Kind",
            description="abs: the difference from the mean; z: the difference divided by the standard deviation; "
            "percentile: the share of reference values that are less.",
            schema={"type": "string", "enum": list(ANOMALY_KINDS), "default": ANOMALY_KINDS[0]},
            is_required=False,
        ),
        "by": BY,
        "bbox": BBOX,
    },
    outputs={
        "anomaly": Output(
            title="Anomaly",
            description="A cloud optimised GeoTIFF with a band for each time, NaN where there is no result.",
            schema=GEOTIFF,
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
