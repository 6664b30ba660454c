"""Inputs match their schemas, or the first mismatch is reported in a few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chronotile.jobs.processes.input_schema import WORDS, fault_in
from chronotile.jobs.processes.registry import process_of, processes

INPUTS = {
    f"{process.id}.{name}": told.accepted for process in processes().values() for name, told in process.inputs.items()
}
OF_NO_VALUES = {"default", "format", "examples", "contentEncoding", "contentMediaType"}
"""Keywords that do not restrict values."""

numbers = st.one_of(st.integers(-5, 300_000), st.floats(-500, 500), st.sampled_from([0, 1.0, 0.5, 100, 4096]))
texts = st.sampled_from(
    ["", "a", "NDVI", "Point", "MultiPoint", "FeatureCollection", "mean", "p10", "csv", "GTiff", "video/mp4", "x" * 201]
)
names = st.sampled_from(["type", "features", "coordinates", "geometry", "id", "bbox", "crs", "properties", "other"])
positions = st.lists(numbers, max_size=4)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, positions, st.lists(positions, max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
points = st.fixed_dictionaries({"type": st.sampled_from(["Point", "Polygon"]), "coordinates": positions})
features = st.fixed_dictionaries(
    {"type": st.just("Feature"), "geometry": points}, optional={"id": st.one_of(texts, numbers)}
)
collections = st.fixed_dictionaries({"type": texts}, optional={"features": st.lists(features, max_size=3)})
boxes = st.fixed_dictionaries({"bbox": st.lists(numbers, min_size=3, max_size=7)}, optional={"crs": values})


def words_of(schema):
    """Return all keywords of a schema and of its subschemas."""
    within = [*schema.get("oneOf", ()), *schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]
    return set(schema).union(*map(words_of, within))


@pytest.mark.parametrize("name", INPUTS)
def test_every_word_of_a_schema_is_heeded(name):
    assert words_of(INPUTS[name]) <= WORDS | OF_NO_VALUES


@given(st.sampled_from(list(INPUTS)), st.one_of(values, collections, boxes))
def test_accepted_inputs_equal_those_of_json_schema(name, value):
    is_valid = Draft202012Validator(INPUTS[name]).is_valid(value)

    assert (fault_in(value, INPUTS[name]) is None) == is_valid


POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [4.5, 51]}}
WRONG = [
    ("echo.number", 300, "", "must be at most 100, got 300"),
    ("echo.number", -0.5, "", "must be at least 0, got -0.5"),
    ("echo.number", "1", "", "must be a number, got '1'"),
    ("echo.number", True, "", "must be a number, got true"),
    ("echo.string", None, "", "must be text, got null"),
    ("export.bbox", [4, 50, 5, 51], "", 'must be an object like {"bbox": [4, 50, 5, 51]}, got an array'),
    ("echo.string", "a" * 10_001, "", "must have at most 10000 characters, got 10001"),
    ("optimise.layout", "x" * 100, "", "must be one of both, map, series"),
    ("echo.array", [1, 2, "x"], "[2]", "must be an integer, got 'x'"),
    ("echo.array", [1] * 101, "", "must have at most 100 members, got 101"),
    ("echo.array", [], "", "must have at least 1 member, got 0"),
    ("echo.bbox", {}, "", "needs the member bbox"),
    ("echo.bbox", {"bbox": [1, 2, 3]}, ".bbox", "must have at least 4 members, got 3"),
    ("echo.bbox", {"bbox": [1, 2, 3, "4"]}, ".bbox[3]", "must be a number, got '4'"),
    ("echo.mixed", [], "", "must be a number or text, got an array"),
    ("echo.mixed", "x" * 101, "", "must have at most 100 characters, got 101"),
    ("export.bbox", {"bbox": [1, 2, 3, 4], "crss": 1}, "", "has no member 'crss'; it has bbox, crs"),
    ("export.layer", ["NDVI", 3], "[1]", "must be text, got 3"),
    ("climatology.reducer", "sum", "", "must match"),
    ("time-series.points", [[4, 51], [4]], "[1]", "must have at least 2 members, got 1"),
    ("time-series.points", {"points": []}, "", "needs the member type, which is one of MultiPoint, FeatureCollection"),
    ("time-series.points", {"type": "Point"}, ".type", "must be one of MultiPoint, FeatureCollection, got 'Point'"),
    ("time-series.points", {"type": "FeatureCollection"}, "", "needs the member features"),
    (
        "time-series.points",
        {"type": "FeatureCollection", "features": [POINT, {**POINT, "geometry": None}]},
        ".features[1].geometry",
        "must be an object, got null",
    ),
]


@pytest.mark.parametrize(("name", "value", "place", "words"), WRONG)
def test_first_fault_is_reported_with_its_place(name, value, place, words):
    fault = fault_in(value, INPUTS[name])

    assert (fault.place, words in fault.words) == (place, True), fault.words


def test_message_of_a_fault_is_short_for_any_input():
    fault = fault_in({"bbox": [1, 2, 3, "y" * 1_000_000], "x" * 1_000_000: 1}, INPUTS["export.bbox"])

    assert fault.words == f"has no member {'x' * 60!r} and more; it has bbox, crs"


@pytest.mark.parametrize("text", ["p10\n", "p\u0967\u0966", "p10 ", "\np10"])
def test_a_pattern_is_for_the_whole_text(text):
    schema = process_of("climatology").inputs["reducer"].schema

    assert fault_in(text, schema) is not None
    assert fault_in("p10", schema) is None
