"""Reducers: stacks equal the lists of their cells, dtypes, and limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.reducers import MAX_PROBABILITIES, REDUCERS
from chronotile.core.graph.values import Stack
from tests.core.graph.stacks import array_of, columns, stack_of

FEW = settings(max_examples=15, deadline=None)
STATISTICS = ["max", "mean", "median", "min", "product", "sd", "sum", "variance", "first", "last"]


def call(name, data, **options):
    return REDUCERS[name].call(data=data, **options)


@pytest.mark.parametrize("name", STATISTICS)
@FEW
@given(lists=columns(), ignore=st.booleans())
def test_stack_equals_the_list_of_each_cell(name, lists, ignore):
    expected = array_of([call(name, values, ignore_nodata=ignore) for values in lists])

    result = call(name, stack_of(lists), ignore_nodata=ignore)

    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("name", ["extrema", "quantiles"])
@FEW
@given(lists=columns(), ignore=st.booleans())
def test_stack_of_several_results_equals_the_lists(name, lists, ignore):
    options = {"ignore_nodata": ignore} | ({"probabilities": [0, 0.3, 0.5, 1]} if name == "quantiles" else {})
    expected = array_of([call(name, values, **options) for values in lists])

    result = call(name, stack_of(lists), **options)

    np.testing.assert_allclose(result.values.T, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["all", "any"])
@FEW
@given(
    st.lists(st.lists(st.sampled_from([None, False, True]), min_size=4, max_size=4), min_size=1, max_size=4),
    st.booleans(),
)
def test_truth_of_a_stack_equals_the_lists(name, lists, ignore):
    expected = array_of([call(name, values, ignore_nodata=ignore) for values in lists])

    np.testing.assert_array_equal(call(name, stack_of(lists), ignore_nodata=ignore), expected)


@pytest.mark.parametrize("condition", [None, True])
@FEW
@given(lists=columns())
def test_counts_of_a_stack_equal_the_lists(condition, lists):
    expected = [call("count", values, condition=condition) for values in lists]

    assert call("count", stack_of(lists), condition=condition).tolist() == expected


@FEW
@given(columns())
def test_cells_that_meet_a_condition_are_counted(lists):
    counts = call("count", stack_of(lists), condition=lambda x, context: x > context, context=0)

    assert counts.tolist() == [sum(value is not None and value > 0 for value in values) for values in lists]


@pytest.mark.parametrize(
    ("name", "function"), [("median", np.median), ("mean", np.mean), ("sum", np.sum), ("max", np.max), ("sd", np.std)]
)
@FEW
@given(lists=columns(least=2))
def test_statistics_equal_numpy(name, function, lists):
    complete = np.nan_to_num(stack_of(lists).values)
    options = {"ddof": 1} if name == "sd" else {}

    result = call(name, Stack(complete))

    np.testing.assert_allclose(result, function(complete, axis=0, **options), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", STATISTICS)
def test_float32_stays_float32(name):
    values = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    values[1, 0] = np.nan

    assert call(name, Stack(values)).dtype == np.float32
    assert call(name, Stack(values[:0])).dtype == np.float32


def test_sd_of_one_value_is_missing():
    assert math.isnan(call("sd", [3]))
    assert np.isnan(call("variance", Stack(np.array([[3.0], [np.nan]])))).tolist() == [True]


def test_sums_of_whole_numbers_stay_whole():
    assert [type(call(name, [1, 2, 3])) for name in ("sum", "max", "median", "mean")] == [int] * 4
    assert type(call("sum", [1, 2.0])) is float


def test_list_with_arrays_is_a_stack_and_none_is_missing():
    cells = np.array([1, np.nan], dtype=np.float32)

    result = call("sum", [cells, None, 2])

    assert result.dtype == np.float32
    assert result.tolist() == [3, 2]


def test_first_and_last_of_truth_stay_truth():
    stack = Stack(np.array([[True, False], [False, False]]))

    assert call("first", stack).tolist() == [True, False]
    assert call("last", stack).dtype == bool


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({}, "QuantilesParameterMissing", "required"),
        ({"probabilities": [0.5], "q": 2}, "QuantilesParameterConflict", "either"),
        ({"probabilities": [0.5, 0.1]}, "AscendingProbabilitiesRequired", "ascending"),
        ({"probabilities": [1.5]}, "ProcessParameterInvalid", "0 to 1"),
        ({"probabilities": [math.nan]}, "ProcessParameterInvalid", "0 to 1"),
        ({"q": 1_000_000}, "ProcessParameterInvalid", "from 2 to 1000"),
        ({"probabilities": [0.5] * (MAX_PROBABILITIES + 1)}, "ProcessParameterInvalid", "at most 1000"),
    ],
)
def test_quantiles_refuse_other_probabilities(options, code, words):
    with pytest.raises(ProcessFault, match=words) as caught:
        call("quantiles", [1, 2], **options)

    assert caught.value.code == code


def test_quantiles_beyond_the_limit_of_values_are_refused():
    stack = Stack(np.broadcast_to(np.float32(1), (2, 1024, 1024)))

    with pytest.raises(ProcessFault, match="1000 quantiles of 1048576 cells; at most"):
        call("quantiles", stack, probabilities=[0.5] * 1000)


@pytest.mark.parametrize("data", [["a"], [True], "text", 7, None])
def test_only_lists_of_numbers_are_reduced(data):
    with pytest.raises(ProcessFault, match="data: "):
        call("mean", data)


@pytest.mark.parametrize("name", [*STATISTICS, "all", "any", "count"])
def test_cube_with_one_dimension_is_reduced_to_an_array(name):
    numbers = [None, 1.0, 0.0] if name not in {"all", "any"} else [None, True, False]

    result = call(name, Stack(array_of(numbers)))

    assert isinstance(result, np.ndarray)
    np.testing.assert_allclose(result, np.float64(call(name, numbers)))
