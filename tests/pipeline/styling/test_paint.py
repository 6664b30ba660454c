from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chronotile.core.model.collection import Composite
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.picture import IndexPicture, RgbaPicture
from chronotile.core.model.raster import Raster
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.style import TRANSPARENT, Colour, Stop
from chronotile.pipeline.styling.paint import paint, paint_composite
from tests.pipeline.styling.truth import (
    ABOVE,
    BELOW,
    CLOUD,
    NODATA,
    RAMP,
    SNOW,
    classes_of,
    colour_distance,
    colours_of,
    ramp_colour_of,
)

FLAGS = ((251, "snow"), (252, "cloud"), (254, "water"))
EIGHT_BITS = Encoding(dtype="uint8", scale=0.004, offset=-0.08, nodata=255, flags=FLAGS)
STEP = 1 / 253
STEEPEST = max(0xE8 - 0x0B, 0xD9 - 0x4D, 0xA0 - 0x14) / 0.62
"""Change of a channel per unit of value, at the steepest part of RAMP."""


def all_numbers(dtype):
    size = np.dtype(dtype).itemsize
    return np.arange(256**size).astype(f"u{size}").view(dtype).reshape(-1, 256)


def colours_at(numbers, encoding, style=RAMP):
    return [tuple(colour) for colour in paint(Raster(np.array([numbers]), encoding), style).rgba()[0].tolist()]


@pytest.mark.parametrize("dtype", ["uint8", "int8", ">u1"])
@pytest.mark.parametrize("valid_range", [None, (3, 100)])
def test_every_number_of_eight_bits_has_the_colour_of_the_definition(dtype, valid_range):
    encoding = replace(EIGHT_BITS, dtype=dtype, valid_range=valid_range)
    numbers = all_numbers(dtype)

    assert np.array_equal(paint(Raster(numbers, encoding), RAMP).rgba(), colours_of(RAMP, encoding, numbers))


def test_the_index_of_an_eight_bit_picture_is_the_number_itself():
    numbers = all_numbers("uint8")

    picture = paint(Raster(numbers, EIGHT_BITS), RAMP)

    assert np.shares_memory(picture.index, numbers)
    assert np.array_equal(picture.index, numbers)


@pytest.mark.quick_cases(">i2", "uint16")
@pytest.mark.parametrize("dtype", ["uint16", "int16", ">u2", ">i2"])
def test_every_number_of_sixteen_bits_is_within_half_a_step(dtype):
    encoding = Encoding(
        dtype=dtype, scale=0.0001, nodata=0, flags=((-5, "cloud"), (9000, "snow")), valid_range=(-30000, 65000)
    )
    numbers = all_numbers(dtype)

    picture = paint(Raster(numbers, encoding), RAMP)

    assert isinstance(picture, IndexPicture)
    assert colour_distance(picture.rgba(), colours_of(RAMP, encoding, numbers)) <= STEEPEST * STEP / 2 + 1


def test_sixteen_bits_with_at_most_256_colours_are_exact():
    encoding = Encoding(dtype="uint16", scale=0.01, offset=-0.08, nodata=65535)
    numbers = all_numbers("uint16")

    assert np.array_equal(paint(Raster(numbers, encoding), RAMP).rgba(), colours_of(RAMP, encoding, numbers))


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64", "float32", "float64", ">f4", ">i4"])
def test_wide_numbers_are_within_half_a_step(dtype):
    encoding = Encoding(
        dtype=dtype, scale=0.001, offset=-0.5, nodata=77, flags=((600, "cloud"), (601, "snow"), (602, "water"))
    )
    numbers = np.arange(0, 2048).astype(dtype).reshape(8, 256)

    picture = paint(Raster(numbers, encoding), RAMP)

    assert isinstance(picture, IndexPicture)
    assert colour_distance(picture.rgba(), colours_of(RAMP, encoding, numbers)) <= STEEPEST * STEP / 2 + 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_that_are_no_values_are_nodata_without_a_warning(dtype):
    encoding = Encoding(dtype=dtype, nodata=-9999.0, valid_range=(-2, 2))

    colours = colours_at(np.array([np.nan, np.inf, -np.inf, -9999.0, -2.5, 2.5], dtype=dtype), encoding)

    assert colours == [NODATA] * 6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ends_of_the_range_belong_to_it_and_values_beyond_do_not(dtype):
    colours = colours_at(np.array([-0.081, -0.08, 0.92, 0.921], dtype=dtype), Encoding(dtype=dtype))

    assert (colours[0], colours[3]) == (BELOW, ABOVE)
    assert BELOW not in colours[1:3]
    assert ABOVE not in colours[1:3]


