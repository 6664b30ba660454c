"""Exception reports: codes and locators as the conformance suite spells them."""

import pytest
from lxml import etree

from chronotile.catalog.limits import Limits
from tests.protocols import served

OWS = "{http://www.opengis.net/ows/1.1}"
MANDATORY = ["layer", "style", "format", "TileMatrixSet", "TileMatrix", "TileRow", "TileCol"]
MISSING = [(name, value) for name in MANDATORY for value in (None, "") if (name, value) != ("style", "")]
"""An empty style is the default one."""
INVALID = [
    ({"layer": "NDVX"}, "InvalidParameterValue", "layer"),
    ({"style": "viridix"}, "InvalidParameterValue", "Style"),
    ({"format": "image/gif"}, "InvalidParameterValue", "format"),
    ({"TileMatrixSet": "Bogus"}, "InvalidParameterValue", "TileMatrixSet"),
    ({"TileMatrix": "BogusForTest"}, "InvalidParameterValue", "TileMatrix"),
    ({"TileMatrix": "25"}, "InvalidParameterValue", "TileMatrix"),
    ({"TileRow": "-1"}, "TileOutOfRange", "TileRow"),
    ({"TileRow": "2048"}, "TileOutOfRange", "TileRow"),
    ({"TileRow": "700"}, "TileOutOfRange", "TileRow"),
    ({"TileRow": "1000000000000"}, "TileOutOfRange", "TileRow"),
    ({"TileCol": "0"}, "TileOutOfRange", "TileCol"),
    ({"TileCol": "1100"}, "TileOutOfRange", "TileCol"),
    ({"TileRow": "six"}, "InvalidParameterValue", "TileRow"),
    ({"TileCol": "1.5"}, "InvalidParameterValue", "TileCol"),
    ({"Time": "soon"}, "InvalidParameterValue", "Time"),
    ({"Time": "2020-06-12"}, "InvalidParameterValue", "Time"),
    ({"Time": "2019-01-01/2019-12-31"}, "InvalidParameterValue", "Time"),
    ({"version": "2.0.0"}, "InvalidParameterValue", "version"),
    ({"request": "GetBOGUS"}, "InvalidParameterValue", "request"),
    ({"service": "BOGUS"}, "InvalidParameterValue", "service"),
    ({"service": None}, "MissingParameterValue", "service"),
    ({"request": None}, "MissingParameterValue", "request"),
]


def exception_of(answer):
    """Code and locator of a report."""
    exception = etree.fromstring(answer.content).find(f"{OWS}Exception")
    assert exception.findtext(f"{OWS}ExceptionText")
    return exception.get("exceptionCode"), exception.get("locator")


@pytest.mark.parametrize(("name", "value"), MISSING)
def test_missing_parameter_is_reported_by_its_name(make_client, get_tile, validate_ogc, name, value):
    answer = get_tile(make_client(), **{name: value})

    assert (answer.status_code, *exception_of(answer)) == (400, "MissingParameterValue", name)
    assert validate_ogc(answer.content) == []


@pytest.mark.parametrize(("changes", "code", "locator"), INVALID, ids=[str(each[0]) for each in INVALID])
def test_wrong_value_is_reported_by_code_and_locator(make_client, get_tile, validate_ogc, changes, code, locator):
    answer = get_tile(make_client(), **changes)

    assert (answer.status_code, *exception_of(answer)) == (400, code, locator)
    assert answer.headers["Content-Type"] == "application/xml"
    assert validate_ogc(answer.content) == []


def test_query_that_is_no_query_misses_the_request(make_client):
    answer = make_client().get("/wmts?service=WMTS&request~GetCapabilities!version~1.0.0")

    assert (answer.status_code, *exception_of(answer)) == (400, "MissingParameterValue", "request")


