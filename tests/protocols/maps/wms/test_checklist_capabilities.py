"""OGC's requirements for GetCapabilities and GetFeatureInfo, over its own data; `checklist` names its tests."""

import io
from urllib.parse import urlsplit

import pytest
from lxml import etree
from PIL import Image

from tests.protocols.maps.wms.cite import CAPABILITIES, HREF, INFO, TEXT_XML, WMS, inherited, named_layers

checklist = pytest.mark.checklist
XSI = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


@checklist("negotiate-no-version", "negotiate-basic_elements-version", "negotiate-higher-version")
@pytest.mark.parametrize("version", [None, "1.3.0", "100.0.0"])
def test_highest_version_is_returned_if_requested_or_by_default(cite, version):
    assert cite.capabilities(VeRsIoN=version).get("version") == "1.3.0"


@checklist("negotiate-lower-version")
def test_version_below_the_lowest_returns_the_lowest(cite):
    assert cite.capabilities(VeRsIoN="0.0.0").get("version") == "1.1.1"


@checklist("extra-GetCapabilities-param", "extra-GetFeatureInfo-param")
@pytest.mark.parametrize("valid", [CAPABILITIES, INFO], ids=["capabilities", "info"])
def test_unknown_parameters_are_ignored(cite, valid):
    assert cite.get(valid, BoGuS="1").content == cite.get(valid).content


@checklist("no-format", "invalid-format-of-capabilities", "capability-xml-getcapabilities-format")
@pytest.mark.parametrize("format", [None, "invalid", "text/xml"])
def test_capabilities_are_text_xml_for_any_requested_format(cite, format):
    answer = cite.get(CAPABILITIES, FoRmAt=format)

    advertised = [each.text for each in cite.capabilities().findall(f".//{WMS}GetCapabilities/{WMS}Format")]
    assert (answer.headers["content-type"], advertised) == (TEXT_XML, ["text/xml"])


@checklist("updatesequence-current")
def test_the_current_sequence_is_an_exception(cite):
    assert cite.code(CAPABILITIES, UpDaTeSeQuEnCe=sequence(cite)) == "CurrentUpdateSequence"


@checklist("updatesequence-lower")
def test_a_lower_sequence_gives_the_capabilities(cite):
    lower = as_double(int(sequence(cite)) - 1)

    assert sequence(cite) == cite.capabilities(UpDaTeSeQuEnCe=lower).get("updateSequence")


@checklist("updatesequence-higher")
def test_a_higher_sequence_is_an_exception(cite):
    higher = as_double(int(sequence(cite)) + 1)

    assert cite.code(CAPABILITIES, UpDaTeSeQuEnCe=higher) == "InvalidUpdateSequence"


def as_double(number):
    """Return a number in the suite's form, which counts in XPath: `1.593518400000001E15`."""
    return f"{number:.15E}".replace("E+", "E")


def sequence(cite):
    return cite.capabilities().get("updateSequence")


@checklist("updatesequence-ignored")
def test_update_sequence_is_ignored_if_none_is_advertised(client):
    answer = client.get("/wms", params={**CAPABILITIES, "UpDaTeSeQuEnCe": "ignored"})

    assert etree.fromstring(answer.content).get("updateSequence") is None


@checklist("normative-schema", "validate-using-schemaLocation")
def test_capabilities_name_the_schema_they_are_valid_against(cite):
    root = cite.capabilities()

    assert root.get(XSI).split() == [
        "http://www.opengis.net/wms",
        "http://schemas.opengis.net/wms/1.3.0/capabilities_1_3_0.xsd",
        "http://www.opengis.net/sld",
        "http://schemas.opengis.net/sld/1.1.0/sld_capabilities.xsd",
    ]
    assert cite.validate(cite.get(CAPABILITIES).content) == []


@checklist("capability-onlineresource", "capability-xml-exception-format")
def test_urls_of_operations_end_before_the_parameters(cite):
    root = cite.capabilities()

    hrefs = {each.get(HREF) for each in root.findall(f".//{WMS}DCPType//{WMS}OnlineResource")}
    exceptions = [each.text for each in root.findall(f".//{WMS}Exception/{WMS}Format")]
    assert all(href.endswith("?") for href in hrefs)
    assert exceptions == ["XML", "INIMAGE", "BLANK", "JSON"]


