"""One page of the times of a series."""

from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.model.time.instants import DISTANT_PAST, ONE_NS, Instant, TimePart, TimeSelection, TimeSpan
from chronotile.pipeline.resolve_series import instants_of, layer_with_values, selection_of
from chronotile.pipeline.services import Services

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
