"""Pages whose commands need an archive of COGs and scenes: each is followed in a folder that has one."""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import xarray
import yaml
from affine import Affine

from chronotile.access.accounts import Ledger
from chronotile.access.keys import open_keys
from chronotile.app.settings import Settings
from chronotile.archive.archive_ids import archive_id_at
from chronotile.archive.open import open_archive
from chronotile.core.model.job import Execution
from chronotile.core.model.time.instants import system_clock
from chronotile.jobs.processes.execute import execute, plan_execution
from chronotile.jobs.queue.service import JobService
from tests.docs.blocks import BLOCKS
from tests.docs.programs import programs_in
from tests.docs.shell import Shell
from tests.docs.site import DOCS
from tests.rasters import write_raster
from tests.s3 import serving_s3
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import TINY

pytestmark = [pytest.mark.slow, pytest.mark.every_case, pytest.mark.client("bash")]

PUBLISH = "docs/how-to/publish.md"
SERVICE = "docs/how-to/commands-beside-a-service.md"
PREPARED = (
    "docs/how-to/access.md",
    SERVICE,
    "docs/how-to/item-index.md",
    PUBLISH,
    "docs/how-to/quotas-and-usage.md",
    "docs/how-to/scenes-to-a-cube.md",
    "docs/reference/jobs.md",
)
PLAN = replace(TINY, days=("2024-06-03", "2024-07-03"))
DAYS = ("20240601", "20240701")
NDVI = np.arange(64 * 64, dtype="uint8").reshape(64, 64) % 200
BRABANT, OF_SCENES = "4.2,50.6,5.1,51.1", "5.99,50.49,6.01,50.51"
BELOW_20 = sum(scene.cloud_cover < 20 for scene in PLAN.all_scenes())
JOB = "5f0c2a9be1d44c63a7a6f0f27b1f3c55"


def commands_of(page):
    """Return the texts of the blocks of commands of a page without a marker."""
    return [block.text for block in BLOCKS if (block.page, block.language) == (page, "sh") and not block.is_marked]


@pytest.fixture
def store_job(folder, environment):
    """Return a function: it runs a process and returns the id of the finished job."""
    configuration = folder / "config" / "chronotile.yaml"
    id_ = archive_id_at(configuration, environment={})
    jobs_folder = Settings(config=configuration, jobs_dir=folder / "jobs").jobs_folder(id_)

    def run(process, **inputs):
        (folder / "made").mkdir()
        execution = Execution(process=process, inputs=inputs)
        with (
            closing(open_archive(configuration, environment={}, clock=system_clock)) as archive,
            closing(JobService(jobs_folder, archive=id_)) as jobs,
        ):
            plan = plan_execution(execution, archive.services)
            results = execute(execution, archive.services, folder / "made", plan=plan)
            job, _files = jobs.store_execution(execution, results, folder / "made", user=None)
            return job.id

    return run


def replace_all(text, replaced):
    """Return a text with all texts of the page replaced by texts of the test."""
    return reduce(lambda before, pair: before.replace(pair[0], str(pair[1])), replaced.items(), text)


