"""Tasks on a fake Dask cluster on a simulated clock; the tasks are real."""

import pytest

from chronotile.jobs.processes.process import JobPlan
from chronotile.jobs.queue.attempts import MAX_DEADLY
from chronotile.jobs.queue.faults import ClusterLost, TemporaryFault
from chronotile.jobs.runner.cluster import AHEAD, ANSWER_S, COLLECT_S, LOOK_S, NO_PROCESSES, PROCESSES_S, RETRIES
from chronotile.jobs.runner.connection import Connection
from chronotile.jobs.runner.tasks import TaskContext, store_plan, store_task_results
from tests.jobs.runner.conftest import SQUARES_OF_TEN

WORKERS = 2
DEADLY = "the worker processes of the cluster die while they run the job's tasks"


class Run:
    """Events of a job's tasks in one of our threads."""

    def __init__(self, simulation, cluster, context, count):
        self.tasks = {number: {"number": number} for number in range(count)}
        self.context = context
        self.is_active = True
        self.told = []
        self.results = []
        self._simulation = simulation
        self._cluster = cluster
        self._how = {"name": context.folder, "is_active": lambda: self.is_active, "report": self.told.append}
        self.future = None

    def start(self):
        """Begin to do the tasks."""
        self.future = self._simulation.start("one", self._run)
        return self

    def end(self):
        """Return the results by number, at the end; raise the error of the cluster."""
        self._simulation.run(self.future.done)
        self.future.result()
        return dict(self.results)

    def finish(self):
        """Begin to make the results of the job."""
        work = lambda: self.results.append(self._cluster.finish(self.context, **self._how))  # noqa: E731
        self.future = self._simulation.start("one", work)

    def _run(self):
        for each in self._cluster.run(self.context, self.tasks, **self._how):
            self.results.append(each)


@pytest.fixture
def job(dask_cluster, simulation, with_steps, data, gates, tmp_path):
    """Return `job(10, …)`: a number of tasks of `steps` that do not wait."""
    made = []

    def make(count, **inputs):
        folder = tmp_path / f"job-{len(made)}"
        inputs = {"count": count, "open": count, "gates": str(gates), **inputs}
        tasks = [{"number": number} for number in range(count)]
        plan = store_plan(folder, inputs, JobPlan(tasks=tasks, seconds=0, held_bytes=0, shared={"word": "none"}))
        context = TaskContext(place=str(data), revision="", process="steps", folder=str(folder), plan=plan.id)
        made.append(Run(simulation, dask_cluster, context, count))
        return made[-1]

    return make


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


def test_each_task_gives_its_result(job, dask, simulation):
    begun_s = simulation.now_s

    results = job(10).start().end()

    assert results == {number: {"square": number * number} for number in range(10)}
    assert len(dask.begun) == 10
    assert simulation.now_s - begun_s == pytest.approx(10 / WORKERS * dask.takes_s, abs=LOOK_S)


def test_only_a_few_tasks_are_submitted_ahead(job, dask, simulation):
    most = []
    run = job(10)
    dask.is_deadly = lambda _task: most.append(sum(each.status == "pending" for each in dask.tasks.values()))

    run.start().end()

    assert max(most) == AHEAD * WORKERS


def test_task_of_a_small_job_starts_before_those_submitted_ahead_by_a_large_one(job, dask, simulation):
    large, small = job(10).start(), job(1)
    simulation.run(lambda: len(dask.tasks) == AHEAD * WORKERS)

    small.start()
    large.end()

    assert [each.startswith(small.context.folder) for each in dask.begun].index(True) < AHEAD * WORKERS


def test_unneeded_tasks_are_cancelled(job, dask, simulation):
    run = job(10).start()
    simulation.run(lambda: len(run.results) == 2)

    run.is_active = False
    run.end()
    simulation.pass_s(10)

    assert len(dask.begun) <= 2 + WORKERS
    assert not any(each.status == "pending" for each in dask.tasks.values())


def test_a_task_that_fails_is_tried_again_and_put_aside_until_the_others_are_done(job, dask):
    run = job(10, at=3, act="lose").start()

    with pytest.raises(TemporaryFault) as hindered:
        run.end()

    assert hindered.value.fault.detail == "the store is out of reach"
    assert not hindered.value.is_deadly
    assert sorted(number for number, _result in run.results) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert len(dask.begun) == 10 + RETRIES


