"""A small archive whose scenes change: by the formula, the expected picture of each of its states."""

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from tests.agreement.mosaics.shown import MERCATOR
from tests.agreement.scenes_served import Tile
from tests.scenes_archive.plan import Plan, Scene, days_of
from tests.scenes_archive.under_faults import clear_of_edges

MADE = Plan(
    days=days_of(4, every=25),
    columns=2,
    rows=1,
    tile_px=244,
    step_px=220,
    ground_m=2_000,
    block_px=128,
    assets=("CELL",),
)
SCENES = tuple(MADE.all_scenes())
TILES = (Tile(14, 8463, 5520), Tile(14, 8464, 5520), Tile(14, 8465, 5521), Tile(14, 8466, 5520))
"""Tiles in both zones; their pixels are no larger than the cells."""
HIGHEST = 50_000
STEP = 2_000
"""Added to the numbers of a scene with each processing."""
PROCESSINGS = 8


class Processed(Scene):
    """A scene with the numbers of a processing."""

    def numbers(self, asset: str) -> np.ndarray:
        """(y, x) of all cells."""
        return self._processed(super().numbers(asset))

    def numbers_at(self, asset: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the numbers of the cells at points of the zone."""
        return self._processed(super().numbers_at(asset, x, y))

    def _processed(self, numbers: np.ndarray) -> np.ndarray:
        return np.where(numbers > 0, numbers.astype("int32") + STEP * self.rank, 0).astype("uint16")


def processed(scene: Scene, rank: int) -> Processed:
    """Return a processing of a scene."""
    return Processed(scene.frame, scene.date, scene.day, scene.strip, scene.plan, rank)


@dataclass(frozen=True)
class There:
    """A stored scene and its rank, the key of its order."""

    rank: int
    order: float


Contents = dict[str, There]
"""Stored scenes by id."""


@dataclass(frozen=True)
class State:
    """A collection between two changes."""

    contents: Contents
    begin_s: float
    """When the change that led to it began."""


@lru_cache(maxsize=200)
def _centres(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    return tile.centres()


def expected(contents: Contents, date: int, tile: Tile, *, is_ordered: bool) -> np.ndarray:
    """Return (y, x) numbers of a tile of a date, 0 without a value; `is_ordered`: not by id alone."""
    x, y = _centres(tile)
    scenes = tuple(processed(scene, contents[scene.id].rank) for scene in MADE.scenes(date) if scene.id in contents)

    def order(scene: Scene) -> tuple[object, ...]:
        return (contents[scene.id].order, scene.id) if is_ordered else (scene.id,)

    return MADE.mosaic("CELL", x, y, date=date, crs=MERCATOR, scenes=scenes, order=order).numbers


def shows(body: bytes, wanted: np.ndarray, tile: Tile) -> bool:
    """Return whether a picture shows the numbers of values or greys; pixels near edges of cells are not compared."""
    values, tolerance = _shown(body)
    is_clear = clear_of_edges(tile)
    for step in (16, 1):  # most that differ do so nearly everywhere
        some, numbers = values[::step, ::step], wanted[::step, ::step]
        differing = (np.abs(np.nan_to_num(some) - numbers) > tolerance) | (np.isnan(some) != (numbers == 0))
        if np.any(is_clear[::step, ::step] & differing):
            return False
    return True


@lru_cache(maxsize=200)
def _shown(body: bytes) -> tuple[np.ndarray, float]:
    """Return (y, x) numbers, NaN without a value, and their tolerance."""
    if body.startswith(b"\x93NUMPY"):
        return np.load(io.BytesIO(body)).astype(float), 0.0
    pixels = np.asarray(Image.open(io.BytesIO(body)).convert("RGBA")).astype(float)
    return np.where(pixels[..., 3] > 0, pixels[..., 0] * HIGHEST / 255, np.nan), HIGHEST / 255
