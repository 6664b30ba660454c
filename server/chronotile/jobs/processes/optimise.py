"""The process *optimise*: layers as a serving cube, as `chronotile optimise new` makes of files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from chronotile.core.errors import PlanOutdated
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.job import Result
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import InstantArray, Json, NumberArray
from chronotile.jobs.processes.inputs import instants_to_json
from chronotile.jobs.processes.process import (
    Inputs,
    JobPlan,
    Output,
    Process,
    Work,
    choice,
    optional,
    require_few_tasks,
)
from chronotile.jobs.processes.shared_inputs import BBOX, DATETIME, LAYERS
from chronotile.jobs.processes.sources import sources_of
from chronotile.jobs.processes.work.cubes import FORMAT, ZIP, JobCube, cube_of, format_of, variable_of
from chronotile.jobs.processes.work.mosaic_view import INPUTS, view_of
from chronotile.jobs.processes.work.published_cubes import NAME, NAMED, require_name
from chronotile.jobs.processes.work.windows import all_of, select_cells, window_of
from chronotile.optimise.inputs import DateOrigin
from chronotile.optimise.options import LayoutChoice
from chronotile.optimise.plan import ServingCubePlan
from chronotile.optimise.tasks import Task
from chronotile.pipeline.services import Services, reading
from chronotile.readers.zarr.commit import FORMAT_VERSION, state_number

LAYOUTS: tuple[LayoutChoice, ...] = ("both", "map", "series")
NUMBER_S = 30e-9
"""Processor time to read a number and write it into one layout."""
TASK_S = 10.0
"""Duration of a map task. A series task writes one file, or several adjacent ones if memory allows."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    require_name(inputs, services)
    inputs, services = view_of(inputs, services)
    coverage = select_cells(inputs, services, has_crs=True)
    cube = _cube_of(inputs, coverage, services, FORMAT_VERSION)
    shape, cells = cube.plan.shape, coverage.grid.width * coverage.grid.height
    numbers = cells * len(cube.plan.variables)
    dates = max(1, int(TASK_S / (numbers * NUMBER_S)))
    map_steps = range(0, len(cube.times) if shape.has_map else 0, dates)
    require_few_tasks(
        len(map_steps) + (cube.series_count if shape.has_series else 0),
        alternative="request a smaller bbox or fewer times",
    )
    tasks: list[Json] = [{"maps": [start, min(start + dates, len(cube.times))]} for start in map_steps]
    if shape.has_series:
        tasks += [
            {"variable": cube_task.variable, "series": [cube_task.block, cube_task.row, *cube_task.columns]}
            for cube_task in cube.series_tasks()
        ]
    return JobPlan(
        tasks=tasks,
        seconds=numbers * len(cube.times) * (int(shape.has_map) + int(shape.has_series)) * NUMBER_S,
        held_bytes=cube.held_bytes,
        shared={"times": [instants_to_json(cube.times.instants)], "state": coverage.etag, FORMAT: shape.format},
        sources=sources_of(coverage),
        pixels=numbers * len(cube.times),
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    inputs, work = _apply_view(inputs, work)
    cube = _cube(inputs, all_of(inputs, work), work)
    if "maps" in task:
        cube_tasks: Iterable[Task] = cube.map_tasks(range(*task["maps"]))
    else:
        number, row, first, last = task["series"]
        cube_tasks = [cube.series_task(task["variable"], number, row, (first, last))]
    return {"bytes": cube.write(cube_tasks, _Windows(inputs, cube.plan, work).read, work)}


def _finish(inputs: Inputs, _done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    inputs, work = _apply_view(inputs, work)
    coverage = all_of(inputs, work)
    return {
        "cube": _cube(inputs, coverage, work).to_result(
            _states(coverage, work.services), inputs, file="cube", work=work
        )
    }


def _apply_view(inputs: Inputs, work: Work) -> tuple[Inputs, Work]:
    # Work with collections of items on the grid and by the rule of the inputs
    inputs, services = view_of(inputs, work.services)
    return inputs, replace(work, services=services)


def _cube(inputs: Inputs, coverage: Coverage, work: Work) -> JobCube:
    """Return the cube as planned.

    Raises:
        PlanOutdated: A layer has other pixels or cells now.
    """
    if coverage.etag != work.shared["state"]:  # checked in each task, as further tasks would be in vain
        raise PlanOutdated(
            f"collection {coverage.collection.id} has changed since the job began, so the cube would mix two "
            "states; submit the job again"
        )
    return _cube_of(inputs, coverage, work.services, format_of(work))


def _cube_of(inputs: Inputs, coverage: Coverage, services: Services, number: int) -> JobCube:
    """Return the cube of a coverage of layers of `services`, in the stored format `number`."""
    variables = [variable_of(coverage, field) for field in coverage.fields]
    layout: LayoutChoice = inputs.get("layout", LAYOUTS[0])
    reads_ahead = any(_keeps_dates_together(field.layer, services) for field in coverage.fields)
    return cube_of(
        coverage, variables, times=coverage.times, layout=layout, reads_ahead=reads_ahead, format_number=number
    )


def _keeps_dates_together(layer: Layer, services: Services) -> bool:
    with reading(layer):
        return services.reader(layer).block_shape(layer.main_variable.name, "space").times > 1


def _states(coverage: Coverage, services: Services) -> list[list[int]]:
    # (time, variable) source states; 0 if a layer lacks a time of another one.
    columns = [_states_of(field.layer, coverage.times.starts, services) for field in coverage.fields]
    return [list(row) for row in zip(*columns, strict=True)]


def _states_of(layer: Layer, starts: InstantArray, services: Services) -> list[int]:
    reader, name, layer_starts = services.reader(layer), layer.main_variable.name, layer.times.starts
    with reading(layer):
        if not layer_starts.size:
            return [state_number(reader.revision(name, 0))] * starts.size
        indexes = np.minimum(np.searchsorted(layer_starts, starts), layer_starts.size - 1)
        return [
            state_number(reader.revision(name, index)) if layer_starts[index] == start else 0
            for index, start in zip(indexes.tolist(), starts, strict=True)
        ]


class _Windows:
    """Reads windows of layers. Callers usually read many dates of a window before the next one, so the last is kept."""

    def __init__(self, inputs: Inputs, plan: ServingCubePlan, work: Work) -> None:
        self._inputs = inputs
        self._grid = plan.grid
        self._fields = {name: number for number, name in enumerate(plan.variables)}
        self._work = work
        self._last_window: tuple[Window, Coverage] | None = None

    def read(self, variable: str, origins: Sequence[DateOrigin], window: Window) -> Iterator[NumberArray]:
        """Yield the (y, x) numbers of a variable at the time of each index."""
        if self._last_window is None or self._last_window[0] != window:
            self._last_window = window, window_of(self._inputs, self._task_of(window), self._work)
        field, coverage = self._fields[variable], self._last_window[1]
        for origin in origins:
            yield coverage.read_times(field, times=range(origin.index, origin.index + 1), rows=range(window.height))[0]

    def _task_of(self, window: Window) -> Json:
        rows, columns = window[:2], window[2:]
        (west, east), (north, south) = self._grid.points_at(np.array(columns, float), np.array(rows, float))
        return {"rows": rows, "columns": columns, "box": [float(edge) for edge in (west, south, east, north)]}


process = Process(
    id="optimise",
    title="Serving cube",
    description="Layers, or a part of them in space and time, as a Zarr store that is quick to read as maps and "
    "as series: chunks for maps, overviews, and chunks for series. The same as chronotile optimise "
    "writes.",
    keywords=("Zarr", "file"),
    inputs={
        "layer": LAYERS,
        "datetime": DATETIME,
        "bbox": BBOX,
        **INPUTS,
        "layout": optional("Layout", "Maps with overviews, series, or both.", choice(LAYOUTS)),
        "name": NAME,
    },
    outputs={
        "cube": Output(
            title="Serving cube",
            description="A ZIP file of the store, or the name of the store.",
            schema={"oneOf": [ZIP, NAMED]},
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
