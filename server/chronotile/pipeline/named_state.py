"""Whether the `rev` of an address names the state that its answer was read in, so that caches may keep it for ever."""

from itertools import chain

from chronotile.errors import ChronotileError
from chronotile.model.payload import PixelStates, TimeUsed
from chronotile.model.time.instants import Instant
from chronotile.pipeline.maps.resolve import with_expression
from chronotile.pipeline.revision import are_counted, dated_revision, found_revision, pixel_states, states_at
from chronotile.pipeline.services import Services
from chronotile.readers.hrefs import one_look


class NamedState:
    """Compares the `rev` of an address with the state of its layer; made before the answer is, for a thread.

    Two revisions are compared: that of the times that the answer shows, and that of the layer, for addresses whose
    times are chosen by clients. Either names one state only of these times. An answer that was not read in exactly that
    state, or may have been read in another, is not named, though the revision may be that of now.

    Args:
        revision: Of the address; `None` where it has none.
        layer: Id or alias of the layer that it shows.
        services: What reads it.
        expression: In place of the layer's own values.

    Raises:
        ChronotileError: There is no such layer, or the expression is none.
    """

    def __init__(self, revision: str | None, layer: str, services: Services, *, expression: str | None = None) -> None:
        self._revision = revision
        self._is_expression = expression is not None
        self._layer, self._services = with_expression(services.catalogue.layer(layer), expression, services)
        self._counter = "" if revision is None else self._services.reader(self._layer).counter()

    def holds(self, *parts: tuple[TimeUsed, PixelStates]) -> bool:
        """Return whether the revision names the state of all parts of an answer: times, and the pixels read of each."""
        if self._revision is None or any(states.is_provisional for _time, states in parts):
            return False
        layer, services = self._layer, self._services
        read = [(time.instants + time.base, states) for time, states in parts]
        try:
            with one_look():
                return (
                    self._names(read)
                    and all(
                        pixel_states(layer, instants, services, windows=states.windows) == states
                        for instants, states in read
                    )
                    and services.reader(layer).counter() == self._counter
                )
        except ChronotileError:
            return False  # it was read, and is away now

    def _names(self, read: list[tuple[tuple[Instant, ...], PixelStates]]) -> bool:
        layer, services = self._layer, self._services
        instants = tuple(chain.from_iterable(each for each, _states in read))
        if self._revision == dated_revision(layer, instants, services):
            return True
        if self._is_expression:
            return False
        found = found_revision(layer, services)
        if found.revision != self._revision:
            return False
        if self._counter:
            return all(are_counted(layer, each, services, states.windows) for each, states in read)
        if found.states >= states_at(layer, instants, services):
            return True
        services.layer_revisions.pop(layer.id, None)  # one of these files was replaced after it was found
        return False
