"""Each row of ../shared/ogc/time.md for WMS and WMTS has a test with the row's name as id."""

from functools import cache

import numpy as np
import pytest
from lxml import etree

from chronotile.core.model.collection import TimeRules
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import step_instants
from tests.protocols import served
from tests.protocols.maps.wms.exceptions import fault_of
from tests.protocols.pictures import rgba_of

MAP = {
    "REQUEST": "GetMap",
    "VERSION": "1.3.0",
    "STYLES": "",
    "CRS": "EPSG:4326",
    "BBOX": "50.8,4.5,50.9,4.7",
    "WIDTH": "64",
    "HEIGHT": "48",
    "FORMAT": "image/png",
}
TILE = {
    "SERVICE": "WMTS",
    "REQUEST": "GetTile",
    "VERSION": "1.0.0",
    "STYLE": "",
    "FORMAT": "image/png",
    "TILEMATRIXSET": "WebMercatorQuad",
    "TILEMATRIX": "11",
    "TILEROW": "687",
    "TILECOL": "1052",
}
OWS = "{http://www.opengis.net/ows/1.1}"
WMTS = "{http://www.opengis.net/wmts/1.0}"


# Gaps of 5 days, a gap of 3 and a gap of 60; their 95th percentile is 35.25, 1.5 times that 52 days and 21 hours.
IRREGULAR_DAYS = (
    *("2020-01-01", "2020-01-06", "2020-01-11", "2020-01-14", "2020-01-19", "2020-01-24", "2020-03-24"),
    *("2020-03-29", "2020-04-03", "2020-04-08", "2020-04-13"),
)
IRREGULAR = served.days_of(*IRREGULAR_DAYS)


def layer_of(name, times, **rules):
    given = {name: np.timedelta64(value, "D") if name == "tolerance" else value for name, value in rules.items()}
    return served.make_layer(name, variable=served.make_variable(name, times=times), time_rules=TimeRules(**given))


@cache
def regular(period, count):
    return domain_of_instants(step_instants(np.datetime64("1990-01-01", "ns"), parse_period(period), count))


@pytest.fixture
def timed(make_client):
    """Client of layers with different times, and different answers for missing times."""
    layers = (
        layer_of("NDVI", served.DEKADS),
        layer_of("NEAREST", served.DEKADS, match="nearest", tolerance=5),
        layer_of("BEFORE", served.DEKADS, match="before", tolerance=5),
        layer_of("UNDATED", served.DEKADS, default="none"),
        layer_of("EARLIEST", served.DEKADS, default="earliest"),
        layer_of("ONE", served.days_of("2020-06-11"), match="nearest", tolerance=10_000),
        layer_of("AHEAD", served.days_of("2106-01-01")),
        layer_of("MISTAKEN", served.days_of("2020-06-11", "2020-06-21", "2106-01-01")),
        layer_of("HOURS", served.days_of("2020-06-20T10:00:00", "2020-06-21T12:30:00")),
        layer_of("IRREGULAR", IRREGULAR),
        layer_of("IRREGULAR_AND_MISTAKEN", served.days_of(*IRREGULAR_DAYS, "2106-01-01")),
        layer_of("MINUTES", served.days_of(*(f"2020-06-20T10:0{minute}:00" for minute in range(4)))),
        layer_of("EXACT", IRREGULAR, is_always_exact=True),
        layer_of("DAILY", regular("P1D", 5000)),
        layer_of("DEKADS", regular("dekad", 1500)),
        served.make_layer("HEIGHT", variable=served.make_variable("HEIGHT", times=served.NO_TIME)),
    )
    return make_client(served.make_services(served.make_collection(*layers)))


@pytest.fixture
def draw(timed):
    """Return a function: `draw("NDVI", time)` requests a map by WMS."""

    def ask(layers, time=None, **changes):
        query = {**MAP, "LAYERS": layers, **({} if time is None else {"TIME": time}), **changes}
        return timed.get("/wms", params=query)

    return ask


