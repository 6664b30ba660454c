"""Requirements of OGC's suite for the core of WCS 2.0.1; `checklist` names its lines."""

import io

import numpy as np
import pytest
import rasterio
import xarray
from lxml import etree

from chronotile.catalog.limits import Limits
from tests.protocols import served
from tests.protocols.ogcapi.coverages.reading import geotiff_of
from tests.protocols.wcs.asking import (
    COVJSON,
    GML,
    NETCDF,
    NS,
    TIFF,
    ask,
    described,
    envelope,
    get_coverage,
    parts_of,
    refused,
    tuples_of,
)

checklist = pytest.mark.checklist
PART = ("E(601000,602000)", "N(5647500,5648000)")
"""Rows 20 to 24, columns 10 to 19."""


def texts(document, path):
    return [each.text for each in document.iterfind(path, NS)]


@pytest.fixture
def capabilities(client):
    """The capabilities."""
    return etree.fromstring(ask(client, "GetCapabilities").content)


@checklist("Core: 1-9")
def test_description_and_coverage_agree(client, capabilities):
    whole, answered = described(client, "HEIGHT"), get_coverage(client, "HEIGHT", *PART, FORMAT=GML)
    document = etree.fromstring(answered.content)

    assert etree.QName(document).localname == whole.findtext(".//wcs:CoverageSubtype", namespaces=NS)
    assert envelope(document)[0] == envelope(whole)[0] == "E N"
    records = (each.find("gmlcov:rangeType/swe:DataRecord", NS) for each in (document, whole))
    types = {etree.tostring(each, method="c14n", exclusive=True) for each in records}
    assert len(types) == 1
    assert whole.findtext(".//wcs:nativeFormat", namespaces=NS) == TIFF
    assert texts(capabilities, "wcs:ServiceMetadata/wcs:formatSupported") == [TIFF, NETCDF, COVJSON, GML]


@checklist("Core: 10-12")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"SERVICE": "WMS"}, (400, "InvalidParameterValue", "service")),
        ({"SERVICE": ""}, (400, "MissingParameterValue", "service")),
        ({"VERSION": "2.0.7"}, (400, "InvalidParameterValue", "version")),
        ({"VERSION": ""}, (400, "MissingParameterValue", "version")),
        ({"REQUEST": "GetMap"}, (501, "OperationNotSupported", "request")),
    ],
)
def test_service_and_version_are_those_of_the_standard(client, validate_ogc, changes, found):
    query = {"SERVICE": "WCS", "VERSION": "2.0.1", "REQUEST": "DescribeCoverage", "COVERAGEID": "NDVI", **changes}
    answer = client.get("/wcs", params=query)

    assert refused(answer) == found
    assert validate_ogc(answer.content) == []


@checklist("Core: 13/14")
def test_capabilities_are_valid_and_list_describable_coverages(client, capabilities, validate_wcs):
    ids = texts(capabilities, "wcs:Contents/wcs:CoverageSummary/wcs:CoverageId")
    answer = ask(client, "DescribeCoverage", COVERAGEID=",".join(ids))

    assert validate_wcs(etree.tostring(capabilities)) == []
    assert ids == ["s2", "NDVI", "TIMED", "RECENT", "UNDATED", "FUTURE", "terrain", "HEIGHT", "GONE"]
    assert texts(etree.fromstring(answer.content), "wcs:CoverageDescription/wcs:CoverageId") == ids
    assert refused(ask(client, "GetCapabilities", ACCEPTVERSIONS="9.9.9")) == (
        *(400, "VersionNegotiationFailed", "AcceptVersions"),
    )


@checklist("Core: 17/18")
def test_descriptions_need_ids_that_exist(client):
    assert refused(ask(client, "DescribeCoverage", Coverage="NDVI")) == (404, "emptyCoverageIdList", "coverageId")
    assert refused(ask(client, "DescribeCoverage", COVERAGEID="NDVI,NO")) == (404, "NoSuchCoverage", "coverageId")


@checklist("Core: 20-22")
def test_one_description_an_id_valid_and_with_one_crs(client, validate_wcs):
    answer = ask(client, "DescribeCoverage", COVERAGEID="NDVI,HEIGHT,s2")
    document = etree.fromstring(answer.content)
    undated = document.findall("wcs:CoverageDescription", NS)[1]

    assert validate_wcs(answer.content) == []
    assert texts(document, "wcs:CoverageDescription/wcs:CoverageId") == ["NDVI", "HEIGHT", "s2"]
    assert len(set(undated.xpath(".//@srsName"))) == 1
    assert len(set(document.find("wcs:CoverageDescription", NS).xpath(".//@srsName"))) == 1


@checklist("Core: 25-27")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"COVERAGEID": "NO"}, (404, "NoSuchCoverage", "coverageId")),
        ({"COVERAGEID": ""}, (400, "MissingParameterValue", "coverageId")),
        ({"COVERAGEID": "TRUE_COLOUR"}, (404, "NoSuchCoverage", "coverageId")),
        ({"FORMAT": "image/bogus"}, (400, "InvalidParameterValue", "format")),
        ({"MEDIATYPE": "text/plain"}, (400, "InvalidParameterValue", "mediaType")),
    ],
)
def test_invalid_get_coverage_is_refused(client, changes, found):
    assert refused(ask(client, "GetCoverage", **{"COVERAGEID": "NDVI", **changes})) == found


