"""What is normal for each time of the year."""

from collections.abc import Mapping, Sequence
from functools import partial

from chronotile.model.job import Json, Result
from chronotile.model.series.analysis import Climatology, Curves, FloatArray
from chronotile.model.series.reducer import MEAN, parse_reducer
from chronotile.model.time.instants import TimeDomain
from chronotile.pipeline.services import Services
from chronotile.processes.inputs import BBOX, BY, DATETIME, LAYER
from chronotile.processes.process import Input, Inputs, JobPlan, Output, Process, Work
from chronotile.processes.work.map_files import (
    GEOTIFF,
    dates,
    geotiff_of_partial_maps,
    make_bands,
    require_geotiff,
    store_partial_maps,
)
from chronotile.processes.work.windows import all_of, found_by_cell, itemsize, planned_windows, select_cells, window_of
from chronotile.stats.climatology import SLOT_COUNTS, find_normals, slot_kind, slot_names

VALUE_S = 40e-9
"""What it takes to reduce a number; sorted for percentiles."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    coverage = select_cells(inputs, services)
    require_geotiff(coverage)
    slots = SLOT_COUNTS[slot_kind(coverage.times.instants, inputs.get("by"))]
    return planned_windows(
        coverage,
        value_s=VALUE_S,
        held_bytes=len(coverage.times) * itemsize(coverage) + slots * 4,
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    coverage = window_of(inputs, task, work)
    slots = len(_slots(inputs, coverage.times))
    find = partial(_normals, how=_how(inputs))
    return store_partial_maps(found_by_cell([coverage], slots, find, work), task, work)


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    coverage = all_of(inputs, work)
    units, span = coverage.fields[0].encoding.units, dates(coverage.times)
    reducer = _how(inputs).reducer.name
    said = [(f"{slot}, {reducer} of {span}", units) for slot in _slots(inputs, coverage.times)]
    return {
        "climatology": geotiff_of_partial_maps(coverage, make_bands(coverage, said), done, work, name="climatology")
    }


def _how(inputs: Inputs) -> Climatology:
    return Climatology(reducer=parse_reducer(inputs.get("reducer", MEAN.name)), by=inputs.get("by"))


def _slots(inputs: Inputs, times: TimeDomain) -> tuple[str, ...]:
    return slot_names(slot_kind(times.instants, inputs.get("by")))


def _normals(curves: Curves, *, how: Climatology) -> FloatArray:
    """(series, slot)."""
    return find_normals(curves, curves.times, how).values


process = Process(
    id="climatology",
    title="Climatology",
    description="The climatology of each cell: for each time of the year the mean, or a percentile, of the values "
    "of all years; for a day, of the eleven days around it.",
    keywords=("map", "time"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "reducer": Input(
            title="Reducer",
            description="A mean, median or percentile (p10).",
            schema={
                "type": "string",
                "pattern": r"^(mean|median|p([0-9]{1,2}(\.[0-9]{1,4})?|100))$",
                "default": "mean",
            },
            is_required=False,
        ),
        "by": BY,
        "bbox": BBOX,
    },
    outputs={
        "climatology": Output(
            title="Climatology",
            description="A cloud optimised GeoTIFF with a band for each month, dekad or day of the year, whose name "
            "has the month and day it begins with; NaN where there is no value.",
            schema=GEOTIFF,
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
