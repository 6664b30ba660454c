"""Databases of jobs: each test with `url` or `table` runs on SQLite and on a real PostgreSQL."""

import pytest

from chronotile.jobs.queue import database as databases
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable
from tests.running import PATIENCE_S


class Clock:
    """Seconds that only a test advances."""

    now = 1_000_000.5

    def __call__(self, _connection=None) -> float:
        return self.now


@pytest.fixture
def patience(monkeypatch):
    """Allow waits for other users of a database, and silence, as long as a stalling machine needs."""
    for name in ("BUSY_S", "STATEMENT_S", "SILENT_S"):
        monkeypatch.setattr(databases, name, PATIENCE_S)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def url(request, patience):
    """Return the URL of an empty database; `None` of SQLite, whose file is in `tmp_path`."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_table(url, tmp_path, clock, closed_at_end):
    """Return `open_table()`, which opens the table of jobs again, like another process."""
    return lambda: closed_at_end(JobTable(open_engine(url, tmp_path), clock=clock, archive="a"))


@pytest.fixture
def table(open_table):
    return open_table()
