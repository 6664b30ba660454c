"""Resolves requested times to times of a layer, for all protocols (docs/design/time.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import MissingTime, TimeNotAvailable
from chronotile.core.model.collection import Layer, TimeRules
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY, TimeSpan, format_instant
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.time.steps import gap_tolerance
from chronotile.core.model.types import Instant

EXACT_RULES = TimeRules(match="exact")


@dataclass(frozen=True, slots=True)
class ResolvedTimes:
    """Indexes into a layer's time domain."""

    indexes: tuple[int, ...]
    """Ascending; (0,) for a layer without time."""
    substitution: str | None = None
    """`default` or `nearest` if the instants differ from the request; `None` if they are exact."""
    is_open: bool = False
    """Whether the selection was open (`TimeSelection.is_open`)."""

    def times_used(self, domain: TimeDomain) -> TimeUsed:
        """Return the instants, newest first."""
        if len(domain) == 0:
            return TimeUsed()
        return TimeUsed(
            instants=tuple(domain.instants[index] for index in reversed(self.indexes)),
            substitution=self.substitution,
            is_open=self.is_open,
        )


def resolve_picture_times(
    layer: Layer, selection: TimeSelection, *, now: Instant, fills_gaps: bool = False
) -> ResolvedTimes:
    """Return the times of one picture; for a layer without time, the selection is ignored.

    Args:
        layer: The layer.
        selection: The requested times.
        now: Times later than tomorrow are used only if the request names them.
        fills_gaps: Whether a requested time between irregular times of the layer (`fills_gaps_on_maps`) is replaced by
            the previous one, within `gap_tolerance`.

    Raises:
        MissingTime: No time is requested and the layer has no default, or `current` and all its times are in the
            future.
        TimeNotAvailable: The layer has no data at the requested time, and its rules allow no substitute.
    """
    if len(layer.times) == 0:
        return ResolvedTimes((0,))
    if selection.keyword == "latest":
        return ResolvedTimes((_newest(layer, now),), is_open=True)
    if selection.keyword in {"absent", "default"}:
        return ResolvedTimes((default_index(layer, now),), "default", is_open=True)
    resolved = _resolve_parts(layer, layer.time_rules, selection, now=now, fills_gaps=fills_gaps)
    if not resolved.indexes:
        raise time_not_available(layer, selection)
    return resolved


def resolve_series_times(layer: Layer, selection: TimeSelection, *, now: Instant) -> ResolvedTimes:
    """Return the times of a series: all if no time is requested, none if an interval contains none.

    Raises:
        MissingTime: `default` or `current` is requested and the layer has none.
        TimeNotAvailable: Only instants are requested, the layer has none of them, and its rules allow no substitute.
    """
    if len(layer.times) == 0:
        return ResolvedTimes((0,))
    if selection.keyword == "absent":
        return ResolvedTimes(tuple(range(len(layer.times))), is_open=True)
    if selection.keyword == "parts":
        resolved = _resolve_parts(layer, layer.time_rules, selection, now=now)
        if not resolved.indexes and not any(part.is_interval for part in selection.parts):
            raise time_not_available(layer, selection)
        return resolved
    return resolve_picture_times(layer, selection, now=now)


def matching_times(layer: Layer, selection: TimeSelection, *, now: Instant) -> ResolvedTimes:
    """Return the times that overlap the selection, without substitutes, for lists of available times.

    Raises:
        MissingTime: `default` or `current` is requested and the layer has none.
    """
    if len(layer.times) == 0:
        return ResolvedTimes(())
    if selection.keyword == "absent":
        return ResolvedTimes(tuple(range(len(layer.times))), is_open=True)
    if selection.keyword == "parts":
        return _resolve_parts(layer, EXACT_RULES, selection, now=now)
    return resolve_picture_times(layer, selection, now=now)


def default_index(layer: Layer, now: Instant) -> int:
    """Return the index of the time that is shown if the request names none.

    Raises:
        MissingTime: The layer has no default.
    """
    default = layer.time_rules.default
    if isinstance(default, TimeSpan):
        indexes = layer.times.indexes_within(default)
        newest = newest_index(layer.times, now)
        if indexes and newest is not None and indexes[0] <= newest:
            return min(indexes[-1], newest)
    elif default == "latest":
        return _newest(layer, now)
    elif default == "earliest" and layer.times.instants[0] <= now + DAY:
        return 0
    raise MissingTime(f"layer {layer.id} has no default time; name one, such as {_example(layer)}", locator="time")