@checklist(
    *("logourls", "style-legendurls", "style-stylesheeturls", "style-styleurls", "metadataurls"),
    *("dataurls", "featurelisturls"),
)
def test_every_url_returns_its_stated_type(cite):
    links = [each.getparent() for each in cite.capabilities().iter(f"{WMS}OnlineResource") if is_link(each)]

    answers = [cite.client.get(path_of(link.find(f"{WMS}OnlineResource"))) for link in links]

    told = [link.findtext(f"{WMS}Format") for link in links]
    assert len(links) >= 26
    assert [answer.headers["content-type"].partition(";")[0] for answer in answers] == told


def is_link(resource):
    return resource.getparent().find(f"{WMS}Format") is not None


def path_of(resource):
    parts = urlsplit(resource.get(HREF))
    return f"{parts.path}?{parts.query}"


@checklist("style-legendurls")
def test_legends_have_the_stated_size(cite):
    links = list(cite.capabilities().iter(f"{WMS}LegendURL"))

    sizes = [
        Image.open(io.BytesIO(cite.client.get(path_of(link.find(f"{WMS}OnlineResource"))).content)).size
        for link in links
    ]

    assert sizes == [(int(link.get("width")), int(link.get("height"))) for link in links]


@checklist("bbox-present", "crs-present", "ex_geobbox-present")
@pytest.mark.parametrize("tag", ["BoundingBox", "CRS", "EX_GeographicBoundingBox"])
def test_every_layer_has_its_boxes_and_crs(cite, tag):
    assert [layer for layer in named_layers(cite.capabilities()) if not inherited(layer, tag)] == []


@checklist("bbox-crs-advertised", "bbox-distinct-crs")
def test_a_layer_has_one_box_for_each_crs_it_lists(cite):
    for layer in named_layers(cite.capabilities()):
        boxes = [box.get("CRS") for box in layer.findall(f"{WMS}BoundingBox")]
        assert len(boxes) == len(set(boxes))
        assert set(boxes) <= {crs.text for crs in inherited(layer, "CRS")}


@checklist("ex_geobbox-coordinates")
def test_geographic_boxes_go_from_west_to_east_and_from_south_to_north(cite):
    for box in cite.capabilities().iter(f"{WMS}EX_GeographicBoundingBox"):
        west, east, south, north = (float(edge.text) for edge in box)
        assert (west < east, south < north) == (True, True)


@checklist("crs-for-all-layers", "crs-auto2-declarations")
def test_the_crs_of_all_layers_stand_on_the_root(cite):
    root = cite.capabilities().find(f"{WMS}Capability/{WMS}Layer")

    assert [crs.text for crs in root.findall(f"{WMS}CRS")] == ["CRS:84", "EPSG:4326", "EPSG:3857"]
    assert len(list(root.iter(f"{WMS}CRS"))) == 3


@checklist("layer-extents")
def test_boxes_are_in_the_axis_order_of_their_crs(cite):
    layer = next(each for each in named_layers(cite.capabilities()) if each.findtext(f"{WMS}Name") == "BasicPolygons")

    found = {
        box.get("CRS"): [float(box.get(edge)) for edge in ("minx", "miny", "maxx", "maxy")]
        for box in layer.findall(f"{WMS}BoundingBox")
    }

    assert found["CRS:84"] == pytest.approx([-2, -1, 2, 6])
    assert found["EPSG:4326"] == pytest.approx([-1, -2, 6, 2])


@checklist("authorityurl-unique", "identifier-matches-authorityurl", "style-unique")
def test_names_of_styles_are_unique_in_a_layer(cite):
    for layer in named_layers(cite.capabilities()):
        names = [style.findtext(f"{WMS}Name") for style in inherited(layer, "Style")]
        assert len(names) == len(set(names))
        assert inherited(layer, "Identifier") == []


