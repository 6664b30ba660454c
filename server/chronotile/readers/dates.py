"""Dates as file names spell them.

The forms, each bounded by something that is not a digit:

| form | example | names |
| --- | --- | --- |
| date | `20190604`, `2019-06-04`, `2019_06_04`, `2019.06.04`, `2019/06/04` | the day |
| with time of day | `20190604T105031`, `20190604_105031`, `200907100000` | the instant; at midnight the day |
| the same with a letter | `20190604-S105031`, `20190604_t1050310` (the last digit a tenth of a second) | the same |
| the same without seconds | `20190604_1050`, `2019-06-04_10-50`, `A2019155.1050` | the instant; only of a whole text |
| day of the year | `A2019155`, `2019155`, `2019_155`, `2019-155`, `2019/155`, `LC81980242019155LGN00` | the day |
| the same with time of day | `s20191551050310`, `doy2019155105031` | the instant; at midnight the day |
| the same with a time zone | `2019-06-04T10-50-31+0200`, `20190604T105031-03:00` | the instant in UTC |
| days of the year | `A20191532019160` | from the first to the last |
| dekad of a month | `2019-06-d2`, `201906D2`, `2019-06-dk2`, `201906dek2` | ten days; the third to the month's end |
| dekad of the year | `2019D17`, `2019-dek17`, `2019_dk17` | the same, 1 to 36 |
| week | `2019W23`, `2019-W23` | the week of ISO 8601 |
| week since 1 January | `VHP.G04.C07.npp.P2019023.VH` | seven days; the last one to the year's end |
| month | `201906`, `2019-06`, `2019_06`, `2019.06`, `2019/06` | the month |
| quarter | `2019-Q2`, `2019_Q2`, `2019Q2` | three months |
| year | `2019` | the year; only if it is the whole text |
| year of a product of years | `P1Y-2019`, `yearly_2019`, `2019_annual`, `2019-fv4.0`, `E2020_GLOBE` | the year |
| hour | `2019060410`, `20190604T10`, `20190604_10Z`, `2019-06-04_10:50:31` | the instant |
| month by its name | `04Jun2019`, `2019-Jun-04`, `Jun2019`, `june_2019` | the day or the month |
| run and lead of a forecast | `2019060400_f024`, `20190604_00_step24`, `20190604000000-24h-oper-fc` | the valid time |
| pentad of a month | `rfe2019_06-pt2` | five days; the sixth to the month's end |
| halves of GIMMS | `geo_v1_1982_0106`, `geo82jan15b`, `geo2000jan15a` | half a year; half a month |

Forms that only several names together explain are in `readers/name_parts.py`.

Forms of one product (`_BY_PRODUCT`) precede a day, a day a dekad, a dekad a month, and a month any year: short runs
of digits are often numbers. Of dates with equal precedence the first counts, except dates of creation, processing and
versions. Such dates are recognised by a prefix
(`c20220530`, `v20200101`, `_R20200108`, `proc_20200101`), or as the time in the header of a WMO product
(`_C_EUMT_20240101000545_`). If a name has only such a date and a single year, the year counts.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan
from chronotile.core.model.time.parser import zone_offset

FIRST_YEAR, LAST_YEAR = 1850, 2100
"""Range of digits in a name that are taken for a year."""

_YEAR = r"(?<!\d)(?P<year>\d{4})"
_ZONE = r"(?P<zone>Z|(?:\+(?:0\d|1[0-4])|-(?:0\d|1[0-2])):?(?:00|15|30|45)(?!\d))?"
"""After a minus sign only round offsets count: other digits are usually a number of the product."""
_CLOCK = (
    r"(?P<hour>\d\d)(?P<c>[:-]?)(?P<minute>\d\d)"
    rf"(?:(?P=c)(?P<second>\d\d)(?:[.,](?P<fraction>\d{{1,9}}))?)?{_ZONE}"
)
_DATE = r"(?P<s>[-_./]?)(?P<month>\d\d)(?P=s)(?P<day>\d\d)"
_NOT_NUMBERS = {"s", "c", "zone"}
"""Groups for the signs between parts, and for the time zone."""
_END = r"(?!\d)"
_APART = r"(?![\dA-Za-z])"
"""End of a form without a letter after it: `2019_100m` and `2019_10m` contain a resolution."""
_DEKAD = r"[dD](?:[eE]?[kK](?:ad)?)?"
_ALONE = r"(?<![0-9A-Za-z])"
_HMS = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
_OF_YEAR = r"(?P<year>\d{4})(?P<day_of_year>\d{3})"
_YEARLY = r"(?:P1Y|[Yy]early|YEARLY|[Aa]nnual|ANNUAL)"
_ONE_YEAR = r"(?<!\d{4}[-_])(?P<text>(?P<year>\d{4}))(?![-_]\d{4}(?!\d))"
"""Without a second year: `2001_2017` is a period."""

_APART_BEFORE = r"(?<![A-Za-z])"
_NAME = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_OF_PARTS = {"half": 15, "dekad": 10, "pentad": 5}
"""Days of the parts of a month; the last part ends with the month."""
_HOUR = r"(?P<hour>[01]\d|2[0-3])"
_RUN = rf"{_YEAR}{_DATE}(?:[-_T]?{_HOUR}(?P<minute>[0-5]\d)?(?:00)?[zZ]?)?"
_STREAM = r"(?=-(?:oper|enfo|wave|waef|scda|scwv|mmsf)-)"

_DAYS = (
    re.compile(rf"{_RUN}[-_.]?(?:[fF](?=\d{{3}})|step[-_]?|lead[-_]?|\+)(?P<lead>\d{{1,3}})[hH]?{_APART}"),
    re.compile(rf"{_RUN}-(?P<lead>\d{{1,3}})h{_STREAM}"),
    re.compile(rf"{_YEAR}{_DATE}[T_-]{_HOUR}(?P<c>[:_])(?P<minute>[0-5]\d)(?P=c)(?P<second>[0-5]\d){_ZONE}{_END}"),
    re.compile(f"{_YEAR}{_DATE}[-_]{_HMS}-\\d{{3}}(?=[-_])"),
    re.compile(f"{_YEAR}{_DATE}T{_HOUR}[zZ]?{_APART}"),
    re.compile(f"{_YEAR}{_DATE}[-_]{_HOUR}[zZ]{_APART}"),
    re.compile(f"{_YEAR}(?P<month>\\d\\d)(?P<day>\\d\\d){_HOUR}{_END}"),
    re.compile(f"{_YEAR}(?P<day_of_year>\\d{{3}})[Tt]{_HMS}{_ZONE}{_END}"),
    re.compile(f"(?<!\\d)(?P<day>\\d\\d|(?<![A-Za-z])\\d)[-_]?{_NAME}[-_]?(?P<year>\\d{{4}}){_END}", re.IGNORECASE),
    re.compile(f"{_YEAR}[-_]?{_NAME}[-_]?(?P<day>\\d\\d){_END}", re.IGNORECASE),
    re.compile(f"{_YEAR}{_DATE}[Tt ]{_CLOCK}{_END}"),
    re.compile(f"{_YEAR}{_DATE}[-_]{_HMS}{_ZONE}{_END}"),
    re.compile(f"{_YEAR}{_DATE}[-_][Sst]{_HMS}\\d?{_END}"),
    re.compile(f"{_YEAR}(?P<month>\\d\\d)(?P<day>\\d\\d)(?P<hour>\\d\\d)(?P<minute>\\d\\d)(?P<second>\\d\\d)?{_END}"),
    re.compile(f"{_ALONE}s{_OF_YEAR}{_HMS}\\d{_END}"),
    re.compile(f"(?<=doy){_OF_YEAR}{_HMS}{_END}"),
    re.compile(f"{_ALONE}[A-Z]{_OF_YEAR}(?P<last_year>\\d{{4}})(?P<last_day>\\d{{3}}){_END}"),
    re.compile(f"{_YEAR}{_DATE}{_END}"),
    re.compile(f"{_YEAR}(?P<day_of_year>\\d{{3}}){_END}"),
    re.compile(f"{_YEAR}[-_/](?P<day_of_year>\\d{{3}}){_APART}"),
    re.compile(f"{_ALONE}L[CEMOT]\\d{{7}}(?P<text>{_OF_YEAR})(?=[A-Z]{{3}}\\d\\d)"),
)
_DEKADS = (
    re.compile(f"{_YEAR}[-_.]?(?P<month>\\d\\d)[-_.]?(?:pt|pen|pentad)(?P<pentad>[1-6]){_END}"),
    re.compile(f"(?:(?<=geo_v1_)|(?<=geo_v1_\\d_)|^)(?P<year>\\d{{4}})_(?P<month>0[17])(?P<last_month>06|12){_END}"),
    re.compile(f"{_YEAR}[-_.]?(?P<month>\\d\\d)[-_]?{_DEKAD}(?P<dekad>[1-3]){_END}"),
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
    re.compile(rf"{_ALONE}P(?P<year>\d{{4}})0(?P<week_of_year>\d\d)(?=\.(?:VH|SM|ND){_APART}|$)"),
    re.compile(r"(?<=_)E(?P<text>(?P<year>\d{4}))(?=_GLOBE_R)"),
    re.compile(r"(?<=_CLC)(?P<text>(?P<year>\d{4}))(?=_V\d{4})"),
    re.compile(r"(?<![A-Za-z])VPP_(?P<text>(?P<year>\d{4}))(?=_S2)"),
    re.compile(f"(?:(?<=geo)|^)(?P<year>(?:19|20)?\\d\\d){_NAME}15(?P<half>[ab])"),
)
"""Months of IMERG, weeks of VHP (NOAA), years of GHSL, CORINE and HR-VPP, and half-months of GIMMS.

