"""Maps of a period of a mosaic equal numpy's results for its scenes, in all protocols."""

import io

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from tests.odd_scenes import NUMBERS, SIDE, OddScenes

DAYS, CLOUD = (1, 11, 12, 31), 100
PERIOD, SHOWN_DAYS = "2024-01-11/2024-01-31", DAYS[1:]
HALF_WORLD_M = 20037508.342789244
Z, X, Y = 14, 8329, 5517
TILE_M = 2 * HALF_WORLD_M / 2**Z
LEFT, TOP = X * TILE_M - HALF_WORLD_M, HALF_WORLD_M - Y * TILE_M


def numbers_of(day: int, scene: int) -> np.ndarray:
    """Return (y, x) numbers of one of two adjacent scenes, a third of them clouds."""
    numbers = np.roll(NUMBERS, 37 * day + scene, axis=1)
    return np.where(numbers % 3 == day % 3, CLOUD, numbers).astype("uint8")


@pytest.fixture
def client(tmp_path):
    scenes = OddScenes(tmp_path, variables="{B: {asset: B, layer: B, flags: {100: cloud}}}")
    for day in DAYS:
        paths = [scenes.write(f"{day}_{i}", numbers_of(day, i), left=500_000 + 10 * SIDE * i, nodata=0) for i in (0, 1)]
        scenes.put(*(scenes.document(path.stem, {"B": path}, day=day) for path in paths))
    with scenes.served() as client:
        yield client


def values() -> np.ndarray:
    """(time, y, x) of the tile, NaN under clouds and beyond the scenes."""
    middles = (np.arange(256) + 0.5) * TILE_M / 256
    x, y = Transformer.from_crs("EPSG:3857", "EPSG:32631", always_xy=True).transform(
        *np.meshgrid(LEFT + middles, TOP - middles)
    )
    columns, rows = ((each // 10).astype(int) for each in (x - 500_000, 5_600_000 - y))
    is_inside = (columns >= 0) & (columns < 2 * SIDE) & (rows >= 0) & (rows < SIDE)
    days = np.stack([np.hstack([numbers_of(day, 0), numbers_of(day, 1)]) for day in SHOWN_DAYS])
    numbers = days[:, np.where(is_inside, rows, 0), np.where(is_inside, columns, 0)].astype(float)
    return np.where(is_inside & (numbers != CLOUD), numbers, np.nan)


def newest(times: np.ndarray) -> np.ndarray:
    found = times[-1]
    for each in times[-2::-1]:
        found = np.where(np.isnan(found), each, found)
    return found


@pytest.mark.filterwarnings("ignore:All-NaN")
@pytest.mark.parametrize(
    ("reducer", "reduce"),
    [
        ("latest", newest),
        ("median", lambda times: np.nanmedian(times, axis=0)),
        ("max", lambda times: np.nanmax(times, axis=0)),
    ],
)
def test_period_of_adjacent_scenes_equals_their_pixels(client, reducer, reduce):
    box = ",".join(map(repr, (LEFT, TOP - TILE_M, LEFT + TILE_M, TOP)))
    wms = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=B&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE"
    tile = f"/tiles/B/WebMercatorQuad/{Z}/{X}/{Y}"

    found = np.load(io.BytesIO(client.get(f"{tile}.npy?datetime={PERIOD}&reducer={reducer}").content))
    pictures = [
        np.asarray(Image.open(io.BytesIO(client.get(address).content)).convert("RGBA"))
        for address in (
            f"{tile}.png?datetime={PERIOD}&reducer={reducer}",
            f"/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=B&STYLE=&FORMAT=image/png&TIME={PERIOD}"
            f"&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX={Z}&TILEROW={Y}&TILECOL={X}&REDUCER={reducer}",
            f"{wms}&CRS=EPSG:3857&BBOX={box}&WIDTH=256&HEIGHT=256&TIME={PERIOD}&REDUCER={reducer}",
        )
    ]

    expected = reduce(values())
    assert np.isfinite(expected).mean() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert [np.array_equal(each, pictures[0]) for each in pictures] == [True] * 3
