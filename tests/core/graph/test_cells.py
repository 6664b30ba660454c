"""Values of cubes: reductions, masks and merged cubes equal xarray; windows equal the whole."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.core.graph.cube import GraphCube
from chronotile.core.graph.errors import ProcessFault
from tests.core.graph.cubes import as_xarray, call, callback, daily, make_cube, random_cube, reducer

REDUCERS = {"mean": "mean", "median": "median", "min": "min", "max": "max"}


@pytest.mark.parametrize("name", REDUCERS)
@pytest.mark.parametrize("dimension", ["t", "bands", "y"])
def test_reductions_equal_xarray(name, dimension):
    cube = random_cube(1, (7, 2, 5, 4), bands=("B04", "B08"))

    result = call("reduce_dimension", data=cube, reducer=reducer(name), dimension=dimension)

    expected = getattr(as_xarray(cube), REDUCERS[name])(dimension)
    assert result.names == list(expected.dims)
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-12)


def test_a_constant_reducer_fills_the_cells():
    process = {"process_graph": {"pi": {"process_id": "pi", "arguments": {}, "result": True}}}

    result = call("reduce_dimension", data=random_cube(1, (3, 2, 2)), reducer=process, dimension="t")

    np.testing.assert_array_equal(result.values, np.full((2, 2), np.pi))


def test_null_in_a_mask_masks_nothing():
    cube, marks = make_cube([[1.0, 2.0, 3.0]]), make_cube([[0.0, 1.0, np.nan]])

    result = call("mask", data=cube, mask=marks)

    np.testing.assert_array_equal(result.values, [[1.0, np.nan, 3.0]])


def test_a_mask_with_other_times_is_refused():
    cube, marks = random_cube(1, (2, 2, 2)), random_cube(2, (3, 2, 2))

    with pytest.raises(
        ProcessFault, match="its dimension t is not a dimension of data with the same labels"
    ) as refused:
        call("mask", data=cube, mask=marks)

    assert refused.value.code == "IncompatibleDataCubes"


def test_a_mask_of_larger_cells_masks_the_cells_inside():
    cube = make_cube(np.arange(16.0).reshape(4, 4))
    marks = make_cube([[1.0, 0.0], [0.0, 0.0]], step=20)

    result = call("mask", data=cube, mask=marks)

    assert np.isnan(result.values).tolist() == [[True, True, False, False]] * 2 + [[False] * 4] * 2


def test_merged_bands_equal_xarray():
    first, second = random_cube(1, (3, 2, 2, 2), bands=("a", "b")), random_cube(2, (3, 1, 2, 2), bands=("c",))

    result = call("merge_cubes", cube1=first, cube2=second)

    expected = xr.concat([as_xarray(first), as_xarray(second)], "bands")
    np.testing.assert_array_equal(result.values, expected.values)
    assert list(result.dimension("bands").labels) == ["a", "b", "c"]


def test_merged_times_are_sorted_and_values_of_both_cubes_are_resolved():
    first = make_cube(np.full((2, 1, 1), 1.0), t=daily(2, "2020-01-02"))
    second = make_cube(np.full((3, 1, 1), 5.0), t=daily(3, "2020-01-01"))

    result = call("merge_cubes", cube1=first, cube2=second, overlap_resolver=callback("subtract", x="$x", y="$y"))

    assert list(result.dimension("t").labels) == list(daily(3))
    assert result.values.ravel().tolist() == [5.0, -4.0, -4.0]


def test_equal_labels_are_refused():
    cube = make_cube(np.zeros((2, 1, 1)), t=("2020-01-01", "2020-01-01"))

    with pytest.raises(ProcessFault, match="the dimension t has equal labels"):
        call("merge_cubes", cube1=cube, cube2=cube, overlap_resolver=callback("add", x="$x", y="$y"))


def test_values_of_both_cubes_need_a_resolver():
    cube = random_cube(1, (2, 2, 2))

    with pytest.raises(ProcessFault) as refused:
        call("merge_cubes", cube1=cube, cube2=cube)

    assert refused.value.code == "OverlapResolverMissing"


def test_a_cube_without_times_is_repeated():
    cube, level = random_cube(1, (3, 2, 2)), make_cube(np.arange(4.0).reshape(2, 2))

    result = call("merge_cubes", cube1=cube, cube2=level, overlap_resolver=callback("subtract", x="$x", y="$y"))

    np.testing.assert_allclose(result.values, cube.values - level.values)


def test_quantiles_along_a_dimension_are_numbered_bands():
    cube = random_cube(1, (9, 3, 2))
    process = reducer("quantiles", probabilities=[0.1, 0.9])

    result = call("apply_dimension", data=cube, process=process, dimension="t", target_dimension="bands")

    expected = as_xarray(cube).quantile([0.1, 0.9], "t")
    assert result.names == ["bands", "y", "x"]
    assert list(result.dimension("bands").labels) == [0, 1]
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 3), st.integers(1, 4), st.integers(0, 3), st.integers(1, 4), st.integers(0, 1000))
def test_a_window_equals_the_same_part_of_the_whole(top, height, start, width, seed):
    cube = random_cube(seed, (6, 8, 8))

    def result_of(part: GraphCube) -> np.ndarray:
        monthly = call("aggregate_temporal_period", data=part, period="week", reducer=reducer("median"))
        marks = call("apply", data=monthly, process=callback("lt", x="$x", y=0))
        return call("mask", data=monthly, mask=marks).values

    window = cube.select("y", range(top, top + height)).select("x", range(start, start + width))
    whole = result_of(cube)[..., top : top + height, start : start + width]

    np.testing.assert_array_equal(result_of(window), whole)
