"""Overlapping pieces to one raster, against numpy's own statistics of each pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chronotile.model.raster import FIRST_FLAG_CODE, NODATA_CODE, Encoding
from chronotile.readers.mosaic.overlap import MOST_COMPARED, OUTSIDE_CODE, Sheet, mosaic_encoding, overlapped

NUMBERS = Encoding(dtype="uint16", scale=0.5, nodata=0, flags=((7, "cloud"),))
STATISTICS = {"max": np.max, "mean": np.mean, "median": np.median}
CODES = st.sampled_from([0, 0, 0, NODATA_CODE, FIRST_FLAG_CODE, OUTSIDE_CODE])


@st.composite
def piles(draw):
    """(piece, pixel) numbers and codes of one to seven pieces."""
    count = draw(st.integers(1, 7))
    numbers = draw(arrays("uint16", (count, 5), elements=st.integers(8, 65535)))
    codes = draw(arrays("uint8", (count, 5), elements=CODES))
    return numbers, codes


def sheets_of(numbers, codes):
    return [Sheet(*each) for each in zip(numbers, codes, strict=True)]


@given(piles(), st.sampled_from(["max", "mean", "median"]))
def test_statistics_are_those_of_the_values_of_each_pixel(pile, rule):
    numbers, codes = pile

    found = overlapped(iter(sheets_of(numbers, codes)), rule, NUMBERS, (5,))

    for pixel in range(5):
        values = numbers[codes[:, pixel] == 0, pixel].astype(float)
        if values.size:
            assert found.codes.numbers[pixel] == 0
            assert found.numbers[pixel] == pytest.approx(
                {"max": np.max, "mean": np.mean, "median": np.median}[rule](values)
            )
        else:
            assert found.codes.numbers[pixel] != 0
    assert found.numbers.dtype == np.dtype(mosaic_encoding(NUMBERS, rule).dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_medians_and_means_are_those_of_numpy(dtype, is_whole):
    rng = np.random.default_rng(7)
    numbers = rng.normal(100, 40, (10, 50, 40)).clip(1, 250).astype(dtype)
    codes = np.zeros(numbers.shape, dtype="uint8") if is_whole else rng.choice([0, 0, NODATA_CODE], numbers.shape)
    values = np.where(codes == 0, numbers, np.nan)
    sheets, encoding = sheets_of(numbers, codes.astype("uint8")), Encoding(dtype=dtype)

    for rule, of_numpy in (("median", np.nanmedian), ("mean", np.nanmean), ("max", np.nanmax)):
        found = overlapped(iter(sheets), rule, encoding, (50, 40))
        assert not found.codes.numbers.any()
        np.testing.assert_allclose(found.numbers, of_numpy(values, axis=0), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_medians_of_very_many_pieces_are_those_of_numpy(dtype):
    rng = np.random.default_rng(7)
    numbers = rng.normal(100, 40, (MOST_COMPARED + 1, 6, 5)).clip(1, 250).astype(dtype)
    codes = rng.choice(np.array([0, 0, NODATA_CODE], dtype="uint8"), numbers.shape)

    found = overlapped(iter(sheets_of(numbers, codes)), "median", Encoding(dtype=dtype), (6, 5))

    np.testing.assert_allclose(found.numbers, np.nanmedian(np.where(codes == 0, numbers, np.nan), axis=0), rtol=1e-6)


@given(piles())
def test_first_is_the_first_piece_with_a_value_or_a_flag(pile):
    numbers, codes = pile

    found = overlapped(iter(sheets_of(numbers, codes)), "first", NUMBERS, (5,))

    for pixel in range(5):
        shown = [place for place, code in enumerate(codes[:, pixel]) if code in {0, FIRST_FLAG_CODE}]
        if shown:
            assert found.numbers[pixel] == numbers[shown[0], pixel]
            assert found.codes.numbers[pixel] == codes[shown[0], pixel]
        else:
            assert found.codes.numbers[pixel] == NODATA_CODE


def test_no_more_pieces_are_taken_than_needed():
    whole = Sheet(np.full(3, 9, dtype="uint16"), np.zeros(3, dtype="uint8"))

    def pieces():
        yield whole
        raise AssertionError("the first has all")

    assert overlapped(pieces(), "first", NUMBERS, (3,)).numbers.tolist() == [9, 9, 9]


def test_the_largest_value_has_the_least_number_where_the_scale_is_negative():
    encoding = Encoding(dtype="int16", scale=-1.0)
    sheets = [Sheet(np.array([number], dtype="int16"), np.zeros(1, dtype="uint8")) for number in (5, -3, 9)]

    assert overlapped(iter(sheets), "max", encoding, (1,)).numbers.tolist() == [-3]
