"""Times of an array, decoded into the standard calendar (CF §4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.time.cf_bounds import CLIMATOLOGY, OVERLAPPING, TIME_KIND
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, domain_of_bounds, domain_of_instants
from chronotile.core.model.time.instants import DAY, ONE_NS, format_instant
from chronotile.core.model.time.periods import Period, step_instants
from chronotile.core.model.types import BoolArray, IndexArray, InstantArray, Int64Array
from chronotile.readers.cf.encoding import bounds_of, decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.time_numbers import instants_of

ROUNDED = np.timedelta64(1, "s")
"""Bounds that overlap by less than this meet: fractions of days are rounded."""

Naming = Literal["starts", "overlapping", "instants"]
"""Periods one after the other, by their starts; periods that overlap, by their coordinate; the coordinate alone."""


class Named(NamedTuple):
    """Times in order, and the index of each among the given slices."""

    domain: TimeDomain
    positions: tuple[int, ...]


def naming_of(instants: InstantArray, bounds: InstantArray) -> Naming:
    """Return the rule for naming slices.

    Bounds of at least a day that contain their coordinate are periods named by their start; a scan of minutes is named
    by its coordinate. Starts of overlapping periods, such as running means and sums to date, do not name them.

    Args:
        instants: (time,), the coordinate.
        bounds: (time, 2).
    """
    if not _are_periods(instants, bounds).all():
        return "instants"
    rows = np.unique(_rows(instants, bounds), axis=0)
    starts, ends = rows[:, 0].astype("datetime64[ns]"), rows[:, 1].astype("datetime64[ns]")
    return "starts" if bool((starts[1:] >= ends[:-1] - ROUNDED).all()) else "overlapping"


def name_slices(naming: Naming, instants: InstantArray, bounds: InstantArray) -> Named:
    """Return the times of slices with bounds; of two that have the same name, the first."""
    if naming == "starts":
        _unique, firsts = np.unique(_rows(instants, bounds), axis=0, return_index=True)
        domain = domain_of_bounds(bounds[firsts, 0], bounds[firsts, 1])
    else:
        found = named_by_instants(instants, bounds if naming == "overlapping" else None)
        domain, firsts = found.domain, np.array(found.positions, dtype=np.intp)
        if domain.bounds is not None and np.array_equal(domain.bounds[:, 0], domain.instants):
            spans = domain_of_bounds(domain.bounds[:, 0], domain.bounds[:, 1])  # a period ends when the next starts
            domain = replace(spans, bounds=domain.bounds)
    stated = np.column_stack([instants, bounds])[firsts]
    return Named(replace(domain, stated=stated), tuple(firsts.tolist()))


def named_by_instants(instants: InstantArray, bounds: InstantArray | None) -> Named:
    """Return each slice by its coordinate; of two that have the same, the first."""
    names, firsts = np.unique(instants, return_index=True)
    domain = replace(domain_of_instants(names), bounds=None if bounds is None else bounds[firsts])
    return Named(domain, tuple(firsts.tolist()))


class Slice(NamedTuple):
    """One time of one of several sources."""

    source: int
    position: int
    """Index of the time in the source."""


@dataclass(frozen=True, slots=True)
class JoinedTimes:
    """The times of several sources."""

    domain: TimeDomain
    slices: tuple[Slice, ...]
    """(time,): which slice each is."""
    repeated: tuple[tuple[Slice, Slice], ...]
    """Skipped slices, each with the previous one of the same name."""
    unlike: int | None = None
    """The first source with bounds that are no periods, if those of others are: all use their coordinates then."""


def join_times(domains: Sequence[TimeDomain]) -> JoinedTimes:
    """Return the combined times of several sources, named as if they were in one; the first of a name is used.

    Args:
        domains: All of a climatology, or none.
    """
    slices = [Slice(number, index) for number, each in enumerate(domains) for index in range(len(each))]
    starts, ends, periods, stated = _together(domains)
    has_bounds = ~np.isnat(stated[:, 0])
    naming, unlike = _common_naming(domains, stated, has_bounds)
    starts[has_bounds] = stated[has_bounds, 1 if naming == "starts" else 0]
    _names, firsts, places = np.unique(starts, return_index=True, return_inverse=True)
    repeated = [
        (slices[position], slices[firsts[place]])
        for position, place in enumerate(places.ravel().tolist())
        if firsts[place] != position
    ]
    starts, ends, periods, stated = starts[firsts], ends[firsts], periods[firsts], stated[firsts]
    has_bounds = has_bounds[firsts]
    if has_bounds.any():
        own = name_slices(naming, stated[has_bounds, 0], stated[has_bounds, 1:]).domain
        ends[has_bounds], periods[has_bounds] = own.ends, own.periods
    is_named_by_start = has_bounds & (naming == "starts")
    ends, periods = _instants_among_others(starts, ends, periods, is_free=~is_named_by_start)
    is_climatology = bool(domains) and domains[0].is_climatology
    domain = _domain(starts, ends, periods, is_climatology=is_climatology)
    chosen = tuple(slices[position] for position in firsts.tolist())
    return JoinedTimes(domain, chosen, tuple(repeated), None if unlike is None else slices[unlike].source)


def _are_periods(instants: InstantArray, bounds: InstantArray) -> BoolArray:
    starts, ends = bounds[:, 0], bounds[:, 1]
    return np.asarray((ends - starts >= DAY) & (starts <= instants) & (instants <= ends))


def _rows(instants: InstantArray, bounds: InstantArray) -> Int64Array:
    return np.column_stack([bounds, instants]).astype(np.int64)


def _together(domains: Sequence[TimeDomain]) -> tuple[InstantArray, InstantArray, InstantArray, InstantArray]:
    """Return starts, ends, periods and stated bounds of all, in their order."""
    none = np.datetime64("NaT", "ns")
    stated = [np.full((len(each), 3), none) if each.stated is None else each.stated for each in domains]
    parts = (
        [each.starts for each in domains],
        [each.ends for each in domains],
        [each.periods for each in domains],
        stated,
    )
    starts, ends, periods, names = (np.concatenate(each).astype("datetime64[ns]") for each in parts)
    return starts, ends, periods, names


def _common_naming(
    domains: Sequence[TimeDomain], stated: InstantArray, has_bounds: BoolArray
) -> tuple[Naming, int | None]:
    """Return the naming of slices with bounds, and the first with bounds that are no periods if those of others are."""
    if any(each.stated is not None and each.bounds is not None for each in domains):
        return "overlapping", None
    instants, bounds = stated[has_bounds, 0], stated[has_bounds, 1:]
    are_periods = _are_periods(instants, bounds)
    if not are_periods.any() or are_periods.all():
        return naming_of(instants, bounds), None
    return "instants", int(np.flatnonzero(has_bounds)[~are_periods][0])


def _instants_among_others(
    starts: InstantArray, ends: InstantArray, periods: InstantArray, *, is_free: BoolArray
) -> tuple[InstantArray, InstantArray]:
    """Return ends and periods: a midnight that is a day in its own file is an instant if others are instants."""
    if not np.any(ends - starts == ONE_NS):
        return ends, periods
    is_midnight = is_free & (ends - starts == DAY)
    is_own_period = is_midnight & (periods[:, 0] == starts) & (periods[:, 1] == ends)
    ends = np.where(is_midnight, starts + ONE_NS, ends)
    return ends, np.where(is_own_period[:, np.newaxis], np.stack([starts, ends], axis=1), periods)


def _domain(starts: InstantArray, ends: InstantArray, periods: InstantArray, *, is_climatology: bool) -> TimeDomain:
    """Return the times, with the periods of their values if these overlap or are climatological."""
    domain = domain_of_bounds(starts, ends)
    if np.array_equal(domain.periods, periods):
        return replace(domain, is_climatology=is_climatology)
    return replace(domain, bounds=periods, is_climatology=is_climatology)


class Times(NamedTuple):
    """The times of an array, and the index of each in it."""

    domain: TimeDomain
    positions: tuple[int, ...]
    """(time,), the index along the stored time dimension."""
    findings: tuple[Finding, ...] = ()


def times_of_field(time: Field | None, fields: FieldSet, count: int | None) -> Times:
    """Return the times of a coordinate.

    Args:
        time: The coordinate along time, or a single time without dimension; `None` if the file has none.
        fields: All arrays, including its bounds.
        count: The length of the time dimension; `None` if the array has none.

    Raises:
        UnsupportedSource: They cannot be found or lie outside the years served.
    """
    if time is None:
        if count is None or count == 1:
            return Times(NO_TIME, (0,))
        raise UnsupportedSource(f"its {count} times have no coordinate; set times: for the source")
    stored, spans, findings = instants_of(time)
    kept = np.flatnonzero(~np.isnat(stored[:count]))
    instants, kind = stored[kept], time.text(TIME_KIND)
    is_climatology = bool(time.text("climatology")) or kind == CLIMATOLOGY
    notes: tuple[Finding, ...] = ()
    if time.text("climatology"):
        bounds, notes = _climatology_bounds(time, fields, kept)
        domain, positions = named_by_instants(instants, bounds)
    else:
        bounds = _bounds(time, fields, kept)
        named = None if spans is None else spans[kept]
        domain, positions = _named(instants, named if bounds is None else bounds, kind)
    if is_climatology:
        domain = replace(domain, is_climatology=True, stated=None)
    findings = (*findings, *notes, *_repeated(time, instants, positions), *_unlike(time, stored.size, count))
    return Times(domain, tuple(kept[list(positions)].tolist()), findings)


def configured_times(times: TimeDomain, count: int, *, time: Field | None, fields: FieldSet) -> Times:
    """Return the configured times of a dimension, in its order; a climatology stays one, of its years.

    Args:
        times: Configured times.
        count: The length of the dimension.
        time: The coordinate that they replace, if any.
        fields: All arrays, including its bounds.

    Raises:
        UnsupportedSource: Their number differs from the length.
    """
    if len(times) != count:
        raise UnsupportedSource(f"times: names {len(times)} times, the data have {count}")
    positions = tuple(range(count))
    if time is None or not time.text("climatology"):
        return Times(times, positions)
    bounds, notes = _climatology_bounds(time, fields, np.arange(count))
    return Times(replace(times, bounds=bounds, is_climatology=True), positions, notes)


def _named(instants: InstantArray, bounds: InstantArray | None, kind: str) -> Named:
    """The slices by their bounds, if they have any."""
    if bounds is None:
        return named_by_instants(instants, None)
    return name_slices("overlapping" if kind == OVERLAPPING else naming_of(instants, bounds), instants, bounds)


def _unlike(time: Field, times: int, count: int | None) -> tuple[Finding, ...]:
    """The message on slices without a time, or times without a slice."""
    if count is None or times == count:
        return ()
    message = (
        f"the coordinate has {times} times, and {count} slices are stored; the first {min(times, count)} are served: "
        "write the others, or set times: for the source"
    )
    return (Finding("warning", time.name, message),)


def _repeated(time: Field, instants: InstantArray, positions: tuple[int, ...]) -> tuple[Finding, ...]:
    """The message on slices whose name an earlier one has."""
    repeated = np.delete(instants, positions)
    if not repeated.size:
        return ()
    message = (
        f"{repeated.size} times occur twice, the first {format_instant(repeated.min())}; the first slice of each "
        "is served, the others are left out: give them times of their own, or set times: for the source"
    )
    return (Finding("warning", time.name, message),)


def _bounds(time: Field, fields: FieldSet, kept: IndexArray) -> InstantArray | None:
    """Return (kept, 2) bounds of the coordinate, including those of a climatology; `None` unless each time has some.

    CF §7.1: bounds inherit units and calendar from the coordinate, unless they have their own, as bounds of
    climatologies written by xarray do.
    """
    bounds = bounds_of(time, fields, time.text("climatology") or time.text("bounds"))
    if bounds is None:
        return None
    try:
        found = instants_of(bounds).instants.reshape(-1, 2)[kept]
    except UnsupportedSource:  # no bound is a valid time
        return None
    return None if np.isnat(found).any() else found


def _climatology_bounds(
    time: Field, fields: FieldSet, kept: IndexArray
) -> tuple[InstantArray | None, tuple[Finding, ...]]:
    """Return the bounds of a climatology (CF §7.4), and a note if they do not give its years."""
    bounds = _bounds(time, fields, kept)
    if bounds is not None and bool((bounds[:, 0] < bounds[:, 1]).all()):
        return bounds, ()
    name = time.text("climatology")
    note = Finding("note", time.name, f"a climatology of unknown years: its bounds {name} do not contain them")
    return None, (note,)


# Climatologies over a dimension `month` or `dayofyear`, as xarray's `groupby` writes them.

YEAR_START = np.datetime64("2000-01-01", "ns")
"""Climatologies over a dimension have no year; 2000 has all 366 days."""

STEPS: Mapping[str, tuple[Period, int]] = {"month": (Period(months=1), 12), "dayofyear": (Period(fixed=DAY), 366)}
"""The dimensions that number parts of the year from 1: how long each part is, and how many there are."""

DAYS_WITHOUT_LEAP_DAY, LEAP_DAY = 365, 60


def numbers_of_year(dim: str, size: int, coordinate: Field | None) -> Int64Array | None:
    """Return (time,) which parts of the year the steps of a dimension are, from 1; `None` of another dimension.

    Without a coordinate a dimension has to have all parts of the year.
    """
    if dim not in STEPS or size < 2:
        return None
    _period, most = STEPS[dim]
    if coordinate is None:
        return np.arange(1, size + 1) if size == most else None
    if coordinate.shape != (size,) or coordinate.dtype.kind not in "iuf":
        return None
    decoded = decode(coordinate)
    if decoded.is_missing.any() or not np.isin(decoded.values, np.arange(1, most + 1)).all():
        return None
    numbers = decoded.values.astype(np.int64)
    return numbers if np.unique(numbers).size == size else None


def times_of_year(dim: str, numbers: Int64Array) -> Times:
    """Return the times of a climatology: each part of the year spans itself in 2000."""
    period, most = STEPS[dim]
    edges = step_instants(YEAR_START, period, most + 1)
    has_all_but_leap_day = dim == "dayofyear" and numbers.size == numbers.max() == DAYS_WITHOUT_LEAP_DAY
    places = numbers - 1 + (has_all_but_leap_day & (numbers >= LEAP_DAY))
    order = np.argsort(places)
    domain = TimeDomain(edges[places[order]], edges[places[order] + 1], is_climatology=True)
    days = "; its 365 days are those of a year without 29 February" if has_all_but_leap_day else ""
    note = Finding(
        "note",
        dim,
        f"its {numbers.size} steps are served as a climatology, with the dates of 2000{days}; if they are of one year, "
        "or the climatology has dates of its own, set times: for the source",
    )
    return Times(domain, tuple(int(position) for position in order), (note,))


def configured_climatology(times: TimeDomain, count: int, fields: FieldSet) -> Times:
    """Return the configured times of a dimension that numbers parts of the year, which stay a climatology.

    Raises:
        UnsupportedSource: There are not as many.
    """
    found = configured_times(times, count, time=None, fields=fields)
    return found._replace(domain=replace(found.domain, is_climatology=True))
