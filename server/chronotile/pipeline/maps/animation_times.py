"""Which times of a layer each frame of a time-lapse shows, and how that reads."""

from dataclasses import dataclass

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times, time_not_available
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.time.instants import DAY, Instant, Period, TimeSelection, format_day
from chronotile.pipeline.resolve_series import instants_of
from chronotile.stats.period_means import periods_of

YEAR = 12
"""Months."""
NOTHING = np.timedelta64(0, "ns")
LAST = np.timedelta64(-1, "ns")
"""From the end of a period, which does not belong to it, to what does."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """What a frame shows."""

    indexes: tuple[int, ...]
    """Into the layer's times, ascending."""
    text: str
    """For people: `2020-06-01`, `2020-06-20 10:50`, `2020-06`, `2020-06-01 to 2020-06-10`."""


def frame_times(layer: Layer, time: TimeSelection, step: int | Period, *, now: Instant) -> tuple[FrameTimes, ...]:
    """Return the times of each frame, at least one frame.

    Args:
        layer: The layer of the times.
        time: The requested times; default: all.
        step: A number N: every Nth time is a frame, beginning with the first. A period: all times in one are a frame.
            Periods are those of the calendar (`stats.period_means.period_starts`); one without times is not a frame.
        now: The current time.

    Raises:
        InvalidParameter: The layer has no times.
        TimeNotAvailable: It has none of those requested.
    """
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times; request a map of it", locator="layer")
    indexes = resolve_series_times(layer, time, now=now).indexes
    if not indexes:
        raise time_not_available(layer, time)
    if isinstance(step, Period):
        return _of_periods(layer, indexes, step)
    write = format_day if layer.times.has_day_precision else _minute_text
    return tuple(FrameTimes((index,), write(layer.times.instants[index])) for index in indexes[::step])


def _of_periods(layer: Layer, indexes: tuple[int, ...], period: Period) -> tuple[FrameTimes, ...]:
    periods = periods_of(instants_of(layer, indexes), period)
    groups = np.split(np.array(indexes), periods.bounds[1:])
    return tuple(
        FrameTimes(tuple(group.tolist()), _period_text(start, period))
        for start, group in zip(periods.starts, groups, strict=True)
    )


def _period_text(start: Instant, period: Period) -> str:
    """As short as possible; the last of a year that is cut short ends with the year."""
    last = period.step(start, 1) + LAST
    if period.months:
        unit = "Y" if period.months % YEAR == 0 else "M"
        texts = [str(each.astype(f"datetime64[{unit}]")) for each in (start, last)]
    elif period.is_dekad or period.fixed % DAY == NOTHING:
        of_year = np.datetime64(start.astype("datetime64[Y]") + np.timedelta64(1, "Y"), "ns") + LAST
        texts = [format_day(start), format_day(min(last, of_year))]
    else:
        texts = [_minute_text(start)]
    return " to ".join(dict.fromkeys(texts))


def _minute_text(instant: Instant) -> str:
    day, clock = str(instant.astype("datetime64[m]")).split("T")
    return f"{day} {clock}"
