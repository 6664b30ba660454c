"""By which instants slices are named that state their bounds: those of one file, and those of several together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import BoolArray
from chronotile.model.time.instants import DAY, ONE_NS, InstantArray, TimeDomain, domain_of_bounds, domain_of_instants

ROUNDED = np.timedelta64(1, "s")
"""Bounds that overlap by less than this meet: fractions of days are rounded."""

Naming = Literal["starts", "overlapping", "instants"]
"""Periods one after the other, by their starts; periods that overlap, by their coordinate; the coordinate alone."""


class Named(NamedTuple):
    """Times in order, and where among the given slices each is."""

    domain: TimeDomain
    positions: tuple[int, ...]


def naming_of(instants: InstantArray, bounds: InstantArray) -> Naming:
    """Return how slices are named.

    Bounds of a day and more that hold their coordinate are periods named by their start; a scan of minutes is named by
    its coordinate. Where periods overlap, as those of running means and of sums to date do, the start is not a name.

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
            spans = domain_of_bounds(domain.bounds[:, 0], domain.bounds[:, 1])  # each lasts until the next
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
    """Of the time in the source."""


@dataclass(frozen=True, slots=True)
class JoinedTimes:
    """The times of several sources."""

    domain: TimeDomain
    slices: tuple[Slice, ...]
    """(time,): which slice each is."""
    repeated: tuple[tuple[Slice, Slice], ...]
    """Slices that are left out, each with the one before it that has the same name."""
    unlike: int | None = None
    """The first source whose bounds are not periods, if those of others are: all go by their coordinates then."""


def join_times(domains: Sequence[TimeDomain]) -> JoinedTimes:
    """Return the times of several sources, named as if they were in one; of two of the same name the first counts.

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


def _rows(instants: InstantArray, bounds: InstantArray) -> NDArray[np.int64]:
    return np.column_stack([bounds, instants]).astype(np.int64)


def _together(domains: Sequence[TimeDomain]) -> tuple[InstantArray, InstantArray, InstantArray, InstantArray]:
    """Starts, ends, periods and what is stated, of all in their order."""
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
    """How the slices with bounds are named, and the first whose bounds are not periods if those of others are."""
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
    """Ends and periods: a midnight that its own file takes for a day is an instant where others are."""
    if not np.any(ends - starts == ONE_NS):
        return ends, periods
    is_midnight = is_free & (ends - starts == DAY)
    is_own_period = is_midnight & (periods[:, 0] == starts) & (periods[:, 1] == ends)
    ends = np.where(is_midnight, starts + ONE_NS, ends)
    return ends, np.where(is_own_period[:, np.newaxis], np.stack([starts, ends], axis=1), periods)


def _domain(starts: InstantArray, ends: InstantArray, periods: InstantArray, *, is_climatology: bool) -> TimeDomain:
    """The times, with the periods of their values where these overlap or are a climatology's."""
    domain = domain_of_bounds(starts, ends)
    if np.array_equal(domain.periods, periods):
        return replace(domain, is_climatology=is_climatology)
    return replace(domain, bounds=periods, is_climatology=is_climatology)
