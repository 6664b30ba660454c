"""One pixel asked through XYZ, WMTS, WMS and point series gives one answer (DESIGN section 1).

Sources are written in different CRS and orientations and served as they are. At the layer's native zoom, with nearest
resampling, a pixel's colour must be the style's colour of the value that the series gives at the pixel's centre.
"""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app import application
from chronotile.ingest.archive import open_archive
from chronotile.model.crs import CRS84, crs_of, transformer
from tests.scenes import KINDS, Scene, write_scene

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

STYLE = """
title: Number as grey
range: [-0.08, 0.92]
ramp: {-0.08: "#000000", 0.92: "#fafafa"}
"""
CONFIGURATION = """
collections:
  made:
    source: {kind: KIND, href: HREF}
    variables: {NDVI: {layer: NDVI, styles: [numbers]}}
"""
SOURCES = {
    "cog": ("cog", "'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'"),
    "zarr": ("zarr", "made.zarr"),
    "zarr-zip": ("zarr", "made.zarr.zip"),
    "netcdf": ("netcdf", "made.nc"),
}


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


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Served]]:
    """`serve(scene, kind)`: the scene written and served."""
    with ExitStack() as stack:

        def make(scene: Scene, kind: str = "zarr-v3") -> Served:
            write_scene(kind, tmp_path, scene)
            source, href = SOURCES[kind if kind in SOURCES else kind.rpartition("-")[0]]
            (tmp_path / "styles").mkdir()
            (tmp_path / "styles" / "numbers.yaml").write_text(STYLE)
            configuration = tmp_path / "chronotile.yaml"
            configuration.write_text(CONFIGURATION.replace("KIND", source).replace("HREF", href))
            archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
            return Served(scene, stack.enter_context(TestClient(application(archive.services))))

        yield make


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


def ask_xyz(client, tile: Tile) -> np.ndarray:
    return pixels(client.get(f"/tiles/NDVI/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.png?datetime=2020-01-21"))


def ask_wmts(client, tile: Tile) -> np.ndarray:
    place = f"TILEMATRIXSET=WebMercatorQuad&TILEMATRIX={tile.z}&TILEROW={tile.y}&TILECOL={tile.x}"
    query = f"SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=NDVI&STYLE=default&FORMAT=image/png&{place}"
    return pixels(client.get(f"/wmts?{query}&TIME=2020-01-21"))


def ask_wmts_rest(client, tile: Tile) -> np.ndarray:
    return pixels(client.get(f"/wmts/1.0.0/NDVI/default/2020-01-21/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}.png"))


def ask_wms(client, tile: Tile) -> np.ndarray:
    box = ",".join(repr(edge) for edge in tile.bbox)
    return pixels(client.get(f"{WMS}&CRS=EPSG:3857&BBOX={box}&WIDTH={TILE_PX}&HEIGHT={TILE_PX}"))


WMS = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE"
    "&TIME=2020-01-21"
)
INFO = f"{WMS.replace('GetMap', 'GetFeatureInfo')}&QUERY_LAYERS=NDVI&INFO_FORMAT=application/json"
ASKED = {"XYZ": ask_xyz, "WMTS": ask_wmts, "WMTS REST": ask_wmts_rest, "WMS": ask_wms}


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
    """What the point series gives at each place at the instant."""
    values = []
    for _row, _column, longitude, latitude in places:
        query = {"lon": longitude, "lat": latitude, "datetime": "2020-01-21"}
        values += client.get("/timeseries/NDVI/point", params=query).json()["values"]
    return values


