"""Opening the item index: its locations, its versions, and damaged files."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text, update

from chronotile.catalog.items import damage, opening
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.catalog.items.schema import INDEX, INDEX_FILE, SCHEMA, VERSION
from chronotile.catalog.items.statements import reading
from chronotile.core import database
from chronotile.core.database import open_engine, write_transaction
from chronotile.core.errors import ConfigurationError, SourceUnavailable, StorageFull
from chronotile.core.model.items import IndexSettings, ItemSearch
from tests.catalog.items.conftest import make_item
from tests.full_disk import disk_without_room
from tests.running import until

HERE = make_item("a").bbox


def set_version(url, folder, version):
    engine = open_engine(url, folder, INDEX)
    with write_transaction(engine, INDEX) as connection:
        connection.execute(update(SCHEMA).values(version=version))
    engine.dispose()


def spoil(file):
    """Write over pages in the middle of a file; its first ones stay."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(b"\xff" * (size // 4))


def moved_aside(folder):
    return [file for file in folder.glob("index.sqlite.damaged-*") if not file.name.endswith(("-wal", "-shm"))]


def fill(folder):
    index = open_items(None, folder)
    index.put("s2", [make_item(f"{number}") for number in range(500)])
    index.close()


def test_the_index_is_refused_on_a_disk_of_another_machine(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 1 8:1 / / rw - ext4 /dev/some rw\n2 1 0:9 / {tmp_path}/share rw - nfs4 host:/share rw\n")

    with pytest.raises(ConfigurationError, match=r"\(nfs4\), where SQLite would damage the item index"):
        open_items(None, tmp_path / "share", mounts=mounts)


def test_an_index_of_a_newer_version_is_refused(open_index, url, tmp_path):
    open_index().close()
    set_version(url, tmp_path, VERSION + 1)

    with pytest.raises(ConfigurationError, match=f"has version {VERSION + 1}, of a newer chronotile"):
        open_index()


def test_index_of_an_older_version_is_emptied(open_index, url, tmp_path, caplog, monkeypatch):
    index = open_index()
    index.put("s2", [make_item("a")])
    (old,) = index.covering("s2", HERE)
    open_passes(url, tmp_path).close()
    monkeypatch.setattr(opening, "VERSION", VERSION + 1)

    again = open_index()

    assert again.covering("s2", HERE) == ()
    assert "of an older chronotile: it is filled again from its sources; items that requests added" in caplog.text
    again.put("s2", [make_item("a")])
    (new,) = again.covering("s2", HERE)
    assert new.number > old.number


def as_version_3(url, folder):
    engine = open_engine(url, folder, INDEX)
    with write_transaction(engine, INDEX) as connection:
        connection.execute(text("ALTER TABLE chronotile_item_collections DROP COLUMN searched"))
        connection.execute(text("DROP TABLE chronotile_item_values"))
    engine.dispose()
    set_version(url, folder, 3)


def as_version_2(url, folder):
    as_version_3(url, folder)
    engine = open_engine(url, folder, INDEX)
    with write_transaction(engine, INDEX) as connection:
        connection.execute(text("ALTER TABLE chronotile_item_instants DROP COLUMN changed"))
        connection.execute(text("DROP INDEX chronotile_items_by_rank"))
        connection.execute(text("DROP INDEX chronotile_items_by_rank_falling"))
    engine.dispose()
    set_version(url, folder, 2)


def test_index_of_version_2_keeps_its_items_and_lists_later_changes(open_index, url, tmp_path):
    before = open_index()
    before.put("s2", [make_item("a"), make_item("b", at="2024-05-02T10:30:00")])
    as_version_2(url, tmp_path)

    again = open_index()

    instants = again.times("s2").instants
    assert [ref.id for ref in again.covering("s2", HERE)] == ["a", "b"]
    assert again.changes_of("s2", instants)[1] == (1, 1)
    again.put("s2", [make_item("c")])
    counter, changes = again.changes_of("s2", instants)
    assert changes == (counter, 1)
    assert open_index().covering("s2", HERE) == again.covering("s2", HERE)


def test_an_index_of_version_3_keeps_its_items_and_finds_them_by_values(open_index, url, tmp_path):
    before = open_index()
    before.put("s2", [make_item(id_, properties={"grid:code": f"MGRS-{id_}"}) for id_ in "abc"])
    as_version_3(url, tmp_path)

    again = open_index()

    again.configure("s2", IndexSettings(searched=("grid:code",)))
    found = again.search(ItemSearch(filter=filter_from_text("\"grid:code\" = 'MGRS-b'")))
    assert [item.ref.id for item in found.items] == ["b"]
    assert open_index().settings("s2") == IndexSettings(searched=("grid:code",))


def test_write_by_a_process_of_version_2_changes_its_date(open_index, url, tmp_path):
    before = open_index()
    before.put("s2", [make_item("a"), make_item("b", at="2024-05-02T10:30:00")])
    as_version_2(url, tmp_path)
    index = open_index()
    instants = index.times("s2").instants
    found = [index.changes_of("s2", instants)[1]]
    engine = open_engine(url, tmp_path, INDEX)

    for _ in range(2):  # the older version replaces an item without the new columns
        with write_transaction(engine, INDEX) as connection:
            (first,) = connection.execute(text("SELECT * FROM chronotile_item_instants ORDER BY instant LIMIT 1")).all()
            of_first = {"instant": first.instant, "collection": first.collection, "end": first.end}
            key = "collection = :collection AND instant = :instant"
            connection.execute(text(f"DELETE FROM chronotile_item_instants WHERE {key}"), of_first)
            columns = '(collection, instant, "end", items) VALUES (:collection, :instant, :end, 1)'
            connection.execute(text(f"INSERT INTO chronotile_item_instants {columns}"), of_first)
            connection.execute(text("UPDATE chronotile_item_collections SET counter = counter + 1"))
        found.append(index.changes_of("s2", instants)[1])
    engine.dispose()

    assert len({first for first, _second in found}) == 3
    assert {second for _first, second in found} == {1}


def test_a_file_that_is_no_index_is_moved_aside_and_a_new_one_begun(tmp_path, caplog):
    (tmp_path / INDEX_FILE).write_bytes(b"no database" * 1000)

    index = open_items(None, tmp_path)

    index.put("s2", [make_item("a")])
    assert len(index.covering("s2", HERE)) == 1
    (aside,) = moved_aside(tmp_path)
    assert aside.read_bytes() == b"no database" * 1000
    assert "is damaged (file is not a database) and was moved to" in caplog.text
    (finding,) = index.check()
    assert (finding.severity, finding.path) == ("warning", str(aside))
    index.close()


def test_damage_found_by_a_request_is_found_when_the_index_is_opened_again(tmp_path, caplog):
    fill(tmp_path)
    spoil(tmp_path / INDEX_FILE)
    index = open_items(None, tmp_path)  # its first pages are whole

    with pytest.raises(SourceUnavailable, match="the item index is unreachable or damaged"):
        index.assets([ref.number for ref in index.covering("s2", HERE)])
    index.close()
    again = open_items(None, tmp_path)

    assert again.covering("s2", HERE) == ()
    assert len(moved_aside(tmp_path)) == 1
    again.close()


def test_check_reads_the_whole_index(index, tmp_path, url):
    index.put("s2", [make_item("a")])
    assert index.check() == ()
    with write_transaction(index._engine, INDEX) as connection:
        connection.execute(text("DELETE FROM chronotile_item_instants"))

    (finding,) = index.check()
    assert (finding.severity, "has 1 items, and counts 0 by time" in finding.message) == ("error", True)


def test_check_finds_damage(tmp_path):
    fill(tmp_path)
    index = open_items(None, tmp_path)
    index.close()
    spoil(tmp_path / INDEX_FILE)

    (finding,) = index.check()
    assert finding.severity == "error"
    assert "restart the servers, which move it aside" in finding.message


def test_whole_index_is_read_after_a_crash_of_the_machine(tmp_path, monkeypatch):
    fill(tmp_path)
    spoil(tmp_path / INDEX_FILE)
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("one")
    monkeypatch.setattr(damage, "BOOT_ID", boot_id)
    before = open_items(None, tmp_path)  # and not closed until the machine has ended
    boot_id.write_text("two")

    open_items(None, tmp_path).close()

    assert len(moved_aside(tmp_path)) == 1
    before.close()


def test_after_a_process_was_killed_the_index_is_not_read(tmp_path):
    fill(tmp_path)
    left = tmp_path / "index.sqlite.open-999999999-abc"
    left.write_text(damage.BOOT_ID.read_text().strip())

    open_items(None, tmp_path).close()

    assert not list(tmp_path.glob("index.sqlite.open-*"))
    assert not moved_aside(tmp_path)


def test_states_of_an_index_that_is_filled_again_are_others_than_before(tmp_path):
    """Otherwise pictures of the earlier items with equal numbers would pass for those of the new items."""
    states = []
    for href in ("before.tif", "now.tif"):
        with closing(open_items(None, tmp_path)) as index:
            item = make_item("a")
            index.put("s2", [replace(item, assets=(replace(item.assets[0], href=href),))])
            (ref,) = index.covering("s2", HERE)
            states.append((index.state("s2"), ref.number, ref.changed))
        damage.move_aside(tmp_path, "it was damaged")

    (before, number, changed), (now, number_now, changed_now) = states
    assert number == number_now
    assert changed_now > changed
    assert now.counter > before.counter
    assert (now.times_counter, now.layouts_counter) > (before.times_counter, before.layouts_counter)


def test_the_files_of_the_index_are_private(tmp_path):
    index = open_items(None, tmp_path / "state")
    index.put("s2", [make_item("a")])

    assert {file.stat().st_mode & 0o077 for file in (tmp_path / "state").iterdir()} == {0}
    index.close()


def test_index_on_a_full_disk_reports_it_and_continues_when_there_is_room(tmp_path):
    index = open_items(None, tmp_path)
    index.put("s2", [make_item("a")])
    before = index.covering("s2", HERE)
    with write_transaction(index._engine, INDEX) as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    with pytest.raises(StorageFull, match="no disk space left for the item index"):
        index.put("s2", [make_item("b", properties={f"p{number}": os.urandom(300).hex() for number in range(200)})])

    assert index.covering("s2", HERE) == before
    with write_transaction(index._engine, INDEX) as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert index.put("s2", [make_item("b")]).added == 1
    index.close()


def test_index_that_cannot_be_opened_on_a_full_disk_reports_it_and_stays_unchanged(tmp_path):
    index = open_items(None, tmp_path)
    index.put("s2", [make_item("a")])
    before = index.covering("s2", HERE)
    index.close()

    with disk_without_room(), pytest.raises(StorageFull, match="no disk space left for the item index"):
        open_items(None, tmp_path)

    index = open_items(None, tmp_path)
    assert index.covering("s2", HERE) == before
    index.close()


def end_connections(url):
    with psycopg.connect(url, autocommit=True) as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
        until(lambda: connection.execute(f"SELECT count(*) {others}").fetchone() == (0,))


@pytest.mark.client("initdb", "postgres")
def test_connections_that_end_while_they_are_idle_are_replaced(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "LIVES_S", 0.0)
    url = postgresql.make_database()
    with closing(open_items(url, tmp_path)) as index:
        index.put("s2", [make_item("a")])
        end_connections(url)

        assert [each.id for each in index.covering("s2", HERE)] == ["a"]


@pytest.mark.client("initdb", "postgres")
def test_connections_that_end_just_after_they_were_used_fail_one_request(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "LIVES_S", 3600.0)
    url = postgresql.make_database()
    with closing(open_items(url, tmp_path)) as index:
        index.put("s2", [make_item("a")])
        with ThreadPoolExecutor(4) as threads:  # so that more than one connection is open
            list(threads.map(lambda _: index.covering("s2", HERE), range(16)))
        end_connections(url)

        with pytest.raises(SourceUnavailable, match="unreachable"):
            index.covering("s2", HERE)
        assert [each.id for each in index.covering("s2", HERE)] == ["a"]
        assert index.put("s2", [make_item("b")]).added == 1


def test_process_that_never_releases_the_index_is_reported_with_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(damage, "LOCK_S", 0.0)
    with damage.opening(tmp_path), pytest.raises(SourceUnavailable) as caught:
        open_items(None, tmp_path)

    assert f"another process has held {tmp_path / damage.LOCK}" in str(caught.value)
    assert "or end it" in str(caught.value)
    open_items(None, tmp_path).close()


def test_a_process_waits_until_another_has_opened_the_index(tmp_path):
    with ThreadPoolExecutor(1) as threads:
        with damage.opening(tmp_path):
            waiting = threads.submit(open_items, None, tmp_path)
            until(lambda: len(descriptors_of(tmp_path / damage.LOCK)) == 2)
            assert not waiting.done()

        waiting.result().close()


def descriptors_of(file):
    """Return the descriptors of this process."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if each.readlink() == file:
                found.append(each)
    return found


@pytest.mark.client("initdb", "postgres")
def test_a_statement_that_fails_leaves_the_other_connections_open(postgresql, tmp_path):
    engine = open_engine(postgresql.make_database(), tmp_path, INDEX)
    with reading(engine, INDEX), reading(engine, INDEX):
        pass
    pool = engine.pool

    with pytest.raises(SourceUnavailable), reading(engine, INDEX) as cursor:
        cursor.execute("SELECT 1 / 0")

    assert engine.pool is pool
    engine.dispose()
