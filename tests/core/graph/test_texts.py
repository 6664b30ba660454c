"""Processes on texts: positions after folding, values in JSON, and limits."""

import pytest

from chronotile.core.graph.errors import ProcessFault
from chronotile.core.graph.texts import MAX_TEXT_LENGTH, TEXTS


def call(name, **arguments):
    return TEXTS[name].call(**arguments)


@pytest.mark.parametrize(
    ("text", "pattern", "position"), [("Straße 7", "7", 7), ("Straße", "SSE", 4), ("ßa", "A", 1), ("ab", "", 0)]
)
def test_position_counts_characters_of_the_unfolded_text(text, pattern, position):
    assert call("text_find", data=text, pattern=pattern, case_sensitive=False) == position


@pytest.mark.parametrize(
    ("name", "expected"), [("text_begins", False), ("text_contains", True), ("text_ends", True), ("text_find", 4)]
)
def test_folded_texts_are_compared_without_case(name, expected):
    assert call(name, data="LAI NDVI", pattern="ndvi", case_sensitive=False) == expected


@pytest.mark.parametrize("name", ["text_begins", "text_contains", "text_ends", "text_find"])
def test_no_data_gives_no_data(name):
    assert call(name, data=None, pattern="x") is None


@pytest.mark.parametrize("name", ["text_begins", "text_contains", "text_ends", "text_find"])
def test_number_instead_of_text_is_refused(name):
    with pytest.raises(ProcessFault, match="data: 7 is not a text") as caught:
        call(name, data=7, pattern="x")

    assert caught.value.code == "ProcessParameterInvalid"


def test_values_are_joined_as_in_json():
    values = ["B", 4, -0.5, 1e300, True, None, float("nan")]

    assert call("text_concat", data=values, separator=0) == "B040-0.501e+3000true0null0NaN"


def test_joined_text_beyond_the_limit_is_refused_before_it_is_made():
    parts = ["x" * MAX_TEXT_LENGTH] * 2000

    with pytest.raises(ProcessFault, match="would have 2000000000 characters; at most 1000000"):
        call("text_concat", data=parts)


def test_text_beyond_the_limit_is_refused():
    with pytest.raises(ProcessFault, match="data: it has 1000001 characters"):
        call("text_contains", data="x" * (MAX_TEXT_LENGTH + 1), pattern="x")


@pytest.mark.parametrize("data", ["text", 7, [{"a": 1}], [["a"]]])
def test_only_lists_of_single_values_are_joined(data):
    with pytest.raises(ProcessFault, match="data: "):
        call("text_concat", data=data)
