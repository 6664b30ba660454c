"""Size and bbox of maps if a request has fewer or more parameters than needed (OGC 20-058 §6.5, Tables 6 and 9)."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from chronotile.core.errors import InvalidParameter, UnsupportedCrs
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.protocols.common.query.axes import query_of
from chronotile.protocols.ogcapi.maps.ground_lengths import metres_per_unit
from chronotile.protocols.ogcapi.maps.params import parse_map
from chronotile.protocols.ogcapi.maps.viewport import Viewport, box_to, data_box
from tests.protocols import served

NDVI = "/ogcapi/collections/NDVI/map"
PATH = {"collectionId": "NDVI"}
CATALOGUE = served.make_services(*served.tree_collections()).catalogue
WHOLE = BBox(600_000, 5_620_000, 640_000, 5_650_000)
"""Bbox of NDVI in its own CRS, 400 by 300 cells of 100 m."""
EARTH = Geod(ellps="WGS84")


def grid_of(**query):
    pairs = [(name.replace("_", "-"), value) for name, value in query.items()]
    return parse_map(PATH, query_of(pairs), "", CATALOGUE).grid()


def ground_m(grid):
    """Width and height of a grid on the ground, along its middle."""
    xmin, ymin, xmax, ymax = grid.bbox
    x, y = (xmin + xmax) / 2, (ymin + ymax) / 2
    lon, lat = transformer(grid.crs, CRS84).transform(np.array([xmin, xmax, x, x]), np.array([y, y, ymin, ymax]))
    _there, _back, (width, height) = EARTH.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
    return width, height


@pytest.mark.checklist("maps", "parameters worth")
class TestWithoutABox:
    """The map is of all the data, or round a centre."""

    def test_default_is_all_data_with_pixels_square_on_the_ground(self):
        grid = grid_of()

        assert grid.bbox == WHOLE
        assert (grid.width, grid.height) == (1024, 768)

    @pytest.mark.parametrize(
        ("asked", "size"), [({"width": "200"}, (200, 150)), ({"height": "200"}, (267, 200))], ids=["width", "height"]
    )
    def test_one_requested_side_determines_the_other(self, asked, size):
        grid = grid_of(**asked)

        assert grid.bbox == WHOLE
        assert (grid.width, grid.height) == size

    def test_both_requested_sides_show_all_data_in_the_middle(self):
        grid = grid_of(width="400", height="400")

        assert (grid.width, grid.height) == (400, 400)
        assert grid.bbox == pytest.approx(BBox(600_000, 5_615_000, 640_000, 5_655_000), abs=20)

    def test_centre_is_shown_at_the_native_resolution(self):
        grid = grid_of(center="620000,5635000", center_crs="EPSG:32631", width="30", height="20")

        assert grid.bbox == pytest.approx(BBox(618_500, 5_634_000, 621_500, 5_636_000), abs=1)

    def test_a_centre_without_a_size_is_a_square(self):
        grid = grid_of(center="4.8,50.8", height="20")

        assert (grid.width, grid.height) == (20, 20)

    @pytest.mark.parametrize("crs", ["EPSG:32631", "CRS84", "EPSG:4326", "EPSG:3857", "EPSG:3035"])
    @pytest.mark.parametrize(("extra", "pixel_m"), [({}, 28.0), ({"mm_per_pixel": "0.5"}, 50.0)], ids=["0.28", "0.5"])
    def test_scale_is_that_on_the_ground_in_any_crs(self, crs, extra, pixel_m):
        grid = grid_of(center="4.8,50.85", scale_denominator="100000", crs=crs, width="100", height="60", **extra)

        assert ground_m(grid) == pytest.approx((100 * pixel_m, 60 * pixel_m), rel=1e-3)

    def test_a_scale_without_a_centre_is_round_the_middle_of_the_data(self):
        grid = grid_of(scale_denominator="50000", width="100", height="100")

        assert (grid.bbox.xmin + grid.bbox.xmax) / 2 == pytest.approx(620_000)
        assert (grid.bbox.ymin + grid.bbox.ymax) / 2 == pytest.approx(5_635_000)

    def test_a_centre_is_in_the_axis_order_of_its_crs(self):
        north_first = grid_of(center="50.8,4.8", center_crs="EPSG:4326", width="10")

        assert north_first == grid_of(center="4.8,50.8", width="10")


@pytest.mark.checklist("maps", "parameters worth")
class TestWithABox:
    """The map shows the requested box at every size."""

    BOX = "4.5,50.8,4.7,50.9"

    def test_all_parameters_together_are_honoured(self):
        grid = grid_of(bbox=self.BOX, crs="CRS84", width="30", height="99")

        assert (grid.bbox, grid.width, grid.height) == (BBox(4.5, 50.8, 4.7, 50.9), 30, 99)

    @pytest.mark.parametrize("asked", [{}, {"width": "500"}, {"height": "500"}], ids=["none", "width", "height"])
    def test_pixels_are_square_on_the_ground(self, asked):
        grid = grid_of(bbox=self.BOX, crs="CRS84", **asked)

        width, height = ground_m(grid)
        assert width / grid.width == pytest.approx(height / grid.height, rel=5e-3)

    def test_a_scale_gives_the_size(self):
        grid = grid_of(bbox=self.BOX, crs="CRS84", scale_denominator="100000")

        width, height = ground_m(grid)
        assert (width / grid.width, height / grid.height) == pytest.approx((28, 28), rel=5e-3)

    def test_box_in_another_crs_is_covered_completely(self):
        grid = grid_of(bbox=self.BOX, width="30")

        x, y = transformer(CRS84, grid.crs).transform(
            np.array([4.5, 4.7, 4.5, 4.7]), np.array([50.8, 50.8, 50.9, 50.9])
        )
        assert (grid.bbox.xmin <= x).all()
        assert (x <= grid.bbox.xmax).all()
        assert (grid.bbox.ymin <= y).all()
        assert (y <= grid.bbox.ymax).all()

    def test_heights_are_ignored(self):
        assert grid_of(bbox="4.5,50.8,0,4.7,50.9,100") == grid_of(bbox=self.BOX)

    def test_open_ends_are_those_of_the_data(self):
        grid = grid_of(subset="x(610000:*),y(*:5640000)", subset_crs="EPSG:32631", width="10")

        assert grid.bbox == BBox(610_000, 5_620_000, 640_000, 5_640_000)


@pytest.mark.quick_cases("collection-")
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("bbox=1,2,3", "bbox"),
        ("bbox=1,2,3,4,5", "bbox"),
        ("bbox=a,b,c,d", "bbox"),
        ("bbox=1,2,nan,4", "bbox"),
        ("bbox=1,2,inf,4", "bbox"),
        ("bbox=4,51,5,50", "bbox"),
        ("bbox=4,50,4,51", "bbox"),
        ("bbox=1e300,0,1e301,1&crs=CRS84", "bbox"),
        ("bbox=6,1,5,2&bbox-crs=EPSG:3857", "bbox"),
        ("bbox=1,2,3,4&bbox-crs=EPSG:9999", "bbox-crs"),
        ("bbox=1,2,3,4&bbox-crs=nowhere", "bbox-crs"),
        ("crs=EPSG:31370", "crs"),
        ("crs=http://www.opengis.net/def/crs/EPSG/0/1", "crs"),
        ("bbox=4,50,5,51&center=4,50", "center"),
        ("center=4", "center"),
        ("center=4,x", "center"),
        ("center=4,1e400", "center"),
        ("center=1e300,1", "center"),
        ("center=4,50&center-crs=EPSG:1", "center-crs"),
        ("width=0", "width"),
        ("width=-5", "width"),
        ("width=1.5", "width"),
        ("width=many", "width"),
        ("height=0", "height"),
        ("width=66000", "width"),
        ("height=99999999999", "height"),
        ("width=5000&height=5000", "width"),
        ("scale-denominator=0", "scale-denominator"),
        ("scale-denominator=-1", "scale-denominator"),
        ("scale-denominator=x", "scale-denominator"),
        ("scale-denominator=1e300", "scale-denominator"),
        ("scale-denominator=1e-300", "scale-denominator"),
        ("bbox=4,50,5,51&scale-denominator=1000&width=10", "scale-denominator"),
        ("subset=Lat(50:51)&scale-denominator=1000&height=10", "scale-denominator"),
        ("mm-per-pixel=0&scale-denominator=1000", "mm-per-pixel"),
        ("mm-per-pixel=thick", "mm-per-pixel"),
        ("subset=Lat(50:51)&bbox=4,50,5,51", "subset"),
        ("subset=Lat(50:51)&center=4,50", "center"),
        ("subset=Lat(50)", "subset"),
        ("subset=Lat(51:50)", "subset"),
        ("subset=Lat(60:*)", "subset"),
        ("subset=height(1:2)", "subset"),
        ("subset=Lat", "subset"),
        ("subset=Lat(50:51),Lat(50:51)", "subset"),
        ("subset=time(tomorrow)", "subset"),
        ('subset=time("1999")', "subset"),
        ("subset=Lat(50:51)&subset-crs=EPSG:1", "subset-crs"),
        ("datetime=yesterday", "datetime"),
        ("datetime=1999", "datetime"),
        ("datetime=1999/2000", "datetime"),
        ('datetime=2020&subset=time("2020")', "datetime"),
        ("time=2020", "time"),
        ("f=gif", "f"),
        ("bgcolour=red", "bgcolour"),
        ("style=reds", "style"),
        ("bboox=1,2,3,4", "bboox"),
    ],
)
@pytest.mark.parametrize("path", [NDVI, "/ogcapi/map"], ids=["collection", "dataset"])
def test_invalid_value_is_named(tree, path, query, parameter):
    response = tree.get(f"{path}?{query}")

    assert response.status_code in {400, 404}
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["parameter"] == parameter


@pytest.mark.parametrize(
    ("path", "parameter"),
    [("/ogcapi/collections/nope/map", "collectionId"), ("/ogcapi/collections/nope/styles/steps/map", "collectionId")],
)
def test_unknown_collection_is_not_found(tree, path, parameter):
    response = tree.get(path)

    assert response.status_code == 404
    assert response.json()["parameter"] == parameter


def test_map_above_the_limit_is_refused_with_a_possible_size(tree):
    problem = tree.get(f"{NDVI}?width=5000&height=5000").json()

    assert problem["type"] == "limit-exceeded"
    assert problem["limit"] == "max_pixels"
    assert problem["asked"] == 25_000_000
    assert "tiles" in problem["alternative"]


@pytest.mark.parametrize("crs", ["CRS:84", "EPSG:3857", "EPSG:32631", "EPSG:3035", "EPSG:3031"])
@pytest.mark.parametrize(("longitude", "latitude"), [(3.0, 50.0), (5.5, 61.0)])
def test_lengths_on_the_ground_are_those_of_the_ellipsoid(crs, longitude, latitude):
    system = crs_of(crs)
    x, y = transformer(CRS84, system).transform(longitude, latitude)
    unit = metres_per_unit(system, x, y)

    step = 1000 / system.metres_per_unit
    places = transformer(system, CRS84).transform(np.array([x, x + step, x]), np.array([y, y, y + step]))
    (_a, _b, lengths) = EARTH.inv([places[0][0]] * 2, [places[1][0]] * 2, places[0][1:], places[1][1:])
    assert (unit.x * step, unit.y * step) == pytest.approx(tuple(lengths), rel=2e-3)


@pytest.mark.parametrize(("x", "y"), [(math.inf, 0.0), (1e9, 1e9)])
def test_unit_of_the_crs_is_used_where_it_has_no_coordinates(x, y):
    assert metres_per_unit(crs_of("EPSG:32631"), x, y) == (1, 1)


@given(
    st.floats(-180, 179),
    st.floats(-80, 79),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
    st.sampled_from(["CRS:84", "EPSG:3857"]),
)
def test_a_box_goes_to_another_crs_and_back(west, south, width, height, name):
    box = BBox(west, south, west + width, south + height)

    there = box_to(box, CRS84, crs_of(name))
    assert box_to(there, crs_of(name), CRS84) == pytest.approx(box, abs=1e-6)


def test_data_of_several_layers_are_covered_completely():
    together = data_box([served.BELGIUM_31N, served.FLANDERS_4326], CRS84)

    assert together == BBox(4.4, 50.6, 5.0, 51.0)


def test_data_of_the_whole_earth_end_at_the_bounds_of_mercator():
    box = data_box([served.WORLD_4326], crs_of("EPSG:3857"))

    assert box == pytest.approx(BBox(*(side * 20037508.342789244 for side in (-1, -1, 1, 1))))


TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["1,2,3,4", "4,50,5,51", "10", "-1", "nan", "EPSG:4326", "Lat(1:2)"])
)
NAMES = [
    *("bbox", "bbox-crs", "crs", "center", "center-crs", "width", "height", "scale-denominator", "mm-per-pixel"),
    "subset",
]


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "bgcolor", "transparent", "void-color", "datetime", "f"]), TEXTS, max_size=4
    )
)
def test_any_parameters_give_a_grid_or_are_refused_in_words(query):
    with suppress(InvalidParameter, UnsupportedCrs):
        grid = parse_map(PATH, query_of(query.items()), "", CATALOGUE).grid()

        assert min(grid.width, grid.height) >= 1


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.floats(3.0, 6.0),
    st.floats(49.0, 52.0),
    st.floats(1e3, 1e7),
    st.sampled_from(["EPSG:32631", "EPSG:3857", "CRS:84"]),
)
def test_a_map_round_a_centre_has_it_in_the_middle(width, height, longitude, latitude, scale, name):
    crs = crs_of(name)
    centre = transformer(CRS84, crs).transform(longitude, latitude)

    grid = Viewport(crs=crs, centre=centre, width=width, height=height, pixel_m=scale * 0.00028).grid(
        [served.BELGIUM_31N]
    )

    assert (grid.width, grid.height) == (width, height)
    assert (grid.bbox.xmin + grid.bbox.xmax) / 2 == pytest.approx(centre[0])
    assert (grid.bbox.ymin + grid.bbox.ymax) / 2 == pytest.approx(centre[1])
