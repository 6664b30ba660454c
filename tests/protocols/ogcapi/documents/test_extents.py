"""Extents describe existing times and cells in the terms of two standards."""

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.offered import offered_collections
from chronotile.core.model.collection import Collection
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import NO_TIME, domain_of_periods
from chronotile.core.model.time.periods import DEKAD, Period
from chronotile.protocols.ogcapi.documents.collection_parts import spatial_extent, temporal_extent
from tests.protocols import served
from tests.protocols.served import days_of

YEAR = np.datetime64("2020-01-01", "ns")
MONTHS = domain_of_periods(YEAR, Period(months=1), 24)
DEKADS = domain_of_periods(YEAR, DEKAD, 36)
GAPS = days_of("2020-01-01", "2020-01-05", "2020-02-01")


def offered(grid):
    layer = served.make_layer(variable=served.make_variable("NDVI", grid=grid))
    return offered_collections(served.make_services(served.make_collection(layer)).catalogue)[1]


def grid_of(transform, *, crs="EPSG:32631", width=40, height=30):
    return NativeGrid(crs=crs_of(crs), transform=transform, width=width, height=height)


def test_times_with_one_step_are_a_regular_grid():
    extent = temporal_extent(MONTHS, limit=5)

    assert extent["interval"] == [["2020-01-01T00:00:00Z", "2021-12-01T00:00:00Z"]]
    assert extent["grid"] == {"cellsCount": 24, "resolution": "P1M", "firstCoordinate": "2020-01-01T00:00:00Z"}
    assert extent["values"] == ["R24/2020-01-01T00:00:00Z/P1M"]


def test_dekads_are_listed_with_their_bounds_and_as_three_series():
    extent = temporal_extent(DEKADS, limit=1000)

    grid = extent["grid"]
    assert (grid["cellsCount"], grid["step"]) == (36, "dekad")
    assert grid["coordinates"][:4] == [f"2020-{day}T00:00:00Z" for day in ("01-01", "01-11", "01-21", "02-01")]
    assert grid["boundsCoordinates"][2] == ["2020-01-21T00:00:00Z", "2020-02-01T00:00:00Z"]
    assert extent["values"] == [f"R12/2020-01-{day}T00:00:00Z/P1M" for day in ("01", "11", "21")]


def test_too_many_dekads_are_only_three_series():
    extent = temporal_extent(DEKADS, limit=10)

    assert "grid" not in extent
    assert len(extent["values"]) == 3


def test_bounds_are_omitted_before_the_times():
    extent = temporal_extent(DEKADS, limit=40)

    assert "boundsCoordinates" not in extent["grid"]
    assert len(extent["grid"]["coordinates"]) == 36


def test_days_have_no_bounds():
    assert "boundsCoordinates" not in temporal_extent(GAPS, limit=1000)["grid"]


@pytest.mark.parametrize(("limit", "count"), [(3, 3), (2, 1)])
def test_times_without_a_step_are_listed_up_to_the_limit(limit, count):
    extent = temporal_extent(GAPS, limit=limit)

    assert len(extent["values"]) == count
    assert ("grid" in extent) == (count == 3)


def test_values_without_room_are_the_whole_interval():
    assert temporal_extent(GAPS, limit=2)["values"] == ["2020-01-01T00:00:00Z/2020-02-01T00:00:00Z"]


def test_data_without_time_have_no_temporal_extent():
    assert temporal_extent(NO_TIME, limit=10) is None


@pytest.mark.parametrize("times", [MONTHS, DEKADS, GAPS], ids=["months", "dekads", "gaps"])
@pytest.mark.parametrize("limit", [1, 40, 1000])
def test_every_temporal_extent_is_valid(assert_valid, times, limit):
    document = {"spatial": {"bbox": [[0, 0, 1, 1]], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}

    document["temporal"] = temporal_extent(times, limit=limit)

    assert_valid(document, "common", "extent")
    assert_valid(document, "coverages", "extent")
    assert_valid(document, "edr", "extent")


def test_cells_of_a_south_up_grid_are_listed_from_the_south(assert_valid):
    extent = spatial_extent(offered(grid_of(Affine(10, 0, 500_000, 0, 20, 5_600_000))))

    columns, rows = extent["grid"]
    assert (columns["resolution"], rows["resolution"]) == (10, 20)
    assert (columns["firstCoordinate"], rows["firstCoordinate"]) == (500_005, 5_600_010)
    assert rows["relativeBounds"] == [-10, 10]
    assert_valid({"spatial": extent}, "common", "extent")


def test_a_rotated_grid_has_a_box_and_no_cells_along_axes():
    extent = spatial_extent(offered(grid_of(Affine(10, 2, 500_000, 2, -10, 5_650_000))))

    assert "grid" not in extent
    assert extent["storageCrsBbox"][0][0] == 500_000


def test_a_grid_in_crs84_has_one_box():
    extent = spatial_extent(offered(grid_of(Affine(0.1, 0, 4, 0, -0.1, 51), crs="OGC:CRS84")))

    assert "storageCrsBbox" not in extent
    assert extent["bbox"] == [[4, 48, 8, 51]]


def test_a_grid_without_longitudes_has_the_box_of_its_collection():
    nowhere = grid_of(Affine(1e9, 0, 1e12, 0, -1e9, 1e12))
    layer = served.make_layer(variable=served.make_variable("NDVI", grid=nowhere))
    collection = Collection(id="s2", title={}, layers=(layer,), bbox=BBox(0, 0, 1, 1))
    told = offered_collections(served.make_services(collection).catalogue)[1]

    assert spatial_extent(told)["bbox"] == [[0, 0, 1, 1]]


def test_layers_of_different_grids_have_the_box_of_all(make_services):
    east = grid_of(Affine(0.1, 0, 10, 0, -0.1, 51), crs="OGC:CRS84")
    collection = served.make_collection(
        served.make_layer(variable=served.make_variable("NDVI")),
        served.make_layer("EAST", variable=served.make_variable("EAST", grid=east)),
    )

    told = offered_collections(make_services(collection).catalogue)[0]

    assert spatial_extent(told)["bbox"][0] == pytest.approx(collection.bbox, abs=1e-6)
