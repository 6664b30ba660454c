"""What the application keeps for its requests, and work in threads: one way to run all of it, under its limiter."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, NamedTuple, ParamSpec, Protocol, TypeVar, cast

from starlette.requests import HTTPConnection, Request

from chronotile.archive.index.write import ItemWriter
from chronotile.core import errors
from chronotile.core.model.access import Right
from chronotile.core.model.request import IsActive
from chronotile.core.web.places import Places
from chronotile.http.body_memory import BodyMemory, DownloadSlots
from chronotile.http.limiter import TOO_LONG, Limiter
from chronotile.http.modified import ModifiedTimes
from chronotile.http.shipped_files import ClientPackages, ViewerFolder
from chronotile.jobs.queue.service import JobService
from chronotile.jobs.queue.webhooks.outbox import WebhookCounts
from chronotile.pipeline.granted import EVERYBODY, restrict
from chronotile.pipeline.revision import Attempts
from chronotile.pipeline.services import AsksElsewhere, LiveServices, Services, without_asking
from chronotile.pipeline.valid_share import ValidShares
from chronotile.readers.raster.overviews.previews import Previews

SERVICES = "chronotile.services"
"""Where a request keeps its services."""

GRANTS = "chronotile.grants"
"""Where a request has what turns services into those that the client may use; absent: all."""

PRINCIPAL = "chronotile.principal"
"""Where a request has the user; absent: no user is known."""

KEY_PATH = "chronotile.key_path"
"""Where a request has the beginning of its path that was a key, which its links repeat."""

SHARE = "chronotile.share"
"""Where a request has the secret of a link to one job, if its path began with that."""

SESSION_EXPIRED = "chronotile.session_expired"
"""Marks a request of a user who signed in and whose session has to be renewed."""

RECEIVED_HOSTS = "chronotile.received_hosts"
"""Where a request has the `Host` lines that it came with, if a trusted proxy forwarded a host."""

FAULT_STATUS = "chronotile.fault_status"
"""Where a request whose fault is answered with another status keeps its own, for the log and the metrics."""


class Limiters(NamedTuple):
    """What lets each kind of work into threads."""

    pictures: Limiter
    large_pictures: Limiter
    """Maps of many pixels, each of which may keep a thread for many seconds: tiles never wait for them."""
    series: Limiter
    """Of points, and all else that is answered with few numbers."""
    areas: Limiter
    """Series of areas: one takes as long as hundreds of points, which do not wait for it, and has a pace of its own."""
    uploads: Limiter
    """Files of places that clients send, each parsed by a process: one at a time."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The user, as a credential proves."""

    subjects: frozenset[str]
    name: str
    """Unique: `user:…` or `key:…`."""
    until: float
    """Seconds since 1970 at which the credential expires."""
    rights: frozenset[str] | None = None
    """What a key may be used for; `None`: for all that its subjects may do."""
    organisation: str = ""
    """As a claim of the token has it; empty: none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The secret of a link to one job, which may be wrong."""

    digest: bytes
    is_valid: Callable[[str | None], bool]
    """Whether a user who made a link may still exist."""


class Grants(Protocol):
    """What the client may use."""

    @property
    def subjects(self) -> frozenset[str]:
        """Which the client is."""
        ...

    def of(self, services: Services, right: Right | None = None) -> Services:
        """Return these services as far as they may be used: the same object for the same services.

        Args:
            services: All, or a part of them.
            right: To do what; `None`: what the path of the request is for.
        """


def state_of(connection: HTTPConnection) -> ServerState:
    """Return the state of the application that a request came to."""
    state: ServerState = connection.app.state.chronotile
    return state


def services_of(connection: HTTPConnection) -> Services:
    """Return the services for one request: the same until it is answered, though a reload replaces them.

    They are all that there is to the client.
    """
    services: Services | None = connection.scope.get(SERVICES)
    if services is None:
        grants: Grants | None = connection.scope.get(GRANTS)
        services = state_of(connection).services
        if grants is not None:
            services = grants.of(services)
        elif services.catalogue.access is not None:  # rules that came with a reload while the request was under way
            services = restrict(services, EVERYBODY)
        connection.scope[SERVICES] = services
    return services


