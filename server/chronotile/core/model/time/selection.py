"""Requested times, parsed but not yet resolved to the times of a layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.core.model.time.periods import Period
from chronotile.core.model.types import Instant

MAX_PARTS = 2_000
"""Maximum number of list members, and of steps of an interval with period, in one request."""


@dataclass(frozen=True, slots=True)
class TimePart:
    """A member of a list of times: a value, or an interval with or without a period."""

    span: TimeSpan
    is_interval: bool = False
    period: Period | None = None
    end: Instant | None = None
    """Exclusive end of the steps, with a period."""
    ends_at_newest: bool = False
    """Whether the interval ends at the newest time of the layer; its end is then `DISTANT_FUTURE`."""

    @property
    def is_open(self) -> bool:
        """Whether this is an interval without a start or without an end."""
        end = self.span.end if self.end is None else self.end
        return self.is_interval and bool(self.span.start == DISTANT_PAST or end == DISTANT_FUTURE)

    def spans(self) -> Iterator[TimeSpan]:
        """Yield the selected spans: one, or one per step of the period.

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
    """Times of a request: none, a keyword, or a list of parts."""

    keyword: Keyword = "absent"
    parts: tuple[TimePart, ...] = ()
    is_of_open: bool = False
    """Whether the parts are times to which an open selection was resolved."""

    @property
    def is_open(self) -> bool:
        """Whether the selected times may change soon: not all are instants and closed intervals."""
        return self.keyword != "parts" or self.is_of_open or any(part.is_open for part in self.parts)


ABSENT = TimeSelection()
DEFAULT = TimeSelection("default")
LATEST = TimeSelection("latest")
