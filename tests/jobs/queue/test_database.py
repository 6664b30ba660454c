"""Databases of jobs: accepted ones, and the errors of locked, full, damaged or unavailable ones."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from chronotile.core import database
from chronotile.core.errors import ConfigurationError, SourceUnavailable, StorageFull
from chronotile.core.model.job import Execution
from chronotile.jobs.queue import database as databases
from chronotile.jobs.queue.database import JOBS_FILE, open_engine, read_transaction, write_transaction
from chronotile.jobs.queue.schema import METADATA
from chronotile.jobs.queue.table import JobTable
from tests.postgresql import serving_postgresql
from tests.running import PATIENCE_S

ECHO = Execution(process="echo", inputs={"string": "a"})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is not a URL such as postgresql://"),
        ("postgresql://host:port/name", "is not a URL such as postgresql://"),
        ("mysql://host/name", "begins with mysql://, only postgresql:// is supported"),
        ("sqlite:///jobs.sqlite", "begins with sqlite://, only postgresql:// is supported"),
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


def test_table_locked_by_others_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "BUSY_S", 0)
    table = JobTable(open_engine(None, tmp_path), archive="a")
    with closing(table), closing(sqlite3.connect(tmp_path / JOBS_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(SourceUnavailable, match="the job table has been locked by others"):
            table.submit(ECHO, user=None, max_open=1)

        assert table.jobs() == ((), 0)  # who reads waits for nobody


def test_table_on_a_full_disk_reports_it_and_continues_when_there_is_room(tmp_path):
    engine = open_engine(None, tmp_path)
    table = JobTable(engine, archive="a")
    with write_transaction(engine) as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    with pytest.raises(StorageFull, match="no disk space left for the job table"):
        table.submit(Execution(process="echo", inputs={"string": "a" * 100_000}), user=None, max_open=1)

    with write_transaction(engine) as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert table.submit(ECHO, user=None, max_open=1).status == "accepted"
    table.close()


def test_damaged_table_is_reported_without_its_path(tmp_path, caplog):
    (tmp_path / JOBS_FILE).write_bytes(b"no database" * 1000)

    with pytest.raises(SourceUnavailable, match="unreachable or damaged; see the server's log"):
        JobTable(open_engine(None, tmp_path), archive="a")

    assert "file is not a database" in caplog.text


def test_missing_database_is_reported(tmp_path, caplog):
    with pytest.raises(SourceUnavailable, match="unreachable"):
        JobTable(open_engine(f"postgresql://nobody@/jobs?host={tmp_path}", tmp_path), archive="a")

    assert "connection" in caplog.text


def test_no_job_is_accepted_into_a_file_that_was_removed(tmp_path):
    table = JobTable(open_engine(None, tmp_path / "jobs"), archive="a")
    table.submit(ECHO, user=None, max_open=10)

    (tmp_path / "jobs").rename(tmp_path / "away")
    with pytest.raises(SourceUnavailable, match="unreachable"):
        table.submit(ECHO, user=None, max_open=10)
    (tmp_path / "away").rename(tmp_path / "jobs")

    table.submit(ECHO, user=None, max_open=10)
    assert table.jobs()[1] == 2
    table.close()


def test_jobs_are_accepted_into_the_file_that_took_the_place_of_another(tmp_path):
    table = JobTable(open_engine(None, tmp_path / "jobs"), archive="a")
    (tmp_path / "jobs").rename(tmp_path / "away")
    other = JobTable(open_engine(None, tmp_path / "jobs"), archive="a")

    job = table.submit(ECHO, user=None, max_open=10)

    assert other.job(job.id) == job
    table.close()
    other.close()


def test_removed_file_is_created_again_at_the_start(tmp_path):
    table = JobTable(open_engine(None, tmp_path), archive="a")
    table.submit(ECHO, user=None, max_open=10)
    for file in tmp_path.iterdir():
        file.unlink()

    with pytest.raises(SourceUnavailable, match=r"job tables are missing .* restart the servers and workers"):
        table.submit(ECHO, user=None, max_open=10)
    started = JobTable(open_engine(None, tmp_path), archive="a")

    assert table.submit(ECHO, user=None, max_open=10).status == "accepted"
    table.close()
    started.close()


@pytest.mark.client("initdb", "postgres")
def test_tables_missing_from_postgresql_are_reported(postgresql, tmp_path):
    engine = open_engine(postgresql.make_database(), tmp_path)
    table = JobTable(engine, archive="a")
    METADATA.drop_all(engine)

    with pytest.raises(SourceUnavailable, match="job tables are missing from their database"):
        table.jobs()

    table.close()


@pytest.mark.client("initdb", "postgres")
def test_who_finds_the_table_of_postgresql_locked_waits_no_longer_than_for_a_file(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "SILENT_S", PATIENCE_S)  # of who holds the lock
    engine = open_engine(postgresql.make_database(), tmp_path)
    monkeypatch.setattr(databases, "BUSY_S", 1)  # not for the engine to be let in
    table = JobTable(engine, archive="a")

    with write_transaction(engine) as other:
        other.execute(text("LOCK TABLE chronotile_archive_jobs"))
        with pytest.raises(SourceUnavailable, match="the job table has been locked by others for 1 s"):
            table.submit(ECHO, user=None, max_open=1)

    assert table.submit(ECHO, user=None, max_open=1).status == "accepted"
    table.close()


@pytest.mark.client("initdb", "postgres")
def test_a_statement_of_postgresql_that_takes_too_long_is_ended(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "STATEMENT_S", 1)
    engine = open_engine(postgresql.make_database(), tmp_path)

    with pytest.raises(SourceUnavailable, match="unreachable"), read_transaction(engine) as connection:
        connection.execute(text("SELECT pg_sleep(600)"))

    engine.dispose()


@pytest.mark.client("initdb", "postgres")
def test_who_is_frozen_amid_a_transaction_holds_up_no_others(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "BUSY_S", PATIENCE_S)
    url = postgresql.make_database()
    frozen, other = (open_engine(url, tmp_path) for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(databases, "SILENT_S", 1)
        held = frozen.connect()

    with held:
        database.hold(held, 1)
        with write_transaction(other) as connection:
            database.hold(connection, 1)
        with pytest.raises(DBAPIError):
            held.execute(select(1))

    frozen.dispose()
    other.dispose()


@pytest.mark.client("initdb", "postgres")
@pytest.mark.parametrize(
    ("query", "name", "told"),
    [
        ("", "lock_timeout", "10s"),
        ("", "statement_timeout", "1min"),
        ("", "idle_in_transaction_session_timeout", "5s"),
        ("&options=-c%20lock_timeout%3D7s", "lock_timeout", "7s"),
        ("&options=-c%20lock_timeout%3D7s", "statement_timeout", "0"),
    ],
)
def test_timeout_of_postgresql_may_be_set_in_the_url(postgresql, tmp_path, query, name, told):
    engine = open_engine(postgresql.make_database() + query, tmp_path)

    with read_transaction(engine) as connection:
        assert connection.scalar(text(f"SHOW {name}")) == told

    engine.dispose()


@pytest.mark.client("initdb", "postgres")
def test_unreachable_host_is_detected(postgresql, tmp_path):
    engine = open_engine(postgresql.make_database() + "&keepalives_idle=60", tmp_path)

    with read_transaction(engine) as connection:
        told = connection.connection.driver_connection.info.get_parameters()

    names = ("connect_timeout", "tcp_user_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count")
    assert [told[name] for name in names] == ["10", "10000", "60", "3", "3"]
    engine.dispose()


@pytest.mark.slow
@pytest.mark.client("initdb", "postgres")
def test_jobs_exist_again_when_the_database_server_returns(tmp_path):
    with serving_postgresql() as server:
        table = JobTable(open_engine(server.make_database(), tmp_path), archive="a")
        job = table.submit(ECHO, user=None, max_open=1)

        server.stop()
        with pytest.raises(SourceUnavailable, match="unreachable"):
            table.job(job.id)
        server.start()

        assert table.job(job.id) == job
        table.close()


def test_concurrent_starts_create_one_table(url, tmp_path):
    def start(_number: int) -> None:
        table = JobTable(open_engine(url, tmp_path), archive="a")
        table.submit(ECHO, user=None, max_open=100)
        table.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(start, range(16)))

    table = JobTable(open_engine(url, tmp_path), archive="a")
    assert table.jobs()[1] == 16
    table.close()


def test_a_file_that_another_reads_gets_its_log_once_that_one_has_ended(tmp_path, monkeypatch):
    file = tmp_path / "jobs.sqlite"
    with closing(sqlite3.connect(file)) as reading, closing(sqlite3.connect(file, timeout=0)) as beginning:
        beginning.execute("CREATE TABLE a (b)")
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM a")
        monkeypatch.setattr(database.time, "sleep", lambda _seconds: reading.rollback())

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            database.keep_log(beginning, within_s=0)
        assert reading.in_transaction
        database.keep_log(beginning, within_s=60)

        assert not reading.in_transaction
        assert beginning.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_connection_used_or_opened_by_a_thread_after_the_end_is_closed(tmp_path):
    engine = open_engine(None, tmp_path)
    with closing(engine.raw_connection()) as used:
        used_by_driver = used.driver_connection
        database.close_engine(engine)
        used.cursor().execute("SELECT 1")
    with closing(engine.raw_connection()) as later:
        later_by_driver = later.driver_connection
        later.cursor().execute("SELECT 1")

    for each in (used_by_driver, later_by_driver):
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            each.execute("SELECT 1")


def test_connections_are_closed_if_opening_fails(tmp_path):
    engine = open_engine(None, tmp_path)
    with closing(engine.raw_connection()) as used:
        used_by_driver = used.driver_connection

    with pytest.raises(SourceUnavailable), database.close_on_error(engine):
        raise SourceUnavailable("the tables cannot be made")

    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        used_by_driver.execute("SELECT 1")


def test_connection_returned_while_its_engine_is_closed_is_closed(tmp_path):
    engine = open_engine(None, tmp_path)
    event.listen(engine, "checkin", lambda _connection, _record: database.close_engine(engine))

    with closing(engine.raw_connection()) as used:
        used_by_driver = used.driver_connection

    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        used_by_driver.execute("SELECT 1")
