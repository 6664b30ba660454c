"""A backup has the state of one moment, and after a restore the server's answers are the same."""

import hashlib
import io
import json
import resource
import secrets
import shutil
import sqlite3
import tarfile
from contextlib import closing
from threading import Event, Thread

import pytest

from chronotile.catalog.items.reserve import RESERVE
from chronotile.core.database import RESTORING
from chronotile.core.errors import CursorExpired
from tests.app.stored.made import RESULTS, Archive, kill_when, result, rows
from tests.catalog.items.conftest import make_item
from tests.running import until


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def archive(request, tmp_path):
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()
    return Archive(tmp_path / "archive", url)


@pytest.fixture
def local(tmp_path):
    return Archive(tmp_path / "archive")


def backed_up(archive, name="backup.tar"):
    file = archive.folder / name
    lines, code = archive.run("backup", "--to", file)
    assert code == 0, lines
    return file, lines


def test_backup_into_a_missing_folder_is_refused(local):
    local.fill()

    lines, code = local.run("backup", "--to", local.folder / "missing")

    assert code == 1
    assert f"there is no folder {local.folder / 'missing'}: make it" in " ".join(lines)
    assert not (local.folder / "missing").exists()


def lose(archive):
    """The disk of the state is lost."""
    shutil.rmtree(archive.jobs)
    if archive.url is not None:
        import psycopg

        with psycopg.connect(archive.url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


def test_after_a_lost_disk_the_server_answers_as_before(archive):
    archive.indexed()
    key = archive.fill()
    before = archive.answers(key)
    with archive.index() as index:
        cursor = index.changes_after(None).cursor
    file, lines = backed_up(archive)
    kind = "sqlite" if archive.url is None else "postgresql"
    assert lines == [f"{file}: {file.stat().st_size} bytes, {kind}, {2 * RESULTS} files of results"]
    assert file.stat().st_mode & 0o777 == 0o600
    lose(archive)

    lines, code = archive.run("restore", file)
    assert code == 0, lines
    assert lines[0].startswith("restored the archive mine as it was at 2")
    assert lines[1:5] == [
        "jobs: version 4, as in this release",
        "item index: version 4, as in this release",
        "webhooks: version 1, as in this release",
        "keys: version 1, as in this release",
    ]
    assert [each.partition(":")[0] for each in lines[5:]] == ["sessions", "usage", "quotas", "links to jobs"]
    assert archive.answers(key) == before
    assert sorted(each.name for each in archive.jobs.glob(".*")) == []
    with archive.store() as store:
        statuses = {store.table.execution(job.id).inputs["string"]: job.status for job in store.table.jobs()[0]}
        assert statuses == dict.fromkeys(("job 0", "job 1"), "successful") | dict.fromkeys(
            ("runs", "waits"), "accepted"
        )
        claimed = store.table.claim("another", lease_s=30)
        assert store.table.finished_tasks(claimed.id) == {}
        assert store.table.submit(store.table.execution(claimed.id), user=None, max_open=100).status == "accepted"
    with archive.index() as index:
        index.put("items", [make_item("new")])
        with pytest.raises(CursorExpired):
            index.changes_after(cursor)


def test_existing_state_is_replaced_on_demand_only(archive):
    archive.fill()
    file, _ = backed_up(archive)
    late = archive.finish("late")
    with archive.keys() as keys:
        keys.create("late", days=1)
    (line,), code = archive.run("restore", file)
    assert code == 1
    assert line.endswith("--replace replaces all of it")
    with archive.store() as store:
        assert store.table.job(late).status == "successful"

    assert archive.run("restore", file, "--replace")[1] == 0
    with archive.store() as store:
        assert late not in {job.id for job in store.table.jobs()[0]}
    assert not (archive.jobs / late).exists()
    with archive.keys() as keys:
        assert [each.name for each in keys.list_keys()] == ["robot"]


@pytest.mark.client("initdb", "postgres")
def test_restore_refuses_while_sessions_are_open(postgresql, tmp_path):
    archive = Archive(tmp_path / "archive", postgresql.make_database())
    archive.fill()
    file, _lines = backed_up(archive)
    with archive.store() as store:
        store.table.jobs()  # a server or worker has such a session

        lines, code = archive.run("restore", file, "--replace")

    assert code == 1
    assert "the database is in use by 1 sessions of chronotile" in lines[0]
    assert archive.run("restore", file, "--replace")[1] == 0


def test_commands_that_read_create_no_database(local):
    commands = (("keys", "revoke", "ann"), ("jobs", "show", "1"), ("backup", "--to", "a.tar"))
    keys, jobs, backup = (local.run(*words) for words in commands)

    assert (keys[1], jobs[1], backup[1]) == (1, 1, 1)
    assert "has no keys in SQLite in" in keys[0][0]
    assert "has no jobs in SQLite in" in jobs[0][0]
    assert not local.jobs.exists()


@pytest.mark.parametrize(
    ("words", "name", "table"),
    [
        (("keys", "list"), "keys", []),
        (("jobs", "list"), "jobs", ["0 of 0 jobs"]),
        (("usage",), "usage", ["day  requests  bytes  products  seconds"]),
        (("usage", "--format", "csv"), "usage", ["day,requests,bytes,products,seconds"]),
    ],
)
def test_lists_of_a_new_service_are_empty(local, words, name, table):
    (note, *lines), code = local.run(*words)

    assert (lines, code) == (table, 0)
    assert note.startswith(f"nothing is recorded yet: the archive mine has no {name} in SQLite in")
    assert not local.jobs.exists()


@pytest.mark.parametrize("words", [("keys", "list"), ("jobs", "list"), ("usage",), ("backup", "--to", "a.tar")])
def test_an_interrupted_restore_without_databases_is_not_an_empty_state(local, words):
    local.jobs.mkdir(parents=True)
    (local.jobs / RESTORING).touch()

    lines, code = local.run(*words)

    assert code == 1
    assert lines[-1].endswith("run chronotile restore again, which completes it")


def test_parts_missing_from_the_backup_are_reported(archive):
    archive.fill()
    with archive.store() as store:
        lost = next(job.id for job in store.table.jobs(statuses=["successful"])[0])
    (archive.jobs / lost / "results" / "r1.bin").unlink()
    file, lines = backed_up(archive)
    assert lines[1:] == [f"missing: the result {lost}/r1.bin"]
    with tarfile.open(file) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))
        assert tar.extractfile("configuration/archive.yaml").read() == archive.file.read_bytes()
    assert manifest["missing"] == [f"{lost}/r1.bin"]
    archive.environment["CHRONOTILE_JOBS_RESULTS_URL"] = "s3://bucket/results"
    assert backed_up(archive, "second.tar")[1][1:] == ["not copied: 1 files of results in the bucket"]


