"""The validators themselves: valid documents pass, faults are reported with their JSON path."""

import json

import pytest

from tests.protocols.ogcapi.schemas import faults

LINK = {"href": "http://h/", "rel": "self"}
COVERAGE = {
    "type": "Coverage",
    "domain": {
        "type": "Domain",
        "domainType": "PointSeries",
        "axes": {"x": {"values": [4.5]}, "y": {"values": [50.8]}, "t": {"values": ["2020-06-01T00:00:00Z"]}},
        "referencing": [{"coordinates": ["x", "y"], "system": {"type": "GeographicCRS"}}],
    },
    "parameters": {"NDVI": {"type": "Parameter", "observedProperty": {"label": {"en": "NDVI"}}}},
    "ranges": {"NDVI": {"type": "NdArray", "dataType": "float", "axisNames": ["t"], "shape": [1], "values": [None]}},
}
LANDING = {"title": "t", "description": "d", "links": [LINK]}
RIGHT = [
    ("common", "confClasses", {"conformsTo": ["http://h/"]}),
    ("coverages", "landingPage", {**LANDING, "links": [{**LINK, "rel": "data"}]}),
    ("edr", "landingPage", LANDING),
    ("covjson", "coveragejson", COVERAGE),
]
WRONG = [
    ("common", "confClasses", {"conformsTo": "http://h/"}, "$.conformsTo"),
    ("edr", "landingPage", {"links": [{"rel": "self"}]}, "$.links[0]"),
    ("maps", "tileMatrixLimits", {"tileMatrix": "1", "minTileRow": -1, "maxTileRow": 0}, "$"),
    ("tiles", "tileSet", {"dataType": "map", "links": []}, "$"),
    (
        "covjson",
        "coverage",
        {**COVERAGE, "ranges": {"NDVI": {**COVERAGE["ranges"]["NDVI"], "values": ["a"]}}},
        "$.ranges",
    ),
    ("cis", "domainSet", {"type": "DomainSet", "generalGrid": {"type": "GeneralGridCoverageType"}}, "$"),
    ("tms", "tileMatrixSet", {"id": "a", "crs": "http://h/"}, "$: 'tileMatrices'"),
]


@pytest.mark.parametrize(("standard", "name", "document"), RIGHT)
def test_document_that_is_right_passes(assert_valid, standard, name, document):
    assert_valid(document, standard, name)


@pytest.mark.parametrize(("standard", "name", "document", "place"), WRONG)
def test_place_of_a_fault_is_reported(shared, standard, name, document, place):
    found = faults(shared / "ogc" / "schemas", document, standard, name)

    assert any(each.startswith(place) for each in found)


def test_null_is_accepted_if_openapi_30_has_nullable(shared):
    extent = {"temporal": {"interval": [["2020-06-01T00:00:00Z", None]], "trs": "Gregorian"}}

    assert faults(shared / "ogc" / "schemas", extent, "edr", "extent") == []


@pytest.mark.parametrize("example", ["WebMercatorQuad", "WorldCRS84Quad", "EuropeanETRS89_LAEAQuad"])
def test_registered_tile_matrix_sets_are_valid(shared, assert_valid, example):
    folder = shared / "ogc" / "schemas" / "schemas.opengis.net" / "tms" / "2.0" / "json" / "examples" / "tilematrixset"

    assert_valid(json.loads((folder / f"{example}.json").read_text()), "tms", "tileMatrixSet")


def test_examples_of_domain_sets_are_valid(shared, assert_valid):
    folder = shared / "ogc" / "schemas" / "schemas.opengis.net" / "cis" / "1.1" / "json" / "examples"
    coverage = json.loads((folder / "25_3D_time.json").read_text())

    assert_valid(coverage["domainSet"], "cis", "domainSet")
    assert_valid(coverage["rangeType"], "cis", "rangeType")