@checklist("Core: 30")
@pytest.mark.parametrize("subsets", [["dimension_bogus(1,2)"], ["E(601000)", "E(601000,602000)"], ["Lat(50)"]])
def test_axis_labels_are_those_of_the_envelope_each_once(client, subsets):
    answer = ask(client, "GetCoverage", COVERAGEID="NDVI", SUBSET=subsets)

    assert refused(answer) == (404, "InvalidAxisLabel", "subset")


@checklist("Core: 32/33")
@pytest.mark.parametrize(
    "subset",
    [
        *("E(640001,640002)", "N(5650001)", "E(602000,601000)", "E(601000,602000,603000)", "E(a)", "E()", "E(*)"),
        *('time("2020-06-02")', 'time("1990-01-01","1990-02-01")', "time(spring)", 'time("2020-06-11","2020-06-01")'),
        *("E(1e400)", "time(999999999999999)"),
    ],
)
def test_subsets_outside_or_without_sense_are_invalid(client, subset):
    answer = ask(client, "GetCoverage", COVERAGEID="NDVI", SUBSET=subset)

    assert refused(answer) == (404, "InvalidSubsetting", "subset")


def test_a_slice_at_a_time_that_is_not_there_names_the_nearest(client):
    answer = ask(client, "GetCoverage", COVERAGEID="NDVI", SUBSET='time("2020-06-02")')

    assert "the nearest are 2020-06-01T00:00:00Z and 2020-06-11T00:00:00Z" in answer.text


@checklist("Core: 34")
@pytest.mark.parametrize("subsets", [PART, (PART[0], "N(5647950)"), ("E(601050)", "N(5647950)")])
@pytest.mark.parametrize("time", [(), ('time("2020-06-01","2020-06-15")',), ('time("2020-06-01")',)])
def test_gml_is_valid(client, validate_wcs, subsets, time):
    assert validate_wcs(get_coverage(client, "NDVI", *subsets, *time, FORMAT=GML).content) == []


def test_each_format_delivers_itself(client):
    answers = {each: get_coverage(client, "NDVI", *PART, FORMAT=each) for each in (TIFF, NETCDF, COVJSON, GML)}

    assert {each: answer.headers["content-type"] for each, answer in answers.items()} == {
        each: each for each in answers
    }
    with rasterio.MemoryFile(answers[TIFF].content) as memory, memory.open() as dataset:
        assert dataset.count == 4
    with xarray.open_dataset(io.BytesIO(answers[NETCDF].content), engine="h5netcdf") as dataset:
        assert dataset["NDVI"].shape == (4, 5, 10)
    assert answers[COVJSON].json()["ranges"]["NDVI"]["shape"] == [4, 5, 10]
    assert tuples_of(answers[GML].content).shape == (200, 1)


def test_parts_are_gml_and_the_file(client, validate_wcs):
    query = {"COVERAGEID": "NDVI", "SUBSET": [*PART, "time(2020-06-01)"], "MEDIATYPE": "multipart/related"}
    answer, alone = ask(client, "GetCoverage", **query), get_coverage(client, "NDVI", *query["SUBSET"])
    (gml, document), (tiff, file) = parts_of(answer)

    assert (gml, tiff) == (GML, TIFF)
    assert validate_wcs(document) == []
    assert etree.fromstring(document).findtext(".//gml:fileReference", namespaces=NS) == "cid:s2_2020-06-01.tif"
    assert b"Content-ID: <s2_2020-06-01.tif>" in answer.content
    np.testing.assert_array_equal(geotiff_of(file).numbers, geotiff_of(alone.content).numbers)


@checklist("Core: 37-39")
def test_trims_keep_an_axis_and_slices_remove_it(client):
    trimmed, sliced, both = (
        etree.fromstring(get_coverage(client, "NDVI", *subsets, FORMAT=GML).content)
        for subsets in (
            (*PART, "time(2020-06-01,2020-06-11)"),
            (PART[0], "N(5647950)", "time(2020-06-01,2020-06-11)"),
            (*PART, "time(2020-06-01)"),
        )
    )
    june = 1590969600

    assert envelope(trimmed) == ("E N time", [601000, 5647500, june], [602000, 5648000, june + 10 * 86400])
    assert envelope(sliced) == ("E time", [601000, june], [602000, june + 10 * 86400])
    assert envelope(both) == ("E N", [601000, 5647500], [602000, 5648000])


