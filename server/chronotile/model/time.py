"""Instants, spans and periods; the one parser of time text and the one way back to text.

Everything is UTC. A value at any precision means the whole period it names (`2020-06` is the month), so parsed
values are half-open spans `[start, end)`. Sources: ISO 8601, RFC 3339 §5.6, WMS 1.3.0 Annex D, OGC API Common
`datetime`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter

if TYPE_CHECKING:  # numpy's stubs are generic in the item, numpy itself is not
    Instant: TypeAlias = np.datetime64[Any]
    Duration: TypeAlias = np.timedelta64[Any]
    InstantArray: TypeAlias = NDArray[np.datetime64[Any]]
else:
    Instant = np.datetime64
    Duration = np.timedelta64
    InstantArray = NDArray[np.datetime64]
"""An instant is `datetime64[ns]` in UTC, a duration `timedelta64[ns]`."""

ONE_NS = np.timedelta64(1, "ns")
DAY = np.timedelta64(86_400_000_000_000, "ns")
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""The years that `datetime64[ns]` holds whole."""

MAX_TEXT = 20_000
MAX_PARTS = 2_000
"""Members of a list, and steps of an interval with period, in one request."""

DISTANT_PAST = np.datetime64("1678-01-01", "ns")
DISTANT_FUTURE = np.datetime64("2262-01-01", "ns")
FIRST_MONTH, LAST_MONTH = (int(end.astype("datetime64[M]").astype(int)) for end in (DISTANT_PAST, DISTANT_FUTURE))
MAX_PERIOD_NS = 100 * 366 * 86_400_000_000_000

ACCEPTED = (
    "accepted are an instant (2020, 2020-06, 2020-06-01, 2020-06-01T10:50:00Z), an interval (2020-01-01/2020-06-30, "
    "../2020-06-30, 2020-01-01/.., 2020-01-01/P6M), an interval with period (2020-01-01/2020-06-30/P10D), a comma "
    "list, current, latest or default"
)


class TimeSpan(NamedTuple):
    """A half-open span of time `[start, end)`, never empty."""

    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Period:
    """A step along time: months and a fixed part, or a dekad (days 1-10, 11-20, 21-end of a month)."""

    months: int = 0
    fixed: Duration = np.timedelta64(0, "ns")
    is_dekad: bool = False

    def step(self, start: Instant, count: int) -> Instant:
        """Return the instant `count` periods after `start`, within the years served.

        A day past the month's end becomes its last day.
        """
        if self.is_dekad:
            return _add_dekads(start, count)
        month = int(start.astype("datetime64[M]").astype(int)) + self.months * count
        if month >= LAST_MONTH:
            return DISTANT_FUTURE
        if month < FIRST_MONTH:
            return DISTANT_PAST
        moved = add_months(start, self.months * count)
        nanoseconds = int(moved.astype(int)) + int(self.fixed.astype(int)) * count
        first, last = (int(end.astype(int)) for end in (DISTANT_PAST, DISTANT_FUTURE))
        return np.datetime64(min(max(nanoseconds, first), last), "ns")


DEKAD = Period(is_dekad=True)


@dataclass(frozen=True, slots=True)
class TimePart:
    """One member of a request's time list: a value, or an interval with or without a period."""

    span: TimeSpan
    is_interval: bool = False
    period: Period | None = None
    end: Instant | None = None
    """With a period: the first instant that may not be stepped to."""

    @property
    def is_open(self) -> bool:
        """Whether this is an interval without a start or without an end."""
        end = self.span.end if self.end is None else self.end
        return self.is_interval and bool(self.span.start == DISTANT_PAST or end == DISTANT_FUTURE)

    def spans(self) -> Iterator[TimeSpan]:
        """Return the spans this part selects: itself, or one a step of its period.

        Raises:
            InvalidParameter: There are more than `MAX_PARTS` steps.
        """
        if self.period is None or self.end is None:
            yield self.span
            return
        width = np.timedelta64(self.span.end - self.span.start, "ns")
        for count in range(MAX_PARTS + 1):
            start = self.period.step(self.span.start, count)
            if start >= self.end:
                return
            if count == MAX_PARTS:
                raise InvalidParameter(f"the interval has more than {MAX_PARTS} steps of its period", locator="time")
            yield TimeSpan(start, min(start + width, self.end))


Keyword = Literal["absent", "default", "latest", "parts"]


