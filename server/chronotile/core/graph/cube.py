"""Labelled arrays: the cubes of process graphs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.values import Stack
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, InstantArray

DimensionType = Literal["spatial", "temporal", "bands", "geometry", "other"]
Labels = Sequence[Any] | AnyArray


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """A dimension of a cube."""

    name: str
    type: DimensionType
    labels: Labels
    """Texts or numbers; times in RFC 3339; for x and y a float64 array with the centres of the cells."""
    axis: str | None = None
    """`x` or `y` of a spatial dimension."""
    crs: str | None = None
    """CRS of a spatial dimension."""
    common_names: Mapping[str, str] = field(default_factory=dict)
    """Common names (STAC) of bands, by name of the band."""
    whole: Float64Array | None = None
    """All centres along x or y, if the cube is a window; `None` if the labels are all."""
    spans: tuple[TimeSpan, ...] | None = None
    """Start and end of each time whose label is the name of a period; `None` if the labels are times."""
    origins: tuple[frozenset[str], ...] | None = None
    """For each time, the loaded times that its values depend on; `None` if these are all."""

    def __len__(self) -> int:
        return len(self.labels)

    def is_equal(self, other: "Dimension") -> bool:
        """Return whether both have the same labels in the same order."""
        if self.type == "spatial" and other.type == "spatial":
            first, second = np.asarray(self.labels), np.asarray(other.labels)
            return (
                self.crs == other.crs and first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-12))
            )
        return len(self) == len(other) and all(a == b for a, b in zip(self.labels, other.labels, strict=True))

    def index(self, label: object) -> int:
        """Return the position of a label.

        Raises:
            ValueError: The label does not exist.
        """
        return list(self.labels).index(label)

    def instants(self) -> InstantArray:
        """Return the start of each time (time,) as `datetime64[ns]`.

        Raises:
            ProcessFault: A label is not a time.
        """
        if self.spans is not None:
            return np.array([span.start for span in self.spans], dtype="datetime64[ns]")
        return np.array([instant_of(label) for label in self.labels], dtype="datetime64[ns]")

    def take(self, positions: AnyArray, labels: Labels | None = None) -> "Dimension":
        """Return the dimension with some of its labels, or with new labels for them."""
        if labels is None:
            old = self.labels
            labels = old[positions] if isinstance(old, np.ndarray) else tuple(old[position] for position in positions)
        spans, origins = (
            None if values is None else tuple(values[position] for position in positions)
            for values in (self.spans, self.origins)
        )
        return replace(self, labels=labels, spans=spans, origins=origins)


@dataclass(frozen=True, slots=True, eq=False)
class GraphCube:
    """Values along named dimensions; NaN is no data."""

    dimensions: tuple[Dimension, ...]
    values: AnyArray
    """Floats or booleans, with one axis for each dimension."""

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self.dimensions)

    @property
    def names(self) -> list[str]:
        """Names of the dimensions in the order of the axes."""
        return [dimension.name for dimension in self.dimensions]

    def axis(self, name: object) -> int:
        """Return the axis of a dimension.

        Raises:
            ProcessFault: The dimension does not exist.
        """
        if name not in self.names:
            reason = f"there is no dimension {shorten(name)}; accepted are {', '.join(self.names)}"
            raise ProcessFault("DimensionNotAvailable", reason)
        return self.names.index(str(name))

    def dimension(self, name: object) -> Dimension:
        """Return a dimension.

        Raises:
            ProcessFault: The dimension does not exist.
        """
        return self.dimensions[self.axis(name)]

    def dimensions_of_type(self, kind: DimensionType) -> list[Dimension]:
        """Return the dimensions of a type."""
        return [dimension for dimension in self.dimensions if dimension.type == kind]

    def time(self, name: object = None) -> Dimension:
        """Return the temporal dimension with a name, or the only one.

        Raises:
            ProcessFault: It does not exist, or `name` is `None` and there are several.
        """
        if name is not None:
            return self.dimension(name)
        temporal = self.dimensions_of_type("temporal")
        if len(temporal) > 1:
            names = ", ".join(dimension.name for dimension in temporal)
            raise ProcessFault("TooManyDimensions", f"dimension: there are several temporal dimensions: {names}")
        if not temporal:
            raise ProcessFault(
                "DimensionNotAvailable", f"dimension: no dimension of {', '.join(self.names)} is temporal"
            )
        return temporal[0]

    def spatial(self) -> tuple[Dimension, Dimension]:
        """Return the dimensions y and x.

        Raises:
            ProcessFault: One is missing.
        """
        by_axis = {dimension.axis or dimension.name: dimension for dimension in self.dimensions_of_type("spatial")}
        if "x" not in by_axis or "y" not in by_axis:
            raise ProcessFault(
                "DimensionMissing", f"the dimensions x and y are required; there are {', '.join(self.names)}"
            )
        return by_axis["y"], by_axis["x"]

    def select(self, name: str, indexes: Sequence[int] | AnyArray, labels: Labels | None = None) -> "GraphCube":
        """Return the cube with some labels of a dimension, possibly with new labels."""
        positions = np.asarray(indexes, dtype=np.intp)
        dimension = self.dimension(name).take(positions, labels)
        return self.replace_dimension(name, dimension, np.take(self.values, positions, axis=self.axis(name)))

    def replace_dimension(self, name: str, dimension: Dimension, values: AnyArray) -> "GraphCube":
        """Return the cube with another dimension at the same axis, and other values."""
        axis = self.axis(name)
        return GraphCube((*self.dimensions[:axis], dimension, *self.dimensions[axis + 1 :]), values)

    def replace_spans(self, name: str, spans: tuple[TimeSpan, ...] | None) -> "GraphCube":
        """Return the cube with starts and ends of its times."""
        return self.replace_dimension(name, replace(self.dimension(name), spans=spans), self.values)

    def remove_dimension(self, name: str, values: AnyArray) -> "GraphCube":
        """Return a cube without a dimension, with values that lack its axis."""
        axis = self.axis(name)
        return GraphCube(self.dimensions[:axis] + self.dimensions[axis + 1 :], values)

    def stack(self, name: str) -> Stack:
        """Return the elements along a dimension; each element has all cells."""
        dimension = self.dimension(name)
        labels = None if isinstance(dimension.labels, np.ndarray) else tuple(dimension.labels)
        return Stack(np.moveaxis(self.values, self.axis(name), 0), labels)

    def broadcast_to(self, other: "GraphCube") -> AnyArray:
        """Return the values with the axes of another cube, of size 1 for dimensions that this cube lacks."""
        order = [self.axis(name) for name in other.names if name in self.names]
        values = np.transpose(self.values, order)
        return np.expand_dims(values, [axis for axis, name in enumerate(other.names) if name not in self.names])


def require_cube(value: object, argument: str = "data") -> GraphCube:
    """Return a value that must be a cube.

    Raises:
        ProcessFault: It is not.
    """
    if not isinstance(value, GraphCube):
        raise invalid(argument, f"{shorten(value)} is not a data cube")
    return value


def values_of(result: object, shape: tuple[int, ...], like: AnyArray) -> AnyArray:
    """Return the result of a child graph as an array; `None` is no data.

    Args:
        result: One value for all cells, or an array.
        shape: Shape of the array.
        like: ParameterValues with the dtype for results without values.

    Raises:
        ProcessFault: The result is not one value per cell.
    """
    if result is None:
        return np.full(shape, np.nan, dtype=_float_type(like))
    if isinstance(result, bool | int | float | np.generic):
        dtype = bool if isinstance(result, bool | np.bool_) else _float_type(like)
        return np.full(shape, result, dtype=dtype)
    if isinstance(result, np.ndarray):
        return np.broadcast_to(result, shape)
    raise invalid("process", f"it must return one number for each cell, not {shorten(type(result).__name__)}")


def as_float(values: AnyArray) -> AnyArray:
    """Return values as floats, so that they can be missing."""
    return values if values.dtype.kind == "f" else values.astype(np.float32 if values.dtype.kind == "b" else np.float64)


def missing_in(values: AnyArray) -> BoolArray:
    """Return which values are no data."""
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def instant_of(label: object) -> "np.datetime64[Any]":
    """Return the start of a time in RFC 3339, or of a date, month or year.

    Raises:
        ProcessFault: It is not a time.
    """
    try:
        return parse_instant(str(label)).start
    except InvalidParameter as error:
        raise invalid("extent", error.message) from None


def interval_of(
    value: object, argument: str = "extent"
) -> tuple["np.datetime64[Any] | None", "np.datetime64[Any] | None"]:
    """Return start and end of a half-open temporal interval; `None` is unbounded.

    Raises:
        ProcessFault: It is not a list of two times, or it ends before it starts.
    """
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise invalid(argument, f"{shorten(value)} is not an interval; accepted is a list of two times")
    start, end = (None if member is None else instant_of(member) for member in value)
    if start is None and end is None:
        raise invalid(argument, "both ends are null; at least one is required")
    if start is not None and end is not None and end <= start:
        raise ProcessFault("TemporalExtentEmpty", f"{argument}: {shorten(value)} ends before it starts")
    return start, end


def indexes_between(
    instants: InstantArray, start: "np.datetime64[Any] | None", end: "np.datetime64[Any] | None"
) -> AnyArray:
    """Return the positions of instants in a half-open interval."""
    inside = np.ones(instants.shape, dtype=bool)
    if start is not None:
        inside &= instants >= start
    if end is not None:
        inside &= instants < end
    return np.flatnonzero(inside)


def join_times(cube: GraphCube, other: GraphCube) -> tuple[Dimension, ...]:
    """Return the dimensions of a cube whose values also depend on another cube at the same times."""
    return tuple(_join_time(d, other) if d.type == "temporal" else d for d in cube.dimensions)


def _join_time(time: Dimension, other: GraphCube) -> Dimension:
    if time.origins is None or time.name not in other.names:
        return replace(time, origins=None)
    origins = dict(zip(other.dimension(time.name).labels, other.dimension(time.name).origins or (), strict=False))
    joined = [merge_origins((mine, origins.get(label))) for label, mine in zip(time.labels, time.origins, strict=True)]
    complete = tuple(part for part in joined if part is not None)
    return replace(time, origins=complete if len(complete) == len(joined) else None)


def merge_origins(origins: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """Return the loaded times that values depend on together; `None` means all."""
    merged = frozenset[str]()
    for part in origins:
        if part is None:
            return None
        merged |= part
    return merged


def _float_type(like: AnyArray) -> np.dtype[Any]:
    return like.dtype if like.dtype.kind == "f" else np.dtype(np.float64)
