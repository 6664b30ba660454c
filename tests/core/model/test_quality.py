"""Conditions on the numbers of quality variables, compared with the arithmetic of numpy."""

import numpy as np
import pytest

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.quality import AbsentFlags, NamedFlag, ValueBounds, have_flags

FMASK = np.arange(256, dtype="uint8")
QA_PIXEL = np.arange(65_536, dtype="uint16")
BYTES = Encoding(dtype="uint8", nodata=255)
WORDS = Encoding(dtype="uint16", nodata=1)


@pytest.mark.parametrize(
    ("name", "is_set"),
    [
        ("cirrus", FMASK & 1 != 0),
        ("cloud", FMASK & 2 != 0),
        ("adjacent_to_cloud", FMASK & 4 != 0),
        ("cloud_shadow", FMASK & 8 != 0),
        ("snow", FMASK & 16 != 0),
        ("water", FMASK & 32 != 0),
        ("aerosol_climatology", FMASK >> 6 == 0),
        ("aerosol_low", FMASK >> 6 == 1),
        ("aerosol_moderate", FMASK >> 6 == 2),
        ("aerosol_high", FMASK >> 6 == 3),
    ],
)
def test_bits_of_fmask_match_the_user_guide(name, is_set):
    flags = AbsentFlags((name,), "hls_fmask").select(())

    np.testing.assert_array_equal(have_flags(flags, FMASK, BYTES), is_set | (FMASK == 255))


@pytest.mark.parametrize(
    ("name", "is_set"),
    [
        ("fill", QA_PIXEL & 1 != 0),
        ("dilated_cloud", QA_PIXEL & 2 != 0),
        ("cirrus", QA_PIXEL & 4 != 0),
        ("cloud", QA_PIXEL & 8 != 0),
        ("cloud_shadow", QA_PIXEL & 16 != 0),
        ("snow", QA_PIXEL & 32 != 0),
        ("clear", QA_PIXEL & 64 != 0),
        ("water", QA_PIXEL & 128 != 0),
        ("cloud_confidence_medium", (QA_PIXEL >> 8) & 3 == 2),
        ("cloud_confidence_high", (QA_PIXEL >> 8) & 3 == 3),
        ("cloud_shadow_confidence_low", (QA_PIXEL >> 10) & 3 == 1),
        ("snow_confidence_high", (QA_PIXEL >> 12) & 3 == 3),
        ("cirrus_confidence_none", (QA_PIXEL >> 14) & 3 == 0),
        ("cirrus_confidence_high", (QA_PIXEL >> 14) & 3 == 3),
    ],
)
def test_bits_of_qa_pixel_match_the_product_guide(name, is_set):
    flags = AbsentFlags((name,), "landsat_qa_pixel").select(())

    np.testing.assert_array_equal(have_flags(flags, QA_PIXEL, WORDS), is_set | (QA_PIXEL == 1))


def test_several_flags_hide_each():
    flags = AbsentFlags(("cloud", "snow"), "hls_fmask").select(())

    np.testing.assert_array_equal(have_flags(flags, FMASK, BYTES), (FMASK & 18 != 0) | (FMASK == 255))


def test_flag_in_the_sign_bit_is_set_for_negative_numbers():
    numbers = np.array([-(2**31), -1, 0, 2**30], dtype="int32")

    has_flag = have_flags([NamedFlag("land", -(2**31))], numbers, Encoding(dtype="int32"))

    assert has_flag.tolist() == [True, True, False, False]


def test_flags_in_joined_floats_are_found():
    numbers = np.array([0, 1, 2, 3, np.nan], dtype="float64")

    has_flag = have_flags([NamedFlag("land", 2)], numbers, Encoding(dtype="float64", nodata=np.nan))

    assert has_flag.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("scale", [0.01, float(np.float32(0.01))])
def test_packed_bounds_include_their_number(scale):
    """57 * 0.01 is more than 0.57 in floating point."""
    numbers, encoding = np.arange(102, dtype="uint8"), Encoding(dtype="uint8", scale=scale, nodata=101)
    bounds = np.arange(101)[:, np.newaxis]

    at_least = [ValueBounds(at_least=bound / 100).contain(numbers, encoding) for bound in range(101)]
    at_most = [ValueBounds(at_most=bound / 100).contain(numbers, encoding) for bound in range(101)]

    np.testing.assert_array_equal(at_least, (numbers >= bounds) & (numbers <= 100))
    np.testing.assert_array_equal(at_most, numbers <= bounds)


def test_bound_of_large_whole_numbers_is_exact():
    numbers, encoding = np.array([20_241_008, 20_241_009], dtype="int32"), Encoding(dtype="int32")

    assert ValueBounds(at_least=20_241_009).contain(numbers, encoding).tolist() == [False, True]


def test_bound_of_float32_is_its_nearest_float32():
    numbers = np.array([0.6, 0.7, 0.8, np.nan], dtype="float32")
    encoding = Encoding(dtype="float32")

    assert ValueBounds(at_least=0.7).contain(numbers, encoding).tolist() == [False, True, True, False]
    assert ValueBounds(at_most=0.7).contain(numbers, encoding).tolist() == [True, True, False, False]


def test_bounds_of_a_negative_scale_are_exchanged():
    numbers, encoding = np.array([0, 10, 20], dtype="int16"), Encoding(dtype="int16", scale=-0.5, offset=10.0)

    assert ValueBounds(at_least=4.0, at_most=6.0).contain(numbers, encoding).tolist() == [False, True, False]


def test_unknown_flag_is_an_error_that_lists_flags():
    with pytest.raises(
        InvalidParameter, match="flag 'clouds' does not exist; the nearest is cloud; accepted are cirru"
    ):
        AbsentFlags(("clouds",), "hls_fmask").select(())


def test_list_of_flags_in_an_error_is_bounded():
    flags = [NamedFlag(f"flag_{bit}", 1 << bit) for bit in range(60)]

    with pytest.raises(InvalidParameter, match="flag_39 and 20 more"):
        AbsentFlags(("land",)).select(flags)


def test_file_without_flags_is_an_error_with_a_remedy():
    with pytest.raises(InvalidParameter, match="the file names none; set bits: hls_fmask or landsat_qa_pixel, or list"):
        AbsentFlags(("land",)).select(())
