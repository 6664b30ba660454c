"""Service exceptions: code, locator, status, and validity against OGC's schemas."""

import pytest
from lxml import etree

from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import ServiceInfo
from tests.protocols import served
from tests.protocols.maps.wms.exceptions import fault_of

WRONG = [
    ({"LAYERS": "NDVX"}, "LayerNotDefined", "LAYERS"),
    ({"LAYERS": "NDVX,NDVI"}, "LayerNotDefined", "LAYERS"),
    ({"LAYERS": "NDVI,NDVX"}, "LayerNotDefined", "LAYERS"),
    ({"LAYERS": None}, "MissingParameterValue", "LAYERS"),
    ({"LAYERS": ""}, "MissingParameterValue", "LAYERS"),
    ({"STYLES": "viridix"}, "StyleNotDefined", "STYLES"),
    ({"STYLES": "steps/viridix"}, "StyleNotDefined", "STYLES"),
    ({"STYLES": "steps,reds"}, "InvalidParameterValue", "STYLES"),
    ({"CRS": "EPSG:9999999"}, "InvalidCRS", "CRS"),
    ({"CRS": "EPSG:5773"}, "InvalidCRS", "CRS"),
    ({"CRS": "+init=epsg:4326"}, "InvalidCRS", "CRS"),
    ({"CRS": None}, "MissingParameterValue", "CRS"),
    ({"FORMAT": "image/bmp"}, "InvalidFormat", "FORMAT"),
    ({"VERSION": None}, "MissingParameterValue", "VERSION"),
    ({"VERSION": "1.4.0"}, "InvalidParameterValue", "VERSION"),
    ({"REQUEST": None}, "MissingParameterValue", "REQUEST"),
    ({"REQUEST": "PutStyles"}, "OperationNotSupported", "REQUEST"),
    ({"SERVICE": "WFS"}, "InvalidParameterValue", "SERVICE"),
    ({"WIDTH": "0"}, "InvalidParameterValue", "WIDTH"),
    ({"WIDTH": "-5"}, "InvalidParameterValue", "WIDTH"),
    ({"WIDTH": "1e2"}, "InvalidParameterValue", "WIDTH"),
    ({"WIDTH": "1000000000"}, None, "WIDTH"),
    ({"HEIGHT": None}, "MissingParameterValue", "HEIGHT"),
    ({"BBOX": "610000,5640000,600000,5650000"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "600000,5640000,600000,5650000"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "600000,5650000,610000,5640000"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "600000,5640000,610000"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "nan,5640000,610000,5650000"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "-inf,5640000,610000,inf"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "600000,5640000,1e999,5650000"}, "InvalidParameterValue", "BBOX"),
    ({"BBOX": "-1e300,-1e300,1e300,1e300"}, "InvalidParameterValue", "BBOX"),
    ({"TRANSPARENT": "MAYBE"}, "InvalidParameterValue", "TRANSPARENT"),
    ({"BGCOLOR": "red"}, "InvalidParameterValue", "BGCOLOR"),
    ({"COLORSCALERANGE": "9,1"}, "InvalidParameterValue", "COLORSCALERANGE"),
    ({"EXCEPTIONS": "HTML"}, "InvalidParameterValue", "EXCEPTIONS"),
    ({"NUMCOLORBANDS": "0"}, "InvalidParameterValue", "NUMCOLORBANDS"),
    ({"NUMCOLORBANDS": "254"}, "InvalidParameterValue", "NUMCOLORBANDS"),
    ({"LOGSCALE": "MAYBE"}, "InvalidParameterValue", "LOGSCALE"),
    ({"LOGSCALE": "TRUE"}, "InvalidParameterValue", "LOGSCALE"),
    ({"ABOVEMAXCOLOR": "red"}, "InvalidParameterValue", "ABOVEMAXCOLOR"),
    ({"BELOWMINCOLOR": "0x12345"}, "InvalidParameterValue", "BELOWMINCOLOR"),
    ({"BGCOLOR": "0x80FFFFFF"}, "InvalidParameterValue", "BGCOLOR"),
    ({"DIFFERENCE": "soon"}, "InvalidParameterValue", "DIFFERENCE"),
    ({"DIFFERENCE": "2020-06-12"}, "InvalidDimensionValue", "DIFFERENCE"),
    ({"LAYERS": "TRUE_COLOUR", "DIFFERENCE": "2020-06-11"}, "InvalidParameterValue", "DIFFERENCE"),
    ({"LAYERS": "TRUE_COLOUR", "LOGSCALE": "TRUE"}, "InvalidParameterValue", "STYLES"),
    ({"TIME": "soon"}, "InvalidDimensionValue", "TIME"),
    ({"TIME": "2020-06-12"}, "InvalidDimensionValue", "TIME"),
    ({"TIME": "2019-01-01/2019-12-31"}, "InvalidDimensionValue", "TIME"),
    ({"TIME": "2020-06-01/2020-06-30/P0D"}, "InvalidDimensionValue", "TIME"),
    ({"TIME": "2020-06-01/2020-06-30/PT0S"}, "InvalidDimensionValue", "TIME"),
    ({"TIME": "2020-06-01/2020-06-30/-P10D"}, "InvalidDimensionValue", "TIME"),
    ({"DIFFERENCE": "2020-06-01/2020-06-30/P0D"}, "InvalidParameterValue", "DIFFERENCE"),
    ({"TIME": "2020-06-30/2020-06-01"}, "InvalidDimensionValue", "TIME"),
    ({"LAYERS": "UNDATED"}, "MissingDimensionValue", "TIME"),
]


