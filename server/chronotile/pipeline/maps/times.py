"""Times of maps: the times that a map shows, and the reference times that their values are compared with.

A map shows one of three things. Each group of times becomes one value per pixel:

- the values of the shown times;
- their difference from one reference group, the base;
- their anomaly. For one time, each time of the reference in the same part of the year is a group. For a period, each
  year is a group: its times in the same days of the year. In addition, each date of a period is first compared with the
  mean of the dates in its part of the year (`UsualDates`), so that a period that is only clear late is compared with
  late dates of other years.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import ResolvedTimes, resolve_picture_times, resolve_series_times
from chronotile.core.errors import InvalidParameter, TimeNotAvailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.request import ShownLayer
from chronotile.core.model.time.instants import DAY, TimeSpan
from chronotile.core.model.time.periods import add_months
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Instant
from chronotile.core.stats.climatology import slot_kind, slot_numbers
from chronotile.pipeline.most_valid_times import find_clearest
from chronotile.pipeline.services import Services

IndexGroup = tuple[int, ...]
"""Ascending indexes of times that become one value."""
MAX_PERIOD = 366 * DAY


@dataclass(frozen=True, slots=True)
class UsualDates:
    """The dates of the reference that the dates of a period are compared with, by part of the year."""

    groups: tuple[tuple[Instant, ...], ...]
    """One group per part of the year, newest date first; its mean is the usual value."""
    group_of: Mapping[Instant, int]
    """Group number of each date of the period in any year. Dates without a usual value are missing."""


@dataclass(frozen=True, slots=True)
class MapTimes:
    """The times of a map."""

    times: ResolvedTimes
    used: TimeUsed
    reference_groups: tuple[tuple[Instant, ...], ...] | None = None
    """Groups of reference times, each newest first. `None` if values are shown; empty if `usual` is the reference."""
    usual: UsualDates | None = None
    """For the anomaly of a period, else `None`."""
    is_chosen: bool = False
    """Whether the clearest of several times is shown. It may be another one when the others change."""


def resolve_map_times(request: ShownLayer, layer: Layer, services: Services) -> MapTimes:
    """Return the times that a request selects.

    With the reducer `clearest`, each group is reduced to the time with most valid pixels, which are counted if needed.

    Raises:
        TimeNotAvailable: The layer has no such time.
        InvalidParameter: The selected times have no anomaly.
        LimitExceeded: The reducer `clearest` would compare too many times.
    """
    now, is_clearest = services.clock(), request.reducer == "clearest"

    def choose(indexes: IndexGroup) -> IndexGroup:
        return (find_clearest(layer, indexes, services),) if is_clearest and len(indexes) > 1 else indexes

    times = resolve_picture_times(layer, request.time, now=now, fills_gaps=request.fills_gaps)
    used, groups, usual = times.times_used(layer.times), list[IndexGroup](), None
    if request.difference is not None:
        with _locate_error("difference"):
            base = resolve_picture_times(layer, request.difference, now=now, fills_gaps=request.fills_gaps)
        base_used = base.times_used(layer.times)
        used = replace(used, base_substitution=base_used.substitution, is_open=used.is_open or base_used.is_open)
        groups = [base.indexes if len(layer.times) else ()]
    elif request.anomaly is not None:
        with _locate_error("reference"):
            reference = resolve_series_times(layer, request.anomaly.reference, now=now)
        used = replace(used, is_open=used.is_open or reference.is_open)
        period = resolve_period(request.time, layer)
        groups = group_reference(layer, period, times.indexes, reference.indexes)
        if period is not None:
            groups = [] if request.anomaly.kind == "abs" else groups
            usual = _find_usual_dates(layer, {*times.indexes}.union(*groups), reference.indexes)
    is_chosen = is_clearest and any(len(group) > 1 for group in (times.indexes, *groups))
    times = replace(times, indexes=choose(times.indexes))
    instants = layer.times.instants
    reference_groups = [tuple(instants[index] for index in reversed(choose(group))) for group in groups]
    all_groups = reference_groups if usual is None else [*reference_groups, *usual.groups]
    base_instants = tuple(sorted({instant for group in all_groups for instant in group}, reverse=True))
    used = replace(used, instants=times.times_used(layer.times).instants, base=base_instants)
    has_reference = request.difference is not None or request.anomaly is not None
    return MapTimes(times, used, tuple(reference_groups) if has_reference else None, usual, is_chosen)


@contextmanager
def _locate_error(locator: str) -> Iterator[None]:
    """Name the parameter that selects a time which the layer does not have."""
    try:
        yield
    except TimeNotAvailable as error:
        raise TimeNotAvailable(error.message, locator=locator, nearest=error.nearest) from error


def resolve_period(time: TimeSelection, layer: Layer) -> TimeSpan | None:
    """Return the period whose anomaly is requested, or `None` for one time and for times within a day.

    Raises:
        InvalidParameter: The layer has no times, or the selection has several periods or is longer than a year.
    """
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times and so no anomaly", locator="anomaly")
    if time.keyword != "parts":
        return None
    part = time.parts[0]
    start, end = part.span
    if len(time.parts) > 1 or part.period is not None or end - start > MAX_PERIOD:
        raise InvalidParameter("an anomaly is that of one time, or of one period of at most a year", locator="time")
    return None if end - start <= DAY else part.span


def group_reference(
    layer: Layer, period: TimeSpan | None, indexes: IndexGroup, reference: IndexGroup
) -> list[IndexGroup]:
    """Return the groups of reference times that an anomaly is computed from.

    Args:
        layer: The layer of the times.
        period: Each year is a group: its times in the same days. `None`: each time in the part of the year of the last
            shown time is a group, as in series.
        indexes: The shown times.
        reference: The times of the reference.
    """
    domain = layer.times
    if period is None:
        slots = slot_numbers(domain.instants, slot_kind(domain.instants, None))
        return [(index,) for index in reference if slots[index] == slots[indexes[-1]]]
    is_of_reference = np.isin(np.arange(len(domain)), reference)
    ends = np.array([domain.starts[0], domain.starts[-1], period.start])
    first, last, year = ends.astype("datetime64[Y]").astype(int).tolist()
    groups = []
    for years in range(first - year - 1, last - year + 1):
        in_year = domain.indexes_within(_move_period(period, years))
        groups.append(tuple(index for index in in_year if is_of_reference[index]))
    return [group for group in groups if group]


def _find_usual_dates(layer: Layer, compared: Collection[int], reference: IndexGroup) -> UsualDates:
    """The dates of the reference in the part of the year of each compared date."""
    instants = layer.times.instants
    slots = slot_numbers(instants, slot_kind(instants, None)).tolist()
    compared_in, dates_in = defaultdict[int, list[Instant]](list), defaultdict[int, list[Instant]](list)
    for index in sorted(compared):
        compared_in[slots[index]].append(instants[index])
    for index in reversed(reference):
        dates_in[slots[index]].append(instants[index])
    common = [slot for slot in compared_in if slot in dates_in]
    return UsualDates(
        groups=tuple(tuple(dates_in[slot]) for slot in common),
        group_of={instant: number for number, slot in enumerate(common) for instant in compared_in[slot]},
    )


def _move_period(period: TimeSpan, years: int) -> TimeSpan:
    """The same days of another year. The end of 28 February becomes the end of February."""
    start, end = (add_months(instant, 12 * years) for instant in period)
    is_cut = str(period.end)[5:10] == "02-29" and str(end)[5:10] == "02-28"
    return TimeSpan(start, end + DAY if is_cut else end)
