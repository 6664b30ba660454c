"""Start, peak and end of the seasons of a curve.

White, M. A., Thornton, P. E. and Running, S. W. (1997): A continental phenology model for monitoring vegetation
responses to interannual climatic variability. Global Biogeochemical Cycles 11, 217-234 (share of the amplitude; its
half agreed best with observations in White, M. A. et al. (2009), Global Change Biology 15, 2335-2359); Jonsson, P. and
Eklundh, L. (2004): TIMESAT. Computers and Geosciences 30, 833-845 (several seasons a year, each side from its own
trough); Tateishi, R. and Ebata, M. (2004), Int. J. Remote Sensing 25, 2287-2300 (steepest rise and fall). Hyman, J. M.
(1983): Accurate monotonicity preserving cubic interpolation. SIAM J. Sci. Stat. Comput. 4, 645-654, and Dougherty, R.
L., Edelman, A. and Hyman, J. M. (1989), Math. Comp. 52, 471-494 (days between the times of a curve).
"""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from chronotile.core.model.series.analysis import Curves, Phenology, Seasons
from chronotile.core.model.types import Float64Array
from chronotile.core.stats.gaps import days_of, reaches

MIN_PROMINENCE = 0.25
"""Minimum prominence of a peak, as a fraction of the curve's range; smaller peaks belong to another season."""
MIN_LENGTH_DAYS = 20
"""Minimum length of a season from start to end."""
BASE_SHARE = 0.05
"""A curve is at its base up to this fraction of a rise or fall above its lowest value."""
BASE_DAYS = 30
"""Minimum time at the base at an end of the series; the season is then whole without a trough there."""
BLOCK_DAYS = 1 << 21
"""Number of daily values in memory."""
DAY_NS = 86_400_000_000_000


class _Season(NamedTuple):
    """Indexes of days, and values of the curve."""

    start: int
    peak: int
    end: int
    amplitude: float
    peak_value: float


