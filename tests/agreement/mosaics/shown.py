"""Pictures of a mosaic in the protocols, and the expected ones by the formula."""

import io
import math
from dataclasses import dataclass

import numpy as np
import pyproj
from PIL import Image

from tests.agreement.scenes_served import Tile
from tests.scenes_archive.plan import CRS84, Order, Plan, by_id
from tests.scenes_archive.serving import Served

MERCATOR = "EPSG:3857"
NATIVE_ZOOM = 14
"""Zoom whose pixels are no larger than the cells."""
NEAR = 0.02
"""Metres from the edge of a cell within which a pixel may show either side."""


@dataclass(frozen=True)
class Comparison:
    """Pixels of a picture compared with the expected ones."""

    same: float
    """Share of the pixels."""
    seams: int
    """Pixels without a value that must have one."""
    beyond: int
    """Pixels with a value that must have none."""
    valued: int
    """Pixels that must have a value."""


def tiles_of(made: Plan, zoom: int) -> list[Tile]:
    """Return all tiles that the archive meets."""
    west, south, east, north = extent(made)
    to_mercator = pyproj.Transformer.from_crs(CRS84, MERCATOR, always_xy=True)
    half = Tile(0, 0, 0).size_m / 2
    size = Tile(zoom, 0, 0).size_m
    (left, bottom), (right, top) = to_mercator.transform(west, south), to_mercator.transform(east, north)
    columns = range(math.floor((left + half) / size), math.floor((right + half) / size) + 1)
    rows = range(math.floor((half - top) / size), math.floor((half - bottom) / size) + 1)
    return [Tile(zoom, column, row) for row in rows for column in columns]


def extent(made: Plan) -> tuple[float, float, float, float]:
    """West, south, east, north of all tiles, in degrees."""
    boxes = [
        pyproj.Transformer.from_crs(tile.crs, CRS84, always_xy=True).transform_bounds(*tile.box)
        for tile in made.tiles()
    ]
    return tuple(pick(edges) for pick, edges in zip((min, min, max, max), zip(*boxes, strict=True), strict=True))


def places_of(made: Plan, count: int, *, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes all over the archive, none within 20 cm of an edge of a cell of either zone."""
    west, south, east, north = extent(made)
    longitude, latitude = np.random.default_rng(seed).uniform((west, south), (east, north), (4 * count, 2)).T
    is_clear = np.ones(len(longitude), dtype=bool)
    for zone in (31, 32):
        to_zone = pyproj.Transformer.from_crs(CRS84, f"EPSG:{32600 + zone}", always_xy=True)
        for metres in to_zone.transform(longitude, latitude):
            is_clear &= np.abs((metres + 5) % 10 - 5) > 0.2
    return longitude[is_clear][:count], latitude[is_clear][:count]


def tile_values(served: Served, layer: str, tile: Tile, day: str) -> np.ndarray:
    """Return (y, x) values of a tile, NaN without a value."""
    path = f"/tiles/{layer}/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.npy"
    answer = served.client.get(path, params={"datetime": day})
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content)).astype(float)


def picture(answer) -> np.ndarray:
    """(y, x, 4) of a picture."""
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def compare(values: np.ndarray, expected: np.ndarray) -> Comparison:
    """Compare (y, x) values; they have the precision of float32."""
    same = np.isclose(values, expected, rtol=1e-6, atol=1e-6, equal_nan=True)
    return Comparison(
        same=float(same.mean()),
        seams=int((np.isnan(values) & ~np.isnan(expected)).sum()),
        beyond=int((~np.isnan(values) & np.isnan(expected)).sum()),
        valued=int((~np.isnan(expected)).sum()),
    )


def compare_tiles(
    served: Served, asset: str, date: int, *, zoom: int = NATIVE_ZOOM, order: Order = by_id, layer: str = ""
) -> Comparison:
    """Compare all tiles of a date with the formula at the centres of their pixels."""
    values, expected = [], []
    for tile in tiles_of(served.made, zoom):
        values.append(tile_values(served, layer or asset, tile, served.made.days[date]))
        x, y = tile.centres()
        expected.append(served.made.mosaic(asset, x, y, date=date, crs=MERCATOR, order=order).values)
    return compare(np.stack(values), np.stack(expected))


def series_at(served: Served, layer: str, longitude: np.ndarray, latitude: np.ndarray) -> list[list[float | None]]:
    """(place, time) values of the point series."""
    found = []
    for lon, lat in zip(longitude.tolist(), latitude.tolist(), strict=True):
        answer = served.client.get(f"/timeseries/{layer}/point", params={"lon": lon, "lat": lat})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["values"])
    return found
