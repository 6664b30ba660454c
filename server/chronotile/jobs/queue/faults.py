"""Faults of jobs, worded like errors of requests."""

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from chronotile.core.errors import (
    LOG_SAYS_WHY,
    ChronotileError,
    Overtaken,
    SourceUnavailable,
    StorageFull,
    UnknownCollection,
    UnknownLayer,
    UnknownParameter,
    UnknownPath,
    UnknownPlace,
    UnknownStyle,
    UnsupportedCrs,
)
from chronotile.core.model.job import JobFault

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FULL_IN_WORDS = tuple(map(os.strerror, sorted(FULL)))
"""Texts of the errors `FULL`: some libraries that write files report only the text."""
NO_ROOM = StorageFull("there is no room to write what the job makes; request less, or try later")

NO_PERMISSION = SourceUnavailable(
    "files of the job cannot be written: the worker lacks permission, or the disk is read-only"
)

UNKNOWN = (
    *(UnknownCollection, UnknownLayer, UnknownParameter, UnknownPath, UnknownPlace, UnknownStyle),
    UnsupportedCrs,
)
"""Errors for a name in an accepted job that the configuration or version of this worker lacks."""


class NameUnknown(Exception):
    """The process that runs a task does not have a name that the job uses. Its only argument is the message."""


class JobFailed(Exception):
    """A job cannot be done. Its only argument is the fault, so it survives pickling."""

    def __init__(self, fault: JobFault) -> None:
        super().__init__(fault)
        self.fault = fault


class TemporaryFault(Exception):
    """A task could not be done for a reason that may pass. Pickles restore it from its arguments.

    Args:
        fault: Reason.
        is_deadly: Whether processes died of the task.
    """

    def __init__(self, fault: JobFault, is_deadly: bool = False) -> None:
        super().__init__(fault, is_deadly)
        self.fault = fault
        self.is_deadly = is_deadly


class PlanNeeded(TemporaryFault, Overtaken):
    """The job has to be planned again."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Message about the file whose encoding the plan lacks."""
        return (self.fault.detail,)


class ClusterLost(Exception):
    """The Dask cluster that ran the tasks is lost. Its only argument is the reason."""


def no_job(id_: str) -> UnknownPath:
    """Return the error about a job that is missing or that belongs to another user."""
    return UnknownPath(f"there is no job {id_[:80]!r}, or it has expired", locator="jobID")


@contextmanager
def storing_results(errors: Collection[int] | None = None) -> Iterator[None]:
    """Convert errors of the file system while files of results are written.

    Args:
        errors: Error numbers that are converted; all if `None`. A full disk always is.

    Raises:
        StorageFull: The disk is full.
        SourceUnavailable: The disk does not accept the files.
    """
    try:
        yield
    except OSError as error:
        if _is_full(error):
            raise StorageFull("no disk space for the results; try again later") from error
        if errors is not None and error.errno not in errors:
            raise
        raise SourceUnavailable(f"files of results cannot be written now; {LOG_SAYS_WHY}") from error


def is_foreseen(error: BaseException) -> bool:
    """Return whether `fault_of` has a message for an error."""
    return _foreseen(error) is not None


def fault_of(error: BaseException) -> JobFault:
    """Return the fault of a job that met an error. The text of an unexpected error goes to the log only."""
    fault = _foreseen(error) or ChronotileError("unexpected error; see the log")
    return JobFault(
        type=fault.problem_type,
        title=fault.problem_title or HTTPStatus(fault.status).phrase,
        detail=fault.message,
        status=fault.status,
    )


def _foreseen(error: BaseException) -> ChronotileError | None:
    if isinstance(error, ChronotileError):
        return error
    if _is_full(error):
        return NO_ROOM
    return NO_PERMISSION if isinstance(error, OSError) and error.errno in FORBIDDEN else None


def _is_full(error: BaseException) -> bool:
    return any(
        getattr(cause, "errno", None) in FULL or any(words in str(cause) for words in FULL_IN_WORDS)
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
