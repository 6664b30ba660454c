"""Large maps have separate threads, so tiles never wait for them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from chronotile.catalog.limits import Limits
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.protocols.common import map_responses
from chronotile.protocols.common.map_responses import QUICK_PIXELS, is_large
from tests.protocols import served
from tests.protocols.pictures import rgba_of
from tests.running import PATIENCE_S, until

BOX = "600000,5640000,610000,5650000"
"""The north-west corner of the data, 100 by 100 cells."""
CORNER = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(600_000, 5_640_000, 610_000, 5_650_000), width=100, height=100)
WMS = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:32631&FORMAT=image/png"
    f"&TRANSPARENT=TRUE&BBOX={BOX}&WIDTH={{side}}&HEIGHT={{side}}&TIME={{day}}"
)
MAP = (
    f"/ogcapi/collections/NDVI/map?crs=EPSG:32631&bbox-crs=EPSG:32631&bbox={BOX}"
    "&width={side}&height={side}&datetime={day}&f=png"
)
TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343.png?datetime=2020-06-11"


@dataclass
class HangingReader(served.FormulaReader):
    """Reader that waits for `go` before it reads the date 2020-06-01."""

    go: threading.Event = field(default_factory=threading.Event)
    held: list[int] = field(default_factory=list)

    def read_window(self, variable, *, index, level, window, step=1):
        if index == 1:
            self.held.append(index)
            assert self.go.wait(PATIENCE_S)
        return super().read_window(variable, index=index, level=level, window=window, step=step)


@pytest.fixture
def hanging(make_client, monkeypatch):
    """A client of NDVI, and its reader; maps of more than 50 by 50 pixels are large."""
    monkeypatch.setattr(map_responses, "QUICK_PIXELS", 50 * 50)
    services = served.make_services(limits=Limits(max_cube_values=25_000))
    reader = HangingReader(services.readers["s2"].info)
    yield make_client(replace(services, readers={"s2": reader})), reader
    reader.go.set()


@pytest.mark.parametrize("url", [WMS, MAP])
def test_tiles_and_small_maps_of_a_layer_are_drawn_during_its_large_maps(hanging, url):
    client, reader = hanging
    limiter = client.app.state.chronotile.limiters.large_pictures
    with ThreadPoolExecutor(4) as pool:
        large = [pool.submit(client.get, url.format(side=side, day="2020-06-01")) for side in (100, 101, 102, 103)]
        until(lambda: reader.held and limiter.waiting == 3)

        quick = [client.get(TILE), client.get(url.format(side=50, day="2020-06-11"))]
        running = (limiter.running, limiter.waiting)
        reader.go.set()
        answers = [each.result(PATIENCE_S) for each in large]

    assert [each.status_code for each in quick] == [200, 200]
    assert running == (1, 3)
    assert [each.status_code for each in answers] == [200] * 4
    assert np.array_equal(rgba_of(answers[0].content), served.expected_rgba(served.BELGIUM_31N, CORNER, 1))


@pytest.mark.parametrize("url", [WMS, MAP])
def test_large_maps_are_refused_if_too_many_wait(hanging, url):
    client, reader = hanging
    limiter = client.app.state.chronotile.limiters.large_pictures
    limiter.max_waiting = 2  # one may wait for a source
    with ThreadPoolExecutor(2) as pool:
        large = [pool.submit(client.get, url.format(side=side, day="2020-06-01")) for side in (100, 101)]
        until(lambda: reader.held and limiter.waiting == 1)

        refused = client.get(url.format(side=102, day="2020-06-01"))
        reader.go.set()
        answers = [each.result(PATIENCE_S) for each in large]

    assert (refused.status_code, refused.headers["cache-control"]) == (503, "no-store")
    assert int(refused.headers["retry-after"]) > 0
    assert "would wait too long" in refused.text
    assert limiter.refused == 1
    assert [each.status_code for each in answers] == [200, 200]


@pytest.mark.parametrize("url", [WMS, WMS.replace("LAYERS=NDVI&STYLES=", "LAYERS=NDVI,NDVI&STYLES=,"), MAP])
def test_large_maps_without_drawing_do_not_wait_for_others(hanging, url):
    """Regression: errors and cached maps waited, or were refused, with maps to be drawn."""
    client, reader = hanging
    limiter = client.app.state.chronotile.limiters.large_pictures
    limiter.max_waiting = 2  # one may wait for a source
    drawn = client.get(url.format(side=100, day="2020-06-11"))
    with ThreadPoolExecutor(2) as pool:
        large = [pool.submit(client.get, url.format(side=side, day="2020-06-01")) for side in (100, 101)]
        until(lambda: reader.held and limiter.waiting == 1)

        held = client.get(url.format(side=100, day="2020-06-11"), headers={"If-None-Match": drawn.headers["etag"]})
        cached = client.get(url.format(side=100, day="2020-06-11/2020-06-11"))  # another URL of the same map
        mistake = client.get(url.format(side=100, day="2020-06-01/2020-06-30"))
        reader.go.set()
        answers = [each.result(PATIENCE_S) for each in large]

    assert [each.headers["content-type"] for each in (drawn, cached)] == ["image/png", "image/png"]
    assert held.status_code == 304
    assert mistake.status_code == (400 if url == MAP else 200)
    assert mistake.headers["content-type"] != "image/png"
    assert cached.content == drawn.content
    assert "max_cube_values" in mistake.text
    assert [each.status_code for each in answers] == [200, 200]


def test_large_maps_of_remote_sources_have_separate_threads(client):
    metrics = client.get("/metrics").text

    assert 'chronotile_threads{work="large pictures"} 2.0' in metrics
    assert 'chronotile_threads{work="large pictures elsewhere"} 4.0' in metrics


def requests_of(*layers, crs, width, height):
    grid = Grid(crs=crs_of(crs), bbox=BBox(0, 0, 1, 1), width=width, height=height)
    return [MapRequest(layer=layer, grid=grid) for layer in layers]


@pytest.mark.parametrize(
    ("layers", "crs", "most"),
    [
        (["DMP"], "EPSG:4326", QUICK_PIXELS),
        (["DMP"], "EPSG:3857", QUICK_PIXELS),
        (["DMP"], "EPSG:3413", QUICK_PIXELS // 2),
        (["NDVI"], "EPSG:32631", QUICK_PIXELS),
        (["NDVI"], "EPSG:3857", QUICK_PIXELS // 2),
        (["DMP", "FAPAR"], "EPSG:3857", QUICK_PIXELS // 2),
    ],
)
def test_maps_are_large_by_pixels_and_cost(layers, crs, most):
    catalogue = served.make_services(*served.tree_collections()).catalogue

    assert not is_large(requests_of(*layers, crs=crs, width=most // 1024, height=1024), catalogue)
    assert is_large(requests_of(*layers, crs=crs, width=most // 1024 + 1, height=1024), catalogue)
