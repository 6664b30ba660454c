"""Bounds of times in written files: attributes of CF (§7.1, §7.4) and one of ours."""

from typing import NamedTuple

import numpy as np

from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY

PERIOD_BOUNDS, CLIMATOLOGY_BOUNDS = "time_bnds", "climatology_bnds"

TIME_KIND = "time_kind"
"""An attribute of the time coordinate if its bounds alone do not show the kind of times."""
CLIMATOLOGY, OVERLAPPING = "climatology", "overlapping periods"
"""Times of the year, of many years that the data do not tell; periods named by their times, not by their starts."""


class BoundsForm(NamedTuple):
    """The bounds that times are written with."""

    name: str | None
    """Of the array; none of exact instants."""
    attributes: dict[str, str]
    """Of the coordinate along time."""


def bounds_form(times: TimeDomain, *, are_periods: bool) -> BoundsForm:
    """Return how the bounds of times are written.

    Args:
        times: Of what is written.
        are_periods: Whether their spans are given as bounds, where they have no others.
    """
    if times.is_climatology and times.bounds is not None:
        return BoundsForm(CLIMATOLOGY_BOUNDS, {"climatology": CLIMATOLOGY_BOUNDS})
    name = PERIOD_BOUNDS if times.bounds is not None or are_periods else None
    attributes = {} if name is None else {"bounds": name}
    if times.is_climatology:
        attributes[TIME_KIND] = CLIMATOLOGY
    elif times.bounds is not None:
        attributes[TIME_KIND] = OVERLAPPING
    return BoundsForm(name, attributes)


def are_periods(times: TimeDomain) -> bool:
    """Return whether all times are periods; bounds of exact instants are a nanosecond long and are not written."""
    return bool(np.all(times.ends - times.starts >= DAY))
