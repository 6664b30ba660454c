"""Give me these numbers: native cells, or such on another grid, of one collection's variables at some times."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times, time_not_available
from chronotile.core.errors import InvalidParameter, SourceUnavailable, TimeNotAvailable, require_at_most
from chronotile.core.model.collection import Layer, Resampling
from chronotile.core.model.coverage import RUN_BYTES, CoverageField, CoverageRequest
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.payload import PixelStates
from chronotile.core.model.raster import Pixels, replace_codes_by_mask
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import are_alike
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, common_times
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import InstantArray, Int64Array, NumberArray
from chronotile.core.warp.plan import WarpPlan, cells_per_pixel, level_for, plan_warp, side_by_side
from chronotile.pipeline.coverage.cells import CellRun, column_runs
from chronotile.pipeline.coverage.grid import Place, place_of
from chronotile.pipeline.coverage.numbers import nothing, output_encoding, output_numbers
from chronotile.pipeline.coverage.source_coverage import (
    ABSENT,
    MAX_FILES,
    CellSource,
    ReadCoverage,
    ReadRuns,
    cheapest_layout,
    coverage_bytes,
    read_cheaply,
    runs,
    runs_of_blocks,
)
from chronotile.pipeline.estimate import grid_seconds, window_seconds
from chronotile.pipeline.mosaic_lattices import align_layers, choose_coverage_lattice
from chronotile.pipeline.mosaic_plans import native_windows
from chronotile.pipeline.resolve_series import instants_of, layer_with_values
from chronotile.pipeline.revision import fingerprint, pixel_states, revision_of_states
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.derived.wrapped import are_same_cells
from chronotile.readers.reader import Reader


def extract_coverage(
    request: CoverageRequest, services: Services, *, times: InstantArray | None = None, is_part: bool = False
) -> ReadCoverage:
    """Return what a request means, which is then read run by run; reads no pixels itself.

    Of several dates, one that is damaged while its source is there has no values, and is among `unreadable` once it
    was read; of one date alone, reading it fails.

    Args:
        request: What, where and when.
        services: What to read it with.
        times: Exactly these, ascending, in place of those that the request selects: for who resolved them before.
        is_part: Whether there are other parts with other times, so that one date is not alone.

    Raises:
        OutsideData: A trim or the area leaves nothing.
        InvalidParameter: Layers lie on different grids or are of different collections, one is a composite, or a scale
            is none.
        TimeNotAvailable: No layer has the time, or any in the interval, that is requested.
        LimitExceeded: Its numbers take more than `max_coverage_bytes`.
        SourceUnavailable: A source is gone, or one of the `times`.
        ChronotileError: A name or time is not accepted.
    """
    crs = request.crs if request.cells is None else request.cells.crs
    layers = _layers(request.layers, services, is_resampled=crs is not None)
    domain, indexes = _times(layers, request.time if times is None else times, services)
    on_lattice = align_layers(layers, services, choose_coverage_lattice(_finest(layers), services, crs))
    layers, services = on_lattice.layers, on_lattice.services
    grid = _finest(layers).main_variable.grid
    place = place_of(request, grid)
    if not all(are_same_cells(layer.main_variable.grid, grid) for layer in layers):
        place = replace(place, window=None)
    fields = tuple(coverage_field(layer) for layer in layers)
    requested = coverage_bytes(fields, place.grid, times=indexes[0].size)
    _check_size(requested, services, locator="bbox" if request.scale is None else request.scale.locator)
    cells, window = _cells(place, fields, request.resampling, services)
    states = tuple(
        _state(layer, own, services, native_windows(layer, place.grid) if layer.main_variable.is_mosaic else (window,))
        for layer, own in zip(layers, indexes, strict=True)
    )
    named = [f"{revision_of_states(each, own)} {each.resampling}" for each, own in zip(layers, states, strict=True)]
    return ReadCoverage(
        collection=services.catalogue.collection(layers[0].collection),
        fields=fields,
        grid=place.grid,
        times=domain,
        etag=_etag(request, domain, place, named),
        states=states,
        indexes=indexes,
        cells=cells,
        inside=place.inside,
        services=services,
        found=tuple(UnreadableDates(layer, services) for layer in layers),
        is_lenient=is_part or len(domain) > 1,
    )


def _cells(
    place: Place, fields: tuple[CoverageField, ...], resampling: Resampling | None, services: Services
) -> tuple[CellSource, Window | None]:
    """What is read, and the window of native cells that has it all; `None` for cells of another grid."""
    if place.window is None:
        return warped_cells(place.grid, fields, resampling=resampling, plans=services.caches.plans), None
    cells = NativeCells(grid=fields[0].layer.main_variable.grid, window=place.window)
    return cells, cells.enclosing


def _finest(layers: Sequence[Layer]) -> Layer:
    """The first of the layers with the smallest cells, whose grid a coverage of several has."""
    return min(
        layers, key=lambda each: each.main_variable.grid.resolution * each.main_variable.grid.crs.metres_per_unit
    )


def _layers(names: Sequence[str], services: Services, *, is_resampled: bool) -> tuple[Layer, ...]:
    """Those of the names, one of each variable; all of one collection, and of one grid unless they are resampled."""
    by_variable: dict[str, Layer] = {}
    for name in names:
        layer = layer_with_values(name, services)
        by_variable.setdefault(layer.main_variable.name, layer)
    layers = tuple(by_variable.values())
    if not layers:
        raise InvalidParameter("a coverage has at least one variable", locator="layer")
    first = layers[0]
    for layer in layers:
        if layer.collection != first.collection:
            raise InvalidParameter(
                f"layers {first.id} and {layer.id} are of different collections; request each separately",
                locator="layer",
            )
    alike = [layer for layer in layers if are_same_cells(layer.main_variable.grid, first.main_variable.grid)]
    if len(alike) < len(layers) and not is_resampled:
        other = next(layer for layer in layers if layer not in alike)
        names_alike = ", ".join(layer.main_variable.name for layer in alike)
        raise InvalidParameter(
            f"{other.main_variable.name} has another grid than {names_alike}; request it separately, or name a CRS "
            "with crs",
            locator="layer",
        )
    return layers


def coverage_field(layer: Layer) -> CoverageField:
    """Return the variable of a layer as coverages have it."""
    variable = layer.main_variable
    title = variable.title or layer.title.get("") or next(iter(layer.title.values()), layer.id)
    return CoverageField(name=variable.name, title=title, layer=layer, encoding=output_encoding(variable.encoding))


def _times(
    layers: Sequence[Layer], requested: TimeSelection | InstantArray, services: Services
) -> tuple[TimeDomain, tuple[Int64Array, ...]]:
    """All times that any layer has of what is requested, and where each of its own is; one without time is at all."""
    dated = [layer for layer in layers if len(layer.times)]
    if not dated:
        return NO_TIME, tuple(np.zeros(1, dtype=np.int64) for _layer in layers)
    starts = _select_times(dated, requested, services) if isinstance(requested, TimeSelection) else requested
    indexes = tuple(_indexes(layer, starts) for layer in layers)
    if not np.isin(starts, np.concatenate([layer.times.starts for layer in dated])).all():
        raise SourceUnavailable(f"layer {dated[0].id} no longer has all of the times")
    all_times = [
        layer.times.at(own[own != ABSENT]) for layer, own in zip(layers, indexes, strict=True) if len(layer.times)
    ]
    return _all_times(starts, all_times), indexes


def _all_times(starts: InstantArray, domains: Sequence[TimeDomain]) -> TimeDomain:
    """The times of all domains, each as long as the shortest; their bounds stay where all have the same times."""
    if all(len(domain) == starts.size for domain in domains):
        return reduce(common_times, domains)
    ends = np.full(starts.size, np.iinfo(np.int64).max).view(starts.dtype)
    for domain in domains:
        places = np.searchsorted(starts, domain.starts)
        ends[places] = np.minimum(ends[places], domain.ends)
    return TimeDomain(starts, ends, is_climatology=all(domain.is_climatology for domain in domains))


def _select_times(dated: Sequence[Layer], selection: TimeSelection, services: Services) -> InstantArray:
    """Starts of all times that any layer has of what is requested."""
    resolved, missing = list[tuple[Layer, tuple[int, ...]]](), list[TimeNotAvailable]()
    for layer in dated:
        try:
            resolved.append((layer, resolve_series_times(layer, selection, now=services.clock()).indexes))
        except TimeNotAvailable as error:
            missing.append(error)
    if not any(indexes for _layer, indexes in resolved):
        lacking = missing[0] if missing else time_not_available(dated[0], selection)
        raise TimeNotAvailable(lacking.message, locator="datetime", nearest=lacking.nearest)
    return np.unique(np.concatenate([instants_of(layer, indexes) for layer, indexes in resolved]))


def _indexes(layer: Layer, starts: InstantArray) -> Int64Array:
    if not len(layer.times):
        return np.zeros(starts.size, dtype=np.int64)
    own = np.searchsorted(layer.times.starts, starts)
    is_there = layer.times.starts[np.minimum(own, len(layer.times) - 1)] == starts
    return np.where(is_there, own, ABSENT)


def _check_size(requested: int, services: Services, *, locator: str) -> None:
    allowed = services.catalogue.limits.max_coverage_bytes
    alternative = (
        "request a smaller bbox, fewer times or fields, or fewer and coarser cells; series of places are at /timeseries"
    )
    require_at_most("max_coverage_bytes", requested, allowed, alternative=alternative, locator=locator)


def _state(layer: Layer, indexes: Int64Array, services: Services, windows: tuple[Window | None, ...]) -> PixelStates:
    """Of the pixels of a layer at its own times of some indexes, in a window of native cells or in all."""
    there = tuple(indexes[indexes != ABSENT].tolist())
    instants = tuple(instants_of(layer, there)) if len(layer.times) else ()
    return pixel_states(layer, instants, services, windows=windows)


def _etag(request: CoverageRequest, times: TimeDomain, place: Place, states: Sequence[str]) -> str:
    grid = place.grid
    return fingerprint(
        "coverage",
        states,
        (times.starts.tobytes(), times.ends.tobytes()),
        (grid.crs.name, tuple(grid.bbox), grid.width, grid.height),
        request.resampling,
        None if request.area is None else _name_of_area(request.area),
    )


def _name_of_area(area: Area) -> str:
    """A short text that another outline does not have."""
    digest = hashlib.blake2b(area.crs.name.encode(), digest_size=12)
    for polygon in area.polygons:
        digest.update(b"polygon")
        for ring in polygon:
            digest.update(np.ascontiguousarray(ring).tobytes())
    return digest.hexdigest()


# Coverages whose cells are native ones.


@dataclass(frozen=True, kw_only=True, eq=False)
class NativeCells:
    """A window of a native grid that is not rotated, whose columns may go on beyond the last one of a circle."""

    grid: NativeGrid
    window: Window

    @cached_property
    def runs(self) -> tuple[CellRun, ...]:
        """What of the window's columns the source has."""
        return tuple(column_runs(self.grid, self.window))

    @property
    def enclosing(self) -> Window | None:
        """The smallest window of the source that has all cells; `None` where the source has none of them."""
        if not self.runs:
            return None
        start, stop = min(run.start for run in self.runs), max(run.stop for run in self.runs)
        return Window(self.window.row_start, self.window.row_stop, start, stop)

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return in which runs a field is best read, by rows from the north.

        Raises:
            SourceUnavailable: The source is gone.
        """
        height = self.window.height
        windows = self._windows(range(height))
        _along, shape = cheapest_layout(reader, field.name, indexes=indexes, windows=windows)
        read_runs = runs_of_blocks(
            shape, indexes=indexes, first_row=self.window.row_start, height=height, row_bytes=row_bytes
        )
        if not self._is_south_up:
            return read_runs
        runs = tuple(range(height - run.stop, height - run.start) for run in reversed(read_runs.row_runs))
        return ReadRuns(row_runs=runs, time_runs=read_runs.time_runs)

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> NumberArray:
        """Return (time, y, x) numbers at some of the variable's times, as they are written.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        windows = self._windows(rows)
        parts = [self._read(reader, field, indexes, window) for window in windows]
        if len(parts) == 1 and windows[0].width == self.window.width:
            numbers = parts[0]
        else:
            numbers = nothing((len(indexes), len(rows), self.window.width), field.encoding)
            for run, part in zip(self.runs, parts, strict=True):
                numbers[:, :, run.place : run.place + part.shape[2]] = part
        turned = numbers[:, :: -1 if self._is_south_up else 1, :: -1 if self.grid.transform.a < 0 else 1]
        return np.ascontiguousarray(turned)

    def reading_seconds(self, field: CoverageField, grid: Grid, indexes: Sequence[int], services: Services) -> float:  # noqa: ARG002 -- its own cells
        """Return the processor time of reading all cells."""
        windows = self._windows(range(self.window.height))
        return sum(window_seconds(field.layer, indexes, window, services) for window in windows)

    def _read(self, reader: Reader, field: CoverageField, indexes: Sequence[int], window: Window) -> NumberArray:
        pixels = read_cheaply(reader, field.name, indexes=indexes, window=window)
        return output_numbers(pixels, field.layer.main_variable.encoding, field.encoding)

    def _windows(self, rows: range) -> list[Window]:
        """What is read for rows that are counted from the north."""
        first, last = self.window.row_start + rows.start, self.window.row_start + rows.stop
        if self._is_south_up:
            first, last = self.window.row_stop - rows.stop, self.window.row_stop - rows.start
        return [Window(first, last, run.start, run.stop) for run in self.runs]

    @property
    def _is_south_up(self) -> bool:
        return self.grid.transform.e > 0


