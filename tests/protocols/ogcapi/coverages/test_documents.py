"""Documents that describe coverages: domain set, range type and schema."""

from typing import Any

import pytest
from affine import Affine

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols import served

BASE = "/ogcapi/collections"


def with_suffixes(document: Any) -> Any:
    """Return a document with the types of CIS 1.1 as published: all except a unit's end in `Type`."""
    if isinstance(document, list):
        return [with_suffixes(each) for each in document]
    if not isinstance(document, dict):
        return document
    members = {name: with_suffixes(value) for name, value in document.items()}
    own = members.get("type")
    return {**members, "type": f"{own}Type"} if own not in (None, "UnitReference") else members


def document_of(client, path: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"{BASE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def client_of(make_client):
    """Return a function: `client_of(grid, …)` makes a client of a layer on a grid; other members are its variable's."""

    def make(grid: NativeGrid, **members: Any):
        layer = served.make_layer("ONE", variable=served.make_variable("ONE", grid=grid, **members))
        return make_client(served.make_services(served.make_collection(layer)))

    return make


@pytest.mark.parametrize("collection", ["s2", "kinds", "FAPAR", "DMP", "HEIGHT"])
def test_domain_set_is_valid_by_cis_and_by_the_draft(tree, assert_valid, shared, collection):
    document = document_of(tree, f"{collection}/coverage/domainset")
    coverage = {"type": "CoverageByDomainAndRange", "domainSet": document, **OTHER_PARTS}

    assert_valid(with_suffixes(document), "cis", "domainSet")
    assert_valid(coverage, "coverages", "coverageSchema")


OTHER_PARTS = {
    "rangeSet": {"type": "RangeSet", "dataBlock": {"type": "VDataBlock", "values": []}},
    "rangeType": {"type": "DataRecord", "field": []},
}


@pytest.mark.parametrize("collection", ["s2", "kinds", "FAPAR", "CROP"])
def test_range_type_is_valid_by_cis_and_by_the_draft(tree, assert_valid, collection):
    document = document_of(tree, f"{collection}/coverage/rangetype")
    domain = {"type": "DomainSet", "generalGrid": {"type": "GeneralGridCoverage"}}
    coverage = {"type": "CoverageByDomainAndRange", **OTHER_PARTS, "domainSet": domain, "rangeType": document}

    assert_valid(with_suffixes(document), "cis", "rangeType")
    assert_valid(coverage, "coverages", "coverageSchema")


@pytest.mark.parametrize("collection", ["s2", "kinds", "FAPAR", "CROP", "FLAGGED"])
def test_schema_is_valid_by_the_draft(tree, assert_valid, collection):
    assert_valid(document_of(tree, f"{collection}/schema"), "coverages", "schema")


def test_domain_set_has_the_cells_of_the_native_grid(tree):
    grid = document_of(tree, "NDVI/coverage/domainset")["generalGrid"]

    assert grid["axisLabels"] == ["x", "y", "time"]
    assert grid["axis"][0] == {
        "type": "RegularAxis",
        "axisLabel": "x",
        "lowerBound": "600000",
        "upperBound": "640000",
        "uomLabel": "m",
        "resolution": 100.0,
    }
    assert (grid["axis"][1]["lowerBound"], grid["axis"][1]["upperBound"]) == ("5620000", "5650000")
    assert [axis["upperBound"] for axis in grid["gridLimits"]["axis"]] == [399, 299, 3]


def test_domain_set_has_the_instants_of_all_fields(tree):
    time = document_of(tree, "s2/coverage/domainset")["generalGrid"]["axis"][2]

    days = ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01"]
    assert time["coordinate"] == [f"{day}T00:00:00Z" for day in days]


def test_domain_set_names_the_crs_and_time(tree):
    grid = document_of(tree, "NDVI/coverage/domainset")["generalGrid"]

    assert grid["srsName"] == (
        "http://www.opengis.net/def/crs-compound?1=http://www.opengis.net/def/crs/EPSG/0/32631"
        "&2=http://www.opengis.net/def/crs/OGC/0/GregorianDateTime"
    )


def test_domain_set_without_time_has_two_axes(tree):
    grid = document_of(tree, "HEIGHT/coverage/domainset")["generalGrid"]

    assert (grid["axisLabels"], grid["srsName"]) == (["x", "y"], "http://www.opengis.net/def/crs/EPSG/0/32631")


def test_axes_are_in_the_order_of_the_crs(tree):
    grid = document_of(tree, "FAPAR/coverage/domainset")["generalGrid"]

    assert grid["axisLabels"] == ["Lat", "Lon", "time"]
    assert grid["axis"][0]["uomLabel"] == "deg"


def test_bounds_of_a_grid_that_is_south_up_are_still_low_and_high(client_of):
    south_up = NativeGrid(
        crs=crs_of("EPSG:32631"), transform=Affine(10, 0, 500_000, 0, 10, 5_000_000), width=30, height=20
    )
    axis = document_of(client_of(south_up), "ONE/coverage/domainset")["generalGrid"]["axis"][1]

    assert (axis["lowerBound"], axis["upperBound"], axis["resolution"]) == ("5000000", "5000200", 10.0)


def test_a_crs_without_a_code_has_no_name(client_of):
    sinusoidal = NativeGrid(
        crs=crs_of("+proj=sinu +R=6371007.181 +units=m"), transform=Affine(500, 0, 0, 0, -500, 6e6), width=8, height=8
    )
    grid = document_of(client_of(sinusoidal), "ONE/coverage/domainset")["generalGrid"]

    assert "srsName" not in grid
    assert grid["axisLabels"] == ["x", "y", "time"]


def test_range_type_has_the_source_s_numbers_and_how_they_become_values(tree):
    field = document_of(tree, "s2/coverage/rangetype")["field"][0]

    assert (field["name"], field["definition"], field["uom"]["code"]) == ("NDVI", "ogcType:unsignedByte", "1")
    assert field["encodingInfo"] == {
        "dataType": "http://www.opengis.net/def/dataType/OGC/0/unsignedByte",
        "scale": 0.004,
        "offset": -0.08,
    }
    assert field["nilValues"] == [{"reason": "http://www.opengis.net/def/nil/OGC/0/missing", "value": "255"}]


def test_range_type_of_floats_has_nan_for_missing_values(client_of):
    client = client_of(served.BELGIUM_31N, dtype="float32", nodata=-9999.0)

    field = document_of(client, "ONE/coverage/rangetype")["field"][0]
    assert (field["definition"], field["nilValues"][0]["value"]) == ("ogcType:float32", "NaN")


def test_schema_numbers_fields_in_order(tree):
    properties = document_of(tree, "s2/schema")["properties"]

    assert {name: field["x-ogc-propertySeq"] for name, field in properties.items()} == {"NDVI": 1, "LAI": 2}
    assert properties["LAI"] == {
        "title": "LAI",
        "type": "number",
        "x-ogc-propertySeq": 2,
        "x-ogc-property-seq": 2,
        "x-ogc-variableType": "continuous",
        "x-ogc-unit": "m2 m-2",
    }


def test_schema_has_the_classes_of_categories(tree):
    field = document_of(tree, "CROP/schema")["properties"]["CROP"]

    assert field["x-ogc-variableType"] == "categoricalNominal"
    assert field["oneOf"] == [{"const": each.value, "title": each.label} for each in served.CROPS]
    assert "x-ogc-unit" not in field


def test_schema_has_the_valid_range_as_values(client_of):
    client = client_of(served.BELGIUM_31N, valid_range=(0, 200), scale=-0.5, offset=10.0)

    field = document_of(client, "ONE/schema")["properties"]["ONE"]
    assert (field["minimum"], field["maximum"]) == (-90.0, 10.0)


def test_schema_has_its_url_as_id(tree):
    document = document_of(tree, "S2_NDVI/schema")

    assert document["$id"] == "http://testserver/ogcapi/collections/NDVI/schema"


@pytest.mark.parametrize(
    ("path", "accept", "media_type"),
    [
        ("NDVI/schema", "*/*", "application/schema+json"),
        ("NDVI/schema", "application/json", "application/schema+json"),
        ("NDVI/schema", "application/schema+json", "application/schema+json"),
        ("NDVI/coverage/domainset", "application/json", "application/json"),
        ("NDVI/coverage/rangetype", "text/html,*/*;q=0.8", "application/json"),
    ],
)
def test_documents_are_json_if_accepted(tree, path, accept, media_type):
    answer = tree.get(f"{BASE}/{path}", headers={"Accept": accept})

    assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize("path", ["schema", "coverage/domainset", "coverage/rangetype"])
@pytest.mark.parametrize(
    ("collection", "query", "accept", "status", "parameter"),
    [
        ("NDVI", "?f=xml", "*/*", 400, "f"),
        ("NDVI", "?fo=json", "*/*", 400, "fo"),
        ("NDVI", "?lang=xx", "*/*", 400, "lang"),
        ("NDVI", "", "application/xml", 406, None),
        ("NDVJ", "", "*/*", 404, "collectionId"),
        ("TRUE_COLOUR", "", "*/*", 404, "collectionId"),
    ],
)
def test_missing_documents_are_refused(tree, path, collection, query, accept, status, parameter):
    answer = tree.get(f"{BASE}/{collection}/{path}{query}", headers={"Accept": accept})

    assert (answer.status_code, answer.json().get("parameter")) == (status, parameter)


def test_documents_that_a_client_holds_are_not_sent_again(tree):
    first = tree.get(f"{BASE}/NDVI/schema")
    again = tree.get(f"{BASE}/NDVI/schema", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("lang", "title"), [("en", "Leaf area"), ("nl", "Bladoppervlak")])
def test_titles_are_in_the_requested_language(make_client, lang, title):
    layer = served.make_layer("LAI", title={"en": "Leaf area", "nl": "Bladoppervlak"})
    service = served.ServiceInfo(languages=("en", "nl"))
    client = make_client(served.make_services(served.make_collection(layer), service=service))

    document = document_of(client, "LAI/schema", lang=lang)
    assert (document["title"], document["properties"]["LAI"]["title"]) == (title, title)


def test_domain_set_of_a_rotated_grid_is_that_of_its_coverage(client_of):
    turned = NativeGrid(
        crs=crs_of("EPSG:32631"), transform=Affine(8, 6, 500_000, 6, -8, 5_000_000), width=20, height=10
    )
    client = client_of(turned)
    x, y, _time = document_of(client, "ONE/coverage/domainset")["generalGrid"]["axis"]
    told = client.get(f"{BASE}/ONE/coverage", params={"datetime": "2020-06-01"}).headers["content-bbox"]

    assert f"{x['lowerBound']},{y['lowerBound']},{x['upperBound']},{y['upperBound']}" == told
    assert (x["lowerBound"], x["resolution"]) == ("500000", 10.0)


def test_domain_set_of_a_too_large_coverage_is_returned(make_client):
    services = served.make_services(limits=served.Limits(max_coverage_bytes=1))

    assert document_of(make_client(services), "NDVI/coverage/domainset")["type"] == "DomainSet"
