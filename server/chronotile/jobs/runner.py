"""Does the jobs of the table, some at once, until it is told to stop."""

import logging
import os
import platform
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from chronotile.errors import ChronotileError, ClientGone, LimitExceeded, ServerBusy, SourceUnavailable, UnknownPath
from chronotile.jobs.blocks import (
    RESULTS,
    KeptPlan,
    OpenArchive,
    Task,
    clear,
    keep_done,
    keep_plan,
    kept_plan,
    remove,
)
from chronotile.jobs.bucket import Bucket
from chronotile.jobs.cluster import Cluster
from chronotile.jobs.execute import planned, wanted_results
from chronotile.jobs.faults import ClusterLost, Hindered, JobFailed, fault_of, is_foreseen
from chronotile.jobs.job import ENDED, Job, JobFault, Json, Result, Status
from chronotile.jobs.processes import process_of
from chronotile.jobs.result_files import ResultFiles
from chronotile.jobs.retention import forget_ended, remove_files
from chronotile.jobs.table import JobTable
from chronotile.pipeline.services import Services

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

AT_ONCE = 4
"""Jobs that share the cluster, so that a long one does not hold up all that come after it."""
MOST_FRUITLESS = 10
"""Attempts in a row in which no block was finished: what is away may be so for some minutes."""
MOST_DEADLY = 3
"""Of these, where processes died of a block: each attempt has cost the other jobs several of them."""
LEASE_S = 30.0
BEAT_S = 2.0
"""How often a job is held anew; by then it is known too whether it was dismissed."""
IDLE_S = 0.5
LOST_S = 5.0
"""How long to wait before a cluster or a table that is not there is tried again."""
AGAIN_S, MOST_AGAIN_S = 2.0, 60.0
"""How long a job waits before it is begun again; twice as long after each attempt in a row that was fruitless."""
FORGET_S = 3600.0
TELL_S = 0.5
"""How often progress is written, at most."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """A job that we do."""

    job: Job
    owner: str
    """Another at each attempt: of two of ours, one cut off for a while, only one ends the job."""
    until: float
    """When it has run for too long, by the clock of the table."""
    is_ours: bool = True
    is_fruitful: bool = False
    """Whether a block was finished."""

    @property
    def fruitless(self) -> int:
        """Attempts in a row in which no block was finished."""
        return 0 if self.is_fruitful else self.job.fruitless + 1

    @property
    def name(self) -> str:
        """Of this attempt; not by its number, which an attempt that was stopped gives back."""
        return f"{self.job.process}-{self.job.id}-{self.owner}"


class Runner:
    """Does jobs.

    Args:
        table: Where they are.
        cluster: Does their blocks.
        archive: What they are planned with.
        place: Of the configuration or the data, as the cluster sees it.
        folder: Of all jobs, as the cluster sees it.
        timeout_s: How long a job may run from when it was first begun.
        kept_s: How long a job that has ended is kept.
        bucket: Of the files of results; otherwise they stay in the folder.
        clock: Of the table, seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 -- all it works with, most by name
        self,
        table: JobTable,
        cluster: Cluster,
        archive: OpenArchive,
        *,
        place: Path,
        folder: Path,
        timeout_s: float,
        kept_s: float,
        bucket: Bucket | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._cluster = cluster
        self._archive = archive
        self._place = str(place)
        self._folder = folder
        self._timeout_s = timeout_s
        self._kept_s = kept_s
        self._bucket = bucket
        self._clock = clock
        self._held: dict[str, _Held] = {}
        """By their owners."""
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._is_stopped = threading.Event()

    def stop(self) -> None:
        """Begin nothing any more, and give back what is being done; `run` returns then."""
        self._is_stopped.set()

    def run(self) -> None:
        """Do jobs until `stop`."""
        with ThreadPoolExecutor(AT_ONCE + 2, thread_name_prefix="job") as pool:
            upkeep = [pool.submit(self._beat), pool.submit(self._forget)]
            try:
                while not self._is_stopped.is_set():
                    self._is_stopped.wait(self._begin_one(pool))
            finally:  # or else those two would go on, and the pool with them, without anybody who begins jobs
                self._is_stopped.set()
        for each in upkeep:
            each.result()

    def _begin_one(self, pool: ThreadPoolExecutor) -> float:
        """Begin a job, if there is one and we may; return how long to wait before the next."""
        if not self._slots.acquire(timeout=IDLE_S):
            return 0
        is_begun, owner = False, f"{platform.node()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self._cluster.renew()
            job = self._table.claim(owner, lease_s=LEASE_S)
            if job is None:
                return IDLE_S
            held = _Held(job=job, owner=owner, until=(job.started or job.updated) + self._timeout_s)
            self._held[owner] = held
            pool.submit(self._do, held)
            is_begun = True
        except (ClusterLost, ChronotileError) as error:
            log.warning("no job can be begun: %s", error)
            return LOST_S
        except Exception:  # such as what Dask says when it lets go of a cluster: others may go on
            log.exception("no job can be begun")
            return LOST_S
        finally:
            if not is_begun:
                self._held.pop(owner, None)
                self._slots.release()
        return 0

    def _beat(self) -> None:
        """Hold what we do until `stop`, after which it is given back long before its lease is over."""
        while not self._is_stopped.wait(BEAT_S):
            for held in list(self._held.values()):
                try:
                    held.is_ours = held.is_ours and self._table.renew(held.job.id, held.owner, lease_s=LEASE_S)
                except ChronotileError as error:
                    log.warning("job %s cannot be held: %s", held.job.id, error)
                except Exception:
                    log.exception("job %s cannot be held", held.job.id)

    def _forget(self) -> None:
        """Forget now and then what ended long ago."""
        while True:
            try:
                forget_ended(self._table, self._folder, before=self._clock() - self._kept_s, bucket=self._bucket)
            except ChronotileError as error:
                log.warning("no jobs can be forgotten: %s", error)
            except Exception:
                log.exception("no jobs can be forgotten")
            if self._is_stopped.wait(FORGET_S):
                return

    def _do(self, held: _Held) -> None:
        """Do a job, as far as it goes. Where its end cannot be written, it is done again when its lease is over."""
        id_ = held.job.id
        log.info("job %s (%s) begins, attempt %d", id_, held.job.process, held.job.attempts)
        try:
            self._end(held, self._outcome(held))
        except Exception:
            log.exception("job %s is left until its lease is over", id_)
        finally:
            del self._held[held.owner]
            self._slots.release()

    def _outcome(self, held: _Held) -> "_Outcome":
        try:
            if held.job.fruitless >= MOST_FRUITLESS:
                return _given_up(held, fault_of(ServerBusy("whoever did it was killed")))
            results = self._results(held)
            return self._interrupted(held) if results is None else results
        except (Hindered, ClusterLost, SourceUnavailable) as error:
            return _again(held, _hindrance(error))
        except JobFailed as failed:
            return failed.fault
        except Exception as error:
            if not is_foreseen(error):
                log.exception("job %s fails", held.job.id)
            return fault_of(error)

    def _results(self, held: _Held) -> Mapping[str, Result] | None:
        """Do what is left of a job; `None` if it shall not go on."""
        job, folder = held.job, self._folder / held.job.id
        services = self._archive.services(self._place)
        outputs, plan = self._prepared(held, services)
        if plan is None:
            return None
        process = process_of(job.process)
        task = Task(
            place=self._place,
            revision=services.revision,
            process=process.id,
            folder=str(folder),
            plan=plan.id,
            shelf=services.shelf,
        )
        done = self._table.finished_blocks(job.id)
        left = {number: block for number, block in enumerate(plan.blocks) if number not in done}
        self._table.say(job.id, f"attempt {job.attempts}: {len(left)} of {len(plan.blocks)} blocks to do")
        self._do_blocks(held, task, left, done)
        if not self._goes_on(held):
            return None
        keep_done(folder, [done[number] for number in range(len(plan.blocks))])
        results = self._cluster.finish(task, name=held.name, is_wanted=lambda: self._goes_on(held))
        if results is None:
            return None
        wanted = wanted_results(process, outputs, results)
        try:
            ResultFiles(folder / RESULTS, self._bucket, job.id).store(wanted, is_wanted=lambda: self._goes_on(held))
        except ClientGone:
            return None
        return wanted

    def _prepared(self, held: _Held, services: Services) -> tuple[Mapping[str, Json] | None, KeptPlan | None]:
        """Return which outputs are wanted, and the plan; without one if the job is no more ours.

        Inputs are let go of here: those of a job may take hundreds of megabytes, and blocks read them from its folder.
        """
        id_, folder = held.job.id, self._folder / held.job.id
        execution = self._table.execution(id_)
        plan = kept_plan(folder)
        if plan is None:
            made = planned(execution, services)
            # Before the plan is kept: what blocks of another gave is of no use, and its numbers may be among these.
            held.is_ours = self._table.forget_blocks(id_, held.owner)
            plan = keep_plan(folder, execution.inputs, made) if held.is_ours else None
        return execution.outputs, plan

    def _do_blocks(self, held: _Held, task: Task, left: Mapping[int, Json], done: dict[int, Json]) -> None:
        """Do blocks and add what they gave to `done`, as long as the job shall go on."""
        id_, told, count = held.job.id, 0.0, len(left) + len(done)
        self._tell(held, len(done), count)
        blocks = self._cluster.run(task, left, name=held.name, is_wanted=lambda: self._goes_on(held))
        with closing(blocks):
            for number, result in blocks:
                done[number] = result
                held.is_fruitful = True
                if not self._surely(partial(self._table.remember, id_, held.owner, number, result)):
                    held.is_ours = False
                elif time.monotonic() >= told + TELL_S:
                    told = time.monotonic()
                    self._tell(held, len(done), count)

    def _tell(self, held: _Held, done: int, count: int) -> None:
        """Say how many blocks are done; what comes after them counts as one more."""
        progress, message = 100 * done // (count + 1), f"{done} of {count} blocks"
        self._surely(partial(self._table.tell, held.job.id, held.owner, progress=progress, message=message))

    def _goes_on(self, held: _Held) -> bool:
        return held.is_ours and not self._is_stopped.is_set() and self._clock() < held.until

    def _interrupted(self, held: _Held) -> "_Outcome":
        """Why a job does not go on."""
        if not held.is_ours:
            return None
        if self._is_stopped.is_set():
            return _Again(reason="whoever did it was stopped", wait_s=0.0, is_attempt=False)
        return JobFault(
            type=LimitExceeded.problem_type,
            title=LimitExceeded.problem_title,
            detail=f"it ran for longer than {self._timeout_s:g} s, which is how long a job may; ask for less",
            status=LimitExceeded.status,
        )

    def _end(self, held: _Held, outcome: "_Outcome") -> None:
        """Write down what came of an attempt, and remove what is not needed any more."""
        id_, owner, is_stored = held.job.id, held.owner, False
        match outcome:
            case None:
                is_ours, said = False, ""
            case _Again(reason=reason, wait_s=wait_s, is_attempt=is_attempt):
                said, message = f"is given back: {reason}", f"waits: {reason}"
                give_back = partial(self._table.release, message=message, wait_s=wait_s, is_attempt=is_attempt)
                is_ours = self._surely(partial(give_back, id_, owner))
            case JobFault(detail=detail):
                said = f"failed: {detail}"
                is_ours = self._surely(partial(self._table.fail, id_, owner, outcome))
            case _:
                said = "is done"
                is_ours = self._surely(partial(self._table.succeed, id_, owner, outcome))
                is_stored = is_ours and self._bucket is not None
        self._tidy(id_, is_stored=is_stored)
        if is_ours:
            self._surely(partial(self._table.say, id_, said))
            log.info("job %s %s", id_, said)

    def _tidy(self, id_: str, *, is_stored: bool) -> None:
        """Remove what nobody needs of a job that has ended, whoever ended it."""
        status = self._surely(partial(self._status, id_))
        if status == "successful" and is_stored:
            remove(self._folder / id_)
        elif status == "successful":
            clear(self._folder / id_)
        elif status in ENDED:
            remove_files(self._folder, id_, bucket=self._bucket)

    def _status(self, id_: str) -> Status:
        """How a job is; one that was forgotten counts as dismissed."""
        try:
            return self._table.job(id_).status
        except UnknownPath:
            return "dismissed"

    def _surely(self, ask: Callable[[], Answer]) -> Answer:
        """What the table answers, once it does: a database that is begun anew costs no blocks.

        Raises:
            SourceUnavailable: It was away for as long as a lease, or we are to stop.
        """
        until = time.monotonic() + LEASE_S
        while True:
            try:
                return ask()
            except SourceUnavailable:
                if time.monotonic() > until or self._is_stopped.wait(IDLE_S):
                    raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """Why a job has to be begun again."""

    reason: str
    wait_s: float
    """How long nobody shall begin it."""
    is_attempt: bool = True
    """Whether it counts as one."""


_Outcome = Mapping[str, Result] | JobFault | _Again | None
"""What comes of an attempt: results, why it failed, why it has to be begun again; nothing if it is no more ours."""


def _again(held: _Held, hindered: Hindered) -> _Again | JobFault:
    """What comes of an attempt that was hindered: another one, unless too many were in vain already."""
    if held.fruitless >= (MOST_DEADLY if hindered.is_deadly else MOST_FRUITLESS):
        return _given_up(held, hindered.fault)
    wait_s = min(MOST_AGAIN_S, AGAIN_S * 2 ** max(0, held.fruitless - 1))
    # Not all to the same moment: of blocks that were in the queue of one process when it died, only one has killed it.
    return _Again(reason=hindered.fault.detail, wait_s=random.uniform(wait_s / 2, wait_s))


def _hindrance(error: Hindered | ClusterLost | SourceUnavailable) -> Hindered:
    match error:
        case Hindered():
            return error
        case ClusterLost():
            return Hindered(fault_of(ServerBusy(str(error))))
        case SourceUnavailable():
            return Hindered(fault_of(error))


def _given_up(held: _Held, fault: JobFault) -> JobFault:
    return replace(fault, detail=f"{fault.detail}; it was begun {held.job.attempts} times")
