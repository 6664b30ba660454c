"""Existing cubes: their layouts, names and encodings, which new dates must have too, and interrupted runs."""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chronotile.catalog.default_styles import style_for_name
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.types import Json
from chronotile.optimise.arrays import as_json
from chronotile.optimise.conversion import Conversion, Packing, conversion_into, conversion_of_files
from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.options import Options
from chronotile.optimise.plan import CLASS_OVERVIEWS, ServingCubePlan, is_written_as, written_encoding
from chronotile.optimise.store import History, variables_of
from chronotile.optimise.tasks import TaskDate
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.readers.encoding import encoding_text
from chronotile.readers.zarr.commit import Commit, commit_of


def require_layout(shape: Commit, options: Options) -> None:
    """Check that a cube has the requested layouts.

    Raises:
        UnsupportedSource: It has other layouts.
    """
    there = {(True, True): "both", (True, False): "map", (False, True): "series"}[shape.has_map, shape.has_series]
    if options.layout is not None and options.layout != there:
        raise UnsupportedSource(f"the existing cube has --layout {there}; name another cube for {options.layout}")


def conversion_for(info: VariableInfo, options: Options, node: Json | None) -> Conversion:
    """Return the conversion of a variable; into the encoding of an existing cube if that holds all values.

    Raises:
        UnsupportedSource: It does not.
    """
    planned = conversion_of_files(info.encoding, options.packing)
    there = None if node is None else written_encoding(node)
    if there is None or is_written_as(info, planned.target, there):
        return planned
    conversion = None if options.packing is not None else conversion_into(info.encoding, there)
    if conversion is None:
        raise UnsupportedSource(
            f"the existing cube has another {info.name} than the source: {encoding_text(there)}, which cannot "
            f"hold all values of {encoding_text(planned.target)}; write another cube, of all files"
        )
    return conversion


def rounding_findings(plan: ServingCubePlan) -> Iterator[str]:
    """Yield a message per variable whose values are not stored exactly."""
    for name, variable in plan.variables.items():
        target = variable.conversion.target
        if variable.conversion.is_exact:
            continue
        if np.dtype(target.dtype).kind == "f":
            yield f"{name}: no whole numbers hold the values of all files, which differ; written as float32 values"
        else:
            yield f"{name}: values are rounded to steps of {target.scale:g}, as set by --dtype"


def require_nodata(plan: ServingCubePlan) -> None:
    """Check that each variable of a mosaic has a number for cells without an item.

    Raises:
        UnsupportedSource: A variable has no nodata.
    """
    for name, variable in plan.variables.items():
        if variable.encoding.nodata is None:
            raise UnsupportedSource(
                f"{name}: its files declare no nodata, which a mosaic needs for cells without a value; set nodata: for "
                "the variable, or use --dtype"
            )


def names_in_cube(inputs: CubeInputs, document: Json | None) -> dict[str, str]:
    """Return the names in the cube by names of the source; a single variable of files may have another name.

    Raises:
        UnsupportedSource: The cube has other variables.
    """
    names = {name: name for name in inputs.variables}
    if document is None:
        return names
    there = variables_of(document)
    if len(names) == len(there) == 1 and inputs.mosaic is None:
        return dict(zip(names, there, strict=True))
    if set(names) != set(there):
        raise UnsupportedSource(
            f"the existing cube has {', '.join(there)}, the source {', '.join(names)}; use --variable, or name "
            "another cube"
        )
    return {name: name for name in there}


# Dates that a cube lacks, or has in an earlier state


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeChanges:
    """Dates to write."""

    new: tuple[TaskDate, ...]
    """In order of time. Positions follow the existing ones, also for late dates."""
    times: History
    """Times and states of the new dates."""
    suspect: tuple[TaskDate, ...]
    """Existing dates whose source has changed."""
    late: int
    """Number of new dates that are older than the newest existing one."""


def changes_of(inputs: CubeInputs, history: History) -> CubeChanges:
    """Return the differences between the dates of the sources and of the cube."""
    positions = {start: position for position, start in enumerate(history.starts.tolist())}
    starts = inputs.times.starts.astype("datetime64[ns]").tolist()
    fresh = [index for index, start in enumerate(starts) if start not in positions]
    new = tuple(
        TaskDate(position=position, origin=inputs.origins[index], state=inputs.states[index])
        for position, index in enumerate(fresh, start=len(history))
    )
    newest = max(positions, default=min(starts))
    return CubeChanges(
        new=new,
        times=History(
            inputs.times.starts[fresh].astype("datetime64[ns]"),
            inputs.times.periods[fresh].astype("datetime64[ns]"),
            np.array([date.state for date in new], dtype=np.uint64).reshape(len(new), len(inputs.variables)),
        ),
        suspect=tuple(_suspects(inputs, history, starts, positions)),
        late=sum(starts[index] < newest for index in fresh),
    )


