"""Work in threads: all functions that requests need are called by `run`, under the limiter of their kind."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TypeVar, cast

from starlette.requests import Request

from chronotile.core import errors
from chronotile.core.cancellation import IsActive
from chronotile.http.disconnects import watch_connection
from chronotile.http.limiter import TOO_LONG, Limiter
from chronotile.http.replaced_services import renew_learnt_encodings, require_current_services
from chronotile.http.request_services import services_of
from chronotile.http.server_state import ServerState, state_of
from chronotile.http.work_kinds import Arguments, WorkKind
from chronotile.pipeline.services import RemoteWaitRefused, refuse_remote_waits

REFUSED_BY = "chronotile.refused_by"
"""ASGI scope key of a refused request: its limiter, the sources and hosts in whose quotas it counts, its services."""
EXPECTED_WORK_S = "chronotile.usual_s"
"""ASGI scope key of the assumed time of the work, if longer than that of the limiter."""

Result = TypeVar("Result")


async def run(
    request: Request,
    kind: WorkKind[Arguments],
    work: Callable[Arguments, Result],
    *,
    layers: Iterable[str] = (),
    collections: Collection[str] = (),
    hosts: Collection[str] = (),
) -> Result:
    """Return the result of a plain function, called in a thread.

    Args:
        request: The request that needs the result.
        kind: Kind of the work; if it watches, `work` gets a check of the connection.
        work: The function.
        layers: Names of the layers that it reads.
        collections: Ids of the collections that it reads, if it reads no layers.
        hosts: Hosts to which it sends requests.

    Raises:
        ServerBusy: The wait would be too long.
        ClientGone: The client disconnected.
        UnknownLayer: A layer does not exist.
        SourceUnavailable: A source cannot be read now.
        ServicesRenewed: The endpoint must be repeated with the current services.
    """
    services = services_of(request)
    collections = {services.catalogue.layer(name).collection for name in layers} or frozenset(collections)
    if not kind.watches:
        return await _run(request, kind, cast("Callable[[], Result]", work), collections=collections, hosts=hosts)
    async with watch_connection(request) as is_active:
        watching_work = partial(cast("Callable[[IsActive], Result]", work), is_active)
        return await _run(request, kind, watching_work, collections=collections, hosts=hosts)


async def _run(
    request: Request,
    kind: WorkKind[Arguments],
    work: Callable[[], Result],
    *,
    collections: Collection[str],
    hosts: Collection[str],
) -> Result:
    state, services = state_of(request), services_of(request)
    limiter: Limiter = getattr(state.limiters, kind.limiter)
    if kind.may_ask:
        return await _run_local_or_remote(state, limiter, work)
    if not kind.is_of_all and not (kind.reads and collections):
        return await limiter.run(work, sources=hosts)
    checked: Iterable[str | None] = (None,) if kind.is_of_all else collections

    def run_with_current_services() -> Result:
        for collection in checked:
            require_current_services(state, services, collection)
        try:
            return work()
        finally:  # an unknown encoding may also be the reason of an error
            if kind.learns:
                renew_learnt_encodings(request, services, collections)

    if not kind.reads:
        return await limiter.run(run_with_current_services)
    counted = {name for name in collections if name in services.elsewhere} if kind.is_of_all else collections
    return await _run_reading(request, limiter, run_with_current_services, counted)


async def _run_local_or_remote(state: ServerState, quick: Limiter, work: Callable[[], Result]) -> Result:
    def run_locally() -> Result:
        with refuse_remote_waits():
            return work()

    try:
        return await quick.run(run_locally)
    except RemoteWaitRefused as error:
        limiter = state.remote_limiters.get(state.limiters.searches.name, state.limiters.searches)
        return await limiter.run(work, sources={error.host})


async def _run_reading(
    request: Request, limiter: Limiter, work: Callable[[], Result], collections: Collection[str]
) -> Result:
    """Run work that counts in the quotas of its sources, under the limiter of remote work if one of them is remote."""
    services = services_of(request)
    limiter, quotas = _limiter_and_quotas(request, limiter, collections)

    async def is_connected() -> bool:
        return not await request.is_disconnected()

    try:
        return await limiter.run(
            work, sources=quotas, is_connected=is_connected, usual_s=request.scope.get(EXPECTED_WORK_S, 0.0)
        )
    except errors.ServerBusy:
        request.scope[REFUSED_BY] = limiter, quotas, services
        raise
    except (errors.DateUnreadable, errors.SourceChanged):  # the source itself is available
        raise
    except errors.SourceUnavailable:
        if services.elsewhere.hosts(collections):
            services.elsewhere.suspect(collections)
        raise


def refuse_if_busy(request: Request, kind: WorkKind[Arguments], layer: str) -> None:
    """Refuse a request that `run` would refuse, before its body is read and parsed.

    Raises:
        ServerBusy: The wait would be too long.
        UnknownLayer: The layer does not exist.
        SourceUnavailable: A source cannot be read now.
    """
    services = services_of(request)
    limiter: Limiter = getattr(state_of(request).limiters, kind.limiter)
    limiter, quotas = _limiter_and_quotas(request, limiter, {services.catalogue.layer(layer).collection})
    if limiter.refuses(quotas):
        request.scope[REFUSED_BY] = limiter, quotas, services
        raise errors.ServerBusy(TOO_LONG)


def _limiter_and_quotas(request: Request, limiter: Limiter, collections: Collection[str]) -> tuple[Limiter, set[str]]:
    """Return the limiter of the work, and the sources and hosts in whose quotas it counts.

    Raises:
        SourceUnavailable: A source cannot be read now.
    """
    elsewhere = services_of(request).elsewhere
    elsewhere.require(collections)
    hosts = elsewhere.hosts(collections)
    return state_of(request).remote_limiters[limiter.name] if hosts else limiter, {*collections, *hosts}