Their names have other dates, or numbers like dates.
"""
_CREATION = re.compile(
    r"(?:(?<![A-Za-z])(?:[bcepvrVR]|cr|fv)|(?<![A-Za-z])(?:rev|ver|proc|prod|gen|upd|created|generated|updated|processed)[-_]?"
    r"|_C_[A-Z]{4}_)$"
)
"""Text before a date of creation or processing."""
_KINDS = (_BY_PRODUCT, _DAYS, _DEKADS, _MONTHS, _YEARS)
_BARE_YEAR = re.compile(r"(?<![0-9A-Za-z])(?P<year>\d{4})(?![0-9A-Za-z])")


class TimeMatch(NamedTuple):
    """A time found in a text, and where: `text[start:stop]`."""

    span: TimeSpan
    start: int
    stop: int


class FolderTime(NamedTuple):
    """A time found in the names of successive folders."""

    first: int
    last: int
    """Indexes of the first and the last folder."""
    text: str
    """Names of these folders, joined by slashes."""
    found: TimeMatch
    """The time and its position in that text."""


DATE_FOLDERS = 3
"""Folders that make a date at most: year, month, day."""


@lru_cache(maxsize=1 << 14)
def find_time(text: str) -> TimeMatch | None:
    """Return the most precise time of observation in a file's name, else of creation; of equal ones the first."""
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
    # The first match is the smallest; among matches with the same start, the longest.
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
    """Return a day in the rest of a name, earlier than the found time and not marked as a day of creation."""
    read = find_time(text)
    rest = text if read is None else text[: read.start] + " " * (read.stop - read.start) + text[read.stop :]
    found = [time for pattern in _DAYS for time in _matches(pattern, rest) if not _CREATION.search(rest, 0, time.start)]
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
    """Return the span of the groups of an expression; `None` if they are not a date.

    Args:
        parts: Digits by `year` and optionally `month`, `last_month`, `day`, `day_of_year`, `last_year` with `last_day`,
            `dekad` (of the month, or without month of the year), `pentad`, `quarter`, `week`, `week_of_year` (from
            1 January), `hour`, `minute`, `second`, `fraction` and `lead` (hours); letters by `name` (of the month) and
            `half` (`a`, `b`); `zone` as in ISO 8601. Years of two digits are 1970 to 2069.
    """
    texts = {key: part.lower() for key, part in parts.items() if part}
    if "name" in texts:
        texts["month"] = str(_MONTH_NAMES.index(texts.pop("name")[:3]) + 1)
    if "half" in texts:
        texts["half"] = str("ab".find(texts["half"]) + 1)
    try:
        number = {key: int(text) for key, text in texts.items() if key not in _NOT_NUMBERS}
        year = number.get("year", 0)
        if len(texts.get("year", "")) == 2:
            year += 1900 if year >= 70 else 2000
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return None
        edges = _edges(year, number, texts.get("fraction", "0"))
        start, end = (edge.astype("datetime64[ns]") - zone_offset(texts.get("zone")) for edge in edges)
    except (KeyError, ValueError):
        return None
    if "lead" in texts:
        return instant_span(start + np.timedelta64(number["lead"], "h"))
    return TimeSpan(start, end) if start < end else None


