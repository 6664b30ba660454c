"""The README is short and true; requests in it and on the page of all requests return the type of their file names."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from tests.docs.blocks import blocks_of
from tests.docs.site import ROOT

pytestmark = pytest.mark.every_case

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = README + (ROOT / "docs" / "reference" / "requests.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r'curl (?:-o (\S+) )?"http://127\.0\.0\.1:8000(/[^"]+)"', SHOWN)
ADDRESSES = re.findall(r"`http://127\.0\.0\.1:8000(/[^`]+)`|<http://127\.0\.0\.1:8000(/[^>]*)>", SHOWN)
READABLE = {"png": "image/png", "tif": "image/tiff", "svg": "image/svg+xml", "gif": "image/gif"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    plan = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
    place = make_demo(tmp_path_factory.mktemp("demo"), plan=plan)
    settings = Settings(config=place, jobs_dir=tmp_path_factory.mktemp("jobs"))
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_the_readme_is_short():
    assert len(README.encode()) <= 4096


def test_the_readme_shows_a_moving_picture_that_is_small():
    (place,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)

    with Image.open(ROOT / place) as picture:
        assert picture.n_frames >= 10
    assert (ROOT / place).stat().st_size < 1_000_000


def test_the_readme_shows_three_requests():
    (requests,) = (block for block in blocks_of(ROOT / "README.md") if "curl" in block.text)

    assert requests.text.count("curl ") == 3


def test_tests_have_a_block_apart_from_the_endless_demo():
    (demo,) = (block.text for block in blocks_of(ROOT / "README.md") if "make demo" in block.text)
    (tests,) = (block.text for block in blocks_of(ROOT / "README.md") if "make test" in block.text)

    assert demo.splitlines()[0].startswith("git clone ")
    assert demo.splitlines()[-1] == "make demo"
    assert tests.split() == ["make", "test"]


def test_table_leads_from_tasks_to_pages():
    (table,) = re.findall(r"^\| .+ \| you use \|\n\| --- \| --- \|\n((?:\|.*\n)+)", README, re.MULTILINE)

    tasks = table.splitlines()
    assert len(tasks) >= 8
    assert [task for task in tasks if "](docs/" not in task] == []


def test_ci_calls_the_test_command_of_the_readme():
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()

    assert re.search(r"^make demo\b", README, re.MULTILINE)
    assert re.search(r"^make test\b", README, re.MULTILINE)
    assert "make test" in commands


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), [each for each in REQUESTS if each[0]], ids=lambda text: text[:60])
def test_request_returns_the_content_of_its_file_name(client, name, path):
    response = client.get(path)

    assert response.headers["content-type"].startswith(READABLE.get(name.rpartition(".")[2], "")), response.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [path for name, path in REQUESTS if name.endswith("png") and "legend" not in name],
    ids=lambda path: path[:60],
)
def test_a_picture_shows_something(client, path):
    picture = np.asarray(Image.open(io.BytesIO(client.get(path).content)).convert("RGBA"))

    assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted({a or b for a, b in ADDRESSES if "{" not in a}))
def test_an_address_is_answered(client, path):
    suffix = (
        "?SERVICE=" + path.strip("/").upper() + "&REQUEST=GetCapabilities" if path in {"/wms", "/wmts", "/wps"} else ""
    )

    assert client.get(path + suffix).status_code == 200


def test_start_page_describes_chronotile_as_the_readme_does():
    start = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    (about,) = re.findall(r"^\*\*.+$", README, re.MULTILINE)
    assert about in start
    assert len(re.findall(r"\.(?= |\*|$)", about)) == 2


def test_the_start_page_has_a_door_for_operators_analysts_and_developers():
    start = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    doors = re.findall("^## (.+)$", start, re.MULTILINE)
    assert doors == ["You run a server", "You analyse data", "You write software"]
