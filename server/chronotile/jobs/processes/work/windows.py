"""Windows of a layer's cells: their plan, and reading one of them.

Each task of a job processes one window. A window is a separate coverage, cut at edges of cells, so it is read like
any other coverage.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from chronotile.core.cancellation import require_active
from chronotile.core.errors import InvalidParameter, PlanOutdated
from chronotile.core.model.coverage import RUN_BYTES, Coverage, CoverageRequest, Trim
from chronotile.core.model.series.analysis import Curves
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.types import Float64Array, Json, NumberArray
from chronotile.jobs.processes.inputs import (
    instants_from_json,
    instants_to_json,
    layers_of,
    lift_limits,
    locate_errors,
    trims_of,
)
from chronotile.jobs.processes.process import Inputs, JobPlan, Work, cuts, require_few_tasks
from chronotile.jobs.processes.sources import sources_of
from chronotile.pipeline.coverage.extract import extract_coverage
from chronotile.pipeline.coverage.source_coverage import ReadCoverage
from chronotile.pipeline.mosaic_lattices import NAME_CRS
from chronotile.pipeline.services import Services

MAX_SIDE, MIN_SIDE = 1024, 16
"""Cells along a side of a window. Most sources have chunks of 512: a smaller window decodes some of them again."""
HELD_BYTES = 80 << 20
"""Memory for the numbers of a window. With the buffers of reading it fits into the memory limit of answers."""
SLAB_VALUES = 1 << 20
"""Values, at all times together, that are computed with in one step, as float64."""
TASK_S = 15.0
"""Duration of a task: the work that a killed worker loses, and the interval of progress reports."""
READ_S = 2e-9
"""Processor time to read and unpack a number."""


SET_GRID = (
    "set grid in its configuration; the processes export, with crs, and optimise, with crs and resolution, need none"
)


def select_cells(inputs: Inputs, services: Services, name: str = "datetime", *, has_crs: bool = False) -> ReadCoverage:
    """Return the cells of `layer` in `bbox` at the times of an input, without a limit; reads no pixels.

    Args:
        inputs: Inputs of the process.
        services: Services that read the data.
        name: Name of the input with the times.
        has_crs: Whether the process has an input `crs`, which items in several zones need.

    Raises:
        ChronotileError: See `extract_coverage`, with the input at fault; also if the layer has no times.
    """
    with locate_errors({"time": name, "datetime": name}):
        request = replace(_request(inputs, services), time=parse_time(inputs.get(name)))
        try:
            coverage = extract_coverage(request, lift_limits(services))
        except InvalidParameter as error:
            if has_crs or error.locator != "crs":
                raise
            raise InvalidParameter(error.message.replace(NAME_CRS, SET_GRID), locator="layer") from error
        if not len(coverage.times):
            raise InvalidParameter(f"layer {coverage.fields[0].layer.id} has no times", locator="layer")
        return coverage


def planned_windows(coverage: ReadCoverage, *references: ReadCoverage, value_s: float, held_bytes: int) -> JobPlan:
    """Return a plan of windows from north to south; its shared input has the times of all coverages in their order.

    Args:
        coverage: All cells.
        references: The same cells at other times.
        value_s: Processor time to process a number after it is read.
        held_bytes: Memory per cell for its numbers and results while a window is processed.

    Raises:
        LimitExceeded: The windows are too many.
    """
    grid, read = coverage.grid, (coverage, *references)
    cell_s = sum(len(c.times) for c in read) * (READ_S + value_s)
    side = MAX_SIDE
    while side > MIN_SIDE and (side**2 * cell_s > TASK_S or side**2 * held_bytes > HELD_BYTES):
        side //= 2
    cells = min(side, grid.width) * min(side, grid.height)
    native = coverage.fields[0].layer.main_variable.grid
    column, row = native.pixels_at(np.array(grid.bbox.xmin), np.array(grid.bbox.ymax))
    down, across = _cuts_from(float(row), grid.height, side), _cuts_from(float(column), grid.width, side)
    require_few_tasks(len(down) * len(across), alternative="request a smaller bbox")
    return JobPlan(
        tasks=[
            {"rows": rows, "columns": columns, "box": box_of(grid, rows, columns)}
            for rows, columns in product(down, across)
        ],
        seconds=sum(c.reading_seconds() + numbers_of(c) * value_s for c in read),
        held_bytes=cells * held_bytes + read_bytes(cells * sum(len(c.times) * itemsize(c) for c in read)),
        shared={"times": [instants_to_json(c.times.instants) for c in read]},
        sources=sources_of(*read),
        pixels=grid.width * grid.height * sum(len(c.times) for c in read),
    )


def all_of(inputs: Inputs, work: Work) -> Coverage:
    """Return all cells at the planned times of the first coverage, even if the layer has further times now.

    Raises:
        ChronotileError: See `select_cells`; also if a time was removed.
    """
    times = instants_from_json(work.shared["times"][0])
    return extract_coverage(_request(inputs, work.services), lift_limits(work.services), times=times)


def window_of(inputs: Inputs, task: Json, work: Work, *, number: int = 0) -> Coverage:
    """Return the cells of a task at the planned times of a coverage, by the number of the coverage.

    Raises:
        ChronotileError: See `select_cells`; also if a time was removed or the grid of the layer has changed.
    """
    layer, *_ = (work.services.catalogue.layer(name) for name in layers_of(inputs))
    trim = Trim(box=BBox(*task["box"]), crs=layer.main_variable.grid.crs)
    request = CoverageRequest(layers=layers_of(inputs), trims=(trim,))
    times = instants_from_json(work.shared["times"][number])
    coverage = extract_coverage(request, lift_limits(work.services), times=times)
    if (coverage.grid.height, coverage.grid.width) != (_length(task["rows"]), _length(task["columns"])):
        raise PlanOutdated(f"the grid of layer {layer.id} has changed since the job began; submit it again")
    return coverage


def read_runs(coverage: Coverage, rows: range, work: Work, *, newest_first: bool = False) -> Iterator[NumberArray]:
    """Yield (time, y, x) numbers of rows, run by run of times, so that each block of the source is read once.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The job was dismissed.
    """
    for times in reversed(coverage.time_runs) if newest_first else coverage.time_runs:
        require_active(work.is_active)
        yield coverage.read_times(0, times=times, rows=rows)


def read_all(coverage: Coverage, work: Work) -> NumberArray:
    """Return all numbers (time, y, x) of a window that fits into memory.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The job was dismissed.
    """
    grid = coverage.grid
    numbers = np.empty((len(coverage.times), grid.height, grid.width), dtype=coverage.fields[0].encoding.dtype)
    for rows in coverage.row_runs:
        start = 0
        for run in read_runs(coverage, rows, work):
            numbers[start : start + len(run), rows.start : rows.stop] = run
            start += len(run)
    return numbers


def compute_by_cell(
    windows: Sequence[Coverage], bands: int, find: Callable[..., Float64Array], work: Work
) -> NumberArray:
    """Compute bands from the values of each cell over time; return (band, y, x), float32.

    Args:
        windows: Coverages of the same cells; all of their numbers are in memory together.
        bands: Number of bands.
        find: Computes (series, band) from the `Curves` of some cells in each window.
        work: Work of the job.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The job was dismissed.
    """
    grid, sources = windows[0].grid, [read_all(window, work) for window in windows]
    maps = np.empty((bands, grid.height, grid.width), dtype=np.float32)
    step = max(1, SLAB_VALUES // (grid.width * sum(map(len, sources))))
    for top in range(0, grid.height, step):
        require_active(work.is_active)
        rows = slice(top, min(top + step, grid.height))
        curves = (_curves(window, numbers[:, rows]) for window, numbers in zip(windows, sources, strict=True))
        with np.errstate(over="ignore"):  # larger values become infinite, as in all files
            maps[:, rows] = find(*curves).T.reshape(bands, -1, grid.width)
    return maps


def box_of(grid: Grid, rows: Sequence[int], columns: Sequence[int]) -> list[float]:
    """Return the edges of some cells of a grid: west, south, east, north."""
    west, east = grid.x_of(np.array(columns, dtype=np.float64)).tolist()
    north, south = grid.y_of(np.array(rows, dtype=np.float64)).tolist()
    return [west, south, east, north]


def read_bytes(size: int) -> int:
    """Return the memory for reading numbers: a run in its stored form, decoded, and as computed with."""
    return 3 * min(RUN_BYTES, size)


def numbers_of(coverage: Coverage) -> int:
    """Return the number of numbers of a window at all times."""
    return coverage.grid.width * coverage.grid.height * len(coverage.times)


def itemsize(coverage: Coverage) -> int:
    """Return the bytes per number of a window."""
    return np.dtype(coverage.fields[0].encoding.dtype).itemsize


def _request(inputs: Inputs, services: Services) -> CoverageRequest:
    return CoverageRequest(layers=layers_of(inputs), trims=trims_of(inputs, services))


def _curves(coverage: Coverage, numbers: NumberArray) -> Curves:
    encoding = coverage.fields[0].encoding
    values = np.where(encoding.valid(numbers), encoding.values(numbers), np.nan)
    series = np.ascontiguousarray(values.reshape(len(numbers), -1).T)
    return Curves(times=coverage.times.instants, values=series, circle=coverage.fields[0].encoding.circle)


def _cuts_from(first: float, size: int, side: int) -> list[list[int]]:
    # Start and end of parts of `side` cells, counted from `first`, the position of the first cell in the source
    origin = round(first)
    return [[start - origin, end - origin] for start, end in cuts(origin, origin + size, side)]


def _length(span: Sequence[int]) -> int:
    return span[1] - span[0]
