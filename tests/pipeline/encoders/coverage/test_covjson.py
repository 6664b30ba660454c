"""Coverages as CoverageJSON, held against its schemas."""

import json

import numpy as np
import pytest
from covjson_pydantic.coverage import Coverage

from chronotile.core.errors import ClientGone
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import NO_TIME
from chronotile.pipeline.encoders.coverage.covjson import encode_coverage_covjson
from tests.decimals import cell_value
from tests.pipeline.encoders.coverages import CLASSES, DEGREES, UTM, expected_values, make_coverage, make_field
from tests.protocols.ogcapi.schemas import faults

NORTH_FIRST = Grid(crs=crs_of("EPSG:3035"), bbox=BBox(3e6, 3e6, 3.1e6, 3.2e6), width=4, height=5)
NAMELESS = Grid(crs=crs_of("+proj=sinu +R=6371007.181 +units=m"), bbox=UTM.bbox, width=4, height=5)
ONE_CELL = Grid(crs=UTM.crs, bbox=BBox(600_000.0, 5_640_000.0, 600_010.0, 5_640_010.0), width=1, height=1)
COVERAGES = {
    "projected": make_coverage(),
    "degrees": make_coverage(grid=DEGREES),
    "north first": make_coverage(grid=NORTH_FIRST),
    "without a code": make_coverage(grid=NAMELESS),
    "one cell": make_coverage(grid=ONE_CELL),
    "without time": make_coverage(times=NO_TIME),
    "classes": make_coverage(make_field("CROP", classes=CLASSES)),
    "several fields": make_coverage(make_field("A"), make_field("B", dtype="float32", nodata=np.nan, scale=0.5)),
}
each_coverage = pytest.mark.parametrize("coverage", COVERAGES.values(), ids=COVERAGES)


def told(coverage, **more):
    return json.loads(encode_coverage_covjson(coverage, **more))


@each_coverage
def test_document_keeps_to_the_schema_of_edr(coverage, shared):
    assert faults(shared / "ogc" / "schemas", told(coverage), "covjson", "coverage") == []


@each_coverage
def test_document_is_read_by_another_program(coverage):
    read = Coverage.model_validate_json(encode_coverage_covjson(coverage))

    assert set(read.ranges) == {field.name for field in coverage.fields}


@each_coverage
def test_values_equal_those_of_the_source(coverage):
    ranges = [told(coverage)["ranges"][field.name] for field in coverage.fields]

    values = [np.array(each["values"], dtype=np.float64) for each in ranges]
    np.testing.assert_allclose(values, [expected_values(coverage, n).ravel() for n in range(len(ranges))], rtol=1e-12)


def test_ranges_are_along_time_y_and_x():
    listed = told(make_coverage())["ranges"]["NDVI"]

    assert (listed["axisNames"], listed["shape"]) == (["t", "y", "x"], [3, 37, 41])


def test_without_time_there_is_no_axis_of_it():
    document = told(make_coverage(times=NO_TIME))

    assert set(document["domain"]["axes"]) == {"x", "y"}
    assert len(document["domain"]["referencing"]) == 1
    assert document["ranges"]["NDVI"]["shape"] == [37, 41]


def test_axes_are_regular_centres_of_cells_and_instants():
    domain = told(make_coverage())["domain"]

    assert domain["domainType"] == "Grid"
    assert domain["axes"] == {
        "x": {"start": 600_050.0, "stop": 604_050.0, "num": 41},
        "y": {"start": 5_649_950.0, "stop": 5_646_350.0, "num": 37},
        "t": {"values": ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]},
    }


REFERENCES = {
    "projected": (UTM, ["x", "y"], "ProjectedCRS", "http://www.opengis.net/def/crs/EPSG/0/32631"),
    "degrees": (DEGREES, ["x", "y"], "GeographicCRS", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"),
    "north first": (NORTH_FIRST, ["y", "x"], "ProjectedCRS", "http://www.opengis.net/def/crs/EPSG/0/3035"),
}


@pytest.mark.parametrize(("grid", "coordinates", "kind", "uri"), REFERENCES.values(), ids=REFERENCES)
def test_axes_are_referenced_to_the_crs(grid, coordinates, kind, uri):
    spatial, temporal = told(make_coverage(grid=grid))["domain"]["referencing"]

    assert spatial == {"coordinates": coordinates, "system": {"type": kind, "id": uri}}
    assert temporal["coordinates"] == ["t"]


def test_whole_numbers_that_are_values_are_integers():
    listed = told(make_coverage(make_field("CROP", classes=CLASSES)))["ranges"]["CROP"]

    assert listed["dataType"] == "integer"
    assert {type(value) for value in listed["values"]} == {int, type(None)}


def test_scaled_values_are_exact_decimals():
    listed = told(make_coverage(make_field(scale=0.004, offset=-0.08)))["ranges"]["NDVI"]

    assert listed["dataType"] == "float"
    assert listed["values"][1] == cell_value(7, 0.004, -0.08)


def test_classes_are_categories():
    parameter = told(make_coverage(make_field("CROP", classes=CLASSES)))["parameters"]["CROP"]

    assert parameter["categoryEncoding"] == {"#0": 0, "#1": 1, "#2": 2}
    assert "unit" not in parameter


def test_document_has_its_attribution():
    document = told(make_coverage())

    assert (document["attribution"], document["license"]) == ("Copernicus & co", "CC-BY-4.0")
    assert document["title"] == "Vegetation: NDVI of fields"


def test_work_ends_when_the_client_leaves():
    coverage = make_coverage(rows_at_once=10, times_at_once=1)

    with pytest.raises(ClientGone):
        encode_coverage_covjson(coverage, is_active=lambda: len(coverage.reads) < 4)
