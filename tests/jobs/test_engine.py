"""Databases of jobs: which are taken, and what is said of those that are locked, full, damaged or away."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from chronotile.errors import ConfigurationError, SourceUnavailable, StorageFull
from chronotile.jobs import engine as databases
from chronotile.jobs.engine import FILE, open_engine, writing
from chronotile.jobs.job import Execution
from chronotile.jobs.table import JobTable
from tests.postgresql import serving_postgresql

ECHO = Execution(process="echo", inputs={"string": "a"})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is no URL, such as postgresql://"),
        ("postgresql://host:port/name", "is no URL, such as postgresql://"),
        ("mysql://host/name", "begins with mysql://, and only postgresql:// is known"),
        ("sqlite:///jobs.sqlite", "begins with sqlite://, and only postgresql:// is known"),
    ],
)
def test_other_databases_are_refused(tmp_path, url, reason):
    with pytest.raises(ConfigurationError, match=reason):
        open_engine(url, tmp_path)


def test_without_its_driver_postgresql_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'chronotile\[postgresql\]'"):
        open_engine("postgresql://host/name", tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot be made: Not a directory; set CHRONOTILE_JOBS_DIR"):
        open_engine(None, tmp_path / "file" / "jobs")


def test_sqlite_is_refused_on_a_disk_of_another_machine(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 1 8:1 / / rw - ext4 /dev/some rw\n2 1 0:9 / {tmp_path}/share rw - nfs4 host:/share rw\n")

    with pytest.raises(ConfigurationError, match=r"\(nfs4\), where SQLite would damage .* CHRONOTILE_DATABASE_URL"):
        open_engine(None, tmp_path / "share" / "jobs", mounts=mounts)


def test_a_table_that_others_keep_locked_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "BUSY_S", 0)
    table = JobTable(open_engine(None, tmp_path))
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(SourceUnavailable, match="others have kept the table of jobs locked"):
        table.submit(ECHO, user=None, most_open=1)

    assert table.jobs() == ((), 0)  # who reads waits for nobody
    other.close()
    table.close()


def test_a_table_without_room_says_so_and_goes_on_when_there_is_some(tmp_path):
    engine = open_engine(None, tmp_path)
    table = JobTable(engine)
    with writing(engine) as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    with pytest.raises(StorageFull, match="no room left for the table of jobs"):
        table.submit(Execution(process="echo", inputs={"string": "a" * 100_000}), user=None, most_open=1)

    with writing(engine) as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert table.submit(ECHO, user=None, most_open=1).status == "accepted"
    table.close()


def test_a_damaged_table_is_told_of_without_its_place(tmp_path, caplog):
    (tmp_path / FILE).write_bytes(b"no database" * 1000)

    with pytest.raises(SourceUnavailable, match="out of reach or damaged; the log of the server says why"):
        JobTable(open_engine(None, tmp_path))

    assert "file is not a database" in caplog.text


def test_a_database_that_is_nowhere_is_told_of(tmp_path, caplog):
    with pytest.raises(SourceUnavailable, match="out of reach"):
        JobTable(open_engine(f"postgresql://nobody@/jobs?host={tmp_path}", tmp_path))

    assert "connection" in caplog.text


@pytest.mark.slow
@pytest.mark.client("initdb", "postgres")
def test_jobs_are_there_again_when_the_server_of_the_database_is(tmp_path):
    with serving_postgresql() as server:
        table = JobTable(open_engine(server.make_database(), tmp_path))
        job = table.submit(ECHO, user=None, most_open=1)

        server.stop()
        with pytest.raises(SourceUnavailable, match="out of reach"):
            table.job(job.id)
        server.start()

        assert table.job(job.id) == job
        table.close()


def test_many_who_start_at_once_make_one_table(url, tmp_path):
    def start(_number: int) -> None:
        table = JobTable(open_engine(url, tmp_path))
        table.submit(ECHO, user=None, most_open=100)
        table.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(start, range(16)))

    table = JobTable(open_engine(url, tmp_path))
    assert table.jobs()[1] == 16
    table.close()
