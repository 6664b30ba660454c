"""The recipes of docs/how-to/access.md, followed with their configurations, commands and requests."""

import os
import re
import subprocess

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.docs.blocks import blocks_of
from tests.docs.programs import PROGRAM
from tests.docs.site import DOCS
from tests.rasters import write_raster

pytestmark = pytest.mark.slow

PAGE = DOCS / "how-to" / "access.md"
HEADINGS = [number for number, line in enumerate(PAGE.read_text("utf-8").splitlines(), 1) if line.startswith("## ")]


def blocks_below(heading):
    """Return the blocks of a section of the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    first = lines.index(f"## {heading}") + 1
    last = min((line for line in HEADINGS if line > first), default=len(lines))
    return [block for block in blocks_of(PAGE) if first < block.line < last]


@pytest.fixture
def follow(tmp_path):
    """Return a function: it follows a recipe, and returns a client and the created key."""
    environment = os.environ | {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}
    clients = []

    def follow(heading):
        configuration, commands = blocks_below(heading)
        for name in ("ndvi", "harvest"):
            (tmp_path / name).mkdir()
            write_raster(
                tmp_path / name / f"{name.upper()}_20240601.tif", np.full((64, 64), 100, "uint8"), scale=0.004, offset=0
            )
        (tmp_path / "config.yaml").write_text(configuration.text, encoding="utf-8")
        create = next(line.split()[1:] for line in commands.text.splitlines() if " keys create " in line)
        ran = subprocess.run(
            [*PROGRAM, *create], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        settings = Settings(config=tmp_path / "config.yaml", jobs_dir=tmp_path / "jobs")
        clients.append(TestClient(create_app(settings), base_url="http://localhost"))
        return clients[0].__enter__(), re.search(r"^(\S{30,})$", ran.stdout, re.MULTILINE)[1]

    yield follow
    for client in clients:
        client.__exit__(None, None, None)


def collections_of(client, **headers):
    layers = client.get("/layers", headers=headers).json()["layers"]
    return {layer["collection"] for layer in layers}


def test_closed_server_shows_its_layers_only_with_a_key(follow):
    client, key = follow("Close the server: everyone needs a key")

    assert collections_of(client) == set()
    assert collections_of(client, Authorization=f"Bearer {key}") == {"ndvi"}
    assert client.get(f"/k/{key}/viewer/").status_code == 200


def test_hidden_layer_needs_its_key(follow):
    client, key = follow("Hide one layer")

    assert collections_of(client) == {"ndvi"}
    assert collections_of(client, Authorization=f"Bearer {key}") == {"ndvi", "harvest"}
    assert client.get("/collections/harvest").status_code == 404


def test_recipes_come_first():
    text = PAGE.read_text(encoding="utf-8")

    assert re.findall(r"^## (.+)", text, re.MULTILINE)[:3] == [
        "Close the server: everyone needs a key",
        "Hide one layer",
        "Sign in with an account",
    ]
