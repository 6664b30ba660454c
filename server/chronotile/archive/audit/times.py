"""By which instants the slices of arrays go, read apart with xarray (docs/design/time.md)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource

Instants = NDArray[np.datetime64]

SECOND = np.timedelta64(1, "s")
DAY = np.timedelta64(1, "D")
PARTS_OF_YEAR = {"month": 12, "dayofyear": 366}
"""Dimensions of climatologies, and how many parts of a year there are."""


class SliceTimes(NamedTuple):
    """What a file says of its slices, in the standard calendar."""

    coordinates: Instants
    """(time,)."""
    bounds: Instants | None = None
    """(time, 2); `None` of a climatology."""
    overlaps: bool = False
    """Whether it says that its periods overlap."""


def times_of_axis(dataset: Any, time: Any) -> SliceTimes:  # noqa: ANN401 -- xarray has no types here
    """Return what a decoded coordinate and its bounds say; no date where xarray decodes none.

    Raises:
        UnsupportedSource: Bounds are not decoded.
    """
    coordinate = dataset[time]
    kind = str(coordinate.attrs.get("time_kind", ""))
    coordinates = _standard(np.atleast_1d(coordinate.values))
    if coordinates is None:
        return SliceTimes(np.full(coordinate.size, np.datetime64("NaT", "ns")))
    name = coordinate.attrs.get("bounds", coordinate.encoding.get("bounds"))
    has_bounds = name in dataset.variables and dataset[name].shape == (*coordinate.shape, 2)
    if not has_bounds or coordinate.attrs.get("climatology") or kind == "climatology":
        return SliceTimes(coordinates)
    starts, ends = (_standard(np.atleast_1d(dataset[name].values[..., end])) for end in (0, 1))
    if starts is None or ends is None:
        raise UnsupportedSource("xarray does not decode the bounds of its times")
    return SliceTimes(coordinates, np.stack([starts, ends], axis=1), kind == "overlapping periods")


def times_of_year_parts(array: Any, dim: Any) -> SliceTimes | None:  # noqa: ANN401 -- as above
    """Return the dates of 2000 of a dimension that numbers months or days of a year; `None` of another."""
    size = array.sizes[dim]
    if dim not in PARTS_OF_YEAR or size < 2:
        return None
    numbers = array[dim].values if dim in array.coords else np.arange(1, size + 1)
    if dim not in array.coords and size != PARTS_OF_YEAR[dim]:
        return None
    if numbers.dtype.kind not in "iuf" or not set(numbers.tolist()) <= set(range(1, PARTS_OF_YEAR[dim] + 1)):
        return None
    steps = numbers.astype(int) - 1
    if dim == "month":
        return SliceTimes((np.datetime64("2000-01", "M") + steps).astype("datetime64[ns]"))
    if size == numbers.max() == 365:  # of a year without 29 February
        steps = steps + (steps >= 59)
    return SliceTimes((np.datetime64("2000-01-01", "D") + steps).astype("datetime64[ns]"))


def slice_names(slices: Sequence[SliceTimes]) -> Instants:
    """Return each slice's name: the start of its bounds if those of all follow one another, else its coordinate."""
    coordinates = np.concatenate([each.coordinates for each in slices])
    listed = [np.column_stack([each.bounds, each.coordinates]) for each in slices if each.bounds is not None]
    if not listed or any(each.overlaps for each in slices):
        return coordinates
    periods = np.concatenate(listed)
    starts, ends, inside = np.unique(periods.astype(np.int64), axis=0).astype("datetime64[ns]").T
    are_periods = (ends - starts >= DAY) & (starts <= inside) & (inside <= ends)
    if not are_periods.all() or (starts[1:] < ends[:-1] - SECOND).any():
        return coordinates
    return np.concatenate([each.coordinates if each.bounds is None else each.bounds[:, 0] for each in slices])


def _standard(times: NDArray[Any]) -> Instants | None:
    import xarray

    if times.dtype == object:
        dated = xarray.Dataset({"t": ("time", np.arange(times.size))}, coords={"time": times})
        converted = dated.convert_calendar("standard", align_on="year", use_cftime=False)["time"].values
        if converted.size != times.size:  # a day that the standard calendar lacks
            return None
        times = converted
    return times.astype("datetime64[ns]") if np.issubdtype(times.dtype, np.datetime64) else None
