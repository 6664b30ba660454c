"""Requirements of OGC's suite for the extensions of WCS 2.0; `checklist` names its lines."""

import numpy as np
import pytest
from lxml import etree

from tests.protocols import served
from tests.protocols.ogcapi.coverages.reading import geotiff_of
from tests.protocols.wcs.asking import CRS, GML, INTERPOLATION, NS, ask, described, envelope, get_coverage, refused

checklist = pytest.mark.checklist
DAY = "time(2020-06-01)"
WCS, OWS = NS["wcs"], NS["ows"]


def refusal_of(client, **query):
    return refused(ask(client, "GetCoverage", COVERAGEID="s2", **query))


def shape_of(client, *subsets, **query):
    return geotiff_of(get_coverage(client, "NDVI", *subsets, DAY, **query).content).numbers.shape[1:]


@pytest.fixture
def capabilities(client):
    """The capabilities."""
    return etree.fromstring(ask(client, "GetCapabilities").content)


@checklist("CRS extension: 1-5")
def test_crs_are_listed_once_by_uris(capabilities):
    listed = capabilities.xpath(".//*[local-name()='CrsMetadata']/*[local-name()='crsSupported']/text()")

    assert len(set(listed)) == len(listed)
    assert {f"{CRS}4326", f"{CRS}3857", f"{CRS}32631", f"{CRS}3035"} < set(listed)


@checklist("CRS extension: 6-10")
def test_positions_and_cells_are_in_the_requested_crs(client):
    box = ("Lat(50.8,50.9)", "Long(4.5,4.6)")
    subsets = (*box, DAY)

    cut = geotiff_of(
        get_coverage(client, "NDVI", *subsets, SUBSETTINGCRS=f"{CRS}4326", OUTPUTCRS=f"{CRS}32631").content
    )
    moved = geotiff_of(get_coverage(client, "NDVI", *subsets, SUBSETTINGCRS=f"{CRS}4326").content)

    assert (cut.epsg, moved.epsg) == (32631, 4326)
    assert cut.transform.a == 100
    assert moved.transform.c == pytest.approx(4.5, abs=moved.transform.a)
    assert moved.transform.f == pytest.approx(50.9, abs=moved.transform.a)


@checklist("CRS extension: 8/11")
def test_other_crs_are_refused(client):
    assert refusal_of(client, SUBSETTINGCRS="bogus") == (404, "SubsettingCrs-NotSupported", "subsettingCrs")
    assert refusal_of(client, OUTPUTCRS=f"{CRS}28992") == (404, "OutputCrs-NotSupported", "outputCrs")


@pytest.mark.parametrize("name", ["SUBSETTINGCRS", "OUTPUTCRS"])
def test_crs_of_the_envelope_is_accepted(client, name):
    envelope_crs = described(client).find("gml:boundedBy/gml:Envelope", NS).get("srsName")

    answer = get_coverage(client, "NDVI", "E(601000,602000)", DAY, **{name: envelope_crs})

    assert envelope_crs.startswith("http://www.opengis.net/def/crs-compound?")
    assert answer.content == get_coverage(client, "NDVI", "E(601000,602000)", DAY).content


@checklist("CRS extension: 8/11")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUBSETTINGCRS", f"{CRS}4326"),
        ("OUTPUTCRS", f"{CRS}4326"),
        ("SCALESIZE", "E(10)"),
        ("SCALEAXES", "E(2)"),
        ("SCALEEXTENT", "E(0:9)"),
        ("SCALEFACTOR", "2"),
    ],
)
def test_parameter_repeated_with_one_value_is_refused(client, name, value):
    answer = ask(client, "GetCoverage", COVERAGEID="NDVI", **{name: [value, value]})

    assert answer.status_code == 400
    assert f"{name} is repeated" in answer.text


def test_the_envelope_of_another_crs_has_its_uri_and_labels(client):
    answer = get_coverage(
        client, "HEIGHT", "E(601000,602000)", "N(5647500,5648000)", OUTPUTCRS=f"{CRS}4326", FORMAT=GML
    )
    document = etree.fromstring(answer.content)

    assert document.find("gml:boundedBy/gml:Envelope", NS).get("srsName") == f"{CRS}4326"
    assert envelope(document)[0] == "Lat Long"


