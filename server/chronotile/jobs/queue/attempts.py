"""Attempts at a job, their outcomes, and the decision whether a job is tried again."""

import os
import platform
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chronotile.core.errors import ServerBusy, SourceUnavailable
from chronotile.core.model.job import Job, JobFault, Result
from chronotile.jobs.queue.faults import ClusterLost, TemporaryFault, fault_of

MAX_FRUITLESS = 10
"""Attempts in a row without a finished task, at most: an unavailable source may take some minutes to return."""
MAX_DEADLY = 3
"""The same if processes died of a task: every attempt costs the other jobs several processes."""
DECLINED_S = 30.0
"""Time after which a worker checks whether its configuration can run a declined job now."""
FORGOTTEN_S = 3600.0
"""Time after which the reason is forgotten: a job declined again for the same reason is logged once."""
AGAIN_S, MAX_AGAIN_S = 2.0, 60.0
"""Wait before the next attempt; it doubles with each attempt in a row that was fruitless."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """An attempt of this worker at a job."""

    job: Job
    owner: str
    """Unique per attempt: if this worker has two attempts at a job after an interruption, only one ends the job."""
    until: float
    """Time limit of the job by the monotonic clock of this host; clocks of hosts differ."""
    is_ours: bool = True
    is_fruitful: bool = False
    """Whether a task was finished."""

    @property
    def fruitless(self) -> int:
        """Attempts in a row in which no task was finished."""
        return 0 if self.is_fruitful else self.job.fruitless + 1

    @property
    def has_failed_too_often(self) -> bool:
        """Whether the last `MAX_FRUITLESS` attempts or more finished no task, so that another is not worth it."""
        return self.job.fruitless >= MAX_FRUITLESS

    @property
    def name(self) -> str:
        """Name of this attempt; without its number, which an interrupted attempt gives back."""
        return f"{self.job.process}-{self.job.id}-{self.owner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
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


AttemptOutcome = Mapping[str, Result] | JobFault | Requeue | Declined | None
"""Outcome of an attempt: results, fault, return to the queue or refusal; `None` if the worker lost the job."""


class DeclinedJobs:
    """Ids of jobs that this worker declined and leaves to other workers.

    Args:
        clock: Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._declined: dict[str, tuple[float, str]] = {}
        """End of the period for which a job is declined, and the reason."""

    def add(self, id_: str, reason: str) -> bool:
        """Decline a job for `DECLINED_S` seconds; return whether the reason is new."""
        _until, last_reason = self._declined.get(id_, (0.0, None))
        self._declined[id_] = self._clock() + DECLINED_S, reason
        return reason != last_reason

    def list_ids(self) -> list[str]:
        """Return the ids of the jobs that are declined now."""
        now = self._clock()
        self._declined = {id_: entry for id_, entry in list(self._declined.items()) if entry[0] > now - FORGOTTEN_S}
        return [id_ for id_, (until, _reason) in list(self._declined.items()) if until > now]


def new_worker_name() -> str:
    """Return a unique name that shows operators the host and the OS process."""
    return f"{platform.node()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"


def next_attempt(attempt: Attempt, error: TemporaryFault | ClusterLost | SourceUnavailable) -> Requeue | JobFault:
    """Decide whether a hindered job is tried again; it fails after too many fruitless attempts in a row."""
    hindered = _hindrance(error)
    if attempt.fruitless >= (MAX_DEADLY if hindered.is_deadly else MAX_FRUITLESS):
        return final_fault(attempt, hindered.fault)
    wait_s = min(MAX_AGAIN_S, AGAIN_S * 2 ** max(0, attempt.fruitless - 1))
    # Random, so that attempts do not coincide: if a process died with several tasks in its queue, one was the cause.
    return Requeue(reason=hindered.fault.detail, wait_s=random.uniform(wait_s / 2, wait_s))


def final_fault(attempt: Attempt, fault: JobFault) -> JobFault:
    """Return the fault of a job that is not tried again."""
    return replace(fault, detail=f"{fault.detail}; it was begun {attempt.job.attempts} times")


def _hindrance(error: TemporaryFault | ClusterLost | SourceUnavailable) -> TemporaryFault:
    match error:
        case TemporaryFault():
            return error
        case ClusterLost():
            return TemporaryFault(fault_of(ServerBusy(str(error))))
        case SourceUnavailable():
            return TemporaryFault(fault_of(error))
