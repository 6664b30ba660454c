"""The application: routes of all protocols, middleware and background work; nothing is read at import."""

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

from chronotile.access.accounts import Accounts, Ledger
from chronotile.access.gate import AccessGate
from chronotile.access.keys import KeyCache, Keys, open_keys
from chronotile.access.sessions import SessionCache, Sessions, open_sessions
from chronotile.access.signin import SignIn
from chronotile.access.usage_page import usage_route
from chronotile.app.configured_archive import index_store, open_configured, source_access
from chronotile.app.process_setup import allow_open_files, keep_freed_memory
from chronotile.app.settings import Settings
from chronotile.app.unknown_paths import answer_http_fault
from chronotile.app.upkeep import Upkeep
from chronotile.archive.archive_ids import id_of_open
from chronotile.archive.dated_collections import DatedCollections
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.index.background import BackgroundFill
from chronotile.archive.index.live.collections import LiveCollections
from chronotile.archive.index.write import ItemWriter
from chronotile.archive.live_archive import LiveArchive
from chronotile.archive.open import Archive
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.source_specs import source_specs
from chronotile.core.machine import this_machine
from chronotile.core.model.source import SourceSpec
from chronotile.core.web.item_places import SOURCE_SETTING
from chronotile.core.web.places import AllowedPlaces, web_places
from chronotile.http.body_memory import BodyMemory
from chronotile.http.download_slots import MAX_CLIENT_DOWNLOADS, MAX_DOWNLOADS, DownloadSlots
from chronotile.http.forwarded import Forwarded
from chronotile.http.guard import Guard
from chronotile.http.limiter import Limiter
from chronotile.http.meter import Metering
from chronotile.http.path_router import PathRouter
from chronotile.http.replay import ReplayMiddleware
from chronotile.http.request_log import RequestLog
from chronotile.http.server_state import Limiters, ServerState
from chronotile.http.shipped_files import ClientPackages, ViewerFolder, find_client_packages, find_viewer
from chronotile.http.unsent_answers import UNSENT_KEY, UnsentAnswers
from chronotile.jobs.queue.result_bucket import PATIENCE_S, open_bucket
from chronotile.jobs.queue.service import JobService
from chronotile.jobs.queue.webhooks.allowed import SUBSCRIBER_SETTING
from chronotile.jobs.queue.webhooks.positions import open_positions
from chronotile.jobs.queue.webhooks.sender import WebhookSender
from chronotile.pipeline.caches.served_axes import ServedAxes
from chronotile.pipeline.services import FixedServices, Services
from chronotile.pipeline.valid_shares import ValidShares
from chronotile.protocols.catalogue.changes.events import event_message
from chronotile.protocols.catalogue.changes.routes import routes as change_routes
from chronotile.protocols.catalogue.items.routes import routes as item_routes
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
from chronotile.protocols.site.ops.metrics import StateCollector
from chronotile.protocols.site.ops.routes import operations_of
from chronotile.protocols.site.ops.siblings import LOGGED_FINDINGS, Siblings
from chronotile.protocols.site.viewer.routes import routes as viewer_routes
from chronotile.protocols.timeseries.routes import routes as series_routes
from chronotile.protocols.wcs.routes import routes as wcs_routes
from chronotile.protocols.wps.routes import routes as wps_routes
from chronotile.readers.caches.records import RecordsInFolder
from chronotile.readers.elsewhere import START_S
from chronotile.readers.failing_dates import FailingDates

VALID_FRACTIONS = "shares"
"""Folder of the fractions of valid pixels, in the folder of previews."""

LIMITER_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    # A viewer requests a dozen cubes together and shows older pictures while it waits. Clients of tiles show nothing.
    "cubes": {"niceness": 10, "patience_s": 15.0, "usual_s": 0.05},
    "coverages": {"patience_s": 30.0, "usual_s": 1.0},
    # A second each, or many seconds if each pixel is transformed; tiles have priority.
    "large_pictures": {"niceness": 10, "patience_s": 30.0, "usual_s": 1.0},
    # Milliseconds to seconds each; tiles and refusals have priority. If too many are admitted, the last are refused
    # when the pace is measured.
    "areas": {"niceness": 10, "usual_s": 0.04},
    # A second more matters little for animations, but much for tiles.
    "animations": {"niceness": 10, "patience_s": 30.0, "usual_s": 2.0},
    # Each starts a process, which takes half a second of a core or more.
    "uploads": {"niceness": 10, "patience_s": 30.0, "usual_s": 0.5},
    # A client that submits a job waits for its address only.
    "plans": {"niceness": 10, "patience_s": 30.0, "usual_s": 0.5},
    "executions": {"niceness": 10, "patience_s": 30.0, "usual_s": 5.0},
    # Programs request many together, and fail if one is refused; tiles have priority.
    "chunks": {"niceness": 10, "patience_s": 30.0, "usual_s": 0.01},
    # Capabilities of many layers take a second, once.
    "documents": {"patience_s": 10.0},
    # Usually milliseconds; seconds if many footprints are compared.
    "searches": {"patience_s": 10.0, "usual_s": 0.01},
    "lookups": {"patience_s": 10.0, "usual_s": 0.002},
    # Parts of files; clients wait for the whole file anyway.
    "downloads": {"patience_s": 30.0, "usual_s": 0.002},
    # A page requests dozens together, and breaks if one is refused; a millisecond each.
    "files": {"patience_s": 30.0, "usual_s": 0.001},
}
"""Arguments of `Limiter` by kind of work, if they differ from the arguments for quick work."""

