"""GetFeatureInfo returns the values of the map's cells in every format, and refuses every wrong request."""

import re

import pytest
from lxml import etree, html
from owslib.wms import WebMapService

from chronotile.core.model.space.crs import crs_of, transformer
from chronotile.core.model.style import Style
from chronotile.protocols.common.feature_info import INFO_FORMATS
from tests.protocols import served
from tests.protocols.maps.wms.exceptions import fault_of
from tests.protocols.pictures import rgba_of

GML = {"ct": "urn:x-chronotile:feature-info", "gml": "http://www.opengis.net/gml"}
HOSTILE = "<script>alert(1)</script>&\"'\x00]]>{{ 7 * 7 }}\n  value = 1"
COLUMN, ROW = 37, 52
"""A pixel of the 100 by 100 cells that `get_map` shows."""


@pytest.fixture
def get_info(get_map):
    """Return a function: `get_info(client, TIME="2020-06-11", I=None)` is `get_map` for the pixel `I`, `J`."""

    def ask(client, **changes):
        version = changes.get("VERSION", "1.3.0")
        place = {"X": str(COLUMN), "Y": str(ROW)} if version == "1.1.1" else {"I": str(COLUMN), "J": str(ROW)}
        layers = changes.get("LAYERS", "NDVI")
        valid = {"REQUEST": "GetFeatureInfo", "QUERY_LAYERS": layers, "INFO_FORMAT": "application/json", **place}
        return get_map(client, **{**valid, **changes})

    return ask


def number(time, row=ROW, column=COLUMN):
    return (3 * row + 7 * column + 40 * time) % 250


def properties(answer):
    assert answer.status_code == 200, answer.text
    return [feature["properties"] for feature in answer.json()["features"]]


@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_the_value_of_the_cell_under_the_pixel(client, get_info, version):
    (found,) = properties(get_info(client, VERSION=version, TIME="2020-06-11"))

    assert (found["value"], found["number"], found["units"]) == (number(2), number(2), "1")
    assert (found["time"], found["reason"]) == ("2020-06-11T00:00:00Z", None)


def test_values_have_full_precision(make_client, get_info):
    variable = served.make_variable(scale=0.004, offset=-0.08)
    layer = served.make_layer(variable=variable, styles=(served.STEPS,))
    services = served.make_services(served.make_collection(layer))

    (found,) = properties(get_info(make_client(services), TIME="2020-06-11"))

    assert found["value"] == number(2) * 0.004 + -0.08


@pytest.mark.parametrize("style", ["steps", "reds", ""])
def test_the_colour_is_the_pixel_of_the_map(client, get_info, get_map, style):
    picture = rgba_of(get_map(client, STYLES=style, TIME="2020-06-11").content)

    (found,) = properties(get_info(client, STYLES=style, TIME="2020-06-11"))

    assert bytes.fromhex(found["colour"][1:]) == picture[ROW, COLUMN, :3].tobytes()


@pytest.mark.parametrize(
    "asked",
    [
        {"COLORSCALERANGE": "0,60", "ABOVEMAXCOLOR": "0x123456"},
        {"COLORSCALERANGE": "240,250", "BELOWMINCOLOR": "0x654321"},
        {"NUMCOLORBANDS": "4"},
        {"COLORSCALERANGE": "1,250", "LOGSCALE": "TRUE"},
        {"STYLES": "steps/reds"},
        {"DIFFERENCE": "2020-05-21"},
        {"DIFFERENCE": "2020-05-21", "STYLES": "steps/reds", "COLORSCALERANGE": "0,160"},
        {"DIFFERENCE": "2020-05-21/2020-06-21", "REDUCER": "mean"},
        {"DIFFERENCE": "2020-05-21/2020-06-21", "REDUCER": "earliest"},
    ],
    ids=lambda asked: "&".join(f"{name}={value}" for name, value in asked.items()),
)
def test_the_colour_is_the_pixel_of_a_map_coloured_otherwise(client, get_info, get_map, asked):
    picture = rgba_of(get_map(client, TIME="2020-06-11", **asked).content)

    (found,) = properties(get_info(client, TIME="2020-06-11", **asked))

    assert bytes.fromhex(found["colour"][1:]) == picture[ROW, COLUMN, :3].tobytes()