def find_seasons(smoothed: Curves, how: Phenology) -> tuple[Seasons, ...]:
    """Return the whole seasons of each smoothed curve; none if it is flat, is shorter than four times, or has gaps.

    A season rises from a trough to a peak and falls to the next trough; its peak is above both by a quarter of the
    curve's range (5th to 95th percentile). With `threshold`, it starts on the first day from which the curve stays at
    or above the first trough plus this fraction of the rise, and ends on the last such day of the fall. With
    `derivative`, it starts and ends on the days of the steepest rise and fall. It lasts at least `MIN_LENGTH_DAYS`.
    Days are days of `daily_curves`; amplitudes and peaks do not exceed the values of the smoothed curve. A season is
    skipped if an end of the series cuts it off without a trough or a flat base of `BASE_DAYS`.
    """
    seasons: list[Seasons] = [_seasons([], 0)] * len(smoothed.values)
    days = days_of(smoothed)
    first_day = int(smoothed.times[0].astype("datetime64[ns]").astype(np.int64)) if smoothed.times.size else 0
    for rows, span in reaches(smoothed.values):
        if span.stop - span.start < 4 or not np.isfinite(smoothed.values[rows, span]).all():
            continue
        offset = int(np.ceil(days[span][0] + first_day / DAY_NS))  # midnights, counted from 1970
        daily = np.arange(offset, days[span][-1] + first_day / DAY_NS) - first_day / DAY_NS
        size = max(1, BLOCK_DAYS // max(daily.size, 1))
        for top in range(0, rows.size, size):
            block = rows[top : top + size]
            curves = daily_curves(days[span], smoothed.values[block, span], daily)
            for row, curve in zip(block, curves, strict=True):
                seasons[row] = _clip_to_range(smoothed.values[row, span], _seasons(_seasons_of(curve, how), offset))
    return tuple(seasons)


def daily_curves(days: Float64Array, values: Float64Array, daily: Float64Array) -> Float64Array:
    """Return curves (series, day) through values (series, time) that rise and fall like the values.

    Cubic, with the slopes of the cubic spline, limited to three times the gentler line to a neighbour (Hyman 1983;
    Dougherty, Edelman and Hyman 1989). So curves do not oscillate between close times or near gaps. A peak may still be
    between two times, slightly above both.
    """
    from scipy.interpolate import CubicHermiteSpline, CubicSpline

    slopes = CubicSpline(days, values, axis=1)(days, 1)
    lines = np.diff(values, axis=1) / np.diff(days)
    before, after = lines[:, [0, *range(lines.shape[1])]], lines[:, [*range(lines.shape[1]), -1]]
    reach = 3 * np.minimum(np.abs(before), np.abs(after))
    rises, falls = (before > 0) & (after > 0), (before < 0) & (after < 0)
    slopes = np.clip(slopes, np.where(rises, 0.0, -reach), np.where(falls, 0.0, reach))
    curves: Float64Array = CubicHermiteSpline(days, values, slopes, axis=1)(daily)
    return curves


def _seasons_of(curve: Float64Array, how: Phenology) -> list[_Season]:
    """Return the seasons of one daily curve (day,)."""
    from scipy.signal import find_peaks

    if curve.size < 3:
        return []
    low, high = np.percentile(curve, (5, 95))
    if high - low <= 1e-9 * max(abs(low), abs(high), np.finfo(np.float64).tiny / 1e-12):
        return []
    peaks = find_peaks(curve, prominence=MIN_PROMINENCE * (high - low))[0].tolist()
    while True:
        seasons = _find_seasons(curve, peaks, how)
        shortest = min(seasons, key=lambda season: season.end - season.start, default=None)
        if shortest is None or shortest.end - shortest.start >= MIN_LENGTH_DAYS:
            return seasons
        peaks.remove(shortest.peak)


def _find_seasons(curve: Float64Array, peaks: list[int], how: Phenology) -> list[_Season]:
    """Return the whole seasons of these peaks."""
    last = curve.size - 1
    troughs = [start + int(curve[start : end + 1].argmin()) for start, end in pairwise([0, *peaks, last])]
    return [
        _season(curve, (before, peak, after), how)
        for before, peak, after in zip(troughs[:-1], peaks, troughs[1:], strict=True)
        if (before > 0 or _begins_flat(curve[: peak + 1])) and (after < last or _begins_flat(curve[peak:][::-1]))
    ]


def _begins_flat(rise: Float64Array) -> bool:
    """Return whether the days up to a peak start at the base of the rise."""
    low = rise.min()
    base = rise[:BASE_DAYS]
    return rise.size > BASE_DAYS and bool((base <= low + BASE_SHARE * (rise[-1] - low)).all())


def _season(curve: Float64Array, shape: tuple[int, int, int], how: Phenology) -> _Season:
    """Return the season between the days of a trough, a peak and a trough."""
    before, peak, after = shape
    rise, fall = curve[before : peak + 1], curve[peak : after + 1]
    if how.method == "derivative":
        start, end = before + int(np.diff(rise).argmax()) + 1, peak + int(np.diff(fall).argmin())
    else:
        levels = [float(side + how.threshold * (curve[peak] - side)) for side in (curve[before], curve[after])]
        start = before + int(np.flatnonzero(rise < levels[0])[-1]) + 1
        end = peak + int(np.flatnonzero(fall < levels[1])[0]) - 1
    amplitude = float(curve[peak] - (curve[before] + curve[after]) / 2)
    return _Season(start, peak, end, amplitude, float(curve[peak]))


def _clip_to_range(values: Float64Array, seasons: Seasons) -> Seasons:
    """Limit seasons to the values of the curve, because it may rise slightly higher between two values."""
    return replace(
        seasons,
        amplitude=np.minimum(seasons.amplitude, np.ptp(values)),
        peak_value=np.minimum(seasons.peak_value, values.max()),
    )


def _seasons(seasons: list[_Season], offset: int) -> Seasons:
    columns = np.array([season[:3] for season in seasons], dtype=np.int64).reshape(-1, 3).T
    start, peak, end = ((offset + column).astype("datetime64[D]").astype("datetime64[ns]") for column in columns)
    return Seasons(
        start=start,
        peak=peak,
        end=end,
        length_days=columns[2] - columns[0],
        amplitude=np.array([season.amplitude for season in seasons]),
        peak_value=np.array([season.peak_value for season in seasons]),
    )
