"""What bands tell of their times: descriptions with dates, and the messages of GRIB files."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.model.time.instants import (
    TimeDomain,
    TimeSpan,
    domain_of_bounds,
    domain_of_instants,
    format_instant,
)
from chronotile.readers.dates import find_time
from chronotile.readers.raster.grib import SPLIT, FileMessages, Message, bands_elsewhere, grid_difference
from chronotile.readers.raster.pool import Handle

MAX_NAMED = 3
"""Bands that are named one by one; of more the message has their number and one example."""


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
    ensemble: str | None = None
    """What the members of an ensemble are called without their numbers, where it is one."""


@dataclass(frozen=True, slots=True)
class BandTimes:
    """The series that the bands of a file make."""

    series: tuple[BandSeries, ...] = ()
    left_out: tuple[str, ...] = ()
    """The other bands, by reason: few by name, many by their number with an example."""
    fault: str | None = None
    """Messages that cannot be read, which have no band."""


class _Skipped(NamedTuple):
    """A band of no series."""

    reason: str
    """Equal for bands that are reported together."""
    text: str


@dataclass(frozen=True, slots=True)
class _BandTime:
    """The time of one band."""

    number: int
    variable: str | None
    span: TimeSpan
    title: str | None = None
    units: str | None = None
    ensemble: str | None = None


def band_times_of(handle: Handle) -> BandTimes:
    """Return the series that the bands of an open file make; none where they tell no times."""
    dataset = handle.dataset
    if handle.messages.fields:
        return _of_messages(dataset, handle.messages)
    if dataset.count < 2:
        return BandTimes()
    descriptions = dict(enumerate((text or "" for text in dataset.descriptions), start=1))
    described = list(_times_by_descriptions(descriptions))
    if 2 * len(described) <= dataset.count or len({each.span.start for each in described}) < 2:
        return BandTimes()
    dated = {each.number for each in described}
    rest = [
        _Skipped("no date", f"band {number} ({text or 'without description'})")
        for number, text in descriptions.items()
        if number not in dated
    ]
    return BandTimes(*_series(described, rest))


def _times_by_descriptions(descriptions: Mapping[int, str]) -> Iterable[_BandTime]:
    """Each band with a date in its description: of one variable if all dates differ, else of what the rest names."""
    found = {number: time for number, text in descriptions.items() if (time := find_time(text)) is not None}
    are_distinct = len({time.span.start for time in found.values()}) == len(found)
    for number, time in found.items():
        text = descriptions[number]
        rest = (text[: time.start] + " " + text[time.stop :]).strip(" _-.:")
        yield _BandTime(number, None if are_distinct or not rest else re.sub(r"\s+", "_", rest), time.span)


def _of_messages(dataset: Any, messages: FileMessages) -> BandTimes:  # noqa: ANN401 -- rasterio has no types
    """Return the series of the messages on the grid of the first one, which GDAL assumes for all bands."""
    fields = messages.fields
    elsewhere = bands_elsewhere(fields)
    rest = [
        _Skipped(
            "another grid",
            f"band {number} on another grid than band 1 ({grid_difference(fields[number - 1].grid, fields[0].grid)}; "
            f"{SPLIT})",
        )
        for number in sorted(elsewhere)
    ]
    described = [
        _time_by_message(dataset, number, message)
        for number, message in enumerate(fields, start=1)
        if number not in elsewhere
    ]
    return BandTimes(*_series(described, rest), messages.fault_text)


def _time_by_message(dataset: Any, number: int, message: Message) -> _BandTime | _Skipped:  # noqa: ANN401 -- rasterio has no types
    """Return the time of a GRIB message by its metadata."""
    tags = dataset.tags(number)
    seconds = _valid_time_s(tags)
    if seconds is None:
        return _Skipped("no time", f"band {number}, which has no valid time")
    start = np.datetime64(seconds, "s").astype("datetime64[ns]")
    level = tags.get("GRIB_SHORT_NAME", "").strip()
    units = re.sub(r"^\[|\]$", "", tags.get("GRIB_UNIT", "").strip())
    comment = re.sub(r"\s*\[[^\[\]]*\]\s*$", "", tags.get("GRIB_COMMENT", ""))
    ensemble = _joined("_", tags.get("GRIB_ELEMENT", "").strip(), level, message.process)
    member = re.sub(r" (?=-?\d)", "", message.member).replace(" ", "_") if message.member else None
    return _BandTime(
        number,
        _joined("_", ensemble, member),
        TimeSpan(start, start + np.timedelta64(1, "ns")),
        _joined(", ", comment, level, message.process, message.member) if comment else None,
        {"": None, "-": "1"}.get(units, units),
        ensemble if member else None,
    )


def _valid_time_s(tags: Mapping[str, str]) -> int | None:
    """Seconds since 1970; where GDAL knows no valid time, of which it says 0, the reference time and forecast step."""
    valid, reference, step = (
        int(found[0]) if (found := re.match(r"\s*-?\d+", tags.get(f"GRIB_{name}", ""))) else 0
        for name in ("VALID_TIME", "REF_TIME", "FORECAST_SECONDS")
    )
    return (valid or reference + step) if "GRIB_VALID_TIME" in tags else None


def _joined(separator: str, *parts: str | None) -> str | None:
    return separator.join(filter(None, parts)) or None


def _series(
    described: Sequence[_BandTime | _Skipped], rest: Sequence[_Skipped]
) -> tuple[tuple[BandSeries, ...], tuple[str, ...]]:
    """Return the series, and the skipped bands in words."""
    left_out = [*rest, *(each for each in described if isinstance(each, _Skipped))]
    bands = sorted((each for each in described if isinstance(each, _BandTime)), key=lambda each: each.variable or "")
    series = []
    for variable, members in groupby(bands, key=lambda each: each.variable):
        first: dict[Any, _BandTime] = {}
        for each in sorted(members, key=lambda each: (each.span.start, each.number)):
            earlier = first.setdefault(each.span.start, each)
            if earlier is not each:
                when = format_instant(each.span.start)
                text = f"band {each.number}, which is of {when} as band {earlier.number} is"
                left_out.append(_Skipped("same time", text))
        own = list(first.values())
        common = Counter(each.units for each in own).most_common(1)[0][0]
        left_out += [
            _Skipped("other units", f"band {each.number}, which is in {each.units} and not {common}")
            for each in own
            if each.units != common
        ]
        own = [each for each in own if each.units == common]
        series.append(
            BandSeries(
                name=variable,
                bands=tuple(each.number for each in own),
                times=_domain([each.span for each in own]),
                title=own[0].title,
                units=common,
                ensemble=own[0].ensemble,
            )
        )
    return tuple(sorted(series, key=lambda each: min(each.bands))), tuple(_texts_of(left_out))


def _texts_of(skipped: Sequence[_Skipped]) -> Iterator[str]:
    for reason in dict.fromkeys(each.reason for each in skipped):
        texts = [each.text for each in skipped if each.reason == reason]
        yield from texts if len(texts) <= MAX_NAMED else [f"{len(texts)} bands, such as {texts[0]}"]


def _domain(spans: Sequence[TimeSpan]) -> TimeDomain:
    starts, ends = (np.array(each, dtype="datetime64[ns]") for each in zip(*spans, strict=True))
    are_instants = bool(np.all(ends - starts == np.timedelta64(1, "ns")))
    return domain_of_instants(starts) if are_instants else domain_of_bounds(starts, ends)
