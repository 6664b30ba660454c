"""Coverages: cells of one collection's variables at some times, native or resampled to another grid."""

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
from chronotile.core.warp.level_choice import cells_per_pixel, level_for
from chronotile.core.warp.plan import WarpPlan, plan_warp, side_by_side
from chronotile.pipeline.coverage.cells import CellRun, column_runs
from chronotile.pipeline.coverage.grid import CoverageGrid, resolve_grid
from chronotile.pipeline.coverage.numbers import blank_numbers, output_encoding, output_numbers
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
from chronotile.readers.derived.alignment import are_same_cells
from chronotile.readers.mosaic_reader import as_mosaic
from chronotile.readers.reader import Reader


def extract_coverage(
    request: CoverageRequest, services: Services, *, times: InstantArray | None = None, is_part: bool = False
) -> ReadCoverage:
    """Return a coverage that is read run by run; reads no pixels itself.

    Damaged dates have no values and are listed as unreadable after they were read, but if the only date is damaged,
    reading fails.

    Args:
        request: Layers, area, grid and times.
        services: The services that read it.
        times: (time,) instants, ascending, that replace the selection of the request, if the caller resolved it.
        is_part: Whether the coverage is a part of a larger one, so that its only date may be missing.

    Raises:
        OutsideData: A trim or the area leaves no cell.
        InvalidParameter: Layers have different grids or collections, a layer is a composite, or a scale is invalid.
        TimeNotAvailable: No layer has a requested time.
        LimitExceeded: The numbers exceed `max_coverage_bytes`.
        SourceUnavailable: A source, or one of the `times`, is missing.
        ChronotileError: A name or time is invalid.
    """
    crs = request.crs if request.cells is None else request.cells.crs
    layers = _layers(request.layers, services, is_resampled=crs is not None)
    domain, indexes = _times(layers, request.time if times is None else times, services)
    on_lattice = align_layers(layers, services, choose_coverage_lattice(_finest(layers), services, crs))
    layers, services = on_lattice.layers, on_lattice.services
    grid = _finest(layers).main_variable.grid
    coverage_grid = resolve_grid(request, grid)
    if not all(are_same_cells(layer.main_variable.grid, grid) for layer in layers):
        coverage_grid = replace(coverage_grid, window=None)
    fields = tuple(coverage_field(layer) for layer in layers)
    requested = coverage_bytes(fields, coverage_grid.grid, times=indexes[0].size)
    _check_size(requested, services, locator="bbox" if request.scale is None else request.scale.locator)
    cells, window = _cells(coverage_grid, fields, request.resampling, services)
    states = tuple(
        _state(
            layer,
            layer_indexes,
            services,
            native_windows(layer, coverage_grid.grid) if layer.main_variable.is_mosaic else (window,),
        )
        for layer, layer_indexes in zip(layers, indexes, strict=True)
    )
    revisions = [
        f"{revision_of_states(layer, layer_states)} {layer.resampling}"
        for layer, layer_states in zip(layers, states, strict=True)
    ]
    return ReadCoverage(
        collection=services.catalogue.collection(layers[0].collection),
        fields=fields,
        grid=coverage_grid.grid,
        times=domain,
        etag=_etag(request, domain, coverage_grid, revisions),
        states=states,
        indexes=indexes,
        cells=cells,
        inside=coverage_grid.inside,
        services=services,
        unreadable=tuple(UnreadableDates(layer, services) for layer in layers),
        is_lenient=is_part or len(domain) > 1,
    )


def _cells(
    coverage_grid: CoverageGrid, fields: tuple[CoverageField, ...], resampling: Resampling | None, services: Services
) -> tuple[CellSource, Window | None]:
    """Return the source of the cells, and the native window that contains them; `None` if they are resampled."""
    if coverage_grid.window is None:
        return warped_cells(coverage_grid.grid, fields, resampling=resampling, plans=services.caches.plans), None
    cells = NativeCells(grid=fields[0].layer.main_variable.grid, window=coverage_grid.window)
    return cells, cells.enclosing


def _finest(layers: Sequence[Layer]) -> Layer:
    """Return the first layer with the smallest cells; a coverage of several layers has its grid."""
    return min(
        layers, key=lambda layer: layer.main_variable.grid.resolution * layer.main_variable.grid.crs.metres_per_unit
    )


