"""Coverages of areas: the same cells as series of areas, only within their box."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from chronotile.core.errors import InvalidParameter, OutsideData
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, Trim
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import AreaSeriesRequest
from chronotile.core.model.series.reducers import parse_reducer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.coverage.extract import extract_coverage
from chronotile.pipeline.series.areas import extract_area_series
from tests.protocols.served import (
    BELGIUM_31N,
    NODATA,
    make_collection,
    make_layer,
    make_services,
    make_variable,
    number_at,
)

UTM = BELGIUM_31N.crs
GLOBE = NativeGrid(crs=CRS84, transform=Affine(1.0, 0, -180.0, 0, -1.0, 90.0), width=360, height=180)
SOUTH_UP = replace(BELGIUM_31N, transform=Affine(100.0, 0, 600_000.0, 0, 100.0, 5_620_000.0))
EAST_FIRST = replace(BELGIUM_31N, transform=Affine(-100.0, 0, 640_000.0, 0, -100.0, 5_650_000.0))


def ring(*corners):
    return np.array([*corners, corners[0]], dtype=float)


def square(west, south, east, north):
    return ring((west, south), (east, south), (east, north), (west, north))


TRIANGLE = Area(polygons=((ring((601_000, 5_640_000), (605_000, 5_641_000), (602_000, 5_645_000)),),), crs=UTM)
WITH_HOLE = Area(
    polygons=((square(601_000, 5_640_000, 603_000, 5_642_000), square(601_500, 5_640_500, 602_500, 5_641_500)),),
    crs=UTM,
)
TWO = Area(
    polygons=((square(601_000, 5_640_000, 602_000, 5_641_000),), (square(607_000, 5_646_000, 608_000, 5_647_000),)),
    crs=UTM,
)
IN_DEGREES = Area(polygons=((ring((4.5, 50.8), (4.7, 50.82), (4.65, 50.9), (4.5, 50.88)),),))
BEYOND = Area(polygons=((square(599_000, 5_649_000, 601_000, 5_651_000),),), crs=UTM)


def services_on(grid):
    return make_services(make_collection(make_layer(variable=make_variable(grid=grid))))


def ask(area, grid=BELGIUM_31N, **request):
    return extract_coverage(CoverageRequest(layers=("NDVI",), area=area, **request), services_on(grid))


def numbers_of(coverage, time=1):
    return coverage.read_times(0, times=range(time, time + 1), rows=range(coverage.grid.height))[0]


@pytest.mark.parametrize("grid", [BELGIUM_31N, SOUTH_UP, EAST_FIRST], ids=["north-up", "south-up", "east first"])
@pytest.mark.parametrize(
    "area", [TRIANGLE, WITH_HOLE, TWO, IN_DEGREES, BEYOND], ids=["triangle", "hole", "two", "degrees", "beyond"]
)
def test_cells_equal_those_of_the_series_of_the_area(area, grid):
    reducers = tuple(parse_reducer(name) for name in ("count", "mean", "min", "max"))
    request = AreaSeriesRequest(layer="NDVI", areas=(area,), reducers=reducers)

    series = extract_area_series(request, services_on(grid)).areas[0].reduced
    coverage = ask(area, grid)

    values = [np.ma.masked_equal(numbers_of(coverage, time), NODATA) for time in range(4)]
    assert [each.count() for each in values] == series["count"].tolist()
    assert [each.mean() for each in values] == pytest.approx(series["mean"].tolist())
    assert [each.min() for each in values] == series["min"].tolist()
    assert [each.max() for each in values] == series["max"].tolist()


def test_grid_covers_only_the_cells_of_the_area():
    coverage = ask(WITH_HOLE)

    assert coverage.grid.bbox == (601_000, 5_640_000, 603_000, 5_642_000)
    expected = number_at(*np.mgrid[80:100, 10:30], 1)
    expected[5:15, 5:15] = NODATA
    np.testing.assert_array_equal(numbers_of(coverage), expected)


def test_a_trim_cuts_an_area():
    coverage = ask(WITH_HOLE, trims=(Trim(box=BBox(601_000.0, 5_640_000.0, 602_000.0, 5_641_000.0), crs=UTM),))

    assert coverage.grid.bbox == (601_000, 5_640_000, 602_000, 5_641_000)
    assert (numbers_of(coverage) != NODATA).sum() == 100 - 25


@pytest.mark.parametrize(
    ("west", "columns"),
    [
        pytest.param(170.0, [*range(350, 360), *range(10)], id="across the antimeridian"),
        pytest.param(-190.0, [*range(350, 360), *range(10)], id="in another turn"),
        pytest.param(10.0, list(range(190, 210)), id="elsewhere"),
    ],
)
def test_an_area_on_a_globe_is_one_piece(west, columns):
    coverage = ask(Area(polygons=((square(west, 0, west + 20, 10),),)), GLOBE)

    np.testing.assert_array_equal(numbers_of(coverage), number_at(np.arange(80, 90)[:, None], np.array(columns), 1))


def test_two_polygons_either_side_of_the_antimeridian_are_one_piece():
    area = Area(polygons=((square(170, 0, 180, 10),), (square(-180, 0, -175, 10),)))

    coverage = ask(area, GLOBE)

    assert coverage.grid.bbox == (170, 0, 185, 10)
    np.testing.assert_array_equal(
        numbers_of(coverage), number_at(np.arange(80, 90)[:, None], np.array([*range(350, 360), *range(5)]), 1)
    )


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param({"crs": crs_of("EPSG:3035")}, id="another crs"),
        pytest.param({"scale": ScaleFactors(x=2, y=2)}, id="scaled"),
    ],
)
def test_other_cells_are_in_by_their_own_centres(request_of):
    coverage = ask(WITH_HOLE, **request_of)

    size = np.prod(coverage.grid.resolution)
    assert (numbers_of(coverage) != NODATA).sum() * size == pytest.approx(2000**2 - 1000**2, rel=0.05)


WITHOUT_CELLS = {
    "elsewhere": (Area(polygons=((square(0, 0, 10, 10),),), crs=UTM), "outside"),
    "elsewhere in degrees": (Area(polygons=((square(10, 10, 11, 11),),)), "outside"),
    "too small": (Area(polygons=((square(601_010, 5_640_010, 601_020, 5_640_020),),), crs=UTM), "no cell's centre"),
}


@pytest.mark.parametrize(("area", "reason"), WITHOUT_CELLS.values(), ids=WITHOUT_CELLS)
def test_areas_without_cells_are_refused_by_name(area, reason):
    with pytest.raises(OutsideData, match=reason) as refused:
        ask(area, area_locator="coords")

    assert refused.value.locator == "coords"


def test_an_area_that_cannot_be_followed_is_refused_by_name():
    teeth = np.column_stack(
        [np.linspace(600_000, 640_000, 40_001), np.tile([5_620_000.0, 5_650_000.0], 20_001)[:40_001]]
    )
    area = Area(polygons=((np.vstack([teeth, teeth[:1]]),),), crs=UTM)

    with pytest.raises(InvalidParameter, match="simplify") as refused:
        ask(area, area_locator="coords")

    assert refused.value.locator == "coords"


def test_area_outside_a_trim_is_refused():
    with pytest.raises(OutsideData, match="no cell centre in the rest of the request"):
        ask(WITH_HOLE, trims=(Trim(box=BBox(630_000.0, 5_640_000.0, 631_000.0, 5_641_000.0), crs=UTM),))


def test_etag_distinguishes_areas():
    moved = replace(WITH_HOLE, polygons=((WITH_HOLE.polygons[0][0],),))

    assert ask(WITH_HOLE).etag == ask(WITH_HOLE).etag
    assert ask(WITH_HOLE).etag != ask(moved).etag