def services_with(connection: HTTPConnection, right: Right) -> Services:
    """Return the services of a request as far as its client has a right.

    Handlers use it for rights that the gate cannot read from the path, such as that of a negotiated format.
    """
    grants: Grants | None = connection.scope.get(GRANTS)
    services = services_of(connection)
    return restrict(services, EVERYBODY, right) if grants is None else grants.of(services, right)


def user_of(connection: HTTPConnection) -> str | None:
    """Return the unique name of the user; `None`: no user is known."""
    principal: Principal | None = connection.scope.get(PRINCIPAL)
    return None if principal is None else principal.name


def base_url(request: Request) -> str:
    """Return the public base URL for links, without a slash at the end: the configured one, else the request's own.

    Forwarded headers of trusted proxies are in it already (`Forwarded` in `http.guard`).
    """
    configured = services_of(request).catalogue.service.url
    if configured:
        return f"{configured}{request.scope.get(KEY_PATH, '')}"
    return str(request.base_url).rstrip("/")


def url_without_key(request: Request) -> str:
    """Return the base URL as of a request whose path has no key: for links that go to others."""
    return base_url(request).removesuffix(request.scope.get(KEY_PATH, ""))


REFUSED_BY = "chronotile.refused_by"
"""Where a request that was refused keeps the limiter, the sources and hosts whose share it needs, and its services."""

USUAL_S = "chronotile.usual_s"
"""Where a request keeps the assumed time of its work, if longer than that of the limiter."""

LEARNT = "chronotile.learnt"
"""Where a request keeps the attempts at it for what was learnt of files while it was answered."""

MAX_MESSAGES = 100
"""After the body, among which a server's word that the client disconnected is looked for."""

