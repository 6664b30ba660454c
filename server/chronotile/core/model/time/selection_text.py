"""Text of time selections, for display and for links."""

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, ONE_NS, TimeSpan, format_instant, last_of
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.time.periods import DEKAD, Period
from chronotile.core.model.time.selection import TimePart, TimeSelection
from chronotile.core.model.types import Instant

LENGTHS = (4, 7, 10, 13, 16, 19, *range(21, 30))
"""Lengths of the text of an instant without its zone, at all precisions."""


def words_of(selection: TimeSelection) -> str:
    """Return the selected times for display (`2024-06`, `2015 to 2023`); empty if no times are named."""
    return ", ".join(map(_span_words, (part.span for part in selection.parts)))


def _span_words(span: TimeSpan) -> str:
    """Return the shortest text: years, months or days if the span starts and ends with them."""
    start, end = span
    for unit in ("Y", "M", "D"):
        if all(instant.astype(f"datetime64[{unit}]") == instant for instant in span):
            first, last = np.array([start, end - ONE_NS]).astype(f"datetime64[{unit}]").astype(str).tolist()
            break
    else:
        first, last = format_instant(start), format_instant(last_of(start, end))
    if start == DISTANT_PAST:
        return f"until {last}"
    if end == DISTANT_FUTURE:
        return f"since {first}"
    return first if first == last else f"{first} to {last}"


def selection_text(selection: TimeSelection) -> str | None:
    """Return text that `parse_time` parses to the same selection; `None` for an empty selection."""
    if selection.keyword == "absent":
        return None
    return ",".join(map(_part_text, selection.parts)) if selection.keyword == "parts" else selection.keyword


def _part_text(part: TimePart) -> str:
    if part.period is not None and part.end is not None:
        return f"{_value_text(part.span)}/{_end_text(part, part.end)}/{_period_text(part.period)}"
    if not part.is_interval:
        return _value_text(part.span)
    is_open = part.span.start == DISTANT_PAST and part.span.end != DISTANT_FUTURE  # open at the start only
    return f"{'..' if is_open else format_instant(part.span.start)}/{_end_text(part, part.span.end)}"


def _end_text(part: TimePart, end: Instant) -> str:
    """Return the last nanosecond before an end, because ends are inclusive in texts."""
    if part.ends_at_newest:
        return "current"
    return ".." if end == DISTANT_FUTURE else f"{(end + -ONE_NS).astype('datetime64[ns]')}Z"


def _value_text(span: TimeSpan) -> str:
    """Return the start of a span with the precision that stands for the whole span."""
    whole = str(span.start.astype("datetime64[ns]"))
    texts = (whole[:length] + ("Z" if length > 10 else "") for length in LENGTHS)
    return next(text for text in texts if _is_read_as(text, span))


def _is_read_as(text: str, span: TimeSpan) -> bool:
    try:
        return parse_instant(text) == span
    except InvalidParameter:
        return False


def _period_text(period: Period) -> str:
    if period == DEKAD:
        return "dekad"
    seconds, fraction = divmod(int(period.fixed / np.timedelta64(1, "ns")), 1_000_000_000)
    days, seconds = divmod(seconds, 86_400)
    of_day = f"T{seconds}.{fraction:09}S" if seconds or fraction else ""
    return f"P{f'{period.months}M' if period.months else ''}{f'{days}D' if days else ''}{of_day}"