def _layers(names: Sequence[str], services: Services, *, is_resampled: bool) -> tuple[Layer, ...]:
    """Return one layer per variable; all of one collection, and of one grid unless they are resampled."""
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
    """Return the variable of a layer as a field of coverages."""
    variable = layer.main_variable
    title = variable.title or layer.title.get("") or next(iter(layer.title.values()), layer.id)
    return CoverageField(name=variable.name, title=title, layer=layer, encoding=output_encoding(variable.encoding))


def _times(
    layers: Sequence[Layer], requested: TimeSelection | InstantArray, services: Services
) -> tuple[TimeDomain, tuple[Int64Array, ...]]:
    """Return all selected times of any layer, and per layer the index of each; layers without time have all times."""
    dated = [layer for layer in layers if len(layer.times)]
    if not dated:
        return NO_TIME, tuple(np.zeros(1, dtype=np.int64) for _layer in layers)
    starts = _select_times(dated, requested, services) if isinstance(requested, TimeSelection) else requested
    indexes = tuple(_indexes(layer, starts) for layer in layers)
    if not np.isin(starts, np.concatenate([layer.times.starts for layer in dated])).all():
        raise SourceUnavailable(f"layer {dated[0].id} no longer has all of the times")
    all_times = [
        layer.times.at(layer_indexes[layer_indexes != ABSENT])
        for layer, layer_indexes in zip(layers, indexes, strict=True)
        if len(layer.times)
    ]
    return _all_times(starts, all_times), indexes


def _all_times(starts: InstantArray, domains: Sequence[TimeDomain]) -> TimeDomain:
    """Merge time domains; each time has the shortest length. Bounds are kept if all domains have the same times."""
    if all(len(domain) == starts.size for domain in domains):
        return reduce(common_times, domains)
    ends = np.full(starts.size, np.iinfo(np.int64).max).view(starts.dtype)
    for domain in domains:
        positions = np.searchsorted(starts, domain.starts)
        ends[positions] = np.minimum(ends[positions], domain.ends)
    return TimeDomain(starts, ends, is_climatology=all(domain.is_climatology for domain in domains))


def _select_times(dated: Sequence[Layer], selection: TimeSelection, services: Services) -> InstantArray:
    """Return the starts of all selected times of any layer."""
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
    indexes = np.searchsorted(layer.times.starts, starts)
    exists = layer.times.starts[np.minimum(indexes, len(layer.times) - 1)] == starts
    return np.where(exists, indexes, ABSENT)


def _check_size(requested: int, services: Services, *, locator: str) -> None:
    allowed = services.catalogue.limits.max_coverage_bytes
    alternative = (
        "request a smaller bbox, fewer times or fields, or fewer and coarser cells; series of places are at /timeseries"
    )
    require_at_most("max_coverage_bytes", requested, allowed, alternative=alternative, locator=locator)


def _state(layer: Layer, indexes: Int64Array, services: Services, windows: tuple[Window | None, ...]) -> PixelStates:
    """Return the fingerprints of the pixels of a layer at the times that it has."""
    existing = tuple(indexes[indexes != ABSENT].tolist())
    instants = tuple(instants_of(layer, existing)) if len(layer.times) else ()
    return pixel_states(layer, instants, services, windows=windows)


def _etag(request: CoverageRequest, times: TimeDomain, coverage_grid: CoverageGrid, states: Sequence[str]) -> str:
    grid = coverage_grid.grid
    return fingerprint(
        "coverage",
        states,
        (times.starts.tobytes(), times.ends.tobytes()),
        (grid.crs.name, tuple(grid.bbox), grid.width, grid.height),
        request.resampling,
        None if request.area is None else _name_of_area(request.area),
    )


def _name_of_area(area: Area) -> str:
    """Return a hash of the outline of an area."""
    digest = hashlib.blake2b(area.crs.name.encode(), digest_size=12)
    for polygon in area.polygons:
        digest.update(b"polygon")
        for ring in polygon:
            digest.update(np.ascontiguousarray(ring).tobytes())
    return digest.hexdigest()


# Coverages of native cells.


