"""The process *export*: a part of layers as a file of any size."""

from collections.abc import Mapping, Sequence

import numpy as np

from chronotile.core.errors import PlanOutdated, require_at_most
from chronotile.core.model.coverage import Coverage, CoverageField, CoverageRequest
from chronotile.core.model.job import Result
from chronotile.core.model.space.crs import CRS84_URI
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.types import Json
from chronotile.jobs.processes.inputs import (
    instants_from_json,
    instants_to_json,
    layers_of,
    lift_limits,
    locate_errors,
    trims_of,
)
from chronotile.jobs.processes.process import Inputs, JobPlan, Output, Process, Work, binary, choice, optional
from chronotile.jobs.processes.shared_inputs import BBOX, DATETIME, LAYERS
from chronotile.jobs.processes.sources import sources_of
from chronotile.jobs.processes.work.coverage_files import FILE_FORMATS, write_coverage
from chronotile.jobs.processes.work.stored_coverage import (
    StoredCoverage,
    coverage_tasks,
    max_file_bytes,
    store_partial_coverage,
)
from chronotile.jobs.processes.work.windows import read_bytes
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS
from chronotile.pipeline.coverage.extract import extract_coverage
from chronotile.pipeline.services import Services

MAX_BYTES = 1 << 38
"""Limit of all numbers before compression."""
BYTE_S = 15e-9
"""Processor time to compress and write a byte."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    unlimited = lift_limits(services)
    with locate_errors({"time": "datetime", "f": "format"}):
        coverage = extract_coverage(_request(inputs, services), unlimited)
        COVERAGE_FORMATS[_format(inputs)].check(coverage, unlimited.catalogue.limits)
    alternative = "request a smaller bbox or fewer times"
    require_at_most("bytes of an export", coverage.nbytes, MAX_BYTES, alternative=alternative, locator="inputs.bbox")
    times = coverage.times
    pictures = len(coverage.fields) * max(1, len(times))
    itemsize = max(np.dtype(field.encoding.dtype).itemsize for field in coverage.fields)
    return JobPlan(
        tasks=coverage_tasks(coverage),
        seconds=coverage.reading_seconds() + coverage.nbytes * BYTE_S,
        held_bytes=read_bytes(coverage.nbytes),
        shared={
            "times": instants_to_json(times.instants),
            "lacking": [_lacking(field, times) for field in coverage.fields],
            "shape": _shape(coverage),
        },
        sources=sources_of(coverage),
        pixels=coverage.grid.width * coverage.grid.height * pictures,
        result_bytes=max_file_bytes(coverage.grid, pictures, itemsize),
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    times = slice(task["times"][0], task["times"][-1])
    coverage = _coverage(inputs, work, times)
    lacking = frozenset(time - times.start for time in work.shared["lacking"][task["field"]])
    store_partial_coverage(coverage, task, work, lacking=lacking)
    return task


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    stored = StoredCoverage(of=_coverage(inputs, work, slice(None)), tasks=tuple(done), work=work)
    return {"export": write_coverage(stored, _format(inputs), work)}


def _coverage(inputs: Inputs, work: Work, part: slice) -> Coverage:
    """Return all cells at a slice of the planned times."""
    times = instants_from_json(work.shared["times"][part])
    is_part = len(work.shared["times"]) > 1
    services = lift_limits(work.services)
    coverage = extract_coverage(_request(inputs, work.services), services, times=times, is_part=is_part)
    if _shape(coverage) != work.shared["shape"]:
        raise PlanOutdated("the grid of the layers has changed since the job began; submit it again")
    return coverage


def _shape(coverage: Coverage) -> list[int]:
    # Rows and columns
    return [coverage.grid.height, coverage.grid.width]


def _lacking(field: CoverageField, times: TimeDomain) -> list[int]:
    # Indexes of times that a field lacks; a field without time lacks none.
    field_times = field.layer.times.starts
    return np.flatnonzero(~np.isin(times.starts, field_times)).tolist() if field_times.size else []


def _request(inputs: Inputs, services: Services) -> CoverageRequest:
    layer = services.catalogue.layer(layers_of(inputs)[0])
    return CoverageRequest(
        layers=layers_of(inputs),
        trims=trims_of(inputs, services),
        time=parse_time(inputs.get("datetime")),
        crs=services.catalogue.offered_crs(inputs["crs"], layer) if "crs" in inputs else None,
    )


def _format(inputs: Inputs) -> str:
    return str(inputs.get("format", FILE_FORMATS[0]))


process = Process(
    id="export",
    title="Export",
    description="The numbers of layers of one collection as a file: any part in space and time, native or in "
    "another CRS. The same as a coverage request, without its size limit.",
    keywords=("coverage", "file"),
    inputs={
        "layer": LAYERS,
        "datetime": DATETIME,
        "bbox": BBOX,
        "crs": optional(
            "CRS",
            "URI or code of the CRS of the file: one that is offered, or of scenes; default: that of the layers.",
            {"type": "string", "maxLength": 200, "examples": [CRS84_URI]},
        ),
        "format": optional(
            "Format",
            "A cloud optimised GeoTIFF with one band per layer and time, a NetCDF file, or a zip file of a Zarr store.",
            choice(FILE_FORMATS),
        ),
    },
    outputs={
        "export": Output(
            title="Export",
            description="The file.",
            schema={"oneOf": [binary(COVERAGE_FORMATS[name].media_type) for name in FILE_FORMATS]},
            formats={name: COVERAGE_FORMATS[name].media_type for name in FILE_FORMATS},
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
