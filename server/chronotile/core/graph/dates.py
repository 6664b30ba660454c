"""Processes on dates and times: texts in RFC 3339, dates without a time, and times without a date."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.values import GraphProcess, require_whole

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)Z?", re.ASCII)
LENGTHS = {
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
"""Units of constant length."""
MONTHS = {"month": 1, "year": 12}
"""Units in months."""
MAX_SHIFT = 10**15
"""Maximum number of units of a shift; milliseconds of all accepted years."""


class DateText(NamedTuple):
    """A date or a time of a client."""

    time: datetime
    """With the zone of the text; a date is midnight in UTC."""
    zone: str | None
    """Zone in the text; `None` for a date."""

    def text_of(self, time: datetime) -> str:
        """Return another time in the form of this one; milliseconds only if there are any."""
        if self.zone is None:
            return time.date().isoformat()
        digits = "milliseconds" if time.microsecond else "seconds"
        return time.replace(tzinfo=None).isoformat(timespec=digits) + self.zone.upper()


def parse_date(value: object, argument: str) -> DateText:
    """Return a date or time in RFC 3339; 23:59:60 is the start of the next day.

    Raises:
        ProcessFault: The value is not a date.
    """
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _not_a_date(value, argument)
    day, minutes, seconds, fraction, zone = match.groups()
    try:
        if minutes is None:
            return DateText(datetime.fromisoformat(day).replace(tzinfo=UTC), None)
        offset = zone.upper().replace("Z", "+00:00")
        time = datetime.fromisoformat(f"{day}T{minutes}:00{offset}")
        parts = timedelta(seconds=int(seconds), microseconds=int(float(fraction or 0) * 1e6 + 0.5))
        if int(seconds) > 60:
            raise _not_a_date(value, argument)
        return DateText(time + parts, zone)
    except (ValueError, OverflowError):
        raise _not_a_date(value, argument) from None


def seconds_of(value: object) -> float | None:
    """Return the seconds from 1970 to a date or time; `None` for any other value."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    return (parse_date(value, "data").time - _EPOCH) / timedelta(seconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def date_between(x: Any, min: Any, max: Any, exclude_max: bool = False) -> bool | None:  # noqa: ANN401 -- published
    """Return whether a date or time is between two others; `None` with no data."""
    values = {"x": x, "min": min, "max": max}
    if None in values.values():
        return None
    are_times = [_TIME.fullmatch(value) is not None for value in values.values() if isinstance(value, str)]
    if any(are_times):
        if len(are_times) < 3 or not all(are_times):
            raise invalid("x, min, max", f"{shorten(list(values.values()))} mixes times with and without a date")
        time, low, high = (value.rstrip("Z") for value in values.values())
    else:
        time, low, high = (parse_date(value, name).time for name, value in values.items())
    return bool(low <= time < high if exclude_max else low <= time <= high)


def date_difference(date1: Any, date2: Any, unit: str = "second") -> float:  # noqa: ANN401 -- checked here
    """Return the time from `date1` to `date2`.

    Months and years are counted in the calendar, with the fraction of the last one.
    """
    start, end = parse_date(date1, "date1").time.astimezone(UTC), parse_date(date2, "date2").time.astimezone(UTC)
    if _check_unit(unit) in LENGTHS:
        return (end - start) / LENGTHS[unit]
    size = MONTHS[unit]
    months = (end.year - start.year) * 12 + end.month - start.month
    count = months // size
    while _add_months(start, count * size) > end:
        count -= 1
    while _add_months(start, (count + 1) * size) <= end:
        count += 1
    low, high = (_add_months(start, number * size) for number in (count, count + 1))
    return count + (end - low) / (high - low)


def date_shift(date: Any, value: Any, unit: str) -> str:  # noqa: ANN401 -- checked here
    """Return a date or time plus a number of units, in the zone of the date.

    A day that the month does not have becomes the last day of the month.
    """
    parsed = parse_date(date, "date")
    count = require_whole(value, "value", least=-MAX_SHIFT, most=MAX_SHIFT)
    try:
        if _check_unit(unit) in LENGTHS:
            return parsed.text_of(parsed.time + count * LENGTHS[unit])
        return parsed.text_of(_add_months(parsed.time, count * MONTHS[unit]))
    except (ValueError, OverflowError):
        raise invalid("value", f"{count} {unit}s from {date} are outside the years 1 to 9999") from None


def _add_months(time: datetime, months: int) -> datetime:
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    first = time.replace(year=year, month=month + 1, day=1)
    following = first + timedelta(days=31)
    last_day = (following - timedelta(days=following.day)).day
    return first.replace(day=min(time.day, last_day))


def _not_a_date(value: object, argument: str) -> ProcessFault:
    return invalid(argument, f"{shorten(value)} is not a date; accepted are 2020-01-31 and 2020-01-31T12:00:00Z")


def _check_unit(unit: object) -> str:
    if not isinstance(unit, str) or unit not in {**LENGTHS, **MONTHS}:
        raise invalid("unit", f"{shorten(unit)} is not a unit; accepted are {', '.join({**LENGTHS, **MONTHS})}")
    return unit


DATES: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process) for process in (date_between, date_difference, date_shift)
}
"""Processes by name."""