@pytest.mark.parametrize(
    "asked",
    [
        {"TIME": "2020-06-11"},
        {"TIME": "2020-06-01/2020-06-11"},
        {"TIME": "2020-06-11", "NUMCOLORBANDS": "4"},
        {"TIME": "2020-06-11", "DIFFERENCE": "2020-05-21/2020-06-21", "REDUCER": "mean"},
    ],
    ids=["time", "interval", "bands", "difference"],
)
def test_the_colour_is_stretched_over_the_values_of_the_map(client, get_info, get_map, asked):
    few_cells = {"BBOX": "600200,5648000,600800,5648400", "WIDTH": "6", "HEIGHT": "4", "COLORSCALERANGE": "auto"}
    picture = rgba_of(get_map(client, **few_cells, **asked).content)

    (found,) = properties(get_info(client, I="4", J="1", **few_cells, **asked))

    assert bytes.fromhex(found["colour"][1:]) == picture[1, 4, :3].tobytes()


def test_stretched_colours_have_the_etag_of_their_map(client, get_info):
    asked = {"COLORSCALERANGE": "auto", "TIME": "2020-06-11", "J": "30"}

    whole = get_info(client, **asked)
    part = get_info(client, BBOX="600000,5645000,605000,5650000", WIDTH="50", HEIGHT="50", **asked)

    assert properties(whole)[0]["number"] == properties(part)[0]["number"]
    assert whole.headers["ETag"] != part.headers["ETag"]


def test_value_of_a_difference_is_the_change_and_the_number_that_of_the_time(client, get_info):
    answer = get_info(client, TIME="2020-06-11", DIFFERENCE="2020-05-21")

    (found,) = properties(answer)
    assert (found["value"], found["number"]) == (number(2) - number(0), number(2))
    assert answer.headers["Chronotile-Time"] == "2020-06-11T00:00:00Z;difference=2020-05-21T00:00:00Z"


def test_an_interval_gives_the_series_of_changes(client, get_info):
    (found,) = properties(get_info(client, TIME="2020-06-01/2020-06-21", DIFFERENCE="2020-05-21"))

    assert found["values"] == [number(time) - number(0) for time in (1, 2, 3)]


def test_difference_from_a_missing_value_has_a_reason(make_client, get_info):
    variable = served.make_variable(flags=((number(0), "cloud"),))
    client = make_client(served.make_services(served.make_collection(served.make_layer(variable=variable))))

    (found,) = properties(get_info(client, STYLES="", TIME="2020-06-11", DIFFERENCE="2020-05-21"))

    assert (found["value"], found["reason"], found["label"], found["colour"]) == (None, "cloud", "cloud", "transparent")


def test_a_difference_from_a_time_that_is_not_there_is_refused(client, get_info):
    answer = get_info(client, TIME="2020-06-11", DIFFERENCE="2020-06-12")

    assert fault_of(answer) == (200, "InvalidDimensionValue", "DIFFERENCE")


@pytest.mark.parametrize("crs", ["EPSG:4326", "CRS:84", "EPSG:3857", "EPSG:3035"])
def test_pixel_is_found_in_every_crs(client, get_info, crs):
    x, y = transformer(crs_of("EPSG:32631"), crs_of(crs)).transform(603_750.0, 5_644_750.0)
    half = 0.0005 if crs in {"EPSG:4326", "CRS:84"} else 50
    box = [x - half, y - half, x + half, y + half]
    box = [box[1], box[0], box[3], box[2]] if crs in {"EPSG:4326", "EPSG:3035"} else box

    place = {"CRS": crs, "BBOX": ",".join(map(repr, box)), "WIDTH": "3", "HEIGHT": "3", "I": "1", "J": "1"}
    (found,) = properties(get_info(client, **place, TIME="2020-06-11"))

    assert found["number"] == number(2)


def test_it_agrees_with_the_point_series(client, get_info):
    answer = get_info(client, TIME="2020-05-01/2020-06-30").json()["features"][0]
    longitude, latitude = answer["geometry"]["coordinates"]

    series = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}").json()

    assert answer["properties"]["values"] == series["values"]
    assert answer["properties"]["times"] == series["times"]


def test_an_interval_gives_the_series_and_the_newest_value(client, get_info):
    (found,) = properties(get_info(client, TIME="2020-06-01/2020-06-11"))

    assert found["values"] == [number(1), number(2)]
    assert found["times"] == ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z"]
    assert (found["time"], found["value"]) == ("2020-06-11T00:00:00Z", number(2))


