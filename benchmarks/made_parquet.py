"""A stac-geoparquet file of synthetic items similar to Sentinel-2, with five assets and the fields `proj:` of tiles."""

import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import Transformer

from chronotile.archive.index.geoparquet import item_of_row, rows_of

BANDS = (("red", 10), ("green", 10), ("nir", 10), ("swir", 20), ("scl", 20))
PLACES = 1000
"""Tiles, in ten zones of UTM."""
ZONES, FIRST_ZONE = 10, 28
GROUP = 10_000
"""Rows of one row group."""
HOST = "https://example.com/sentinel-2"
_ASSET = pa.struct(
    [
        ("href", pa.string()),
        ("type", pa.string()),
        ("title", pa.string()),
        ("roles", pa.list_(pa.string())),
        ("proj:shape", pa.list_(pa.int64())),
        ("proj:transform", pa.list_(pa.float64())),
        (
            "raster:bands",
            pa.list_(
                pa.struct(
                    [
                        ("data_type", pa.string()),
                        ("nodata", pa.float64()),
                        ("scale", pa.float64()),
                        ("offset", pa.float64()),
                        ("spatial_resolution", pa.float64()),
                    ]
                )
            ),
        ),
    ]
)
SCHEMA = pa.schema(
    [
        ("type", pa.string()),
        ("stac_version", pa.string()),
        ("stac_extensions", pa.list_(pa.string())),
        ("id", pa.string()),
        ("collection", pa.string()),
        ("geometry", pa.binary()),
        ("bbox", pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])),
        ("links", pa.list_(pa.struct([("rel", pa.string()), ("href", pa.string())]))),
        ("assets", pa.struct([(name, _ASSET) for name, _step in BANDS])),
        ("datetime", pa.timestamp("us", tz="UTC")),
        ("created", pa.timestamp("us", tz="UTC")),
        ("updated", pa.timestamp("us", tz="UTC")),
        ("platform", pa.string()),
        ("constellation", pa.string()),
        ("instruments", pa.list_(pa.string())),
        ("eo:cloud_cover", pa.float64()),
        ("grid:code", pa.string()),
        ("proj:code", pa.string()),
        ("s2:product_uri", pa.string()),
        ("s2:processing_baseline", pa.string()),
        ("view:sun_elevation", pa.float64()),
    ]
)


def write_parquet(file: Path, count: int, *, collection: str = "sentinel-2-l2a", seed: int = 33) -> None:
    """Write this number of items, date by date, in the order of a growing archive."""
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for start in range(0, count, GROUP):
            numbers = range(start, min(count, start + GROUP))
            writer.write_table(
                pa.Table.from_pylist([row(each, collection, seed) for each in numbers], schema=SCHEMA),
                row_group_size=GROUP,
            )


def documents(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the items of a file as STAC documents."""
    for batch in pq.ParquetFile(file).iter_batches(batch_size=1000):
        yield from map(item_of_row, rows_of(batch))


def row(number: int, collection: str, seed: int) -> dict[str, Any]:
    """Return a row: an item of a tile; three of ten are half swaths."""
    date, place = divmod(number, PLACES)
    chance = random.Random(seed * 1_000_003 + number)
    zone, east, north, corners = _tile(place)
    ring = list(corners)
    if chance.random() < 0.3:  # the area west of the edge of a swath
        share = chance.uniform(0.2, 0.8)
        ring[1], ring[2] = (_between(ring[0], ring[1], share), _between(ring[3], ring[2], share))
    (west, east_end), (south, north_end) = ((min(each), max(each)) for each in zip(*ring, strict=True))
    taken_us = 1_451_645_400_000_000 + date * 219_600_000_000 + place % 3600 * 1_000_000
    id_ = f"S2B_T{place:05}_{date:05}_L2A"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
        ],
        "id": id_,
        "collection": collection,
        "geometry": shapely.to_wkb(shapely.Polygon(ring)),
        "bbox": {"xmin": west, "ymin": south, "xmax": east_end, "ymax": north_end},
        "links": [{"rel": "collection", "href": f"{HOST}/collection.json"}],
        "assets": {
            name: _asset(f"{HOST}/{place:05}/{id_}/{name}.tif", name, step, (east, north)) for name, step in BANDS
        },
        "datetime": taken_us,
        "created": taken_us + 86_400_000_000,
        "updated": taken_us + 90_000_000_000 + chance.randrange(1_000_000),
        "platform": chance.choice(("sentinel-2a", "sentinel-2b")),
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": round(chance.uniform(0, 100), 2),
        "grid:code": f"MGRS-{place:05}",
        "proj:code": f"EPSG:326{zone}",
        "s2:product_uri": f"{id_}.SAFE",
        "s2:processing_baseline": "05.10",
        "view:sun_elevation": round(chance.uniform(10, 60), 3),
    }


Position = tuple[float, float]


@lru_cache(maxsize=PLACES)
def _tile(place: int) -> tuple[int, int, int, tuple[Position, ...]]:
    """The zone, the edges in the west and north, and the corners of a tile of 110 km."""
    zone, cell = divmod(place, PLACES // ZONES)
    line, column = divmod(cell, 5)
    zone, east, north = FIRST_ZONE + zone, 199_980 + 100_000 * column, 4_200_000 + 100_000 * line
    edges = (east, east + 109_800, east + 109_800, east), (north, north, north - 109_800, north - 109_800)
    longitudes, latitudes = Transformer.from_crs(f"EPSG:326{zone}", "OGC:CRS84", always_xy=True).transform(*edges)
    return zone, east, north, tuple(zip(longitudes, latitudes, strict=True))


def _between(start: Position, end: Position, share: float) -> Position:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _asset(href: str, name: str, step: int, corner: tuple[int, int]) -> dict[str, Any]:
    side, (east, north) = 109_800 // step, corner
    return {
        "href": href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": name,
        "roles": ["data"],
        "proj:shape": [side, side],
        "proj:transform": [float(step), 0.0, float(east), 0.0, float(-step), float(north)],
        "raster:bands": [
            {"data_type": "uint16", "nodata": 0.0, "scale": 1e-4, "offset": -0.1, "spatial_resolution": float(step)}
        ],
    }