ANSWER_S = 5.0
"""How long work in a thread waits for the event loop's answer whether its client is still connected."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[Arguments]):
    """How work of one kind runs, which takes `Arguments`."""

    limiter: str
    """Which of `Limiters` lets it into threads."""
    reads: bool = False
    """Whether it reads sources: it takes a share of each, and is not begun if its client left while it waited."""
    is_of_all: bool = False
    """Whether it is about all that is served, which is made current first; it takes shares of sources elsewhere."""
    may_ask: bool = False
    """Whether it may ask another catalogue: it is then begun again in a thread of those for other machines, where each
    host holds its share, and what is looked up here goes on while that one hangs."""
    learns: bool = True
    """Whether the request is begun again where a file that is read has an encoding that was not known."""
    watches: bool = False
    """Whether the work gets a check that its client is still connected: the body must have been read."""


PICTURES: Kind[[]] = Kind(limiter="pictures", reads=True)
LARGE_PICTURES: Kind[[]] = Kind(limiter="large_pictures", reads=True)
SERIES: Kind[[]] = Kind(limiter="series", reads=True)
SERIES_OF_MANY: Kind[[IsActive]] = Kind(limiter="series", reads=True, watches=True)
AREAS: Kind[[IsActive]] = Kind(limiter="areas", reads=True, watches=True)
UPLOADS: Kind[[IsActive]] = Kind(limiter="uploads", watches=True)
COVERAGES: Kind[[IsActive]] = Kind(limiter="coverages", reads=True, watches=True)
STORES: Kind[[]] = Kind(limiter="chunks", reads=True)
CHUNKS: Kind[[IsActive]] = Kind(limiter="chunks", reads=True, watches=True)
CUBES: Kind[[IsActive]] = Kind(limiter="cubes", reads=True, watches=True)
CUBES_OF_ONE_TIME: Kind[[IsActive]] = Kind(limiter="pictures", reads=True, watches=True)
"""Which take no longer than a picture."""
CUBE_BODIES: Kind[[]] = Kind(limiter="cubes")
ANIMATIONS: Kind[[IsActive]] = Kind(limiter="animations", reads=True, watches=True)
PLANS: Kind[[]] = Kind(limiter="plans", reads=True, is_of_all=True, learns=False)
EXECUTIONS: Kind[[IsActive]] = Kind(limiter="executions", reads=True, is_of_all=True, watches=True)
JOBS: Kind[[]] = Kind(limiter="jobs")
RESULTS: Kind[[]] = Kind(limiter="results")
DOCUMENTS: Kind[[]] = Kind(limiter="documents", is_of_all=True)
TEXTS: Kind[[]] = Kind(limiter="documents")
"""Documents that hang on no source, such as pages of processes."""
ITEM_WRITES: Kind[[]] = Kind(limiter="documents")
SEARCHES: Kind[[]] = Kind(limiter="searches", may_ask=True)
LOOKUPS: Kind[[]] = Kind(limiter="lookups", may_ask=True)
DOWNLOADS: Kind[[]] = Kind(limiter="downloads")
FETCHES: Kind[[]] = Kind(limiter="fetches")
FILES: Kind[[]] = Kind(limiter="files")
READINESS: Kind[[]] = Kind(limiter="readiness")
METRICS: Kind[[]] = Kind(limiter="metrics")


async def run(
    request: Request,
    kind: Kind[Arguments],
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
    kind: Kind[Arguments],
    work: Callable[[], Result],
    *,
    read: Collection[str],
    hosts: Collection[str],
) -> Result:
    """Run work that reads the collections `read`."""
    state, services = state_of(request), services_of(request)
    limiter: Limiter = getattr(state.limiters, kind.limiter)
    if kind.may_ask:
        return await _quick_or_elsewhere(state, limiter, work)
    if not kind.is_of_all and not (kind.reads and read):
        # Only work that may be unwanted gives None instead of its result.
        return cast("Result", await limiter.run(work, sources=hosts))
    followed: Iterable[str | None] = (None,) if kind.is_of_all else read

    def with_current() -> Result:
        for each in followed:
            check_current(state, services, each)
        try:
            return work()
        finally:  # a failure too may be for lack of what is known now
            if kind.learns:
                require_nothing_learnt(request, services, read)

    if not kind.reads:
        return cast("Result", await limiter.run(with_current))
    shared = {each for each in read if each in services.elsewhere} if kind.is_of_all else read
    return await _run_reading(request, limiter, with_current, shared)


async def _quick_or_elsewhere(state: ServerState, quick: Limiter, work: Callable[[], Result]) -> Result:
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
    limiter, shared = _limiter_of(request, limiter, sources)

    async def is_active() -> bool:
        return not await request.is_disconnected()

    try:
        result = await limiter.run(work, sources=shared, is_active=is_active, usual_s=request.scope.get(USUAL_S, 0.0))
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


def refuse_if_busy(request: Request, kind: Kind[Arguments], layer: str) -> None:
    """Refuse at once what `run` would refuse, before a body is read and parsed.

    Raises:
        ServerBusy: It would wait too long.
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
    """
    services = services_of(request)
    limiter: Limiter = getattr(state_of(request).limiters, kind.limiter)
    limiter, shared = _limiter_of(request, limiter, {services.catalogue.layer(layer).collection})
    if limiter.refuses(shared):
        request.scope[REFUSED_BY] = limiter, shared, services
        raise errors.ServerBusy(TOO_LONG)


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


def require_nothing_learnt(request: Request, services: Services, sources: Iterable[str]) -> None:
    """Check that work found no file in an encoding that was not known; in a thread, as `check_current`.

    Raises:
        ServicesRenewed: It did, and its source has been opened again.
    """
    learnt = services.learnt(sources)
    if not learnt:
        return
    attempts: Attempts = request.scope.setdefault(LEARNT, Attempts(errors.PlanStale.most_again))
    if attempts.are_worthwhile(*learnt.values()):
        for each in learnt:
            check_current(state_of(request), services, each)


def check_current(state: ServerState, services: Services, collection: str | None) -> None:
    """Make sure that `services` are those of now; in a thread, since it looks at files, which may hang.

    Raises:
        ServicesRenewed: They are not.
    """
    state.live.follow(collection)
    if services.origin is not state.services:
        raise errors.ServicesRenewed("what is served was replaced")
