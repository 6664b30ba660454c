"""A block of a job, as it is done by whoever is asked: a process of a cluster that sees the same files."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chronotile.ingest.archive import Archive, open_archive
from chronotile.jobs.job import Json, Result
from chronotile.jobs.process import Inputs, Work
from chronotile.jobs.processes import process_of
from chronotile.model.collection import Clock
from chronotile.model.time import Instant
from chronotile.pipeline.services import Services

RESULTS = "results"
PIECES = "pieces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a block, or the end of a job, needs to be done anywhere."""

    place: str
    """Of the configuration or the data."""
    process: str
    inputs: Inputs
    folder: str
    """Of the job."""


class _Archives:
    """The archive of this process, opened once, and again when it is another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._place: str | None = None
        self._archive: Archive | None = None

    def services(self, place: str, clock: Clock) -> Services:
        """Return the services of a place."""
        with self._lock:
            if self._archive is None or self._place != place:
                if self._archive is not None:
                    self._archive.close()
                self._archive = open_archive(Path(place), environment=os.environ, clock=clock)
                self._place = place
            return self._archive.services


_archives = _Archives()


def do_block(task: Task, block: Json) -> Json:
    """Do a block and return what is to be remembered of it.

    Raises:
        ChronotileError: What the verb meets.
        ClientGone: The job was dismissed.
    """
    return process_of(task.process).run(task.inputs, block, _work(task))


def finish(task: Task, done: list[Json]) -> dict[str, Result]:
    """Make the results of a job from what its blocks gave.

    Raises:
        ChronotileError: What the process meets.
        ClientGone: The job was dismissed.
    """
    return dict(process_of(task.process).finish(task.inputs, done, _work(task)))


def make_folders(folder: Path) -> None:
    """Make the folders of a job."""
    for name in (PIECES, RESULTS):
        (folder / name).mkdir(parents=True, exist_ok=True)


def _now() -> Instant:
    return np.datetime64("now", "ns")


def _work(task: Task) -> Work:
    folder = Path(task.folder)
    # Who dismisses a job takes its pieces away, on whatever host they are looked for.
    pieces = folder / PIECES
    return Work(
        services=_archives.services(task.place, _now), folder=pieces, results=folder / RESULTS, is_wanted=pieces.exists
    )
