"""Steps of additional dimensions that the audit selects in arrays."""

import numpy as np
import pytest
import xarray

from chronotile.audit.arrays import select_steps
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import DimensionStep

LEVELS = np.array([1000.0, 850.0, 500.0])


def array_of(coordinate, **attrs):
    """Return an array whose numbers differ by step, with its coordinate `level`."""
    numbers = np.arange(len(coordinate) * 6).reshape(len(coordinate), 2, 3)
    return xarray.DataArray(numbers, dims=("level", "y", "x"), coords={"level": ("level", coordinate, attrs)})


@pytest.mark.parametrize(
    ("coordinate", "attrs", "value"),
    [
        (LEVELS, {}, 850),
        (LEVELS.astype("float32"), {}, 850.0),
        (LEVELS.astype("int16"), {}, 850.0),
        (LEVELS.astype("uint16"), {}, 850),
        ((LEVELS / 10).astype("int16"), {"scale_factor": 10.0}, 850.0),
        ((LEVELS - 500).astype("int16"), {"add_offset": 500.0}, 850),
        (np.array([0.1, 0.2, 0.3], dtype="float32"), {}, 0.2),
        (np.array(["red", "green", "blue"]), {}, "green"),
        (np.array(["1", "2", "3"]), {}, 2),
    ],
)
def test_step_by_value_is_at_the_position_of_the_value(coordinate, attrs, value):
    array = array_of(coordinate, **attrs)

    selected = select_steps(array, [DimensionStep(dimension="level", value=value)])

    np.testing.assert_array_equal(selected, array[1])


@pytest.mark.parametrize(
    ("coordinate", "value"),
    [(LEVELS, 700), (np.array([850.0, 850.0]), 850), (np.array(["red", "green"]), "blue"), (LEVELS, "top")],
    ids=["missing", "twice", "unknown name", "name among numbers"],
)
def test_step_without_exactly_one_position_is_refused(coordinate, value):
    with pytest.raises(UnsupportedSource, match="select it by position, level=index:0"):
        select_steps(array_of(coordinate), [DimensionStep(dimension="level", value=value)])


def test_steps_of_two_dimensions_are_selected():
    array = array_of(LEVELS).expand_dims(member=[3, 5]) * xarray.DataArray([1, 10], dims="member")

    selected = select_steps(
        array, [DimensionStep(dimension="level", value=500), DimensionStep(dimension="member", index=1)]
    )

    np.testing.assert_array_equal(selected, array.sel(level=500, member=5))
