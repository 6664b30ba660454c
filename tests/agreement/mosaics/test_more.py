"""More requests for a mosaic: filters, groups, descending order, fewest gaps, periods, close and far zooms."""

import io
import math

import numpy as np
import pytest

from tests.agreement.mosaics.shown import (
    MERCATOR,
    compare,
    extent,
    picture,
    places_of,
    series_at,
    tile_values,
    tiles_of,
)
from tests.agreement.scenes_served import Tile
from tests.scenes_archive.forms import Source
from tests.scenes_archive.plan import SMALL
from tests.scenes_archive.serving import serving_scenes

pytestmark = pytest.mark.slow

MIDDLE = tiles_of(SMALL, 14)[len(tiles_of(SMALL, 14)) // 2]


def test_filter_leaves_items_out(scene_forms, tmp_path):
    whole = scene_forms.source(SMALL, "static-1.1")
    source = Source(whole.kind, whole.href, ', filter: "eo:cloud_cover < 30"')
    longitude, latitude = places_of(SMALL, 30)

    with serving_scenes(tmp_path, SMALL, source) as served:
        found = series_at(served, "CELL", longitude, latitude)
        times = served.client.get("/layers/CELL/times").json()["times"]

    clear = [[scene for scene in SMALL.scenes(date) if scene.cloud_cover < 30] for date in range(len(SMALL.days))]
    expected = [
        SMALL.mosaic("CELL", longitude, latitude, date=date, scenes=tuple(scenes)).texts()
        for date, scenes in enumerate(clear)
        if scenes
    ]
    assert [time[:10] for time in times] == [day for day, scenes in zip(SMALL.days, clear, strict=True) if scenes]
    assert found == [list(values) for values in zip(*expected, strict=True)]
    assert any(len(scenes) < len(SMALL.scenes(date)) for date, scenes in enumerate(clear))


def test_descending_order_is_that_of_the_property_and_then_of_the_ids(serve):
    longitude, latitude = places_of(SMALL, 30)

    found = series_at(serve(mosaic='rule: first, order_by: "-eo:cloud_cover"'), "CELL", longitude, latitude)

    by_date = [
        SMALL.mosaic("CELL", longitude, latitude, date=date, order=lambda scene: (-scene.cloud_cover, scene.id)).texts()
        for date in range(len(SMALL.days))
    ]
    assert found == [list(values) for values in zip(*by_date, strict=True)]


@pytest.mark.parametrize("rule", ["least_nodata", "max", "mean", "median", "latest"])
def test_each_rule_shows_a_value_wherever_a_piece_has_one(serve, rule):
    values = tile_values(serve(mosaic=f"rule: {rule}"), "B04", MIDDLE, SMALL.days[1])

    x, y = MIDDLE.centres()
    expected = SMALL.mosaic("B04", x, y, date=1, crs=MERCATOR).values
    found = compare(values, expected)
    assert (found.seams, found.beyond) == (0, 0)
    assert found.same > 0.99  # pieces agree but along the edges of squares


@pytest.mark.parametrize("zoom", [15, 16, 17, 18])
def test_close_pictures_show_the_same_cells(serve, zoom):
    factor = 2 ** (zoom - 14)
    tile = Tile(zoom, MIDDLE.x * factor + factor // 2, MIDDLE.y * factor + factor // 3)

    values = tile_values(serve(), "CELL", tile, SMALL.days[0])

    x, y = tile.centres()
    assert compare(values, SMALL.mosaic("CELL", x, y, date=0, crs=MERCATOR).values).same >= 0.999


@pytest.mark.parametrize(("reducer", "combine"), [("max", np.nanmax), ("min", np.nanmin), ("mean", np.nanmean)])
def test_picture_of_a_period_is_of_the_mosaics_of_its_dates(serve, reducer, combine):
    days = SMALL.days[0], SMALL.days[2]
    address = f"/tiles/CELL/WebMercatorQuad/{MIDDLE.z}/{MIDDLE.x}/{MIDDLE.y}.npy"
    query = {"datetime": f"{days[0]}/{days[1]}T23:59:59Z", "reducer": reducer}

    answer = serve().client.get(address, params=query)

    assert answer.status_code == 200, answer.text
    x, y = MIDDLE.centres()
    by_date = np.stack([SMALL.mosaic("CELL", x, y, date=date, crs=MERCATOR).values for date in range(3)])
    is_there = ~np.isnan(by_date).all(axis=0)
    expected = np.full(x.shape, math.nan)
    expected[is_there] = combine(by_date[:, is_there], axis=0)
    values = np.load(io.BytesIO(answer.content)).astype(float)
    assert compare(values, expected).same >= 0.999


def test_whole_archive_in_one_small_map_has_no_seams(serve):
    west, south, east, north = extent(SMALL)
    box = f"{west},{south},{east},{north}"
    query = f"&CRS=CRS:84&BBOX={box}&WIDTH=300&HEIGHT=200&TIME={SMALL.days[0]}"
    wms = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=B04&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE"

    shown = picture(serve().client.get(wms + query))

    longitude, latitude = np.meshgrid(
        west + (np.arange(300) + 0.5) * (east - west) / 300, north - (np.arange(200) + 0.5) * (north - south) / 200
    )
    expected = SMALL.mosaic("B04", longitude, latitude, date=0).values
    holes = (shown[..., 3] == 0) & ~np.isnan(expected)
    # Cells of overviews at the edge of the archive may have their corner outside of it.
    assert holes.mean() < 0.01
    assert not holes[60:140, 60:240].any()
