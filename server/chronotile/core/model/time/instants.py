"""Instants, spans, periods and domains of time, how they follow one another, and the one way to text."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.types import AnyArray, Duration, Instant, InstantArray, Int64Array

ONE_NS = np.timedelta64(1, "ns")
BEFORE_END = np.timedelta64(-1_000_000_000, "ns")
"""From an exclusive end to the last second that belongs to a period."""
DAY = np.timedelta64(86_400_000_000_000, "ns")
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""The years that `datetime64[ns]` holds whole."""

MAX_PARTS = 2_000
"""Members of a list, and steps of an interval with period, in one request."""

DISTANT_PAST = np.datetime64("1678-01-01", "ns")
DISTANT_FUTURE = np.datetime64("2262-01-01", "ns")
FIRST_MONTH, LAST_MONTH = (int(end.astype("datetime64[M]").astype(int)) for end in (DISTANT_PAST, DISTANT_FUTURE))


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

    @property
    def is_of_days(self) -> bool:
        """Whether it is as long as a day or longer."""
        return self.is_dekad or self.months > 0 or bool(self.fixed >= DAY)

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
    ends_at_newest: bool = False
    """Whether this interval ends with the time that `LATEST` is of the layer; its end is then that of an open one."""

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
        """Whether the times it selects may be others soon: it is not a list of instants and closed intervals."""
        return self.keyword != "parts" or self.is_of_open or any(part.is_open for part in self.parts)


ABSENT = TimeSelection()
DEFAULT = TimeSelection("default")
LATEST = TimeSelection("latest")


def system_clock() -> Instant:
    """Return now, UTC, in whole seconds."""
    return np.datetime64(int(time.time()) * 10**9, "ns")


def format_instant(instant: Instant) -> str:
    """Return RFC 3339 text in UTC, with a fraction only where it is not zero."""
    seconds, fraction = str(instant.astype("datetime64[ns]")).split(".")
    significant = fraction.rstrip("0")
    return f"{seconds}.{significant}Z" if significant else f"{seconds}Z"


def format_day(instant: Instant) -> str:
    """Return the instant's day as `YYYY-MM-DD`."""
    return str(instant.astype("datetime64[D]"))


def words_of(selection: TimeSelection) -> str:
    """Return what is selected as people write it, `2024-06`, `2015 to 2023`; nothing where no times are named."""
    return ", ".join(map(_span_words, (part.span for part in selection.parts)))


def _span_words(span: TimeSpan) -> str:
    """As short as possible: in years, months or days where it is of whole ones."""
    start, end = span
    for unit in ("Y", "M", "D"):
        if all(each.astype(f"datetime64[{unit}]") == each for each in span):
            first, last = np.array([start, end - ONE_NS]).astype(f"datetime64[{unit}]").astype(str).tolist()
            break
    else:
        first, last = format_instant(start), format_instant(last_of(start, end))
    if start == DISTANT_PAST:
        return f"until {last}"
    if end == DISTANT_FUTURE:
        return f"since {first}"
    return first if first == last else f"{first} to {last}"


def last_of(start: Instant, end: Instant) -> Instant:
    """Return the last instant of a period whose end is exclusive, in whole seconds; of an exact instant, itself."""
    before: Instant = end + BEFORE_END
    return start if end - start <= ONE_NS else max(start, before)


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