def test_the_greatest_and_least_numbers_are_above_and_below_without_a_warning():
    greatest = np.finfo(np.float32).max

    assert colours_at(np.array([greatest, -greatest]), Encoding(dtype="float32")) == [ABOVE, BELOW]


def test_style_paints_nodata_of_float32_given_in_full_precision():
    encoding = Encoding(dtype="float32", nodata=-3.4028234663852886e38)

    assert colours_at(np.array([np.finfo(np.float32).min], dtype=np.float32), encoding) == [NODATA]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_flags_have_their_colours_and_those_without_one_are_nodata(dtype):
    encoding = Encoding(dtype=dtype, scale=0.01, nodata=100, flags=((101, "snow"), (102, "cloud"), (103, "water")))

    colours = colours_at(np.array([100, 101, 102, 103], dtype=dtype), encoding)

    assert colours == [NODATA, SNOW, CLOUD, NODATA]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_absent_pixels_are_nodata_with_any_number(dtype):
    numbers = np.array([[10, 20, 252]], dtype=dtype)
    present = np.array([[True, False, False]])
    encoding = Encoding(dtype=dtype, scale=0.01, flags=((252, "cloud"),))

    picture = paint(Raster(numbers, encoding, present), RAMP).rgba()

    assert [tuple(colour) for colour in picture[0, 1:].tolist()] == [NODATA, NODATA]
    assert colour_distance(picture[0, 0], np.array(ramp_colour_of(RAMP, 0.1))) <= STEEPEST * STEP / 2 + 1


def test_a_tile_of_nodata_and_absent_pixels_is_of_one_index():
    encoding = Encoding(dtype="uint8", nodata=255, flags=((3, "water"),))
    present = np.array([[True, False]])

    picture = paint(Raster(np.array([[255, 3]], dtype=np.uint8), encoding, present), RAMP)

    assert picture.index.tolist() == [[255, 255]]


def test_absent_pixels_get_a_colour_if_all_256_numbers_have_one():
    grey = replace(
        RAMP, range=(0, 255), ramp=(Stop(0, Colour(0, 0, 0)), Stop(255, Colour(255, 255, 255))), nodata=TRANSPARENT
    )
    numbers = all_numbers("uint8")
    present = numbers != 7

    picture = paint(Raster(numbers, Encoding(dtype="uint8"), present), grey).rgba()

    assert tuple(picture[~present][0].tolist()) == TRANSPARENT
    assert colour_distance(picture[present][:, :3], numbers[present][:, np.newaxis]) <= 1
    assert (picture[present][:, 3] == 255).all()


def test_truth_values_are_painted_as_zero_and_one():
    assert colours_at(np.array([False, True]), Encoding(dtype="bool"), classes_of(2)) == [
        (0, 0, 99, 255),
        (1, 0, 99, 255),
    ]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_classes_are_exact_and_other_values_nodata(dtype):
    encoding = Encoding(dtype=dtype, scale=0.1, offset=-1.0)
    numbers = np.arange(0, 120).astype(dtype).reshape(2, 60)
    style = classes_of(9)

    assert np.array_equal(paint(Raster(numbers, encoding), style).rgba(), colours_of(style, encoding, numbers))


