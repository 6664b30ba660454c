"""Savitzky and Golay's filter on uneven times with gaps.

Savitzky, A. and Golay, M. J. E. (1964): Smoothing and differentiation of data by simplified least squares
procedures. Analytical Chemistry 36, 1627-1639; for vegetation indices Chen, J. et al. (2004), Remote Sensing of
Environment 91, 332-344.
"""

from math import ceil

import numpy as np

from chronotile.core.model.series.analysis import Curves, SavitzkyGolay
from chronotile.core.model.types import Float64Array
from chronotile.core.stats.gaps import days_of, fill_linear, reaches

MAX_GRID = 10
"""Maximum number of even times per time of a series; series that need more are too uneven for this filter."""


def smooth_savitzky_golay(curves: Curves, how: SavitzkyGolay) -> Float64Array:
    """Return the filtered curves (series, time), in units of the values.

    Gaps are filled linearly. The filter runs over even times with the median spacing of the series, and its result is
    interpolated linearly; for even times it is the plain filter. Windows at the ends are replaced by the nearest whole
    window (`mode="interp"`). NaN before the first and after the last value, and everywhere if a series is shorter than
    the window or its times are too uneven.
    """
    from scipy.signal import savgol_filter

    smoothed = np.full(curves.values.shape, np.nan)
    if curves.times.size < 2:
        return smoothed
    filled, days = fill_linear(curves), days_of(curves)
    # From a day on, the median is rounded to hours: one shifted acquisition must not move all even times.
    median = float(np.median(np.diff(days)))
    spacing = round(median * 24) / 24 if median >= 1 else median
    window = window_points(how, spacing)
    for rows, span in reaches(curves.values):
        span_days = days[span]
        count = round((span_days[-1] - span_days[0]) / spacing) + 1
        if not window <= count <= MAX_GRID * span_days.size:
            continue
        even = np.linspace(span_days[0], span_days[-1], count)
        for row in rows:
            values = np.interp(even, span_days, filled[row, span])
            smoothed[row, span] = np.interp(span_days, even, savgol_filter(values, window, how.order))
    return smoothed


def window_points(how: SavitzkyGolay, spacing_days: float) -> int:
    """Return the number of even times in the window: odd, at least the requested days, and above the order."""
    half = max(ceil((how.window_days / spacing_days - 1) / 2), how.order // 2 + 1)
    return 2 * half + 1
