"""Progress of an interrupted run, so that the next one continues."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Json
from chronotile.optimise.arrays import as_json
from chronotile.readers.zarr.commit import Commit, commit_of

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
