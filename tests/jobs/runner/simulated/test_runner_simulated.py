"""Minutes and hours of a runner, on a simulated clock and with a fake cluster."""

from types import SimpleNamespace

import pytest

from chronotile.core.errors import SourceUnavailable, StorageFull
from chronotile.core.model.job import Execution, Result
from chronotile.jobs.queue.attempts import MAX_FRUITLESS
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.faults import PlanNeeded, TemporaryFault, fault_of
from chronotile.jobs.queue.running_workers import GONE_S
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.runner import FORGET_S, HANG_S, HEARTBEAT_S, IDLE_S, LEASE_S, RENEW_S, JobRunner

ARCHIVE = SimpleNamespace(services=SimpleNamespace(revision="r", published_cubes=None), refresh=lambda **_: None)
"""An archive whose services are not used by plans of `steps`."""
STEP_S = 0.5


class FakeCluster:
    """Does a block of `steps` at a time; each takes `block_s`, if it is not to fail."""

    def __init__(self, simulation):
        self.simulation = simulation
        self.block_s = 1.0
        self.fail = lambda _number: None
        self.names = []
        self.begun = []

    def renew(self):
        """It is always there."""

    def run(self, task, blocks, *, name, is_active, report):
        self.names.append(name)
        for number in blocks:
            self.begun.append(number)
            end = self.simulation.now_s + self.block_s
            while self.simulation.now_s < end:
                if not is_active():
                    return
                self.simulation.sleep(min(STEP_S, self.block_s))
            self.fail(number)
            yield number, {"square": number * number}

    def finish(self, task, *, name, is_active, report):
        return {"sum": Result(value=1), "pieces": Result(value="")}


class Lost:
    """Error of blocks, a number of times, or only of the block `at`."""

    def __init__(self, words, *, times=1_000_000, at=None, kind=TemporaryFault):
        self.words, self.times, self.at, self.kind = words, times, at, kind

    def __call__(self, number):
        if self.times and self.at in {None, number}:
            self.times -= 1
            raise self.kind(fault_of(SourceUnavailable(self.words)))


@pytest.fixture
def cluster(simulation):
    return FakeCluster(simulation)


@pytest.fixture
def start(simulation, table, cluster, tmp_path, with_steps):
    """Return `start("one")`, which starts a process that does jobs."""

    def start_runner(process, *, on=cluster, of=table, timeout_s=1e6, kept_s=1e6):
        made = JobRunner(
            of,
            on,
            ARCHIVE,
            place=tmp_path,
            folder=tmp_path / "jobs",
            timeout_s=timeout_s,
            retention_s=kept_s,
            runtime=simulation.runtime(process),
        )
        simulation.start(process, made.run)
        return made

    return start_runner


def test_job_longer_than_its_lease_is_run_once_by_one_of_two_workers(submit, start, cluster, ended):
    cluster.block_s = 1.5 * LEASE_S
    id_ = submit(count=1)

    start("one")
    start("two")
    job = ended(id_)

    assert (job.status, job.attempts, cluster.begun) == ("successful", 1, [0])


def test_job_of_a_killed_worker_is_taken_over_when_its_lease_ends(submit, start, cluster, ended, simulation):
    cluster.block_s = 10.0
    id_ = submit(count=2)
    start("one")
    simulation.run(lambda: len(cluster.begun) == 2)

    simulation.kill("one")
    killed_at = simulation.now_s
    start("two")
    simulation.run(lambda: len(cluster.begun) == 3)
    waited_s = simulation.now_s - killed_at
    job = ended(id_)

    assert LEASE_S - RENEW_S - STEP_S <= waited_s <= LEASE_S + 2 * IDLE_S
    assert (job.status, job.attempts, cluster.begun[2:]) == ("successful", 2, [1])


def test_worker_exists_until_it_is_killed(start, table, simulation):
    start("one")
    simulation.pass_s(2 * GONE_S)
    before = table.heartbeat.has_workers()

    simulation.kill("one")
    simulation.pass_s(GONE_S + HEARTBEAT_S)

    assert before
    assert not table.heartbeat.has_workers()


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


def test_progress_is_reported(submit, start, cluster, table, simulation):
    id_ = submit(count=2)

    start("one")
    simulation.run(lambda: table.job(id_).message == "0 of 2 tasks")
    first = table.job(id_)
    simulation.run(lambda: table.job(id_).message == "1 of 2 tasks")

    assert (first.status, first.progress, table.job(id_).progress) == ("running", 0, 33)


