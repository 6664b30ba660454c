"""Numbers as text, against Python's decimals."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.number_text import (
    cell_values,
    json_nodata,
    json_number,
    number_texts,
    numbers_json,
    statistics,
)
from tests.decimals import cell_value, statistic

SHORT = st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(-99_999, 99_999), st.integers(-9, 4))
LONG = st.integers(2, 4000).map(lambda count: 1 / count) | st.floats(1e-7, 100) | st.floats(-3, -1e-7)
SCALES = (SHORT | LONG).filter(lambda scale: scale != 0)


def texts(numbers, encoding):
    return number_texts(cell_values(encoding.values(np.array(numbers, dtype=encoding.dtype)), encoding))


@pytest.mark.parametrize(
    ("number", "scale", "offset", "text"),
    [
        (165, 0.004, -0.08, "0.58"),
        (127, 0.004, 0.0, "0.508"),
        (20, 0.004, -0.08, "0"),
        (145, 0.004, -0.08, "0.5"),
        (7, 1.0, 0.0, "7"),
        (3, 0.1, 0.0, "0.3"),
        (165, 1 / 255, 0.0, "0.647059"),
        (51, 0.00341802, 149.0, "149.174319"),
        (1, 1 / 255, 0.123456789, "0.127378"),
        (0, 1 / 255, 0.123456789, "0.123456789"),
        (123_456_789, 1.0, 0.0, "123456789"),
        (12_345, 1_000_000.0, 0.5, "12345000000"),
        (1, 1e-7, 0.0, "1e-7"),
    ],
)
def test_a_cells_text_is_its_exact_decimal_or_a_thousandth_of_a_step(number, scale, offset, text):
    assert texts([number], Encoding(dtype="int32", scale=scale, offset=offset)) == [text]
    assert cell_value(number, scale, offset) == float(text)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=50), SCALES, st.just(0.0) | SHORT | LONG)
def test_texts_of_numbers_equal_those_of_decimals(numbers, scale, offset):
    encoding = Encoding(dtype="int32", scale=scale, offset=offset)

    found = cell_values(encoding.values(np.array(numbers, dtype="int32")), encoding)

    assert found.tolist() == [cell_value(number, scale, offset) for number in numbers]


@pytest.mark.parametrize(("scale", "offset"), [(0.004, -0.08), (0.0001, -0.1), (1 / 255, -1 / 3), (2.75e-05, -0.2)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_all_numbers_of_a_type_have_the_texts_of_decimals(dtype, scale, offset):
    numbers = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, 7, dtype=dtype)

    found = texts(numbers, Encoding(dtype=dtype, scale=scale, offset=offset))

    assert [float(text) for text in found] == [cell_value(number, scale, offset) for number in numbers.tolist()]
    assert max(len(text.strip("-").replace(".", "").lstrip("0")) for text in found) <= 10


@given(st.lists(st.floats(width=32, allow_infinity=False), min_size=1))
def test_float32_has_the_shortest_decimal_that_reads_back(numbers):
    found = cell_values(np.array(numbers, dtype="float64"), Encoding(dtype="float32"))

    np.testing.assert_array_equal(found, [statistic(number) for number in numbers])
    np.testing.assert_array_equal(found.astype("float32"), np.array(numbers, dtype="float32"))


@given(st.lists(st.floats(allow_infinity=False), min_size=1))
def test_float64_is_unchanged(numbers):
    values = np.array(numbers, dtype="float64")

    np.testing.assert_array_equal(cell_values(values, Encoding(dtype="float64")), values)


@given(st.lists(st.floats(), min_size=1))
def test_statistics_have_the_shortest_decimal_of_their_float32(values):
    with np.errstate(over="ignore"):
        single = np.array(values, dtype="float64").astype("float32")

    found = statistics(np.array(values, dtype="float64"))

    told = np.isfinite(single)
    assert found[told].tolist() == [float(str(each)) for each in single[told]]


def test_values_of_several_encodings_have_a_thousandth_of_the_finest_step():
    encoding = Encoding(dtype="float64", text_step=0.0001)
    values = np.array([165 * 0.004 - 0.08, 5000 * 0.0001 - 0.1, 0.25, float(np.float32(0.1)), np.nan])

    assert number_texts(cell_values(values, encoding)) == ["0.58", "0.4", "0.25", "0.1", ""]


@given(st.lists(st.floats(allow_infinity=False) | st.integers(-5, 5).map(float)))
def test_json_and_other_texts_have_the_same_words(values):
    array = np.array(values, dtype="float64")

    listed = orjson.dumps(numbers_json(array))

    assert listed.decode()[1:-1].replace("null", "") == ",".join(number_texts(array))
    assert json.loads(listed) == [None if value != value else value for value in values]  # noqa: PLR0124 -- NaN
    assert not any(text.endswith(".0") or text == "-0" for text in number_texts(array))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (255.0, b"255"),
        (-9999.5, b"-9999.5"),
        (2.0**53 - 1, b"9007199254740991"),
        (2.0**63, b"9.223372036854776e+18"),
        (1e20, b"1e+20"),
        (-3.4028234663852886e38, b"-3.4028234663852886e+38"),
        (1e308, b"1e+308"),
        (np.inf, b"null"),
        (np.nan, b"null"),
        (None, b"null"),
    ],
)
def test_a_number_of_metadata_is_json_of_any_size(number, text):
    assert orjson.dumps(json_number(number)) == text


def test_nodata_that_is_no_number_of_json_has_the_texts_of_stac():
    assert [json_nodata(each) for each in (np.nan, np.inf, -np.inf, 0.0, None)] == ["nan", "inf", "-inf", 0, None]


def test_float16_has_the_shortest_decimal_that_reads_back():
    (text,) = texts([5.01953125], Encoding(dtype="float16"))

    assert (text, float(np.float16(text))) == ("5.02", 5.01953125)
