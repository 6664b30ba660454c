"""The newest time at which enough of a layer has values, found when a picture of it is first requested."""

from chronotile.catalog.resolve_times import default_index
from chronotile.errors import MissingTime
from chronotile.model.collection import Layer
from chronotile.model.time.instants import ONE_NS, Instant, TimePart, TimeSelection, TimeSpan
from chronotile.pipeline.revision import dated_revision
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.valid_share import newest_filled, share_plans

ENOUGH = 0.5
"""Share of valid pixels."""
MAX_TIMES = 12
"""Times looked at, newest first."""


def clear_selection(layer: Layer, services: Services) -> TimeSelection:
    """Return the selection of the newest time with enough valid pixels; the fullest of the newest if none has.

    A default that is configured as something else than the newest time is that time. It is found once for each state
    of the layer and each newest time.

    Raises:
        SourceUnavailable: The source is away.
    """
    instants = layer.times.instants
    if len(instants) == 0:
        return TimeSelection()
    try:
        newest = default_index(layer, services.clock())
    except MissingTime:
        newest = len(instants) - 1
    if layer.time_rules.default == "latest":
        return _selection_of(_newest_clear(layer, newest, services))
    return _selection_of(instants[newest])


def _newest_clear(layer: Layer, newest: int, services: Services) -> Instant:
    looked_at = layer.times.instants[max(0, newest + 1 - MAX_TIMES) : newest + 1][::-1]
    state = dated_revision(layer, tuple(looked_at), services), newest
    found = services.clear_times.get(layer.id)
    if found is None or found[0] != state:
        with reading(layer):
            filled = newest_filled(services.reader(layer), share_plans(layer), looked_at, least=ENOUGH)
        found = state, filled.instant
        services.clear_times[layer.id] = found
    return found[1]


def _selection_of(instant: Instant) -> TimeSelection:
    """It was resolved, so that its answers are cached for a short time only."""
    return TimeSelection("parts", (TimePart(TimeSpan(instant, instant + ONE_NS)),), is_of_open=True)
