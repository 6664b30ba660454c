"""OpenLayers, MapLibre, the JavaScript client and the map of notebooks in Chromium, with a private layer."""

import io
import json
import os
import subprocess
import urllib.request
from pathlib import Path

import morecantile
import numpy as np
import pytest
from PIL import Image

from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from tests.access.test_archive import SCENE, run

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.client("node")]

REPOSITORY = Path(__file__).parents[2]
ZOOM = 17
"""Zoom with cells 13 pixels wide."""
MATRIX_SET = morecantile.tms.get("WebMercatorQuad")
UNIFORM_PX = 7
"""Compared points have a uniform neighbourhood, because maps are shifted by a fraction of a pixel."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("packages")
    for client, name in (("js", "js"), ("python", "widget")):
        subprocess.run(["node", REPOSITORY / f"clients/{client}/build.mjs", folder / name], check=True, timeout=600)
    return {"CHRONOTILE_JS_PACKAGE": str(folder / "js"), "CHRONOTILE_WIDGET": str(folder / "widget")}


def middle_tile() -> morecantile.Tile:
    """Return the tile in the middle of the scene."""
    x, y = SCENE.transform @ (SCENE.width / 2, SCENE.height / 2)
    return MATRIX_SET.tile(*transformer(crs_of(SCENE.crs), CRS84).transform(x, y), ZOOM)


def places_of(picture: np.ndarray) -> list[dict[str, object]]:
    """Return drawn pixels of different colours with a uniform neighbourhood."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (UNIFORM_PX, UNIFORM_PX), axis=(0, 1))
    is_uniform = (windows == windows[..., :1, :1]).all(axis=(2, 3, 4)) & (windows[:, :, 3, 0, 0] == 255)
    rows, columns = np.nonzero(is_uniform)
    found = {
        tuple(picture[row + UNIFORM_PX // 2, column + UNIFORM_PX // 2, :3].tolist()): (row, column)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }
    assert len(found) > 20
    half = UNIFORM_PX // 2
    some = list(found.items())[:: len(found) // 8]
    return [{"x": column + half, "y": row + half, "rgb": rgb} for rgb, (row, column) in some]


def test_maps_show_a_private_layer_with_a_key_alone(
    site: tuple[str, str, Path], packages: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, key, log = site
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(log.parent / "jobs"))
    second = run(log.parent, "keys", "create", "bob", "--group", "ministry").strip()
    tile = middle_tile()
    url = f"{address}/k/{key}/tiles/SECRET/WebMercatorQuad/{ZOOM}/{tile.x}/{tile.y}.png"
    with urllib.request.urlopen(url) as answer:
        picture = np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGBA"))
    private_map = {
        "keys": [key, second],
        "zoom": ZOOM,
        "bbox": list(MATRIX_SET.bounds(tile)),
        "places": places_of(picture),
    }
    ran = subprocess.run(
        ["node", REPOSITORY / "tests/clients/js/private.mjs", f"{address}/", tmp_path / "pictures"],
        env=os.environ | packages | {"PRIVATE_MAP": json.dumps(private_map)},
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("ok ") == 10
