"""Processes that compute the values of cubes: along a dimension, for each cell, or from two cubes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chronotile.core.graph.cube import Dimension, GraphCube, as_float, join_times, missing_in, require_cube, values_of
from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.space import align
from chronotile.core.graph.values import GraphProcess, Stack, as_stack
from chronotile.core.model.types import AnyArray

CellFunction = Callable[..., Any]


def apply(data: GraphCube, process: CellFunction, context: object = None) -> GraphCube:
    """Return the cube with the result of `process` for each value."""
    cube = require_cube(data)
    result = process(x=cube.values, context=context)
    return GraphCube(cube.dimensions, values_of(result, cube.values.shape, cube.values))


def reduce_dimension(data: GraphCube, reducer: CellFunction, dimension: str, context: object = None) -> GraphCube:
    """Return the cube without a dimension; `reducer` gets the values along it and returns one value."""
    cube = require_cube(data)
    stack = cube.stack(dimension)
    return cube.remove_dimension(dimension, reduce_stack(reducer, stack, context))


def reduce_stack(reducer: CellFunction, stack: Stack, context: object) -> AnyArray:
    """Return the value of a reducer for each cell."""
    result = reducer(data=stack, context=context)
    return values_of(result, stack.values.shape[1:], stack.values)


def reduce_spatial(data: GraphCube, reducer: CellFunction, context: object = None) -> GraphCube:
    """Return the cube without x and y; `reducer` gets the values of all cells."""
    cube = require_cube(data)
    y, x = cube.spatial()
    rest = [axis for axis, dimension in enumerate(cube.dimensions) if dimension not in (y, x)]
    values = np.transpose(cube.values, [cube.axis(y.name), cube.axis(x.name), *rest])
    stack = Stack(values.reshape(-1, *values.shape[2:]), None)
    return GraphCube(tuple(cube.dimensions[axis] for axis in rest), reduce_stack(reducer, stack, context))


def apply_dimension(
    data: GraphCube,
    *,
    process: CellFunction,
    dimension: str,
    target_dimension: str | None = None,
    context: object = None,
) -> GraphCube:
    """Return the cube with the list that `process` returns for the values along a dimension.

    The labels stay if the number of values stays and no target is named; otherwise they are 0, 1, 2 …
    """
    cube = require_cube(data)
    source = cube.dimension(dimension)
    result = process(data=cube.stack(dimension), context=context)
    shape = tuple(size for axis, size in enumerate(cube.values.shape) if axis != cube.axis(dimension))
    values = _list_of_values(result, shape, cube.values)
    target = dimension if target_dimension is None else target_dimension
    moved = np.moveaxis(values, 0, cube.axis(dimension))
    if target == dimension:
        if len(values) == len(source):
            return cube.replace_dimension(dimension, replace(source, origins=None), moved)
        created = replace(source, labels=tuple(range(len(values))), spans=None, origins=None)
        return cube.replace_dimension(dimension, created, moved)
    created = Dimension(target, "other", tuple(range(len(values))))
    if target not in cube.names:
        return cube.replace_dimension(dimension, created, moved)
    if len(cube.dimension(target)) != 1:
        reason = f"{target} has {len(cube.dimension(target))} labels; accepted is a dimension with one label"
        raise invalid("target_dimension", reason)
    axis = cube.axis(target)
    dropped = cube.replace_dimension(dimension, created, moved)
    return GraphCube(dropped.dimensions[:axis] + dropped.dimensions[axis + 1 :], dropped.values.take(0, axis=axis))


def mask(data: GraphCube, mask: GraphCube, replacement: float | bool | None = None) -> GraphCube:
    """Return the cube with `replacement` in each cell whose mask is true or not zero; null is false."""
    cube, marks = require_cube(data), require_cube(mask, "mask")
    marks = align(marks, cube)
    for dimension in marks:
        if dimension.name not in cube.names or not dimension.is_equal(cube.dimension(dimension.name)):
            reason = f"mask: its dimension {dimension.name} is not a dimension of data with the same labels"
            raise ProcessFault("IncompatibleDataCubes", reason)
    is_masked = np.broadcast_to(_is_marked(marks.broadcast_to(cube)), cube.values.shape)
    values = as_float(cube.values) if replacement is None else cube.values
    filled = np.nan if replacement is None else replacement
    return GraphCube(join_times(cube, marks), np.where(is_masked, np.asarray(filled, dtype=values.dtype), values))


def merge_cubes(
    cube1: GraphCube, cube2: GraphCube, overlap_resolver: CellFunction | None = None, context: object = None
) -> GraphCube:
    """Return both cubes as one; `overlap_resolver` combines values at the same labels.

    Each dimension has the labels of both cubes: sorted along time, otherwise the labels of `cube1` first. A
    cube that lacks a dimension of the other cube is repeated along it. Cells of `cube2` are aligned with `cube1`.
    """
    first, second = require_cube(cube1, "cube1"), require_cube(cube2, "cube2")
    if set(second.names) > set(first.names):
        first = _repeat_along(first, second)
    else:
        second = _repeat_along(second, first)
    second = align(second, first)
    if set(first.names) != set(second.names):
        raise invalid("cube2", f"its dimensions {second.names} do not contain or belong to {first.names} of cube1")
    second = GraphCube(tuple(second.dimension(name) for name in first.names), second.broadcast_to(first))
    dimensions = tuple(_union(one, other) for one, other in zip(first, second, strict=True))
    places = [_places(dimensions, cube) for cube in (first, second)]
    shared = [np.intersect1d(one, other) for one, other in zip(*places, strict=True)]
    overlaps = all(len(indexes) for indexes in shared)
    if overlaps and overlap_resolver is None:
        raise ProcessFault("OverlapResolverMissing", "overlap_resolver: the cubes have values at the same labels")
    values = np.full(
        tuple(map(len, dimensions)), np.nan, dtype=np.result_type(as_float(first.values), as_float(second.values))
    )
    for cube, place in zip((first, second), places, strict=True):
        values[np.ix_(*place)] = cube.values
    if overlaps and overlap_resolver is not None:
        x, y = (
            cube.values[np.ix_(*(_find(positions, both) for positions, both in zip(place, shared, strict=True)))]
            for cube, place in zip((first, second), places, strict=True)
        )
        values[np.ix_(*shared)] = values_of(overlap_resolver(x=x, y=y, context=context), x.shape, values)
    return GraphCube(dimensions, values)


def save_result(data: Any, format: str, options: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401, ARG001 -- published
    """Return the data; the caller writes them in the format that the graph names."""
    return data


def create_data_cube() -> GraphCube:
    """Return a cube without dimensions and without a value."""
    return GraphCube((), np.array(np.nan))


def _is_marked(values: AnyArray) -> AnyArray:
    return values if values.dtype.kind == "b" else (values != 0) & ~missing_in(values)


def _list_of_values(result: object, shape: tuple[int, ...], like: AnyArray) -> AnyArray:
    if isinstance(result, list) and not result:
        raise invalid("process", "it returned an empty list; at least one value is required")
    if isinstance(result, list) and not any(isinstance(value, np.ndarray) for value in result):
        return np.stack([values_of(value, shape, like) for value in result])
    if isinstance(result, list | Stack):
        values = as_stack(result).values
        return np.broadcast_to(values, (len(values), *shape)) if values.shape[1:] != shape else values
    return values_of(result, shape, like)[np.newaxis]


def _repeat_along(cube: GraphCube, other: GraphCube) -> GraphCube:
    """Return a cube with all dimensions of another cube, repeated along the others."""
    # Values of a cube without times may depend on all times.
    lacking = [replace(d, origins=None) for d in other if d.name not in cube.names]
    values = np.broadcast_to(cube.values, (*map(len, lacking), *cube.values.shape))
    return GraphCube((*lacking, *cube.dimensions), values) if lacking else cube


def _union(one: Dimension, other: Dimension) -> Dimension:
    if one.type == "spatial" or (one.is_equal(other) and one.type != "temporal"):
        return one
    for dimension in (one, other):
        if len(set(dimension.labels)) < len(dimension):
            raise invalid(
                "cube1, cube2", f"the dimension {dimension.name} has equal labels: {shorten(dimension.labels)}"
            )
    labels = list(dict.fromkeys([*one.labels, *other.labels]))
    if one.type == "temporal":
        labels.sort()
    spans, origins = (_merge_by_label(one, other, name, labels) for name in ("spans", "origins"))
    names = {**other.common_names, **one.common_names}
    return replace(one, labels=tuple(labels), common_names=names, spans=spans, origins=origins)


def _merge_by_label(one: Dimension, other: Dimension, name: str, labels: list[Any]) -> tuple[Any, ...] | None:
    """Return the spans or origins of merged labels; `None` if a dimension lacks them."""
    first, second = getattr(one, name), getattr(other, name)
    if first is None or second is None:
        return None
    pairs = [*zip(other.labels, second, strict=True), *zip(one.labels, first, strict=True)]
    if name == "spans":
        return tuple(map(dict(pairs).__getitem__, labels))
    return tuple(frozenset().union(*(part for key, part in pairs if key == label)) for label in labels)


def _places(dimensions: tuple[Dimension, ...], cube: GraphCube) -> list[AnyArray]:
    """Return for each dimension the positions of a cube's labels in the merged labels."""
    places = []
    for dimension, part in zip(dimensions, cube, strict=True):
        if dimension.type == "spatial":
            places.append(np.arange(len(dimension)))
        else:
            positions = {label: index for index, label in enumerate(dimension.labels)}
            places.append(np.array([positions[label] for label in part.labels], dtype=np.intp))
    return places


def _find(positions: AnyArray, shared: AnyArray) -> AnyArray:
    # Indexes of some of the positions
    order = np.argsort(positions)
    return order[np.searchsorted(positions, shared, sorter=order)]


CELLS: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (
        apply,
        apply_dimension,
        create_data_cube,
        mask,
        merge_cubes,
        reduce_dimension,
        reduce_spatial,
        save_result,
    )
}
"""Processes by name."""