@pytest.fixture
def folder(tmp_path):
    """Folder with `config.yaml`, the same as `config/chronotile.yaml`, and `data`, a folder of COGs."""
    (tmp_path / "data").mkdir()
    for day in DAYS:
        grid = {"crs": "EPSG:32631", "transform": Affine(10, 0, 712_000, 0, -10, 5_599_000)}
        write_raster(tmp_path / "data" / f"NDVI_{day}.tif", NDVI, nodata=255, scale=0.004, offset=-0.08, **grid)
    files = archive(PLAN)
    catalogue = documents.write_catalogue(tmp_path, PLAN, lambda path: (files / path).as_uri())
    page = (DOCS / "how-to" / "scenes-to-a-cube.md").relative_to(DOCS.parent).as_posix()
    configured = next(block for block in BLOCKS if (block.page, block.language) == (page, "yaml"))
    configuration = yaml.safe_load(configured.text)
    scenes = configuration["collections"]["s2"]
    scenes["source"]["href"] = str(catalogue.parent / "stac-1.1" / documents.COLLECTION / "collection.json")
    ndvi = {"kind": "cog", "href": str(tmp_path / "data" / "NDVI_*.tif"), "time_pattern": r"_(?P<time>\d{8})"}
    configuration["collections"]["ndvi"] = {"source": ndvi, "variables": {"NDVI": {}}}
    (tmp_path / "config").mkdir()
    for name in ("config.yaml", "config/chronotile.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return tmp_path


@pytest.fixture
def environment(folder):
    folders = {"CHRONOTILE_JOBS_DIR": "jobs", "CHRONOTILE_CACHE_DIR": "blocks", "XDG_STATE_HOME": "state"}
    scenes = {"CHRONOTILE_SOURCE_PREFIXES": str(archive(PLAN))}
    return os.environ | {name: str(folder / each) for name, each in folders.items()} | scenes


@pytest.fixture
def follow(folder, environment):
    """Return a function: it runs the commands of a page in order and returns the output of each block.

    `replaced` has texts of the test by texts of the page; `exports` values of variables that the page exports.
    """
    with programs_in(folder, environment) as programs:

        def follow(page, *, exports=None, **replaced):
            shell = Shell(None, folder, start=programs.start, environment=environment, exports=exports or {})
            printed = []
            for text in commands_of(page):
                shell.run(replace_all(text, replaced))
                printed.append(shell.printed)
            assert shell.only_checked == []
            return printed

        yield follow


def test_pages_exist():
    assert all(commands_of(page) for page in PREPARED)


def test_keys_are_created_listed_and_revoked(follow):
    (printed,) = follow("docs/how-to/access.md")

    assert "robot" in printed
    assert "ministry" in printed


@pytest.fixture
def state(folder):
    """Archive and folder of the state of `config.yaml`."""
    id_ = archive_id_at(folder / "config.yaml", environment={})
    return id_, Settings(config=folder / "config.yaml", jobs_dir=folder / "jobs").jobs_folder(id_)


def test_keys_of_a_service_are_listed_with_its_variables(follow, folder, state):
    with closing(open_keys(None, state[1], archive=state[0])) as keys:
        keys.create("ann", days=90)
    replaced = {"/srv/maps/jobs": folder / "jobs", "/srv/maps/chronotile.yaml": folder / "config.yaml"}

    (printed,) = follow(SERVICE, **replaced)

    assert "ann" in printed


def test_usage_is_a_table(follow, state):
    Ledger(None, state[1], archive=state[0]).close()

    (printed,) = follow("docs/how-to/quotas-and-usage.md")

    assert printed.startswith("organisation,month,requests")


def test_an_index_is_watched_and_a_server_started(follow, folder):
    follow("docs/how-to/item-index.md")

    assert "watching s2" in (folder / "index-0.log").read_text()
    assert "landing page" in (folder / "serve-1.log").read_text()


def test_cubes_of_scenes_have_the_dates_of_the_page(follow, folder):
    (folder / "dates.txt").write_text("2024-07\n", encoding="utf-8")

    follow("docs/how-to/scenes-to-a-cube.md", **{"FOLDER DEST.zarr": "data dest.zarr", BRABANT: OF_SCENES})

    cubes = {name: xarray.open_zarr(folder / f"{name}.zarr") for name in ("dest", "s2", "ndvi", "brabant")}
    assert {name: cube.sizes["time"] for name, cube in cubes.items()} == {"dest": 2, "s2": 2, "ndvi": 2, "brabant": 1}
    assert {"RED", "NIR", "SCL"} <= set(cubes["s2"])
    assert cubes["ndvi"]["NDVI"].max() > 0


def test_servers_and_workers_start_with_cubes(follow, folder):
    follow("docs/reference/jobs.md")

    assert len(list(folder.glob("worker-*.log"))) == len(list(folder.glob("serve-*.log"))) == 2


@pytest.mark.client("bash", "moto_server")
def test_collections_and_results_are_published(follow, store_job, folder):
    job = store_job("composite", layer="ndvi.NDVI", datetime="2024", reducer="max")
    published = str(folder / "published")

    with serving_s3() as store:
        store.make_bucket("published")
        printed = follow(PUBLISH, exports=store.environment, **{"/data/published": published, JOB: job, "4-11": "4-8"})
        keys = store.keys("published")

    assert job in "".join(printed)
    assert {"ndvi/catalog.json", "ndvi/record.json"} <= set(keys)
    assert {path.parent.name for path in folder.glob("published/*/catalog.json")} >= {"ndvi", "s2", "composite"}
    assert len(list(folder.glob("published/s2/2024/**/S2_*.json"))) == BELOW_20
    assert (folder / "published/ndvi/open-science-catalogue/products").is_dir()
    assert (folder / "published/map/viewer/index.html").is_file()
    (block,) = (block for block in BLOCKS if (block.page, block.language) == (PUBLISH, "python"))
    program = [sys.executable, "-c", block.text.replace("/data/published", published)]
    items = subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(items) == len(DAYS)
    assert all(Path(line.split()[1]).is_file() for line in items)
