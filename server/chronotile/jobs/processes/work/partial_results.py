"""What tasks leave for the end of a job: arrays, in one file per task."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np
import orjson

from chronotile.core.cancellation import require_active
from chronotile.core.durable_files import Disk, open_private
from chronotile.core.errors import ClientGone, raised_instead
from chronotile.core.model.job import Result
from chronotile.core.model.types import AnyArray, Json
from chronotile.jobs.processes.inputs import UNBOUNDED
from chronotile.jobs.processes.process import Inputs, Process, Work
from chronotile.pipeline.encoders.bodies import Body, translate_storage_errors
from chronotile.pipeline.encoders.scratch_files import DiskQuota, Scratch
from chronotile.readers.bisect_damage import MOST_LEFT_OUT, RecordedDates

METADATA = "told"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartialResult:
    """What one task found."""

    arrays: Mapping[str, AnyArray]
    metadata: Json
    """JSON beside the arrays."""


def write_partial_result(work: Work, name: str, partial: PartialResult) -> None:
    """Leave a partial result under a name, whole or not at all; one of that name is replaced.

    Raises:
        ClientGone: The job was dismissed.
        StorageFull: There is no room for it.
    """
    metadata = np.frombuffer(orjson.dumps(partial.metadata), np.uint8)
    with new_file(work.folder / f"{name}.npz", work) as file:
        np.savez(file, allow_pickle=False, **{METADATA: metadata}, **partial.arrays)


def read_partial_result(work: Work, name: str) -> PartialResult:
    """Return the partial result that was left under a name.

    Raises:
        ClientGone: The job was dismissed.
    """
    with translate_missing_files(), np.load(work.folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return PartialResult(metadata=orjson.loads(arrays.pop(METADATA).tobytes()), arrays=arrays)


def read_metadata(work: Work, name: str) -> Json:
    """Return the metadata alone of the partial result that was left under a name.

    Raises:
        ClientGone: The job was dismissed.
    """
    with translate_missing_files(), np.load(work.folder / f"{name}.npz", allow_pickle=False) as file:
        metadata: Json = orjson.loads(file[METADATA].tobytes())
    return metadata


@contextmanager
def new_file(path: Path, work: Work) -> Iterator[BinaryIO]:
    """Give a file of a job to write, which takes the place of another one when it is whole, and on the disk.

    Raises:
        ClientGone: The job was dismissed.
        StorageFull: There is no room for it.
    """
    with new_file_unsynced(path, work) as file:
        yield file
    with translate_job_storage_errors():
        Disk().settle([path.parent])


@contextmanager
def new_file_unsynced(path: Path, work: Work) -> Iterator[BinaryIO]:
    """Give a file to write as `new_file` does; its name is on the disk once its folder is settled.

    Raises:
        ClientGone: The job was dismissed.
        StorageFull: There is no room for it.
    """
    partial = work.folder / f"{uuid4().hex}.part"
    with translate_job_storage_errors():
        try:
            with open(partial, "xb", opener=open_private) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def scratch_of(work: Work) -> Scratch:
    """Return where a job has files without a name: beside its partial results, with no bound but the disk.

    Of requests many are answered at once, and share a room; of jobs few are done.
    """
    return Scratch(folder=work.folder, quota=DiskQuota(UNBOUNDED))


@contextmanager
def translate_job_storage_errors() -> Iterator[None]:
    """Translate errors of files in the folder of a job into errors with a reason.

    Raises:
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    with translate_storage_errors(), translate_missing_files():
        yield


def translate_missing_files() -> AbstractContextManager[None]:
    """Take what is not there any more for a job that is over.

    Raises:
        ClientGone: The job was dismissed.
    """
    return raised_instead(FileNotFoundError, ClientGone("no client is waiting any more"))


def keep(body: Body, path: Path, work: Work) -> None:
    """Write a body as a file, which is there when it is whole, and close it.

    Raises:
        StorageFull: There is no room.
        ClientGone: The job was dismissed.
    """
    with closing(body), new_file(path, work) as file:
        for part in body.iter_bytes():
            require_active(work.is_active)
            file.write(part)


UNREADABLE = "unreadable"
"""Member of what is remembered of a task, and of what a result says it was made of: dates."""
LEFT_OUT = "left_out"
"""The same of ids of items, at most `MOST_LEFT_OUT`."""


def run_task(process: Process, inputs: Inputs, task: Json, work: Work) -> Json:
    """Do a task, and return what is to be remembered of it: what the process gives, and what it could not read.

    Raises:
        PlanStale: A file was found whose encoding was not known, so that it was left out.
        ChronotileError: What the process meets.
    """
    dates = RecordedDates(work.services.failing_dates)
    read = {each.collection for each in work.sources}
    work.services.require_current_plans(read)
    try:
        done = process.run(inputs, task, replace(work, services=replace(work.services, failing_dates=dates)))
    finally:  # a failure too may be for lack of it
        work.services.require_current_plans(read)
    unreadable = sorted({date.when for date in dates.dates if date.when is not None})
    return {**done, **_members(unreadable, sorted(dates.left_out))}


def add_unreadable(results: Mapping[str, Result], done: Iterable[Json]) -> Mapping[str, Result]:
    """Return the results with the dates and items that any of the tasks could not read in their metadata."""
    unreadable = unreadable_of(done)
    if not unreadable:
        return results
    return {name: replace(each, metadata={**(each.metadata or {}), **unreadable}) for name, each in results.items()}


def unreadable_of(done: Iterable[Json]) -> Json:
    """Return the dates and items that any of the tasks could not read, ascending, as members of metadata."""
    done = tuple(done)
    unreadable, left_out = (
        sorted({one for each in done for one in each.get(name, ())}) for name in (UNREADABLE, LEFT_OUT)
    )
    return _members(unreadable, left_out[:MOST_LEFT_OUT])


def _members(unreadable: Sequence[str], left_out: Sequence[str]) -> Json:
    # Those of them that are not empty.
    return {name: found for name, found in ((UNREADABLE, unreadable), (LEFT_OUT, left_out)) if found}
