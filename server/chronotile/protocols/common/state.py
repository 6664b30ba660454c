"""What the application keeps for its requests."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from typing import ParamSpec, TypeVar, cast

from starlette.requests import HTTPConnection, Request

from chronotile.archive.index.write import ItemWriter
from chronotile.errors import (
    ClientGone,
    DateUnreadable,
    ServerBusy,
    ServicesRenewed,
    SourceChanged,
    SourceUnavailable,
)
from chronotile.model.cancellation import IsActive
from chronotile.pipeline.live_items import AsksElsewhere, without_asking
from chronotile.pipeline.services import LiveServices, Services
from chronotile.pipeline.valid_shares import ValidShares
from chronotile.protocols.common.limits.body_memory import BodyMemory
from chronotile.protocols.common.limits.download_slots import DownloadSlots
from chronotile.protocols.common.limits.limiter import TOO_LONG, Limiter
from chronotile.protocols.common.responses.modified import ModifiedTimes
from chronotile.protocols.common.shipped_files import ClientPackages, ViewerFolder
from chronotile.queue.service import JobService
from chronotile.queue.webhooks.outbox import WebhookCounts
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.web.places import Places

SERVICES = "chronotile.services"
"""Where a request keeps its services."""

REFUSED_BY = "chronotile.refused_by"
"""Where a request that was refused keeps the limiter, the sources and hosts whose share it needs, and its services."""

RECEIVED_HOSTS = "chronotile.received_hosts"
"""Where a request has the `Host` lines that it came with, if a trusted proxy forwarded a host."""

USUAL_S = "chronotile.usual_s"
"""Where a request keeps the assumed time of its work, if longer than that of the limiter."""

TIMES_LEARNT = "chronotile.times_learnt"
"""Where a request counts how often it was begun again for what was learnt of files while it was answered."""

MOST_LEARNT = 3
"""How often it is: each time for all files that were looked at."""

FAULT_STATUS = "chronotile.fault_status"
"""Where a request whose fault is answered with another status keeps its own, for the log and the metrics."""

MAX_MESSAGES = 100
"""After the body, among which a server's word that the client disconnected is looked for."""

ANSWER_S = 5.0
"""How long work in a thread waits for the event loop's answer whether its client is still connected."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limiters:
    """What lets each kind of work into threads."""

    pictures: Limiter
    large_pictures: Limiter
    """Maps of many pixels, each of which may keep a thread for many seconds: tiles never wait for them."""
    series: Limiter
    """Of points, and all else that is answered with few numbers."""
    areas: Limiter
    """Series of areas: one takes as long as hundreds of points, which do not wait for it, and has a pace of its own."""
    coverages: Limiter
    """Files of many numbers, each of which keeps a thread for seconds."""
    chunks: Limiter
    """Of layers as Zarr stores, which programs request by the dozen; they give way to all else."""
    cubes: Limiter
    """Cube tiles, which give way to all else."""
    animations: Limiter
    """Time-lapses, each of which keeps a thread for seconds: one at a time, so that pictures have the rest."""
    plans: Limiter
    """What executions would do, found before they are begun or accepted: of many polygons in seconds."""
    executions: Limiter
    """Processes that a client waits for, each of which may keep a thread for many seconds."""
    jobs: Limiter
    """The table of jobs, in a database that may be slow."""
    results: Limiter
    """Files of jobs, on a disk that may be slow or in a store that may hang: the table still answers then."""
    documents: Limiter
    searches: Limiter
    """Of items, in a database that may be slow."""
    lookups: Limiter
    """Of one item or product by its id, which takes milliseconds: downloads never wait for searches, of which one may
    take seconds."""
    downloads: Limiter
    """Parts of files of products; none holds a thread while its client takes what was read."""
    fetches: Limiter
    """What requests name by an address elsewhere, which may hang: each host holds its share of these threads."""
    files: Limiter
    """Of the viewer: a page requests dozens at the same moment, and breaks where one of them is refused."""
    readiness: Limiter
    metrics: Limiter
    """Apart from `documents`, which look at all stores, of which one may hang: an operator wants to know just then."""

    def __iter__(self) -> Iterator[Limiter]:
        """Iterate over all."""
        return (getattr(self, each.name) for each in fields(self))


@dataclass(slots=True, kw_only=True)
class ServerState:
    """What the application serves, the limiters, and what else lasts as long as it does."""

    live: LiveServices
    limiters: Limiters
    elsewhere: Mapping[str, Limiter] = field(default_factory=dict)
    """Limiters of work that reads a source on another machine, by the names of those that all other work passes."""
    previews: Previews | None = None
    """Of rasters without overviews, where such are made."""
    valid_shares: ValidShares = field(default_factory=lambda: ValidShares(None))
    jobs: JobService = field(default_factory=lambda: JobService(None, archive=""))
    input_places: Places = field(default_factory=Places)
    """Below which inputs of processes may lie."""
    subscriber_places: Places = field(default_factory=Places)
    """Prefixes of URLs at which subscribers may be notified how jobs go on."""
    viewer: ViewerFolder = field(default_factory=ViewerFolder)
    """Pages link to the viewer if it can run."""
    clients: ClientPackages = field(default_factory=ClientPackages)
    bodies: BodyMemory = field(default_factory=BodyMemory)
    downloads: DownloadSlots = field(default_factory=DownloadSlots)
    """Those that run now."""
    items: ItemWriter | None = None
    """Writes items for requests with the token."""
    modified: ModifiedTimes = field(default_factory=ModifiedTimes)
    """Of documents that clients poll."""
    webhooks: WebhookCounts | None = None
    """What became of their events, where this process sends them."""

    @property
    def services(self) -> Services:
        """The services of now, which a reload replaces as a whole."""
        return self.live.services


def state_of(connection: HTTPConnection) -> ServerState:
    """Return the state of the application that a request came to."""
    state: ServerState = connection.app.state.chronotile
    return state


def services_of(connection: HTTPConnection) -> Services:
    """Return the services for one request: the same until it is answered, though a reload replaces them."""
    services: Services = connection.scope.setdefault(SERVICES, state_of(connection).services)
    return services


def forget_services(connection: HTTPConnection) -> None:
    """Let the request take the services of now."""
    connection.scope.pop(SERVICES, None)


async def in_thread(
    limiter: Limiter, work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run plain sync work that reads no source in a thread, so that it never blocks the event loop.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    # Only work that may be unwanted gives None instead of its result.
    return cast("Result", await limiter.run(lambda: work(*args, **kwargs)))


async def in_searches(request: Request, work: Callable[[], Result]) -> Result:
    """Run a search in a thread; one that has to wait for another catalogue in a thread of those for other machines.

    There each host holds its share, and what is searched here goes on while a catalogue hangs.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    return await _quick_or_elsewhere(request, state_of(request).limiters.searches, work)