def test_an_interval_of_one_time_is_a_series_too(client, get_info):
    (found,) = properties(get_info(client, TIME="2020-06-10/2020-06-12"))

    assert found["values"] == [number(2)]


def test_no_time_is_the_default_with_its_warning(client, get_info):
    answer = get_info(client)

    assert answer.headers["Warning"] == "99 Default value used: time=2020-06-21 ISO8601"
    assert answer.headers["Chronotile-Time"] == "2020-06-21T00:00:00Z"
    assert properties(answer)[0]["number"] == number(3)


def test_used_times_of_several_layers_equal_those_of_their_map(client, get_info, get_map):
    told, drawn = (ask(client, LAYERS="NDVI,TIMED").headers for ask in (get_info, get_map))

    assert told.get_list("Warning") == [
        "99 Default value used: time=2020-06-21 ISO8601",
        "99 Default value used: time=2020-06-30T10:50:31.024Z ISO8601",
    ]
    assert told["Chronotile-Time"] == drawn["Chronotile-Time"] == "2020-06-30T10:50:31.024Z,2020-06-21T00:00:00Z"


def test_the_nearest_time_of_a_difference_is_warned_of(client, get_info):
    answer = get_info(client, LAYERS="RECENT", TIME="2020-06-11", DIFFERENCE="2020-06-03")

    assert answer.headers["Warning"] == "99 Nearest value used: difference=2020-06-01 ISO8601"


def test_missing_value_has_a_reason(client, get_info):
    (found,) = properties(get_info(client, J="0", TIME="2020-06-11"))

    assert (found["value"], found["reason"], found["number"]) == (None, "nodata", served.NODATA)
    assert found["colour"] == "transparent"


def test_composite_lists_its_variables(client, get_info):
    (found,) = properties(get_info(client, LAYERS="TRUE_COLOUR", TIME="2020-06-11"))

    assert [found[f"value_{name}"] for name in ("RED", "GREEN", "BLUE")] == [number(2)] * 3


def test_outside_the_layer_there_is_no_feature(client, get_info):
    answer = get_info(client, BBOX="0,0,100,100")

    assert (answer.status_code, answer.json()) == (200, {"type": "FeatureCollection", "features": []})
    assert "outside" in get_info(client, BBOX="0,0,100,100", INFO_FORMAT="text/plain").text


@pytest.mark.parametrize("media_type", INFO_FORMATS)
def test_every_format_is_returned_and_contains_the_value(client, get_info, media_type):
    answer = get_info(client, INFO_FORMAT=media_type, TIME="2020-06-11")

    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    assert re.search(rf"\b{number(2)}\b", answer.text)
    assert "2020-06-11T00:00:00Z" in answer.text


@pytest.mark.parametrize("media_type", ["application/vnd.ogc.gml", "application/vnd.ogc.gml/3.1.1"])
@pytest.mark.parametrize("time", ["2020-06-11", "2020"])
def test_gml_3_1_1_is_valid(client, get_info, gml_schema, media_type, time):
    document = etree.fromstring(get_info(client, INFO_FORMAT=media_type, TIME=time).content)

    assert gml_schema("3.1.1").validate(document), gml_schema("3.1.1").error_log
    assert document.findtext(".//ct:PlaceInfo/ct:layer", namespaces=GML) == "NDVI"


def test_gml_3_2_is_valid(client, get_info, gml_schema):
    document = etree.fromstring(get_info(client, INFO_FORMAT="application/gml+xml", TIME="2020").content)

    assert gml_schema("3.2.1").validate(document), gml_schema("3.2.1").error_log
    assert len(document.findall(".//ct:sample", GML)) == 4


@pytest.fixture
def hostile_client(make_client):
    style = Style(id="steps", title=HOSTILE, range=(0.0, 250.0), ramp=served.STEPS.ramp)
    variable = served.make_variable(units=HOSTILE)
    layer = served.make_layer(variable=variable, title={"": HOSTILE}, styles=(style,))
    return make_client(served.make_services(served.make_collection(layer)))


def test_hostile_texts_stay_texts_in_html(hostile_client, get_info):
    document = html.fromstring(get_info(hostile_client, INFO_FORMAT="text/html").content)

    assert document.xpath("//script") == []
    assert "{{ 7 * 7 }}" in document.text_content()


def test_hostile_texts_stay_texts_in_gml(hostile_client, get_info):
    document = etree.fromstring(get_info(hostile_client, INFO_FORMAT="application/vnd.ogc.gml").content)

    assert document.findtext(".//ct:units", namespaces=GML) == HOSTILE.replace("\x00", "")
    assert document.findall(".//script") == []


