"""Frame times: which times of a layer each frame of an animation shows."""

from dataclasses import dataclass

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times, time_not_available
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.time.instants import DAY, TimeSpan, format_day
from chronotile.core.model.time.periods import Period
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Instant
from chronotile.core.stats.period_means import periods_of
from chronotile.pipeline.resolve_series import instants_of

YEAR_MONTHS = 12
ZERO = np.timedelta64(0, "ns")
MINUS_ONE_NS = np.timedelta64(-1, "ns")


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The times of one frame."""

    indexes: tuple[int, ...]
    """Indexes into the times of the layer, ascending."""
    text: str
    """Label of the frame: `2020-06-01`, `2020-06-20 10:50`, `2020-06`, `2020-06-01 to 2020-06-10`."""
    period: TimeSpan | None = None
    """The period of the frame; `None` if every Nth time is a frame."""


def list_frames(layer: Layer, time: TimeSelection, step: int | Period, *, now: Instant) -> tuple[FrameTimes, ...]:
    """Return the frames of a layer at the requested times, at least one.

    Args:
        layer: The layer of the times.
        time: The requested times.
        step: A number N makes every Nth time a frame, starting with the first. A period makes a frame of all times in
            each period of the calendar (`stats.period_means.period_starts`); periods without times are skipped.
        now: The current time.

    Raises:
        InvalidParameter: The layer has no times.
        TimeNotAvailable: The layer has none of the requested times.
    """
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times; request a map of it", locator="layer")
    indexes = resolve_series_times(layer, time, now=now).indexes
    if not indexes:
        raise time_not_available(layer, time)
    if isinstance(step, Period):
        periods = periods_of(instants_of(layer, indexes), step)
        groups = np.split(np.array(indexes), periods.bounds[1:])
        return tuple(
            FrameTimes(tuple(group.tolist()), _period_text(start, step), TimeSpan(start, _period_end(start, step)))
            for start, group in zip(periods.starts, groups, strict=True)
        )
    write = format_day if layer.times.has_day_precision else _minute_text
    return tuple(FrameTimes((index,), write(layer.times.instants[index])) for index in indexes[::step])


def _period_end(start: Instant, period: Period) -> Instant:
    """The end of a period, exclusive. Periods of days do not cross the end of a year."""
    end = period.step(start, 1)
    if period.months or period.is_dekad:
        return end
    return min(end, np.datetime64(start.astype("datetime64[Y]") + np.timedelta64(1, "Y"), "ns"))


def _period_text(start: Instant, period: Period) -> str:
    last = _period_end(start, period) + MINUS_ONE_NS
    if period.months:
        unit = "Y" if period.months % YEAR_MONTHS == 0 else "M"
        texts = [str(instant.astype(f"datetime64[{unit}]")) for instant in (start, last)]
    elif period.is_dekad or period.fixed % DAY == ZERO:
        texts = [format_day(start), format_day(last)]
    else:
        texts = [_minute_text(start)]
    return " to ".join(dict.fromkeys(texts))


def _minute_text(instant: Instant) -> str:
    day, clock = str(instant.astype("datetime64[m]")).split("T")
    return f"{day} {clock}"
