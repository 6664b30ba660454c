"""The application: services built once, routes of every protocol, nothing read at import."""

import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from chronotile.access.accounts import Accounts, Ledger
from chronotile.access.gate import AccessGate
from chronotile.access.keys import KeyCache, Keys, open_keys
from chronotile.access.sessions import SessionCache, Sessions, open_sessions
from chronotile.access.signin import SignIn
from chronotile.access.usage_page import usage_route
from chronotile.app.process_setup import allow_open_files, give_back_freed_memory, keep_freed_memory, share_one_heap
from chronotile.app.settings import ANSWER_BYTES, DEFAULT_CONFIGURATION, Settings
from chronotile.app.upkeep import Upkeep
from chronotile.archive.dated_collections import DatedCollections
from chronotile.archive.discovery.discover import Progress
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.index.background import BackgroundFill
from chronotile.archive.index.documents import Documents
from chronotile.archive.index.fill import IndexStore
from chronotile.archive.index.live.collections import LiveCollections
from chronotile.archive.index.sources import SourceAccess
from chronotile.archive.index.write import ItemWriter
from chronotile.archive.live import LiveArchive, archive_id_at, id_of_open
from chronotile.archive.open import Archive, open_archive
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.catalog.source_specs import source_specs
from chronotile.core.errors import ChronotileError, ConfigurationError, UnknownPath
from chronotile.core.machine import this_machine
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.time.instants import system_clock
from chronotile.core.web.item_places import SETTING as SOURCE_SETTING
from chronotile.core.web.places import AllowedPlaces, web_places
from chronotile.http.body_memory import BodyMemory
from chronotile.http.download_slots import MAX_CLIENT_DOWNLOADS, DownloadSlots
from chronotile.http.download_slots import MAX_DOWNLOADS as MOST_DOWNLOADS
from chronotile.http.forwarded import Forwarded
from chronotile.http.guard import Guard
from chronotile.http.limiter import Limiter
from chronotile.http.meter import Metering
from chronotile.http.path_router import PathRouter
from chronotile.http.problems import problem_response
from chronotile.http.replay import ReplayMiddleware
from chronotile.http.request_log import RequestLog
from chronotile.http.retry_after import add_error_caching
from chronotile.http.server_state import Limiters, ServerState
from chronotile.http.shipped_files import ClientPackages, ViewerFolder, find_client_packages, find_viewer
from chronotile.http.unsent_answers import UNSENT_KEY as UNSENT
from chronotile.http.unsent_answers import UnsentAnswers
from chronotile.jobs.queue.bucket import PATIENCE_S, open_bucket
from chronotile.jobs.queue.service import JobService
from chronotile.jobs.queue.webhooks.allowed import SETTING as SUBSCRIBER_SETTING
from chronotile.jobs.queue.webhooks.positions import open_positions
from chronotile.jobs.queue.webhooks.sender import WebhookSender
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.caches.cube_tiles import PrebuiltCubeTiles
from chronotile.pipeline.caches.served_axes import ServedAxes
from chronotile.pipeline.services import FixedServices, PublishedCubes, Services, make_caches
from chronotile.pipeline.valid_share import ValidShares
from chronotile.protocols.catalogue.changes.documents import event_message
from chronotile.protocols.catalogue.changes.routes import routes as change_routes
from chronotile.protocols.catalogue.items.routes import routes as item_routes
from chronotile.protocols.catalogue.odata.documents import ROOT as ODATA
from chronotile.protocols.catalogue.odata.faults import odata_fault
from chronotile.protocols.catalogue.odata.routes import routes as odata_routes
from chronotile.protocols.catalogue.opensearch.routes import routes as opensearch_routes
from chronotile.protocols.catalogue.products.routes import routes as product_routes
from chronotile.protocols.catalogue.stac.routes import routes as stac_routes
from chronotile.protocols.common.operation import routes_of
from chronotile.protocols.data.cog.routes import cog_routes
from chronotile.protocols.data.zarr.routes import routes as zarr_routes
from chronotile.protocols.maps.animations.routes import routes as animation_routes
from chronotile.protocols.maps.cubes.routes import routes as cube_routes
from chronotile.protocols.maps.tiles.routes import routes as tile_routes
from chronotile.protocols.maps.wms.routes import routes as wms_routes
from chronotile.protocols.maps.wmts.routes import routes as wmts_routes
from chronotile.protocols.ogcapi.documents.routes import routes as ogcapi_routes
from chronotile.protocols.places.routes import routes as place_routes
from chronotile.protocols.site.landing.routes import routes as landing_routes
from chronotile.protocols.site.layers.routes import routes as layer_routes
from chronotile.protocols.site.openapi.routes import routes as openapi_routes
from chronotile.protocols.site.ops.routes import StateCollector, operations_of
from chronotile.protocols.site.ops.siblings import LOGGED_FINDINGS, Siblings
from chronotile.protocols.site.viewer.routes import routes as viewer_routes
from chronotile.protocols.timeseries.routes import routes as series_routes
from chronotile.protocols.wcs.routes import routes as wcs_routes
from chronotile.protocols.wps.routes import routes as wps_routes
from chronotile.readers.bisect_damage import FailingDates
from chronotile.readers.caches.block_cache import BlockCache, SharedBlockMemory
from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.caches.disk import DiskCache, RecordsInFolder
from chronotile.readers.elsewhere import OPENING_S, START_S
from chronotile.readers.mosaic.overview_files import OverviewFiles
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches

