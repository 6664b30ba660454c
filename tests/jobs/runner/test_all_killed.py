"""Every program that accepts or does jobs is killed while twelve are in progress: all end, each once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import and_, func, select, update

from chronotile.jobs.queue.database import open_engine, read_transaction, write_transaction
from chronotile.jobs.queue.schema import FINISHED_TASKS, JOBS
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.cluster import AHEAD
from chronotile.jobs.runner.runner import AT_ONCE
from tests.jobs.runner.deployment import begun, deployed
from tests.postgresql import serving_postgresql
from tests.running import until

pytestmark = [pytest.mark.slow, pytest.mark.client("initdb", "postgres")]

TOGETHER = 12
COUNT, SUM, CONTENT = 6, 55, "0 1 2 3 4 5"
"""Blocks of each job, the sum of their squares, and the content of the result."""
CLIENTS = 4
PROCESSES, WORKERS = 1, 2
CRASH_SAFE = ["fsync=off"]
"""Committed rows must outlive a crash of the server, but not of the machine."""


@pytest.fixture
def database():
    """Return a separate PostgreSQL server, which crashes too."""
    with serving_postgresql(CRASH_SAFE) as server:
        yield server


@pytest.fixture
def url(database):
    return database.make_database()


@pytest.fixture
def engine(url, tmp_path):
    return open_engine(url, tmp_path / "jobs")


@pytest.fixture
def table(engine, archive):
    with closing(JobTable(engine, archive=archive)) as table:
        yield table


@pytest.fixture
def deployment(with_steps, table, url, data, tmp_path):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    how = {"workers": WORKERS, "processes": PROCESSES, "CHRONOTILE_DATABASE_URL": url}
    with deployed(data, tmp_path / "jobs", **how) as one:
        yield one


@pytest.fixture
def remembered(engine, table):
    """Return `remembered(block)`: whether a block, by its job and number, is finished permanently."""

    def is_remembered(block):
        with read_transaction(engine) as connection:
            is_it = FINISHED_TASKS.c.job == block[0], FINISHED_TASKS.c.number == block[1]
            kept = connection.scalar(select(FINISHED_TASKS.c.number).where(*is_it)) is not None
        return kept or table.job(block[0]).status == "successful"

    return is_remembered


@pytest.fixture
def kill_worker(engine, deployment):
    """Return a function that kills the first worker amid four jobs; their leases expire immediately."""

    def count(held):
        with read_transaction(engine) as connection:
            return connection.scalar(select(func.count()).where(held))

    def kill():
        worker = deployment.workers[0]
        held = and_(JOBS.c.owner.contains(f"-{worker.pid}-"), JOBS.c.status == "running")
        until(lambda: count(held) == AT_ONCE)
        worker.kill()
        with write_transaction(engine) as connection:
            connection.execute(update(JOBS).where(held).values(leased_until=0))
        deployment.start_worker(worker)

    return kill


@pytest.fixture
def kill_process(deployment, gates, remembered):
    """Return a function that kills a process of the cluster and returns the number of lost blocks."""

    def kill():
        process = deployment.processes[0]
        lost = [block for block in begun(gates, process.kill()) if not remembered(block)]
        process.start()
        return len(lost)

    return kill


def submit_while_the_server_is_killed(deployment, inputs):
    """Order several jobs with concurrent clients, some without an answer; return the received ids."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = [clients.submit(deployment.submit, inputs) for _ in range(TOGETHER)]
        until(lambda: sum(each.done() for each in asked) >= TOGETHER // 2)
        deployment.kill_server()
    return [each.result() for each in asked if each.result() is not None]


def test_jobs_end_once_each_when_any_part_is_killed(
    deployment, database, table, kill_worker, kill_process, gates, tmp_path
):
    inputs = {"count": COUNT, "open": COUNT // 2, "gates": str(gates), "pause_s": 0.1}

    accepted = submit_while_the_server_is_killed(deployment, inputs)
    assert [deployment.told(f"jobs/{id_}")["jobID"] for id_ in accepted] == accepted
    assert len(accepted) <= table.jobs()[1] <= len(accepted) + CLIENTS
    accepted += [deployment.submit(inputs) for _ in range(TOGETHER - len(accepted))]
    kill_worker()
    (gates / "open").touch()  # until here none ends, so that there is enough to kill even on a slow machine
    until(lambda: begun(gates).total() >= 2 * TOGETHER)
    deployment.kill_scheduler()
    until(lambda: begun(gates).total() >= 3 * TOGETHER)
    lost = kill_process()
    until(lambda: begun(gates).total() >= 4 * TOGETHER)
    database.crash()
    database.start()
    until(lambda: table.jobs(statuses=["accepted", "running"])[1] == 0)

    jobs, again = table.jobs()[0], begun(gates).total() - len(begun(gates))
    begun_again = sum(job.attempts - 1 for job in jobs)
    assert {job.status for job in jobs} == {"successful"}
    assert {deployment.told(f"jobs/{id_}/results") for id_ in accepted} == {SUM}
    assert {[text for _at, text in table.log(job.id)].count("is done") for job in jobs} == {1}
    assert {(tmp_path / "jobs" / job.id / "results" / "pieces.txt").read_text() for job in jobs} == {CONTENT}
    assert begun_again >= 1
    assert again <= AHEAD * PROCESSES * begun_again + lost
    assert all(program.is_alive() for program in deployment.everything())
