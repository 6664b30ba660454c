"""Instants of a time coordinate, decoded to the standard calendar (CF §4.4; also units that CF does not define)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import cftime
import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.finding import Finding
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, FIRST_YEAR, LAST_YEAR
from chronotile.core.model.time.periods import add_months
from chronotile.core.model.types import AnyArray, Float64Array, InstantArray, Int64Array
from chronotile.readers.cf.encoding import decode
from chronotile.readers.cf.fields import Field
from chronotile.readers.configured_encoding import REAL_KINDS

STANDARD_CALENDARS = {"standard", "gregorian", "proleptic_gregorian"}
_WITHOUT_YEAR_0 = {"standard", "gregorian", "julian"}
_360_DAYS = "360_day"

_NANOSECONDS = {
    **dict.fromkeys(("nanosecond", "nanoseconds", "ns", "nsec", "nsecs"), 1),
    **dict.fromkeys(("us", "usec"), 1_000),
    **{unit: round(factor) * 1_000 for unit, factor in cftime.UNIT_CONVERSION_FACTORS.items()},
    **dict.fromkeys(("week", "weeks"), 604_800_000_000_000),
    **dict.fromkeys(("fortnight", "fortnights"), 1_209_600_000_000_000),
}
YEARS = ("year", "years", "yr", "yrs")
_MONTHS = {
    **dict.fromkeys(("month", "months", "mon", "mons", "calendar_month", "calendar_months"), 1),
    **dict.fromkeys((*YEARS, "calendar_year", "calendar_years"), 12),
    **dict.fromkeys(("decade", "decades"), 120),
    **dict.fromkeys(("century", "centuries"), 1200),
}
_UNITS = re.compile(
    rf"\s*(?P<count>\d+(?:\.\d*)?(?:e[+-]?\d+)?)?\s*(?P<unit>{'|'.join((*_NANOSECONDS, *_MONTHS))})\s*"
    r"(?:@|\b(?:since|after|from|ref)\b)\s*(?P<reference>\S.*?)\s*",
    re.IGNORECASE,
)
"""Units of time since a date (UDUNITS), with an optional number of units per step (`10 minutes since …`)."""
_REFERENCE = re.compile(
    r"(?:(?P<packed>\d{8})|(?P<year>[+-]?\d{1,6})(?:[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?)?)"
    r"(?:(?:\s*T\s*|\s+|(?<=\d):)(?P<hour>\d{1,2})(?::?(?P<minute>\d{1,2})"
    r"(?::?(?P<second>\d{1,2}(?:\.\d*)?))?)?)?\s*(?P<zone>Z|UTC|GMT|UT|(?P<sign>[+-])(?P<h>\d{1,2})(?::?(?P<m>\d\d))?)?",
    re.IGNORECASE,
)
"""Reference dates as in UDUNITS, in ISO 8601 and as other programs write them."""
_DATE_PARTS = ("year", "month", "day")
_DIGITS = re.compile(r"((day|month|year)s?as)?(%y|yyyy)((?P<month>%m|mm)(?P<day>%d|dd)?)?(\.%?f+)?")
"""Units of numbers whose digits are a date, without spaces, in lower case: CDO's `day as %Y%m%d.%f`, or `yyyymm`."""

_HALF_STEP = np.timedelta64(500, "ms")
_LEAP_YEAR = 2000
_MAX_NAMED_MONTHS = 12
_NAT = -(2**63)
"""NaT as an integer, as numpy writes it."""

TEXT_KINDS = "SUO"
_TEXT_NAMES = ("time", "times", "datetime", "date", "dates")
"""Names in lower case of text arrays that contain dates, such as `Times` of WRF."""


MAX_YEARS = 100_000
"""Maximum distance of times from the reference date; numbers beyond are fill values."""


class Instants(NamedTuple):
    """Decoded numbers of a time coordinate."""

    instants: InstantArray
    """(time,); NaT for missing times and times outside the served years."""
    spans: InstantArray | None = None
    """(time, 2): start and end of the month or year that each number names; `None` if numbers name other instants."""
    findings: tuple[Finding, ...] = ()


