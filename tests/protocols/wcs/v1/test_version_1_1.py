"""WCS 1.1.1 (OGC 07-067r5): documents by the schemas of 1.1, cells by the formula, exception reports."""

import numpy as np
import pytest
from affine import Affine
from lxml import etree

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid, NativeGrid
from tests.protocols.served import (
    BELGIUM_31N,
    days_of,
    expected_numbers,
    make_collection,
    make_layer,
    make_services,
    make_variable,
    number_at,
)
from tests.protocols.wcs.v1.asking import (
    CELLS,
    NS,
    UTM,
    ask,
    get_coverage_11,
    native_numbers,
    parts_of,
    raster_of,
    refused_11,
)

SCHEMA = "wcs/1.1/wcsAll.xsd"


@pytest.fixture
def validate_11(validate_ogc):
    """`validate_11(document)`: by the schemas of 1.1, whose namespace has no version of corrigenda."""

    def validate(document):
        text = document.replace(b"http://www.opengis.net/wcs/1.1.1", b"http://www.opengis.net/wcs/1.1")
        return validate_ogc(text, SCHEMA)

    return validate


@pytest.mark.checklist("07-067r5 8.3")
@pytest.mark.parametrize("query", [{}, {"SECTIONS": "ServiceIdentification,Contents"}, {"SECTIONS": "All"}])
def test_capabilities_are_valid(client, validate_11, query):
    answer = ask(client, "1.1.1", "GetCapabilities", **query)

    assert validate_11(answer.content) == []
    names = etree.fromstring(answer.content).findall(".//wcs:CoverageSummary/wcs:Identifier", NS)
    assert {"NDVI", "HEIGHT"} <= {each.text for each in names}


@pytest.mark.checklist("07-067r5 9.3")
def test_descriptions_are_valid(client, validate_11):
    answer = ask(client, "1.1.1", "DescribeCoverage", IDENTIFIERS="NDVI,HEIGHT")

    assert validate_11(answer.content) == []
    first, second = etree.fromstring(answer.content)
    assert len(first.findall(".//gml:timePosition", NS)) == 4
    assert second.find(".//gml:timePosition", NS) is None


def test_description_contains_the_native_grid(client):
    root = etree.fromstring(ask(client, "1.1.1", "DescribeCoverage", IDENTIFIERS="NDVI").content)

    assert [each.text for each in root.find(".//wcs:GridCRS", NS)] == [
        UTM,
        "urn:ogc:def:method:WCS:1.1:2dSimpleGrid",
        "600050 5649950",
        "100 -100",
        "urn:ogc:def:cs:OGC:0.0:Grid2dSquareCS",
    ]
    boxes = [[each.get("crs"), *(corner.text for corner in each)] for each in root.findall(".//ows:BoundingBox", NS)]
    assert boxes == [
        ["urn:ogc:def:crs:OGC::imageCRS", "1 1", "400 300"],
        [UTM, "600050 5620050", "639950 5649950"],
        [UTM, "600000 5620000", "640000 5650000"],
    ]


@pytest.mark.checklist("07-067r5 10.3")
def test_the_answer_is_a_document_that_names_the_file_behind_it(client, validate_11):
    answer = get_coverage_11(client)
    manifest, _file = parts_of(answer)

    assert validate_11(manifest) == []
    reference = etree.fromstring(manifest).find(".//ows:Reference", NS)
    assert reference.get(f"{{{NS['xlink']}}}href") == "cid:s2_2020-06-21.tif"
    assert b"Content-ID: <s2_2020-06-21.tif>\r\nContent-Transfer-Encoding: binary\r\n" in answer.content
    assert answer.headers["warning"] == "99 Default value used: time=2020-06-21 ISO8601"
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.checklist("07-067r5 10.2")
@pytest.mark.parametrize(
    "grid",
    [
        pytest.param({}, id="the native grid"),
        pytest.param({"GRIDOFFSETS": "100,-100", "GRIDORIGIN": "600050,5649950"}, id="a simple grid"),
        pytest.param(
            {
                "GRIDBASECRS": UTM,
                "GRIDTYPE": "urn:ogc:def:method:WCS:1.1:2dGridIn2dCrs",
                "GRIDOFFSETS": "100,0,0,-100",
                "GRIDORIGIN": "600050,5649950",
            },
            id="two vectors",
        ),
        pytest.param({"GRIDOFFSETS": "100,100", "GRIDORIGIN": "50,-50"}, id="an origin far away"),
    ],
)
def test_native_cells_equal_those_of_the_source(client, grid):
    numbers, edges = raster_of(get_coverage_11(client, TIMESEQUENCE="2020-06-11", **grid))

    assert edges == CELLS
    np.testing.assert_array_equal(numbers, native_numbers(20, 30, time=2)[np.newaxis])


