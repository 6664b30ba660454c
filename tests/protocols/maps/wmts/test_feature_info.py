"""GetFeatureInfo of tiles: the same cells by key-value pairs and by path."""

import re
from urllib.parse import quote, urlsplit

import pytest
from lxml import etree

from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.protocols.maps.wmts.feature_info import EXTENSIONS
from tests.protocols import served
from tests.protocols.pictures import rgba_of

PIXEL = {"I": "37", "J": "52"}
PATH = "/wmts/1.0.0/NDVI/steps/2020-06-11/WebMercatorQuad/11/687/1052/52/37"
WMTS = "{http://www.opengis.net/wmts/1.0}"


@pytest.fixture
def get_info(get_tile):
    """Return a function: `get_info(client, TIME="2020-06-11", I=None)` is `get_tile` for a pixel of the tile."""

    def ask(client, **changes):
        valid = {"request": "GetFeatureInfo", "InfoFormat": "application/json", "Time": "2020-06-11", **PIXEL}
        return get_tile(client, **{**valid, **changes})

    return ask


def properties(answer):
    assert answer.status_code == 200, answer.text
    (feature,) = answer.json()["features"]
    return feature["properties"]


def exception_of(answer):
    report = etree.fromstring(answer.content)[0]
    return answer.status_code, report.get("exceptionCode"), report.get("locator")


def test_the_value_of_the_cell_under_the_pixel(client, get_info, tmp_path):
    tiles = load_tile_matrix_set("WebMercatorQuad", folder=tmp_path)
    grid = tiles.tile_grid(tiles.matrix("11"), row=687, column=1052)
    expected = served.expected_numbers(served.BELGIUM_31N, grid, 2)[52, 37]

    found = properties(get_info(client))

    assert (found["value"], found["time"]) == (expected, "2020-06-11T00:00:00Z")


def test_the_colour_is_the_pixel_of_the_tile(client, get_info, get_tile):
    tile = rgba_of(get_tile(client, style="reds", Time="2020-06-11").content)

    found = properties(get_info(client, style="reds"))

    assert bytes.fromhex(found["colour"][1:]) == tile[52, 37, :3].tobytes()


def test_of_a_difference_it_is_the_change_and_the_pixel_of_the_tile(client, get_info, get_tile):
    tile = rgba_of(get_tile(client, Time="2020-06-11", Difference="2020-05-21").content)

    found = properties(get_info(client, Difference="2020-05-21"))

    assert bytes.fromhex(found["colour"][1:]) == tile[52, 37, :3].tobytes()
    assert found["value"] == found["number"] - properties(get_info(client, Time="2020-05-21"))["number"]


def test_a_path_has_the_difference_in_its_query(client, get_info):
    by_path = client.get(f"{PATH}.json?difference=2020-05-21")

    assert properties(by_path) == properties(get_info(client, Difference="2020-05-21"))


def test_no_time_is_the_advertised_default(client, get_info):
    assert properties(get_info(client, Time=None))["time"] == "2020-06-21T00:00:00Z"
    assert properties(get_info(client, layer="UNDATED", Time=None))["time"] == "2020-06-21T00:00:00Z"


def test_an_interval_gives_the_series(client, get_info):
    found = properties(get_info(client, Time="2020-06-01/2020-06-11"))

    assert found["times"] == ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z"]


@pytest.mark.parametrize(("extension", "media_type"), EXTENSIONS.items())
def test_a_path_is_another_spelling(client, get_info, extension, media_type):
    by_path = client.get(f"{PATH}.{extension}")

    by_query = get_info(client, InfoFormat=media_type)
    assert (by_path.status_code, by_path.content) == (200, by_query.content)
    assert by_path.headers["Content-Type"].partition(";")[0] == media_type


def test_a_path_takes_an_interval(client, get_info):
    by_path = client.get(PATH.replace("2020-06-11", "2020-06-01/2020-06-11") + ".json")

    assert by_path.content == get_info(client, Time="2020-06-01/2020-06-11").content


