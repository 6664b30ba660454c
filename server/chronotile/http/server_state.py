"""The state of an application: its services, its limiters, and everything else that lasts as long as the server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.requests import HTTPConnection

from chronotile.archive.index.write import ItemWriter
from chronotile.core.web.places import AllowedPlaces
from chronotile.http.body_memory import BodyMemory
from chronotile.http.download_slots import DownloadSlots
from chronotile.http.limiter import Limiter
from chronotile.http.modified import ModifiedTimes
from chronotile.http.shipped_files import ClientPackages, ViewerFolder
from chronotile.jobs.queue.service import JobService
from chronotile.jobs.queue.webhooks.outbox import WebhookCounts
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.services import LiveServices, Services
from chronotile.pipeline.valid_shares import ValidShares
from chronotile.readers.raster.overviews.previews import Previews

DATABASE_WAIT_S = 1.0
"""Maximum wait for the database, shorter than workers wait for the metrics of each other."""


class Limiters(NamedTuple):
    """The limiters of all kinds of work. Requests of one kind never wait for threads of another."""

    pictures: Limiter
    large_pictures: Limiter
    """Maps with many pixels, which may take many seconds each."""
    series: Limiter
    """Series at points, and other requests for few numbers."""
    areas: Limiter
    """Series over areas; one takes as long as hundreds of points."""
    uploads: Limiter
    """Files of places that clients send; a process parses one at a time."""
    coverages: Limiter
    """Files with many numbers, which take seconds each."""
    chunks: Limiter
    """Chunks of layers as Zarr stores, requested by the dozen; low priority."""
    cubes: Limiter
    """Cube tiles; low priority."""
    animations: Limiter
    """Animations, one at a time; each takes seconds of a processor that pictures need."""
    plans: Limiter
    """Estimates and checks of executions before they start; seconds for many polygons."""
    executions: Limiter
    """Synchronous executions of processes, which may take many seconds each."""
    jobs: Limiter
    """Queries of the table of jobs, in a database that may be slow."""
    results: Limiter
    """Files of jobs, on a disk that may be slow or in a store that may hang."""
    documents: Limiter
    searches: Limiter
    """Searches of items, in a database that may be slow or in a remote catalogue that may hang."""
    lookups: Limiter
    """Lookups of one item or product by its id, in milliseconds, so that downloads do not wait for searches."""
    downloads: Limiter
    """Reads of parts of product files; no thread is taken while a part is sent."""
    fetches: Limiter
    """Inputs that requests give by a remote URL; each host has a quota, because it may hang."""
    files: Limiter
    """Files of the viewer: a page requests dozens at the same time, and breaks if one is refused."""
    readiness: Limiter
    metrics: Limiter
    """Separate from `documents`, which check all stores: operators need metrics while a store hangs."""


@dataclass(slots=True, kw_only=True)
class ServerState:
    """The services, limiters and counters of an application."""

    live: LiveServices
    limiters: Limiters
    remote_limiters: Mapping[str, Limiter] = field(default_factory=dict)
    """Limiters of work that reads remote sources, by the names of the limiters of local work."""
    previews: Previews | None = None
    """Previews of rasters without overviews; `None` if they are not made."""
    valid_shares: ValidShares = field(default_factory=lambda: ValidShares(None))
    jobs: JobService = field(default_factory=lambda: JobService(None, archive=""))
    input_places: AllowedPlaces = field(default_factory=AllowedPlaces)
    """Locations below which inputs of processes are accepted."""
    subscriber_places: AllowedPlaces = field(default_factory=AllowedPlaces)
    """Prefixes of accepted callback URLs of jobs."""
    viewer: ViewerFolder = field(default_factory=ViewerFolder)
    """Pages link to the viewer if its folder is complete."""
    clients: ClientPackages = field(default_factory=ClientPackages)
    bodies: BodyMemory = field(default_factory=BodyMemory)
    downloads: DownloadSlots = field(default_factory=DownloadSlots)
    items: ItemWriter | None = None
    """Writes items for authorized requests; `None` if items cannot be written."""
    modified: ModifiedTimes = field(default_factory=ModifiedTimes)
    """Modification times of documents that clients poll."""
    webhooks: WebhookCounts | None = None
    """Counts of sent events; `None` if this process sends none."""
    database_checks: BoundedChecks = field(default_factory=lambda: BoundedChecks(DATABASE_WAIT_S))
    """Bounds the time of a check of the database; checks never run concurrently."""

    @property
    def services(self) -> Services:
        """The current services; a reload replaces them as a whole."""
        return self.live.services

    def is_database_up(self) -> bool:
        """Return whether the database answers within `DATABASE_WAIT_S`; see `JobService.is_database_up`."""
        return self.database_checks.run("database", self.jobs.is_database_up, last_value=False)


def state_of(request: HTTPConnection) -> ServerState:
    """Return the state of the application that handles a request."""
    state: ServerState = request.app.state.chronotile
    return state
