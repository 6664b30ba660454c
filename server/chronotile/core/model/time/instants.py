"""Instants and intervals in UTC, and their text."""

import time
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from chronotile.core.model.types import Duration, Instant

ONE_NS = np.timedelta64(1, "ns")
BEFORE_END = np.timedelta64(-1_000_000_000, "ns")
"""From an exclusive end to the last second of a period."""
DAY = np.timedelta64(86_400_000_000_000, "ns")
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""First and last complete year of `datetime64[ns]`."""

DISTANT_PAST = np.datetime64("1678-01-01", "ns")
DISTANT_FUTURE = np.datetime64("2262-01-01", "ns")
FIRST_MONTH, LAST_MONTH = (int(end.astype("datetime64[M]").astype(int)) for end in (DISTANT_PAST, DISTANT_FUTURE))


class TimeSpan(NamedTuple):
    """A half-open interval `[start, end)`, never empty."""

    start: Instant
    end: Instant


def system_clock() -> Instant:
    """Return the current time, UTC, in whole seconds."""
    return np.datetime64(int(time.time()) * 10**9, "ns")


def format_instant(instant: Instant) -> str:
    """Return RFC 3339 text in UTC; a zero fraction is omitted."""
    seconds, fraction = str(instant.astype("datetime64[ns]")).split(".")
    significant = fraction.rstrip("0")
    return f"{seconds}.{significant}Z" if significant else f"{seconds}Z"


def format_day(instant: Instant) -> str:
    """Return the instant's day as `YYYY-MM-DD`."""
    return str(instant.astype("datetime64[D]"))


def last_of(start: Instant, end: Instant) -> Instant:
    """Return the last second of a period with an exclusive end; an exact instant is returned unchanged."""
    before: Instant = end + BEFORE_END
    return start if end - start <= ONE_NS else max(start, before)


def days_to_timedelta(days: float) -> Duration:
    """Convert days to `timedelta64[ns]`."""
    return np.timedelta64(int(timedelta(days=days) / timedelta(microseconds=1)) * 1000, "ns")
