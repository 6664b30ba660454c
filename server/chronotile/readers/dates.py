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
| year of a product of years | `P1Y-2019`, `yearly_2019`, `2019_annual`, `2019-fv4.0`, `E2020_GLOBE` | the year |
| hour | `2019060410`, `20190604T10`, `20190604_10Z`, `2019-06-04_10:50:31` | the instant |
| month by its name | `04Jun2019`, `2019-Jun-04`, `Jun2019`, `june_2019` | the day or the month |
| run and lead of a forecast | `2019060400_f024`, `20190604_00_step24`, `20190604000000-24h-oper-fc` | the valid time |
| pentad of a month | `rfe2019_06-pt2` | five days; the sixth to the month's end |
| halves of GIMMS | `geo_v1_1982_0106`, `geo82jan15b` | half a year; half a month |

Forms that only several names together explain are in `readers/name_parts.py`.

A day precedes a dekad, a dekad a month, and a month any year: short runs of digits are often numbers. Of several dates
in a name the first counts, except dates of creation, processing and versions. Those are recognised by a prefix
(`c20220530`, `v20200101`, `_R20200108`, `proc_20200101`), or as the time in the header of a WMO product
(`_C_EUMT_20240101000545_`). With such a date alone beside a single year, the year counts.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
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
_DEKAD = r"[dD](?:[eE]?[kK](?:ad)?)?"
_ALONE = r"(?<![0-9A-Za-z])"
_HMS = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
_OF_YEAR = r"(?P<year>\d{4})(?P<yearday>\d{3})"
_YEARLY = r"(?:P1Y|[Yy]early|YEARLY|[Aa]nnual|ANNUAL)"
_ONE_YEAR = r"(?<!\d{4}[-_])(?P<text>(?P<year>\d{4}))(?![-_]\d{4}(?!\d))"
"""Not one of two: `2001_2017` is a period."""

_APART_BEFORE = r"(?<![A-Za-z])"
_NAME = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HOUR = r"(?P<hour>[01]\d|2[0-3])"
_RUN = rf"{_YEAR}{_DATE}(?:[-_T]?{_HOUR}(?P<minute>[0-5]\d)?(?:00)?[zZ]?)?"
_STREAM = r"(?=-(?:oper|enfo|wave|waef|scda|scwv|mmsf)-)"