def _edges(year: int, number: dict[str, int], fraction: str) -> tuple[np.datetime64, np.datetime64]:
    """Return the start and end of a span.

    Raises:
        KeyError: A part is missing, such as the day of an hour.
        ValueError: The parts are not a date.
    """
    if "quarter" in number:
        number |= {"month": 3 * number["quarter"] - 2, "last_month": 3 * number["quarter"]}
    if "dekad" in number and "month" not in number:
        months, dekad = divmod(number["dekad"] - 1, 3)
        number |= {"month": months + 1, "dekad": dekad + 1}
    if "week" in number:
        monday = np.datetime64(date.fromisocalendar(year, number["week"], 1))
        return monday, monday + _days(7)
    if "week_of_year" in number:
        first = _day_of_year(year, 7 * number["week_of_year"] - 6)
        return first, min(first + _days(7), np.datetime64(f"{year + 1}-01-01"))
    if number.keys() & {"day", "day_of_year", "hour"}:
        return _edges_of_day(year, number, fraction)
    month = np.datetime64(f"{year}-{number.get('month', 1):02}")
    part = next((part for part in _DAYS_OF_PARTS if part in number), None)
    if part is not None:
        first, days = np.datetime64(f"{year}-{number['month']:02}-01"), _DAYS_OF_PARTS[part]
        starts = [first + _days(days * count) for count in range(30 // days)]
        return dict(enumerate(pairwise([*starts, month + np.timedelta64(1, "M")]), start=1))[number[part]]
    months = number.get("last_month", number.get("month", 12)) - number.get("month", 1) + 1
    return month, month + np.timedelta64(months, "M")


def _edges_of_day(year: int, number: dict[str, int], fraction: str) -> tuple[np.datetime64, np.datetime64]:
    if "day_of_year" in number:
        day = _day_of_year(year, number["day_of_year"])
    else:
        day = np.datetime64(f"{year}-{number['month']:02}-{number['day']:02}")
    if "last_day" in number:
        return day, _day_of_year(number["last_year"], number["last_day"]) + _days(1)
    if "hour" not in number:
        return day, day + _days(1)
    clock = ":".join(f"{number.get(part, 0):02}" for part in ("hour", "minute", "second"))
    return instant_span(np.datetime64(f"{day}T{clock}.{fraction}", "ns"))


def instant_span(start: np.datetime64) -> TimeSpan:
    """Return an instant; at midnight the day, as daily products have `T000000` in their names."""
    is_midnight = start.astype("datetime64[D]") == start
    return TimeSpan(start, start + (DAY if is_midnight else ONE_NS))


def _day_of_year(year: int, number: int) -> np.datetime64:
    day = np.datetime64(f"{year:04}-01-01") + _days(number - 1)
    if day.astype("datetime64[Y]") != np.datetime64(f"{year:04}"):
        raise ValueError(number)
    return day


def _days(count: int) -> np.timedelta64:
    return np.timedelta64(count, "D")
