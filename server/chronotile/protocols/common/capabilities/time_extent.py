"""Times of a layer in WMS and WMTS capabilities.

Every client understands listed instants. Long regular series become intervals with a period (`start/end/period`), and
irregular series are cut to their last times.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import cast

import numpy as np

from chronotile.catalog.resolve_times import default_index, fills_gaps_on_maps, resolve_picture_times
from chronotile.core.errors import MissingTime, TimeNotAvailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day, format_instant
from chronotile.core.model.time.selection import ABSENT, LATEST, TimeSelection
from chronotile.core.model.time.steps import SteppedInstants, differences, find_steps, nanoseconds_of_month, period_text
from chronotile.core.model.types import Instant, InstantArray
from chronotile.pipeline.encoders.document_parts import format_instants

MAX_LISTED = 1000
"""Limit of listed values per layer."""

MIN_LISTED = 4
"""Values that a layer may list even in a large document."""

DOCUMENT_BYTES, LAYER_BYTES, VALUE_BYTES = 1_000_000, 1_700, 26
"""Target size of a document, and estimated sizes of a layer without times and of one time."""

SHORTEST_RUN, LONGEST_RUN = 4, 366
"""Times in one interval with period. Clients may request it whole: a year of tiles is within the limits."""

MIN_REGULAR = 3
"""Number of times of a regular layer that makes them an interval."""

MIN_RUNS = 16
"""Minimum number of intervals that are listed for a layer, also if its maximum number of times is lower."""

MAX_PHASES = 3
"""Monthly series that are listed one after the other; dekads start on days 1, 11 and 21."""


RECENT_TIMES = 14
"""Number of last times whose gaps count: more than a year of months."""

MISSED_GAPS = 3
"""Longest gaps that may pass until data count as no longer updated."""

MIN_RECENT_NS = 31 * 86_400 * 10**9
"""Maximum age of data that are recent even if they have gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeExtent:
    """The time dimension of a layer (WMS 1.3.0 Annex C.2, WMTS 1.0.0 §7.1.1.2)."""

    values: tuple[str, ...]
    """Instants and intervals with period; requests may contain any of them."""
    extent: tuple[str, ...]
    """The same times; regular ones as intervals with period, even if they are few."""
    default: str | None
    newest: str | None
    """Meaning of `current`; `None` if it is not accepted."""
    is_current: bool
    """Whether the newest time is recent, so that `current` is advertised."""
    is_nearest: bool
    """Whether the nearest time replaces a missing one."""
    first: str
    last: str
    count: int
    """Number of times of the layer."""
    is_whole: bool
    """Whether `values` contain all times, not only the last."""


