"""An archive with jobs, results, an index and a key; and the inspection of its state."""

import os
import re
import sqlite3
import subprocess
from contextlib import closing

from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.access.keys import open_keys
from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.catalog.items.opening import open_items
from chronotile.cli.main import app
from chronotile.core.model.job import Execution, Result
from chronotile.jobs.queue.store import open_store
from tests.archive.index.test_files import tree
from tests.catalog.items.conftest import make_item
from tests.running import PATIENCE_S, PROGRAM

CONFIGURATION = """
service: {id: mine}
access: {default: {see: [public]}}
collections:
  tiles:
    source: {kind: cog, href: "a/*/S2_*_{variable}.tif", tiles: true}
    variables: {NDVI: {}, SCL: {}}
"""
RESULTS = 3
"""Files of results of a finished job."""
ROBOT = "key:robot"
"""Who owns the jobs."""


def below_archive(lines):
    """Return lines without the first one, which names the archive and its database."""
    return lines[1:] if lines and re.match(r"archive \S+ \(.*\), state in ", lines[0]) else lines


class Archive:
    """An archive in a folder, whose state is in `jobs/` or in PostgreSQL."""

    def __init__(self, folder, url=None, *, configuration=CONFIGURATION):
        self.folder, self.url = folder, url
        folder.mkdir(exist_ok=True)
        self.jobs = folder / "jobs"
        self.file = folder / "archive.yaml"
        self.file.write_text(configuration)
        self.environment = {"CHRONOTILE_JOBS_DIR": str(self.jobs), "CHRONOTILE_CONFIG": str(self.file)}
        if url is not None:
            self.environment["CHRONOTILE_DATABASE_URL"] = url

    def run(self, *arguments):
        """Return the lines that `chronotile` prints below the name of the archive, and its exit status."""
        done = CliRunner(env=self.environment).invoke(app, list(map(str, arguments)), catch_exceptions=False)
        return below_archive(done.output.splitlines()), done.exit_code

    def run_alone(self, *arguments):
        """Run a command in a separate process."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=PATIENCE_S)
        return [*output.splitlines(), *below_archive(errors.splitlines())], process.returncode

    def start(self, *arguments, **environment):
        """Start `chronotile` in a separate process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHRONOTILE_")}
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=kept | self.environment | environment,
        )

    def store(self):
        """Return the jobs, to close."""
        return closing(open_store(self.url, self.jobs, archive="mine"))

    def keys(self):
        """Return the keys, to close."""
        return closing(open_keys(self.url, self.jobs, archive="mine"))

    def index(self):
        """Return the index, to close."""
        return closing(open_items(self.url, self.jobs, archive="mine"))

    def finish(self, number, size=1_000):
        """Add a job that was finished, with files of results."""
        with self.store() as store:
            queued = store.table.submit(_echo(f"job {number}"), user=ROBOT, max_open=10_000)
            others = {each.id for each in store.table.jobs(statuses=["accepted"])[0]} - {queued.id}
            job = store.table.claim("a-worker", lease_s=3600, without=others)
            write_results(self.jobs, job.id, size)
            results = {f"r{each}": Result(file=f"r{each}.bin", media_type="text/plain") for each in range(RESULTS)}
            store.table.succeed(job.id, "a-worker", results)
            return job.id

    def open_jobs(self):
        """Add a running job and a waiting one."""
        with self.store() as store:
            for name in ("runs", "waits"):
                store.table.submit(_echo(name), user=ROBOT, max_open=10_000)
            running = store.table.claim("a-worker", lease_s=3600)
            store.table.store_task_result(running.id, "a-worker", 0, {"done": 1})
            return running.id

    def fill(self, *, jobs=2, items=20, size=1_000):
        """Make jobs, items and a key, and return the key."""
        with self.keys() as keys:
            key = keys.create("robot", days=1)
        for number in range(jobs):
            self.finish(number, size)
        self.open_jobs()
        with self.index() as index:
            index.put("items", [make_item(f"i{number}") for number in range(items)])
        return key

    def indexed(self):
        """Write tiles and index them."""
        tree(self.folder / "a")
        assert self.run("index")[1] == 0

    def answers(self, key):
        """Return the server's answers by path: jobs, results, items."""
        settings = load_settings(config=self.file, jobs_dir=self.jobs, database_url=self.url)
        headers = {"Authorization": f"Bearer {key}"}
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            listed = client.get("/ogcapi/jobs", headers=headers)
            paths = [f"/ogcapi/jobs/{job['jobID']}" for job in listed.json()["jobs"] if job["status"] == "successful"]
            paths += [f"{path}/results" for path in paths]
            paths += [f"{path}/r{each}" for path in paths if path.endswith("results") for each in range(RESULTS)]
            paths += [
                "/stac/search?collections=tiles",
                "/stac/collections/tiles/items",
                "/ogcapi/jobs?status=successful",
            ]
            answers = {path: client.get(path, headers=headers) for path in paths}
            assert client.get("/ogcapi/jobs", headers={"Authorization": "Bearer ctk_wrong"}).status_code == 401
        wrong = {path: answer.text for path, answer in answers.items() if answer.status_code != 200}
        assert wrong == {}
        return {path: _without_boundary(answer) for path, answer in answers.items()}


def _without_boundary(answer):
    """Return the bytes of an answer; a multipart one has a random boundary."""
    _, _, boundary = answer.headers["Content-Type"].partition("boundary=")
    return answer.content.replace(boundary.strip('"').encode(), b"--") if boundary else answer.content


def _echo(text):
    return Execution(process="echo", inputs={"string": text})


def write_results(folder, job, size):
    """Write the files of a job's results, whose bytes follow from its id."""
    results = folder / job / "results"
    results.mkdir(parents=True)
    for each in range(RESULTS):
        (results / f"r{each}.bin").write_bytes(result(job, each, size))


def result(job, number, size):
    """Return the bytes of a result."""
    text = f"{job} {number} ".encode()
    return (text * (size // len(text) + 1))[:size]


def rows(folder):
    """The state in databases of SQLite and files: finished jobs, ids of items, names of keys, bytes of results."""
    with closing(sqlite3.connect(folder / "jobs.sqlite")) as jobs:
        finished = jobs.execute("SELECT id, finished FROM chronotile_archive_jobs WHERE finished > 0").fetchall()
    with closing(sqlite3.connect(folder / "index.sqlite")) as index:
        items = index.execute("SELECT number, id, digest FROM chronotile_items ORDER BY number").fetchall()
    with closing(sqlite3.connect(folder / "access.sqlite")) as access:
        keys = access.execute("SELECT name, digest FROM chronotile_keys").fetchall()
    files = {str(each.relative_to(folder)): each.read_bytes() for each in folder.glob("*/results/*")}
    return sorted(finished), items, keys, files


def size_of(file):
    """Bytes of a file; -1 if it is not there."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return -1


def kill_when(process, is_time):
    """Kill a process at a moment, unless it ends before."""
    while process.poll() is None and not is_time():
        pass
    process.kill()
    process.communicate()
