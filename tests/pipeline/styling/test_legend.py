import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chronotile.core.model.style import TRANSPARENT
from chronotile.pipeline.styling.legend import legend_document, number_text, tick_values
from chronotile.pipeline.styling.restyle import stretch_ramp
from tests.pipeline.styling.truth import RAMP, classes_of


def test_a_ramp_is_the_document_of_the_contract():
    document = legend_document(replace(RAMP, labels=(0.1 + 0.2, 0.9)), layer="NDVI", title="Greenness", units="1")

    assert json.loads(orjson.dumps(document)) == {
        "layer": "NDVI",
        "style": "ndvi",
        "title": "Greenness",
        "units": "1",
        "type": "ramp",
        "range": [-0.08, 0.92],
        "stops": [
            {"value": -0.08, "color": "#8c5a2b"},
            {"value": 0.3, "color": "#e8d9a0"},
            {"value": 0.92, "color": "#0b4d14"},
        ],
        "below": "#010203ff",
        "above": "#040506ff",
        "labels": [{"value": 0.3, "text": "0.3"}, {"value": 0.9, "text": "0.9"}],
        "classes": [],
        "nodata": "#0708090a",
        "flags": [{"name": "cloud", "color": "#ffffff80"}, {"name": "snow", "color": "#c8dcff"}],
    }


def test_values_equal_those_of_painting_exactly():
    style = stretch_ramp(RAMP, (0.1 + 0.2, 0.9))

    document = json.loads(orjson.dumps(legend_document(style, layer="NDVI", title="Greenness", units="1")))

    assert document["range"] == [0.1 + 0.2, 0.9]
    assert [stop["value"] for stop in document["stops"]] == [stop.value for stop in style.ramp]


def test_classes_are_the_document_of_the_contract():
    document = legend_document(replace(classes_of(2), nodata=TRANSPARENT), layer="SCL", title="Scene", units="")

    assert json.loads(orjson.dumps(document)) == {
        "layer": "SCL",
        "style": "classes",
        "title": "Scene",
        "units": "",
        "type": "classes",
        "range": [0.0, 1.0],
        "stops": [],
        "below": "#00000000",
        "above": "#00000000",
        "labels": [],
        "classes": [
            {"value": 0.0, "color": "#000063", "label": "class 0"},
            {"value": 1.0, "color": "#010063", "label": "class 1"},
        ],
        "nodata": "#00000000",
        "flags": [],
    }


@pytest.mark.parametrize(
    ("span", "ticks"),
    [
        ((0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ((-0.08, 0.92), (0.0, 0.2, 0.4, 0.6, 0.8)),
        ((0.0, 10000.0), (0.0, 2000.0, 4000.0, 6000.0, 8000.0, 10000.0)),
        ((-1.0, 1.5), (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)),
        ((273.15, 313.15), (280.0, 290.0, 300.0, 310.0)),
        ((0.0, 3e-6), (0.0, 5e-7, 1e-6, 1.5e-6, 2e-6, 2.5e-6, 3e-6)),
    ],
)
def test_a_ramp_without_labels_has_round_ticks(span, ticks):
    assert tick_values(stretch_ramp(RAMP, span)) == ticks


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_lie_in_the_range_in_order_and_are_few(low, high):
    assume(high - low > 1e-6 * max(abs(low), abs(high)) + 1e-9)

    ticks = tick_values(stretch_ramp(RAMP, (low, high)))

    slack = 1e-6 * (high - low)
    assert list(ticks) == sorted(set(ticks))
    assert low - slack <= ticks[0]
    assert ticks[-1] <= high + slack
    assert 2 <= len(ticks) <= 7


@pytest.mark.parametrize("span", [(0.0, 5e-324), (-5e-324, 5e-324), (0.0, 1e-310)])
def test_a_range_shorter_than_numbers_can_divide_has_its_ends_as_ticks(span):
    assert tick_values(stretch_ramp(RAMP, span)) == span


def test_a_range_without_length_has_one_tick():
    assert tick_values(replace(RAMP, range=(0.5, 0.5))) == (0.5,)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (-0.08, "-0.08"),
        (1.0, "1"),
        (-0.0, "0"),
        (10000.0, "10000"),
        (1 / 3, "0.333333333333"),
        (16777217.0, "16777217"),
        (1e-7, "1e-07"),
        (0.7 * 3, "2.1"),
    ],
)
def test_numbers_read_as_people_write_them(value, text):
    assert number_text(value) == text
