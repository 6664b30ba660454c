"""Plan of a cube: its variables and times, from its sources and from the existing cube."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.time.cf_bounds import CLIMATOLOGY_BOUNDS, PERIOD_BOUNDS, TIME_KIND, are_periods, bounds_form
from chronotile.core.model.types import Json
from chronotile.optimise.classes import mark_classes, match_stored_classes
from chronotile.optimise.conversion import conversion_of_files
from chronotile.optimise.existing import conversion_for, names_in_cube
from chronotile.optimise.inputs import CubeInputs, add_removed_dates
from chronotile.optimise.memory import region_for
from chronotile.optimise.options import Options
from chronotile.optimise.plan import PlannedVariable, ServingCubePlan, level_count, time_unit
from chronotile.optimise.store import CubeFolder, History, no_history, require_same
from chronotile.readers.zarr.commit import Commit, nodes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCube:
    """The plan of a cube, with its sources and its visible dates."""

    inputs: CubeInputs
    """Variables in the order of the cube; dates of the cube without items are added."""
    plan: ServingCubePlan
    history: History


def plan_cube(
    inputs: CubeInputs,
    shape: Commit,
    options: Options,
    *,
    folder: CubeFolder,
    document: Json | None,
    may_round: bool = False,
) -> PlannedCube:
    """Return the plan of a cube.

    Args:
        inputs: Sources of the cube.
        shape: Commit of the existing cube, or shape of a new one.
        options: Options of the run.
        folder: Folder of the cube.
        document: Document of its root; `None` for a new cube.
        may_round: Whether the encodings of the existing cube need not hold all values.

    Raises:
        UnsupportedSource: The sources do not fit the existing cube.
    """
    names = names_in_cube(inputs, document)
    inputs = inputs.reorder(list(names))
    plan = _plan(inputs, shape, options, document, names=names, may_round=may_round)
    if document is None:
        return PlannedCube(inputs=inputs, plan=plan, history=no_history(len(plan.variables)))
    require_same(document, plan, folder.path.name)
    history = folder.history(plan, shape)
    return PlannedCube(inputs=add_removed_dates(inputs, history.starts, history.bounds), plan=plan, history=history)


def new_shape(inputs: CubeInputs, options: Options, threads: int) -> Commit:
    """Return the shape of a new cube."""
    layout = options.layout or ("series" if inputs.have_map_layout else "both")
    encodings = [conversion_of_files(info.encoding, options.packing).target for info in inputs.variables.values()]
    itemsize = max(np.dtype(encoding.dtype).itemsize for encoding in encodings)
    return Commit(
        id=uuid.uuid4().hex,
        block=options.block,
        region_px=region_for(inputs.grid, itemsize, options.memory_bytes, threads),
        has_map=layout != "series",
        has_series=layout != "map",
        levels=level_count(inputs.grid) if layout != "series" else 0,
    )


def _plan(
    inputs: CubeInputs,
    shape: Commit,
    options: Options,
    document: Json | None,
    *,
    names: Mapping[str, str],
    may_round: bool,
) -> ServingCubePlan:
    nodes = {} if document is None else nodes_of(document)
    group = shape.groups[0]
    variables = dict[str, PlannedVariable]()
    for name, info in mark_classes(inputs.variables, options.classes, options.packing).items():
        native, level = (nodes.get(shape.path_of(part, names[name])) for part in (group, "1"))
        variables[names[name]] = PlannedVariable(
            info=match_stored_classes(info, native, level, is_named=name in options.classes),
            conversion=conversion_for(info, options, native, may_round=may_round),
        )
    bounds = bounds_form(inputs.times, are_periods=are_periods(inputs.times))
    there = next((name for name in (PERIOD_BOUNDS, CLIMATOLOGY_BOUNDS) if shape.path_of(group, name) in nodes), None)
    if document is not None and bounds.name != there:
        raise UnsupportedSource(
            "periods, exact instants and climatologies cannot be in one cube; the existing cube has another kind: "
            "write a new cube"
        )
    along_time = nodes[shape.path_of(group, "time")]["attributes"] if nodes else {}
    if document is not None and along_time.get(TIME_KIND) != bounds.attributes.get(TIME_KIND):
        raise UnsupportedSource(
            "the times of the existing cube are labelled differently from those of the source (overlapping "
            "periods by their coordinates, others by their starts); name all files, or write another cube"
        )
    unit = along_time["units"].split()[0] if nodes else time_unit(inputs.times)
    return ServingCubePlan(
        grid=inputs.grid, variables=variables, shape=shape, time_unit=unit, bounds=bounds, about=inputs.about
    )
