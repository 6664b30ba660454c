"""Whittaker's smoother on uneven times, with weights against outliers.

Eilers, P. H. C. (2003): A perfect smoother. Analytical Chemistry 75, 3631-3636, with divided differences for uneven
spacing; Eilers, P. H. C. and Boelens, H. F. M. (2005): Baseline correction with asymmetric least squares smoothing,
and Atzberger, C. and Eilers, P. H. C. (2011), Int. J. Remote Sensing 32, 3689-3709, for weights that follow the
upper envelope; Hampel, F. R. (1974), JASA 69, 383-393, for outliers by their distance from a running median.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chronotile.core.model.series.analysis import Curves, Whittaker
from chronotile.core.model.types import Float64Array
from chronotile.core.stats.gaps import days_of, reaches

MIN_VALUES = 3
"""Fewer values are on a line with any stiffness."""

BELOW_WEIGHT = 0.1
"""Weight of values below the curve with `upper`: asymmetry 0.9 to 0.1."""

MAX_ROUNDS = 5
"""Maximum number of updates of the weights, which hardly change later."""

MIN_SPACING = 0.01
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
        if count < MIN_VALUES or how.stiffness > MAX_CONDITION * spacing**3:
            continue
        penalty = how.stiffness * _penalty(days[span])
        for row in rows:
            values = curves.values[row, span]
            if np.count_nonzero(np.isfinite(values)) >= MIN_VALUES:
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
    spacing = np.maximum(spacing, MIN_SPACING * np.mean(spacing))
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
