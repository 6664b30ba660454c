"""TIME as players of maps write it: frames that follow one another."""

import re
from dataclasses import replace

import numpy as np

from chronotile.model.time.instants import DAY, Instant, TimeDomain, TimeSelection, TimeSpan
from chronotile.model.time.parser import parse_time

_CLOCK = re.compile(r"\d[Tt ]\d|^\d{12,13}$", re.ASCII)
"""A time of day, or milliseconds since 1970."""


def parse_frame_time(text: str | None, domain: TimeDomain) -> TimeSelection:
    """Return what TIME selects of a layer's times, where an interval may be a frame of an animation.

    The frame of June is `2020-06-01T00:00:00Z/2020-07-01T00:00:00Z`, and that of July begins where it ends. So an
    interval that has times of day, and ends at just the instant that follows those in it, leaves that one out: where it
    is of whole days, also if nothing else lies in it, or holds one instant alone. Other intervals hold their end
    (WMS 1.3.0 Annex D), and so do lists.

    Raises:
        InvalidParameter: It is not a time.
    """
    selection = parse_time(text)
    ends = [] if text is None else [end.strip() for end in text.split("/")]
    if len(selection.parts) != 1 or len(ends) != 2 or not all(_CLOCK.search(end) for end in ends):
        return selection
    part = selection.parts[0]
    start, end = part.span.start, parse_time(ends[1]).parts[0].span.start
    if start >= end or not np.any(domain.starts == end):
        return selection
    held = len(domain.within(TimeSpan(start, end)))
    if held == 1 or (_is_midnight(start) and _is_midnight(end)):
        return replace(selection, parts=(replace(part, span=TimeSpan(start, end)),))
    return selection


def _is_midnight(instant: Instant) -> bool:
    return bool(instant.astype(np.int64) % DAY.astype(np.int64) == 0)