def test_title_cannot_add_lines_to_plain_text(hostile_client, get_info):
    lines = get_info(hostile_client, INFO_FORMAT="text/plain").text.splitlines()

    assert [line for line in lines if line.startswith("  value =")] == [f"  value = {number(3)}"]


REFUSED = [
    ({"INFO_FORMAT": "image/png"}, "InvalidFormat", "INFO_FORMAT"),
    ({"INFO_FORMAT": None}, "MissingParameterValue", "INFO_FORMAT"),
    ({"I": "100"}, "InvalidPoint", "I"),
    ({"I": "-1"}, "InvalidPoint", "I"),
    ({"J": "1.5"}, "InvalidPoint", "J"),
    ({"J": "x"}, "InvalidPoint", "J"),
    ({"J": None}, "MissingParameterValue", "J"),
    ({"QUERY_LAYERS": "NOPE"}, "LayerNotDefined", "LAYERS"),
    ({"QUERY_LAYERS": "HEIGHT"}, "LayerNotDefined", "QUERY_LAYERS"),
    ({"QUERY_LAYERS": None}, "MissingParameterValue", "QUERY_LAYERS"),
    ({"FEATURE_COUNT": "0"}, "InvalidParameterValue", "FEATURE_COUNT"),
    ({"TIME": "2019-01-01"}, "InvalidDimensionValue", "TIME"),
    ({"CRS": "EPSG:9999"}, "InvalidCRS", "CRS"),
    ({"STYLES": "nope"}, "StyleNotDefined", "STYLES"),
]


@pytest.mark.parametrize(("changes", "code", "locator"), REFUSED, ids=str)
def test_invalid_values_are_reported(client, get_info, validate_ogc, changes, code, locator):
    answer = get_info(client, **changes)

    assert fault_of(answer) == (200, code, locator)
    assert validate_ogc(answer.content) == []


def test_a_layer_that_cannot_be_queried(make_client, get_info):
    services = served.make_services(served.make_collection(served.make_layer(queryable=False)))

    assert fault_of(get_info(make_client(services))) == (200, "LayerNotQueryable", "QUERY_LAYERS")


def test_queryable_equals_the_capabilities(make_client):
    layers = served.make_layer(), served.make_layer("SECRET", queryable=False)
    client = make_client(served.make_services(served.make_collection(*layers)))

    tree = etree.fromstring(client.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities").content)

    named = {layer.findtext("{*}Name"): layer.get("queryable") for layer in tree.iter("{*}Layer")}
    assert named == {None: None, "s2": "1", "NDVI": "1", "SECRET": "0"}


def test_invalid_format_of_the_map_is_ignored(client, get_info):
    assert properties(get_info(client, FORMAT=None)) == properties(get_info(client, FORMAT="None")) != []


def test_default_format_of_1_1_1_is_plain_text(client, get_info):
    assert get_info(client, VERSION="1.1.1", INFO_FORMAT=None).headers["Content-Type"].startswith("text/plain")


def test_an_answer_that_the_client_holds_is_not_read_again(client, get_info):
    etag = get_info(client).headers["ETag"]

    assert get_info(client, headers={"If-None-Match": etag}).status_code == 304


def test_missing_source_is_503(client, get_info):
    assert get_info(client, LAYERS="GONE").status_code == 503


@pytest.mark.client
@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_owslib_requests_and_reads_feature_info(make_url, version):
    wms = WebMapService(f"{make_url()}/wms", version=version)

    answer = wms.getfeatureinfo(
        layers=["NDVI"],
        srs="EPSG:32631",
        bbox=(600_000, 5_640_000, 610_000, 5_650_000),
        size=(100, 100),
        format="image/png",
        query_layers=["NDVI"],
        info_format="text/plain",
        xy=(COLUMN, ROW),
    )

    assert f"number = {number(3)}" in answer.read().decode()
    assert wms["NDVI"].queryable == 1
    assert set(INFO_FORMATS) <= set(wms.getOperationByName("GetFeatureInfo").formatOptions)


def test_more_layers_than_a_map_has_are_refused(client, get_info):
    answer = get_info(client, QUERY_LAYERS=",".join(["NDVI"] * 21))

    assert fault_of(answer) == (200, "InvalidParameterValue", "QUERY_LAYERS")
    assert "LayerLimit is 20" in answer.text