@dataclass(frozen=True, slots=True)
class TimeSelection:
    """What a request asks of time: nothing, a keyword, or a list of parts."""

    keyword: Keyword = "absent"
    parts: tuple[TimePart, ...] = ()
    is_of_open: bool = False
    """Whether the parts are times that an open selection was resolved to."""

    @property
    def is_open(self) -> bool:
        """Whether the times it selects may be others soon: it is no list of instants and closed intervals."""
        return self.keyword != "parts" or self.is_of_open or any(part.is_open for part in self.parts)


ABSENT = TimeSelection()
DEFAULT = TimeSelection("default")
LATEST = TimeSelection("latest")

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
_LATEST = {"current", "latest"}


def parse_time(text: str | None) -> TimeSelection:
    """Return what `text` selects; `None` and blank text select nothing (`absent`).

    Raises:
        InvalidParameter: The text is none of the accepted forms, or an interval ends before it starts.
    """
    if text is None or not text.strip():
        return ABSENT
    if len(text) > MAX_TEXT:
        raise InvalidParameter(f"time has {len(text)} characters, at most {MAX_TEXT} are accepted", locator="time")
    stripped = text.strip()
    if stripped.lower() in _LATEST:
        return LATEST
    if stripped.lower() == "default":
        return DEFAULT
    members = [member.strip() for member in stripped.split(",")]
    if len(members) > MAX_PARTS:
        raise InvalidParameter(f"time lists {len(members)} values, at most {MAX_PARTS} are accepted", locator="time")
    return TimeSelection("parts", tuple(_parse_part(member) for member in members))


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
        raise _unreadable(text) from error
    fraction = int((found["fraction"] or "").ljust(9, "0") or 0)
    of_day = np.timedelta64(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction, "ns")
    start = day_start + of_day - _zone_offset(found["zone"])
    return TimeSpan(start, _end_of_value(start, found))


def parse_period(text: str) -> Period:
    """Return the ISO 8601 duration, or `dekad`, that `text` names.

    Raises:
        InvalidParameter: The text is no duration, or one of no length.
    """
    if text == "dekad":
        return DEKAD
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise InvalidParameter(f"{text[:40]!r} is no ISO 8601 period such as P10D, P1M or PT15M", locator="time")
    amounts = {name: int(value or 0) for name, value in found.groupdict().items() if name != "fraction"}
    months = amounts["years"] * 12 + amounts["months"]
    seconds = (((amounts["weeks"] * 7 + amounts["days"]) * 24 + amounts["hours"]) * 60 + amounts["minutes"]) * 60
    nanoseconds = (seconds + amounts["seconds"]) * 1_000_000_000 + int((found["fraction"] or "").ljust(9, "0"))
    if months == 0 and nanoseconds == 0:
        raise InvalidParameter(f"the period {text[:40]!r} has no length; use one such as P10D or P1M", locator="time")
    if nanoseconds > MAX_PERIOD_NS:
        raise InvalidParameter(f"the period {text!r} is longer than a century", locator="time")
    return Period(months=months, fixed=np.timedelta64(nanoseconds, "ns"))


def format_instant(instant: Instant) -> str:
    """Return RFC 3339 text in UTC, with a fraction only where it is not zero."""
    seconds, fraction = str(instant.astype("datetime64[ns]")).split(".")
    significant = fraction.rstrip("0")
    return f"{seconds}.{significant}Z" if significant else f"{seconds}Z"


def format_day(instant: Instant) -> str:
    """Return the instant's day as `YYYY-MM-DD`."""
    return str(instant.astype("datetime64[D]"))


def add_months(instant: Instant, months: int) -> Instant:
    """Return `instant` moved by calendar months; a day that the month lacks becomes its last day."""
    if months == 0:
        return instant
    month = instant.astype("datetime64[M]")
    of_month = instant - month.astype("datetime64[ns]")
    target = month + np.timedelta64(months, "M")
    length = (target + np.timedelta64(1, "M")).astype("datetime64[ns]") - target.astype("datetime64[ns]")
    overshoot = of_month - of_month % DAY - (length - DAY)
    moved: Instant = target.astype("datetime64[ns]") + of_month - max(overshoot, np.timedelta64(0, "ns"))
    return moved


def step_instants(start: Instant, period: Period, count: int) -> InstantArray:
    """Return `count` instants, each a period after the one before, as `datetime64[ns]` (time,)."""
    return np.array([period.step(start, step) for step in range(count)], dtype="datetime64[ns]")


