"""Each pixel in pictures of a mosaic of overlapping tiles in two zones is that of the formula, without a seam."""

import numpy as np
import pytest

from tests.agreement.mosaics.shown import NATIVE_ZOOM, compare, compare_tiles, picture, tile_values, tiles_of
from tests.scenes_archive.forms import FILES
from tests.scenes_archive.plan import SMALL, by_cloud_cover
from tests.scenes_archive.serving import uncut_collections

pytestmark = pytest.mark.slow

DATES = range(len(SMALL.days))
LEAST = 0.999
"""Share of the pixels that must be the same."""


@pytest.mark.parametrize(
    ("asset", "date"),
    [*(("CELL", date) for date in DATES), ("B04", 1), ("B04", 4), ("SCL", 1), ("SCL", 3)],
    ids=lambda value: value if isinstance(value, str) else SMALL.days[value],
)
def test_each_pixel_is_the_cell_that_the_first_piece_has_there(serve, asset, date):
    found = compare_tiles(serve(), asset, date)

    assert found.same >= LEAST
    assert found.seams + found.beyond <= 0.001 * found.valued


@pytest.mark.parametrize("date", [1, 4], ids=[SMALL.days[1], SMALL.days[4]])
def test_files_without_documents_are_the_same_mosaic(serve, date):
    found = compare_tiles(serve(FILES), "CELL", date)

    assert found.same >= LEAST


@pytest.mark.parametrize("date", [0, 1, 2], ids=SMALL.days[:3])
def test_pieces_are_ordered_by_a_property(serve, date):
    found = compare_tiles(serve(mosaic='rule: first, order_by: "eo:cloud_cover"'), "CELL", date, order=by_cloud_cover)

    assert found.same >= LEAST


@pytest.mark.parametrize("date", DATES, ids=SMALL.days)
def test_mosaic_is_the_uncut_raster(serve, date):
    served = serve(uncut=uncut_collections(SMALL, 31, assets=("B04",)))
    shown = [
        np.stack([tile_values(served, layer, tile, SMALL.days[date]) for tile in tiles_of(SMALL, NATIVE_ZOOM)])
        for layer in ("B04", "B04-31")
    ]
    expected = np.where(np.isnan(shown[0]), np.nan, shown[1])  # the uncut raster is a box around all tiles

    found = compare(shown[0], expected)

    # Squares of 2 km instead of 8 km have four times as many edges, on whose cells two zones differ.
    assert found.same >= 1 - 4 * (1 - LEAST)


@pytest.mark.parametrize("zoom", [10, 11, 12, 13])
def test_pictures_of_overviews_have_no_seams(serve, zoom):
    found = [compare_tiles(serve(), "B04", date, zoom=zoom) for date in (0, 1)]

    assert [each.seams for each in found] == [0, 0]
    assert min(each.same for each in found) > 0.97  # cells of overviews are those of their corners


@pytest.mark.parametrize("layer", ["CELL", "NDVI", "CLEAR"])
@pytest.mark.parametrize("date", [0, 1, 4], ids=[SMALL.days[date] for date in (0, 1, 4)])
def test_all_protocols_draw_one_picture(serve, layer, date):
    client, day = serve().client, SMALL.days[date]
    tile = tiles_of(SMALL, NATIVE_ZOOM)[len(tiles_of(SMALL, NATIVE_ZOOM)) // 2]
    box = ",".join(map(repr, tile.bbox))
    wms = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE&CRS=EPSG:3857"
    map_ = f"/ogcapi/collections/{layer}/map?bbox={box}&bbox-crs=[EPSG:3857]&crs=[EPSG:3857]&width=256&height=256&f=png"

    drawn = [
        picture(client.get(address))
        for address in (
            f"/tiles/{layer}/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.png?datetime={day}",
            f"/wmts/1.0.0/{layer}/default/{day}/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}.png",
            f"{wms}&LAYERS={layer}&BBOX={box}&WIDTH=256&HEIGHT=256&TIME={day}",
            f"{map_}&datetime={day}",
            f"/ogcapi/collections/{layer}/map/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?datetime={day}&f=png",
        )
    ]

    assert drawn[0][..., 3].any()
    assert [np.array_equal(drawn[0], each) for each in drawn] == [True] * len(drawn)


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:32632", "EPSG:3035"])
def test_map_in_another_crs_shows_the_same_cells(serve, crs):
    served = serve()
    size = 200
    west, north = {"EPSG:32631": (711_700, 5_599_600), "EPSG:32632": (286_300, 5_599_600)}.get(
        crs, (4_037_700, 3_042_500)
    )
    x, y = np.meshgrid(west + 10 * (np.arange(size) + 0.3), north - 10 * (np.arange(size) + 0.3))
    # A box a third of a cell off the lattice, so that no centre of a pixel is an edge of a cell.
    corners = (west - 2, north - 10 * size + 2, west + 10 * size - 2, north + 2)
    box = [corners[i] for i in ((1, 0, 3, 2) if crs == "EPSG:3035" else (0, 1, 2, 3))]
    query = f"&CRS={crs}&BBOX={','.join(map(str, box))}&WIDTH={size}&HEIGHT={size}&TIME={SMALL.days[0]}"
    wms = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=CELL&STYLES=&FORMAT=image/png&TRANSPARENT=TRUE"

    shown = picture(served.client.get(wms + query))

    expected = SMALL.mosaic("CELL", x, y, date=0, crs=crs).values
    greys = np.where(np.isnan(expected), 0, np.rint(np.nan_to_num(expected) / 30_011 * 254))
    assert (np.abs(shown[..., 0] - greys) <= 1).mean() >= LEAST