def test_worker_exists_while_it_runs(start, table, simulation):
    runner = start("one")
    simulation.run(table.heartbeat.has_workers)

    runner.stop()
    simulation.run(lambda: not table.heartbeat.has_workers(), within_s=HEARTBEAT_S)


def test_a_job_that_runs_for_too_long_is_ended(submit, start, ended, cluster, tmp_path):
    cluster.block_s = 20.0
    id_ = submit()

    start("one", timeout_s=10.5)
    job = ended(id_)

    assert (job.status, job.fault.type, job.fault.status) == ("failed", "limit-exceeded", 400)
    assert job.fault.detail == "it exceeded the time limit of 10.5 s (CHRONOTILE_JOB_TIMEOUT_S); request less"
    assert not (tmp_path / "jobs" / id_).exists()


def test_refusal_of_the_plan_is_a_fault(table, start, ended):
    id_ = table.submit(Execution(process="echo", inputs={"number": 1000}), user=None, max_open=10).id

    start("one")
    job = ended(id_)

    assert (job.status, job.fault.status, job.fault.title) == ("failed", 400, "Bad Request")


def test_a_store_that_stays_away_fails_the_job_in_its_words(submit, start, ended, cluster, simulation, caplog):
    cluster.fail = Lost("the store is out of reach")
    id_ = submit(count=1)
    begun_at = simulation.now_s

    start("one")
    job = ended(id_)

    assert (job.status, job.fault.status) == ("failed", 503)
    assert job.fault.detail == "the store is out of reach; it was begun 10 times"
    simulation.run(lambda: [r.levelname for r in caplog.records if " failed: " in r.message] == ["ERROR"])
    assert len(cluster.begun) == MAX_FRUITLESS
    assert simulation.now_s - begun_at > 120  # 1 + 2 + 4 + 8 + 16 + 4 times 30 s at least


def test_a_store_that_is_back_costs_the_blocks_that_needed_it(submit, start, ended, cluster, table):
    cluster.fail = Lost("the store is out of reach", times=2, at=3)
    id_ = submit()

    start("one")
    job = ended(id_)

    assert (job.status, job.attempts, cluster.begun) == ("successful", 3, [0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9])
    assert "attempt 2: 7 of 10 tasks to do" in texts(table, id_)


def test_job_with_an_incomplete_plan_is_planned_and_run_again(submit, start, ended, cluster):
    cluster.fail = Lost("item a is encoded in another way", times=1, at=2, kind=PlanNeeded)
    id_ = submit(count=4)

    start("one")
    job = ended(id_)

    assert (job.status, job.attempts, cluster.begun) == ("successful", 1, [0, 1, 2, 0, 1, 2, 3])


def test_job_is_planned_again_for_each_new_missing_encoding(submit, start, ended, cluster, table):
    lacks = (
        PlanNeeded(fault_of(SourceUnavailable(f"item {number} is encoded in another way"))) for number in range(40)
    )

    def fail(number):
        lack = next(lacks, None) if number == 1 else None
        if lack is not None:
            raise lack

    cluster.fail = fail
    id_ = submit(count=3)

    start("one")
    job = ended(id_)

    assert (job.status, job.attempts) == ("successful", 1)
    assert cluster.begun == [0, 1] * 40 + [0, 1, 2]
    assert len(set(cluster.names)) == 41  # a later plan must not reuse tasks of a forgotten one
    assert "is planned again: item 39 is encoded in another way" in texts(table, id_)


def test_job_with_finished_blocks_is_not_planned_again_without_end(submit, start, ended, cluster):
    cluster.fail = Lost("item a is encoded in another way", at=2, kind=PlanNeeded)
    id_ = submit(count=4)

    start("one")
    job = ended(id_)

    assert (job.status, job.attempts) == ("failed", MAX_FRUITLESS)
    assert job.fault.detail.startswith("item a is encoded in another way; it was begun")


def test_job_that_kills_its_workers_is_abandoned(submit, start, ended, cluster, simulation):
    id_ = submit()
    for number in range(MAX_FRUITLESS):
        start(f"killed {number}")
        simulation.run(lambda so_many=number + 1: len(cluster.begun) == so_many)
        simulation.kill(f"killed {number}")

    start("last")
    job = ended(id_)

    assert (job.status, job.fault.detail) == ("failed", "its worker was killed; it was begun 11 times")


