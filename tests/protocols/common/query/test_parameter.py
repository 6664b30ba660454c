"""A parameter parses its text and describes itself in OpenAPI."""

import pytest

from chronotile.core.errors import InvalidParameter, MissingParameter
from chronotile.core.model.time.selection import ABSENT
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import (
    choice,
    code,
    documents,
    names_of,
    number,
    text,
    times,
    truth,
    whole,
    whole_up_to,
)

SHARE = number("share", "Of cells", above=0, most=1)
LIMIT = whole("limit", "Per page", least=1, most=10, default=5)
WORD = choice("word", "Of two", ("mean", "max"), default="mean")


def query(**values):
    return Kvp(values.items())


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (SHARE, "1", 1.0),
        (LIMIT, "10", 10),
        (WORD, "MAX", "max"),
        (code("res", "Half", {"1": 1, "2": 2}), "2", 2),
        (truth("dry", "Or not"), "True", True),
        (text("layer", "Id"), " ndvi ", "ndvi"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_text_becomes_a_value(parameter, value, expected):
    assert parameter.value(Kvp([(parameter.name.upper(), value)])) == expected


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        (SHARE, "0", "share must be more than 0 and at most 1, got 0"),
        (SHARE, "1.5", "share must be more than 0 and at most 1, got 1.5"),
        (SHARE, "nan", "share must be a finite number, got 'nan'"),
        (LIMIT, "0", "limit must be from 1 to 10, got 0"),
        (LIMIT, "11", "limit must be from 1 to 10, got 11"),
        (LIMIT, "1.0", "limit must be a whole number, got '1.0'"),
        (number("part", "Of one", least=0, below=1), "1", "part must be at least 0 and less than 1, got 1"),
        (WORD, "median", "word 'median' is not accepted; use mean, max"),
        (choice("word", "Of two", ("mean", "max"), any_case=False), "MAX", "word 'MAX' is not accepted; use mean, max"),
    ],
)
def test_text_that_is_not_accepted_names_the_parameter(parameter, value, message):
    with pytest.raises(InvalidParameter, match="^" + message.replace(".", r"\.") + "$") as caught:
        parameter.value(Kvp([(parameter.name, value)]))

    assert caught.value.locator == parameter.name


@pytest.mark.parametrize("given", [{}, {"limit": ""}, {"limit": " "}])
def test_absent_or_empty_parameter_has_the_default(given):
    assert LIMIT.value(query(**given)) == 5
    assert LIMIT.optional(query(**given)) is None


def test_parameter_without_default_is_missing():
    with pytest.raises(MissingParameter, match="share is missing"):
        SHARE.value(query())


def test_false_is_a_value_not_its_absence():
    assert truth("dry", "Or not").value(query(dry="false")) is False
    assert truth("dry", "Or not").value(query()) is False


def test_times_are_reported_by_their_parameter():
    with pytest.raises(InvalidParameter, match="not a valid time") as caught:
        times("reference", "Times").value(query(reference="soon"))

    assert caught.value.locator == "reference"
    assert times("reference", "Times").value(query()) is ABSENT


def test_bounds_words_and_defaults_are_in_the_schema():
    share, limit, word = documents([SHARE, LIMIT, WORD], {"share": 0.5}, required=["share"])

    assert share == {
        "name": "share",
        "in": "query",
        "style": "form",
        "explode": False,
        "required": True,
        "description": "Of cells",
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "example": 0.5,
    }
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 10, "default": 5}
    assert word["schema"] == {"type": "string", "enum": ["mean", "max"], "default": "mean"}
    page = whole_up_to("limit", "Places", most=9, default=3)
    assert (page.parse("99"), page.parse("2"), page.schema["maximum"]) == (9, 2, 9)
    assert names_of([SHARE, LIMIT]) == ("share", "limit")
