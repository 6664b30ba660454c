"""Tables are made only one time by concurrent programs, and those of another version are refused unchanged."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import inspect, text

from chronotile.core.errors import ConfigurationError
from chronotile.core.model.job import Execution
from chronotile.jobs.queue.database import JOBS_FILE, open_engine, read_transaction, write_transaction
from chronotile.jobs.queue.schema import VERSION
from chronotile.jobs.queue.table import JobTable

VERSIONS = "SELECT version FROM chronotile_schema"


@pytest.fixture
def engine(url, tmp_path):
    engine = open_engine(url, tmp_path)
    yield engine
    engine.dispose()


def test_concurrent_starts_create_tables_once(engine, url, tmp_path):
    limiter = threading.Barrier(4)

    def start(number):
        own = open_engine(url, tmp_path)
        limiter.wait()
        try:
            JobTable(own, archive="a").submit(Execution(process="echo", inputs={}), user=str(number), max_open=1)
        finally:
            own.dispose()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start, range(4)))
    assert JobTable(engine, archive="a").jobs()[1] == 4
    with read_transaction(engine) as connection:
        assert connection.scalars(text(VERSIONS)).all() == [VERSION]


def test_a_folder_and_a_database_that_others_may_read_are_made_private(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    (folder / JOBS_FILE).touch()
    (folder / JOBS_FILE).chmod(0o644)
    engine = open_engine(None, folder)
    JobTable(engine, archive="a")
    engine.dispose()
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (VERSION + 1, "of a newer chronotile, .*: update it, or give it another"),
        (3, "of an older chronotile, .*: give"),
    ],
)
def test_tables_of_another_version_are_refused_and_unchanged(engine, version, message):
    with write_transaction(engine) as connection:
        connection.execute(text("CREATE TABLE chronotile_schema (version INTEGER NOT NULL)"))
        connection.execute(text(f"INSERT INTO chronotile_schema VALUES ({version})"))
    with pytest.raises(ConfigurationError, match=message):
        JobTable(engine, archive="a")
    assert inspect(engine).get_table_names() == ["chronotile_schema"]