def is_since(field: Field) -> bool:
    """Return whether a field contains times: numbers with a unit since a date, dates, or texts with a name of times."""
    is_text = field.dtype.kind in TEXT_KINDS and field.name.lower() in _TEXT_NAMES
    return is_text or field.dtype.kind == "M" or _UNITS.fullmatch(field.text("units")) is not None


def add_durations(starts: InstantArray, numbers: Float64Array, field: Field) -> InstantArray:
    """Return (step,) instants: `starts` plus durations, such as lead times, in the unit of `field`; NaN gives NaT.

    Raises:
        UnsupportedSource: The unit of the field is unknown.
    """
    if field.dtype.kind == "m":
        return np.asarray(starts + numbers.astype(field.dtype), dtype="datetime64[ns]")
    name = next((word for word in ("month", "day", "hour") if word in field.name.lower()), "")
    unit = (field.text("units").strip() or name or ("hour" if field.name.lower() == "fhr" else "")).lower()
    is_missing = np.isnan(numbers)
    numbers = np.nan_to_num(numbers)
    if unit in _MONTHS:
        months = (numbers.astype(int) * _MONTHS[unit]).tolist()
        ends = np.array(list(map(add_months, starts, months)), dtype="datetime64[ns]")
    elif unit in _NANOSECONDS:
        ends = starts + np.round(numbers * _NANOSECONDS[unit]).astype("timedelta64[ns]")
    else:
        raise UnsupportedSource(f"its lead times {field.name} have units {field.text('units')!r}, not a unit of time")
    return np.where(is_missing, np.datetime64("NaT", "ns"), ends)


def instants_of(time: Field) -> Instants:
    """Return the instants of a time coordinate, or of flattened bounds; a finding reports skipped times (NaT).

    Raises:
        UnsupportedSource: The units are unknown, or all times are skipped.
    """
    values, is_missing, _rounding = decode(time)
    is_there = ~is_missing.ravel()
    found = _decode_numbers(time, values.ravel()[is_there])
    instants = np.full(is_there.size, "NaT", dtype="datetime64[ns]")
    instants[is_there] = found.instants
    spans = np.full((is_there.size, 2), "NaT", dtype="datetime64[ns]")
    spans[is_there] = np.datetime64("NaT", "ns") if found.spans is None else found.spans
    left_out = (
        (~is_there, "missing: not a number, a fill value, or outside the valid range"),
        (is_there & np.isnat(instants), f"no dates in the years served ({FIRST_YEAR} to {LAST_YEAR})"),
    )
    told = [(np.flatnonzero(places), what) for places, what in left_out if places.any()]
    if np.isnat(instants).all() and told:
        raise UnsupportedSource(f"none of its {instants.size} times {time.name} is usable: they are {told[0][1]}")
    warnings = [
        f"{places.size} of {instants.size} slices are left out, the first number {places[0]} (from 0): "
        f"their times are {what}; to serve them, set times: for the source"
        for places, what in told
    ]
    findings = (*found.findings, *(Finding("warning", time.name, warning) for warning in warnings))
    return Instants(instants, None if found.spans is None else spans, findings)


