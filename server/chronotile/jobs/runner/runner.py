"""Does the jobs of the table, some at once, until it is stopped."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from chronotile.archive.live import ItemAccess, LiveArchive
from chronotile.core.errors import (
    ChronotileError,
    ClientGone,
    LimitExceeded,
    ServerBusy,
    SourceUnavailable,
    UnknownPath,
)
from chronotile.core.model.job import ENDED, JobFault, Result, Status
from chronotile.core.model.types import Json
from chronotile.jobs.processes.execute import plan_execution, select_results
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.queue.bucket import Bucket
from chronotile.jobs.queue.faults import (
    UNKNOWN,
    Again,
    AttemptOutcome,
    ClusterLost,
    Declined,
    DeclinedJobs,
    JobFailed,
    NameUnknown,
    OwnedJob,
    PlanNeeded,
    TemporaryFault,
    fault_of,
    final_fault,
    is_foreseen,
    new_worker_name,
    next_attempt,
)
from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles, clear, forget_ended, remove, remove_files
from chronotile.jobs.queue.notifier import SYSTEM, Runtime, log_failures
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.tasks import (
    StoredPlan,
    TaskContext,
    current,
    forget_plan,
    store_plan,
    store_task_results,
    stored_plan,
)
from chronotile.pipeline.retries import retry_overtaken
from chronotile.pipeline.services import Services

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

AT_ONCE = 4
"""Jobs that share the cluster, so that a long one does not hold up all that come after it."""
LEASE_S = 30.0
ATTEND_S = 10.0
"""How often the heartbeat is written."""
RENEW_S = 2.0
"""How often a job is held again; by then it is known too whether it was dismissed."""
IDLE_S = 0.5
LOST_S = 5.0
"""How long to wait before a cluster or a table that is not there is tried again."""
FORGET_S = 3600.0
HANG_S = 5.0
"""How long running jobs have to end after a stop is requested, before other threads return them to the queue."""
STOPPED = Again(reason="its worker was stopped", wait_s=0.0, is_attempt=False)
TELL_S = 0.5
"""How often progress is written, at most."""


class Runner:
    """Does jobs.

    Args:
        table: Where they are; those of one archive.
        cluster: Does their tasks.
        archive: What they are planned with, the one that `table` has the jobs of.
        place: Of the configuration or the data, as the cluster sees it.
        folder: Of all jobs, as the cluster sees it.
        timeout_s: How long a job may run from when it was first begun.
        retention_s: How long a job that has ended is stored.
        bucket: Of the files of results; otherwise they stay in the folder.
        items: How the cluster reads collections of items.
        runtime: The clock, and how to wait and to start threads.
    """

    def __init__(  # noqa: PLR0913 -- all it works with, most by name
        self,
        table: JobTable,
        cluster: Cluster,
        archive: LiveArchive,
        *,
        place: Path,
        folder: Path,
        timeout_s: float,
        retention_s: float,
        bucket: Bucket | None = None,
        items: ItemAccess | None = None,
        runtime: Runtime = SYSTEM,
    ) -> None:
        self._table = table
        self._cluster = cluster
        self._archive = archive
        self._place = str(place)
        self._folder = folder
        self._timeout_s = timeout_s
        self._retention_s = retention_s
        self._bucket = bucket
        self._items = items
        self._clock, self._wait, self._threads = runtime.clock, runtime.wait, runtime.threads
        self._left = DeclinedJobs(runtime.clock)
        self._held: dict[str, OwnedJob] = {}
        """By their owners."""
        self._one_ended = Event()
        self._is_stopped = Event()

    def stop(self) -> None:
        """Begin nothing any more, and give back what is being done; `run` returns then."""
        self._is_stopped.set()

    def run(self) -> None:
        """Do jobs until `stop`."""
        tasks = [self._attend, self._renew_leases, self._forget]
        with self._threads(AT_ONCE + len(tasks), "job") as pool:
            upkeep = [pool.submit(task) for task in tasks]
            try:
                while not self._is_stopped.is_set():
                    self._wait(self._is_stopped, self._begin_one(pool))
            finally:  # or else those would go on, and the pool with them, without anybody who begins jobs
                self._is_stopped.set()
        for each in upkeep:
            each.result()

    def _begin_one(self, pool: Executor) -> float:
        """Begin a job, if there is one and we may; return how long to wait before the next."""
        self._one_ended.clear()
        if len(self._held) >= AT_ONCE:
            self._wait(self._one_ended, IDLE_S)
            return 0
        is_begun, owner = False, new_worker_name()
        try:
            self._cluster.renew()
            job = self._table.claim(owner, lease_s=LEASE_S, without=self._left.now())
            if job is None:
                return IDLE_S
            ran_s = job.updated - (job.started or job.updated)
            held = OwnedJob(job=job, owner=owner, until=self._clock() + self._timeout_s - ran_s)
            self._held[owner] = held
            pool.submit(self._do, held)
            is_begun = True
        except (ClusterLost, ChronotileError) as error:
            log.warning("no job can be started: %s", error)
            return LOST_S
        except Exception:  # such as what Dask says when it lets go of a cluster: others may go on
            log.exception("no job can be started")
            return LOST_S
        finally:
            if not is_begun:
                self._held.pop(owner, None)
        return 0

    def _attend(self) -> None:
        """Say that we are there until `stop`, and then that we are not."""
        worker, heartbeat = new_worker_name(), self._table.heartbeat
        while True:
            with log_failures(log, "this worker cannot be registered"):
                heartbeat.report_alive(worker)
            if self._wait(self._is_stopped, ATTEND_S):
                break
        with log_failures(log, "the end of this worker cannot be recorded"):
            heartbeat.report_end(worker)

    def _renew_leases(self) -> None:
        """Hold what we do until `stop`, after which it is given back long before its lease is over."""
        while not self._wait(self._is_stopped, RENEW_S):
            for held in list(self._held.values()):
                with log_failures(log, f"the lease of job {held.job.id} cannot be extended"):
                    held.is_ours = held.is_ours and self._table.renew(held.job.id, held.owner, lease_s=LEASE_S)
        self._give_back_what_hangs()

    def _give_back_what_hangs(self) -> None:
        """Give back what has not ended some seconds after `stop`: a store that it waits for may be frozen."""
        until = self._clock() + HANG_S
        while self._held and self._clock() < until:
            self._one_ended.clear()
            self._wait(self._one_ended, IDLE_S)
        for held in list(self._held.values()):
            with log_failures(log, f"job {held.job.id} cannot be returned to the queue"):
                self._give_back(held, STOPPED)

    def _forget(self) -> None:
        """Forget now and then what ended long ago."""
        while True:
            with log_failures(log, "expired jobs cannot be deleted"):
                before = self._table.now() - self._retention_s
                forget_ended(self._table, self._folder, before=before, bucket=self._bucket)
            if self._wait(self._is_stopped, FORGET_S):
                return

    def _do(self, held: OwnedJob) -> None:
        """Do a job, as far as it goes. Where its end cannot be written, it is done again when its lease is over."""
        id_ = held.job.id
        log.info("job %s (%s) starts, attempt %d", id_, held.job.process, held.job.attempts)
        try:
            with log_failures(log, f"job {id_} stays leased until its lease expires"):
                self._end(held, self._outcome(held))
        finally:
            del self._held[held.owner]
            self._one_ended.set()

    def _outcome(self, held: OwnedJob) -> AttemptOutcome:
        try:
            if held.is_in_vain:
                return final_fault(held, fault_of(ServerBusy("its worker was killed")))
            results = self._planned_results(held)
            return self._interrupted(held) if results is None else results
        except (TemporaryFault, ClusterLost, SourceUnavailable) as error:
            return next_attempt(held, error)
        except (NameUnknown, *UNKNOWN) as error:
            return Declined(str(error))
        except JobFailed as failed:
            return failed.fault
        except Exception as error:  # a process may raise anything, and its job ends with that
            if not is_foreseen(error):
                log.exception("job %s fails", held.job.id)
            return fault_of(error)

    def _planned_results(self, held: OwnedJob) -> Mapping[str, Result] | None:
        """Do what is left of a job, by a new plan as long as what the last one lacked is news; else as `_results`."""

        def attempt() -> Mapping[str, Result] | None:
            try:
                return self._results(held)
            except PlanNeeded:
                forget_plan(self._folder / held.job.id)
                held.is_fruitful = False
                held.is_ours = self._surely(partial(self._table.replace_plan, held.job.id, held.owner, revision=None))
                raise

        def say_why(error: PlanNeeded) -> None:
            self._surely(partial(self._table.add_log_line, held.job.id, f"is planned again: {error.fault.detail}"))

        return retry_overtaken(attempt, PlanNeeded, say_why)

    def _results(self, held: OwnedJob) -> Mapping[str, Result] | None:
        """Do what is left of a job; `None` if it shall not go on."""
        job, folder, goes_on = held.job, self._folder / held.job.id, partial(self._goes_on, held)
        services = current(self._archive)
        outputs, plan = self._prepared(held, services)
        if plan is None:
            return None
        process = process_of(job.process)
        context = TaskContext(
            place=self._place,
            revision=services.revision,
            process=process.id,
            folder=str(folder),
            plan=plan.id,
            published_cubes=services.published_cubes,
            items=self._items,
        )
        done = self._table.finished_tasks(job.id)
        left = {number: task for number, task in enumerate(plan.tasks) if number not in done}
        self._table.add_log_line(job.id, f"attempt {job.attempts}: {len(left)} of {len(plan.tasks)} tasks to do")
        self._do_tasks(held, context, left, done)
        if not goes_on():
            return None
        store_task_results(folder, [done[number] for number in range(len(plan.tasks))])
        results = self._cluster.finish(
            context,
            name=f"{held.name}-{plan.id}",
            is_active=goes_on,
            tell=partial(self._tell, held, len(done), len(done)),
        )
        if results is None:
            return None
        requested = select_results(process, outputs, results)
        try:
            ResultFiles(folder / RESULTS, self._bucket, job.id).store(requested, is_active=goes_on)
        except ClientGone:
            return None
        return requested

    def _prepared(self, held: OwnedJob, services: Services) -> tuple[Mapping[str, Json] | None, StoredPlan | None]:
        """Return the requested outputs, and the plan; without one if the job is no more ours.

        Inputs are let go of here: those of a job may take hundreds of megabytes, and tasks read them from its folder.
        """
        id_, folder = held.job.id, self._folder / held.job.id
        plan = stored_plan(folder)
        if plan is not None:  # for which the inputs have served
            return self._table.execution_without_inputs(id_).outputs, plan
        execution = self._table.execution(id_)
        made = plan_execution(execution, services)
        # Before the plan is stored: what tasks of another gave is of no use, and its numbers may be among these.
        held.is_ours = self._table.replace_plan(id_, held.owner, revision=made.revision)
        if held.job.revision not in {None, made.revision}:
            self._table.add_log_line(id_, "its data changed after it was submitted; it uses the current state")
        return execution.outputs, store_plan(folder, execution.inputs, made) if held.is_ours else None

    def _do_tasks(self, held: OwnedJob, context: TaskContext, left: Mapping[int, Json], done: dict[int, Json]) -> None:
        """Do tasks and add what they gave to `done`, as long as the job shall go on."""
        id_, reported, count = held.job.id, 0.0, len(left) + len(done)
        self._tell(held, len(done), count)
        tasks = self._cluster.run(
            context,
            left,
            name=f"{held.name}-{context.plan}",
            is_active=partial(self._goes_on, held),
            tell=lambda hindered: self._tell(held, len(done), count, hindered),
        )
        with closing(tasks):
            for number, result in tasks:
                done[number] = result
                held.is_fruitful = True
                if not self._surely(partial(self._table.store_task_result, id_, held.owner, number, result)):
                    held.is_ours = False
                elif self._clock() >= reported + TELL_S:
                    reported = self._clock()
                    self._tell(held, len(done), count)

    def _tell(self, held: OwnedJob, done: int, count: int, hindered: str = "") -> None:
        """Say how many tasks are done, and what hinders the others; what comes after them counts as one more."""
        progress, message = 100 * done // (count + 1), f"{done} of {count} tasks"
        message = f"{message}; {hindered}" if hindered else message
        self._surely(partial(self._table.report_progress, held.job.id, held.owner, progress=progress, message=message))

    def _goes_on(self, held: OwnedJob) -> bool:
        return held.is_ours and not self._is_stopped.is_set() and self._clock() < held.until

    def _interrupted(self, held: OwnedJob) -> AttemptOutcome:
        """Why a job does not go on."""
        if not held.is_ours:
            return None
        if self._is_stopped.is_set():
            return STOPPED
        return JobFault(
            type=LimitExceeded.problem_type,
            title=LimitExceeded.problem_title,
            detail=f"it exceeded the time limit of {self._timeout_s:g} s (CHRONOTILE_JOB_TIMEOUT_S); request less",
            status=LimitExceeded.status,
        )

    def _end(self, held: OwnedJob, outcome: AttemptOutcome) -> None:
        """Write down what came of an attempt, and remove what is not needed any more."""
        id_, owner, is_stored = held.job.id, held.owner, False
        match outcome:
            case None:
                is_ours, said = False, ""
            case Again(reason=reason):
                said = f"is returned to the queue: {reason}"
                is_ours = self._surely(partial(self._give_back, held, outcome))
            case Declined(reason=reason):
                said, is_ours = self._leave(held, reason), True
            case JobFault(detail=detail):
                said = f"failed: {detail}"
                is_ours = self._surely(partial(self._table.fail, id_, owner, outcome))
            case _:
                said = "is done"
                is_ours = self._surely(partial(self._table.succeed, id_, owner, outcome))
                is_stored = is_ours and self._bucket is not None
        self._tidy(id_, is_stored=is_stored)
        if is_ours and said:
            self._surely(partial(self._table.add_log_line, id_, said))
            log.info("job %s %s", id_, said)
        elif not is_ours:
            log.info("job %s is abandoned: it was dismissed, or another worker has it", id_)

    def _give_back(self, held: OwnedJob, again: Again) -> bool:
        """Let another begin a job again; return whether it was still ours."""
        return self._table.release(
            held.job.id, held.owner, message=f"waits: {again.reason}", wait_s=again.wait_s, is_attempt=again.is_attempt
        )

    def _leave(self, held: OwnedJob, reason: str) -> str:
        """Leave a job to others, and return its log line, once as long as the reason is the same."""
        id_, message = held.job.id, f"waits for a worker whose configuration has its layers: {reason}"
        is_news = self._left.add(id_, reason)
        self._surely(partial(self._table.decline, id_, held.owner, message=message))
        return f"is left to another worker: {reason}" if is_news else ""

    def _tidy(self, id_: str, *, is_stored: bool) -> None:
        """Remove the files that an ended job does not need, even if another OS process ended it."""
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
        """What the table answers, once it does: a database that is begun again costs no tasks.

        Raises:
            SourceUnavailable: It was away for as long as a lease, or we are to stop.
        """
        until = self._clock() + LEASE_S
        while True:
            try:
                return ask()
            except SourceUnavailable:
                if self._clock() > until or self._wait(self._is_stopped, IDLE_S):
                    raise
