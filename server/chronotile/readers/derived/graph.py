"""Reader of the result of a process graph: variables are the bands of the result, times its times.

Dimensions and labels follow from one evaluation with windows of one cell without data, which reads no pixel. A
window is read in the same way: each node that loads a cube reads the cells below the window, with a margin for
processes that use neighbouring cells, and the times that the requested times depend on. The result is then cut to the
window.
"""

import inspect
import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.graph.cube import Dimension, GraphCube, merge_origins
from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.evaluate import Processes, StepObserver, prepare
from chronotile.core.graph.kernels import RESAMPLING_CELLS, reach_of
from chronotile.core.graph.parse import Graph
from chronotile.core.graph.space import CellAxis, CellGrid, grid_of
from chronotile.core.graph.values import GraphProcess
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, valid_pixels
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import NO_TIME, TimeDomain
from chronotile.core.model.time.instants import ONE_NS, TimeSpan
from chronotile.core.model.types import NumberArray
from chronotile.core.read_cost import ReadCost, sum_of_read_costs
from chronotile.readers.cf.cell_areas import averaging_areas
from chronotile.readers.reader import Along, BlockShape, Reader

STRIP_BYTES = 32 << 20
"""Maximum size of the loaded values of a strip of a window; a row may need more."""
VALUE_S = 20e-9
"""Processor seconds of a graph per loaded value."""
DISTORTION = 4.0
"""Greatest ratio of the lengths of a unit in two reference systems that margins allow for."""
NAME = "var"
"""Name of the variable of a result without bands, as openEO's clients expect it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBands:
    """Bands, times and cells of a source that a node of a graph loads.

    Args:
        reader: Reader of the source.
        variables: Id of the variable of each band.
        times: Position of each time among the times of the variables, by label; empty without time.
        window: Loaded cells of the native grid.
        common_names: Common names (STAC) of bands.
    """

    reader: Reader
    variables: Mapping[str, str]
    times: Mapping[str, int]
    window: Window
    common_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def infos(self) -> list[VariableInfo]:
        """The variables."""
        return [self.reader.info.variables[variable] for variable in self.variables.values()]

    @property
    def grid(self) -> CellGrid:
        """All loaded cells.

        Raises:
            UnsupportedSource: Rows of the native grid are not parallel to x.
        """
        native = self.infos[0].grid
        if native.transform.b or native.transform.d:
            raise UnsupportedSource("its rows are not parallel to the x axis")
        x = native.transform.c + native.transform.a * (np.arange(*self.window[2:]) + 0.5)
        y = native.transform.f + native.transform.e * (np.arange(*self.window[:2]) + 0.5)
        return CellGrid(native.crs.name, CellAxis(x, x, native.transform.a), CellAxis(y, y, native.transform.e))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that has all stored numbers exactly."""
        return np.result_type(np.float32, *(np.dtype(info.encoding.dtype) for info in self.infos))

    def cells_in(self, part: "GraphPart") -> CellGrid:
        """Return the cells below a part of the result; the first cell for the probe."""
        grid = self.grid
        if part.bounds is None:
            x, y = (axis._replace(centres=axis.whole[:1]) for axis in (grid.x, grid.y))
            return grid._replace(x=x, y=y)
        bounds = part.bounds
        if part.crs != grid.crs:
            bounds = BBox(*transformer(crs_of(part.crs), crs_of(grid.crs)).transform_bounds(*bounds))
        across, down = (RESAMPLING_CELLS * abs(axis.step) for axis in (grid.x, grid.y))
        x = grid.x.part(bounds[0] - across, bounds[2] + across)
        return grid._replace(x=x, y=grid.y.part(bounds[1] - down, bounds[3] + down))

    def read(self, part: "GraphPart") -> GraphCube:
        """Return the stored numbers of a part; NaN without a value. The probe has no values."""
        cells = self.cells_in(part)
        times = {label: index for label, index in self.times.items() if part.times is None or label in part.times}
        count = len(times) if self.times else 1
        values = np.full((count, len(self.variables), *cells.shape), np.nan, dtype=self.dtype)
        if part.bounds is not None and values.size:
            window = self._window_of(cells)
            for band, (variable, info) in enumerate(zip(self.variables.values(), self.infos, strict=True)):
                indexes = list(times.values()) if self.times else [0]
                pixels = self.reader.read_block(variable, indexes=indexes, window=window, along="space")
                np.copyto(values[:, band], pixels.numbers, where=valid_pixels(pixels, info.encoding))
        dimensions = (
            Dimension("bands", "bands", tuple(self.variables), common_names=self.common_names),
            Dimension("y", "spatial", cells.y.centres, axis="y", crs=cells.crs, whole=cells.y.whole),
            Dimension("x", "spatial", cells.x.centres, axis="x", crs=cells.crs, whole=cells.x.whole),
        )
        if not self.times:
            return GraphCube(dimensions, values[0])
        origins = tuple(frozenset((label,)) for label in times)
        return GraphCube((Dimension("t", "temporal", tuple(times), origins=origins), *dimensions), values)

    def _window_of(self, cells: CellGrid) -> Window:
        row, column = (
            int(np.argmin(np.abs(axis.whole - axis.centres[0]))) + start
            for axis, start in ((cells.y, self.window.row_start), (cells.x, self.window.column_start))
        )
        return Window(row, row + cells.shape[0], column, column + cells.shape[1])


