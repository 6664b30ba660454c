"""Databases of older releases are migrated to this one, also after kills, and those of newer ones are refused."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, text

from chronotile.access import keys
from chronotile.core.database import making_tables, open_engine, read_transaction
from chronotile.core.errors import ConfigurationError
from tests.app.stored.made import Archive, kill_when, size_of
from tests.catalog.items.test_opening import as_version_2
from tests.running import until

BEFORE = Path(__file__).parent / "before_access"
"""The databases of the release before users and rights, as SQL: an ended job, a running one, a waiting one."""


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def as_before(archive):
    """The databases as that release left them a minute ago: the time limit of a job counts from its first start."""
    archive.jobs.mkdir(mode=0o700)
    for file in BEFORE.glob("*.sql"):
        with closing(sqlite3.connect(archive.jobs / file.stem)) as connection:
            connection.executescript(file.read_text())
    with closing(sqlite3.connect(archive.jobs / "jobs.sqlite")) as connection, connection:
        (newest,) = connection.execute("SELECT max(leased_until) FROM chronotile_archive_jobs").fetchone()
        times = ("created", "updated", "started", "finished", "leased_until")
        later = ", ".join(f"{name} = {name} + ?" for name in times)
        shift = time.time() - 60.0 - newest
        connection.execute(f"UPDATE chronotile_archive_jobs SET {later}", [shift] * len(times))


def versions(folder):
    with closing(sqlite3.connect(folder / "index.sqlite")) as connection:
        (of_index,) = connection.execute("SELECT version FROM chronotile_item_schema").fetchone()
        names = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'chronotile_versions'").fetchone()
        noted = connection.execute("SELECT name, version FROM chronotile_versions").fetchall() if names[0] else []
    return of_index, dict(noted)


def test_state_from_before_user_accounts_is_migrated(archive):
    as_before(archive)
    lines = ["jobs: version 4, as in this release", "item index: version 4, as in this release"]
    lines += ["webhooks: version 1, as in this release"]
    lines += [f"{name}: none" for name in ("keys", "sessions", "usage", "quotas", "links to jobs")]
    assert archive.run("migrate") == (lines, 0)
    with archive.index() as index:
        assert [ref.id for ref in index.covering("tiles", index.extent("tiles"))] == ["a"]
    with archive.keys() as table:
        assert table.list_keys() == ()
    assert archive.run("migrate")[0][3] == "keys: version 1, as in this release"


@pytest.mark.slow
def test_jobs_that_were_open_before_the_upgrade_are_done_after_it(archive):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    as_before(archive)
    (archive.folder / "a" / "2020").mkdir(parents=True)
    archive.indexed()
    with archive.store() as store:
        before = {job.id: job.status for job in store.table.jobs()[0]}
        assert sorted(before.values()) == ["accepted", "running", "successful"]
        with archive.start("worker", "--processes", 1) as worker:
            try:
                until(lambda: all(job.status == "successful" for job in store.table.jobs()[0]))
            finally:
                worker.terminate()
                worker.communicate()
        done = {store.table.execution(id_).inputs["string"]: store.table.job(id_).results["string"] for id_ in before}
    assert {name: result.value for name, result in done.items()} == {
        name: name for name in ("finished", "running", "queued")
    }


def test_index_of_an_older_version_is_migrated_and_a_dry_run_only_reports_it(archive):
    archive.fill()
    as_version_2(None, archive.jobs)
    dry = archive.run("migrate", "--dry-run")
    assert "item index: version 2 to 4 (not done: --dry-run)" in dry[0]
    assert versions(archive.jobs)[0] == 2
    assert "item index: version 2 to 4" in archive.run("migrate")[0]
    assert versions(archive.jobs)[0] == 4


@pytest.mark.slow
def test_a_migration_that_is_killed_is_done_or_not_begun(archive):
    """It is killed when SQLite's log of changes has grown beyond some size, or right away."""
    archive.fill(items=2_000)
    as_version_2(None, archive.jobs)
    log, killed = archive.jobs / "index.sqlite-wal", 0
    for size in (0, 1, 40_000, 100_000, 200_000):
        with archive.start("migrate") as process:
            kill_when(process, lambda: size_of(log) >= size)  # noqa: B023 -- before the next one
        killed += process.returncode != 0
        with closing(sqlite3.connect(archive.jobs / "index.sqlite")) as connection:
            assert connection.execute("SELECT count(*) FROM chronotile_items").fetchone() == (2_000,)
            columns = {row[1] for row in connection.execute("PRAGMA table_info(chronotile_item_instants)")}
        version = versions(archive.jobs)[0]
        assert ("changed" in columns) == (version == 4)
        if version == 4:
            as_version_2(None, archive.jobs)
    assert killed > 0
    assert archive.run("migrate")[1] == 0
    assert versions(archive.jobs)[0] == 4
    with archive.index() as index:
        assert len(index.covering("items", index.extent("items"))) == 2_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("jobs.sqlite", "UPDATE chronotile_schema SET version = 5"),
        ("index.sqlite", "UPDATE chronotile_item_schema SET version = 5"),
        ("access.sqlite", "UPDATE chronotile_versions SET version = 5 WHERE name = 'keys'"),
    ],
)
def test_state_of_a_newer_release_is_refused_in_one_line_and_unchanged(archive, file, statement):
    archive.fill()
    with closing(sqlite3.connect(archive.jobs / file, isolation_level=None)) as connection:
        connection.execute(statement)
        before = list(connection.iterdump())
    for command in (("migrate",), ("migrate", "--dry-run"), ("serve", "--port", "0")):
        (*begun, line), code = archive.run_alone(*command)
        assert (begun, code) == ([f"opening {archive.file}"] if command[0] == "serve" else [], 1)
        assert "has version 5, of a newer chronotile, and this one knows version" in line
    with closing(sqlite3.connect(archive.jobs / file)) as connection:
        assert list(connection.iterdump()) == before


