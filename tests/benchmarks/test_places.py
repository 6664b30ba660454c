import pytest
from morecantile import tms

from benchmarks.places import Point, maps, mercator, points, tiles
from chronotile.core.model.space.boxes import BBox

INSIDE = BBox(3.0, 50.5, 4.5, 51.4)


@pytest.mark.parametrize("zoom", [5, 8, 14])
def test_tiles_have_the_place_of_morecantile(zoom):
    (tile,) = tiles(INSIDE, zoom, count=1)

    expected = tms.get("WebMercatorQuad").xy_bounds(tile.column, tile.row, zoom)
    assert tile.bbox == pytest.approx(tuple(expected))


def test_tiles_are_the_same_each_time():
    assert tiles(INSIDE, 12, ["2023-01-01", "2023-01-11"]) == tiles(INSIDE, 12, ["2023-01-01", "2023-01-11"])


def test_points_lie_inside():
    found = points(INSIDE, count=50)

    assert all(
        INSIDE.xmin <= point.longitude <= INSIDE.xmax and INSIDE.ymin <= point.latitude <= INSIDE.ymax
        for point in found
    )


def test_mercator_of_the_corner_of_the_world():
    assert mercator(Point(180.0, 85.0511287798066)) == pytest.approx((20037508.34, 20037508.34), abs=0.01)


def test_map_has_the_ground_of_its_pixels():
    (small,), (large,) = (
        maps(INSIDE, 13, ["2023-01-01"], crs="EPSG:3857", side_px=side, count=1) for side in (256, 512)
    )

    assert large.bbox.xmax - large.bbox.xmin == pytest.approx(2 * (small.bbox.xmax - small.bbox.xmin))


def test_wms_130_sends_latitude_first_in_epsg_4326():
    (found,) = maps(INSIDE, 13, ["2023-01-01"], crs="EPSG:4326", side_px=256, count=1)

    path = found.wms("/wms?", "NDVI")

    assert f"BBOX={found.bbox.ymin:.6f},{found.bbox.xmin:.6f}," in path
