"""What the application keeps for its requests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import HTTPConnection

from chronotile.pipeline.services import Services

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limiters:
    """How many threads each kind of work may hold at once."""

    pictures: CapacityLimiter
    series: CapacityLimiter
    documents: CapacityLimiter


@dataclass(slots=True, kw_only=True)
class ServerState:
    """The services of now, which a reload replaces as a whole, and the limiters."""

    services: Services
    limiters: Limiters


def state_of(connection: HTTPConnection) -> ServerState:
    """Return the state of the application that a request came to."""
    state: ServerState = connection.app.state.chronotile
    return state


def services_of(connection: HTTPConnection) -> Services:
    """Return the services for one request; take them once, since a reload replaces them."""
    return state_of(connection).services


async def in_thread(
    limiter: CapacityLimiter, work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run plain sync work in a thread, so that decoding never blocks the event loop."""
    return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=limiter)
