"""Runs the jobs of the table, several in parallel, until it is stopped."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from chronotile.archive.live_archive import ItemAccess, LiveArchive
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
from chronotile.jobs.queue.attempts import (
    Attempt,
    AttemptOutcome,
    Declined,
    DeclinedJobs,
    Requeue,
    final_fault,
    new_worker_name,
    next_attempt,
)
from chronotile.jobs.queue.faults import (
    UNKNOWN,
    ClusterLost,
    JobFailed,
    NameUnknown,
    PlanNeeded,
    TemporaryFault,
    fault_of,
    is_foreseen,
)
from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles, clear, remove
from chronotile.jobs.queue.notifier import log_failures
from chronotile.jobs.queue.removal import forget_ended, remove_files
from chronotile.jobs.queue.result_bucket import Bucket
from chronotile.jobs.queue.runtime import SYSTEM, Runtime
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.tasks import (
    StoredPlan,
    TaskContext,
    current_services,
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
"""Jobs that share the cluster, so that a long job does not delay all later ones."""
LEASE_S = 30.0
HEARTBEAT_S = 10.0
"""Interval between heartbeats."""
RENEW_S = 2.0
"""Interval between renewals of leases; a renewal also shows whether the job was dismissed."""
IDLE_S = 0.5
LOST_S = 5.0
"""Wait before an unreachable cluster or table is tried again."""
FORGET_S = 3600.0
HANG_S = 5.0
"""Time that running jobs have to end after a stop is requested, before other threads return them to the queue."""
STOPPED = Requeue(reason="its worker was stopped", wait_s=0.0, is_attempt=False)
PROGRESS_S = 0.5
"""Minimum interval between reports of progress."""


class JobRunner:
    """Runs jobs.

    `run` claims jobs and runs each in a thread. Three further threads send heartbeats, renew leases and delete expired
    jobs. All writes to a job count only while this worker owns it, see `job_leases.py`.

    Args:
        table: Table of the jobs of one archive.
        cluster: Runs their tasks.
        archive: The archive of the jobs, for planning.
        place: Path of the configuration or data, as the cluster sees it.
        folder: Folder of all jobs, as the cluster sees it.
        timeout_s: Time limit of a job from its first start.
        retention_s: Time after which an ended job is deleted.
        bucket: Bucket of result files; `None` if they stay in the folder.
        items: Access of the cluster to collections of items.
        runtime: Clock, waiting and threads.
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
        self._declined = DeclinedJobs(runtime.clock)
        self._attempts: dict[str, Attempt] = {}
        """Attempts by owner, their unique name."""
        self._one_ended = Event()
        self._is_stopped = Event()

    def stop(self) -> None:
        """Start no further job and return running jobs to the queue; `run` then ends."""
        self._is_stopped.set()

    def run(self) -> None:
        """Run jobs until `stop`."""
        tasks = [self._send_heartbeats, self._renew_leases, self._delete_expired]
        with self._threads(AT_ONCE + len(tasks), "job") as pool:
            upkeep = [pool.submit(task) for task in tasks]
            try:
                while not self._is_stopped.is_set():
                    self._wait(self._is_stopped, self._begin_one(pool))
            finally:  # ends the other threads, which would run on without a thread that starts jobs
                self._is_stopped.set()
        for future in upkeep:
            future.result()

    def _begin_one(self, pool: Executor) -> float:
        """Start a job if one is due and a slot is free; return the seconds to wait before the next call."""
        self._one_ended.clear()
        if len(self._attempts) >= AT_ONCE:
            self._wait(self._one_ended, IDLE_S)
            return 0
        is_begun, owner = False, new_worker_name()
        try:
            self._cluster.renew()
            job = self._table.claim(owner, lease_s=LEASE_S, without=self._declined.list_ids())
            if job is None:
                return IDLE_S
            ran_s = job.updated - (job.started or job.updated)
            attempt = Attempt(job=job, owner=owner, until=self._clock() + self._timeout_s - ran_s)
            self._attempts[owner] = attempt
            pool.submit(self._run_job, attempt)
            is_begun = True
        except (ClusterLost, ChronotileError) as error:
            log.warning("no job can be started: %s", error)
            return LOST_S
        except Exception:  # for example from Dask when it drops a cluster: later jobs may start
            log.exception("no job can be started")
            return LOST_S
        finally:
            if not is_begun:
                self._attempts.pop(owner, None)
        return 0

    def _send_heartbeats(self) -> None:
        """Register this worker until `stop`, then remove it."""
        worker, heartbeat = new_worker_name(), self._table.heartbeat
        while True:
            with log_failures(log, "this worker cannot be registered"):
                heartbeat.report_alive(worker)
            if self._wait(self._is_stopped, HEARTBEAT_S):
                break
        with log_failures(log, "the end of this worker cannot be recorded"):
            heartbeat.report_end(worker)

    def _renew_leases(self) -> None:
        """Renew the leases of running jobs until `stop`, then release jobs that hang."""
        while not self._wait(self._is_stopped, RENEW_S):
            for attempt in list(self._attempts.values()):
                with log_failures(log, f"the lease of job {attempt.job.id} cannot be extended"):
                    attempt.is_ours = attempt.is_ours and self._table.renew(
                        attempt.job.id, attempt.owner, lease_s=LEASE_S
                    )
        self._release_hanging()

    def _release_hanging(self) -> None:
        """Release jobs that have not ended some seconds after `stop`, because a store they wait for may be frozen."""
        until = self._clock() + HANG_S
        while self._attempts and self._clock() < until:
            self._one_ended.clear()
            self._wait(self._one_ended, IDLE_S)
        for attempt in list(self._attempts.values()):
            with log_failures(log, f"job {attempt.job.id} cannot be returned to the queue"):
                self._release(attempt, STOPPED)

    def _delete_expired(self) -> None:
        """Delete expired jobs from time to time."""
        while True:
            with log_failures(log, "expired jobs cannot be deleted"):
                before = self._table.now() - self._retention_s
                forget_ended(self._table, self._folder, before=before, bucket=self._bucket)
            if self._wait(self._is_stopped, FORGET_S):
                return

    def _run_job(self, attempt: Attempt) -> None:
        """Run one attempt at a job. If its end cannot be written, the job is repeated when its lease expires."""
        id_ = attempt.job.id
        log.info("job %s (%s) starts, attempt %d", id_, attempt.job.process, attempt.job.attempts)
        try:
            with log_failures(log, f"job {id_} stays leased until its lease expires"):
                self._end(attempt, self._outcome(attempt))
        finally:
            del self._attempts[attempt.owner]
            self._one_ended.set()

    def _outcome(self, attempt: Attempt) -> AttemptOutcome:
        try:
            if attempt.has_failed_too_often:
                return final_fault(attempt, fault_of(ServerBusy("its worker was killed")))
            results = self._planned_results(attempt)
            return self._interruption(attempt) if results is None else results
        except (TemporaryFault, ClusterLost, SourceUnavailable) as error:
            return next_attempt(attempt, error)
        except (NameUnknown, *UNKNOWN) as error:
            return Declined(str(error))
        except JobFailed as failed:
            return failed.fault
        except Exception as error:  # a process may raise anything, which ends its job
            if not is_foreseen(error):
                log.exception("job %s fails", attempt.job.id)
            return fault_of(error)

    def _planned_results(self, attempt: Attempt) -> Mapping[str, Result] | None:
        """Run a job, and plan it again as long as each plan fails for a new reason; else see `_results`."""

        def run_once() -> Mapping[str, Result] | None:
            try:
                return self._results(attempt)
            except PlanNeeded:
                forget_plan(self._folder / attempt.job.id)
                attempt.is_fruitful = False
                attempt.is_ours = self._retry_table(
                    partial(self._table.replace_plan, attempt.job.id, attempt.owner, revision=None)
                )
                raise

        def log_reason(error: PlanNeeded) -> None:
            self._retry_table(
                partial(self._table.add_log_line, attempt.job.id, f"is planned again: {error.fault.detail}")
            )

        return retry_overtaken(run_once, PlanNeeded, log_reason)

    def _results(self, attempt: Attempt) -> Mapping[str, Result] | None:
        """Run the remaining tasks of a job; `None` if the job is no longer active."""
        job, folder, is_active = attempt.job, self._folder / attempt.job.id, partial(self._is_active, attempt)
        services = current_services(self._archive)
        outputs, plan = self._prepare_plan(attempt, services)
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
        remaining = {number: task for number, task in enumerate(plan.tasks) if number not in done}
        self._table.add_log_line(job.id, f"attempt {job.attempts}: {len(remaining)} of {len(plan.tasks)} tasks to do")
        self._do_tasks(attempt, context, remaining, done)
        if not is_active():
            return None
        store_task_results(folder, [done[number] for number in range(len(plan.tasks))])
        results = self._cluster.finish(
            context,
            name=f"{attempt.name}-{plan.id}",
            is_active=is_active,
            report=partial(self._report_progress, attempt, len(done), len(done)),
        )
        if results is None:
            return None
        requested = select_results(process, outputs, results)
        try:
            ResultFiles(folder / RESULTS, self._bucket, job.id).store(requested, is_active=is_active)
        except ClientGone:
            return None
        return requested

    def _prepare_plan(
        self, attempt: Attempt, services: Services
    ) -> tuple[Mapping[str, Json] | None, StoredPlan | None]:
        """Return the requested outputs and the plan; the plan is `None` if this worker lost the job.

        The inputs are dropped here: they may take hundreds of megabytes, and tasks read them from the folder of the
        job.
        """
        id_, folder = attempt.job.id, self._folder / attempt.job.id
        plan = stored_plan(folder)
        if plan is not None:  # inputs are needed for a new plan only
            return self._table.execution_without_inputs(id_).outputs, plan
        execution = self._table.execution(id_)
        new_plan = plan_execution(execution, services)
        # Before the plan is stored: results of tasks of another plan are useless, and its task numbers may be the same.
        attempt.is_ours = self._table.replace_plan(id_, attempt.owner, revision=new_plan.revision)
        if attempt.job.revision not in {None, new_plan.revision}:
            self._table.add_log_line(id_, "its data changed after it was submitted; it uses the current state")
        return execution.outputs, store_plan(folder, execution.inputs, new_plan) if attempt.is_ours else None

    def _do_tasks(
        self, attempt: Attempt, context: TaskContext, remaining: Mapping[int, Json], done: dict[int, Json]
    ) -> None:
        """Run tasks and add their results to `done` while the job is active."""
        id_, reported, count = attempt.job.id, 0.0, len(remaining) + len(done)
        self._report_progress(attempt, len(done), count)
        tasks = self._cluster.run(
            context,
            remaining,
            name=f"{attempt.name}-{context.plan}",
            is_active=partial(self._is_active, attempt),
            report=lambda hindered: self._report_progress(attempt, len(done), count, hindered),
        )
        with closing(tasks):
            for number, result in tasks:
                done[number] = result
                attempt.is_fruitful = True
                if not self._retry_table(partial(self._table.store_task_result, id_, attempt.owner, number, result)):
                    attempt.is_ours = False
                elif self._clock() >= reported + PROGRESS_S:
                    reported = self._clock()
                    self._report_progress(attempt, len(done), count)

    def _report_progress(self, attempt: Attempt, done: int, count: int, hindered: str = "") -> None:
        """Report the number of finished tasks and a hindrance of the others. Making the results counts as one task."""
        progress, message = 100 * done // (count + 1), f"{done} of {count} tasks"
        message = f"{message}; {hindered}" if hindered else message
        self._retry_table(
            partial(self._table.report_progress, attempt.job.id, attempt.owner, progress=progress, message=message)
        )

    def _is_active(self, attempt: Attempt) -> bool:
        return attempt.is_ours and not self._is_stopped.is_set() and self._clock() < attempt.until

    def _interruption(self, attempt: Attempt) -> AttemptOutcome:
        """Return the outcome of an attempt at a job that is no longer active."""
        if not attempt.is_ours:
            return None
        if self._is_stopped.is_set():
            return STOPPED
        return JobFault(
            type=LimitExceeded.problem_type,
            title=LimitExceeded.problem_title,
            detail=f"it exceeded the time limit of {self._timeout_s:g} s (CHRONOTILE_JOB_TIMEOUT_S); request less",
            status=LimitExceeded.status,
        )

    def _end(self, attempt: Attempt, outcome: AttemptOutcome) -> None:
        """Write the outcome of an attempt, and remove files that are not needed any more."""
        id_, owner, is_stored = attempt.job.id, attempt.owner, False
        match outcome:
            case None:
                is_ours, text = False, ""
            case Requeue(reason=reason):
                text = f"is returned to the queue: {reason}"
                is_ours = self._retry_table(partial(self._release, attempt, outcome))
            case Declined(reason=reason):
                text, is_ours = self._decline(attempt, reason), True
            case JobFault(detail=detail):
                text = f"failed: {detail}"
                is_ours = self._retry_table(partial(self._table.fail, id_, owner, outcome))
            case _:
                text = "is done"
                is_ours = self._retry_table(partial(self._table.succeed, id_, owner, outcome))
                is_stored = is_ours and self._bucket is not None
        self._tidy(id_, is_stored=is_stored)
        if is_ours and text:
            self._retry_table(partial(self._table.add_log_line, id_, text))
            log.log(logging.ERROR if isinstance(outcome, JobFault) else logging.INFO, "job %s %s", id_, text)
        elif not is_ours:
            log.info("job %s is abandoned: it was dismissed, or another worker has it", id_)

    def _release(self, attempt: Attempt, requeue: Requeue) -> bool:
        """Return a job to the queue; return whether this worker still owned it."""
        return self._table.release(
            attempt.job.id,
            attempt.owner,
            message=f"waits: {requeue.reason}",
            wait_s=requeue.wait_s,
            is_attempt=requeue.is_attempt,
        )

    def _decline(self, attempt: Attempt, reason: str) -> str:
        """Decline a job and return its log line; the line is empty if the reason is the same as before."""
        id_, message = attempt.job.id, f"waits for a worker whose configuration has its layers: {reason}"
        is_news = self._declined.add(id_, reason)
        self._retry_table(partial(self._table.decline, id_, attempt.owner, message=message))
        return f"is left to another worker: {reason}" if is_news else ""

    def _tidy(self, id_: str, *, is_stored: bool) -> None:
        """Remove the files that an ended job does not need, even if another OS process ended it."""
        status = self._retry_table(partial(self._status, id_))
        if status == "successful" and is_stored:
            remove(self._folder / id_)
        elif status == "successful":
            clear(self._folder / id_)
        elif status in ENDED:
            remove_files(self._folder, id_, bucket=self._bucket)

    def _status(self, id_: str) -> Status:
        """Return the status of a job; a deleted job counts as dismissed."""
        try:
            return self._table.job(id_).status
        except UnknownPath:
            return "dismissed"

    def _retry_table(self, query: Callable[[], Answer]) -> Answer:
        """Repeat a query until the database answers, so that a restart of the database costs no tasks.

        Raises:
            SourceUnavailable: It was unreachable for the time of a lease, or a stop is requested.
        """
        until = self._clock() + LEASE_S
        while True:
            try:
                return query()
            except SourceUnavailable:
                if self._clock() > until or self._wait(self._is_stopped, IDLE_S):
                    raise