@checklist("dims-time", "dims-elevation-crs88", "dims-no-redeclarations")
def test_time_is_the_one_dimension_and_declared_once(cite):
    dimensions = list(cite.capabilities().iter(f"{WMS}Dimension"))

    assert [(each.get("name"), each.get("units")) for each in dimensions] == [("time", "ISO8601")]


@checklist("time-options-requirements")
def test_dimension_accepts_lists_and_nearest_values_and_is_not_current(cite):
    """Its times are of 2000; `current` means that data are normally kept current (WMS 1.3.0 Annex C.2)."""
    (dimension,) = cite.capabilities().iter(f"{WMS}Dimension")

    assert {name: dimension.get(name) for name in ("multipleValues", "nearestValue", "current")} == {
        "multipleValues": "1", "nearestValue": "1", "current": None
    }  # fmt: skip


@checklist("time-options-requirements")
def test_regular_times_are_one_interval_with_period(cite):
    (dimension,) = cite.capabilities().iter(f"{WMS}Dimension")

    assert dimension.text == "2000-01-01T00:00:00Z/2000-01-01T00:01:00Z/PT5S"


@checklist("queryable", "each-queryable-layer", "two-query_layers", "three-query_layers", "less-query_layers")
@pytest.mark.parametrize("layers", ["Lakes", "Lakes,Ponds", "Lakes,Ponds,Forests"])
def test_layers_of_a_map_are_queried(cite, layers):
    answer = cite.get(INFO, LaYeRs="Lakes,Ponds,Forests", StYlEs=",,", QuErY_LaYeRs=layers)

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")


@checklist("each-info_format")
def test_every_advertised_info_format_is_returned(cite):
    formats = [each.text for each in cite.capabilities().findall(f".//{WMS}GetFeatureInfo/{WMS}Format")]

    told = [cite.get(INFO, InFo_FoRmAt=each).headers["content-type"] for each in formats]

    assert [each.partition(";")[0] for each in told] == [each.partition(";")[0] for each in formats]


@checklist("invalid-info_format", "invalid-i", "invalid-j", "invalid-query_layers")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"InFo_FoRmAt": "bogus"}, "InvalidFormat"),
        ({"I": "420"}, "InvalidPoint"),
        ({"I": "1.5"}, "InvalidPoint"),
        ({"J": "240"}, "InvalidPoint"),
        ({"J": "-1"}, "InvalidPoint"),
        ({"QuErY_LaYeRs": "bogus"}, "LayerNotDefined"),
    ],
)
def test_layer_that_cannot_be_queried_has_its_code(cite, changes, code):
    assert cite.code(INFO, **changes) == code


@checklist("recommendations")
def test_recommendations_of_the_standard_are_met(cite):
    root = cite.capabilities()

    service = root.find(f"{WMS}Service")
    assert service.findtext(f"{WMS}Abstract")
    assert [word.text for word in service.iter(f"{WMS}Keyword")] == ["CITE", "infoMapAccessService"]
    contact = service.find(f"{WMS}ContactInformation")
    parts = ("ContactPersonPrimary", "ContactAddress", "ContactVoiceTelephone", "ContactElectronicMailAddress")
    assert [each.tag for each in contact] == [f"{WMS}{part}" for part in parts]
    assert {each.tag.removeprefix(WMS): each.text for each in contact.find(f"{WMS}ContactAddress")} == {
        "AddressType": "postal",
        "Address": "Wetstraat 1",
        "City": "Brussels",
        "StateOrProvince": None,
        "PostCode": "1000",
        "Country": "Belgium",
    }
    for layer in named_layers(root):
        assert layer.findtext(f"{WMS}Abstract")
        assert [word.text for word in layer.findall(f"{WMS}KeywordList/{WMS}Keyword")] == ["CITE"]
        assert layer.find(f"{WMS}MetadataURL") is not None
        assert {"CRS:84", "EPSG:4326"} <= {crs.text for crs in inherited(layer, "CRS")}
        assert all(dimension.get("default") for dimension in layer.findall(f"{WMS}Dimension"))