def test_cells_are_those_whose_centres_lie_in_the_box(client):
    numbers, edges = raster_of(get_coverage_11(client, BOUNDINGBOX=f"600000,5649700,600251,5650000,{UTM}"))

    assert edges == BBox(600_000, 5_649_700, 600_300, 5_650_000)
    np.testing.assert_array_equal(numbers[0], native_numbers(3, 3))


def test_a_grid_in_another_crs_reaches_beyond_the_data(client):
    crs = "urn:ogc:def:crs:EPSG::4326"
    grid = {"GRIDBASECRS": crs, "GRIDOFFSETS": "-0.002,0.003", "GRIDORIGIN": "51.0,4.4"}

    numbers, edges = raster_of(get_coverage_11(client, BOUNDINGBOX=f"50.9,4.4,51.0,4.7,{crs}", **grid))

    assert edges == pytest.approx((4.3985, 50.899, 4.7015, 51.001))
    expected = expected_numbers(BELGIUM_31N, Grid(crs=crs_of("EPSG:4326"), bbox=edges, width=101, height=51), 3)
    np.testing.assert_array_equal(numbers[0], expected)


def test_fields_are_returned_in_the_requested_order(make_client):
    other = make_layer("LAI", variable=make_variable("LAI", times=days_of("2020-06-21")))
    client = make_client(make_services(make_collection(make_layer(), other, collection_id="s2")))

    numbers, _edges = raster_of(
        get_coverage_11(client, IDENTIFIER="s2", RANGESUBSET="LAI;NDVI:nearest", TIMESEQUENCE="2020-06-21")
    )

    expected = [native_numbers(20, 30, time=index) for index in (0, 3)]
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("given", ["NDVI", "NDVI:linear", "NDVI:nearest"])
def test_field_may_have_a_method(client, given):
    numbers, _edges = raster_of(get_coverage_11(client, RANGESUBSET=given))

    np.testing.assert_array_equal(numbers[0], native_numbers(20, 30))


@pytest.mark.parametrize("version", ["1.1.0", "1.1.1", "1.1.2"])
def test_corrigenda_are_answered_as_1_1_1(client, version):
    query = {"SERVICE": "WCS", "REQUEST": "GetCapabilities", "ACCEPTVERSIONS": f"{version},1.0.0"}

    assert etree.fromstring(client.get("/wcs", params=query).content).get("version") == "1.1.1"


def test_a_corner_of_the_described_box_without_data_has_no_values(make_client):
    """In degrees the data, upright in UTM, do not fill their box, as GDAL finds by one cell of its corner."""
    client, crs = make_client(make_services(make_collection(make_layer()))), "urn:ogc:def:crs:EPSG::4326"
    box = BELGIUM_31N.bbox_in(crs_of("EPSG:4326"))
    corner = (box.ymin, box.xmax - 1e-4, box.ymin + 1e-4, box.xmax)
    grid = {"GRIDBASECRS": crs, "GRIDOFFSETS": "-0.0001,0.0001", "GRIDORIGIN": f"{box.ymin},{box.xmax}"}

    answer = get_coverage_11(client, BOUNDINGBOX=f"{','.join(map(str, corner))},{crs}", **grid)

    numbers, _edges = raster_of(answer)
    assert np.unique(numbers).tolist() == [255]


@pytest.mark.parametrize(
    ("longitudes", "edges", "columns"),
    [((-10, 10), (-10, 10), [175, 176, 177, 178, 179, 0, 1, 2, 3, 4]), ((-20, -12), (-20, -12), [170, 171, 172, 173])],
)
def test_longitudes_of_another_turn_are_those_of_the_data(make_client, longitudes, edges, columns):
    world = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(2, 0, 0, 0, -2, 90), width=180, height=90)
    client = make_client(make_services(make_collection(make_layer(variable=make_variable("NDVI", grid=world)))))

    numbers, box = raster_of(get_coverage_11(client, BOUNDINGBOX=f"{longitudes[0]},0,{longitudes[1]},4"))

    assert (box.xmin, box.xmax) == edges
    np.testing.assert_array_equal(numbers[0], number_at(np.array([[43], [44]]), np.array([columns]), 3))