READING = (
    *("pictures", "large_pictures", "series", "areas", "coverages", "chunks", "cubes", "animations"),
    *("plans", "executions", "downloads", "searches"),
)
"""Limiters of work that reads sources. Each has a second limiter for remote sources, so that a host that hangs takes no
threads from local work."""

REMOTE_FACTOR = 2
"""Threads of a limiter of remote work per thread of local work; one host may take a quarter of them."""

THREADS: Mapping[str, int] = {
    **dict.fromkeys(("pictures", "series", "areas", "chunks", "downloads", "fetches"), 8),
    **dict.fromkeys(("results", "searches"), 4),
    **dict.fromkeys(("large_pictures", "coverages", "plans", "executions", "jobs", "documents", "lookups"), 2),
    **dict.fromkeys(("cubes", "animations", "uploads", "files", "readiness", "metrics"), 1),
}
"""Default number of threads by limiter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Options of an application."""

    threads: Mapping[str, int] = field(default_factory=dict)
    """Number of threads by limiter, if different from `THREADS`."""
    quick_slots: int = 8
    """Concurrent quick calls per limiter for `pictures`, `series` and `areas`."""
    viewer: Path | None = None
    """Folder of the viewer."""
    clients: ClientPackages = field(default_factory=ClientPackages)
    """Client packages for download."""
    trusted_proxies: Collection[str] = ()
    """Addresses and networks of proxies whose X-Forwarded-* headers are trusted; `*` means all."""
    upkeep: Upkeep | None = None
    """Reloads the services while the application runs; `None` keeps them unchanged."""
    cog_places: Sequence[str] = ()
    """Locations that contain the files which `/cog` may open; without any, `/cog` is missing."""
    sld_prefixes: Sequence[str] = ()
    """Prefixes of URLs of SLD documents that WMS may fetch; empty means none."""
    input_prefixes: Sequence[str] = ()
    """Prefixes of URLs of inputs that processes may fetch; empty means none."""
    subscriber_prefixes: Sequence[str] = ()
    """Prefixes of URLs that callbacks of jobs may have; empty means none."""
    downloads: int = MAX_DOWNLOADS
    """Concurrent downloads of products."""
    client_downloads: int = MAX_CLIENT_DOWNLOADS
    """Concurrent downloads per address."""
    items: ItemWriter | None = None
    """Writes items for authorized programs; `None` refuses them."""
    fill: BackgroundFill | None = None
    """Fills incomplete item indexes while the application runs."""
    webhooks: WebhookSender | None = None
    """Sends changes of items to webhooks; `None` if another process does, or none."""
    siblings: Siblings | None = None
    """The other workers, for the metrics of all."""
    keys: Callable[[], Keys] | None = None
    """Opens the table of API keys; `None` if the server has none."""
    sessions: Callable[[], Sessions] | None = None
    """Opens the table of sessions; `None` if users cannot sign in."""
    client_secret: str | None = None
    """Secret of this client at the identity provider; `None` for a public client."""
    ledger: Callable[[], Ledger] | None = None
    """Opens the tables of usage and quotas; `None` counts nothing."""
    shares: Path | None = None
    """Folder for fractions of valid pixels; `None` keeps them in memory only."""
    jobs: JobService = field(default_factory=lambda: JobService(None, archive=""))
    """Accepts jobs; by default processes run synchronously only."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of threads by limiter."""
        return {**THREADS, **self.threads}

    def limiters(self) -> tuple[Limiters, dict[str, Limiter]]:
        """Return the limiters, and the limiters of remote work by name; they belong to the running event loop."""
        counts = self.counts
        quick = {name: {"quick_slots": self.quick_slots} for name in ("pictures", "series", "areas")}
        arguments = {name: {**LIMITER_ARGUMENTS.get(name, {}), **quick.get(name, {})} for name in counts}
        labels = {name: name.replace("_", " ") for name in counts}  # names of limiters in messages and metrics
        local = {name: Limiter(labels[name], count, **arguments[name]) for name, count in counts.items()}
        remote = {
            labels[name]: Limiter(f"{labels[name]} elsewhere", REMOTE_FACTOR * counts[name], **arguments[name])
            for name in READING
        }
        return Limiters(**local), remote


