"""Climatologies over a dimension `month` or `dayofyear`, as xarray's `groupby` writes them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chronotile.model.source import Finding
from chronotile.model.time.instants import DAY, Period, TimeDomain, step_instants
from chronotile.readers.cf.decoded import decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.time import Times, configured_times

YEAR_START = np.datetime64("2000-01-01", "ns")
"""Climatologies over a dimension have no year of their own; 2000 has all 366 days."""

STEPS: Mapping[str, tuple[Period, int]] = {"month": (Period(months=1), 12), "dayofyear": (Period(fixed=DAY), 366)}
"""The dimensions that number parts of the year from 1: how long each part is, and how many there are."""

DAYS_WITHOUT_LEAP_DAY, LEAP_DAY = 365, 60


def numbers_of_year(dim: str, size: int, coordinate: Field | None) -> NDArray[np.int64] | None:
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


def times_of_year(dim: str, numbers: NDArray[np.int64]) -> Times:
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