@pytest.mark.parametrize(
    ("query", "code", "locator"),
    [
        ({"AcceptVersions": "2.0.0,3.0.0"}, "VersionNegotiationFailed", None),
        ({"Sections": "Bogus"}, "InvalidParameterValue", "sections"),
        ({"Sections": "Contents,Bogus"}, "InvalidParameterValue", "sections"),
    ],
)
def test_unsupported_capabilities_are_refused(make_client, validate_ogc, query, code, locator):
    answer = make_client().get("/wmts", params={"service": "WMTS", "request": "GetCapabilities", **query})

    assert (answer.status_code, *exception_of(answer)) == (400, code, locator)
    assert validate_ogc(answer.content) == []


def test_empty_sections_are_missing(make_client):
    answer = make_client().get("/wmts?service=WMTS&request=GetCapabilities&Sections=")

    assert (answer.status_code, exception_of(answer)[0]) == (400, "MissingParameterValue")
    assert exception_of(answer)[1].lower() == "sections"


@pytest.mark.parametrize(
    "path",
    [
        "NDVX/steps/default/WebMercatorQuad/11/687/1052.png",
        "NDVI/bogus/default/WebMercatorQuad/11/687/1052.png",
        "NDVI/steps/soon/WebMercatorQuad/11/687/1052.png",
        "NDVI/steps/2020-06-12/WebMercatorQuad/11/687/1052.png",
        "NDVI/steps/default/Bogus/11/687/1052.png",
        "NDVI/steps/default/WebMercatorQuad/99/687/1052.png",
        "NDVI/steps/default/WebMercatorQuad/11/700/1052.png",
        "NDVI/steps/default/WebMercatorQuad/11/six/1052.png",
        "NDVI/steps/default/WebMercatorQuad/11/687/1052.gif",
        "NDVI/steps/default/WebMercatorQuad/11/687",
        "WMTSCapabilities.xml/Bogus",
    ],
)
def test_path_that_names_nothing_is_404(make_client, path):
    answer = make_client().get(f"/wmts/1.0.0/{path}")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "max-age=60")


def test_report_of_a_path_is_valid(make_client, validate_ogc):
    answer = make_client().get("/wmts/1.0.0/NDVX/steps/default/WebMercatorQuad/11/687/1052.png")

    assert exception_of(answer) == ("InvalidParameterValue", "layer")
    assert validate_ogc(answer.content) == []


@pytest.mark.parametrize("encoding", ["query", "path"])
def test_missing_source_is_503(client, get_tile, validate_ogc, encoding):
    by_path = client.get("/wmts/1.0.0/GONE/steps/default/WebMercatorQuad/11/687/1052.png")
    answer = {"query": get_tile(client, layer="GONE"), "path": by_path}[encoding]

    assert (answer.status_code, answer.headers["Retry-After"], exception_of(answer)[0]) == (
        503,
        "5",
        "NoApplicableCode",
    )
    assert "GONE" in answer.text
    assert validate_ogc(answer.content) == []


def test_time_beyond_the_limits_is_400_in_paths_too(make_client):
    days = served.days_of(*(f"{year}-{month:02}-01" for year in range(1900, 2000) for month in range(1, 13)))
    layer = served.make_layer(variable=served.make_variable(times=days))
    client = make_client(served.make_services(served.make_collection(layer), limits=Limits(max_cube_values=100_000)))

    answer = client.get("/wmts/1.0.0/NDVI/steps/1900/2000/WebMercatorQuad/11/687/1052.png")

    assert answer.status_code == 400
    assert "max_cube_values" in answer.text


@pytest.mark.parametrize("text", ["<&>\"'", "a\x00b", "\ufffe", "ü漢😀", "]]>", "{{ 7 * 7 }}"])
def test_hostile_text_leaves_the_report_valid(make_client, get_tile, validate_ogc, text):
    client = make_client()

    answers = [get_tile(client, layer=text), get_tile(client, TileMatrix=text), get_tile(client, format=text)]

    assert [validate_ogc(answer.content) for answer in answers] == [[], [], []]
    assert "49" not in answers[0].text