@pytest.fixture
def tile(timed):
    """Return a function: `tile("NDVI", time)` returns a tile by WMTS in key-value pairs."""

    def ask(layer, time=None):
        return timed.get("/wmts", params={**TILE, "LAYER": layer, **({} if time is None else {"time": time})})

    return ask


def used(answer):
    """Return status, instants shown and warning, or status and code of a fault."""
    if not answer.headers["Content-Type"].startswith("image/"):
        return (*fault_of(answer)[:2], None)
    return 200, answer.headers.get("Chronotile-Time"), answer.headers.get("Warning")


def at(*days, warning=None):
    return 200, ",".join(f"{day}T00:00:00Z" for day in days), warning


INVALID = (200, "InvalidDimensionValue", None)


def nearest(times):
    return f"99 Nearest value used: time={times} ISO8601"


def near(day):
    return at(day, warning=nearest(day))


WMS_ROWS = {
    "single value in extent": ("NDVI", "2020-06-11", at("2020-06-11")),
    "list TIME=t1,t2": ("NDVI", "2020-05-21,2020-06-01", at("2020-06-01", "2020-05-21")),
    "interval TIME=a/b": ("NDVI", "2020-05-21/2020-06-05", at("2020-06-01", "2020-05-21")),
    "interval TIME=a/b/p": ("DAILY", "1990-01-01/1990-01-05/P2D", at("1990-01-05", "1990-01-03", "1990-01-01")),
    "missing TIME, default present": (
        "NDVI",
        None,
        at("2020-06-21", warning="99 Default value used: time=2020-06-21 ISO8601"),
    ),
    "missing TIME, no default": ("UNDATED", None, (200, "MissingDimensionValue", None)),
    "value not in extent, nearestValue=1": ("NEAREST", "2020-06-09", near("2020-06-11")),
    "value not in extent, nearestValue=1, beyond tolerance": ("NEAREST", "2020-07-30", INVALID),
    "value not in extent, match before, beyond tolerance": ("BEFORE", "2020-06-09T23:00:00Z", INVALID),
    "match before": ("BEFORE", "2020-06-05", near("2020-06-01")),
    "value not in extent, nearestValue=0": ("NDVI", "2020-06-12", INVALID),
    "irregular times": ("IRREGULAR", "2020-01-13", near("2020-01-11")),
    "irregular times, long gap": ("IRREGULAR", "2020-03-16T20:59:59Z", near("2020-01-24")),
    "irregular times, beyond tolerance": ("IRREGULAR", "2020-03-16T21:00:01Z", INVALID),
    "irregular times, before the first": ("IRREGULAR", "2019-12-31", INVALID),
    "irregular times, after the last": ("IRREGULAR", "2020-04-14", INVALID),
    "irregular times, after the last but a mistake": ("IRREGULAR_AND_MISTAKEN", "2020-04-14", INVALID),
    "irregular times with a mistake, beyond tolerance": ("IRREGULAR_AND_MISTAKEN", "2020-03-16T21:00:01Z", INVALID),
    "irregular times, interval without any": ("IRREGULAR", "2020-02-01/2020-02-29", INVALID),
    "irregular times, configured match exact": ("EXACT", "2020-01-13", INVALID),
    "two times, which have no step": ("HOURS", "2020-06-20T12:00:00Z", INVALID),
    "interval partly outside": ("NDVI", "2020-06-15/2020-12-31", near("2020-06-21")),
    "interval without any instant": ("NDVI", "2021-01-01/2021-12-31", INVALID),
    "frame that ends where the next begins": ("NDVI", "2020-06-01T00:00:00Z/2020-06-11T00:00:00Z", at("2020-06-01")),
    "interval of days, which holds its end": ("NDVI", "2020-06-01/2020-06-11", at("2020-06-11", "2020-06-01")),
    "interval that ends after an instant": (
        "NDVI",
        "2020-06-01T00:00:00Z/2020-06-11T00:00:01Z",
        at("2020-06-11", "2020-06-01"),
    ),
    "frame with its end alone": ("NDVI", "2020-06-05T00:00:00Z/2020-06-11T00:00:00Z", INVALID),
    "interval with its end alone": ("NDVI", "2020-06-05T00:01:00Z/2020-06-11T00:00:00Z", at("2020-06-11")),
    "interval of one instant": ("NDVI", "2020-06-11T00:00:00Z/2020-06-11T00:00:00Z", at("2020-06-11")),
    "frame of several dates": ("NDVI", "2020-05-21T00:00:00Z/2020-06-11T00:00:00Z", at("2020-06-01", "2020-05-21")),
    "frame of a minute": ("MINUTES", "2020-06-20T10:00:00Z/2020-06-20T10:01:00Z", (200, "2020-06-20T10:00:00Z", None)),
    "frame in milliseconds since 1970": ("NDVI", "1590969600000/1591833600000", at("2020-06-01")),
    "interval of minutes, which holds its end": (
        "MINUTES",
        "2020-06-20T10:00:00Z/2020-06-20T10:02:00Z",
        (200, "2020-06-20T10:02:00Z,2020-06-20T10:01:00Z,2020-06-20T10:00:00Z", None),
    ),
    "list, whose intervals hold their ends": (
        "NDVI",
        "2020-06-01T00:00:00Z/2020-06-11T00:00:00Z,2020-06-21",
        at("2020-06-21", "2020-06-11", "2020-06-01"),
    ),
    "interval with period, which holds its end": (
        "DAILY",
        "1990-01-01T00:00:00Z/1990-01-03T00:00:00Z/P1D",
        at("1990-01-03", "1990-01-02", "1990-01-01"),
    ),
    "TIME=current": ("NDVI", "current", at("2020-06-21")),
    "TIME=a/current": ("NDVI", "2020-06-15/current", at("2020-06-21")),
    "TIME=a/current, a time in the future": ("MISTAKEN", "2020-06-11/current", at("2020-06-21", "2020-06-11")),
    "TIME=current, a time in the future": ("MISTAKEN", "current", at("2020-06-21")),
    "open interval, a time in the future": ("MISTAKEN", "2020-06-30/..", at("2106-01-01")),
    "TIME=a/current, which begins after it": ("MISTAKEN", "2020-06-30/current", INVALID),
    "TIME=a/current where it is not declared": ("AHEAD", "2020-06-11/current", INVALID),
    "TIME=current where it is not declared": ("AHEAD", "current", INVALID),
    "layer without time beside one with time": ("NDVI,HEIGHT", "2020-06-11", at("2020-06-11")),
    "layer with one known time": ("ONE", "1999", near("2020-06-11")),
    "TIME=default": ("EARLIEST", "default", (*at("2020-05-21")[:2], None)),
}