def colour(value: float | None) -> tuple[int, int, int, int]:
    """What the style `numbers` says of a value, computed apart."""
    if value is None:
        return 0, 0, 0, 0
    grey = round((value + 0.08) * 250)
    return grey, grey, grey, 255


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_colour_of_a_pixel_is_that_of_the_value_of_its_place(serve, scene, kind):
    served = serve(scene, kind)
    tile = native_tile(served)
    places = sampled(served, tile)

    shown = {name: ask(served.client, tile) for name, ask in ASKED.items()}

    values = values_at(served.client, places)
    expected = [colour(value) for value in values]
    assert len(places) == SAMPLES
    assert {
        name: [tuple(picture[row, column].tolist()) for row, column, _lon, _lat in places]
        for name, picture in shown.items()
    } == dict.fromkeys(ASKED, expected)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_pictures_of_one_place_are_the_same_in_every_pixel(serve, scene):
    served = serve(scene)
    tile = native_tile(served)

    first, *others = (ask(served.client, tile) for ask in ASKED.values())

    assert first[..., 3].any()
    assert [np.array_equal(first, other) for other in others] == [True] * len(others)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_series_has_the_number_of_the_formula_in_full_precision(serve, scene):
    served = serve(scene)
    places = sampled(served, native_tile(served))

    values = values_at(served.client, places)

    cells = [cell_of(scene, longitude, latitude) for _row, _column, longitude, latitude in places]
    numbers = [int(scene.number(DAY_INDEX, row, column)) for row, column in cells]
    assert values == [None if number == 255 else number * scene.scale + scene.offset for number in numbers]


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_terrascopes_point_has_the_same_values(serve, scene):
    served = serve(scene)
    places = sampled(served, native_tile(served))[:10]

    results = [
        served.client.get("/timeseries/v1.0/ts/NDVI/point", params={"lon": longitude, "lat": latitude} | DAY).json()
        for _row, _column, longitude, latitude in places
    ]

    assert [answer["results"][0]["result"]["average"] for answer in results] == values_at(served.client, places)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_feature_info_tells_the_value_of_its_place_in_full_precision(serve, scene, kind):
    served = serve(scene, kind)
    tile = native_tile(served)
    places = sampled(served, tile)
    box = ",".join(repr(edge) for edge in tile.bbox)
    grid = f"CRS=EPSG:3857&BBOX={box}&WIDTH={TILE_PX}&HEIGHT={TILE_PX}"
    path = f"/wmts/1.0.0/NDVI/default/2020-01-21/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"

    wms = [told(served.client.get(f"{INFO}&{grid}&I={column}&J={row}")) for row, column, _lon, _lat in places]
    wmts = [told(served.client.get(f"{path}/{row}/{column}.json")) for row, column, _lon, _lat in places]

    assert wms == wmts == values_at(served.client, places)


def told(answer) -> float | None:
    """The value in a feature info."""
    (feature,) = answer.json()["features"]
    return feature["properties"]["value"]


@pytest.mark.parametrize(
    ("scene", "crs"),
    [(SCENES["UTM"], "EPSG:32631"), (SCENES["UTM, south up"], "EPSG:32631"), (SCENES["LAEA"], "EPSG:3035")],
    ids=["UTM", "UTM, south up", "LAEA"],
)
def test_map_on_the_native_grid_shows_every_cell(serve, scene, crs):
    served = serve(scene)
    (left, one), (right, other) = (scene.transform @ corner for corner in ((0, 0), (scene.width, scene.height)))
    bottom, top = sorted((one, other))
    is_north_first = crs == "EPSG:3035"
    box = (bottom, left, top, right) if is_north_first else (left, bottom, right, top)
    size = f"WIDTH={scene.width}&HEIGHT={scene.height}"

    shown = pixels(served.client.get(f"{WMS}&CRS={crs}&BBOX={','.join(map(repr, box))}&{size}"))

    numbers = scene.numbers(DAY_INDEX)
    numbers = numbers[::-1] if scene.transform.e > 0 else numbers
    assert np.array_equal(shown[..., 3], np.where(numbers == 255, 0, 255))
    assert np.array_equal(shown[..., 0], np.where(numbers == 255, 0, numbers))


def cell_of(scene: Scene, longitude: float, latitude: float) -> tuple[int, int]:
    """(row, column) of the cell that holds a place, by PROJ alone."""
    x, y = transformer(CRS84, crs_of(scene.crs)).transform(longitude, latitude)
    column, row = ~scene.transform @ (x, y)
    return math.floor(row), math.floor(wound(column, scene))


def wound(column, scene: Scene):
    """Columns of a scene all round the earth count modulo its width."""
    return column % scene.width if scene.width * scene.transform.a == 360 else column
