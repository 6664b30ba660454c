"""One map of many times: of each cell the latest, greatest, mean or another of its values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from chronotile.jobs.job import Json, Result
from chronotile.jobs.maps import (
    BBOX,
    DATETIME,
    GEOTIFF,
    LAYER,
    all_of,
    dates,
    floats,
    geotiff_of_pieces,
    itemsize,
    keep_piece,
    pinned,
    planned_windows,
    read_all,
    read_runs,
    selected,
    window_of,
)
from chronotile.jobs.process import Input, Inputs, Output, Plan, Process, Work
from chronotile.model.coverage import Coverage, CoverageField, Numbers
from chronotile.model.raster import Raster
from chronotile.model.request import PICTURE_REDUCERS, PictureReducer
from chronotile.pipeline.coverage_numbers import nodata_of
from chronotile.pipeline.services import Services
from chronotile.stats.over_time import over_time

COMPUTED: tuple[PictureReducer, ...] = ("mean", "median")
"""Of these values are written, of the others the layer's own numbers."""
VALUE_S: Mapping[str, float] = {"mean": 4e-9, "median": 60e-9}
"""What it takes to reduce a number; 2 ns where nothing else is said."""


def _plan(inputs: Inputs, services: Services) -> Plan:
    coverage = selected(inputs, services)
    reducer = _reducer(inputs)
    times = pinned(coverage, inputs.get("datetime", ""))
    held_bytes = times["count"] * itemsize(coverage) if reducer == "median" else 0
    return planned_windows(coverage, value_s=VALUE_S.get(reducer, 2e-9), held_bytes=held_bytes, times={"times": times})


def _run(inputs: Inputs, block: Json, work: Work) -> Json:
    coverage = window_of(inputs, block, block["times"], work.services)
    return keep_piece(_reduced(coverage, _reducer(inputs), work)[np.newaxis], block, work)


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    coverage = all_of(inputs, done[0]["times"], work.services)
    return {"composite": geotiff_of_pieces(coverage, [_band(coverage, _reducer(inputs))], done, work, name="composite")}


def _reducer(inputs: Inputs) -> PictureReducer:
    reducer: PictureReducer = inputs.get("reducer", "latest")
    return reducer


def _reduced(coverage: Coverage, reducer: PictureReducer, work: Work) -> Numbers:
    """(y, x), as `_band` says they are written."""
    if reducer == "median":  # which needs all values of a cell at once
        numbers = read_all(coverage, work)
        return _written(over_time(_rasters(numbers[::-1], coverage), reducer), reducer)
    runs = [_reduced_rows(coverage, rows, reducer, work) for rows in coverage.row_runs]
    return np.concatenate(runs)


def _reduced_rows(coverage: Coverage, rows: range, reducer: PictureReducer, work: Work) -> Numbers:
    is_newest_first = reducer != "earliest"
    runs = read_runs(coverage, rows, work, newest_first=is_newest_first)
    rasters = (each for run in runs for each in _rasters(run[::-1] if is_newest_first else run, coverage))
    return _written(over_time(rasters, reducer), reducer)


def _rasters(numbers: Numbers, coverage: Coverage) -> Iterator[Raster]:
    return (Raster(each, coverage.fields[0].encoding) for each in numbers)


def _written(raster: Raster, reducer: PictureReducer) -> Numbers:
    if reducer in COMPUTED:
        return raster.values_for_files()
    return np.where(raster.valid, raster.numbers, raster.numbers.dtype.type(nodata_of(raster.encoding)))


def _band(coverage: Coverage, reducer: PictureReducer) -> CoverageField:
    (field,) = coverage.fields
    encoding = floats(field.encoding.units) if reducer in COMPUTED else field.encoding
    said = f"{reducer} {dates(coverage.times)}"
    return replace(field, name=f"{field.name} {said}", title=f"{field.title}, {said}", encoding=encoding)


process = Process(
    id="composite",
    title="Composite",
    description="One map of a layer's values at many times: of each cell the latest, earliest, greatest, least, mean "
    "or median value there is. Means and medians are written as values, all others as the numbers of the layer.",
    keywords=("map", "time"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "reducer": Input(
            title="Reducer",
            description="Which of a cell's values, or what of them.",
            schema={"type": "string", "enum": list(PICTURE_REDUCERS), "default": "latest"},
            is_required=False,
        ),
        "bbox": BBOX,
    },
    outputs={
        "composite": Output(
            title="Composite", description="A cloud optimised GeoTIFF of native cells, with one band.", schema=GEOTIFF
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
