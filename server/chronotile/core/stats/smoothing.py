"""Curves through series with gaps: straight lines across gaps, and two smoothers of uneven times."""

from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chronotile.core.model.series.analysis import Curves, SavitzkyGolay, Whittaker
from chronotile.core.model.types import Float64Array, IndexArray

# Whittaker's smoother on uneven times, with weights against outliers.
#
# Eilers, P. H. C. (2003): A perfect smoother. Analytical Chemistry 75, 3631-3636, with divided differences for uneven
# spacing; Eilers, P. H. C. and Boelens, H. F. M. (2005): Baseline correction with asymmetric least squares smoothing,
# and Atzberger, C. and Eilers, P. H. C. (2011), Int. J. Remote Sensing 32, 3689-3709, for weights that follow the
# upper envelope; Hampel, F. R. (1974), JASA 69, 383-393, for outliers by their distance from a running median.

LEAST_VALUES = 3
"""Fewer values are on a line with any stiffness."""
BELOW_WEIGHT = 0.1
"""Weight of values below the curve with `upper`: asymmetry 0.9 to 0.1."""
MAX_ROUNDS = 5
"""Maximum number of updates of the weights, which hardly change later."""
LEAST_SPACING = 0.01
"""Minimum spacing as a fraction of the mean spacing; closer times are moved apart to avoid rounding errors."""

MAX_CONDITION = 1e14
"""Maximum of lambda / (mean spacing)³; above it, the values are smaller than the rounding errors of the penalty."""


def smooth_whittaker(curves: Curves, how: Whittaker) -> Float64Array:
    """Return the curves (series, time) that are close to the values and bend little, in units of the values.

    Each minimises `sum(w (y - z)**2) + lambda * integral(z''**2 dt)`, with t in days and z'' from divided differences
    at the times of the series. On daily values this is Eilers' smoother of order 2, and the same lambda is the same
    stiffness on dekads and uneven dates. Gaps have no weight and are bridged. NaN before the first and after the last
    value, and everywhere if there are fewer than three values or times are too close for lambda (`MAX_CONDITION`).
    """
    smoothed = np.full(curves.values.shape, np.nan)
    days = days_of(curves)
    for rows, span in reaches(curves.values):
        count = span.stop - span.start
        spacing = (days[span.stop - 1] - days[span.start]) / max(count - 1, 1)
        if count < LEAST_VALUES or how.stiffness > MAX_CONDITION * spacing**3:
            continue
        penalty = how.stiffness * _penalty(days[span])
        for row in rows:
            values = curves.values[row, span]
            if np.count_nonzero(np.isfinite(values)) >= LEAST_VALUES:
                smoothed[row, span] = _smooth(values, penalty, how)
    return smoothed


def _smooth(values: Float64Array, penalty: Float64Array, how: Whittaker) -> Float64Array:
    """Return the curve of one series (time,)."""
    is_valid = np.isfinite(values)
    targets = np.where(is_valid, values, 0.0)
    weights = is_valid.astype(np.float64)
    if how.outliers == "hampel":
        weights[is_valid] = _weights_of_few(values[is_valid])
    curve = _solve(targets, weights, penalty)
    for _ in range(MAX_ROUNDS if how.outliers == "upper" else 0):
        renewed = np.where(is_valid, np.where(targets >= curve, 1.0, BELOW_WEIGHT), 0.0)
        if np.array_equal(renewed, weights):
            break
        weights = renewed
        curve = _solve(targets, weights, penalty)
    return curve


def _solve(targets: Float64Array, weights: Float64Array, penalty: Float64Array) -> Float64Array:
    from scipy.linalg import LinAlgError, solveh_banded

    bands = penalty.copy()
    bands[2] += weights
    try:
        curve: Float64Array = solveh_banded(bands, weights * targets, overwrite_ab=True, check_finite=False)
    except LinAlgError:  # times are so uneven, and the curve so stiff, that rounding leaves no solution
        return np.full(targets.shape, np.nan)
    return curve


def _penalty(days: Float64Array) -> Float64Array:
    """Return upper bands (3, time) of D'HD: D are second divided differences times two, H their durations."""
    spacing = np.diff(days)
    spacing = np.maximum(spacing, LEAST_SPACING * np.mean(spacing))
    before, after = spacing[:-1], spacing[1:]
    width = (before + after) / 2
    rows = np.stack([1 / (before * width), -(1 / before + 1 / after) / width, 1 / (after * width)])
    bands = np.zeros((3, days.size))
    for first in range(3):
        for second in range(first, 3):
            end = days.size - 2 + second
            bands[2 - (second - first), second:end] += width * rows[first] * rows[second]
    return bands


def _weights_of_few(values: Float64Array) -> Float64Array:
    """Return weights (n,) of values without gaps; they decrease with the distance from the median of five values.

    Tukey's bisquare over six times the median distance of the values from the mean of their neighbours, which is noise
    rather than season. A season's peak has several values and remains; by residuals of the curve itself it would be an
    outlier. The two values at each end have full weight, because they are not in the middle of five values.
    """
    weights = np.ones(values.size)
    if values.size < 5:
        return weights
    apart = np.abs(values[2:-2] - np.median(sliding_window_view(values, 5), axis=1))
    reach = 6 * np.median(np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2))
    weights[2:-2] = np.clip(1 - (apart / reach) ** 2, 0, None) ** 2 if reach > 0 else apart == 0
    return weights


# Savitzky and Golay's filter on uneven times with gaps.
#
# Savitzky, A. and Golay, M. J. E. (1964): Smoothing and differentiation of data by simplified least squares
# procedures. Analytical Chemistry 36, 1627-1639; for vegetation indices Chen, J. et al. (2004), Remote Sensing of
# Environment 91, 332-344.

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


def fill_linear(curves: Curves) -> Float64Array:
    """Return (series, time): the values, and in gaps the straight line between their neighbours.

    NaN remains before the first and after the last value.
    """
    filled = curves.values.copy()
    days = days_of(curves)
    for row, valid in zip(filled, np.isfinite(curves.values), strict=True):
        gaps = ~valid
        if gaps.any() and valid.any():
            row[gaps] = np.interp(days[gaps], days[valid], row[valid], left=np.nan, right=np.nan)
    return filled


def days_of(curves: Curves) -> Float64Array:
    """Return (time,) days since the first time."""
    return (curves.times - curves.times[:1]).astype("timedelta64[ns]").astype(np.int64) / 86_400e9


def reaches(values: Float64Array) -> Iterator[tuple[IndexArray, slice]]:
    """Yield groups of series (n,) whose first and last values are at the same times, with the slice of these times.

    Computations along time can then handle many series in one call. Series without a value are skipped.
    """
    valid = np.isfinite(values)
    first = valid.argmax(axis=1) if valid.size else np.zeros(len(values), dtype=np.intp)
    last = values.shape[1] - 1 - valid[:, ::-1].argmax(axis=1) if valid.size else first
    has_value = valid.any(axis=1)
    for low, high in np.unique(np.stack([first[has_value], last[has_value]], axis=1), axis=0):
        rows = np.flatnonzero(has_value & (first == low) & (last == high))
        yield rows, slice(int(low), int(high) + 1)
