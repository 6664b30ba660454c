"""Tables of older versions: their jobs stay readable and are not run; a process of that version fails cleanly."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import inspect, text

from chronotile.errors import SourceUnavailable
from chronotile.model.job import Execution, Result
from chronotile.queue.database import open_engine, read_transaction, write_transaction
from chronotile.queue.migrate import OPEN_BEFORE
from chronotile.queue.outbox import Callbacks
from chronotile.queue.schema import JOBS, SCHEMA, VERSION
from chronotile.queue.stores import open_stores
from chronotile.queue.table import JobTable
from tests.queue.old_tables import CREATED, EXECUTION, IDS, STATUSES, URL, make_old_tables

ECHO = Execution(process="echo", inputs={"string": "new"})


@pytest.fixture
def engine(url, tmp_path):
    engine = open_engine(url, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture(params=[1, 2, 3])
def old(request, engine):
    """The engine of a database of an older version."""
    make_old_tables(engine, request.param)
    return engine


@pytest.fixture
def stored_before(old):
    """The jobs of that database, once it is migrated."""
    return JobTable(old, archive=None)


def test_jobs_that_had_ended_are_as_they_were(stored_before):
    ended = {status: stored_before.job(IDS[status]) for status in ("successful", "failed", "dismissed")}

    assert {status: (job.status, job.message, job.finished) for status, job in ended.items()} == {
        status: (status, f"is {status}", CREATED) for status in ended
    }
    assert ended["successful"].results == {"string": Result(value="naïve")}
    assert ended["failed"].fault.detail == "the file is gone"
    assert {job.archive for job in ended.values()} == {None}


def test_what_was_asked_for_and_the_log_are_kept(stored_before):
    for status, id_ in IDS.items():
        assert stored_before.execution(id_) == Execution(**EXECUTION)
        assert stored_before.log(id_) == ((CREATED, f"is {status}"),)


def test_jobs_that_had_not_ended_fail_and_say_why(stored_before):
    for status in ("accepted", "running"):
        job = stored_before.job(IDS[status])
        assert (job.status, job.fault.status, job.message) == ("failed", 503, OPEN_BEFORE.message)
        assert job.finished is not None
        assert stored_before.finished_tasks(job.id) == {}


def test_none_of_them_is_run_or_is_of_any_archive(stored_before, old):
    assert JobTable(old, archive="a").claim("one", lease_s=30) is None
    assert stored_before.claim("one", lease_s=30) is None
    assert JobTable(old, archive="a").jobs() == ((), 0)


def test_a_server_shows_them_after_its_own_jobs(old, url, tmp_path):
    stores = open_stores(url, tmp_path, archive="a")
    new = stores.own.table.submit(ECHO, user=None, most_open=1)

    pages = [stores.jobs(limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert [[job.id for job in jobs] for jobs, _count in pages] == [
        [new.id, IDS["dismissed"]],
        [IDS["failed"], IDS["successful"]],
        [IDS["running"], IDS["accepted"]],
        [],
    ]
    assert {count for _jobs, count in pages} == {1 + len(STATUSES)}
    assert stores.find(IDS["failed"])[1].status == "failed"
    stores.close()


def test_jobs_that_come_after_it_are_done(old):
    table = JobTable(old, archive="a")
    job = table.submit(ECHO, user=None, most_open=1)

    assert table.claim("one", lease_s=30).id == job.id
    assert table.remember(job.id, "one", 0, {"sum": 1})
    assert table.succeed(job.id, "one", {"string": Result(value="new")})
    table.say(job.id, "is done")
    table.heartbeat.report_alive("one")
    assert table.job(job.id).results == {"string": Result(value="new")}


def test_forgetting_one_forgets_its_log_too(stored_before, old):
    stored_before.forget([IDS["successful"]])

    with read_transaction(old) as connection:
        left = connection.scalar(text("SELECT count(*) FROM chronotile_log"))
    assert left == len(STATUSES) - 1


@pytest.mark.parametrize("version", [2, 3])
def test_who_subscribed_to_one_that_is_not_run_hears_that_it_failed(engine, version):
    make_old_tables(engine, version)
    JobTable(engine, archive=None)

    callback = Callbacks(engine, archive=None).take(lease_s=60)

    assert (callback.job, callback.status, callback.url) == (IDS["running"], "failed", URL)
    assert Callbacks(engine, archive="a").take(lease_s=60) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chronotile_jobs SET leased_until = 1 WHERE status = 'running'",
        "SELECT id FROM chronotile_jobs ORDER BY number",
        "INSERT INTO chronotile_jobs (id) VALUES ('a')",
        "INSERT INTO chronotile_workers (id, seen) VALUES ('old', 1)",
    ],
)
def test_an_older_process_that_still_runs_fails_at_its_next_statement(stored_before, old, statement):
    with (
        pytest.raises(SourceUnavailable, match="the job tables are missing from their database"),
        write_transaction(old) as one,
    ):
        one.execute(text(statement))


def test_an_older_process_is_refused_when_it_starts_again(stored_before, old):
    with read_transaction(old) as connection:
        assert connection.scalar(text("SELECT version FROM chronotile_schema")) == VERSION


def test_many_that_start_at_once_migrate_once(old, url, tmp_path, caplog):
    limiter = threading.Barrier(4)

    def start(_number):
        engine = open_engine(url, tmp_path)
        limiter.wait()
        try:
            return JobTable(engine, archive=None).jobs()[1]
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(start, range(4)))

    assert counts == [len(STATUSES)] * 4
    assert len([line for line in caplog.messages if line.startswith("the table of jobs was migrated")]) == 1


def test_a_migration_that_fails_leaves_all_as_it_was(old, monkeypatch):
    def fail(_connection):
        raise SourceUnavailable("killed")

    before = inspect(old).get_table_names()
    monkeypatch.setattr("chronotile.queue.migrate._end_open_jobs", fail)
    with pytest.raises(SourceUnavailable):
        JobTable(old, archive="a")

    assert inspect(old).get_table_names() == before
    monkeypatch.undo()
    assert JobTable(old, archive=None).jobs()[1] == len(STATUSES)


def test_a_migrated_table_is_as_one_that_was_just_made(old, tmp_path):
    JobTable(old, archive="a")
    fresh = open_engine(None, tmp_path / "fresh")
    JobTable(fresh, archive="a")

    for name in inspect(fresh).get_table_names():
        migrated, made = ({each["name"] for each in inspect(engine).get_columns(name)} for engine in (old, fresh))
        assert migrated == made, name
    names = [{each["name"] for each in inspect(engine).get_indexes(JOBS.name)} for engine in (old, fresh)]
    assert names[1] <= names[0]
    assert SCHEMA.name in inspect(old).get_table_names()
    fresh.dispose()
