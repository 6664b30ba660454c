"""Processor time of searches within one process, without sockets."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from benchmarks.catalogue.archive import Archive
from benchmarks.catalogue.queries import Body, post
from benchmarks.figures import median, percentile
from benchmarks.load.exchange import Ask
from chronotile.app.application import serving
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from chronotile.pipeline.search.search_items import search_items
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.stac.context import StacContext
from chronotile.protocols.catalogue.stac.item_pages import PostedPageLinks, page_of
from chronotile.protocols.catalogue.stac.params import search_of_members

PATH = "/stac/search"
WARM = 20


def processor_times(
    archive: Archive, bodies: Sequence[Body], pages: Mapping[str, Sequence[Body]]
) -> dict[str, dict[str, float]]:
    """Return milliseconds of processor time of the operation, of the operation with documents, and of the application.

    Args:
        archive: An archive with a filled index.
        bodies: Bodies of searches; the first ones warm up.
        pages: Bodies of other searches by name, for the operation with documents.
    """
    settings = Settings(
        config=archive.configuration,
        jobs_dir=archive.made.folder,
        database_url=archive.made.postgresql,
        watch_s=0,
        log_level="warning",
    )
    opened = open_configured(settings)
    services = opened.services
    context = StacContext(services=services, base="http://localhost", language="en")
    links = PostedPageLinks(context, f"http://localhost{PATH}")

    def page(body: Body) -> object:
        return page_of(search_of_members(body), context, links)

    return {
        "verb": _of_calls(lambda body: _found(body, services), bodies),
        "verb_with_documents": _of_calls(page, bodies),
        **{name: _of_calls(page, each) for name, each in pages.items()},
        "application": asyncio.run(_of_application(serving(opened, settings), bodies)),
    }


def _found(body: Body, services: Services) -> int:
    return len(search_items(search_of_members(body).items, services).items)


def _of_calls(call: Callable[[Body], object], bodies: Sequence[Body]) -> dict[str, float]:
    for body in bodies[:WARM]:
        call(body)
    taken = []
    for body in bodies:
        began = time.thread_time()
        call(body)
        taken.append((time.thread_time() - began) * 1000)
    return _summary(taken)


async def _of_application(app: Any, bodies: Sequence[Body]) -> dict[str, float]:  # noqa: ANN401 -- Starlette's own
    taken = []
    async with app.router.lifespan_context(app) as state:
        for number, body in enumerate([*bodies[:WARM], *bodies]):
            ask = post(PATH, body)
            began = time.process_time()  # of all threads
            await _answer(app, ask, state)
            if number >= WARM:
                taken.append((time.process_time() - began) * 1000)
    return _summary(taken)


async def _answer(app: Any, ask: Ask, state: Mapping[str, Any]) -> None:  # noqa: ANN401 -- Starlette's own
    headers = {"host": "localhost", "content-length": str(len(ask.body)), **ask.headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": ask.method,
        "scheme": "http",
        "path": ask.path,
        "raw_path": ask.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "state": dict(state),
    }
    messages = iter([{"type": "http.request", "body": ask.body, "more_body": False}])
    statuses = []

    async def receive() -> Mapping[str, Any]:
        message = next(messages, None)
        if message is None:  # a second message would be the client's disconnect, which does not happen
            await anyio.sleep_forever()
            raise AssertionError
        return message

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    if statuses != [200]:
        raise RuntimeError(f"a search is answered with {statuses}")


def _summary(taken: Sequence[float]) -> dict[str, float]:
    return {"median_ms": round(median(taken), 2), "p95_ms": round(percentile(taken, 95), 2)}
