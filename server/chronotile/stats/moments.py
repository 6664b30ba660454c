"""Count, mean, deviation and extremes of values that come in parts."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.model.request import AreaReducer


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What is known of values without keeping them, in float64."""

    count: int = 0
    mean: float = math.nan
    squares: float = 0.0
    """Sum of the squared distances from the mean."""
    least: float = math.nan
    greatest: float = math.nan

    def reduced(self, reducer: AreaReducer) -> float:
        """Return what a reducer makes of the values, NaN without any; `std` divides by the count (ddof 0)."""
        if reducer == "count":
            return self.count
        if self.count == 0:
            return math.nan
        if reducer == "std":
            return math.sqrt(self.squares / self.count)
        return {"mean": self.mean, "min": self.least, "max": self.greatest}[reducer]


def moments_of(values: NDArray[np.float64]) -> Moments:
    """Return the moments of finite values (n,)."""
    if values.size == 0:
        return Moments()
    mean = float(values.mean())
    distances = values - mean
    return Moments(
        count=int(values.size),
        mean=mean,
        squares=float(distances @ distances),
        least=float(values.min()),
        greatest=float(values.max()),
    )


def joined(first: Moments, second: Moments) -> Moments:
    """Return the moments of both together (Chan, Golub and LeVeque 1979, equations 2.1a and b)."""
    if first.count == 0 or second.count == 0:
        return second if first.count == 0 else first
    count = first.count + second.count
    apart = second.mean - first.mean
    return Moments(
        count=count,
        mean=first.mean + apart * second.count / count,
        squares=first.squares + second.squares + apart * apart * first.count * second.count / count,
        least=min(first.least, second.least),
        greatest=max(first.greatest, second.greatest),
    )