@dataclass(frozen=True, kw_only=True, eq=False)
class NativeCells:
    """A window of an unrotated native grid. Columns may continue beyond the end of a circular grid."""

    grid: NativeGrid
    window: Window

    @cached_property
    def runs(self) -> tuple[CellRun, ...]:
        """The columns of the window that the source has."""
        return tuple(column_runs(self.grid, self.window))

    @property
    def enclosing(self) -> Window | None:
        """The smallest window of the source that contains all cells; `None` if the source has none of them."""
        if not self.runs:
            return None
        start, stop = min(run.start for run in self.runs), max(run.stop for run in self.runs)
        return Window(self.window.row_start, self.window.row_stop, start, stop)

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return the best runs to read a field; rows are counted from the north.

        Raises:
            SourceUnavailable: The source is unreachable.
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
        """Return (time, y, x) numbers in the encoding of the output, at the times `indexes` of the variable.

        Raises:
            SourceUnavailable: The source is unreachable or damaged.
        """
        windows = self._windows(rows)
        parts = [self._read(reader, field, indexes, window) for window in windows]
        if len(parts) == 1 and windows[0].width == self.window.width:
            numbers = parts[0]
        else:
            numbers = blank_numbers((len(indexes), len(rows), self.window.width), field.encoding)
            for run, part in zip(self.runs, parts, strict=True):
                numbers[:, :, run.offset : run.offset + part.shape[2]] = part
        turned = numbers[:, :: -1 if self._is_south_up else 1, :: -1 if self.grid.transform.a < 0 else 1]
        return np.ascontiguousarray(turned)

    def reading_seconds(self, field: CoverageField, grid: Grid, indexes: Sequence[int], services: Services) -> float:  # noqa: ARG002 -- native cells
        """Return the processor time in seconds to read all cells."""
        windows = self._windows(range(self.window.height))
        return sum(window_seconds(field.layer, indexes, window, services) for window in windows)

    def _read(self, reader: Reader, field: CoverageField, indexes: Sequence[int], window: Window) -> NumberArray:
        pixels = read_cheaply(reader, field.name, indexes=indexes, window=window)
        return output_numbers(pixels, field.layer.main_variable.encoding, field.encoding)

    def _windows(self, rows: range) -> list[Window]:
        """Return the windows of rows that are counted from the north."""
        first, last = self.window.row_start + rows.start, self.window.row_start + rows.stop
        if self._is_south_up:
            first, last = self.window.row_stop - rows.stop, self.window.row_stop - rows.start
        return [Window(first, last, run.start, run.stop) for run in self.runs]

    @property
    def _is_south_up(self) -> bool:
        return self.grid.transform.e > 0


TILE_SIDE = 512
"""Cells along each side of a tile, unless they need too many native cells."""

MIN_SIDE = 16

NUDGE = 1e-6
"""Shift of a grid, in cells."""

