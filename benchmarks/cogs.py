"""`python -m benchmarks.cogs`: COGs read by their block tables, compared with GDAL.

Measured: the time to decode a block; the time of a cold window of three files on a server that answers after 20 ms, in
milliseconds and in round trips; and one cell of a thousand files. All values are compared with GDAL's.
"""

import argparse
import asyncio
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.cog.block_decoding import decode_block
from chronotile.readers.cog.files import CogFile, open_cog
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.cog.source import CogReader, CogVariable
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.files import looks

SIDE_PX, BLOCK_PX = 2048, 512
DELAY_S = 0.02
FILES = 1000
AHEAD = 64
"""Number of files that are requested ahead of the first read."""
KINDS = (("uint8", 1), ("uint8", 2), ("uint16", 1), ("uint16", 2), ("int16", 2), ("float32", 1), ("float32", 3))
"""Types and predictors."""
WINDOW = Window(700, 1212, 700, 1212)
"""Window of two by two blocks."""

_RANGE = re.compile(rb"[Rr]ange: bytes=(\d+)-(\d+)")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        print("| block of 512 x 512, deflate | bytes | ours, µs of processor | GDAL |\n| --- | --- | --- | --- |")
        for dtype, predictor in KINDS:
            print(_decoding(write(folder / "a.tif", dtype, predictor), f"{dtype}, predictor {predictor}", rounds))
        paths = [write(folder / f"{name}.tif", "uint16", 2, seed) for seed, name in enumerate("abc")]
        with serving(folder) as (url, waits):
            print(f"\n| server that answers after {DELAY_S * 1000:g} ms | ms | of processor | requests |")
            print("| --- | --- | --- | --- |")
            _cold(paths, url, waits, rounds)
            _point(paths[0], url, waits)