def application(services: Services, options: ServerOptions | None = None) -> Starlette:
    """Return the application that serves `services` and closes them when it shuts down.

    Raises:
        ConfigurationError: A location or prefix in the options is invalid, or TiTiler is not installed.
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
        limiters, remote_limiters = options.limiters()
        state = app.state.chronotile = ServerState(
            live=FixedServices(services) if options.upkeep is None else options.upkeep.live,
            limiters=limiters,
            remote_limiters=remote_limiters,
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
        async with accounts.running(state), _run_background_work(state, options, registry):
            yield {UNSENT_KEY: UnsentAnswers(services.memory)}
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
        exception_handlers={HTTPException: answer_http_fault},
    )
    app.router.middleware_stack = PathRouter(app.router)
    return app


@asynccontextmanager
async def _run_background_work(
    state: ServerState, options: ServerOptions, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Run background work of the application, and close its resources at the end."""
    # Threads of FastAPI for /cog (local and remote files) and of background work. The default is 40; PROJ opens a
    # database of 1.5 MB in each.
    n_threads = (2 if options.cog_places else 1) * options.counts["pictures"]
    anyio.to_thread.current_default_thread_limiter().total_tokens = n_threads
    previews, upkeep = state.previews, options.upkeep
    overviews = state.services.reader_caches.overviews
    for maker in (previews, overviews):
        if maker is not None:
            maker.start()
    metrics_server = None if options.siblings is None else await options.siblings.serve_metrics(registry)
    background = [work for work in (options.fill, options.webhooks) if work is not None]
    for work in background:
        work.start()
    async with anyio.create_task_group() as tasks:
        for task in () if upkeep is None else (upkeep.renew, upkeep.follow_elsewhere, upkeep.tidy, upkeep.prepare):
            tasks.start_soon(task)
        yield
        tasks.cancel_scope.cancel()
        if upkeep is not None:
            upkeep.live.is_ending = True
    state.services.elsewhere.close()
    if metrics_server is not None:
        metrics_server.close()
    for maker in (previews, overviews):
        if maker is not None:
            await anyio.to_thread.run_sync(maker.close)
    for work in background:
        await anyio.to_thread.run_sync(work.close)
    await anyio.to_thread.run_sync(state.valid_shares.close)
    await anyio.to_thread.run_sync(state.jobs.close)
    state.services.close()
    await anyio.to_thread.run_sync(state.services.reader_caches.close)


def create_app(settings: Settings, *, siblings: Siblings | None = None, memory: int | None = None) -> Starlette:
    """Open the archive of `settings.config` and return the application that serves it.

    Args:
        settings: Settings of the process.
        siblings: The other workers, for the metrics of all.
        memory: Descriptor of the memory in which all workers store decoded blocks.

    Raises:
        ConfigurationError: All mistakes of the configuration and the styles; or no collection can be served.
    """
    archive = open_configured(settings, memory=memory, patience_s=START_S, has_previews=True)
    finding_log = None
    if siblings is None:
        finding_log = FindingLog()
    elif siblings.number == 0:  # all workers have the same findings, so only one logs them
        # In a folder, so that the replacement of a worker continues the log.
        finding_log = FindingLog(RecordsInFolder(siblings.folder / LOGGED_FINDINGS))
    if finding_log is not None:
        finding_log.log_new(archive.findings)
    if siblings is not None:
        failing_dates = FailingDates(RecordsInFolder(siblings.folder / "failing-dates"))
        axes = ServedAxes(RecordsInFolder(siblings.folder / "served-axes"))
        archive = replace(archive, services=replace(archive.services, failing_dates=failing_dates, served_axes=axes))
    return serving(archive, settings, siblings=siblings, finding_log=finding_log)


def serving(
    archive: Archive, settings: Settings, *, siblings: Siblings | None = None, finding_log: FindingLog | None = None
) -> Starlette:
    """Prepare this process and return the application that serves an open archive.

    Args:
        archive: The archive, until its first reload.
        settings: Settings of the process.
        siblings: The other workers.
        finding_log: Logs findings at each reload; `None` if another worker does.
    """
    is_logged = finding_log is not None  # true in one of several workers, which does the work of the archive
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
            lambda: _item_specs(live.archive),
            source_access(settings),
            partial(index_store, settings),
            dates=DatedCollections(lambda: live.archive) if is_logged else tuple,
        ),
        webhooks=_webhook_sender(live, settings, id_) if is_logged else None,
        siblings=siblings,
        keys=partial(open_keys, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_),
        sessions=partial(open_sessions, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_),
        client_secret=settings.client_secret,
        ledger=partial(Ledger, settings.database_url, settings.jobs_folder(id_).absolute(), archive=id_),
        shares=settings.disk_cache("previews")[0] / VALID_FRACTIONS if settings.disk_cache_bytes else None,
        jobs=JobService(
            settings.jobs_folder(id_),
            archive=id_,
            database_url=settings.database_url,
            max_open=settings.most_open_jobs,
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


def _item_specs(archive: Archive) -> list[SourceSpec]:
    # Specifications as configured: `chronotile index` identifies sources by them.
    return [spec for spec in source_specs(archive.configuration, archive.state.styles).values() if spec.items]
