"""Work in threads: all work of requests passes `run`, under the limiter of its kind."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TypeVar, cast

from starlette.requests import Request

from chronotile.core import errors
from chronotile.core.cancellation import IsActive
from chronotile.http.disconnects import watch_disconnect
from chronotile.http.limiter import TOO_LONG, Limiter
from chronotile.http.request_services import services_of
from chronotile.http.retries import renew_learnt_encodings, require_current_services
from chronotile.http.server_state import ServerState, state_of
from chronotile.http.work_kinds import Arguments, WorkKind
from chronotile.pipeline.services import AsksElsewhere, without_asking

REFUSED_BY = "chronotile.refused_by"
"""Where a request that was refused keeps the limiter, the sources and hosts whose share it needs, and its services."""

EXPECTED_WORK_S = "chronotile.usual_s"
"""Where a request keeps the assumed time of its work, if longer than that of the limiter."""

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
    """Run plain sync work in a thread, so that it never blocks the event loop.

    Args:
        request: For which it is.
        kind: Of the work, which is called with a check that the client is still connected if the kind watches.
        work: What to run.
        layers: Names of the layers that it reads.
        collections: Ids of the collections that it reads, if it reads no layers.
        hosts: Of the web, which it asks.

    Raises:
        ServerBusy: Too much is waiting already.
        ClientGone: The client disconnected.
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
        ServicesRenewed: The request is to be begun again.
    """
    services = services_of(request)
    read = {services.catalogue.layer(each).collection for each in layers} or frozenset(collections)
    if not kind.watches:
        return await _run(request, kind, cast("Callable[[], Result]", work), read=read, hosts=hosts)
    async with watch_disconnect(request) as is_active:
        watched = partial(cast("Callable[[IsActive], Result]", work), is_active)
        return await _run(request, kind, watched, read=read, hosts=hosts)


async def _run(
    request: Request,
    kind: WorkKind[Arguments],
    work: Callable[[], Result],
    *,
    read: Collection[str],
    hosts: Collection[str],
) -> Result:
    """Run work that reads the collections `read`."""
    state, services = state_of(request), services_of(request)
    limiter: Limiter = getattr(state.limiters, kind.limiter)
    if kind.may_ask:
        return await _run_local_or_remote(state, limiter, work)
    if not kind.is_of_all and not (kind.reads and read):
        # Only work that may be unwanted gives None instead of its result.
        return cast("Result", await limiter.run(work, sources=hosts))
    followed: Iterable[str | None] = (None,) if kind.is_of_all else read

    def with_current() -> Result:
        for each in followed:
            require_current_services(state, services, each)
        try:
            return work()
        finally:  # a failure too may be for lack of what is known now
            if kind.learns:
                renew_learnt_encodings(request, services, read)

    if not kind.reads:
        return cast("Result", await limiter.run(with_current))
    shared = {each for each in read if each in services.elsewhere} if kind.is_of_all else read
    return await _run_reading(request, limiter, with_current, shared)


async def _run_local_or_remote(state: ServerState, quick: Limiter, work: Callable[[], Result]) -> Result:
    def quickly() -> Result:
        with without_asking():
            return work()

    try:
        return cast("Result", await quick.run(quickly))
    except AsksElsewhere as needed:
        limiter = state.elsewhere.get(state.limiters.searches.name, state.limiters.searches)
        return cast("Result", await limiter.run(work, sources={needed.host}))


async def _run_reading(
    request: Request, limiter: Limiter, work: Callable[[], Result], sources: Collection[str]
) -> Result:
    """Run work with a share of its sources, in a thread of those for other machines where one lies there."""
    services = services_of(request)
    limiter, shared = _limiter_and_quotas(request, limiter, sources)

    async def is_active() -> bool:
        return not await request.is_disconnected()

    try:
        result = await limiter.run(
            work, sources=shared, is_active=is_active, usual_s=request.scope.get(EXPECTED_WORK_S, 0.0)
        )
    except errors.ServerBusy:
        request.scope[REFUSED_BY] = limiter, shared, services
        raise
    except (errors.DateUnreadable, errors.SourceChanged):  # of a source that is there
        raise
    except errors.SourceUnavailable:
        if services.elsewhere.hosts(sources):
            services.elsewhere.suspect(sources)
        raise
    if result is None:
        raise errors.ClientGone("the client disconnected")
    return result


def refuse_if_busy(request: Request, kind: WorkKind[Arguments], layer: str) -> None:
    """Refuse at once what `run` would refuse, before a body is read and parsed.

    Raises:
        ServerBusy: It would wait too long.
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
    """
    services = services_of(request)
    limiter: Limiter = getattr(state_of(request).limiters, kind.limiter)
    limiter, shared = _limiter_and_quotas(request, limiter, {services.catalogue.layer(layer).collection})
    if limiter.refuses(shared):
        request.scope[REFUSED_BY] = limiter, shared, services
        raise errors.ServerBusy(TOO_LONG)


def _limiter_and_quotas(request: Request, limiter: Limiter, sources: Collection[str]) -> tuple[Limiter, set[str]]:
    """Return the limiter that work passes, and the sources and hosts of which it takes a share.

    Raises:
        SourceUnavailable: A source cannot be read now.
    """
    elsewhere = services_of(request).elsewhere
    elsewhere.require(sources)
    hosts = elsewhere.hosts(sources)
    return state_of(request).elsewhere[limiter.name] if hosts else limiter, {*sources, *hosts}
