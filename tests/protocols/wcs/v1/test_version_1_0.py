"""WCS 1.0.0 (OGC 03-065r6): documents by the structure of the standard, cells by the formula, service exceptions."""

import io
from dataclasses import replace

import numpy as np
import pytest
import xarray
from affine import Affine
from lxml import etree

from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from tests.protocols.served import (
    BELGIUM_31N,
    NODATA,
    expected_numbers,
    make_collection,
    make_layer,
    make_services,
    make_variable,
)
from tests.protocols.wcs.v1.asking import (
    CELLS,
    NS,
    ask,
    get_coverage_10,
    native_numbers,
    raster_of,
    refused_10,
    tags_of,
)


def document(client, request, **query):
    answer = ask(client, "1.0.0", request, **query)
    assert answer.headers["content-type"].startswith("text/xml"), answer.text
    return etree.fromstring(answer.content)


@pytest.mark.checklist("03-065r6 8.3")
def test_capabilities_have_the_parts_of_the_standard_in_its_order(client):
    root = document(client, "GetCapabilities")

    assert (etree.QName(root).localname, root.get("version")) == ("WCS_Capabilities", "1.0.0")
    assert tags_of(root) == ["Service", "Capability", "ContentMetadata"]
    assert tags_of(root[0]) == ["name", "label", "responsibleParty", "fees", "accessConstraints"]
    assert tags_of(root[1]) == ["Request", "Exception"]
    assert tags_of(root[1][0]) == ["GetCapabilities", "DescribeCoverage", "GetCoverage"]
    briefs = root.findall("w:ContentMetadata/w:CoverageOfferingBrief", NS)
    names = [each.findtext("w:name", namespaces=NS) for each in briefs]
    assert {"NDVI", "HEIGHT"} <= set(names)
    assert "TRUE_COLOUR" not in names
    assert tags_of(briefs[names.index("HEIGHT")]) == ["name", "label", "lonLatEnvelope"]


@pytest.mark.checklist("03-065r6 8.2.3")
@pytest.mark.parametrize("section", ["Service", "Capability", "ContentMetadata"])
def test_a_section_is_the_root_of_its_document(client, section):
    root = document(client, "GetCapabilities", SECTION=f"/WCS_Capabilities/{section}")

    assert (etree.QName(root).localname, root.get("version")) == (section, "1.0.0")


@pytest.mark.checklist("03-065r6 8.2.2")
def test_capabilities_that_the_client_holds_are_refused(make_client):
    client = make_client(replace(make_services(), changes={"": np.datetime64("2020-06-30T12:00:00", "ns")}))
    sequence = int(document(client, "GetCapabilities").get("updateSequence"))

    held = [ask(client, "1.0.0", "GetCapabilities", UPDATESEQUENCE=sequence + more) for more in (0, 1)]

    codes = [refused_10(answer)[0] for answer in held]
    assert codes == ["CurrentUpdateSequence", "InvalidUpdateSequence"]
    assert len(document(client, "GetCapabilities", UPDATESEQUENCE=sequence - 1)) == 3


@pytest.mark.checklist("03-065r6 9.3")
def test_a_description_has_the_parts_of_the_standard_in_its_order(client):
    offering = document(client, "DescribeCoverage", COVERAGE="NDVI")[0]

    assert tags_of(offering) == [
        *("name", "label", "lonLatEnvelope", "keywords", "domainSet", "rangeSet"),
        *("supportedCRSs", "supportedFormats", "supportedInterpolations"),
    ]
    assert tags_of(offering.find("w:domainSet", NS)) == ["spatialDomain", "temporalDomain"]
    assert tags_of(offering.find("w:domainSet/w:spatialDomain", NS)) == ["Envelope", "Envelope", "RectifiedGrid"]
    assert offering.find("w:supportedFormats", NS).get("nativeFormat") == "GeoTIFF"
    assert [each.text for each in offering.find("w:supportedCRSs", NS)][:1] == ["EPSG:32631"]
    assert offering.findtext("w:supportedCRSs/w:nativeCRSs", namespaces=NS) == "EPSG:32631"
    assert offering.findtext("w:rangeSet/w:RangeSet/w:nullValues/w:singleValue", namespaces=NS) == "255"
    assert offering.find("w:supportedInterpolations", NS).get("default") == "nearest neighbor"


@pytest.mark.checklist("03-065r6 9.3.4")
def test_description_contains_the_native_grid_and_the_real_dates(client):
    offering = document(client, "DescribeCoverage", COVERAGE="NDVI")[0]
    grid = offering.find(".//gml:RectifiedGrid", NS)

    texts = [each.text for each in grid.iter() if each.text.strip()]
    assert texts == ["0 0", "399 299", "x", "y", "600050 5649950", "100 0", "0 -100"]
    days = ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
    times = [f"{day}T00:00:00Z" for day in days]
    assert [each.text for each in offering.find("w:domainSet/w:temporalDomain", NS)] == times
    ends = offering.findall("w:lonLatEnvelope/gml:timePosition", NS)
    assert [each.text for each in ends] == [times[0], times[-1]]


