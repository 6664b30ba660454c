"""Clients that load the local layer, and clients that request remote layers and check the pixels."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.elsewhere.result import Seen
from benchmarks.elsewhere.sources import LOCAL_DATES
from benchmarks.load.storm import HOST, storm
from benchmarks.pictures import decode
from benchmarks.soak.archive import day
from benchmarks.soak.asks import FIRST_COLUMN, FIRST_ROW, TILES, ZOOM

TILES_ELSEWHERE = tuple((FIRST_COLUMN + column, FIRST_ROW + row) for column, row in ((1, 1), (2, 1), (1, 2)))
LOCAL_CLIENTS = 4
PAUSE_S = 0.2
"""Between an answer and the next request for a layer elsewhere."""
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Reply:
    """A tile, or the answer instead of it."""

    status: int
    pixels: bytes
    """Empty without a picture."""
    retry_after: str | None
    seconds: float


def tile_path(layer: str, column: int, row: int, *, when: str = "2020-06-01") -> str:
    """Return the path of a tile."""
    return f"/tiles/{layer}/WebMercatorQuad/{ZOOM}/{column}/{row}.png?datetime={when}"


def local_paths() -> list[str]:
    """Return the paths of the tiles of the local layer, at each date."""
    return [
        tile_path("LOCAL", FIRST_COLUMN + column, FIRST_ROW + row, when=day(date))
        for date in range(LOCAL_DATES)
        for column in range(TILES)
        for row in range(TILES)
    ]


def load_local(port: int, seconds: float) -> tuple[list[float], dict[int, int]]:
    """Return latencies of local tiles under load in milliseconds, and the statuses; run it in a separate process."""
    with storm(port, local_paths(), clients=LOCAL_CLIENTS) as found:
        time.sleep(seconds)
    return found.milliseconds, dict(found.statuses)


def ask(port: int, path: str) -> Reply:
    """Return the answer; status 0 means that no answer came."""
    started = time.monotonic()
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return Reply(0, b"", None, time.monotonic() - started)
    finally:
        connection.close()
    pixels = decode(body).tobytes() if answer.headers.get_content_type() == "image/png" else b""
    return Reply(answer.status, pixels, answer.headers.get("Retry-After"), time.monotonic() - started)


def pixels_of(port: int, layer: str) -> list[bytes]:
    """Return the pixels of the requested tiles of remote layers.

    Raises:
        RuntimeError: A tile has no pixels.
    """
    found = [ask(port, tile_path(layer, *each)) for each in TILES_ELSEWHERE]
    if any(each.status != 200 for each in found):
        raise RuntimeError(f"{layer} is answered with {[each.status for each in found]}")
    return [each.pixels for each in found]


@contextmanager
def asking(port: int, expected: Mapping[str, Sequence[Sequence[bytes]]]) -> Iterator[dict[str, Seen]]:
    """Let one client per layer request its tiles until the block ends, and check the answers.

    Args:
        port: Port of the server.
        expected: The pixels of `TILES_ELSEWHERE` by layer and version; any version is correct.
    """
    ends = threading.Event()
    seen = {layer: Seen() for layer in expected}

    def one(layer: str) -> None:
        chance = random.Random(layer)
        while not ends.is_set():
            number = chance.randrange(len(TILES_ELSEWHERE))
            reply = ask(port, tile_path(layer, *TILES_ELSEWHERE[number]))
            _note(seen[layer], reply, [version[number] for version in expected[layer]])
            ends.wait(PAUSE_S)

    threads = [threading.Thread(target=one, args=(layer,), daemon=True) for layer in expected]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ends.set()
        for thread in threads:
            thread.join(TIMEOUT_S)


def _note(seen: Seen, reply: Reply, right: Sequence[bytes]) -> None:
    seen.slowest_s = max(seen.slowest_s, reply.seconds)
    if reply.status == 200 and reply.pixels in right:
        outcome = "right"
    elif reply.status == 503 and reply.retry_after is not None:
        outcome = "503 with Retry-After"
    elif reply.status == 404:
        outcome = "404"
    else:
        outcome = f"wrong ({reply.status})"
        seen.wrong.append("wrong pixels" if reply.status == 200 else f"status {reply.status}")
    seen.outcomes[outcome] += 1


def wait_until_right(port: int, layer: str, right: Sequence[bytes], *, within_s: float) -> float | None:
    """Return the seconds until all tiles of a layer have these pixels; `None` if they do not in time."""
    started = time.monotonic()

    def is_right() -> bool:
        replies = [ask(port, tile_path(layer, *each)) for each in TILES_ELSEWHERE]
        return [each.pixels for each in replies if each.status == 200] == list(right)

    return _until(is_right, started, within_s)


def _until(look: Callable[[], bool], started: float, within_s: float) -> float | None:
    while time.monotonic() - started < within_s:
        if look():
            return time.monotonic() - started
        time.sleep(PAUSE_S)
    return None
