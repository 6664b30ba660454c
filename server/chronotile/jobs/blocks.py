"""A block of a job, as it is done by whoever is asked: a process of a cluster that sees the same files."""

import json
import logging
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from chronotile.errors import ConfigurationError, SourceUnavailable
from chronotile.ingest.archive import Archive, open_archive, refreshed, system_clock
from chronotile.ingest.optimise.disk import Disk
from chronotile.jobs.faults import JobFailed, fault_of, is_foreseen
from chronotile.jobs.job import Json, Result
from chronotile.jobs.process import Inputs, Work
from chronotile.jobs.processes import process_of
from chronotile.pipeline.services import Services

log = logging.getLogger(__name__)

RESULTS = "results"
PIECES = "pieces"
INPUTS = "inputs.json"
BLOCKS = "blocks.json"
DONE = "done.json"
"""Files in the folder of a job, of what would be much to send with each block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a block, or the end of a job, needs to be done anywhere, besides what lies in the folder of the job."""

    place: str
    """Of the configuration or the data."""
    revision: str
    """Of what was served when the job was begun: who has an archive of another one looks for changes first."""
    process: str
    folder: str
    """Of the job."""


class OpenArchive:
    """The archive of a place, opened at the first use, and looked at again where it may have changed.

    Args:
        place: Of an archive that is open.
        archive: It.
    """

    def __init__(self, place: str | None = None, archive: Archive | None = None) -> None:
        self._lock = threading.Lock()
        self._place = place
        self._archive = archive

    def services(self, place: str, revision: str | None = None) -> Services:
        """Return the services of a place: those at hand if they are of that revision, else as they are now.

        Raises:
            ConfigurationError: It cannot be served; one that could be before is taken as it was.
        """
        with self._lock:
            if self._archive is None or self._place != place:
                self._archive = open_archive(Path(place), environment=os.environ, clock=system_clock)
                self._place = place
            elif self._archive.services.revision != revision:
                self._archive = _looked_at(self._archive, place)
            return self._archive.services


def _looked_at(archive: Archive, place: str) -> Archive:
    """What is replaced is not closed: another thread may be reading from it."""
    try:
        return refreshed(archive, Path(place), environment=os.environ, clock=system_clock)
    except ConfigurationError as error:
        log.warning("jobs are done with the configuration as it was: %s", error)
        return archive


_open_archive = OpenArchive()


def do_block(task: Task, block: Json) -> Json:
    """Do a block and return what is to be remembered of it.

    Raises:
        JobFailed: The verb met something foreseen.
    """
    with _telling_faults():
        return process_of(task.process).run(_inputs(task), block, _work(task))


def finish(task: Task) -> dict[str, Result]:
    """Make the results of a job from what its blocks gave, which `keep_done` has written.

    Raises:
        JobFailed: The process met something foreseen.
    """
    with _telling_faults():
        done = json.loads((Path(task.folder) / DONE).read_bytes())
        return dict(process_of(task.process).finish(_inputs(task), done, _work(task)))


def make_folders(folder: Path) -> None:
    """Make the folders of a job."""
    for name in (PIECES, RESULTS):
        (folder / name).mkdir(parents=True, exist_ok=True)


def keep_inputs(folder: Path, inputs: Inputs) -> None:
    """Lay the inputs of a job where all who do its blocks find them."""
    _keep(folder / INPUTS, inputs)


def keep_blocks(folder: Path, blocks: Sequence[Json]) -> None:
    """Lay down the blocks of a job, for them to be the same when it is begun again."""
    _keep(folder / BLOCKS, list(blocks))


def kept_blocks(folder: Path) -> list[Json] | None:
    """Return the blocks of a job that was begun before."""
    try:
        written = (folder / BLOCKS).read_bytes()
    except FileNotFoundError:
        return None
    blocks: list[Json] = json.loads(written)
    return blocks


def keep_done(folder: Path, done: Sequence[Json]) -> None:
    """Lay down what all blocks gave, in their order, for `finish`."""
    _keep(folder / DONE, list(done))


def clear(folder: Path) -> None:
    """Remove all of a job but its results; blocks that are still being done see it and stop."""
    gone = folder / f"{PIECES}.gone"
    with suppress(FileNotFoundError):
        (folder / PIECES).rename(gone)  # or else such a block might write while they are removed
    shutil.rmtree(gone, ignore_errors=True)
    for name in (INPUTS, BLOCKS, DONE):
        (folder / name).unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove all of a job, results too."""
    clear(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _keep(file: Path, value: object) -> None:
    Disk().put(file, json.dumps(value).encode())


@contextmanager
def _telling_faults() -> Iterator[None]:
    """Errors of ours do not all come through a pickle; their words do."""
    try:
        yield
    except Exception as error:
        if not is_foreseen(error):
            raise
        raise JobFailed(fault_of(error)) from None


def _inputs(task: Task) -> Inputs:
    try:
        return _read_inputs(Path(task.folder) / INPUTS)
    except FileNotFoundError as error:
        raise SourceUnavailable("the job is gone, or its folder is not seen where the block is done") from error


@lru_cache(maxsize=4)
def _read_inputs(file: Path) -> Inputs:
    inputs: Inputs = json.loads(file.read_bytes())
    return inputs


def _work(task: Task) -> Work:
    folder = Path(task.folder)
    # Who dismisses a job takes its pieces away, on whatever host they are looked for.
    pieces = folder / PIECES
    return Work(
        services=_open_archive.services(task.place, task.revision),
        folder=pieces,
        results=folder / RESULTS,
        is_wanted=pieces.exists,
    )