@pytest.mark.parametrize(("version", "ids"), [("1.1.1", "IDENTIFIERS"), ("2.0.1", "COVERAGEID")])
def test_descriptions_are_those_of_the_requested_coverages(client, version, ids):
    answer = ask(client, version, "DescribeCoverage", **{ids: ""})

    assert answer.status_code in {400, 404}


GRID = {"GRIDORIGIN": "600050,5649950"}
REFUSED = [
    pytest.param({"IDENTIFIER": "NOPE"}, (400, "InvalidParameterValue", "IDENTIFIER"), id="an unknown coverage"),
    pytest.param({"IDENTIFIER": None}, (400, "MissingParameterValue", "IDENTIFIER"), id="no coverage"),
    pytest.param({"BOUNDINGBOX": None}, (400, "MissingParameterValue", "BOUNDINGBOX"), id="no box"),
    pytest.param({"BOUNDINGBOX": "1,2,3"}, (400, "InvalidParameterValue", "BOUNDINGBOX"), id="half a box"),
    pytest.param({"BOUNDINGBOX": "9,2,3,4"}, (400, "InvalidParameterValue", "BOUNDINGBOX"), id="corners swapped"),
    pytest.param({"BOUNDINGBOX": "1,2,3,4,x"}, (400, "InvalidParameterValue", "BOUNDINGBOX"), id="another CRS"),
    pytest.param({"BOUNDINGBOX": "1,2,3,4"}, (400, "InvalidParameterValue", "BOUNDINGBOX"), id="a box elsewhere"),
    pytest.param({"FORMAT": "image/png"}, (400, "InvalidParameterValue", "FORMAT"), id="another format"),
    pytest.param({"STORE": "true"}, (400, "InvalidParameterValue", "STORE"), id="a stored file"),
    pytest.param({"RANGESUBSET": "B9"}, (400, "InvalidParameterValue", "RANGESUBSET"), id="another field"),
    pytest.param({"RANGESUBSET": "NDVI:cubic"}, (400, "InvalidParameterValue", "RANGESUBSET"), id="another method"),
    pytest.param({"TIMESEQUENCE": "2019-01-01"}, (400, "InvalidParameterValue", "TIMESEQUENCE"), id="no such time"),
    pytest.param({"GRIDOFFSETS": "100"}, (400, "InvalidParameterValue", "GRIDOFFSETS"), id="one offset"),
    pytest.param({"GRIDOFFSETS": "0,100"}, (400, "InvalidParameterValue", "GRIDOFFSETS"), id="an offset of nothing"),
    pytest.param({"GRIDOFFSETS": "1e-300,1"}, (400, "InvalidParameterValue", "GRIDOFFSETS"), id="cells without width"),
    pytest.param(
        {"GRIDTYPE": "urn:ogc:def:method:WCS:1.1:2dGridIn2dCrs", "GRIDOFFSETS": "70,70,70,-70", **GRID},
        (400, "InvalidParameterValue", "GRIDOFFSETS"),
        id="a rotated grid",
    ),
    pytest.param(
        {"GRIDBASECRS": "urn:ogc:def:crs:EPSG::4326"}, (400, "MissingParameterValue", "GRIDOFFSETS"), id="no offsets"
    ),
    pytest.param(
        {"GRIDOFFSETS": "0.001,0.001", **GRID}, (400, "InvalidParameterValue", "GRIDOFFSETS"), id="too many cells"
    ),
    pytest.param({"REQUEST": "GetMap"}, (501, "OperationNotSupported", "REQUEST"), id="another operation"),
]


@pytest.mark.checklist("07-067r5 10.3.5")
@pytest.mark.every_case
def test_refusals_have_the_codes_of_the_standard(client):
    found = {case.id: (refused_11(get_coverage_11(client, **case.values[0])), case.values[1]) for case in REFUSED}

    assert {name: got for name, (got, expected) in found.items() if got != expected} == {}


def test_exception_reports_are_valid(client, validate_ogc):
    assert validate_ogc(get_coverage_11(client, IDENTIFIER="NOPE").content) == []


def test_requests_in_xml_are_those_of_2_0_1(client):
    body = '<GetCapabilities xmlns="http://www.opengis.net/wcs/1.1.1" service="WCS"/>'

    answer = client.post("/wcs", content=body, headers={"Content-Type": "text/xml"})

    assert refused_11(answer) == (400, "InvalidParameterValue", "REQUEST")