@pytest.mark.parametrize(
    "query",
    [
        {"SUBSET": ["E(601050)", "time(2020-06-01)"], "SCALESIZE": "E(3),N(4)"},
        {"SUBSET": ["E(601050)", "time(2020-06-01)"], "OUTPUTCRS": "http://www.opengis.net/def/crs/EPSG/0/4326"},
    ],
)
def test_a_domain_has_as_many_cells_as_there_are_numbers(client, query):
    content = ask(client, "GetCoverage", COVERAGEID="NDVI", FORMAT=GML, **query).content

    high = etree.fromstring(content).findtext(".//gml:GridEnvelope/gml:high", namespaces=NS).split()
    assert np.prod([int(each) + 1 for each in high]) == len(tuples_of(content))


def test_the_order_of_subsets_does_not_matter(client):
    subsets = (*PART, "time(2020-06-01)")

    first, second = (get_coverage(client, "NDVI", *each).content for each in (subsets, subsets[::-1]))

    assert first == second


@pytest.mark.parametrize("days", [("2020-05-21",), ("2020-05-21", "2020-06-01", "2020-06-12")])
def test_evenly_spaced_times_are_of_a_rectified_grid(make_client, days):
    variable = served.make_variable("NDVI", times=served.days_of(*days))
    client = make_client(served.make_services(served.make_collection(served.make_layer(variable=variable))))
    root = etree.fromstring(ask(client, "DescribeCoverage", COVERAGEID="NDVI").content)

    grid = root.find(".//gml:RectifiedGrid", NS)
    assert root.findtext(".//wcs:CoverageSubtype", namespaces=NS) == "RectifiedGridCoverage"
    assert grid.get("dimension") == "3"
    steps = [float(each.text.split()[2]) for each in grid.findall("gml:offsetVector", NS)]
    assert steps == [0, 0, 11 * 86400 if len(days) > 1 else 1]
    assert b"CoverageSubtype>RectifiedGridCoverage<" in ask(client, "GetCapabilities").content


@pytest.mark.parametrize(
    "instant", ["2016-03-23T14:05:08.463", "2038-01-19T03:14:08.001", "2017-01-16T10:09:21.834256001"]
)
def test_described_time_with_a_fraction_selects_its_date(make_client, instant):
    times = served.days_of(instant, "2040-01-01")
    client = make_client(
        served.make_services(
            served.make_collection(served.make_layer(variable=served.make_variable("NDVI", times=times)))
        )
    )
    root = etree.fromstring(ask(client, "DescribeCoverage", COVERAGEID="NDVI").content)
    first = root.findtext(".//gml:pos", namespaces=NS).split()[2]

    response = get_coverage(client, "NDVI", *PART, f"time({first})")

    assert response.status_code == 200
    assert float(first) == (np.datetime64(instant, "ns") - np.datetime64(0, "ns")) / np.timedelta64(1, "s")


def test_an_address_alone_has_capabilities(client, capabilities):
    assert etree.tostring(etree.fromstring(client.get("/wcs").content)) == etree.tostring(capabilities)


def test_a_plus_sign_in_a_format_may_be_a_blank(client):
    assert get_coverage(client, "NDVI", *PART, "time(2020-06-01)", FORMAT="application/gml xml").content[:5] == b"<?xml"


@pytest.mark.parametrize(
    ("query", "locator"),
    [({"RANGESUBSET": "f"}, "f"), ({"SCALEAXES": "time(0.5)"}, "scaleAxes"), ({"SUBSET": "time(x)"}, "subset")],
)
def test_locators_name_the_faulty_part_of_the_request(client, query, locator):
    assert refused(ask(client, "GetCoverage", COVERAGEID="NDVI", **query))[2] == locator


@checklist("Core: 43")
def test_only_profiles_that_are_whole_are_declared(capabilities):
    profiles = " ".join(texts(capabilities, "ows:ServiceIdentification/ows:Profile"))

    assert "http://www.opengis.net/spec/WCS_protocol-binding_get-kvp/1.0/conf/get-kvp" in profiles
    assert not any(each in profiles for each in ("soap", "eowcs", "EOWCS", "proc", "transaction"))


@checklist("Core: Many")
def test_gml_has_the_numbers_of_the_formula_in_the_order_it_states(client):
    document = get_coverage(
        client, "s2", *PART, "time(2020-06-01,2020-06-11)", FORMAT=GML, RANGESUBSET="NDVI,RECENT"
    ).content

    rows, columns = np.arange(20, 25)[:, np.newaxis], np.arange(10, 20)[np.newaxis, :]
    expected = np.concatenate([served.number_at(rows, columns, time).ravel() for time in (1, 2)])
    assert etree.fromstring(document).find(".//gml:sequenceRule", NS).get("axisOrder") == "+1 +2 +3"
    np.testing.assert_array_equal(tuples_of(document), np.stack([expected, expected], axis=1))


def test_past_a_limit_the_exception_names_the_job(make_client):
    client = make_client(served.make_services(limits=Limits(max_series_values=1000)))
    answer = ask(client, "GetCoverage", COVERAGEID="NDVI", SUBSET="time(2020-06-01)", FORMAT=GML)

    assert refused(answer) == (400, "NoApplicableCode", "format")
    assert "max_series_values" in answer.text
    assert "/ogcapi/processes/export/execution" in answer.text
