"""A layer's times as the capabilities of WMS and WMTS list them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import cast

import numpy as np

from chronotile.catalog.resolve_times import default_index, fills_gaps_on_maps, resolve_picture_times
from chronotile.core.errors import MissingTime, TimeNotAvailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.time.instants import (
    ABSENT,
    LATEST,
    Stepped,
    TimeDomain,
    TimeSelection,
    differences,
    find_steps,
    format_day,
    format_instant,
    of_month,
    period_text,
)
from chronotile.core.model.types import Instant, InstantArray
from chronotile.pipeline.encoders.document_parts import format_instants

MAX_LISTED = 1000
"""Times up to which each stands for itself, which every client understands."""

LEAST_LISTED = 4
"""Values that a layer lists however many layers there are."""

DOCUMENT_BYTES, LAYER_BYTES, VALUE_BYTES = 1_000_000, 1_700, 26
"""What a document should stay below, and what a layer and one of its times take of it."""

SHORTEST_RUN, LONGEST_RUN = 4, 366
"""Times that one interval with period stands for. A client may send it back: a year of tiles is within the limits."""

LEAST_REGULAR = 3
"""Times of a layer that are an interval where all are regular."""

LEAST_RUNS = 16
"""Intervals that a layer may have even where it may list fewer times: they are worth their room."""

MAX_PHASES = 3
"""Series that go on month by month and are listed one after the other: dekads begin on days 1, 11 and 21."""


GAPS_SEEN = 14
"""Number of last times whose gaps give the interval between dates: more than a year of months."""

MISSED_GAPS = 3
"""Gaps as long as the longest of those that may pass until data no longer count as updated."""

LEAST_RECENT_NS = 31 * 86_400 * 10**9
"""Age in nanoseconds up to which data are recent, whatever the interval between dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeExtent:
    """What the capabilities say of time (WMS 1.3.0 Annex C.2, WMTS 1.0.0 §7.1.1.2)."""

    values: tuple[str, ...]
    """Instants and intervals with period; each is accepted as a value."""
    extent: tuple[str, ...]
    """The same times, but as intervals with period wherever all are regular, however few they are."""
    default: str | None
    newest: str | None
    """What `current` means; `None` where it is not accepted."""
    is_current: bool
    """Whether data are still updated, so that `current` is advertised: the newest time is not long ago."""
    is_nearest: bool
    """Whether another time may replace one that the layer does not have."""
    first: str
    last: str
    count: int
    """Times that the layer has."""
    is_whole: bool
    """Whether `values` are all of them, or only the last."""


