"""Parameters as text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter, MissingParameter
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.values import bbox, choice, integer, number, numbers, value_range


def test_names_are_case_insensitive():
    query = Kvp([("LaYeRs", "a"), ("STYLES", "")])

    assert query.require("layers") == "a"
    assert query.optional("styles") is None
    assert "styles" in query
    assert "format" not in query


@pytest.mark.parametrize("pairs", [[], [("layers", "")], [("layers", "  ")]])
def test_missing_required_parameter_is_refused(pairs):
    with pytest.raises(MissingParameter, match="LAYERS") as caught:
        Kvp(pairs).require("LAYERS")

    assert caught.value.locator == "LAYERS"


def test_repeated_name_must_have_one_value():
    assert Kvp([("a", "1"), ("A", "1")]).require("a") == "1"
    with pytest.raises(InvalidParameter, match="repeated"):
        Kvp([("a", "1"), ("A", "2")])


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-.0005E1", -0.005), ("-25E-4", -0.0025), ("+05E-3", 0.005), (".00025E+1", 0.0025), ("5.", 5)],
)
def test_numbers_in_every_notation_of_wms(text, value):
    assert number(text, locator="BBOX") == value


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-Infinity", "1e999", "0x10", "1_000", "\uff11", "1,0", "1 0", "9" * 100]
)
def test_text_that_is_no_finite_number_is_refused(text):
    with pytest.raises(InvalidParameter):
        number(text, locator="BBOX")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_float_is_read_back(value):
    assert number(repr(value), locator="x") == value


@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_refused(text):
    try:
        value = number(text, locator="x")
    except InvalidParameter:
        value = 0.0

    assert math.isfinite(value)


@pytest.mark.parametrize("text", ["1.5", "", "ten", "1e3", "9" * 30, "\u0661"])
def test_invalid_integer_is_refused(text):
    with pytest.raises(InvalidParameter):
        integer(text, locator="WIDTH")


def test_a_whole_number_below_the_least():
    with pytest.raises(InvalidParameter, match="at least 1"):
        integer("0", locator="WIDTH", least=1)


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "1,2,3,a", "3,2,1,4", "1,2,1,4", ""])
def test_invalid_box_is_refused(text):
    with pytest.raises(InvalidParameter):
        bbox(text, locator="BBOX")


def test_lists_choices_and_ranges():
    assert numbers("1, 2", 2, locator="x") == (1, 2)
    assert choice("a", ["a", "b"], locator="x") == "a"
    assert value_range("-1,1", locator="range") == (-1, 1)
    with pytest.raises(InvalidParameter, match="a, b"):
        choice("c", ["a", "b"], locator="x")


def test_range_longer_than_the_largest_float_is_refused():
    with pytest.raises(InvalidParameter, match="ascending"):
        value_range("-1e308,1e308", locator="range")


def test_only_so_many_unknown_names_are_compared():
    pairs = [(f"{number}-of-many", "1") for number in range(20)]

    Kvp([*pairs, ("styles", "reds")]).check_spelling(["style"])


NAMES_OF_TIMES = ["time", "DATE", "dates", "start", "end", "from", "to", "begin", "startDate", "ENDDATE", "start_date"]


@pytest.mark.parametrize("name", NAMES_OF_TIMES)
def test_another_services_name_for_datetime_is_refused(name):
    with pytest.raises(InvalidParameter, match="use datetime"):
        Kvp([(name, "2020")]).check_names(["datetime"])


@pytest.mark.parametrize("name", NAMES_OF_TIMES)
def test_name_that_means_times_in_other_protocols_has_our_meaning_if_we_define_it(name):
    Kvp([(name, "2020")]).check_names(["datetime", name])


WORDS_OF_OTHERS = {
    # TiTiler
    "colormap_name": "use ramp",
    "colormap": "use ramp",
    "rescale": "use range",
    "bidx": "each variable or band is a layer",
    "tilesize": "a tile of twice the pixels ends with @2x",
    "url": "the address names a layer",
    "return_mask": "pixels without a value are transparent",
    "resampling": "the configuration of the layer has it",
    # xcube
    "cmap": "use ramp",
    "cbar": "use ramp",
    "vmin": "use range",
    "vmax": "use range",
    "vars": "each variable or band is a layer",
    "tolerance": "the configuration of the layer has it",
    "retina": "a tile of twice the pixels ends with @2x",
    # Sentinel Hub
    "time": "use datetime",
    "evalscript": "use expression",
    "maxcc": "masks of the configuration leave clouds out",
}


@pytest.mark.parametrize(("name", "answer"), WORDS_OF_OTHERS.items())
def test_words_of_other_servers_lead_to_ours(name, answer):
    with pytest.raises(InvalidParameter, match=f"^{name} is not a parameter here; {answer}"):
        Kvp([(name, "1")]).check_names(["datetime", "style", "range", "ramp", "reducer", "expression"])


def test_fields_are_called_as_the_operation_calls_them():
    with pytest.raises(InvalidParameter, match="use parameter-name"):
        Kvp([("bands", "a")]).check_names(["datetime", "parameter-name"])
    with pytest.raises(InvalidParameter, match="use properties"):
        Kvp([("rangeSubset", "a")]).check_names(["datetime", "properties"])


def test_unknown_name_is_refused_with_the_accepted_ones():
    with pytest.raises(InvalidParameter, match=r"^Foo is not a parameter here; accepted are lon, lat$") as caught:
        Kvp([("Foo", "1")]).check_names(["lon", "lat"])

    assert caught.value.locator == "Foo"
    with pytest.raises(InvalidParameter, match=r"^foo is not a parameter here; there are none$"):
        Kvp([("foo", "")]).check_names([])


def test_message_lists_each_accepted_name_once_in_order():
    with pytest.raises(InvalidParameter, match=r"accepted are value, lon, lat$"):
        Kvp([("foo", "1")]).check_names(["value", "lon", "value", "lat", "lon"])


@pytest.mark.parametrize("name", ["", "_", "_ts", "token", "Access_Token", "api_key", "f", "LANG", "utm_medium", "x-a"])
def test_usual_additions_of_clients_are_no_unknown_names(name):
    Kvp([(name, "1")]).check_names(["lon", "lat"])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("f", "format"), ("F", "format"), ("statistics", "reducers"), ("aggregate", "step"), ("lng", "lon")),
        *(("longitude", "lon"), ("latitude", "lat"), ("min_Valid", "minValid")),
    ],
)
def test_another_services_name_is_refused_with_ours(name, meant):
    known = ("format", "reducers", "step", "lon", "lat", "minValid")

    with pytest.raises(InvalidParameter, match=f"{name} is not a parameter here; use {meant}"):
        Kvp([(name, "1")]).check_spelling(known)


def test_name_of_another_service_is_ignored_if_harmless():
    Kvp([("f", "1"), ("longitude", "1")]).check_spelling(("datetime",))
