"""Small overlapping tiles in two UTM zones, cut from one made ground with values by formula."""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from pyproj import Transformer

from chronotile.core.model.items import Asset, Item
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import ONE_NS
from tests.rasters import write_raster

ZONES = (32631, 32632)
EAST = 6.0
"""Longitude of the border between the zones."""
SIDE = 120
SIZE = 10.0
NODATA = 0


def ground(longitude, latitude, day=0):
    """Numbers of patches of about 60 m, so that the cell of either zone that holds a place mostly has its value."""
    x, y = np.floor(np.asarray(longitude) / 0.0008), np.floor(np.asarray(latitude) / 0.0006)
    return ((x * 7 + y * 13 + day * 29) % 241 + 10).astype("uint16")


@dataclass(frozen=True)
class Tile:
    name: str
    epsg: int
    left: float
    top: float

    @property
    def transform(self):
        return Affine(SIZE, 0, self.left, 0, -SIZE, self.top)

    def lonlat(self):
        columns, rows = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
        x, y = self.left + columns * SIZE, self.top - rows * SIZE
        return Transformer.from_crs(self.epsg, "OGC:CRS84", always_xy=True).transform(x, y)

    def outline(self):
        end = SIDE * SIZE
        x = [self.left, self.left + end, self.left + end, self.left, self.left]
        y = [self.top, self.top, self.top - end, self.top - end, self.top]
        return list(zip(*Transformer.from_crs(self.epsg, "OGC:CRS84", always_xy=True).transform(x, y), strict=True))


def tiles_about_the_seam():
    """Two by two tiles on each side of the seam; all overlap their neighbours, and the zones each other."""
    found = []
    for epsg, shift in ((ZONES[0], -0.8), (ZONES[1], -0.2)):
        x, y = Transformer.from_crs("OGC:CRS84", epsg, always_xy=True).transform(EAST, 50.0)
        x, y = round(x / SIZE) * SIZE, round(y / SIZE) * SIZE
        for column in range(2):
            for row in range(2):
                left = x + (shift + column * 0.85 - 0.4) * SIDE * SIZE
                top = y + (1 - row * 0.85) * SIDE * SIZE
                found.append(Tile(f"{epsg}-{column}{row}", epsg, round(left / SIZE) * SIZE, round(top / SIZE) * SIZE))
    return found


def write_tile(folder, tile, *, day=0, numbers=None, scale=None, offset=None, nodata=NODATA, name="B04"):
    """Write the ground as one file of a tile; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{tile.name}_{day}_{name}.tif"
    numbers = ground(*tile.lonlat(), day) if numbers is None else numbers
    encoding = {"scale": scale, "offset": offset, "nodata": nodata, "overviews": (2, 4)}
    blocks = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    return write_raster(path, numbers, crs=f"EPSG:{tile.epsg}", transform=tile.transform, **encoding, **blocks)


def item_of(tile, paths, *, start, properties=None, suffix=""):
    """Return the item of a tile whose files lie at `paths`, by asset."""
    ring = tuple(tile.outline())
    longitudes, latitudes = zip(*ring, strict=True)
    start = np.datetime64(start, "ns")
    return Item(
        id=f"{tile.name}{suffix}",
        footprint=(ring,),
        bbox=BBox(min(longitudes), min(latitudes), max(longitudes), max(latitudes)),
        start=start,
        end=start + ONE_NS,
        assets=tuple(Asset(name=name, href=str(path)) for name, path in paths.items()),
        properties=properties or {},
    )