def _suspects(inputs: CubeInputs, history: History, starts: list[int], positions: dict[int, int]) -> Iterator[TaskDate]:
    for start, origin, state in zip(starts, inputs.origins, inputs.states, strict=True):
        position = positions.get(start)
        if position is not None and tuple(history.states[position].tolist()) != state:
            yield TaskDate(position=position, origin=origin, state=state)


# Progress of an interrupted run, so that the next one continues

FOLDER = ".optimise"
"""Folder in the cube during a run."""


GRID = "grid"
"""Member next to the shape of an unfinished cube; earlier releases did not write it."""


class WrittenFiles(NamedTuple):
    """Amount that a task wrote."""

    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Journal:
    """Finished tasks of a run. A task is added after its files are durable."""

    folder: Path
    disk: Disk

    @property
    def is_there(self) -> bool:
        """Whether an earlier run was interrupted."""
        return self._shape.exists()

    def started_shape(self, shape: Commit) -> Commit:
        """Return the shape with which an interrupted run started a new cube; otherwise `shape`.

        A committed cube keeps its shape.
        """
        if not self._has_started(shape):
            return shape
        started = commit_of(json.loads(self._shape.read_bytes()))
        if started is None:
            raise UnsupportedSource("the files of an interrupted run are damaged; delete the cube and start again")
        return started

    def begin(self, shape: Commit, grid: Json) -> None:
        """Store the shape and the grid of a new cube.

        Raises:
            UnsupportedSource: The interrupted run had another grid.
        """
        if self._has_started(shape):
            if json.loads(self._shape.read_bytes()).get(GRID, grid) != grid:
                raise UnsupportedSource(
                    "the interrupted run had another grid; name the same, or delete the cube and start again"
                )
            return
        self.disk.make_folder(self.folder)
        self.disk.put(self._shape, as_json({**shape.attributes(), GRID: grid}))
        self.disk.settle([self.folder])

    def finished_tasks(self) -> dict[str, WrittenFiles]:
        """Return the finished tasks by name; an incomplete last line is ignored."""
        if not self._tasks.exists():
            return {}
        lines = [line.split() for line in self._tasks.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return {name: WrittenFiles(int(size), int(files)) for name, size, files in lines}

    def add(self, task: str, written: WrittenFiles) -> None:
        """Record a finished task."""
        self.disk.append(self._tasks, f"{task} {written.bytes} {written.files}\n")

    def forget_tasks(self) -> None:
        """Delete the list of tasks whose files are visible now."""
        self.disk.remove(self._tasks)

    def end(self) -> None:
        """Delete the journal."""
        self.disk.remove(self._shape)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _has_started(self, shape: Commit) -> bool:
        return self.is_there and not shape.revision

    @property
    def _shape(self) -> Path:
        return self.folder / "shape.json"

    @property
    def _tasks(self) -> Path:
        return self.folder / "tasks"


# Variables with classes: overviews have their most frequent class instead of means.


def mark_classes(
    variables: Mapping[str, VariableInfo], class_names: Collection[str], packing: Packing | None
) -> dict[str, VariableInfo]:
    """Return the variables; they are categorical if they are in `class_names` or their shipped style has classes.

    Raises:
        UnsupportedSource: A name is unknown, its numbers cannot be classes, or `packing` would change classes.
    """
    for name in class_names:
        if name not in variables:
            raise UnsupportedSource(f"--classes: there is no variable {name} in it; there are {', '.join(variables)}")
        if not _may_have_classes(variables[name].encoding):
            raise UnsupportedSource(f"--classes: {name} is scaled or has no whole numbers, so it cannot be classes")
    styles = load_styles(style_folders(None))
    marked = dict(variables)
    for name, info in variables.items():
        style = style_for_name(name, styles)
        is_named_so = style is not None and style.is_categorical and _may_have_classes(info.encoding)
        if name in class_names or is_named_so:
            marked[name] = replace(info, is_categorical=True)
        if marked[name].is_categorical and packing is not None and (packing.scale, packing.offset) != (1.0, 0.0):
            raise UnsupportedSource(f"{name} has classes, which --scale and --offset would change; leave them out")
    return marked


def match_stored_overviews(info: VariableInfo, level: Json | None, *, is_named: bool) -> VariableInfo:
    """Return a variable that is categorical if the overviews of the existing cube are.

    Args:
        info: Variable of the source, after `mark_classes`.
        level: Document of its first overview; `None` without one.
        is_named: Whether the operator named it as having classes.

    Raises:
        UnsupportedSource: It was named, but the existing overviews are means.
    """
    if info.classes or level is None:
        return info
    is_written = level["attributes"].get("cell_methods") == CLASS_OVERVIEWS
    if is_named and not is_written:
        raise UnsupportedSource(f"the existing cube has means of {info.name}; name another cube for --classes")
    return replace(info, is_categorical=is_written)


def _may_have_classes(encoding: Encoding) -> bool:
    return np.dtype(encoding.dtype).kind in "iu" and (encoding.scale, encoding.offset) == (1.0, 0.0)
