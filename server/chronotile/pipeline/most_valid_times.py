"""Times of a layer with many valid pixels, for previews, first pages and composites."""

from collections.abc import Sequence

from chronotile.catalog.resolve_times import default_index
from chronotile.core.errors import MissingTime, SourceUnavailable, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.time.instants import ONE_NS, TimeSpan
from chronotile.core.model.time.selection import TimePart, TimeSelection
from chronotile.core.model.types import Instant
from chronotile.pipeline.revision import dated_revision
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.valid_share import DIGITS, newest_filled, share_key, share_plans, valid_share
from chronotile.readers.file_states import one_look

MIN_PREVIEW, MIN_CLEAR = 0.5, 0.8
"""Required valid fractions: for previews, and for the first time that pages show."""
MAX_TIMES = 12
"""Maximum number of times that are read, newest first."""


def clear_selection(layer: Layer, services: Services) -> TimeSelection:
    """Return the newest time with enough valid pixels as a selection; without one, the time with the most.

    A configured default other than the newest time is returned unchanged. The result is cached until the revision of
    the layer or its newest time changes.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    instants = layer.times.instants
    if len(instants) == 0:
        return TimeSelection()
    try:
        newest = default_index(layer, services.clock())
    except MissingTime:
        newest = len(instants) - 1
    if layer.time_rules.default == "latest":
        return _selection_of(_newest_clear(layer, newest, services, least=MIN_PREVIEW))
    return _selection_of(instants[newest])


def clear_default(layer: Layer, services: Services) -> Instant | None:
    """Return the newest time that is nearly clear, else the time with the most valid pixels, for pages to start with.

    While the source is unavailable, the last cached time is returned.

    Returns:
        `None` if the layer has no times or no default time, the configured default is not the newest time, or the
        source is remote (slow to read) or has been unavailable since the start.
    """
    if len(layer.times) == 0:
        return None
    if layer.time_rules.default != "latest" or layer.collection not in services.is_local:
        return None
    try:
        return _newest_clear(layer, default_index(layer, services.clock()), services, least=MIN_CLEAR)
    except MissingTime:
        return None
    except SourceUnavailable:
        last = services.clear_times.get((layer.id, MIN_CLEAR))
        return None if last is None else last[1]


def _newest_clear(layer: Layer, newest: int, services: Services, *, least: float) -> Instant:
    candidates = layer.times.instants[max(0, newest + 1 - MAX_TIMES) : newest + 1][::-1]
    version = dated_revision(layer, tuple(candidates), services), newest
    cached = services.clear_times.get((layer.id, least))
    if cached is None or cached[0] != version:
        with reading(layer):
            filled = newest_filled(services.reader(layer), share_plans(layer), candidates, least=least)
        cached = version, filled.instant
        services.clear_times[layer.id, least] = cached
    return cached[1]


def _selection_of(instant: Instant) -> TimeSelection:
    # An open selection, so that its answers are cached for a short time only.
    return TimeSelection("parts", (TimePart(TimeSpan(instant, instant + ONE_NS)),), is_of_open=True)


MAX_COMPARED = 400
"""Maximum number of times whose clearest one is found: a year of days."""


def find_clearest(layer: Layer, indexes: Sequence[int], services: Services) -> int:
    """Return the index of the time with the largest valid fraction of the whole layer; of equal ones, the newest.

    Fractions are cached by the fingerprint of the pixels. The fraction of an unreadable time is -1.

    Raises:
        LimitExceeded: There are more than `MAX_COMPARED` times.
    """
    fewer = "request a shorter period, another reducer, or a job of the process composite"
    require_at_most("times to find the clearest of", len(indexes), MAX_COMPARED, alternative=fewer, locator="time")
    plans, reader, instants = share_plans(layer), services.reader(layer), layer.times.instants

    def share(index: int) -> float:
        def count() -> float:
            return round(valid_share(reader, plans, instants[index]), DIGITS)

        try:
            return services.counted_shares.get_or_make((layer.id, share_key(layer, instants[index], services)), count)
        except SourceUnavailable:
            return -1.0

    with one_look(), reading(layer):
        return max(indexes, key=lambda index: (share(index), index))
