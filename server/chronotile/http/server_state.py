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
from chronotile.pipeline.services import LiveServices, Services
from chronotile.pipeline.valid_share import ValidShares
from chronotile.readers.raster.overviews.previews import Previews


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
    input_places: AllowedPlaces = field(default_factory=AllowedPlaces)
    """Below which inputs of processes may lie."""
    subscriber_places: AllowedPlaces = field(default_factory=AllowedPlaces)
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
