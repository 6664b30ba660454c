"""The process *composite*: one map of many times, with the latest, greatest, mean or another value of each cell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.coverage import Coverage, CoverageField
from chronotile.core.model.formats import GEOTIFF_TYPE
from chronotile.core.model.job import Result
from chronotile.core.model.raster import Raster
from chronotile.core.model.request import PIXEL_REDUCERS, PictureReducer
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import Json, NumberArray
from chronotile.core.stats.over_time import reduce_over_time
from chronotile.jobs.processes.process import Inputs, JobPlan, Output, Process, Work, choice, optional
from chronotile.jobs.processes.shared_inputs import BBOX, DATETIME, LAYER
from chronotile.jobs.processes.work.cubes import FORMAT, ZIP, ZIP_TYPE, JobCube, cube_of, format_of, variable_of
from chronotile.jobs.processes.work.map_files import (
    GEOTIFF,
    coverage_of_partial_maps,
    dates,
    floats,
    geotiff_of_partial_maps,
    require_geotiff,
    store_partial_maps,
)
from chronotile.jobs.processes.work.published_cubes import NAME, NAMED, require_name
from chronotile.jobs.processes.work.stored_coverage import max_file_bytes
from chronotile.jobs.processes.work.windows import (
    all_of,
    itemsize,
    planned_windows,
    read_all,
    read_runs,
    select_cells,
    window_of,
)
from chronotile.pipeline.coverage.numbers import nodata_of
from chronotile.pipeline.services import Services
from chronotile.readers.cf.cell_areas import averaging_areas
from chronotile.readers.zarr.commit import FORMAT_VERSION, state_number

COMPUTED: tuple[PictureReducer, ...] = ("mean", "median")
"""Reducers whose results are written as values; the others keep the layer's digital numbers."""
VALUE_S: Mapping[str, float] = {"mean": 4e-9, "median": 60e-9}
"""Processor time to reduce a number; 2 ns for other reducers."""


FORMATS = ("GTiff", "cube")


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    coverage = select_cells(inputs, services)
    reducer, circle = _reducer(inputs), coverage.fields[0].encoding.circle
    is_meant = reducer not in {"median", "min", "max"}
    require_directional(is_meant, reducer, inputs["layer"], circle, locator="inputs.reducer")
    require_name(inputs, services)
    cube = _cube(coverage, reducer, FORMAT_VERSION) if _is_cube(inputs) else None  # raises if the cube is too large
    if cube is None and "name" in inputs:
        raise InvalidParameter("only cubes have names; use format cube, or leave name out", locator="inputs.name")
    if cube is None:
        require_geotiff(coverage)
    held_bytes = len(coverage.times) * itemsize(coverage) if reducer == "median" else 0
    plan = planned_windows(coverage, value_s=VALUE_S.get(reducer, 2e-9), held_bytes=held_bytes)
    if cube is None:
        size = np.dtype(_band(coverage, reducer).encoding.dtype).itemsize
        return replace(plan, result_bytes=max_file_bytes(coverage.grid, 1, size))
    shared = {**plan.shared, FORMAT: FORMAT_VERSION}
    return replace(plan, shared=shared, held_bytes=max(plan.held_bytes, cube.held_bytes))


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    coverage = window_of(inputs, task, work)
    with averaging_areas():
        return store_partial_maps(_reduce(coverage, _reducer(inputs), work)[np.newaxis], task, work)


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    coverage, reducer = all_of(inputs, work), _reducer(inputs)
    bands = [_band(coverage, reducer)]
    if not _is_cube(inputs):
        return {"composite": geotiff_of_partial_maps(coverage, bands, done, work, name="composite")}
    cube, maps = _cube(coverage, reducer, format_of(work)), coverage_of_partial_maps(coverage, bands, done, work)
    cube.write(cube.map_tasks(range(1)), lambda _variable, _origins, window: [_window_of(maps, window)], work)
    return {"composite": cube.to_result([[state_number(coverage.etag)]], inputs, file="composite", work=work)}


