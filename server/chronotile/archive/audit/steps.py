"""Which step of a further dimension is compared, found by xarray apart from the readers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chronotile.errors import UnsupportedSource
from chronotile.model.source import Step

if TYPE_CHECKING:
    import xarray


def select_steps(array: "xarray.DataArray", steps: Sequence[Step]) -> "xarray.DataArray":
    """Return an array at the steps of its further dimensions that were requested.

    Raises:
        UnsupportedSource: xarray cannot identify the step with the requested value.
    """
    for step in steps:
        index = step.index
        if index is None:
            found = _positions(array, step)
            if len(found) != 1:
                raise UnsupportedSource(
                    f"xarray does not find which step of {step.dimension} is used; select it by position, "
                    f"{step.dimension}=index:0"
                )
            index = found[0]
        array = array.isel({step.dimension: index})
    return array


def _positions(array: "xarray.DataArray", step: Step) -> list[int]:
    """Where the coordinate of a dimension has the requested value."""
    if step.dimension not in array.coords:
        return []
    coordinate = array.coords[step.dimension]
    if coordinate.dtype.kind not in "iuf" or not isinstance(step.value, (int, float)):
        return np.flatnonzero(coordinate.values.astype(str) == str(step.value)).tolist()
    values = coordinate.values.astype(np.float64) * coordinate.attrs.get("scale_factor", 1)
    values = values + coordinate.attrs.get("add_offset", 0)
    return np.flatnonzero(np.isclose(values, step.value, rtol=1e-6, atol=0)).tolist()
