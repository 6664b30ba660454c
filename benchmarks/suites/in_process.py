"""One 256 px tile in-process: request to PNG bytes, compared with rio-tiler's read and render of the same tile.

Distinct tiles at native zoom, the files warm. The variants alternate in rows of 20 tiles, so that other work on the
machine affects all equally, and each finds the processor's caches in the state of a busy server. Cold: a new
process each time, the files dropped from the page cache, every tile's first touch.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader

from benchmarks.figures import median, percentile
from benchmarks.findings import Findings, Row, Told
from benchmarks.peers import chronotile
from benchmarks.peers.ground import Ground
from benchmarks.pictures import RAMP, decode, likeness, require_drawn
from benchmarks.suites.options import Options
from chronotile.app.process_setup import keep_freed_memory
from chronotile.archive.open import open_archive
from chronotile.core.model.request import MapRequest
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.services import make_caches

ZOOM = 14
FIRST_COLUMN, FIRST_ROW = 8370, 5480
COLUMNS, TILES = 20, 300
COLD_TILES = 60
CUBE, COG, RIO_TILER = "chronotile, serving cube", "chronotile, COG", "rio-tiler, COG"
LAYERS = {CUBE: "BIG_CUBE", COG: "BIG"}


@dataclass(frozen=True, slots=True)
class FirstTouches:
    """Results of `cold_tiles`."""

    milliseconds: list[float]
    """A tile each."""
    requested_bytes: int
    read_bytes: int
    """Bytes read from storage, including read-ahead."""
    needed_bytes: int
    """Bytes of the blocks that the tiles touch."""


Place = tuple[int, int]
"""Column and row of a tile."""
Way = Callable[[int, int], bytes]


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    keep_freed_memory()  # as the server does
    findings = Findings(
        suite="in-process",
        title="A 256 px tile in-process",
        about=f"10980² UTM uint8, {TILES} distinct tiles of zoom {ZOOM} (native) per round, only handles and "
        f"decoded blocks are cached; cold: {COLD_TILES} tiles spread over the raster in a new process each time, with "
        "an empty page cache.",
        ours=COG,
    )
    config = chronotile.configuration(ground)
    with Reader(str(ground.archive.big)) as reader:
        ways = {name: our_way(config, layer) for name, layer in LAYERS.items()} | {RIO_TILER: rio_tiler_way(reader)}
        likenesses = _compare(ways)
        warm = _by_turns(ways, options.rounds)
    cold = {name: [_cold(config, ground, layer) for _ in range(options.rounds)] for name, layer in LAYERS.items()}
    for name, rounds in warm.items():
        findings.rows += _rows(name, "warm", rounds)
    for name, found in cold.items():
        findings.rows += _rows(name, "cold", [each.milliseconds for each in found])
        requested = median([each.requested_bytes / each.needed_bytes for each in found])
        read = median([each.read_bytes / each.needed_bytes for each in found])
        findings.notes.append(
            f"{name}, cold, as multiples of the bytes of the necessary blocks: requested {requested:.1f}, read from "
            f"storage {read:.1f}, including read-ahead"
        )
    findings.told += [
        *(Told(name, chronotile.SOFTWARE, "palette PNG", likenesses[name]) for name in LAYERS),
        Told(RIO_TILER, f"rio-tiler {version('rio-tiler')}", "open dataset kept, RGBA PNG", likenesses[RIO_TILER]),
    ]
    return findings


def our_way(config: Path, layer: str) -> Way:
    """Return our function for a tile, without caches of answers and warp plans."""
    opened = open_archive(config, environment={}, clock=lambda: np.datetime64("now", "ns")).services
    services = replace(opened, caches=make_caches(payload_bytes=0, plan_bytes=0))
    quad = services.catalogue.tile_matrix_set("WebMercatorQuad")

    def tile(column: int, row: int) -> bytes:
        grid = quad.tile_grid(quad.matrices[ZOOM], row=row, column=column)
        return overlay_maps([MapRequest(layer=layer, grid=grid)], services).body

    return tile


def rio_tiler_way(reader: Reader) -> Way:
    """Return rio-tiler's."""
    ramp = cmap.get(RAMP)

    def tile(column: int, row: int) -> bytes:
        image = reader.tile(column, row, ZOOM)
        image.rescale(in_range=((0, 250),))
        return bytes(image.render(img_format="PNG", colormap=ramp))

    return tile


def spread_places() -> list[Place]:
    """Return tiles that are not neighbours."""
    step = 5
    return [(FIRST_COLUMN + step * (number % 8), FIRST_ROW + step * (number // 8)) for number in range(COLD_TILES)]


def _by_turns(ways: dict[str, Way], rounds: int) -> dict[str, list[list[float]]]:
    places = [(FIRST_COLUMN + number % COLUMNS, FIRST_ROW + number // COLUMNS) for number in range(TILES)]
    for way in ways.values():
        for place in places[::7]:  # the files into the page cache, the code into its own
            way(*place)
    times: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in ways:
            times[name].append([])
        for start_of_row in range(0, TILES, COLUMNS):
            for name, way in ways.items():
                for place in places[start_of_row : start_of_row + COLUMNS]:
                    start = time.perf_counter()
                    way(*place)
                    times[name][-1].append((time.perf_counter() - start) * 1000)
    return times


def _cold(config: Path, ground: Ground, layer: str) -> FirstTouches:
    source = ground.archive.big_cube if layer == LAYERS[CUBE] else ground.archive.big
    command = [sys.executable, "-m", "benchmarks.suites.cold_tiles", str(config), layer, str(source)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return FirstTouches(**json.loads(said))


def _compare(ways: dict[str, Way]) -> dict[str, str]:
    place = (FIRST_COLUMN, FIRST_ROW)
    pictures = {name: decode(way(*place)) for name, way in ways.items()}
    told = {}
    for name, picture in pictures.items():
        require_drawn(picture, name)
        alike = likeness(pictures[COG], picture)
        told[name] = f"{alike.valid_agreement:.0%} / {alike.correlation:.2f}"
    return told


def _rows(name: str, case: str, rounds: list[list[float]]) -> list[Row]:
    return [
        Row(case=f"{case}, {what}", contender=name, unit="ms", rounds=[percentile(each, share) for each in rounds])
        for what, share in (("median", 50.0), ("p95", 95.0))
    ]