def test_a_path_of_a_layer_without_time(client):
    answer = client.get("/wmts/1.0.0/HEIGHT/default/WebMercatorQuad/11/687/1052/52/37.json")

    assert properties(answer)["time"] is None


def test_every_advertised_template_answers(client):
    tree = etree.fromstring(client.get("/wmts/1.0.0/WMTSCapabilities.xml").content)
    names = {"Style": "default", "Time": "2020-06-11", "TileMatrixSet": "WebMercatorQuad", "TileMatrix": "11"}
    names |= {"TileRow": "687", "TileCol": "1052", "I": "1", "J": "1"}
    resources = tree.findall(f".//{WMTS}ResourceURL[@resourceType='FeatureInfo']")
    wanted = [each for each in resources if "/NDVI/" in each.get("template") or "/HEIGHT/" in each.get("template")]

    answers = [
        client.get(re.sub(r"\{(\w+)\}", lambda found: quote(names[found[1]]), urlsplit(each.get("template")).path))
        for each in wanted
    ]

    assert [answer.status_code for answer in answers] == [200] * 8
    types = [answer.headers["Content-Type"].partition(";")[0] for answer in answers]
    assert types == [each.get("format") for each in wanted]


def test_every_advertised_format_is_answered(client, get_info):
    tree = etree.fromstring(client.get("/wmts/1.0.0/WMTSCapabilities.xml").content)
    formats = {each.text for each in tree.iter(f"{WMTS}InfoFormat")}

    types = {get_info(client, InfoFormat=each).headers["Content-Type"].partition(";")[0] for each in formats}

    assert types == formats


REFUSED = [
    *[({name: None}, "MissingParameterValue", name) for name in ("layer", "style", "format", "I", "J", "InfoFormat")],
    *[({name: None}, "MissingParameterValue", name) for name in ("TileMatrixSet", "TileMatrix", "TileRow", "TileCol")],
    ({"layer": "NOPE"}, "InvalidParameterValue", "layer"),
    ({"style": "nope"}, "InvalidParameterValue", "Style"),
    ({"InfoFormat": "image/png"}, "InvalidParameterValue", "InfoFormat"),
    ({"TileMatrixSet": "NOPE"}, "InvalidParameterValue", "TileMatrixSet"),
    ({"TileMatrix": "99"}, "InvalidParameterValue", "TileMatrix"),
    ({"TileRow": "0"}, "InvalidParameterValue", "TileRow"),
    ({"TileCol": "9999"}, "InvalidParameterValue", "TileCol"),
    ({"I": "256"}, "PointIJOutOfRange", "I"),
    ({"J": "-1"}, "PointIJOutOfRange", "J"),
    ({"J": "x"}, "InvalidParameterValue", "J"),
    ({"Time": "2019-01-01"}, "InvalidParameterValue", "Time"),
]


@pytest.mark.parametrize(("changes", "code", "locator"), REFUSED, ids=str)
def test_invalid_values_are_reported(client, get_info, validate_ogc, changes, code, locator):
    answer = get_info(client, **changes)

    assert exception_of(answer) == (400, code, locator)
    assert validate_ogc(answer.content) == []


def test_a_layer_that_cannot_be_queried_is_501(make_client, get_info, caplog):
    services = served.make_services(served.make_collection(served.make_layer(queryable=False)))

    answer = get_info(make_client(services))

    assert exception_of(answer) == (501, "OperationNotSupported", "GetFeatureInfo")
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.parametrize(
    "path",
    ["/wmts/1.0.0/NDVI/steps/11/687/1052/52/37.json", "/wmts/1.0.0/NDVI/steps/687/1052/52/37.json", f"{PATH}.xml"],
    ids=["one too few", "two too few", "unknown extension"],
)
def test_unknown_path_is_404(client, path):
    assert client.get(path).status_code == 404


def test_an_answer_that_the_client_holds_is_not_read_again(client, get_info):
    etag = get_info(client).headers["ETag"]

    assert get_info(client, headers={"If-None-Match": etag}).status_code == 304
