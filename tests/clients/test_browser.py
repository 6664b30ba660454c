"""OpenLayers and Leaflet with TimeDimension, in Chromium: the pixels of their canvases follow the formula."""

import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.places import make_places
from tests.protocols import served
from tests.protocols.pictures import share_differing
from tests.running import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.client("node")]

DRAW = Path(__file__).with_name("draw.mjs")
TILES = {"WebMercatorQuad": ("11", 687, 1052), "WorldCRS84Quad": ("11", 445, 2100)}
FINEST = {"WebMercatorQuad": 12, "WorldCRS84Quad": 12}
"""The last matrix in limits of OGC API: the second with pixels smaller than the data's 100 m."""
QUAD = served.make_services().catalogue.tile_matrix_set("WebMercatorQuad")


def grid_of(name):
    matrix, row, column = TILES[name]
    tile_matrix_set = served.make_services().catalogue.tile_matrix_set(name)
    return tile_matrix_set.tile_grid(tile_matrix_set.matrix(matrix), row=row, column=column)


@pytest.fixture(scope="module")
def browser():
    """Process that draws pages in one Chromium, in a separate context per page."""
    with subprocess.Popen(["node", DRAW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.stdin.close()
            process.wait(PATIENCE_S)
        finally:
            process.kill()


@pytest.fixture
def draw(make_url, browser):
    """Return a function: `draw("openlayers.js", time="2020-06-11", …)` returns the result and the picture as bytes."""

    def ask(page, *, places=(), **asked):
        base = make_url(served.make_services(places=places))
        print(json.dumps({"page": page, "base": base, "size": 256, **asked}), file=browser.stdin, flush=True)
        line = browser.stdout.readline()
        assert line, "the process that draws has ended"
        told = json.loads(line)
        assert told["faults"] == []
        return {**told, "picture": base64.b64decode(told["picture"].partition(",")[2])}

    return ask


@pytest.mark.parametrize(
    ("encoding", "used"), [(None, "KVP"), ("KVP", "KVP"), ("REST", "REST")], ids=["unsaid", "KVP", "REST"]
)
@pytest.mark.parametrize(
    ("name", "crs"), [("WebMercatorQuad", "EPSG:3857"), ("WorldCRS84Quad", "EPSG:4326")], ids=["mercator", "degrees"]
)
def test_openlayers_draws_tiles_from_the_capabilities_at_a_time(draw, encoding, used, name, crs):
    """Without an encoding it takes the encoding of the first URL, and draws tiles of a single format."""
    grid = grid_of(name)

    told = draw(
        "openlayers.js",
        service="wmts",
        encoding=encoding,
        matrixSet=name,
        crs=crs,
        bbox=list(grid.bbox),
        time="2020-06-11",
    )

    assert (told["offered"], told["encoding"]) == ("2020-06-21", used)
    assert share_differing(told["picture"], served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001


@pytest.mark.parametrize(
    ("name", "crs"), [("WebMercatorQuad", "EPSG:3857"), ("WorldCRS84Quad", "EPSG:4326")], ids=["mercator", "degrees"]
)
def test_openlayers_draws_a_map_at_a_time(draw, name, crs):
    grid = grid_of(name)

    told = draw("openlayers.js", service="wms", crs=crs, bbox=list(grid.bbox), time="2020-06-01")

    assert share_differing(told["picture"], served.expected_rgba(served.BELGIUM_31N, grid, 1)) <= 0.001


@pytest.mark.parametrize(
    ("name", "crs"), [("WebMercatorQuad", "EPSG:3857"), ("WorldCRS84Quad", "EPSG:4326")], ids=["mercator", "degrees"]
)
@pytest.mark.parametrize(
    ("path", "collections"),
    [("/ogcapi/collections/NDVI/map/tiles", None), ("/ogcapi/map/tiles", ["NDVI"])],
    ids=["collection", "dataset"],
)
def test_openlayers_draws_map_tiles_of_ogc_api_at_a_time(draw, name, crs, path, collections):
    grid = grid_of(name)

    told = draw(
        "openlayers.js",
        service="ogcMapTile",
        path=f"{path}/{name}?datetime=2020-06-11",
        collections=collections,
        crs=crs,
        bbox=list(grid.bbox),
    )

    assert share_differing(told["picture"], served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001
    assert told["offered"] == FINEST[name]


@pytest.mark.parametrize("collections", [None, ["squares"]], ids=["all", "one set"])
def test_openlayers_draws_vector_tiles_of_ogc_api(draw, collections):
    grid = QUAD.tile_grid(QUAD.matrix("9"), row=171, column=262)

    told = draw(
        "openlayers.js",
        service="ogcVectorTile",
        path="/ogcapi/tiles/WebMercatorQuad",
        collections=collections,
        places=[make_places()],
        crs="EPSG:3857",
        bbox=list(grid.bbox),
    )

    x, y = np.meshgrid(grid.x_of(np.arange(256) + 0.5), grid.y_of(np.arange(256) + 0.5))
    longitude, latitude = served.transformer(grid.crs, served.CRS84).transform(x, y)
    is_inside = (longitude > 4.5) & (longitude < 4.8) & (latitude > 50.8) & (latitude < 50.9)
    expected = np.zeros((256, 256, 4), dtype=np.uint8)
    expected[is_inside] = (255, 0, 0, 255)
    assert is_inside.sum() > 1000
    assert share_differing(told["picture"], expected) <= 0.02


def centre_of(grid):
    """Return latitude and longitude of a tile's centre in spherical Mercator."""
    x, y = (grid.bbox.xmin + grid.bbox.xmax) / 2, (grid.bbox.ymin + grid.bbox.ymax) / 2
    longitude, latitude = served.transformer(grid.crs, served.CRS84).transform(x, y)
    return [latitude, longitude]


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_leaflet_timedimension_goes_to_a_time_of_the_capabilities(draw, version):
    grid = grid_of("WebMercatorQuad")

    told = draw(
        "leaflet.js", service="wms", version=version, centre=centre_of(grid), zoom=11, time="2020-06-11T00:00:00Z"
    )

    assert told["offered"] == [
        f"{day}T00:00:00.000Z" for day in ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")
    ]
    assert share_differing(told["picture"], served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001


def test_leaflet_fills_the_rest_template(draw):
    grid = grid_of("WebMercatorQuad")

    told = draw("leaflet.js", service="rest", centre=centre_of(grid), zoom=11, time="2020-06-11")

    assert share_differing(told["picture"], served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001