@pytest.mark.slow
def test_a_backup_is_consistent_while_jobs_end_and_items_are_put(archive):
    """Each job that has ended in it has its results, byte by byte, and no transaction is in it by half."""
    archive.fill(jobs=1)
    stopping = Event()
    count = [0]

    def write():
        with archive.index() as index:
            while not stopping.is_set():
                archive.finish(f"late {count[0]}", 20_000)
                index.put("pairs", [make_item(f"{count[0]}-{each}") for each in "ab"])
                count[0] += 1

    writer = Thread(target=write)
    writer.start()
    files = []
    try:
        for number in range(3):
            seen = count[0]
            until(lambda: count[0] > seen)  # noqa: B023 -- before the next one
            files.append(archive.folder / f"{number}.tar")
            lines, code = archive.run_alone("backup", "--to", files[-1])
            assert (code, len(lines)) == (0, 1), lines
    finally:
        stopping.set()
        writer.join()
    for file in files:
        assert archive.run("restore", file, "--replace")[1] == 0
        with archive.store() as store:
            jobs, _ = store.table.jobs(statuses=["successful"])
        assert jobs
        for job in jobs:
            for each in range(RESULTS):
                data = (archive.jobs / job.id / "results" / f"r{each}.bin").read_bytes()
                assert data == result(job.id, each, len(data))
        with archive.index() as index:
            ids = {ref.id for ref in index.covering("pairs", index.extent("pairs"))}
        assert ids == {f"{number}-{each}" for number in range(len(ids) // 2) for each in "ab"}


def test_backups_of_another_archive_kind_or_release_are_refused(local, tmp_path):
    local.fill()
    file, _ = backed_up(local)
    other = Archive(tmp_path / "other", configuration="service: {id: theirs}\n")
    (line,), code = other.run("restore", file)
    assert (code, "the backup is of the archive mine, and the one to restore is theirs" in line) == (1, True)
    local.environment["CHRONOTILE_DATABASE_URL"] = "postgresql://x@/y"
    (line,), code = local.run("restore", file)
    assert (code, "the backup is of sqlite, and CHRONOTILE_DATABASE_URL chooses postgresql" in line) == (1, True)
    del local.environment["CHRONOTILE_DATABASE_URL"]
    newer = altered(file, lambda manifest: manifest["versions"].update(jobs=5))
    (line,), code = local.run("restore", newer, "--replace")
    assert (code, "which is newer, as its jobs show; update" in line) == (1, True)
    (line,), code = local.run("restore", altered(file, lambda manifest: manifest.update(format=2)), "--replace")
    assert (code, "the backup has format 2, and this release reads 1" in line) == (1, True)


def members(file):
    with tarfile.open(file) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}


def written(file, found, *others):
    """Write a tar with the members `found`, after unchanged headers."""
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
        for header in others:
            tar.addfile(header, io.BytesIO(b"x" * header.size))
        for name, data in found.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return file


def sealed(found, manifest):
    """Members with another manifest, which has the digest it needs."""
    data = json.dumps(manifest).encode()
    digest = f"{hashlib.sha256(data).hexdigest()}  manifest.json\n".encode()
    return found | {"manifest.json": data, "manifest.sha256": digest}


def altered(file, alter):
    found = members(file)
    manifest = json.loads(found["manifest.json"])
    alter(manifest)
    return written(file.with_name("altered.tar"), sealed(found, manifest))


def header(name, type_=tarfile.REGTYPE, target="", size=0):
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = type_, target, size
    return found


def test_modified_file_of_a_backup_is_refused_without_changes(local):
    local.fill()
    file, _ = backed_up(local)
    before = rows(local.jobs)
    found, whole = members(file), file.read_bytes()
    manifest = json.loads(found["manifest.json"])
    (result_name, *_) = (name for name in found if name.startswith("jobs/"))
    outside = local.folder / "outside"
    bad = local.folder / "bad.tar"

    def without(*names):
        return {name: data for name, data in found.items() if name not in names}

    strange = {
        "members": {**manifest["members"], "../outside": {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}}
    }
    files = {
        "empty": lambda: bad.write_bytes(b""),
        "text": lambda: bad.write_bytes(b"hello " * 1000),
        "half": lambda: bad.write_bytes(whole[: len(whole) // 2]),
        "without its end": lambda: bad.write_bytes(whole[:-20_000]),
        "a bit": lambda: bad.write_bytes(whole.replace(found[result_name], b"X" + found[result_name][1:])),
        "no manifest": lambda: written(bad, without("manifest.json")),
        "no digest": lambda: written(bad, without("manifest.sha256")),
        "a result less": lambda: written(bad, without(result_name)),
        "a result more": lambda: written(bad, found, header(f"jobs/{'0' * 32}/results/x", size=1)),
        "twice": lambda: written(bad, found, header(result_name, size=1)),
        "longer": lambda: written(bad, found | {result_name: found[result_name] + b"x"}),
        "up": lambda: written(bad, sealed(found, manifest | strange), header("../outside", size=1)),
        "absolute": lambda: written(bad, found, header(str(outside), size=1)),
        "up in a job": lambda: written(bad, found, header(f"jobs/{'0' * 32}/results/../../../../outside", size=1)),
        "link": lambda: written(bad, found, header(f"jobs/{'0' * 32}/results/x", tarfile.SYMTYPE, "/etc/passwd")),
        "hard link": lambda: written(bad, found, header(f"jobs/{'0' * 32}/results/x", tarfile.LNKTYPE, result_name)),
        "device": lambda: written(bad, found, header(f"jobs/{'0' * 32}/results/x", tarfile.CHRTYPE)),
        "folder": lambda: written(bad, found, header(f"jobs/{'0' * 32}/results/x", tarfile.DIRTYPE)),
        "odd manifest": lambda: written(bad, sealed(found, [])),
        "odd members": lambda: written(bad, sealed(found, manifest | {"members": {"x": 1}})),
        "odd versions": lambda: written(bad, sealed(found, manifest | {"versions": {"jobs": "4"}})),
        "odd archive": lambda: written(bad, sealed(found, manifest | {"archive": None})),
    }
    for name, write in files.items():
        write()
        lines, code = local.run("restore", bad, "--replace")
        assert (code, len(lines)) == (1, 1), (name, lines)
        assert rows(local.jobs) == before, name
        assert not outside.exists()
        assert not (local.jobs / RESTORING).exists()
    assert local.run("restore", file, "--replace")[1] == 0


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_the_old_state_or_is_completed_by_the_next_one(local):
    local.fill(jobs=40)
    file, _ = backed_up(local)
    wanted = rows(local.jobs)
    staged, marker = local.jobs / ".restore", local.jobs / RESTORING

    def moved():
        return sum(1 for each in local.jobs.iterdir() if len(each.name) == 32)

    def count(folder, end=""):
        try:
            return sum(each.name.endswith(end) for each in folder.iterdir())
        except FileNotFoundError:  # not yet, or no longer
            return 0

    moments = {
        "begun": staged.exists,
        "some extracted": lambda: count(staged / "jobs") > 10,
        "all extracted": lambda: count(staged / "jobs") == 40,
        "replacing": marker.exists,
        "old ones removed": lambda: marker.exists() and moved() < 30,
        "moved": lambda: marker.exists() and 0 < count(staged / "jobs") < 20,
        "databases": lambda: marker.exists() and count(staged / "databases", ".sqlite") < 3,
    }
    seen = set()
    for name, is_time in moments.items():
        late = local.finish(name)
        old = rows(local.jobs)
        with local.start("restore", file, "--replace") as process:
            kill_when(process, is_time)
        if marker.exists():
            seen.add("half")
            for command in (("jobs", "list"), ("backup", "--to", local.folder / "x.tar"), ("serve", "--port", "0")):
                lines, code = local.run_alone(*command)
                assert code == 1
                assert lines[-1].endswith("run chronotile restore again, which completes it"), lines
        else:
            now = rows(local.jobs)
            assert now in (old, wanted), name
            seen.add("old" if now == old else "new")
        assert local.run("restore", file, *([] if marker.exists() else ["--replace"]))[1] == 0
        assert rows(local.jobs) == wanted
        assert not (local.jobs / late).exists()
    assert {"old", "half"} <= seen


@pytest.mark.slow
def test_a_backup_that_is_killed_leaves_no_file_and_the_next_one_is_whole(local):
    local.fill(jobs=20, size=200_000)
    file = local.folder / "backup.tar"
    for name in ("jobs.sqlite", "backup.tar"):
        with local.start("backup", "--to", file) as process:
            kill_when(process, (local.folder / ".chronotile-backup" / name).exists)
        if process.returncode != 0:
            assert not file.exists()
        file.unlink(missing_ok=True)
    backed_up(local)
    assert not (local.folder / ".chronotile-backup").exists()
    wanted = rows(local.jobs)
    lose(local)
    assert local.run("restore", file)[1] == 0
    assert rows(local.jobs) == wanted


def test_a_database_that_others_have_open_is_not_replaced(local):
    local.fill()
    file, _ = backed_up(local)
    with closing(sqlite3.connect(local.jobs / "jobs.sqlite")) as connection:
        connection.execute("SELECT * FROM chronotile_schema").fetchall()
        (line,), code = local.run("restore", file, "--replace")
    assert (code, line.endswith("is in use: stop the servers and workers of the archive first")) == (1, True)


def test_a_damaged_database_is_replaced(local):
    local.fill()
    file, _ = backed_up(local)
    wanted = rows(local.jobs)
    (local.jobs / "jobs.sqlite").write_bytes(b"damaged" * 1000)
    (local.jobs / RESERVE).unlink(missing_ok=True)
    assert local.run("restore", file, "--replace")[1] == 0
    assert rows(local.jobs) == wanted


def test_a_backup_does_not_take_the_place_of_a_file(local):
    (line,), code = local.run("backup", "--to", local.folder)
    assert (code, line.endswith("has no jobs, index or keys: there is nothing to back up")) == (1, True)
    local.fill()
    file, _ = backed_up(local)
    (line,), code = local.run("backup", "--to", file)
    assert (code, line.endswith("is there already: name another file, or a folder")) == (1, True)
    assert local.run("backup", "--to", local.folder)[1] == 0
    (named,) = local.folder.glob("chronotile-mine-*.tar")
    assert members(named).keys() == members(file).keys()


def test_foreign_files_in_the_folders_do_not_prevent_a_restore(local):
    """A copy of a database, a folder of results on another disk, a configuration that Kubernetes has mounted."""
    local.fill()
    copy = local.jobs / "jobs-old.sqlite"
    copy.write_bytes(b"another")
    local.file.rename(local.folder / "mounted.yaml")
    local.file.symlink_to("mounted.yaml")
    file, _ = backed_up(local)
    assert members(file)["configuration/archive.yaml"] == local.file.read_bytes()
    wanted = rows(local.jobs)
    job = next(local.jobs.glob("*/results")).parent
    job.rename(local.folder / "moved")
    job.symlink_to(local.folder / "moved")
    assert local.run("restore", file, "--replace")[1] == 0
    assert rows(local.jobs) == wanted
    assert copy.read_bytes() == b"another"


@pytest.mark.slow
def test_restore_on_a_full_disk_frees_its_space(local):
    local.fill(size=500_000)
    file, _ = backed_up(local)
    before = rows(local.jobs)
    for arguments, size, work in (
        (("backup", "--to", local.folder / "another.tar"), 800_000, local.folder / ".chronotile-backup"),
        (("restore", file, "--replace"), 400_000, local.jobs / ".restore"),
    ):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            (line,), code = local.run_alone(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (code, "File too large" in line) == (1, True)
        assert not work.exists()
    assert rows(local.jobs) == before


@pytest.mark.slow
@pytest.mark.client("initdb", "postgres")
def test_restore_refused_by_postgresql_changes_nothing(tmp_path, postgresql):
    """Here as a server uses them, and there is a table of the operator."""
    import psycopg

    archive = Archive(tmp_path / "archive", postgresql.make_database())
    key = archive.fill()
    with psycopg.connect(archive.url) as connection:
        connection.execute('CREATE TABLE "chronotile-old" ()')
    file, _ = backed_up(archive)
    before = archive.answers(key)
    with psycopg.connect(archive.url) as connection:
        connection.execute("SELECT * FROM chronotile_keys")
        (line,), code = archive.run("restore", file, "--replace")
    assert (code, "has been locked by others" in line) == (1, True)
    assert archive.answers(key) == before
    assert archive.run("restore", file, "--replace")[1] == 0
    with psycopg.connect(archive.url) as connection:
        connection.execute('SELECT * FROM "chronotile-old"')


@pytest.mark.slow
@pytest.mark.client("initdb", "postgres")
def test_databases_of_postgresql_may_have_different_encodings(tmp_path, postgresql):
    import psycopg

    archive = Archive(tmp_path / "archive", postgresql.make_database())
    name = f"latin_{secrets.token_hex(4)}"
    with psycopg.connect(archive.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        utf_8 = connection.info.dbname
    latin = Archive(tmp_path / "archive", archive.url.replace(utf_8, name))
    latin.fill()
    with psycopg.connect(latin.url) as connection:
        connection.execute("UPDATE chronotile_keys SET name = 'd\u00e9p\u00f4t'")
    file, _ = backed_up(latin)
    assert archive.run("restore", file, "--replace")[1] == 0
    with archive.keys() as keys:
        assert [each.name for each in keys.list_keys()] == ["d\u00e9p\u00f4t"]
