"""Cube tiles: time of a year of a tile, its bytes compared with pictures, and the effect on tiles."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks.data import season
from benchmarks.data.cube import make_serving_cube
from benchmarks.figures import median, percentile
from benchmarks.findings import Findings, Row
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import timed
from benchmarks.load.open_loop import open_loop
from benchmarks.load.storm import storm
from benchmarks.peers import chronotile
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Contender, running
from benchmarks.suites.options import Options
from chronotile.archive.open import open_archive
from chronotile.core.model.cube import CubeRequest, CubeTile, Res
from chronotile.core.model.request import MapRequest
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.cube_tiles import extract_cube
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.services import Services, make_caches
from chronotile.pipeline.tile_ranges import tile_range

SHARED = Path(__file__).parents[3] / "shared" / "data"
COLD, TOUCH, HALF = "cold", "first touch of files", "cold, res=2"
CLIENTS, TILE_RATE = 20, 60.0
"""Clients of the storm; tiles per second at the same time."""
STORM_S = 15.0
TILES = 20
MOST_PICTURES = 36
"""Maximum number of pictures of a tile whose bytes are counted."""
CONFIGURATION = """
collections:
  files:
    source: {{kind: cog, href: "{folder}/files/*.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: FILES, styles: [bench]}}}}
  beside:
    source:
      kind: cog
      href: "{folder}/files/*.tif"
      time_pattern: '_(?P<time>\\d{{8}})'
      series: "{folder}/series.zarr"
    variables: {{NDVI: {{layer: BESIDE, name: ndvi, styles: [bench]}}}}
  serving:
    source: {{kind: zarr, href: "{folder}/serving.zarr"}}
    variables: {{NDVI: {{layer: SERVING, name: ndvi, styles: [bench]}}}}
"""
LAYERS = {"COG stack": "FILES", "COG stack, series beside": "BESIDE", "serving cube": "SERVING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """External data in ../shared."""

    name: str
    path: str
    zooms: tuple[int, ...]


REAL = (
    Real(name="s2_romania, int16", path="s2_romania/ndvi_scl_romania_10m.nc", zooms=(14, 13)),
    Real(
        name="modis_ndvi_north_america, int16", path="modis_ndvi_north_america/ndvi_north_america_2001.nc", zooms=(3, 2)
    ),
    Real(name="xcube_chl, float64", path="xcube_chl/cube-1-250-250.zarr", zooms=(8, 7)),
)


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    findings = Findings(
        suite="cube-requests",
        title=f"Cube tiles of {season.DATES} dates",
        about=f"A year of {season.DATES} dates of {season.SIDE}² uint8 in UTM (parcels, noise, {season.CLOUDY:.0%} "
        f"clouds): {TILES} tiles of zooms 13 (native) and 14 per round, in-process, processor time of all threads; "
        "only handles, decoded blocks and plans are cached. Cached tiles and pictures are measured over HTTP by the "
        "clock. Bytes are per date and tile.",
        ours="serving cube",
    )
    config = _configuration(ground)
    for name, layer in LAYERS.items():
        findings.rows += _times(name, layer, config, options)
    findings.rows += _sizes("synthetic, uint8", "FILES", _services(config), (13,))
    for real in REAL:
        if (SHARED / real.path).exists():
            services = _services(SHARED / real.path)
            layer = next(layer.id for layer in services.catalogue.layers if not layer.is_composite)
            findings.rows += _sizes(real.name, layer, services, real.zooms)
    _warm(findings, ground, config)
    _storm(findings, ground, config)
    return findings


def _configuration(ground: Ground) -> Path:
    folder = ground.archive.folder / "season"
    season.make_season(folder / "files")
    make_serving_cube(folder / "files", folder / "serving.zarr", layout="both")
    make_serving_cube(folder / "files", folder / "series.zarr", layout="series")
    (ground.scratch / "styles").mkdir(exist_ok=True)
    ground.write("styles/bench.yaml", chronotile.STYLE)
    return ground.write("cubes.yaml", CONFIGURATION.format(folder=folder))


def _services(place: Path) -> Services:
    """Services that keep no answers."""
    opened = open_archive(place, environment={}, clock=lambda: np.datetime64("now", "ns")).services
    return replace(opened, caches=make_caches(payload_bytes=0))


def _tiles(services: Services, layer: str, zooms: Sequence[int]) -> list[CubeTile]:
    """The tiles of some zooms that a layer touches."""
    quad, grid = (
        services.catalogue.tile_matrix_set("WebMercatorQuad"),
        services.catalogue.layer(layer).main_variable.grid,
    )
    found = []
    for zoom in zooms:
        matrix = quad.matrices[zoom]
        held = tile_range(grid, quad, matrix)
        if held is not None:
            places = [
                (column, row)
                for column in range(held.column_min, held.column_max + 1)
                for row in range(held.row_min, held.row_max + 1)
            ]
            found += [
                CubeTile(
                    tile_matrix_set=quad.id,
                    matrix=matrix.id,
                    column=column,
                    row=row,
                    grid=quad.tile_grid(matrix, row=row, column=column),
                )
                for column, row in places
            ]
    return found


def _times(name: str, layer: str, config: Path, options: Options) -> list[Row]:
    """Milliseconds of cubes: first tile, which opens the files; then every tile."""
    taken: dict[str, list[list[float]]] = {TOUCH: [], COLD: [], HALF: []}
    for _ in range(options.rounds):
        services = _services(config)
        tiles = _tiles(services, layer, (13, 14))
        tiles = random.Random(5).sample(tiles, TILES + 1)
        taken[TOUCH].append([_asked(services, layer, tiles[0], 1)])
        taken[COLD].append([_asked(services, layer, tile, 1) for tile in tiles[1:]])
        taken[HALF].append([_asked(services, layer, tile, 2) for tile in tiles[1:]])
    return [
        Row(case=f"{case}, {what}", contender=name, unit="ms", rounds=[percentile(each, share) for each in rounds])
        for case, rounds in taken.items()
        for what, share in (("p50", 50.0), ("p95", 95.0))[: 1 if case == TOUCH else 2]
    ]


def _asked(services: Services, layer: str, tile: CubeTile, res: Res) -> float:
    started = time.process_time()
    extract_cube(CubeRequest(layer=layer, tile=tile, res=res), services)
    return (time.process_time() - started) * 1000


def _sizes(name: str, layer: str, services: Services, zooms: Sequence[int]) -> list[Row]:
    """Kilobytes per date and tile: cubes of both resolutions, and palette PNG of the same tiles."""
    found: dict[str, list[float]] = {"cube": [], "cube, res=2": [], "palette PNG": []}
    for tile in _tiles(services, layer, zooms):
        whole = extract_cube(CubeRequest(layer=layer, tile=tile), services)
        half = extract_cube(CubeRequest(layer=layer, tile=tile, res=2), services)
        instants = whole.time.instants
        if not whole.body:
            continue
        shown = [parse_time(format_instant(instant)) for instant in instants[:MOST_PICTURES]]
        requests = [MapRequest(layer=layer, grid=tile.grid, time=time) for time in shown]
        pictures = [overlay_maps([request], services).body for request in requests]
        found["cube"].append(len(whole.body) / len(instants) / 1000)
        found["cube, res=2"].append(len(half.body) / len(instants) / 1000)
        found["palette PNG"].append(sum(map(len, pictures)) / len(pictures) / 1000)
    return [Row(case=case, contender=name, unit="kB", rounds=[mean(each)]) for case, each in found.items()]


def _path(layer: str, tile: CubeTile, query: str = "") -> str:
    return f"/cubes/{layer}/WebMercatorQuad/{tile.matrix}/{tile.column}/{tile.row}.ctc?datetime=2019{query}"


def _server(config: Path, **environment: str) -> Contender[str]:
    told = {"CHRONOTILE_WORKERS": "1", **environment}
    return chronotile.users(config, environment=told)


def _warm(findings: Findings, ground: Ground, config: Path) -> None:
    """Milliseconds of cubes that are kept, and of 304."""
    tiles = _tiles(_services(config), "SERVING", (13,))
    asks = [Ask(path=_path("SERVING", tile), headers={"Accept-Encoding": "gzip"}) for tile in tiles]
    contender = _server(config)
    with running(contender.name, contender.server, ground.scratch) as port:
        timed(port, asks)
        taken = timed(port, asks * 5).milliseconds
    findings.rows += [
        Row(case=f"kept {what}", contender="over HTTP, inflated too", unit="ms", rounds=[percentile(taken, share)])
        for what, share in (("p50", 50.0), ("p95", 95.0))
    ]


def _storm(findings: Findings, ground: Ground, config: Path) -> None:
    """Milliseconds of pictures alone, then with clients that request cubes, without a cache."""
    tiles = _tiles(_services(config), "SERVING", (13,))
    pictures = [
        Ask(path=f"/tiles/SERVING/WebMercatorQuad/{tile.matrix}/{tile.column}/{tile.row}.png?datetime={day}")
        for tile in tiles
        for day in season.days()
    ]
    random.Random(6).shuffle(pictures)
    cubes = [_path("SERVING", tile, query) for tile in tiles for query in ("", "&res=2")]
    contender = _server(config, CHRONOTILE_WORKERS="2", CHRONOTILE_PAYLOAD_BYTES="0", CHRONOTILE_DISK_CACHE_BYTES="0")
    with running(contender.name, contender.server, ground.scratch) as port:
        open_loop(port, pictures, rate=TILE_RATE, seconds=3)
        alone = open_loop(port, pictures, rate=TILE_RATE, seconds=STORM_S)
        with storm(port, cubes, clients=CLIENTS) as found:
            beside = open_loop(port, pictures, rate=TILE_RATE, seconds=STORM_S)
    for name, loop in (("pictures alone", alone), (f"pictures beside {CLIENTS} clients of cubes", beside)):
        findings.rows += [
            Row(
                case=f"picture {what}",
                contender=name,
                unit="ms",
                rounds=[loop.percentile_ms(share)],
                failed=loop.failed,
            )
            for what, share in (("p50", 50.0), ("p95", 95.0), ("p99", 99.0))
        ]
    answers, megabytes = found.statuses.total() / STORM_S, found.bytes / STORM_S / 1e6
    findings.notes.append(
        f"storm: 2 workers, {TILE_RATE:.0f} pictures/s, no answers and no cubes cached; {answers:.0f} cubes/s "
        f"at the same time ({megabytes:.0f} MB/s), median {median(found.milliseconds):.0f} ms, statuses "
        f"{dict(found.statuses)}"
    )
