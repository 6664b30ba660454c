"""The programs of docs/how-to/pandas.md and docs/clients.md run unchanged, with a small demo on a socket."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from tests.protocols.listening import listening

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [(DOCS / name).read_text(encoding="utf-8") for name in ("how-to/pandas.md", "clients.md")]
PROGRAMS = [program for page in PAGES for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    plan = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
    with listening(create_app(Settings(config=make_demo(tmp_path_factory.mktemp("demo"), plan=plan)))) as url:
        yield url


@pytest.fixture
def run(server):
    """Return `run(program)`, which returns the program's variables at its end."""

    def run(program):
        names = {}
        exec(compile(program.replace("http://127.0.0.1:8000", server), "clients.md", "exec"), names)
        return names

    return run


@pytest.mark.slow
@pytest.mark.client
def test_pandas_reads_the_series_of_a_point(run):
    names = run(PROGRAMS[0])

    assert len(names["monthly"]) == 12
    assert names["ndvi"]["value"].between(-0.1, 1).any()
    assert set(names["clouds"].index) <= {"cloud", "snow", "nodata", "masked", "outside_range", "water"}


@pytest.mark.slow
@pytest.mark.client
def test_pandas_reads_the_series_of_fields(run):
    names = run(PROGRAMS[1])

    assert list(names["by_field"].columns) == ["field 1"]
    assert len(names["by_field"]) == 36
    assert (names["table"]["p10"] <= names["table"]["p90"]).any()


@pytest.mark.slow
@pytest.mark.client
def test_pandas_reads_the_values_of_places(run):
    names = run(PROGRAMS[2])

    assert "mechelen" in names["by_region"].index
    assert names["by_region"].shape[1] == 36


@pytest.mark.slow
@pytest.mark.client
def test_owslib_reads_collections_series_and_files(run):
    names = run(PROGRAMS[4])

    assert {"biopar", "NDVI", "LAI"} <= set(names["collections"])
    assert len(names["values"]) == 9
    assert names["ndvi"].mean() < 1
    assert names["ndvi"].size > 100


@pytest.mark.slow
@pytest.mark.client
def test_owslib_reads_a_coverage_and_runs_a_process(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    names = run(PROGRAMS[5])

    with rasterio.open(io.BytesIO(names["tiff"])) as part, rasterio.open("summer.tif") as summer:
        assert (part.count, part.crs.to_epsg(), summer.count) == (1, 3035, 1)
        assert part.bounds.left <= 3925000
        assert part.bounds.right >= 3926000
        assert (summer.read(1, masked=True).max() > part.read(1, masked=True).max()).all()


@pytest.mark.slow
@pytest.mark.client
def test_rasterio_reads_a_window_of_a_coverage_by_its_address(server):
    """It runs in a separate process: GDAL waits for the server in calls that hold the lock of the interpreter."""
    program = PROGRAMS[3].replace("http://127.0.0.1:8000", server)
    command = [sys.executable, "-c", f"{program}\nprint(ndvi.shape, ndvi.mean() < 1)"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert ran.stdout == "(100, 100) True\n", ran.stderr


def test_all_programs_of_the_page_are_run():
    assert len(PROGRAMS) == 6