@checklist("Scaling: 3")
@pytest.mark.parametrize("factor", ["0", "-1", "x", "1e9", "nan"])
def test_scale_factors_are_above_zero_and_alone(client, factor):
    assert refusal_of(client, SCALEFACTOR=factor)[:2] == (404, "InvalidScaleFactor")
    assert refusal_of(client, SCALEFACTOR="2", SCALESIZE="E(10)") == (400, "InvalidParameterValue", "scaleFactor")


@checklist("Scaling: 6-11")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"SCALEAXES": "X1(2)"}, (404, "ScaleAxisUndefined")),
        ({"SCALESIZE": "Z(2)"}, (404, "ScaleAxisUndefined")),
        ({"SCALEAXES": "E(2),E(2)"}, (404, "ScaleAxisUndefined")),
        ({"SCALEAXES": "E(0)"}, (404, "InvalidScaleFactor")),
        ({"SCALEAXES": "time(0.5)"}, (404, "ScaleAxisUndefined")),
        ({"SCALESIZE": "E(0)"}, (404, "InvalidExtent")),
        ({"SCALEEXTENT": "E(20:10)"}, (404, "InvalidExtent")),
        ({"SCALEEXTENT": "E(20)"}, (404, "InvalidExtent")),
        ({"SCALESIZE": "E"}, (400, "InvalidParameterValue")),
        ({"SCALEAXES": ""}, (400, "MissingParameterValue")),
    ],
)
def test_invalid_scaling_is_refused(client, query, found):
    assert refusal_of(client, **query)[:2] == found


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        ({"SCALEFACTOR": "0.5"}, (150, 200)),
        ({"SCALEFACTOR": "2"}, (600, 800)),
        ({"SCALEAXES": "E(0.5),N(0.1),time(1)"}, (30, 200)),
        ({"SCALESIZE": "E(50),N(25)"}, (25, 50)),
        ({"SCALESIZE": "E(50)"}, (300, 50)),
        ({"SCALEEXTENT": "E(0:99),N(10:19)"}, (10, 100)),
    ],
)
def test_factors_multiply_and_sizes_are_exact(client, query, shape):
    assert shape_of(client, **query) == shape


def test_scaled_cells_are_those_under_their_centres(client):
    half = geotiff_of(
        get_coverage(client, "NDVI", DAY, SCALEFACTOR="0.5", INTERPOLATION=f"{INTERPOLATION}nearest-neighbor").content
    )

    rows, columns = np.arange(1, 300, 2)[:, np.newaxis], np.arange(1, 400, 2)[np.newaxis, :]
    np.testing.assert_array_equal(half.numbers[0], served.number_at(rows, columns, 1))


@checklist("Interpolation, range subsetting, POST: Interpolation")
def test_interpolations_are_listed_and_others_refused(client, capabilities):
    listed = capabilities.xpath(
        ".//*[local-name()='InterpolationMetadata']/*[local-name()='InterpolationSupported']/text()"
    )

    assert listed == [f"{INTERPOLATION}nearest-neighbor", f"{INTERPOLATION}linear"]
    assert [shape_of(client, SCALEFACTOR="0.5", INTERPOLATION=each) for each in listed] == [(150, 200)] * 2
    wrong = refusal_of(client, INTERPOLATION=f"{INTERPOLATION}cubic")
    assert wrong == (404, "InterpolationMethodNotSupported", "interpolation")


@checklist("Interpolation, range subsetting, POST: Range")
def test_fields_are_those_requested_in_their_order(client):
    fields = described(client, "s2").xpath(".//swe:field/@name", namespaces=NS)

    def answered(text):
        answer = get_coverage(client, "s2", "E(601000,602000)", "N(5647500,5648000)", DAY, FORMAT=GML, RANGESUBSET=text)
        return etree.fromstring(answer.content).xpath(".//swe:field/@name", namespaces=NS)

    assert fields[:3] == ["NDVI", "TIMED", "RECENT"]
    assert [answered(text) for text in ("RECENT,NDVI", "NDVI:RECENT", "RECENT,NDVI:TIMED")] == [
        *(["RECENT", "NDVI"], ["NDVI", "TIMED", "RECENT"], ["RECENT", "NDVI", "TIMED"]),
    ]
    assert refusal_of(client, RANGESUBSET="bogus") == (404, "NoSuchField", "bogus")
    assert refusal_of(client, RANGESUBSET="RECENT:NDVI") == (404, "IllegalFieldSequence", "rangeSubset")


