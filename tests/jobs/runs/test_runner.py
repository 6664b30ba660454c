"""Jobs are done by real processes, whatever is killed, and each ends once."""

import gc
import os
import signal

import pytest

from chronotile.jobs.cluster import AHEAD, MOST_ASIDE, Cluster
from chronotile.jobs.tasks import TaskContext, store_plan
from chronotile.processes.process import JobPlan
from chronotile.queue.database import open_engine
from chronotile.queue.faults import TemporaryFault
from chronotile.queue.table import JobTable
from tests.jobs.runs.conftest import SQUARES_OF_TEN
from tests.running import PATIENCE_S, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def no_words(_hindrance: str) -> None:
    """Nothing is done with what a cluster tells."""


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


def test_blocks_and_their_end_make_the_results(submit, running, ended, tmp_path):
    id_ = submit()

    with running():
        job = ended(id_)

    assert (job.status, job.progress, job.attempts) == ("successful", 100, 1)
    assert job.results["sum"].value == SQUARES_OF_TEN
    assert (tmp_path / "jobs" / id_ / "results" / "pieces.txt").read_text() == "0 1 2 3 4 5 6 7 8 9"
    until(lambda: [path.name for path in (tmp_path / "jobs" / id_).iterdir()] == ["results"])


def test_twenty_jobs_end_once_each(submit, running, ended, table):
    ids = [submit(count=3) for _ in range(20)]

    with running():
        jobs = [ended(id_) for id_ in ids]

    assert {(job.status, job.results["sum"].value, job.attempts) for job in jobs} == {("successful", 5, 1)}
    assert {tuple(texts(table, id_)) for id_ in ids} == {("attempt 1: 3 of 3 tasks to do", "is done")}


@pytest.fixture
def given_out(cluster):
    """`given_out(id)`: how many blocks of a job the cluster has."""

    def keys(dask_scheduler):
        return list(dask_scheduler.tasks)

    return lambda id_: sum(id_ in key for key in cluster._client.run_on_scheduler(keys))


@pytest.fixture
def let_through(notes, gates):
    """`let_through(3)`: so many blocks end, each when another is begun, however slow the process that does it is."""

    def let(count):
        for at in range(count):
            until(lambda so_many=at + 2: len(notes("began")) >= so_many)
            number, _pid, job = notes("began")[at]
            (gates / f"{job}-{number}").touch()

    return let


def test_a_small_job_does_not_wait_for_all_that_large_ones_have_given_out(
    submit, running, ended, notes, gates, both_there, given_out, let_through
):
    large = [submit(open=0) for _ in range(3)]

    with running():
        until(lambda: [given_out(id_) for id_ in large] == [AHEAD * 2] * 3)
        small = submit(count=1, open=0)
        until(lambda: given_out(small))
        let_through(8)
        (gates / "open").touch()
        for id_ in large:
            ended(id_)

    began = [job for _number, _pid, job in notes("began")]
    assert began.index(small) < 8  # of twelve blocks that were given out before


def test_a_job_that_is_dismissed_stops_its_blocks_and_leaves_nothing(
    submit, running, table, notes, tmp_path, caplog, both_there
):
    caplog.set_level("INFO")
    id_ = submit(open=0)

    with running():
        until(lambda: len(notes("began")) == 2)
        table.dismiss(id_)
        until(lambda: {number for number, *_ in notes("began")} == {number for number, _pid, _job in notes("left")})
        until(lambda: not (tmp_path / "jobs" / id_).exists())

    assert table.job(id_).status == "dismissed"
    assert not table.finished_tasks(id_)
    assert f"job {id_} is left: it was dismissed, or another worker has it" in caplog.messages


FULL = "there is no room to write what the job makes; ask for less, or later"


@pytest.mark.parametrize(
    ("act", "status", "detail"),
    [
        pytest.param("fill", 503, FULL, id="disk full"),
        pytest.param("break", 500, "something failed that nobody foresaw; the log has it", id="unforeseen"),
    ],
)
def test_a_block_that_fails_ends_its_job_and_no_other(submit, running, ended, act, status, detail):
    failing, other = submit(at=3, act=act), submit()

    with running():
        job = ended(failing)
        assert ended(other).status == "successful"

    assert (job.status, job.fault.status, job.fault.detail) == ("failed", status, detail)


def test_a_process_of_the_cluster_that_is_killed_costs_the_block_it_did(submit, running, ended, notes, table):
    id_ = submit(at=3, act="die once")

    with running():
        job = ended(id_)

    assert (job.status, job.attempts) == ("successful", 1)
    assert [number for number, *_ in notes("began")].count("3") == 2


