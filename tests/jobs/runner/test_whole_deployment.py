"""Servers, workers, an external Dask cluster, PostgreSQL and S3 together: jobs over scenes and files are right.

`tests/agreement/doors` tests each process over each kind of source, with one worker and separate processes.
"""

import io
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import rasterio
import xarray
from sqlalchemy import Engine, func, select, update

from chronotile.archive.archive_ids import archive_id_at
from chronotile.core.model.job import ENDED
from chronotile.jobs.queue.database import open_engine, read_transaction, write_transaction
from chronotile.jobs.queue.schema import JOBS
from chronotile.jobs.queue.table import JobTable
from tests import s3
from tests.agreement.conftest import STYLE
from tests.agreement.doors import jobs, kinds
from tests.agreement.doors.asking import close, of_cells
from tests.jobs.runner import country
from tests.jobs.runner.deployment import Deployment, Program, deployed, signal_all
from tests.postgresql import Server, serving_postgresql
from tests.running import PROGRAM, until
from tests.sampling import IS_FULL, SEED
from tests.scenes_archive.documents import write_geoparquet

pytestmark = [pytest.mark.slow, pytest.mark.client("initdb", "postgres", "moto_server")]

SOURCES, RESULTS = "scenes", "results"
"""Buckets."""
KINDS = ("geoparquet", "bucket", "folder")
"""Scenes on disk, scenes in S3, and files."""
ALL_JOBS = [(kind, process) for process in jobs.JOBS for kind in KINDS]
DRAW = random.Random(os.environ.get(SEED, ""))
SOME_JOBS = DRAW.sample(ALL_JOBS, len(ALL_JOBS) if IS_FULL else 8)
"""Each process over each kind is in the table of doors."""
PLACES = 2_000
HELD_S = 4.0
"""How long a part is frozen."""
PARTS = ("server", "worker", "dask_worker", "scheduler", "database", "store")
FAULTS = [f"{what}_{part}" for part in PARTS for what in ("kill", "freeze")]
STRIKES = len(FAULTS) if IS_FULL else 4
"""Faults of a run, drawn by the seed of its choice."""
CONFIGURATION = f"""
service: {{id: whole}}
collections:
  c-geoparquet:
    source: {{kind: stac, href: 'DATA/items.parquet'}}
    variables: {{NDVI: {{asset: NDVI, layer: geoparquet, styles: [numbers]}}}}
  c-bucket:
    license: CC0-1.0
    source: {{kind: stac, href: 's3://{SOURCES}/items.parquet'}}
    variables: {{NDVI: {{asset: NDVI, layer: bucket, styles: [numbers]}}}}
  c-folder:
    source: {{kind: cog, href: 'DATA/NDVI_*.tif', time_pattern: '{kinds.DATED}'}}
    variables: {{NDVI: {{layer: folder, styles: [numbers]}}}}
  c-country:
    source: {{kind: stac, href: 'DATA/country.parquet'}}
    time: {{group: solar_day}}
    mosaic: {{rule: first, order_by: eo:cloud_cover}}
    grid: {{crs: "{country.CRS}", resolution: {country.RESOLUTION_M}}}
    variables: {{NDVI: {{asset: NDVI, layer: country, styles: [numbers]}}}}
"""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """All running parts of the deployment."""

    deployment: Deployment
    database: Server
    store: s3.Server
    engine: Engine
    """Engine of the database."""
    table: JobTable
    configuration: Path
    environment: dict[str, str]

    def order(self, kind: str, process: str) -> str:
        """Order a job of the table of protocols at one of the servers; return its id."""
        server = len(self.table.jobs()[0]) % len(self.deployment.servers)
        return self.deployment.ordered(process, jobs.JOBS[process].inputs_of(kind), server=server)

    def check(self, id_: str, kind: str, process: str, folder: Path) -> None:
        """Check that a job succeeded, and compare its results with the made values."""
        status = self.deployment.ended(id_)
        assert status["status"] == "successful", (kind, process, status)
        folder.mkdir()
        jobs.JOBS[process].check(lambda name: self.deployment.fetched(f"jobs/{id_}/results/{name}"), kind, folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Iterator[Whole]:
    """Two of each."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    folder = tmp_path_factory.mktemp("whole")
    data, files = folder / "data", folder / "jobs"
    configuration = data / "chronotile.yaml"
    (data / "country").mkdir(parents=True)
    kinds.write_files(data)
    kinds.write_catalogues(data, kinds.Places(files=str, api="", bucket=f"s3://{SOURCES}"))
    write_geoparquet(data / "country.parquet", country.write_country(data / "country"))
    (data / "styles").mkdir()
    (data / "styles" / "numbers.yaml").write_text(STYLE)
    configuration.write_text(CONFIGURATION.replace("DATA", str(data)))
    with ExitStack() as stack:
        database = stack.enter_context(serving_postgresql(["fsync=off"]))  # committed rows outlive a crash
        store = stack.enter_context(s3.serving_s3())
        for bucket in (SOURCES, RESULTS):
            store.make_bucket(bucket)
        store.upload(data / "bucket")
        url = database.make_database()
        environment = store.environment | {
            "CHRONOTILE_JOBS_DIR": str(files),
            "CHRONOTILE_DATABASE_URL": url,
            "CHRONOTILE_JOBS_RESULTS_URL": f"s3://{RESULTS}",
        }
        command = [PROGRAM, "index", configuration]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
        engine = open_engine(url, files)
        table = JobTable(engine, archive=archive_id_at(configuration, environment={}))
        stack.enter_context(closing(table))
        how = {"workers": 2, "processes": 2, "servers": 2} | environment
        yield Whole(
            deployment=stack.enter_context(deployed(configuration, files, **how)),
            database=database,
            store=store,
            engine=engine,
            table=table,
            configuration=configuration,
            environment=environment,
        )


def test_a_composite_of_a_country_of_three_zones_is_right_at_random_places(whole):
    id_ = whole.deployment.ordered("composite", {"layer": "country", "reducer": "mean"})

    assert whole.deployment.ended(id_)["status"] == "successful", whole.table.log(id_)
    with rasterio.open(io.BytesIO(whole.deployment.fetched(f"jobs/{id_}/results/composite"))) as file:
        assert file.crs == rasterio.crs.CRS.from_string(country.CRS)
        shown = file.read(1, masked=True).astype(float).filled(np.nan) * file.scales[0] + file.offsets[0]
        row, column = np.random.default_rng(33).integers(0, shown.shape, size=(PLACES, 2)).T
        series = country.series_at(*(file.transform @ (column + 0.5, row + 0.5)))
    seen = ~np.isnan(series)
    expected = np.where(seen.any(axis=0), np.nansum(series, axis=0) / np.maximum(1, seen.sum(axis=0)), np.nan)
    close(shown[row, column], expected, atol=1e-6)
    assert PLACES / 2 < seen.any(axis=0).sum() < PLACES


def test_a_cube_of_scenes_lies_in_the_bucket_and_is_published(whole, tmp_path):
    id_ = whole.order("bucket", "optimise")

    whole.check(id_, "bucket", "optimise", tmp_path / "result")
    target = tmp_path / "published"
    command = [PROGRAM, "publish", id_, "--to", target, "--config", whole.configuration]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | whole.environment)

    assert [key.split("/")[0] for key in whole.store.keys(RESULTS)].count(id_) == 1
    (store,) = target.rglob("*.zarr")
    with xarray.open_zarr(store) as dataset:
        close(of_cells(dataset), kinds.values_of("bucket"))


@dataclass
class Faults:
    """Kills and freezes each part while jobs run."""

    whole: Whole
    ordered: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Kind and process of each job."""
    struck: dict[str, int] = field(default_factory=dict)
    """Number of running jobs when a part was killed or frozen, by method."""

    def order(self, kind: str, process: str) -> None:
        """Order a job."""
        self.ordered[self.whole.order(kind, process)] = kind, process

    def strike(self, what: str) -> None:
        """Call a method by name while a job is running."""
        self.struck[what] = len(self.running())
        getattr(self, what)()

    def running(self) -> dict[str, str]:
        """Return the owners of running jobs, waiting for some; if all have ended, one more is ordered."""

        def found() -> dict[str, str]:
            if all(self.whole.table.job(id_).status in ENDED for id_ in self.ordered):
                self.order(*SOME_JOBS[len(self.ordered) % len(SOME_JOBS)])
            return self.owners()

        return until(found)

    def owners(self) -> dict[str, str]:
        """Who runs which jobs, by the id of the job."""
        with read_transaction(self.whole.engine) as connection:
            is_running = JOBS.c.status == "running"
            found = connection.execute(select(JOBS.c.id, JOBS.c.owner).where(is_running))
            return {row.id: row.owner for row in found}

    def hold(self) -> None:
        """Return once workers have renewed their leases some seconds on, or nothing runs any more."""

        def leased() -> float | None:
            with read_transaction(self.whole.engine) as connection:
                return connection.scalar(select(func.max(JOBS.c.leased_until)).where(JOBS.c.status == "running"))

        before = leased()
        until(lambda: before is None or (now := leased()) is None or now > before + HELD_S)

    def expire(self, worker: Program) -> list[str]:
        """Expire the leases of a worker immediately, not after half a minute; return the ids of its jobs."""
        mine = JOBS.c.owner.contains(f"-{worker.pid}-") & (JOBS.c.status == "running")
        with write_transaction(self.whole.engine) as connection:
            held = list(connection.scalars(select(JOBS.c.id).where(mine)))
            connection.execute(update(JOBS).where(mine).values(leased_until=0))
        return held

    def busy_worker(self) -> Program:
        """Return a worker that runs a job."""

        def found() -> Program | None:
            owners = " ".join(self.running().values())
            return next((each for each in self.whole.deployment.workers if f"-{each.pid}-" in owners), None)

        return until(found)

    @contextmanager
    def all_frozen(self) -> Iterator[None]:
        """Freeze all programs in the block, so that no client requests or writes anything."""
        programs = self.whole.deployment.everything()
        for each in programs:
            each.freeze()
        try:
            yield
        finally:
            for each in programs:
                each.thaw()

    def kill_server(self) -> None:
        self.whole.deployment.kill_server()

    def freeze_server(self) -> None:
        self.whole.deployment.servers[0].freeze()
        self.whole.deployment.fetched("jobs?limit=1", server=1)
        self.hold()
        self.whole.deployment.servers[0].thaw()

    def kill_worker(self) -> None:
        worker = self.busy_worker()
        worker.kill()
        self.expire(worker)
        self.whole.deployment.start_worker(worker)

    def freeze_worker(self) -> None:
        """Until the other has taken its jobs, which it holds itself."""
        worker = self.busy_worker()
        worker.freeze()
        held = self.expire(worker)
        until(lambda: all(f"-{worker.pid}-" not in self.owners().get(id_, "") for id_ in held))
        worker.thaw()

    def kill_dask_worker(self) -> None:
        process = self.whole.deployment.processes[0]
        process.kill()
        process.start()

    def freeze_dask_worker(self) -> None:
        self.whole.deployment.processes[1].freeze()
        self.hold()
        self.whole.deployment.processes[1].thaw()

    def kill_scheduler(self) -> None:
        self.whole.deployment.kill_scheduler()

    def freeze_scheduler(self) -> None:
        self.whole.deployment.scheduler.freeze()
        self.hold()
        self.whole.deployment.scheduler.thaw()

    def kill_database(self) -> None:
        self.whole.database.crash()
        self.whole.database.start()
        self.whole.engine.dispose()  # the connections of this process

    def freeze_database(self) -> None:
        """Freeze the database while a client waits for its answer."""
        signal_all(self.whole.database.pid, signal.SIGSTOP)
        with suppress(OSError):
            urlopen(f"http://127.0.0.1:{self.whole.deployment.port}/ogcapi/jobs", timeout=HELD_S).close()
        signal_all(self.whole.database.pid, signal.SIGCONT)

    def kill_store(self) -> None:
        """Kill the store and restore its accepted objects, as a real one would, while all programs are frozen."""
        with self.all_frozen():
            kept = {bucket: self.whole.store.objects(bucket) for bucket in (SOURCES, RESULTS)}
            self.whole.store.stop()
        self.hold()
        with self.all_frozen():
            self.whole.store.start()
            for bucket, objects in kept.items():
                self.whole.store.put_back(bucket, objects)

    def freeze_store(self) -> None:
        signal_all(self.whole.store.pid, signal.SIGSTOP)
        self.hold()
        signal_all(self.whole.store.pid, signal.SIGCONT)


def test_each_job_is_right_and_run_once_when_any_part_is_killed_or_frozen(whole, tmp_path):
    before = whole.table.jobs()[1]
    faults = Faults(whole)
    for number, what in enumerate(DRAW.sample(FAULTS, STRIKES)):
        for kind, process in SOME_JOBS[number::STRIKES]:
            faults.order(kind, process)
        faults.strike(what)
        until(whole.deployment.is_served)

    ordered, wrong = faults.ordered, list[str]()
    for id_, (kind, process) in ordered.items():
        try:
            whole.check(id_, kind, process, tmp_path / id_)
        except AssertionError as error:  # with several failures, the list shows their common cause
            wrong.append(f"{process} of {kind}: {error}\n{whole.table.job(id_)}\n{whole.table.log(id_)}")
    assert not wrong, "\n".join([*wrong, str(faults.struck)])

    files = {f"{id_}/{each.file}" for id_ in ordered for each in whole.table.job(id_).results.values() if each.file}
    assert {*SOME_JOBS} == {*ordered.values()}
    assert whole.table.jobs()[1] == before + len(ordered)
    assert {[text for _at, text in whole.table.log(id_)].count("is done") for id_ in ordered} == {1}
    assert {key for key in whole.store.keys(RESULTS) if key.split("/")[0] in ordered} == files
    assert min(faults.struck.values()) >= 1
    assert all(program.is_alive() for program in whole.deployment.everything())
