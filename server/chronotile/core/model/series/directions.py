"""Means and differences of directions and phases: between 350 and 10 degrees the mean is 0.

Fisher, N. I. (1993): Statistical analysis of circular data. Each direction is a unit vector, a complex number; the mean
is the direction of the sum, and is undefined if the vectors cancel out.
"""

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.types import AnyArray, BoolArray, ComplexArray, Float64Array

MIN_LENGTH = 1e-9
"""Length of a mean vector below which its direction is rounding only."""
NOISE = 1e-12
"""Rounding of a direction, as a fraction of a turn."""


def require_directional(is_meant: bool, what: str, layer: str, circle: float | None, *, locator: str) -> None:
    """Refuse computations that need an order of values, such as a median or trend, for directions.

    Raises:
        InvalidParameter: The values are directions, and the computation is not meaningful for them.
    """
    if circle is not None and not is_meant:
        raise InvalidParameter(
            f"layer {layer} has directions, which have no {what}; of directions there are mean, std, count, "
            "valid_share and histograms, climatologies of means, and differences",
            locator=locator,
        )


def vectors_of(values: Float64Array, circle: float) -> ComplexArray:
    """Return the unit vectors of directions with a full turn of `circle`; NaN for values that are not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.exp(2j * np.pi / circle * values))


def summands(values: Float64Array, circle: float | None) -> AnyArray:
    """Return the numbers whose sum gives a mean: unit vectors of directions, other values unchanged."""
    return values if circle is None else vectors_of(values, circle)


def mean_of_sums(total: AnyArray, weight: AnyArray, circle: float | None, is_signed: BoolArray) -> Float64Array:
    """Return the means from sums of `summands`, NaN for zero weight; of directions with `mean_directions`."""
    if circle is None:
        return np.asarray(np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0))
    return mean_directions(total, weight.astype(np.float64), circle, is_signed)


def mean_directions(total: ComplexArray, weight: Float64Array, circle: float, is_signed: BoolArray) -> Float64Array:
    """Return the directions of sums of vectors, NaN for zero weight and for vectors that cancel out.

    Args:
        total: Sums of vectors times weights.
        weight: Sums of the weights.
        circle: Length of a full turn.
        is_signed: True if some of the values are negative. Directions then range from `-circle / 2` to `circle / 2`,
            otherwise from 0 to below `circle`.
    """
    angles = np.angle(total) * (circle / (2 * np.pi))
    is_below = ~is_signed & (angles < 0)
    turned = np.where(is_below, np.where(angles < -NOISE * circle, angles + circle, 0.0), angles)
    return np.asarray(np.where((weight > 0) & (np.abs(total) > MIN_LENGTH * weight), turned, np.nan))


def circular_deviations(total: ComplexArray, weight: Float64Array, circle: float) -> Float64Array:
    """Return the circular standard deviation (Fisher, 2.12) of sums of vectors; NaN like `mean_directions`."""
    lengths = np.minimum(np.divide(np.abs(total), weight, out=np.zeros(total.shape), where=weight > 0), 1.0)
    with np.errstate(divide="ignore"):
        deviations = np.sqrt(np.maximum(-2 * np.log(lengths), 0.0)) * (circle / (2 * np.pi))
    return np.asarray(np.where(lengths > MIN_LENGTH, deviations, np.nan))


def shortest(differences: Float64Array, circle: float | None) -> Float64Array:
    """Return differences the shorter way round, from `-circle / 2` to `circle / 2`; unchanged if `circle` is `None`."""
    return differences if circle is None else np.asarray((differences + circle / 2) % circle - circle / 2)
