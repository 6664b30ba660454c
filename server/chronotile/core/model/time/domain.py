"""The ordered times of a layer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan
from chronotile.core.model.time.periods import Period, step_instants
from chronotile.core.model.types import AnyArray, Instant, InstantArray


@dataclass(frozen=True, slots=True, eq=False)
class TimeDomain:
    """The ordered times of a layer, each a span `[start, end)`; an exact instant spans one nanosecond.

    A date without a time of day spans the day, a period (dekad, month) its whole length.
    """

    starts: InstantArray
    """(time,), strictly ascending: the instants that name the times."""
    ends: InstantArray
    """(time,), exclusive, each after its start."""
    bounds: InstantArray | None = None
    """(time, 2): the periods of the values, if they differ from the spans: they overlap, or are a climatology's."""
    is_climatology: bool = False
    """Whether each time stands for a time of the year in many years (CF §7.4)."""
    stated: InstantArray | None = None
    """(time, 3): coordinate and bounds in the file, if it has bounds and is not a climatology."""

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
        """(time,): the instants that name the times."""
        return self.starts

    @property
    def periods(self) -> InstantArray:
        """(time, 2): the periods of the values."""
        return np.stack([self.starts, self.ends], axis=1) if self.bounds is None else self.bounds

    @property
    def climatology_span(self) -> TimeSpan | None:
        """Years that a climatology covers; `None` if unknown, and for other times."""
        if not self.is_climatology or self.bounds is None or not len(self):
            return None
        return TimeSpan(self.bounds[:, 0].min(), self.bounds[:, 1].max())

    def at(self, indexes: Iterable[int] | AnyArray) -> "TimeDomain":
        """Return the times with these ascending indexes, or for which a boolean array is true."""
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
        """Whether several times are on the same day."""
        days = self.starts.astype("datetime64[D]")
        return bool(np.any(days[1:] == days[:-1]))

    def indexes_within(self, span: TimeSpan) -> range:
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
        """Return the index of the time that starts nearest to `instant`; of two equal distances, the earlier time."""
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
    """Return the domain of distinct `instants`, in order. If all are midnights, each spans its day."""
    starts: InstantArray = np.unique(np.fromiter(instants, dtype="datetime64[ns]"))
    are_days = bool(np.all(starts.astype("datetime64[D]").astype("datetime64[ns]") == starts))
    ends: InstantArray = starts + (DAY if are_days else ONE_NS)
    return TimeDomain(starts, ends)


def domain_of_periods(start: Instant, period: Period, count: int) -> TimeDomain:
    """Return `count` consecutive periods from `start`."""
    bounds = step_instants(start, period, count + 1)
    return TimeDomain(bounds[:-1], bounds[1:])


def domain_of_bounds(starts: InstantArray, ends: InstantArray) -> TimeDomain:
    """Return the domain of periods from CF bounds; a period that overlaps the next ends at the start of the next.

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
    """Return the times that start in both domains, each as long as the shorter of both.

    Bounds are kept if they are equal; the result is a climatology if both are.
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
