"""Processes on the dimensions and labels of cubes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chronotile.core.graph.cube import (
    Dimension,
    DimensionType,
    GraphCube,
    as_float,
    indexes_between,
    interval_of,
    require_cube,
)
from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.values import GraphProcess

TYPES: tuple[DimensionType, ...] = ("spatial", "temporal", "bands", "geometry", "other")
"""Types of dimensions."""


def add_dimension(data: GraphCube, name: str, label: str | float, type: str = "other") -> GraphCube:
    """Return the cube with an additional dimension with one label."""
    cube = require_cube(data)
    if name in cube.names:
        raise ProcessFault("DimensionExists", f"name: the dimension {shorten(name)} exists")
    kind = next((kind for kind in TYPES if kind == type), None)
    if kind is None:
        raise invalid("type", f"{shorten(type)} is not accepted; accepted are {', '.join(TYPES)}")
    axis = None
    if type == "spatial":
        axes = {dimension.axis for dimension in cube.dimensions_of_type("spatial")}
        free = [letter for letter in "xyz" if letter not in axes]
        if not free:
            raise ProcessFault("DimensionExists", "type: dimensions exist for the axes x, y and z")
        axis = free[0]
    dimension = Dimension(name, kind, (label,), axis=axis)
    return GraphCube((dimension, *cube.dimensions), cube.values[np.newaxis])


def drop_dimension(data: GraphCube, name: str) -> GraphCube:
    """Return the cube without a dimension that has one label."""
    cube = require_cube(data)
    count = len(cube.dimension(name))
    if count != 1:
        raise ProcessFault("DimensionLabelCountMismatch", f"name: {name} has {count} labels; accepted is one label")
    return cube.remove_dimension(name, cube.values.take(0, axis=cube.axis(name)))


def rename_dimension(data: GraphCube, source: str, target: str) -> GraphCube:
    """Return the cube with another name of a dimension."""
    cube = require_cube(data)
    dimension = cube.dimension(source)
    if target in cube.names:
        raise ProcessFault("DimensionExists", f"target: the dimension {shorten(target)} exists")
    return cube.replace_dimension(source, replace(dimension, name=target), cube.values)


def dimension_labels(data: GraphCube, dimension: str) -> list[Any]:
    """Return the labels of a dimension."""
    labels = require_cube(data).dimension(dimension).labels
    return labels.tolist() if isinstance(labels, np.ndarray) else list(labels)


def rename_labels(data: GraphCube, dimension: str, target: list[Any], source: list[Any] | None = None) -> GraphCube:
    """Return the cube with other labels of a dimension; without `source`, its labels must be numbers from 0."""
    cube = require_cube(data)
    labels = list(cube.dimension(dimension).labels)
    if not source:
        if labels != list(range(len(labels))):
            raise ProcessFault(
                "LabelsNotEnumerated", f"source: the labels of {dimension} are names; list those to rename"
            )
        source = labels[: len(target)]
    if len(source) != len(target):
        raise ProcessFault(
            "LabelMismatch", f"target: {len(target)} labels for {len(source)} in source; accepted is the same number"
        )
    unknown = [label for label in source if label not in labels]
    if unknown:
        reason = f"source: {dimension} has no label {shorten(unknown[0])}; it has {shorten(labels)}"
        raise ProcessFault("LabelNotAvailable", reason)
    unchanged = [label for label in labels if label not in source]
    repeated = [label for label in target if label in unchanged or target.count(label) > 1]
    if repeated:
        raise ProcessFault("LabelExists", f"target: the label {shorten(repeated[0])} exists twice afterwards")
    renamed = [target[source.index(label)] if label in source else label for label in labels]
    return cube.select(dimension, range(len(labels)), tuple(renamed))


def filter_bands(
    data: GraphCube, bands: list[str] | None = None, wavelengths: list[list[float]] | None = None
) -> GraphCube:
    """Return the cube with the bands of a list of names or common names (STAC), in the order of the list."""
    cube = require_cube(data)
    of_bands = cube.dimensions_of_type("bands")
    if len(of_bands) != 1:
        raise ProcessFault("DimensionMissing", f"one dimension of bands is required; there are {', '.join(cube.names)}")
    if wavelengths:
        raise invalid("wavelengths", "wavelengths of bands are not available; use names of bands")
    if not bands:
        raise ProcessFault("BandFilterParameterMissing", "bands: no band is listed")
    dimension = of_bands[0]
    indexes = [index for name in bands for index in _band_indexes(dimension, name)]  # unknown names select nothing
    return cube.select(dimension.name, list(dict.fromkeys(indexes)))


def filter_labels(data: GraphCube, condition: Callable[..., Any], dimension: str, context: object = None) -> GraphCube:
    """Return the cube with the labels that meet `condition`."""
    cube = require_cube(data)
    labels = dimension_labels(cube, dimension)
    return cube.select(
        dimension, [i for i, label in enumerate(labels) if condition(value=label, context=context) is True]
    )


def filter_temporal(data: GraphCube, extent: list[str | None], dimension: str | None = None) -> GraphCube:
    """Return the cube with the times in a half-open interval; `dimension` `None` filters all temporal dimensions."""
    cube = require_cube(data)
    start, end = interval_of(extent)
    names = [dimension] if dimension is not None else [other.name for other in cube.dimensions_of_type("temporal")]
    if not names:
        raise ProcessFault("DimensionNotAvailable", f"dimension: no dimension of {', '.join(cube.names)} is temporal")
    for name in names:
        cube = cube.select(name, indexes_between(cube.dimension(name).instants(), start, end))
    return cube


def ndvi(data: GraphCube, nir: str = "nir", red: str = "red", target_band: str | None = None) -> GraphCube:
    """Return (nir - red) / (nir + red) without the dimension of bands, or as an additional band."""
    cube = require_cube(data)
    of_bands = cube.dimensions_of_type("bands")
    if len(of_bands) != 1:
        raise ProcessFault(
            "DimensionAmbiguous", f"one dimension of bands is required; there are {', '.join(cube.names)}"
        )
    dimension = of_bands[0]
    pair = {}
    for argument, name in (("nir", nir), ("red", red)):
        indexes = _band_indexes(dimension, name)
        if len(indexes) != 1:
            code = f"{argument.capitalize()}BandAmbiguous"
            raise ProcessFault(
                code, f"{argument}: {shorten(name)} names {len(indexes)} of the bands {shorten(dimension.labels)}"
            )
        pair[argument] = as_float(cube.values.take(indexes[0], axis=cube.axis(dimension.name)))
    with np.errstate(all="ignore"):
        index = (pair["nir"] - pair["red"]) / (pair["nir"] + pair["red"])
    if target_band is None:
        return cube.remove_dimension(dimension.name, index)
    if target_band in dimension.labels:
        raise ProcessFault("BandExists", f"target_band: the band {shorten(target_band)} exists")
    axis = cube.axis(dimension.name)
    values = np.concatenate([as_float(cube.values), np.expand_dims(index, axis)], axis=axis)
    return cube.replace_dimension(dimension.name, replace(dimension, labels=(*dimension.labels, target_band)), values)


def flatten_dimensions(
    data: GraphCube, dimensions: list[str], target_dimension: str, label_separator: str = "~"
) -> GraphCube:
    """Return the cube with several dimensions as one, whose labels join the labels with a separator."""
    cube = require_cube(data)
    axes = [cube.axis(name) for name in dimensions]
    if target_dimension in cube.names:
        raise ProcessFault("TargetDimensionExists", f"target_dimension: {shorten(target_dimension)} exists")
    labels: list[str] = [""]
    for axis in axes:
        labels = [
            f"{text}{label_separator if text else ''}{label}"
            for text in labels
            for label in cube.dimensions[axis].labels
        ]
    rest = [axis for axis in range(len(cube.dimensions)) if axis not in axes]
    values = np.transpose(cube.values, [*axes, *rest])
    flat = values.reshape(len(labels), *values.shape[len(axes) :])
    return GraphCube(
        (Dimension(target_dimension, "other", tuple(labels)), *(cube.dimensions[axis] for axis in rest)), flat
    )


def unflatten_dimension(
    data: GraphCube, dimension: str, target_dimensions: list[str], label_separator: str = "~"
) -> GraphCube:
    """Return the cube with one dimension as several, whose labels are the parts of the labels."""
    cube = require_cube(data)
    axis = cube.axis(dimension)
    for name in target_dimensions:
        if name in cube.names:
            raise ProcessFault("TargetDimensionExists", f"target_dimensions: {shorten(name)} exists")
    parts = [str(label).split(label_separator) for label in cube.dimensions[axis].labels]
    if any(len(part) != len(target_dimensions) for part in parts):
        raise invalid("label_separator", f"the labels do not have {len(target_dimensions)} parts: {shorten(parts)}")
    lists = [list(dict.fromkeys(part[k] for part in parts)) for k in range(len(target_dimensions))]
    rest = cube.dimensions[:axis] + cube.dimensions[axis + 1 :]
    values = np.full((*map(len, lists), *map(len, rest)), np.nan)
    for index, part in enumerate(parts):
        place = tuple(names.index(text) for names, text in zip(lists, part, strict=True))
        values[place] = cube.values.take(index, axis=axis)
    created = (Dimension(name, "other", tuple(names)) for name, names in zip(target_dimensions, lists, strict=True))
    return GraphCube((*created, *rest), values)


def _band_indexes(dimension: Dimension, name: str) -> list[int]:
    # A name has priority over a common name (filter_bands, `bands`).
    labels = list(dimension.labels)
    if name in labels:
        return [labels.index(name)]
    return [index for index, label in enumerate(labels) if dimension.common_names.get(label) == name]


DIMENSIONS: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (
        add_dimension,
        dimension_labels,
        drop_dimension,
        filter_bands,
        filter_labels,
        filter_temporal,
        flatten_dimensions,
        ndvi,
        rename_dimension,
        rename_labels,
        unflatten_dimension,
    )
}
"""Processes by name."""
