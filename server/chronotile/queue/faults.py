"""Why a job fails, in the words that a request would be answered with."""

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from chronotile.errors import (
    LOG_SAYS_WHY,
    ChronotileError,
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
from chronotile.model.job import JobFault

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FULL_IN_WORDS = tuple(map(os.strerror, sorted(FULL)))
"""Libraries that write files by themselves hand these on as text."""
NO_ROOM = StorageFull("there is no room to write what the job makes; request less, or try later")

NO_LEAVE = SourceUnavailable(
    "files of the job cannot be written: the worker lacks permission, or the disk is read-only"
)

UNKNOWN = (
    *(UnknownCollection, UnknownLayer, UnknownParameter, UnknownPath, UnknownPlace, UnknownStyle),
    UnsupportedCrs,
)
"""Of a job that a server has accepted: its configuration, or its version, has names that ours has not."""


class NameUnknown(Exception):
    """Who does a task does not know what the job names; made of the words alone."""


class JobFailed(Exception):
    """A job cannot be done; made of a fault alone, it comes whole through pickles."""

    def __init__(self, fault: JobFault) -> None:
        super().__init__(fault)
        self.fault = fault


class TemporaryFault(Exception):
    """A task could not be done for a reason that may pass; made whole again from its arguments, as pickles do.

    Args:
        fault: Why.
        is_deadly: Whether processes died of it.
    """

    def __init__(self, fault: JobFault, is_deadly: bool = False) -> None:
        super().__init__(fault, is_deadly)
        self.fault = fault
        self.is_deadly = is_deadly


class ClusterLost(Exception):
    """Who did the tasks is gone; made of its reason alone."""


def no_job(id_: str) -> UnknownPath:
    """Return the error about a job that is not there, or is for others alone to see."""
    return UnknownPath(f"there is no job {id_[:80]!r}, or it has expired", locator="jobID")


@contextmanager
def storing_results(errors: Collection[int] | None = None) -> Iterator[None]:
    """Say that files of results cannot be written.

    Args:
        errors: Numbers of the operating system that state it; all by default.

    Raises:
        StorageFull: There is no room for them.
        SourceUnavailable: Their disk does not take them.
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
    """Return whether `fault_of` has words for it."""
    return _foreseen(error) is not None


def fault_of(error: BaseException) -> JobFault:
    """Return why a job fails that met an error; an unforeseen reason goes to the log alone."""
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
    return NO_LEAVE if isinstance(error, OSError) and error.errno in FORBIDDEN else None


def _is_full(error: BaseException) -> bool:
    return any(
        getattr(each, "errno", None) in FULL or any(words in str(each) for words in FULL_IN_WORDS)
        for each in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