SHARES = "shares"
"""Folder of shares of valid pixels, in that of previews."""
WAYS: Mapping[str, Mapping[str, Any]] = {
    # A viewer requests a dozen cubes at once and shows older pictures until they arrive; a client of tiles has none.
    "cubes": {"niceness": 10, "patience_s": 15.0, "usual_s": 0.05},
    "coverages": {"patience_s": 30.0, "usual_s": 1.0},
    # One takes a second, or many if each pixel is transformed; tiles have priority.
    "large_pictures": {"niceness": 10, "patience_s": 30.0, "usual_s": 1.0},
    # One takes milliseconds to seconds: it gives way to tiles and to refusals. If too many were admitted, the last are
    # refused once that is measured.
    "areas": {"niceness": 10, "usual_s": 0.04},
    # One second more matters little to clients of animations, but much to those of tiles.
    "animations": {"niceness": 10, "patience_s": 30.0, "usual_s": 2.0},
    # A process is started for each, which takes half a second or more of a core.
    "uploads": {"niceness": 10, "patience_s": 30.0, "usual_s": 0.5},
    # A client that submits a job waits only for the job's address.
    "plans": {"niceness": 10, "patience_s": 30.0, "usual_s": 0.5},
    "executions": {"niceness": 10, "patience_s": 30.0, "usual_s": 5.0},
    # Programs request many at once, and fail where one is refused; tiles have priority.
    "chunks": {"niceness": 10, "patience_s": 30.0, "usual_s": 0.01},
    # Capabilities of many layers take a second, once.
    "documents": {"patience_s": 10.0},
    # Most take milliseconds; of those that compare many footprints one takes seconds.
    "searches": {"patience_s": 10.0, "usual_s": 0.01},
    "lookups": {"patience_s": 10.0, "usual_s": 0.002},
    # Parts of files that clients wait for anyway.
    "downloads": {"patience_s": 30.0, "usual_s": 0.002},
    # A page requests dozens at once and breaks where one is refused; each takes a thousandth of a second.
    "files": {"patience_s": 30.0, "usual_s": 0.001},
}
"""How kinds of work differ from quick ones: niceness, and what `Limiter` takes of waiting."""
READING = (
    *("pictures", "large_pictures", "series", "areas", "coverages", "chunks", "cubes", "animations"),
    *("plans", "executions", "downloads", "searches"),
)
"""Limiters of work that reads sources. Work that reads one on another machine passes a second limiter of the same kind,
with threads of its own: those that hang there take none from what is read here."""
ELSEWHERE = 2
"""Times as many threads as the first limiter has, of which work for one host may hold a quarter."""
THREADS: Mapping[str, int] = {
    **dict.fromkeys(("pictures", "series", "areas", "chunks", "downloads", "fetches"), 8),
    **dict.fromkeys(("results", "searches"), 4),
    **dict.fromkeys(("large_pictures", "coverages", "plans", "executions", "jobs", "documents", "lookups"), 2),
    **dict.fromkeys(("cubes", "animations", "uploads", "files", "readiness", "metrics"), 1),
}
"""By limiter."""
KEPT_CUBE = ".cube"
"""End of the names of cached cube tiles."""
NO_CONFIGURATION = (
    "name a folder or file of data (chronotile serve FOLDER) or another configuration; "
    "without any of your own: chronotile demo"
)
HINTS = (
    *(
        (root, "DHuS is not offered; items are searched at /opensearch, and by CDSE's OData v4 at /odata/v1")
        for root in ("/dhus", "/apihub", "/search")
    ),
    ("/odata", "of OData there is that of CDSE, version 4, at /odata/v1; that of DHuS is not offered"),
    ("/tiles", "a tile is at /tiles/{layer}/{tileMatrixSet}/{z}/{x}/{y}.png; the sets are at /ogcapi/tileMatrixSets"),
    ("/cog", "it opens files below the places that an operator names in CHRONOTILE_COG_PREFIXES, here none"),
    ("/wfs", "WFS is not offered; OGC API Features has the same features, at /ogcapi/collections"),
    *((root, "each service has its own address: /wms, /wmts, /wcs, /wps, /ogcapi") for root in ("/ows", "/geoserver")),
    ("/csw", "CSW is not offered; OGC API Records has the same records, at /ogcapi/collections/_items/items"),
    ("/opensearch", "the description of the search is at /opensearch"),
    ("/wps", "WPS is at /wps?SERVICE=WPS&REQUEST=GetCapabilities"),
    ("/timeseries", "see /docs for the paths below /timeseries"),
    ("/ogcapi", "see /ogcapi/openapi?f=html for the paths below /ogcapi"),
    ("/wcs", "WCS is at /wcs?SERVICE=WCS&REQUEST=GetCapabilities"),
)
"""By the beginning of a path: where else to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How an application serves its services."""

    threads: Mapping[str, int] = field(default_factory=dict)
    """How many threads limiters may hold at once, by name, where not as many as in `THREADS`."""
    quick_slots: int = 8
    """Of `pictures`, of `series` and of `areas`, how many quick calls run at once."""
    viewer: Path | None = None
    """The folder of the viewer's files, if there is one."""
    clients: ClientPackages = field(default_factory=ClientPackages)
    """Packages of clients that are given away."""
    trusted_proxies: Collection[str] = ()
    """Addresses and networks whose X-Forwarded-* headers are believed; `*` means all."""
    upkeep: Upkeep | None = None
    """Keeps the services current while the application runs; without it they stay as they are."""
    cog_places: Sequence[str] = ()
    """Below which `/cog` may open files; it is there only if there are some."""
    sld_prefixes: Sequence[str] = ()
    """URLs below which WMS may fetch the documents that SLD names; without any it fetches none."""
    input_prefixes: Sequence[str] = ()
    """URLs below which inputs of processes may lie; without any none is fetched."""
    subscriber_prefixes: Sequence[str] = ()
    """URLs below which subscribers may be notified of jobs; without any they are refused."""
    downloads: int = MOST_DOWNLOADS
    """Of products that run at once."""
    client_downloads: int = MAX_CLIENT_DOWNLOADS
    """Of these, of one address."""
    items: ItemWriter | None = None
    """Writes items for programs that show the token; without it none may."""
    fill: BackgroundFill | None = None
    """Fills the index of collections that lack it while the application runs."""
    webhooks: WebhookSender | None = None
    """Sends changes of items to webhooks while the application runs; without it another process does, or none."""
    siblings: Siblings | None = None
    """The other workers, where `/metrics` describes all."""
    keys: Callable[[], Keys] | None = None
    """Opens the table of API keys, where `access` is configured; without it there are none."""
    sessions: Callable[[], Sessions] | None = None
    """Opens that of sessions, where users sign in."""
    client_secret: str | None = None
    """Of the client by which they do."""
    ledger: Callable[[], Ledger] | None = None
    """Opens the tables of usage and quotas, where `access` is configured; without it nothing is counted."""
    shares: Path | None = None
    """The folder in which shares of valid pixels are stored; otherwise they are in memory alone."""
    jobs: JobService = field(default_factory=lambda: JobService(None, archive=""))
    """Takes jobs, closed when the application shuts down; by default processes run only while a client waits."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many threads each limiter may hold at once."""
        return {**THREADS, **self.threads}

    def limiters(self) -> tuple[Limiters, dict[str, Limiter]]:
        """Return limiters, which belong to the running event loop, and those of work elsewhere by their names."""
        counts = self.counts
        quick = {name: {"quick_slots": self.quick_slots} for name in ("pictures", "series", "areas")}
        ways = {name: {**WAYS.get(name, {}), **quick.get(name, {})} for name in counts}
        shown = {name: name.replace("_", " ") for name in counts}  # in messages and metrics
        here = {name: Limiter(shown[name], count, **ways[name]) for name, count in counts.items()}
        elsewhere = {
            shown[name]: Limiter(f"{shown[name]} elsewhere", ELSEWHERE * counts[name], **ways[name]) for name in READING
        }
        return Limiters(**here), elsewhere