def test_a_block_that_kills_whoever_does_it_fails_its_job_and_no_other(submit, running, ended, table):
    id_, others = submit(count=4, at=3, act="die"), [submit(pause_s=0.1) for _ in range(3)]

    with running():
        until(lambda: table.job(id_).attempts >= 2)
        until(lambda: table.job(id_).attempts >= 4)
        job = ended(id_)
        assert {ended(other).results["sum"].value for other in others} == {SQUARES_OF_TEN}

    assert (job.status, job.attempts, job.fault.status) == ("failed", 4, 503)
    assert job.fault.detail == "the processes of the cluster die of what they are asked to do; it was begun 4 times"
    assert "attempt 2: 1 of 4 tasks to do" in texts(table, id_)


@pytest.fixture
def second_block(cluster, data, gates, tmp_path):
    """`second_block(…)`: a task and its second block, before which the first was done.

    So there are processes, whatever those before have died of, and nobody need look whether there are.
    """

    def make(**inputs):
        inputs = {"count": 2, "open": 2, "gates": str(gates), **inputs}
        blocks = [{"number": number} for number in range(2)]
        kept = store_plan(tmp_path / "job", inputs, JobPlan(tasks=blocks, seconds=0, shared={"word": "none"}))
        task = TaskContext(place=str(data), revision="", process="steps", folder=str(tmp_path / "job"), plan=kept.id)
        assert list(cluster.run(task, {0: blocks[0]}, name="first", is_wanted=lambda: True, tell=no_words)) == [
            (0, {"square": 0})
        ]
        return task, {1: blocks[1]}

    return make


def test_a_block_of_a_plan_that_was_made_anew_leaves_nothing_among_the_pieces_of_the_other(
    cluster, second_block, gates, tmp_path
):
    task, blocks = second_block()
    inputs = {"count": 2, "open": 2, "gates": str(gates)}
    store_plan(tmp_path / "job", inputs, JobPlan(tasks=list(blocks.values()), seconds=0, shared={"word": "anew"}))

    with pytest.raises(FileNotFoundError):
        list(cluster.run(task, blocks, name="old", is_wanted=lambda: True, tell=no_words))

    assert [path for path in (tmp_path / "job" / "pieces").rglob("*") if path.is_file()] == []


def test_a_result_that_is_lost_with_who_had_it_may_be_deadly_to_make_again(cluster, second_block, notes, tmp_path):
    task, blocks = second_block(at=1, act="die again")
    killed = []

    def is_wanted():
        until((tmp_path / "job" / "pieces" / task.plan / "1").exists)
        if not killed:
            killed.append(int(notes("began")[1][1]))
            os.kill(killed[0], signal.SIGKILL)
        return True

    with pytest.raises(TemporaryFault) as hindered:
        list(cluster.run(task, blocks, name="lost", is_wanted=is_wanted, tell=no_words))

    assert hindered.value.is_deadly


def test_what_is_no_more_wanted_does_not_wait_for_a_process_that_is_frozen(
    cluster, second_block, notes, tmp_path, monkeypatch
):
    monkeypatch.setattr("chronotile.jobs.cluster.COLLECT_S", 0.1)
    task, blocks = second_block()
    frozen = []

    def is_wanted():
        until((tmp_path / "job" / "pieces" / task.plan / "1").exists)
        if not frozen:
            frozen.append(int(notes("began")[1][1]))
            os.kill(frozen[0], signal.SIGSTOP)
            return True
        return False

    found = list(cluster.run(task, blocks, name="frozen", is_wanted=is_wanted, tell=no_words))
    os.kill(frozen[0], signal.SIGKILL)

    assert found == []


@pytest.fixture
def giving_back(tmp_path, archive):
    """`giving_back(act)`: the table, with an act before a job that was hindered may be begun again, and what is told.

    Whoever looked for that from elsewhere might come when it has been begun again already.
    """
    tables = []

    class GivingBack(JobTable):
        def __init__(self, act):
            super().__init__(open_engine(None, tmp_path / "jobs"), archive=archive)
            self.act, self.told = act, []
            tables.append(self)

        def release(self, id_, owner, *, message, **more):
            self.act()
            self.told.append(message)
            return super().release(id_, owner, message=message, **more)

    yield GivingBack
    for each in tables:
        each.close()


