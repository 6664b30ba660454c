"""Periods of months, dekads or fixed lengths, and steps along time."""

from dataclasses import dataclass

import numpy as np

from chronotile.core.model.time.instants import DAY, DISTANT_FUTURE, DISTANT_PAST, FIRST_MONTH, LAST_MONTH
from chronotile.core.model.types import Duration, Instant, InstantArray


@dataclass(frozen=True, slots=True)
class Period:
    """A step along time: months and a fixed part, or a dekad (days 1-10, 11-20, 21-end of a month)."""

    months: int = 0
    fixed: Duration = np.timedelta64(0, "ns")
    is_dekad: bool = False

    @property
    def is_day_or_longer(self) -> bool:
        """Whether it is at least a day long."""
        return self.is_dekad or self.months > 0 or bool(self.fixed >= DAY)

    def step(self, start: Instant, count: int) -> Instant:
        """Return the instant `count` periods after `start`, limited to the supported years.

        A day that a month lacks becomes its last day.
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
    """Return `count` instants, one period apart, as `datetime64[ns]` (time,)."""
    return np.array([period.step(start, step) for step in range(count)], dtype="datetime64[ns]")


def _add_dekads(start: Instant, count: int) -> Instant:
    """Return the start of the dekad `count` dekads after the dekad of `start`; dekads start on days 1, 11 and 21."""
    month = start.astype("datetime64[M]")
    day = int((start.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))
    months, third = divmod(min(day // 10, 2) + count, 3)
    moved: Instant = (month + np.timedelta64(months, "M")).astype("datetime64[ns]") + DAY * (10 * third)
    return moved
