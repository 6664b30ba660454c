"""What bands tell of their times: descriptions with dates, and the messages of GRIB files."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from chronotile.model.time.instants import TimeDomain, TimeSpan, domain_of_bounds, domain_of_instants, format_instant
from chronotile.readers.dates import find_time

GRIB = "GRIB"
_CELSIUS = {"C": "degC"}
"""GDAL's units of GRIB that others read as something else: a C alone is a coulomb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSeries:
    """Bands of one file that are the times of one variable."""

    name: str | None
    """By which the bands tell the variable from others; `None` where they tell times only."""
    bands: tuple[int, ...]
    """Counted from 1, in the order of the times."""
    times: TimeDomain
    title: str | None = None
    units: str | None = None


@dataclass(frozen=True, slots=True)
class BandTimes:
    """The series that the bands of a file make."""

    series: tuple[BandSeries, ...] = ()
    left_out: tuple[str, ...] = ()
    """What of the bands is in none, in words."""


@dataclass(frozen=True, slots=True)
class _BandTime:
    """The time of one band."""

    number: int
    variable: str | None
    span: TimeSpan
    title: str | None = None
    units: str | None = None


def band_times_of(dataset: Any) -> BandTimes:  # noqa: ANN401 -- rasterio has no types
    """Return the series that the bands of an open file make; none where they tell no times."""
    if dataset.driver == GRIB:
        return _series([_time_by_message(dataset, number) for number in dataset.indexes], ())
    if dataset.count < 2:
        return BandTimes()
    descriptions = dict(enumerate((text or "" for text in dataset.descriptions), start=1))
    described = list(_times_by_descriptions(descriptions))
    if 2 * len(described) <= dataset.count or len({each.span.start for each in described}) < 2:
        return BandTimes()
    dated = {each.number for each in described}
    rest = [
        f"band {number} ({text or 'without description'})"
        for number, text in descriptions.items()
        if number not in dated
    ]
    return _series(described, rest)


def _times_by_descriptions(descriptions: Mapping[int, str]) -> Iterable[_BandTime]:
    """Each band with a date in its description: of one variable if all dates differ, else of what the rest names."""
    found = {number: time for number, text in descriptions.items() if (time := find_time(text)) is not None}
    are_distinct = len({time.span.start for time in found.values()}) == len(found)
    for number, time in found.items():
        text = descriptions[number]
        rest = (text[: time.start] + " " + text[time.stop :]).strip(" _-.:")
        yield _BandTime(number, None if are_distinct or not rest else re.sub(r"\s+", "_", rest), time.span)


def _time_by_message(dataset: Any, number: int) -> _BandTime | str:  # noqa: ANN401 -- rasterio has no types
    """What the metadata of a GRIB message say; in words that it lacks a time."""
    tags = dataset.tags(number)
    seconds = re.match(r"\s*(-?\d+)", tags.get("GRIB_VALID_TIME", ""))
    if seconds is None:
        return f"band {number}, which has no valid time"
    start = np.datetime64(int(seconds[1]), "s").astype("datetime64[ns]")
    element, level = tags.get("GRIB_ELEMENT", "").strip(), tags.get("GRIB_SHORT_NAME", "").strip()
    units = re.sub(r"^\[|\]$", "", tags.get("GRIB_UNIT", "").strip())
    comment = re.sub(r"\s*\[[^\[\]]*\]\s*$", "", tags.get("GRIB_COMMENT", ""))
    title = f"{comment}, {level}" if comment and level else comment
    return _BandTime(
        number,
        "_".join(filter(None, (element, level))) or None,
        TimeSpan(start, start + np.timedelta64(1, "ns")),
        title or None,
        {"": None, "-": "1"}.get(units, _CELSIUS.get(units, units)),
    )


def _series(described: Sequence[_BandTime | str], rest: Sequence[str]) -> BandTimes:
    left_out = [*rest, *(each for each in described if isinstance(each, str))]
    bands = sorted((each for each in described if isinstance(each, _BandTime)), key=lambda each: each.variable or "")
    series = []
    for variable, members in groupby(bands, key=lambda each: each.variable):
        first: dict[Any, _BandTime] = {}
        for each in sorted(members, key=lambda each: (each.span.start, each.number)):
            earlier = first.setdefault(each.span.start, each)
            if earlier is not each:
                when = format_instant(each.span.start)
                left_out.append(f"band {each.number}, which is of {when} as band {earlier.number} is")
        own = list(first.values())
        common = Counter(each.units for each in own).most_common(1)[0][0]
        left_out += [
            f"band {each.number}, which is in {each.units} and not {common}" for each in own if each.units != common
        ]
        own = [each for each in own if each.units == common]
        series.append(
            BandSeries(
                name=variable,
                bands=tuple(each.number for each in own),
                times=_domain([each.span for each in own]),
                title=own[0].title,
                units=common,
            )
        )
    return BandTimes(tuple(sorted(series, key=lambda each: min(each.bands))), tuple(left_out))


def _domain(spans: Sequence[TimeSpan]) -> TimeDomain:
    starts, ends = (np.array(each, dtype="datetime64[ns]") for each in zip(*spans, strict=True))
    are_instants = bool(np.all(ends - starts == np.timedelta64(1, "ns")))
    return domain_of_instants(starts) if are_instants else domain_of_bounds(starts, ends)