@pytest.mark.parametrize(("layers", "time", "expected"), WMS_ROWS.values(), ids=WMS_ROWS)
def test_wms_row(draw, layers, time, expected):
    found = used(draw(layers, time))

    assert found[:2] == expected[:2]
    assert time == "default" or found[2] == expected[2]


@pytest.mark.parametrize(
    "text",
    [
        *("2020-06-21", "2020-06-21T12", "2020-06-21T12:30", "2020-06-21T12:30:00", "2020-06-21T12:30:00.000"),
        *("2020-06-21T12:30Z", "2020-06-21T12:30:00Z", "2020-06-21T12:30:00.000Z", "2020-06-21T14:30:00+02:00"),
        "2020-06-21T10:30:00-02:00",
    ],
)
@pytest.mark.parametrize("service", ["wms", "wmts"])
def test_value_forms_to_accept(draw, tile, service, text):
    answer = draw("HOURS", text) if service == "wms" else tile("HOURS", text)

    assert answer.headers["Chronotile-Time"] == "2020-06-21T12:30:00Z"


@pytest.mark.parametrize(("text", "count"), [("2020", 4), ("2020-06", 3), ("2020-05", 1)])
@pytest.mark.parametrize("service", ["wms", "wmts"])
def test_reduced_precision_is_the_whole_period(draw, tile, service, text, count):
    answer = draw("NDVI", text) if service == "wms" else tile("NDVI", text)

    assert len(answer.headers["Chronotile-Time"].split(",")) == count


