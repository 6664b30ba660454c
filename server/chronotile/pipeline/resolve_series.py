"""Layers and times of series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DISTANT_PAST, ONE_NS, TimeSpan
from chronotile.core.model.time.selection import TimePart, TimeSelection
from chronotile.core.model.types import Instant, InstantArray
from chronotile.pipeline.services import Services

SHORTER = "request a shorter interval, or page by page with limit="


def layer_with_values(name: str, services: Services) -> Layer:
    """Return a layer that is not a composite.

    Raises:
        UnknownLayer: The layer does not exist.
        InvalidParameter: The layer is a composite, which has no values.
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
        LimitExceeded: The series has more than `max_series_values` times.
        ChronotileError: The time is invalid.
    """
    indexes = resolve_series_times(layer, time, now=services.clock()).indexes
    check_length(len(indexes), services)
    return indexes


def has_open_times(layer: Layer, time: TimeSelection, analysis: Analysis | None = None) -> bool:
    """Return whether the times of a series, or of the reference of its analysis, may change soon."""
    is_reference_open = analysis is not None and analysis.is_reference_open
    return len(layer.times) > 0 and (time.is_open or is_reference_open)


def check_length(count: int, services: Services, *, alternative: str = SHORTER) -> None:
    """Check the total number of values of series; `alternative` is advice for a smaller request.

    Raises:
        LimitExceeded: There are more than `max_series_values`.
    """
    allowed = services.catalogue.limits.max_series_values
    require_at_most("max_series_values", count, allowed, alternative=alternative, locator="time")


def instants_of(layer: Layer, indexes: tuple[int, ...]) -> InstantArray:
    """Return the (time,) instants of indexes; `NaT` for the only value of a layer without time."""
    if len(layer.times) == 0:
        return np.full(len(indexes), np.datetime64("NaT", "ns"))
    instants, count = layer.times.instants, len(indexes)
    if count and indexes[-1] - indexes[0] == count - 1:  # consecutive indexes: a slice is ten times as fast as a list
        return instants[indexes[0] : indexes[-1] + 1]
    return instants[list(indexes)]


def selection_of(domain: TimeDomain, indexes: Sequence[int], *, is_of_open: bool = False) -> TimeSelection:
    """Return a selection of the times of ascending indexes: one interval for each run of consecutive indexes.

    Args:
        domain: The time domain of the layer.
        indexes: At least one index into it.
        is_of_open: Whether the indexes were resolved from an open selection.
    """
    runs = np.split(indexes, np.flatnonzero(np.diff(indexes) > 1) + 1)
    spans = (TimeSpan(domain.starts[run[0]], domain.starts[run[-1]] + ONE_NS) for run in runs)
    parts = tuple(TimePart(span, is_interval=True) for span in spans)
    return TimeSelection("parts", parts, is_of_open=is_of_open)


NO_TIMES = TimeSelection("parts", (TimePart(TimeSpan(DISTANT_PAST, DISTANT_PAST + ONE_NS), is_interval=True),))
"""An interval that contains no instant, so the series is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePage:
    """A page of the selected times."""

    limit: int
    """Maximum number of times."""
    cursor: Instant | None
    """First time of the page; `None` for the first page."""


def page_times(
    name: str, time: TimeSelection, page: TimePage, services: Services
) -> tuple[TimeSelection, Instant | None]:
    """Return the selection of a page, and the cursor of the next page or `None`; reads no pixels.

    Args:
        name: The layer's id or alias.
        time: The selection of all pages.
        page: The page.
        services: The services with the layer.

    Raises:
        ChronotileError: A name or time is invalid.
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
