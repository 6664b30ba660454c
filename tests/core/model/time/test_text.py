"""Requested times go through text unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection_text import selection_text

values = st.sampled_from(
    [
        *("1678", "2020", "2020-02", "2020-02-29", "2020-06-01T10Z", "2020-06-01T10:50Z", "2020-06-01T10:50:31Z"),
        *(
            "2020-06-01T00:00:00Z",
            "2020-06-01T10:50:31.024Z",
            "2020-06-01T10:50:31.0Z",
            "2020-06-01T10:50:31.123456789Z",
        ),
        *("2020-06-01T10:50:31+02:00", "2261-12-31"),
    ]
)
periods = st.sampled_from(["P1M", "P1Y2M", "dekad", "P10D", "PT15M", "P1DT0.5S", "P1M1D", "P2W", "PT0.000000001S"])
parts = st.one_of(
    values,
    st.tuples(values, st.sampled_from(["..", "current"])).map("/".join),
    st.tuples(st.just(".."), values).map("/".join),
    st.tuples(st.just("2001-02-03"), values).map("/".join).filter(lambda text: not text.endswith("1678")),
    st.tuples(values, periods.filter(lambda text: text != "dekad")).map("/".join),
    st.tuples(values, st.sampled_from(["2261", "..", "current"]), periods).map("/".join),
)


@pytest.mark.parametrize("text", ["", "latest", "default", "current"])
def test_keywords_are_recognised(text):
    assert parse_time(selection_text(parse_time(text))) == parse_time(text)


@given(st.lists(parts, min_size=1, max_size=3).map(",".join))
def test_written_text_is_read_as_the_same_kind(text):
    asked = parse_time(text)

    assert parse_time(selection_text(asked)) == asked


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("2020-06", "2020-06"),
        ("2020-06-01T10:50:31+02:00", "2020-06-01T08:50:31Z"),
        ("2020/..", "2020-01-01T00:00:00Z/.."),
        ("2020/now", "2020-01-01T00:00:00Z/current"),
        ("2020/2021-03", "2020-01-01T00:00:00Z/2021-03-31T23:59:59.999999999Z"),
        ("2020/2021/P1M", "2020/2021-12-31T23:59:59.999999999Z/P1M"),
    ],
)
def test_instants_keep_their_precision(asked, told):
    assert selection_text(parse_time(asked)) == told