def _decode_numbers(time: Field, numbers: AnyArray) -> Instants:
    if numbers.dtype.kind == "M":
        return Instants(_drop_far_years(numbers.astype("datetime64[ns]")))
    if numbers.dtype.kind in TEXT_KINDS:
        return Instants(parse_dates(time.name, numbers.tolist()))
    if numbers.dtype.kind not in REAL_KINDS:
        raise UnsupportedSource(f"its times {time.name} are not numbers; set times: for the source")
    digits = _named_part(time, numbers)
    if digits is not None:
        return _parse_digits(numbers, digits)
    found = _UNITS.fullmatch(time.text("units"))
    if found is None:
        units = f"in {time.text('units')!r}" if time.text("units") else "without units"
        raise UnsupportedSource(
            f"its times {time.name} are {units}, which is not a known unit since a date; set times: for the source"
        )
    if found["count"]:
        numbers = numbers * float(found["count"])
    unit, calendar = found["unit"].lower(), time.text("calendar").lower() or "standard"
    calendar = _360_DAYS if calendar == "360" else calendar
    months = 0 if calendar == _360_DAYS and _MONTHS.get(unit) == 1 else _MONTHS.get(unit, 0)
    reference, has_day = _reference_of(time, found["reference"], "proleptic_gregorian" if months else calendar)
    if months:
        return _count_months(numbers, months, reference, has_day=has_day)
    length = _NANOSECONDS.get(unit, 30 * _NANOSECONDS["day"])
    is_near = np.abs(numbers.astype(np.float64)) < MAX_YEARS * 366 * _NANOSECONDS["day"] / length
    is_near &= numbers != _NAT
    is_standard = calendar in STANDARD_CALENDARS
    instants = np.full(numbers.size, "NaT", dtype="datetime64[ns]")
    instants[is_near] = (_standard if is_standard else _convert_dates)(numbers[is_near], length, reference)
    note = Finding("note", time.name, f"its calendar {calendar} is converted to the standard one")
    return Instants(instants, findings=() if is_standard else (note,))


def parse_dates(name: str, dates: Sequence[object]) -> InstantArray:
    """Return (time,) instants of ISO 8601 texts, converted to UTC; an empty text gives NaT.

    Raises:
        UnsupportedSource: A text is not an ISO 8601 date.
    """
    instants = np.full(len(dates), "NaT", dtype="datetime64[us]")
    for position, date in enumerate(dates):
        text = (date.decode(errors="replace") if isinstance(date, bytes) else str(date)).strip("\0 ")
        try:
            parsed = datetime.fromisoformat(text) if text else None
        except ValueError as error:
            what = f"{text[:40]!r}, which is not a date of ISO 8601"
            raise UnsupportedSource(f"its times {name} are {what}; set times: for the source") from error
        if parsed is not None:
            instants[position] = parsed if parsed.tzinfo is None else parsed.astimezone(UTC).replace(tzinfo=None)
    return _drop_far_years(instants)


def _named_part(time: Field, numbers: AnyArray) -> str | None:
    """Return the last part of a date (`year`, `month` or `day`) in numbers such as 2019, 201901 or 20190131.

    The units name it, or else the number of digits shows it. `None`: the digits of the numbers are not a date.
    """
    units = time.text("units").strip().lower()
    found = _DIGITS.fullmatch(re.sub(r"\s", "", units))
    if found is not None:
        return "day" if found["day"] else "month" if found["month"] else "year"
    if units not in {"", "1", *_MONTHS} or not numbers.size:
        return None
    is_of_years = units in YEARS or time.name.lower() in YEARS
    parts = (("year", 4),) if is_of_years else (("month", 6), ("day", 8)) if units in {"", "1"} else ()
    for part, digits in parts:
        if numbers.min() >= 10 ** (digits - 1) and numbers.max() < 10**digits:
            return part if is_of_years or not np.isnat(_parse_digits(numbers, part).instants).any() else None
    return None


def is_of_years(time: Field) -> bool:
    """Return whether the numbers of a coordinate are years, such as 2010, 2011."""
    values, is_missing, _rounding = decode(time)
    return values.dtype.kind in REAL_KINDS and _named_part(time, values[~is_missing]) == "year"


