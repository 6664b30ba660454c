"""A layer has one box in the documents of all protocols."""

import random

import numpy as np
import pytest
from affine import Affine
from lxml import etree
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.protocols.common.extent import crossing_box, ring_of
from tests.rasters import write_raster

WMS = {"w": "http://www.opengis.net/wms"}
WMTS = {"o": "http://www.opengis.net/ows/1.1", "t": "http://www.opengis.net/wmts/1.0"}
DEGREES = crs_of("EPSG:4326")


def grid_of(west, size, width, *, north=80.0, height=8):
    return NativeGrid(crs=DEGREES, transform=Affine(size, 0, west, 0, -size, north), width=width, height=height)


def test_a_grid_round_the_earth_has_no_crossing_box_wherever_it_begins():
    made = random.Random(7)
    for _case in range(500):
        width = made.randint(4, 4000)
        size = 360 / width * (1 + made.uniform(-0.7, 0.7) / width)
        grid = grid_of(made.uniform(-200, 200), size, width)

        box = crossing_box(grid)

        assert box.xmin < box.xmax, grid
        assert box.xmax - box.xmin > 360 - 1.5 * size, grid


def test_a_grid_beyond_the_antimeridian_keeps_its_west_and_east():
    made = random.Random(8)
    for _case in range(200):
        size, width = made.uniform(0.01, 1), made.randint(10, 300)
        west = 180 - made.uniform(0.1, 0.9) * size * width

        box = crossing_box(grid_of(west, size, width))

        assert (box.xmin, box.xmax) == (
            pytest.approx(west, abs=1e-6),
            pytest.approx(west + size * width - 360, abs=1e-6),
        )


@pytest.mark.parametrize(
    ("west", "size", "width"),
    [(-180.004464, 0.1428571424, 2520), (0.0, 1.0, 360), (-180.5, 1.0, 360), (-180.0, 0.5, 721)],
)
def test_a_raster_round_the_earth_has_one_box_in_all_documents(west, size, width, tmp_path):
    numbers = np.ones((8, width), dtype="uint8")
    transform = Affine(size, 0, west, 0, -size, 60)
    write_raster(tmp_path / "globe.tif", numbers, crs="EPSG:4326", transform=transform)
    archive = open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        json = {path: client.get(path).json() for path in ("/layers", "/stac/collections", "/ogcapi/collections")}
        tiles = client.get("/tiles/globe.band1/WorldCRS84Quad/tilejson.json").json()
        records = client.get("/ogcapi/collections/_collections/items").json()
        wms = etree.fromstring(client.get("/wms?service=WMS&request=GetCapabilities").content)
        wmts = etree.fromstring(client.get("/wmts?service=WMTS&request=GetCapabilities").content)

    (own,) = (each["bbox"] for each in json["/layers"]["layers"])
    (stac,) = (each["extent"]["spatial"]["bbox"][0] for each in json["/stac/collections"]["collections"])
    ogcapi = [each["extent"]["spatial"]["bbox"][0] for each in json["/ogcapi/collections"]["collections"]]
    ring = records["features"][0]["geometry"]["coordinates"][0]
    shown = [
        wms.find(f".//w:Layer/w:Layer//w:EX_GeographicBoundingBox/w:{name}BoundLongitude", WMS)
        for name in ("west", "east")
    ]
    corners = [
        wmts.find(f".//t:Layer/o:WGS84BoundingBox/o:{name}Corner", WMTS).text.split() for name in ("Lower", "Upper")
    ]
    spans = {
        "layers": own[::2],
        "stac": stac[::2],
        **{f"ogcapi {number}": each[::2] for number, each in enumerate(ogcapi)},
        "tilejson": tiles["bounds"][::2],
        "records": [min(x for x, _y in ring), max(x for x, _y in ring)],
        "wms": [float(each.text) for each in shown],
        "wmts": [float(each[0]) for each in corners],
    }
    assert [name for name, span in spans.items() if span != [-180, 180]] == [], spans


@pytest.mark.parametrize("west", [-540.0, -180.0, 0.0, 60.0, 179.0, 350.0])
@pytest.mark.parametrize(("size", "width"), [(0.1, 40), (60.0, 6), (1.0, 1)])
def test_middle_part_contains_the_middle_of_its_grid(west, size, width):
    grid = grid_of(west, size, width, north=20.0, height=1)
    part = grid.middle_part(2)

    longitude, latitude = grid.middle()
    box, ring = crossing_box(part), ring_of(part)

    assert -180 <= longitude <= 180
    assert part.width == min(width, 5)
    turn = 360 if box.xmax < box.xmin else 0
    assert any(box.xmin <= longitude + turned <= box.xmax + turn for turned in (0, 360))
    assert box.ymin <= latitude <= box.ymax
    assert ring[0] == ring[-1] == [pytest.approx(box.xmin), box.ymin]
    assert -360 <= min(x for x, _y in ring) <= max(x for x, _y in ring) <= 540
