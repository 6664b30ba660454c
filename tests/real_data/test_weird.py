"""Odd rasters by the command line and as tiles: right pixels, or one line with the reason.

`tests/readers/test_weird_sources.py` compares the readers with the same files.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.cli.main import app
from tests.real_data.truth import CONFIGURED, SHARED, Truth, client_of, open_place, raster_truth, xarray_truth

pytestmark = pytest.mark.data

WEIRD = SHARED / "data" / "weird"
MERCATOR = "EPSG:3857"
LARGEST_M = 20037508.342789244
LCC = "+proj=lcc +lat_0=42.5 +lon_0=-100 +lat_1=25 +lat_2=60 +ellps=WGS84 +units=m"

REFUSED = {
    "cint16.tif": "complex numbers",
    "cog_gcps_ovr.tif": "ground control points only",
    "cog_nonearth.tif": "not of the Earth",
    "corrupt.tif": "its pixels cannot be read",
    "dataset_2d.nc": "set crs:",
    "dataset_3d.nc": "set crs:",
    "dataset_4d.nc": "set crs:",
    "float_nan.tif": "set crs:",
    "no_geo.jpg": "not georeferenced",
    "pyramid.zarr": "set crs:",
    "rotated.tif": "set crs:",
    "test_rpcs.tif": "sensor model",
    "timeseries.nc": "are not a grid",
}
PLACES = sorted(path.name for path in WEIRD.iterdir()) if WEIRD.is_dir() else []


@dataclass(frozen=True)
class Tiles:
    """A layer whose tiles at native zoom are compared, and their expected values."""

    place: Path
    layer: str
    truth: Callable[[], Truth]


def _raster(file: str, layer: str, band: int = 1) -> Tiles:
    return Tiles(WEIRD / file, layer, lambda: raster_truth([WEIRD / file], band))


TILES = [
    _raster("inverted_lat.tif", "inverted-lat.band1"),
    _raster("cog_dateline.tif", "cog-dateline.band1"),
    Tiles(WEIRD / "cog_nodata_nan.tif", "cog-nodata-nan.VV", lambda: raster_truth([WEIRD / "cog_nodata_nan.tif"])),
    Tiles(CONFIGURED["weird"], "float-nan.band1", lambda: raster_truth([WEIRD / "float_nan.tif"], crs=MERCATOR)),
    Tiles(CONFIGURED["weird"], "rotated.band1", lambda: raster_truth([WEIRD / "rotated.tif"], crs="EPSG:32631")),
    _raster("float_raster_with_nodata.tif", "float-raster-with-nodata.band1"),
    _raster("all-nodata.tif", "all-nodata.red", 3),
    _raster("cog_scale.tif", "cog-scale.band1"),
    _raster("cog_scale.tif", "cog-scale.band2", 2),
    _raster("cog_scale_epsg4326.tif", "cog-scale-epsg4326.band2", 2),
    _raster("cog_cmap.tif", "cog-cmap.band1"),
    _raster("cog_uint8_rgb_mask.tif", "cog-uint8-rgb-mask.GREEN", 2),
    _raster("world.byte.tif", "world-byte.band1"),
    _raster("geomatrix.tif", "geomatrix.band1"),
    _raster("goes.tif", "goes.BLUE", 3),
    _raster("ssmv_CCI_L3_v02.2_201411.tif", "ssmv-cci-l3-v02-2.band1"),
    _raster("ssmv_CCI_L3_v02.2_201412.tif", "ssmv-cci-l3-v02-2.band1"),
    Tiles(
        WEIRD / "testOffset.nc",
        "testoffset.variableWithOffset",
        lambda: xarray_truth(WEIRD / "testOffset.nc", "variableWithOffset"),
    ),
    Tiles(
        WEIRD / "tos_O1_2001-2002.nc",
        "tos-o1-2001-2002.tos",
        lambda: xarray_truth(WEIRD / "tos_O1_2001-2002.nc", "tos"),
    ),
    Tiles(WEIRD / "lcc_km.nc", "lcc-km.prcp", lambda: xarray_truth(WEIRD / "lcc_km.nc", "prcp", crs=LCC)),
    Tiles(
        WEIRD / "sic_daily_sample.zarr.zip",
        "sic-daily-sample.siconc",
        lambda: xarray_truth(WEIRD / "sic_daily_sample.zarr.zip", "siconc"),
    ),
]


@pytest.mark.parametrize("name", PLACES or ["absent"])
def test_check_of_one_file_passes_or_gives_a_reason_in_one_line(name):
    result = CliRunner().invoke(app, ["check", str(WEIRD / name)])

    wrong = [line for line in result.output.splitlines() if line.startswith(("error", "chronotile:"))]
    assert (result.exit_code, len(wrong)) == ((1, 1) if name in REFUSED else (0, 0))
    assert REFUSED.get(name, "") in result.output


@pytest.mark.slow
@pytest.mark.parametrize("case", TILES, ids=[case.layer for case in TILES])
def test_tiles_at_native_zoom_show_the_cells_of_the_file(case):
    truth = case.truth()
    archive = open_place(case.place)

    with client_of(archive) as client:
        pairs = [_tile_pair(client, case.layer, truth, cell) for cell in _cells(truth)]

    served, expected = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    same = (served == expected) | (np.isnan(served) & np.isnan(expected))
    assert same.mean() >= 0.999


def test_palette_of_the_file_colours_its_picture():
    with rasterio.open(WEIRD / "cog_cmap.tif") as dataset:
        colours = dataset.colormap(1)
    truth = raster_truth([WEIRD / "cog_cmap.tif"])
    zoom, column, row = _tile_of(truth, _cells(truth)[0])

    with client_of(open_place(WEIRD / "cog_cmap.tif")) as client:
        picture = _picture(client, f"/tiles/cog-cmap.band1/WebMercatorQuad/{zoom}/{column}/{row}.png")

    numbers = truth.at(*_centres(zoom, column, row), MERCATOR)
    expected = [(0, 0, 0, 0) if math.isnan(number) else colours[int(number)] for number in numbers.ravel()]
    assert (picture.reshape(-1, 4) == np.array(expected)).all(axis=1).mean() >= 0.999


def test_mask_of_the_file_is_the_transparency_of_its_picture():
    bands = [raster_truth([WEIRD / "cog_uint8_rgb_mask.tif"], band) for band in (1, 2, 3)]
    zoom, column, row = _tile_of(bands[0], _cells(bands[0])[0])

    with client_of(open_place(WEIRD / "cog_uint8_rgb_mask.tif")) as client:
        path = f"/tiles/cog-uint8-rgb-mask.TRUE_COLOUR/WebMercatorQuad/{zoom}/{column}/{row}.png"
        picture = _picture(client, path)

    expected = np.stack([band.at(*_centres(zoom, column, row), MERCATOR) for band in bands], axis=-1)
    seen = np.where(picture[..., 3:] > 0, picture[..., :3], np.nan)
    assert ((seen == expected) | (np.isnan(seen) & np.isnan(expected))).all(axis=-1).mean() >= 0.999


def _cells(truth: Truth) -> list[tuple[int, int]]:
    """Four cells with values that a Mercator map can show, else any it can."""
    rows, columns = np.transpose(truth.cells(2000))
    xs, ys = Transformer.from_crs(truth.crs, MERCATOR, always_xy=True).transform(*truth.centres(rows, columns))
    shown = (np.abs(xs) < LARGEST_M) & (np.abs(ys) < LARGEST_M)
    valid = shown & truth.valid(-1, rows, columns)
    picked = np.flatnonzero(valid if valid.any() else shown)[:4]
    return [(int(rows[index]), int(columns[index])) for index in picked]


def _tile_of(truth: Truth, cell: tuple[int, int]) -> tuple[int, int, int]:
    """The tile (zoom, column, row) that holds a cell, at the first zoom whose pixels are no larger than cells."""
    spacing = truth.spacing(*cell, MERCATOR)
    zoom = min(24, max(0, math.ceil(math.log2(2 * LARGEST_M / 256 / spacing))))
    x, y = truth.transform @ (cell[1] + 0.5, cell[0] + 0.5)
    x, y = Transformer.from_crs(truth.crs, MERCATOR, always_xy=True).transform(x, y)
    span = 2 * LARGEST_M / 2**zoom
    return zoom, math.floor((x + LARGEST_M) / span), math.floor((LARGEST_M - y) / span)


def _centres(zoom: int, column: int, row: int) -> tuple[np.ndarray, np.ndarray]:
    size = 2 * LARGEST_M / 2**zoom / 256
    steps = np.arange(256) + 0.5
    return np.meshgrid(-LARGEST_M + (column * 256 + steps) * size, LARGEST_M - (row * 256 + steps) * size)


def _tile_pair(client: TestClient, layer: str, truth: Truth, cell: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the served and the expected values of the tile of a cell, at the last time."""
    zoom, column, row = _tile_of(truth, cell)
    answer = client.get(f"/tiles/{layer}/WebMercatorQuad/{zoom}/{column}/{row}.npy")
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content)), truth.at(*_centres(zoom, column, row), MERCATOR).astype(np.float32)


def _picture(client: TestClient, path: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(client.get(path).content)).convert("RGBA"))
