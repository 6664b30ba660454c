"""Times that answer a request, by the layer's rules (docs/design/time.md)."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from chronotile.catalog.resolve_times import matching_times, resolve_picture_times, resolve_series_times
from chronotile.core.errors import MissingTime, TimeNotAvailable
from chronotile.core.model.collection import Layer, TimeRules
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import NO_TIME, domain_of_instants, domain_of_periods
from chronotile.core.model.time.parser import parse_instant, parse_time
from chronotile.core.model.time.periods import DEKAD

NOW = np.datetime64("2020-07-01T12:00", "ns")
DAYS = np.timedelta64(86_400_000_000_000, "ns")


def instant(text):
    return np.datetime64(text, "ns")


def make_layer(times, **rules):
    grid = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, 0, 0, -1, 10), width=10, height=10)
    variable = VariableInfo(name="v", encoding=Encoding(dtype="uint8"), levels=(grid,), times=times)
    return Layer(
        id="layer", collection="c", title={"": "Layer"}, content=variable, times=times, styles=(),
        time_rules=TimeRules(**rules),
    )  # fmt: skip


def make_days(*days, **rules):
    return make_layer(domain_of_instants([instant(day) for day in days]), **rules)


def picture(layer, text, now=NOW):
    resolved = resolve_picture_times(layer, parse_time(text), now=now)
    return [str(layer.times.instants[index])[:10] for index in resolved.indexes], resolved.substitution


JUNE = ("2020-06-01", "2020-06-11", "2020-06-21")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (["2020-06-21"], "default")),
        ("default", (["2020-06-21"], "default")),
        ("current", (["2020-06-21"], None)),
        ("2020-06-11", (["2020-06-11"], None)),
        ("2020-06-11T10:50:00Z", (["2020-06-11"], None)),
        ("2020-06", (list(JUNE), None)),
        ("2020-06-05/2020-06-21", (["2020-06-11", "2020-06-21"], None)),
        ("2020-06-05/current", (["2020-06-11", "2020-06-21"], None)),
        ("../2020-06-11", (["2020-06-01", "2020-06-11"], None)),
        ("2020-06-01,2020-06-21", (["2020-06-01", "2020-06-21"], None)),
        ("2020-06-01/2020-06-21/P10D", (list(JUNE), None)),
        ("2020-06-01/2020-06-21/P5D", (list(JUNE), None)),
        ("2020-06-01,2020-06-02", (["2020-06-01"], None)),
    ],
)
def test_times_of_a_picture_by_exact_match(text, expected):
    assert picture(make_days(*JUNE), text) == expected


@pytest.mark.parametrize("text", ["2020-06-02", "2019", "2020-06-02/2020-06-10", "2021/.."])
def test_an_instant_the_layer_lacks_is_an_error_that_names_the_nearest(text):
    with pytest.raises(TimeNotAvailable) as caught:
        picture(make_days(*JUNE), text)

    assert set(caught.value.nearest) <= {f"{day}T00:00:00Z" for day in JUNE}
    assert caught.value.nearest
    assert all(nearest in caught.value.message for nearest in caught.value.nearest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-06-03", "2020-06-01"),
        ("2020-06-09", "2020-06-11"),
        ("2020-06-24", "2020-06-21"),
        ("2020-05-29", "2020-06-01"),
    ],
)
def test_nearest_time_within_the_tolerance_is_substituted_and_reported(text, expected):
    layer = make_days(*JUNE, match="nearest", tolerance=3 * DAYS)

    assert picture(layer, text) == ([expected], "nearest")


def test_nearest_past_the_tolerance_is_the_same_error():
    with pytest.raises(TimeNotAvailable):
        picture(make_days(*JUNE, match="nearest", tolerance=3 * DAYS), "2020-06-25")


def test_before_never_stands_in_from_the_future():
    layer = make_days(*JUNE, match="before", tolerance=9 * DAYS)

    assert picture(layer, "2020-06-10") == (["2020-06-01"], "nearest")
    with pytest.raises(TimeNotAvailable):
        picture(layer, "2020-05-31")


def test_an_interval_is_never_answered_by_something_outside_it():
    with pytest.raises(TimeNotAvailable):
        picture(make_days(*JUNE, match="nearest", tolerance=30 * DAYS), "2020-06-02/2020-06-04")


def test_an_instant_later_than_tomorrow_is_never_the_default():
    layer = make_days("2020-06-01", "2020-07-02", "2099-01-01")

    assert picture(layer, None) == (["2020-07-02"], "default")
    assert picture(layer, "current") == (["2020-07-02"], None)
    assert picture(layer, "2099") == (["2099-01-01"], None)


@pytest.mark.parametrize("name", ["current", "latest", "now", "PRESENT"])
@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("2020-06-01", ["2020-06-01", "2020-06-11", "2020-07-02"]),
        ("2020-06-12", ["2020-07-02"]),
        ("2020-07-02T10:00:00Z", ["2020-07-02"]),
        ("..", ["2020-06-01", "2020-06-11", "2020-07-02"]),
    ],
)
def test_an_interval_to_current_ends_with_the_time_that_current_is(name, start, days):
    layer = make_days("2020-06-01", "2020-06-11", "2020-07-02", "2099-01-01")

    assert picture(layer, f"{start}/{name}") == (days, None)
    assert picture(layer, name) == (days[-1:], None)


def test_an_open_interval_holds_times_that_current_does_not():
    assert picture(make_days("2020-06-01", "2099-01-01"), "2020-06-01/..") == (["2020-06-01", "2099-01-01"], None)


def test_steps_to_current_end_with_it():
    layer = make_days("1990-01-01", "2020-06-01", "2020-07-02", "2099-01-01", match="nearest", tolerance=40_000 * DAYS)

    days, substitution = picture(layer, "2000-01-01/current/P1Y")

    assert (days, substitution) == (["1990-01-01", "2020-06-01"], "nearest")


@pytest.mark.parametrize("resolve", [resolve_picture_times, resolve_series_times, matching_times])
@pytest.mark.parametrize("text", ["current", "2020/current", "2098/current"])
def test_a_layer_in_the_future_has_no_current_time(resolve, text):
    with pytest.raises(MissingTime):
        resolve(make_days("2098-01-01", "2099-01-01"), parse_time(text), now=NOW)


@pytest.mark.parametrize("rules", [{"default": "none"}, {"default": parse_instant("2020-06-02")}])
def test_layer_without_default_time_requires_a_time(rules):
    with pytest.raises(MissingTime, match="2020-06-21"):
        picture(make_days(*JUNE, **rules), None)


@pytest.mark.parametrize("default", ["latest", "earliest", parse_instant("2099-01-01"), parse_instant("2098")], ids=str)
def test_all_times_in_the_future_leave_no_default(default):
    with pytest.raises(MissingTime):
        picture(make_days("2098-01-01", "2099-01-01", default=default), None)


@pytest.mark.parametrize(
    ("default", "day"),
    [
        ("earliest", "2020-06-01"),
        (parse_instant("2020-06-11"), "2020-06-11"),
        (parse_instant("2020-06"), "2020-06-21"),
        ("latest", "2020-06-21"),
    ],
)
def test_the_default_may_be_configured(default, day):
    assert picture(make_days(*JUNE, default=default), None) == ([day], "default")


def test_a_period_as_default_is_its_newest_time_no_later_than_tomorrow():
    layer = make_days("2019-12-21", "2020-06-01", "2020-07-02", "2020-12-01", default=parse_instant("2020"))

    assert picture(layer, None) == (["2020-07-02"], "default")


def test_a_day_as_default_is_the_time_of_day_it_has():
    layer = make_days("2020-06-01T10:50:31", "2020-06-02T10:40:29", default=parse_instant("2020-06-01"))

    assert picture(layer, None) == (["2020-06-01"], "default")


def test_layer_without_time_ignores_a_requested_time():
    assert resolve_picture_times(make_layer(NO_TIME), parse_time("2020"), now=NOW).indexes == (0,)


def test_a_dekad_answers_every_day_in_it():
    layer = make_layer(domain_of_periods(instant("2020-01-01"), DEKAD, 36))

    assert picture(layer, "2020-02-29") == (["2020-02-21"], None)


def test_series_without_a_requested_time_covers_all_times():
    assert resolve_series_times(make_days(*JUNE), parse_time(None), now=NOW).indexes == (0, 1, 2)


def test_a_series_of_an_interval_without_times_is_empty():
    assert resolve_series_times(make_days(*JUNE), parse_time("2021/2022"), now=NOW).indexes == ()


def test_a_series_at_an_instant_the_layer_lacks_is_an_error():
    with pytest.raises(TimeNotAvailable):
        resolve_series_times(make_days(*JUNE), parse_time("2020-06-02"), now=NOW)


def test_used_times_are_listed_newest_first():
    layer = make_days(*JUNE)

    used = resolve_picture_times(layer, parse_time("2020-06"), now=NOW).times_used(layer.times)

    assert [str(each)[:10] for each in used.instants] == list(reversed(JUNE))


@given(
    st.lists(st.integers(0, 2000), min_size=1, unique=True),
    st.integers(0, 2000),
    st.sampled_from(["nearest", "before"]),
)
def test_substitute_is_the_closest_time_allowed_by_the_rule(days, asked, match):
    origin = instant("2010-01-01")
    layer = make_layer(
        domain_of_instants([origin + day * DAYS for day in days]), match=match, tolerance=5000 * DAYS, default="none"
    )
    allowed = [day for day in days if match == "nearest" or day <= asked]
    text = str(origin + asked * DAYS)[:10]

    try:
        found = [
            int((layer.times.instants[i] - origin) / DAYS)
            for i in resolve_picture_times(layer, parse_time(text), now=NOW).indexes
        ]
    except TimeNotAvailable:
        found = []

    assert sorted(abs(day - asked) for day in found) == sorted(abs(day - asked) for day in allowed)[:1]