def test_task_with_a_temporary_failure_succeeds(job, dask, simulation, gates):
    run = job(4, at=3, act="lose").start()
    simulation.run(lambda: len(run.results) == 3)
    (gates / "back").touch()

    assert len(run.end()) == 4


def test_unavailable_store_is_not_tried_for_each_task(job, dask):
    run = job(100, at="all", act="lose").start()

    with pytest.raises(TemporaryFault, match="the store is out of reach"):
        run.end()

    assert len(set(dask.begun)) < 10


@pytest.mark.parametrize(
    ("act", "error"), [("break", "ZeroDivisionError"), ("break empty", "Empty"), ("fill", "JobFailed")]
)
def test_an_error_of_a_task_ends_the_others(job, dask, simulation, act, error):
    run = job(20, at=3, act=act).start()

    with pytest.raises(Exception, match=r"secret|no room") as raised:
        run.end()
    simulation.pass_s(10)

    assert type(raised.value).__name__ == error
    assert len(set(dask.begun)) < 20
    assert not any(each.status == "pending" for each in dask.tasks.values())


def test_a_task_whose_worker_dies_is_done_by_another(job, dask):
    left = [True]
    dask.is_deadly = lambda task: task.key.endswith("-3") and left and left.pop()

    results = job(10).start().end()

    assert len(results) == 10
    assert len(dask.begun) == 11


def test_a_task_that_workers_die_of_is_a_deadly_fault(job, dask):
    dask.is_deadly = lambda task: task.key.endswith("-3")
    run = job(4).start()

    with pytest.raises(TemporaryFault) as hindered:
        run.end()

    assert (hindered.value.fault.detail, hindered.value.is_deadly) == (DEADLY, True)
    assert len(run.results) == 3
    assert len(dask.begun) == 3 + 1 + dask.allowed_failures


def test_task_of_a_replaced_plan_leaves_no_partial_results(job, gates, tmp_path):
    run, blocks = job(2), [{"number": 0}, {"number": 1}]
    run.tasks = {0: blocks[0]}
    run.start().end()
    inputs = {"count": 2, "open": 2, "gates": str(gates)}
    store_plan(tmp_path / "job-0", inputs, JobPlan(tasks=blocks, seconds=0, held_bytes=0, shared={"word": "anew"}))

    run.tasks = {1: blocks[1]}
    run.start()

    with pytest.raises(FileNotFoundError):
        run.end()
    assert [path for path in (tmp_path / "job-0" / "pieces").rglob("*") if path.is_file()] == []


@pytest.fixture
def lost_result(job, dask, simulation):
    """Return a job with one task, whose worker is frozen when it has done it."""
    run = job(1).start()
    simulation.run(lambda: dask.begun)
    (worker,) = [each.worker for each in dask.tasks.values()]
    worker.is_frozen = True
    simulation.pass_s(dask.takes_s + 2 * COLLECT_S)
    assert run.results == []
    return run, worker


def test_a_result_that_is_lost_with_its_worker_is_made_again(lost_result, dask):
    run, worker = lost_result

    dask.kill(worker)

    assert run.end() == {0: {"square": 0}}
    assert len(dask.begun) == 2


def test_a_result_that_is_lost_with_its_worker_may_be_deadly_to_make_again(lost_result, dask):
    run, worker = lost_result
    dask.is_deadly = lambda _task: True

    dask.kill(worker)

    with pytest.raises(TemporaryFault) as hindered:
        run.end()
    assert hindered.value.is_deadly


def test_unneeded_task_does_not_wait_for_a_frozen_worker(lost_result, simulation):
    run, _worker = lost_result
    unwanted_s = simulation.now_s

    run.is_active = False

    assert run.end() == {}
    assert simulation.now_s - unwanted_s <= COLLECT_S


def test_a_scheduler_that_is_lost_ends_the_tasks(job, dask, simulation):
    run = job(10).start()
    simulation.run(lambda: len(run.results) == 2)

    dask.die()

    with pytest.raises(ClusterLost, match="the Dask cluster was lost"):
        run.end()


def test_scheduler_lost_before_the_result_ends_the_tasks(lost_result, dask, simulation):
    run, _worker = lost_result
    lost_s = simulation.now_s

    dask.die()

    with pytest.raises(ClusterLost, match="the Dask cluster was lost"):
        run.end()
    assert simulation.now_s - lost_s <= COLLECT_S


