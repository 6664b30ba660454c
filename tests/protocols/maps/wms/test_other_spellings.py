"""Requests that differ from the standard, but that clients send and other servers answer."""

import pytest
from lxml import etree

from tests.protocols.maps.wms.exceptions import fault_of
from tests.protocols.pictures import rgba_of

MERCATOR = {"CRS": "EPSG:3857", "BBOX": "500000,6580000,560000,6620000", "TIME": "2020-06-11"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"FORMAT": "IMAGE/PNG"}, {}),
        ({"FORMAT": "image/png24"}, {}),
        ({"FORMAT": "image/png32"}, {}),
        ({"FORMAT": "Image/Png; Mode=8bit"}, {"FORMAT": "image/png; mode=8bit"}),
        ({"FORMAT": "image/JPG"}, {"FORMAT": "image/jpeg"}),
        ({"TRANSPARENT": "YES"}, {}),
        ({"TRANSPARENT": "no"}, {"TRANSPARENT": "FALSE"}),
        ({"VERSION": "1.3"}, {}),
        ({"CRS": None, "SRS": "EPSG:32631"}, {}),
        ({"TIME": "now"}, {"TIME": "current"}),
        ({"TIME": "PRESENT"}, {"TIME": "current"}),
        ({"TIME": "2020-06-01/now"}, {"TIME": "2020-06-01/current"}),
        ({"TIME": "1591833600000"}, {"TIME": "2020-06-11"}),
        ({"TIME": "1591833600000/1592697600000"}, {"TIME": "2020-06-11T00:00:00Z/2020-06-21T00:00:00Z"}),
        (MERCATOR | {"CRS": "EPSG:900913"}, MERCATOR),
        (MERCATOR | {"CRS": "EPSG:102100"}, MERCATOR),
    ],
    ids=lambda changes: "&".join(f"{name}={value}" for name, value in changes.items())[:50],
)
def test_map_with_other_spellings_of_parameters_is_the_same(client, get_map, changes, expected):
    found, usual = get_map(client, **changes), get_map(client, **expected)

    assert found.headers["Content-Type"] == usual.headers["Content-Type"]
    assert found.headers["Content-Type"].startswith("image/")
    assert found.content == usual.content
    assert found.headers["Chronotile-Time"] == usual.headers["Chronotile-Time"]
    assert rgba_of(found.content)[..., :3].any()


def test_crs_and_srs_may_be_interchanged_in_111(client, get_map):
    usual = get_map(client, VERSION="1.1.1", SRS="EPSG:4326", BBOX="4.5,50.8,4.6,50.9")
    other = get_map(client, VERSION="1.1", SRS=None, CRS="EPSG:4326", BBOX="4.5,50.8,4.6,50.9")

    assert usual.headers["Content-Type"] == "image/png"
    assert other.content == usual.content


def test_axis_order_is_that_of_the_version_for_any_parameter_name(client, get_map):
    usual = get_map(client, CRS="EPSG:4326", BBOX="50.8,4.5,50.9,4.6")
    other = get_map(client, CRS=None, SRS="EPSG:4326", BBOX="50.8,4.5,50.9,4.6")

    assert usual.headers["Content-Type"] == "image/png"
    assert other.content == usual.content


def test_parameter_name_of_the_version_has_precedence(client, get_map):
    assert get_map(client, SRS="EPSG:9999999").headers["Content-Type"] == "image/png"


def test_missing_crs_is_reported_by_the_name_of_the_version(client, get_map):
    assert fault_of(get_map(client, CRS=None)) == (200, "MissingParameterValue", "CRS")


@pytest.mark.parametrize("query", ["REQUEST=GetCapabilities", "request=getcapabilities&VERSION=1.1.1"])
def test_capabilities_need_no_service(client, query):
    answer = client.get(f"/wms?{query}")

    assert etree.QName(etree.fromstring(answer.content)).localname in {"WMS_Capabilities", "WMT_MS_Capabilities"}


def test_of_a_repeated_parameter_the_last_counts(client, get_map):
    """QGIS and others append theirs to the parameters of a URL."""
    usual = get_map(client, STYLES="reds", TIME="2020-06-11")
    query = {**dict(usual.request.url.params), "STYLES": "steps"}
    repeated = client.get("/wms", params=[*query.items(), ("styles", "reds")])

    assert repeated.headers["Content-Type"] == "image/png"
    assert repeated.content == usual.content


def test_of_a_repeated_version_the_last_counts_in_exceptions_too(client):
    answer = client.get("/wms?VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVX&VERSION=1.1.1")

    assert answer.headers["Content-Type"] == "application/vnd.ogc.se_xml"


@pytest.mark.parametrize("format_", ["IMAGE/PNG", "Application/JSON"])
def test_a_legend_takes_its_format_in_any_case(client, format_):
    answer = client.get("/wms", params={"REQUEST": "GetLegendGraphic", "LAYER": "NDVI", "FORMAT": format_})

    assert answer.headers["Content-Type"] == format_.lower()