def _reducer(inputs: Inputs) -> PictureReducer:
    reducer: PictureReducer = inputs.get("reducer", "latest")
    return reducer


def _is_cube(inputs: Inputs) -> bool:
    return bool(inputs.get("format", FORMATS[0]) == "cube")


def _cube(coverage: Coverage, reducer: PictureReducer, number: int) -> JobCube:
    """Return the cube of one time: the period that contains all times of the coverage."""
    variable, times = variable_of(coverage, _band(coverage, reducer)), coverage.times
    if reducer in COMPUTED:
        variable = replace(variable, is_categorical=False, classes=())
    period = TimeDomain(times.starts[:1], times.ends.max(keepdims=True))
    return cube_of(coverage, [variable], times=period, layout="map", format_number=number)


def _window_of(maps: Coverage, window: Window) -> NumberArray:
    """Return the numbers (y, x) of a window from the results of tasks."""
    numbers = np.empty((window.height, window.width), dtype=maps.fields[0].encoding.dtype)
    top, columns = window.row_start, slice(window.column_start, window.column_stop)
    for run in maps.row_runs:
        rows = range(max(run.start, top), min(run.stop, window.row_stop))
        if rows:
            numbers[rows.start - top : rows.stop - top] = maps.read_times(0, times=range(1), rows=rows)[0, :, columns]
    return numbers


def _reduce(coverage: Coverage, reducer: PictureReducer, work: Work) -> NumberArray:
    """Return the reduced numbers (y, x) in the encoding of `_band`."""
    if reducer == "median":  # a median needs all values of a cell in one call
        return _encode_numbers(reduce_over_time(_rasters(read_all(coverage, work)[::-1], coverage), reducer), reducer)
    return np.concatenate([_reduced_rows(coverage, rows, reducer, work) for rows in coverage.row_runs])


def _reduced_rows(coverage: Coverage, rows: range, reducer: PictureReducer, work: Work) -> NumberArray:
    is_newest_first = reducer != "earliest"
    runs = read_runs(coverage, rows, work, newest_first=is_newest_first)
    rasters = (raster for run in runs for raster in _rasters(run[::-1] if is_newest_first else run, coverage))
    return _encode_numbers(reduce_over_time(rasters, reducer), reducer)


def _rasters(numbers: NumberArray, coverage: Coverage) -> Iterator[Raster]:
    return (Raster(picture, coverage.fields[0].encoding) for picture in numbers)


def _encode_numbers(raster: Raster, reducer: PictureReducer) -> NumberArray:
    if reducer in COMPUTED:
        return raster.values_for_files()
    return np.where(raster.valid, raster.numbers, raster.numbers.dtype.type(nodata_of(raster.encoding)))


def _band(coverage: Coverage, reducer: PictureReducer) -> CoverageField:
    (field,) = coverage.fields
    computed = replace(floats(field.encoding.units), circle=field.encoding.circle)
    encoding = computed if reducer in COMPUTED else field.encoding
    text = f"{reducer} {dates(coverage.times)}"
    return replace(field, name=f"{field.name} {text}", title=f"{field.title}, {text}", encoding=encoding)


process = Process(
    id="composite",
    title="Composite",
    description="One map of many times of a layer: for each cell the latest, earliest, greatest, least, mean or "
    "median value. Means and medians are written as values, all others as the numbers of the layer.",
    keywords=("map", "time"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "reducer": optional("Reducer", "Reducer of the values of a cell.", choice(PIXEL_REDUCERS)),
        "bbox": BBOX,
        "format": optional(
            "Format",
            "A cloud optimised GeoTIFF, or a serving cube: a ZIP file of a Zarr store of maps with "
            "overviews, as optimise writes.",
            choice(FORMATS),
        ),
        "name": NAME,
    },
    outputs={
        "composite": Output(
            title="Composite",
            description="Native cells in one band or at one time, or the name of the cube.",
            schema={"oneOf": [GEOTIFF, ZIP, NAMED]},
            formats={"GTiff": GEOTIFF_TYPE, "cube": ZIP_TYPE},
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
