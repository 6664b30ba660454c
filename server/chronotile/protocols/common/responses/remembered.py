"""What an answer was made of, so that the response cache may give it again."""

from dataclasses import dataclass

from starlette.requests import Request

from chronotile.errors import ChronotileError
from chronotile.model.payload import Payload, PixelStates
from chronotile.model.time.instants import DAY, Instant
from chronotile.pipeline.revision import pixel_states
from chronotile.pipeline.services import Services
from chronotile.protocols.common.state import services_of

MAX_INSTANTS = 16


MAX_LOOKS = 64
"""At files and folders, some µs each: what takes more is left to the ordinary way too."""


REMEMBERED = "chronotile.remembered"
"""Where a request records what its answer was made of."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """What an answer was made of, and in which state."""

    layer: str
    instants: tuple[Instant, ...]
    states: PixelStates

    def are_unchanged(self, services: Services) -> bool:
        """Look at the files; what is gone has changed, and what takes longer to find may have."""
        try:
            layer = services.catalogue.layer(self.layer)
            return self.states == pixel_states(layer, self.instants, services, windows=self.states.windows)
        except ChronotileError:
            return False


def remember(request: Request, payload: Payload, *, layer: str) -> None:
    """Let the answer that carries a payload, and hangs on nothing of the request but its text, be given again.

    Args:
        request: Of a layer as it is configured, not of an expression.
        payload: With the states of its pixels.
        layer: Whose pixels they are.
    """
    services = services_of(request)
    found = services.catalogue.layer(layer)
    times = found.times
    instants = payload.time.instants + payload.time.base
    if payload.unreadable or payload.left_out or payload.note:
        return
    # Where there are times to come, which of them is the newest or the default changes with the clock.
    is_settled = len(times) == 0 or bool(times.instants[-1] <= services.clock() + DAY)
    is_small = len(instants) <= MAX_INSTANTS and payload.states.looks <= MAX_LOOKS
    if is_settled and is_small and found.collection in services.is_local:
        pixels = Pixels(layer, instants, payload.states)
        request.scope[REMEMBERED] = (services, pixels, payload.etag)
