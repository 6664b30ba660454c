"""Where values rise and fall along time, how much, and whether that may be chance."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from chronotile.errors import InvalidParameter, LimitExceeded
from chronotile.model.job import Json, Result
from chronotile.model.series.analysis import CONFIDENCE, TREND_METHODS, Curves, FloatArray
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
from chronotile.stats.trend import Group, find_trends, groups_of, pair_count

BANDS = ("slope", "low", "high", "intercept", "p", "count")
"""In the order of the file."""
LEAST_VALUES = 4
"""Fewer have no trend, and take no time."""
PAIR_S = 45e-9
"""What it takes to find the slope of a pair of values, and its rank among the others."""
MOST_PAIRS = 1 << 24
"""Of the values of one cell, all of which are held at once: those of 5,792 times."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    coverage = select_cells(inputs, services)
    require_geotiff(coverage)
    count = len(coverage.times)
    if count < LEAST_VALUES:
        raise InvalidParameter(f"a trend needs {LEAST_VALUES} times at least, got {count}", locator="inputs.datetime")
    pairs = pair_count(_groups(inputs, coverage.times))
    if pairs > MOST_PAIRS:
        raise LimitExceeded(
            "pairs of times of a trend",
            allowed=MOST_PAIRS,
            needed=pairs,
            alternative="request fewer times, or use a seasonal trend",
            locator="inputs.datetime",
        )
    return planned_windows(
        coverage,
        value_s=pairs / count * PAIR_S,
        held_bytes=count * itemsize(coverage) + len(BANDS) * 4,
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    coverage = window_of(inputs, task, work)
    find = partial(_trends, groups=_groups(inputs, coverage.times))
    return store_partial_maps(found_by_cell([coverage], len(BANDS), find, work), task, work)


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    coverage = all_of(inputs, work)
    units = coverage.fields[0].encoding.units
    a_year = "year-1" if units == "1" else f"{units} year-1"
    said = dict.fromkeys(BANDS[:3], a_year) | {"intercept": units, "p": "1", "count": "1"}
    span = dates(coverage.times)
    bands = make_bands(coverage, [(f"trend {span}, {band}", description) for band, description in said.items()])
    return {"trend": geotiff_of_partial_maps(coverage, bands, done, work, name="trend")}


def _groups(inputs: Inputs, times: TimeDomain) -> tuple[Group, ...]:
    return groups_of(times.instants, inputs.get("method", TREND_METHODS[0]), inputs.get("by"))


def _trends(curves: Curves, *, groups: Sequence[Group]) -> FloatArray:
    """(series, band)."""
    counts = np.isfinite(curves.values).sum(axis=1)
    found = np.full((len(counts), len(BANDS)), np.nan)
    found[:, -1] = counts
    rows = np.flatnonzero(counts >= LEAST_VALUES)
    trends = find_trends(Curves(times=curves.times, values=curves.values[rows]), groups)
    found[rows, :-1] = np.stack([trends.slope, trends.low, trends.high, trends.intercept, trends.p], axis=1)
    return found


process = Process(
    id="trend",
    title="Trend",
    description="The trend of each cell: a straight line that is robust to outliers (Theil and Sen), and the "
    "probability that there is no trend (Mann and Kendall), as for series of places.",
    keywords=("map", "time"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "method": Input(
            title="Method",
            description="theil_sen compares all pairs of values, seasonal only pairs of the same time of the year.",
            schema={"type": "string", "enum": list(TREND_METHODS), "default": TREND_METHODS[0]},
            is_required=False,
        ),
        "by": BY,
        "bbox": BBOX,
    },
    outputs={
        "trend": Output(
            title="Trend",
            description=f"A cloud optimised GeoTIFF with the bands slope per year, low and high end of its interval of "
            f"{CONFIDENCE:.0%}, intercept (the value of the line at the first time), p and the count of values; NaN "
            "where there are fewer than four.",
            schema=GEOTIFF,
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
