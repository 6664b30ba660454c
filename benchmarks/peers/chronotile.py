"""Our server: `chronotile serve`, with cached answers and with answers computed for each request."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.load.exchange import Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Contender, Server
from benchmarks.places import Map, Point, Tile
from benchmarks.soak.archive import chronotile
from chronotile import __version__

PEERS_CACHE_BYTES = 200 << 20
"""Cache of decoded blocks in each process of peers that read by GDAL (`GDAL_CACHEMAX=200`)."""

PEERS_CACHE = "chronotile, peers' cache"
SERVING = "chronotile, serving cube"
SAME_STORE = "chronotile, same store, not optimised"
SOFTWARE = f"chronotile {__version__}"
STYLE = "title: Bench\nrange: [-0.08, 0.92]\nramp: viridis\nnodata: transparent\n"
CONFIGURATION = """
service: {{wms: {{exception_status: 400}}}}  # so that no exception counts as a map
collections:
  big:
    source: {{kind: cog, href: "{folder}/ndvi_20240601.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: BIG, styles: [bench]}}}}
{real}  stack:
    source: {{kind: cog, href: "{folder}/stack/ndvi_*.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: STACK, styles: [bench]}}}}
  many:
    source: {{kind: cog, href: "{folder}/many/ndvi_*.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: MANY, styles: [bench]}}}}
  serving:
    source: {{kind: zarr, href: "{folder}/cube_serving.zarr"}}
    variables: {{NDVI: {{layer: SERVING, styles: [bench]}}}}
  bigcube:
    source: {{kind: zarr, href: "{folder}/big_serving.zarr"}}
    variables: {{ndvi: {{layer: BIG_CUBE, styles: [bench]}}}}
  dekads:
    source: {{kind: zarr, href: "{folder}/dekads_serving.zarr"}}
    variables: {{NDVI: {{layer: DEKADS, styles: [bench]}}}}
  plain:
    source: {{kind: zarr, href: "{folder}/cube_map.zarr"}}
    variables: {{NDVI: {{layer: PLAIN, styles: [bench]}}}}
  plainseries:
    source: {{kind: zarr, href: "{folder}/cube_series.zarr"}}
    variables: {{NDVI: {{layer: PLAIN_SERIES, styles: [bench]}}}}
  plaindekads:
    source: {{kind: zarr, href: "{folder}/dekads_series.zarr"}}
    variables: {{NDVI: {{layer: PLAIN_DEKADS, styles: [bench]}}}}
"""
STORES = """
collections:
  serving:
    source: {{kind: zarr, href: "{folder}/cube_serving.zarr"}}
    variables: {{NDVI: {{layer: SERVING, styles: [bench]}}}}
  plain:
    source: {{kind: zarr, href: "{folder}/cube_map.zarr"}}
    variables: {{NDVI: {{layer: PLAIN, styles: [bench]}}}}
"""
REAL = """  real:
    source: {{kind: cog, href: "{folder}/real_20240601.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: REAL, styles: [bench]}}}}
"""
MANY = """  c{number}:
    title: Collection {number}
    source: {{kind: cog, href: "{href}", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{layer: L{number}, styles: [bench]}}}}
"""


def cog_tiles(ground: Ground, layer: str, *, workers: int) -> Contender[Tile]:
    """Return a server of tiles of a COG without an answer cache."""
    return _uncached(ground, lambda tile: Ask(path=tile_path(layer, tile)), workers=workers)


def cog_tiles_with_peers_cache(ground: Ground, layer: str, *, workers: int) -> Contender[Tile]:
    """Return tiles of a COG without an answer cache, from workers that cache as many decoded blocks as peers."""
    return _uncached(
        ground,
        lambda tile: Ask(path=tile_path(layer, tile)),
        workers=workers,
        name=PEERS_CACHE,
        more=_as_peers(workers),
    )


def cube_tiles(ground: Ground, layer: str) -> Contender[Tile]:
    """Return a server of tiles of a cube with one worker, without an answer cache."""
    return _uncached(ground, lambda tile: Ask(path=tile_path(layer, tile)), workers=1, name=_name_of_cube(layer))


def maps(ground: Ground, *, workers: int) -> Contender[Map]:
    """Return a server of maps of the stack without an answer cache."""
    return _uncached(ground, _map_of_stack, workers=workers)


def maps_with_peers_cache(ground: Ground, *, workers: int) -> Contender[Map]:
    """Return maps of the stack without an answer cache, from workers that cache as many decoded blocks as peers."""
    return _uncached(ground, _map_of_stack, workers=workers, name=PEERS_CACHE, more=_as_peers(workers))


def cube_maps(ground: Ground, layer: str) -> Contender[Map]:
    """Return a server of maps of a cube with one worker, without an answer cache."""
    return _uncached(
        ground,
        lambda each: Ask(path=each.wms("/wms?", layer, more=f"&TIME={each.day}")),
        workers=1,
        name=_name_of_cube(layer),
    )


def points(ground: Ground, layer: str, name: str, *, workers: int = 1) -> Contender[Point]:
    """Return a server of series of points, without an answer cache."""
    return _uncached(ground, lambda point: Ask(path=point_path(layer, point)), workers=workers, name=name)


def series(ground: Ground, ask: Callable[[Any], Ask]) -> Contender[Any]:
    """Return a server of series of any kind with one worker, without an answer cache."""
    return _uncached(ground, ask, workers=1)


def stores(ground: Ground, layer: str) -> Contender[str]:
    """Return a cube as a Zarr store from one worker, without a cache of chunks; paths are below the store."""
    (ground.scratch / "styles").mkdir(exist_ok=True)
    ground.write("styles/bench.yaml", STYLE)
    config = ground.write("stores.yaml", STORES.format(folder=ground.archive.folder))
    return _contender_of(
        config,
        _name_of_cube(layer),
        lambda path: Ask(path=f"/zarr/{layer}{path}"),
        settings="no answers kept (CHRONOTILE_PAYLOAD_BYTES=0), 1 worker",
        environment={"CHRONOTILE_PAYLOAD_BYTES": "0", "CHRONOTILE_WORKERS": "1"},
    )


def kept(ground: Ground, ask: Callable[[Any], Ask]) -> Contender[Any]:
    """Return one worker as users have it."""
    environment = {"CHRONOTILE_WORKERS": "1"}
    return _contender(ground, "chronotile, cache on", ask, settings="defaults, 1 worker", environment=environment)


def configuration(ground: Ground) -> Path:
    """Return the configuration over all data."""
    folder = ground.archive.folder
    real = REAL.format(folder=folder) if ground.archive.real.exists() else ""
    (ground.scratch / "styles").mkdir(exist_ok=True)
    ground.write("styles/bench.yaml", STYLE)
    return ground.write("chronotile.yaml", CONFIGURATION.format(folder=folder, real=real))


def many_collections(ground: Ground, count: int) -> Contender[str]:
    """Return one worker with default settings, over `count` collections of one small file; subjects are paths."""
    ground.write("styles/bench.yaml", STYLE)
    entries = "".join(MANY.format(number=number, href=ground.archive.many[0]) for number in range(count))
    config = ground.write("many.yaml", f"collections:\n{entries}")
    environment = {"CHRONOTILE_WORKERS": "1"}
    name = f"chronotile, {count} collections"
    return _contender_of(config, name, _page, settings="defaults, 1 worker", environment=environment)


def users(config: Path, *, environment: Mapping[str, str]) -> Contender[str]:
    """Return workers with default settings, over a configuration; subjects are paths."""
    told = ", ".join(f"{name}={value}" for name, value in environment.items())
    return _contender_of(config, "chronotile", _page, settings=told, environment=dict(environment))


def position_path(layer: str, point: Point) -> str:
    """Return the path of a point's series as EDR has it."""
    return f"/ogcapi/collections/{layer}/position?coords=POINT({point.longitude}%20{point.latitude})"


def point_path(layer: str, point: Point) -> str:
    """Return the path of a point's series."""
    return f"/timeseries/{layer}/point?lon={point.longitude}&lat={point.latitude}"


def _uncached(
    ground: Ground,
    ask: Callable[[Any], Ask],
    *,
    workers: int,
    name: str = "chronotile",
    more: Mapping[str, str] = MappingProxyType({}),
) -> Contender[Any]:
    """A closed loop over a list of tiles would otherwise time a dictionary; `more` are other settings."""
    told = "".join(f", {variable}={value}" for variable, value in more.items())
    settings = f"no answers kept (CHRONOTILE_PAYLOAD_BYTES=0){told}, {workers} worker{'s' * (workers > 1)}, palette PNG"
    environment = {"CHRONOTILE_PAYLOAD_BYTES": "0", "CHRONOTILE_WORKERS": str(workers), **more}
    return _contender(ground, name, ask, settings=settings, environment=environment)


def _contender(
    ground: Ground, name: str, ask: Callable[[Any], Ask], *, settings: str, environment: dict[str, str]
) -> Contender[Any]:
    return _contender_of(configuration(ground), name, ask, settings=settings, environment=environment)


def _contender_of(
    config: Path, name: str, ask: Callable[[Any], Ask], *, settings: str, environment: dict[str, str]
) -> Contender[Any]:
    return Contender(
        name=name,
        software=SOFTWARE,
        settings=settings,
        server=Server(
            commands=lambda port: [[*chronotile(), "serve", str(config), "--port", str(port)]],
            probe="/health/ready",
            environment={"CHRONOTILE_LOG_LEVEL": "warning", **environment},
        ),
        ask=ask,
    )


def _as_peers(workers: int) -> dict[str, str]:
    """Return the cache size for as many decoded blocks as peers cache.

    Decoded blocks get 13/16 of a cache; Zarr, which the configuration has, takes a quarter of these.
    """
    return {"CHRONOTILE_CACHE_BYTES": str(PEERS_CACHE_BYTES * 4 // 3 * 16 // 13 * workers)}


def _name_of_cube(layer: str) -> str:
    return SERVING if layer == "SERVING" else SAME_STORE


def _page(path: str) -> Ask:
    return Ask(path=path)


def _map_of_stack(asked: Map) -> Ask:
    return Ask(path=asked.wms("/wms?", "STACK", more=f"&TIME={asked.day}"))


def tile_path(layer: str, tile: Tile) -> str:
    """Return the path of a tile."""
    day = f"?datetime={tile.day}" if tile.day else ""
    return f"/tiles/{layer}/WebMercatorQuad/{tile.zoom}/{tile.column}/{tile.row}.png{day}"
