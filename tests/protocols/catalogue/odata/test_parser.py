"""Filters of OData: accepted, refused, and parsed in limited time."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError, InvalidParameter, LimitExceeded
from chronotile.protocols.catalogue.odata.conditions import (
    VALUE,
    AttributeTest,
    Comparison,
    Intersects,
    JoinedConditions,
    Membership,
    Moment,
    Negated,
    TextMatch,
)
from chronotile.protocols.catalogue.odata.parser import DEEPEST, MAX_COMPARISONS, parse_filter

CLOUDS = AttributeTest("cloudCover", "Double", Comparison(VALUE, "le", 40.0))
NAMED = Comparison("Name", "eq", "a")
OTHER = Comparison("Name", "eq", "b")
STARTED = Comparison("ContentDate/Start", "gt", Moment("2022-05-03T00:00:00Z"))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("Name eq 'a'", NAMED),
        ("'a' eq Name", NAMED),
        ("5 lt Name", Comparison("Name", "gt", 5)),
        ("Name eq 'it''s (and) or'", Comparison("Name", "eq", "it's (and) or")),
        ("Name eq 'a' and Name eq 'b'", JoinedConditions((NAMED, OTHER), is_all=True)),
        ("Name eq 'a' or Name eq 'b'", JoinedConditions((NAMED, OTHER), is_all=False)),
        ("not Name eq 'a' and Name eq 'b'", JoinedConditions((Negated(NAMED), OTHER), is_all=True)),
        ("not (Name eq 'a' and Name eq 'b')", Negated(JoinedConditions((NAMED, OTHER), is_all=True))),
        ("not not Name eq 'a'", NAMED),
        ("((Name eq 'a'))", NAMED),
        ("Name in ('a','b')", Membership("Name", ("a", "b"))),
        ("Online eq True", Comparison("Online", "eq", True)),
        ("contains(Name,'S2')", TextMatch("Name", "contains", "S2")),
        ("startswith(Name, 'S2') eq true", TextMatch("Name", "startswith", "S2")),
        ("endswith(Name,'SAFE') eq false", Negated(TextMatch("Name", "endswith", "SAFE"))),
        ("ContentDate/Start gt 2022-05-03T00:00:00.000Z", STARTED),
        ("ContentDate/Start gt 2022-05-03", STARTED),
        ("ContentDate/Start gt 2022-05-03T00:00:00", STARTED),
        ("ContentDate/Start gt 2022-05-03T02:00:00+02:00", STARTED),
        (
            "Id eq 72ac8773-c55d-526a-a9a9-22ddb9b595ef",
            Comparison("Id", "eq", UUID("72ac8773-c55d-526a-a9a9-22ddb9b595ef")),
        ),
        (
            "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
            "att/OData.CSC.DoubleAttribute/Value le 40.00)",
            CLOUDS,
        ),
        (
            "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
            "att/OData.CSC.StringAttribute/Value le 40.00)",  # form of eodag
            CLOUDS,
        ),
        ("Attributes/OData.CSC.DoubleAttribute/any(a:a/Value le 40.0 and a/Name eq 'cloudCover')", CLOUDS),
        ("Attributes/any(i0:i0/Name eq 'cloudCover' and i0/OData.CSC.DoubleAttribute/Value le 4e1)", CLOUDS),
        (
            "Attributes/OData.CSC.StringAttribute/any(a:a/Name eq 'tileId' and (a/Value eq 'x' or a/Value eq 'y'))",
            AttributeTest(
                "tileId",
                "String",
                JoinedConditions((Comparison(VALUE, "eq", "x"), Comparison(VALUE, "eq", "y")), is_all=False),
            ),
        ),
        (
            "OData.CSC.Intersects(area=geography'SRID=4326;POINT(-0.5 28.65)')",
            Intersects({"type": "Point", "coordinates": [-0.5, 28.65]}),
        ),
        (
            "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON ((4 50, 5 50.5 ,5 51,4 50))')",
            Intersects({"type": "Polygon", "coordinates": [[[4.0, 50.0], [5.0, 50.5], [5.0, 51.0], [4.0, 50.0]]]}),
        ),
    ],
)
def test_filter_is_parsed(text, condition):
    assert parse_filter(text) == condition


def test_and_binds_closer_than_or():
    assert parse_filter("Name eq 'a' or Name eq 'a' and Name eq 'b'") == JoinedConditions(
        (NAMED, JoinedConditions((NAMED, OTHER), is_all=True)), is_all=False
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its end where name"),
        ("Name", "its end where eq, ne, lt, le, gt, ge or in"),
        ("Name eq", "its end where a text in quotes"),
        ("Name like 'a'", "'like' (character 6) where eq"),
        ("Name eq 'a", "cannot be read from character 9"),
        ("Name eq 'a' 'b'", "where the end, and, or is accepted"),
        ("Name eq 'a')", "where the end, and, or is accepted"),
        ("Name eq null", "'null'"),
        ("length(Name) eq 3", "accepted: contains, startswith, endswith"),
        ("ContentDate/Start gt 2022-13-45", "has the time '2022-13-45'"),
        ("OData.CSC.Intersects(area='POINT(1 2)')", "where geography is accepted"),
        ("OData.CSC.Intersects(area=geography'SRID=3857;POINT(1 2)')", "accepted: geography'SRID=4326;POLYGON("),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POINT(1 2,3 4)')", "has the geometry"),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((1 2)(3 4))')", "has the geometry"),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POINT(1e999 2)')", "not a finite number"),
        ("Attributes/OData.CSC.FloatAttribute/any(a:a/Name eq 'x' and a/Value eq 1)", "casts to 'OData.CSC.Float"),
        ("Attributes/OData.CSC.DoubleAttribute/any(a:a/Name eq 'x')", "without one attribute's name and its value"),
        ("Attributes/OData.CSC.DoubleAttribute/any(a:a/Name eq 'x' or a/Value eq 1)", "without one attribute's name"),
        ("Attributes/OData.CSC.DoubleAttribute/any(a:b/Name eq 'x' and a/Value eq 1)", "'b/Name'"),
        ("Attributes/any(a:a/Name eq 'x' and a/Value eq 1)", "without a type"),
        ("Attributes/OData.CSC.DoubleAttribute/all(a:a/Name eq 'x')", "not accepted here"),
        ("Assets/any(a:a/Name eq 'x')", "has any of 'Assets'"),
    ],
)
def test_invalid_filter_is_refused_with_the_accepted_forms(text, said):
    with pytest.raises(InvalidParameter) as refusal:
        parse_filter(text)

    assert said in refusal.value.message
    assert refusal.value.locator == "$filter"
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 20_000 + "Name eq 'a'" + ")" * 20_000, id="brackets"),
        pytest.param("not " * 20_000 + "Name eq 'a'", id="not"),
        pytest.param("(not " * 15_000, id="both"),
        pytest.param("'" * 99_999, id="quotes"),
        pytest.param("Name eq '" + "''" * 40_000, id="text that does not end"),
        pytest.param(" " * 99_000 + "?", id="blanks"),
        pytest.param("1" * 99_000, id="digits"),
        pytest.param("x" * 99_000, id="a name"),
        pytest.param("a/" * 49_000, id="a path"),
        pytest.param("Name eq 'a'" * 100_000, id="a million characters"),
        pytest.param("OData.CSC.Intersects(area=geography'SRID=4326;POLYGON" + "(" * 90_000 + "')", id="geometry"),
        pytest.param("OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((" + "1" * 90_000 + "))')", id="number"),
    ],
)
def test_deep_or_long_filter_is_refused(text):
    with pytest.raises(InvalidParameter):
        parse_filter(text)


def test_brackets_are_accepted_to_their_limit():
    assert parse_filter("(" * DEEPEST + "Name eq 'a'" + ")" * DEEPEST) == NAMED


def test_polygons_of_many_vertices_are_refused_with_the_limit():
    ring = ",".join(f"{x / 100} 1" for x in range(2_001))

    with pytest.raises(LimitExceeded) as refusal:
        parse_filter(f"OData.CSC.Intersects(area=geography'SRID=4326;POLYGON(({ring}))')")

    assert (refusal.value.limit, refusal.value.allowed, refusal.value.needed) == ("vertices", 2_000, 2_001)


def test_vertices_of_several_geometries_are_counted_together():
    ring = ",".join(f"{x / 100} 1" for x in range(1_100))
    one = f"OData.CSC.Intersects(area=geography'SRID=4326;POLYGON(({ring}))')"

    with pytest.raises(LimitExceeded, match="2200 requested"):
        parse_filter(f"{one} or {one}")


def test_comparisons_are_counted_with_the_values_of_lists():
    names = ",".join("'a'" for _ in range(MAX_COMPARISONS))

    with pytest.raises(LimitExceeded) as refusal:
        parse_filter(f"Name in ({names}) and Name eq 'b'")

    assert refusal.value.limit == "comparisons"


WORDS = st.sampled_from(
    [
        *("and", "or", "not", "(", ")", "eq", "lt", "in", ",", ":", "=", "/", "'", "''", "'a'", "1", "-1.5e3", "true"),
        *("Name", "ContentDate/Start", "contains(", "Name,", "2022-05-03T00:00:00Z", "Id", "geography'SRID=4326;"),
        *("OData.CSC.Intersects(area=", "POINT(1 2)')", "POLYGON((1 2,3 4))')", "att:", "att/Name", "att/Value"),
        *("Attributes/OData.CSC.StringAttribute/any(", "att/OData.CSC.DoubleAttribute/Value", "\0", "é", "\ud800"),
        "72ac8773-c55d-526a-a9a9-22ddb9b595ef",
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=30).map(" ".join), st.lists(WORDS).map("".join)))
def test_any_text_is_read_or_refused_in_our_own_words(text):
    try:
        parse_filter(text)
    except ChronotileError as error:
        assert error.status == 400  # noqa: PT017 -- anything else is not expected


VALUES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
LEAVES = st.one_of(
    st.builds(Comparison, st.just("Name"), st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), VALUES),
    st.builds(TextMatch, st.just("Name"), st.sampled_from(["contains", "startswith", "endswith"]), VALUES),
    st.builds(Membership, st.just("Name"), st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            JoinedConditions, st.lists(inner, min_size=2, max_size=3, unique_by=id).map(tuple), is_all=st.booleans()
        ),
        inner.filter(lambda each: not isinstance(each, Negated)).map(Negated),
    ),
    max_leaves=12,
)


def written(condition):
    """Write a condition as a filter, with brackets around every part."""
    if isinstance(condition, Comparison):
        return f"Name {condition.operator} {quoted(condition.value)}"
    if isinstance(condition, TextMatch):
        return f"{condition.function}(Name,{quoted(condition.text)})"
    if isinstance(condition, Membership):
        return f"Name in ({', '.join(map(quoted, condition.values))})"
    if isinstance(condition, Negated):
        return f"not ({written(condition.part)})"
    return (" and " if condition.is_all else " or ").join(f"({written(each)})" for each in condition.parts)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def flat(condition):
    """Flatten nested conditions with the same operator."""
    if isinstance(condition, Negated):
        return Negated(flat(condition.part))
    if not isinstance(condition, JoinedConditions):
        return condition
    parts = []
    for part in map(flat, condition.parts):
        parts += part.parts if isinstance(part, JoinedConditions) and part.is_all == condition.is_all else (part,)
    return JoinedConditions(tuple(parts), condition.is_all)


@given(CONDITIONS)
def test_a_condition_that_is_written_is_read_as_the_same(condition):
    assert parse_filter(written(condition)) == flat(condition)
