"""The first example of docs/how-to/item-index.md: two overlapping tiles of NDVI, masked by their scene classes."""

import numpy as np
import pytest
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from tests.docs.bash import run_in_bash
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS
from tests.rasters import write_raster

pytestmark = [pytest.mark.slow, pytest.mark.client("bash")]

BLOCKS = blocks_of(DOCS / "how-to" / "item-index.md")
CONFIGURATION = next(block.text for block in BLOCKS if block.language == "yaml")
COMMANDS = next(block.text for block in BLOCKS if block.language == "sh")
CLOUD, VEGETATION = 9, 4
WEST, TOP, OVERLAP_M, SIDE_M = 600_000, 5_650_000, 1000, 2000
TILES = {"31UES": (WEST, 100), "31UFS": (WEST + SIDE_M - OVERLAP_M, 150)}
"""Left edge and number of each tile; the western half of the first one is cloudy."""
DAYS = ("20240601", "20240606")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    for tile, (west, number) in TILES.items():
        (folder / "data" / tile).mkdir(parents=True)
        classes = np.full((100, 100), VEGETATION, "uint8")
        if tile == "31UES":
            classes[:, :75] = CLOUD
        for day in DAYS:
            for name, size, numbers, form in (
                ("NDVI", 10, np.full((200, 200), number, "uint8"), {"nodata": 255, "scale": 0.004, "offset": -0.08}),
                ("SCL", 20, classes, {"nodata": 0}),
            ):
                path = folder / "data" / tile / f"S2_{day}_{tile}_{name}.tif"
                place = {"crs": "EPSG:32631", "transform": Affine(size, 0, west, 0, -size, TOP)}
                write_raster(path, numbers, **form, **place)
    (folder / "config.yaml").write_text(CONFIGURATION, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def output(folder):
    """Return the output of the commands except the endless one."""
    commands = "".join(line for line in COMMANDS.splitlines(keepends=True) if " serve " not in line)
    return run_in_bash(commands, folder, CHRONOTILE_JOBS_DIR=str(folder / "jobs"))


@pytest.fixture(scope="module")
def client(folder, output):
    app = create_app(Settings(config=folder / "config.yaml", jobs_dir=folder / "jobs"))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def series_at(client, x):
    """Return the values and reasons at a distance in metres from the western edge."""
    lon, lat = transformer(crs_of("EPSG:32631"), CRS84).transform(WEST + x, TOP - 500)
    document = client.get(f"/timeseries/NDVI/point?lon={lon}&lat={lat}").json()
    return document["values"], document["reasons"]


def test_tiles_are_indexed_and_checked_without_findings(output):
    assert output.startswith(f"s2: {len(TILES) * len(DAYS)} added")
    assert "0 errors, 0 warnings" in output


def test_tiles_of_a_day_are_one_date(client):
    assert client.get("/layers/NDVI/times").json()["times"] == ["2024-06-01T00:00:00Z", "2024-06-06T00:00:00Z"]


@pytest.mark.parametrize(
    ("x", "value", "reason"),
    [
        (500, None, "masked"),
        (1250, 0.52, None),  # cloudy in the first tile
        (1750, 0.32, None),  # clear in both tiles
        (2500, 0.52, None),
    ],
    ids=["cloud", "cloud in one tile", "clear in both", "second tile"],
)
def test_next_tile_fills_clouds(client, x, value, reason):
    values, reasons = series_at(client, x)

    assert values == [value, value]
    assert reasons == [reason, reason]
