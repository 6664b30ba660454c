"""Times of bands: dates in their descriptions, and the valid times of GRIB messages."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.model.time.domain import TimeDomain, domain_of_bounds, domain_of_instants
from chronotile.core.model.time.instants import TimeSpan, format_instant
from chronotile.core.model.types import Instant
from chronotile.readers.dates import find_time
from chronotile.readers.raster.grib_fields import (
    SPLIT,
    FileMessages,
    GribMessage,
    bands_on_other_grids,
    grid_difference,
)
from chronotile.readers.raster.handle import RasterHandle

UNNAMED = "band1"
"""Configured name of a series whose bands state only times."""
MAX_NAMED = 3
"""Bands listed singly; of more, a message has the number and one example."""


@dataclass(frozen=True, slots=True)
class BandTime:
    """The time of one band."""

    number: int
    """Number of the band, counted from 1."""
    variable: str | None
    span: TimeSpan
    title: str | None = None
    units: str | None = None
    ensemble: str | None = None
    member: int | None = None
    run: Instant | None = None
    """Reference time of a GRIB message: the start of its forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSeries:
    """Bands of one file that are times of one variable."""

    name: str | None
    """Name of the variable in the bands; `None` if they state only times (`UNNAMED`)."""
    bands: tuple[int, ...]
    """Counted from 1, in the order of the times."""
    times: TimeDomain
    title: str | None = None
    units: str | None = None
    ensemble: str | None = None
    """Name of the members of an ensemble without their numbers; `None` if there is no ensemble."""
    member: int | None = None
    """Number of the member of the ensemble."""
    messages: tuple[BandTime, ...] = ()
    """Bands of all runs; `bands` has the newest run of each time."""


@dataclass(frozen=True, slots=True)
class BandTimes:
    """The series that the bands of a file form."""

    series: tuple[BandSeries, ...] = ()
    skipped: tuple[str, ...] = ()
    """Bands in no series, per reason: a few by name, many by their number with an example."""
    fault: str | None = None
    """Unreadable messages, which have no band; `None` if all are readable."""


class _Skipped(NamedTuple):
    """A band in no series."""

    reason: str
    """Bands with equal reasons are reported together."""
    text: str


def band_times_of(handle: RasterHandle) -> BandTimes:
    """Return the series that the bands of an open file form; none if bands state no times."""
    dataset = handle.dataset
    if handle.messages.fields:
        return _message_times(dataset, handle.messages)
    if dataset.count < 2:
        return BandTimes()
    descriptions = dict(enumerate((text or "" for text in dataset.descriptions), start=1))
    described = list(_times_by_descriptions(descriptions))
    if 2 * len(described) <= dataset.count or len({d.span.start for d in described}) < 2:
        return BandTimes()
    dated = {d.number for d in described}
    rest = [
        _Skipped("no date", f"band {number} ({text or 'without description'})")
        for number, text in descriptions.items()
        if number not in dated
    ]
    return BandTimes(*_series(described, rest))


def _times_by_descriptions(descriptions: Mapping[int, str]) -> Iterable[BandTime]:
    """Yield each band with a date in its description; if dates repeat, the rest of it names the variable."""
    times = {number: time for number, text in descriptions.items() if (time := find_time(text)) is not None}
    are_distinct = len({time.span.start for time in times.values()}) == len(times)
    for number, time in times.items():
        text = descriptions[number]
        rest = (text[: time.start] + " " + text[time.stop :]).strip(" _-.:")
        yield BandTime(number, None if are_distinct or not rest else re.sub(r"\s+", "_", rest), time.span)


def _message_times(dataset: Any, messages: FileMessages) -> BandTimes:  # noqa: ANN401 -- rasterio has no types
    """Return the series of the messages on the grid of the first one; GDAL assumes that grid for all bands."""
    fields = messages.fields
    elsewhere = bands_on_other_grids(fields)
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


