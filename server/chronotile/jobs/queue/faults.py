"""Faults of jobs, worded like errors of requests, and the decision whether a job is tried again."""

import errno
import os
import platform
import random
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

from chronotile.core.errors import (
    LOG_SAYS_WHY,
    ChronotileError,
    Overtaken,
    ServerBusy,
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
from chronotile.core.model.job import Job, JobFault, Result

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FULL_IN_WORDS = tuple(map(os.strerror, sorted(FULL)))
"""Texts of these errors: some libraries that write files report only the text."""
NO_ROOM = StorageFull("there is no room to write what the job makes; request less, or try later")

NO_PERMISSION = SourceUnavailable(
    "files of the job cannot be written: the worker lacks permission, or the disk is read-only"
)

UNKNOWN = (
    *(UnknownCollection, UnknownLayer, UnknownParameter, UnknownPath, UnknownPlace, UnknownStyle),
    UnsupportedCrs,
)
"""A job was accepted, but the configuration or version of this worker lacks a name in it."""


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


# Attempts at a job

MAX_FRUITLESS = 10
"""Attempts in a row without a finished task, at most: an unavailable source may take some minutes to return."""
MAX_DEADLY = 3
"""The same if processes died of a task: every attempt costs the other jobs several processes."""
LEFT_S = 30.0
"""Time after which a worker checks whether its configuration can run a declined job now."""
FORGOTTEN_S = 3600.0
"""Time after which the reason is forgotten: a job declined again for the same reason is logged once."""
AGAIN_S, MOST_AGAIN_S = 2.0, 60.0
"""Wait before the next attempt; it doubles with each attempt in a row that was fruitless."""


@dataclass(slots=True, kw_only=True)
class OwnedJob:
    """A job that this worker runs."""

    job: Job
    owner: str
    """Unique per attempt: if this worker has two attempts at a job after an interruption, only one ends the job."""
    until: float
    """Time limit of the job by the monotonic clock of this host; clocks of hosts differ."""
    is_ours: bool = True
    is_fruitful: bool = False
    """Whether a task was finished in this attempt."""

    @property
    def fruitless(self) -> int:
        """Attempts in a row in which no task was finished."""
        return 0 if self.is_fruitful else self.job.fruitless + 1

    @property
    def is_in_vain(self) -> bool:
        """Whether so many workers were killed during the job that another attempt is not worth it."""
        return self.job.fruitless >= MAX_FRUITLESS

    @property
    def name(self) -> str:
        """Name of this attempt; without its number, which an interrupted attempt gives back."""
        return f"{self.job.process}-{self.job.id}-{self.owner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The job returns to the queue."""

    reason: str
    wait_s: float
    """Time during which no worker starts the job."""
    is_attempt: bool = True
    """Whether the attempt counts."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The job needs a worker with another configuration; `reason` is the missing name."""

    reason: str


AttemptOutcome = Mapping[str, Result] | JobFault | Again | Declined | None
"""Outcome of an attempt: results, fault, return to the queue or refusal; `None` if the worker lost the job."""


class DeclinedJobs:
    """Ids of jobs that this worker declined and leaves to other workers.

    Args:
        clock: Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, str]] = {}
        """End of the period for which a job is declined, and the reason."""

    def add(self, id_: str, reason: str) -> bool:
        """Decline a job for `LEFT_S` seconds; return whether the reason is new."""
        _until, last_reason = self._left.get(id_, (0.0, None))
        self._left[id_] = self._clock() + LEFT_S, reason
        return reason != last_reason

    def now(self) -> list[str]:
        """Return the ids of the jobs that are declined now."""
        now = self._clock()
        self._left = {id_: entry for id_, entry in list(self._left.items()) if entry[0] > now - FORGOTTEN_S}
        return [id_ for id_, (until, _reason) in list(self._left.items()) if until > now]


def new_worker_name() -> str:
    """Return a unique name that shows operators the host and the OS process."""
    return f"{platform.node()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"


def next_attempt(owned_job: OwnedJob, error: TemporaryFault | ClusterLost | SourceUnavailable) -> Again | JobFault:
    """Decide whether a hindered job is tried again; it fails after too many fruitless attempts in a row."""
    hindered = _hindrance(error)
    if owned_job.fruitless >= (MAX_DEADLY if hindered.is_deadly else MAX_FRUITLESS):
        return final_fault(owned_job, hindered.fault)
    wait_s = min(MOST_AGAIN_S, AGAIN_S * 2 ** max(0, owned_job.fruitless - 1))
    # Random, so that attempts do not coincide: if a process died with several tasks in its queue, one was the cause.
    return Again(reason=hindered.fault.detail, wait_s=random.uniform(wait_s / 2, wait_s))


def final_fault(owned_job: OwnedJob, fault: JobFault) -> JobFault:
    """Return the fault of a job that is not tried again."""
    return replace(fault, detail=f"{fault.detail}; it was begun {owned_job.job.attempts} times")


def _hindrance(error: TemporaryFault | ClusterLost | SourceUnavailable) -> TemporaryFault:
    match error:
        case TemporaryFault():
            return error
        case ClusterLost():
            return TemporaryFault(fault_of(ServerBusy(str(error))))
        case SourceUnavailable():
            return TemporaryFault(fault_of(error))
