"""Retries of requests whose services were replaced while they ran, because a file or the configuration changed.

A request keeps the services that it started with. Work in a thread first calls `require_current_services`: if a store
was written to, its source is opened again, the services are replaced, and `ServicesRenewed` is raised. The endpoint
function then runs again with the current services (`answer_when_indexed`); the client notices nothing.

Files that change while they are read are noticed by the pipeline (`SourceChanged`), which repeats the operation once
(`pipeline.retries.retry_overtaken`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.http.request_services import SERVICES, services_of
from chronotile.http.server_state import ServerState, state_of
from chronotile.pipeline.retries import Attempts
from chronotile.pipeline.services import Services

INDEX_WAIT_S = 1.0
"""How long a request waits for the index of a collection; after the start, small collections need less."""
INDEX_RETRY_S = 0.1
ENCODING_RETRIES = "chronotile.encoding_retries"
"""ASGI scope key of the `Attempts` of a request that is repeated because a file has an unknown encoding."""


async def answer_when_indexed(handler: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """Return the answer of an endpoint function, with retries while services are replaced or an index is incomplete.

    Raises:
        IndexIncomplete: The index of a collection is still incomplete after `INDEX_WAIT_S`, or the request writes.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + INDEX_WAIT_S
    while True:
        try:
            return await _answer_with_current_services(handler, request)
        except errors.IndexIncomplete:
            if request.method not in {"GET", "HEAD"} or loop.time() >= end_s:
                raise
        await asyncio.sleep(INDEX_RETRY_S)


async def _answer_with_current_services(
    handler: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    for _attempt in range(errors.ServicesRenewed.max_retries):  # the first attempt counts too
        with suppress(errors.ServicesRenewed):
            try:
                return await handler(request)
            except errors.CollectionUnopened as error:  # its index may have been filled since the last reload
                await _require_still_unopened(request, error.collection)
                raise
        request.scope.pop(SERVICES, None)  # so that `services_of` returns the current services
    raise errors.SourceUnavailable(
        "what is served was replaced again and again while this was answered; try again later"
    )


async def _require_still_unopened(request: Request, collection: str) -> None:
    state, services = state_of(request), services_of(request)
    await state.limiters.lookups.run(partial(require_current_services, state, services, collection))


def require_current_services(state: ServerState, services: Services, collection: str | None) -> None:
    """Reload a collection (`None`: all) whose store was written to, and check that `services` are still in use.

    Call it in a thread: it reads files, which may block.

    Raises:
        ServicesRenewed: The services were replaced.
    """
    state.live.follow(collection)
    if services.origin is not state.services:
        raise errors.ServicesRenewed("what is served was replaced")


def renew_learnt_encodings(request: Request, services: Services, collections: Iterable[str]) -> None:
    """Open collections again if work skipped files because of an unknown encoding; call it in a thread.

    The number of retries of a request is limited, and the same file counts once.

    Raises:
        ServicesRenewed: A collection was opened again; the request must be repeated.
    """
    reasons = services.reopen_reasons(collections)
    if not reasons:
        return
    attempts: Attempts = request.scope.setdefault(ENCODING_RETRIES, Attempts(errors.PlanStale.max_retries))
    if attempts.are_worthwhile(*reasons.values()):
        for collection in reasons:
            require_current_services(state_of(request), services, collection)