def _parse_digits(numbers: AnyArray, part: str) -> Instants:
    """Return the instants of numbers whose digits are a date up to `part`; a fraction is a fraction of that part."""
    whole = np.floor(np.clip(numbers.astype(np.float64), 0, 10**8)).astype(np.int64)
    dates = whole * {"year": 10_000, "month": 100, "day": 1}[part] + {"year": 101, "month": 1, "day": 0}[part]
    starts = days_of(dates // 10_000, dates // 100 % 100, dates % 100)
    unit, length = {
        "year": ("datetime64[Y]", np.timedelta64(1, "Y")),
        "month": ("datetime64[M]", np.timedelta64(1, "M")),
        "day": ("datetime64[D]", np.timedelta64(1, "D")),
    }[part]
    ends = (starts.astype(unit) + length).astype("datetime64[ns]")
    fractions = numbers.astype(np.float64) - whole
    is_whole = part != "day" and not fractions.any()
    return Instants(_between(starts, ends, fractions), np.stack([starts, ends], axis=1) if is_whole else None)


def days_of(years: Int64Array, months: Int64Array, days: Int64Array, *, are_of_year: bool = False) -> InstantArray:
    """Return (n,) the start of each day; NaT outside the served years and for days that do not exist, such as 31 April.

    Args:
        years: (n,)
        months: (n,) 1 to 12.
        days: (n,) counted from 1.
        are_of_year: Whether days are counted from 1 January; months must be 1.
    """
    starts = (years * 12 + months - 1 - 1970 * 12).astype("datetime64[M]")
    found = starts.astype("datetime64[D]") + (days - 1).astype("timedelta64[D]")
    unit = "datetime64[Y]" if are_of_year else "datetime64[M]"
    is_date = (found.astype(unit) == starts.astype(unit)) & (months >= 1) & (months <= 12)
    is_date &= (years >= FIRST_YEAR) & (years <= LAST_YEAR)
    return np.where(is_date, found, np.datetime64("NaT", "D")).astype("datetime64[ns]")


def _count_months(numbers: AnyArray, length: int, reference: cftime.datetime, *, has_day: bool) -> Instants:
    """Return the instants of numbers of calendar months or years since a date; fractions are fractions of the unit.

    If the reference date has no day and all numbers are whole, the times are spans: whole months or years.

    Args:
        numbers: (time,).
        length: Months per unit: 1, 12, or more for decades and centuries.
        reference: Start of the count.
        has_day: Whether the text of the reference date has a day.
    """
    whole = np.floor(numbers.astype(np.float64))
    first = np.datetime64(reference.replace(year=_LEAP_YEAR).isoformat(), "ns")
    shifts = whole * length + (reference.year - _LEAP_YEAR) * 12
    years = (shifts + reference.month - 1) // 12 + _LEAP_YEAR
    is_served = (years >= FIRST_YEAR) & (years <= LAST_YEAR - length // 12)  # the end must be a served year, too
    steps = shifts[is_served].astype(int).tolist()
    spans = np.full((numbers.size, 2), "NaT", dtype="datetime64[ns]")
    for edge, more in enumerate((0, length)):
        spans[is_served, edge] = [add_months(first, step + more) for step in steps]
    instants = _drop_far_years(_between(spans[:, 0], spans[:, 1], numbers - whole))
    is_named = not has_day and length <= _MAX_NAMED_MONTHS and bool((numbers == whole)[is_served].all())
    return Instants(instants, spans if is_named else None)


def _between(starts: InstantArray, ends: InstantArray, fractions: Float64Array) -> InstantArray:
    """Return the instants at fractions of the spans from `starts` to `ends`, rounded to seconds."""
    seconds = np.nan_to_num(np.round(fractions * ((ends - starts) / np.timedelta64(1, "s"))))
    instants: InstantArray = starts + seconds.astype("timedelta64[s]")
    return instants


def _standard(numbers: AnyArray, unit: int, reference: cftime.datetime) -> InstantArray:
    start = (reference - cftime.datetime(1970, 1, 1, calendar=reference.calendar)) // timedelta(microseconds=1) * 1000
    if not FIRST_YEAR <= reference.year <= LAST_YEAR:  # calendars may differ that far away: count from 1970
        units, start = divmod(start, unit)
        is_exact = numbers.dtype.kind in "iu" and abs(units) < 2**62
        numbers = numbers.astype(np.int64) + units if is_exact else numbers.astype(np.float64) + units
    steps = numbers.astype(np.float64) * unit  # float64, so that fractions give the same digits as in xarray
    first, last = (int(end.astype(int)) - start for end in (DISTANT_PAST, DISTANT_FUTURE))
    is_served = (steps >= first) & (steps < last)
    # Two halves are added, because nanoseconds in 64 bits hold at most 292 years.
    whole, factor = (numbers[is_served], unit) if numbers.dtype.kind in "iu" else (np.trunc(steps[is_served]), 1)
    halves = ((half.astype(np.int64) * factor).astype("timedelta64[ns]") for half in (whole // 2, whole - whole // 2))
    instants = np.full(numbers.size, "NaT", dtype="datetime64[ns]")
    instants[is_served] = sum(halves, start=np.datetime64(start, "ns"))
    if unit > _NANOSECONDS["day"]:  # fractions of so long units do not resolve milliseconds
        instants = (instants + _HALF_STEP).astype("datetime64[s]").astype("datetime64[ns]")
    return instants


def _reference_of(time: Field, text: str, calendar: str) -> tuple[cftime.datetime, bool]:
    """Return the reference date of the units, in UTC, and whether its text has a day."""
    found = _REFERENCE.fullmatch(text)
    try:
        parts = found.groupdict(default="") if found else {}
        packed = parts.pop("packed")
        year, month, day = (packed[:4], packed[4:6], packed[6:]) if packed else (parts[key] for key in _DATE_PARTS)
        seconds = timedelta(seconds=float(parts["second"] or 0))
        zone = timedelta(hours=int(parts["h"] or 0), minutes=int(parts["m"] or 0))
        if int(year) == 0 and calendar in _WITHOUT_YEAR_0:
            raise ValueError(year)
        numbers = (int(year), int(month or 1), int(day or 1), int(parts["hour"] or 0), int(parts["minute"] or 0))
        date = cftime.datetime(*numbers, calendar=calendar)
    except (KeyError, ValueError) as error:
        message = f"its times {time.name} have units {time.text('units')!r}: {text!r} is not a date of its calendar"
        raise UnsupportedSource(f"{message} {calendar}; set times: for the source") from error
    return date + seconds - (-zone if parts["sign"] == "-" else zone), bool(day)


def _convert_dates(numbers: AnyArray, unit: int, reference: cftime.datetime) -> InstantArray:
    """Return the instants of the standard calendar for times in another calendar.

    A date in the Julian calendar is a real day: since 1900, its date in the standard calendar is 13 days later. Days
    of model calendars (`360_day`) are not real: dates are unchanged if all are on days 1 to 28, so that months stay
    months; otherwise each is moved to the same fraction of the year.
    """
    distinct, places = np.unique(
        np.round(numbers.astype(np.float64) * unit / 1000).astype("timedelta64[us]"), return_inverse=True
    )
    dates = np.array([reference + since for since in distinct.tolist()], dtype=object)
    is_julian = reference.calendar == "julian"
    if is_julian:
        dates = np.array([date.change_calendar("standard") for date in dates], dtype=object)
    is_served = np.array([FIRST_YEAR <= date.year <= LAST_YEAR for date in dates], dtype=bool)
    instants = np.full(distinct.size, "NaT", dtype="datetime64[ns]")
    if is_julian or all(date.day <= 28 for date in dates[is_served]):
        instants[is_served] = [np.datetime64(date.isoformat(), "ns") for date in dates[is_served]]
    else:
        instants[is_served] = _align_by_year(dates[is_served], reference.calendar)
    return instants[places]


def _align_by_year(dates: AnyArray, calendar: str) -> InstantArray:
    require_extra("netcdf", f"its calendar {calendar}", error=UnsupportedSource)
    import xarray

    converted = xarray.Dataset(coords={"time": ("time", dates)}).convert_calendar(
        "standard", align_on="year", use_cftime=False
    )
    if converted.sizes["time"] != dates.size:
        raise UnsupportedSource(f"some of its times of calendar {calendar} fall on one day of the standard one")
    return np.asarray(converted["time"].values, dtype="datetime64[ns]")


def _drop_far_years(instants: InstantArray) -> InstantArray:
    years = instants.astype("datetime64[Y]").astype(int) + 1970
    return np.where((years >= FIRST_YEAR) & (years <= LAST_YEAR), instants, np.datetime64("NaT", "ns"))
