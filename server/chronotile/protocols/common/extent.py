"""How far layers reach, as documents say it."""

from functools import lru_cache

from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox, NativeGrid

DECIMALS = 6
"""A tenth of a metre."""


def longitude_latitude_box(layer: Layer) -> BBox:
    """Return west, south, east, north of a layer in CRS84, rounded."""
    return _box(layer.main_variable.grid)


@lru_cache(maxsize=4096)
def _box(grid: NativeGrid) -> BBox:
    return BBox(*(round(edge, DECIMALS) for edge in grid.bbox_in(CRS84)))
