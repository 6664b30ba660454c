"""Parsers of ISO 8601 durations and of the `step` parameter."""

import re

import numpy as np

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.time.instants import DAY
from chronotile.core.model.time.periods import DEKAD, Period

MAX_PERIOD_NS = 100 * 366 * 86_400_000_000_000
_PERIOD = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9})(?:\.(?P<fraction>\d{1,9}))?S)?)?",
    re.ASCII,
)


def parse_period(text: str) -> Period:
    """Return the period of an ISO 8601 duration or of `dekad`.

    Raises:
        InvalidParameter: The text is not a duration, has no length, or is longer than a century.
    """
    if text == "dekad":
        return DEKAD
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"{text[:40]!r} is not an ISO 8601 period such as P10D, P1M or PT15M", locator="time")
    amounts = {name: int(value or 0) for name, value in match.groupdict().items() if name != "fraction"}
    months = amounts["years"] * 12 + amounts["months"]
    seconds = (((amounts["weeks"] * 7 + amounts["days"]) * 24 + amounts["hours"]) * 60 + amounts["minutes"]) * 60
    nanoseconds = (seconds + amounts["seconds"]) * 1_000_000_000 + int((match["fraction"] or "").ljust(9, "0"))
    if months == 0 and nanoseconds == 0:
        raise InvalidParameter(f"the period {text[:40]!r} has no length; use one such as P10D or P1M", locator="time")
    if nanoseconds > MAX_PERIOD_NS:
        raise InvalidParameter(f"the period {text!r} is longer than a century", locator="time")
    return Period(months=months, fixed=np.timedelta64(nanoseconds, "ns"))


def requested_period(text: str, *, also: str = "") -> Period:
    """Return the period of the parameter `step`: `dekad`, or ISO 8601 in any case.

    Args:
        text: Value of the parameter.
        also: Other accepted values in words, for the error message.

    Raises:
        InvalidParameter: It is not a period, combines months and days, or is a fixed duration above 366 days.
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
