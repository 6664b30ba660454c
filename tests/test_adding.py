"""The instructions of docs/design/adding.md for a new process and a new format of maps, followed literally."""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.warp import transform
from starlette.testclient import TestClient

import chronotile
import chronotile.jobs.processes as package
from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.jobs.processes.registry import processes
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS
from tests.scenes import Scene, write_cogs

PAGE = DOCS / "design" / "adding.md"
CODE = {language: [each for each in blocks_of(PAGE) if each.language == language] for language in ("python", "diff")}
PLACE = (3.003, 51.0005)
SERVED = """
import sys
from pathlib import Path
from starlette.testclient import TestClient
from chronotile.app.application import create_app
from chronotile.app.settings import Settings

with TestClient(create_app(Settings(config=Path(sys.argv[1])))) as client:
    assert "image/bmp" in client.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities").text
    for number, address in enumerate(sys.argv[2:]):
        answer = client.get(address)
        assert answer.headers["content-type"] == f"image/{address[-3:]}", answer.text
        Path(sys.argv[1], f"{number}.answer").write_bytes(answer.content)
"""


@pytest.fixture
def data(tmp_path):
    """Return a folder of dated rasters."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_cogs(folder, Scene())
    return folder


def test_a_process_is_one_file(data, tmp_path, monkeypatch):
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "peak.py").write_text(CODE["python"][0].text)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    processes.cache_clear()
    try:
        with TestClient(create_app(Settings(config=data, jobs_dir=tmp_path / "jobs"))) as client:
            inputs = {"layer": "ndvi.NDVI", "lon": PLACE[0], "lat": PLACE[1]}
            answer = client.post("/ogcapi/processes/peak/execution", json={"inputs": inputs})
            wrong = client.post("/ogcapi/processes/peak/execution", json={"inputs": inputs | {"datetime": "soon"}})
            listed = client.get("/ogcapi/processes").json()["processes"]
    finally:
        sys.modules.pop("chronotile.jobs.processes.peak", None)
        processes.cache_clear()

    values = {}
    for path in sorted(data.glob("*.tif")):
        with rasterio.open(path) as file:
            (x,), (y,) = transform("OGC:CRS84", file.crs, [PLACE[0]], [PLACE[1]])
            (number,) = next(file.sample([(x, y)], masked=True))
            values[path.stem[-8:]] = number * file.scales[0] + file.offsets[0]
    day = max(values, key=values.get)
    assert len(set(values.values())) > 1
    assert answer.json()["time"].startswith(f"{day[:4]}-{day[4:6]}-{day[6:]}")
    assert answer.json()["value"] == pytest.approx(values[day])
    assert (wrong.status_code, wrong.json()["parameter"]) == (400, "inputs.datetime")
    assert "peak" in [each["id"] for each in listed]


@pytest.mark.slow
def test_a_format_is_one_value_and_its_encoder(data, tmp_path):
    here = Path(chronotile.__file__).parents[1]
    shutil.copytree(here, tmp_path / "server", ignore=shutil.ignore_patterns("__pycache__"))
    changed = re.findall(r"^Change `(.+)`:$", PAGE.read_text(), re.MULTILINE)
    for name, block in zip(changed, CODE["diff"], strict=True):
        file = tmp_path / name
        before, after = (
            "".join(line[1:] for line in block.text.splitlines(keepends=True) if line[0] in marks)
            for marks in (" -", " +")
        )
        text = file.read_text()
        assert text.count(before) == 1
        file.write_text(text.replace(before, after))

    tile = "/tiles/ndvi.NDVI/WebMercatorQuad/16/33314/21940"
    program = subprocess.run(
        [sys.executable, "-c", SERVED, data, f"{tile}.png", f"{tile}.bmp"],
        env={"PYTHONPATH": str(tmp_path / "server")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert program.returncode == 0, program.stderr
    png, bmp = (Image.open(io.BytesIO((data / f"{number}.answer").read_bytes())) for number in range(2))
    shown = Image.new("RGBA", png.size, "white")
    shown.alpha_composite(png.convert("RGBA"))
    assert bmp.format == "BMP"
    assert len(shown.convert("RGB").getcolors(256 * 256)) > 2
    np.testing.assert_array_equal(np.asarray(bmp.convert("RGB")), np.asarray(shown.convert("RGB")))