def post(client, body, root="GetCoverage", attributes='service="WCS" version="2.0.1"'):
    """The answer to a request in XML."""
    spaces = f'xmlns:wcs="{WCS}" xmlns:ows="{OWS}" xmlns:e="urn:extension"'
    text = f"<wcs:{root} {attributes} {spaces}>{body}</wcs:{root}>"
    return client.post("/wcs", content=text, headers={"Content-Type": "text/xml"})


ID = "<wcs:CoverageId>NDVI</wcs:CoverageId>"
SLICED = (
    "<wcs:DimensionSlice><wcs:Dimension>time</wcs:Dimension><wcs:SlicePoint>2020-06-01</wcs:SlicePoint>"
    "</wcs:DimensionSlice>"
)
TRIMMED = (
    "<wcs:DimensionTrim><wcs:Dimension>E</wcs:Dimension><wcs:TrimLow>601000</wcs:TrimLow>"
    "<wcs:TrimHigh>602000</wcs:TrimHigh></wcs:DimensionTrim>"
)
SCALINGS = {
    "<e:ScaleByFactor><e:scaleFactor>0.5</e:scaleFactor></e:ScaleByFactor>": {"SCALEFACTOR": "0.5"},
    "<e:Scaling><e:ScaleToSize><e:TargetAxisSize><e:axis>E</e:axis><e:targetSize>7</e:targetSize></e:TargetAxisSize>"
    "</e:ScaleToSize></e:Scaling>": {"SCALESIZE": "E(7)"},
    "<e:ScaleToExtent><e:TargetAxisExtent><e:axis>N</e:axis><e:low>1</e:low><e:high>9</e:high></e:TargetAxisExtent>"
    "</e:ScaleToExtent>": {"SCALEEXTENT": "N(1:9)"},
    "<e:ScaleAxesByFactor><e:ScaleAxis><e:axis>E</e:axis><e:scaleFactor>2</e:scaleFactor></e:ScaleAxis>"
    f"</e:ScaleAxesByFactor><e:Interpolation><e:globalInterpolation>{INTERPOLATION}linear</e:globalInterpolation>"
    "</e:Interpolation>": {"SCALEAXES": "E(2)", "INTERPOLATION": f"{INTERPOLATION}linear"},
    "<e:RangeSubset><e:RangeItem><e:RangeInterval><e:startComponent>NDVI</e:startComponent><e:endComponent>NDVI"
    "</e:endComponent></e:RangeInterval></e:RangeItem></e:RangeSubset>": {"RANGESUBSET": "NDVI:NDVI"},
    "<e:rangeSubset><e:RangeItem><e:RangeComponent> NDVI </e:RangeComponent></e:RangeItem></e:rangeSubset>": {
        "RANGESUBSET": "NDVI"
    },
    f"<e:outputCrs>{CRS}3035</e:outputCrs>": {"OUTPUTCRS": f"{CRS}3035"},
}


@pytest.mark.every_case
@pytest.mark.parametrize(("extension", "query"), SCALINGS.items(), ids=[next(iter(each)) for each in SCALINGS.values()])
def test_requests_in_xml_equal_those_in_key_value_pairs(client, extension, query):
    answer = post(client, f"<wcs:Extension>{extension}</wcs:Extension>{ID}{TRIMMED}{SLICED}")

    assert answer.content == get_coverage(client, "NDVI", "E(601000,602000)", DAY, **query).content


@checklist("Interpolation, range subsetting, POST: POST")
def test_operations_are_posted_and_broken_xml_is_refused(client, capabilities, validate_wcs):
    accepted = "<ows:AcceptVersions><ows:Version>2.0.1</ows:Version></ows:AcceptVersions>"
    sections = "<ows:Sections><ows:Section>Contents</ows:Section></ows:Sections>"
    whole = post(client, accepted, root="GetCapabilities", attributes='service="WCS"')
    part = etree.fromstring(post(client, sections, root="GetCapabilities", attributes='service="WCS"').content)

    assert validate_wcs(whole.content) == []
    assert [etree.QName(each).localname for each in part] == ["Contents"]
    assert (
        post(client, ID, root="DescribeCoverage").content == ask(client, "DescribeCoverage", COVERAGEID="NDVI").content
    )
    posts = capabilities.xpath(
        ".//ows:OperationsMetadata/ows:Constraint[@name='PostEncoding']//ows:Value/text()", namespaces=NS
    )
    assert posts == ["XML"]
    assert refused(post(client, ID, attributes='service="WCS_Bogus" version="2.0.1"')) == (
        *(400, "InvalidParameterValue", "service"),
    )


