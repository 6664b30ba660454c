"""What the application keeps for its requests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

from starlette.requests import HTTPConnection, Request

from chronotile.errors import ClientGone
from chronotile.pipeline.services import Services
from chronotile.protocols.common.gate import Gate
from chronotile.readers.previews import Previews

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What lets each kind of work into threads."""

    pictures: Gate
    series: Gate
    documents: Gate

    def __iter__(self) -> Iterator[Gate]:
        """Iterate over all."""
        return iter((self.pictures, self.series, self.documents))


@dataclass(slots=True, kw_only=True)
class ServerState:
    """The services of now, which a reload replaces as a whole, and the gates."""

    services: Services
    gates: Gates
    reloads: int = 0
    failed_reloads: int = 0
    """Of configurations with mistakes; the last good one went on serving."""
    previews: Previews | None = None
    """Of rasters without overviews, where such are kept."""


def state_of(connection: HTTPConnection) -> ServerState:
    """Return the state of the application that a request came to."""
    state: ServerState = connection.app.state.chronotile
    return state


def services_of(connection: HTTPConnection) -> Services:
    """Return the services for one request; take them once, since a reload replaces them."""
    return state_of(connection).services


async def in_thread(
    gate: Gate, work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run plain sync work that reads no source in a thread, so that it never blocks the event loop.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    # Only work that may be unwanted gives None instead of its result.
    return cast("Result", await gate.run(lambda: work(*args, **kwargs)))


async def for_client(
    request: Request, gate: Gate, layer: str, work: Callable[[], Result], *, services: Services
) -> Result:
    """Run work that reads a layer in a thread, unless the client left while it waited.

    Raises:
        ServerBusy: Too much is waiting already.
        ClientGone: Nobody is there for the answer.
        UnknownLayer: There is no such layer.
    """

    async def is_wanted() -> bool:
        return not await request.is_disconnected()

    source = services.catalogue.layer(layer).collection
    result = await gate.run(work, source=source, is_wanted=is_wanted)
    if result is None:
        raise ClientGone("the client left")
    return result
