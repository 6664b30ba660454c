"""Half the resolution of a tile: means of two by two pixels, or the class that most of them have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.model.cube import CubeFrame
from chronotile.model.raster import BoolArray, Numbers

Array = NDArray[Any]

WIDE: dict[int, type[np.number[Any]]] = {1: np.int16, 2: np.int32, 4: np.int64}
"""What holds four whole numbers of so many bytes together."""


def halve_frame(frame: CubeFrame, *, is_categorical: bool) -> CubeFrame:
    """Return (y, x) of half the height and width, rounded up.

    A pixel is the mean of the values of its four, rounded to a number of theirs where those are whole (halves upwards);
    of classes the most frequent, the first by rows where several are. Without values it is the first flag, without
    those a gap. At odd edges there are two pixels, or one.
    """
    numbers, valid = _even(frame.numbers), _even(frame.valid)
    counts = _sums(valid, np.uint8)
    halves = _most_frequent(numbers, valid) if is_categorical else _mean(numbers, valid, counts)
    has_value = counts > 0
    present = _even(~frame.gaps)
    if np.array_equal(present, valid):  # without flags
        return CubeFrame(numbers=halves, valid=has_value, gaps=~has_value)
    first = _first(numbers, present)
    return CubeFrame(
        numbers=np.where(has_value, halves, first), valid=has_value, gaps=np.equal(_sums(present, np.uint8), 0)
    )


def _even(pixels: Array) -> Array:
    """(y, x) with an even number of rows and columns: beyond odd edges zeros."""
    height, width = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2))) if height % 2 or width % 2 else pixels


def _sums(pixels: Array, dtype: type[np.number[Any]]) -> Array:
    """(y, x) sums of two by two pixels."""
    rows = np.add(pixels[0::2], pixels[1::2], dtype=dtype)
    sums: Array = rows[:, 0::2] + rows[:, 1::2]
    return sums


def _mean(numbers: Numbers, valid: BoolArray, counts: Array) -> Numbers:
    """(y, x) means of the values of two by two pixels, of which there are `counts`; 0 where there are none."""
    counts = np.maximum(counts, 1)
    if numbers.dtype.kind == "f":
        quarters = np.multiply(np.where(valid, numbers, 0), 0.25, dtype=np.float64)  # four of the largest have no sum
        with np.errstate(over="ignore"):
            return np.asarray(_sums(quarters, np.float64) * (4 / counts), dtype=numbers.dtype)
    sums = _sums(numbers * valid, WIDE.get(numbers.dtype.itemsize, np.float64))
    # Floats of half as many bits again tell thirds and quarters of such sums from whole numbers, and divide quicker.
    quotients = sums / counts.astype(np.float32 if numbers.dtype.itemsize <= 2 else np.float64)
    return np.asarray(np.floor(quotients + 0.5), dtype=numbers.dtype)


def _quarters(pixels: Array) -> Array:
    """(4, y, x): upper left, upper right, lower left and lower right pixels."""
    return np.stack([pixels[row::2, column::2] for row in (0, 1) for column in (0, 1)])


def _first(numbers: Numbers, present: BoolArray) -> Numbers:
    """(y, x): of two by two pixels the first that is present."""
    place = _quarters(present).argmax(axis=0)
    first: Numbers = np.take_along_axis(_quarters(numbers), place[np.newaxis], axis=0)[0]
    return first


def _most_frequent(numbers: Numbers, valid: BoolArray) -> Numbers:
    """(y, x): the number that most of two by two pixels have, of several the first."""
    four, sure = _quarters(numbers), _quarters(valid)
    counts = np.stack([((four == one) & sure & known).sum(axis=0) for one, known in zip(four, sure, strict=True)])
    found: Numbers = np.take_along_axis(four, counts.argmax(axis=0)[np.newaxis], axis=0)[0]
    return found
