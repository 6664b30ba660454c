"""Reducers as text."""

import pytest

from chronotile.core.errors import InvalidParameter, LimitExceeded
from chronotile.core.model.series.reducers import parse_reducer, parse_reducers


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("mean", "mean"), (" P10 ", "p10"), ("p2.50", "p2.5"), ("p100", "p100"), ("histogram:16", "histogram:16")),
        ("histogram:4:-.2:1e1", "histogram:4:-0.2:10"),
    ],
)
def test_names_are_canonical(text, name):
    assert parse_reducer(text).name == name


@pytest.mark.parametrize(
    "text", ["", "mode", "p", "p101", "p-1", "p1e1", "histogram", "histogram:0", "histogram:4:1:0", "histogram:9999"]
)
def test_invalid_reducer_is_refused(text):
    with pytest.raises(InvalidParameter) as of_one:
        parse_reducer(text)
    with pytest.raises(InvalidParameter) as of_several:
        parse_reducers(["mean", text])

    assert (of_one.value.locator, of_several.value.locator) == ("reducer", "reducers")


def test_each_reducer_comes_once():
    assert [reducer.name for reducer in parse_reducers(["mean", "Median", "mean"])] == ["mean", "median"]


def test_reducers_are_no_more_than_a_request_may_have():
    assert len(parse_reducers(f"p{percent}" for percent in range(32))) == 32

    with pytest.raises(LimitExceeded, match="max_reducers"):
        parse_reducers(f"p{percent}" for percent in range(33))