_DAYS = (
    re.compile(rf"{_RUN}[-_.]?(?:[fF](?=\d{{3}})|step[-_]?|lead[-_]?|\+)(?P<lead>\d{{1,3}})[hH]?{_APART}"),
    re.compile(rf"{_RUN}-(?P<lead>\d{{1,3}})h{_STREAM}"),
    re.compile(rf"{_YEAR}{_DATE}[T_-]{_HOUR}(?P<c>[:_])(?P<minute>[0-5]\d)(?P=c)(?P<second>[0-5]\d)Z?{_END}"),
    re.compile(f"{_YEAR}{_DATE}[-_]{_HMS}-\\d{{3}}(?=[-_])"),
    re.compile(f"{_YEAR}{_DATE}T{_HOUR}[zZ]?{_APART}"),
    re.compile(f"{_YEAR}{_DATE}[-_]{_HOUR}[zZ]{_APART}"),
    re.compile(f"{_YEAR}(?P<month>\\d\\d)(?P<day>\\d\\d){_HOUR}{_END}"),
    re.compile(f"{_YEAR}(?P<yearday>\\d{{3}})[Tt]{_HMS}Z?{_END}"),
    re.compile(f"(?<!\\d)(?P<day>\\d{{1,2}})[-_]?{_NAME}[-_]?(?P<year>\\d{{4}}){_END}", re.IGNORECASE),
    re.compile(f"{_YEAR}[-_]?{_NAME}[-_]?(?P<day>\\d\\d){_END}", re.IGNORECASE),
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
    re.compile(f"{_YEAR}[-_.]?(?P<month>\\d\\d)[-_.]?(?:pt|pen|pentad)(?P<pentad>[1-6]){_END}"),
    re.compile(f"(?:(?<=geo_v1_)|(?<=geo_v1_\\d_)|^)(?P<year>\\d{{4}})_(?P<half>0106|0712){_END}"),
    re.compile(f"(?:(?<=geo)|^)(?P<year>\\d\\d){_NAME}15(?P<half>[ab])"),
    re.compile(f"{_YEAR}[-_.]?(?P<month>\\d\\d)[-_]?{_DEKAD}(?P<third>[1-3]){_END}"),
    re.compile(f"{_YEAR}[-_]?{_DEKAD}(?P<dekad>\\d{{1,2}}){_END}"),
    re.compile(f"{_ALONE}(?P<year>\\d{{4}})[-_]?[Ww](?P<week>\\d\\d){_APART}"),
)
_MONTHS = (
    re.compile(f"{_YEAR}(?P<month>\\d\\d){_END}"),
    re.compile(f"{_YEAR}[-_./](?P<month>\\d\\d){_APART}"),
    re.compile(f"{_APART_BEFORE}{_NAME}[-_]?(?P<year>\\d{{4}}){_END}", re.IGNORECASE),
    re.compile(f"{_YEAR}[-_]?{_NAME}{_APART}(?!_[DFOR]_)", re.IGNORECASE),
)
_YEARS = (
    re.compile(f"{_ALONE}(?P<year>\\d{{4}})[-_]?[Qq](?P<quarter>[1-4]){_APART}"),
    re.compile(f"(?<![A-Za-z]){_YEARLY}[-_.]{_ONE_YEAR}{_APART}"),
    re.compile(f"{_ALONE}{_ONE_YEAR}[-_.](?={_YEARLY}{_APART}|fv\\d)"),
)
_BY_PRODUCT = (
    re.compile(rf"{_YEAR}(?P<month>\d\d)01-S000000-E235959\.\d\d{_END}"),
    re.compile(r"(?<=_)E(?P<text>(?P<year>\d{4}))(?=_GLOBE_R)"),
    re.compile(r"(?<=_CLC)(?P<text>(?P<year>\d{4}))(?=_V\d{4})"),
    re.compile(r"(?<![A-Za-z])VPP_(?P<text>(?P<year>\d{4}))(?=_S2)"),
)
"""Months of IMERG, and years of GHSL, CORINE and HR-VPP: their names have other dates, or numbers like dates."""
_CREATION = re.compile(
    r"(?:(?<![A-Za-z])(?:[bcepvrVR]|cr|fv)|(?<![A-Za-z])(?:rev|ver|proc|prod|gen|upd|created|generated|updated|processed)[-_]?"
    r"|_C_[A-Z]{4}_)$"
)
"""Text before a date that is not the one of observation."""
_KINDS = (_BY_PRODUCT, _DAYS, _DEKADS, _MONTHS, _YEARS)
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


@lru_cache(maxsize=1 << 14)
def find_time(text: str) -> TimeMatch | None:
    """Return the first and most precise time of observation in a file's name, or else that of its creation, if any."""
    creation: TimeMatch | None = None
    for patterns in _KINDS:
        found = [time for pattern in patterns for time in _matches(pattern, text)]
        observed = [time for time in found if not _CREATION.search(text, 0, time.start)]
        if observed:
            return min(observed, key=_position)
        creation = creation or (min(found, key=_position) if found else None)
    years = _matches(_BARE_YEAR, text) if creation else []
    return years[0] if len({year.span for year in years}) == 1 else creation


def _position(time: TimeMatch) -> tuple[int, int]:
    # The first match is the smallest, of those that start together the longest.
    return time.start, time.start - time.stop


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

    Four digits are often another number: the caller has to confirm the year by other files.
    """
    if find_time(text) is not None:
        return None
    found = _matches(_BARE_YEAR, text)
    return found[-1] if found else None


def all_years(text: str) -> set[int]:
    """Return all years that stand alone in a name, outside of its time."""
    found = find_time(text)
    start, stop = (found.start, found.stop) if found else (0, 0)
    years = (time for time in _matches(_BARE_YEAR, text) if time.stop <= start or time.start >= stop)
    return {int(text[time.start : time.stop]) for time in years}


def earlier_date(text: str, span: TimeSpan) -> TimeSpan | None:
    """Return a day in the rest of a name, not marked as that of its creation, that is before the one read."""
    found = [time for pattern in _DAYS for time in _matches(pattern, text) if not _CREATION.search(text, 0, time.start)]
    return next((time.span for time in found if time.span.end <= span.start), None)


def time_of_name(text: str) -> TimeSpan | None:
    """Return the span of the first and most precise time that a file's name holds, if any."""
    found = find_time(text)
    return found.span if found else None


