"""Dates as file names spell them.

The forms, each bounded by something that is not a digit:

| form | example | names |
| --- | --- | --- |
| date | `20190604`, `2019-06-04`, `2019_06_04`, `2019.06.04`, `2019/06/04` | the day |
| with time of day | `20190604T105031`, `20190604_105031`, `200907100000` | the instant; at midnight the day |
| the same with a letter | `20190604-S105031`, `20190604_t1050310` (the last digit a tenth of a second) | the same |
| the same without seconds | `20190604_1050`, `2019-06-04_10-50`, `A2019155.1050` | the instant; only of a whole text |
| day of the year | `A2019155`, `2019155`, `2019_155`, `2019-155`, `2019/155`, `LC81980242019155LGN00` | the day |
| the same with time of day | `s20191551050310` | the instant |
| days of the year | `A20191532019160` | from the first to the last |
| dekad of a month | `2019-06-d2`, `201906D2`, `2019-06-dk2`, `201906dek2` | ten days; the third to the month's end |
| dekad of the year | `2019D17`, `2019-dek17`, `2019_dk17` | the same, 1 to 36 |
| week | `2019W23`, `2019-W23` | that of ISO 8601 |
| month | `201906`, `2019-06`, `2019_06`, `2019.06`, `2019/06` | the month |
| quarter | `2019-Q2`, `2019_Q2`, `2019Q2` | three months |
| year | `2019` | the year; only where it is the whole text |
| year of a product of years | `P1Y-2019`, `yearly_2019`, `2019_annual`, `2019-fv4.0` | the year |

If a name holds several dates, the first one counts: by convention the date of observation comes before that of
processing. A day precedes a dekad, a dekad a month, and a month any year, wherever they are: short runs of digits are
often numbers.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.instants import DAY, DEKAD, ONE_NS, TimeSpan, add_months
from chronotile.core.model.time.parser import parse_instant

FIRST_YEAR, LAST_YEAR = 1850, 2100
"""Years believed of a run of digits in a name."""

_YEAR = r"(?<!\d)(?P<year>\d{4})"
_CLOCK = r"(?P<hour>\d\d)(?P<c>[:-]?)(?P<minute>\d\d)(?:(?P=c)(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?Z?"
_DATE = r"(?P<s>[-_./]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)"
_END = r"(?!\d)"
_APART = r"(?![\dA-Za-z])"
"""No letter either: `2019_100m` and `2019_10m` tell a resolution."""
_DEKAD = r"[dD](?:[eE]?[kK])?"
_ALONE = r"(?<![0-9A-Za-z])"
_HMS = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
_OF_YEAR = r"(?P<year>\d{4})(?P<yearday>\d{3})"
_YEARLY = r"(?:P1Y|[Yy]early|YEARLY|[Aa]nnual|ANNUAL)"
_ONE_YEAR = r"(?<!\d{4}[-_])(?P<text>(?P<year>\d{4}))(?![-_]\d{4}(?!\d))"
"""Not one of two: `2001_2017` is a period."""

_DAYS = (
    re.compile(f"{_YEAR}{_DATE}[Tt ]{_CLOCK}{_END}"),
    re.compile(f"{_YEAR}{_DATE}[-_]{_HMS}Z?{_END}"),
    re.compile(f"{_YEAR}{_DATE}[-_][Sst]{_HMS}\\d?{_END}"),
    re.compile(f"{_YEAR}(?P<month>\\d\\d)(?P<day>\\d\\d)(?P<hour>\\d\\d)(?P<minute>\\d\\d)(?P<second>\\d\\d)?{_END}"),
    re.compile(f"{_ALONE}s{_OF_YEAR}{_HMS}\\d{_END}"),
    re.compile(f"{_ALONE}[A-Z]{_OF_YEAR}(?P<last_year>\\d{{4}})(?P<last_day>\\d{{3}}){_END}"),
    re.compile(f"{_YEAR}{_DATE}{_END}"),
    re.compile(f"{_YEAR}(?P<yearday>\\d{{3}}){_END}"),
    re.compile(f"{_YEAR}[-_/](?P<yearday>\\d{{3}}){_APART}"),
    re.compile(f"{_ALONE}L[CEMOT]\\d{{7}}(?P<text>{_OF_YEAR})(?=[A-Z]{{3}}\\d\\d)"),
)
_DEKADS = (
    re.compile(f"{_YEAR}[-_.]?(?P<month>\\d\\d)[-_]?{_DEKAD}(?P<third>[1-3]){_END}"),
    re.compile(f"{_YEAR}[-_]?{_DEKAD}(?P<dekad>\\d{{1,2}}){_END}"),
    re.compile(f"{_ALONE}(?P<year>\\d{{4}})-?W(?P<week>\\d\\d){_APART}"),
)
_MONTHS = (re.compile(f"{_YEAR}(?P<month>\\d\\d){_END}"), re.compile(f"{_YEAR}[-_./](?P<month>\\d\\d){_APART}"))
_YEARS = (
    re.compile(f"{_ALONE}(?P<year>\\d{{4}})[-_]?[Qq](?P<quarter>[1-4]){_APART}"),
    re.compile(f"(?<![A-Za-z]){_YEARLY}[-_.]{_ONE_YEAR}{_APART}"),
    re.compile(f"{_ALONE}{_ONE_YEAR}[-_.](?={_YEARLY}{_APART}|fv\\d)"),
)
_CLOCK_AFTER = re.compile(r"[-_.](?P<hour>[01]\d|2[0-3])[-_]?(?P<minute>[0-5]\d)Z?")
_DATE_DIGITS = 8
"""More tell a time of day already."""
_KINDS = (_DAYS, _DEKADS, _MONTHS, _YEARS)
_BARE_YEAR = re.compile(r"(?<![0-9A-Za-z])(?P<year>\d{4})(?![0-9A-Za-z])")


class TimeMatch(NamedTuple):
    """A time found in a text, and where: `text[start:stop]`."""

    span: TimeSpan
    start: int
    stop: int


class FolderTime(NamedTuple):
    """A time found in the names of folders that follow one another."""

    first: int
    last: int
    """Which folders, the last one included."""
    text: str
    """Their names, with slashes."""
    found: TimeMatch
    """Where in that text."""


DATE_FOLDERS = 3
"""Folders that make a date at most: year, month, day."""


def find_time(text: str) -> TimeMatch | None:
    """Return the first and most precise time that a file's name holds, if any."""
    for patterns in _KINDS:
        found = [time for pattern in patterns for time in _matches(pattern, text)]
        if found:
            return min(found, key=lambda time: (time.start, time.start - time.stop))
    return None


