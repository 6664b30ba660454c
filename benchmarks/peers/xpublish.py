"""xpublish: a cube as a Zarr store; and xpublish-tiles: tiles and WMS maps of it; under uvicorn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, Server
from benchmarks.pictures import RAMP
from benchmarks.places import Map, Tile

APPLICATION = """
import os
import xarray
import xpublish
from xpublish_tiles.xpublish.tiles.plugin import TilesPlugin
from xpublish_tiles.xpublish.wms.plugin import WMSPlugin

dataset = xarray.open_zarr(os.environ["BENCH_CUBE"], chunks=None, decode_coords="all")
app = xpublish.Rest({"cube": dataset}, plugins={"tiles": TilesPlugin(), "wms": WMSPlugin()}).app
"""

STORE = """
import os
import xarray
import xpublish

dataset = xarray.open_zarr(os.environ["BENCH_CUBE"])
app = xpublish.Rest({"cube": dataset}).app
"""

TUNED = {"XPUBLISH_TILES_NUM_THREADS": "2"}
"""One per core; the default is 8."""

Found = list["Contender[Any] | Absent"]


def cube_tiles(ground: Ground, cube: Path) -> Found:
    """Return tiles of a cube at the defaults and with as many threads as there are cores."""

    def ask(tile: Tile) -> Ask:
        query = (
            f"variables=NDVI&width=256&height=256&style=raster/{RAMP}&colorscalerange=-0.08,0.92&f=image/png"
            f"&time={tile.day}"
        )
        return Ask(path=f"/datasets/cube/tiles/WebMercatorQuad/{tile.zoom}/{tile.row}/{tile.column}?{query}")

    tuned = _contender(ground, cube, "xpublish-tiles, tuned", ask, environment=TUNED)
    if ground.quick:
        return [tuned]
    return [_contender(ground, cube, "xpublish-tiles, defaults", ask, environment={}), tuned]


def maps(ground: Ground, cube: Path) -> Found:
    """Return maps of a cube by WMS."""

    def ask(each: Map) -> Ask:
        more = f"&COLORSCALERANGE=-0.08,0.92&TIME={each.day}"
        return Ask(path=each.wms("/datasets/cube/wms?", "NDVI", f"raster/{RAMP}", more))

    return [_contender(ground, cube, "xpublish-tiles WMS", ask, environment=TUNED)]


def _contender(
    ground: Ground, cube: Path, name: str, ask: Callable[[Any], Ask], *, environment: dict[str, str]
) -> "Contender[Any] | Absent":
    uvicorn = ground.program("xpub", "uvicorn")
    if uvicorn is None:
        return Absent(name, "not installed: sh benchmarks/peers/setup.sh")
    ground.write("xpublish_app.py", APPLICATION)

    def commands(port: int) -> list[list[str]]:
        return [[uvicorn, "xpublish_app:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]]

    told = " ".join(f"{key}={value}" for key, value in environment.items()) or "defaults"
    return Contender(
        name=name,
        software=ground.version("xpub", "xpublish-tiles"),
        settings=f"{told}; xarray without dask; uvicorn, 1 worker",
        server=Server(
            commands=commands,
            probe="/datasets",
            environment={"BENCH_CUBE": str(cube), "PYTHONPATH": str(ground.scratch), **environment},
        ),
        ask=ask,
    )


def stores(ground: Ground, cube: Path) -> "Contender[str] | Absent":
    """Return a cube as a Zarr store, with xpublish's defaults; paths are below the store."""
    uvicorn = ground.program("xpub", "uvicorn")
    if uvicorn is None:
        return Absent("xpublish-zarr", "not installed: sh benchmarks/peers/setup.sh")
    ground.write("xpublish_store.py", STORE)
    return Contender(
        name="xpublish-zarr",
        software=ground.version("xpub", "xpublish-zarr"),
        settings="defaults; xarray with dask, chunks as the store has them; uvicorn, 1 worker",
        server=Server(
            commands=lambda port: [
                [uvicorn, "xpublish_store:app", "--port", str(port), "--no-access-log", "--log-level", "warning"]
            ],
            probe="/datasets",
            environment={"BENCH_CUBE": str(cube), "PYTHONPATH": str(ground.scratch)},
        ),
        ask=lambda path: Ask(path=f"/datasets/cube/zarr{path}"),
    )
