"""Times as a configuration lists them."""

from collections.abc import Sequence
from itertools import pairwise

from chronotile.model.time.instants import DAY, DEKAD, TimeSpan, add_months, format_day, format_instant


def times_section(spans: Sequence[TimeSpan]) -> object:
    """Return what `times:` says of spans that ascend: dekads that follow one another as such, others as a list."""
    first = spans[0].start
    follows = all(earlier.end == later.start for earlier, later in pairwise(spans))
    if follows and all(span.end == DEKAD.step(span.start, 1) and _is_dekad(span) for span in spans):
        return {"start": format_day(first), "step": "dekad", "count": len(spans)}
    return [_text(span) for span in spans]


def _is_dekad(span: TimeSpan) -> bool:
    return bool(DEKAD.step(span.start, 0) == span.start)


def _text(span: TimeSpan) -> str:
    """The shortest text that names the span, or else its start."""
    day = format_day(span.start)
    if span.end == span.start + DAY:
        return day
    if day.endswith("-01") and span.end == add_months(span.start, 1):
        return day[:7]
    if day.endswith("-01-01") and span.end == add_months(span.start, 12):
        return day[:4]
    return format_instant(span.start)