def most_listed_times(layer_count: int, *, layer_bytes: int = LAYER_BYTES) -> int:
    """Return the number of values that each layer may list in a document of `layer_count` layers."""
    count = (DOCUMENT_BYTES // max(1, layer_count) - layer_bytes) // VALUE_BYTES
    return min(MAX_LISTED, max(MIN_LISTED, count))


def time_extent(
    layer: Layer, now: Instant, *, limit: int = MAX_LISTED, requested: TimeSelection = ABSENT
) -> TimeExtent | None:
    """Return the time dimension of a layer in about `limit` values, or `None` without times.

    The default is the newest time that a map shows for `requested`, else the usual default of the layer.
    """
    domain = layer.times
    if len(domain) == 0:
        return None
    write = _formatter(domain)
    default, newest = _requested_default(layer, requested, now) or _default(layer, now), _newest(layer, now)
    values = _whole(domain, limit, write)
    is_whole = values is not None
    if values is None:
        values = _texts(domain.instants[-limit:], write)
        values = values if default is None or write(default) in values else (write(default), *values)
    return TimeExtent(
        values=values,
        extent=_regular(domain, limit, write) or values,
        default=None if default is None else write(default),
        newest=None if newest is None else write(newest),
        is_current=newest is not None and _is_recent(newest, domain, now),
        is_nearest=layer.time_rules.match != "exact" or fills_gaps_on_maps(layer),
        first=write(domain.instants[0]),
        last=write(domain.instants[-1]),
        count=len(domain),
        is_whole=is_whole,
    )


def time_text(instant: Instant, domain: TimeDomain) -> str:
    """Return the text of an instant; only the day if all times of the layer are at midnight."""
    return _formatter(domain)(instant)


def stand_in_default(layer: Layer, now: Instant) -> Instant | None:
    """Return a Default for WMTS, which requires one: the newest time, else the first.

    `None` if the layer has a default.
    """
    if _default(layer, now) is not None:
        return None
    newest = _newest(layer, now)
    return cast("Instant", layer.times.instants[0]) if newest is None else newest


def _requested_default(layer: Layer, requested: TimeSelection, now: Instant) -> Instant | None:
    try:
        times = resolve_picture_times(layer, requested, now=now, fills_gaps=True)
    except (MissingTime, TimeNotAvailable):
        return None
    return cast("Instant", layer.times.instants[times.indexes[-1]])


def _default(layer: Layer, now: Instant) -> Instant | None:
    try:
        return cast("Instant", layer.times.instants[default_index(layer, now)])
    except MissingTime:
        return None


def _newest(layer: Layer, now: Instant) -> Instant | None:
    try:
        return cast("Instant", layer.times.instants[resolve_picture_times(layer, LATEST, now=now).indexes[-1]])
    except MissingTime:
        return None


def _is_recent(newest: Instant, domain: TimeDomain, now: Instant) -> bool:
    """Return whether the next time may still come: at most a few of the longest recent gaps have passed.

    Compares whole days, so that documents of all processes are equal during a day.
    """
    recent = _nanoseconds(domain.instants[-RECENT_TIMES:])
    longest = max((later - earlier for earlier, later in pairwise(recent)), default=0)
    (today, last) = _nanoseconds(np.array([now.astype("datetime64[D]"), newest], dtype="datetime64[ns]"))
    return today - last <= max(MIN_RECENT_NS, MISSED_GAPS * longest)


def _nanoseconds(instants: InstantArray) -> list[int]:
    # Python integers: a difference of centuries overflows int64 nanoseconds.
    numbers: list[int] = instants.astype(np.int64).tolist()
    return numbers


def _formatter(domain: TimeDomain) -> Callable[[Instant], str]:
    return format_day if domain.has_day_precision else format_instant


def _whole(domain: TimeDomain, limit: int, write: Callable[[Instant], str]) -> tuple[str, ...] | None:
    """Return all times in at most `limit` values, or `None` if they need more."""
    if len(domain) <= limit:
        return _texts(domain.instants, write)
    most = max(limit, MIN_RUNS)
    splits = [[find_steps(series) for series in split] for split in _phases(domain.instants)]
    short_splits = [split for split in splits if sum(steps.fewest for steps in split) <= most]
    texts = [tuple(islice(chain.from_iterable(_runs(s, write) for s in split), most + 1)) for split in short_splits]
    shortest = min(texts, key=len, default=())
    return shortest if 0 < len(shortest) <= most else None


def _regular(domain: TimeDomain, limit: int, write: Callable[[Instant], str]) -> tuple[str, ...]:
    """Return all times as intervals with period; empty if they are irregular or need more than `limit` values."""
    if len(domain) < MIN_REGULAR:
        return ()
    stepped = find_steps(domain.instants)
    if np.any(stepped.steps != stepped.steps[0]):
        return ()
    runs = tuple(islice(_runs(stepped, write, shortest=MIN_REGULAR), limit + 1))
    return runs if len(runs) <= limit else ()


def _texts(instants: InstantArray, write: Callable[[Instant], str]) -> tuple[str, ...]:
    # Ten times as fast as calling `write` per instant.
    texts = [text or "" for text in format_instants(instants)]
    return tuple(text[:10] for text in texts) if write is format_day else tuple(texts)


def _phases(instants: InstantArray) -> Iterator[list[InstantArray]]:
    """Yield ways to split a series: not at all, and by day of the month if few days occur."""
    yield [instants]
    places = nanoseconds_of_month(instants)
    phases = np.unique(places[: MAX_PHASES + 1])
    if 1 < len(phases) <= MAX_PHASES and np.isin(places, phases).all():
        yield [instants[places == phase] for phase in phases]


def _runs(along: SteppedInstants, write: Callable[[Instant], str], *, shortest: int = SHORTEST_RUN) -> Iterator[str]:
    """Yield regular runs as `start/end/period` (WMS 1.3.0 Annex C.3.2), and the times between them."""
    instants, steps = along.instants, along.steps
    changes = np.append(np.flatnonzero(differences(steps)) + 1, len(steps))
    start = 0
    while start < len(instants):
        end = start
        if start < len(steps):
            # A run ends at the next different step, or after `LONGEST_RUN` times.
            same_until = int(changes[np.searchsorted(changes, start, side="right")])
            end = min(same_until, start + LONGEST_RUN - 1)
        is_run = end - start + 1 >= shortest
        period = period_text(int(steps[start]), is_monthly=along.is_monthly) if is_run else None
        if period is None:
            end = start
        yield write(instants[start]) if period is None else f"{write(instants[start])}/{write(instants[end])}/{period}"
        start = end + 1
