"""Cubes and graphs for the tests of process graphs."""

from typing import Any

import numpy as np
import xarray as xr

from chronotile.core.graph.cube import Dimension, GraphCube
from chronotile.core.graph.evaluate import prepare
from chronotile.core.graph.parse import parse_graph
from chronotile.core.graph.table import PROCESSES

CRS = "EPSG:32632"
AXES = {"t": "temporal", "bands": "bands", "y": "spatial", "x": "spatial"}


def make_cube(values: Any, *, t: Any = None, bands: Any = None, crs: str = CRS, step: float = 10.0) -> GraphCube:
    """Return a cube with the axes t, bands, y and x; t and bands only if they have labels."""
    array = np.asarray(values)
    rows, columns = array.shape[-2:]
    labels = {
        "t": t,
        "bands": bands,
        "y": 5_150_000 - step * (np.arange(rows) + 0.5),
        "x": 680_000 + step * (np.arange(columns) + 0.5),
    }
    dimensions = tuple(
        Dimension(name, kind, labels[name], *((name, crs) if kind == "spatial" else ()))
        for name, kind in AXES.items()
        if labels[name] is not None
    )
    return GraphCube(dimensions, array)


def daily(count: int, start: str = "2020-01-01") -> tuple[str, ...]:
    """Return labels of consecutive days."""
    return tuple(f"{day}T00:00:00Z" for day in np.datetime64(start) + np.arange(count).astype("timedelta64[D]"))


def random_cube(seed: int, shape: tuple[int, ...], *, start: str = "2020-01-01", bands: Any = None) -> GraphCube:
    """Return a cube of random values; a fifth is missing."""
    random = np.random.default_rng(seed)
    values = random.normal(size=shape)
    values[random.random(shape) < 0.2] = np.nan
    return make_cube(values, t=daily(shape[0], start), bands=bands)


def as_xarray(cube: GraphCube) -> xr.DataArray:
    """Return a cube as an array of xarray, with times as `datetime64`."""
    labels = {d.name: d.instants() if d.type == "temporal" else list(d.labels) for d in cube}
    return xr.DataArray(cube.values, labels, cube.names)


def run(nodes: dict[str, Any], **parameters: Any) -> Any:
    """Return the result of a graph."""
    return prepare(parse_graph(nodes), PROCESSES).run(parameters)


def call(process: str, /, **arguments: Any) -> Any:
    """Return the result of a graph with one process; cubes are parameters of the graph."""
    cubes = {name: value for name, value in arguments.items() if isinstance(value, GraphCube)}
    values = {**arguments, **{name: {"from_parameter": name} for name in cubes}}
    return run({"call": {"process_id": process, "arguments": values, "result": True}}, **cubes)


def callback(process: str, /, **arguments: Any) -> dict[str, Any]:
    """Return a callback with one process; an argument `"$name"` is a parameter of the callback."""
    values = {
        name: {"from_parameter": value[1:]} if isinstance(value, str) and value.startswith("$") else value
        for name, value in arguments.items()
    }
    return {"process_graph": {"call": {"process_id": process, "arguments": values, "result": True}}}


def reducer(process: str, /, **arguments: Any) -> dict[str, Any]:
    """Return a callback that reduces `data`."""
    return callback(process, data="$data", **arguments)