def _time_by_message(dataset: Any, number: int, message: GribMessage) -> BandTime | _Skipped:  # noqa: ANN401 -- rasterio has no types
    """Return the time of a GRIB message, from its metadata."""
    tags = dataset.tags(number)
    seconds = _valid_time_s(tags)
    if seconds is None:
        return _Skipped("no time", f"band {number}, which has no valid time")
    start = np.datetime64(seconds, "s").astype("datetime64[ns]")
    level = tags.get("GRIB_SHORT_NAME", "").strip()
    units = re.sub(r"^\[|\]$", "", tags.get("GRIB_UNIT", "").strip())
    comment = re.sub(r"\s*\[[^\[\]]*\]\s*$", "", tags.get("GRIB_COMMENT", ""))
    derived, is_member = (message.derived or "").replace(" ", "_"), message.member is not None
    variable = _join_texts("_", tags.get("GRIB_ELEMENT", "").strip(), level, message.process, derived)
    member = f"member {message.member}" if is_member else message.derived
    return BandTime(
        number,
        _join_texts("_", variable, f"member{message.member}" if is_member else None),
        TimeSpan(start, start + np.timedelta64(1, "ns")),
        _join_texts(", ", comment, level, message.process, member) if comment else None,
        {"": None, "-": "1"}.get(units, units),
        variable if is_member else None,
        message.member,
        np.datetime64(_seconds(tags, "REF_TIME"), "s").astype("datetime64[ns]"),
    )


def _valid_time_s(tags: Mapping[str, str]) -> int | None:
    # Seconds since 1970. GDAL reports 0 if the valid time is missing: then reference time plus step.
    valid, reference, step = (_seconds(tags, name) for name in ("VALID_TIME", "REF_TIME", "FORECAST_SECONDS"))
    return (valid or reference + step) if "GRIB_VALID_TIME" in tags else None


def _seconds(tags: Mapping[str, str], name: str) -> int:
    match = re.match(r"\s*-?\d+", tags.get(f"GRIB_{name}", ""))
    return int(match[0]) if match else 0


def _join_texts(separator: str, *parts: str | None) -> str | None:
    return separator.join(filter(None, parts)) or None


def _series(
    described: Sequence[BandTime | _Skipped], rest: Sequence[_Skipped]
) -> tuple[tuple[BandSeries, ...], tuple[str, ...]]:
    """Return the series, and texts about the skipped bands."""
    skipped = [*rest, *(d for d in described if isinstance(d, _Skipped))]
    bands = sorted((d for d in described if isinstance(d, BandTime)), key=lambda x: x.variable or "")
    series = []
    for _variable, members in groupby(bands, key=lambda b: b.variable):
        first: dict[Any, BandTime] = {}
        for member in sorted(members, key=lambda m: (m.span.start, m.number)):
            earlier = first.setdefault((member.span.start, member.run), member)
            if earlier is not member:
                when = format_instant(member.span.start)
                text = f"band {member.number}, which is of {when} as band {earlier.number} is"
                skipped.append(_Skipped("same time", text))
        kept_bands = list(first.values())
        common = Counter(o.units for o in kept_bands).most_common(1)[0][0]
        skipped += [
            _Skipped("other units", f"band {o.number}, which is in {o.units} and not {common}")
            for o in kept_bands
            if o.units != common
        ]
        series.append(series_of([o for o in kept_bands if o.units == common]))
    return tuple(sorted(series, key=lambda s: min(s.bands))), tuple(_texts_of(skipped))


def series_of(messages: Sequence[BandTime]) -> BandSeries:
    """Return the series of bands of one variable, with the newest run of each time."""
    newest = {m.span.start: m for m in sorted(messages, key=lambda m: (m.span.start, m.run or 0))}
    bands = list(newest.values())
    return BandSeries(
        name=bands[0].variable,
        bands=tuple(b.number for b in bands),
        times=_domain([b.span for b in bands]),
        title=bands[0].title,
        units=bands[0].units,
        ensemble=bands[0].ensemble,
        member=bands[0].member,
        messages=tuple(messages),
    )


def _texts_of(skipped: Sequence[_Skipped]) -> Iterator[str]:
    for reason in dict.fromkeys(s.reason for s in skipped):
        texts = [s.text for s in skipped if s.reason == reason]
        yield from texts if len(texts) <= MAX_NAMED else [f"{len(texts)} bands, such as {texts[0]}"]


def _domain(spans: Sequence[TimeSpan]) -> TimeDomain:
    starts, ends = (np.array(x, dtype="datetime64[ns]") for x in zip(*spans, strict=True))
    are_instants = bool(np.all(ends - starts == np.timedelta64(1, "ns")))
    return domain_of_instants(starts) if are_instants else domain_of_bounds(starts, ends)