def test_versions_of_another_ows_common_are_not_ours_to_refuse(client, validate_wcs):
    accepted = (
        '<o:AcceptVersions xmlns:o="http://www.opengis.net/ows/1.1"><o:Version>2.0</o:Version></o:AcceptVersions>'
    )
    answer = post(client, accepted, root="GetCapabilities", attributes='service="WCS" version="2.0.1"')

    assert validate_wcs(answer.content) == []


@pytest.mark.parametrize(
    ("body", "attributes", "found"),
    [
        ("<wcs:CoverageId>NDVI,HEIGHT</wcs:CoverageId>", "2.0.1", (400, "InvalidEncodingSyntax", "coverageId")),
        (ID, "1.1.1", (400, "InvalidParameterValue", "version")),
    ],
)
def test_a_value_is_one_value_and_a_namespace_of_one_version(client, body, attributes, found):
    attributes = f'service="WCS" version="{attributes}"'

    assert refused(post(client, body, root="DescribeCoverage", attributes=attributes)) == found


def test_root_without_a_namespace_is_reported(client):
    answer = client.post("/wcs", content=b"<GetCapabilities/>", headers={"Content-Type": "text/xml"})

    assert "the root of the body is in no namespace; accepted are" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"<wcs:GetCoverage",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY e "e">]><a>&e;</a>',
        b"<a>" * 100 + b"</a>" * 100,
        b"<a>" + b"<b/>" * 20_000 + b"</a>",
        f'<wcs:Transaction xmlns:wcs="{WCS}"/>'.encode(),
        f'<wcs:GetCoverage xmlns:wcs="{WCS}" service="WCS" version="2.0.1"><wcs:Bogus/></wcs:GetCoverage>'.encode(),
    ],
    ids=["broken", "namespace", "entity", "deep", "wide", "operation", "element"],
)
def test_xml_that_is_no_request_is_refused(client, validate_ogc, body):
    answer = client.post("/wcs", content=body, headers={"Content-Type": "text/xml"})

    assert refused(answer)[:2] == (400, "InvalidEncodingSyntax")
    assert validate_ogc(answer.content) == []


@checklist("Clients' expectations that the suite does not test: GDAL")
@checklist("Clients' expectations that the suite does not test: Coverage")
def test_labels_of_envelope_and_grid_are_one_and_times_are_coefficients(client):
    description = described(client)
    axis = description.findall(".//rgrid:GeneralGridAxis", NS)[2]

    assert description.findtext(".//gml:axisLabels", namespaces=NS) == envelope(description)[0] == "E N time"
    assert axis.findtext("rgrid:gridAxesSpanned", namespaces=NS) == "time"
    seconds = [float(each) for each in axis.findtext("rgrid:coefficients", namespaces=NS).split()]
    assert seconds == [day * 86400 for day in (0, 11, 21, 31)]
    first = description.findtext(".//gml:pos", namespaces=NS).split()[2]
    assert float(first) == (np.datetime64("2020-05-21") - np.datetime64("1970-01-01")) / np.timedelta64(1, "s")


@checklist("Clients' expectations that the suite does not test: Time")
@pytest.mark.parametrize(
    ("subset", "bands"),
    [
        *(
            ('time("2020-06-01")', 1),
            ("time(2020-06-01)", 1),
            ('time("2020-06-01T00:00:00Z")', 1),
            ("time(1590969600)", 1),
        ),
        *(
            ('time("2020-06-01","2020-06-15")', 2),
            ("time(2020-06-01,*)", 3),
            ("time(*,*)", 4),
            ("time(*,2020-06-01)", 2),
        ),
        *(
            ("time(1590969600,1591833600)", 2),
            ("time(1.5909696E9,1.5918336E9)", 2),
            ("time(15909696e2)", 1),
            ("time(2020)", 4),
            ("time(2020-06)", 3),
            ("Time(2020-06-01)", 1),
        ),
    ],
)
def test_times_are_written_quoted_plain_or_as_coordinates(client, subset, bands):
    assert len(geotiff_of(get_coverage(client, "NDVI", "E(601000,602000)", subset).content).numbers) == bands
