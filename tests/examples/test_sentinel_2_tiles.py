"""The example of tiles in Terrascope's folders, with made tiles of two UTM zones."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer
from rasterio.transform import Affine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import load_settings
from chronotile.cli.main import app
from tests.rasters import write_raster
from tests.running import PATIENCE_S

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "sentinel-2-tiles.yaml"
SEAM = (6.0, 50.5)
"""Longitude and latitude of a place on the border of the zones."""
CELLS, SIDE_M = 256, 2_560
TILES = {"31UGR": 32631, "32ULB": 32632}
TIMES = {"31UGR": "T105031", "32ULB": "T105052"}
DAYS = ("20200601", "20200606")
MISSING = (3, 3)
"""Row and column without a value, outside all other tiles."""


def corner_of(tile):
    """West and north of a tile, whose middle is about the seam."""
    x, y = Transformer.from_crs(4326, TILES[tile], always_xy=True).transform(*SEAM)
    return round((x - SIDE_M / 2) / 20) * 20, round((y + SIDE_M / 2) / 20) * 20


def numbers_of(tile, day):
    """(y, x) digital numbers of NDVI."""
    rows, columns = np.mgrid[0:CELLS, 0:CELLS]
    numbers = ((rows + 2 * columns + 40 * DAYS.index(day) + 7 * list(TILES).index(tile)) % 250).astype("u1")
    numbers[MISSING] = 255
    return numbers


def write(folder, tile, day):
    """Write the product of a tile and day, with the small picture and the metadata that Terrascope's folders have."""
    name = f"S2A_{day}{TIMES[tile]}_{tile}"
    product = folder / "NDVI_V2" / day[:4] / day[4:6] / day[6:] / f"{name}_NDVI_V200"
    product.mkdir(parents=True)
    west, north = corner_of(tile)
    classes = np.full((CELLS // 2, CELLS // 2), 4, dtype="u1")
    (product / f"{name}_NDVI_V200.xml").write_text("<metadata/>")
    files = {"NDVI_10M": (numbers_of(tile, day), 10), "SCENECLASSIFICATION_20M": (classes, 20)}
    files["NDVI_QUICKLOOK"] = classes[::8, ::8] * 50, 160
    for variable, (numbers, resolution) in files.items():
        profile = {"driver": "COG", "crs": f"EPSG:{TILES[tile]}", "blocksize": 128, "compress": "deflate"}
        transform = Affine(resolution, 0, west, 0, -resolution, north)
        write_raster(product / f"{name}_{variable}_V200.tif", numbers.astype("uint8"), transform=transform, **profile)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of the example over made tiles."""
    root = tmp_path_factory.mktemp("terrascope")
    for tile in TILES:
        for day in DAYS:
            write(root / "data" / "TERRASCOPE_Sentinel2", tile, day)
    place = root / "config" / "examples" / EXAMPLE.name
    place.parent.mkdir(parents=True)
    place.write_text(EXAMPLE.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHRONOTILE_JOBS_DIR", str(root / "jobs"))
        done = CliRunner().invoke(app, ["index", str(place)])
        assert done.output.startswith("tiles: 4 added"), done.output
        assert "left out" not in done.output
        archive = open_configured(load_settings(config=place, watch_s=0), patience_s=PATIENCE_S)
        with TestClient(application(archive.services, ServerOptions())) as one:
            yield one
        archive.close()


def place_in(tile, lon, lat):
    """Row and column of a place in a tile; `None` outside."""
    x, y = Transformer.from_crs(4326, TILES[tile], always_xy=True).transform(lon, lat)
    west, north = corner_of(tile)
    row, column = int((north - y) // 10), int((x - west) // 10)
    return (row, column) if 0 <= row < CELLS and 0 <= column < CELLS else None


@pytest.mark.parametrize(
    ("tile", "row", "column", "served"),
    [
        ("31UGR", 5, 5, "31UGR"),
        ("32ULB", 250, 250, "32ULB"),
        ("31UGR", 128, 128, "32ULB"),
        ("32ULB", 120, 130, "32ULB"),
    ],
)
def test_values_equal_those_of_the_tiles(client, tile, row, column, served):
    """In the overlap of two scenes of a day, the later one is served."""
    west, north = corner_of(tile)
    to_degrees = Transformer.from_crs(TILES[tile], 4326, always_xy=True)
    lon, lat = to_degrees.transform(west + 10 * column + 5, north - 10 * row - 5)

    answer = client.get(f"/timeseries/NDVI/point?lon={lon}&lat={lat}").json()

    numbers = [int(numbers_of(served, day)[place_in(served, lon, lat)]) for day in DAYS]
    assert answer["values"] == [pytest.approx(number * 0.004 - 0.08, abs=1e-9) for number in numbers]


def test_missing_numbers_have_no_value(client):
    """255, which the files do not state."""
    row, column = MISSING
    west, north = corner_of("31UGR")
    lon, lat = Transformer.from_crs(32631, 4326, always_xy=True).transform(west + 10 * column + 5, north - 10 * row - 5)

    answer = client.get(f"/timeseries/NDVI/point?lon={lon}&lat={lat}").json()

    assert (answer["values"], answer["reasons"]) == ([None] * 2, ["nodata"] * 2)


def test_tiles_of_a_day_are_one_date(client):
    times = client.get("/layers/NDVI/times").json()["times"]

    assert [time[:10] for time in times] == ["2020-06-01", "2020-06-06"]


def test_the_map_has_no_seam(client):
    picture = client.get(
        "/wms?service=WMS&version=1.3.0&request=GetMap&layers=NDVI&styles=&crs=CRS:84"
        "&bbox=5.995,50.497,6.005,50.503&width=64&height=64&format=image/png&time=2020-06-01"
    )
    pixels = np.asarray(Image.open(BytesIO(picture.content)).convert("RGBA"))
    assert (pixels[..., 3] == 255).all()
