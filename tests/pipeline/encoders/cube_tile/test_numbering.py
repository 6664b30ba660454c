"""Numbers of a cube and the numbers of its source that they stand for."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chronotile.core.errors import UnsupportedFormat
from chronotile.core.model.cube import CubeFrame, CubeNumbering
from chronotile.core.model.encoding import Encoding
from chronotile.pipeline.encoders.cube_tile.numbering import (
    SourceNumbers,
    fits,
    is_flag,
    nice_step,
    number_frames,
    numbering_of,
    numbering_of_frames,
)


def frame_of(numbers, encoding: Encoding) -> CubeFrame:
    numbers = np.atleast_2d(np.asarray(numbers, dtype=encoding.dtype))
    valid = encoding.valid(numbers)
    return CubeFrame(numbers=numbers, valid=valid, gaps=~valid & ~is_flag(numbers, encoding))


def meaning_of(*, colours=(0.0, 1.0), res=1, is_categorical=False, **encoding) -> SourceNumbers:
    return SourceNumbers(encoding=Encoding(**encoding), colours=colours, res=res, is_categorical=is_categorical)


def numbering(numbers, **told) -> tuple[CubeNumbering, list[int]]:
    """Return the numbering of a cube of these numbers, and its numbers."""
    meaning = meaning_of(**told)
    frame = frame_of(numbers, meaning.encoding)
    usual = numbering_of(meaning)
    found = usual if usual is not None and fits(frame, usual) else numbering_of_frames([frame], meaning)
    assert fits(frame, found)
    return found, number_frames([frame], found).numbers.ravel().tolist()


@pytest.mark.parametrize(
    ("encoding", "numbers", "expected", "nodata"),
    [
        ({"dtype": "uint8", "nodata": 255}, [0, 254], [0, 254], 255),
        ({"dtype": "uint8", "nodata": 0}, [1, 255], [1, 255], 0),
        ({"dtype": "uint8", "valid_range": (0, 250)}, [0, 250], [0, 250], 255),
        ({"dtype": "uint8", "valid_range": (1, 255)}, [1, 255], [1, 255], 0),
        ({"dtype": "uint8", "nodata": -9999, "valid_range": (0, 200)}, [7], [7], 255),
        ({"dtype": "int8", "nodata": -128}, [-127, 127], [1, 255], 0),
        ({"dtype": "uint16", "nodata": 65535}, [0, 10000], [0, 10000], 65535),
        ({"dtype": "int16", "nodata": -3000}, [-2000, 10000], [30768, 42768], 29768),
        ({"dtype": "uint8", "valid_range": (0, 200), "flags": ((255, "cloud"),)}, [9], [9], 254),
        ({"dtype": "uint8", "valid_range": (9, 255), "flags": ((8, "cloud"),)}, [9], [9], 7),
    ],
    ids=str,
)
def test_numbers_of_up_to_16_bits_are_identified_by_their_encoding(encoding, numbers, expected, nodata):
    found, became = numbering(numbers, **encoding)

    assert found.holds is None
    assert (became, found.nodata, found.is_quantised) == (expected, nodata, False)


@pytest.mark.parametrize(
    ("dtype", "numbers", "expected", "kept_as", "nodata"),
    [
        ("uint8", [0, 254], [0, 254], "uint8", 255),
        ("uint8", [1, 255], [1, 255], "uint8", 0),
        ("uint8", [0, 255], [0, 255], "uint16", 65535),
        ("int8", [-128, 127], [0, 255], "uint16", 65535),
        ("uint16", [0, 65534], [0, 65534], "uint16", 65535),
        ("uint16", [1, 65535], [1, 65535], "uint16", 0),
        ("int16", [-32768, 32766], [0, 65534], "uint16", 65535),
        ("uint32", [7, 65534], [7, 65534], "uint16", 65535),
        ("uint32", [100_000, 165_534], [0, 65534], "uint16", 65535),
        ("int32", [-5, 65529], [0, 65534], "uint16", 65535),
        ("int64", [-(2**62), 1 - 2**62], [0, 1], "uint16", 65535),
    ],
    ids=str,
)
def test_unused_number_becomes_nodata_if_none_is_free(dtype, numbers, expected, kept_as, nodata):
    found, became = numbering(numbers, dtype=dtype)

    assert (became, found.dtype, found.nodata, found.is_quantised) == (expected, kept_as, nodata, False)


def test_nodata_is_never_the_number_of_a_flag_that_is_not_there():
    found, became = numbering([7, 9], dtype="uint8", flags=((255, "cloud"), (9, "snow")))

    assert (became, found.nodata, found.flags) == ([7, 9], 255, {9: (9.0, "snow")})


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_values_of_signed_numbers_are_exact(dtype):
    numbers = np.array([-100, -3, 0, 7, 100])

    found, became = numbering(numbers, dtype=dtype, scale=0.0001, offset=0.1, nodata=-101)

    values = (np.array(became) + int(found.base)) * found.scale + found.source_offset
    assert values.tolist() == (numbers * 0.0001 + 0.1).tolist()
    assert np.array(became) * found.scale + found.offset == pytest.approx(values, abs=1e-9)


def test_flags_and_valid_range_are_numbers_of_the_cube():
    found, _ = numbering([0], dtype="int16", nodata=-32768, valid_range=(-2000.5, 10000), flags=((-3000, "cloud"),))

    assert found.flags == {29768: (-3000.0, "cloud")}
    assert found.range == (30768, 42768)


@st.composite
def float_cubes(draw):
    """Numbers (n,) of either type, and any colours: outliers, infinities and subnormals among them."""
    width = draw(st.sampled_from([32, 64]))
    usual, any_at_all = st.floats(-2, 2, width=width), st.floats(width=width)
    numbers = draw(st.lists(usual | any_at_all | st.sampled_from([1e37, -9999.0, 0.0]), min_size=1, max_size=20))
    ends = draw(st.just((0.0, 1.0)) | st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2))
    return np.array(numbers, dtype=f"float{width}"), (min(ends), max(ends))


@given(float_cubes(), st.sampled_from([1, 2]))
@example((np.array([1.7e308, -1.7e308, 0.5]), (0.0, 1.0)), 1)
@example((np.array([1.7e308, -1.7e308, 0.5]), (-1.7e308, 1.7e308)), 2)
@example((np.array([5e-324, 0.0]), (0.0, 5e-324)), 1)
def test_floats_are_within_half_a_step_or_beyond_an_end(cube, res):
    numbers, colours = cube
    found, became = numbering(numbers, dtype=numbers.dtype.name, nodata=np.nan, colours=colours, res=res)

    is_value = np.isfinite(numbers)
    values, became = numbers[is_value].astype("float64"), np.array(became)[is_value]
    decoded = became * found.scale + found.offset
    slack = found.scale * 0.5 + 4 * np.spacing(np.abs(decoded) + abs(found.offset))
    is_near = np.abs(values / 2 - decoded / 2) <= slack / 2
    is_beyond = ((became == found.reach[0]) & (values < decoded)) | ((became == found.reach[1]) & (values > decoded))
    assert np.all(is_near | is_beyond)
    assert np.all(became < found.nodata)
    assert np.isfinite([found.scale, found.offset]).all()


@given(arrays.arrays("float32", st.integers(2, 30), elements=st.floats(-1, 1, width=32)))
def test_step_is_as_fine_as_colours_need_and_not_much_coarser(numbers):
    found, _ = numbering(numbers, dtype="float32", colours=(-1.0, 1.0))

    assert 2.0 / 1000 <= found.scale <= 2.5 * 2.0 / 1000


def test_values_rounded_to_decimals_are_unchanged():
    numbers = np.array([0.01, 0.07, 0.61, 0.93])

    found, became = numbering(numbers, dtype="float64")

    assert [round(number * found.scale + found.offset, 6) for number in became] == numbers.tolist()


def test_cubes_with_values_near_those_with_colours_have_one_numbering():
    first, _ = numbering([0.101, 0.9], dtype="float32")
    second, _ = numbering([-20.07, 25.3], dtype="float32")

    assert first == second


@pytest.mark.parametrize("fill", [1e37, -9999.0, 3.4e38])
@pytest.mark.parametrize("res", [1, 2])
def test_undeclared_fill_value_does_not_change_the_others(fill, res):
    found, became = numbering([0.25, 0.75, fill], dtype="float32", res=res)

    assert [number * found.scale + found.offset for number in became[:2]] == pytest.approx([0.25, 0.75])
    assert became[2] == found.reach[fill > 0]


def test_values_are_distinguished_up_to_thirty_times_the_range_of_the_colours():
    found, became = numbering([-29.5, 30.5], dtype="float32")

    assert [number * found.scale + found.offset for number in became] == pytest.approx([-29.5, 30.5])


@pytest.mark.parametrize(
    ("dtype", "numbers", "kept_as", "scale"),
    [
        ("uint8", [0, 3, 250], "uint8", 0.0002),
        ("int8", [-128, 3, 127], "uint8", 0.0002),
        ("int16", [-800, 3000, 9200], "uint8", 0.005),
        ("int16", [-8000, 3000, 9200], "uint16", 0.005),
        ("float32", [-0.08, 0.92], "uint8", 0.005),
    ],
    ids=str,
)
def test_moving_pictures_have_a_step_a_colour_in_8_bits_if_they_can(dtype, numbers, kept_as, scale):
    factor = 1.0 if dtype == "float32" else 0.0001

    found, became = numbering(numbers, dtype=dtype, scale=factor, nodata=255, colours=(-0.08, 0.92), res=2)

    assert (found.dtype, found.scale) == (kept_as, scale)
    assert np.array(became) * found.scale + found.offset == pytest.approx(np.array(numbers) * factor, abs=scale / 2)


@pytest.mark.parametrize(("dtype", "base"), [("uint8", 0), ("int8", -128)])
def test_moving_pictures_of_8_bits_have_steps_of_two_if_colours_exceed_them(dtype, base):
    numbers = [base, base + 1, base + 2, base + 3, base + 249, base + 250]
    colours = (base * 0.004, (base + 250) * 0.004)

    found, became = numbering(numbers, dtype=dtype, scale=0.004, nodata=base + 255, colours=colours, res=2)

    assert (found.dtype, found.scale, found.is_quantised) == ("uint8", 0.008, True)
    assert became == [0, 1, 1, 2, 125, 125]
    assert found.offset == pytest.approx(base * 0.004)


def test_moving_pictures_of_8_bits_with_narrow_colours_are_exact():
    found, became = numbering([0, 1, 2, 255], dtype="uint8", scale=0.004, nodata=None, colours=(0, 0.5), res=2)

    assert (found.scale, found.is_quantised, became) == (0.004, False, [0, 1, 2, 255])


def test_flags_of_8_bits_are_distinguished_in_moving_pictures():
    flags = ((252, "cloud"), (254, "snow"))

    found, became = numbering(
        [250, 252, 254], dtype="uint8", valid_range=(0, 250), flags=flags, scale=0.004, colours=(0, 1), res=2
    )

    assert became[0] == 125
    assert [found.flags[number][1] for number in became[1:]] == ["cloud", "snow"]


def test_classes_of_moving_pictures_are_unchanged():
    found, became = numbering([1, 7], dtype="uint16", nodata=0, res=2, is_categorical=True)

    assert (became, found.dtype, found.is_quantised) == ([1, 7], "uint16", False)


def test_wide_integers_far_apart_are_steps_of_whole_numbers():
    found, became = numbering([0, 1_000_000], dtype="int32", colours=(0.0, 20_000.0))

    assert (found.scale, found.is_quantised) == (20.0, True)
    assert [number * found.scale + found.offset for number in became] == [0, 1_000_000]


def test_wide_integers_have_steps_of_at_least_one():
    found, became = numbering([7, 20_000, -(2**31)], dtype="int32")

    assert [number * found.scale + found.offset for number in became] == [7, 20_000, -32_767]
    assert (found.scale, became[2]) == (1.0, found.reach[0])


def test_steps_of_integers_start_at_the_minimum_of_their_type():
    found, became = numbering([0, 4_000_000_000], dtype="uint32", colours=(0.0, 10_000.0))

    assert found.reach == (None, 65534)
    assert [number * found.scale + found.offset for number in became] == [0, 655_340]


def test_classes_far_apart_have_no_cube():
    with pytest.raises(UnsupportedFormat, match="from 0 to 1000000"):
        numbering([0, 1_000_000], dtype="int32", is_categorical=True)


def test_flags_of_floats_have_numbers_above_all_values():
    found, became = numbering(
        [0.5, -99.0, np.nan, -98.0], dtype="float32", nodata=np.nan, flags=((-99, "cloud"), (-98, "snow"))
    )

    assert became[1:4:2] == [65534, 65533]
    assert {number: name for number, (_source, name) in found.flags.items()} == {65534: "cloud", 65533: "snow"}


def test_scale_and_offset_of_floats_are_unchanged():
    found, became = numbering([100.0, 200.0], dtype="float32", scale=0.01, offset=5.0, colours=(6.0, 7.0))

    assert [number * found.scale + found.offset for number in became] == pytest.approx([6.0, 7.0])


@pytest.mark.parametrize("number", [0.0, 7.5, -7.5])
def test_a_style_of_one_value_has_steps_too(number):
    found, became = numbering([number], dtype="float64", colours=(0.0, 0.0))

    assert became[0] * found.scale + found.offset == pytest.approx(number)


@given(st.floats(1e-30, 1e30))
def test_a_step_is_one_two_or_five_and_the_next_above(least):
    step = nice_step(least)

    assert step.digit in {1, 2, 5}
    assert least <= step.times(1) <= least * 2.5000001
    assert Decimal(repr(step.times(3))) == Decimal(3 * step.digit).scaleb(step.exponent)