def name_of(changes):
    return "&".join(f"{name}={value}" for name, value in changes.items())[:60]


@pytest.mark.parametrize(("changes", "code", "locator"), WRONG, ids=[name_of(each[0]) for each in WRONG])
def test_exception_of_130_has_code_and_locator(client, get_map, validate_ogc, changes, code, locator):
    answer = get_map(client, **changes)

    assert fault_of(answer) == (200, code, locator)
    assert answer.headers["Content-Type"] == "text/xml"
    assert validate_ogc(answer.content) == []


@pytest.mark.quick_cases("BBOX", "STYLES", "VERSION")
@pytest.mark.parametrize(("changes", "code", "locator"), WRONG, ids=[name_of(each[0]) for each in WRONG])
def test_exception_of_111_is_valid_too(client, get_map, validate_ogc, changes, code, locator):
    changed = {"SRS" if name == "CRS" else name: value for name, value in changes.items()}

    answer = get_map(
        client, **{"VERSION": "1.1.1", **changed} if changes.keys() != {"VERSION"} else {"VERSION": "1.0.0"}
    )

    assert fault_of(answer)[0] == 200
    assert answer.headers["Content-Type"] == "application/vnd.ogc.se_xml"
    assert validate_ogc(answer.content) == []


def test_unknown_crs_is_invalid_srs_in_111(make_client, get_map):
    answer = get_map(make_client(), VERSION="1.1.1", SRS="EPSG:9999999")

    assert etree.fromstring(answer.content)[0].get("code") == "InvalidSRS"


def test_more_layers_than_the_limit_are_refused_by_its_name(client, get_map):
    answer = get_map(client, LAYERS=",".join(["HEIGHT"] * 21))

    assert "LayerLimit is 20" in answer.text


def test_map_beyond_the_limit_names_it(make_client, get_map):
    client = make_client(served.make_services(limits=Limits(max_pixels=10_000)))

    assert get_map(client).headers["Content-Type"] == "image/png"
    assert "max_pixels: at most 10000" in get_map(client, VERSION="1.1.1", WIDTH="101").text


@pytest.mark.parametrize(("side", "limit"), [("WIDTH", "MaxWidth"), ("HEIGHT", "MaxHeight")])
def test_map_of_130_beyond_its_advertised_limits_is_refused(make_client, get_map, side, limit):
    client = make_client(served.make_services(limits=Limits(max_pixels=10_100)))
    small = {"WIDTH": "10", "HEIGHT": "10"}

    answer = get_map(client, **small | {side: "101"})

    assert get_map(client, **small | {side: "100"}).headers["Content-Type"] == "image/png"
    assert fault_of(answer) == (200, None, side)
    assert f"{limit}: at most 100, 101 requested" in answer.text


def test_map_of_111_may_be_wider_than_high_since_no_limit_is_advertised(make_client, get_map):
    client = make_client(served.make_services(limits=Limits(max_pixels=10_000)))

    assert get_map(client, VERSION="1.1.1", WIDTH="1000", HEIGHT="10").headers["Content-Type"] == "image/png"


def test_webp_that_is_too_wide_is_refused_by_its_format(make_client, get_map):
    client = make_client(served.make_services(limits=Limits(max_pixels=20_000**2)))

    answer = get_map(client, FORMAT="image/webp", WIDTH="20000", HEIGHT="1")

    assert 'code="InvalidFormat" locator="FORMAT"' in answer.text


@pytest.mark.parametrize(("size", "locator"), [({"WIDTH": "9000"}, "WIDTH"), ({"HEIGHT": "9000"}, "HEIGHT")])
def test_larger_side_of_too_large_a_picture_is_named(client, get_map, size, locator):
    assert f'locator="{locator}"' in get_map(client, **{"WIDTH": "3000", "HEIGHT": "3000"} | size).text


