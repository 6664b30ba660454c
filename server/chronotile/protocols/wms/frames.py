"""TIME as players of maps write it: frames that follow one another."""

import re
from dataclasses import replace

import numpy as np

from chronotile.model.time import TimeDomain, TimePart, TimeSelection, TimeSpan
from chronotile.model.time_parsing import parse_instant, parse_time

_CLOCK = re.compile(r"\d[Tt ]\d")


def frame_times(text: str | None, domain: TimeDomain) -> TimeSelection:
    """Return what TIME selects of a layer's times, where an interval may be a frame of an animation.

    The frame of June is `2020-06-01T00:00:00Z/2020-07-01T00:00:00Z`, and that of July begins where it ends. So an
    interval that has times of day, and ends at just the instant that follows those in it, leaves that one out.

    Raises:
        InvalidParameter: It is no time.
    """
    selection = parse_time(text)
    if text is None or not selection.parts:
        return selection
    parts = zip(selection.parts, text.split(","), strict=True)
    return replace(selection, parts=tuple(_as_frame(part, member, domain) for part, member in parts))


def _as_frame(part: TimePart, text: str, domain: TimeDomain) -> TimePart:
    ends = [end.strip() for end in text.split("/")]
    if len(ends) != 2 or not all(_CLOCK.search(end) for end in ends):
        return part
    start, end = part.span.start, parse_instant(ends[1]).start
    if start >= end or not np.any(domain.starts == end) or not domain.within(TimeSpan(start, end)):
        return part
    return replace(part, span=TimeSpan(start, end))
