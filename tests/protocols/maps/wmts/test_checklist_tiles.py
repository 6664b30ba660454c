"""Requirements of OGC's test suite for GetTile and GetFeatureInfo; `checklist` names its lines."""

import itertools

import pytest
from lxml import etree

from tests.protocols import served
from tests.protocols.pictures import rgba_of

NS = {"w": "http://www.opengis.net/wmts/1.0", "ows": "http://www.opengis.net/ows/1.1"}
TILE = ["layer", "style", "format", "TileMatrixSet", "TileMatrix", "TileRow", "TileCol"]
INFO = {"request": "GetFeatureInfo", "I": "3", "J": "4", "InfoFormat": "application/json"}

checklist = pytest.mark.checklist


@pytest.fixture
def fault(client, get_tile, validate_ogc):
    """Return a function of changed tile parameters that returns status, code and locator of the valid report."""

    def ask(**changes):
        answer = get_tile(client, **changes)
        assert validate_ogc(answer.content) == []
        exception = etree.fromstring(answer.content)[0]
        return answer.status_code, exception.get("exceptionCode"), exception.get("locator")

    return ask


@pytest.fixture
def tree(client):
    """The capabilities."""
    return etree.fromstring(client.get("/wmts?service=WMTS&request=GetCapabilities").content)


def texts(element, path):
    return [each.text for each in element.findall(path, NS)]


def first_tile(link):
    """Return the parameters of the first tile in the finest matrix with limits of a link."""
    limits = link.findall(".//w:TileMatrixLimits", NS)[-1]
    return {
        "TileMatrixSet": link.findtext("w:TileMatrixSet", namespaces=NS),
        "TileMatrix": limits.findtext("w:TileMatrix", namespaces=NS),
        "TileRow": limits.findtext("w:MinTileRow", namespaces=NS),
        "TileCol": limits.findtext("w:MinTileCol", namespaces=NS),
    }


@checklist("GetTile: Mandatory", "GetTile: Valid.Tile.Format")
def test_every_layer_style_format_and_set_gives_a_tile_of_its_type_and_size(client, get_tile, tree):
    def tiles(layer):
        name = layer.findtext("ows:Identifier", namespaces=NS)
        styles, formats = texts(layer, "w:Style/ows:Identifier"), texts(layer, "w:Format")
        for style, media_type, link in itertools.product(styles, formats, layer.findall("w:TileMatrixSetLink", NS)):
            answer = get_tile(client, layer=name, style=style, format=media_type, **first_tile(link))
            yield answer.status_code, answer.headers["Content-Type"] == media_type, rgba_of(answer.content).shape

    layers = tree.xpath("//w:Layer[not(ows:Identifier='GONE')]", namespaces=NS)
    assert {each for layer in layers for each in tiles(layer)} == {(200, True, (256, 256, 4))}


@checklist("GetTile: Mandatory", "GetTile: Default.SampleDimension")
@pytest.mark.parametrize("layer", ["NDVI", "TIMED", "RECENT", "UNDATED", "FUTURE", "TRUE_COLOUR"])
def test_every_value_of_time_gives_a_tile_as_do_default_and_current(client, get_tile, tree, layer):
    dimension = tree.xpath("//w:Layer[ows:Identifier=$name]/w:Dimension", name=layer, namespaces=NS)[0]

    values = [*texts(dimension, "w:Value"), "default", "current"]
    answers = {value: get_tile(client, layer=layer, style="", Time=value) for value in values}
    assert dimension.findtext("w:Current", namespaces=NS) == "true"
    assert {answer.status_code for answer in answers.values()} == {200}
    default = dimension.findtext("w:Default", namespaces=NS)
    assert answers["default"].content == answers[default].content


@checklist("GetTile: Missing")
@pytest.mark.parametrize("name", TILE)
def test_missing_parameter_of_a_tile_is_named(fault, name):
    assert fault(**{name: None}) == (400, "MissingParameterValue", name)


