"""Floats with undeclared fill values: picture, cube and series of a pixel have one value.

For any other content of the tile, a cube's number is within half a step of the value, or on its stated side.
"""

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.agreement.conftest import STYLE
from tests.agreement.scenes_served import Served, cell_of, native_tile, sampled
from tests.agreement.test_cubes import cube_of, greys_of
from tests.scenes import Scene, write_tif

SCENE = Scene(scale=1.0, offset=0.0, days=("2020-01-01",))
CONFIGURATION = """
collections:
  made:
    source: {kind: cog, href: 'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'}
    variables: {NDVI: {layer: NDVI, styles: [numbers]}}
"""
LARGEST = np.finfo("float64").max
ODD = {
    "float32": (1e37, -9999.0, -3.4e38, np.inf, -np.inf, np.nan, 1e-42, 33.2, 33.3),
    "float64": (1e300, -9999.0, LARGEST, -LARGEST, np.inf, np.nan, 5e-324, 33.2, 33.3),
}


@pytest.fixture(params=ODD)
def numbers(request) -> np.ndarray:
    """Return (y, x) numbers of NDVI, with odd ones among them."""
    random = np.random.default_rng(5)
    usual = random.uniform(-0.05, 0.9, (SCENE.height, SCENE.width))
    odd = random.choice(ODD[request.param], usual.shape)
    return np.where(random.random(usual.shape) < 0.3, odd, usual).astype(request.param)


@pytest.fixture
def served_floats(numbers, tmp_path):
    """The numbers as a file that declares no nodata, served."""
    write_tif(tmp_path / "NDVI_20200101.tif", numbers, SCENE, nodata=None)
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "numbers.yaml").write_text(STYLE)
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(CONFIGURATION)
    archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield Served(SCENE, client)


def test_picture_cube_and_series_of_a_pixel_have_one_value(served_floats, numbers):
    tile = native_tile(served_floats)
    places = sampled(served_floats, tile)

    cube, greys = cube_of(served_floats, tile), greys_of(served_floats, tile)[0]

    pixels = tuple(np.transpose([(row, column) for row, column, _lon, _lat in places]))
    cells = np.array([numbers[cell_of(SCENE, lon, lat)] for _row, _column, lon, lat in places]).astype("float64")
    expected = np.where(np.isfinite(cells), cells, np.nan)
    told = series_at(served_floats, places)  # text that reads back as the same number of the type that is stored
    assert np.array_equal(told.astype(numbers.dtype), expected.astype(numbers.dtype), equal_nan=True)
    value, beyond = cube.values()[0][pixels], cube.beyond()[0][pixels]
    assert_told(value, beyond, expected, step=cube.header["scale"])
    assert {-1, 0, 1} == set(beyond.tolist())
    is_value = np.isfinite(expected)
    grey = (np.clip(expected[is_value], -0.08, 0.92) + 0.08) * 250
    np.testing.assert_allclose(greys[pixels][is_value], grey, atol=1.0)


def series_at(served: Served, places) -> np.ndarray:
    asked = [{"lon": lon, "lat": lat} for _row, _column, lon, lat in places]
    answers = [served.client.get("/timeseries/NDVI/point", params=place).json()["values"][0] for place in asked]
    return np.array(answers, dtype="float64")


def assert_told(value: np.ndarray, beyond: np.ndarray, expected: np.ndarray, *, step: float) -> None:
    """Assert that values of a cube are within half a step of the expected ones, or on the stated side."""
    assert step == 0.001
    assert np.array_equal(np.isnan(value), np.isnan(expected))
    exact = beyond == 0
    np.testing.assert_allclose(value[exact], expected[exact], rtol=0, atol=step / 2 + 1e-9)
    assert np.all(np.sign(expected[~exact]) == beyond[~exact])
    assert np.all(np.abs(expected[~exact]) > 32)


@pytest.mark.quick_cases("0-png", "3-tif", "1-ctc")
@pytest.mark.parametrize(
    ("ending", "query"), [("ctc", "?res=2"), *((each, "") for each in ("ctc", "png", "webp", "npy", "tif"))]
)
@pytest.mark.parametrize("back", [0, 1, 3])
def test_no_zoom_of_odd_floats_is_an_error(served_floats, ending, back, query):
    tile = native_tile(served_floats)
    cubes_or_tiles = "cubes" if ending == "ctc" else "tiles"

    place = f"{tile.z - back}/{tile.x >> back}/{tile.y >> back}"
    answer = served_floats.client.get(f"/{cubes_or_tiles}/NDVI/WebMercatorQuad/{place}.{ending}{query}")

    assert answer.status_code == 200