NATIVE_SIDE = 2048
"""Approximate maximum of native cells along each side of a tile; from more, a warp plan would skip some."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WarpedCells:
    """Cells resampled from a source tile by tile: their values do not depend on the rows that are read together."""

    grid: Grid
    resampling: Resampling | None
    """`None` for the resampling of each layer."""
    plans: ByteCache[WarpPlan | None]
    tile_height: int
    """Rows of a tile: fewer than columns if rows are too long to read many together."""
    tile_width: int

    def reading_seconds(self, field: CoverageField, grid: Grid, indexes: Sequence[int], services: Services) -> float:
        """Return the processor time in seconds to read all cells."""
        return grid_seconds(field.layer, {field.name: indexes}, grid, services)

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return runs of whole tiles."""
        del reader, field  # runs on a requested grid are the same for all fields
        height = self.grid.height
        rows = RUN_BYTES // row_bytes // self.tile_height * self.tile_height or self.tile_height
        times = min(MAX_FILES, max(1, RUN_BYTES // (min(rows, height) * row_bytes)))
        return ReadRuns(row_runs=tuple(runs(height, rows)), time_runs=tuple(runs(len(indexes), times)))

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> NumberArray:
        """Return (time, y, x) numbers in the encoding of the output, at the times `indexes` of the variable.

        Raises:
            SourceUnavailable: The source is unreachable or damaged.
        """
        numbers = blank_numbers((len(indexes), len(rows), self.grid.width), field.encoding)
        variable = field.layer.main_variable
        resampling = self.resampling or field.layer.resampling
        level = level_for(variable.levels, self.grid)
        for top in range(rows.start // self.tile_height * self.tile_height, rows.stop, self.tile_height):
            for first_column in range(0, self.grid.width, self.tile_width):
                grid = self._tile(top, first_column)
                start, stop = max(rows.start, top), min(rows.stop, top + grid.height)
                columns = slice(first_column, first_column + grid.width)
                target = numbers[:, start - rows.start : stop - rows.start, columns]
                if variable.is_mosaic:
                    for number, index in enumerate(indexes):
                        pixels = replace_codes_by_mask(
                            as_mosaic(reader).compose(
                                variable.name, index=index, grid=_nudge_box(grid), resampling=resampling
                            )
                        )
                        output = output_numbers(pixels, variable.encoding, field.encoding)
                        target[number] = output[start - top : stop - top]
                    continue
                sampled = _nudge_box(grid) if resampling == "nearest" else grid
                plan = self._plan(sampled, variable, resampling, level)
                if plan is None:
                    continue
                for number, pixels in enumerate(_pixels(plan, reader, variable, indexes)):
                    raster = plan.warp(pixels, variable.encoding)
                    output = output_numbers(Pixels(raster.numbers, raster.present), variable.encoding, field.encoding)
                    target[number] = output[start - top : stop - top]
        return numbers

    def _tile(self, top: int, first_column: int) -> Grid:
        """Return the grid of the tile that starts at a row and column."""
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
    """Return the resampled cells of a grid, for fields of one native grid.

    Raises:
        InvalidParameter: Bilinear resampling is requested for classes or directions, which have no mean.
    """
    variable = fields[0].layer.main_variable
    if are_alike(grid.crs, variable.grid.crs):
        grid = replace(grid, crs=variable.grid.crs)
    for field in fields:
        if resampling == "bilinear" and not field.layer.main_variable.has_means:
            kind = "classes" if field.layer.main_variable.is_categorical else "directions"
            raise InvalidParameter(f"{field.name} has {kind}, which have no mean; use nearest", locator="interpolation")
    row_bytes = grid.width * max(np.dtype(field.encoding.dtype).itemsize for field in fields)
    level = variable.levels[level_for(variable.levels, grid)]
    width = max(MIN_SIDE, int(min(TILE_SIDE, NATIVE_SIDE / cells_per_pixel(grid, level))))
    height = max(MIN_SIDE, min(width, RUN_BYTES // row_bytes))
    return WarpedCells(grid=grid, resampling=resampling, plans=plans, tile_height=height, tile_width=width)


def _nudge_box(grid: Grid) -> Grid:
    """Shift a grid slightly to the south-east, so that centres between two native cells all take the same neighbour."""
    size_x, size_y = (size * NUDGE for size in grid.resolution)
    xmin, ymin, xmax, ymax = grid.bbox
    return replace(grid, bbox=BBox(xmin + size_x, ymin - size_y, xmax + size_x, ymax - size_y))


def _pixels(plan: WarpPlan, reader: Reader, variable: VariableInfo, indexes: Sequence[int]) -> Iterator[Pixels]:
    """Yield the (y, x) pixels that a plan needs at each time; native pixels of many times are read together."""
    if plan.level or plan.step > 1:
        yield from (plan.read(reader, variable, index) for index in indexes)
        return
    cells = sum(window.height * window.width for window in plan.windows)
    most = max(1, RUN_BYTES // (cells * np.dtype(variable.encoding.dtype).itemsize))
    for run in runs(len(indexes), most):
        run_indexes = indexes[run.start : run.stop]
        block = side_by_side([_block(reader, variable, run_indexes, window) for window in plan.windows])
        for number in range(len(run_indexes)):
            yield Pixels(block.numbers[number], None if block.valid is None else block.valid[number])


def _block(reader: Reader, variable: VariableInfo, indexes: Sequence[int], window: Window) -> Pixels:
    pixels = read_cheaply(reader, variable.name, indexes=indexes, window=window)
    return pixels if pixels.codes is None else Pixels(pixels.numbers, pixels.codes.numbers == 0)
