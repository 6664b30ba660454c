"""TiTiler: COG tiles, cubes by titiler.xarray, and its WMS extension, under uvicorn."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, Server
from benchmarks.pictures import RAMP
from benchmarks.places import Map, Point, Tile

TUNED = {
    "GDAL_CACHEMAX": "200",
    "GDAL_BAND_BLOCK_CACHE": "HASHSET",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
}
"""Settings that TiTiler's page on performance recommends."""
TUNED_TEXT = "GDAL_CACHEMAX=200, BAND_BLOCK_CACHE=HASHSET, READDIR EMPTY_DIR, INGESTED_BYTES 32768, VSI_CACHE"
MODULE = "BENCH_APPLICATION"
"""Variable that names another application than TiTiler's default."""
WMS_APPLICATION = """
from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory
from titiler.extensions.wms import wmsExtension

app = FastAPI()
app.include_router(TilerFactory(extensions=[wmsExtension()]).router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
"""

Found = list["Contender[Any] | Absent"]


def cog_tiles(ground: Ground, file: Path, *, workers: int) -> Found:
    """Return tiles of a COG at the defaults and tuned."""

    def ask(tile: Tile) -> Ask:
        query = f"url={quote(str(file), safe='')}&rescale=0,250&colormap_name={RAMP}&tilesize=256"
        return Ask(path=f"/cog/tiles/WebMercatorQuad/{tile.zoom}/{tile.column}/{tile.row}.png?{query}")

    tuned = _contender(ground, "TiTiler, tuned", ask, environment=TUNED, settings=TUNED_TEXT, workers=workers)
    if ground.quick:
        return [tuned]
    return [_contender(ground, "TiTiler, defaults", ask, settings="defaults", environment={}, workers=workers), tuned]


def cube_tiles(ground: Ground, cube: Path) -> Found:
    """Return tiles of a cube."""

    def ask(tile: Tile) -> Ask:
        query = (
            f"url={quote(str(cube), safe='')}&variable=NDVI&sel=time={tile.day}&rescale=-0.08,0.92"
            f"&colormap_name={RAMP}&tilesize=256"
        )
        return Ask(path=f"/zarr/tiles/WebMercatorQuad/{tile.zoom}/{tile.column}/{tile.row}.png?{query}")

    return [_contender(ground, "titiler.xarray", ask, environment=TUNED, settings=TUNED_TEXT)]


def maps(ground: Ground, files: Mapping[str, Path]) -> Found:
    """Return maps by the WMS extension, which has no TIME: the file of the day is its layer."""
    ground.write("titiler_wms.py", WMS_APPLICATION)

    def ask(each: Map) -> Ask:
        layer = quote(str(files[each.day]), safe="")
        return Ask(path=each.wms("/wms?", layer, more=f"&rescale=0,250&colormap_name={RAMP}"))

    settings = f"wmsExtension; cannot: TIME, so each request names the day's file; {TUNED_TEXT}"
    environment = TUNED | {"PYTHONPATH": str(ground.scratch), MODULE: "titiler_wms:app"}
    return [_contender(ground, "TiTiler WMS", ask, environment=environment, settings=settings, workers=2)]


def points(ground: Ground, cube: Path, name: str) -> Found:
    """Return series of points of a cube."""
    url = quote(str(cube), safe="")

    def ask(point: Point) -> Ask:
        return Ask(path=f"/zarr/point/{point.longitude},{point.latitude}?url={url}&variable=NDVI")

    return [_contender(ground, f"titiler.xarray, {name}", ask, environment=TUNED, settings=TUNED_TEXT)]


def values_of(body: bytes) -> list[float | None]:
    """Return the values of a point's answer."""
    found: list[float | None] = json.loads(body)["values"]
    return found


def _contender(
    ground: Ground,
    name: str,
    ask: Callable[[Any], Ask],
    *,
    settings: str,
    environment: Mapping[str, str],
    workers: int = 1,
) -> "Contender[Any] | Absent":
    uvicorn = ground.program("titiler", "uvicorn")
    if uvicorn is None:
        return Absent(name, "not installed: sh benchmarks/peers/setup.sh")

    module = environment.get(MODULE, "titiler.application.main:app")

    def commands(port: int) -> list[list[str]]:
        return [[uvicorn, module, "--port", str(port), "--workers", str(workers), "--no-access-log", "--log-level",
                 "warning"]]  # fmt: skip

    return Contender(
        name=name,
        software=ground.version("titiler", "titiler.core"),
        settings=f"{settings}; uvicorn, {workers} worker{'s' * (workers > 1)}",
        server=Server(commands=commands, probe="/openapi.json", environment=environment),
        ask=ask,
    )