def application(services: Services, options: ServerOptions | None = None) -> Starlette:
    """Return the application that serves `services`, which are closed when it shuts down.

    Raises:
        ConfigurationError: One of `cog_places` or of the prefixes is not a place, or TiTiler is not installed.
    """
    options = options or ServerOptions()
    service, registry = services.catalogue.service, CollectorRegistry()
    keys, sessions = KeyCache(options.keys), SessionCache(options.sessions)
    accounts = Accounts(options.ledger)
    input_places = web_places(options.input_prefixes, setting="CHRONOTILE_INPUT_PREFIXES")
    subscriber_places = web_places(options.subscriber_prefixes, setting=SUBSCRIBER_SETTING)
    cogs = cog_routes(
        options.cog_places, max_pixels=services.catalogue.limits.max_pixels, threads=options.counts["pictures"]
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        limiters, elsewhere = options.limiters()
        state = app.state.chronotile = ServerState(
            live=FixedServices(services) if options.upkeep is None else options.upkeep.live,
            limiters=limiters,
            elsewhere=elsewhere,
            previews=services.reader_caches.previews,
            valid_shares=ValidShares(options.shares),
            jobs=options.jobs,
            input_places=input_places,
            subscriber_places=subscriber_places,
            downloads=DownloadSlots(options.downloads, options.client_downloads),
            items=options.items,
            webhooks=None if options.webhooks is None else options.webhooks.counts,
            viewer=ViewerFolder(options.viewer),
            clients=options.clients,
            bodies=BodyMemory(services.memory),
        )
        registry.register(StateCollector(state))
        async with accounts.running(state), _running(state, options, registry):
            yield {UNSENT: UnsentAnswers(services.memory)}
        await anyio.to_thread.run_sync(keys.close)
        await anyio.to_thread.run_sync(sessions.close)

    app = Starlette(
        routes=[
            *(*tile_routes, *cube_routes, *zarr_routes, *animation_routes, *series_routes),
            *(*odata_routes, *opensearch_routes),
            *wms_routes(service.wms_paths, sld_prefixes=options.sld_prefixes),
            *wmts_routes(service.wmts_paths),
            *(*wcs_routes, *wps_routes),
            *(*item_routes, *change_routes, *stac_routes, *layer_routes, *product_routes, *place_routes),
            *(*ogcapi_routes, *landing_routes, *openapi_routes, *viewer_routes),
            *routes_of(operations_of(registry, options.siblings)),
            *SignIn(sessions, secret=options.client_secret).routes,
            usage_route(accounts),
            *cogs,
        ],
        lifespan=lifespan,
        middleware=[
            Middleware(Forwarded, trusted=options.trusted_proxies),
            Middleware(RequestLog, registry=registry),
            Middleware(ReplayMiddleware, gate=partial(AccessGate, keys=keys, sessions=sessions, accounts=accounts)),
            Middleware(Metering),
            Middleware(Guard),
        ],
        exception_handlers={HTTPException: _http_fault},
    )
    app.router.middleware_stack = PathRouter(app.router)
    return app


@asynccontextmanager
async def _running(state: ServerState, options: ServerOptions, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Run what works beside the requests; close all that the application holds at the end."""
    # Threads in which FastAPI runs /cog (local and remote files) and which other work of the application uses: 40 by
    # default, in each of which PROJ opens a database of 1.5 MB.
    of_default = (2 if options.cog_places else 1) * options.counts["pictures"]
    anyio.to_thread.current_default_thread_limiter().total_tokens = of_default
    previews, upkeep = state.previews, options.upkeep
    overviews = state.services.reader_caches.overviews
    for maker in (previews, overviews):
        if maker is not None:
            maker.start()
    shared = None if options.siblings is None else await options.siblings.tell(registry)
    beside = [each for each in (options.fill, options.webhooks) if each is not None]
    for each in beside:
        each.start()
    async with anyio.create_task_group() as tasks:
        for work in () if upkeep is None else (upkeep.renew, upkeep.follow_elsewhere, upkeep.tidy, upkeep.prepare):
            tasks.start_soon(work)
        yield
        tasks.cancel_scope.cancel()
        if upkeep is not None:
            upkeep.live.is_ending = True
    state.services.elsewhere.close()
    if shared is not None:
        shared.close()
    for maker in (previews, overviews):
        if maker is not None:
            await anyio.to_thread.run_sync(maker.close)
    for each in beside:
        await anyio.to_thread.run_sync(each.close)
    await anyio.to_thread.run_sync(state.valid_shares.close)
    await anyio.to_thread.run_sync(state.jobs.close)
    state.services.close()
    await anyio.to_thread.run_sync(state.services.reader_caches.close)


def create_app(settings: Settings, *, siblings: Siblings | None = None, memory: int | None = None) -> Starlette:
    """Return the application that serves what `settings.config` says.

    Args:
        settings: How the process runs.
        siblings: The other workers, where `/metrics` has those of all.
        memory: Descriptor of the memory in which all of them keep decoded blocks.

    Raises:
        ConfigurationError: With all mistakes of the configuration and the styles; or nothing of it can be served.
    """
    archive = open_configured(settings, memory=memory, patience_s=START_S, has_previews=True)
    finding_log = None
    if siblings is None:
        finding_log = FindingLog()
    elif siblings.number == 0:  # one of the workers logs what is found of the archive: all of them find the same
        # In a folder: who takes the place of a worker goes on where that one was.
        finding_log = FindingLog(RecordsInFolder(siblings.folder / LOGGED_FINDINGS))
    if finding_log is not None:
        finding_log.tell(archive.findings)
    if siblings is not None:
        shared = FailingDates(RecordsInFolder(siblings.folder / "failing-dates"))
        axes = ServedAxes(RecordsInFolder(siblings.folder / "served-axes"))
        archive = replace(archive, services=replace(archive.services, failing_dates=shared, served_axes=axes))
    return serving(archive, settings, siblings=siblings, finding_log=finding_log)


def open_configured(
    settings: Settings,
    *,
    progress: Progress | None = None,
    memory: int | None = None,
    patience_s: float = OPENING_S,
    has_previews: bool = False,
) -> Archive:
    """Return what `settings.config` names, opened by readers and with caches that keep as much as the settings say.

    Args:
        settings: How the process runs.
        progress: Called with the progress of sources.
        memory: As `create_app` takes it.
        patience_s: How long sources on other machines are waited for.
        has_previews: Whether there are previews, and blocks of files elsewhere on disk, as a server has them.

    Raises:
        ConfigurationError: With all mistakes of the configuration and the styles; or nothing of it can be served.
    """
    if settings.config == DEFAULT_CONFIGURATION and not settings.config.exists():
        raise ConfigurationError([f"{settings.config} cannot be read: there is no such file; {NO_CONFIGURATION}"])
    places = AllowedPlaces(settings.source_places, setting=SOURCE_SETTING)
    share_one_heap()  # before the first thread begins
    shares = settings.cache_shares(this_machine())
    blocks = None
    if memory is not None:
        blocks = BlockCache(SharedBlockMemory(os.fstat(memory).st_size, memory), sharers=settings.workers or 1)
    has_disk_caches = has_previews and settings.disk_cache_bytes > 0
    previews = Previews(*settings.disk_cache("previews")) if has_disk_caches else None
    overviews = OverviewFiles(*settings.disk_cache("mosaics")) if has_disk_caches else None
    archive = open_archive(
        settings.config,
        environment=os.environ,
        clock=system_clock,
        progress=progress,
        patience_s=patience_s,
        caches=ReaderCaches(
            shares.pixels,
            blocks=blocks,
            previews=previews,
            items=partial(item_index, settings),
            places=places,
            overviews=overviews,
            byte_blocks=ByteBlocks(*settings.disk_cache("blocks")) if has_disk_caches else None,
        ),
    )
    cubes = DiskCache(*settings.disk_cache("cubes"), end=KEPT_CUBE) if settings.disk_cache_bytes else None
    written = None if settings.cube_files is None else PrebuiltCubeTiles(settings.cube_files)
    caches = make_caches(
        payload_bytes=shares.payloads, plan_bytes=shares.plans, cube_files=cubes, written_cubes=written
    )
    memory_of_answers = AnswerMemory(ANSWER_BYTES, on_end=give_back_freed_memory)
    services = replace(
        archive.services, caches=caches, memory=memory_of_answers, published_cubes=_published_cubes(settings)
    )
    return replace(archive, services=services)


def item_index(settings: Settings) -> ItemIndex:
    """Return the index of items of the archive that `settings.config` names.

    Raises:
        ConfigurationError: Its database cannot be used.
        SourceUnavailable: Its database is out of reach.
    """
    return index_opener(settings)()


def index_opener(settings: Settings) -> Callable[[], ItemIndex]:
    """Return what opens that index, on any machine that sees the same database.

    Raises:
        ConfigurationError: The configuration cannot be read.
    """
    id_ = archive_id_at(settings.config, environment=os.environ)
    return partial(open_items, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_)


def index_store(settings: Settings) -> IndexStore:
    """Return the index of items with what passes over its sources have seen; errors are those of `item_index`."""
    id_ = archive_id_at(settings.config, environment=os.environ)
    items = item_index(settings)  # first: a damaged index is begun again when it is opened
    return IndexStore(items=items, passes=open_passes(settings.database_url, settings.jobs_folder(id_), archive=id_))


def source_access(settings: Settings) -> SourceAccess:
    """Return what sources of items are opened with.

    Raises:
        ConfigurationError: A prefix is none.
    """
    return SourceAccess(prefixes=AllowedPlaces(settings.source_places, setting=SOURCE_SETTING), documents=Documents())


def _published_cubes(settings: Settings) -> PublishedCubes | None:
    folder = settings.jobs_cubes_dir
    return None if folder is None else PublishedCubes(folder=folder.absolute(), most_bytes=settings.jobs_cubes_bytes)


def serving(
    archive: Archive, settings: Settings, *, siblings: Siblings | None = None, finding_log: FindingLog | None = None
) -> Starlette:
    """Return the application that serves an open archive, with this process made ready for it.

    Args:
        archive: What is served first.
        settings: How the process runs.
        siblings: The other workers, if there are any.
        finding_log: Logs what is found at each reload; without one another worker does.
    """
    is_logged = finding_log is not None  # by one of several workers
    id_ = id_of_open(archive, settings.config, is_shared=is_logged and settings.database_url is not None)
    keep_freed_memory()
    allow_open_files()
    archive = replace(archive, services=replace(archive.services, live_items=_live_collections(lambda: live, settings)))
    live = LiveArchive(archive, settings.config, finding_log=finding_log, is_logged=is_logged)
    options = ServerOptions(
        threads=settings.threads,
        quick_slots=settings.quick_slots_on(this_machine()),
        viewer=find_viewer(),
        clients=find_client_packages(),
        trusted_proxies=settings.trusted_proxies,
        upkeep=Upkeep(live, watch_s=settings.watch_s),
        cog_places=settings.cog_places,
        sld_prefixes=settings.sld_places,
        input_prefixes=settings.input_places,
        subscriber_prefixes=settings.subscriber_places,
        downloads=settings.downloads,
        client_downloads=settings.client_downloads,
        items=ItemWriter(
            tokens=settings.write_tokens,
            specs=lambda: live.archive.specs,
            items=lambda: cast(ItemIndex | None, live.archive.services.reader_caches.items),
            prefixes=AllowedPlaces(settings.source_places, setting=SOURCE_SETTING),
        ),
        fill=BackgroundFill(
            lambda: _written_specs(live.archive),
            source_access(settings),
            partial(index_store, settings),
            dates=DatedCollections(lambda: live.archive) if is_logged else tuple,  # by one of several workers
        ),
        webhooks=_webhook_sender(live, settings, id_) if is_logged else None,
        siblings=siblings,
        keys=partial(open_keys, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_),
        sessions=partial(open_sessions, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_),
        client_secret=settings.client_secret,
        ledger=partial(Ledger, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_),
        shares=settings.disk_cache("previews")[0] / SHARES if settings.disk_cache_bytes else None,
        jobs=JobService(
            settings.jobs_folder(id_),
            archive=id_,
            database_url=settings.database_url,
            most_open=settings.most_open_jobs,
            bucket=open_bucket(settings.jobs_results_url, patience_s=PATIENCE_S),
        ),
    )
    return application(archive.services, options)


def _live_collections(live: Callable[[], LiveArchive], settings: Settings) -> LiveCollections:
    return LiveCollections(
        lambda: live().archive.specs,
        lambda: cast(ItemIndex | None, live().services.reader_caches.items),
        source_access(settings),
    )


def _webhook_sender(live: LiveArchive, settings: Settings, archive: str) -> WebhookSender:
    return WebhookSender(
        lambda: live.services,
        partial(open_positions, settings.database_url, settings.jobs_folder(archive).absolute(), archive=archive),
        places=web_places(settings.subscriber_places, setting=SUBSCRIBER_SETTING),
        write=event_message,
    )


def _written_specs(archive: Archive) -> list[SourceSpec]:
    # The collections of items as they are written: `chronotile index` takes those for the same source.
    return [each for each in source_specs(archive.configuration, archive.state.styles).values() if each.items]


async def _http_fault(request: Request, error: Exception) -> Response:
    """What no route answers: an unknown path, or a method that a path does not take."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    path: str = request.scope["path"]
    hint = next((f"; {words}" for root, words in HINTS if path.startswith(root)), "")
    fault: ChronotileError = UnknownPath(f"there is nothing at {path[:200]!r}{hint}")
    headers = dict((error.headers if isinstance(error, HTTPException) else None) or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted({*headers["Allow"].split(", "), *_methods_at(request)}))
    if status != fault.status:
        accepted = headers.get("Allow")
        fault = ChronotileError(f"{request.method} is not accepted here{f'; use {accepted}' if accepted else ''}")
        fault.status = status
    is_odata = path == ODATA or path.startswith(f"{ODATA}/")
    response = add_error_caching((odata_fault if is_odata else problem_response)(fault, request))
    response.headers.update(headers)
    return response


def _methods_at(request: Request) -> set[str]:
    # The methods of all routes of a path: Starlette names those of the first alone.
    matching = (each for each in request.app.routes if each.matches(request.scope)[0] is not Match.NONE)
    return {method for each in matching for method in getattr(each, "methods", None) or ()}
