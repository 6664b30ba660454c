"""Partial results of tasks: arrays, in one file per task."""

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
from chronotile.core.durable_files import Disk
from chronotile.core.errors import ClientGone, raised_instead
from chronotile.core.model.job import Result
from chronotile.core.model.types import AnyArray, Json
from chronotile.core.private_files import open_private
from chronotile.jobs.processes.inputs import UNBOUNDED
from chronotile.jobs.processes.process import Inputs, Process, Work
from chronotile.pipeline.encoders.bodies import Body, translate_storage_errors
from chronotile.pipeline.encoders.scratch_files import DiskQuota, Scratch
from chronotile.readers.failing_dates import MAX_SKIPPED_ITEMS, RecordedDates

METADATA = "told"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartialResult:
    """Result of one task."""

    arrays: Mapping[str, AnyArray]
    metadata: Json
    """JSON."""


def write_partial_result(work: Work, name: str, partial: PartialResult) -> None:
    """Store a partial result under a name, complete or not at all; an existing one is replaced.

    Raises:
        ClientGone: The job was dismissed.
        StorageFull: The disk is full.
    """
    metadata = np.frombuffer(orjson.dumps(partial.metadata), np.uint8)
    with new_file(work.folder / f"{name}.npz", work) as file:
        np.savez(file, allow_pickle=False, **{METADATA: metadata}, **partial.arrays)


def read_partial_result(work: Work, name: str) -> PartialResult:
    """Return the partial result stored under a name.

    Raises:
        ClientGone: The job was dismissed.
    """
    with translate_missing_files(), np.load(work.folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return PartialResult(metadata=orjson.loads(arrays.pop(METADATA).tobytes()), arrays=arrays)


def read_metadata(work: Work, name: str) -> Json:
    """Return only the metadata of the partial result stored under a name.

    Raises:
        ClientGone: The job was dismissed.
    """
    with translate_missing_files(), np.load(work.folder / f"{name}.npz", allow_pickle=False) as file:
        metadata: Json = orjson.loads(file[METADATA].tobytes())
    return metadata


@contextmanager
def new_file(path: Path, work: Work) -> Iterator[BinaryIO]:
    """Open a new file of a job. When it is complete and durable, it replaces an existing one.

    Raises:
        ClientGone: The job was dismissed.
        StorageFull: The disk is full.
    """
    with new_file_unsynced(path, work) as file:
        yield file
    with translate_job_storage_errors():
        Disk().settle([path.parent])


@contextmanager
def new_file_unsynced(path: Path, work: Work) -> Iterator[BinaryIO]:
    """Open a new file like `new_file`; its name is durable only after its folder is settled.

    Raises:
        ClientGone: The job was dismissed.
        StorageFull: The disk is full.
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
    """Return the temporary files of a job: in the folder of its partial results, limited only by the disk.

    Requests share a quota because many are answered concurrently; few jobs run concurrently.
    """
    return Scratch(folder=work.folder, quota=DiskQuota(UNBOUNDED))


@contextmanager
def translate_job_storage_errors() -> Iterator[None]:
    """Translate errors of files in the folder of a job into errors with a reason.

    Raises:
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    with translate_storage_errors("the folder of the job"), translate_missing_files():
        yield


def translate_missing_files() -> AbstractContextManager[None]:
    """Translate a missing file: the job was dismissed, and its folder removed.

    Raises:
        ClientGone: The job was dismissed.
    """
    return raised_instead(FileNotFoundError, ClientGone("no client is waiting any more"))


def write_body(body: Body, path: Path, work: Work) -> None:
    """Write a body as a complete file, and close the body.

    Raises:
        StorageFull: The disk is full.
        ClientGone: The job was dismissed.
    """
    with closing(body), new_file(path, work) as file:
        for part in body.iter_bytes():
            require_active(work.is_active)
            file.write(part)


UNREADABLE = "unreadable"
"""Member of the result of a task, and of the metadata of a result: unreadable dates."""
LEFT_OUT = "left_out"
"""The same for ids of skipped items, at most `MAX_SKIPPED_ITEMS`."""


def run_task(process: Process, inputs: Inputs, task: Json, work: Work) -> Json:
    """Run a task; return the result of the process with unreadable dates and skipped items.

    Raises:
        PlanStale: A file with an unknown encoding was found and skipped.
        ChronotileError: Any error of the process.
    """
    dates = RecordedDates(work.services.failing_dates)
    read = {source.collection for source in work.sources}
    work.services.require_current_plans(read)
    try:
        done = process.run(inputs, task, replace(work, services=replace(work.services, failing_dates=dates)))
    finally:  # also after an error: a file that was skipped for its new encoding may be the cause
        work.services.require_current_plans(read)
    unreadable = sorted({date.when for date in dates.dates if date.when is not None})
    return {**done, **_members(unreadable, sorted(dates.left_out))}


def add_unreadable(results: Mapping[str, Result], done: Iterable[Json]) -> Mapping[str, Result]:
    """Add the dates and items that any task could not read to the metadata of results."""
    unreadable = unreadable_of(done)
    if not unreadable:
        return results
    return {
        name: replace(result, metadata={**(result.metadata or {}), **unreadable}) for name, result in results.items()
    }


def unreadable_of(done: Iterable[Json]) -> Json:
    """Return the dates and items that any task could not read, ascending, as members of metadata."""
    done = tuple(done)
    unreadable, left_out = (
        sorted({value for task in done for value in task.get(name, ())}) for name in (UNREADABLE, LEFT_OUT)
    )
    return _members(unreadable, left_out[:MAX_SKIPPED_ITEMS])


def _members(unreadable: Sequence[str], left_out: Sequence[str]) -> Json:
    # Without empty members
    return {name: values for name, values in ((UNREADABLE, unreadable), (LEFT_OUT, left_out)) if values}
