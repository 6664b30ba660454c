"""Savitzky and Golay's filter on uneven times with gaps.

Savitzky, A. and Golay, M. J. E. (1964): Smoothing and differentiation of data by simplified least squares procedures.
Analytical Chemistry 36, 1627-1639; for vegetation indices Chen, J. et al. (2004), Remote Sensing of Environment 91,
332-344.
"""

from math import ceil

import numpy as np

from chronotile.model.series.analysis import Curves, FloatArray, SavitzkyGolay
from chronotile.stats.gaps import days_of, fill_linear, reaches

MAX_GRID = 10
"""Even times for each time of a series; where more were needed the times are too uneven for this filter."""


def smooth_savitzky_golay(curves: Curves, how: SavitzkyGolay) -> FloatArray:
    """Return the filtered curves (series, time), in the values' units.

    Gaps are filled linearly; the filter runs over even times, as far apart as the median of the series' own, and its
    result is read off between them linearly: where times are even that is the plain filter. Windows at the ends are
    those of the nearest whole window (`mode="interp"`). NaN before a series' first and after its last value, and
    throughout where it is shorter than the window or its times are too uneven.
    """
    from scipy.signal import savgol_filter

    smoothed = np.full(curves.values.shape, np.nan)
    if curves.times.size < 2:
        return smoothed
    filled, days = fill_linear(curves), days_of(curves)
    spacing = _spacing(days)
    window = window_points(how, spacing)
    for rows, span in reaches(curves.values):
        own = days[span]
        count = round((own[-1] - own[0]) / spacing) + 1
        if not window <= count <= MAX_GRID * own.size:
            continue
        even = np.linspace(own[0], own[-1], count)
        for row in rows:
            values = np.interp(even, own, filled[row, span])
            smoothed[row, span] = np.interp(own, even, savgol_filter(values, window, how.order))
    return smoothed


def _spacing(days: FloatArray) -> float:
    """The median, in whole hours from a day on: one acquisition some minutes off must not move all even times."""
    median = float(np.median(np.diff(days)))
    return round(median * 24) / 24 if median >= 1 else median


def window_points(how: SavitzkyGolay, spacing_days: float) -> int:
    """Return the window in even times: odd, not less than the requested days, and more than the polynomial's order."""
    half = max(ceil((how.window_days / spacing_days - 1) / 2), how.order // 2 + 1)
    return 2 * half + 1
