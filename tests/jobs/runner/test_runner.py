"""Jobs are done by real processes, one of them killed; all other cases are in `simulated/test_cluster_simulated.py`."""

import gc

import pytest

from chronotile.jobs.runner.cluster import AHEAD
from chronotile.jobs.runner.connection import connect
from tests.jobs.runner.conftest import SQUARES_OF_TEN
from tests.running import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_blocks_and_their_end_make_the_results(submit, running, ended, tmp_path):
    id_ = submit()

    with running():
        job = ended(id_)

    assert (job.status, job.progress, job.attempts) == ("successful", 100, 1)
    assert job.results["sum"].value == SQUARES_OF_TEN
    assert (tmp_path / "jobs" / id_ / "results" / "pieces.txt").read_text() == "0 1 2 3 4 5 6 7 8 9"
    until(lambda: [path.name for path in (tmp_path / "jobs" / id_).iterdir()] == ["results"])


@pytest.fixture
def given_out(cluster):
    """Return `given_out(id)`: the number of a job's blocks in the cluster."""

    def keys(dask_scheduler):
        return list(dask_scheduler.tasks)

    return lambda id_: sum(id_ in key for key in cluster._connection.client.run_on_scheduler(keys))


@pytest.fixture
def let_through(notes, gates):
    """Return `let_through(3)`, which lets three blocks end, each when another has started."""

    def let(count):
        for at in range(count):
            until(lambda so_many=at + 2: len(notes("began")) >= so_many)
            number, _pid, job = notes("began")[at]
            (gates / f"{job}-{number}").touch()

    return let


def test_small_job_does_not_wait_for_all_submitted_tasks_of_large_ones(
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
    assert f"job {id_} is abandoned: it was dismissed, or another worker has it" in caplog.messages


def test_a_process_of_the_cluster_that_is_killed_costs_the_block_it_did(
    submit, running, ended, notes, table, cluster, both_there
):
    id_ = submit(at=3, act="die once")
    watchers = list(cluster._connection.processes.workers.values())

    with running():
        job = ended(id_)

    assert (job.status, job.attempts) == ("successful", 1)
    assert [number for number, *_ in notes("began")].count("3") == 2
    assert list(cluster._connection.processes.workers.values()) == watchers  # one of them has started it again


def test_inputs_are_let_go_of_once_a_job_is_planned(submit, running, ended, notes, gates, both_there):
    id_ = submit(open=0, at=["a list that is found among all that Python holds"])

    with running():
        until(lambda: len(notes("began")) == 2)
        held = [each for each in gc.get_objects() if isinstance(each, dict) and each.get("gates") == str(gates)]
        (gates / "open").touch()
        ended(id_)

    assert held == []


def test_process_starter_is_replaced_after_it_ended(cluster, both_there):
    connection = cluster._connection
    gave_up = next(iter(connection.processes.workers.values()))

    connection.processes.sync(gave_up.close)
    connection.replace_dead()
    until(lambda: len(connection.client.nthreads()) == 2)

    assert gave_up not in connection.processes.workers.values()


def test_processes_go_though_the_client_does_not_let_go_of_them_well(with_steps, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    close = distributed.Client.close
    clusters = []

    def close_badly(client, *given, **named):
        clusters.append(client.cluster)
        close(client, *given, **named)
        raise RuntimeError("the loop has ended")

    with monkeypatch.context() as patch:
        patch.setattr(distributed.Client, "close", close_badly)
        connection = connect(None, processes=0, memory_bytes=1 << 30)

    with pytest.raises(RuntimeError, match="the loop has ended"):
        connection.close()

    assert clusters[0].status.name == "closed"
