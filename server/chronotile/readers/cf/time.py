"""Times of an array, decoded into the standard calendar (CF §4.4)."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource
from chronotile.model.source import Finding
from chronotile.model.time.cf import CLIMATOLOGY, OVERLAPPING, TIME_KIND
from chronotile.model.time.instants import NO_TIME, InstantArray, TimeDomain, format_instant
from chronotile.readers.cf.decoded import bounds_of
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.time_names import Named, name_slices, named_by_instants, naming_of
from chronotile.readers.cf.time_numbers import instants_of

Positions = NDArray[np.intp]


class Times(NamedTuple):
    """The times of an array, and where in it each lies."""

    domain: TimeDomain
    positions: tuple[int, ...]
    """(time,), the index along the stored time dimension."""
    findings: tuple[Finding, ...] = ()


def times_of_field(time: Field | None, fields: FieldSet, count: int | None) -> Times:
    """Return the times of a coordinate.

    Args:
        time: The coordinate along time, or a single time without dimension; none where the file has none.
        fields: Where its bounds are.
        count: The length of the time dimension; none where the array has none.

    Raises:
        UnsupportedSource: They cannot be found or lie outside the years served.
    """
    if time is None:
        if count is None or count == 1:
            return Times(NO_TIME, (0,))
        raise UnsupportedSource(f"its {count} times have no coordinate; set times: for the source")
    stored, spans, findings = instants_of(time)
    kept = np.flatnonzero(~np.isnat(stored))
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
    findings = (*findings, *notes, *_repeated(time, instants, positions))
    return Times(domain, tuple(kept[list(positions)].tolist()), findings)


def configured_times(times: TimeDomain, count: int, *, time: Field | None, fields: FieldSet) -> Times:
    """Return the configured times of a dimension, in its order; a climatology stays one, of its years.

    Args:
        times: As configured.
        count: The length of the dimension.
        time: The coordinate that they take the place of, if there is any.
        fields: Where its bounds are.

    Raises:
        UnsupportedSource: There are not as many.
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


def _bounds(time: Field, fields: FieldSet, kept: Positions) -> InstantArray | None:
    """(kept, 2): what the coordinate names as bounds, of a climatology too; `None` if there is none for each time.

    CF §7.1: bounds take their units and calendar from the coordinate, unless they have their own, as those of
    climatologies do that xarray writes.
    """
    bounds = bounds_of(time, fields, time.text("climatology") or time.text("bounds"))
    if bounds is None:
        return None
    try:
        found = instants_of(bounds).instants.reshape(-1, 2)[kept]
    except UnsupportedSource:  # none of them is usable
        return None
    return None if np.isnat(found).any() else found


def _climatology_bounds(
    time: Field, fields: FieldSet, kept: Positions
) -> tuple[InstantArray | None, tuple[Finding, ...]]:
    """The bounds of a climatology (CF §7.4), and a note where they do not tell its years."""
    bounds = _bounds(time, fields, kept)
    if bounds is not None and bool((bounds[:, 0] < bounds[:, 1]).all()):
        return bounds, ()
    name = time.text("climatology")
    note = Finding("note", time.name, f"a climatology of unknown years: its bounds {name} do not contain them")
    return None, (note,)
