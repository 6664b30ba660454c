"""xcube's server: tiles and point series of a cube."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, Server
from benchmarks.pictures import RAMP
from benchmarks.places import Point, Tile

CONFIGURATION = """
{cache}Datasets:
  - Identifier: cube
    FileSystem: file
    Path: {cube}
    Style: ndvi
Styles:
  - Identifier: ndvi
    ColorMappings:
      NDVI: {{ColorBar: {ramp}, ValueRange: [-0.08, 0.92]}}
"""
CACHE = "DatasetChunkCacheSize: 512M\n"

Found = list["Contender[Any] | Absent"]


def cube_tiles(ground: Ground, cube: Path) -> Found:
    """Return tiles of a cube at the defaults and with a chunk cache."""

    def ask(tile: Tile) -> Ask:
        query = f"crs=EPSG:3857&cbar={RAMP}&vmin=-0.08&vmax=0.92&time={tile.day}"
        return Ask(path=f"/tiles/cube/NDVI/{tile.zoom}/{tile.row}/{tile.column}?{query}")

    tuned = _contender(ground, cube, "xcube, tuned", ask, cache=CACHE)
    return [tuned] if ground.quick else [_contender(ground, cube, "xcube, defaults", ask, cache=""), tuned]


def points(ground: Ground, cube: Path, name: str) -> Found:
    """Return series of points of a cube."""

    def ask(point: Point) -> Ask:
        body = json.dumps({"type": "Point", "coordinates": [point.longitude, point.latitude]}).encode()
        return Ask(path="/timeseries/cube/NDVI", method="POST", headers={"Content-Type": "application/json"}, body=body)

    return [_contender(ground, cube, f"xcube, {name}", ask, cache="")]


def areas(ground: Ground, cube: Path, name: str) -> Found:
    """Return series of many areas of a cube: each subject's body is sent unchanged, its query after the path."""

    def ask(subject: tuple[str, bytes]) -> Ask:
        query, body = subject
        headers = {"Content-Type": "application/json"}
        return Ask(path=f"/timeseries/cube/NDVI?{query}", method="POST", headers=headers, body=body)

    return [_contender(ground, cube, f"xcube, {name}", ask, cache=CACHE)]


def values_of(body: bytes) -> list[float | None]:
    """Return the values of a point's answer."""
    found: list[float | None] = [each.get("mean") for each in json.loads(body)["result"]]
    return found


def _contender(
    ground: Ground, cube: Path, name: str, ask: Callable[[Any], Ask], *, cache: str
) -> "Contender[Any] | Absent":
    program = ground.program("xcube", "xcube")
    if program is None:
        return Absent(name, "not installed: sh benchmarks/peers/setup.sh")
    text = CONFIGURATION.format(cube=cube, ramp=RAMP, cache=cache)
    config = ground.write(f"xcube-{cube.stem}-{'tuned' if cache else 'plain'}.yaml", text)

    def commands(port: int) -> list[list[str]]:
        return [[program, "serve", "--port", str(port), "--address", "127.0.0.1", "-c", str(config)]]

    return Contender(
        name=name,
        software=ground.version("xcube", "xcube-core"),
        settings=f"{cache.strip() or 'defaults'}; tornado, 1 process; resolutions as in the cube (no levels)",
        server=Server(commands=commands, probe="/datasets"),
        ask=ask,
    )