async def in_lookups(request: Request, work: Callable[[], Result]) -> Result:
    """Look up one item or product in a thread, as `in_searches` does, without waiting for searches of the index.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    return await _quick_or_elsewhere(request, state_of(request).limiters.lookups, work)


async def _quick_or_elsewhere(request: Request, quick: Limiter, work: Callable[[], Result]) -> Result:
    state = state_of(request)

    def quickly() -> Result:
        with without_asking():
            return work()

    try:
        return await in_thread(quick, quickly)
    except AsksElsewhere as needed:
        limiter = state.elsewhere.get(state.limiters.searches.name, state.limiters.searches)
        return cast("Result", await limiter.run(work, sources={needed.host}))


async def in_fetches(
    request: Request,
    hosts: Collection[str],
    work: Callable[Parameters, Result],
    /,
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """Run plain sync work that asks these hosts of the web in a thread.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    return cast("Result", await state_of(request).limiters.fetches.run(lambda: work(*args, **kwargs), sources=hosts))


async def in_documents(
    request: Request, work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run plain sync work that documents any layers in a thread, with what is served now.

    Raises:
        ServerBusy: Too much is waiting already.
        ServicesRenewed: The request is to be begun again.
    """
    state, services = state_of(request), services_of(request)

    def with_current() -> Result:
        check_current(state, services, None)
        return work(*args, **kwargs)

    return await in_thread(state.limiters.documents, with_current)


def refuse_if_busy(request: Request, limiter: Limiter, layer: str) -> None:
    """Refuse at once what `for_client` would refuse, before a body is read and parsed.

    Raises:
        ServerBusy: It would wait too long.
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
    """
    services = services_of(request)
    limiter, shared = _limiter_of(request, limiter, {services.catalogue.layer(layer).collection})
    if limiter.refuses(shared):
        request.scope[REFUSED_BY] = limiter, shared, services
        raise ServerBusy(TOO_LONG)


async def for_client(
    request: Request,
    limiter: Limiter,
    layer: str,
    work: Callable[[], Result],
    *,
    services: Services,
    others: Iterable[str] = (),
) -> Result:
    """Run work that reads a layer, and maybe others, in a thread, unless the client disconnected while it waited.

    Raises:
        ServerBusy: Too much is waiting already.
        ClientGone: The client disconnected.
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
        ServicesRenewed: The request is to be begun again.
    """
    state = state_of(request)

    async def is_active() -> bool:
        return not await request.is_disconnected()

    sources = {services.catalogue.layer(each).collection for each in (layer, *others)}

    def with_current() -> Result:
        for each in sources:
            check_current(state, services, each)
        try:
            return work()
        finally:  # a failure too may be for lack of what is known now
            _require_nothing_learnt(request, services, sources)

    result = await read_in_thread(request, limiter, with_current, sources=sources, is_active=is_active)
    if result is None:
        raise ClientGone("the client disconnected")
    return result


async def make_for_client(
    request: Request,
    limiter: Limiter,
    layer: str,
    make: Callable[[IsActive], Result],
    *,
    services: Services,
    others: Iterable[str] = (),
) -> Result:
    """Run work as `for_client` does that may end as soon as the client leaves; the body must have been read.

    Raises:
        ChronotileError: As `for_client`.
    """
    async with watch_disconnect(request) as is_active:
        return await for_client(request, limiter, layer, partial(make, is_active), services=services, others=others)


async def read_in_thread(
    request: Request,
    limiter: Limiter,
    work: Callable[[], Result],
    *,
    sources: Collection[str],
    is_active: Callable[[], Awaitable[bool]],
) -> Result | None:
    """Run work that reads collections in a thread: one of the limiter's, or of those for sources on other machines.

    Args:
        request: For which it is.
        limiter: Through which work passes that reads sources on this machine alone.
        work: What to run.
        sources: Ids of the collections that it reads.
        is_active: Whether the client still waits; called after a wait.

    Returns:
        What the work gives; `None`, without running it, if no client wants it any more.

    Raises:
        ServerBusy: Too much is waiting already.
        SourceUnavailable: A source cannot be read now.
    """
    services = services_of(request)
    limiter, shared = _limiter_of(request, limiter, sources)
    try:
        return await limiter.run(work, sources=shared, is_active=is_active, usual_s=request.scope.get(USUAL_S, 0.0))
    except ServerBusy:
        request.scope[REFUSED_BY] = limiter, shared, services
        raise
    except (DateUnreadable, SourceChanged):  # of a source that is there
        raise
    except SourceUnavailable:
        if services.elsewhere.hosts(sources):
            services.elsewhere.suspect(sources)
        raise


def _limiter_of(request: Request, limiter: Limiter, sources: Collection[str]) -> tuple[Limiter, set[str]]:
    """Return the limiter that work passes, and the sources and hosts of which it takes a share.

    Raises:
        SourceUnavailable: A source cannot be read now.
    """
    elsewhere = services_of(request).elsewhere
    elsewhere.require(sources)
    hosts = elsewhere.hosts(sources)
    return state_of(request).elsewhere[limiter.name] if hosts else limiter, {*sources, *hosts}


def disconnect_check(request: Request) -> IsActive:
    """Return a function by which work in a thread checks, rarely, whether its client is still connected.

    Nothing watches in between, as `watch_disconnect` does: each call queries the event loop. Without a result within
    `ANSWER_S`, the client counts as connected.
    """
    loop = asyncio.get_running_loop()

    def is_active() -> bool:
        future = asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop)
        try:
            return not future.result(ANSWER_S)
        except (TimeoutError, CancelledError):
            future.cancel()
            return True

    return is_active


@asynccontextmanager
async def watch_disconnect(request: Request) -> AsyncIterator[IsActive]:
    """Give a check, for work in a thread, that the client is still connected; its body must have been read.

    With a server that never runs out of messages and never waits, the client counts as connected after `MAX_MESSAGES`.
    """
    is_gone = threading.Event()

    async def watch() -> None:
        for _ in range(MAX_MESSAGES):
            if (await request.receive())["type"] == "http.disconnect":
                is_gone.set()
                return
            await asyncio.sleep(0)  # a message that is there already gives nobody else a turn

    watching = asyncio.create_task(watch())
    try:
        yield lambda: not is_gone.is_set()
    finally:
        watching.cancel()


def _require_nothing_learnt(request: Request, services: Services, sources: Iterable[str]) -> None:
    """Check that work found no file in an encoding that was not known; in a thread, as `check_current`.

    Raises:
        ServicesRenewed: It did, and its source has been opened again.
    """
    learnt = [each for each in sources if each in services.readers and services.readers[each].has_learnt]
    times = request.scope.get(TIMES_LEARNT, 0)
    if learnt and times < MOST_LEARNT:
        request.scope[TIMES_LEARNT] = times + 1
        for each in learnt:
            check_current(state_of(request), services, each)


def check_current(state: ServerState, services: Services, collection: str | None) -> None:
    """Make sure that `services` are those of now; in a thread, since it looks at files, which may hang.

    Raises:
        ServicesRenewed: They are not.
    """
    state.live.follow(collection)
    if services is not state.services:
        raise ServicesRenewed("what is served was replaced")
