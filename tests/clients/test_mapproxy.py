"""MapProxy cascades WMS and WMTS: its clients get the pixels of the formula."""

import gc
import sys
import warnings
from dataclasses import dataclass

import pytest
import yaml
from mapproxy.wsgiapp import make_wsgi_app
from werkzeug.test import Client

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from tests.protocols import served
from tests.protocols.pictures import share_differing

pytestmark = [
    pytest.mark.client(sys.executable),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # warning of MapProxy itself
]

ROW, COLUMN, MATRIX = 687, 1052, 11
DAYS = {"2020-06-01": 1, "2020-06-11": 2}


@dataclass(frozen=True)
class Proxy:
    """MapProxy in this process, with our server on a socket."""

    client: Client

    def map(self, layer, grid, crs, *, time=None, version="1.1.1", bbox=None):
        """Return a map by MapProxy's WMS."""
        query = {
            "SERVICE": "WMS",
            "REQUEST": "GetMap",
            "VERSION": version,
            "LAYERS": layer,
            "STYLES": "",
            "CRS" if version == "1.3.0" else "SRS": crs,
            "BBOX": ",".join(map(repr, bbox or grid.bbox)),
            "WIDTH": str(grid.width),
            "HEIGHT": str(grid.height),
            "FORMAT": "image/png",
            "TRANSPARENT": "TRUE",
            **({} if time is None else {"TIME": time}),
        }
        return self.client.get("/service", query_string=query)


def configuration(url, folder):
    """Return a WMS source per version, with TIME forwarded, and a source of REST tiles per day."""
    wms = {
        f"wms_{version.replace('.', '')}": {
            "type": "wms",
            "wms_opts": {"version": version},
            "supported_srs": ["EPSG:3857", "EPSG:4326"],
            "forward_req_params": ["TIME"],
            "req": {"url": f"{url}/wms?", "layers": "NDVI", "transparent": True},
        }
        for version in ("1.1.1", "1.3.0")
    }
    tiles = {
        f"tiles_{day}": {
            "type": "tile",
            "grid": "GLOBAL_WEBMERCATOR",
            "transparent": True,
            "url": f"{url}/wmts/1.0.0/NDVI/default/{day}/WebMercatorQuad/%(z)s/%(y)s/%(x)s.png",
        }
        for day in DAYS
    }
    caches = {
        f"cache_{name}": {"sources": [name], "grids": ["GLOBAL_WEBMERCATOR"], "disable_storage": True} for name in tiles
    }
    layers = [{"name": name, "title": name, "sources": [name]} for name in wms]
    layers += [{"name": name, "title": name, "sources": [f"cache_{name}"]} for name in tiles]
    return {
        "services": {"wms": {"srs": ["EPSG:3857", "EPSG:4326"]}, "wmts": {}},
        "sources": {**wms, **tiles},
        "caches": caches,
        "layers": layers,
        "globals": {
            "image": {"paletted": False},
            "cache": {"base_dir": str(folder / "cache"), "lock_dir": str(folder / "locks")},
        },
    }


@pytest.fixture
def proxy(make_url, tmp_path):
    file = tmp_path / "mapproxy.yaml"
    file.write_text(yaml.safe_dump(configuration(make_url(served.make_services()), tmp_path)))
    yield Proxy(Client(make_wsgi_app(str(file))))
    # MapProxy leaves failed answers open, and another test would get the warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def tile_grid():
    quad = served.make_services().catalogue.tile_matrix_set("WebMercatorQuad")
    return quad.tile_grid(quad.matrix(str(MATRIX)), row=ROW, column=COLUMN)


@pytest.mark.parametrize("layer", ["wms_111", "wms_130"])
@pytest.mark.parametrize("day", DAYS)
def test_cascaded_map_shows_the_formula_at_its_time(proxy, layer, day):
    grid = tile_grid()

    answer = proxy.map(layer, grid, "EPSG:3857", time=day)

    assert answer.content_type == "image/png"
    assert share_differing(answer.data, served.expected_rgba(served.BELGIUM_31N, grid, DAYS[day])) <= 0.001


@pytest.mark.parametrize("layer", ["wms_111", "wms_130"])
def test_cascaded_map_in_degrees_has_its_axes_in_order(proxy, layer):
    grid = Grid(crs=crs_of("EPSG:4326"), bbox=BBox(4.5, 50.8, 4.7, 50.9), width=200, height=100)

    answer = proxy.map(layer, grid, "EPSG:4326", time="2020-06-11", version="1.3.0", bbox=(50.8, 4.5, 50.9, 4.7))

    assert share_differing(answer.data, served.expected_rgba(served.BELGIUM_31N, grid, 2)) <= 0.001


@pytest.mark.parametrize("day", DAYS)
def test_cascaded_tile_is_the_tile(proxy, day):
    path = f"/wmts/tiles_{day}/GLOBAL_WEBMERCATOR/{MATRIX}/{COLUMN}/{ROW}.png"

    answer = proxy.client.get(path)

    expected = served.expected_rgba(served.BELGIUM_31N, tile_grid(), DAYS[day])
    assert share_differing(answer.data, expected) <= 0.001


def test_fault_of_a_cascaded_map_reaches_the_client_as_one(proxy):
    answer = proxy.map("wms_130", tile_grid(), "EPSG:3857", time="1999-01-01")

    assert b"ServiceException" in answer.data
