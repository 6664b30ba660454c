"""Terracotta under gunicorn, with its cache of decoded and warped tiles and without."""

import subprocess
from pathlib import Path
from typing import Any

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, Server
from benchmarks.pictures import RAMP
from benchmarks.places import Tile

APPLICATION = """
import os
import terracotta
terracotta.update_settings(DRIVER_PATH=os.environ["BENCH_DATABASE"], DRIVER_PROVIDER="sqlite")
from terracotta.server.app import app as application
"""
NEAREST = {"TC_RESAMPLING_METHOD": "nearest", "TC_REPROJECTION_METHOD": "nearest"}

Found = list["Contender[Any] | Absent"]


def cog_tiles(ground: Ground, file: Path, *, workers: int) -> Found:
    """Return tiles of a COG."""
    gunicorn, program = ground.program("terra", "gunicorn"), ground.program("terra", "terracotta")
    if gunicorn is None or program is None:
        return [Absent("terracotta", "not installed: sh benchmarks/peers/setup.sh")]
    name, date = file.stem.split("_")
    database = ground.scratch / f"terracotta-{name}.sqlite"
    pattern = str(file.parent / "{name}_{date}.tif")
    if not database.exists():
        ingested = ground.scratch / f"terracotta-{name}"
        ingested.mkdir()
        (ingested / file.name).symlink_to(file)
        pattern = str(ingested / "{name}_{date}.tif")
        subprocess.run([program, "ingest", pattern, "-o", database], check=True, capture_output=True)
    ground.write("terracotta_wsgi.py", APPLICATION)

    def commands(port: int) -> list[list[str]]:
        return [[gunicorn, "-w", str(workers), "-b", f"127.0.0.1:{port}", "-k", "sync", "terracotta_wsgi:application"]]

    def ask(tile: Tile) -> Ask:
        path = f"/singleband/{name}/{date}/{tile.zoom}/{tile.column}/{tile.row}.png"
        return Ask(path=f"{path}?colormap={RAMP}&stretch_range=[0,250]")

    def contender(what: str, settings: str, environment: dict[str, str]) -> Contender[Any]:
        return Contender(
            name=f"terracotta, {what}",
            software=ground.version("terra", "terracotta"),
            settings=f"{settings}; gunicorn, {workers} sync workers (threads would share its SQLite connection)",
            server=Server(
                commands=commands,
                probe="/keys",
                environment={"BENCH_DATABASE": str(database), "PYTHONPATH": str(ground.scratch), **environment},
            ),
            ask=ask,
        )

    off = contender("cache off", "RASTER_CACHE_SIZE=0, nearest", NEAREST | {"TC_RASTER_CACHE_SIZE": "0"})
    if ground.quick:
        return [off]
    return [off, contender("cache on", "defaults: 490 MB of tiles kept, so not the same work", {})]
