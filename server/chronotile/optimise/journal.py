"""What an unfinished run has done already, so that the next one need not do it again."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chronotile.durable_files import Disk
from chronotile.errors import UnsupportedSource
from chronotile.optimise.arrays import as_json
from chronotile.optimise.geozarr import Attributes
from chronotile.readers.zarr.commit import Commit, commit_of

FOLDER = ".optimise"
"""In the cube while a run is under way."""


GRID = "grid"
"""Beside the shape of a cube that was begun; earlier releases did not remember it."""


class Written(NamedTuple):
    """How much a task wrote."""

    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Journal:
    """The tasks that a run has done; a task is named only when its files outlast a loss of power."""

    folder: Path
    disk: Disk

    @property
    def is_there(self) -> bool:
        """Whether an earlier run was interrupted."""
        return self._shape.exists()

    def begun(self, shape: Commit) -> Commit:
        """Return the shape of the cube that an interrupted run had begun, or else `shape`.

        What is committed already is what it is.
        """
        if not self._has_begun(shape):
            return shape
        begun = commit_of(json.loads(self._shape.read_bytes()))
        if begun is None:
            raise UnsupportedSource("the files of an interrupted run are damaged; delete the cube and start again")
        return begun

    def begin(self, shape: Commit, grid: Attributes) -> None:
        """Remember the shape and the grid of the cube that this run begins.

        Raises:
            UnsupportedSource: An interrupted run had begun one of another grid.
        """
        if self._has_begun(shape):
            if json.loads(self._shape.read_bytes()).get(GRID, grid) != grid:
                raise UnsupportedSource(
                    "the interrupted run had another grid; name the same, or delete the cube and start again"
                )
            return
        self.disk.make_folder(self.folder)
        self.disk.put(self._shape, as_json({**shape.attributes(), GRID: grid}))
        self.disk.settle([self.folder])

    def done(self) -> dict[str, Written]:
        """Return the tasks that are done by name; a line that was cut short is none."""
        if not self._tasks.exists():
            return {}
        lines = [line.split() for line in self._tasks.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return {name: Written(int(size), int(files)) for name, size, files in lines}

    def add(self, task: str, written: Written) -> None:
        """Remember that a task is done."""
        self.disk.append(self._tasks, f"{task} {written.bytes} {written.files}\n")

    def forget_tasks(self) -> None:
        """Forget the tasks whose files are visible by now."""
        self.disk.remove(self._tasks)

    def end(self) -> None:
        """Forget the run."""
        self.disk.remove(self._shape)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _has_begun(self, shape: Commit) -> bool:
        return self.is_there and not shape.revision

    @property
    def _shape(self) -> Path:
        return self.folder / "shape.json"

    @property
    def _tasks(self) -> Path:
        return self.folder / "tasks"