def find_folder_time(folders: Sequence[str]) -> FolderTime | None:
    """Return the time in the nearest folder's name, alone (`20190604`) or with those above it (`2019/06/04`)."""
    for last in reversed(range(len(folders))):
        for first in (last, max(0, last - DATE_FOLDERS + 1)):
            text = "/".join(folders[first : last + 1])
            found = find_time(text)
            if found is not None:
                return FolderTime(first, last, text, found)
    return None


def find_bare_year(text: str) -> TimeMatch | None:
    """Return the last year that stands alone in a file's name which has no other time, if any.

    Only for files that tell more of their times themselves: four digits are often another number.
    """
    if find_time(text) is not None:
        return None
    found = _matches(_BARE_YEAR, text)
    return found[-1] if found else None


def time_after_date(text: str) -> TimeSpan | None:
    """Return the instant that a text names which is a date and a time of day without seconds: `20190604_1050`.

    In a name four digits after a date are often another number: the names of other files decide.
    """
    found = find_time(text)
    clock = _CLOCK_AFTER.fullmatch(text, found.stop) if found and found.start == 0 else None
    if found is None or clock is None or found.span.end - found.span.start != DAY:
        return None
    if sum(map(str.isdigit, text[: found.stop])) > _DATE_DIGITS:
        return None
    minutes = 60 * int(clock["hour"]) + int(clock["minute"])
    return _instant(found.span.start + np.timedelta64(minutes, "m"))