class GraphPart(NamedTuple):
    """A part of the result that is evaluated."""

    crs: str = ""
    bounds: BBox | None = None
    """Box of the cells, with the margin; `None` for the probe."""
    times: frozenset[str] | None = None
    """Loaded times; `None` means all."""


_PART: ContextVar[GraphPart] = ContextVar("chronotile_graph_part")


@dataclass(frozen=True, slots=True)
class _ResultColumn:
    """Place of a variable in the result."""

    band: int | None
    label: str | None
    """Label along time that is not a time, such as `before`."""


class GraphReader(Reader):
    """Reader of the result of a graph.

    Args:
        graph: The graph.
        processes: The available processes, except processes that load cubes.
        load: Return the source of a node that loads a cube, from its arguments. It is called once for equal arguments,
            at construction.
        loaders: Names and calls of the processes that load cubes; a call returns its arguments.
        parameters: Parameters of the graph.

    Raises:
        ProcessFault: The graph cannot be evaluated, or its result has no x and y or other dimensions.
    """

    def __init__(
        self,
        graph: Graph,
        processes: Processes,
        *,
        load: Callable[[str, Mapping[str, Any]], LoadedBands],
        loaders: Mapping[str, Callable[..., Mapping[str, Any]]],
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._load = load
        self._sources: dict[str, LoadedBands] = {}
        calls = {name: GraphProcess(name, _loading(self._cube, name, call)) for name, call in loaders.items()}
        self._prepared = prepare(graph, {**processes, **calls})
        self._parameters = dict(parameters or {})
        self._key = blake2b(
            repr((graph, sorted(self._parameters.items(), key=str))).encode(), digest_size=16
        ).hexdigest()
        margins = list[float]()
        probe = self._evaluate(GraphPart(), lambda *step: margins.append(_margin_m(*step)))
        self._grid = grid_of(probe)
        self._margin = sum(margins) / crs_of(self._grid.crs).metres_per_unit
        self._time = _time_of(probe)
        self._columns = _columns_of(probe, self._time)
        self._info = SourceInfo(variables={name: self._variable(name) for name in self._columns})

    def revision(self, variable: str, index: int) -> str:
        """Return the graph and the revisions of the loaded times that a time depends on."""
        times, states = self._origins(variable, [index]), list[str]()
        for source in self._sources.values():
            indexes = [index for label, index in source.times.items() if times is None or label in times] or [0]
            states += [source.reader.revision_of_times(name, indexes) for name in source.variables.values()]
        return blake2b(" ".join((self._key, *states)).encode(), digest_size=16).hexdigest()

    def revision_key(self, variable: str, index: int) -> Hashable:
        """Return the time, or the label that is not a time; all bands have one revision."""
        return self._columns[variable].label or index

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:  # noqa: ARG002 -- one level
        """Return (y, x) pixels of every `step`-th row and column of a window."""
        pixels = self.read_block(variable, indexes=[index], window=window, along="space")
        return Pixels(np.ascontiguousarray(pixels.numbers[0, ::step, ::step]))

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one cell."""
        pixels = self.read_block(variable, indexes=indexes, window=Window.from_cell(row, column), along="time")
        return Pixels(pixels.numbers[:, 0, 0])

    def block_shape(self, variable: str, along: Along) -> BlockShape:  # noqa: ARG002 -- the same for all bands
        """Return the block shape of the first source."""
        source = next(iter(self._sources.values()))
        return source.reader.block_shape(next(iter(source.variables.values())), along)

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the cost of all loaded bands and times for each block of the result, and of the graph."""
        times, parts, loaded = self._origins(variable, indexes), list[ReadCost](), 0.0
        for source in self._sources.values():
            positions = [i for label, i in source.times.items() if times is None or label in times] or [0]
            count = len(positions) / max(1, len(indexes))
            for name, info in zip(source.variables.values(), source.infos, strict=True):
                example = Window(0, min(window.height, info.grid.height), 0, min(window.width, info.grid.width))
                cost = source.reader.read_cost(name, indexes=positions, window=example, along=along)
                parts.append(replace(cost, block_s=cost.block_s * count, value_s=cost.value_s * count))
                loaded += count
        return sum_of_read_costs(parts, value_s=VALUE_S * loaded)

    @averaging_areas(averages=False)
    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:  # noqa: ARG002 -- one layout
        """Return (time, y, x) pixels of a window, computed in strips of rows."""
        numbers = np.full(
            (len(indexes), window.height, window.width), np.nan, dtype=self.info.variables[variable].encoding.dtype
        )
        times = self._origins(variable, indexes)
        for rows in self._strips(times, window):
            self._read_strip(variable, indexes, rows, numbers[:, rows.row_start - window.row_start :][:, : rows.height])
        return Pixels(numbers)

    def _strips(self, times: frozenset[str] | None, window: Window) -> Iterator[Window]:
        row_bytes = 0
        for source in self._sources.values():
            count = len(source.times) if times is None else len(times & source.times.keys())
            row_bytes += max(1, count) * len(source.variables) * window.width * source.dtype.itemsize
        height = max(1, STRIP_BYTES // row_bytes)
        for start in range(window.row_start, window.row_stop, height):
            yield window._replace(row_start=start, row_stop=min(start + height, window.row_stop))

    def _read_strip(self, variable: str, indexes: Sequence[int], window: Window, numbers: NumberArray) -> None:
        x = self._grid.x._replace(centres=self._grid.x.whole[window.column_start : window.column_stop])
        y = self._grid.y._replace(centres=self._grid.y.whole[window.row_start : window.row_stop])
        grid = self._grid._replace(x=x, y=y)
        west, south, east, north = grid.bounds
        margin = self._margin
        bounds = BBox(west - margin, south - margin, east + margin, north + margin)
        result = self._evaluate(GraphPart(grid.crs, bounds, self._origins(variable, indexes)))
        read = grid_of(result)
        rows, columns = read.y.positions(y.centres), read.x.positions(x.centres)
        for position, values in zip(*self._planes(result, self._columns[variable], indexes), strict=True):
            picked = values[np.maximum(rows, 0)[:, np.newaxis], np.maximum(columns, 0)] if values.size else np.nan
            numbers[position] = np.where((rows < 0)[:, np.newaxis] | (columns < 0), np.nan, picked)

    def _planes(
        self, cube: GraphCube, column: _ResultColumn, indexes: Sequence[int]
    ) -> tuple[list[int], list[NumberArray]]:
        """Return positions in `indexes`, and the (y, x) values of the column at these times."""
        y, x = cube.spatial()
        values = np.moveaxis(cube.values, [cube.axis(y.name), cube.axis(x.name)], [-2, -1])
        rest = [dimension for dimension in cube if dimension not in (y, x)]
        positions, planes = list[int](), list[NumberArray]()
        for position, label in enumerate(self._labels(column, indexes)):
            plane = values
            for axis, dimension in reversed(list(enumerate(rest))):
                if dimension.type == "bands":
                    place = column.band or 0
                else:
                    names = list(map(str, dimension.labels))
                    place = names.index(str(label)) if str(label) in names else -1
                if place < 0:
                    break
                plane = plane.take(place, axis=axis)
            else:
                positions.append(position)
                planes.append(plane)
        return positions, planes

    def _labels(self, column: _ResultColumn, indexes: Sequence[int]) -> list[Any]:
        """Return the label along time at each index; for results without time `None`."""
        if self._time is None:
            return [None] * len(indexes)
        return [self._time.labels[index] if column.label is None else column.label for index in indexes]

    def _origins(self, variable: str, indexes: Sequence[int]) -> frozenset[str] | None:
        if self._time is None or self._time.origins is None:
            return None
        origins = dict(zip(map(str, self._time.labels), self._time.origins, strict=True))
        labels = self._labels(self._columns[variable], indexes)
        return merge_origins(origins[str(label)] for label in labels)

    def _evaluate(self, part: GraphPart, watch: StepObserver | None = None) -> GraphCube:
        with _evaluating(part):
            result = self._prepared.run(self._parameters, watch)
        if not isinstance(result, GraphCube):
            raise ProcessFault("ProcessGraphInvalid", "the result is not a data cube", node=self._prepared.result)
        return result

    def _cube(self, name: str, arguments: Mapping[str, Any]) -> GraphCube:
        key = json.dumps([name, arguments], sort_keys=True, default=str)
        if key not in self._sources:
            self._sources[key] = self._load(name, arguments)
        return self._sources[key].read(_PART.get())

    def _variable(self, name: str) -> VariableInfo:
        dtype = np.result_type(*(source.dtype for source in self._sources.values()))
        return VariableInfo(
            name=name,
            encoding=Encoding(dtype=dtype.name, nodata=float("nan"), units="1"),
            levels=(_native_grid(self._grid),),
            times=NO_TIME if self._time is None or self._columns[name].label is not None else _domain_of(self._time),
            is_derived=True,
        )


def _loading(
    cube: Callable[[str, Mapping[str, Any]], GraphCube], name: str, call: Callable[..., Any]
) -> Callable[..., Any]:
    def load(**arguments: Any) -> GraphCube:  # noqa: ANN401 -- any values
        return cube(name, call(**arguments))

    load.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    return load


@contextmanager
def _evaluating(part: GraphPart) -> Iterator[None]:
    token = _PART.set(part)
    try:
        yield
    finally:
        _PART.reset(token)


def _time_of(cube: GraphCube) -> Dimension | None:
    temporal = cube.dimensions_of_type("temporal")
    rest = [d.name for d in cube if d.type not in ("temporal", "bands", "spatial")]
    if len(temporal) > 1 or rest or len(cube.dimensions_of_type("bands")) > 1:
        names = ", ".join(cube.names)
        reason = f"the result has the dimensions {names}; accepted are x, y, t and bands"
        raise ProcessFault("ProcessGraphInvalid", reason)
    return temporal[0] if temporal else None


def _columns_of(cube: GraphCube, time: Dimension | None) -> dict[str, _ResultColumn]:
    """Return the variables: the bands, or bands at labels that are not times."""
    bands = [str(label) for dimension in cube.dimensions_of_type("bands") for label in dimension.labels]
    labels = list[str]() if time is None or _are_times(time) else [str(label) for label in time.labels]
    columns = (
        {name: _ResultColumn(band, None) for band, name in enumerate(bands)}
        if bands
        else {NAME: _ResultColumn(None, None)}
    )
    if not labels:
        return columns
    return {
        f"{name}_{label}" if bands else label: _ResultColumn(column.band, label)
        for name, column in columns.items()
        for label in labels
    }


def _are_times(time: Dimension) -> bool:
    try:
        time.instants()
    except ProcessFault:
        return False
    return True


def _domain_of(time: Dimension) -> TimeDomain:
    if time.spans is None:
        starts = time.instants()
        return TimeDomain(starts, starts + ONE_NS)
    spans: tuple[TimeSpan, ...] = time.spans
    return TimeDomain(np.array([span.start for span in spans]), np.array([span.end for span in spans]))


def _native_grid(grid: CellGrid) -> NativeGrid:
    x, y = grid.x, grid.y
    transform = Affine(x.step, 0, x.whole[0] - x.step / 2, 0, y.step, y.whole[0] - y.step / 2)
    return NativeGrid(crs=crs_of(grid.crs), transform=transform, width=len(x.whole), height=len(y.whole))


def _margin_m(process: str, arguments: Mapping[str, Any], result: object) -> float:
    """Return the distance in metres around a window that a process uses."""
    reach = reach_of(process, arguments)
    grids = [grid_of(cube) for cube in (*arguments.values(), result) if isinstance(cube, GraphCube)] if reach else []
    cells_m = (max(abs(grid.x.step), abs(grid.y.step)) * crs_of(grid.crs).metres_per_unit for grid in grids)
    # Degrees of longitude are shorter than their nominal length, and scales of projections differ.
    scale = DISTORTION if len({grid.crs for grid in grids}) > 1 else 1.0
    return reach * scale * max(cells_m, default=0.0)
