"""Calendar periods of openEO: which period contains a time, and its label (aggregate_temporal_period, `period`)."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from chronotile.core.graph.errors import invalid, shorten
from chronotile.core.model.types import Instant, InstantArray, Int64Array

SEASONS = ("djf", "mam", "jja", "son")
"""Seasons from December."""
TROPICAL_SEASONS = ("ndjfma", "mjjaso")
"""Seasons from November and from May."""


class CalendarPeriod(NamedTuple):
    """A kind of period; consecutive periods have consecutive numbers."""

    numbers: Callable[[InstantArray], Int64Array]
    """Returns the number of the period that contains each instant."""
    label: Callable[[int], str]
    """Returns the label of the period with a number."""
    start: Callable[[int], Instant]
    """Returns the start of the period with a number."""
    per_year: int = 1
    """Periods of a year; period 0 is the first of 1970. Days, hours and weeks vary and have 0."""


def period_named(name: object) -> CalendarPeriod:
    """Return the kind of period with a name.

    Raises:
        ProcessFault: The name is not accepted.
    """
    if not isinstance(name, str) or name not in PERIODS:
        raise invalid("period", f"{shorten(name)} is not accepted; accepted are {', '.join(PERIODS)}")
    return PERIODS[name]


def months_of(instants: InstantArray) -> Int64Array:
    """Return the months since January 1970."""
    months: Int64Array = instants.astype("datetime64[M]").astype(np.int64)
    return months


def _days(instants: InstantArray) -> Int64Array:
    return instants.astype("datetime64[D]").astype(np.int64)


def _weeks(instants: InstantArray) -> Int64Array:
    weeks: Int64Array = (_days(instants) + 3) // 7  # weeks start on Monday; day 0 is a Thursday
    return weeks


def _dekads(instants: InstantArray) -> Int64Array:
    of_month = _days(instants) - _days(instants.astype("datetime64[M]"))
    dekads: Int64Array = months_of(instants) * 3 + np.minimum(of_month // 10, 2)
    return dekads


def _hour_label(number: int) -> str:
    return str(np.datetime64(number, "h")).replace("T", "-")


def _day_label(number: int) -> str:
    year, of_year = _day_of_year(number)
    return f"{year}-{of_year + 1:03}"


def _week_label(number: int) -> str:
    year, of_year = _day_of_year(number * 7)  # ISO 8601: the year of the Thursday
    return f"{year}-{of_year // 7 + 1:02}"


def _day_of_year(number: int) -> tuple[str, int]:
    day = np.datetime64(number, "D")
    year = day.astype("datetime64[Y]")
    return str(year), int((day - year.astype("datetime64[D]")).astype(int))


def _in_year(per_year: int, label: Callable[[int], str]) -> Callable[[int], str]:
    return lambda number: f"{1970 + number // per_year:04}-{label(number % per_year)}"


def _start_year_label(names: tuple[str, ...]) -> Callable[[int], str]:
    # A season that starts in the year before has that year in its label.
    count = len(names)
    return lambda number: f"{1970 + number // count - (number % count == 0):04}-{names[number % count]}"


def _two_digits(number: int) -> str:
    return f"{number + 1:02}"


def _years(instants: InstantArray) -> Int64Array:
    return 1970 + months_of(instants) // 12


def _any_year(number: Any) -> str:  # noqa: ANN401 -- an integer of numpy or Python
    return f"{number:04}"


def _start_in(unit: Literal["h", "D", "M"], size: int = 1, shift: int = 0) -> Callable[[int], Instant]:
    # Periods of `size` units; period 0 starts `shift` units before 1970.
    return lambda number: _instant(np.array(number * size - shift).astype(f"datetime64[{unit}]"))


def _start_of_dekad(number: int) -> Instant:
    return _instant(np.datetime64(number // 3, "M").astype("datetime64[D]") + np.timedelta64(10 * (number % 3), "D"))


def _start_of_years(number: int) -> Instant:
    return _instant(np.datetime64(number - 1970, "Y"))


def _instant(time: Any) -> Instant:  # noqa: ANN401 -- of any unit
    instant: Instant = time.astype("datetime64[ns]")[()]
    return instant


PERIODS: Mapping[str, CalendarPeriod] = {
    "hour": CalendarPeriod(
        lambda times: times.astype("datetime64[h]").astype(np.int64), _hour_label, _start_in("h"), per_year=0
    ),
    "day": CalendarPeriod(_days, _day_label, _start_in("D"), per_year=0),
    "week": CalendarPeriod(_weeks, _week_label, _start_in("D", 7, 3), per_year=0),
    "dekad": CalendarPeriod(_dekads, _in_year(36, _two_digits), _start_of_dekad, per_year=36),
    "month": CalendarPeriod(months_of, _in_year(12, _two_digits), _start_in("M"), per_year=12),
    "season": CalendarPeriod(
        lambda times: (months_of(times) + 1) // 3, _start_year_label(SEASONS), _start_in("M", 3, 1), per_year=4
    ),
    "tropical-season": CalendarPeriod(
        lambda times: (months_of(times) + 2) // 6,
        _start_year_label(TROPICAL_SEASONS),
        _start_in("M", 6, 2),
        per_year=2,
    ),
    "year": CalendarPeriod(_years, _any_year, _start_of_years),
    "decade": CalendarPeriod(
        lambda times: _years(times) // 10,
        lambda number: _any_year(number * 10),
        lambda number: _start_of_years(number * 10),
    ),
    "decade-ad": CalendarPeriod(
        lambda times: (_years(times) - 1) // 10,
        lambda number: _any_year(number * 10 + 1),
        lambda number: _start_of_years(number * 10 + 1),
    ),
}