def _parse_part(text: str) -> TimePart:
    if "/" not in text:
        if text.lower() in _LATEST:
            raise InvalidParameter(f"{text} cannot stand in a list of times", locator="time")
        return TimePart(parse_instant(text))
    bounds = text.split("/")
    if len(bounds) > 3 or _SLASHED_DATE.fullmatch(text):
        raise _unreadable(text)
    start_text, end_text = bounds[0].strip(), bounds[1].strip()
    if start_text in _OPEN and end_text in _OPEN:
        raise InvalidParameter(f"the interval {text[:40]!r} has neither start nor end", locator="time")
    if len(bounds) == 2 and (start_text[:1] == "P" or end_text[:1] == "P"):
        return TimePart(_lasting(start_text, end_text), is_interval=True)
    period = _interval_period(bounds[2].strip()) if len(bounds) == 3 else None
    first = None if start_text in _OPEN else parse_instant(start_text)
    is_open = end_text in _OPEN or end_text.lower() in _LATEST
    start = DISTANT_PAST if first is None else first.start
    end = DISTANT_FUTURE if is_open else parse_instant(end_text).end
    if end <= start:
        raise InvalidParameter(f"the interval {text[:60]!r} ends before it starts", locator="time")
    if period is None or first is None:
        return TimePart(TimeSpan(start, end), is_interval=True)
    return TimePart(first, is_interval=True, period=period, end=end)


def _lasting(start_text: str, end_text: str) -> TimeSpan:
    """A start and how long from it, or how long and the end (ISO 8601-1:2019 §5.5.2), which is held."""
    if end_text[:1] == "P":
        start = parse_instant(start_text).start
        return TimeSpan(start, parse_period(end_text).step(start, 1))
    end = parse_instant(end_text).end
    return TimeSpan(parse_period(start_text).step(end, -1), end)


def _interval_period(text: str) -> Period | None:
    """`start/end/0` says that the data are continuous: no stepping (WMS 1.3.0 Annex D)."""
    return None if text == "0" else parse_period(text)


def _zone_offset(zone: str | None) -> Duration:
    """A blank stands for the plus sign that form decoding took away."""
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


