"""A layer's times as the capabilities of WMS and WMTS list them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chronotile.catalog.resolve_times import default_index, resolve_picture_times
from chronotile.encoders.instants import format_instants
from chronotile.errors import MissingTime
from chronotile.model.collection import Layer
from chronotile.model.time import DAY, LATEST, Instant, InstantArray, TimeDomain, format_day, format_instant

MAX_LISTED = 1000
"""Times up to which each stands for itself, which every client understands."""

SHORTEST_RUN, LONGEST_RUN = 4, 366
"""Times that one interval with period stands for. A client may send it back: a year of tiles is within the limits."""

_UNITS = (
    (DAY, "P", "D"),
    (np.timedelta64(1, "h"), "PT", "H"),
    (np.timedelta64(1, "m"), "PT", "M"),
    (np.timedelta64(1, "s"), "PT", "S"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeExtent:
    """What the capabilities say of time (WMS 1.3.0 Annex C.2, WMTS 1.0.0 §7.1.1.2)."""

    values: tuple[str, ...]
    """Instants and intervals with period; each is accepted as a value."""
    default: str | None
    newest: str | None
    """What `current` means; `None` where it is not accepted."""
    is_nearest: bool
    """Whether another time may stand in for one that the layer does not have."""


def time_extent(layer: Layer, now: Instant) -> TimeExtent | None:
    """Return what is said of a layer's times, or `None` for a layer without time."""
    if len(layer.times) == 0:
        return None
    return TimeExtent(
        values=_values(layer.times),
        default=_default(layer, now),
        newest=_newest(layer, now),
        is_nearest=layer.time_rules.match != "exact",
    )


def time_text(instant: Instant, domain: TimeDomain) -> str:
    """Return an instant as it is listed: a day where all times of the layer begin at midnight."""
    return format_day(instant) if domain.has_day_precision else format_instant(instant)


def _default(layer: Layer, now: Instant) -> str | None:
    try:
        return time_text(layer.times.instants[default_index(layer, now)], layer.times)
    except MissingTime:
        return None


def _newest(layer: Layer, now: Instant) -> str | None:
    try:
        indexes = resolve_picture_times(layer, LATEST, now=now).indexes
    except MissingTime:
        return None
    return time_text(layer.times.instants[indexes[-1]], layer.times)


@lru_cache(maxsize=1024)
def _values(domain: TimeDomain) -> tuple[str, ...]:
    texts = [text or "" for text in format_instants(domain.instants)]
    if domain.has_day_precision:
        texts = [text[:10] for text in texts]
    if len(texts) <= MAX_LISTED:
        return tuple(texts)
    return tuple(_with_runs(domain.instants, texts))


def _with_runs(instants: InstantArray, texts: list[str]) -> Iterator[str]:
    """Regular stretches become `start/end/period` (WMS 1.3.0 Annex C.3.2), what lies between them is listed."""
    periods = _periods(instants)
    start = 0
    while start < len(texts):
        end = _run_end(periods, start)
        if end - start + 1 >= SHORTEST_RUN:
            yield f"{texts[start]}/{texts[end]}/{periods[start]}"
            start = end + 1
        else:
            yield texts[start]
            start += 1


def _run_end(periods: list[str | None], start: int) -> int:
    """The last time that the period after `start` reaches, step by step."""
    end = start
    while end < len(periods) and end - start + 1 < LONGEST_RUN and periods[end] and periods[end] == periods[start]:
        end += 1
    return end


def _periods(instants: InstantArray) -> list[str | None]:
    """(time - 1,): the period from each instant to the next, `None` where ISO 8601 has no short word for it."""
    months = instants.astype("datetime64[M]")
    of_month = instants - months.astype("datetime64[ns]")
    is_monthly = bool((of_month == of_month[0]).all()) and of_month[0] < DAY * 28
    steps = np.diff(months).astype(int) if is_monthly else np.diff(instants)
    names = {step: f"P{step}M" if is_monthly else _period(step) for step in np.unique(steps)}
    return [names[step] for step in steps]


def _period(step: np.timedelta64) -> str | None:
    for unit, before, after in _UNITS:
        if step % unit == np.timedelta64(0, "ns"):
            return f"{before}{step // unit}{after}"
    return None