def test_one_class_alone_is_painted():
    assert colours_at(np.array([0.0, 1.0, np.nan]), Encoding(dtype="float64"), classes_of(1)) == [
        (0, 0, 99, 255),
        NODATA,
        NODATA,
    ]


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
@pytest.mark.parametrize(("count", "kind"), [(254, IndexPicture), (700, RgbaPicture)])
def test_many_classes_keep_their_colours(dtype, count, kind):
    style = classes_of(count)
    numbers = np.arange(0, 900).astype(dtype).reshape(9, 100)
    present = numbers % 7 != 3
    encoding = Encoding(dtype=dtype, nodata=5)

    picture = paint(Raster(numbers, encoding, present), style)

    assert isinstance(picture, kind)
    assert np.array_equal(picture.rgba()[present], colours_of(style, encoding, numbers[present]))
    assert (picture.rgba()[~present] == NODATA).all()


@pytest.mark.parametrize(("style", "kind"), [(RAMP, IndexPicture), (classes_of(700), RgbaPicture)])
def test_a_picture_painted_in_several_blocks_is_as_one_painted_in_one(style, kind):
    numbers = np.linspace(-0.2, 700.0, 600_000, dtype=np.float32).reshape(5, 120_000)
    present = numbers % 1 < 0.9
    encoding = Encoding(dtype="float32")

    picture = paint(Raster(numbers, encoding, present), style)

    parts = [paint(Raster(numbers[row : row + 1], encoding, present[row : row + 1]), style).rgba() for row in range(5)]
    assert isinstance(picture, kind)
    assert np.array_equal(picture.rgba(), np.concatenate(parts))


def test_more_flag_colours_than_steps_are_painted_in_full_colour():
    flags = tuple((number, f"flag{number}") for number in range(10_000, 10_250))
    style = replace(RAMP, flags=tuple((name, Colour(number % 256, 1, 1)) for number, name in flags))
    numbers = np.array([[0.1, 10_000, 10_249]], dtype=np.float32)
    encoding = Encoding(dtype="float32", flags=flags)

    picture = paint(Raster(numbers, encoding), style)

    assert isinstance(picture, RgbaPicture)
    assert np.array_equal(picture.rgba(), colours_of(style, encoding, numbers))


def test_repeated_stop_is_an_edge_that_belongs_to_the_upper_side():
    red, blue = Colour(255, 0, 0), Colour(0, 0, 255)
    style = replace(RAMP, range=(0.0, 1.0), ramp=(Stop(0.0, red), Stop(0.1, red), Stop(0.1, blue), Stop(1.0, blue)))
    numbers = np.array([44, 45, 46], dtype=np.uint8)

    assert colours_at(numbers, Encoding(dtype="uint8", scale=0.004, offset=-0.08), style) == [red, blue, blue]


def test_a_negative_scale_turns_the_ramp_round():
    numbers = np.linspace(-1.2, 0.4, 500, dtype=np.float32).reshape(5, 100)
    encoding = Encoding(dtype="float32", scale=-1.0)

    picture = paint(Raster(numbers, encoding), RAMP)

    assert colour_distance(picture.rgba(), colours_of(RAMP, encoding, numbers)) <= STEEPEST * STEP / 2 + 1


def test_a_small_range_far_from_zero_keeps_its_steps_in_float32():
    style = replace(RAMP, range=(300.0, 300.5), ramp=(Stop(300.0, Colour(0, 0, 0)), Stop(300.5, Colour(250, 250, 250))))
    numbers = np.linspace(300.0, 300.5, 1000, dtype=np.float32).reshape(10, 100)
    encoding = Encoding(dtype="float32")

    picture = paint(Raster(numbers, encoding), style)

    assert colour_distance(picture.rgba(), colours_of(style, encoding, numbers)) <= 2


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_range_without_length_is_painted_below_at_and_above(dtype):
    style = replace(RAMP, range=(0.5, 0.5), ramp=(Stop(0.5, SNOW),))
    encoding = Encoding(dtype=dtype, scale=0.1)

    assert colours_at(np.array([4, 5, 6], dtype=dtype), encoding, style) == [BELOW, SNOW, ABOVE]