def test_layer_without_time_lists_no_times(client):
    offering = document(client, "DescribeCoverage", COVERAGE="HEIGHT")[0]

    assert offering.find(".//gml:timePosition", NS) is None
    assert tags_of(offering.find("w:domainSet", NS)) == ["spatialDomain"]


@pytest.mark.checklist("03-065r6 9.2.2")
def test_native_cells_equal_those_of_the_source(client):
    numbers, edges = raster_of(get_coverage_10(client, TIME="2020-06-11"))

    assert edges == CELLS
    np.testing.assert_array_equal(numbers, native_numbers(20, 30, time=2)[np.newaxis])


@pytest.mark.parametrize("size", [{"WIDTH": 7, "HEIGHT": 5}, {"WIDTH": None, "HEIGHT": None, "RESX": 500, "RESY": 600}])
def test_the_answer_is_exactly_the_box_beyond_the_data_too(client, size):
    box = BBox(598_500.0, 5_648_000.0, 602_000.0, 5_651_000.0)

    numbers, edges = raster_of(get_coverage_10(client, BBOX=",".join(map(str, box)), **size))

    expected = expected_numbers(BELGIUM_31N, Grid(crs=BELGIUM_31N.crs, bbox=box, width=7, height=5), 3)
    assert edges == box
    assert (expected == NODATA).any()
    np.testing.assert_array_equal(numbers[0], expected)


def test_another_response_crs_holds_the_box(client):
    numbers, edges = raster_of(get_coverage_10(client, RESPONSE_CRS="EPSG:3857"))

    grid = Grid(crs=crs_of("EPSG:3857"), bbox=edges, width=30, height=20)
    np.testing.assert_array_equal(numbers[0], expected_numbers(BELGIUM_31N, grid, 3))
    assert (numbers != NODATA).mean() > 0.9


@pytest.mark.parametrize(
    ("time", "indexes"),
    [
        pytest.param("2020-05-21,2020-06-11", (0, 2), id="a list"),
        pytest.param("2020-06-01/2020-06-30", (1, 2, 3), id="an interval"),
        pytest.param("2020-06-01/2020-06-30/P1D", (1, 2, 3), id="an interval with a period"),
    ],
)
def test_several_times_are_bands(client, time, indexes):
    numbers, _edges = raster_of(get_coverage_10(client, TIME=time))

    expected = [native_numbers(20, 30, time=index) for index in indexes]
    np.testing.assert_array_equal(numbers, expected)


def test_newest_time_is_returned_and_reported_by_default(client):
    answer = get_coverage_10(client)

    numbers, _edges = raster_of(answer)
    np.testing.assert_array_equal(numbers, native_numbers(20, 30, time=3)[np.newaxis])
    assert answer.headers["warning"] == "99 Default value used: time=2020-06-21 ISO8601"
    assert "warning" not in get_coverage_10(client, TIME="2020-06-21").headers


def test_time_alone_is_of_the_whole_coverage(client):
    answer = get_coverage_10(client, BBOX=None, TIME="2020-06-01", WIDTH=400, HEIGHT=300)

    np.testing.assert_array_equal(raster_of(answer)[0], native_numbers(300, 400, time=1)[np.newaxis])


def test_netcdf_has_the_cells_too(client):
    answer = get_coverage_10(client, FORMAT="NetCDF", TIME="2020-06-01")

    with xarray.open_dataset(io.BytesIO(answer.content), mask_and_scale=False) as dataset:
        np.testing.assert_array_equal(dataset["NDVI"].values[0], native_numbers(20, 30, time=1))


