"""Pseudo-random numbers that depend on a place or an id alone, so that every part of the demo can be made by itself."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
KeyArray = NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)

SPLINE_SPREAD: Final = 0.1384
"""Standard deviation of uniform numbers smoothed by a cubic B-spline along two axes, averaged over a cell."""


def mix_keys(seed: int, *keys: NDArray[Any] | int) -> KeyArray:
    """Return 64 well-mixed bits for each combination of integer `keys` (splitmix64), broadcast together."""
    state = np.asarray((seed * 0x632BE59BD9B4E019 + 1) % 2**64, dtype=np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2 ** 64 is the point
        for key in keys:
            state = _scramble(state ^ (np.asarray(key).astype(np.int64).astype(np.uint64) + _GOLDEN))
    return state


def _scramble(state: KeyArray) -> KeyArray:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)


def uniform_of(seed: int, *keys: NDArray[Any] | int) -> FloatArray:
    """Return a number in [0, 1) for each combination of integer `keys`."""
    return ((mix_keys(seed, *keys) >> np.uint64(40)).astype(np.float32)) * np.float32(2.0**-24)


def normal_of(seed: int, *keys: NDArray[Any] | int) -> FloatArray:
    """Return a number near the standard normal distribution, within 3.5, for each combination of `keys`."""
    total = sum(uniform_of(seed + part, *keys) for part in range(4)) - np.float32(2.0)
    return np.asarray(total * np.float32(np.sqrt(3.0)), dtype=np.float32)


def smooth_noise(x: NDArray[np.float64], y: NDArray[np.float64], *, cell_m: float, seed: int) -> FloatArray:
    """Return smooth noise of mean 0 and variance 1 on the grid that two axes span.

    Args:
        x: (width,) in metres.
        y: (height,) in metres.
        cell_m: Distance between the random numbers that are smoothed, by a cubic B-spline, which shows no lattice.
        seed: Different seeds give independent fields.

    Returns:
        (height, width).
    """
    return blended_noise(x, y, cell_m=cell_m, shares={seed: 1.0})


def blended_noise(
    x: NDArray[np.float64], y: NDArray[np.float64], *, cell_m: float, shares: dict[int, float]
) -> FloatArray:
    """Return the sum of smooth noise of several seeds, each times its share, for the price of one."""
    columns, x_weights = _spline(x, cell_m)
    rows, y_weights = _spline(y, cell_m)
    span_x = np.arange(columns[0].min(), columns[-1].max() + 1)
    span_y = np.arange(rows[0].min(), rows[-1].max() + 1)
    lattice = np.zeros((span_y.size, span_x.size), dtype=np.float32)
    for seed, share in shares.items():
        lattice += np.float32(share) * (uniform_of(seed, span_y[:, None], span_x[None, :]) - np.float32(0.5))
    along_y = _weigh(lattice, rows - span_y[0], y_weights)
    along_x = _weigh(np.ascontiguousarray(along_y.T), columns - span_x[0], x_weights)
    return np.asarray(np.ascontiguousarray(along_x.T) / np.float32(SPLINE_SPREAD), dtype=np.float32)


def _spline(axis: NDArray[np.float64], cell_m: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the four lattice indexes and weights (4, n) of each coordinate."""
    position = axis / cell_m
    whole = np.floor(position)
    t = position - whole
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    indexes = whole.astype(np.int64)[None, :] + np.arange(-1, 3)[:, None]
    return indexes, weights.astype(np.float32)


def _weigh(numbers: FloatArray, indexes: NDArray[np.int64], weights: FloatArray) -> FloatArray:
    """Return (n, width): the sum of four rows of `numbers` each."""
    total = numbers[indexes[0]] * weights[0][:, None]
    for index, weight in zip(indexes[1:], weights[1:], strict=True):
        total += numbers[index] * weight[:, None]
    return np.asarray(total, dtype=np.float32)


def fractal_noise(
    x: NDArray[np.float64], y: NDArray[np.float64], *, cells_m: tuple[float, ...], fade: float, seed: int
) -> FloatArray:
    """Return noise (height, width) of mean 0 and variance 1 at several scales, each `fade` times the one before."""
    weights = fade ** np.arange(len(cells_m), dtype=np.float64)
    weights /= np.sqrt(np.sum(weights**2))
    total = np.zeros((y.size, x.size), dtype=np.float32)
    for number, (cell_m, weight) in enumerate(zip(cells_m, weights, strict=True)):
        total += np.float32(weight) * smooth_noise(x, y, cell_m=cell_m, seed=seed * 31 + number)
    return total


def smooth_step(numbers: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 below `low`, 1 above `high` and a smooth rise between."""
    t = np.clip((numbers - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