def test_no_data_at_a_valid_time_and_place_is_a_transparent_map(draw):
    answer = draw("NDVI", "2020-06-11", BBOX="10,10,11,12", TRANSPARENT="TRUE")

    assert answer.status_code == 200
    assert not rgba_of(answer.content)[..., 3].any()


def test_get_feature_info_takes_the_time_of_its_map(timed):
    query = {
        **MAP,
        "REQUEST": "GetFeatureInfo",
        "LAYERS": "NDVI",
        "QUERY_LAYERS": "NDVI",
        "I": "1",
        "J": "1",
        "INFO_FORMAT": "application/json",
    }

    one, series = (timed.get("/wms", params={**query, "TIME": time}) for time in ("2020-06-11", "2020-06"))

    assert one.json()["features"][0]["properties"]["time"] == "2020-06-11T00:00:00Z"
    assert len(series.json()["features"][0]["properties"]["times"]) == 3


def wms_dimension(timed, layer, version="1.3.0"):
    tree = etree.fromstring(timed.get(f"/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION={version}").content)
    name = "Dimension" if version == "1.3.0" else "Extent"
    return tree.xpath(f"//*[local-name()='Name'][.='{layer}']/../*[local-name()='{name}']")[0]


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("NDVI", {"default": "2020-06-21", "multipleValues": "1", "nearestValue": "0", "current": "1"}),
        ("NEAREST", {"default": "2020-06-21", "multipleValues": "1", "nearestValue": "1", "current": "1"}),
        ("UNDATED", {"multipleValues": "1", "nearestValue": "0", "current": "1"}),
        ("AHEAD", {"multipleValues": "1", "nearestValue": "0"}),
        ("EXACT", {"default": "2020-04-13", "multipleValues": "1", "nearestValue": "0", "current": "1"}),
        ("IRREGULAR", {"default": "2020-04-13", "multipleValues": "1", "nearestValue": "1", "current": "1"}),
        ("ONE", {"default": "2020-06-11", "multipleValues": "1", "nearestValue": "1", "current": "1"}),
    ],
)
@pytest.mark.parametrize("version", ["1.3.0", "1.1.1"])
def test_declared_dimension_follows_the_rules_of_the_layer(timed, version, layer, told):
    found = dict(wms_dimension(timed, layer, version).attrib)

    assert found.pop("name") == "time"
    assert found.pop("units", "ISO8601") == "ISO8601"
    assert found.pop("unitSymbol", "") == ""
    assert found == told


