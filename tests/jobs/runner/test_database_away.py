"""A database that ends and is started again costs no blocks and no attempt."""

from contextlib import closing

import pytest

from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable
from tests.jobs.runner.conftest import SQUARES_OF_TEN
from tests.postgresql import serving_postgresql
from tests.running import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.client("initdb", "postgres"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def database():
    """Return a separate PostgreSQL server whose committed rows outlive it."""
    with serving_postgresql(["fsync=off"]) as server:
        yield server


@pytest.fixture
def table(database, archive, tmp_path):
    with closing(JobTable(open_engine(database.make_database(), tmp_path / "jobs"), archive=archive)) as table:
        yield table


def test_blocks_finished_while_the_database_is_unavailable_are_not_repeated(
    database, submit, running, ended, table, notes, gates, monkeypatch
):
    monkeypatch.setattr(
        "chronotile.jobs.runner.runner.LEASE_S", 600.0
    )  # on a slow machine it may be unavailable for longer than a lease
    id_ = submit(open=4)
    with running():
        until(lambda: len(table.finished_tasks(id_)) == 4)
        database.crash()
        (gates / "open").touch()
        until(lambda: len(notes("began")) == 8)
        database.start()
        job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 1, SQUARES_OF_TEN)
    assert sorted(int(number) for number, *_ in notes("began")) == list(range(10))


def test_jobs_submitted_after_the_database_was_unavailable_are_run(database, submit, running, ended):
    with running():
        database.crash()
        database.start()
        job = ended(submit())

    assert (job.status, job.attempts) == ("successful", 1)