def test_stopped_worker_returns_its_jobs(submit, start, ended, cluster, table, simulation):
    id_ = submit()
    runner = start("one")
    simulation.run(lambda: len(table.finished_tasks(id_)) == 4)

    runner.stop()
    simulation.run(lambda: table.job(id_).status == "accepted", within_s=HANG_S)
    attempts = table.job(id_).attempts
    start("two")
    job = ended(id_)

    assert (attempts, job.status, len(cluster.begun)) == (0, "successful", 11)
    assert "attempt 1: 6 of 10 tasks to do" in texts(table, id_)
    assert len(set(cluster.names)) == 2  # blocks of a disconnected runner are not taken


def test_job_of_a_hanging_worker_is_returned_by_others(submit, start, cluster, table, simulation):
    cluster.fail = lambda _number: simulation.sleep(1000)
    id_ = submit()
    runner = start("one")
    simulation.run(lambda: cluster.begun)
    simulation.pass_s(2)

    runner.stop()
    simulation.run(lambda: table.job(id_).status == "accepted", within_s=2 * HANG_S)

    assert table.job(id_).message == "waits: its worker was stopped"


def test_old_jobs_expire(submit, start, ended, table, simulation, tmp_path):
    id_ = submit(count=1)
    start("one", kept_s=FORGET_S / 2)
    ended(id_)

    simulation.pass_s(10)
    is_kept = table.jobs()[1]
    simulation.now_s += FORGET_S
    simulation.pass_s(1)

    assert (is_kept, table.jobs()[1]) == (1, 0)
    assert not (tmp_path / "jobs" / id_).exists()


@pytest.mark.parametrize("lost", ["blocks.json", "inputs.json", "shared-*.json"])
def test_job_with_a_lost_plan_is_planned_and_run_again(submit, start, ended, table, simulation, tmp_path, lost):
    id_ = submit()
    runner = start("one")
    simulation.run(lambda: len(table.finished_tasks(id_)) == 4)
    runner.stop()
    simulation.run(lambda: table.job(id_).status == "accepted")
    for file in (tmp_path / "jobs" / id_).glob(lost):
        file.unlink()

    start("two")
    job = ended(id_)

    assert job.status == "successful"
    assert texts(table, id_).count("attempt 1: 10 of 10 tasks to do") == 2


@pytest.fixture
def failing_table(simulation, tmp_path, closed_at_end):
    """Return `failing_table("succeed", error)`: the table, with a method that raises an error the first time."""

    def make(method, error, *, is_done=False):
        class Failing(JobTable):
            pass

        left = [error]

        def fail(self, *given, **named):
            if left and not is_done:
                raise left.pop()
            answer = getattr(super(Failing, self), method)(*given, **named)
            if left:
                raise left.pop()
            return answer

        setattr(Failing, method, fail)
        return closed_at_end(Failing(open_engine(None, tmp_path / "jobs"), clock=simulation.clock, archive="a"))

    return make


@pytest.mark.parametrize(
    ("method", "says"), [("claim", "no job can be started"), ("list_ended_before", "expired jobs cannot be deleted")]
)
def test_runner_continues_after_unforeseen_errors(
    submit, start, ended, failing_table, table, simulation, caplog, method, says
):
    id_ = submit(count=1)

    start("one", of=failing_table(method, RuntimeError("a row that cannot be read")), kept_s=1)
    job = ended(id_)
    simulation.now_s += FORGET_S
    simulation.pass_s(1)

    assert (job.status, table.jobs()[1]) == ("successful", 0)
    assert says in caplog.messages


def test_end_with_a_lost_answer_is_reported(submit, start, table, failing_table, simulation):
    id_ = submit()

    start("one", of=failing_table("succeed", SourceUnavailable("the connection was lost"), is_done=True))
    simulation.run(lambda: "is done" in texts(table, id_))

    assert table.job(id_).status == "successful"


def test_end_that_cannot_be_stored_is_logged(submit, start, table, failing_table, simulation, caplog):
    id_ = submit()

    start("one", of=failing_table("succeed", StorageFull("there is no room left")))
    simulation.run(lambda: f"job {id_} stays leased until its lease expires: there is no room left" in caplog.messages)
    simulation.run(lambda: table.job(id_).status == "successful")  # by the next attempt

    assert [record for record in caplog.records if record.exc_info] == []
