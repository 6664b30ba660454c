"""Applications that are fuzzed."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import anyio.to_thread
from affine import Affine
from starlette.applications import Starlette

from chronotile.app.application import ServerOptions, application
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import IndexSettings
from chronotile.core.model.job import Job, JobFault
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.queue.service import JobService
from chronotile.pipeline.services import Services
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.places import make_places
from tests.protocols import served
from tests.protocols.asgi import CLIENT, ask
from tests.protocols.catalogue.stac.documents import scene
from tests.protocols.fuzzing.judging import Answer, faults_of, faults_of_head
from tests.protocols.fuzzing.request import Request, parse
from tests.protocols.fuzzing.valid import COG, JOB
from tests.scenes import Scene, write_tif

VIEWER = Path(__file__).parents[3] / "viewer"
ECHO = "/ogcapi/processes/echo/execution"
ACCEPTED = (("content-type", b"application/json"), ("prefer", b"respond-async"))


@dataclass
class Site:
    """A running application, with a file for `/cog` and a finished job."""

    app: Starlette
    services: Services
    desk: JobService
    cog: Path
    secrets: tuple[str, ...]
    """Folders of its data."""
    job: str = "0"
    """Id of the finished job."""

    def resolved(self, request: Request) -> Request:
        """Return the request with the values of `JOB` and `COG`."""
        segments = tuple(self.job if each == JOB else each for each in request.segments)
        stand_for = {JOB: self.job, COG: str(self.cog)}
        pairs = tuple((name, stand_for.get(value, value)) for name, value in request.pairs)
        return replace(request, segments=segments, pairs=pairs)

    async def send(self, request: Request) -> Answer:
        """Return the answer to a request as `resolved` has it."""
        return await send(self.app, self.resolved(request))

    async def do_job(self) -> None:
        """Create a job and run it."""
        accepted = await self.send(replace(parse(ECHO), headers=ACCEPTED, body=b'{"inputs": {"string": "a"}}'))
        assert accepted.status == 201, accepted.body
        self.job = accepted.headers["location"].rpartition("/")[2].partition("?")[0]
        await anyio.to_thread.run_sync(self._do_next)

    def _do_next(self) -> None:
        """Run the oldest job as a worker would; earlier jobs, which no test intended, fail."""
        table = self.desk.table
        while True:
            job = table.claim("fuzz", lease_s=60)
            assert job is not None
            if job.id == self.job:
                break
            table.fail(job.id, "fuzz", JobFault(type="about:blank", title="Not Done", detail="not done", status=503))
        do_claimed(job, self.desk, self.services, owner="fuzz")


@dataclass
class Findings:
    """Statuses, faults and times of the requests."""

    faults: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    """Number of answers by protocol and status."""
    slowest: list[tuple[float, str]] = field(default_factory=list)
    """Seconds and request of the slowest answers."""
    heads: int = 0
    """Number of requests repeated as HEAD."""

    def add(self, request: Request, answer: Answer, faults: Iterable[str]) -> None:
        """Record an answer."""
        self.statuses[f"{request.protocol} {answer.status}"] += 1
        self.faults += [f"{fault}\n    {request}" for fault in faults]
        self.slowest = sorted([*self.slowest, (answer.seconds, str(request))], reverse=True)[:8]


def do_claimed(job: Job, desk: JobService, services: Services, *, owner: str) -> None:
    """Run a job that `owner` has claimed, in this process."""
    folder = desk.result_files(job).folder
    folder.mkdir(parents=True)
    desk.table.succeed(job.id, owner, execute(desk.table.execution(job.id), services, folder))


def made_services() -> Services:
    """Return services over a layer of each kind, and over grids round the earth and round a pole."""
    world = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)
    pole = NativeGrid(crs=crs_of("EPSG:3031"), transform=Affine(25e3, 0, -3e6, 0, -25e3, 3e6), width=240, height=240)
    layers = [
        served.make_layer(name, collection=name, variable=served.make_variable(name, grid=grid))
        for name, grid in (("WORLD", world), ("POLE", pole))
    ]
    collections = (*served.varied_collections(), *map(served.make_collection, layers))
    return served.make_services(*collections, places=[make_places()], broken=["GONE"])


@cache
def made_index(folder: Path) -> ItemIndex:
    """Return an index with five scenes of `s2`."""
    index = open_items(None, folder, archive="a")
    index.configure("s2", IndexSettings())
    index.put("s2", [item_of(scene(f"a{day}", day=day, cloud=day), "https://scenes.test/") for day in range(1, 6)])
    return index


@asynccontextmanager
async def running(folder: Path, services: Services) -> AsyncIterator[Site]:
    """Give the running application over some services; a folder is for its jobs and a file.

    Proxies on this machine are believed, so that the headers of proxies are read.
    """
    if services.reader_caches.items is None:
        services = replace(services, reader_caches=ReaderCaches(items=partial(made_index, folder)))
    (folder / "cog").mkdir()
    scene = Scene(width=64, height=64)
    cog = write_tif(folder / "cog" / "a.tif", scene.numbers(0), scene, overviews=(2,))
    desk = JobService(folder / "jobs", archive="a", max_open=10_000)
    app = application(
        services, ServerOptions(jobs=desk, viewer=VIEWER, cog_places=[str(folder / "cog")], trusted_proxies=[CLIENT])
    )
    async with app.router.lifespan_context(app):
        site = Site(app, services, desk, cog, secrets=(str(folder),))
        await site.do_job()
        yield site


async def fuzz(site: Site, requests: Iterable[Request]) -> Findings:
    """Return the findings of the requests; every sixteenth GET is repeated as HEAD."""
    findings = Findings()
    for number, request in enumerate(requests):
        answer = await site.send(request)
        faults = faults_of(site.resolved(request), answer, secrets=site.secrets)
        if request.method == "GET" and number % 16 == 0 and request.protocol not in {"metrics", "health"}:
            findings.heads += 1
            head = await site.send(replace(request, method="HEAD"))
            if [*faults_of_head(answer, head)]:  # values such as valid fractions may have been computed since
                faults += faults_of_head(await site.send(request), head)
        findings.add(request, answer, faults)
        if request.method == "DELETE" and answer.status == 200:
            await site.do_job()
    return findings


async def send(app: Starlette, request: Request) -> Answer:
    """Return the application's answer; 599 stands for an exception that it lets out, and for none."""
    raw_path, raw_query = request.raw_path, request.raw_query
    return await ask(app, request.method, raw_path, raw_query, headers=request.headers, body=request.body)
