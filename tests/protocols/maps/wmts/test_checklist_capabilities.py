"""Requirements of OGC's test suite for common operations and GetCapabilities; `checklist` names its lines."""

import io
import json
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
from lxml import etree
from PIL import Image

from tests.protocols import served

NS = {"w": "http://www.opengis.net/wmts/1.0", "ows": "http://www.opengis.net/ows/1.1"}
HREF = "{http://www.w3.org/1999/xlink}href"
KVP = "/wmts?service=WMTS&request=GetCapabilities"
REST = "/wmts/1.0.0/WMTSCapabilities.xml"
SECTIONS = ["ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents", "Themes"]

SEQUENCE = "1593518400000000"
"""Microseconds from 1970 to noon of 30 June 2020."""

checklist = pytest.mark.checklist


@pytest.fixture
def fault(client, validate_ogc):
    """Return a function: `fault(url)` returns status, code and locator of a valid report."""

    def ask(url):
        answer = client.get(url)
        assert validate_ogc(answer.content) == []
        exception = etree.fromstring(answer.content)[0]
        return answer.status_code, exception.get("exceptionCode"), exception.get("locator")

    return ask


@pytest.fixture
def tree(client):
    """The capabilities."""
    return etree.fromstring(client.get(KVP).content)


def texts(element, path):
    return [each.text for each in element.findall(path, NS)]


@checklist("Common operations: KVP.GET.InvalidQueryString")
def test_invalid_query_misses_the_request(fault):
    assert fault("/wmts?service=WMTS&request~GetCapabilities!version~1.0.0") == (
        400,
        "MissingParameterValue",
        "request",
    )


@checklist("Common operations: KVP.GET.InvalidService")
@pytest.mark.parametrize("request_name", ["GetCapabilities", "GetTile", "GetFeatureInfo"])
def test_another_service_is_refused(fault, request_name):
    found = fault(f"/wmts?service=BOGUS&request={request_name}")

    assert found == (400, "InvalidParameterValue", "service")


@checklist("Common operations: KVP.GET.InvalidRequest")
def test_unknown_request_is_refused(fault):
    assert fault("/wmts?service=WMTS&request=GetBOGUS") == (400, "InvalidParameterValue", "request")


@checklist("Common operations: RESTful.HTTP.Mandatory")
def test_metadata_url_that_cannot_be_accepted_is_406(client, tree):
    url = urlsplit(tree.find("w:ServiceMetadataURL", NS).get(HREF)).path

    assert client.get(url, headers={"Accept": "example/unknown"}).status_code == 406


@checklist("Common operations: RESTful.InvalidQueryString")
def test_path_below_the_metadata_url_is_404(client):
    assert client.get(f"{REST}/Bogus").status_code == 404


@checklist("GetCapabilities request: Mandatory")
def test_service_and_request_give_the_whole_document(client):
    document = etree.fromstring(client.get(KVP).content)

    assert [etree.QName(each).localname for each in document] == [*SECTIONS, "ServiceMetadataURL"]


@checklist("GetCapabilities request: Mandatory")
def test_service_is_mandatory(fault):
    assert fault("/wmts?request=GetCapabilities") == (400, "MissingParameterValue", "service")


@checklist("GetCapabilities request: AcceptVersions.Valid")
def test_first_version_that_is_spoken_wins(client):
    document = etree.fromstring(client.get(f"{KVP}&AcceptVersions=9.9.9,1.0.0,0.1.0").content)

    assert document.get("version") == "1.0.0"


@checklist("GetCapabilities request: AcceptVersions.Valid")
def test_unsupported_versions_fail_without_locator(fault):
    assert fault(f"{KVP}&AcceptVersions=9.9.9") == (400, "VersionNegotiationFailed", None)


@checklist("GetCapabilities request: CaseInsensitive.KVP.Names")
@pytest.mark.parametrize("query", ["ReQuEsT=GetCapabilities&SeRvIcE=WMTS", "SERVICE=WMTS&REQUEST=GetCapabilities"])
def test_names_in_any_case_and_order_give_the_same_bytes(client, query):
    assert client.get(f"/wmts?{query}").content == client.get(KVP).content


@checklist("GetCapabilities request: Sections")
@pytest.mark.parametrize("asked", [*([each] for each in SECTIONS), ["Contents", "Themes"]], ids=",".join)
def test_only_requested_sections_are_returned(client, validate_ogc, asked):
    document = client.get(f"{KVP}&Sections={','.join(asked)}").content

    assert [etree.QName(each).localname for each in etree.fromstring(document)] == asked
    assert validate_ogc(document) == []