def test_a_store_that_is_away_for_a_while_costs_the_blocks_that_needed_it(
    submit, running, giving_back, ended, table, gates
):
    id_, away = submit(at=3, act="lose"), giving_back((gates / "back").touch)

    with running(of=away):
        job = ended(id_)

    assert away.told == ["waits: the store is out of reach"]
    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 1 of 10 tasks to do" in texts(table, id_)


def test_a_store_that_is_away_is_not_asked_for_each_block(submit, running, table, notes):
    id_ = submit(count=100, at="all", act="lose")

    with running():
        until(lambda: table.job(id_).message == "waits: the store is out of reach")

    assert len({number for number, *_ in notes("began")}) <= MOST_ASIDE + AHEAD * 2


def test_a_job_whose_pieces_are_lost_is_planned_and_done_anew(
    submit, running, giving_back, ended, table, gates, notes, tmp_path, both_there
):
    id_, lost = submit(open=4), giving_back((gates / "open").touch)

    with running(of=lost):
        until(lambda: len(table.finished_tasks(id_)) == 4 and len(notes("began")) == 6)
        (gates / "word").write_text("anew")
        (tmp_path / "jobs" / id_ / "pieces").rename(tmp_path / "lost")
        job = ended(id_)

    assert lost.told == ["waits: files of the job are gone"]
    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 10 of 10 tasks to do" in texts(table, id_)
    assert (tmp_path / "jobs" / id_ / "results" / "pieces.txt").read_text() == "0 1 2 3 4 5 6 7 8 9"
    assert dict(notes("told")) == {str(number): "anew" for number in range(10)}


@pytest.fixture
def losing(cluster):
    """`losing(lose)`: the cluster, with a disk on which something is lost once between blocks and their end."""

    class Losing:
        renew, run = cluster.renew, cluster.run

        def __init__(self, lose):
            self.left = [lose]

        def finish(self, task, **how):
            if self.left:
                self.left.pop()()
            return cluster.finish(task, **how)

    return Losing


def test_a_job_whose_folder_is_lost_before_its_end_is_done_anew(submit, running, losing, ended, table, tmp_path):
    id_ = submit()
    with running(on=losing(lambda: (tmp_path / "jobs" / id_).rename(tmp_path / "lost"))):
        job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 10 of 10 tasks to do" in texts(table, id_)


def test_a_job_of_which_one_piece_is_lost_before_its_end_is_done_anew(submit, running, losing, ended, table, tmp_path):
    id_ = submit()
    with running(on=losing(lambda: next((tmp_path / "jobs" / id_ / "pieces").glob("*/3")).unlink())):
        job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert "attempt 2: 10 of 10 tasks to do" in texts(table, id_)


def test_inputs_are_let_go_of_once_a_job_is_planned(submit, running, ended, notes, gates, both_there):
    id_ = submit(open=0, at=["a list that is found among all that Python holds"])

    with running():
        until(lambda: len(notes("began")) == 2)
        held = [each for each in gc.get_objects() if isinstance(each, dict) and each.get("gates") == str(gates)]
        (gates / "open").touch()
        ended(id_)

    assert held == []


def test_processes_go_though_the_client_does_not_let_go_of_them_well(with_steps, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    close = distributed.Client.close
    clusters = []

    def close_badly(client, *given, **named):
        clusters.append(client.cluster)
        close(client, *given, **named)
        raise RuntimeError("the loop has ended")

    with (
        pytest.raises(RuntimeError, match="the loop has ended"),
        monkeypatch.context() as patch,
        Cluster(None, processes=1, memory_bytes=1 << 30),
    ):
        patch.setattr(distributed.Client, "close", close_badly)

    assert clusters[0].status.name == "closed"


def test_a_process_that_begins_slowly_after_one_that_died_is_waited_for(with_steps):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    import dask

    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}),
        Cluster(None, processes=1, memory_bytes=1 << 30) as cluster,
    ):
        (watcher,) = cluster._processes.workers.values()
        os.kill(cluster._client.submit(os.getpid, pure=False).result(timeout=PATIENCE_S), signal.SIGKILL)
        cluster._client.submit(os.getpid, pure=False).result(timeout=PATIENCE_S)
        watchers = list(cluster._processes.workers.values())

    assert watchers == [watcher]


def test_who_begins_processes_is_replaced_where_it_gave_up(with_steps):
    pytest.importorskip("distributed", reason="the extra dask is not installed")

    with Cluster(None, processes=1, memory_bytes=1 << 30) as cluster:
        (watcher,) = cluster._processes.workers.values()
        cluster._processes.sync(watcher.close)
        cluster._look()
        done = cluster._client.submit(abs, -1).result(timeout=PATIENCE_S)

    assert done == 1
