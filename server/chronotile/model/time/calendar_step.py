"""Periods of the calendar, as text requests them."""

from chronotile.errors import InvalidParameter
from chronotile.model.time.instants import DAY, Period
from chronotile.model.time.parser import parse_period

MAX_SHOWN = 60
"""Characters of what was given that a message repeats."""


def requested_period(text: str, *, also: str = "") -> Period:
    """Return the period that `step` names: `dekad`, or ISO 8601 in any case.

    Args:
        text: Of the parameter.
        also: What else it may be, in words, for the error message.

    Raises:
        InvalidParameter: It is not a period, one of months and days together, or more days than a year has.
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