def write(path: Path, dtype: str, predictor: int, seed: int = 0) -> Path:
    """Write a file of noisy hills as a COG."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] / 97
    hills = 3000 + 2000 * np.sin(rows) * np.cos(columns) + rng.normal(0, 60, (SIDE_PX, SIDE_PX))
    numbers = (hills / 40 if dtype == "uint8" else hills).astype(dtype)
    shape: dict[str, Any] = {"width": SIDE_PX, "height": SIDE_PX, "count": 1, "dtype": dtype}
    place = {"crs": "EPSG:32631", "transform": Affine(10, 0, 5e5, 0, -10, 5.7e6)}
    options: dict[str, Any] = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "compress": "deflate"}
    with rasterio.open(path, "w", driver="GTiff", predictor=predictor, **shape, **place, **options) as file:
        file.write(numbers, 1)
    return path


def _decoding(path: Path, name: str, rounds: int) -> str:
    """One line of the first table; reading out of the page cache included."""
    image = open_cog(str(path)).header.images[0]

    def ours() -> None:
        content = path.read_bytes()
        for offset, size in zip(image.offsets, image.sizes, strict=True):
            decode_block(content[offset : offset + size], image)

    def gdal() -> None:
        with rasterio.open(path) as file:
            file.read(1)

    times = {each: [_processor_s(each) for _ in range(rounds)] for each in (ours, gdal)}
    own, other = (min(times[each]) / image.sizes.size * 1e6 for each in (ours, gdal))
    return f"| {name} | {int(image.sizes.mean()):,} | {own:.0f} | {other:.0f} |"


def _processor_s(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _cold(paths: list[Path], url: str, waits: Connection, rounds: int) -> None:
    """Measure a window of three uncached files."""
    files = [_elsewhere(path, url) for path in paths]
    expected = [_window(path) for path in paths]

    def together(known: list[CogFile]) -> list[NDArray[Any]]:
        caches = ReaderCaches()
        readers = [CogReader("made", file, {"a": CogVariable()}, caches) for file in known]
        for reader in readers:
            reader.fetch_ahead("a", index=0, level=0, window=WINDOW)
        return [reader.read_window("a", index=0, level=0, window=WINDOW).numbers for reader in readers]

    def ours_unknown() -> list[NDArray[Any]]:
        return together([open_cog(file.href) for file in files])

    def gdal() -> list[NDArray[Any]]:
        looks.forget()
        readers = [open_source(_spec(file.href), ReaderCaches()) for file in files]
        return [reader.read_window("a", index=0, level=0, window=WINDOW).numbers for reader in readers]

    ways: dict[str, Callable[[], list[NDArray[Any]]]] = {
        "three files, headers cached": lambda: together(files),
        "three files, opened sequentially": ours_unknown,
        "three files by GDAL, opened sequentially": gdal,
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    requests = {}
    for _ in range(rounds):
        for name, read in ways.items():
            before = _count(waits)
            begun, worked = time.perf_counter(), time.process_time()
            found = read()
            times[name].append((time.perf_counter() - begun, time.process_time() - worked))
            requests[name] = _count(waits) - before
            if not all(np.array_equal(*pair) for pair in zip(found, expected, strict=True)):
                raise AssertionError(f"{name}: other numbers than GDAL's")
    for name in ways:
        took, work = (min(each) * 1000 for each in zip(*times[name], strict=True))
        print(f"| {name} | {took:.0f} | {work:.0f} | {requests[name]} |")


def _point(path: Path, url: str, waits: Connection) -> None:
    """One cell of a thousand files."""
    known = _elsewhere(path, url)
    caches = ReaderCaches()
    files = [replace(known, href=f"{known.href}?{number}") for number in range(FILES)]
    before = _count(waits)
    begun, worked = time.perf_counter(), time.process_time()
    readers = [CogReader("made", file, {"a": CogVariable()}, caches) for file in files]
    cell = Window.from_cell(900, 900)
    found = set[int]()
    for first in range(0, FILES, AHEAD):
        some = readers[first : first + AHEAD]
        for reader in some:
            reader.fetch_ahead("a", index=0, level=0, window=cell)
        found |= {int(reader.read_window("a", index=0, level=0, window=cell).numbers[0, 0]) for reader in some}
    took, work = time.perf_counter() - begun, time.process_time() - worked
    if found != {int(_window(path)[200, 200])}:
        raise AssertionError("a cell has other numbers than GDAL's")
    requests = _count(waits) - before
    print(f"| one cell of {FILES:,} files, headers cached | {took * 1000:.0f} | {work * 1000:.0f} | {requests} |")


def _window(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        place = rasterio.windows.Window(WINDOW.column_start, WINDOW.row_start, WINDOW.width, WINDOW.height)
        numbers: NDArray[Any] = file.read(1, window=place)
        return numbers


def _elsewhere(path: Path, url: str) -> CogFile:
    """A file at the server, with the header that the index has."""
    here = open_cog(str(path))
    header = CogHeader.from_bytes(here.header.to_bytes())
    return CogFile(href=f"{url}/{path.name}", header=header, tag='"a"', size=here.size)


def _spec(href: str) -> SourceSpec:
    return SourceSpec(collection="made", kind="cog", href=href, variables={"a": VariableSpec(id="a")}, files=(href,))


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Connection]]:
    """Serve files in parts by another process; yield its URL, and a function that returns the number of requests."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, there), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}", here
    finally:
        server.terminate()
        server.join()


def _count(waits: Connection) -> int:
    waits.send(None)
    return int(waits.recv())


def _serve(folder: Path, told: Connection) -> None:
    asyncio.run(_serve_parts({path.name: path.read_bytes() for path in folder.glob("*.tif")}, told))


async def _serve_parts(files: dict[str, bytes], told: Connection) -> None:
    count = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while request := await reader.readuntil(b"\r\n\r\n"):
            count += 1
            await asyncio.sleep(DELAY_S)
            name = request.split(b" ", 2)[1].decode().lstrip("/").partition("?")[0]
            asked = _RANGE.search(request)
            if name not in files or asked is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            first, size = int(asked[1]), len(files[name])
            last = min(int(asked[2]), size - 1)
            writer.write(
                b'HTTP/1.1 206 Partial Content\r\nETag: "a"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n'
                + f"Content-Range: bytes {first}-{last}/{size}\r\nContent-Length: {last - first + 1}\r\n\r\n".encode()
                + files[name][first : last + 1]
            )
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    told.send(server.sockets[0].getsockname()[1])
    while True:
        await asyncio.to_thread(told.recv)
        told.send(count)


if __name__ == "__main__":
    main()
