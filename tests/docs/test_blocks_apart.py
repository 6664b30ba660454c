"""Code blocks that need more than a server of the demo: a worker, or files that do not state their scale."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import Affine
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from chronotile_client import Archive
from tests.docs.blocks import BLOCKS, blocks_of
from tests.docs.programs import programs_in
from tests.docs.shell import SERVER, Shell
from tests.docs.site import DOCS
from tests.jobs.runner.deployment import working
from tests.rasters import write_raster
from tests.running import PATIENCE_S, serving, with_client

pytestmark = pytest.mark.slow

APART = {str(block): block for block in BLOCKS if block.runner == "tests/docs/test_blocks_apart.py"}
NUMBERS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def block_of(page, language):
    """Return the block of a page in a language that is run here."""
    (block,) = blocks_in(page, language)
    return block


def blocks_in(page, language):
    """Return the blocks of a page in a language that are run here, in order."""
    return [block for block in APART.values() if (block.page, block.language) == (f"docs/{page}", language)]


def run_program(text, folder):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=folder,
        env=with_client(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_no_other_block_is_listed_as_run_here():
    assert {(block.page, block.language) for block in APART.values()} == {
        ("docs/how-to/processes.md", "python"),
        ("docs/how-to/processes.md", "sh"),
        ("docs/reference/processes.md", "python"),
        ("docs/tutorials/my-own-folder.md", "yaml"),
        ("docs/tutorials/my-own-folder.md", "sh"),
    }


PLAN = DemoPlan(size_px=200, first_day="2020-01-01", dekads=180, levels=2, picture_days=("2024-06-01",))


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Yield a shell in a folder with a demo of five years at `data/demo`, its server and its worker."""
    folder = tmp_path_factory.mktemp("demo")
    configuration = make_demo(folder / "data" / "demo", plan=PLAN)
    jobs = {"CHRONOTILE_JOBS_DIR": str(tmp_path_factory.mktemp("jobs"))}
    worker, _jobs_list = blocks_in("how-to/processes.md", "sh")
    environment = os.environ | jobs
    with (
        serving("serve", configuration, "--workers", "1", **jobs) as (_, url, _lines),
        programs_in(folder, environment) as programs,
    ):
        shell = Shell(url, folder, start=programs.start, environment=environment)
        shell.run(worker.text)
        yield shell


@pytest.fixture(scope="module")
def with_worker(shell):
    """Return the address of a demo of five years with a worker."""
    return shell.url


def test_the_program_waits_for_its_job(with_worker, tmp_path):
    run_program(block_of("how-to/processes.md", "python").text.replace(SERVER, with_worker), tmp_path)

    with rasterio.open(tmp_path / "anomaly.tif") as file:
        anomaly = file.read(1, masked=True)
    assert 0.1 < np.abs(anomaly).mean() < 3


@pytest.mark.client("bash", "curl")
def test_jobs_are_listed_by_a_command_and_by_the_server(shell):
    with Archive(shell.url) as archive:
        job = archive.process("composite", at_once_s=0, layer="NDVI", datetime="2023-06", reducer="max")
        job.wait(timeout_s=PATIENCE_S)
    _worker, jobs_list = blocks_in("how-to/processes.md", "sh")

    shell.run(jobs_list.text)

    assert shell.printed.count(job.id) >= 2


def test_the_result_of_optimise_opens_in_one_line(with_worker, tmp_path):
    box = (4.4, 50.97, 4.43, 51.0)
    with Archive(with_worker) as archive:
        job = archive.process("optimise", at_once_s=0, layer="NDVI", time="2023-06", bbox=box)
        job.wait(timeout_s=PATIENCE_S).save(tmp_path / "cube.zarr.zip")

    printed = run_program(f"{block_of('reference/processes.md', 'python').text}\nprint(maps['NDVI'].sizes)", tmp_path)

    assert "'time': 3" in printed


NOTEBOOK = DOCS / "how-to" / "from-a-notebook-to-a-job.md"


@pytest.mark.every_case
def test_the_notebook_becomes_a_job_on_a_server_with_its_limit(tmp_path):
    """The programs of the page run in one interpreter, as the cells of a notebook."""
    blocks = blocks_of(NOTEBOOK)
    (limits,) = (yaml.safe_load(block.text)["service"] for block in blocks if block.language == "yaml")
    configuration = make_demo(tmp_path / "demo", plan=PLAN)
    document = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    document["service"] |= limits
    configuration.write_text(yaml.safe_dump(document), encoding="utf-8")
    program = "\n".join(block.text for block in blocks if block.language == "python")
    environment = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}

    with (
        serving("serve", configuration, "--workers", "1", **environment) as (_, url, _lines),
        working(configuration, **environment),
    ):
        printed = run_program(program.replace(SERVER, url), tmp_path)

    assert re.search(
        r"max_coverage_bytes: at most 1000000, \d+ requested; .+or run the process 'export' as a job", printed
    )
    assert re.search(r"^\w+ (accepted|running)$", printed, re.MULTILINE)
    assert re.findall(r"^(\d{4})-01-01 +0\.\d+$", printed, re.MULTILINE) == ["2020", "2021", "2022", "2023", "2024"]
    assert "successful" in printed
    assert printed.rstrip().endswith("[36 rows x 752 columns]")


@pytest.fixture
def plain_files(tmp_path):
    """Files with digital numbers and without a scale."""
    folder = tmp_path / "my-data"
    folder.mkdir()
    for day in ("20230601", "20230701"):
        grid = {"crs": "EPSG:32631", "transform": Affine(20, 0, 600_000, 0, -20, 5_650_000)}
        write_raster(folder / f"ndvi_{day}.tif", NUMBERS, nodata=255, **grid)
    return folder


def test_configured_scale_applies_to_all_files(plain_files):
    variables = yaml.safe_load(block_of("tutorials/my-own-folder.md", "yaml").text)
    source = {"kind": "cog", "href": "my-data/ndvi_*.tif", "time_pattern": r"_(?P<time>\d{8})"}
    configuration = plain_files.parent / "my-data.yaml"
    configuration.write_text(yaml.safe_dump({"collections": {"ndvi": {"source": source} | variables}}))

    with TestClient(create_app(Settings(config=configuration, jobs_dir=plain_files.parent / "jobs"))) as client:
        answer = client.get("/ogcapi/collections/NDVI/coverage?f=GTiff&datetime=2023-06-01")

    with rasterio.MemoryFile(answer.content) as memory, memory.open() as file:
        values = file.read(1) * file.scales[0] + file.offsets[0]
    np.testing.assert_allclose(values, NUMBERS * 0.004 - 0.08, atol=1e-9)


@pytest.mark.client("gdal_edit.py", "gdal_translate")
def test_gdal_writes_the_scale_into_files(plain_files):
    (plain_files / "scaled").mkdir()
    edit, translate = block_of("tutorials/my-own-folder.md", "sh").text.splitlines()

    for command in (translate, edit):  # the first command changes the input of the second
        subprocess.run(command.split(), cwd=plain_files, check=True, timeout=PATIENCE_S, capture_output=True)

    for name in ("ndvi_20230601.tif", "scaled/ndvi_20230601.tif"):
        with rasterio.open(plain_files / name) as file:
            assert (file.scales, file.offsets) == ((0.004,), (-0.08,)), name
            np.testing.assert_array_equal(file.read(1), NUMBERS)
    assert not re.search(r"[|&;]", edit + translate)
