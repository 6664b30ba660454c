"""Whether an answer may be cached for a year: the `rev` of its URL names the version that was read."""

from itertools import chain

from chronotile.core.errors import ChronotileError
from chronotile.core.model.payload import PixelStates, TimeUsed
from chronotile.core.model.types import Instant
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.revision import (
    are_counted,
    dated_revision,
    find_revision,
    items_revision,
    pixel_states,
    states_at,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.parameter import text
from chronotile.readers.file_states import one_look

REV = text(
    "rev",
    "The `revision` of the layer or the places, or that of TileJSON: an answer of that state may be cached for a year",
)


class RevisionCheck:
    """Compares the `rev` of a URL with the files that an answer was read from.

    `rev` is the revision of either the times in the answer or the whole layer; clients that choose times themselves
    use the second. The answer is immutable only if it was certainly read from the files of that revision. Construct
    the check before reading: it stores `items_revision`, so that items changed during the request are detected. It
    reads the index, so both steps belong in a worker thread.

    Args:
        revision: `rev` of the URL; `None` if it has none.
        layer: Id or alias.
        services: Catalogue and readers.
        expression: Replaces the values of the layer.

    Raises:
        ChronotileError: The layer is unknown, or the expression is invalid.
    """

    def __init__(self, revision: str | None, layer: str, services: Services, *, expression: str | None = None) -> None:
        self._revision = revision
        self._is_expression = expression is not None
        self._layer, self._services = apply_expression(services.catalogue.layer(layer), expression, services)
        self._counter = "" if revision is None else items_revision(self._layer, self._services)

    def is_immutable(self, *parts: tuple[TimeUsed, PixelStates]) -> bool:
        """Return whether `rev` names the version of all parts of an answer.

        Args:
            parts: Times, with the pixel states that were read for them.
        """
        if self._revision is None or any(states.is_provisional for _time, states in parts):
            return False
        layer, services = self._layer, self._services
        parts_read = [(time.instants + time.base, states) for time, states in parts]
        try:
            with one_look():
                return (
                    self._matches_revision(parts_read)
                    and all(
                        pixel_states(layer, instants, services, windows=states.windows) == states
                        for instants, states in parts_read
                    )
                    and items_revision(layer, services) == self._counter
                )
        except ChronotileError:
            return False  # a file became unreadable after it was read

    def _matches_revision(self, parts_read: list[tuple[tuple[Instant, ...], PixelStates]]) -> bool:
        layer, services = self._layer, self._services
        all_instants = tuple(chain.from_iterable(instants for instants, _states in parts_read))
        if self._revision == dated_revision(layer, all_instants, services):
            return True
        if self._is_expression:
            return False
        cached = find_revision(layer, services)
        if cached.revision != self._revision:
            return False
        if self._counter:
            return all(are_counted(layer, instants, services, states.windows) for instants, states in parts_read)
        if cached.states >= states_at(layer, all_instants, services):
            return True
        services.layer_revisions.pop(layer.id, None)  # a file was replaced after this revision was cached
        return False
