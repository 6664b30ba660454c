"""Bounds of times in written files: CF attributes (§7.1, §7.4), and an attribute of this server."""

from typing import NamedTuple

import numpy as np

from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DAY

PERIOD_BOUNDS, CLIMATOLOGY_BOUNDS = "time_bnds", "climatology_bnds"

TIME_KIND = "time_kind"
"""Attribute of the time coordinate, written if its bounds alone do not show the kind of times."""
CLIMATOLOGY, OVERLAPPING = "climatology", "overlapping periods"
"""Times of the year in many unknown years; periods named by their times, not by their starts."""


class BoundsForm(NamedTuple):
    """Name and attributes of the bounds in a file."""

    name: str | None
    """Name of the array; `None` for exact instants."""
    attributes: dict[str, str]
    """Attributes of the time coordinate."""


def bounds_form(times: TimeDomain, *, are_periods: bool) -> BoundsForm:
    """Return name and attributes of the bounds of times.

    Args:
        times: Times of the file.
        are_periods: Whether spans are written as bounds, if the times have no bounds.
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
