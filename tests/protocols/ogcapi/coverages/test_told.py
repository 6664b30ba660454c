"""Headers with the bbox and CRS of an answer."""

import pytest

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.protocols.common.coverage_files import grid_headers


def headers_of(crs: str, *edges: float) -> dict[str, str]:
    return grid_headers(Grid(crs=crs_of(crs), bbox=BBox(*edges), width=10, height=10))


@pytest.mark.parametrize(
    ("crs", "uri", "bbox"),
    [
        ("CRS:84", "http://www.opengis.net/def/crs/OGC/1.3/CRS84", "4.5,50,5,51.25"),
        ("EPSG:4326", "http://www.opengis.net/def/crs/EPSG/0/4326", "50,4.5,51.25,5"),
        ("EPSG:32631", "http://www.opengis.net/def/crs/EPSG/0/32631", "4.5,50,5,51.25"),
        ("EPSG:3035", "http://www.opengis.net/def/crs/EPSG/0/3035", "50,4.5,51.25,5"),
    ],
)
def test_box_is_in_the_axis_order_of_the_crs(crs, uri, bbox):
    assert headers_of(crs, 4.5, 50, 5, 51.25) == {"Content-Crs": uri, "Content-Bbox": bbox}


def test_crs_without_a_code_is_not_stated():
    assert headers_of("+proj=sinu +R=6371007.181", 0, 0, 10, 10) == {"Content-Bbox": "0,0,10,10"}


def test_across_the_antimeridian_east_is_less_than_west():
    assert headers_of("CRS:84", 170, -10, 190, 10)["Content-Bbox"] == "170,-10,-170,10"


def test_whole_circle_is_stated_unchanged():
    assert headers_of("CRS:84", 0, -90, 360, 90)["Content-Bbox"] == "0,-90,360,90"