encodings = st.builds(
    Encoding,
    dtype=st.just("int16"),
    scale=st.sampled_from([0.0001, 0.004, 0.1, 1.0, -0.01, 3.0]),
    offset=st.floats(-2, 2),
    nodata=st.none() | st.integers(-32768, 32767).map(float),
    valid_range=st.none() | st.tuples(st.integers(-9000, 0), st.integers(0, 9000)),
    flags=st.lists(
        st.tuples(st.integers(-300, 300), st.sampled_from(["cloud", "snow", "water"])),
        max_size=4,
        unique_by=lambda flag: flag[0],
    ).map(tuple),
)


@given(
    encodings,
    st.sampled_from(["int8", "int16", "int32", "float32", "float64"]),
    st.lists(st.integers(-128, 127), min_size=1, max_size=40),
)
def test_any_number_in_any_encoding_is_within_half_a_step_of_its_colour(encoding, dtype, numbers):
    values = np.array(numbers) * encoding.scale + encoding.offset
    assume(all(abs(values - end).min() > 1e-5 for end in RAMP.range))
    numbers = np.array([numbers], dtype=dtype)

    picture = paint(Raster(numbers, encoding), RAMP)

    assert colour_distance(picture.rgba(), colours_of(RAMP, encoding, numbers)) <= STEEPEST * STEP / 2 + 1


@given(
    st.lists(st.floats(-0.5, 1.5, width=32), min_size=2, max_size=60),
    st.sampled_from(["float16", "float32", "float64"]),
)
def test_a_ramp_that_only_brightens_never_darkens(values, dtype):
    style = replace(
        RAMP,
        ramp=(Stop(-0.08, Colour(10, 0, 0)), Stop(0.92, Colour(250, 0, 0))),
        below=Colour(0, 0, 0),
        above=Colour(255, 0, 0),
    )

    picture = paint(Raster(np.sort(np.array([values], dtype=dtype)), Encoding(dtype=dtype)), style)

    assert (np.diff(picture.rgba()[0, :, 0].astype(int)) >= 0).all()


def composite(span=(0.0, 0.3), gamma=1.6):
    band = VariableInfo(name="B", encoding=Encoding(dtype="uint16"), levels=())
    return Composite(variables=(band, band, band), range=span, gamma=gamma)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_a_composite_follows_its_formula(dtype):
    numbers = [np.arange(start, start + 90).astype(dtype).reshape(9, 10) for start in (0, 10, 20)]
    encoding = Encoding(dtype=dtype, scale=0.004, offset=-0.01)

    picture = paint_composite(tuple(Raster(each, encoding) for each in numbers), composite())

    shares = [np.clip((each.astype(float) * 0.004 - 0.01) / 0.3, 0, 1) for each in numbers]
    truth = np.stack([np.rint(share ** (1 / 1.6) * 255) for share in shares] + [np.full((9, 10), 255)], axis=-1)
    assert np.array_equal(picture.rgba(), truth)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_composite_is_transparent_where_a_band_has_no_value(dtype):
    encoding = Encoding(dtype=dtype, nodata=0, flags=((9, "cloud"),))
    red, green, blue = (np.array([row], dtype=dtype) for row in ([0, 1, 1, 1, 1], [1, 9, 1, 1, 1], [1, 1, 1, 1, 1]))
    present = np.array([[True, True, False, True, True]])

    picture = paint_composite(
        (Raster(red, encoding), Raster(green, encoding), Raster(blue, encoding, present)), composite()
    )

    assert picture.rgba()[0, :, 3].tolist() == [0, 0, 0, 255, 255]
    assert not picture.rgba()[0, :3].any()


def test_a_composite_of_floats_takes_nan_without_a_warning():
    numbers = np.array([[np.nan, np.inf, 0.1]], dtype=np.float32)
    raster = Raster(numbers, Encoding(dtype="float32"))

    picture = paint_composite((raster, raster, raster), composite())

    assert picture.rgba()[0, :, 3].tolist() == [0, 0, 255]
