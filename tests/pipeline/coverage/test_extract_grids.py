"""Coverages of another size, CRS or orientation: their grid, and each cell by exact transforms."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.limits import Limits
from chronotile.core.errors import InvalidParameter, LimitExceeded, OutsideData
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.pipeline.coverage.extract import extract_coverage
from tests.protocols.served import (
    BELGIUM_31N,
    NODATA,
    expected_numbers,
    make_collection,
    make_layer,
    make_services,
    make_variable,
    number_at,
)

UTM = BELGIUM_31N.crs
ROTATED = replace(
    BELGIUM_31N, transform=Affine.translation(600_000, 5_650_000) @ Affine.rotation(20) @ Affine.scale(100, -100)
)
FIJI = NativeGrid(
    crs=crs_of("EPSG:32660"), transform=Affine(5000.0, 0, 300_000.0, 0, -5000.0, 1_000_000.0), width=160, height=100
)
GLOBE = NativeGrid(crs=CRS84, transform=Affine(1.0, 0, -180.0, 0, -1.0, 90.0), width=360, height=180)
POLE = NativeGrid(crs=crs_of("EPSG:3413"), transform=Affine(1e5, 0, -2e6, 0, -1e5, 2e6), width=40, height=40)
DISC = NativeGrid(
    crs=crs_of("+proj=geos +h=35785831 +lon_0=-137.2 +sweep=x"),
    transform=Affine(1e5, 0, -5.5e6, 0, -1e5, 5.5e6),
    width=110,
    height=110,
)
"""The full view of a satellite over the Pacific, with space around it."""

INF = float("inf")


def ask(grid=BELGIUM_31N, services=None, **request):
    services = services or make_services(make_collection(make_layer(variable=make_variable(grid=grid))))
    return extract_coverage(CoverageRequest(layers=("NDVI",), **request), services)


def numbers_of(coverage, time=0):
    return coverage.read_times(0, times=range(time, time + 1), rows=range(coverage.grid.height))[0]


def box(*edges, crs=UTM):
    return Trim(box=BBox(*edges), crs=crs)


def cells_of(box, size, crs=UTM):
    width, height = size
    return Grid(crs=crs, bbox=BBox(*box), width=width, height=height)


@pytest.mark.parametrize("move", [0.0, 1e-8, -0.005, 0.005])
def test_native_cells_are_read_without_resampling(move):
    edges = np.add((600_000, 5_648_000, 603_000, 5_650_000), move).tolist()

    coverage = ask(cells=cells_of(edges, (30, 20)))

    assert coverage.grid.bbox == (600_000, 5_648_000, 603_000, 5_650_000)
    rows, columns = np.mgrid[0:20, 0:30]
    np.testing.assert_array_equal(numbers_of(coverage, 2), number_at(rows, columns, 2))


@pytest.mark.parametrize(
    ("edges", "size", "crs"),
    [
        pytest.param((598_000, 5_649_000, 601_000, 5_652_000), (30, 30), UTM, id="native ones, beyond the data too"),
        pytest.param((599_933, 5_648_011, 602_917, 5_650_071), (17, 13), UTM, id="others"),
        pytest.param((4.3, 50.7, 5.1, 51.1), (40, 30), crs_of("EPSG:4326"), id="round the data in degrees"),
    ],
)
def test_cells_are_exactly_the_requested_ones(edges, size, crs):
    cells = cells_of(edges, size, crs)

    coverage = ask(cells=cells)

    assert coverage.grid == cells
    expected = expected_numbers(BELGIUM_31N, cells, 2)
    assert (expected == NODATA).any()
    np.testing.assert_array_equal(numbers_of(coverage, 2), expected)


@pytest.mark.parametrize(
    ("edges", "size", "error"),
    [
        pytest.param((0, 0, 100, 100), (1, 1), OutsideData, id="elsewhere"),
        pytest.param((600_000, 5_648_000, 1e300, 5_650_000), (1, 1), InvalidParameter, id="beyond all places"),
        pytest.param((600_000, 5_648_000, 603_000, 5_650_000), (1 << 21, 1), LimitExceeded, id="too many"),
    ],
)
def test_cells_that_cannot_be_are_refused(edges, size, error):
    with pytest.raises(error):
        ask(cells=cells_of(edges, size))


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        pytest.param(ScaleFactors(x=2, y=2), (200, 150), id="half the resolution"),
        pytest.param(ScaleFactors(x=0.5, y=0.5), (800, 600), id="twice the resolution"),
        pytest.param(ScaleFactors(x=4, y=1), (100, 300), id="in x alone"),
        pytest.param(ScaleFactors(x=1e9, y=1e9), (1, 1), id="to one cell"),
        pytest.param(ScaleSize(width=100), (100, 75), id="a width"),
        pytest.param(ScaleSize(height=30), (40, 30), id="a height"),
        pytest.param(ScaleSize(width=7, height=5), (7, 5), id="both"),
    ],
)
def test_scaled_cells_take_the_native_ones_under_their_centres(scale, size):
    coverage = ask(scale=scale)

    assert (coverage.grid.width, coverage.grid.height) == size
    assert coverage.grid.bbox == BELGIUM_31N.bbox
    hair = 1e-6 * coverage.grid.resolution[0]
    moved = replace(coverage.grid, bbox=BBox(*np.add(coverage.grid.bbox, (hair, -hair, hair, -hair)).tolist()))
    np.testing.assert_array_equal(numbers_of(coverage, 2), expected_numbers(BELGIUM_31N, moved, 2))


def test_scale_applies_to_the_trimmed_part():
    coverage = ask(scale=ScaleFactors(x=2, y=2), trims=(box(600_100.0, 5_649_000.0, 601_100.0, 5_649_900.0),))

    assert coverage.grid.bbox == (600_100, 5_649_000, 601_100, 5_649_900)
    assert (coverage.grid.width, coverage.grid.height) == (5, 5)


def test_a_scale_of_one_keeps_native_cells():
    coverage = ask(scale=ScaleFactors(x=1, y=1))

    np.testing.assert_array_equal(numbers_of(coverage), number_at(*np.mgrid[:300, :400], 0))


@pytest.mark.parametrize(
    ("scale", "error"),
    [
        pytest.param(ScaleFactors(x=0, y=1), InvalidParameter, id="zero"),
        pytest.param(ScaleFactors(x=1, y=-2), InvalidParameter, id="less than zero"),
        pytest.param(ScaleFactors(x=math.nan, y=1), InvalidParameter, id="not a number"),
        pytest.param(ScaleFactors(x=math.inf, y=1), InvalidParameter, id="infinite"),
        pytest.param(ScaleFactors(x=1e-300, y=1), LimitExceeded, id="too small a factor"),
        pytest.param(ScaleSize(width=0), InvalidParameter, id="no columns"),
        pytest.param(ScaleSize(width=10, height=-3), InvalidParameter, id="fewer than no rows"),
        pytest.param(ScaleSize(width=1 << 40), LimitExceeded, id="too wide"),
        pytest.param(ScaleSize(width=50_000, height=50_000), LimitExceeded, id="too many cells"),
    ],
)
def test_invalid_or_too_large_scales_are_refused(scale, error):
    services = make_services(limits=Limits(max_coverage_bytes=1 << 30))

    with pytest.raises(error) as refused:
        ask(services=services, scale=scale)

    assert refused.value.locator in {scale.locator, "bbox"}


@pytest.mark.parametrize(
    ("crs", "size"),
    [
        pytest.param("EPSG:3035", 100.0, id="metres stay metres"),
        pytest.param("EPSG:32632", 100.0, id="another zone"),
        pytest.param("EPSG:3857", 160.0, id="Mercator's are longer"),
        pytest.param("OGC:CRS84", 1 / 880, id="a whole number of them in a degree"),
    ],
)
def test_cells_of_another_crs_are_as_large_as_native_ones_and_by_exact_transforms(crs, size):
    coverage = ask(crs=crs_of(crs))

    assert coverage.grid.resolution == pytest.approx((size, size))
    expected = expected_numbers(BELGIUM_31N, coverage.grid, 1)
    assert (numbers_of(coverage, 1) != expected).mean() < 2e-4  # if a centre lies on an edge to a ten-thousandth
    assert (expected != NODATA).sum() * math.prod(coverage.grid.resolution) > 0


def test_cells_of_another_crs_cover_all_data():
    coverage = ask(crs=crs_of("EPSG:3035"))

    edges = expected_numbers(BELGIUM_31N, coverage.grid, 0)
    assert {NODATA} == {*edges[0, [0, -1]].tolist(), *edges[-1, [0, -1]].tolist()}
    assert (numbers_of(coverage) != NODATA).sum() == pytest.approx(299 * 400, rel=0.01)


def test_trims_in_the_crs_of_the_answer_leave_its_cells():
    mercator = crs_of("EPSG:3857")

    coverage = ask(crs=mercator, trims=(box(520_000.0, 6_580_000.0, 530_000.0, 6_590_005.0, crs=mercator),))

    assert coverage.grid.bbox == (520_000, 6_580_000, 530_080, 6_590_080)
    np.testing.assert_array_equal(numbers_of(coverage), expected_numbers(BELGIUM_31N, coverage.grid, 0))


def test_neighbouring_boxes_have_cells_of_one_lattice():
    mercator = crs_of("EPSG:3857")
    halves = ((520_000.0, 528_000.0), (528_000.0, 536_000.0))

    west, east = (
        ask(crs=mercator, trims=(box(low, 6_580_000.0, high, 6_590_000.0, crs=mercator),)) for low, high in halves
    )
    both = ask(crs=mercator, trims=(box(520_000.0, 6_580_000.0, 536_000.0, 6_590_000.0, crs=mercator),))

    np.testing.assert_array_equal(np.hstack([numbers_of(west), numbers_of(east)]), numbers_of(both))


def test_rotated_source_is_returned_north_up_in_cells_of_equal_size():
    coverage = ask(ROTATED)

    assert coverage.grid.resolution == pytest.approx((100, 100), rel=0.01)
    assert (numbers_of(coverage) != expected_numbers(ROTATED, coverage.grid, 0)).mean() < 1e-4


@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:3857"])
def test_data_across_the_antimeridian_stay_one_piece(crs):
    coverage = ask(FIJI, crs=crs_of(crs))

    half = {"OGC:CRS84": 180.0, "EPSG:3857": 20_037_508.34}[crs]
    assert coverage.grid.bbox.xmin < half < coverage.grid.bbox.xmax < half * 1.05
    assert (numbers_of(coverage) != NODATA).mean() > 0.9
    assert (numbers_of(coverage) != expected_numbers(FIJI, coverage.grid, 0)).mean() < 2e-4


def test_data_about_a_pole_have_all_longitudes():
    coverage = ask(POLE, crs=CRS84)

    assert (coverage.grid.bbox.xmin, coverage.grid.bbox.xmax, coverage.grid.bbox.ymax) == (-180, 180, 90)
    assert (numbers_of(coverage)[0] != NODATA).all()


def test_globe_in_web_mercator_ends_at_its_world_bounds():
    coverage = ask(GLOBE, crs=crs_of("EPSG:3857"), trims=(box(-180.0, -90.0, 180.0, 90.0, crs=CRS84),))

    half = 20_037_508.34
    size = coverage.grid.resolution[0]
    assert np.abs(np.abs(coverage.grid.bbox) - half).max() < size


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param({"scale": ScaleFactors(x=0.3, y=0.3)}, id="scaled"),
        pytest.param({"crs": crs_of("EPSG:3035"), "scale": ScaleFactors(x=0.3, y=0.3)}, id="another crs"),
    ],
)
def test_numbers_do_not_depend_on_the_rows_read_together(request_of):
    coverage = ask(**request_of)

    height = coverage.grid.height
    cuts = [0, 1, 500, 513, height]
    parts = [coverage.read_times(0, times=range(1, 2), rows=range(*ends))[0] for ends in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), numbers_of(coverage, 1))
    assert coverage.grid.width > 1000


def test_bilinear_means_are_those_of_the_four_surrounding_cells():
    coverage = ask(
        scale=ScaleFactors(x=0.5, y=0.5),
        resampling="bilinear",
        trims=(box(601_000.0, 5_645_000.0, 601_200.0, 5_645_200.0),),
    )

    around = number_at(*np.mgrid[47:49, 9:11], 0).astype(float)
    assert numbers_of(coverage)[0, 0] == np.rint((around * [[1, 3], [3, 9]]).sum() / 16)


def test_means_of_classes_are_refused():
    classes = replace(make_variable(), is_categorical=True)
    services = make_services(make_collection(make_layer(variable=classes)))

    with pytest.raises(InvalidParameter, match="classes") as refused:
        ask(services=services, resampling="bilinear", scale=ScaleFactors(x=2, y=2))

    assert refused.value.locator == "interpolation"


def test_etag_distinguishes_grids_and_resampling():
    asked = [{}, {"scale": ScaleFactors(x=2, y=2)}, {"crs": crs_of("EPSG:3035")}]
    asked.append({"scale": ScaleFactors(x=2, y=2), "resampling": "bilinear"})

    assert len({ask(**request).etag for request in asked}) == len(asked)


def test_cells_larger_than_a_tenth_of_a_degree_divide_the_half_circle():
    coverage = ask(FIJI, crs=CRS84, scale=ScaleFactors(x=1, y=1), trims=(box(-INF, -INF, INF, INF, crs=CRS84),))
    coarse = ask(POLE, crs=CRS84)

    assert 1 / coverage.grid.resolution[0] == pytest.approx(22)
    assert 180 / coarse.grid.resolution[0] == pytest.approx(round(180 / coarse.grid.resolution[0]))


def test_tiles_that_reach_no_data_have_no_values():
    islands = replace(POLE, transform=Affine(1e5, 0, 0, 0, -1e5, 0))

    coverage = ask(islands, crs=CRS84, scale=ScaleSize(width=1200, height=900))

    assert (numbers_of(coverage)[:, :100] == NODATA).all()


@pytest.mark.parametrize("crs", [CRS84, crs_of("EPSG:3857")], ids=["degrees", "mercator"])
def test_disc_of_the_earth_seen_from_space_has_its_cells(crs):
    coverage = ask(DISC, crs=crs, resampling="nearest")

    with np.errstate(invalid="ignore"):
        expected = expected_numbers(DISC, coverage.grid, 0)
    west, south, east, north = coverage.grid.bbox
    reach = np.array([east - west, north - south]) / (1 if crs == CRS84 else 111_319.49)
    assert (numbers_of(coverage) == expected).mean() > 0.99
    assert (reach > 140).all()
    assert (reach < 360).all()
