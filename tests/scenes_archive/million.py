"""Items of a continent over ten years, in any number, streamed and reproducible.

The items cover 700 overlapping tiles of 110 km in Europe, in seven UTM zones, on 1,429 dates: 1,000,300 items. Three in
ten show half a tile, and one tile has 200 items on one day.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pyproj
import shapely
from affine import Affine

from chronotile.core.model.items import Asset, AssetBand, Item
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.scenes_archive import documents, ground

ZONES = tuple(range(29, 36))
COLUMNS, ROWS = 5, 20
"""Tiles of each zone."""
STEP_M, TILE_M = 100_000, 109_800
WEST_M, SOUTH_M = 250_000, 4_000_000
ASSETS = {"B04": 10, "B08": 10, "SCL": 20}
"""Resolution in metres, by asset."""
ONE_NS = np.timedelta64(1, "ns")


@dataclass(frozen=True)
class Tile:
    """One tile of the archive, with the common properties of its items."""

    id: str
    crs: str
    x: int
    y: int
    """y of the north-west corner."""
    rings: tuple[tuple[tuple[float, float], ...], ...]
    """The footprints of its items, (longitude, latitude): the whole tile, its west, its east."""
    boxes: tuple[BBox, ...]
    """Bounding boxes of the footprints."""

    @cached_property
    def grids(self) -> dict[str, NativeGrid]:
        """Native grids by asset."""
        return {
            name: NativeGrid(
                crs=crs_of(self.crs),
                transform=Affine(side, 0, self.x, 0, -side, self.y),
                width=TILE_M // side,
                height=TILE_M // side,
            )
            for name, side in ASSETS.items()
        }


@dataclass(frozen=True)
class Chunk:
    """Some items in the order of time, as columns; all arrays are (item,)."""

    number: np.ndarray
    """Number of the item in the archive."""
    tile: np.ndarray
    """Position in `Continent.tiles`."""
    start: np.ndarray
    """datetime64[ns]."""
    part: np.ndarray
    """0: the whole tile; 1: its west; 2: its east."""
    cloud: np.ndarray
    """Cloud cover, in percent."""

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Continent:
    """An archive of so many dates; the same tiles always."""

    dates: int = 1_429
    first: str = "2016-01-01T10:30:00"
    every_min: int = 3_683
    """Minutes between two dates: 1,429 of them are ten years."""
    deep: int = 200
    """Items of one tile at the last of the dates."""
    base: str = "https://archive.invalid"

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        """All 700."""
        return tuple(_tile(zone, column, row) for zone in ZONES for column in range(COLUMNS) for row in range(ROWS))

    def __len__(self) -> int:
        return self.dates * len(self.tiles)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the items of each date."""
        count = len(self.tiles)
        start = np.datetime64(self.first, "ns")
        for date in range(self.dates):
            number = np.arange(count) + date * count
            tile = np.arange(count)
            if date == self.dates - 1 and self.deep:
                tile = np.where(tile >= count - self.deep, count // 2, tile)
            random = ground.mixed(number, 11)
            seconds = (tile % ROWS) * 14 + (tile // (COLUMNS * ROWS)) * 97 + number % 7
            yield Chunk(
                number=number,
                tile=tile,
                start=start + np.timedelta64(date * self.every_min, "m") + seconds.astype("timedelta64[s]"),
                part=np.where(random % 10 < 3, 1 + (random >> 8) % 2, 0),
                cloud=(random >> 12) % 10_001 / 100,
            )

    def items(self) -> Iterator[Item]:
        """Yield all items with their documents, in the order of time."""
        for chunk in self.chunks():
            for values in self._rows(chunk):
                yield self._item(*values)

    def documents(self) -> Iterator[bytes]:
        """Yield all items as STAC, JSON of about 1.9 kB."""
        for chunk in self.chunks():
            for number, tile, start, part, cloud in self._rows(chunk):
                yield self._document(number, self.tiles[tile], start, part, cloud)

    def _rows(self, chunk: Chunk) -> Iterator[tuple[int, int, np.datetime64, int, float]]:
        return zip(
            chunk.number.tolist(),
            chunk.tile.tolist(),
            chunk.start,
            chunk.part.tolist(),
            chunk.cloud.tolist(),
            strict=True,
        )

    def _item(self, number: int, place: int, start: np.datetime64, part: int, cloud: float) -> Item:
        tile = self.tiles[place]
        item_id = _id(number, tile)
        return Item(
            id=item_id,
            footprint=(tile.rings[part],),
            bbox=tile.boxes[part],
            start=start,
            end=start + ONE_NS,
            updated=start,
            assets=tuple(
                Asset(
                    name=name,
                    href=f"{self.base}/{tile.id}/{item_id}/{name}.tif",
                    grid=tile.grids[name],
                    bands=(_BAND_OF_CLASSES if name == "SCL" else _BAND,),
                    media_type=documents.COG,
                )
                for name in ASSETS
            ),
            properties={"eo:cloud_cover": cloud, "platform": _PLATFORMS[number % 2], "grid:code": f"MGRS-{tile.id}"},
            document=self._document(number, tile, start, part, cloud),
        )

    def _document(self, number: int, tile: Tile, start: np.datetime64, part: int, cloud: float) -> bytes:
        head, foot = self._templates[tile.id, part]
        item_id = _id(number, tile)
        text = f'{head}"id":"{item_id}","properties":{{"datetime":"{str(start)[:19]}Z","updated":"{str(start)[:19]}Z",'
        text += f'"eo:cloud_cover":{cloud},"platform":"{_PLATFORMS[number % 2]}",{foot}'
        return text.replace("ITEM", item_id).encode()

    @cached_property
    def _templates(self) -> dict[tuple[str, int], tuple[str, str]]:
        """By tile and part, the text before the id and after the platform of its documents."""
        return {(tile.id, part): _template(tile, part, self.base) for tile in self.tiles for part in range(3)}


_PLATFORMS = ("sentinel-2a", "sentinel-2b")
_BAND = AssetBand(dtype="uint16", scale=0.0001, offset=-0.1, nodata=0)
_BAND_OF_CLASSES = AssetBand(dtype="uint8", nodata=0)


@cache
def _to_degrees(zone: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(f"EPSG:{32600 + zone}", "OGC:CRS84", always_xy=True)


def _id(number: int, tile: Tile) -> str:
    return f"S2{'AB'[number % 2]}_{tile.id}_{number:08}_L2A"


def _tile(zone: int, column: int, row: int) -> Tile:
    x, north = WEST_M + column * STEP_M, SOUTH_M + row * STEP_M + TILE_M
    box = shapely.box(x, north - TILE_M, x + TILE_M, north)
    # A pass cuts the tile along a slanted line.
    west = shapely.Polygon([(x, north - TILE_M), (x + 40_000, north - TILE_M), (x + 65_000, north), (x, north)])
    to_degrees = _to_degrees(zone)
    shapes = [
        shapely.orient_polygons(shapely.transform(shape, to_degrees.transform, interleaved=False))
        for shape in (box, west, shapely.difference(box, west))
    ]
    return Tile(
        id=f"{zone}{'STUVW'[row // 4]}{'ABCDE'[column]}{'ABCDEFGHJKLMNPQRSTUV'[row]}",
        crs=f"EPSG:{32600 + zone}",
        x=x,
        y=north,
        rings=tuple(tuple((round(lon, 6), round(lat, 6)) for lon, lat in shape.exterior.coords) for shape in shapes),
        boxes=tuple(BBox(*(round(edge, 6) for edge in shape.bounds)) for shape in shapes),
    )


def _template(tile: Tile, part: int, base: str) -> tuple[str, str]:
    assets = {
        name: {
            "href": f"{base}/{tile.id}/ITEM/{name}.tif",
            "type": documents.COG,
            "roles": ["data"],
            "gsd": side,
            "proj:shape": [TILE_M // side, TILE_M // side],
            "proj:transform": [side, 0, tile.x, 0, -side, tile.y],
            "nodata": 0,
            "data_type": "uint8" if name == "SCL" else "uint16",
        }
        | ({} if name == "SCL" else {"raster:scale": 0.0001, "raster:offset": -0.1})
        for name, side in ASSETS.items()
    }
    common = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [documents.SCHEMA.format(name) for name in documents.EXTENSIONS["1.1"]],
        "collection": "continent",
        "geometry": {"type": "Polygon", "coordinates": [tile.rings[part]]},
        "bbox": list(tile.boxes[part]),
        "links": [{"rel": "self", "href": f"{base}/items/ITEM.json", "type": "application/geo+json"}],
        "assets": assets,
    }
    properties = {"gsd": 10, "grid:code": f"MGRS-{tile.id}", "proj:code": tile.crs}
    return f"{json.dumps(common)[:-1]}, ", f"{json.dumps(properties)[1:]}}}"
