"""Jobs skip no scene for a temporary reason: an encoding missing from items, or an unavailable store."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.archive.archive_ids import archive_id_at
from chronotile.archive.live_archive import ItemAccess, LiveArchive, LiveArchives
from chronotile.catalog.items.opening import open_items
from chronotile.cli.main import app
from chronotile.core.model.items import IndexSettings
from chronotile.core.web.places import AllowedPlaces
from chronotile.jobs.processes.process import JobPlan
from chronotile.jobs.queue.faults import PlanNeeded, TemporaryFault
from chronotile.jobs.runner import tasks
from chronotile.jobs.runner.tasks import TaskContext, do_task, finish, store_plan, store_task_results
from chronotile.pygeoapi import CoverageProvider, archives
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.agreement.doors.asking import close
from tests.jobs.processes.doing import plan_of
from tests.jobs.runner import country
from tests.running import reserved_port

CONFIGURATION = """
collections:
  c:
    source: {kind: stac, href: items.json}
    time: {group: solar_day}
    mosaic: {rule: first, order_by: eo:cloud_cover}
    grid: {crs: "EPSG:3035", resolution: 1000}
    variables: {NDVI: {asset: NDVI, layer: country}}
"""
PIECES = tuple(each for each in country.PIECES if (each.zone, each.column, each.row) == (31, 1, 1))
NEIGHBOURS = tuple(each for each in country.PIECES if (each.zone, each.column, each.row) == (31, 2, 1))
MAX_PLANS = 5
READ_ONLY = "&options=-c%20default_transaction_read_only%3Don"
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Site:
    """An archive of one scene on nine days, in three encodings that no item states."""

    place: Path
    url: str | None
    jobs: Path
    is_read_only: bool = False
    """Whether tasks may not write to the index."""
    prefixes: tuple[str, ...] = ()
    """Allowed prefixes of files."""

    @property
    def open_index(self):
        return partial(open_items, self.url, self.jobs, archive=archive_id_at(self.place, environment={}))

    @property
    def items(self) -> ItemAccess:
        """Access to items in the form of tasks."""
        url = f"{self.url}{READ_ONLY}" if self.is_read_only else self.url
        return ItemAccess.from_place(
            self.place, database_url=url, jobs_folder=lambda _id: self.jobs, prefixes=self.prefixes
        )

    @contextmanager
    def opened(self) -> Iterator[LiveArchive]:
        """The archive as a worker has it."""
        with closing(self.open_index()) as index:
            live = LiveArchive.open(
                self.place, caches=ReaderCaches(items=lambda: index, places=AllowedPlaces(self.prefixes))
            )
            yield live
            live.archive.close()

    def planned(self, process: str, inputs: dict, live: LiveArchive) -> tuple[JobPlan, TaskContext]:
        """Return a job that was planned from the services of an archive."""
        plan, folder = plan_of(process, inputs, live.services), self.jobs / "job"
        kept = store_plan(folder, inputs, plan)
        what = {"process": process, "folder": str(folder), "plan": kept.id, "items": self.items}
        return plan, TaskContext(place=str(self.place), revision=live.services.revision, **what)

    def attempted(self, process: str, inputs: dict) -> dict:
        """Return the results of one attempt at a job: planned in one process, done in another."""
        with self.opened() as live:
            plan, context = self.planned(process, inputs, live)
        store_task_results(self.jobs / "job", [do_task(context, task) for task in json.loads(json.dumps(plan.tasks))])
        return finish(context)

    def result(self, process: str, inputs: dict, output: str) -> Path:
        """Return the file of a job, which is planned again if necessary."""
        for _number in range(MAX_PLANS):
            with suppress(PlanNeeded):
                results = self.attempted(process, inputs)
                assert "left_out" not in results[output].metadata
                return self.jobs / "job" / "results" / results[output].file
        raise AssertionError("it is planned again and again")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def site(request, tmp_path, monkeypatch):
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chronotile.yaml").write_text(CONFIGURATION)
    one = Site(tmp_path / "data" / "chronotile.yaml", url, tmp_path / "jobs")
    with closing(one.open_index()) as index:
        index.configure("c", IndexSettings(group="solar_day", order_by="eo:cloud_cover"))
        documents = country.write_country(tmp_path / "data", PIECES)
        index.put("c", [item_of(each, str(one.place)) for each in json.loads(json.dumps(list(documents)))])
    opened = LiveArchives(most=1)
    monkeypatch.setattr(tasks, "_archives", opened)  # of this process, as tasks find it
    yield one
    archive = opened.at(one.place, one.items).archive
    archive.close()
    archive.services.reader_caches.items.close()


def shown(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (band, point) values of a file, and those of the scenes at the same points, (time, point)."""
    with rasterio.open(path) as file:
        values = file.read(masked=True).astype(float).filled(np.nan)
        values = values * np.reshape(file.scales, (-1, 1, 1)) + np.reshape(file.offsets, (-1, 1, 1))
        rows, columns = (each.ravel() for each in np.indices(file.shape))
        x, y = file.transform @ (columns + 0.5, rows + 0.5)
    return values.reshape(len(values), -1), country.series_at(x, y, PIECES)


def require_mean(values: np.ndarray, series: np.ndarray) -> None:
    """Check a mean of all dates."""
    seen = ~np.isnan(series)
    mean = np.where(seen.any(axis=0), np.nansum(series, axis=0) / np.maximum(1, seen.sum(axis=0)), np.nan)
    close(values[0], mean, atol=1e-6)
    assert seen.sum() > 20_000