def _add_dekads(start: Instant, count: int) -> Instant:
    """Dekads start on days 1, 11 and 21; `start` is taken to the start of its own dekad."""
    month = start.astype("datetime64[M]")
    day = int((start.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))
    months, third = divmod(min(day // 10, 2) + count, 3)
    moved: Instant = (month + np.timedelta64(months, "M")).astype("datetime64[ns]") + DAY * (10 * third)
    return moved


def _unreadable(text: str) -> InvalidParameter:
    return InvalidParameter(f"{text[:60]!r} is no time; {ACCEPTED}", locator="time")


@dataclass(frozen=True, slots=True, eq=False)
class TimeDomain:
    """The ordered times a layer has, each a span `[start, end)`; an exact instant spans one nanosecond.

    A day without a time of day spans that day, a period (dekad, month) its whole length.
    """

    starts: InstantArray
    """(time,), strictly ascending: the instants by which the times are named."""
    ends: InstantArray
    """(time,), exclusive, each after its start."""
    bounds: InstantArray | None = None
    """(time, 2): the periods that values are of where these are not the spans: they overlap, or are a climatology's."""
    is_climatology: bool = False
    """Whether each time stands for a time of the year, of many years (CF §7.4)."""
    stated: InstantArray | None = None
    """(time, 3): the coordinate and its bounds as a file states them, where it has bounds and is no climatology."""

    def __post_init__(self) -> None:
        if self.starts.shape != self.ends.shape or self.starts.ndim != 1:
            raise ValueError("starts and ends of a time domain are of one length")
        if self.bounds is not None and self.bounds.shape != (self.starts.size, 2):
            raise ValueError("each time of a domain has a start and an end of its bounds")
        if np.any(self.ends <= self.starts) or np.any(self.starts[1:] <= self.starts[:-1]):
            raise ValueError("times must ascend and each must have a length")

    def __len__(self) -> int:
        """The number of times; a layer without time has none."""
        return int(self.starts.size)

    @property
    def instants(self) -> InstantArray:
        """(time,): the instant each time is named by."""
        return self.starts

    @property
    def periods(self) -> InstantArray:
        """(time, 2): the periods that the values are of."""
        return np.stack([self.starts, self.ends], axis=1) if self.bounds is None else self.bounds

    @property
    def climatology_span(self) -> TimeSpan | None:
        """From when to when a climatology reaches; `None` where that is not known, and of other times."""
        if not self.is_climatology or self.bounds is None or not len(self):
            return None
        return TimeSpan(self.bounds[:, 0].min(), self.bounds[:, 1].max())

    def at(self, indexes: Iterable[int] | NDArray[Any]) -> "TimeDomain":
        """Return the times of these indexes, which ascend, or of a boolean array."""
        chosen = np.asarray(indexes if isinstance(indexes, np.ndarray) else list(indexes))
        chosen = chosen if chosen.size else chosen.astype(np.int64)
        bounds = None if self.bounds is None else self.bounds[chosen]
        stated = None if self.stated is None else self.stated[chosen]
        return TimeDomain(self.starts[chosen], self.ends[chosen], bounds, self.is_climatology, stated)

    @property
    def has_day_precision(self) -> bool:
        """Whether every time starts at midnight."""
        return not bool((self.starts.astype(np.int64) % int(DAY.astype(np.int64))).any())

    def within(self, span: TimeSpan) -> range:
        """Return the indexes of the times that share an instant with `span`, by binary search."""
        low = int(np.searchsorted(self.starts, span.start, side="right"))
        if low > 0 and self.ends[low - 1] > span.start:
            low -= 1
        high = int(np.searchsorted(self.starts, span.end, side="left"))
        return range(low, max(low, high))

    def at_or_before(self, instant: Instant) -> int | None:
        """Return the index of the latest time that starts at or before `instant`, if any."""
        index = int(np.searchsorted(self.starts, instant, side="right")) - 1
        return index if index >= 0 else None

    def nearest(self, instant: Instant) -> int | None:
        """Return the index of the time that starts nearest to `instant`; of two equally near, the earlier."""
        before = self.at_or_before(instant)
        after = 0 if before is None else before + 1
        if after >= len(self):
            return before
        if before is None:
            return after
        return before if instant - self.starts[before] <= self.starts[after] - instant else after

    def __iter__(self) -> Iterator[Instant]:
        """Iterate over the instants."""
        return iter(self.starts)


def domain_of_instants(instants: Iterable[Instant]) -> TimeDomain:
    """Return the domain of distinct `instants`, in order; where all are midnights each spans its day."""
    starts: InstantArray = np.unique(np.fromiter(instants, dtype="datetime64[ns]"))
    are_days = bool(np.all(starts.astype("datetime64[D]").astype("datetime64[ns]") == starts))
    ends: InstantArray = starts + (DAY if are_days else ONE_NS)
    return TimeDomain(starts, ends)


def domain_of_periods(start: Instant, period: Period, count: int) -> TimeDomain:
    """Return `count` periods that follow one another from `start`."""
    bounds = step_instants(start, period, count + 1)
    return TimeDomain(bounds[:-1], bounds[1:])


def domain_of_bounds(starts: InstantArray, ends: InstantArray) -> TimeDomain:
    """Return the domain of periods given by CF bounds; where one runs into the next it ends where that starts.

    Args:
        starts: (time,), in any order.
        ends: (time,), exclusive; an end that is not after its start gives an exact instant.
    """
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order].astype("datetime64[ns]"), ends[order].astype("datetime64[ns]")
    distinct = np.append(True, starts[1:] > starts[:-1])[: starts.size]
    starts, ends = starts[distinct], np.maximum(ends[distinct], starts[distinct] + ONE_NS)
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    return TimeDomain(starts, ends)


def common_times(first: TimeDomain, second: TimeDomain) -> TimeDomain:
    """Return the times at which both have one that starts then, each as long as the shorter of the two.

    They keep their bounds where both have the same, and are a climatology where both are.
    """
    starts, in_first, in_second = np.intersect1d(first.starts, second.starts, assume_unique=True, return_indices=True)
    ours, theirs = first.at(in_first), second.at(in_second)
    is_same = ours.bounds is not None and theirs.bounds is not None and np.array_equal(ours.bounds, theirs.bounds)
    return TimeDomain(
        starts,
        np.minimum(ours.ends, theirs.ends),
        ours.bounds if is_same else None,
        ours.is_climatology and theirs.is_climatology,
    )


NO_TIME = TimeDomain(np.array([], dtype="datetime64[ns]"), np.array([], dtype="datetime64[ns]"))
"""The domain of a layer without time."""


def days_to_timedelta(days: float) -> Duration:
    """Return a length in days as `timedelta64[ns]`."""
    return np.timedelta64(int(timedelta(days=days) / timedelta(microseconds=1)) * 1000, "ns")