def time_of_name(text: str) -> TimeSpan | None:
    """Return the span of the first and most precise time that a file's name holds, if any."""
    found = find_time(text)
    return found.span if found else None


def time_of_text(text: str) -> TimeSpan | None:
    """Return the span that a text names which is a time as a whole: one of a name's forms, a year, or ISO 8601."""
    found = find_time(text)
    if found is not None and (found.start, found.stop) == (0, len(text)):
        return found.span
    instant = time_after_date(text)
    if instant is not None:
        return instant
    try:
        span = parse_instant(text)
    except InvalidParameter:
        return found.span if found else None
    return _instant(span.start) if span.end - span.start < DAY else span


def _matches(pattern: re.Pattern[str], text: str) -> list[TimeMatch]:
    return [
        TimeMatch(span, *match.span("text" if "text" in pattern.groupindex else 0))
        for match in pattern.finditer(text)
        if (span := _span_of(match.groupdict())) is not None
    ]


def _span_of(parts: dict[str, str | None]) -> TimeSpan | None:
    """The span that the named parts make, or `None` where they make no date."""
    year = int(parts["year"] or 0)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    number = {key: int(part) for key, part in parts.items() if part and part.isdigit()}
    if "yearday" in number:
        return _span_of_days(year, parts)
    if "dekad" in number:
        return _dekad(year, number["dekad"] - 1)
    if "third" in number:
        month = number["month"]
        return _dekad(year, (month - 1) * 3 + number["third"] - 1) if 1 <= month <= 12 else None
    if "quarter" in number:
        start = add_months(np.datetime64(f"{year}-01-01", "ns"), 3 * number["quarter"] - 3)
        return TimeSpan(start, add_months(start, 3))
    return _week(year, number["week"]) if "week" in number else _calendar_span(parts)


def _span_of_days(year: int, parts: dict[str, str | None]) -> TimeSpan | None:
    """A day by its number in the year, an instant of it, or days up to another."""
    first = _day_of_year(year, int(parts["yearday"] or 0))
    if first is None:
        return None
    if parts.get("last_day"):
        last = _day_of_year(int(parts["last_year"] or 0), int(parts["last_day"] or 0))
        return TimeSpan(first.start, last.end) if last and first.start <= last.start else None
    day = str(first.start.astype("datetime64[D]"))
    return _calendar_span(parts | dict(zip(("year", "month", "day"), day.split("-"), strict=True)))


def _calendar_span(parts: dict[str, str | None]) -> TimeSpan | None:
    text = "-".join(part for part in (parts["year"], parts.get("month"), parts.get("day")) if part)
    if parts.get("hour"):
        text += f"T{parts['hour']}:{parts['minute']}:{parts.get('second') or '00'}"
        text += f".{parts['fraction']}" if parts.get("fraction") else ""
    try:
        span = parse_instant(text)
    except InvalidParameter:
        return None
    return _instant(span.start) if parts.get("hour") else span


def _instant(start: np.datetime64) -> TimeSpan:
    # An instant; at midnight the day, as products write `T000000` of what they made for a day.
    is_midnight = start.astype("datetime64[D]").astype("datetime64[ns]") == start
    return TimeSpan(start, start + (DAY if is_midnight else ONE_NS))


def _day_of_year(year: int, yearday: int) -> TimeSpan | None:
    first = np.datetime64(f"{year}-01-01", "ns")
    start = first + DAY * (yearday - 1)
    return TimeSpan(start, start + DAY) if yearday >= 1 and start < add_months(first, 12) else None


def _week(year: int, week: int) -> TimeSpan | None:
    try:
        start = np.datetime64(date.fromisocalendar(year, week, 1), "ns")
    except ValueError:
        return None
    return TimeSpan(start, start + 7 * DAY)


def _dekad(year: int, index: int) -> TimeSpan | None:
    # The dekad of a year by its index from 0.
    first = np.datetime64(f"{year}-01-01", "ns")
    return TimeSpan(DEKAD.step(first, index), DEKAD.step(first, index + 1)) if 0 <= index < 36 else None
