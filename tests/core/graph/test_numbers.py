"""Processes on numbers: arrays of cells equal single values, dtypes, and errors."""

import math
from itertools import product

import numpy as np
import pytest

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.evaluate import parameters_of
from chronotile.core.graph.numbers import NUMBERS

VALUES = [None, -1e6, -1.5, -1.0, 0.0, 0.5, 1.0, 3.0]
TRUTH = {"and", "not", "or", "xor"}
WITHOUT_OPERANDS = {"constant", "e", "nan", "pi"}
ABOUT_MISSING = {"is_infinite", "is_nan", "is_nodata", "is_valid"}
OPERANDS = {"x", "y", "base", "p", "min", "max", "inputMin", "inputMax", "value", "accept", "reject"}
COMPARISONS = {"between", "eq", "gt", "gte", "lt", "lte", "neq"}
FUNCTIONS = sorted(set(NUMBERS) - TRUTH - WITHOUT_OPERANDS - ABOUT_MISSING - {"if", "round"})


def count_operands(name):
    return len([parameter for parameter in parameters_of(NUMBERS[name]) if parameter in OPERANDS])


def call(name, *arguments, **options):
    names = [parameter for parameter in parameters_of(NUMBERS[name]) if parameter in OPERANDS]
    return NUMBERS[name].call(**dict(zip(names, arguments, strict=False)), **options)


def outcome(name, *arguments, **options):
    """Return the result as a float, NaN for no data; the code of a refusal."""
    try:
        result = call(name, *arguments, **options)
    except ProcessFault as fault:
        return fault.code
    return math.nan if result is None else float(result)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_array_equals_single_values(name):
    rows = list(product(VALUES, repeat=count_operands(name)))
    singles = [outcome(name, *row) for row in rows]
    accepted = [index for index, single in enumerate(singles) if not isinstance(single, str)]
    operands = np.array(rows, dtype=np.float64)[accepted].T

    result = call(name, *operands)

    expected = np.array([singles[index] for index in accepted])
    np.testing.assert_allclose(result.astype(np.float64), expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_truth_tables_of_arrays_and_single_values_are_equal(name):
    count = 1 if name == "not" else 2
    rows = list(product([None, False, True], repeat=count))

    result = call(name, *(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)))

    np.testing.assert_array_equal(result, np.array([call(name, *row) for row in rows], dtype=np.float64))


@pytest.mark.parametrize("name", ["eq", "gt", "lte", "and", "not"])
def test_truth_is_boolean_unless_a_cell_is_missing(name):
    complete, gappy = np.array([0.0, 1.0]), np.array([0.0, np.nan], dtype=np.float32)
    operands = 1 if name == "not" else 2

    assert call(name, *[complete] * operands).dtype == bool
    assert call(name, *[gappy] * operands).dtype == np.float32
    assert np.isnan(call(name, *[gappy] * operands)).tolist() == [False, True]


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - COMPARISONS))
def test_float32_stays_float32_next_to_single_numbers(name):
    operands = [np.array([0.5, np.nan], dtype=np.float32), 1, 2][: count_operands(name)]

    assert call(name, *operands).dtype == np.float32


@pytest.mark.parametrize(
    ("x", "expected"), [(math.nan, [True, False, False]), (None, [False, True, False]), ("a", [False, False, True])]
)
def test_nan_is_a_number_and_none_is_no_data(x, expected):
    assert [call(name, x) for name in ("is_nan", "is_nodata", "is_valid")] == expected


def test_missing_cells_are_nan_and_infinite_cells_are_not_valid():
    cells = np.array([1.0, np.nan, np.inf])

    assert [call(name, cells).tolist() for name in sorted(ABOUT_MISSING)] == [
        [False, False, True],
        [False, True, False],
        [False, True, False],
        [True, False, False],
    ]


def test_missing_condition_takes_the_other_branch_and_none_becomes_nan():
    condition = np.array([1, 0, np.nan], dtype=np.float32)

    assert call("if", None, 1, 2) == 2
    assert call("if", None, 1) is None
    np.testing.assert_array_equal(call("if", condition, np.arange(3.0), None), [0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("x", "y", "expected"), [(1, 0, math.inf), (-1, 0, -math.inf), (0, 0, math.nan), (1e308, 1e-308, math.inf)]
)
def test_division_by_zero_follows_ieee_754(x, y, expected):
    assert call("divide", x, y) == pytest.approx(expected, nan_ok=True)
    np.testing.assert_array_equal(call("divide", np.array([x]), y), [expected])


def test_remainder_of_zero_is_refused_for_numbers_and_infinite_in_arrays():
    with pytest.raises(ProcessFault) as caught:
        call("mod", 1, 0)

    assert caught.value.code == "DivisionByZero"
    np.testing.assert_array_equal(call("mod", np.array([1.0, -1.0, 0.0]), 0), [np.inf, -np.inf, np.nan])


@pytest.mark.parametrize(("x", "digits", "expected"), [(2.5, 0, 2), (-3.5, 0, -4), (1e10, 300, 1e10), (1234, -2, 1200)])
def test_halves_are_rounded_to_even_digits(x, digits, expected):
    assert call("round", x, digits) == expected
    assert call("round", np.array([x]), digits).tolist() == [expected]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("add", ("1", 2), "x: '1' is not a number"),
        ("add", (True, 2), "x: True is not a number"),
        ("add", (np.ones(2), [1]), r"y: \[1\] is not a number"),
        ("and", (1, True), "x: 1 is not true or false"),
        ("if", (1, 2, 3), "value: 1 is not true or false"),
        ("round", (1, 0.5), "p: 0.5 is not accepted"),
        ("clip", (1, 3, 2), "min: 3.0 exceeds max 2.0"),
    ],
)
def test_refusal_names_argument_and_value(name, arguments, words):
    with pytest.raises(ProcessFault, match=words):
        call(name, *arguments)


@pytest.mark.parametrize("other", ["a", None, [1]])
def test_cells_compared_with_other_types_are_not_equal(other):
    result = call("eq", np.array([1.0, np.nan]), other)

    assert not np.nan_to_num(result).any()
