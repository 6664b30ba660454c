"""Overviews against plain loops over the native cells."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chronotile.core.model.encoding import Encoding
from chronotile.readers.overview_summaries import Counting, paste_summaries, summary_of

NDVI = Encoding(dtype="uint8", nodata=255, valid_range=(0, 250), flags=((251, "snow"), (252, "cloud")))


def level_of(numbers, counting, level):
    summary = summary_of(numbers, counting)
    for _ in range(level - 1):
        summary = summary.halved()
    return summary.numbers()


def cells_below(numbers, row, column, level):
    size = 2**level
    return numbers[row * size : (row + 1) * size, column * size : (column + 1) * size].ravel().tolist()


def half_even(total, count):
    return round(Fraction(total, count))


def mean_or_commonest(cells, encoding):
    valid = [cell for cell in cells if encoding.valid(np.array([cell]))[0]]
    if valid:
        return half_even(sum(valid), len(valid))
    codes = [number for number, _name in encoding.flags] + [encoding.nodata]
    counts = Counter(cells)
    return max(codes, key=lambda code: (counts[code], -codes.index(code)))


@given(
    arrays.arrays(
        "uint8",
        st.tuples(st.integers(1, 21), st.integers(1, 21)),
        elements=st.sampled_from([0, 1, 2, 7, 249, 250, 251, 252, 255]),
    ),
    st.integers(1, 4),
)
def test_cell_is_the_mean_of_the_valid_cells_below_or_their_commonest_code(numbers, level):
    found = level_of(numbers, Counting(encoding=NDVI, is_categorical=False), level)

    expected = [
        [mean_or_commonest(cells_below(numbers, row, column, level), NDVI) for column in range(found.shape[1])]
        for row in range(found.shape[0])
    ]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == "uint8"


@given(
    arrays.arrays("uint8", st.tuples(st.integers(1, 13), st.integers(1, 13)), elements=st.sampled_from([1, 4, 9, 0])),
    st.integers(1, 3),
)
def test_cell_of_classes_is_the_commonest_valid_class(numbers, level):
    counting = Counting(encoding=Encoding(dtype="uint8", nodata=0), is_categorical=True)

    found = level_of(numbers, counting, level)

    def commonest(cells):
        counts = Counter(cell for cell in cells if cell)
        return min(counts, key=lambda number: (-counts[number], number)) if counts else 0

    expected = [
        [commonest(cells_below(numbers, row, column, level)) for column in range(found.shape[1])]
        for row in range(found.shape[0])
    ]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_means_of_every_type_are_exact(dtype):
    rng = np.random.default_rng(5)
    kind = np.dtype(dtype)
    low, high = (-100, 100) if kind.kind != "u" else (0, 200)
    numbers = rng.integers(low, high, (64, 48)).astype(dtype)

    found = level_of(numbers, Counting(encoding=Encoding(dtype=dtype), is_categorical=False), 2)

    means = numbers.astype("f8").reshape(16, 4, 12, 4).mean(axis=(1, 3))
    np.testing.assert_array_equal(found, (means if kind.kind == "f" else np.rint(means)).astype(dtype))


def test_nan_takes_no_part_in_a_mean():
    numbers = np.array([[1.0, np.nan], [2.0, np.nan]], dtype="float32")

    found = level_of(numbers, Counting(encoding=Encoding(dtype="float32", nodata=np.nan), is_categorical=False), 1)

    np.testing.assert_array_equal(found, [[1.5]])


def test_cell_without_value_is_nan_in_floats():
    numbers = np.full((2, 2), np.nan, dtype="float32")

    found = level_of(numbers, Counting(encoding=Encoding(dtype="float32", nodata=np.nan), is_categorical=False), 1)

    assert np.isnan(found).all()


def test_mean_equal_to_nodata_is_moved_by_one():
    numbers = np.array([[-1, 1], [-1, 1]], dtype="int8")

    found = level_of(numbers, Counting(encoding=Encoding(dtype="int8", nodata=0), is_categorical=False), 1)

    assert found.tolist() == [[1]]


def test_parts_make_the_same_as_the_whole():
    numbers = np.random.default_rng(3).integers(240, 256, (64, 80)).astype("uint8")
    counting = Counting(encoding=NDVI, is_categorical=False)
    parts = {
        (row // 2, column // 2): summary_of(numbers[row : row + 32, column : column + 32], counting)
        for row in (0, 32)
        for column in (0, 32, 64)
    }

    whole = paste_summaries(parts, (32, 40), numbers.dtype)

    np.testing.assert_array_equal(whole.numbers(), level_of(numbers, counting, 1))
