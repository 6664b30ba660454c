"""Attempts at a job: one that is under way, and what comes of it."""

import os
import platform
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chronotile.errors import ServerBusy, SourceUnavailable
from chronotile.model.job import Job, JobFault, Result
from chronotile.queue.faults import ClusterLost, TemporaryFault, fault_of

MOST_FRUITLESS = 10
"""Attempts in a row in which no task was finished: what is away may be so for some minutes."""
MOST_DEADLY = 3
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
        return self.job.fruitless >= MOST_FRUITLESS

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
class JobNotTaken:
    """What of a job its owner does not know, so that it is left to others."""

    reason: str


Outcome = Mapping[str, Result] | JobFault | Again | JobNotTaken | None
"""What comes of an attempt: results, or why it failed, is begun again or left; nothing if it is no more ours."""


class LeftJobs:
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


def own_name() -> str:
    """Return a new name that shows people which process it is of."""
    return f"{platform.node()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"


def next_attempt(held: OwnedJob, error: TemporaryFault | ClusterLost | SourceUnavailable) -> Again | JobFault:
    """Return what comes of an attempt that was hindered: another one, unless too many were in vain already."""
    hindered = _hindrance(error)
    if held.fruitless >= (MOST_DEADLY if hindered.is_deadly else MOST_FRUITLESS):
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