def most_listed_times(layer_count: int, *, layer_bytes: int = LAYER_BYTES) -> int:
    """Return how many values each layer may list in a document of that many layers of `layer_bytes` without times."""
    share = (DOCUMENT_BYTES // max(1, layer_count) - layer_bytes) // VALUE_BYTES
    return min(MAX_LISTED, max(LEAST_LISTED, share))


def time_extent(
    layer: Layer, now: Instant, *, limit: int = MAX_LISTED, requested: TimeSelection = ABSENT
) -> TimeExtent | None:
    """Return the extent of a layer's times in about `limit` values, or `None` for a layer without time.

    More times than that become intervals with a period where they are regular; else only the last ones are listed.
    The default is the newest time that a map has for `requested`; where it has none, the layer's own.
    """
    domain = layer.times
    if len(domain) == 0:
        return None
    write = _writer(domain)
    default, newest = _at_request(layer, requested, now) or _default(layer, now), _newest(layer, now)
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
    """Return an instant as it is listed: a day where all times of the layer begin at midnight."""
    return _writer(domain)(instant)


def stand_in_default(layer: Layer, now: Instant) -> Instant | None:
    """Return the Default that WMTS requests where the layer has none: its newest time, or else its first.

    `None` where the layer has one.
    """
    if _default(layer, now) is not None:
        return None
    newest = _newest(layer, now)
    return cast("Instant", layer.times.instants[0]) if newest is None else newest


def _at_request(layer: Layer, requested: TimeSelection, now: Instant) -> Instant | None:
    try:
        found = resolve_picture_times(layer, requested, now=now, fills_gaps=True)
    except (MissingTime, TimeNotAvailable):
        return None
    return cast("Instant", layer.times.instants[found.indexes[-1]])


def _default(layer: Layer, now: Instant) -> Instant | None:
    try:
        return cast("Instant", layer.times.instants[default_index(layer, now)])
    except MissingTime:
        return None


def _newest(layer: Layer, now: Instant) -> Instant | None:
    """What `current` means."""
    try:
        return cast("Instant", layer.times.instants[resolve_picture_times(layer, LATEST, now=now).indexes[-1]])
    except MissingTime:
        return None


def _is_recent(newest: Instant, domain: TimeDomain, now: Instant) -> bool:
    """Whether the next time may still be to come: no more than a few of the last gaps have passed.

    By whole days, so that documents are the same all day, from any process.
    """
    seen = _nanoseconds(domain.instants[-GAPS_SEEN:])
    longest = max((later - earlier for earlier, later in pairwise(seen)), default=0)
    (today, last) = _nanoseconds(np.array([now.astype("datetime64[D]"), newest], dtype="datetime64[ns]"))
    return today - last <= max(LEAST_RECENT_NS, MISSED_GAPS * longest)


def _nanoseconds(instants: InstantArray) -> list[int]:
    # Since 1970, in numbers of Python: centuries between two times are more than numpy's nanoseconds hold.
    numbers: list[int] = instants.astype(np.int64).tolist()
    return numbers


def _writer(domain: TimeDomain) -> Callable[[Instant], str]:
    return format_day if domain.has_day_precision else format_instant


def _whole(domain: TimeDomain, limit: int, write: Callable[[Instant], str]) -> tuple[str, ...] | None:
    """All times in at most `limit` values, or `None` where that cannot be done."""
    if len(domain) <= limit:
        return _texts(domain.instants, write)
    most = max(limit, LEAST_RUNS)
    ways = [[find_steps(each) for each in series] for series in _phases(domain.instants)]
    possible = [way for way in ways if sum(each.fewest for each in way) <= most]
    written = [tuple(islice(chain.from_iterable(_runs(each, write) for each in way), most + 1)) for way in possible]
    shortest = min(written, key=len, default=())
    return shortest if 0 < len(shortest) <= most else None


def _regular(domain: TimeDomain, limit: int, write: Callable[[Instant], str]) -> tuple[str, ...]:
    """All times as intervals with period; nothing where they are not regular, or take more than `limit` values."""
    if len(domain) < LEAST_REGULAR:
        return ()
    found = find_steps(domain.instants)
    if np.any(found.steps != found.steps[0]):
        return ()
    runs = tuple(islice(_runs(found, write, shortest=LEAST_REGULAR), limit + 1))
    return runs if len(runs) <= limit else ()


def _texts(instants: InstantArray, write: Callable[[Instant], str]) -> tuple[str, ...]:
    # As `write` does, ten times as fast.
    texts = [text or "" for text in format_instants(instants)]
    return tuple(text[:10] for text in texts) if write is format_day else tuple(texts)


def _phases(instants: InstantArray) -> Iterator[list[InstantArray]]:
    """Yield ways to take series apart: not at all, and by their place in the month where it has few."""
    yield [instants]
    places = of_month(instants)
    phases = np.unique(places[: MAX_PHASES + 1])
    if 1 < len(phases) <= MAX_PHASES and np.isin(places, phases).all():
        yield [instants[places == phase] for phase in phases]


def _runs(along: Stepped, write: Callable[[Instant], str], *, shortest: int = SHORTEST_RUN) -> Iterator[str]:
    """Regular stretches become `start/end/period` (WMS 1.3.0 Annex C.3.2), what lies between them is listed."""
    instants, steps = along.instants, along.steps
    changes = np.append(np.flatnonzero(differences(steps)) + 1, len(steps))
    start = 0
    while start < len(instants):
        end = start
        if start < len(steps):
            # Up to the step that differs, and no longer than a run may be.
            same_until = int(changes[np.searchsorted(changes, start, side="right")])
            end = min(same_until, start + LONGEST_RUN - 1)
        is_run = end - start + 1 >= shortest
        period = period_text(int(steps[start]), is_monthly=along.is_monthly) if is_run else None
        if period is None:
            end = start
        yield write(instants[start]) if period is None else f"{write(instants[start])}/{write(instants[end])}/{period}"
        start = end + 1


MAX_TIMES_LISTED = 16
"""Times that a warning lists; more are given as the interval they lie in."""


def value_warning(what: str, instants: tuple[Instant, ...], domain: TimeDomain, *, of: str = "time") -> str:
    """Return the header that names the times used.

    Args:
        what: `default` or `nearest`.
        instants: Newest first.
        domain: Of the layer, whose times they are.
        of: The parameter in place of whose value they are used.
    """
    texts = [time_text(instant, domain) for instant in reversed(instants)]
    named = ",".join(texts) if len(texts) <= MAX_TIMES_LISTED else f"{texts[0]}/{texts[-1]}"
    return f"99 {what.capitalize()} value used: {of}={named} ISO8601"


def nearest_warnings(used: TimeUsed, domain: TimeDomain) -> list[str]:
    """Return the headers of an answer in which other times are used than those requested."""
    warnings = []
    if used.instants and used.substitution == "nearest":
        warnings.append(value_warning("nearest", used.instants, domain))
    if used.base_substitution == "nearest":
        warnings.append(value_warning("nearest", used.base, domain, of="difference"))
    return warnings
