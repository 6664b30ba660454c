"""One encoding for files that differ: every value and every reason is unchanged."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, cell_reasons, valid_pixels
from chronotile.readers.joined.common_encoding import common_encoding
from chronotile.readers.joined.recoding import recoding_of

BEFORE_2022 = Encoding(dtype="uint16", scale=0.0001, nodata=0)
SINCE_2022 = Encoding(dtype="uint16", scale=0.0001, offset=-0.1, nodata=0)


def recoded(numbers, source, target):
    found = recoding_of(source, target)
    assert found is not None
    return found.numbers(np.asarray(numbers, dtype=source.dtype))


def exact(number, encoding):
    """Return the value of a whole number by the shortest decimals of scale and offset."""
    scale, offset = Decimal(repr(encoding.scale)), Decimal(repr(encoding.offset))
    return Fraction(int(number)) * Fraction(scale) + Fraction(offset)


def test_files_that_do_not_differ_are_not_recoded():
    numbers = np.array([0, 1, 2], dtype="uint16")

    assert common_encoding([BEFORE_2022, BEFORE_2022]) == BEFORE_2022
    assert recoding_of(BEFORE_2022, BEFORE_2022).numbers(numbers) is numbers


def test_sentinel_2_before_and_since_january_2022_has_one_step_and_keeps_nodata():
    common = common_encoding([BEFORE_2022, SINCE_2022])

    before = recoded([0, 1, 1234, 65535], BEFORE_2022, common)
    since = recoded([0, 1, 2234, 65535], SINCE_2022, common)
    assert (common.dtype, common.scale, common.offset) == ("int32", 0.0001, 0.0)
    assert [exact(each, common) for each in before[1:]] == [Fraction(n, 10000) for n in (1, 1234, 65535)]
    assert [exact(each, common) for each in since[1:]] == [Fraction(n, 10000) for n in (-999, 1234, 64535)]
    for numbers in (before, since):
        assert common.valid(numbers).tolist() == [False, True, True, True]
        assert common.reasons(numbers, common.valid(numbers))[0] == "nodata"


@pytest.mark.parametrize(
    ("encodings", "dtype"),
    [
        ([("uint8", 255), ("uint8", 0)], "uint16"),
        ([("uint8", 255), ("uint8", 254)], "uint16"),
        ([("uint8", 255), ("int16", -1)], "int16"),
        ([("int16", -9999), ("int16", -32768)], "int32"),
        ([("uint8", None), ("uint8", 0)], "uint16"),
        ([("uint8", 255), ("float32", None)], "float32"),
        ([("uint8", 255), ("int16", -1), ("float32", -9999.0)], "float32"),
        ([("int32", -1), ("float32", None)], "float64"),
    ],
)
def test_shortest_type_with_room_for_all_values_is_used(encodings, dtype):
    given_encodings = [Encoding(dtype=kind, nodata=nodata) for kind, nodata in encodings]

    assert common_encoding(given_encodings).dtype == dtype


def test_one_number_may_mean_two_things_in_two_files():
    cloudy = Encoding(dtype="uint8", scale=0.004, offset=-0.08, nodata=255, flags=((254, "cloud"),))
    snowy = Encoding(dtype="uint8", scale=0.004, offset=-0.08, nodata=254, flags=((255, "snow"), (0, "water")))
    common = common_encoding([cloudy, snowy])

    of_cloudy = recoded([0, 253, 254, 255], cloudy, common)
    of_snowy = recoded([0, 253, 254, 255], snowy, common)

    assert common.reasons(of_cloudy, common.valid(of_cloudy)) == [None, None, "cloud", "nodata"]
    assert common.reasons(of_snowy, common.valid(of_snowy)) == ["water", None, "nodata", "snow"]
    assert exact(of_cloudy[0], common) == Fraction("-0.08")


def test_numbers_outside_the_range_of_their_file_stay_outside():
    narrow = Encoding(dtype="int16", scale=0.01, valid_range=(0, 100), nodata=-1)
    wide = Encoding(dtype="int16", scale=0.1, valid_range=(-50, 100), nodata=-1)
    common = common_encoding([narrow, wide])

    of_narrow = recoded([-1, -50, 0, 100, 101], narrow, common)
    of_wide = recoded([-1, -51, -50, 100, 101], wide, common)

    expected = ["nodata", "outside_range", None, None, "outside_range"]
    assert common.reasons(of_narrow, common.valid(of_narrow)) == expected
    assert common.reasons(of_wide, common.valid(of_wide)) == expected


def test_values_masked_in_their_file_stay_nodata():
    common = common_encoding([BEFORE_2022, SINCE_2022])
    pixels = Pixels(np.array([5, 6], dtype="uint16"), np.array([True, False]))

    found = recoding_of(SINCE_2022, common).pixels(pixels)

    assert valid_pixels(found, common).tolist() == [True, False]
    assert cell_reasons(found, common) == (None, "nodata")


def test_values_without_a_common_step_are_the_floats_nearest_to_their_decimals():
    packed = Encoding(dtype="int16", scale=0.1, offset=273.15, nodata=-32768)
    other = Encoding(dtype="float32", nodata=-9999.0)
    common = common_encoding([packed, other])

    values = recoded([-32768, 3, 148], packed, common)

    assert (common.dtype, common.scale, common.offset) == ("float64", 1.0, 0.0)
    assert np.isnan(values[0])
    assert list(map(repr, values[1:].tolist())) == ["273.45", "287.95"]  # 3 * 0.1 + 273.15 is 273.45 in no more digits
    floats = recoded([-9999.0, 0.5, np.nan, np.inf], other, common)
    assert common.valid(floats).tolist() == [False, True, False, False]


def test_units_that_differ_are_refused():
    with pytest.raises(UnsupportedSource, match="units: K, degC"):
        common_encoding([Encoding(dtype="int16", units="K"), Encoding(dtype="int16", units="degC")])


@pytest.mark.parametrize(
    "late",
    [
        Encoding(dtype="uint16", scale=0.0001, offset=-0.1, nodata=0, units="K"),
        Encoding(dtype="uint16", scale=0.00003, nodata=0),
        Encoding(dtype="uint16", scale=0.0001, nodata=0, flags=((65535, "cloud"),)),
        Encoding(dtype="uint16", scale=0.0001, nodata=0, valid_range=(0, 10000)),
        Encoding(dtype="float32"),
        Encoding(dtype="uint16", scale=1.0, offset=1e6),
    ],
    ids=["units", "step", "flag", "range", "floats", "too large"],
)
def test_a_file_that_the_common_encoding_cannot_hold_is_not_recoded(late):
    assert recoding_of(late, common_encoding([BEFORE_2022, SINCE_2022])) is None


def test_third_offset_uses_the_common_encoding_of_two():
    late = Encoding(dtype="uint16", scale=0.0002, offset=-0.5, nodata=65535)
    common = common_encoding([BEFORE_2022, SINCE_2022])

    assert exact(recoded([7], late, common)[0], common) == Fraction("-0.4986")


WHOLE = ("uint8", "int8", "uint16", "int16")
TYPES = (*WHOLE, "int32", "uint32", "float32", "float64")
SCALES = (1.0, 0.1, 0.004, 0.0001, 0.02, -0.5, 1 / 254, 2.0)
OFFSETS = (0.0, -0.1, 273.15, -0.08, 50.0)


@st.composite
def an_encoding(draw, types=TYPES):
    dtype = np.dtype(draw(st.sampled_from(types)))
    low, high = (-9999, 9999) if dtype.kind == "f" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    numbers = st.one_of(st.sampled_from([low, high, 0, 1]), st.integers(low, high))
    nodata = draw(st.one_of(st.none(), numbers, st.just(-9999.9)))
    if nodata is not None and dtype.kind == "f":
        nodata = float(dtype.type(nodata))  # as readers have it
    flags = draw(st.dictionaries(numbers, st.sampled_from(["cloud", "snow", "water"]), max_size=3))
    ends = draw(st.one_of(st.none(), st.tuples(numbers, numbers)))
    return Encoding(
        dtype=dtype.name,
        scale=draw(st.sampled_from(SCALES)),
        offset=draw(st.sampled_from(OFFSETS)),
        nodata=nodata,
        flags=tuple((number, name) for number, name in flags.items() if number != nodata),
        valid_range=None if ends is None else (float(min(ends)), float(max(ends))),
    )


def some_numbers(encoding, seed):
    """Return all numbers that an encoding mentions, their neighbours, the ends of its type and others."""
    dtype = np.dtype(encoding.dtype)
    told = [number for number, _name in encoding.flags]
    told += [] if encoding.nodata is None else [encoding.nodata]
    told += encoding.valid_range or ()
    near = np.array([each + step for each in told for step in (-1, 0, 1)], dtype=np.float64)
    random = np.random.default_rng(seed)
    if dtype.kind == "f":
        return np.concatenate([near, random.normal(0, 100, 50), [np.nan, np.inf, -np.inf]]).astype(dtype)
    limits = np.iinfo(dtype)
    near = near[(near == np.rint(near)) & (near >= limits.min) & (near <= limits.max)]
    ends = np.array([limits.min, limits.min + 1, limits.max - 1, limits.max, max(limits.min, -1000), 1], dtype=dtype)
    return np.concatenate([near.astype(dtype), ends, random.integers(limits.min, limits.max, 50, dtype=dtype)])


@pytest.mark.slow
@given(st.lists(an_encoding(), min_size=1, max_size=4), st.integers(0, 1000))
def test_every_value_and_every_reason_is_preserved(encodings, seed):
    common = common_encoding(encodings)

    for encoding in encodings:
        numbers = some_numbers(encoding, seed)
        valid = encoding.valid(numbers)
        found = recoded(numbers, encoding, common)
        assert found.dtype == common.dtype
        assert common.valid(found).tolist() == valid.tolist()
        assert common.reasons(found, common.valid(found)) == encoding.reasons(numbers, valid)
        assert [(["", *common.code_names])[code] for code in common.codes(found)] == [
            (["", *encoding.code_names])[code] for code in encoding.codes(numbers)
        ]
        if np.dtype(common.dtype).kind in "iu":
            assert [exact(each, common) for each in found[valid]] == [exact(each, encoding) for each in numbers[valid]]
        else:
            np.testing.assert_allclose(
                common.values(found[valid]), encoding.values(numbers[valid]), rtol=1e-15, atol=1e-13
            )


@given(st.lists(an_encoding(), min_size=2, max_size=3))
def test_the_common_encoding_does_not_hang_on_the_order(encodings):
    assert len({common_encoding(each) for each in permutations(encodings)}) == 1


@given(st.lists(an_encoding(types=WHOLE), min_size=1, max_size=4), an_encoding())
def test_a_file_that_comes_later_is_recoded_exactly_or_not_at_all(encodings, late):
    common = common_encoding(encodings)
    recoding = recoding_of(late, common)
    if recoding is None:
        return

    numbers = some_numbers(late, 1)
    valid = late.valid(numbers)
    found = recoding.numbers(numbers)

    assert common.reasons(found, common.valid(found)) == late.reasons(numbers, valid)
    np.testing.assert_allclose(common.values(found[valid]), late.values(numbers[valid]), rtol=1e-15, atol=1e-13)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("reason", [{"nodata": 200.0}, {"flags": ((200, "cloud"),)}])
def test_a_number_outside_the_range_of_its_file_is_no_reason_of_another_file(dtype, reason):
    bounded = Encoding(dtype=dtype, valid_range=(0.0, 100.0))
    common = Encoding(dtype=dtype, valid_range=(0.0, 100.0), **reason)
    numbers = np.array([100, 150, 200, 201], dtype=dtype)

    found = recoding_of(bounded, common).numbers(numbers)

    assert common.reasons(found, common.valid(found)) == [None, "outside_range", "outside_range", "outside_range"]


def test_values_of_a_short_type_have_the_shortest_text_after_recoding():
    common = common_encoding([Encoding(dtype="uint8", scale=0.1), Encoding(dtype="uint8", scale=1 / 254)])

    assert common.text_step == pytest.approx(1 / 254)
    assert math.isnan(common.nodata)
