"""Scenes in different CRS and orientations, written and served unchanged, and the expected values at points."""

import io
import math
from dataclasses import dataclass

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient

from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from tests.scenes import KINDS, Scene

WEB_MERCATOR = crs_of("EPSG:3857")
INSTANT = "2020-01-21T00:00:00Z"
DAY_INDEX = 2
DAY = {"startDate": "2020-01-21", "endDate": "2020-01-21"}
HALF_WORLD_M = math.pi * 6_378_137
TILE_PX = 256
SAMPLES = 40
EDGE = 0.001
"""Pixels whose centre is nearer to the edge of a cell, in cells, may show either."""

SCENES = {
    "UTM": Scene(),
    "UTM, south up": Scene(transform=Affine(10, 0, 500_000, 0, 10, 5_649_700)),
    "LAEA": Scene(crs="EPSG:3035", transform=Affine(100, 0, 3_950_000, 0, -100, 3_110_000)),
    "longitude and latitude": Scene(crs="EPSG:4326", transform=Affine(0.001, 0, 4.4, 0, -0.001, 51.0)),
    "ascending latitude": Scene(crs="EPSG:4326", transform=Affine(0.001, 0, 4.4, 0, 0.001, 50.97)),
    "0 to 360": Scene(crs="EPSG:4326", transform=Affine(4, 0, 0, 0, -4, 90), width=90, height=45, gap=50),
    "0 to 360, ascending": Scene(crs="EPSG:4326", transform=Affine(4, 0, 0, 0, 4, -90), width=90, height=45, gap=50),
}
EACH_KIND = [kind if kind in {"cog", "zarr-v3"} else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
"""Parameters of tests: for the other kinds, the quick tests compare only readers, not every protocol."""
EACH_SCENE_AND_KIND = [
    pytest.param(
        scene,
        kind,
        id=f"{name}-{kind}",
        marks=[] if kind == "zarr-v3" or (name, kind) == ("UTM", "cog") else pytest.mark.slow,
    )
    for name, scene in SCENES.items()
    for kind in KINDS
]
"""Parameters of tests: the quick tests request each scene from one kind."""


def as_covered(scene: Scene, numbers: np.ndarray) -> np.ndarray:
    """(…, y, x) numbers of a scene in the order of coverages: from the north, and from -180 degrees if of the world."""
    northern = numbers[..., ::-1, :] if scene.transform.e > 0 else numbers
    is_world = scene.width * scene.transform.a == 360
    return np.roll(northern, scene.width // 2, axis=-1) if is_world and scene.transform.c == 0 else northern


@dataclass(frozen=True)
class Served:
    """A scene and the client of the server that serves it."""

    scene: Scene
    client: TestClient


@dataclass(frozen=True)
class Tile:
    """One tile of WebMercatorQuad."""

    z: int
    x: int
    y: int

    @property
    def size_m(self) -> float:
        return 2 * HALF_WORLD_M / 2**self.z

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        left, top = self.x * self.size_m - HALF_WORLD_M, HALF_WORLD_M - self.y * self.size_m
        return left, top - self.size_m, left + self.size_m, top

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y (y, x) of the pixels' centres."""
        steps = (np.arange(TILE_PX) + 0.5) * self.size_m / TILE_PX
        return np.meshgrid(self.bbox[0] + steps, self.bbox[3] - steps)


def native_tile(served: Served) -> Tile:
    """The tile of the native zoom that holds the point a third of the way into the scene, at any place on earth."""
    tilejson = served.client.get("/tiles/NDVI/WebMercatorQuad/tilejson.json").json()
    x, y = served.scene.transform @ (served.scene.width * 0.6, served.scene.height * 0.4)
    x, y = transformer(crs_of(served.scene.crs), WEB_MERCATOR).transform(x, y)
    scale = 2 ** tilejson["maxzoom"] / (2 * HALF_WORLD_M)
    column = math.floor((x + HALF_WORLD_M) * scale) % 2 ** tilejson["maxzoom"]
    return Tile(tilejson["maxzoom"], column, math.floor((HALF_WORLD_M - y) * scale))


def pixels(answer) -> np.ndarray:
    """(y, x, 4) of a picture."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["chronotile-time"] == INSTANT
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def sampled(served: Served, tile: Tile) -> list[tuple[int, int, float, float]]:
    """(row, column, longitude, latitude) of pixels inside the scene and clear of the edges of its cells."""
    x, y = tile.centres()
    longitude, latitude = transformer(WEB_MERCATOR, CRS84).transform(x, y)
    native_x, native_y = transformer(WEB_MERCATOR, crs_of(served.scene.crs)).transform(x, y)
    column, row = ~served.scene.transform @ (native_x, native_y)
    column = wound(column, served.scene)
    is_clear = (np.abs(column - np.rint(column)) > EDGE) & (np.abs(row - np.rint(row)) > EDGE)
    is_inside = (column > 0) & (column < served.scene.width) & (row > 0) & (row < served.scene.height)
    places = np.argwhere(is_clear & is_inside)
    chosen = places[np.random.default_rng(7).permutation(len(places))[:SAMPLES]]
    return [(i, j, float(longitude[i, j]), float(latitude[i, j])) for i, j in chosen.tolist()]


def values_at(client, places) -> list[float | None]:
    """Return the value of the point series at each point at the instant."""
    values = []
    for _row, _column, longitude, latitude in places:
        query = {"lon": longitude, "lat": latitude, "datetime": "2020-01-21"}
        values += client.get("/timeseries/NDVI/point", params=query).json()["values"]
    return values


def colour(value: float | None) -> tuple[int, int, int, int]:
    """Return the colour of a value in the style `numbers`, computed independently."""
    if value is None:
        return 0, 0, 0, 0
    grey = round((value + 0.08) * 250)
    return grey, grey, grey, 255


def told(answer) -> float | None:
    """Return the value in a feature info."""
    (feature,) = answer.json()["features"]
    return feature["properties"]["value"]


def cell_of(scene: Scene, longitude: float, latitude: float) -> tuple[int, int]:
    """(row, column) of the cell that holds a place, by PROJ alone."""
    x, y = transformer(CRS84, crs_of(scene.crs)).transform(longitude, latitude)
    column, row = ~scene.transform @ (x, y)
    return math.floor(row), math.floor(wound(column, scene))


def wound(column, scene: Scene):
    """Columns of a scene all round the earth count modulo its width."""
    return column % scene.width if scene.width * scene.transform.a == 360 else column