@checklist("GetTile: Invalid.Layer")
@pytest.mark.parametrize(
    ("name", "locator"),
    [
        *(("layer", "layer"), ("TileMatrixSet", "TileMatrixSet"), ("TileMatrix", "TileMatrix"), ("style", "Style")),
        ("format", "format"),
    ],
)
def test_wrong_parameter_of_a_tile_is_named(fault, name, locator):
    assert fault(**{name: "BogusForTest"}) == (400, "InvalidParameterValue", locator)


@checklist("GetTile: Invalid.Tile.Row")
@pytest.mark.parametrize("name", ["TileRow", "TileCol"])
@pytest.mark.parametrize("place", ["-1", "0", "1300", "999999"])
def test_tile_outside_its_limits_is_out_of_range(fault, name, place):
    assert fault(**{name: place}) == (400, "TileOutOfRange", name)


@checklist("GetTile: Invalid.SampleDimension.Value")
@pytest.mark.parametrize("text", ["BogusForTest", "1902-01-01", "2020-06-12"])
def test_wrong_time_is_named(fault, text):
    assert fault(Time=text) == (400, "InvalidParameterValue", "Time")


@checklist("GetTile: Valid.Tile.Format")
@pytest.mark.parametrize("media_type", ["image/png", "image/webp"])
def test_tile_without_data_is_transparent(client, get_tile, media_type):
    answer = get_tile(client, format=media_type, TileMatrix="1", TileRow="1", TileCol="1")

    assert answer.status_code == 200
    assert not rgba_of(answer.content)[..., 3].any()


@checklist("GetFeatureInfo: Mandatory")
def test_every_info_format_of_every_layer_is_returned(client, get_tile, tree):
    layers = tree.xpath("//w:Layer[w:InfoFormat][not(ows:Identifier='GONE')]", namespaces=NS)
    asked = [
        (layer.findtext("ows:Identifier", namespaces=NS), media_type)
        for layer in layers
        for media_type in texts(layer, "w:InfoFormat")
    ]

    def told(layer, media_type):
        answer = get_tile(client, layer=layer, **{**INFO, "style": "", "InfoFormat": media_type})
        return answer.status_code, answer.headers["Content-Type"].partition(";")[0]

    assert asked
    assert [told(*each) for each in asked] == [(200, media_type) for _layer, media_type in asked]


@checklist("GetFeatureInfo: Missing")
@pytest.mark.parametrize("name", [*TILE, "I", "J", "InfoFormat"])
def test_missing_parameter_of_feature_info_is_named(fault, name):
    assert fault(**{**INFO, name: None}) == (400, "MissingParameterValue", name)


@checklist("GetFeatureInfo: Missing")
@pytest.mark.parametrize(
    ("name", "locator"),
    [
        *(("layer", "layer"), ("style", "Style"), ("TileMatrixSet", "TileMatrixSet"), ("TileMatrix", "TileMatrix")),
        *(("InfoFormat", "InfoFormat"), ("I", "I"), ("J", "J")),
    ],
)
def test_wrong_parameter_of_feature_info_is_named(fault, name, locator):
    assert fault(**{**INFO, name: "BogusForTest"}) == (400, "InvalidParameterValue", locator)


@checklist("GetFeatureInfo: Invalid")
@pytest.mark.parametrize("name", ["TileRow", "TileCol"])
def test_tile_outside_its_limits_is_a_wrong_value_of_feature_info(fault, name):
    assert fault(**{**INFO, name: "999999"}) == (400, "InvalidParameterValue", name)


@checklist("GetFeatureInfo: NonQueryable.Layer")
def test_layer_that_cannot_be_queried_is_501(make_client, get_tile):
    layer = served.make_layer(queryable=False)
    client = make_client(served.make_services(served.make_collection(layer)))

    answer = get_tile(client, **INFO)

    exception = etree.fromstring(answer.content)[0]
    told = (answer.status_code, exception.get("exceptionCode"), exception.get("locator"))
    assert told == (501, "OperationNotSupported", "GetFeatureInfo")


def test_a_name_that_is_nearly_a_parameter_is_ignored_with_a_warning(client, get_tile):
    answer = get_tile(client, Time="2020-06-11", Times="2020-06-01", DPI="96")

    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"
    assert answer.headers["Warning"] == '199 - "Times is not a parameter here and is ignored; Time is one"'
