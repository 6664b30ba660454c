"""Half the resolution: means of two by two, or the most frequent class."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chronotile.core.model.cube import CubeFrame
from chronotile.pipeline.encoders.cube_tile.numbering import halve_frame

GAP, FLAG = 255, 252


def frame_of(numbers, dtype="uint8") -> CubeFrame:
    """Return a frame with the gap 255 and the flag 252."""
    numbers = np.array(numbers)
    gaps = numbers == GAP
    return CubeFrame(numbers=numbers.astype(dtype), valid=~gaps & (numbers != FLAG), gaps=gaps)


def expected(numbers: np.ndarray, of_values: Callable[[list[int]], int]) -> np.ndarray:
    """Apply the rule of docs/design/ctc1.md, cell by cell: the result for values, else the first flag, else a gap."""
    height, width = numbers.shape
    result = np.full((-(-height // 2), -(-width // 2)), GAP)
    for row, column in np.ndindex(result.shape):
        some = numbers[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel().tolist()
        values = [number for number in some if number not in {GAP, FLAG}]
        flags = [number for number in some if number == FLAG]
        result[row, column] = of_values(values) if values else (flags or [GAP])[0]
    return result


def mean_of(values: list[int]) -> int:
    return int(np.floor(np.mean(values) + 0.5))


def most_frequent_of(values: list[int]) -> int:
    return max(values, key=values.count)


def shown(frame: CubeFrame) -> np.ndarray:
    return np.where(frame.gaps, GAP, frame.numbers)


numbers_of_frames = arrays.arrays(
    "int64",
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements=st.integers(0, 9) | st.sampled_from([GAP, FLAG]),
)


@given(numbers_of_frames)
def test_means_are_of_values_alone(numbers):
    half = halve_frame(frame_of(numbers), is_categorical=False)

    assert np.array_equal(shown(half), expected(numbers, mean_of))
    assert np.array_equal(half.valid, ~np.isin(shown(half), [GAP, FLAG]))


@given(numbers_of_frames)
def test_the_class_of_a_pixel_is_the_first_of_the_most_frequent(numbers):
    half = halve_frame(frame_of(numbers), is_categorical=True)

    assert np.array_equal(shown(half), expected(numbers, most_frequent_of))


@pytest.mark.parametrize(
    ("numbers", "dtype", "expected"),
    [
        ([[-3, -4]], "int16", -3),
        ([[32767, 32767], [32767, 32767]], "int16", 32767),
        ([[65535, 65535], [65535, 65534]], "uint16", 65535),
        ([[4_000_000_000, 4_000_000_002]], "uint32", 4_000_000_001),
        ([[0.25, 0.5]], "float32", 0.375),
        ([[1e300, 1e300]], "float64", 1e300),
    ],
    ids=str,
)
def test_means_keep_to_the_type(numbers, dtype, expected):
    numbers = np.array(numbers, dtype=dtype)
    everywhere = np.ones(numbers.shape, dtype=bool)

    half = halve_frame(CubeFrame(numbers=numbers, valid=everywhere, gaps=~everywhere), is_categorical=False)

    assert (half.numbers.dtype, half.numbers.item()) == (np.dtype(dtype), expected)


def test_numbers_in_gaps_count_for_nothing():
    numbers = np.array([[np.nan, 0.5], [np.inf, 0.7]])
    valid = np.array([[False, True], [False, True]])

    half = halve_frame(CubeFrame(numbers=numbers, valid=valid, gaps=~valid), is_categorical=False)

    assert half.numbers.item() == pytest.approx(0.6)