TILE_SIDE = 512
"""Cells along each side of what is warped at once, if it does not take too many native ones."""

LEAST_SIDE = 16

NUDGE = 1e-6
"""Of a cell."""

NATIVE_SIDE = 2048
"""Native cells along each side of what one such takes, about: fewer than a plan would leave some out for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WarpedCells:
    """A grid whose cells are gathered from those of a source, tile by tile: the same whatever rows are read at once."""

    grid: Grid
    resampling: Resampling | None
    """`None` is that of each layer."""
    plans: ByteCache[WarpPlan | None]
    tile_height: int
    """Rows of a tile: fewer than columns where rows are so long that few are read at once."""
    tile_width: int

    def reading_seconds(self, field: CoverageField, grid: Grid, indexes: Sequence[int], services: Services) -> float:
        """Return the processor time of reading all cells."""
        return grid_seconds(field.layer, {field.name: indexes}, grid, services)

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return in which runs a field is best read: whole tiles."""
        del reader, field  # any is read so
        height = self.grid.height
        rows = RUN_BYTES // row_bytes // self.tile_height * self.tile_height or self.tile_height
        times = min(MAX_FILES, max(1, RUN_BYTES // (min(rows, height) * row_bytes)))
        return ReadRuns(row_runs=tuple(runs(height, rows)), time_runs=tuple(runs(len(indexes), times)))

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> NumberArray:
        """Return (time, y, x) numbers at some of the variable's times, as they are written.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        numbers = nothing((len(indexes), len(rows), self.grid.width), field.encoding)
        variable = field.layer.main_variable
        resampling = self.resampling or field.layer.resampling
        level = level_for(variable.levels, self.grid)
        for top in range(rows.start // self.tile_height * self.tile_height, rows.stop, self.tile_height):
            for left in range(0, self.grid.width, self.tile_width):
                grid = self._tile(top, left)
                start, stop = max(rows.start, top), min(rows.stop, top + grid.height)
                target = numbers[:, start - rows.start : stop - rows.start, left : left + grid.width]
                if variable.is_mosaic:
                    for place, index in enumerate(indexes):
                        pixels = replace_codes_by_mask(
                            reader.compose(variable.name, index=index, grid=_nudge_box(grid), resampling=resampling)
                        )
                        output = output_numbers(pixels, variable.encoding, field.encoding)
                        target[place] = output[start - top : stop - top]
                    continue
                sampled = _nudge_box(grid) if resampling == "nearest" else grid
                plan = self._plan(sampled, variable, resampling, level)
                if plan is None:
                    continue
                for place, pixels in enumerate(_pixels(plan, reader, variable, indexes)):
                    raster = plan.warp(pixels, variable.encoding)
                    output = output_numbers(Pixels(raster.numbers, raster.present), variable.encoding, field.encoding)
                    target[place] = output[start - top : stop - top]
        return numbers

    def _tile(self, top: int, first_column: int) -> Grid:
        """The grid of a tile, by its first row and column."""
        whole = self.grid
        bottom, right = min(top + self.tile_height, whole.height), min(first_column + self.tile_width, whole.width)
        xs, ys = (
            whole.x_of(np.array([first_column, right], dtype=float)),
            whole.y_of(np.array([bottom, top], dtype=float)),
        )
        box = BBox(float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1]))
        return Grid(crs=whole.crs, bbox=box, width=right - first_column, height=bottom - top)

    def _plan(self, grid: Grid, variable: VariableInfo, resampling: Resampling, level: int) -> WarpPlan | None:
        return self.plans.get_or_make(
            (variable.levels, grid, resampling, level),
            lambda: plan_warp(variable.levels, grid, resampling=resampling, level=level),
        )


def warped_cells(
    grid: Grid, fields: Sequence[CoverageField], *, resampling: Resampling | None, plans: ByteCache[WarpPlan | None]
) -> WarpedCells:
    """Return how the cells of a grid are gathered from those of fields, which have one grid.

    Raises:
        InvalidParameter: Means of classes or directions are requested.
    """
    variable = fields[0].layer.main_variable
    if are_alike(grid.crs, variable.grid.crs):
        grid = replace(grid, crs=variable.grid.crs)
    for each in fields:
        if resampling == "bilinear" and not each.layer.main_variable.has_means:
            what = "classes" if each.layer.main_variable.is_categorical else "directions"
            raise InvalidParameter(f"{each.name} has {what}, which have no mean; use nearest", locator="interpolation")
    row_bytes = grid.width * max(np.dtype(each.encoding.dtype).itemsize for each in fields)
    level = variable.levels[level_for(variable.levels, grid)]
    width = max(LEAST_SIDE, int(min(TILE_SIDE, NATIVE_SIDE / cells_per_pixel(grid, level))))
    height = max(LEAST_SIDE, min(width, RUN_BYTES // row_bytes))
    return WarpedCells(grid=grid, resampling=resampling, plans=plans, tile_height=height, tile_width=width)


def _nudge_box(grid: Grid) -> Grid:
    """A grid a hair to the south-east: of centres that lie between two native cells all take the one on that side."""
    size_x, size_y = (each * NUDGE for each in grid.resolution)
    xmin, ymin, xmax, ymax = grid.bbox
    return replace(grid, bbox=BBox(xmin + size_x, ymin - size_y, xmax + size_x, ymax - size_y))


def _pixels(plan: WarpPlan, reader: Reader, variable: VariableInfo, indexes: Sequence[int]) -> Iterator[Pixels]:
    """(y, x) pixels that a plan needs, time after time: of native ones many times at once."""
    if plan.level or plan.step > 1:
        yield from (plan.read(reader, variable, index) for index in indexes)
        return
    cells = sum(window.height * window.width for window in plan.windows)
    most = max(1, RUN_BYTES // (cells * np.dtype(variable.encoding.dtype).itemsize))
    for run in runs(len(indexes), most):
        some = indexes[run.start : run.stop]
        block = side_by_side([_block(reader, variable, some, window) for window in plan.windows])
        for place in range(len(some)):
            yield Pixels(block.numbers[place], None if block.valid is None else block.valid[place])


def _block(reader: Reader, variable: VariableInfo, indexes: Sequence[int], window: Window) -> Pixels:
    pixels = read_cheaply(reader, variable.name, indexes=indexes, window=window)
    return pixels if pixels.codes is None else Pixels(pixels.numbers, pixels.codes.numbers == 0)
