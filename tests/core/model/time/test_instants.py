"""Time: the parser, the domain, and the way back to text."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.domain import (
    NO_TIME,
    TimeDomain,
    domain_of_bounds,
    domain_of_instants,
    domain_of_periods,
)
from chronotile.core.model.time.instants import format_instant, last_of
from chronotile.core.model.time.parser import parse_instant, parse_time
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import DEKAD, add_months, step_instants
from chronotile.core.model.time.selection import ABSENT, DEFAULT, LATEST


def instant(text):
    return np.datetime64(text, "ns")


instants = st.integers(min_value=-(2**62), max_value=2**62).map(lambda ns: np.datetime64(ns, "ns"))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        pytest.param("2020", "2020-01-01", "2021-01-01", id="year"),
        pytest.param("2020-02", "2020-02-01", "2020-03-01", id="month"),
        pytest.param("2020-02-29", "2020-02-29", "2020-03-01", id="day"),
        pytest.param("2020-06-01T10", "2020-06-01T10", "2020-06-01T11", id="hour"),
        pytest.param("2020-06-01T10:50", "2020-06-01T10:50", "2020-06-01T10:51", id="minute"),
        pytest.param("2020-06-01T10:50:07", "2020-06-01T10:50:07", "2020-06-01T10:50:08", id="second"),
        pytest.param("2020-06-01T10:50:07Z", "2020-06-01T10:50:07", "2020-06-01T10:50:08", id="utc"),
        pytest.param("2020-06-01T10:50:07.120Z", "2020-06-01T10:50:07.120", "2020-06-01T10:50:07.121", id="ms"),
        pytest.param("2020-06-01T10:50:07+02:00", "2020-06-01T08:50:07", "2020-06-01T08:50:08", id="offset"),
        pytest.param("2020-06-01T10:50:07 02:00", "2020-06-01T08:50:07", "2020-06-01T08:50:08", id="plus-decoded"),
        pytest.param("2020-06-01T22:50-05", "2020-06-02T03:50", "2020-06-02T03:51", id="negative-offset"),
    ],
)
def test_a_value_names_the_whole_period_of_its_precision(text, start, end):
    span = parse_instant(text)

    assert (span.start, span.end) == (instant(start), instant(end))


@pytest.mark.parametrize(
    "text",
    ["2020-13", "2020-02-30", "2020-1-1", "20200101T", "yesterday", "2020-06-01T25", "1500-01-01", "9999",
     "2020-06-01T10:61", "2020-06-01Z", "2020-06-01T10:50+24:00", "2020-06-01T10:50-0160",
     "\uff12\uff10\uff12\uff10", "2020-06-01T10:50:07+2", "-2020", "/2020x",
     "2020//2021", "../..", "/", "2021/2020", "2020/2021/P0D0", "2020/2021/P", "2020/2021/PT", "2020,", "2020,latest",
     "P1M/P1M", "../P1M", "P1M/..", "2020/P0D", "a/b/c/d", "2020/2021/P1Y/x", "NaT", "soon",
     "15918336000", "15918336000000", "9214646400000", "9999999999999", "202006011050", "199912312359"],
)  # fmt: skip
def test_unreadable_time_is_an_invalid_parameter(text):
    with pytest.raises(InvalidParameter) as caught:
        parse_time(text)

    assert caught.value.locator == "time"


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        (None, ABSENT), ("", ABSENT), ("  ", ABSENT), ("default", DEFAULT), ("current", LATEST), ("latest", LATEST),
        ("CURRENT", LATEST),
    ],
)  # fmt: skip
def test_keywords(text, selection):
    assert parse_time(text) == selection


@pytest.mark.parametrize(
    ("text", "lack"),
    [
        ("2023-02-30", "2023-02 has no day 30"), ("2023-02-29", "2023-02 has no day 29"),
        ("2024-06-31T10:00Z", "2024-06 has no day 31"), ("2020-06-00", "2020-06 has no day 0"),
        ("2020-13-01", "there is no month 13"), ("2020-00", "there is no month 0"),
        ("2020-01-01/2020-02-30", "2020-02 has no day 30"),
    ],
)  # fmt: skip
def test_day_that_does_not_exist_is_named(text, lack):
    with pytest.raises(InvalidParameter, match=f"' is not a valid time: {lack}$") as caught:
        parse_time(text)

    assert caught.value.locator == "time"


@pytest.mark.parametrize("text", ["11/06/2023", "2023/06/11", "1/6/23", "01/06/2023/30/06/2023"])
def test_date_with_slashes_is_refused_with_an_example(text):
    with pytest.raises(InvalidParameter, match=f"'{text}' is not a valid time; accepted are an instant"):
        parse_time(text)


@pytest.mark.parametrize("text", ["2020-03-01/..", "2020-03-01/", "2020-03-01/*", "2020-03-01/current"])
def test_an_interval_may_be_open_at_its_end(text):
    (part,) = parse_time(text).parts

    assert part.is_interval
    assert part.span.start == instant("2020-03-01")
    assert part.span.end > instant("2250-01-01")


@pytest.mark.parametrize("text", ["../2020-03-01", "/2020-03-01", "*/2020-03-01"])
def test_an_interval_may_be_open_at_its_start_and_holds_its_last_day(text):
    (part,) = parse_time(text).parts

    assert part.span.end == instant("2020-03-02")
    assert part.span.start < instant("1700-01-01")


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2023-06-01/P1M", "2023-06-01", "2023-07-01"),
        ("2023/P10D", "2023-01-01", "2023-01-11"),
        ("2023-06-01T12:00:00Z/PT6H", "2023-06-01T12", "2023-06-01T18"),
        ("P1M/2023-06-30", "2023-06-01", "2023-07-01"),
        ("P1Y/2023", "2023-01-01", "2024-01-01"),
        ("2200/P9999Y", "2200-01-01", "2262-01-01"),
        ("P9999Y99999M/1700", "1678-01-01", "1701-01-01"),
    ],
)
def test_an_interval_may_be_one_end_and_how_long(text, start, end):
    (part,) = parse_time(text).parts

    assert (part.is_interval, part.period) == (True, None)
    assert (part.span.start, part.span.end) == (instant(start), instant(end))


def test_an_interval_with_period_steps_through_both_ends():
    (part,) = parse_time("2020-01-01/2020-01-31/P10D").parts

    assert [str(span.start)[:10] for span in part.spans()] == ["2020-01-01", "2020-01-11", "2020-01-21", "2020-01-31"]


def test_monthly_period_keeps_the_day_if_the_month_has_it():
    (part,) = parse_time("2020-01-31/2020-04-30/P1M").parts

    assert [str(span.start)[:10] for span in part.spans()] == ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"]


@pytest.mark.parametrize(
    "text",
    ["2020/2021/P0D", "2020/2021/PT0S", "2020/2021/P0Y0M0DT0H", "../2021/P0D", "2020/../PT0S", "2020/2021/-P1D",
     "2020/2021/P-1D", "2020/PT0S", "P0D/2020", "2020,2020/2021/P0D"],
)  # fmt: skip
def test_a_period_without_length_or_backwards_is_refused(text):
    with pytest.raises(InvalidParameter) as caught:
        parse_time(text)

    assert caught.value.locator == "time"


def test_a_resolution_of_zero_means_continuous_data():
    (part,) = parse_time("2020/2021/0").parts

    assert part.period is None
    assert part.is_interval


def test_no_step_goes_beyond_the_end_of_its_interval():
    (part,) = parse_time("2020/2021/P6M").parts

    assert [span.end for span in part.spans()][-1] == np.datetime64("2022-01-01", "ns")


def test_too_many_steps_are_refused():
    (part,) = parse_time("2000-01-01/2020-01-01/PT1M").parts

    with pytest.raises(InvalidParameter, match="steps"):
        list(part.spans())


def test_too_long_a_text_and_too_long_a_list_are_refused():
    with pytest.raises(InvalidParameter):
        parse_time("2" * 100_000)
    with pytest.raises(InvalidParameter):
        parse_time(",".join(["2020"] * 3_000))


@given(st.text(max_size=40))
def test_any_text_gives_a_selection_or_an_invalid_parameter(text):
    try:
        selection = parse_time(text)
    except InvalidParameter as error:
        selection = error

    assert selection is not None


@given(st.text(alphabet="0123456789-:TZ/.,P+ DMYH*", max_size=50))
def test_any_text_that_looks_like_time_gives_a_selection_or_an_invalid_parameter(text):
    try:
        spans = [span for part in parse_time(text).parts for span in part.spans()]
    except InvalidParameter:
        spans = []

    assert all(span.start < span.end for span in spans)


@given(instants)
def test_written_text_is_read_back(when):
    assume(instant("1678-01-02") < when < instant("2261-12-30"))

    span = parse_instant(format_instant(when))

    assert span.start == when


@given(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_text_of_the_standard_library_is_read_to_the_same_instant(when):
    assert parse_instant(when.isoformat()).start == instant(when.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("2020-06-11", "2020-06-11T00:00:00Z"),
        ("2016-01-02T10:54:42", "2016-01-02T10:54:42Z"),
        ("2017-01-16T10:09:21.834255872", "2017-01-16T10:09:21.834255872Z"),
        ("2017-01-16T10:09:21.500", "2017-01-16T10:09:21.5Z"),
    ],
)
def test_text_has_a_fraction_only_if_not_zero(when, text):
    assert format_instant(instant(when)) == text


@given(instants, st.integers(min_value=-600, max_value=600))
def test_months_keep_day_and_time_or_end_at_the_last_day(when, months):
    assume(instant("1800-01-01") < when < instant("2200-01-01"))

    moved = add_months(when, months)

    assert moved.astype("datetime64[M]") - when.astype("datetime64[M]") == np.timedelta64(months, "M")
    day_before, day_after = (int(str(each)[8:10]) for each in (when, moved))
    is_last_day = (moved.astype("datetime64[D]") + np.timedelta64(1, "D")).astype("datetime64[M]") != moved.astype(
        "datetime64[M]"
    )
    assert day_after == day_before or (day_after < day_before and is_last_day)
    assert str(moved)[10:] == str(when)[10:]


def test_dekads_start_on_days_1_11_and_21():
    starts = step_instants(instant("2001-01-01"), DEKAD, 612)

    assert {str(start)[8:10] for start in starts} == {"01", "11", "21"}
    assert str(starts[-1])[:10] == "2017-12-21"


@pytest.mark.parametrize("text", ["P", "PT", "P1", "10D", "P-1D", "P0D", "dekads", "P1H", "P99999999999D"])
def test_invalid_period_is_refused(text):
    with pytest.raises(InvalidParameter):
        parse_period(text)


def test_a_day_answers_every_instant_in_it():
    domain = domain_of_instants([instant("2020-06-01"), instant("2020-06-11")])

    assert list(domain.indexes_within(parse_instant("2020-06-01T10:50:00Z"))) == [0]
    assert list(domain.indexes_within(parse_instant("2020-06-02"))) == []
    assert list(domain.indexes_within(parse_instant("2020-06"))) == [0, 1]


def test_a_period_answers_every_instant_inside_it():
    domain = domain_of_periods(instant("2020-01-01"), DEKAD, 36)

    assert list(domain.indexes_within(parse_instant("2020-01-31"))) == [2]
    assert list(domain.indexes_within(parse_instant("2020-02-10T23:59:59Z"))) == [3]
    assert list(domain.indexes_within(parse_instant("2021"))) == []


def test_an_exact_instant_answers_every_precision_that_holds_it():
    domain = domain_of_instants([instant("2017-01-16T10:09:21.834255872"), instant("2017-01-25T09:35:51")])

    found = [
        list(domain.indexes_within(parse_instant(f"2017-01-16{rest}"))) for rest in ("", "T10:09:21Z", "T10:09:22Z")
    ]

    assert found == [[0], [0], []]


@given(st.lists(instants, min_size=1, unique=True), instants)
def test_at_or_before_is_the_latest_not_after(days, when):
    domain = domain_of_instants(days)
    earlier = [day for day in domain.instants if day <= when]
    assume(earlier)

    assert domain.instants[domain.at_or_before(when)] == max(earlier)


@given(st.lists(instants, min_size=1, unique=True), instants)
def test_nearest_is_no_farther_than_any_other(days, when):
    assume(abs(int(when.astype(int))) < 2**61)
    domain = domain_of_instants(days)
    distance = [abs(int(day.astype(int)) - int(when.astype(int))) for day in domain.instants]
    assume(max(distance) < 2**62)

    assert distance[domain.nearest(when)] == min(distance)


def test_of_two_equally_near_times_the_earlier_is_the_nearest():
    domain = domain_of_instants([instant("2020-01-01"), instant("2020-01-03")])

    assert domain.nearest(instant("2020-01-02")) == 0


@given(st.lists(st.integers(0, 4000), min_size=1, unique=True), st.integers(-10, 4010), st.integers(1, 500))
def test_within_gives_just_the_times_that_share_an_instant(days, start, length):
    domain = domain_of_instants([instant("2000-01-01") + np.timedelta64(day, "D") for day in days])
    first = instant("2000-01-01") + np.timedelta64(start * 24 + 7, "h")
    span = (first, first + np.timedelta64(length, "h"))

    found = domain.indexes_within(parse_time(f"{span[0]}/{span[1]}").parts[0].span)

    end = span[1] + np.timedelta64(1, "ns")
    expected = [i for i in range(len(domain)) if domain.starts[i] < end and domain.ends[i] > span[0]]
    assert list(found) == expected


def test_bounds_that_overlap_are_cut_at_the_next_start():
    starts = np.array(["2020-12-18", "2021-01-01"], dtype="datetime64[ns]")
    ends = starts + np.timedelta64(16, "D")

    domain = domain_of_bounds(starts, ends)

    assert list(domain.indexes_within(parse_instant("2021-01-01"))) == [1]


def test_a_layer_without_time_has_none():
    assert len(NO_TIME) == 0
    assert NO_TIME.nearest(instant("2020-01-01")) is None


def test_a_domain_must_ascend():
    descending = np.array(["2021-01-01", "2020-01-01"], dtype="datetime64[ns]")

    with pytest.raises(ValueError, match="ascend"):
        TimeDomain(descending, descending + np.timedelta64(1, "D"))


@pytest.mark.parametrize(
    ("start", "end", "last"),
    [
        ("2024-01-01", "2024-01-11", "2024-01-10T23:59:59"),
        ("2024-01-01T10:50:31", "2024-01-01T10:50:31.000000001", "2024-01-01T10:50:31"),
        ("2024-01-01T10:50:31", "2024-01-01T10:50:31.5", "2024-01-01T10:50:31"),
        ("2024-01-01T10:50:31", "2024-01-01T10:50:33", "2024-01-01T10:50:32"),
    ],
)
def test_the_last_instant_of_a_period_lies_within_it(start, end, last):
    assert last_of(np.datetime64(start, "ns"), np.datetime64(end, "ns")) == np.datetime64(last)