def test_cluster_closed_before_the_result_ends_the_tasks(lost_result, dask_cluster, simulation):
    run, _worker = lost_result
    closed_s = simulation.now_s

    dask_cluster.__exit__(None, None, None)

    with pytest.raises(ClusterLost, match="the Dask cluster was lost"):
        run.end()
    assert simulation.now_s - closed_s <= COLLECT_S


def test_cluster_closed_during_the_tasks_ends_them(job, dask_cluster, simulation):
    run = job(10).start()
    simulation.run(lambda: len(run.results) == 2)

    dask_cluster.__exit__(None, None, None)

    with pytest.raises(ClusterLost, match="the Dask cluster was lost"):
        run.end()
    with pytest.raises(ClusterLost, match="the Dask cluster was lost"):
        job(1).start().end()


def test_a_cluster_that_was_lost_is_connected_to_again(job, dask, dask_cluster, simulation):
    dask.die()
    with pytest.raises(ClusterLost, match="no scheduler answers"):
        dask_cluster.renew()
    dask.come_back()

    dask_cluster.renew()

    assert len(job(2).start().end()) == 2


def test_frozen_scheduler_is_abandoned_for_a_while(dask, dask_cluster, simulation):
    dask.is_frozen = True
    began_s = simulation.now_s
    future = simulation.start("one", dask_cluster.renew)

    simulation.run(future.done)

    assert isinstance(future.exception(), ClusterLost)
    assert simulation.now_s - began_s == ANSWER_S
    assert len(dask.clients) == 1


def test_a_scheduler_that_is_frozen_for_a_while_costs_nothing(job, dask, simulation):
    dask.takes_s = 2 * ANSWER_S
    run = job(4).start()
    simulation.run(lambda: len(dask.begun) == WORKERS)
    dask.is_frozen = True
    simulation.pass_s(ANSWER_S + PROCESSES_S)
    dask.is_frozen = False

    assert len(run.end()) == 4


def test_cluster_without_workers_is_reported_until_one_joins(job, dask, simulation):
    for each in list(dask.workers):
        dask.end(each)
    run = job(10).start()
    simulation.pass_s(10 * PROCESSES_S)
    assert (run.told, dask.begun) == ([NO_PROCESSES], [])

    dask.takes_s = 2 * PROCESSES_S
    dask.add_worker()

    assert len(run.end()) == 10
    assert run.told == [NO_PROCESSES, ""]


def test_results_of_a_job_are_made_from_those_of_its_tasks(job, tmp_path):
    run = job(4)
    done = run.start().end()
    store_task_results(tmp_path / "job-0", [done[number] for number in range(4)])
    run.results.clear()

    run.finish()
    run._simulation.run(run.future.done)

    (results,) = run.results
    assert results["sum"].value == 1 + 4 + 9
    assert (tmp_path / "job-0" / "results" / "pieces.txt").read_text() == "0 1 2 3"


def test_unneeded_results_are_not_awaited(job, dask, simulation):
    run = job(4)
    run.finish()
    simulation.run(lambda: dask.begun)

    run.is_active = False
    simulation.run(run.future.done)

    assert run.results == [None]
    assert dask.tasks == {}


def test_job_continues_with_other_nannies_after_all_ended(job, dask, simulation):
    for worker in list(dask.workers):
        dask.give_up(worker)

    assert len(job(4).start().end()) == 4
    assert len(dask.processes.workers) == WORKERS


@pytest.mark.parametrize(
    ("states", "replaced"),
    [
        (("running", "running"), set()),
        (("closed", "running"), {0}),
        (("running", "failed"), {1}),
        (("running",), {1}),
        (("init", "closing"), set()),
    ],
)
def test_nannies_that_gave_up_are_replaced(dask, states, replaced):
    from tests.jobs.runner.simulated.fake_dask import FakeProcesses

    processes = FakeProcesses(states, start=lambda: None)
    before = dict(processes.workers)

    Connection(None, processes, count=2, close=lambda: None).replace_dead()

    assert {name for name, each in processes.workers.items() if each is not before.get(name)} == replaced
    assert len(processes.workers) == 2


def test_a_job_is_done_with_its_results_in_files(submit, doing, ended, tmp_path):
    id_ = submit()

    doing()
    job = ended(id_)

    assert (job.status, job.progress, job.attempts) == ("successful", 100, 1)
    assert job.results["sum"].value == SQUARES_OF_TEN
    assert (tmp_path / "jobs" / id_ / "results" / "pieces.txt").read_text() == "0 1 2 3 4 5 6 7 8 9"


