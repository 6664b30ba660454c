"""The times that a map is made of: those it shows, and those whose values it is held against; reads few pixels."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import ResolvedTimes, resolve_picture_times, resolve_series_times
from chronotile.core.errors import InvalidParameter, TimeNotAvailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.request import LegendRequest, Shown
from chronotile.core.model.series.analysis import AnomalyKind
from chronotile.core.model.time.instants import DAY, TimeSelection, TimeSpan, add_months, words_of
from chronotile.core.model.types import Instant
from chronotile.core.stats.climatology import slot_kind, slot_numbers
from chronotile.pipeline.services import Services
from chronotile.pipeline.valid_share import clearest_of

Group = tuple[int, ...]
"""Indexes of times, ascending, that become one value."""
LONGEST = 366 * DAY


@dataclass(frozen=True, slots=True)
class UsualDates:
    """The dates of the reference that the dates of a period are compared with, by part of the year."""

    groups: tuple[tuple[Instant, ...], ...]
    """Newest first; the mean of a group is the usual value of its part of the year."""
    group_of: Mapping[Instant, int]
    """By each date of the period, and of the same period of other years; dates without usual values are missing."""


@dataclass(frozen=True, slots=True)
class ShownTimes:
    """What a map shows."""

    times: ResolvedTimes
    used: TimeUsed
    held_against: tuple[tuple[Instant, ...], ...] | None = None
    """Newest first: one group of a difference; of the anomaly of a date one for each usual value; of that of a period
    one for each year it is ranked among, none if `usual` is all that it takes."""
    usual: UsualDates | None = None
    """Of the anomaly of a period."""
    is_chosen: bool = False
    """Whether one of several times is shown, which may be another once those that are not shown change."""


def shown_times(shown: Shown, layer: Layer, services: Services) -> ShownTimes:
    """Return the times that a request means.

    With `clearest` each group of times is the one with most valid pixels, which are counted if that is not known.

    Raises:
        TimeNotAvailable: The layer has no such time.
        InvalidParameter: There is no anomaly of such times.
        LimitExceeded: Too many are to be compared.
    """
    now, is_clearest = services.clock(), shown.reducer == "clearest"

    def chosen(indexes: Group) -> Group:
        return (clearest_of(layer, indexes, services),) if is_clearest and len(indexes) > 1 else indexes

    times = resolve_picture_times(layer, shown.time, now=now, fills_gaps=shown.fills_gaps)
    used, groups, usual = times.used(layer.times), list[Group](), None
    if shown.difference is not None:
        with _told_of("difference"):
            base = resolve_picture_times(layer, shown.difference, now=now, fills_gaps=shown.fills_gaps)
        taken = base.used(layer.times)
        used = replace(used, base_substitution=taken.substitution, is_open=used.is_open or taken.is_open)
        groups = [base.indexes if len(layer.times) else ()]
    elif shown.anomaly is not None:
        with _told_of("reference"):
            reference = resolve_series_times(layer, shown.anomaly.reference, now=now)
        used = replace(used, is_open=used.is_open or reference.is_open)
        period = period_of(shown.time, layer)
        groups = usual_groups(layer, period, times.indexes, reference.indexes)
        if period is not None:
            groups = [] if shown.anomaly.kind == "abs" else groups
            usual = _usual_dates(layer, {*times.indexes}.union(*groups), reference.indexes)
    is_chosen = is_clearest and any(len(group) > 1 for group in (times.indexes, *groups))
    times = replace(times, indexes=chosen(times.indexes))
    instants = layer.times.instants
    held = [tuple(instants[index] for index in reversed(chosen(group))) for group in groups]
    against = held if usual is None else [*held, *usual.groups]
    base_instants = tuple(sorted({each for group in against for each in group}, reverse=True))
    used = replace(used, instants=times.used(layer.times).instants, base=base_instants)
    has_other_side = shown.difference is not None or shown.anomaly is not None
    return ShownTimes(times, used, tuple(held) if has_other_side else None, usual, is_chosen)


@contextmanager
def _told_of(locator: str) -> Iterator[None]:
    """Name the parameter of a time that the layer does not have."""
    try:
        yield
    except TimeNotAvailable as error:
        raise TimeNotAvailable(error.message, locator=locator, nearest=error.nearest) from error


def period_of(time: TimeSelection, layer: Layer) -> TimeSpan | None:
    """Return the period whose anomaly is requested; `None` of one time, or of times within a day.

    Raises:
        InvalidParameter: The layer has no times, or they are several periods, or more than a year.
    """
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times and so no anomaly", locator="anomaly")
    if time.keyword != "parts":
        return None
    part = time.parts[0]
    start, end = part.span
    if len(time.parts) > 1 or part.period is not None or end - start > LONGEST:
        raise InvalidParameter("an anomaly is that of one time, or of one period of at most a year", locator="time")
    return None if end - start <= DAY else part.span


def usual_groups(layer: Layer, period: TimeSpan | None, shown: Group, reference: Group) -> list[Group]:
    """Return the times of the usual values: those of each group become one value.

    Args:
        layer: Of the times.
        period: A group for each year, its times in the same period of that year. `None`: each time in the same slot of
            the year as that shown is one, as in series.
        shown: The times that are shown.
        reference: Those of the reference.
    """
    domain = layer.times
    if period is None:
        slots = slot_numbers(domain.instants, slot_kind(domain.instants, None))
        return [(index,) for index in reference if slots[index] == slots[shown[-1]]]
    is_of_reference = np.isin(np.arange(len(domain)), reference)
    ends = np.array([domain.starts[0], domain.starts[-1], period.start])
    first, last, own = ends.astype("datetime64[Y]").astype(int).tolist()
    groups = []
    for years in range(first - own - 1, last - own + 1):
        found = domain.within(_moved(period, years))
        groups.append(tuple(index for index in found if is_of_reference[index]))
    return [group for group in groups if group]


def _usual_dates(layer: Layer, compared: Collection[int], reference: Group) -> UsualDates:
    """Return the dates of the reference in the part of the year of each compared date."""
    instants = layer.times.instants
    slots = slot_numbers(instants, slot_kind(instants, None)).tolist()
    compared_in, dates_in = defaultdict[int, list[Instant]](list), defaultdict[int, list[Instant]](list)
    for index in sorted(compared):
        compared_in[slots[index]].append(instants[index])
    for index in reversed(reference):
        dates_in[slots[index]].append(instants[index])
    shared = [slot for slot in compared_in if slot in dates_in]
    return UsualDates(
        groups=tuple(tuple(dates_in[slot]) for slot in shared),
        group_of={instant: number for number, slot in enumerate(shared) for instant in compared_in[slot]},
    )


def _moved(period: TimeSpan, years: int) -> TimeSpan:
    """The same days of another year; what ends with 28 February ends with the last day of February."""
    start, end = (add_months(each, 12 * years) for each in period)
    is_cut = str(period.end)[5:10] == "02-29" and str(end)[5:10] == "02-28"
    return TimeSpan(start, end + DAY if is_cut else end)


HOW: Mapping[AnomalyKind, str] = {
    "abs": "{} minus {}",
    "z": "{} against {}, in standard deviations",
    "percentile": "{}, percent of {} that is less",
}


def anomaly_title(request: Shown | LegendRequest, title: str) -> str:
    """Return the title of a layer, of an anomaly with what it is: `NDVI: 2024-06 minus usual of 2015 to 2023`."""
    anomaly = request.anomaly
    if anomaly is None:
        return title
    period, usual = words_of(request.time), f"usual of {words_of(anomaly.reference) or 'all years'}"
    return HOW[anomaly.kind].format(f"{title}: {period}" if period else title, usual)
