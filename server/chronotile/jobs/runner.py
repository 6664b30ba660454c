"""Does the jobs of the table, some at once, until it is told to stop."""

import logging
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chronotile.errors import ChronotileError, LimitExceeded, ServerBusy, SourceUnavailable, UnknownPath
from chronotile.jobs.blocks import (
    OpenArchive,
    Task,
    clear,
    keep_blocks,
    keep_done,
    keep_inputs,
    kept_blocks,
    make_folders,
    remove,
)
from chronotile.jobs.cluster import Cluster
from chronotile.jobs.execute import planned, wanted_results
from chronotile.jobs.faults import ClusterLost, JobFailed, fault_of, is_foreseen
from chronotile.jobs.job import Job, JobFault, Json, Result
from chronotile.jobs.processes import process_of
from chronotile.jobs.retention import forget_ended
from chronotile.jobs.table import JobTable

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Jobs that share the cluster, so that a long one does not hold up all that come after it."""
MOST_ATTEMPTS = 5
LEASE_S = 30.0
BEAT_S = 2.0
"""How often a job is held anew; by then it is known too whether it was dismissed."""
IDLE_S = 0.5
LOST_S = 5.0
"""How long to wait before a cluster or a table that is not there is tried again."""
AGAIN_S = 1.0
"""How long to wait before a job is given back after its first attempt; twice that after its second, and so on."""
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

    @property
    def name(self) -> str:
        """Of this attempt."""
        return f"{self.job.execution.process}-{self.job.id}-{self.job.attempts}"


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
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._cluster = cluster
        self._archive = archive
        self._place = str(place)
        self._folder = folder
        self._timeout_s = timeout_s
        self._kept_s = kept_s
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
        job, owner = None, f"{platform.node()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self._cluster.renew()
            job = self._table.claim(owner, lease_s=LEASE_S)
            if job is None:
                return IDLE_S
            held = _Held(job=job, owner=owner, until=(job.started or job.updated) + self._timeout_s)
            self._held[owner] = held
            pool.submit(self._do, held)
        except (ClusterLost, ChronotileError) as error:
            log.warning("no job can be begun: %s", error)
            return LOST_S
        finally:
            if job is None:
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
                forget_ended(self._table, self._folder, before=self._clock() - self._kept_s)
            except ChronotileError as error:
                log.warning("no jobs can be forgotten: %s", error)
            if self._is_stopped.wait(FORGET_S):
                return

    def _do(self, held: _Held) -> None:
        """Do a job, as far as it goes. Where its end cannot be written, it is done again when its lease is over."""
        id_ = held.job.id
        log.info("job %s (%s) begins, attempt %d", id_, held.job.execution.process, held.job.attempts)
        try:
            outcome = self._outcome(held)
            if isinstance(outcome, _Again):
                # What was away may be so for a while; who stops does not wait.
                self._is_stopped.wait(AGAIN_S * held.job.attempts)
            self._end(held, outcome)
        except Exception:
            log.exception("job %s is left until its lease is over", id_)
        finally:
            del self._held[held.owner]
            self._slots.release()

    def _outcome(self, held: _Held) -> "_Outcome":
        try:
            if held.job.attempts > MOST_ATTEMPTS:
                return _given_up(held, "whoever did it was killed")
            results = self._results(held)
            return self._interrupted(held) if results is None else results
        except (ClusterLost, SourceUnavailable) as error:  # what blocks meet is told as `JobFailed`
            log.warning("job %s: %s", held.job.id, error)
            return _Again(reason=str(error)) if held.job.attempts < MOST_ATTEMPTS else _given_up(held, str(error))
        except JobFailed as failed:
            return failed.fault
        except Exception as error:
            if not is_foreseen(error):
                log.exception("job %s fails", held.job.id)
            return fault_of(error)

    def _results(self, held: _Held) -> Mapping[str, Result] | None:
        """Do what is left of a job; `None` if it shall not go on."""
        job, folder = held.job, self._folder / held.job.id
        make_folders(folder)
        services = self._archive.services(self._place)
        blocks = kept_blocks(folder)
        if blocks is None:
            blocks = list(planned(job.execution, services).blocks)
            keep_inputs(folder, job.execution.inputs)
            keep_blocks(folder, blocks)
        process = process_of(job.execution.process)
        task = Task(place=self._place, revision=services.revision, process=process.id, folder=str(folder))
        done = self._table.finished_blocks(job.id)
        left = {number: block for number, block in enumerate(blocks) if number not in done}
        self._table.say(job.id, f"attempt {job.attempts}: {len(left)} of {len(blocks)} blocks to do")
        self._do_blocks(held, task, left, done)
        if not self._goes_on(held):
            return None
        keep_done(folder, [done[number] for number in range(len(blocks))])
        results = self._cluster.finish(task, name=held.name, is_wanted=lambda: self._goes_on(held))
        return None if results is None else wanted_results(process, job.execution, results)

    def _do_blocks(self, held: _Held, task: Task, left: Mapping[int, Json], done: dict[int, Json]) -> None:
        """Do blocks and add what they gave to `done`, as long as the job shall go on."""
        id_, told, count = held.job.id, 0.0, len(left) + len(done)
        blocks = self._cluster.run(task, left, name=held.name, is_wanted=lambda: self._goes_on(held))
        with closing(blocks):
            for number, result in blocks:
                done[number] = result
                if not self._table.remember(id_, held.owner, number, result):
                    held.is_ours = False
                elif time.monotonic() >= told + TELL_S:
                    told = time.monotonic()
                    progress, message = 100 * len(done) // (count + 1), f"{len(done)} of {count} blocks"
                    self._table.tell(id_, held.owner, progress=progress, message=message)

    def _goes_on(self, held: _Held) -> bool:
        return held.is_ours and not self._is_stopped.is_set() and self._clock() < held.until

    def _interrupted(self, held: _Held) -> "_Outcome":
        """Why a job does not go on."""
        if not held.is_ours:
            return None
        if self._is_stopped.is_set():
            return _Again(reason="whoever did it was stopped", is_attempt=False)
        return JobFault(
            type=LimitExceeded.problem_type,
            title=LimitExceeded.problem_title,
            detail=f"it ran for longer than {self._timeout_s:g} s, which is how long a job may; ask for less",
            status=LimitExceeded.status,
        )

    def _end(self, held: _Held, outcome: "_Outcome") -> None:
        """Write down what came of an attempt, and remove what is not needed any more."""
        id_, owner, folder = held.job.id, held.owner, self._folder / held.job.id
        match outcome:
            case None:
                is_ours = False
            case _Again(reason=reason, is_attempt=is_attempt):
                is_ours = self._table.release(id_, owner, message=f"waits: {reason}", is_attempt=is_attempt)
                said = f"is given back: {reason}"
            case JobFault(detail=detail):
                is_ours = self._table.fail(id_, owner, outcome)
                said = f"failed: {detail}"
                if is_ours:
                    remove(folder)
            case _:
                is_ours = self._table.succeed(id_, owner, outcome)
                said = "is done"
                if is_ours:
                    clear(folder)
        if is_ours:
            self._table.say(id_, said)
            log.info("job %s %s", id_, said)
        elif self._is_dismissed(id_):
            remove(folder)
            log.info("job %s was dismissed", id_)

    def _is_dismissed(self, id_: str) -> bool:
        """Whether a job that is not ours any more was not taken over by another."""
        try:
            return self._table.job(id_).status == "dismissed"
        except UnknownPath:
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """Why a job has to be begun again."""

    reason: str
    is_attempt: bool = True
    """Whether it counts as one."""


_Outcome = Mapping[str, Result] | JobFault | _Again | None
"""What comes of an attempt: results, why it failed, why it has to be begun again; nothing if it is no more ours."""


def _given_up(held: _Held, reason: str) -> JobFault:
    return fault_of(ServerBusy(f"{reason}; it was begun {held.job.attempts} times"))
