"""Parts of a time that follow a date in names of files, such as an hour; only several names together explain them.

| part | example | condition |
| --- | --- | --- |
| time of day | `20190604_1050`, `2019-06-04_10-50` | no tile, version, year or count |
| hour; run and lead | `20190604_06`, `20190604.18`; `20190604T120000_36h` | two hours apart or more, or all 24 |
| dekad, pentad of a month | `2019.06.1` to `.3`, `201906_6` | 3 is the last; or 4, 5 or 6 is |
| half of a month | `201906a`, `2019.06.b` | both letters are present |
| period | `20190601_20190610`, `20190601T000000_20190603T235959` | of like length, and none overlaps another |
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan
from chronotile.core.model.time.parser import parse_instant
from chronotile.readers.dates import TimeMatch, find_time, instant_span, span_of_parts

PartKind = Literal["clock", "hour", "dekad", "pentad", "half", "period"]

_DATE_DIGITS = 8
"""More digits include a time of day already."""
_CLOCK = re.compile(r"[-_.](?P<hour>[01]\d|2[0-3])[-_]?(?P<minute>[0-5]\d)Z?(?![0-9A-Za-z])")
_HOUR = re.compile(r"[-_.](?:(?P<hour>[01]\d|2[0-3])|(?P<lead>\d{1,3})(?=[hH]))[hH]?(?![0-9A-Za-z])")
_NUMBER = re.compile(r"[-_.](?P<number>[1-6])(?![0-9A-Za-z])")
_HALF = re.compile(r"[-_.]?(?P<number>[abAB])(?![0-9A-Za-z])")
_BETWEEN = re.compile(r"_to_|-to-|--|[-_.]")
_LANDSAT = re.compile(r"L[CEMOT]0\d_L\d\w\w_\d{6}_$")
"""Start of names with the dates of acquisition and of processing."""
PART_KINDS: tuple[PartKind, ...] = ("clock", "hour", "dekad", "pentad", "half", "period")
NUMBERED = ("dekad", "pentad", "half")
"""Parts of a month; only all names of a source together show which kind a number is."""
DATE_GROUPS = (
    *("year", "month", "day", "day_of_year", "hour", "minute", "second"),
    *("dekad", "pentad", "half", "week", "lead"),
)
"""Groups of a `time_pattern` for the parts of a date; a dekad counts in the month, or in the year without a month."""
CONSOLIDATION = re.compile(r"(?<=[-_])RT(?P<level>\d)(?=[-_.])")
"""Level of consolidation of Copernicus Land products: `RT0` (near real time) to `RT6`."""
_LEAD = re.compile(
    r"(?:[fF](?=\d{3})|step[-_]?|lead[-_]?|\+)(?P<lead>\d{1,3})h?(?![\dA-Za-z])|[-_](?P<lead_h>\d{1,3})h(?![\dA-Za-z])"
)
_STEP_HOURS = 2
_ALL_HOURS = 24
_MAX_LENGTH = 400 * DAY
"""Length of a period; later second dates are of processing."""
_MAX_DIFFERENCE = 3 * DAY
"""Maximum difference in length of the periods of a product, such as months; for years and longer, any difference."""


class DatedPart(NamedTuple):
    """A time with a part that follows its date."""

    kind: PartKind
    date: TimeMatch
    """The date alone."""
    whole: TimeMatch
    """The date and the part."""
    text: str
    """The digits of the part."""


def parts_after(name: str, date: TimeMatch, kind: PartKind) -> DatedPart | None:
    """Return the part of a kind that may follow a date in a name."""
    length = date.span.end - date.span.start
    if kind == "period":
        return _period(name, date)
    if kind in NUMBERED:
        expression = _HALF if kind == "half" else _NUMBER
        found = expression.match(name, date.stop) if DAY * 27 < length < DAY * 32 else None
        span = None if found is None else _part_of_month(date.span, kind, found["number"])
        return (
            DatedPart(kind, date, TimeMatch(span, date.start, found.end()), found["number"]) if found and span else None
        )
    is_day = length == DAY and not has_time_of_day(name, date)
    found = (_CLOCK if kind == "clock" else _HOUR).match(name, date.stop)
    if found is None or not (is_day or found[0][-1] in "hH") or length > DAY:
        return None
    numbers = found.groupdict()
    minutes = 60 * int(numbers["hour"] or numbers["lead"]) + int(numbers.get("minute") or 0)
    digits = re.sub(r"\D", "", found[0])
    span = instant_span(date.span.start + np.timedelta64(minutes, "m"))
    return DatedPart(kind, date, TimeMatch(span, date.start, found.end()), digits)


def has_time_of_day(name: str, date: TimeMatch) -> bool:
    """Return whether digits of a time follow the date in a name."""
    return sum(map(str.isdigit, name[date.start : date.stop])) > _DATE_DIGITS


def are_parts(parts: Sequence[DatedPart]) -> bool:
    """Return whether the parts of one kind in all names of a source belong to their dates."""
    kind = parts[0].kind
    if kind == "period":
        return _are_periods([part.whole.span for part in parts])
    if kind == "half":
        return len({part.text.lower() for part in parts}) > 1
    dates: defaultdict[str, set[TimeSpan]] = defaultdict(set)
    for part in parts:
        dates[part.text].add(part.date.span)
    numbers = sorted(map(int, dates))
    if kind == "clock":
        return _are_clocks(parts, dates, numbers)
    if kind == "hour":
        steps = np.diff(numbers)
        return len(numbers) > 1 and (len(numbers) == _ALL_HOURS or bool((steps >= _STEP_HOURS).all()))
    return numbers[-1] == 3 if kind == "dekad" else numbers[-1] > 3


def find_times(names: Sequence[str]) -> list[TimeMatch | None]:
    """Return the time of each name of one source, with the parts that all names have."""
    found = [find_time(name) for name in names]
    for kind in PART_KINDS:
        parts = [each and parts_after(name, each, kind) for name, each in zip(names, found, strict=True)]
        present = [part for part in parts if part is not None]
        if len(present) == len(names) > 1 and are_parts(present):
            return [part.whole for part in present]
    return list(found)


def precedence_of(name: str) -> tuple[int, int]:
    """Return a sort key for files of one time: the most consolidated (`RT6` before `RT0`) or newest run first."""
    level, lead = CONSOLIDATION.search(name), _LEAD.search(name)
    return -int(level["level"]) if level else 0, int(lead["lead"] or lead["lead_h"]) if lead else 0


def consolidation_of(name: str) -> str | None:
    """Return the level of consolidation in a name, such as `RT6`."""
    level = CONSOLIDATION.search(name)
    return level and level[0]


def time_of_groups(groups: Mapping[str, str | None]) -> TimeSpan | None:
    """Return the span of the groups of a `time_pattern`: `time`, or `year` and others of `DATE_GROUPS`."""
    if not groups.get("year"):
        return time_of_text(groups.get("time") or "")
    return span_of_parts({key: groups.get(key) for key in DATE_GROUPS})


def time_of_text(text: str) -> TimeSpan | None:
    """Return the span of a text that is a time as a whole: a form of names, a year, or ISO 8601.

    A dekad or pentad by a single digit (`2019.06.1`) needs the groups of a `time_pattern`.
    """
    found = find_time(text)
    if found is not None and found.start == 0:
        if found.stop == len(text):
            return found.span
        for kind in ("clock", "hour", "period"):
            part = parts_after(text, found, kind)
            if part is not None and part.whole.stop == len(text):
                return part.whole.span
    try:
        span = parse_instant(text)
    except InvalidParameter:
        return found.span if found else None
    return instant_span(span.start) if span.end - span.start < DAY else span


def _part_of_month(month: TimeSpan, kind: PartKind, number: str) -> TimeSpan | None:
    # A number above 3 is not a dekad; `are_parts` then refuses the numbers of all names.
    year, month_number, _day = str(month.start.astype("datetime64[D]")).split("-")
    key = "dekad" if kind == "dekad" and number in "123" else "half" if kind == "half" else "pentad"
    return span_of_parts({"year": year, "month": month_number, key: number})


def _period(name: str, date: TimeMatch) -> DatedPart | None:
    """Return the period from a date to a second date of the same form directly after it."""
    between = _BETWEEN.match(name, date.stop)
    if between is None or _LANDSAT.search(name, 0, date.start):
        return None
    width = date.stop - date.start
    last = find_time(name[between.end() : between.end() + width])
    is_cut = name[between.end() + width : between.end() + width + 1].isdigit()
    if last is None or is_cut or (last.start, last.stop) != (0, width):
        return None
    end = last.span.end
    if end - last.span.start == ONE_NS:  # 23:59:59 is the end of the day
        end = (end + np.timedelta64(60, "s")).astype("datetime64[D]").astype("datetime64[ns]")
    is_long = end - date.span.start > _MAX_LENGTH and date.span.end - date.span.start <= DAY
    if is_long or end - date.span.start < DAY or last.span.start < date.span.start:
        return None
    return DatedPart("period", date, TimeMatch(TimeSpan(date.span.start, end), date.start, between.end() + width), "")


def _are_periods(spans: Sequence[TimeSpan]) -> bool:
    ordered = sorted(set(spans), key=lambda span: (span.start, span.end))
    lengths = [span.end - span.start for span in ordered]
    follow = all(earlier.end <= later.start for earlier, later in pairwise(ordered))
    is_alike = bool(max(lengths) - min(lengths) <= _MAX_DIFFERENCE or min(lengths) >= 300 * DAY)
    return follow and is_alike


def _are_clocks(parts: Sequence[DatedPart], dates: Mapping[str, set[TimeSpan]], numbers: Sequence[int]) -> bool:
    """Return whether four digits after dates are times of day.

    Other numbers, such as tile numbers, are not times, equal the year, count from 0 or 1, or recur with each date.
    Times that recur are full quarters of an hour.
    """
    days = set().union(*dates.values())
    is_count = numbers[0] <= 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    recurs = len(days) > 1 and all(each == days for each in dates.values())
    is_year = any(part.text == str(part.date.span.start)[:4] for part in parts)
    return not (is_year or len(numbers) < 2 or is_count or (recurs and any(number % 100 % 15 for number in numbers)))
