"""Work ends if its client disconnects: a real server, real sockets, and sources of many files."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest

from chronotile.app.application import application
from chronotile.core.model.raster import Pixels
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.readers.reader import Reader
from chronotile.readers.wrapping_reader import WrappingReader
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import PATIENCE_S, until

pytestmark = pytest.mark.slow

TIMES = domain_of_instants(np.datetime64("2020-01-01", "ns") + np.arange(400) * np.timedelta64(1, "D"))
BOX = "4.5,50.8,4.7,50.9"
POINTS = {"layers": ["NDVI"], "points": [[4.6, 50.85], [4.61, 50.86]]}
REQUESTS: dict[str, tuple[str, object]] = {
    "point": ("/timeseries/NDVI/point?lon=4.6&lat=50.85", None),
    "points": ("/timeseries/points", POINTS),
    "analysis": ("/timeseries/points?smooth=whittaker", POINTS),
    "area": (f"/timeseries/NDVI/area?bbox={BOX}", None),
    "terrascope": ("/timeseries/v1.0/ts/NDVI/point?lon=4.6&lat=50.85&startDate=2020-01-01&endDate=2021-12-31", None),
    "netcdf": (f"/ogcapi/collections/NDVI/coverage?f=NetCDF&bbox={BOX}", None),
    "geotiff": (f"/ogcapi/collections/NDVI/coverage?f=GTiff&bbox={BOX}", None),
    "scaled": (f"/ogcapi/collections/NDVI/coverage?f=GTiff&scale-factor=2&bbox={BOX}", None),
    "time-lapse": (f"/animations/NDVI.gif?bbox={BOX}&width=32&height=24&datetime=2020-01-01/2021-12-31", None),
    "mean map": (
        f"/ogcapi/collections/NDVI/map?bbox={BOX}&width=16&height=16&f=png&datetime=2020-01-01/2021-12-31&reducer=mean",
        None,
    ),
    "cube": ("/cubes/NDVI/WebMercatorQuad/11/1052/687.ctc?datetime=2020", None),
}


class Stepping(WrappingReader):
    """Reader of files: its first read waits for the test, and every read gives the server's event loop a turn."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, replace(reader.info, is_of_files=True))
        self.dates = 0
        self.has_started, self.may_go_on = threading.Event(), threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    def read_window(self, variable: str, *, index: int, **more: object) -> Pixels:
        self._step(1)
        return self._reader.read_window(variable, index=index, **more)

    def read_block(self, variable: str, *, indexes: list[int], **more: object) -> Pixels:
        self._step(len(indexes))
        return self._reader.read_block(variable, indexes=indexes, **more)

    def read_cell(self, variable: str, *, indexes: list[int], **more: object) -> Pixels:
        self._step(len(indexes))
        return self._reader.read_cell(variable, indexes=indexes, **more)

    def _step(self, dates: int) -> None:
        self.dates += dates
        self.has_started.set()
        assert self.may_go_on.wait(PATIENCE_S)
        for _ in range(8):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(PATIENCE_S)


class Site:
    """Server over a `Stepping` reader."""

    def __init__(self, reader: Stepping, address: str, is_idle: Callable[[], bool]) -> None:
        self.reader, self.address, self.is_idle = reader, address, is_idle

    def send(self, url: str, body: object) -> socket.socket:
        """Send a request; return its connection without reading the answer."""
        parts, text = urlsplit(self.address), b"" if body is None else json.dumps(body).encode()
        connection = socket.create_connection((parts.hostname, parts.port), PATIENCE_S)
        head = f"{'GET' if body is None else 'POST'} {url} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        length = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        connection.sendall(f"{head}{length}\r\n".encode() + text)
        return connection

    def dates_read(self, url: str, body: object, *, leaves: bool) -> int:
        """Return how many dates are read for a request whose client leaves, or reads the head of the answer."""
        self.reader.dates = 0
        self.reader.has_started.clear()
        self.reader.may_go_on.clear()
        with self.send(url, body) as connection:
            assert self.reader.has_started.wait(PATIENCE_S)
            connection.close() if leaves else None
            self.reader.may_go_on.set()
            leaves or connection.recv(1)
        until(self.is_idle)
        return self.reader.dates


@contextmanager
def serving() -> Iterator[Site]:
    services = served.make_services(
        served.make_collection(served.make_layer(variable=served.make_variable(times=TIMES)))
    )
    ((name, reader),) = services.readers.items()
    stepping = Stepping(reader)
    app = application(replace(services, readers={name: stepping}))

    async def with_loop(scope: dict[str, object], receive: object, send: object) -> None:
        stepping.loop = asyncio.get_running_loop()
        await app(scope, receive, send)

    def is_idle() -> bool:
        return not any(limiter.running or limiter.waiting for limiter in app.state.chronotile.limiters)

    with listening(with_loop) as address:
        yield Site(stepping, address, is_idle)


@pytest.mark.parametrize("name", REQUESTS)
def test_work_stops_soon_after_its_client_left(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A client that closed only its sending half looks the same until the server probes.
    monkeypatch.setattr("chronotile.http.wire.PROBE_S", 0.0)
    with serving() as site:
        left = site.dates_read(*REQUESTS[name], leaves=True)
        whole = site.dates_read(*REQUESTS[name], leaves=False)

    assert whole >= len(TIMES) * 0.9
    assert left <= whole / 1.5