def test_a_composite_has_dates_of_all_encodings(site):
    require_mean(*shown(site.result("composite", {"layer": "country", "reducer": "mean"}, "composite")))


def test_an_export_has_dates_of_all_encodings(site):
    values, series = shown(site.result("export", {"layer": "country", "format": "GTiff"}, "export"))

    close(values, series, atol=1e-9)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_partial_results_of_two_encodings_never_meet(site):
    with site.opened() as before:
        plan, context = site.planned("export", {"layer": "country", "format": "GTiff"}, before)
    with site.opened() as another:
        another.services.readers["c"].learn_encodings("NDVI")

    with pytest.raises(PlanNeeded, match="country are encoded is known better by now"):
        do_task(context, plan.tasks[0])


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_providers_of_pygeoapi_leave_out_no_date(site, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(site.jobs))
    about = {"name": "ours", "data": str(site.place), "options": {"collection": "country"}}
    formats = {"format": {"name": "GTiff", "mimetype": "image/tiff"}}
    file = site.jobs / "coverage.tif"

    file.write_bytes(CoverageProvider({**about, **formats, "type": "coverage"}).query(format_="GTiff"))
    values, series = shown(file)

    close(values, series, atol=1e-9)
    archives._archives.at(site.place).services.reader_caches.items.close()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_process_that_a_client_waits_for_leaves_out_no_date(site):
    settings = Settings(config=site.place, jobs_dir=site.jobs)
    body = {"inputs": {"layer": "country", "reducer": "mean"}, "response": "raw"}

    with TestClient(create_app(settings), base_url="http://localhost") as client:
        answer = client.post("/ogcapi/processes/composite/execution", json=body)

    assert answer.status_code == 200, answer.text
    file = site.jobs / "composite.tif"
    file.write_bytes(answer.content)
    require_mean(*shown(file))


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_process_that_a_client_waits_for_follows_files_and_names_those_it_lacks(site):
    settings = Settings(config=site.place, jobs_dir=site.jobs)
    body = {"inputs": {"layer": "country", "reducer": "mean"}, "response": "raw"}
    files = sorted(site.place.parent.rglob("*.tif"))

    with TestClient(create_app(settings), base_url="http://localhost") as client:
        execute = partial(client.post, "/ogcapi/processes/composite/execution", json=body)
        before = execute()
        for number, file in enumerate(files, 1):  # copied again
            os.utime(file, ns=(number * 10**9,) * 2)
        copied = execute()
        files[0].unlink()
        without = execute()

    assert [each.status_code for each in (before, copied, without)] == [200, 200, 200], copied.text
    assert copied.content == before.content != without.content
    assert ["Warning" in each.headers for each in (before, copied)] == [False, False]
    assert re.fullmatch(r'199 - "unreadable: 20\d\d-.*Z", 199 - "left out: .+"', without.headers["Warning"])


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_cube_that_optimise_writes_lacks_no_date(site, tmp_path):
    target = tmp_path / "cube.zarr"
    environment = {"CHRONOTILE_JOBS_DIR": str(site.jobs)}
    options = ["--collection", "c", "--variable", "NDVI", "--config", str(site.place)]

    done = CliRunner().invoke(app, ["optimise", "new", str(target), *options], env=environment)

    assert done.exit_code == 0, done.output
    assert "left out" not in done.output
    with xarray.open_zarr(target) as dataset:
        cells = dataset["NDVI"]
        x, y = (each.ravel() for each in np.meshgrid(dataset["x"], dataset["y"]))
        close(cells.values.reshape(len(cells), -1), country.series_at(x, y, PIECES), atol=1e-6)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_an_audit_that_finds_an_encoding_is_right_the_next_time(site):
    environment = {"CHRONOTILE_JOBS_DIR": str(site.jobs)}

    first, second = (CliRunner().invoke(app, ["audit", str(site.place)], env=environment) for _ in range(2))

    assert first.exit_code == 1
    assert "is encoded in a way that was not known" in first.output
    assert "run the audit again" in first.output
    assert second.exit_code == 0, second.output
    assert "(100 %)" in second.output


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
@pytest.mark.client("initdb", "postgres")
def test_a_job_names_the_item_whose_encoding_cannot_be_noted(site):
    inputs = {"layer": "country", "reducer": "mean"}

    with pytest.raises(PlanNeeded, match=r"item 31BB_2021\d{4} is encoded .* and cannot be noted"):
        replace(site, is_read_only=True).attempted("composite", inputs)

    with closing(site.open_index()) as index:
        assert index.layouts("c") == {}


def test_scene_in_an_unavailable_store_is_a_temporary_fault(site):
    with reserved_port() as nobody:
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        documents = json.loads(json.dumps(list(country.write_country(site.place.parent, NEIGHBOURS))))
        for each in documents:
            each["assets"]["NDVI"]["href"] = f"{address}{each['id']}.tif"
        with closing(site.open_index()) as index:
            index.put("c", [item_of(each, str(site.place)) for each in documents])

        with pytest.raises(TemporaryFault, match=r"item 31CB_2021\d{4} cannot be read now"):
            replace(site, prefixes=(address,)).result("composite", {"layer": "country", "reducer": "max"}, "composite")
