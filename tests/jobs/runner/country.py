"""A made country: 297 small scenes of three UTM zones on nine days, and the values of their composite.

A cell has a different number in each scene, so that a wrong order, cell, date or encoding shows. No item states the
encoding of its file, which changes during the year.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine

from tests.scenes import NODATA, Scene, write_tif
from tests.scenes_archive.documents import COG
from tests.scenes_archive.ground import mixed

CELL_M, SIDE, STEP_M = 1_000, 110, 100_000
"""Of scenes: metres per cell, cells per side, and metres between neighbours."""
WESTS = {31: (430_000, 3), 32: (270_000, 5), 33: (270_000, 3)}
"""West edge of the first column of scenes of each zone, and number of columns: zones meet and overlap."""
NORTH, ROWS = 5_700_000, 3
DAYS = tuple(f"2021-{month:02}-07" for month in range(3, 12))
LONGER = (2, 3)
"""Days whose numbers have 16 bits."""
CRS, RESOLUTION_M = "EPSG:3035", 1_000
"""CRS and resolution of the collection's grid."""


@dataclass(frozen=True)
class Piece:
    """A scene of the country."""

    zone: int
    column: int
    row: int
    date: int

    @property
    def id(self) -> str:
        return f"{self.zone}{'ABCDE'[self.column]}{'ABC'[self.row]}_{DAYS[self.date].replace('-', '')}"

    @property
    def scene(self) -> Scene:
        """Its place and encoding."""
        west, _count = WESTS[self.zone]
        corner = west + self.column * STEP_M, NORTH - self.row * STEP_M
        place = Affine(CELL_M, 0, corner[0], 0, -CELL_M, corner[1])
        scale, offset = (0.0004, 0.1) if self.date in LONGER else (0.004, -0.08 if self.date > 4 else 0.0)
        size = {"width": SIDE, "height": SIDE}
        return Scene(crs=f"EPSG:{32600 + self.zone}", transform=place, scale=scale, offset=offset, **size)

    @cached_property
    def seed(self) -> int:
        return int(mixed([self.zone], self.column, self.row, self.date)[0])

    @property
    def cloud_cover(self) -> float:
        """Key of the order of a day's scenes; equal values are ordered by id."""
        return float(self.seed % 20)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(y, x); a third of the scenes is half of a swath, and each has gaps."""
        rows, columns = np.mgrid[:SIDE, :SIDE]
        dtype, most = ("uint16", 2500) if self.date in LONGER else ("uint8", 250)
        numbers = mixed(rows, columns, self.seed) % most
        numbers = np.where(numbers == NODATA, 0, numbers)
        is_gap = mixed(rows // 9, columns // 7, self.seed) % 5 == 0
        is_beyond = (self.seed % 3 == 0) & (columns + rows // 4 > SIDE // 2)
        return np.where(is_gap | is_beyond, NODATA, numbers).astype(dtype)

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return values at points of its zone, NaN outside."""
        scene = self.scene
        columns, rows = (np.floor(each).astype(int) for each in ~scene.transform @ (x, y))
        is_inside = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
        numbers = np.where(is_inside, self.numbers[rows % SIDE, columns % SIDE], NODATA)
        return np.where(numbers == NODATA, np.nan, numbers * scene.scale + scene.offset)


PIECES = tuple(
    Piece(zone, column, row, date)
    for date in range(len(DAYS))
    for zone, (_west, count) in WESTS.items()
    for column in range(count)
    for row in range(ROWS)
)


def write_country(folder: Path, pieces: Iterable[Piece] = PIECES) -> Iterator[dict[str, Any]]:
    """Write the files of scenes, and give their items."""
    for piece in pieces:
        path = write_tif(folder / f"{piece.id}.tif", piece.numbers, piece.scene, blockxsize=64, blockysize=64)
        yield _item(piece, str(path))


def _item(piece: Piece, href: str) -> dict[str, Any]:
    west, north = piece.scene.transform @ (0, 0)
    east, south = piece.scene.transform @ (SIDE, SIDE)
    to_degrees = pyproj.Transformer.from_crs(piece.scene.crs, "OGC:CRS84", always_xy=True)
    outline = shapely.segmentize(shapely.box(west, south, east, north), STEP_M / 10)
    outline = shapely.transform(outline, to_degrees.transform, interleaved=False)
    made = f"{DAYS[piece.date]}T10:{piece.row:02}:00Z"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": piece.id,
        "collection": "country",
        "geometry": json.loads(shapely.to_geojson(outline)),
        "bbox": list(outline.bounds),
        "properties": {
            "datetime": made,
            "created": made,
            "updated": made,
            "proj:code": piece.scene.crs,
            "eo:cloud_cover": piece.cloud_cover,
        },
        "links": [],
        "assets": {"NDVI": {"href": href, "type": COG, "roles": ["data"]}},
    }


def series_at(x: np.ndarray, y: np.ndarray, pieces: Iterable[Piece] = PIECES) -> np.ndarray:
    """Return (time, point) values at points of `CRS`: by day, of the first scene with a value; NaN without one."""
    places = {
        zone: pyproj.Transformer.from_crs(CRS, f"EPSG:{32600 + zone}", always_xy=True).transform(x, y) for zone in WESTS
    }
    series = np.full((len(DAYS), len(x)), np.nan)
    for piece in sorted(pieces, key=lambda each: (each.cloud_cover, each.id)):
        found = piece.at(*places[piece.zone])
        series[piece.date] = np.where(np.isnan(series[piece.date]), found, series[piece.date])
    return series