def _matches(pattern: re.Pattern[str], text: str) -> list[TimeMatch]:
    return [
        TimeMatch(span, *match.span("text" if "text" in pattern.groupindex else 0))
        for match in pattern.finditer(text)
        if (span := span_of_parts(match.groupdict())) is not None
    ]


def span_of_parts(parts: Mapping[str, str | None]) -> TimeSpan | None:
    """Return the span that the groups of an expression make, or `None` if they make no date."""
    known = {key: part for key, part in parts.items() if part}
    if "year" in known and len(known["year"]) == 2:
        known["year"] = f"{'19' if known['year'] >= '70' else '20'}{known['year']}"
    if "name" in known:
        known["month"] = f"{_MONTH_NAMES.index(known.pop('name')[:3].lower()) + 1:02}"
    lead = known.pop("lead", None)
    span = _span_of_known(known) if FIRST_YEAR <= int(known.get("year", 0)) <= LAST_YEAR else None
    return instant_span(span.start + np.timedelta64(int(lead), "h")) if span and lead else span


def _span_of_known(parts: dict[str, str]) -> TimeSpan | None:
    year = int(parts["year"])
    number = {key: int(part) for key, part in parts.items() if part.isdigit()}
    if "half" in parts or "pentad" in number:
        return _part_of_month(year, parts, number)
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


def _span_of_days(year: int, parts: dict[str, str]) -> TimeSpan | None:
    """A day by its number in the year, an instant of it, or days up to another."""
    first = _day_of_year(year, int(parts["yearday"]))
    if first is None:
        return None
    if parts.get("last_day"):
        last = _day_of_year(int(parts["last_year"]), int(parts["last_day"]))
        return TimeSpan(first.start, last.end) if last and first.start <= last.start else None
    day = str(first.start.astype("datetime64[D]"))
    return _calendar_span(parts | dict(zip(("year", "month", "day"), day.split("-"), strict=True)))


def _calendar_span(parts: dict[str, str]) -> TimeSpan | None:
    text = "-".join(part for part in (parts["year"], parts.get("month"), parts.get("day")) if part)
    if parts.get("hour"):
        text += f"T{parts['hour']}:{parts.get('minute') or '00'}:{parts.get('second') or '00'}"
        text += f".{parts['fraction']}" if parts.get("fraction") else ""
    try:
        span = parse_instant(text)
    except InvalidParameter:
        return None
    return instant_span(span.start) if parts.get("hour") else span


def instant_span(start: np.datetime64) -> TimeSpan:
    """Return an instant; at midnight the day, as daily products have `T000000` in their names."""
    is_midnight = start.astype("datetime64[D]").astype("datetime64[ns]") == start
    return TimeSpan(start, start + (DAY if is_midnight else ONE_NS))


def _day_of_year(year: int, yearday: int) -> TimeSpan | None:
    first = np.datetime64(f"{year}-01-01", "ns")
    start = first + DAY * (yearday - 1)
    return TimeSpan(start, start + DAY) if yearday >= 1 and start < add_months(first, 12) else None


def _part_of_month(year: int, parts: dict[str, str], number: dict[str, int]) -> TimeSpan | None:
    """A pentad or half of a month, or a half of a year."""
    first = np.datetime64(f"{year}-01-01", "ns")
    if parts.get("half") in {"0106", "0712"}:
        start = add_months(first, 6 if parts["half"] == "0712" else 0)
        return TimeSpan(start, add_months(start, 6))
    if not 1 <= number.get("month", 0) <= 12:
        return None
    month = add_months(first, number["month"] - 1)
    days = 15 if "half" in parts else 5
    edges = [*(month + DAY * days * step for step in range(30 // days)), add_months(month, 1)]
    index = "ab".index(parts["half"].lower()) if "half" in parts else number["pentad"] - 1
    return TimeSpan(edges[index], edges[index + 1]) if 0 <= index < len(edges) - 1 else None


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
