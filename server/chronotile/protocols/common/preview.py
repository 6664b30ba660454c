"""A small picture of a whole layer: its grid, and its address relative to the landing page."""

import math
from urllib.parse import quote

from chronotile.model.collection import Layer
from chronotile.model.grid import Grid

DEFAULT_WIDTH = 360
LEAST_PX = 8


def preview_href(name: str, width: int = DEFAULT_WIDTH) -> str:
    """Return the address of the picture of a layer, below the public address of the server."""
    return f"layers/{quote(name)}/preview.png" + ("" if width == DEFAULT_WIDTH else f"?width={width}")


def preview_grid(layer: Layer, width: int) -> Grid:
    """Return the grid of a picture of all of a layer in its own CRS.

    Args:
        layer: To be shown.
        width: Pixels; the picture is narrower where it would otherwise be higher than two thirds of it.
    """
    grid = layer.main_variable.grid
    box = grid.bbox
    ratio = (box.xmax - box.xmin) / (box.ymax - box.ymin)
    if grid.crs.is_geographic:  # true to shape in the middle
        ratio *= max(math.cos(math.radians((box.ymin + box.ymax) / 2)), 0.1)
    height = round(width * 2 / 3)
    size = (width, round(width / ratio)) if ratio > width / height else (round(height * ratio), height)
    columns, rows = (max(LEAST_PX, side) for side in size)
    return Grid(crs=grid.crs, bbox=box, width=columns, height=rows)
