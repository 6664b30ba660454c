"""Times of an array, decoded into the standard calendar (CF §4.4)."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

import cftime
import numpy as np
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource
from chronotile.extras import require_extra
from chronotile.model.source import Finding
from chronotile.model.time.cf import CLIMATOLOGY, OVERLAPPING, TIME_KIND
from chronotile.model.time.instants import (
    FIRST_YEAR,
    LAST_YEAR,
    NO_TIME,
    InstantArray,
    TimeDomain,
    format_instant,
)
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.time_names import Named, name_slices, named_by_instants, naming_of

STANDARD_CALENDARS = {"", "standard", "gregorian", "proleptic_gregorian"}

_NANOSECONDS = {
    **dict.fromkeys(("nanosecond", "nanoseconds", "ns", "nsec"), 1),
    **dict.fromkeys(("microsecond", "microseconds", "us"), 1_000),
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "ms"), 1_000_000),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1_000_000_000),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60_000_000_000),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3_600_000_000_000),
    **dict.fromkeys(("day", "days", "d"), 86_400_000_000_000),
}
_UNITS = re.compile(r"\s*(?P<unit>[a-z]+)\s+since\s+(?P<reference>.+?)\s*", re.IGNORECASE)
_SHORT_OFFSET = re.compile(r"(?<=\s)(?P<sign>[+-])(?P<offset>\d:\d\d)$")


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
    instants, findings = _instants(time, time.load())
    kind = time.text(TIME_KIND)
    is_climatology = bool(time.text("climatology")) or kind == CLIMATOLOGY
    notes: tuple[Finding, ...] = ()
    if time.text("climatology"):
        bounds, notes = _climatology_bounds(time, fields)
        domain, positions = named_by_instants(instants, bounds)
    else:
        domain, positions = _named(instants, _bounds(time, fields), kind)
    if is_climatology:
        domain = replace(domain, is_climatology=True, stated=None)
    findings = (*findings, *notes, *_repeated(time, instants, positions))
    return Times(domain, positions, findings)


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
    bounds, notes = _climatology_bounds(time, fields)
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


def _bounds(time: Field, fields: FieldSet) -> InstantArray | None:
    """(time, 2): what the coordinate names as bounds, in stored order, of a climatology too; `None` if it is no such.

    CF §7.1: bounds take their units and calendar from the coordinate, unless they have their own, as those of
    climatologies do that xarray writes.
    """
    bounds = fields.fields.get(time.text("climatology") or time.text("bounds"))
    if bounds is None or bounds.shape != (*time.shape, 2):
        return None
    own = replace(time, attrs={**time.attrs, **bounds.attrs})
    both, _findings = _instants(own, bounds.load().reshape(-1, 2).ravel())
    return both.reshape(-1, 2)


def _climatology_bounds(time: Field, fields: FieldSet) -> tuple[InstantArray | None, tuple[Finding, ...]]:
    """The bounds of a climatology (CF §7.4), and a note where they do not tell its years."""
    try:
        bounds = _bounds(time, fields)
    except UnsupportedSource:
        bounds = None
    if bounds is not None and bool((bounds[:, 0] < bounds[:, 1]).all()):
        return bounds, ()
    name = time.text("climatology")
    note = Finding("note", time.name, f"a climatology of unknown years: its bounds {name} do not contain them")
    return None, (note,)


def _instants(time: Field, numbers: NDArray[Any]) -> tuple[InstantArray, tuple[Finding, ...]]:
    """Numbers of a time coordinate as (time,) instants."""
    flat = np.atleast_1d(numbers).ravel()
    if flat.dtype.kind == "M":
        return flat.astype("datetime64[ns]"), ()
    calendar = time.text("calendar").lower()
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise UnsupportedSource(f"its times {time.name} have gaps")
    if calendar in STANDARD_CALENDARS:
        return _in_years_served(_standard(time, flat), time), ()
    note = Finding("note", time.name, f"its calendar {calendar} is converted to the standard one")
    return _converted(time, flat, calendar), (note,)


def _standard(time: Field, numbers: NDArray[Any]) -> InstantArray:
    found = _UNITS.fullmatch(time.text("units"))
    unit = _NANOSECONDS.get(found["unit"].lower()) if found else None
    if found is None or unit is None:
        raise UnsupportedSource(f"its times are in {time.text('units') or 'no units'!r}, which is not a known unit")
    reference = _reference(found["reference"])
    if reference is None:
        return _by_cftime(time, numbers)
    limit = float(np.iinfo(np.int64).max) / unit
    if np.abs(numbers.astype(np.float64)).max(initial=0) >= limit:
        raise _outside(time)
    steps = numbers.astype(np.int64) * unit if numbers.dtype.kind in "iu" else _float_steps(numbers, unit)
    return reference + steps.astype("timedelta64[ns]")


def _float_steps(numbers: NDArray[Any], unit: int) -> NDArray[np.int64]:
    """Nanoseconds of fractional units, to the digit as xarray has them."""
    return (numbers.astype(np.float64) * unit).astype(np.int64)


def _reference(text: str) -> np.datetime64 | None:
    """The instant that times count from, or `None` of years in which the calendars differ."""
    padded = _SHORT_OFFSET.sub(r"\g<sign>0\g<offset>", text)  # cftime passes over +1:00
    try:
        reference = cftime.num2pydate(0, f"days since {padded}", calendar="proleptic_gregorian")
    except (ValueError, OverflowError) as error:
        raise UnsupportedSource(f"its times count from {text!r}, which is not a date") from error
    return np.datetime64(reference, "ns") if FIRST_YEAR <= reference.year <= LAST_YEAR else None


def _by_cftime(time: Field, numbers: NDArray[Any]) -> InstantArray:
    """Times that count from long ago, to the microsecond."""
    calendar = time.text("calendar").lower() or "standard"
    dates = np.atleast_1d(cftime.num2date(numbers, time.text("units"), calendar=calendar))
    if any(not FIRST_YEAR <= date.year <= LAST_YEAR for date in dates):
        raise _outside(time)
    return np.array([date.isoformat() for date in dates], dtype="datetime64[ns]")


def _converted(time: Field, numbers: NDArray[Any], calendar: str) -> InstantArray:
    """Times of another calendar in the standard one.

    Days that every month has keep their date, so that months stay months; else each goes to the same share of the year.
    """
    distinct, places = np.unique(numbers, return_inverse=True)
    try:
        dates = cftime.num2date(distinct, time.text("units"), calendar=calendar, only_use_cftime_datetimes=True)
    except (ValueError, OverflowError) as error:
        raise UnsupportedSource(f"its times of calendar {calendar} cannot be read: {str(error)[:120]}") from error
    if any(not FIRST_YEAR <= date.year <= LAST_YEAR for date in dates):
        raise _outside(time)
    if all(date.day <= 28 for date in dates):
        return np.array([date.isoformat() for date in dates], dtype="datetime64[ns]")[places]
    return _by_place_in_year(dates, calendar)[places]


def _by_place_in_year(dates: NDArray[Any], calendar: str) -> InstantArray:
    require_extra("netcdf", f"its calendar {calendar}", error=UnsupportedSource)
    import xarray

    converted = xarray.Dataset(coords={"time": ("time", dates)}).convert_calendar(
        "standard", align_on="year", use_cftime=False
    )
    if converted.sizes["time"] != dates.size:
        raise UnsupportedSource(f"some of its times of calendar {calendar} fall on one day of the standard one")
    return np.asarray(converted["time"].values, dtype="datetime64[ns]")


def _in_years_served(instants: InstantArray, time: Field) -> InstantArray:
    years = instants.astype("datetime64[Y]").astype(int) + 1970
    if years.size and not (years.min() >= FIRST_YEAR and years.max() <= LAST_YEAR):
        raise _outside(time)
    return instants


def _outside(time: Field) -> UnsupportedSource:
    return UnsupportedSource(f"its times {time.name} lie outside the years served ({FIRST_YEAR} to {LAST_YEAR})")
