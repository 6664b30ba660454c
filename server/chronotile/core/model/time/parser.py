"""The only parser of time texts.

Everything is UTC. A value at any precision means the whole period it names (`2020-06` is the month), so parsed
values are half-open spans `[start, end)`. Sources: ISO 8601, RFC 3339 §5.6, WMS 1.3.0 Annex D, OGC API Common
`datetime`.
"""

import re
from datetime import date
from functools import lru_cache

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.instants import DAY, DISTANT_FUTURE, DISTANT_PAST, FIRST_YEAR, LAST_YEAR, TimeSpan
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import add_months
from chronotile.core.model.time.selection import ABSENT, DEFAULT, LATEST, MAX_PARTS, TimePart, TimeSelection
from chronotile.core.model.types import Duration, Instant

MAX_TEXT = 20_000
MAX_KNOWN_TEXT = 100
"""Characters of a text whose selection is cached for the next request with the same text."""

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
_SLASHED_DATE = re.compile(r"\d{1,4}/\d{1,2}/\d{1,4}", re.ASCII)
_OPEN = {"", "..", "*"}
_LATEST = {"current", "latest", "now", "present"}
_EPOCH_MS = re.compile(r"\d{13}|(?!19|20)\d{12}", re.ASCII)
"""Milliseconds since 1970, as in JavaScript, from 1973 on; numbers that may be YYYYMMDDhhmm do not match."""


def parse_time(text: str | None) -> TimeSelection:
    """Return the selection in a text; `None` and blank text select nothing (`absent`).

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
    """Return the span of one value at any precision.

    Raises:
        InvalidParameter: The text is not an ISO 8601 date or date-time of the years `FIRST_YEAR` to `LAST_YEAR`.
    """
    match = _VALUE.fullmatch(text)
    if match is None:
        raise _unreadable(text)
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if match["zone"] and not match["hour"]:
        raise _unreadable(text)
    if not (FIRST_YEAR <= year <= LAST_YEAR and hour < 24 and minute < 60 and second < 60):
        raise _unreadable(text)
    try:
        day_start = np.datetime64(date(year, month, day), "ns")
    except ValueError as error:
        lack = f"{year:04}-{month:02} has no day {day}" if 1 <= month <= 12 else f"there is no month {month}"
        raise InvalidParameter(f"{text[:60]!r} is not a valid time: {lack}", locator="time") from error
    fraction = int((match["fraction"] or "").ljust(9, "0") or 0)
    of_day = np.timedelta64(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction, "ns")
    start = day_start + of_day - zone_offset(match["zone"])
    return TimeSpan(start, _end_of_value(start, match))


def _requested_instant(text: str) -> TimeSpan:
    """Like `parse_instant`; requests may also use milliseconds since 1970, files and configurations may not."""
    if _EPOCH_MS.fullmatch(text) is None:
        return parse_instant(text)
    start = np.datetime64(int(text), "ms")
    if start.astype("datetime64[Y]") > np.datetime64(str(LAST_YEAR), "Y"):
        raise _unreadable(text)
    first = start.astype("datetime64[ns]")
    return TimeSpan(first, first + np.timedelta64(1, "ms"))


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
    # `start/end/0` stands for continuous data: no steps (WMS 1.3.0 Annex D).
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
    """Return the interval of a start and a duration, or a duration and an inclusive end (ISO 8601-1:2019 §5.5.2)."""
    if end_text[:1] == "P":
        start = _requested_instant(start_text).start
        return TimeSpan(start, parse_period(end_text).step(start, 1))
    end = _requested_instant(end_text).end
    return TimeSpan(parse_period(start_text).step(end, -1), end)


def zone_offset(zone: str | None) -> Duration:
    """Return the offset of an ISO 8601 time zone from UTC; a blank is a plus sign after form decoding."""
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


def _end_of_value(start: Instant, match: re.Match[str]) -> Instant:
    """Return the first instant after a value with the precision of the text."""
    if match["fraction"]:
        return start + np.timedelta64(10 ** (9 - len(match["fraction"])), "ns")
    for name, length in _PRECISIONS.items():
        if match[name]:
            return start + length
    return add_months(start, 1 if match["month"] else 12)


def _unreadable(text: str) -> InvalidParameter:
    return InvalidParameter(f"{text[:60]!r} is not a valid time; {ACCEPTED}", locator="time")
