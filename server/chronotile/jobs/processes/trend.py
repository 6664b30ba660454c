"""The process *trend*: rise or fall of values over time, with its significance."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.series.analysis import CONFIDENCE, TREND_METHODS, Analysis, Curves
from chronotile.core.model.types import Float64Array, IndexArray
from chronotile.core.stats.trend import find_trends, groups_of, pair_count
from chronotile.jobs.processes.process import Inputs, choice, optional
from chronotile.jobs.processes.work.cell_maps import CellMaps, CellProcess
from chronotile.jobs.processes.work.map_files import dates

BANDS = ("slope", "low", "high", "intercept", "p", "count")
"""Bands in the order of the file."""
MIN_VALUES = 4
"""A cell with fewer values has no trend."""
PAIR_S = 45e-9
"""Processor time for the slope of a pair of values and for its rank."""
MAX_PAIRS = 1 << 24
"""Limit of pairs of values of one cell, which are in memory together: 5,792 times."""


def _maps(inputs: Inputs, coverage: Coverage) -> CellMaps:
    count = len(coverage.times)
    if count < MIN_VALUES:
        raise InvalidParameter(f"a trend needs {MIN_VALUES} times at least, got {count}", locator="inputs.datetime")
    groups = groups_of(coverage.times.instants, inputs.get("method", TREND_METHODS[0]), inputs.get("by"))
    pairs = pair_count(groups)
    alternative = "request fewer times, or use a seasonal trend"
    require_at_most("pairs of times of a trend", pairs, MAX_PAIRS, alternative=alternative, locator="inputs.datetime")
    units = coverage.fields[0].encoding.units
    a_year = "year-1" if units == "1" else f"{units} year-1"
    units_of_bands = dict.fromkeys(BANDS[:3], a_year) | {"intercept": units, "p": "1", "count": "1"}
    span = dates(coverage.times)
    return CellMaps(
        bands=[(f"trend {span}, {band}", description) for band, description in units_of_bands.items()],
        find=partial(_trends, groups=groups),
        value_s=pairs / count * PAIR_S,
        analysis=Analysis(trend=TREND_METHODS[0]),
    )


def _trends(curves: Curves, *, groups: Sequence[IndexArray]) -> Float64Array:
    """Return trends (series, band)."""
    counts = np.isfinite(curves.values).sum(axis=1)
    trends = np.full((len(counts), len(BANDS)), np.nan)
    trends[:, -1] = counts
    rows = np.flatnonzero(counts >= MIN_VALUES)
    fits = find_trends(Curves(times=curves.times, values=curves.values[rows]), groups)
    trends[rows, :-1] = np.stack([fits.slope, fits.low, fits.high, fits.intercept, fits.p], axis=1)
    return trends


process = CellProcess(
    id="trend",
    title="Trend",
    description="The trend of each cell: a straight line that is robust to outliers (Theil and Sen), and the "
    "probability that there is no trend (Mann and Kendall), as for series of places.",
    inputs={
        "method": optional(
            "Method",
            "theil_sen compares all pairs of values, seasonal only pairs of the same time of the year.",
            choice(TREND_METHODS),
        )
    },
    output=f"A cloud optimised GeoTIFF with the bands slope per year, low and high end of its interval of "
    f"{CONFIDENCE:.0%}, intercept (the value of the line at the first time), p and the count of values; NaN "
    "where there are fewer than four.",
    maps=_maps,
).process()