def test_time_not_available_names_the_nearest(make_client, get_map):
    answer = get_map(make_client(), TIME="2020-06-12")

    assert "2020-06-11T00:00:00Z and 2020-06-21T00:00:00Z" in answer.text


def test_current_is_an_invalid_value_if_all_times_are_in_the_future(make_client, get_map):
    future = served.make_layer(variable=served.make_variable(times=served.days_of("2106-01-01")))
    client = make_client(served.make_services(served.make_collection(future)))

    codes = [etree.fromstring(get_map(client, TIME=time).content)[0].get("code") for time in ("current", None)]

    assert codes == ["InvalidDimensionValue", "MissingDimensionValue"]


def test_last_of_a_repeated_parameter_is_reported(make_client, validate_ogc):
    answer = make_client().get("/wms?REQUEST=GetMap&LAYERS=NDVI&layers=NDVX&VERSION=1.3.0")

    assert fault_of(answer) == (200, "LayerNotDefined", "LAYERS")
    assert "NDVX" in answer.text
    assert validate_ogc(answer.content) == []


def test_missing_source_is_a_503_that_names_the_layer(client, get_map, validate_ogc):
    answer = get_map(client, LAYERS="GONE")

    assert answer.status_code == 503
    assert (answer.headers["Cache-Control"], answer.headers["Retry-After"]) == ("no-store", "5")
    assert "GONE" in answer.text
    assert validate_ogc(answer.content) == []


@pytest.mark.parametrize(
    ("changes", "code", "locator"),
    [
        ({"LAYERS": "NDVX"}, "LayerNotDefined", "LAYERS"),
        ({"REQUEST": "PutStyles"}, "OperationNotSupported", "REQUEST"),
        ({"TIME": "2020-06-12"}, "InvalidDimensionValue", "TIME"),
    ],
)
def test_status_of_exceptions_may_be_400(make_client, get_map, changes, code, locator):
    client = make_client(served.make_services(service=ServiceInfo(wms_exception_status=400)))

    assert fault_of(get_map(client, **changes)) == (400, code, locator)


def test_missing_source_is_a_503_with_any_configured_status_of_exceptions(make_client, get_map):
    collections = served.varied_collections()
    services = served.make_services(*collections, service=ServiceInfo(wms_exception_status=400), broken=["GONE"])

    assert fault_of(get_map(make_client(services), LAYERS="GONE")) == (503, None, None)


def test_exception_as_json_is_not_cached_either(client, get_map):
    answer = get_map(client, LAYERS="NDVX", EXCEPTIONS="JSON")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["exceptions"][0]["code"] == "LayerNotDefined"


def test_exception_is_sent_though_the_client_holds_any_answer(client, get_map):
    answer = get_map(client, LAYERS="NDVX", headers={"If-None-Match": "*"})

    assert fault_of(answer) == (200, "LayerNotDefined", "LAYERS")


def test_exception_does_not_replace_a_cached_map(client, get_map):
    """A time without data is answered again for each request, and a later map as before."""
    first = get_map(client, TIME="2020-06-11")
    missing = [fault_of(get_map(client, TIME="2020-06-12")) for _ in range(2)]

    assert missing == [(200, "InvalidDimensionValue", "TIME")] * 2
    assert get_map(client, TIME="2020-06-11").content == first.content


def test_pages_of_any_origin_may_read_exceptions(client, get_map):
    answer = get_map(client, LAYERS="NDVX", headers={"Origin": "https://maps.example.org"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert fault_of(answer)[0] == 200


def test_capabilities_of_another_service_are_refused(make_client):
    answer = make_client().get("/wms?REQUEST=GetCapabilities&VERSION=1.3.0&SERVICE=WFS")

    assert (fault_of(answer)[0], fault_of(answer)[2]) == (200, "SERVICE")


@pytest.mark.parametrize("text", ["<&>\"'", "a\x00b\x1f\x0b", "\ufffe\uffff", "ü漢😀", "]]>", "{{ 7 * 7 }}", "%s%n"])
def test_hostile_text_leaves_the_exception_valid(make_client, get_map, validate_ogc, text):
    client = make_client()

    answers = [
        get_map(client, LAYERS=text),
        get_map(client, STYLES=text),
        get_map(client, **{text: "1", "LAYERS": text}),
    ]

    assert [validate_ogc(answer.content) for answer in answers] == [[], [], []]
    assert "49" not in answers[0].text
