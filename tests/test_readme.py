"""Every request that the README and the page on analyses show is answered, by a small demo archive."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app import create_app
from chronotile.demo import DemoPlan, make_demo
from chronotile.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SHOWN = README + (ROOT / "docs" / "reference" / "series-analysis.md").read_text()
REQUESTS = re.findall(r'curl (?:-o (\S+) )?"http://127\.0\.0\.1:8000(/[^"]+)"', SHOWN)
POSTS = re.findall(r"""curl (?:-H "Prefer: (\S+)" )?-d '([^']+)' "http://127\.0\.0\.1:8000(/[^"]+)\"""", README)
ADDRESSES = re.findall(r"`http://127\.0\.0\.1:8000(/[^`]+)`|<http://127\.0\.0\.1:8000(/[^>]*)>", README)
READABLE = {"png": "image/png", "tif": "image/tiff"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    plan = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
    place = make_demo(tmp_path_factory.mktemp("demo"), plan=plan)
    settings = Settings(config=place, jobs_dir=tmp_path_factory.mktemp("jobs"))
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_the_readme_shows_requests():
    assert len(REQUESTS) >= 10
    assert len(ADDRESSES) >= 4
    assert len(POSTS) >= 1


def test_ci_calls_the_test_command_of_the_readme():
    commands = (ROOT / ".ci" / "run").read_text().splitlines()

    assert re.search(r"^make test\b", README, re.MULTILINE)
    assert "make test" in commands


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), REQUESTS, ids=[path[:60] for _, path in REQUESTS])
def test_a_request_of_the_readme_is_answered(client, name, path):
    response = client.get(path)

    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith(READABLE.get(name.rpartition(".")[2], ""))


@pytest.mark.slow
@pytest.mark.parametrize(("preferred", "body", "path"), POSTS, ids=[path[:60] for *_, path in POSTS])
def test_a_posted_request_of_the_readme_is_answered(client, preferred, body, path):
    response = client.post(path, content=body, headers={"Prefer": preferred} if preferred else {})

    assert response.status_code == (201 if preferred == "respond-async" else 200), response.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [path for name, path in REQUESTS if name.endswith("png") and "legend" not in name],
    ids=lambda path: path[:60],
)
def test_a_picture_of_the_readme_shows_something(client, path):
    picture = np.asarray(Image.open(io.BytesIO(client.get(path).content)).convert("RGBA"))

    assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("path", [a or b for a, b in ADDRESSES if "{" not in a])
def test_an_address_of_the_readme_is_answered(client, path):
    suffix = "?SERVICE=" + path.strip("/").upper() + "&REQUEST=GetCapabilities" if path in {"/wms", "/wmts"} else ""

    assert client.get(path + suffix).status_code == 200