REFUSED = [
    pytest.param({"COVERAGE": "NOPE"}, ("CoverageNotDefined", "COVERAGE"), id="an unknown coverage"),
    pytest.param({"COVERAGE": "TRUE_COLOUR"}, ("CoverageNotDefined", "COVERAGE"), id="colours alone"),
    pytest.param({"COVERAGE": None}, ("MissingParameterValue", "COVERAGE"), id="no coverage"),
    pytest.param({"FORMAT": "PNG"}, ("InvalidFormat", "FORMAT"), id="another format"),
    pytest.param({"FORMAT": None}, ("MissingParameterValue", "FORMAT"), id="no format"),
    pytest.param({"CRS": None}, ("MissingParameterValue", "CRS"), id="no CRS"),
    pytest.param({"CRS": "EPSG:2154"}, ("InvalidParameterValue", "CRS"), id="another CRS"),
    pytest.param({"RESPONSE_CRS": "x"}, ("InvalidParameterValue", "RESPONSE_CRS"), id="another response CRS"),
    pytest.param({"BBOX": None}, ("MissingParameterValue", "BBOX"), id="neither box nor time"),
    pytest.param({"BBOX": "1,2,3"}, ("InvalidParameterValue", "BBOX"), id="half a box"),
    pytest.param({"BBOX": "0,0,1,1"}, ("InvalidParameterValue", "BBOX"), id="a box elsewhere"),
    pytest.param({"BBOX": "-1e300,0,1e300,1"}, ("InvalidParameterValue", "BBOX"), id="a box beyond all places"),
    pytest.param({"WIDTH": None}, ("MissingParameterValue", "WIDTH"), id="no width"),
    pytest.param({"WIDTH": "0"}, ("InvalidParameterValue", "WIDTH"), id="no columns"),
    pytest.param({"WIDTH": "9999999999"}, ("InvalidParameterValue", "WIDTH"), id="too many columns"),
    pytest.param({"RESX": "100"}, ("InvalidParameterValue", "RESX"), id="two widths"),
    pytest.param({"WIDTH": None, "RESX": "1e-300"}, ("InvalidParameterValue", "WIDTH"), id="cells without width"),
    pytest.param({"TIME": "x"}, ("InvalidParameterValue", "TIME"), id="no time"),
    pytest.param({"TIME": "2019-01-01"}, ("InvalidParameterValue", "TIME"), id="a time without data"),
    pytest.param({"INTERPOLATION": "bicubic"}, ("InvalidParameterValue", "INTERPOLATION"), id="another method"),
    pytest.param({"REQUEST": "GetMap"}, ("InvalidParameterValue", "REQUEST"), id="another operation"),
]


@pytest.mark.checklist("03-065r6 A.1")
@pytest.mark.every_case
def test_refusals_have_the_codes_of_the_standard(client):
    found = {case.id: (refused_10(get_coverage_10(client, **case.values[0])), case.values[1]) for case in REFUSED}

    assert {name: got for name, (got, expected) in found.items() if got != expected} == {}


def test_exceptions_have_the_media_type_and_status_of_those_of_wms(make_client):
    client = make_client(make_services(service=ServiceInfo(wms_exception_status=400)))
    media_type = "application/vnd.ogc.se_xml"

    refused = get_coverage_10(client, COVERAGE="NOPE")

    assert (refused.status_code, refused.headers["content-type"]) == (400, media_type)
    assert get_coverage_10(make_client(), COVERAGE="NOPE").status_code == 200


def test_missing_source_is_no_fault_of_the_client(client):
    answer = get_coverage_10(client, COVERAGE="GONE")

    assert (answer.status_code, refused_10(answer)) == (503, (None, None))


def test_past_a_limit_the_exception_names_the_job(make_client):
    client = make_client(make_services(limits=Limits(max_coverage_bytes=100)))

    native = refused_text(get_coverage_10(client, TIME="2020-06-01"))
    coarser = refused_text(get_coverage_10(client, TIME="2020-06-01", WIDTH=15, HEIGHT=10))

    assert "max_coverage_bytes" in native
    assert "/ogcapi/processes/export/execution" in native
    assert '"datetime":"2020-06-01"' in native
    assert "max_coverage_bytes" in coarser
    assert "/ogcapi/processes" not in coarser


def refused_text(answer):
    return etree.fromstring(answer.content).findtext("ogc:ServiceException", namespaces=NS)


def test_more_times_than_a_document_has_are_refused(make_client):
    days = np.arange(np.datetime64("1900-01-01", "D"), np.datetime64("2009-01-01", "D")).astype("datetime64[ns]")
    domain = TimeDomain(days, days + np.timedelta64(1, "ns"))
    layers = [make_layer(name, variable=make_variable(name, times=domain)) for name in "ABC"]
    client = make_client(make_services(make_collection(*layers, make_layer("D"))))

    assert refused_10(ask(client, "1.0.0", "DescribeCoverage")) == ("InvalidParameterValue", "COVERAGE")
    assert len(document(client, "DescribeCoverage", COVERAGE="D,D")) == 1


def test_without_a_box_the_described_one_is_meant(make_client):
    grid = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(0.5, 0, 170, 0, -0.5, 5), width=40, height=20)
    client = make_client(make_services(make_collection(make_layer(variable=make_variable("NDVI", grid=grid)))))
    query = {"CRS": "EPSG:4326", "BBOX": None, "WIDTH": 40, "HEIGHT": 20, "TIME": "2020-06-21"}

    numbers, edges = raster_of(get_coverage_10(client, **query))

    assert edges == grid.bbox
    np.testing.assert_array_equal(numbers[0], native_numbers(20, 40))
