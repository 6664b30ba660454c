"""The one parser of time text.

Everything is UTC. A value at any precision means the whole period it names (`2020-06` is the month), so parsed
values are half-open spans `[start, end)`. Sources: ISO 8601, RFC 3339 §5.6, WMS 1.3.0 Annex D, OGC API Common
`datetime`.
"""

import re
from datetime import date
from functools import lru_cache

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.instants import (
    ABSENT,
    DAY,
    DEFAULT,
    DEKAD,
    DISTANT_FUTURE,
    DISTANT_PAST,
    FIRST_YEAR,
    LAST_YEAR,
    LATEST,
    MAX_PARTS,
    ONE_NS,
    Period,
    TimePart,
    TimeSelection,
    TimeSpan,
    add_months,
    format_instant,
)
from chronotile.core.model.types import Duration, Instant

MAX_TEXT = 20_000
MAX_KNOWN_TEXT = 100
"""Characters of a text whose selection is kept for the next request that has it."""
MAX_PERIOD_NS = 100 * 366 * 86_400_000_000_000

ACCEPTED = (
    "accepted are an instant (2020, 2020-06, 2020-06-01, 2020-06-01T10:50:00Z), an interval (2020-01-01/2020-06-30, "
    "../2020-06-30, 2020-01-01/.., 2020-01-01/P6M), an interval with period (2020-01-01/2020-06-30/P10D), a comma "
    "list, current, latest or default"
)

_VALUE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9})\d*)?)?)?)?)?)?"
    r"(?P<zone>[Zz]|[+\- ](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?",
    re.ASCII,
)
_PERIOD = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9})(?:\.(?P<fraction>\d{1,9}))?S)?)?",
    re.ASCII,
)
_SLASHED_DATE = re.compile(r"\d{1,4}/\d{1,2}/\d{1,4}", re.ASCII)
_OPEN = {"", "..", "*"}
_LATEST = {"current", "latest", "now", "present"}
_EPOCH_MS = re.compile(r"\d{13}|(?!19|20)\d{12}", re.ASCII)
"""Milliseconds since 1970, as JavaScript counts them, from 1973 on; not what may be YYYYMMDDhhmm."""


def parse_time(text: str | None) -> TimeSelection:
    """Return what `text` selects; `None` and blank text select nothing (`absent`).

    Raises:
        InvalidParameter: The text is not one of the accepted forms, or an interval ends before it starts.
    """
    if text is None or not text.strip():
        return ABSENT
    if len(text) > MAX_TEXT:
        raise InvalidParameter(f"time has {len(text)} characters, at most {MAX_TEXT} are accepted", locator="time")
    # All tiles of a map have the same text, which takes 11 µs to parse.
    return _known_selection(text.strip()) if len(text) <= MAX_KNOWN_TEXT else _selection(text.strip())


def _selection(text: str) -> TimeSelection:
    if text.lower() in _LATEST:
        return LATEST
    if text.lower() == "default":
        return DEFAULT
    members = [member.strip() for member in text.split(",")]
    if len(members) > MAX_PARTS:
        raise InvalidParameter(f"time lists {len(members)} values, at most {MAX_PARTS} are accepted", locator="time")
    return TimeSelection("parts", tuple(_parse_part(member) for member in members))


_known_selection = lru_cache(maxsize=1024)(_selection)


def parse_instant(text: str) -> TimeSpan:
    """Return the span that one value at any precision names.

    Raises:
        InvalidParameter: The text is not an ISO 8601 date or date-time of the years `FIRST_YEAR` to `LAST_YEAR`.
    """
    found = _VALUE.fullmatch(text)
    if found is None:
        raise _unreadable(text)
    year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["zone"] and not found["hour"]:
        raise _unreadable(text)
    if not (FIRST_YEAR <= year <= LAST_YEAR and hour < 24 and minute < 60 and second < 60):
        raise _unreadable(text)
    try:
        day_start = np.datetime64(date(year, month, day), "ns")
    except ValueError as error:
        lack = f"{year:04}-{month:02} has no day {day}" if 1 <= month <= 12 else f"there is no month {month}"
        raise InvalidParameter(f"{text[:60]!r} is not a valid time: {lack}", locator="time") from error
    fraction = int((found["fraction"] or "").ljust(9, "0") or 0)
    of_day = np.timedelta64(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction, "ns")
    start = day_start + of_day - zone_offset(found["zone"])
    return TimeSpan(start, _end_of_value(start, found))


