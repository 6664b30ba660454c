"""The wheel in bare virtual environments, as docs/reference/installing.md installs it: no Node, no extras."""

import io
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.running import PATIENCE_S, serving
from tests.sampling import IS_FULL

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = (
    *("server", "viewer", "styles", "clients/dist", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"),
    ".gitignore",
)
VERSIONS = ("3.11", "3.13")
"""That the wheel is installed with; the second, which takes 80 s of processor time, in full runs alone."""
INSTALL_S = 1800
"""How long pip may take: machines of tests may be slow to reach a registry."""
MOST_BYTES = 600 << 20
"""Limit for `site-packages`: 529 MiB on Python 3.11."""
EXTRAS_ALONE = {
    *("scipy", "av", "pandas", "xarray", "zarr", "numcodecs", "h5py", "h5netcdf", "obstore", "pyarrow", "pyogrio"),
}
POINT = "lon=4.48&lat=51.03"
VIEWER_CHECK = "an empty link shows"
"""A part of the name of the check in first_viewer.mjs."""
BUILT = [ROOT / "viewer" / "dist", ROOT / "server/chronotile/demo/landscape.npz.xz"]


class Installed(NamedTuple):
    """A virtual environment with the wheel."""

    python: Path
    program: Path
    environment: dict[str, str]
    """Variables of its processes: only its programs are on the path."""


def interpreters():
    """Return the available interpreters of the wheel's versions."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for version in VERSIONS:
        candidates = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python")]
        if sys.version_info[:2] == tuple(map(int, version.split("."))):
            candidates.insert(0, sys.executable)
        works = (each for each in candidates if each and _version_of(each) == version)
        found[version] = next(works, None)
    return found


def _version_of(python):
    command = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def run(*command, **options):
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=INSTALL_S, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source, target):
    """Build the wheel with pip alone, dated by 2026-01-01."""
    options = ("--quiet", "--no-deps", "--wheel-dir", target)
    run(
        *(sys.executable, "-m", "pip", "wheel", *options, "."),
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"},
    )
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    for each in BUILT:
        if not each.exists():
            pytest.skip(f"{each.name} is not built: run make viewer demo-data")
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=VERSIONS if IS_FULL else VERSIONS[:1])
def installed(request, wheel, tmp_path_factory):
    python = interpreters()[request.param]
    if python is None:
        pytest.skip(f"Python {request.param} is absent")
    folder = tmp_path_factory.mktemp("bare")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run(python, "-m", "venv", folder, env=clean)
    bin_ = folder / "bin"
    run(bin_ / "pip", "install", "--constraint", ROOT / "requirements.lock", wheel, env=clean)
    yield Installed(bin_ / "python", bin_ / "chronotile", {"PATH": str(bin_), "PYTHONPATH": ""})
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def demo(installed, tmp_path_factory):
    """The address of the demo that the wheel makes and serves."""
    folder = tmp_path_factory.mktemp("demo") / "archive"
    with serving("demo", "--dir", folder, program=installed.program, **installed.environment) as (_, url, _lines):
        yield url
    shutil.rmtree(folder)


def fetch(url):
    """Status, media type and body of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_two_builds_have_the_same_bytes(wheel, tmp_path):
    for name in (each for each in SOURCES if (ROOT / each).exists()):  # clients/dist is not there before make clients
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    for path in tmp_path.rglob("*.py"):
        os.utime(path, ns=(0, 0))

    again = build(tmp_path, tmp_path / "built")

    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_source_archive_makes_the_same_wheel_without_node(wheel, tmp_path):
    bin_ = tmp_path / "bare" / "bin"
    run(sys.executable, "-m", "venv", bin_.parent)
    run(bin_ / "pip", "install", "--constraint", ROOT / "tools/release/requirements.lock", "hatchling")
    dated = {"SOURCE_DATE_EPOCH": "1767225600", "PATH": str(bin_)}
    run(bin_ / "python", "-m", "hatchling", "build", "-d", tmp_path, "-t", "sdist", cwd=ROOT, env=os.environ | dated)

    (archive,) = tmp_path.glob("*.tar.gz")
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path / "built")
    run(bin_ / "pip", "wheel", *options, archive, cwd=tmp_path, env=os.environ | dated)

    assert shutil.which("node", path=dated["PATH"]) is None
    assert (tmp_path / "built" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_base_has_no_library_of_an_extra(installed):
    listed = json.loads(run(installed.python, "-m", "pip", "list", "--format", "json"))

    assert {each["name"].lower() for each in listed} & EXTRAS_ALONE == set()
    folder = Path(run(installed.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    assert sum(each.lstat().st_size for each in folder.rglob("*")) < MOST_BYTES


def test_node_is_not_needed(installed):
    assert shutil.which("node", path=installed.environment["PATH"]) is None


def test_the_demo_serves_its_pages_and_layers(demo):
    status, media_type, body = fetch(f"{demo}/?f=html")
    layers = json.loads(fetch(f"{demo}/layers")[2])["layers"]

    assert (status, media_type.partition(";")[0]) == (200, "text/html")
    assert b"viewer/" in body
    assert {"NDVI", "TRUE_COLOUR"} <= {each["id"] for each in layers}


def test_the_demo_serves_a_tile_and_a_series(demo):
    tile = fetch(f"{demo}/tiles/NDVI/WebMercatorQuad/9/262/171.png?datetime=2024-06-21")
    series = json.loads(fetch(f"{demo}/timeseries/NDVI/point?{POINT}")[2])

    assert tile[:2] == (200, "image/png")
    picture = np.asarray(Image.open(io.BytesIO(tile[2])).convert("RGBA"))
    assert picture.shape == (256, 256, 4)
    assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 20
    assert len(series["times"]) == 180
    assert sum(value is not None for value in series["values"]) > 60


def test_demo_serves_everything_of_the_base_installation(demo):
    box = "4.4,51.0,4.5,51.05"
    paths = [
        f"timeseries/NDVI/point?{POINT}&format=csv",
        f"timeseries/NDVI/point?{POINT}&trend=seasonal&climatology=median",
        "wms?service=WMS&request=GetCapabilities",
        "wms?service=WMS&version=1.3.0&request=GetMap&layers=TRUE_COLOUR&styles=&crs=CRS:84"
        f"&bbox={box}&width=64&height=32&format=image/png",
        "wmts?service=WMTS&request=GetCapabilities",
        f"animations/NDVI.gif?bbox={box}&width=64&datetime=2024-06-01/2024-08-01",
        f"ogcapi/collections/NDVI/coverage?f=GTiff&bbox={box}&datetime=2024-06-21",
        f"ogcapi/collections/NDVI/coverage?f=zarr&bbox={box}&datetime=2024-06-21",
        "ogcapi/collections/NDVI/position?coords=POINT(4.48%2051.03)&f=CoverageJSON",
        "cubes/NDVI/WebMercatorQuad/9/262/171.ctc?datetime=2024-01-01/2025-01-01",
        "places",
        "health/ready",
    ]

    assert {path: fetch(f"{demo}/{path}")[0] for path in paths} == dict.fromkeys(paths, 200)


def test_the_viewer_is_in_the_wheel(demo):
    files = ["", "viewer.css", "js/worker.js", "data/land.json", "i18n/en.json"]

    assert {name: fetch(f"{demo}/viewer/{name}")[0] for name in files} == dict.fromkeys(files, 200)


@pytest.mark.browser
@pytest.mark.client("node")
def test_the_viewer_opens_in_chromium(demo, tmp_path):
    """Node drives Chromium; the server has none."""
    run("node", ROOT / "tests/viewer/browser/first_viewer.mjs", f"{demo}/", tmp_path, VIEWER_CHECK, cwd=ROOT)


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        (f"timeseries/NDVI/point?{POINT}&format=parquet", "parquet"),
        (f"timeseries/NDVI/point?{POINT}&format=netcdf", "netcdf"),
        (f"timeseries/NDVI/point?{POINT}&smooth=whittaker", "analysis"),
        ("animations/NDVI.mp4?width=64&datetime=2024-06-01/2024-07-01", "video"),
        ("ogcapi/collections/NDVI/coverage?f=NetCDF&bbox=4.4,51,4.5,51.05&datetime=2024-06-21", "netcdf"),
    ],
)
def test_request_that_needs_an_extra_names_it(demo, path, extra):
    status, media_type, body = fetch(f"{demo}/{path}")

    assert (status, media_type) == (501, "application/problem+json")
    assert f"pip install 'chronotile[{extra}]'" in json.loads(body)["detail"]


def test_command_that_needs_an_extra_names_it(installed, tmp_path):
    (tmp_path / "made.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text("collections:\n  made: {source: {kind: netcdf, href: made.nc}, variables: {NDVI: {}}}\n")

    done = subprocess.run(
        [installed.program, "check", configuration],
        capture_output=True, text=True, env=installed.environment, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "pip install 'chronotile[netcdf]'" in done.stdout + done.stderr
