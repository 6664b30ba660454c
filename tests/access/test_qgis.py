"""QGIS with a key, as the password of Basic and in the path; saved projects draw the same in a new process.

An audit: `pytest -m audit tests/access`.
"""

import io
import json
import os
import subprocess
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clients.test_qgis import PYTHON

pytestmark = [pytest.mark.audit, pytest.mark.slow, pytest.mark.client("qgis")]

SCRIPT = Path(__file__).with_name("qgis_private.py")
BOX = "334120,6621180,334420,6621480"


def pixels_of(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGBA"))


def run_qgis(*arguments: object, folder: Path) -> dict[str, list[object]]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    environment.pop("PYTHONPATH", None)
    command = [PYTHON, SCRIPT, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_qgis_draws_a_private_layer_and_again_from_saved_projects(site: tuple[str, str, Path], tmp_path: Path) -> None:
    address, key, _log = site
    tmp_path.chmod(0o700)
    made = run_qgis("make", address, key, tmp_path, folder=tmp_path)
    opened = run_qgis("open", address, key, tmp_path, folder=tmp_path)
    url = f"{address}/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=SECRET&STYLES=&CRS=EPSG:3857&BBOX={BOX}"
    with_key = urllib.request.Request(
        f"{url}&WIDTH=128&HEIGHT=128&FORMAT=image/png", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(with_key) as answer:
        expected = np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGBA"))
    assert (expected[..., 3] == 255).mean() > 0.5
    for way in ("basic", "path"):
        for service in ("wms", "wmts"):
            name = f"{way}_{service}"
            assert made[name] == [True, []], (name, made)
            assert opened[name] == [True, []], (name, opened)
            drawn = pixels_of(tmp_path / f"{name}.png")
            assert np.array_equal(pixels_of(tmp_path / f"{name}_again.png"), drawn)
            # Tiles have a fixed pixel size, and QGIS chooses the box of its requests.
            assert (drawn != expected).any(axis=2).mean() < (0.03 if service == "wms" else 0.15), name
    saved = {name: (tmp_path / f"{name}.qgs").read_text() for name in made if name.startswith(("basic", "path"))}
    assert [key in saved[name] for name in sorted(saved)] == [False, False, True, True]
    for service in ("wms", "wmts"):
        assert made[f"none_{service}"][0] is False or not pixels_of(tmp_path / f"none_{service}.png").any()