def test_twenty_jobs_end_once_each(submit, doing, ended, table):
    ids = [submit(count=3) for _ in range(20)]

    doing()
    jobs = [ended(id_) for id_ in ids]

    assert {(job.status, job.results["sum"].value, job.attempts) for job in jobs} == {("successful", 5, 1)}
    assert {tuple(texts(table, id_)) for id_ in ids} == {("attempt 1: 3 of 3 tasks to do", "is done")}


def test_job_with_a_killed_scheduler_continues_with_another(submit, doing, ended, dask, table, simulation):
    id_ = submit()
    doing()
    simulation.run(lambda: len(table.finished_tasks(id_)) == 4)

    dask.die()
    simulation.run(lambda: table.job(id_).message == "waits: the Dask cluster was lost")
    dask.come_back()
    job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 6 of 10 tasks to do" in texts(table, id_)


def test_a_job_that_workers_die_of_fails_and_no_other(submit, doing, ended, dask, table):
    id_, others = submit(count=4), [submit() for _ in range(3)]
    dask.is_deadly = lambda task: id_ in task.key and task.key.endswith("-3")

    doing()
    job = ended(id_)

    assert {ended(other).results["sum"].value for other in others} == {SQUARES_OF_TEN}
    assert (job.status, job.attempts, job.fault.status) == ("failed", MAX_DEADLY + 1, 503)
    assert job.fault.detail == f"{DEADLY}; it was begun {MAX_DEADLY + 1} times"
    assert "attempt 2: 1 of 4 tasks to do" in texts(table, id_)


FULL = "there is no room to write what the job makes; request less, or try later"


@pytest.mark.parametrize(
    ("act", "status", "detail"),
    [
        pytest.param("fill", 503, FULL, id="disk full"),
        pytest.param("break", 500, "unexpected error; see the log", id="unforeseen"),
    ],
)
def test_a_task_that_fails_ends_its_job_and_no_other(submit, doing, ended, act, status, detail):
    failing, other = submit(at=3, act=act), submit()

    doing()
    job = ended(failing)

    assert ended(other).status == "successful"
    assert (job.status, job.fault.status, job.fault.detail) == ("failed", status, detail)


def test_temporarily_unavailable_store_costs_only_the_tasks_that_need_it(
    submit, doing, ended, table, simulation, gates
):
    id_ = submit(at=3, act="lose")

    doing()
    simulation.run(lambda: table.job(id_).message == "waits: the store is out of reach")
    (gates / "back").touch()
    job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 1 of 10 tasks to do" in texts(table, id_)


def test_job_with_lost_partial_results_is_planned_and_run_again(
    submit, doing, ended, table, simulation, gates, notes, tmp_path
):
    id_ = submit(open=4)
    doing()
    simulation.run(lambda: len(table.finished_tasks(id_)) == 4)

    (gates / "word").write_text("anew")
    (tmp_path / "jobs" / id_ / "pieces").rename(tmp_path / "lost")
    simulation.run(lambda: table.job(id_).message == "waits: files of the job are gone")
    (gates / "open").touch()
    job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 10 of 10 tasks to do" in texts(table, id_)
    assert (tmp_path / "jobs" / id_ / "results" / "pieces.txt").read_text() == "0 1 2 3 4 5 6 7 8 9"
    assert {number: word for number, word in notes("told") if word == "anew"} == {
        str(number): "anew" for number in range(10)
    }


@pytest.mark.parametrize("lost", ["", "pieces/*/3"], ids=["folder", "one partial result"])
def test_job_with_lost_files_before_its_end_is_run_again(submit, doing, ended, dask, table, simulation, tmp_path, lost):
    id_ = submit()
    doing()
    simulation.run(lambda: any(each.endswith("-end") for each in dask.begun))

    folder = tmp_path / "jobs" / id_
    next(folder.glob(lost) if lost else iter([folder])).rename(tmp_path / "lost")
    job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 10 of 10 tasks to do" in texts(table, id_)


def test_a_job_that_is_dismissed_leaves_nothing(submit, doing, dask, table, simulation, tmp_path):
    id_ = submit()
    doing()
    simulation.run(lambda: len(table.finished_tasks(id_)) == 4)

    table.dismiss(id_)
    simulation.run(lambda: not (tmp_path / "jobs" / id_).exists())
    begun = len(dask.begun)
    simulation.pass_s(10)

    assert (table.job(id_).status, len(dask.begun)) == ("dismissed", begun)