def _requested_instant(text: str) -> TimeSpan:
    """As `parse_instant`; requests may also count milliseconds, which neither files nor configurations do."""
    if _EPOCH_MS.fullmatch(text) is None:
        return parse_instant(text)
    start = np.datetime64(int(text), "ms")
    if start.astype("datetime64[Y]") > np.datetime64(str(LAST_YEAR), "Y"):
        raise _unreadable(text)
    first = start.astype("datetime64[ns]")
    return TimeSpan(first, first + np.timedelta64(1, "ms"))


def parse_period(text: str) -> Period:
    """Return the ISO 8601 duration, or `dekad`, that `text` names.

    Raises:
        InvalidParameter: The text is not a duration, or one of no length.
    """
    if text == "dekad":
        return DEKAD
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise InvalidParameter(f"{text[:40]!r} is not an ISO 8601 period such as P10D, P1M or PT15M", locator="time")
    amounts = {name: int(value or 0) for name, value in found.groupdict().items() if name != "fraction"}
    months = amounts["years"] * 12 + amounts["months"]
    seconds = (((amounts["weeks"] * 7 + amounts["days"]) * 24 + amounts["hours"]) * 60 + amounts["minutes"]) * 60
    nanoseconds = (seconds + amounts["seconds"]) * 1_000_000_000 + int((found["fraction"] or "").ljust(9, "0"))
    if months == 0 and nanoseconds == 0:
        raise InvalidParameter(f"the period {text[:40]!r} has no length; use one such as P10D or P1M", locator="time")
    if nanoseconds > MAX_PERIOD_NS:
        raise InvalidParameter(f"the period {text!r} is longer than a century", locator="time")
    return Period(months=months, fixed=np.timedelta64(nanoseconds, "ns"))


def _parse_part(text: str) -> TimePart:
    if "/" not in text:
        if text.lower() in _LATEST:
            raise InvalidParameter(f"{text} is not allowed in a list of times", locator="time")
        return TimePart(_requested_instant(text))
    bounds = text.split("/")
    if len(bounds) > 3 or _SLASHED_DATE.fullmatch(text):
        raise _unreadable(text)
    start_text, end_text = bounds[0].strip(), bounds[1].strip()
    if start_text in _OPEN and end_text in _OPEN:
        raise InvalidParameter(f"the interval {text[:40]!r} has neither start nor end", locator="time")
    ends_at_newest = end_text.lower() in _LATEST
    if len(bounds) == 2 and not ends_at_newest and (start_text[:1] == "P" or end_text[:1] == "P"):
        return TimePart(_lasting(start_text, end_text), is_interval=True)
    # `start/end/0` says that the data are continuous: no stepping (WMS 1.3.0 Annex D).
    period = parse_period(bounds[2].strip()) if len(bounds) == 3 and bounds[2].strip() != "0" else None
    first = None if start_text in _OPEN else _requested_instant(start_text)
    is_open = end_text in _OPEN or ends_at_newest
    start = DISTANT_PAST if first is None else first.start
    end = DISTANT_FUTURE if is_open else _requested_instant(end_text).end
    if end <= start:
        raise InvalidParameter(f"the interval {text[:60]!r} ends before it starts", locator="time")
    if period is None or first is None:
        return TimePart(TimeSpan(start, end), is_interval=True, ends_at_newest=ends_at_newest)
    return TimePart(first, is_interval=True, period=period, end=end, ends_at_newest=ends_at_newest)


def _lasting(start_text: str, end_text: str) -> TimeSpan:
    """A start and how long from it, or how long and the end (ISO 8601-1:2019 §5.5.2), which is held."""
    if end_text[:1] == "P":
        start = _requested_instant(start_text).start
        return TimeSpan(start, parse_period(end_text).step(start, 1))
    end = _requested_instant(end_text).end
    return TimeSpan(parse_period(start_text).step(end, -1), end)


