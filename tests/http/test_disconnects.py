"""Work is notified when the client leaves."""

import asyncio
from dataclasses import replace

import anyio
import pytest
from starlette.requests import Request

from chronotile.app.application import application
from chronotile.http.disconnects import watch_connection
from chronotile.pipeline.caches import answer_memory
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from tests.protocols import served
from tests.running import PATIENCE_S


def test_work_ends_when_its_client_leaves():
    async def leave() -> list[bool]:
        messages: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        async with watch_connection(Request({"type": "http"}, messages.get)) as is_active:
            told = [is_active()]
            for kind in ("http.request", "http.disconnect"):
                await messages.put({"type": kind})
            for _ in range(5):  # give other tasks a turn
                await asyncio.sleep(0)
            return [*told, is_active()]

    assert asyncio.run(leave()) == [True, False]


def test_messages_without_end_leave_others_their_turn():
    async def answer() -> bool:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async with watch_connection(Request({"type": "http"}, receive)) as is_active:
            await asyncio.to_thread(lambda: None)
            return is_active()

    assert asyncio.run(answer())


BOX = "600000,5625000,610000,5635000"
MAPS = {
    "/wms": "SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:32631&FORMAT=image/png"
    f"&BBOX={BOX}&WIDTH=64&HEIGHT=64",
    "/ogcapi/collections/NDVI/map": f"bbox={BOX}&bbox-crs=EPSG:32631&crs=EPSG:32631&width=64&height=64&f=png",
}


@pytest.mark.parametrize("path", MAPS)
def test_map_that_waits_for_memory_is_dropped_when_its_client_leaves(monkeypatch, path):
    monkeypatch.setattr(answer_memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(answer_memory, "LOOK_S", 0.01)
    memory = AnswerMemory(16 << 20, patience_s=PATIENCE_S)
    statuses = list[int | None]()

    async def receive() -> dict[str, object]:
        if not memory.waiting:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        statuses.append(message.get("status"))

    async def ask() -> None:
        app = application(replace(served.make_services(), memory=memory))
        scope = {"type": "http", "method": "GET", "path": path, "query_string": MAPS[path].encode(), "headers": []}
        async with app.router.lifespan_context(app):
            await app({**scope, "http_version": "1.1", "scheme": "http", "server": ("x", 80)}, receive, send)

    with memory.taking(16 << 20, alternative=""):
        anyio.run(ask)

    assert statuses[0] == 499
    assert (memory.waiting, memory.refused) == (0, 0)
