"""Why a job fails, in the words that a request would be answered with."""

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
"""Libraries that write files by themselves hand these on as text."""
NO_ROOM = StorageFull("there is no room to write what the job makes; request less, or try later")

NO_PERMISSION = SourceUnavailable(
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


class PlanNeeded(TemporaryFault, Overtaken):
    """The job has to be planned again."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """The file whose encoding was not known, in words."""
        return (self.fault.detail,)


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
    return NO_PERMISSION if isinstance(error, OSError) and error.errno in FORBIDDEN else None


def _is_full(error: BaseException) -> bool:
    return any(
        getattr(each, "errno", None) in FULL or any(words in str(each) for words in FULL_IN_WORDS)
        for each in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


# Attempts at a job: one that is under way, and what comes of it.

MAX_FRUITLESS = 10
"""Attempts in a row in which no task was finished: what is away may be so for some minutes."""
MAX_DEADLY = 3
"""Of these, where processes died of a task: each attempt has cost the other jobs several of them."""
LEFT_S = 30.0
"""How long a job that our configuration does not know is left to others before we look whether it knows it now."""
FORGOTTEN_S = 3600.0
"""How long after that the reason is known: a job that is left again for the same one is not reported twice."""
AGAIN_S, MOST_AGAIN_S = 2.0, 60.0
"""How long a job waits before it is begun again; twice as long after each attempt in a row that was fruitless."""


@dataclass(slots=True, kw_only=True)
class OwnedJob:
    """A job that we do."""

    job: Job
    owner: str
    """Another at each attempt: of two of ours, one cut off for a while, only one ends the job."""
    until: float
    """When it has run for too long, by the monotonic clock: hosts may differ about any other."""
    is_ours: bool = True
    is_fruitful: bool = False
    """Whether a task was finished."""

    @property
    def fruitless(self) -> int:
        """Attempts in a row in which no task was finished."""
        return 0 if self.is_fruitful else self.job.fruitless + 1

    @property
    def is_in_vain(self) -> bool:
        """Whether so many workers were killed while they did the job that it is not worth another attempt."""
        return self.job.fruitless >= MAX_FRUITLESS

    @property
    def name(self) -> str:
        """Of this attempt; not by its number, which an attempt that was stopped gives back."""
        return f"{self.job.process}-{self.job.id}-{self.owner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Why a job has to be begun again."""

    reason: str
    wait_s: float
    """How long no worker shall begin it."""
    is_attempt: bool = True
    """Whether it counts as one."""


@dataclass(frozen=True, slots=True)
class Declined:
    """What of a job its owner does not know, so that it is left to others."""

    reason: str


AttemptOutcome = Mapping[str, Result] | JobFault | Again | Declined | None
"""What comes of an attempt: results, or why it failed, is begun again or left; nothing if it is no more ours."""


class DeclinedJobs:
    """Jobs that are left to other workers, by their ids.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, str]] = {}
        """Until when, and why."""

    def add(self, id_: str, reason: str) -> bool:
        """Leave a job for a while; return whether the reason is news."""
        _until, known = self._left.get(id_, (0.0, None))
        self._left[id_] = self._clock() + LEFT_S, reason
        return reason != known

    def now(self) -> list[str]:
        """Return the ids of those that are left now."""
        now = self._clock()
        self._left = {id_: each for id_, each in list(self._left.items()) if each[0] > now - FORGOTTEN_S}
        return [id_ for id_, (until, _reason) in list(self._left.items()) if until > now]


def new_worker_name() -> str:
    """Return a new name that shows people which process it is of."""
    return f"{platform.node()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"


def next_attempt(held: OwnedJob, error: TemporaryFault | ClusterLost | SourceUnavailable) -> Again | JobFault:
    """Return what comes of an attempt that was hindered: another one, unless too many were in vain already."""
    hindered = _hindrance(error)
    if held.fruitless >= (MAX_DEADLY if hindered.is_deadly else MAX_FRUITLESS):
        return final_fault(held, hindered.fault)
    wait_s = min(MOST_AGAIN_S, AGAIN_S * 2 ** max(0, held.fruitless - 1))
    # Not all to the same moment: of tasks that were in the queue of one process when it died, only one has killed it.
    return Again(reason=hindered.fault.detail, wait_s=random.uniform(wait_s / 2, wait_s))


def final_fault(held: OwnedJob, fault: JobFault) -> JobFault:
    """Return why a job fails that is not begun again."""
    return replace(fault, detail=f"{fault.detail}; it was begun {held.job.attempts} times")


def _hindrance(error: TemporaryFault | ClusterLost | SourceUnavailable) -> TemporaryFault:
    match error:
        case TemporaryFault():
            return error
        case ClusterLost():
            return TemporaryFault(fault_of(ServerBusy(str(error))))
        case SourceUnavailable():
            return TemporaryFault(fault_of(error))