@checklist("GetCapabilities request: Sections")
@pytest.mark.parametrize("asked", ["All", "all", "contents,ALL"])
def test_all_sections_are_the_whole_document(client, asked):
    assert client.get(f"{KVP}&Sections={asked}").content == client.get(KVP).content


@checklist("GetCapabilities request: Sections")
def test_names_of_sections_are_case_insensitive(client):
    assert client.get(f"{KVP}&Sections=contents").content == client.get(f"{KVP}&Sections=Contents").content


@checklist("GetCapabilities request: Sections")
@pytest.mark.parametrize(
    ("text", "code"), [("Bogus", "InvalidParameterValue"), ("", "MissingParameterValue")], ids=["bogus", "empty"]
)
def test_unknown_sections_are_refused(fault, text, code):
    assert fault(f"{KVP}&Sections={text}") == (400, code, "sections")


@pytest.fixture
def sequenced(make_client):
    """Client of services with a date of their last change."""
    return make_client(replace(served.make_services(), changes={"": np.datetime64("2020-06-30T12:00:00", "ns")}))


@checklist("GetCapabilities request: UpdateSequence")
def test_document_that_the_client_holds_is_its_version_and_sequence_alone(sequenced, validate_ogc):
    sequence = etree.fromstring(sequenced.get(KVP).content).get("updateSequence")

    document = sequenced.get(f"{KVP}&updateSequence={sequence}").content

    root = etree.fromstring(document)
    assert (sequence, len(root), dict(root.attrib)["version"]) == (SEQUENCE, 0, "1.0.0")
    assert root.get("updateSequence") == sequence
    assert validate_ogc(document) == []


@checklist("GetCapabilities request: UpdateSequence")
@pytest.mark.parametrize("older", [str(int(SEQUENCE) - 1), "0", "9", "-1E30", "2020-06-30T11:59:59.000000Z", "Bogus"])
def test_client_that_holds_an_older_document_gets_the_whole(sequenced, older):
    assert sequenced.get(f"{KVP}&updateSequence={older}").content == sequenced.get(KVP).content


@checklist("GetCapabilities request: UpdateSequence")
@pytest.mark.parametrize("later", [str(int(SEQUENCE) + 1), "1.593518400000001E15", "9" * 30])
def test_later_sequence_is_refused_without_locator(sequenced, validate_ogc, later):
    answer = sequenced.get(f"{KVP}&updateSequence={later}")

    exception = etree.fromstring(answer.content)[0]
    told = (answer.status_code, exception.get("exceptionCode"), exception.get("locator"))
    assert told == (400, "InvalidUpdateSequence", None)
    assert validate_ogc(answer.content) == []


def test_unknown_update_sequence_is_ignored(client):
    assert client.get(f"{KVP}&updateSequence=9").content == client.get(KVP).content
    assert b"updateSequence" not in client.get(KVP).content


@checklist("GetCapabilities request: AcceptFormats")
@pytest.mark.parametrize("text", ["application/xml", "text/xml", "image/png", ""])
def test_document_is_xml_for_any_accepted_format(client, text):
    assert client.get(f"{KVP}&AcceptFormats={text}").headers["Content-Type"] == "application/xml"


@checklist("GetCapabilities response: well-formed", "GetCapabilities response: RESTful")
@pytest.mark.parametrize("url", [KVP, REST])
def test_document_is_valid_by_the_schema_that_it_names(client, validate_ogc, url):
    document = client.get(url).content

    location = etree.fromstring(document).get("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation")
    assert location.endswith("/wmtsGetCapabilities_response.xsd")
    assert validate_ogc(document) == []


@checklist("GetCapabilities response: RESTful")
def test_metadata_url_is_that_of_the_document(client):
    tree = etree.fromstring(client.get(REST).content)

    assert tree.find("w:ServiceMetadataURL", NS).get(HREF) == f"http://testserver{REST}"


@checklist("GetCapabilities response: AdvertisedFormat")
def test_formats_that_may_be_accepted_are_not_advertised(tree):
    names = {each.get("name") for each in tree.findall(".//ows:Parameter", NS)}

    assert names == {"AcceptVersions", "Sections"}