def test_tables_are_migrated_to_this_version_in_one_transaction(tmp_path):
    def tables(version, *columns, steps=()):
        metadata = MetaData(info={"name": "notes", "version": version, "steps": dict(steps)})
        return Table("chronotile_notes", metadata, *(Column(name, Integer) for name in columns)).metadata

    def add(name):
        return lambda connection: connection.execute(text(f"ALTER TABLE chronotile_notes ADD COLUMN {name} INTEGER"))

    def fail(_connection):
        raise ZeroDivisionError

    engine = open_engine(None, tmp_path, keys.KEYS)
    with making_tables(engine, keys.KEYS, tables(1, "a"), 1) as connection:
        connection.execute(text("INSERT INTO chronotile_notes VALUES (7)"))
    with (
        pytest.raises(ZeroDivisionError),
        making_tables(engine, keys.KEYS, tables(3, "a", "b", "c", steps=((1, add("b")), (2, fail))), 1),
    ):
        pass
    with making_tables(engine, keys.KEYS, tables(3, "a", "b", "c", steps=((1, add("b")), (2, add("c")))), 1):
        pass
    with read_transaction(engine, keys.KEYS) as connection:
        assert connection.execute(text("SELECT a, b, c FROM chronotile_notes")).all() == [(7, None, None)]
    with (
        pytest.raises(ConfigurationError, match="has version 3, of a newer chronotile"),
        making_tables(engine, keys.KEYS, tables(1, "a"), 1),
    ):
        pass
    engine.dispose()


def test_keys_that_were_made_before_they_had_a_version_are_of_the_first(archive):
    archive.fill()
    with closing(sqlite3.connect(archive.jobs / "access.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TABLE chronotile_versions")
    assert "keys: version 1, as in this release" in archive.run("migrate")[0]
    with archive.keys() as table:
        assert [key.name for key in table.list_keys()] == ["robot"]


def test_commands_refuse_an_archive_that_is_not_there(archive, tmp_path):
    for command in (("migrate",), ("backup", "--to", tmp_path), ("restore", tmp_path / "x.tar")):
        lines, code = archive.run(*command, tmp_path / "none.yaml")
        assert (len(lines), code) == (1, 1), lines
