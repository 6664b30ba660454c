"""Processes on lists: stacks equal the lists of their cells, labels, and limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.core.graph.arrays import ARRAYS, MAX_ELEMENTS
from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.numbers import NUMBERS
from chronotile.core.graph.values import LabelledList, Stack
from tests.core.graph.stacks import array_of, columns, stack_of

DAYS = ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "2020-01-11T00:00:00Z")
FEW = settings(max_examples=15, deadline=None)
CUMULATIVE = ["cummax", "cummin", "cumproduct", "cumsum"]


def call(name, *arguments, **options):
    return ARRAYS[name].call(*arguments, **options)


def two_bands(dtype=np.float32):
    """Return a stack of two elements of 2 by 3 cells with labels; one cell is missing."""
    values = np.arange(12, dtype=dtype).reshape(2, 2, 3)
    values[1, 0, 0] = np.nan
    return Stack(values, ("B04", "B08"))


@pytest.mark.parametrize("name", CUMULATIVE)
@FEW
@given(lists=columns(), ignore=st.booleans())
def test_cumulative_values_of_a_stack_equal_the_lists(name, lists, ignore):
    expected = array_of([call(name, values, ignore_nodata=ignore) for values in lists])

    result = call(name, stack_of(lists), ignore_nodata=ignore)

    np.testing.assert_allclose(result.values.T, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("nodata", [True, False])
@FEW
@given(lists=columns())
def test_order_of_a_stack_equals_the_lists(nodata, ascending, lists):
    stack = stack_of(lists)
    expected = [call("order", values, asc=ascending, nodata=nodata) for values in lists]

    ranks = call("order", stack, asc=ascending, nodata=nodata)

    assert ranks.values.T.tolist() == expected
    ordered = array_of([[values[index] for index in row] for values, row in zip(lists, expected, strict=True)])
    np.testing.assert_array_equal(call("sort", stack, asc=ascending, nodata=nodata).values.T, ordered)
    np.testing.assert_array_equal(call("rearrange", stack, ranks).values.T, ordered)


@FEW
@given(columns())
def test_removed_values_are_nan_at_the_end_of_a_sorted_stack(lists):
    ranks = call("order", stack_of(lists)).values.T

    for row, values in zip(ranks, lists, strict=True):
        expected = call("order", values)
        assert row[: len(expected)].tolist() == expected
        assert np.isnan(row[len(expected) :]).all()


@pytest.mark.parametrize("positions", [(0, 1, 2, 3, 4, 5), (1, 3, 4, 8, 9, 20)])
@FEW
@given(st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=4, max_size=4))
def test_interpolation_equals_numpy(positions, inner):
    values = array_of([1, *inner, -2])
    valid = ~np.isnan(values)

    result = call("array_interpolate_linear", stack_of([[1, *inner, -2], [None] * 6], positions)).values

    expected = np.interp(positions, np.array(positions)[valid], values[valid])
    np.testing.assert_allclose(result[:, 0], expected, atol=1e-12)
    assert np.isnan(result[:, 1]).all()


@FEW
@given(columns(least=1))
def test_interpolation_of_a_stack_equals_the_lists(lists):
    expected = array_of([call("array_interpolate_linear", values) for values in lists])

    np.testing.assert_allclose(call("array_interpolate_linear", stack_of(lists)).values.T, expected, atol=1e-9)


def test_interpolation_uses_the_times_of_labels():
    assert list(call("array_interpolate_linear", LabelledList([0, None, 10], DAYS))) == [0, 1, 10]
    assert call("array_interpolate_linear", LabelledList([0, None, 10], ["a", "b", "c"])) == [0, 5, 10]


def test_interpolation_does_not_change_its_input():
    stack = stack_of([[0, None, 2]])

    call("array_interpolate_linear", stack)

    assert np.isnan(stack.values[1, 0])


@FEW
@given(columns(), st.sampled_from([0.0, 1.0, 2.5]), st.booleans())
def test_values_are_found_in_a_stack_as_in_lists(lists, value, reverse):
    stack = stack_of(lists)

    positions = call("array_find", stack, value, reverse)

    np.testing.assert_array_equal(positions, array_of([call("array_find", values, value, reverse) for values in lists]))
    assert call("array_contains", stack, value).tolist() == [call("array_contains", values, value) for values in lists]


def test_process_is_called_once_per_element_of_a_stack():
    calls = []

    def double(*, x, index, label, context):
        calls.append((x.shape, index, label, context))
        return x * 2

    result = call("array_apply", two_bands(), double, context=7)

    assert calls == [((2, 3), 0, "B04", 7), ((2, 3), 1, "B08", 7)]
    np.testing.assert_array_equal(result.values, two_bands().values * 2)
    assert result.labels == ("B04", "B08")


def test_condition_on_labels_selects_elements_of_a_stack():
    result = call("array_filter", two_bands(), lambda x, index, label, context: label == "B08")

    assert result.labels == ("B08",)
    np.testing.assert_array_equal(result.values, two_bands().values[1:])


def test_condition_on_values_removes_them_from_cells():
    result = call("array_filter", two_bands(), lambda x, index, label, context: x > 4)

    assert result.values.dtype == np.float32
    np.testing.assert_array_equal(result.values, np.where(two_bands().values > 4, two_bands().values, np.nan))


def test_lists_keep_elements_whose_condition_is_true():
    assert call("array_filter", [1, None, 3], lambda x, index, label, context: None if x is None else x > 1) == [3]


def test_element_of_a_stack_is_found_by_index_and_label():
    stack = two_bands()

    np.testing.assert_array_equal(call("array_element", stack, label="B08"), stack.values[1])
    np.testing.assert_array_equal(call("array_element", stack, index=0), stack.values[0])
    assert np.isnan(call("array_element", stack, label="B11", return_nodata=True)).all()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"index": 2}, "ArrayElementNotAvailable", "index: 2 is not an element; accepted are 0 to 1"),
        ({"index": -1}, "ArrayElementNotAvailable", "index: -1 is not an element"),
        ({"label": "B11"}, "ArrayElementNotAvailable", r"'B11' is not an element; accepted are \['B04', 'B08'\]"),
        ({}, "ArrayElementParameterMissing", "an index or a label is required"),
        ({"index": 0, "label": "B04"}, "ArrayElementParameterConflict", "not accepted together"),
        ({"index": 0.5}, "ProcessParameterInvalid", "index: 0.5"),
    ],
)
def test_missing_element_is_reported_with_the_accepted_ones(options, code, words):
    with pytest.raises(ProcessFault, match=words) as caught:
        call("array_element", two_bands(), **options)

    assert caught.value.code == code


def test_label_of_a_list_without_labels_is_refused():
    with pytest.raises(ProcessFault) as caught:
        call("array_element", [1, 2], label="B04")

    assert caught.value.code == "ArrayNotLabeled"


def test_stacks_are_joined_with_their_labels():
    result = call("array_concat", two_bands(), Stack(np.zeros((1, 2, 3)), ("B11",)))

    assert result.labels == ("B04", "B08", "B11")
    assert result.values.shape == (3, 2, 3)


def test_single_values_are_repeated_for_all_cells():
    result = call("array_append", two_bands(), 5, "B11")

    assert result.labels == ("B04", "B08", "B11")
    assert result.values.dtype == np.float32
    assert (result.values[2] == 5).all()
    assert np.isnan(call("array_concat", two_bands(), [None]).values[2]).all()


@pytest.mark.parametrize(("name", "options"), [("array_concat", {}), ("array_modify", {"index": 0, "length": 1})])
def test_equal_labels_of_two_lists_are_refused(name, options):
    with pytest.raises(ProcessFault, match="the label 'B04' is in both lists") as caught:
        call(name, two_bands(), LabelledList([1], ["B04"]), **options)

    assert caught.value.code == "ArrayLabelConflict"


def test_replaced_elements_keep_the_labels_of_the_others():
    result = call("array_modify", LabelledList([1, 2, 3], "abc"), LabelledList([9], ["z"]), 1, 1)

    assert (result, result.labels) == ([1, 9, 3], ("a", "z", "c"))
    assert call("array_modify", LabelledList([1, 2], "ab"), [], 0, 1).labels == ("b",)
    assert getattr(call("array_modify", LabelledList([1, 2], "ab"), [3], 0, 1), "labels", None) is None


def test_index_beyond_the_list_is_refused():
    with pytest.raises(ProcessFault, match="index: 4 is not accepted; accepted are 0 to 3") as caught:
        call("array_modify", [1, 2, 3], [], 4)

    assert caught.value.code == "ArrayElementNotAvailable"


@pytest.mark.parametrize(
    ("data", "repeat"),
    [([0], 10**9), ([0] * 11, MAX_ELEMENTS // 11 + 1), (Stack(np.ones((1, 1000, 1000))), 1000), ([1], 0), ([1], 1.5)],
)
def test_repetition_beyond_the_limits_is_refused(data, repeat):
    with pytest.raises(ProcessFault, match="repeat: "):
        call("array_create", data, repeat)


def test_created_stack_repeats_its_elements():
    result = call("array_create", [np.array([1.0, np.nan]), 3], 2)

    np.testing.assert_array_equal(result.values, [[1, np.nan], [3, 3]] * 2)


@pytest.mark.parametrize(("labels", "code"), [([1], "ArrayLengthMismatch"), ([1, 1], "ProcessParameterInvalid")])
def test_labels_must_be_different_and_one_per_value(labels, code):
    with pytest.raises(ProcessFault, match="labels: ") as caught:
        call("array_create_labeled", [5, 6], labels)

    assert caught.value.code == code


def test_labels_of_a_stack_are_listed_and_found():
    assert call("array_labels", two_bands()) == ["B04", "B08"]
    assert call("array_labels", Stack(np.zeros((3, 2)))) == [0, 1, 2]
    assert call("array_find_label", two_bands(), "B08") == 1
    assert call("array_find_label", [1], "B08") is None


def test_times_are_sorted_as_instants():
    times = ["2020-01-01T01:00:00+02:00", "2020-01-01", "2019-12-31T22:59:59Z", None]

    assert call("sort", times, nodata=True) == [times[2], times[0], times[1], None]


@pytest.mark.parametrize("data", [["b", "a"], [1, "2020-01-01"], [[1], [2]], [True, False]])
def test_values_without_an_order_are_refused(data):
    with pytest.raises(ProcessFault, match="data: "):
        call("sort", data)


@pytest.mark.parametrize("order", [[3], [-1], [0.5], ["a"], Stack(np.array([[5.0]])), Stack(np.array([[0.5]]))])
def test_rank_outside_the_list_is_refused(order):
    with pytest.raises(ProcessFault, match="order: "):
        call("rearrange", [1, 2, 3], order)


def test_whole_numbers_stay_whole_and_nan_is_a_number():
    assert [type(value) for value in call("cumsum", [1, 2])] == [int, int]
    assert math.isnan(call("cumsum", [1, math.nan, 2])[2])
    assert call("cumsum", LabelledList([1], ["a"])).labels == ("a",)


@pytest.mark.parametrize("data", ["text", 7, None, {"a": 1}])
@pytest.mark.parametrize("name", ["array_labels", "array_interpolate_linear", "sort", "cumsum"])
def test_value_that_is_no_list_is_refused(name, data):
    with pytest.raises(ProcessFault, match=r"data: .* is not a list"):
        call(name, data)


def test_texts_next_to_cells_are_refused():
    with pytest.raises(ProcessFault, match="are not accepted next to the cells of a cube"):
        call("array_create", [np.ones(2), "a"])


def test_elements_of_a_cube_with_one_dimension_are_arrays():
    stack = Stack(np.array([1, np.nan], dtype=np.float32), ("a", "b"))

    applied = call("array_apply", stack, lambda x, index, label, context: NUMBERS["is_nodata"].call(x=x))

    assert applied.values.tolist() == [False, True]
    assert call("array_append", stack, None, "c").values.dtype == np.float32
    assert np.isnan(call("array_element", stack, label="b"))