def newest_index(domain: TimeDomain, now: Instant) -> int | None:
    """Return the index of the newest time, if any. Times later than tomorrow are mistakes in the archive: ignored."""
    return domain.at_or_before(now + DAY)


def time_not_available(layer: Layer, selection: TimeSelection) -> TimeNotAvailable:
    """Return the error; it names the nearest times of the layer."""
    before = layer.times.at_or_before(selection.parts[0].span.start)
    after = 0 if before is None else before + 1
    indexes = [index for index in (before, after) if index is not None and index < len(layer.times)]
    nearest = [format_instant(layer.times.instants[index]) for index in indexes]
    hint = f"the nearest {'is' if len(nearest) == 1 else 'are'} {' and '.join(nearest)}"
    return TimeNotAvailable(f"layer {layer.id} has no data at the requested time; {hint}", nearest=nearest)


def _newest(layer: Layer, now: Instant) -> int:
    """Return the index of the newest time of `newest_index`.

    Raises:
        MissingTime: All times are later.
    """
    index = newest_index(layer.times, now)
    if index is None:
        problem = f"all times of layer {layer.id} lie in the future; name one, such as {_example(layer)}"
        raise MissingTime(problem, locator="time")
    return index


def _example(layer: Layer) -> str:
    return format_instant(layer.times.instants[-1])


def fills_gaps_on_maps(layer: Layer) -> bool:
    """Return whether maps may show the previous time, because no `match` is configured and the times are irregular."""
    rules = layer.time_rules
    return rules.match == "exact" and not rules.is_always_exact and gap_tolerance(layer.times) is not None


def _resolve_parts(
    layer: Layer, rules: TimeRules, selection: TimeSelection, *, now: Instant, fills_gaps: bool = False
) -> ResolvedTimes:
    domain = layer.times
    is_selected = np.zeros(len(domain), dtype=bool)
    missing = list[tuple[Instant, int]]()
    for part in selection.parts:
        last = _newest(layer, now) if part.ends_at_newest else len(domain) - 1
        ends_now = part.ends_at_newest and part.period is not None  # steps to `current` end with the newest time
        for span in (replace(part, end=domain.ends[last]) if ends_now else part).spans():
            indexes_of_span = domain.indexes_within(span)
            is_selected[indexes_of_span.start : min(indexes_of_span.stop, last + 1)] = True
            if not indexes_of_span and (not part.is_interval or part.period is not None):
                missing.append((span.start, last))
    substitutes = _substitutes(domain, rules, missing, now=now, fills_gaps=fills_gaps)
    is_selected[substitutes] = True
    indexes = tuple(np.flatnonzero(is_selected).tolist())
    return ResolvedTimes(indexes, "nearest" if substitutes else None, is_open=selection.is_open)


def _substitutes(
    domain: TimeDomain, rules: TimeRules, missing: Sequence[tuple[Instant, int]], *, now: Instant, fills_gaps: bool
) -> list[int]:
    """Return the indexes of times that replace missing ones according to the rules.

    Args:
        domain: Times of the layer.
        rules: Rules of the layer.
        missing: Requested instants without data, each with the last index that may replace it.
        now: The current instant.
        fills_gaps: See `resolve_picture_times`.
    """
    if not missing or (rules.match == "exact" and (rules.is_always_exact or not fills_gaps)):
        return []
    newest = newest_index(domain, now)
    if newest is None:
        newest = -1
    # Times in the future are mistakes: their gaps do not count.
    past = domain if newest == len(domain) - 1 else domain.at(range(newest + 1))
    tolerance = gap_tolerance(past) if rules.match == "exact" else rules.tolerance
    if tolerance is None:
        return []
    substitutes = []
    for instant, last in missing:
        index = domain.nearest(instant) if rules.match == "nearest" else domain.at_or_before(instant)
        is_in_gap = rules.match != "exact" or (index is not None and index < newest)
        if index is not None and index <= last and is_in_gap and abs(domain.instants[index] - instant) <= tolerance:
            substitutes.append(index)
    return substitutes