@checklist("GetCapabilities response: OnlineResource", "GetCapabilities response: Encoding.Constraint")
def test_urls_state_their_encoding_and_are_prefixes(tree):
    gets = tree.findall(".//ows:Get", NS)

    kinds = {
        each.find("ows:Constraint[@name='GetEncoding']", NS).findtext(".//ows:Value", namespaces=NS) for each in gets
    }
    of_queries = [each.get(HREF) for each in gets if each.findtext(".//ows:Value", namespaces=NS) == "KVP"]
    assert kinds == {"KVP", "RESTful"}
    assert {address[-1] for address in of_queries} == {"?"}


@checklist("GetCapabilities response: Layer")
def test_identifiers_and_scales_are_unique(tree):
    sets = tree.findall("w:Contents/w:TileMatrixSet", NS)
    groups = [
        texts(tree, ".//w:Layer/ows:Identifier"),
        texts(tree, "w:Contents/w:TileMatrixSet/ows:Identifier"),
        *(texts(each, "w:TileMatrix/ows:Identifier") for each in sets),
        *(texts(each, "w:TileMatrix/w:ScaleDenominator") for each in sets),
    ]

    assert all(group and all(group) and len(set(group)) == len(group) for group in groups)


@checklist("GetCapabilities response: LegendURL")
def test_legends_are_pictures_of_the_advertised_format_and_size(client, tree):
    legends = tree.findall(".//w:LegendURL", NS)

    def told(legend):
        address = urlsplit(legend.get(HREF))
        answer = client.get(f"{address.path}?{address.query}")
        return answer.headers["Content-Type"], *map(str, Image.open(io.BytesIO(answer.content)).size)

    assert [told(each) for each in legends] == [
        (each.get("format"), each.get("width"), each.get("height")) for each in legends
    ]


@checklist("GetCapabilities response: TileMatrixSetLink")
def test_links_and_themes_refer_to_existing_names(tree):
    assert set(texts(tree, ".//w:TileMatrixSetLink/w:TileMatrixSet")) <= set(
        texts(tree, "w:Contents/w:TileMatrixSet/ows:Identifier")
    )
    assert set(texts(tree, ".//w:LayerRef")) <= set(texts(tree, ".//w:Layer/ows:Identifier"))


@checklist("GetCapabilities response: WellKnownScaleSet")
def test_well_known_scales_start_with_the_largest_and_skip_none(make_client, tmp_path):
    scales = [559082264.0287178 / 2**level for level in range(8)]
    matrices = [
        {
            "id": str(level),
            "scaleDenominator": scale,
            "cellSize": 1.40625 / 2**level,
            "pointOfOrigin": [-180, 180],
            "tileWidth": 256,
            "tileHeight": 256,
            "matrixWidth": 2**level,
            "matrixHeight": 2**level,
        }
        for level, scale in enumerate(scales)
    ]
    file = tmp_path / "own.json"
    crs = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    file.write_text(json.dumps({"id": "OWN", "crs": crs, "tileMatrices": matrices}))
    client = make_client(served.make_services(tile_matrix_sets=["WebMercatorQuad", str(file)]))

    mercator, own = etree.fromstring(client.get(KVP).content).findall("w:Contents/w:TileMatrixSet", NS)

    assert own.findtext("w:WellKnownScaleSet", namespaces=NS) == "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad"
    assert own.findtext("ows:SupportedCRS", namespaces=NS) == "urn:ogc:def:crs:OGC:1.3:CRS84"
    told = [float(text) for text in texts(own, "w:TileMatrix/w:ScaleDenominator")]
    assert told == pytest.approx(scales, rel=1e-9)
    assert mercator.find("w:WellKnownScaleSet", NS) is None


@checklist("GetCapabilities response: WellKnownScaleSet")
def test_google_set_has_its_scales_and_the_usual_name_of_its_crs(tree):
    """Annex E gives GoogleMapsCompatible the CRS of an old version of EPSG; OGC's suite requires it with its name."""
    (mercator,) = tree.xpath("//w:TileMatrixSet[ows:Identifier='WebMercatorQuad']", namespaces=NS)

    scales = [float(text) for text in texts(mercator, "w:TileMatrix/w:ScaleDenominator")]
    assert mercator.find("w:WellKnownScaleSet", NS) is None
    assert mercator.findtext("ows:SupportedCRS", namespaces=NS) == "urn:ogc:def:crs:EPSG::3857"
    assert scales == pytest.approx([559082264.0287178 / 2**level for level in range(len(scales))], rel=1e-12)
