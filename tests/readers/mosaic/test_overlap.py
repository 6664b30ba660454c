"""Overlapping pieces to one raster, against numpy's own statistics of each pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chronotile.core.model.encoding import FIRST_FLAG_CODE, NODATA_CODE, Encoding
from chronotile.readers.mosaic.overlap import (
    MAX_COMPARED_PLANES,
    UNCOVERED_CODE,
    PartOfGrid,
    Sheet,
    mosaic_encoding,
    overlap_parts,
    overlap_sheets,
)

NUMBERS = Encoding(dtype="uint16", scale=0.5, nodata=0, flags=((7, "cloud"),))
STATISTICS = {"max": np.max, "mean": np.mean, "median": np.median}
CODES = st.sampled_from([0, 0, 0, NODATA_CODE, FIRST_FLAG_CODE, UNCOVERED_CODE])


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

    found = overlap_sheets(iter(sheets_of(numbers, codes)), rule, NUMBERS, (5,))

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
def test_medians_and_means_equal_those_of_numpy(dtype, is_whole):
    rng = np.random.default_rng(7)
    numbers = rng.normal(100, 40, (10, 50, 40)).clip(1, 250).astype(dtype)
    codes = np.zeros(numbers.shape, dtype="uint8") if is_whole else rng.choice([0, 0, NODATA_CODE], numbers.shape)
    values = np.where(codes == 0, numbers, np.nan)
    sheets, encoding = sheets_of(numbers, codes.astype("uint8")), Encoding(dtype=dtype)

    for rule, of_numpy in (("median", np.nanmedian), ("mean", np.nanmean), ("max", np.nanmax)):
        found = overlap_sheets(iter(sheets), rule, encoding, (50, 40))
        assert not found.codes.numbers.any()
        np.testing.assert_allclose(found.numbers, of_numpy(values, axis=0), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_medians_of_very_many_pieces_equal_those_of_numpy(dtype):
    rng = np.random.default_rng(7)
    numbers = rng.normal(100, 40, (MAX_COMPARED_PLANES + 1, 6, 5)).clip(1, 250).astype(dtype)
    codes = rng.choice(np.array([0, 0, NODATA_CODE], dtype="uint8"), numbers.shape)

    found = overlap_sheets(iter(sheets_of(numbers, codes)), "median", Encoding(dtype=dtype), (6, 5))

    np.testing.assert_allclose(found.numbers, np.nanmedian(np.where(codes == 0, numbers, np.nan), axis=0), rtol=1e-6)


@given(piles())
def test_first_is_the_first_piece_with_a_value_or_a_flag(pile):
    numbers, codes = pile

    found = overlap_sheets(iter(sheets_of(numbers, codes)), "first", NUMBERS, (5,))

    for pixel in range(5):
        shown = [place for place, code in enumerate(codes[:, pixel]) if code in {0, FIRST_FLAG_CODE}]
        if shown:
            assert found.numbers[pixel] == numbers[shown[0], pixel]
            assert found.codes.numbers[pixel] == codes[shown[0], pixel]
        else:
            assert found.codes.numbers[pixel] == NODATA_CODE


GRID = (4, 5)


@st.composite
def parts_of_grid(draw):
    """Draw pieces, each with its part of a grid, if it has cells there, and its sheet on the grid."""
    pieces = []
    for _piece in range(draw(st.integers(1, 5))):
        rows, columns = (sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in GRID)
        at = np.s_[rows[0] : rows[1], columns[0] : columns[1]]
        inside = draw(st.none() | arrays("bool", (rows[1] - rows[0], columns[1] - columns[0])))
        numbers, codes = np.zeros(GRID, dtype="uint16"), np.full(GRID, UNCOVERED_CODE, dtype="uint8")
        numbers[at] = draw(arrays("uint16", numbers[at].shape, elements=st.integers(8, 65535)))
        codes[at] = draw(
            arrays("uint8", codes[at].shape, elements=st.sampled_from([0, 0, NODATA_CODE, FIRST_FLAG_CODE]))
        )
        if inside is not None:
            codes[at][~inside] = UNCOVERED_CODE
        pieces.append((at, inside, Sheet(numbers, codes)))
    return pieces


@given(parts_of_grid(), st.sampled_from(["first", "max", "mean", "median"]))
def test_parts_are_combined_like_whole_sheets_and_read_only_if_needed(pieces, rule):
    read = []

    def part_of(at, inside, sheet):
        def read_part(only):
            read.append(sheet.numbers[at][only].size)
            return Sheet(sheet.numbers[at][only], sheet.codes[at][only])

        return PartOfGrid(at=at, inside=inside, read=read_part)

    whole = overlap_sheets([sheet for _at, _inside, sheet in pieces], rule, NUMBERS, GRID)
    found = overlap_parts((part_of(*piece) for piece in pieces), rule, NUMBERS, GRID)

    np.testing.assert_array_equal(found.codes.numbers, whole.codes.numbers)
    has_number = np.isin(whole.codes.numbers, [0, FIRST_FLAG_CODE])
    np.testing.assert_array_equal(found.numbers[has_number], whole.numbers[has_number])
    assert all(read)


def test_a_piece_that_others_hide_is_not_read():
    def hidden(_only):
        raise AssertionError("the one before it has all of its part")

    numbers, codes = np.full((3, 2), 9, dtype="uint16"), np.zeros((3, 2), dtype="uint8")
    parts = [
        PartOfGrid(at=np.s_[0:3, 0:2], inside=None, read=lambda only: Sheet(numbers[only], codes[only])),
        PartOfGrid(at=np.s_[1:2, 0:2], inside=None, read=hidden),
        PartOfGrid(at=np.s_[0:1, 1:3], inside=np.array([[True, False]]), read=hidden),
        PartOfGrid(at=np.s_[0:3, 1:4], inside=None, read=lambda only: Sheet(numbers[only], codes[only])),
    ]

    assert overlap_parts(parts, "first", NUMBERS, (3, 4)).numbers.tolist() == [[9, 9, 9, 9]] * 3


def test_only_needed_pieces_are_read():
    whole = Sheet(np.full(3, 9, dtype="uint16"), np.zeros(3, dtype="uint8"))

    def pieces():
        yield whole
        raise AssertionError("the first has all")

    assert overlap_sheets(pieces(), "first", NUMBERS, (3,)).numbers.tolist() == [9, 9, 9]


def test_largest_value_has_the_least_number_for_a_negative_scale():
    encoding = Encoding(dtype="int16", scale=-1.0)
    sheets = [Sheet(np.array([number], dtype="int16"), np.zeros(1, dtype="uint8")) for number in (5, -3, 9)]

    assert overlap_sheets(iter(sheets), "max", encoding, (1,)).numbers.tolist() == [-3]