def test_declaration_111_has_dimension_and_extent(timed):
    tree = etree.fromstring(timed.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1").content)
    layer = tree.xpath("//Layer[Name='NDVI']")[0]

    assert dict(layer.find("Dimension").attrib) == {"name": "time", "units": "ISO8601"}
    assert layer.findtext("Extent") == "2020-05-21,2020-06-01,2020-06-11,2020-06-21"


@pytest.mark.parametrize("service", ["WMS", "WMTS"])
@pytest.mark.parametrize(
    "time",
    ["2020-06-01,2020-06-11", "1990-01-01/2020-01-01/P1D", "2020-06-01/2020-06-11"],
    ids=["list", "steps", "interval"],
)
def test_capabilities_have_one_default(timed, service, time):
    answer = timed.get(f"/{service.lower()}?SERVICE={service}&REQUEST=GetCapabilities&TIME={time}")

    assert "InvalidParameterValue" in answer.text
    assert "must be one time" in answer.text


@pytest.mark.parametrize("service", ["WMS", "WMTS"])
def test_capabilities_of_one_time_are_the_same_however_it_is_written(timed, service):
    address = f"/{service.lower()}?SERVICE={service}&REQUEST=GetCapabilities&TIME="

    assert timed.get(f"{address}current").content == timed.get(f"{address}NOW").content


@pytest.mark.parametrize("layer", ["DAILY", "DEKADS", "NDVI"])
def test_extent_text_has_no_spaces_and_every_value_is_drawn(timed, draw, layer):
    values = wms_dimension(timed, layer).text

    assert not set(values) & set(" \n")
    assert {draw(layer, value).headers["Content-Type"] for value in values.split(",")} == {"image/png"}


def test_dekads_are_three_interleaved_series_of_months(timed):
    assert {value[8:10] for value in wms_dimension(timed, "DEKADS").text.split(",")} == {"01", "11", "21"}
    assert {value.split("/")[2] for value in wms_dimension(timed, "DEKADS").text.split(",")} == {"P1M"}


@pytest.mark.parametrize("layer", ["NDVI", "EARLIEST", "DAILY", "HOURS"])
def test_default_value_lies_in_the_extent(timed, draw, layer):
    dimension = wms_dimension(timed, layer)

    assert used(draw(layer, dimension.get("default")))[:2] == used(draw(layer))[:2]


def wmts_dimension(timed, layer):
    tree = etree.fromstring(timed.get("/wmts?SERVICE=WMTS&REQUEST=GetCapabilities").content)
    return tree.xpath(f"//*[local-name()='Layer'][*[local-name()='Identifier']='{layer}']/*[local-name()='Dimension']")[
        0
    ]


@pytest.mark.parametrize("layer", ["NDVI", "NEAREST", "UNDATED", "EARLIEST", "ONE", "AHEAD", "HOURS"])
def test_wmts_declaration_has_a_default_that_is_an_instant(timed, layer):
    dimension = wmts_dimension(timed, layer)

    assert (dimension.findtext(f"{OWS}Identifier"), dimension.findtext(f"{OWS}UOM")) == ("Time", "ISO8601")
    assert dimension.findtext(f"{WMTS}Default") in [each.text for each in dimension.findall(f"{WMTS}Value")]
    assert dimension.findtext(f"{WMTS}Current") == ("false" if layer == "AHEAD" else "true")


@pytest.mark.parametrize(
    ("layer", "time", "status", "shown"),
    [
        pytest.param("NDVI", "2020-06-11", 200, "2020-06-11", id="KVP"),
        pytest.param("EARLIEST", "default", 200, "2020-05-21", id="literal default"),
        pytest.param("NDVI", "current", 200, "2020-06-21", id="literal current"),
        pytest.param("MISTAKEN", "2020-06-15/current", 200, "2020-06-21", id="literal current ends an interval"),
        pytest.param("AHEAD", "current", 400, None, id="literal current where it is not declared"),
        pytest.param("EARLIEST", None, 200, "2020-05-21", id="absent in KVP"),
        pytest.param("UNDATED", None, 200, "2020-06-21", id="absent in KVP, layer without default"),
        pytest.param("NDVI", "2020-06-12", 400, None, id="unknown value"),
        pytest.param("NEAREST", "2020-06-12", 200, "2020-06-11", id="unknown value, match nearest"),
        pytest.param("BEFORE", "2020-06-05", 200, "2020-06-01", id="unknown value, match before"),
        pytest.param("IRREGULAR", "2020-01-13", 200, "2020-01-11", id="unknown value, irregular times"),
        pytest.param("IRREGULAR", "2020-03-20", 400, None, id="unknown value, irregular times, beyond tolerance"),
        pytest.param("EXACT", "2020-01-13", 400, None, id="unknown value, irregular times, match exact"),
        pytest.param("HEIGHT", "2020-06-05", 200, None, id="layer without time"),
    ],
)
@pytest.mark.parametrize("encoding", ["KVP", "REST"])
def test_wmts_row(timed, tile, encoding, layer, time, status, shown):
    path = f"/wmts/1.0.0/{layer}/default/{time or 'default'}/WebMercatorQuad/11/687/1052.png"

    answer = tile(layer, time) if encoding == "KVP" else timed.get(path)

    expected = 404 if status == 400 and encoding == "REST" else status
    assert answer.status_code == expected
    assert answer.headers.get("Chronotile-Time", "")[:10] == (shown or "")


INFO_OF_TILE = {"REQUEST": "GetFeatureInfo", "I": "9", "J": "9", "INFOFORMAT": "application/json"}


@pytest.mark.parametrize("changes", [{}, INFO_OF_TILE], ids=["GetTile", "GetFeatureInfo"])
@pytest.mark.parametrize(
    ("layer", "time", "shown", "warnings"),
    [
        ("IRREGULAR", "2020-01-13", "2020-01-11", [nearest("2020-01-11")]),
        ("NEAREST", "2020-06-12", "2020-06-11", [nearest("2020-06-11")]),
        ("IRREGULAR", "2020-01-11", "2020-01-11", []),
    ],
)
def test_wmts_warns_of_a_time_that_stands_in(timed, changes, layer, time, shown, warnings):
    answers = [timed.get("/wmts", params={**TILE, **changes, "LAYER": layer, "TIME": time}) for _ in range(2)]

    assert [answer.headers.get_list("Warning") for answer in answers] == [warnings] * 2
    assert {answer.headers["Chronotile-Time"] for answer in answers} == {f"{shown}T00:00:00Z"}


@pytest.mark.parametrize("service", ["wms", "wmts"])
def test_feature_info_and_map_show_one_time(timed, service):
    info = {**MAP, "REQUEST": "GetFeatureInfo", "QUERY_LAYERS": "IRREGULAR", "INFO_FORMAT": "application/json"}
    query = {"wms": {**info, "LAYERS": "IRREGULAR", "I": "9", "J": "9"}, "wmts": {**TILE, **INFO_OF_TILE}}[service]

    answer = timed.get(f"/{service}", params={**query, "LAYER": "IRREGULAR", "TIME": "2020-01-13T10:00:00Z"})

    assert answer.json()["features"][0]["properties"]["time"] == "2020-01-11T00:00:00Z"


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/IRREGULAR/WebMercatorQuad/11/1052/687.png",
        "/ogcapi/collections/IRREGULAR/map",
        "/ogcapi/collections/IRREGULAR/map/tiles/WebMercatorQuad/11/687/1052",
        "/timeseries/IRREGULAR/point?lon=4.6&lat=50.9",
        "/cubes/IRREGULAR/WebMercatorQuad/11/1052/687.ctc",
    ],
)
def test_other_answers_are_exact_between_irregular_times(timed, path):
    joined = "&" if "?" in path else "?"

    found, missing = (timed.get(f"{path}{joined}datetime=2020-01-{day}") for day in (11, 13))

    assert (found.status_code, missing.status_code) == (200, 404)


