"""Requested tiles, maps and points: spread over the data by a fixed seed."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from chronotile.core.model.space.boxes import BBox

HALF_WORLD_M = 6_378_137.0 * math.pi
COUNT = 400


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of WebMercatorQuad on a day, if the data have days."""

    zoom: int
    column: int
    row: int
    day: str | None = None

    @property
    def bbox(self) -> BBox:
        """In EPSG:3857."""
        side = 2 * HALF_WORLD_M / 2**self.zoom
        west, north = self.column * side - HALF_WORLD_M, HALF_WORLD_M - self.row * side
        return BBox(west, north - side, west + side, north)


@dataclass(frozen=True, slots=True)
class Map:
    """A map of `side_px` squared."""

    bbox: BBox
    """In units of the CRS, x first."""
    crs: str
    side_px: int
    day: str

    def wms(self, base: str, layer: str, style: str = "", more: str = "") -> str:
        """Return the path of a GetMap request (1.3.0: north first in EPSG:4326)."""
        xmin, ymin, xmax, ymax = self.bbox
        box = (ymin, xmin, ymax, xmax) if self.crs == "EPSG:4326" else (xmin, ymin, xmax, ymax)
        return (
            f"{base}SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS={layer}&STYLES={style}&CRS={self.crs}"
            f"&BBOX={','.join(f'{edge:.6f}' for edge in box)}&WIDTH={self.side_px}&HEIGHT={self.side_px}"
            f"&FORMAT=image/png&TRANSPARENT=TRUE{more}"
        )


@dataclass(frozen=True, slots=True)
class Point:
    """A place in degrees."""

    longitude: float
    latitude: float


def tiles(inside: BBox, zoom: int, days: Sequence[str | None] = (None,), *, count: int = COUNT) -> list[Tile]:
    """Return tiles that hold points inside a box of degrees; the same tile may come twice at coarse zooms."""
    chance = random.Random(zoom)
    return [_tile_at(place, zoom, chance.choice(days)) for place in points(inside, seed=zoom, count=count)]


def maps(inside: BBox, zoom: int, days: Sequence[str], *, crs: str, side_px: int, count: int = COUNT) -> list[Map]:
    """Return maps of the ground's size that a tile of the zoom has for 256 px, off the grid of the tiles."""
    chance = random.Random(zoom + side_px)
    across = side_px / 256
    found = []
    for place in points(inside, seed=zoom + side_px, count=count):
        if crs == "EPSG:4326":
            width = across * 360 / 2**zoom
            height = width * math.cos(math.radians(place.latitude))
            centre = (place.longitude, place.latitude)
        else:
            width = height = across * 2 * HALF_WORLD_M / 2**zoom
            centre = mercator(place)
        box = BBox(centre[0] - width / 2, centre[1] - height / 2, centre[0] + width / 2, centre[1] + height / 2)
        found.append(Map(box, crs, side_px, chance.choice(days)))
    return found


def points(inside: BBox, *, seed: int = 7, count: int = COUNT) -> list[Point]:
    """Return points inside a box of degrees."""
    chance = random.Random(seed)
    xmin, ymin, xmax, ymax = inside
    return [Point(round(chance.uniform(xmin, xmax), 5), round(chance.uniform(ymin, ymax), 5)) for _ in range(count)]


def mercator(place: Point) -> tuple[float, float]:
    """Return a place in EPSG:3857."""
    y = math.log(math.tan(math.pi / 4 + math.radians(place.latitude) / 2))
    return math.radians(place.longitude) * HALF_WORLD_M / math.pi, y * HALF_WORLD_M / math.pi


def _tile_at(place: Point, zoom: int, day: str | None) -> Tile:
    x, y = mercator(place)
    side = 2 * HALF_WORLD_M / 2**zoom
    return Tile(zoom, int((x + HALF_WORLD_M) / side), int((HALF_WORLD_M - y) / side), day)