def zone_offset(zone: str | None) -> Duration:
    """Return how far a time zone of ISO 8601 is ahead of UTC; form decoding turns its plus sign into a blank."""
    if not zone or zone in "Zz":
        return np.timedelta64(0, "ns")
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return np.timedelta64((-minutes if zone[0] == "-" else minutes) * 60_000_000_000, "ns")


_PRECISIONS = {
    "second": np.timedelta64(1_000_000_000, "ns"),
    "minute": np.timedelta64(60_000_000_000, "ns"),
    "hour": np.timedelta64(3_600_000_000_000, "ns"),
    "day": DAY,
}


def _end_of_value(start: Instant, found: re.Match[str]) -> Instant:
    """The first instant after the period that a value of this precision names."""
    if found["fraction"]:
        return start + np.timedelta64(10 ** (9 - len(found["fraction"])), "ns")
    for name, length in _PRECISIONS.items():
        if found[name]:
            return start + length
    return add_months(start, 1 if found["month"] else 12)


def _unreadable(text: str) -> InvalidParameter:
    return InvalidParameter(f"{text[:60]!r} is not a valid time; {ACCEPTED}", locator="time")


# What a request asks of time, as text again.

LENGTHS = (4, 7, 10, 13, 16, 19, *range(21, 30))
"""Of an instant without its zone, at each precision."""


def selection_text(selection: TimeSelection) -> str | None:
    """Return text that `parse_time` reads as the same selection; `None` for an empty one."""
    if selection.keyword == "absent":
        return None
    return ",".join(map(_part_text, selection.parts)) if selection.keyword == "parts" else selection.keyword


def _part_text(part: TimePart) -> str:
    if part.period is not None and part.end is not None:
        return f"{_value_text(part.span)}/{_end_text(part, part.end)}/{_period_text(part.period)}"
    if not part.is_interval:
        return _value_text(part.span)
    is_open = part.span.start == DISTANT_PAST and part.span.end != DISTANT_FUTURE  # not at both ends
    return f"{'..' if is_open else format_instant(part.span.start)}/{_end_text(part, part.span.end)}"


def _end_text(part: TimePart, end: Instant) -> str:
    """The last nanosecond before an end, which intervals hold."""
    if part.ends_at_newest:
        return "current"
    return ".." if end == DISTANT_FUTURE else f"{(end + -ONE_NS).astype('datetime64[ns]')}Z"


def _value_text(span: TimeSpan) -> str:
    """An instant as precise as the span is long."""
    whole = str(span.start.astype("datetime64[ns]"))
    texts = (whole[:length] + ("Z" if length > 10 else "") for length in LENGTHS)
    return next(text for text in texts if _is_read_as(text, span))


def _is_read_as(text: str, span: TimeSpan) -> bool:
    try:
        return parse_instant(text) == span
    except InvalidParameter:
        return False


def _period_text(period: Period) -> str:
    if period == DEKAD:
        return "dekad"
    seconds, fraction = divmod(int(period.fixed / np.timedelta64(1, "ns")), 1_000_000_000)
    days, seconds = divmod(seconds, 86_400)
    of_day = f"T{seconds}.{fraction:09}S" if seconds or fraction else ""
    return f"P{f'{period.months}M' if period.months else ''}{f'{days}D' if days else ''}{of_day}"


# Periods of the calendar, as text requests them.

MAX_SHOWN = 60
"""Characters of what was given that a message repeats."""


def requested_period(text: str, *, also: str = "") -> Period:
    """Return the period that `step` names: `dekad`, or ISO 8601 in any case.

    Args:
        text: Of the parameter.
        also: What else it may be, in words, for the error message.

    Raises:
        InvalidParameter: It is not a period, one of months and days together, or more days than a year has.
    """
    try:
        period = parse_period("dekad" if text.lower() == "dekad" else text.upper())
    except InvalidParameter as error:
        raise InvalidParameter(
            f"step {text[:MAX_SHOWN]!r} is not accepted; use {also}dekad, or a period such as P1M, P3M, P1Y, P8D or "
            "PT6H",
            locator="step",
        ) from error
    if period.months and int(period.fixed.astype(int)):
        raise InvalidParameter("step is either of years and months, or of weeks, days and shorter", locator="step")
    if period.fixed > 366 * DAY:
        raise InvalidParameter("a step of days restarts each year and is at most P366D; use P2Y", locator="step")
    return period