def test_a_difference_is_from_a_frame_as_a_map_is_of_one(draw):
    answer = draw("NDVI", "2020-06-11", DIFFERENCE="2020-05-21T00:00:00Z/2020-06-11T00:00:00Z")

    assert answer.headers["Chronotile-Time"] == (
        "2020-06-11T00:00:00Z;difference=2020-06-01T00:00:00Z,2020-05-21T00:00:00Z"
    )


def test_a_difference_is_from_the_time_before(draw):
    answer = draw("IRREGULAR", "2020-04-10", DIFFERENCE="2020-01-13")

    assert answer.headers["Chronotile-Time"] == "2020-04-08T00:00:00Z;difference=2020-01-11T00:00:00Z"
    assert answer.headers.get_list("Warning") == [
        nearest("2020-04-08"),
        nearest("2020-01-11").replace("time=", "difference="),
    ]


def test_wmts_unknown_value_is_named_by_the_identifier(tile):
    exception = etree.fromstring(tile("NDVI", "2020-06-12").content)[0]

    assert (exception.get("exceptionCode"), exception.get("locator")) == ("InvalidParameterValue", "Time")


def test_wmts_long_series_are_intervals_that_are_accepted_as_values(timed, tile):
    values = [each.text for each in wmts_dimension(timed, "DAILY").findall(f"{WMTS}Value")]

    assert {value.count("/") for value in values} == {2}
    assert {tile("DAILY", value).status_code for value in values} == {200}