def _add_dekads(start: Instant, count: int) -> Instant:
    """Dekads start on days 1, 11 and 21; `start` is taken to the start of its own dekad."""
    month = start.astype("datetime64[M]")
    day = int((start.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))
    months, third = divmod(min(day // 10, 2) + count, 3)
    moved: Instant = (month + np.timedelta64(months, "M")).astype("datetime64[ns]") + DAY * (10 * third)
    return moved


@dataclass(frozen=True, slots=True, eq=False)
class TimeDomain:
    """The ordered times that a layer has, each a span `[start, end)`; an exact instant spans one nanosecond.

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
    """(time, 3): the coordinate and its bounds as a file states them, where it has bounds and is not a climatology."""

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

    def at(self, indexes: Iterable[int] | AnyArray) -> "TimeDomain":
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

    @property
    def has_shared_days(self) -> bool:
        """Whether a day has several times."""
        days = self.starts.astype("datetime64[D]")
        return bool(np.any(days[1:] == days[:-1]))

    def within(self, span: TimeSpan) -> range:
        """Return the indexes of the times that share an instant with `span`, by binary search."""
        low = int(np.searchsorted(self.starts, span.start, side="right"))
        if low > 0 and self.ends[low - 1] > span.start:
            low -= 1
        return range(low, max(low, int(np.searchsorted(self.starts, span.end, side="left"))))

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


# The metadata of times in files that we write: attributes of CF (§7.1, §7.4) and one of our own.

PERIOD_BOUNDS, CLIMATOLOGY_BOUNDS = "time_bnds", "climatology_bnds"

TIME_KIND = "time_kind"
"""An attribute of the time coordinate if its bounds alone do not show the kind of times."""
CLIMATOLOGY, OVERLAPPING = "climatology", "overlapping periods"
"""Times of the year, of many years that the data do not tell; periods named by their times, not by their starts."""


class BoundsForm(NamedTuple):
    """The bounds that times are written with."""

    name: str | None
    """Of the array; none of exact instants."""
    attributes: dict[str, str]
    """Of the coordinate along time."""


def bounds_form(times: TimeDomain, *, are_periods: bool) -> BoundsForm:
    """Return how the bounds of times are written.

    Args:
        times: Of what is written.
        are_periods: Whether their spans are given as bounds, where they have no others.
    """
    if times.is_climatology and times.bounds is not None:
        return BoundsForm(CLIMATOLOGY_BOUNDS, {"climatology": CLIMATOLOGY_BOUNDS})
    name = PERIOD_BOUNDS if times.bounds is not None or are_periods else None
    attributes = {} if name is None else {"bounds": name}
    if times.is_climatology:
        attributes[TIME_KIND] = CLIMATOLOGY
    elif times.bounds is not None:
        attributes[TIME_KIND] = OVERLAPPING
    return BoundsForm(name, attributes)


def are_periods(times: TimeDomain) -> bool:
    """Return whether all times are periods; bounds of exact instants are a nanosecond long and are not written."""
    return bool(np.all(times.ends - times.starts >= DAY))


# How the times of a layer follow one another: every so many months, days or seconds, or in dekads.

DEKAD_STEP = "dekad"
DEKAD_DAYS = (1, 11, 21)
"""Of the month, on which dekads begin."""
LEAST_STEPPED = 3
"""Times between which there are two steps, which are alike or not."""
GAPS_BRIDGED = 1.5
LONGEST_NS = 2**63 - 1
"""That a duration can be."""

_UNITS = (
    (DAY, "P", "D"),
    (np.timedelta64(1, "h"), "PT", "H"),
    (np.timedelta64(1, "m"), "PT", "M"),
    (np.timedelta64(1, "s"), "PT", "S"),
)


@dataclass(frozen=True, slots=True)
class Stepped:
    """Instants with the steps between them."""

    instants: InstantArray
    steps: Int64Array
    """(time - 1,): months, or nanoseconds."""
    is_monthly: bool

    @property
    def is_regular(self) -> bool:
        """Whether all steps, of which there is one at least, are alike."""
        return bool((self.steps == self.steps[0]).all())

    @property
    def fewest(self) -> int:
        """Values that they take at least: a run of n times has n - 2 equal steps in a row, and 4 times or more."""
        return len(self.instants) - 3 * int(np.count_nonzero(self.steps[1:] == self.steps[:-1]))


def find_steps(instants: InstantArray) -> Stepped:
    """Return instants, at least one, with steps in months where every one stands at one place in its month."""
    places = of_month(instants)
    if bool((places == places[0]).all()) and places[0] < 28 * int(DAY.astype(np.int64)):
        return Stepped(instants, differences(instants.astype("datetime64[M]")), is_monthly=True)
    return Stepped(instants, differences(instants), is_monthly=False)


def step_of(domain: TimeDomain) -> str | None:
    """Return the ISO 8601 period from each time to the next, or `dekad`; `None` where they differ, or under 3 times."""
    if len(domain) < LEAST_STEPPED:
        return None
    found = find_steps(domain.instants)
    if found.is_regular:
        return period_text(int(found.steps[0]), is_monthly=found.is_monthly)
    return DEKAD_STEP if _are_dekads(domain.instants) else None


def gap_tolerance(domain: TimeDomain) -> Duration | None:
    """Return how long after a time one may take it for the time between it and the next, where times are irregular.

    That is `GAPS_BRIDGED` times the 95th percentile of the gaps: one that is longer is not filled to its end.
    `None` where times follow one another in one step, and under 3 times.
    """
    instants = domain.instants
    if len(domain) < LEAST_STEPPED or find_steps(instants).is_regular or _are_dekads(instants):
        return None
    tolerance = GAPS_BRIDGED * np.percentile(differences(instants), 95)
    return np.timedelta64(int(min(tolerance, LONGEST_NS)), "ns")


def of_month(instants: InstantArray) -> Int64Array:
    """(time,): nanoseconds since the month began."""
    return instants.astype(np.int64) - instants.astype("datetime64[M]").astype("datetime64[ns]").astype(np.int64)


def differences(along: InstantArray | Int64Array) -> Int64Array:
    """(time - 1,): from each to the next."""
    numbers: Int64Array = along.astype(np.int64)
    return numbers[1:] - numbers[:-1]


def period_text(step: int, *, is_monthly: bool) -> str | None:
    """Return ISO 8601 for a number of months or nanoseconds, `None` where it has no short word for it."""
    if is_monthly:
        return f"P{step}M"
    length = np.timedelta64(step, "ns")
    for unit, before, after in _UNITS:
        if length % unit == np.timedelta64(0, "ns"):
            return f"{before}{length // unit}{after}"
    return None


def _are_dekads(instants: InstantArray) -> bool:
    """Whether each is the first midnight of a dekad, and none is missing between."""
    begins = np.array([(day - 1) * int(DAY.astype(np.int64)) for day in DEKAD_DAYS])
    places = of_month(instants)
    thirds = np.searchsorted(begins, places)
    if not bool(np.isin(places, begins).all()):
        return False
    numbers = instants.astype("datetime64[M]").astype(np.int64) * 3 + thirds
    return bool((differences(numbers) == 1).all())
