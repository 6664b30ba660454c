"""The layer and times of a series, of one place or many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.errors import InvalidParameter, LimitExceeded
from chronotile.model.collection import Layer
from chronotile.model.series.analysis import Analysis
from chronotile.model.time.instants import (
    DISTANT_PAST,
    ONE_NS,
    Instant,
    InstantArray,
    TimeDomain,
    TimePart,
    TimeSelection,
    TimeSpan,
)
from chronotile.pipeline.services import Services

SHORTER = "request a shorter interval, or page by page with limit="


def layer_with_values(name: str, services: Services) -> Layer:
    """Return a layer that has values of its own.

    Raises:
        UnknownLayer: There is no such layer.
        InvalidParameter: It is a composite.
    """
    layer = services.catalogue.layer(name)
    if layer.is_composite:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise InvalidParameter(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="layer"
        )
    return layer


def series_indexes(layer: Layer, time: TimeSelection, services: Services) -> tuple[int, ...]:
    """Return the indexes of the times of a series.

    Raises:
        LimitExceeded: They are more than `max_series_values`.
        ChronotileError: The time is not accepted.
    """
    indexes = resolve_series_times(layer, time, now=services.clock()).indexes
    check_length(len(indexes), services)
    return indexes


def has_open_times(layer: Layer, time: TimeSelection, analysis: Analysis | None = None) -> bool:
    """Return whether the times of a series, or of the reference of its analysis, may be others soon."""
    is_reference_open = analysis is not None and analysis.is_reference_open
    return len(layer.times) > 0 and (time.is_open or is_reference_open)


def check_length(count: int, services: Services, *, alternative: str = SHORTER) -> None:
    """Refuse series of too many values in all; `alternative` is the cheaper way to ask.

    Raises:
        LimitExceeded: They are more than `max_series_values`.
    """
    allowed = services.catalogue.limits.max_series_values
    if count > allowed:
        raise LimitExceeded("max_series_values", allowed=allowed, needed=count, alternative=alternative, locator="time")


def instants_of(layer: Layer, indexes: tuple[int, ...]) -> InstantArray:
    """Return (time,): those of the indexes; not a time (NaT) for the one value of a layer without time."""
    if len(layer.times) == 0:
        return np.full(len(indexes), np.datetime64("NaT", "ns"))
    instants, count = layer.times.instants, len(indexes)
    if count and indexes[-1] - indexes[0] == count - 1:  # ascending: a run, ten times as fast as a list
        return instants[indexes[0] : indexes[-1] + 1]
    return instants[list(indexes)]


def selection_of(domain: TimeDomain, indexes: Sequence[int], *, is_of_open: bool = False) -> TimeSelection:
    """Return what selects the times of ascending indexes, at least one: an interval for each run of them.

    Args:
        domain: The times.
        indexes: Into them.
        is_of_open: Whether they are those of an open selection.
    """
    runs = np.split(indexes, np.flatnonzero(np.diff(indexes) > 1) + 1)
    spans = (TimeSpan(domain.starts[run[0]], domain.starts[run[-1]] + ONE_NS) for run in runs)
    parts = tuple(TimePart(span, is_interval=True) for span in spans)
    return TimeSelection("parts", parts, is_of_open=is_of_open)


NO_TIMES = TimeSelection("parts", (TimePart(TimeSpan(DISTANT_PAST, DISTANT_PAST + ONE_NS), is_interval=True),))
"""An interval without an instant, of which a series is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which of the times that match are requested."""

    limit: int
    """The most."""
    cursor: Instant | None
    """Where it begins; `None` at the first."""


def page_times(name: str, time: TimeSelection, page: Page, services: Services) -> tuple[TimeSelection, Instant | None]:
    """Return what selects the times of a page, and where the next begins, if there are more; reads no pixels.

    Args:
        name: The layer's id or alias.
        time: What selects the times of all pages.
        page: Which of them.
        services: To resolve them with.

    Raises:
        ChronotileError: A name or time is not accepted.
    """
    layer = layer_with_values(name, services)
    if len(layer.times) == 0:
        return time, None
    indexes = resolve_series_times(layer, time, now=services.clock()).indexes
    start = 0 if page.cursor is None else int(np.searchsorted(instants_of(layer, indexes), page.cursor))
    listed, rest = indexes[start : start + page.limit], indexes[start + page.limit :]
    if not listed:
        return replace(NO_TIMES, is_of_open=time.is_open), None
    page_selection = selection_of(layer.times, listed, is_of_open=time.is_open)
    return page_selection, instants_of(layer, rest[:1])[0] if rest else None