@pytest.mark.parametrize(
    "answer_of", [lambda draw, tile: draw("NDVI", "2020-06-11"), lambda draw, tile: tile("NDVI", "2020-06-11")]
)
def test_caching_is_short_without_a_revision(draw, tile, answer_of):
    assert answer_of(draw, tile).headers["Cache-Control"] == "public, max-age=300, stale-while-revalidate=86400"


def wmts_defaults(timed, query):
    tree = etree.fromstring(timed.get(f"/wmts?SERVICE=WMTS&REQUEST=GetCapabilities{query}").content)
    layers = tree.findall(f".//{WMTS}Layer")
    return {layer.findtext(f"{OWS}Identifier"): layer.findtext(f"{WMTS}Dimension/{WMTS}Default") for layer in layers}


def wms_defaults(timed, query):
    tree = etree.fromstring(timed.get(f"/wms?SERVICE=WMS&REQUEST=GetCapabilities{query}").content)
    named = tree.xpath("//*[local-name()='Layer'][*[local-name()='Name']]")
    return {
        each.xpath("string(*[local-name()='Name'])"): each.xpath("string(*[local-name()='Dimension']/@default)") or None
        for each in named
    }


@pytest.mark.parametrize("defaults", [wms_defaults, wmts_defaults])
@pytest.mark.parametrize(
    ("time", "changed"),
    [
        ("2020-06-11", dict.fromkeys(("NDVI", "NEAREST", "BEFORE", "EARLIEST"), "2020-06-11")),
        ("2020-06-13", dict.fromkeys(("NEAREST", "BEFORE"), "2020-06-11")),
        ("2020-05", dict.fromkeys(("NDVI", "NEAREST", "BEFORE", "EARLIEST"), "2020-05-21")),
        ("2020-01-13", {"IRREGULAR": "2020-01-11"}),
        ("1999", {}),
    ],
    ids=["date", "date that some answer with another", "month", "between irregular dates", "date that few have"],
)
def test_capabilities_requested_with_a_time_have_it_as_default(timed, defaults, time, changed):
    own, asked = defaults(timed, ""), defaults(timed, f"&TIME={time}")

    assert {name: asked[name] for name in changed} == changed
    names = {"NDVI", "NEAREST", "BEFORE", "EARLIEST", "IRREGULAR", "AHEAD", "HEIGHT"} - set(changed)
    assert {name: asked[name] for name in names} == {name: own[name] for name in names}


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_addresses_of_wms_capabilities_carry_the_time(timed, version):
    query = f"SERVICE=WMS&REQUEST=GetCapabilities&VERSION={version}&TIME=2020-06-11"
    tree = etree.fromstring(timed.get(f"/wms?{query}").content)
    href = "{http://www.w3.org/1999/xlink}href"
    (address,) = {each.get(href) for each in tree.xpath("//*[local-name()='Get']/*") if each.get(href)}

    query = "&".join(f"{name}={value}" for name, value in {**MAP, "LAYERS": "NDVI"}.items())

    assert timed.get(f"{address}{query}").headers["Chronotile-Time"] == "2020-06-11T00:00:00Z"


def test_capabilities_of_wmts_name_themselves_with_the_time(timed):
    query = "SERVICE=WMTS&REQUEST=GetCapabilities&TIME=2020-06-11&layers=NDVI"
    tree = etree.fromstring(timed.get(f"/wmts?{query}").content)
    address = tree.find(f"{WMTS}ServiceMetadataURL").get("{http://www.w3.org/1999/xlink}href")

    again = etree.fromstring(timed.get(address).content)

    assert [each.text for each in again.iter(f"{WMTS}Default")] == ["2020-06-11"]


@pytest.mark.parametrize("service", ["WMS", "WMTS"])
def test_capabilities_with_an_invalid_time_are_refused(timed, service):
    query = f"SERVICE={service}&REQUEST=GetCapabilities&TIME=yesterday"

    assert b"yesterday" in timed.get(f"/{service.lower()}?{query}").content
